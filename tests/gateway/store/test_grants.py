"""Grants: made once, rotated by one, ended with all their tokens."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from gateway.protocol import AccountId
from gateway.store import GrantRecord, Purge, Repeated, Reused, Rotated, Store
from gateway.store.grants import SqlGrants
from gateway.store.store import SqlStore
from tests.gateway.store.conftest import NOW

ANNA, BEN = AccountId("d", "anna"), AccountId("d", "ben")
GRACE = 30.0

Result = Rotated | Repeated | Reused | None


def grant(name: bytes, **changes: object) -> GrantRecord:
    record = GrantRecord(
        digest=name,
        trust="wiki",
        account=ANNA,
        session=b"browser",
        details=b"scope",
        created_at=NOW,
        expires_at=NOW + 1000,
        idle_at=NOW + 100,
        generation=1,
        current=b"t1",
        checked_at=NOW,
    )
    return replace(record, **changes)  # type: ignore[arg-type]


async def rotate(
    store: Store, shown: bytes, new: bytes, now: float = NOW, *, name: bytes = b"g", idle: float = 100.0
) -> Result:
    return await store.grants.rotate(name, shown, new, b"sealed " + new, now=now, idle_at=now + idle, grace=GRACE)


async def test_a_grant_is_kept_as_it_was_given(pair: tuple[Store, Store]) -> None:
    """On the other node too; nothing of it stands in its text but for whom and what."""
    await pair[0].grants.add(grant(b"g"))
    await pair[0].grants.add(grant(b"offline", session=b"", generation=0, current=b""))
    assert await pair[1].grants.get(b"g", NOW) == grant(b"g")
    assert await pair[1].grants.get(b"offline", NOW) == grant(b"offline", session=b"", generation=0, current=b"")
    assert await pair[1].grants.get(b"unknown", NOW) is None
    assert not any(secret in repr(grant(b"g")) for secret in ("b'g'", "browser", "scope", "t1"))


async def test_a_code_makes_one_grant(pair: tuple[Store, Store]) -> None:
    """Of twenty on two nodes that redeem it one is told that it was first, and what it gave stays (O02)."""
    adds = [store.grants.add(grant(b"g", details=b"%d" % number)) for number in range(10) for store in pair]
    results = await asyncio.gather(*adds)
    assert results.count(True) == 1
    kept = await pair[0].grants.get(b"g", NOW)
    assert kept is not None
    assert kept.details == b"%d" % (results.index(True) // 2)


async def test_a_refresh_token_is_spent_by_one(pair: tuple[Store, Store]) -> None:
    """Of fifty at once on two nodes one rotates, the others are given what that one was given (O11)."""
    await pair[0].grants.add(grant(b"g"))
    tries = [rotate(pair[number % 2], b"t1", b"n%d" % number, NOW + number % 3) for number in range(50)]
    results = await asyncio.gather(*tries)
    assert Counter(type(result) for result in results) == {Rotated: 1, Repeated: 49}
    kept = {result.grant for result in results if result is not None}
    assert len(kept) == 1
    record = kept.pop()
    assert (record.generation, record.previous, record.sealed) == (2, b"t1", b"sealed " + record.current)
    assert await pair[1].grants.get(b"g", NOW) == record


async def test_a_spent_token_ends_the_family(pair: tuple[Store, Store]) -> None:
    """After the grace time fifty who show it end it: one is told so, and nobody has a grant any more (O11)."""
    await pair[0].grants.add(grant(b"g"))
    await rotate(pair[0], b"t1", b"t2")
    assert isinstance(await rotate(pair[1], b"t1", b"x", NOW + GRACE), Repeated)
    later = NOW + GRACE + 0.001
    results = await asyncio.gather(*(rotate(pair[number % 2], b"t1", b"x%d" % number, later) for number in range(50)))
    assert Counter(type(result) for result in results) == {Reused: 1, type(None): 49}
    assert await pair[0].grants.get(b"g", NOW) is None
    assert await rotate(pair[1], b"t2", b"t3", later) is None


async def test_a_thief_and_the_owner_at_once(pair: tuple[Store, Store]) -> None:
    """The one with the spent token, the other with the good one: whoever is first, the family is over in the end (O11)."""
    for number in range(20):
        name = b"g%d" % number
        await pair[0].grants.add(grant(name))
        await rotate(pair[0], b"t1", b"t2", name=name)
        later = NOW + GRACE + 1
        acts = (rotate(pair[0], b"t2", b"t3", later, name=name), rotate(pair[1], b"t1", b"x", later, name=name))
        owner, thief = await asyncio.gather(*acts)
        assert isinstance(thief, Reused)
        assert owner is None or isinstance(owner, Rotated)
        assert await pair[0].grants.get(name, later) is None


@pytest.mark.parametrize("shown", [b"never given", b"", b"t1"], ids=["forged", "empty", "two rotations ago"])
async def test_what_is_not_the_familys_token_ends_it(shown: bytes, store: Store) -> None:
    """Within the grace time too: only the token before the current one is let pass (O11)."""
    await store.grants.add(grant(b"g"))
    await rotate(store, b"t1", b"t2")
    await rotate(store, b"t2", b"t3")
    result = await rotate(store, shown, b"x")
    assert isinstance(result, Reused)
    assert result.grant.current == b"t3"
    assert await store.grants.get(b"g", NOW) is None


async def test_the_first_token_has_none_before_it(store: Store) -> None:
    """An empty one is not taken for that, although nothing was rotated a moment ago."""
    await store.grants.add(grant(b"g", rotated_at=NOW))
    assert isinstance(await rotate(store, b"", b"x"), Reused)


async def test_a_grant_without_refresh_tokens_gives_none(store: Store) -> None:
    """Nothing was spent, so nothing ends; an empty token is not taken for its empty one."""
    await store.grants.add(grant(b"g", generation=0, current=b""))
    for shown in (b"", b"t1"):
        assert await rotate(store, shown, b"x") is None
    assert await store.grants.get(b"g", NOW) is not None


async def test_a_clock_that_is_set_back_prolongs_no_grace_time(store: Store) -> None:
    """By more than nodes' clocks may differ: the spent token is a spent token."""
    await store.grants.add(grant(b"g", expires_at=NOW + 5000, idle_at=NOW + 5000))
    await rotate(store, b"t1", b"t2", NOW + 600)
    assert isinstance(await rotate(store, b"t1", b"x", NOW + 598), Repeated)
    assert isinstance(await rotate(store, b"t1", b"x", NOW), Reused)


async def test_a_grant_ends_unused_and_at_last(store: Store) -> None:
    """Rotation puts the one end off, never the other."""
    await store.grants.add(grant(b"g"))
    assert await store.grants.get(b"g", NOW + 99.9) is not None
    assert await store.grants.get(b"g", NOW + 100) is None
    assert await rotate(store, b"t1", b"t2", NOW + 100) is None
    result = await rotate(store, b"t1", b"t2", NOW + 99, idle=5000)
    assert isinstance(result, Rotated)
    assert result.grant.idle_at == result.grant.expires_at == NOW + 1000
    assert await store.grants.get(b"g", NOW + 1000) is None
    await store.grants.add(grant(b"long", idle_at=NOW + 9999))
    assert await store.grants.get(b"long", NOW + 1000) is None


async def test_one_ends_a_grant(pair: tuple[Store, Store]) -> None:
    """Of twenty one gets what it was."""
    await pair[0].grants.add(grant(b"g"))
    ended = await asyncio.gather(*(store.grants.end(b"g") for _ in range(10) for store in pair))
    assert [record for record in ended if record is not None] == [grant(b"g")]


async def test_grants_end_with_what_they_hang_on(store: Store) -> None:
    """A session, a person, an application, a directory, everything; what is beside it stays."""

    async def left() -> set[bytes]:
        records = [await store.grants.of_account(account, NOW) for account in (ANNA, BEN, AccountId("e", "anna"))]
        return {record.digest for each in records for record in each}

    async def fill() -> None:
        await store.grants.end_all()
        await store.grants.add(grant(b"a"))
        await store.grants.add(grant(b"b", session=b"phone", created_at=NOW + 1))
        await store.grants.add(grant(b"c", session=b"", trust="shop"))
        await store.grants.add(grant(b"d", account=BEN, session=b""))
        await store.grants.add(grant(b"e", account=AccountId("e", "anna"), trust="shop"))

    await fill()
    assert [record.digest for record in await store.grants.of_account(ANNA, NOW)] == [b"b", b"a", b"c"]
    assert [record.digest for record in await store.grants.end_of_session(b"browser")] == [b"a", b"e"]
    assert await store.grants.end_of_session(b"") == []
    assert await left() == {b"b", b"c", b"d"}
    await fill()
    assert [record.digest for record in await store.grants.end_of_account(ANNA)] == [b"b", b"a", b"c"]
    assert await left() == {b"d", b"e"}
    await fill()
    assert await store.grants.end_of_trust("shop") == 2
    assert await left() == {b"a", b"b", b"d"}
    await fill()
    assert await store.grants.end_of_directory("d") == 4
    assert await left() == {b"e"}
    await fill()
    assert await store.grants.end_all() == 5
    assert await left() == set()


async def test_many_end_overlapping_grants_at_once(pair: tuple[Store, Store]) -> None:
    """A person, their session and an application on two nodes: nobody waits crosswise, each grant is ended by one."""
    for number in range(60):
        await pair[0].grants.add(grant(b"%02d" % number, trust="wiki" if number % 2 else "shop"))
    acts = (pair[0].grants.end_of_account(ANNA), pair[1].grants.end_of_session(b"browser"))
    of_account, of_session, of_trust = await asyncio.gather(*acts, pair[1].grants.end_of_trust("wiki"))
    assert len(of_account) + len(of_session) + of_trust == 60


async def test_a_session_ends_while_its_token_is_rotated(pair: tuple[Store, Store]) -> None:
    """Whoever is first: afterwards there is no grant, and no rotation brings it back."""
    for number in range(20):
        name, session = b"g%d" % number, b"s%d" % number
        await pair[0].grants.add(grant(name, session=session))
        acts = rotate(pair[0], b"t1", b"t2", name=name), pair[1].grants.end_of_session(session)
        rotated, ended = await asyncio.gather(*acts)
        assert [record.digest for record in ended] == [name]
        assert rotated is None or isinstance(rotated, Rotated)
        assert await pair[1].grants.get(name, NOW) is None


async def test_the_sweep_sees_every_account_once(store: Store) -> None:
    """In portions, by digest; what was checked meanwhile, or is over, is left out."""
    for number in range(10):
        await store.grants.add(grant(b"%d" % number, checked_at=NOW - number))
    await store.grants.add(grant(b"over", checked_at=0.0, idle_at=NOW))
    await store.grants.note_check(b"7", NOW + 5)
    seen: list[bytes] = []
    while portion := await store.grants.unchecked(NOW - 3, seen[-1] if seen else b"", 2, NOW):
        assert len(portion) <= 2
        seen += [record.digest for record in portion]
    assert seen == [b"4", b"5", b"6", b"8", b"9"]


async def test_a_check_is_noted_with_the_rotation(store: Store) -> None:
    """One statement for both; without an answer the last one stays."""
    await store.grants.add(grant(b"g", checked_at=NOW - 50))
    for shown, new, noted, kept in ((b"t1", b"t2", 0.0, NOW - 50), (b"t2", b"t3", NOW - 1, NOW - 1)):
        await store.grants.rotate(b"g", shown, new, b"sealed", now=NOW, idle_at=NOW + 100, grace=GRACE, checked_at=noted)
        record = await store.grants.get(b"g", NOW)
        assert record is not None
        assert record.checked_at == kept


async def test_details_change_with_a_check_only_where_they_are_given(store: Store) -> None:
    """With a rotation, and without; what was kept stays otherwise."""
    await store.grants.add(grant(b"g"))
    about: dict[str, Any] = {"now": NOW, "idle_at": NOW + 100, "grace": GRACE}
    acts = (
        store.grants.rotate(b"g", b"t1", b"t2", b"sealed", details=b"others", **about),
        store.grants.rotate(b"g", b"t2", b"t3", b"sealed", **about),
        store.grants.note_check(b"g", NOW, b"more"),
        store.grants.note_check(b"g", NOW),
    )
    for act, kept in zip(acts, (b"others", b"others", b"more", b"more"), strict=True):
        await act
        record = await store.grants.get(b"g", NOW)
        assert record is not None
        assert record.details == kept


async def test_one_person_cannot_fill_the_table(store: Store) -> None:
    """With one grant more than that the oldest ends; others keep theirs."""
    assert isinstance(store, SqlStore)
    grants = SqlGrants(store._database, limit=3)
    await grants.add(grant(b"ben", account=BEN, created_at=NOW - 9))
    for number in range(5):
        assert await grants.add(grant(b"%d" % number, created_at=NOW + number))
    assert [record.digest for record in await grants.of_account(ANNA, NOW)] == [b"4", b"3", b"2"]
    assert await grants.get(b"ben", NOW) is not None


async def test_what_is_over_is_purged_in_portions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the duty that purges all; what lives stays."""
    monkeypatch.setattr("gateway.store.database.PORTION", 2)
    for number in range(5):
        await store.grants.add(grant(b"%d" % number, idle_at=NOW + number))
    await Purge(store, lambda: NOW + 3).run()
    assert await store.grants.purge(NOW + 3) == 0
    assert await store.grants.get(b"4", NOW) is not None
    assert await store.grants.get(b"3", NOW) is None
