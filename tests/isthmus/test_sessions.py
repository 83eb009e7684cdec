"""`isthmus relay sessions`, where no relay runs."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.app import load_keys, open_relay_store
from gateway.protocol import AccountId
from gateway.signin import Session
from gateway.signin.sessions import name_of
from gateway.store import AuditEvent, ParticipantRecord, SessionRecord
from isthmus.cli.relay.context import load_relay_settings
from tests.isthmus.conftest import Run
from tests.support.fakes import identity_of

ANNA, BEN = "anna@corp.example.com", "ben@corp.example.com"


class Sessions:
    """`isthmus relay sessions …` on one relay."""

    def __init__(self, run: Run, config: Path) -> None:
        self._run, self._config = run, config

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        return self._run("relay", "sessions", *map(str, arguments), "--config", str(self._config))

    def json(self, *arguments: object) -> Any:
        code, out, err = self(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)


async def begin(config: Path, *users: str) -> None:
    """Sessions of these users, with the wiki in each."""
    settings, now = load_relay_settings(config).server, time.time()
    store = open_relay_store(settings, load_keys(settings, now))
    for number, user in enumerate(users):
        identity = identity_of(user)
        record = SessionRecord(
            digest=bytes([number]) * 32,
            account=identity.account,
            identity=msgspec.msgpack.encode(identity),
            created_at=now,
            seen_at=now + number,
            expires_at=now + 900,
            address="192.0.2.7",
        )
        await store.sessions.add(record)
        key = Session(identity, record, sid=name_of(record)).key
        await store.participants.add(
            ParticipantRecord(session=key, trust="wiki", index=f"i{number}", details=b"", since=now, expires_at=now + 900)
        )
        account = AccountId("", identity.object_guid)
        await store.audit.append(AuditEvent(time=now, kind="signin", subject=user, account=account, outcome="success"))
    await store.close()


@pytest.fixture
def sessions(run: Run, ready: Path) -> Sessions:
    asyncio.run(begin(ready, ANNA, ANNA, BEN))
    return Sessions(run, ready)


def test_who_is_signed_in(sessions: Sessions) -> None:
    """Those used last first, with their applications; a user's alone; and how many are not shown."""
    view = sessions.json("list")
    assert (view["total"], view["people"]) == (3, 2)
    newest = view["sessions"][0]
    assert (newest["user"], newest["applications"]) == (BEN, ["wiki"])
    code, out, err = sessions("list", "--user", ANNA, "--limit", "1")
    assert (code, "1 more are not shown" in err, out.count(ANNA), BEN in out) == (0, True, 1, False)
    assert sessions("list", "--user", ANNA, "--trust", "wiki")[0] == 2
    assert sessions("list", "--user", "nobody@corp.example.com")[0] == 1


def test_a_user_is_signed_out(sessions: Sessions) -> None:
    """What would end is shown first; applications that nobody could tell are counted; another user stays."""
    code, out, err = sessions("revoke", "--user", ANNA)
    assert (code, "2 sessions of 1 user will end" in out, "use --yes" in err) == (1, True, True)
    assert sessions.json("list")["total"] == 3
    code, out, _ = sessions("revoke", "--user", ANNA, "--yes")
    assert (code, "2 sessions and 0 grants of applications ended." in out) == (0, True)
    assert re.search(r"wiki +0 +2 +0", out)
    assert [entry["user"] for entry in sessions.json("list")["sessions"]] == [BEN]


def test_one_session_is_ended_by_its_id(sessions: Sessions) -> None:
    """A second time it is gone."""
    name = sessions.json("list")["sessions"][0]["id"]
    assert sessions.json("revoke", "--session", name, "--yes")["sessions"] == 1
    code, _, err = sessions("revoke", "--session", name)
    assert (code, "or it has ended" in err) == (1, True)
    assert sessions.json("list", "--session", name)["total"] == 0


def test_everybody_is_signed_out_only_on_demand(sessions: Sessions) -> None:
    """Naming nobody is a matter of usage, and so is naming everybody and somebody."""
    for wrong in ((), ("--all", "--user", ANNA), ("--user", ANNA, "--trust", "wiki")):
        assert sessions("revoke", *wrong, "--yes")[0] == 2
    assert sessions.json("revoke", "--all", "--yes")["sessions"] == 3
    assert "No session." in sessions("list")[1]
