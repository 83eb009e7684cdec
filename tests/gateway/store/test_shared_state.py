"""What nodes share beside people and agents: once, seen, keyring, generations, duties, presence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gateway.store import AgentRecord, DutyLost, KeysUnreadable, KeyTooFresh, Purge, Store, StoreFull, open_store
from gateway.store.keyring import DELAY, RootKey, check_rollable, choose_current
from gateway.store.once import SqlOnce
from gateway.store.presence import KEPT
from gateway.store.replay import SqlSeen
from gateway.store.store import SqlStore
from tests.gateway.store.conftest import NOW, SECRET, Opener

USES = ("audit", "devices", "forms", "account")


# -- once


async def test_what_happens_once_is_taken_by_one(pair: tuple[Store, Store]) -> None:
    """Of twenty takers on two nodes; an expired one by nobody."""
    assert await pair[0].once.put("code", "x", b"value", until=NOW + 60, now=NOW)
    taken = await asyncio.gather(*(store.once.take("code", "x", NOW) for _ in range(10) for store in pair))
    assert sorted(taken, key=bool) == [None] * 19 + [b"value"]
    assert await pair[0].once.put("code", "y", b"value", until=NOW + 60, now=NOW)
    assert await pair[1].once.take("code", "y", NOW + 60) is None
    assert await pair[1].once.take("code", "y", NOW) is None


async def test_what_is_put_down_is_not_replaced(pair: tuple[Store, Store]) -> None:
    """Before it expires; kinds are apart."""
    puts = (store.once.put("code", "x", b"v", until=NOW + 60, now=NOW) for _ in range(5) for store in pair)
    assert sum(await asyncio.gather(*puts)) == 1
    assert await pair[0].once.put("device", "x", b"other", until=NOW + 60, now=NOW)
    assert await pair[0].once.put("code", "x", b"new", until=NOW + 99, now=NOW + 60)
    assert await pair[1].once.take("code", "x", NOW + 61) == b"new"


async def test_once_is_bounded(store: Store) -> None:
    """And has room again when something has expired."""
    assert isinstance(store, SqlStore)
    once = SqlOnce(store._database, limit=3)
    for key in "abc":
        assert await once.put("code", key, b"v", until=NOW + 60, now=NOW)
    with pytest.raises(StoreFull, match="once of the kind 'code': 3 are kept already"):
        await once.put("code", "d", b"v", until=NOW + 60, now=NOW)
    assert await once.put("code", "d", b"v", until=NOW + 160, now=NOW + 61)
    assert await once.purge(NOW + 61) == 3
    assert await once.take("code", "d", NOW + 61) == b"v"


async def test_a_flood_of_one_kind_leaves_room_for_the_others(store: Store) -> None:
    """Requests of strangers wait here beside the codes of those who have signed in."""
    assert isinstance(store, SqlStore)
    once, seen = SqlOnce(store._database, limit=2), SqlSeen(store._database, limit=2)
    for key in "ab":
        await once.put("pushed request", key, b"v", until=NOW + 60, now=NOW)
        await seen.add("device poll", key, until=NOW + 60, now=NOW)
    with pytest.raises(StoreFull):
        await once.put("pushed request", "c", b"v", until=NOW + 60, now=NOW)
    assert await once.put("code", "c", b"v", until=NOW + 60, now=NOW)
    with pytest.raises(StoreFull):
        await seen.add("device poll", "c", until=NOW + 60, now=NOW)
    assert await seen.add("client assertion", "c", until=NOW + 60, now=NOW)


# -- seen


async def test_the_first_who_adds_wins(pair: tuple[Store, Store]) -> None:
    """Of twenty on two nodes; again when it has expired."""
    adds = (store.seen.add("jti", "x", until=NOW + 60, now=NOW) for _ in range(10) for store in pair)
    assert sum(await asyncio.gather(*adds)) == 1
    assert await pair[0].seen.add("nonce", "x", until=NOW + 60, now=NOW)
    assert [await pair[1].seen.has("jti", key, NOW) for key in ("x", "y")] == [True, False]
    assert not await pair[1].seen.has("jti", "x", NOW + 60)
    assert not await pair[1].seen.add("jti", "x", until=NOW + 99, now=NOW + 59)
    assert await pair[1].seen.add("jti", "x", until=NOW + 99, now=NOW + 60)


async def test_what_was_seen_is_not_washed_out(store: Store) -> None:
    """A flood fills the table: what is new is refused, what was seen stays seen."""
    assert isinstance(store, SqlStore)
    seen = SqlSeen(store._database, limit=500)
    assert await seen.add("jti", "mine", until=NOW + 60, now=NOW)
    results = await asyncio.gather(
        *(seen.add("jti", str(number), until=NOW + 60, now=NOW) for number in range(600)), return_exceptions=True
    )
    added = sum(result is True for result in results)
    assert 499 <= added <= 499 + 5 + 4  # a hundredth of the limit, and what four writers have under way (see `bounds`)
    assert sum(isinstance(result, StoreFull) for result in results) == 600 - added
    with pytest.raises(StoreFull):
        await seen.add("jti", "mine", until=NOW + 60, now=NOW)
    assert await seen.purge(NOW + 61) == 1 + added
    assert await seen.add("jti", "mine", until=NOW + 160, now=NOW + 61)


async def test_a_full_table_is_not_counted_for_each_of_a_flood(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counting looks at every row; once a second is enough."""
    assert isinstance(store, SqlStore)
    seen = SqlSeen(store._database, limit=2)
    for key in "ab":
        await seen.add("jti", key, until=NOW + 0.5, now=NOW)
    for now in (NOW, NOW + 0.6):
        with pytest.raises(StoreFull):
            await seen.add("jti", "c", until=NOW + 60, now=now)
    assert await seen.add("jti", "c", until=NOW + 60, now=NOW + 1.1)


async def test_a_clock_that_is_set_back_leaves_no_table_full(store: Store) -> None:
    """It was full by a clock that was wrong: for as long as that was, nobody would be let in."""
    assert isinstance(store, SqlStore)
    seen = SqlSeen(store._database, limit=1)
    await seen.add("jti", "a", until=NOW + 0.5, now=NOW)
    with pytest.raises(StoreFull):
        await seen.add("jti", "b", until=NOW + 60, now=NOW)
    await seen.purge(NOW + 1)
    assert await seen.add("jti", "b", until=NOW + 60, now=NOW - 86400)


async def test_other_nodes_keys_count_too(pair: tuple[Store, Store]) -> None:
    """A node that has added little finds the table full of what the other one added."""
    assert isinstance(pair[0], SqlStore)
    assert isinstance(pair[1], SqlStore)
    first, second = SqlSeen(pair[0]._database, limit=10), SqlSeen(pair[1]._database, limit=10)
    assert await second.add("jti", "before", until=NOW + 60, now=NOW)
    for number in range(9):
        assert await first.add("jti", str(number), until=NOW + 60, now=NOW)
    with pytest.raises(StoreFull):
        await second.add("jti", "x", until=NOW + 60, now=NOW)


async def test_the_purge_is_one_nodes(pair: tuple[Store, Store]) -> None:
    """Of two that begin at once one does it; a minute later either may."""
    for store in pair:
        await store.seen.add("jti", store.node, until=NOW + 1, now=NOW)
        await store.once.put("code", store.node, b"", until=NOW + 1, now=NOW)
    purges = [Purge(store, lambda: NOW + 2) for store in pair]
    await asyncio.gather(*(purge.run() for purge in purges))
    for store in pair:
        assert await store.seen.purge(NOW + 2) == await store.once.purge(NOW + 2) == 0
    await pair[0].seen.add("jti", "late", until=NOW + 1, now=NOW)
    await purges[1].run()
    assert await pair[0].seen.purge(NOW + 2) == 1


# -- keyring


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


async def test_each_use_has_a_key_of_its_own_and_all_nodes_the_same(pair: tuple[Store, Store]) -> None:
    """Two that start at once on an empty store agree; no key is another one, nor the secret itself."""
    keys = [[store.keyring.current(use) for use in USES] for store in pair]
    assert keys[0] == keys[1]
    assert len({key.secret for key in keys[0]} | {SECRET}) == len(USES) + 1
    assert all(len(key.secret) == 32 for key in keys[0])
    assert "secret" not in repr(keys[0][0])


async def test_many_that_start_at_once_agree(url: str) -> None:
    """On an empty database, its schema included."""
    opened = await asyncio.gather(*(asyncio.to_thread(open_store, url, secret=SECRET, node=f"n{n}") for n in range(4)))
    assert len({store.keyring.current("forms").secret for store in opened}) == 1
    for store in opened:
        await store.close()


async def test_a_rolled_key_is_used_when_every_node_has_read_it(opener: Opener) -> None:
    """Valid at once, in use later; the one before stays valid until the next roll, and readable for the trail."""
    clock = Clock()
    here, there = opener(clock=clock), opener(clock=clock)
    before = here.keyring.current("forms")
    assert here.keyring.valid("forms") == (before,)
    await there.generations.look()
    await here.keyring.roll()
    assert here.keyring.current("forms") == before
    assert there.keyring.valid("forms") == (before,)
    await there.generations.look()
    new, old = there.keyring.valid("forms")
    assert (old, here.keyring.valid("forms")) == (before, (new, old))
    clock.now += DELAY - 1
    assert here.keyring.current("forms") == before
    clock.now += 1
    assert here.keyring.current("forms") == there.keyring.current("forms") == new
    await there.keyring.roll()
    await here.generations.look()
    assert before not in here.keyring.valid("forms")
    assert len(here.keyring.valid("forms")) == 2
    assert here.keyring.find("forms", before.id) == before
    assert here.keyring.find("forms", "x") is None


async def test_a_second_roll_does_not_end_the_key_in_use(opener: Opener) -> None:
    """It is refused until the first one is in use, also from another node in the same moment."""
    clock = Clock()
    stores = [opener(clock=clock) for _ in range(2)]
    results = await asyncio.gather(*(store.keyring.roll() for store in stores), return_exceptions=True)
    assert sum(isinstance(result, KeyTooFresh) for result in results) == 1
    with pytest.raises(KeyTooFresh, match="try again in 120 s"):
        await stores[0].keyring.roll()


async def test_the_database_holds_no_key(opener: Opener, edit: Callable[..., None], url: str) -> None:
    """Another secret opens none, and a row that was moved or changed is no key."""
    store = opener()
    with pytest.raises(KeysUnreadable, match=r"restore secret\.key"):
        opener(secret=b"x" * 32)
    await store.keyring.roll()
    edit("UPDATE keyring SET active_from = 0 WHERE number = 2")
    with pytest.raises(KeysUnreadable):
        await store.keyring.load()
    edit("DELETE FROM keyring WHERE number = 2", "UPDATE keyring SET number = 3")
    with pytest.raises(KeysUnreadable):
        await store.keyring.load()


async def test_the_trail_is_verified_with_the_keys_of_then(opener: Opener) -> None:
    """However often they were rolled since."""
    from gateway.store import AuditEvent

    clock = Clock()
    for _ in range(4):
        store = opener(clock=clock)
        await store.audit.append(AuditEvent(time=clock.now, kind="x"))
        await store.keyring.roll()
        clock.now += DELAY
    assert (await store.audit.verify()).entries == 4


def test_which_root_is_in_use() -> None:
    """The newest that has begun; the very first at once, whatever the clock says."""
    first, second, third = (RootKey(n, str(n), b"", active) for n, active in ((1, 0.0), (2, 100.0), (3, 200.0)))
    for roots, now, chosen in (
        ([first], -5.0, first),
        ([first, second], 99.0, first),
        ([first, second], 100.0, second),
        ([first, second, third], 150.0, second),
        ([first, second, third], 200.0, third),
    ):
        assert choose_current(roots, now) is chosen
    check_rollable([first, second], 100.0)
    with pytest.raises(KeyTooFresh):
        check_rollable([first, second], 99.0)


# -- generations


async def test_a_generation_rises_with_each_change(pair: tuple[Store, Store]) -> None:
    """None is lost, from wherever."""
    numbers = await asyncio.gather(*(store.generations.bump("trusts") for _ in range(10) for store in pair))
    assert sorted(numbers) == list(range(1, 21))
    assert (await pair[0].generations.numbers())["trusts"] == 20


async def test_whoever_watches_reads_anew(pair: tuple[Store, Store]) -> None:
    """Once for each move, at the first look too; a refresh that fails is tried again and keeps nobody else waiting."""
    here, there = pair
    reads: list[str] = []
    broken = True

    async def trusts() -> None:
        reads.append("trusts")
        if broken:
            raise RuntimeError("a defect")

    async def agents() -> None:
        reads.append("agents")

    here.generations.watch("trusts", trusts)
    here.generations.watch("agents", agents)
    for _ in range(2):
        await here.generations.look()
    assert reads == ["trusts", "agents", "trusts"]
    broken = False
    await here.generations.look()
    await here.generations.look()
    assert reads.count("trusts") == 3
    await there.generations.bump("agents")
    await here.generations.look()
    assert (reads.count("trusts"), reads.count("agents")) == (3, 2)


async def test_two_may_watch_one_name(store: Store) -> None:
    """Each with its own copy."""
    reads: list[int] = []

    def reader(number: int) -> Callable[[], object]:
        async def read() -> None:
            reads.append(number)

        return read

    for number in (1, 2):
        store.generations.watch("trusts", reader(number))  # type: ignore[arg-type]
    await store.generations.look()
    assert reads == [1, 2]


# -- duties


async def test_a_duty_is_one_nodes(pair: tuple[Store, Store]) -> None:
    """Of ten that try one gets it, until it runs out or is given up; the numbers rise."""
    takes = (store.duties.take("alerts", f"{store.node}-{n}", now=NOW, until=NOW + 10) for n in range(5) for store in pair)
    (lease,) = [taken for taken in await asyncio.gather(*takes) if taken is not None]
    assert lease.number == 1
    assert await pair[0].duties.take("alerts", "x", now=NOW + 9, until=NOW + 20) is None
    await pair[0].duties.extend(lease, NOW + 15)
    assert await pair[1].duties.take("alerts", "x", now=NOW + 14, until=NOW + 20) is None
    second = await pair[1].duties.take("alerts", "x", now=NOW + 15, until=NOW + 20)
    assert second is not None
    assert second.number == 2
    with pytest.raises(DutyLost):
        await pair[0].duties.extend(lease, NOW + 99)
    await pair[0].duties.give_up(lease)
    assert await pair[0].duties.take("alerts", "x", now=NOW + 16, until=NOW + 20) is None
    await pair[0].duties.give_up(second)
    third = await pair[0].duties.take("alerts", "x", now=NOW + 16, until=NOW + 20)
    assert third is not None
    assert third.number == 3
    assert (await pair[0].duties.take("purge", "x", now=NOW, until=NOW + 1)) is not None


async def test_a_duty_that_was_taken_under_a_clock_that_was_ahead_is_free_again(pair: tuple[Store, Store]) -> None:
    """Nobody does it for a day otherwise. Whoever had taken it writes nothing in its name any more."""
    tomorrow = NOW + 86400
    lease = await pair[0].duties.take("sweep", "a", now=tomorrow, until=tomorrow + 120)
    assert lease is not None
    assert await pair[1].duties.take("sweep", "b", now=tomorrow - 400, until=tomorrow - 280) is None
    second = await pair[1].duties.take("sweep", "b", now=NOW, until=NOW + 120)
    assert second is not None
    assert second.number > lease.number
    with pytest.raises(DutyLost):
        await pair[0].duties.extend(lease, NOW + 120)


# -- presence


async def test_who_is_where(pair: tuple[Store, Store]) -> None:
    """Each node tells of its own; what is old is not believed; claims stay when an agent leaves."""
    here, there = pair
    await asyncio.gather(
        here.presence.report("relay1", [("dc1", ["Corp.example.com", "CORP"]), ("dc2", ["*"])], NOW),
        there.presence.report("relay2", [("dc1", ["corp.example.com"])], NOW - 50),
    )
    present = await there.presence.present(NOW - 10)
    assert [(found.node, found.agent, found.domains) for found in present] == [
        ("relay1", "dc1", ("corp", "corp.example.com")),
        ("relay1", "dc2", ("*",)),
    ]
    assert len(await here.presence.present(NOW - 60)) == 3
    await here.presence.report("relay1", [("dc1", [])], NOW + 1)
    await here.presence.report("relay2", [], NOW + 1)
    assert [(found.node, found.agent) for found in await here.presence.present(NOW)] == [("relay1", "dc1")]
    assert await there.presence.claimed() == {"*": ("dc2",), "corp": ("dc1",), "corp.example.com": ("dc1",)}


async def test_a_node_confirms_what_it_reported(pair: tuple[Store, Store]) -> None:
    """Its own rows and no others; those of nodes that are gone are deleted in the end."""
    for store in pair:
        await store.presence.report(store.node, [("dc1", []), ("dc2", [])], NOW)
    await pair[0].presence.confirm("relay1", NOW + 500)
    assert [found.node for found in await pair[1].presence.present(NOW + 450)] == ["relay1"] * 2
    assert await pair[1].presence.purge(NOW + KEPT) == 0
    await Purge(pair[1], lambda: NOW + KEPT + 1).run()
    assert [found.node for found in await pair[1].presence.present(0)] == ["relay1"] * 2


def certificate(serial: str) -> AgentRecord:
    return AgentRecord(name="dc1", serial=serial, not_after=NOW + 99, issued_at=NOW)


async def test_claims_of_an_agent_that_was_revoked_do_not_count(pair: tuple[Store, Store]) -> None:
    """Also where another node reported it a moment later; enrolled anew it claims them again."""
    here, there = pair
    await here.agents.add(certificate("1"))
    await here.presence.report("relay1", [("dc1", ["corp"])], NOW)
    assert await there.presence.claimed() == {"corp": ("dc1",)}
    await here.agents.revoke("dc1", NOW, "stolen")
    await there.presence.report("relay2", [("dc1", ["corp", "other"])], NOW)
    assert await there.presence.claimed() == {}
    await here.agents.add(certificate("2"))
    assert await there.presence.claimed() == {"corp": ("dc1",), "other": ("dc1",)}


async def test_other_nodes_are_told_of_new_claims_only(pair: tuple[Store, Store]) -> None:
    """Agents come and go; what they claim is nearly always known."""
    for domains, number in ((["corp"], 1), (["corp"], 1), ([], 1), (["corp", "other"], 2)):
        await pair[0].presence.report("relay1", [("dc1", domains)], NOW)
        assert (await pair[1].generations.numbers())["domains"] == number


async def test_an_agent_that_claims_ever_more_pushes_out_its_own_claims_only(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that it claimed first."""
    monkeypatch.setattr("gateway.store.presence.CLAIMS", 20)
    await store.presence.report("relay1", [("dc1", ["corp"])], NOW)
    for number in range(10):
        domains = [f"d{number}-{place}.example.com" for place in range(10)]
        await store.presence.report("relay1", [("dc1", ["corp"]), ("dc2", domains)], NOW + 1 + number)
    claimed = await store.presence.claimed()
    assert sorted(claimed) == ["corp", *sorted(f"d{number}-{place}.example.com" for number in (8, 9) for place in range(10))]


async def test_two_nodes_report_at_once(pair: tuple[Store, Store]) -> None:
    """The same agents claim the same domains at both: nobody waits for the other in a circle."""
    agents = [(f"dc{number}", [f"d{number}.example.com", "corp"]) for number in range(10)]
    await asyncio.gather(
        *(
            store.presence.report(store.node, agents if number % 2 else agents[::-1], NOW + number)
            for number in range(10)
            for store in pair
        )
    )
    assert len(await pair[0].presence.present(NOW)) == 20
