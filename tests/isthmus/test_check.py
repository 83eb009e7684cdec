"""`agent check` against a real relay: what it finds of this machine and of the way."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from directory import DirectorySettings
from isthmus.agent_settings import AgentSettings
from isthmus.check import check_agent, check_owner
from tests.support.relay_and_agent import agent_settings, enrolled, relay


async def test_a_clock_that_is_days_off_and_a_revoked_agent_are_found(tmp_path: Path) -> None:
    """The clock by the relay's, the revocation by one handshake; a directory's certificate is never the explanation."""

    async def checked(days: float = 0.0) -> dict[str, str]:
        found = await check_agent(settings, None, "", on_finding=None, clock=lambda: time.time() + days * 86400)
        assert not [finding for finding in found if "object at" in finding.seen or "('" in finding.seen]
        return {finding.name: finding.status for finding in found}

    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1", ("corp.example.com", "*"))
        nowhere = DirectorySettings(name="corp.example.com", base_dn="DC=corp", servers=("127.0.0.1:9",))
        settings = AgentSettings(state_dir=state, core=agent_settings(tmp_path), directories=(nowhere,))
        sound = await checked()
        fast, slow = await checked(days=3), await checked(days=-3)
        await running.administration.revoke("agent1", "lost", "admin:test")
        revoked = await checked()
    assert sound == {
        "user": "pass", "identity": "pass", "DNS": "pass", "TLS and relay": "pass", "clock": "pass", "handshake": "pass",
        "TLS": "fail",
    }  # fmt: skip
    assert (fast["identity"], fast["clock"]) == ("pass", "fail")
    assert (slow["identity"], slow["clock"]) == ("fail", "fail")
    assert revoked["handshake"] == "fail"


def test_another_user_than_the_agents_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What root can read, say, says nothing about the agent."""
    own = check_owner(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    another = check_owner(tmp_path)
    assert own is not None
    assert another is not None
    assert (own.status, another.status) == ("pass", "fail")
    assert "user 4242" in another.seen
    assert check_owner(tmp_path / "none") is None
