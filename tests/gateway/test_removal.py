"""What is kept of a person is removed, by the running relay or on its store."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from foundation.actors import this_actor
from gateway.administrator import Administrator
from gateway.app import ServerSettings, load_keys, open_relay_store, serving
from gateway.protocol import AccountId, Outcome
from gateway.relay import DepartureView, RebindingView, RemovalView, departure_detail
from gateway.relay.errors import ActRefused, AmbiguousPerson, UnknownPerson
from gateway.signin import Session
from gateway.signin.sessions import name_of
from gateway.store import AuditEvent, ConsentRecord, GrantRecord, ParticipantRecord, SessionRecord, Store
from tests.support.fakes import FakeDirectories, identity_of
from tests.support.relay_and_agent import agent, attempt

ANNA, GUID = "anna@corp.example.com", "6f0c2a3e-9d1b-4f0a-8a57-0d6b1c9e4f21"
ACCOUNT = AccountId("9d1c", GUID)
IDENTITY = identity_of(ANNA)


@pytest.fixture
def admin(settings: ServerSettings) -> Administrator:
    return Administrator(settings)


@asynccontextmanager
async def opened(settings: ServerSettings) -> AsyncIterator[Store]:
    store = open_relay_store(settings, load_keys(settings, time.time()))
    try:
        yield store
    finally:
        await store.close()


def session(secret: bytes, account: AccountId) -> SessionRecord:
    now = time.time()
    return SessionRecord(
        digest=secret * 32,
        account=account,
        identity=msgspec.msgpack.encode(IDENTITY),
        created_at=now,
        seen_at=now,
        expires_at=now + 60,
        address="192.0.2.7",
        user_agent="",
    )


def key_of(record: SessionRecord) -> bytes:
    return Session(IDENTITY, record, sid=name_of(record)).key


async def signed_in_to_wiki(store: Store, account: AccountId, name: bytes) -> None:
    """With a session, a grant that outlives it, and a word that it may."""
    now, end = time.time(), time.time() + 60
    await store.sessions.add(session(name, account))
    await store.grants.add(
        GrantRecord(digest=name, trust="wiki", account=account, details=b"", created_at=now, expires_at=end, idle_at=end)
    )
    await store.participants.add(
        ParticipantRecord(
            session=key_of(session(name, account)),
            trust="wiki",
            index=name.hex(),
            details=b"anna",
            since=now,
            expires_at=end,
        )
    )
    await store.consents.put(ConsentRecord(account=account, trust="wiki", scopes=frozenset({"openid", "email"}), at=now))


async def signed_in(settings: ServerSettings, user: str, account: AccountId) -> None:
    async with opened(settings) as store:
        event = AuditEvent(time=time.time(), kind="signin", subject=user, account=account, outcome="success")
        await store.audit.append(event)


@pytest.mark.parametrize("user", [ANNA, "CORP\\anna", GUID, "{" + GUID.upper() + "}"])
async def test_a_running_relay_forgets_a_person(
    settings: ServerSettings, admin: Administrator, tmp_path: Path, user: str
) -> None:
    """Whatever name is given: no session, no name and no address is left, and the trail still verifies."""
    people = FakeDirectories({ANNA: "right", "CORP\\anna": "right"}, about={"object_guid": GUID})
    async with serving(settings) as running, agent(tmp_path, running, people):
        for number, (name, password) in enumerate([(ANNA, "wrong"), (ANNA, "right"), ("CORP\\anna", "right")]):
            check = attempt(name, password, correlation_id=f"c{number}")
            await running.authenticator.authenticate(check)
        for guid in (GUID, GUID.upper()):
            await admin.unlock(guid)
        other = AccountId("9d1c", "somebody else")
        await signed_in_to_wiki(running.store, ACCOUNT, b"a")
        await signed_in_to_wiki(running.store, other, b"b")
        removed = await admin.pseudonymise_person(user)
        assert admin.reached_relay
        assert (removed.sessions, removed.grants, removed.consents, removed.entries) == (1, 1, 1, 5)
        assert await running.store.grants.of_account(ACCOUNT, 0.0) == []
        assert await running.store.consents.of_account(ACCOUNT) == []
        assert await running.store.participants.of_session(key_of(session(b"a", ACCOUNT))) == []
        assert len(await running.store.grants.of_account(other, 0.0)) == 1
        assert len(await running.store.consents.of_account(other)) == 1
        assert len(await running.store.participants.of_session(key_of(session(b"b", other)))) == 1
        assert await running.store.sessions.get(b"a" * 32, 0.0) is None
        assert await running.store.sessions.get(b"b" * 32, 0.0) is not None
        trail = await admin.audit(limit=100, before=None, kind="", subject="")
        said = repr(trail).lower()
        assert not [word for word in ("anna", GUID, "192.0.2.7") if word in said]
        assert (trail[0].kind, trail[0].actor, trail[0].subject, trail[0].detail) == (
            "audit.person_removed",
            f"admin:{this_actor()}",
            "",
            {},
        )
        assert [entry.outcome for entry in trail if entry.kind == "signin"] == ["success", "success", "wrong_credential"]
        report = await admin.verify_audit()
        assert (report.entries, report.removed) == (len(trail), 5)
        with pytest.raises(ActRefused, match="says nothing of an account"):
            await admin.pseudonymise_person(user)
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS


@pytest.mark.parametrize("where", ["relay", "store"])
async def test_what_is_kept_of_a_person_is_exported(settings: ServerSettings, admin: Administrator, where: str) -> None:
    """All that would be removed, and nothing of others; without what proves a session. That it was done is an entry."""
    await signed_in(settings, ANNA, ACCOUNT)
    async with opened(settings) as store:
        await store.audit.append(AuditEvent(time=time.time(), kind="signin", subject=ANNA, outcome="wrong_credential"))
        await store.audit.append(AuditEvent(time=time.time(), kind="signin", subject="ben", outcome="wrong_credential"))
        await signed_in_to_wiki(store, ACCOUNT, b"a")
        await signed_in_to_wiki(store, AccountId("9d1c", "somebody else"), b"b")
    async with serving(settings) if where == "relay" else contextlib.nullcontext():
        view = await admin.export_person(ANNA)
        assert admin.reached_relay is (where == "relay")
    assert (view.directory, view.object_guid) == tuple(ACCOUNT)
    assert [entry.outcome for entry in view.entries] == ["wrong_credential", "success"]
    assert [found.address for found in view.sessions] == ["192.0.2.7"]
    assert [(grant.trust, grant.offline, grant.refreshed_at) for grant in view.grants] == [("wiki", True, None)]
    assert [(consent.trust, consent.scopes) for consent in view.consents] == [("wiki", ["email", "openid"])]
    assert "aaaa" not in repr(view)
    trail = await admin.audit(limit=1, before=None, kind="", subject="")
    assert (trail[0].kind, trail[0].subject) == ("admin.person_exported", GUID)
    assert (await admin.pseudonymise_person(GUID)).entries == 3
    with pytest.raises((UnknownPerson, ActRefused)):
        await admin.export_person(ANNA)


@pytest.mark.parametrize("act", ["pseudonymise", "bind", "unbind"])
async def test_whom_nobody_told_is_said(settings: ServerSettings, admin: Administrator, act: str) -> None:
    """Where no relay runs: in the answer and in the trail. The entry of a removal names nobody."""
    await signed_in(settings, ANNA, ACCOUNT)
    if act != "pseudonymise":
        await admin.bind("corp.example.com", ACCOUNT.directory)
    async with opened(settings) as store:
        await signed_in_to_wiki(store, ACCOUNT, b"a")
    view: RemovalView | RebindingView
    if act == "pseudonymise":
        view, kind, subject = await admin.pseudonymise_person(GUID), "admin.sessions_revoked", ""
    elif act == "bind":
        view, kind, subject = await admin.bind("corp.example.com", "anew"), "admin.directory_bound", "corp.example.com"
    else:
        view, kind, subject = await admin.unbind("corp.example.com"), "admin.directory_unbound", "corp.example.com"
    assert view.departures == [DepartureView(application="wiki", failed=1)]
    entry = (await admin.audit(limit=1, kind=kind))[0]
    assert entry.subject == subject
    assert {"sessions": "1", "grants": "1", "to wiki": "1 not reached"}.items() <= entry.detail.items()
    assert act != "pseudonymise" or entry.detail["of"] == "removed person"


def test_an_entry_names_first_who_may_keep_sessions() -> None:
    """And a bounded number of applications."""
    told = [DepartureView(application=f"a{number:03}", told=2) for number in range(60)]
    detail = departure_detail([*told, DepartureView(application="z", told=1, failed=2, no_way=3)])
    assert next(iter(detail.items())) == ("to z", "1 told, 2 not reached, 3 no way to tell it")
    assert (len(detail), detail["to a000"], detail["further applications"]) == (51, "2 told", "11")


async def test_refusals_that_are_still_to_be_written_are_removed_too(settings: ServerSettings, tmp_path: Path) -> None:
    """Of those of one minute the trail has the first; the others would bring the name back within a minute."""
    people = FakeDirectories({ANNA: "right"}, about={"object_guid": GUID})
    async with serving(settings) as running, agent(tmp_path, running, people):
        await running.authenticator.authenticate(attempt(ANNA, "right"))
        for _ in range(3):
            event = AuditEvent(time=time.time(), kind="signin", subject=ANNA, outcome="refused_by_admission")
            await running.refusals.record("anna", event)
        removed = await running.administration.pseudonymise_person(ANNA, "admin:test")
        await running.refusals.flush()
        trail = await running.administration.audit(limit=100, before=None, kind="", subject="")
        assert "anna" not in repr(trail).lower()
        assert removed.entries == 3


async def test_a_name_of_two_people_is_not_enough(settings: ServerSettings, admin: Administrator) -> None:
    """It says which GUIDs there are; without a running relay it is done on the store."""
    other = GUID.replace("6", "7")
    for account in (ACCOUNT, AccountId("9d1c", other)):
        await signed_in(settings, ANNA, account)
    with pytest.raises(AmbiguousPerson, match=f"{GUID}, {other}"):
        await admin.pseudonymise_person(ANNA)
    removed = await admin.pseudonymise_person(GUID)
    assert (admin.reached_relay, removed.entries) == (False, 1)
    assert (await admin.pseudonymise_person(ANNA)).entries == 1
    assert (await admin.verify_audit()).removed == 2


async def test_whom_the_trail_does_not_know(admin: Administrator) -> None:
    """Nothing is written about a mistyped name."""
    for user in ("nobody", GUID):
        with pytest.raises(UnknownPerson, match="says nothing of an account"):
            await admin.pseudonymise_person(user)
    assert await admin.audit(limit=9, before=None, kind="", subject="") == []
