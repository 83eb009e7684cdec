"""An account that is disabled, deleted or gets another password, seen by the relay through an agent at a real domain."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.samba import BENCH_PASSWORD, ThrowawayDomain
from directory import Directories, DirectorySettings
from gateway.relay import PersonQuestion
from tests.support.relay_and_agent import agent, attempt, relay

pytestmark = pytest.mark.samba


async def test_what_becomes_of_an_account_is_seen_without_its_password(
    tmp_path: Path, domain: ThrowawayDomain, ad_settings: DirectorySettings
) -> None:
    """After a sign-in, step by step: it lives, is disabled, enabled again with another password, deleted."""
    (name,) = domain.create_users(1)
    directories = Directories([ad_settings])
    async with relay(tmp_path) as running, agent(tmp_path, running, directories):
        verdict = await running.authenticator.authenticate(attempt(name, BENCH_PASSWORD))
        identity = verdict.identity
        assert identity is not None
        assert verdict.password_set > 0
        question = PersonQuestion(account=identity.account, domain=identity.domain, agents=(verdict.agent,), max_age=0.0)
        reasons = []
        changes: tuple[dict[str, object] | None, ...] = (
            None,
            {"modify": {"dn": identity.dn, "userAccountControl": "514"}},
            {"modify": {"dn": identity.dn, "userAccountControl": "512"}},
            {"modify": {"dn": identity.dn, "password": "Other-Strait-99"}},
            {"delete": {"dn": identity.dn}},
        )
        for change in changes:
            if change is not None:
                domain.edit([change])
            found = await running.lookups.look_up(question)
            reasons.append(found.end_reason(verdict.password_set))
    await directories.close()
    assert reasons == ["", "disabled", "", "password_changed", "gone"]
