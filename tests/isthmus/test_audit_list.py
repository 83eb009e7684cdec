"""`isthmus relay audit list` and `explain`: whose entries, of which time, and what comes while somebody looks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.app import load_keys, open_relay_store
from gateway.protocol import AccountId
from gateway.relay import AuditView, AuditWanted
from gateway.store import AuditEvent, Store
from isthmus.cli.relay.audit import entries
from isthmus.cli.relay.audit.entries import new_entries
from isthmus.relay_settings import RelaySettings
from settings import load_settings
from tests.isthmus.conftest import Run

GUID = "6f0c2a3e-9d1b-4f0a-8a57-0d6b1c9e4f21"
ANNA, BERND = AccountId("9d1c", GUID), AccountId("9d1c", "bernd")
REFERENCE = "0a202933cc1a983d"


@asynccontextmanager
async def store_of(config: Path) -> AsyncIterator[Store]:
    settings = load_settings(config, RelaySettings).server
    store = open_relay_store(settings, load_keys(settings, time.time()))
    try:
        yield store
    finally:
        await store.close()


def event(subject: str, outcome: str, account: AccountId | None = None, **more: Any) -> AuditEvent:
    known = {"time": time.time(), "kind": "signin", "via": "page", **more}
    return AuditEvent(subject=subject, outcome=outcome, account=account, **known)


@pytest.fixture
def filled(ready: Path) -> Path:
    """A trail of two people; Anna has two names, and each was mistyped once."""
    now = time.time()

    async def fill() -> None:
        async with store_of(ready) as store:
            for entry in (
                event("anna@corp.example.com", "success", ANNA, time=now - 9000),
                event("CORP\\anna", "success", ANNA, time=now - 8000),
                event("CORP\\anna", "wrong_credential", time=now - 7000),
                event("bernd@corp.example.com", "success", BERND, time=now - 6000),
                event(
                    "anna@corp.example.com",
                    "wrong_credential",
                    ANNA,
                    time=now - 60,
                    correlation_id=REFERENCE,
                    agent="dc1-agent",
                    controller="dc1.corp.example.com:636",
                    address="192.0.2.7",
                    milliseconds=41.0,
                    detail={"detail": "data 52e"},
                ),
                event("stranger", "wrong_credential", time=now - 50),
            ):
                await store.audit.append(entry)

    asyncio.run(fill())
    return ready


def listed(run: Run, config: Path, *arguments: str) -> list[str]:
    """Whose entries there are, newest first."""
    code, out, err = run("relay", "audit", "list", "--config", config, "--json", *arguments)
    assert code == 0, err
    return [entry["subject"] for entry in json.loads(out)]


def test_a_person_is_found_under_every_name(run: Run, filled: Path) -> None:
    """By GUID or by any name, however it is written; attempts that name nobody's account are there by their name."""
    everything = ["anna@corp.example.com", "CORP\\anna", "CORP\\anna", "anna@corp.example.com"]
    for person in (GUID, GUID.upper(), "anna@corp.example.com", "corp\\ANNA"):
        assert listed(run, filled, "--person", person) == everything
    assert listed(run, filled, "--person", "stranger") == ["stranger"]
    assert listed(run, filled, "--person", "nobody") == []
    assert listed(run, filled, "--user", "CORP\\anna") == ["CORP\\anna"] * 2


def test_a_time_and_an_outcome(run: Run, filled: Path) -> None:
    """From, until, and of what came of it."""
    assert listed(run, filled, "--since", "5m") == ["stranger", "anna@corp.example.com"]
    assert listed(run, filled, "--until", "2h", "--since", "145m") == ["CORP\\anna"]
    assert listed(run, filled, "--person", GUID, "--outcome", "wrong_credential", "--since", "1h") == [
        "anna@corp.example.com"
    ]
    assert listed(run, filled, "--reference", "0A20 2933 CC1A 983D") == ["anna@corp.example.com"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--since", "30.11.2026"], "'30.11.2026' is not a time: give how long ago (90s, 15m, 2h"),
        (["--outcome", "wrong_credentials"], "did you mean wrong_credential?"),
        (["--reference", "anna"], "expected 16 hexadecimal digits"),
        (["--since", "2026-11-30", "--until", "2026-11-28"], "is not before --until"),
        (["--follow", "--until", "1h"], "leave out --before and --until"),
    ],
)
def test_what_cannot_be_is_said(run: Run, ready: Path, arguments: list[str], words: str) -> None:
    """With what would be right."""
    code, _, err = run("relay", "audit", "list", "--config", ready, *arguments)
    assert code == 2
    assert words in " ".join(err.split())


# -- follow


class Trail:
    """Entries that come while somebody looks; ends by Stopped."""

    def __init__(self, *looks: list[AuditView]) -> None:
        self.looks, self.entries = list(looks), list[AuditView]()
        self.asked: list[AuditWanted] = []

    async def read(self, wanted: AuditWanted) -> list[AuditView]:
        self.asked.append(wanted)
        newest = sorted(self.entries, key=lambda view: (view.time, view.id), reverse=True)
        fitting = [view for view in newest if view.time >= (wanted.get("since") or 0.0)]
        if before := wanted.get("before"):
            fitting = fitting[[view.id for view in fitting].index(before) + 1 :]
        return fitting[: wanted.get("limit")]

    async def sleep(self, _seconds: float) -> None:
        if not self.looks:
            raise Stopped
        self.entries += self.looks.pop(0)


class Stopped(Exception):
    """Somebody has pressed Ctrl-C."""


def view(name: str, at: float) -> AuditView:
    texts = dict.fromkeys(("hash", "kind", "actor", "subject", "directory", "object_guid", "outcome", "address"), "")
    return AuditView(
        id=name, time=at, agent="", controller="", correlation_id="", via="", milliseconds=0.0, detail={}, **texts
    )


async def followed(trail: Trail, wanted: AuditWanted | None = None) -> list[str]:
    found = []
    try:
        async for entry in new_entries(trail.read, wanted or {}, 1000.0, trail.sleep):
            found.append(entry.id)
    except Stopped:
        return found
    raise AssertionError("it ended by itself")


async def test_what_comes_is_shown_once_and_in_order() -> None:
    """Also what comes late, from a node whose clock is behind; what was there before is not shown."""
    trail = Trail([view("b", 1001.0), view("c", 1002.0)], [view("a", 1000.5)], [], [view("d", 1003.0)])
    trail.entries.append(view("before", 900.0))
    assert await followed(trail) == ["b", "c", "a", "d"]


async def test_from_a_time_on() -> None:
    """What was there since is shown first."""
    trail = Trail([view("b", 1001.0)])
    trail.entries += [view("older", 100.0), view("a", 900.0)]
    assert await followed(trail, {"since": 500.0}) == ["a", "b"]


async def test_more_than_are_read_at_once_are_all_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what is remembered to be shown already does not grow."""
    monkeypatch.setattr(entries, "_AT_ONCE", 3)
    trail = Trail([view(f"{number:03}", 1000.0 + number) for number in range(10)], [view("999", 2000.0)], [])
    assert await followed(trail) == [f"{number:03}" for number in range(10)] + ["999"]
    assert trail.asked[-1].get("since") == 2000.0 - entries._LATE


# -- explain


def test_a_sign_in_is_explained(run: Run, filled: Path) -> None:
    """What the user saw, who said what, and what to do next."""
    code, out, _ = run("relay", "explain", "0A20-2933-CC1A-983D", "--config", filled)
    lines = {line[:12].strip(): line[12:] for line in out.splitlines()}
    assert code == 0
    assert lines["User"] == "anna@corp.example.com, from 192.0.2.7"
    assert lines["Account"] == f"{GUID} in 9d1c"
    assert lines["User saw"].startswith('"Incorrect user name or password')
    assert lines["Admission"] == "let it through"
    assert lines["Agent"] == "dc1-agent, in 41 ms"
    assert lines["Controller"] == "dc1.corp.example.com:636"
    assert lines["Outcome"] == "wrong_credential: data 52e"
    assert lines["Meaning"] == "The password was wrong."
    assert lines["Next"].startswith("Reset it if the user has forgotten it.")
    (told,) = json.loads(run("relay", "explain", REFERENCE, "--config", filled, "--json")[1])
    assert (told["controller"], told["meaning"]) == (lines["Controller"], lines["Meaning"])


def test_a_reference_that_the_trail_does_not_have(run: Run, ready: Path) -> None:
    """It says why that can be, and where to look; exit code 1, and 2 for what is none."""
    code, _, err = run("relay", "explain", "ffffffffffffffff", "--config", ready)
    assert code == 1
    assert "no entry of the audit trail has the reference ffffffffffffffff" in err
    assert "journalctl -u isthmus-relay | grep ffffffffffffffff" in err
    assert run("relay", "explain", "anna", "--config", ready)[0] == 2
