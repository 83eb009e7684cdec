"""`agent check` against a real relay: what it finds of this machine and of the way."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from directory import DirectorySettings
from findings import Finding, Status
from isthmus.agent_settings import AgentSettings
from isthmus.check import TrialSignIn, check_agent, check_owner
from tests.support.relay_and_agent import agent_settings, enrolled, relay


async def test_a_clock_that_is_days_off_and_a_revoked_agent_are_found(tmp_path: Path) -> None:
    """The clock by the relay's, the revocation by one handshake; a directory's certificate is never the explanation."""

    async def checked(days: float = 0.0) -> dict[str, str]:
        found = await check_agent(settings, None, on_finding=None, clock=lambda: time.time() + days * 86400)
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


async def test_where_the_relays_certificate_is_refused_its_clock_is_a_clue(tmp_path: Path) -> None:
    """Nobody vouches for it, so it says something only where it is far off."""

    async def checked(days: float) -> dict[str, str]:
        found = await check_agent(settings, None, on_finding=None, clock=lambda: time.time() + days * 86400)
        return {finding.name: finding.status for finding in found if finding.where.startswith("https")}

    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1", ("corp.example.com", "*"))
        nowhere = DirectorySettings(name="corp.example.com", base_dn="DC=corp", servers=("127.0.0.1:9",))
        core = agent_settings(tmp_path, tls_ca_file=None)
        settings = AgentSettings(state_dir=state, core=core, directories=(nowhere,))
        assert await checked(0) == {"DNS": "pass", "TLS": "fail"}
        assert await checked(-20) == {"DNS": "pass", "TLS": "fail", "clock": "fail"}


@pytest.mark.parametrize(("status", "pages"), [("pass", 1), ("fail", 0)])
async def test_a_password_that_the_directory_refuses_is_not_tried_at_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: Status, pages: int
) -> None:
    """It would count once more."""
    asked = []

    async def at_directory(*_: object) -> Finding:
        return Finding(name="sign-in", status=status, seen="")

    async def at_page(*_: object) -> Finding:
        asked.append(1)
        return Finding(name="page", status="pass", seen="")

    monkeypatch.setattr("isthmus.check._sign_in", at_directory)
    monkeypatch.setattr("isthmus.check.sign_in_at_page", at_page)
    nowhere = DirectorySettings(name="corp.example.com", base_dn="DC=corp", servers=("127.0.0.1:9",))
    core = agent_settings(tmp_path, tls_ca_file=None, relays=("https://127.0.0.1:9",))
    settings = AgentSettings(state_dir=tmp_path, core=core, directories=(nowhere,))
    await check_agent(settings, TrialSignIn("anna", "x", at_page=True), on_finding=None)
    assert len(asked) == pages


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
