"""`agent check` against a real relay: what it finds of this machine and of the way."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from directory import DirectorySettings
from findings import Finding, Status
from gateway.agent import LookUpSettings
from isthmus.agent_settings import AgentSettings
from isthmus.check import TrialSignIn, check_agent, check_look_ups, check_owner
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
        "TLS": "fail", "look-ups": "pass",
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


def test_what_is_said_without_a_password_is_shown_and_what_is_wanted_and_withheld(tmp_path: Path) -> None:
    """For the agent's operator; once the attribute is let out, nothing is missing."""

    def look(*attributes: str, **look_up: Any) -> tuple[str, str]:
        directory = DirectorySettings(name="corp.example.com", base_dn="DC=corp", attributes=attributes)
        settings = AgentSettings(state_dir=tmp_path, directories=(directory,), look_up=LookUpSettings(**look_up))
        finding = check_look_ups(settings, NOW)
        return finding.status, finding.seen

    who = "users who signed in through this agent in the last 30 days"
    assert look() == ("pass", f"about {who}, at most 600 a minute; attributes: none")
    assert look("title", any_person=True) == ("pass", "about all users, at most 600 a minute; attributes: title")
    (tmp_path / "withheld-attributes").write_text(f"homePhone {NOW // 86_400}\nTitle {NOW // 86_400}\nold 7\n")
    status, seen = look("title")
    assert (status, seen.endswith("does not let out: homePhone")) == ("warn", True)
    assert look("title", "homephone")[0] == "pass"
    assert look(lookups_per_minute=0)[1].startswith("none are answered")


NOW = 1_800_000_000
