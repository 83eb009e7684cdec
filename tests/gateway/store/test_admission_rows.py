"""Admission's rows: rules that run at once, on two nodes, never let more through than one after the other would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest
import sqlalchemy as sa

from demo.postgres import ThrowawayPostgres
from gateway.store import AdmissionRow, Store, StoreUnavailable, open_store
from gateway.store.store import SqlStore
from tests.gateway.store.conftest import NOW, SECRET, Outage

Decision = tuple[Sequence[AdmissionRow], Sequence[bytes], bool]


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def count_to(limit: int, *keys: bytes) -> Callable[[Mapping[bytes, bytes]], Decision]:
    """Counts in each of its rows; False where one is at the limit: then nothing changes."""

    def rule(values: Mapping[bytes, bytes]) -> Decision:
        if any(len(values.get(name, b"")) >= limit for name in keys):
            return (), (), False
        return [(name, values.get(name, b"") + b"x", NOW + 60) for name in keys], (), True

    return rule


async def test_no_more_are_let_through_than_the_rule_allows(pair: tuple[Store, Store]) -> None:
    """Forty guesses at a name that nobody has counted yet, on two nodes, four allowed; twice as a check of emptied rows."""
    for _ in range(2):
        tries = (store.admission.apply([key(1)], count_to(4, key(1))) for _ in range(20) for store in pair)
        assert sum(await asyncio.gather(*tries)) == 4
        assert await pair[1].admission.all() == [(key(1), b"xxxx", NOW + 60)]
        await pair[1].admission.save([], [key(1)])
        assert await pair[0].admission.all() == []


async def test_rows_in_opposite_order_are_no_deadlock(pair: tuple[Store, Store]) -> None:
    """Two nodes on forty names, each rule on two of them; the sweep runs meanwhile."""

    async def work(store: Store, first: int) -> None:
        for number in range(25):
            keys = [key((first + number * 7) % 40), key((first + number * 13 + 5) % 40)]
            await store.admission.apply(keys, count_to(10_000, *keys))

    async def sweep() -> None:
        for _ in range(10):
            await pair[0].admission.purge(NOW)

    await asyncio.gather(sweep(), *(work(store, first) for first in range(8) for store in pair))
    total = sum(len(value) for _, value, _ in await pair[0].admission.all())
    same = sum((number * 7) % 40 == (number * 13 + 5) % 40 for number in range(25))
    assert total == 2 * 8 * (2 * 25 - same)


async def test_rules_that_wait_together_see_each_other(store: Store) -> None:
    """One that raises changes nothing, and only its caller hears of it."""

    def fail(values: Mapping[bytes, bytes]) -> Decision:
        raise LookupError(str(values))

    results = await asyncio.gather(
        store.admission.apply([key(1)], count_to(2, key(1))),
        store.admission.apply([key(1)], fail),
        store.admission.apply([key(1)], count_to(2, key(1))),
        store.admission.apply([key(1)], count_to(2, key(1))),
        return_exceptions=True,
    )
    assert isinstance(results[1], LookupError)
    assert (results[0], results[2], results[3]) == (True, True, False)


async def test_a_rule_sees_its_own_keys_only(store: Store) -> None:
    """And deletes what it names."""
    await store.admission.save([(key(1), b"a", NOW), (key(2), b"b", NOW)], [key(3)])
    seen: list[dict[bytes, bytes]] = []

    def look(values: Mapping[bytes, bytes]) -> tuple[Sequence[AdmissionRow], Sequence[bytes], str]:
        seen.append(dict(values))
        return (), [key(1)], "done"

    assert await store.admission.apply([key(1), key(9)], look) == "done"
    assert seen == [{key(1): b"a"}]
    assert await store.admission.all() == [(key(2), b"b", NOW)]


async def test_rows_are_replaced_and_expire(store: Store) -> None:
    """More of them than a portion, and than one statement takes."""
    many = [(key(number), b"v", NOW - 1) for number in range(1200)]
    await store.admission.save(many, [])
    await store.admission.save([(key(5), b"new", NOW + 60), (key(6), b"w", NOW)], [key(7)])
    assert len(await store.admission.apply([row[0] for row in many], lambda values: ((), (), dict(values)))) == 1199
    await store.admission.purge(NOW)
    assert await store.admission.all() == [(key(5), b"new", NOW + 60), (key(6), b"w", NOW)]


async def test_a_look_at_nothing_leaves_nothing(store: Store) -> None:
    """Rows that were made to be locked go with the next sweep."""
    await store.admission.apply([key(1)], lambda _values: ((), (), None))
    assert await store.admission.all() == []
    await store.admission.purge(NOW)
    assert await store.admission.purge(NOW) == 0


async def test_a_store_that_fails_is_told_to_all_who_wait(
    store: Store, edit: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the queue is bounded."""
    edit("ALTER TABLE admission RENAME TO elsewhere")
    tries = [store.admission.apply([key(1)], count_to(4, key(1))) for _ in range(3)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert all(isinstance(result, StoreUnavailable) for result in results)
    edit("ALTER TABLE elsewhere RENAME TO admission")
    monkeypatch.setattr("gateway.store.admission.QUEUE_LIMIT", 1)
    results = await asyncio.gather(
        *(store.admission.apply([key(1)], count_to(4, key(1))) for _ in range(3)), return_exceptions=True
    )
    assert [result is True for result in results] == [True, False, False]


async def test_an_outage_keeps_everybody_for_as_long_and_no_longer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever stood behind the batch that failed is told with it; who came meanwhile has the next try."""
    assert isinstance(store, SqlStore)
    monkeypatch.setattr("gateway.store.admission.BATCH", 2)
    outage = Outage()
    with monkeypatch.context() as patch:
        patch.setattr(store._database, "write_counts", outage.fail)
        results = await outage.meet(lambda number: store.admission.apply([key(number)], count_to(4, key(number))))
    assert all(isinstance(result, StoreUnavailable) for result in results)
    assert outage.tries == 2
    assert await store.admission.apply([key(1)], count_to(4, key(1)))


async def test_rows_are_locked_in_order_of_key(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the order in which they were asked for: in opposite orders two nodes would wait for each other."""
    assert isinstance(store, SqlStore)
    locked: list[list[bytes]] = []
    load = store.admission._load

    def note(cursor: object, keys: list[bytes]) -> dict[bytes, bytes]:
        locked.append(keys)
        return load(cursor, keys)

    monkeypatch.setattr(store.admission, "_load", note)
    names = [key(number * 7 % 31) for number in range(31)]
    await asyncio.gather(*(store.admission.apply(names[::step], count_to(99, *names[::step])) for step in (1, -1, 3)))
    assert [name for keys in locked for name in keys] == [name for keys in locked for name in sorted(set(keys))]


# -- the bound


def put(number: int, value: bytes) -> tuple[list[bytes], Callable[[Mapping[bytes, bytes]], Decision]]:
    """A rule that writes one row, the younger the higher its number."""
    return [key(number)], lambda _values: ([(key(number), value, NOW + number)], (), True)


def weigh(value: bytes) -> int:
    return int(value == b"heavy")


async def fill(stores: Sequence[Store], numbers: range, value: bytes) -> None:
    """Some at a time, as sign-ins come."""
    for first in numbers[::20]:
        group = range(first, min(first + 20, numbers.stop))
        await asyncio.gather(*(stores[number % len(stores)].admission.apply(*put(number, value)) for number in group))


async def kept(store: Store) -> list[int]:
    return [int.from_bytes(name, "big") for name, _, _ in await store.admission.all()]


async def test_a_full_table_lets_the_light_go_first_and_then_the_oldest(store: Store) -> None:
    """Nobody is refused, and never are there more rows than the bound says."""
    store.admission.bound(300, weigh)
    await fill([store], range(40), b"heavy")
    for first in range(100, 1000, 100):
        await fill([store], range(first, first + 100), b"light")
        rows = await kept(store)
        assert len(rows) <= 300
        assert rows[:40] == list(range(40))
        assert rows[40:] == list(range(first + 140 - len(rows), first + 100))
    assert len(rows) > 270
    await fill([store], range(1000, 1400), b"heavy")
    rows = await kept(store)
    assert 270 < len(rows) <= 300
    assert rows == list(range(1400 - len(rows), 1400))


async def test_what_is_empty_or_has_expired_goes_before_anything_else(store: Store) -> None:
    """Before light ones that are older than it."""
    store.admission.bound(100, weigh)
    await fill([store], range(40), b"light")
    await store.admission.apply([key(number) for number in range(500, 540)], lambda _values: ((), (), None))
    await fill([store], range(600, 640), b"light")
    assert await kept(store) == [*range(40), *range(600, 640)]


async def test_nodes_exceed_the_bound_together_by_a_hundredth_each(pair: tuple[Store, Store]) -> None:
    """And by what is under way."""
    for store in pair:
        store.admission.bound(500, weigh)
    for first in range(0, 1500, 100):
        await fill(pair, range(first, first + 100), b"light")
        assert len(await kept(pair[0])) <= 500 + 2 * 5 + 20
    assert len(await kept(pair[0])) > 450


async def test_a_bound_that_was_lowered_is_reached_step_by_step(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits until all that is too much is gone."""
    monkeypatch.setattr("gateway.store.admission._GO_AT_ONCE", 60)
    await fill([store], range(200), b"light")
    store.admission.bound(50, weigh)
    counts = []
    for number in range(1000, 1004):
        await store.admission.apply(*put(number, b"light"))
        counts.append(len(await kept(store)))
    assert counts == [200 - 60 + 1, 200 - 120 + 2, 49, 50]


@pytest.mark.postgres
async def test_the_sweep_passes_over_what_is_locked(postgres: ThrowawayPostgres) -> None:
    """A node that works on a row does not hold up the purge, nor the other way round."""
    url = postgres.create_database()
    store = open_store(url, secret=SECRET, node="relay1", clock=lambda: NOW)
    await store.admission.save([(key(number), b"v", NOW - 1) for number in range(3)], [])
    for number in range(3):
        await store.seen.add("jti", str(number), until=NOW - 1, now=NOW - 2)
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as other:
        other.exec_driver_sql("SELECT * FROM admission ORDER BY key LIMIT 1 FOR UPDATE")
        other.exec_driver_sql("SELECT * FROM seen ORDER BY key LIMIT 1 FOR UPDATE")
        async with asyncio.timeout(2):
            assert (await store.admission.purge(NOW), await store.seen.purge(NOW)) == (2, 2)
    engine.dispose()
    assert (await store.admission.purge(NOW), await store.seen.purge(NOW)) == (1, 1)
    await store.close()
