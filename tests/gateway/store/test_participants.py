"""Applications in sessions, and what people agreed that they may know."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.protocol import AccountId
from gateway.store import ConsentRecord, ParticipantRecord, Purge, Store
from gateway.store.participants import SqlParticipants
from gateway.store.store import SqlStore
from tests.gateway.store.conftest import NOW

ANNA = AccountId("d", "anna")


def participant(trust: str, index: str = "i1", **changes: object) -> ParticipantRecord:
    record = ParticipantRecord(
        session=b"browser", trust=trust, index=index, details=b"name", since=NOW, expires_at=NOW + 100, subject="anna"
    )
    return replace(record, **changes)  # type: ignore[arg-type]


def consent(trust: str, *scopes: str, account: AccountId = ANNA) -> ConsentRecord:
    return ConsentRecord(account=account, trust=trust, scopes=frozenset(scopes), at=NOW)


# -- participants


async def test_who_takes_part(pair: tuple[Store, Store]) -> None:
    """By session and by what the application calls it; again replaces what was known."""
    await pair[0].participants.add(participant("wiki", since=NOW + 1))
    await pair[0].participants.add(participant("shop"))
    await pair[0].participants.add(participant("shop", "i2", session=b"phone"))
    assert await pair[1].participants.of_session(b"browser") == [participant("shop"), participant("wiki", since=NOW + 1)]
    assert await pair[1].participants.find("shop", "i2") == participant("shop", "i2", session=b"phone")
    assert await pair[1].participants.find("wiki", "i2") is None
    await pair[1].participants.add(participant("shop", details=b"other", since=NOW + 2))
    found = await pair[0].participants.of_session(b"browser")
    assert [(record.trust, record.details) for record in found] == [("wiki", b"name"), ("shop", b"other")]
    assert not any(secret in repr(found[0]) for secret in ("browser", "name", "anna"))


async def test_a_trial_of_a_key_ends_by_its_time_and_by_word(pair: tuple[Store, Store]) -> None:
    """For this application in this session, not for another one; signing in again says it anew."""
    for trust, index in (("wiki", "i1"), ("wiki", "i2"), ("shop", "i1")):
        await pair[0].participants.add(participant(trust, index, tried_key="k1", tried_until=NOW + 9))
    kept = await pair[1].participants.find("wiki", "i1")
    assert kept is not None
    assert (kept.tried_at(NOW + 8.9), kept.tried_at(NOW + 9)) == ("k1", "")
    await pair[1].participants.end_trial("wiki", "i1")
    await pair[1].participants.end_trial("wiki", "nobody's")
    found = [await pair[0].participants.find(*one) for one in (("wiki", "i1"), ("wiki", "i2"), ("shop", "i1"))]
    assert [record and record.tried_at(NOW) for record in found] == ["", "k1", "k1"]
    await pair[0].participants.add(participant("wiki", "i2"))
    again = await pair[1].participants.find("wiki", "i2")
    assert again is not None
    assert again.tried_at(NOW) == ""


async def test_whom_an_application_means(store: Store) -> None:
    """All sessions of a person by the application's own name for them, nobody's by no name."""
    await store.participants.add(participant("wiki"))
    await store.participants.add(participant("wiki", "i2", session=b"phone", since=NOW + 1))
    await store.participants.add(participant("shop"))
    await store.participants.add(participant("wiki", "i3", subject=""))
    assert [record.index for record in await store.participants.of_subject("wiki", "anna")] == ["i1", "i2"]
    assert await store.participants.of_subject("wiki", "") == []


async def test_which_sessions_an_application_is_in(store: Store) -> None:
    """Each once, of that application only."""
    await store.participants.add(participant("wiki"))
    await store.participants.add(participant("wiki", "i2"))
    await store.participants.add(participant("wiki", "i3", session=b"phone"))
    await store.participants.add(participant("shop", session=b"tablet"))
    assert await store.participants.sessions_of("wiki") == {b"browser", b"phone"}
    assert await store.participants.sessions_of("none") == set()


async def test_one_tells_the_applications(pair: tuple[Store, Store]) -> None:
    """Of twenty who end a session on two nodes one gets all its participants; other sessions keep theirs."""
    for number in range(5):
        await pair[0].participants.add(participant(f"app{number}", since=NOW + number))
    await pair[0].participants.add(participant("shop", session=b"phone"))
    taken = await asyncio.gather(*(store.participants.take(b"browser") for _ in range(10) for store in pair))
    assert sorted(map(len, taken)) == [0] * 19 + [5]
    assert [record.trust for record in max(taken, key=len)] == [f"app{number}" for number in range(5)]
    assert len(await pair[1].participants.of_session(b"phone")) == 1


async def test_a_participant_leaves_by_itself(store: Store) -> None:
    """Once."""
    await store.participants.add(participant("wiki"))
    assert await store.participants.remove("wiki", "i1")
    assert not await store.participants.remove("wiki", "i1")
    assert await store.participants.of_session(b"browser") == []


async def test_one_session_cannot_fill_the_table(store: Store) -> None:
    """With one participant more than that the oldest is forgotten, also where it comes again."""
    assert isinstance(store, SqlStore)
    participants = SqlParticipants(store._database, limit=3)
    await participants.add(participant("phone", session=b"phone", since=NOW - 9))
    for number in range(5):
        await participants.add(participant("wiki", str(number), since=NOW + number))
    await participants.add(participant("wiki", "3", since=NOW + 9))
    assert [record.index for record in await participants.of_session(b"browser")] == ["2", "4", "3"]
    assert len(await participants.of_session(b"phone")) == 1


async def test_participants_are_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When nobody need be told any more, in portions; or all of them."""
    monkeypatch.setattr("gateway.store.database.PORTION", 2)
    for number in range(6):
        await store.participants.add(participant("wiki", str(number), expires_at=NOW + number))
    await Purge(store, lambda: NOW + 3).run()
    assert [record.index for record in await store.participants.of_session(b"browser")] == ["4", "5"]
    assert await store.participants.purge(NOW + 3) == 0
    assert await store.participants.clear() == 2


# -- consents


async def test_what_was_agreed(pair: tuple[Store, Store]) -> None:
    """The last word counts; another person's is another one, in another directory too."""
    other = AccountId("e", "anna")
    await pair[0].consents.put(consent("wiki", "openid", "email"))
    await pair[0].consents.put(consent("wiki", "openid", account=other))
    assert await pair[1].consents.get(ANNA, "wiki") == consent("wiki", "openid", "email")
    await pair[1].consents.put(consent("wiki", "openid", "groups"))
    assert await pair[0].consents.get(ANNA, "wiki") == consent("wiki", "openid", "groups")
    assert await pair[0].consents.get(other, "wiki") == consent("wiki", "openid", account=other)
    assert await pair[0].consents.get(ANNA, "shop") is None


async def test_many_words_at_once_are_one(pair: tuple[Store, Store]) -> None:
    """Of two nodes the later one's stays whole."""
    puts = (store.consents.put(consent("wiki", f"s{number}", "x")) for number in range(10) for store in pair)
    await asyncio.gather(*puts)
    (kept,) = await pair[0].consents.of_account(ANNA)
    assert len(kept.scopes) == 2


async def test_a_consent_is_taken_back(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One, all of a person, all of an application."""
    monkeypatch.setattr("gateway.store.database.PORTION", 1)
    ben = AccountId("d", "ben")
    for trust in ("wiki", "shop", "mail"):
        await store.consents.put(consent(trust, "openid"))
        await store.consents.put(consent(trust, "openid", account=ben))
    assert await store.consents.remove(ANNA, "wiki")
    assert not await store.consents.remove(ANNA, "wiki")
    assert [record.trust for record in await store.consents.of_account(ANNA)] == ["mail", "shop"]
    assert await store.consents.remove_of_trust("shop") == 2
    assert await store.consents.remove_of_account(ben) == 2
    assert [record.trust for record in await store.consents.of_account(ANNA)] == ["mail"]
