"""What happens to an account in a real domain while its user is signed in to an application."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from demo.samba import BENCH_PASSWORD, ThrowawayDomain
from directory import Directories, DirectorySettings
from tests.gateway.federation.oidc.stand import APP
from tests.gateway.federation.oidc.test_account_checks import CheckedStand
from tests.support.nodes import trusting_client
from tests.support.relay_and_agent import agent, relay

pytestmark = pytest.mark.samba

_CHANGES: dict[str, dict[str, str]] = {
    "": {},
    "disabled": {"userAccountControl": "514"},
    "expired": {"accountExpires": "133000000000000000"},
    "password_changed": {"password": "Other-Strait-99"},
}
"""What to do in Active Directory, by the reason for which the session and the grant end."""


async def test_what_happens_in_the_directory_ends_sessions_and_refresh_tokens(
    tmp_path: Path, domain: ThrowawayDomain, ad_settings: DirectorySettings
) -> None:
    """O11: disabled, expired, another password, each in mid session; whose account is as it was goes on."""
    names = dict(zip(_CHANGES, domain.create_users(len(_CHANGES)), strict=True))
    directories = Directories([ad_settings])
    async with relay(tmp_path) as running, agent(tmp_path, running, directories), trusting_client(tmp_path) as client:
        stand = CheckedStand((running,), directories, tmp_path, client)  # type: ignore[arg-type] # real ones
        await stand.trust(APP)
        for reason, name in names.items():
            browser = stand.browser()
            arrival = await browser.sign_in(await browser.authorize(), name, BENCH_PASSWORD)
            status, tokens = await stand.redeem(arrival.code)
            assert status == 200
            (record,) = [
                session
                for session in await running.store.sessions.unchecked(time.time() + 1, b"", 100, 0.0)
                if running.sessions.read(session).identity.user_name == name
            ]
            dn = running.sessions.read(record).identity.dn
            if change := _CHANGES[reason]:
                domain.edit([{"modify": {"dn": dn, **change}}])
            status, body = await stand.refresh(tokens["refresh_token"])
            assert (status, body.get("error", "")) == ((400, "invalid_grant") if reason else (200, ""))
            await running.store.sessions.note_check(record.digest, time.time() - 301)
            assert bool((await browser.authorize()).location) == (not reason)
        assert await stand.reasons("federation.grant_ended") == ["password_changed", "expired", "disabled"]
        assert await stand.reasons("session.ended") == ["password_changed", "expired", "disabled"]
    await directories.close()
