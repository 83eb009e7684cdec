"""Administrative acts on sessions: whom they concern, what ends with them, what is told and recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from gateway.federation.sessions import SessionActs, SessionEnding, SessionSelection, UnreachedApplications
from gateway.federation.sessions.errors import SelectionUnclear, UnknownSession
from gateway.federation.trusts import Trust, UnknownTrust
from gateway.protocol import AccountId
from gateway.relay import DepartureView
from gateway.signin import Session, Sessions, SignInSettings
from gateway.store import AuditEvent, GrantRecord, Store, TrustRecord
from tests.gateway.federation.applications import OLD, SHOP, WIKI, Wiki, session_of
from tests.gateway.signin.site import ANNA, RIGHT, SESSION, Site, serve

ACTOR, BEN = "admin:test", "ben@corp.example.com"
EVERYBODY = SessionSelection()


@dataclass
class Signed:
    """People who are signed in: Anna twice (one in the wiki), Ben once (in wiki and shop)."""

    site: Site
    wiki: Wiki
    acts: SessionActs
    ending: SessionEnding
    sessions: dict[str, Session]

    @property
    def store(self) -> Store:
        return self.site.store

    async def live(self) -> set[str]:
        """Who of them is signed in."""
        now = self.site.now
        found = {name: await self.store.sessions.get(held.record.digest, now) for name, held in self.sessions.items()}
        return {name for name, record in found.items() if record is not None}

    async def grant(self, name: str, of: str, *, offline: bool = False, trust: str = "wiki") -> None:
        """What the wiki was given for one of them."""
        held, now = self.sessions[of], self.site.now
        record = GrantRecord(
            digest=name.encode(),
            trust=trust,
            account=held.record.account,
            session=b"" if offline else held.key,
            details=b"",
            created_at=now,
            expires_at=now + 900,
            idle_at=now + 900,
        )
        assert await self.store.grants.add(record)

    async def grants(self, *names: str) -> set[str]:
        """Which of them live."""
        return {name for name in names if await self.store.grants.get(name.encode(), self.site.now) is not None}


@pytest.fixture
async def signed(tmp_path: Path) -> AsyncIterator[Signed]:
    wiki = Wiki()
    async with serve(tmp_path, wiki) as site:
        site.authenticator.people[BEN] = RIGHT
        held: dict[str, Session] = {}
        for name, user, trusts in (("desk", ANNA, [WIKI]), ("phone", ANNA, []), ("ben", BEN, [WIKI, SHOP])):
            site.now += 1
            await sign_in(site, user)
            held[name] = await session_of(site)
            for trust in trusts:
                await wiki.participants.joined(held[name], trust, b"details")
        sessions = Sessions(SignInSettings(), site.store.sessions, lambda: site.now, wiki.participants)
        ending = SessionEnding(site.store, sessions, wiki.participants)
        acts = SessionActs(site.store, sessions, ending, lambda: site.now)
        yield Signed(site, wiki, acts, ending, held)


async def sign_in(site: Site, user: str) -> None:
    """With a browser of its own; and into the trail, by which people are found."""
    site.cookies.clear()
    await site.sign_in(user_name=user)
    event = AuditEvent(time=site.now, kind="signin", subject=user, account=AccountId("", f"guid-{user}"), outcome="success")
    await site.store.audit.append(event)


async def keep_trust(store: Store, trust: Trust) -> None:
    record = TrustRecord(id=trust.id, version=1, document=b"", origin="command", changed_at=1.0, changed_by="test")
    unit = store.unit()
    unit.put_trust(record)
    await unit.commit()


async def test_the_list_says_who_is_signed_in_and_where(signed: Signed) -> None:
    """Those used last first; never what proves a session; the rest is counted."""
    view = await signed.acts.sessions(EVERYBODY, 2)
    assert (view.total, view.people) == (3, 2)
    assert [(entry.user, entry.applications) for entry in view.sessions] == [
        (BEN, ["Shop", "Wiki & {more}"]),
        (ANNA, []),
    ]
    assert view.sessions[0].id == signed.sessions["ben"].name
    assert signed.site.cookies[SESSION] not in repr(view)
    assert signed.sessions["ben"].sid not in repr(view)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (SessionSelection(user=ANNA), {"desk", "phone"}),
        (SessionSelection(trust="wiki"), {"desk", "ben"}),
        (SessionSelection(trust="old"), set()),
        (SessionSelection(session="nobody's"), set()),
    ],
)
async def test_whom_a_selection_means(signed: Signed, selection: SessionSelection, expected: set[str]) -> None:
    """By user and by application; what is none means nobody."""
    names = {signed.sessions[name].name for name in expected}
    assert {entry.id for entry in (await signed.acts.sessions(selection, 9)).sessions} == names


async def test_a_user_is_signed_out_everywhere(signed: Signed) -> None:
    """With the grants that outlive sessions; somebody else is not; the trail has no name of the session."""
    await signed.grant("held", "desk")
    await signed.grant("offline", "phone", offline=True)
    await signed.grant("other", "ben", offline=True)
    ended = await signed.acts.revoke(SessionSelection(user=ANNA), ACTOR)
    assert (ended.sessions, ended.grants) == (2, 2)
    assert ended.departures == [DepartureView(application="Wiki & {more}", told=1)]
    assert signed.wiki.told == [f"wiki {signed.sessions['desk'].index('wiki')} details"]
    assert await signed.live() == {"ben"}
    assert await signed.grants("held", "offline", "other") == {"other"}
    event = (await signed.store.audit.entries(limit=1))[0].event
    assert (event.kind, event.actor, event.subject) == ("admin.sessions_revoked", ACTOR, f"guid-{ANNA}")
    assert event.detail == {"of": "user", "sessions": "2", "grants": "2", "to Wiki & {more}": "1 told"}


async def test_one_session_ends(signed: Signed) -> None:
    """Grants that outlive it stay; a second time there is none."""
    await signed.grant("held", "desk")
    await signed.grant("offline", "desk", offline=True)
    meant = SessionSelection(session=signed.sessions["desk"].name)
    assert (await signed.acts.revoke(meant, ACTOR)).sessions == 1
    assert await signed.live() == {"phone", "ben"}
    assert await signed.grants("held", "offline") == {"offline"}
    with pytest.raises(UnknownSession, match="or it has ended"):
        await signed.acts.revoke(meant, ACTOR)


async def test_the_sessions_of_an_application_end(signed: Signed) -> None:
    """And all that it was given for anybody; another application of the same session is told, too."""
    await keep_trust(signed.store, WIKI)
    await signed.grant("offline", "phone", offline=True)
    await signed.grant("shop", "phone", trust="shop", offline=True)
    ended = await signed.acts.revoke(SessionSelection(trust="wiki"), ACTOR)
    assert (ended.sessions, ended.grants) == (2, 1)
    assert ended.departures == [
        DepartureView(application="Shop", told=1),
        DepartureView(application="Wiki & {more}", told=2),
    ]
    assert await signed.live() == {"phone"}
    assert await signed.grants("offline", "shop") == {"shop"}
    with pytest.raises(UnknownTrust):
        await signed.acts.revoke(SessionSelection(trust="wikki"), ACTOR)


async def test_everybody_is_signed_out_although_applications_are_silent(
    signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody is signed in when the first application is told; those that were not reached are counted."""
    monkeypatch.setattr("gateway.federation.sessions.end.PORTION", 2)
    await signed.wiki.participants.joined(signed.sessions["phone"], OLD, b"")
    await signed.grant("offline", "ben", offline=True)
    signed.wiki.silent = True
    ended = await signed.acts.revoke(EVERYBODY, ACTOR, everybody=True)
    assert (ended.sessions, ended.grants, await signed.live()) == (3, 1, set())
    assert ended.departures == [
        DepartureView(application="Old", no_way=1),
        DepartureView(application="Shop", failed=1),
        DepartureView(application="Wiki & {more}", failed=2),
    ]


@pytest.mark.parametrize(
    ("selection", "everybody"),
    [
        (EVERYBODY, False),
        (SessionSelection(user=ANNA), True),
        (SessionSelection(user=ANNA, trust="wiki"), False),
    ],
)
async def test_everybody_is_never_meant_by_accident(signed: Signed, selection: SessionSelection, everybody: bool) -> None:
    """Neither by naming nothing nor by naming two things: nothing ends."""
    with pytest.raises(SelectionUnclear):
        await signed.acts.revoke(selection, ACTOR, everybody=everybody)
    assert await signed.live() == {"desk", "phone", "ben"}


async def test_everybody_of_a_directory_is_signed_out(signed: Signed) -> None:
    """What hangs on their sessions ends, and applications are told; of another directory nobody is."""
    await signed.grant("held", "ben")
    assert (await signed.ending.of_directory("elsewhere")).sessions == 0
    ended = await signed.ending.of_directory("")
    assert (ended.sessions, ended.grants, len(signed.wiki.told)) == (3, 1, 3)


async def test_a_session_that_cannot_be_read_ends_all_the_same(signed: Signed) -> None:
    """It is another release's: it is left out of the list, and keeps no other one alive."""
    await signed.store.sessions.add(replace(signed.sessions["ben"].record, digest=b"other", identity=b"\xc1"))
    assert (await signed.acts.sessions(EVERYBODY, 9)).total == 3
    assert (await signed.acts.revoke(EVERYBODY, ACTOR, everybody=True)).sessions == 4
    assert await signed.live() == set()


async def test_where_no_relay_runs_nobody_is_told(signed: Signed) -> None:
    """Sessions, grants and participants end; each application counts as not reached."""
    dependents = UnreachedApplications(signed.store.participants, signed.store.grants)
    ending = SessionEnding(signed.store, Sessions(SignInSettings(), signed.store.sessions, lambda: 0.0), dependents)
    await signed.grant("held", "ben")
    assert await dependents.names(signed.sessions["ben"]) == ["shop", "wiki"]
    here = await dependents.end_here(signed.sessions["ben"])
    assert [(departure.application, departure.outcome) for departure in here.departures] == [
        ("shop", "failed"),
        ("wiki", "failed"),
    ]
    await signed.wiki.participants.joined(signed.sessions["ben"], SHOP, b"")
    ended = await ending.of_everybody()
    assert ended.departures == [DepartureView(application="shop", failed=1), DepartureView(application="wiki", failed=1)]
    assert await signed.store.participants.of_session(signed.sessions["ben"].key) == []
    assert signed.wiki.told == []
