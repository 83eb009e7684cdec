"""What the trust's rules for access are asked about, when what was given is used: without a relay."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from gateway.federation.oidc.errors import InvalidGrant
from gateway.federation.oidc.grant_checks import GrantChecks
from gateway.federation.oidc.grant_details import GrantDetails, write_details
from gateway.federation.trusts import TrustAccess
from gateway.store import GrantRecord
from tests.gateway.federation.oidc.stand import ANNA, APP
from tests.support.fakes import identity_of

NEAR, FAR = "192.0.2.7", "203.0.113.9"
OFFICE = replace(APP, access=TrustAccess(networks=("192.0.2.0/24",)))


@dataclass
class Told:
    """What a store and the checks of accounts are told."""

    ended: list[bytes] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    async def end(self, digest: bytes) -> bool | None:
        self.ended.append(digest)
        return True if len(self.ended) == 1 else None

    async def tell_end(self, kind: str, held: Any, reason: str, *, trust: str) -> None:
        self.reasons.append(f"{kind} {held.user_name} {reason} {trust}")


@pytest.mark.parametrize(
    ("address", "browser", "lets_in"), [(NEAR, "", True), (FAR, "", False), (FAR, NEAR, True), (NEAR, FAR, False)]
)
async def test_networks_are_those_of_the_sign_in(address: str, browser: str, lets_in: bool) -> None:
    """Of a device that of the browser in which it was connected: it was asked about then. An end is told once."""
    told = Told()
    checks = GrantChecks(told, told)  # type: ignore[arg-type] # no more of them is needed
    identity = identity_of(ANNA)
    details = GrantDetails(
        scope=("openid",), subject="s", auth_time=1.0, identity=identity, address=address, browser=browser
    )
    record = GrantRecord(
        digest=b"g",
        trust="app",
        account=identity.account,
        details=write_details(details),
        created_at=1.0,
        expires_at=2.0,
        idle_at=2.0,
    )
    if lets_in:
        await checks.check_access(record, OFFICE, details)
        assert told.ended == []
        return
    for _ in range(2):
        with pytest.raises(InvalidGrant, match="access: network"):
            await checks.check_access(record, OFFICE, details)
    assert told.reasons == [f"federation.grant_ended {ANNA} access: network app"]
