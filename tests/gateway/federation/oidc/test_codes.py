"""Authorization codes: made here, over soon, redeemed once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.federation.oidc.codes import CodeDetails, Codes
from gateway.federation.oidc.errors import InvalidGrant
from gateway.federation.oidc.grant_details import GrantDetails
from gateway.signin import CookieSigner
from gateway.store import Store, open_store
from tests.support.fakes import identity_of

NOW = 1_800_000_000.0
DETAILS = CodeDetails(
    trust="app",
    redirect_uri="https://app.example/cb",
    grant=GrantDetails(scope=("openid",), subject="s", auth_time=NOW, identity=identity_of("anna@corp.example.com")),
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = open_store(f"sqlite:///{tmp_path}/codes.db", secret=b"k" * 32, node="relay1")
    yield made
    await made.close()


def _codes(store: Store) -> Codes:
    return Codes(CookieSigner(store.keyring, "oidc codes"), store.once)


async def test_of_many_who_redeem_a_code_one_gets_it(store: Store) -> None:
    """O02: fifty at once."""
    codes = _codes(store)
    code = await codes.issue(DETAILS, NOW, 60)
    codes.check(code, NOW)
    taken = await asyncio.gather(*(codes.take(code, NOW + 1) for _ in range(50)))
    assert [details for details in taken if details is not None] == [DETAILS]


async def test_a_code_is_over_after_a_minute_at_most(store: Store) -> None:
    """O02: whatever the trust says; and where it says less, then."""
    codes = _codes(store)
    for lifetime, over in ((600, 60), (10, 10)):
        code = await codes.issue(DETAILS, NOW, lifetime)
        assert await codes.take(code, NOW + over) is None
        code = await codes.issue(DETAILS, NOW, lifetime)
        assert await codes.take(code, NOW + over - 1) == DETAILS
        codes.check(code, NOW + over + 500)
        with pytest.raises(InvalidGrant):
            codes.check(code, NOW + over + 601)


async def test_what_was_not_made_here_is_no_code(store: Store) -> None:
    """A flood of invented codes never reaches the store."""
    codes = _codes(store)
    code = await codes.issue(DETAILS, NOW, 60)
    secret, until, signature = code.split(".")
    for text in ("", "x", code[:-1], f"{secret}.{int(until) + 600}.{signature}", f"x{code}", "\udc80.1.x", ".."):
        with pytest.raises(InvalidGrant):
            codes.check(text, NOW)
    assert secret not in repr(DETAILS)
