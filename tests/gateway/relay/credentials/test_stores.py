"""Every place for admission's records decides alike: one suite for memory, journal and shared rows, on every database."""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.protocol import Outcome
from gateway.relay.credentials.admission import (
    Admission,
    AdmissionRequest,
    AdmissionSettings,
    AdmissionStore,
    Admitted,
    LockRecord,
    MemoryAdmissionStore,
)
from gateway.relay.credentials.admission.port import Row, RowRule
from gateway.relay.credentials.admission.record import Lease, decode, encode
from gateway.relay.credentials.journal import JournaledAdmissionStore
from gateway.relay.credentials.shared import SharedAdmissionStore
from gateway.store import StoreUnavailable, open_store
from tests.gateway.relay.credentials.direct import KEY

T = TypeVar("T")

NOW = 1_800_000_000.0
SETTINGS = AdmissionSettings()
WRONG = Outcome.WRONG_CREDENTIAL


class FakeRows:
    """`AdmissionRows` in memory; refuses everything while `down`, and counts what it is asked."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Row] = {}
        self.down = False
        self.writes = 0
        self.gate: asyncio.Event | None = None

    def _check(self) -> None:
        if self.down:
            raise StoreUnavailable("rows", "stopped", "start it")

    def bound(self, limit: int, weigh: Callable[[bytes], int]) -> None:
        """There is always room."""

    async def all(self) -> list[Row]:
        self._check()
        return list(self.rows.values())

    async def save(self, rows: Sequence[Row], gone: Sequence[bytes]) -> None:
        if self.gate is not None:
            await self.gate.wait()
        self._check()
        self.writes += 1
        self.rows.update({row[0]: row for row in rows})
        for key in gone:
            self.rows.pop(key, None)

    async def apply(self, keys: Sequence[bytes], rule: RowRule[T]) -> T:
        await asyncio.sleep(0)
        self._check()
        rows, gone, result = rule({key: self.rows[key][1] for key in keys if key in self.rows})
        assert {row[0] for row in rows} | set(gone) <= set(keys)
        assert list(keys) == sorted(keys)
        if rows or gone:
            await self.save(rows, gone)
        return result

    async def purge(self, now: float) -> int:
        self._check()
        expired = [key for key, row in self.rows.items() if row[2] < now]
        for key in expired:
            del self.rows[key]
        return len(expired)


Reopen = Callable[[], Any]
"""Opens the records anew, as after a restart."""


async def journaled(rows: Any, limits: AdmissionSettings = SETTINGS) -> JournaledAdmissionStore:
    store = JournaledAdmissionStore(limits, rows)
    await store.restore()
    return store


# -- the same decisions everywhere

USERS = ("anna@corp", "CORP\\anna", "a.smith", "ben@corp")
ACCOUNTS = {"anna@corp": b"a" * 16, "CORP\\anna": b"a" * 16, "a.smith": b"a" * 16, "ben@corp": b"b" * 16}
OUTCOMES = (WRONG, WRONG, WRONG, Outcome.SUCCESS, Outcome.TIMED_OUT, Outcome.ACCOUNT_LOCKED, Outcome.PASSWORD_EXPIRED)
MOVES = st.lists(
    st.one_of(
        st.tuples(st.just("check"), st.sampled_from(USERS), st.integers(0, 6), st.booleans()),
        st.tuples(st.just("settle"), st.integers(0, 9), st.sampled_from(OUTCOMES), st.booleans()),
        st.tuples(st.just("abandon"), st.integers(0, 9)),
        st.tuples(st.just("wait"), st.sampled_from((0.5, 10.0, 61.0, 400.0, 90_000.0))),
        st.tuples(st.just("unlock"), st.sampled_from(USERS)),
        st.tuples(st.just("restart")),
    ),
    max_size=40,
)


async def play(moves: Iterable[tuple[Any, ...]], key: bytes, store: AdmissionStore, reopen: Reopen | None) -> list[Any]:
    """What is decided at each move. A restart happens where nothing is under way."""
    admission, now = Admission(SETTINGS, keys=lambda: (key,), store=store), NOW
    said: list[Any] = []
    under_way: list[tuple[str, Admitted]] = []
    for kind, *rest in moves:
        if kind == "check":
            user, password, familiar = rest
            request = AdmissionRequest(
                user_name=user,
                password=f"p{password}",
                address="192.0.2.1",
                familiar=familiar,
                throttled=False,
                deadline=now + 30,
                correlation_id=f"c{len(said)}",
            )
            decision = await admission.check(request, now)
            if isinstance(decision, Admitted):
                under_way.append((user, decision))
                said.append(("passed", decision.lease))
            else:
                said.append((decision.reason, decision.retry_after, decision.waits_for))
        elif kind == "settle" and under_way:
            place, outcome, known = rest
            user, ticket = under_way.pop(place % len(under_way))
            account = ACCOUNTS[user] if known else b""
            said.append(await admission.settle(ticket, outcome, now, account=account, account_key="1"))
        elif kind == "abandon" and under_way:
            await admission.abandon(under_way.pop(rest[0] % len(under_way))[1], now)
        elif kind == "wait":
            now += rest[0]
        elif kind == "unlock":
            said.append(await admission.unlock([rest[0]]))
        elif kind == "restart" and reopen is not None and not under_way:
            admission = Admission(SETTINGS, keys=lambda: (key,), store=await reopen())
        said.append(sorted((await admission.locked(now)), key=lambda view: view.key))
    return said


@given(moves=MOVES)
async def test_journal_and_shared_rows_decide_as_memory_does(moves: list[tuple[Any, ...]]) -> None:
    """Whatever happens, restarts included."""
    expected = await play(moves, KEY, MemoryAdmissionStore(SETTINGS), None)
    rows = FakeRows()
    assert await play(moves, KEY, await journaled(rows), lambda: journaled(rows)) == expected
    rows = FakeRows()
    assert await play(moves, KEY, SharedAdmissionStore(SETTINGS, rows), None) == expected


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(moves=MOVES)
async def test_databases_decide_as_memory_does(url: str, moves: list[tuple[Any, ...]]) -> None:
    """Each example with a key of its own, so that none meets another's records; restarts open the database anew."""
    key = secrets.token_bytes(32)
    expected = await play(moves, key, MemoryAdmissionStore(SETTINGS), None)
    async with opened(url) as open_rows:

        async def shared() -> SharedAdmissionStore:
            return SharedAdmissionStore(SETTINGS, open_rows())

        assert await play(moves, key, await shared(), shared) == expected
        await (await shared()).purge(NOW * 2)
        assert await play(moves, key, await journaled(open_rows()), lambda: journaled(open_rows())) == expected


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Callable[[], Any]]:
    """Rows of stores that are opened one after the other on a database; empty at the beginning."""
    stores: list[Any] = []
    numbers = itertools.count(1)

    def make() -> Any:
        stores.append(open_store(url, secret=b"k" * 32, node=f"relay{next(numbers)}", clock=lambda: NOW))
        return stores[-1].admission

    rows = make()
    await rows.save([], [row[0] for row in await rows.all()])
    try:
        yield make
    finally:
        for store in stores:
            await store.close()


# -- several at once


@pytest.mark.parametrize("writers", [1, 2])
async def test_parallel_guesses_on_shared_rows_are_no_more_than_the_threshold(url: str, writers: int) -> None:
    """Through one node and through two: what is not there yet is locked too."""
    async with opened(url) as open_rows:
        nodes = [
            Admission(SETTINGS, keys=lambda: (KEY,), store=SharedAdmissionStore(SETTINGS, open_rows()))
            for _ in range(writers)
        ]

        async def guess(number: int) -> tuple[Admission, Any]:
            request = AdmissionRequest(
                user_name=USERS[number % 2], password=f"p{number}", address="192.0.2.1", throttled=False
            )
            node = nodes[number % writers]
            return node, await node.check(request, NOW)

        decisions = await asyncio.gather(*(guess(number) for number in range(24)))
        passed = [(node, decision) for node, decision in decisions if isinstance(decision, Admitted)]
        assert len(passed) == SETTINGS.threshold
        for node, ticket in passed:  # settled by another node's answer, too
            await node.settle(ticket, WRONG, NOW, account=b"a" * 16, account_key="1")
        assert [len(await node.locked(NOW)) for node in nodes] == [1] * writers


@pytest.mark.parametrize("shared", [False, True])
async def test_a_flood_of_invented_names_forgets_no_lock(url: str, shared: bool) -> None:
    """Memory and shared rows alike: nobody is refused for want of room, and there are no more records than allowed. What
    goes is whose name it is: one more guess."""
    few = AdmissionSettings(records=200)
    async with opened(url) as open_rows:
        rows = open_rows()
        store = SharedAdmissionStore(few, rows) if shared else MemoryAdmissionStore(few)
        admission = Admission(few, keys=lambda: (KEY,), store=store)
        for number in range(4):
            assert await guess(admission, USERS[0], f"p{number}", WRONG) == "passed"
        for number in range(300):
            assert await guess(admission, f"nobody{number}@corp", "p", WRONG, NOW + 1 + number / 100) == "passed"
            if number % 50 == 49:
                assert len(await store.records()) <= 200
        guesses = [await guess(admission, USERS[0], f"x{number}", WRONG, NOW + 5) for number in range(3)]
        assert guesses == ["passed", "locked", "locked"]  # whose name it is, is learnt anew
        assert await guess(admission, "nobody299@corp", "x", Outcome.SUCCESS, NOW + 5) == "passed"


async def test_a_row_that_cannot_be_read_weighs_nothing(url: str) -> None:
    """It goes like any other where there is no room."""
    few = AdmissionSettings(records=10)
    async with opened(url) as open_rows:
        rows = open_rows()
        await rows.save([(bytes([number]) * 16, b"\xc1", NOW) for number in range(10)], [])
        admission = Admission(few, keys=lambda: (KEY,), store=SharedAdmissionStore(few, rows))
        assert await guess(admission, USERS[0], "p", WRONG) == "passed"
        assert len(await rows.all()) < 10


# -- what lasts and what does not


async def guess(admission: Admission, user: str, password: str, outcome: Outcome, now: float = NOW, **about: Any) -> str:
    request = AdmissionRequest(
        user_name=user, password=password, address="192.0.2.1", throttled=False, deadline=now + 30, correlation_id="c1"
    )
    decision = await admission.check(request, now)
    if not isinstance(decision, Admitted):
        return decision.reason
    await admission.settle(decision, outcome, now, **{"account": b"", "account_key": "", **about})
    return "passed"


async def test_failures_locks_and_unlocks_survive_a_restart() -> None:
    """And what a spelling is known to be."""
    rows = FakeRows()
    about: dict[str, Any] = {"account": b"a" * 16, "account_key": "1"}

    async def start() -> Admission:
        return Admission(SETTINGS, keys=lambda: (KEY,), store=await journaled(rows))

    for number in range(4):
        admission = await start()
        assert await guess(admission, USERS[number % 2], f"p{number}", WRONG, **about) == "passed"
    admission = await start()
    assert [await guess(admission, user, "x", WRONG) for user in USERS[:2]] == ["locked", "locked"]
    (view,) = await admission.locked(NOW)
    assert (view.until, view.failures, view.correlation_id) == (NOW + 60, 4, "c1")
    assert await admission.unlock(["anna@corp"])
    assert await (await start()).locked(NOW) == []


async def test_a_success_without_a_record_writes_nothing() -> None:
    """Neither do an outage and an attempt that is given up; the disk is left alone by those who do nothing wrong."""
    rows = FakeRows()
    admission = Admission(SETTINGS, keys=lambda: (KEY,), store=await journaled(rows))
    for outcome in (Outcome.SUCCESS, Outcome.TIMED_OUT, Outcome.PASSWORD_EXPIRED, Outcome.NO_AGENT):
        assert await guess(admission, "anna@corp", "x", outcome, account=b"a" * 16, account_key="1") == "passed"
    assert (rows.writes, rows.rows) == (0, {})


async def test_a_failure_is_one_write_and_attempts_under_way_are_not_in_it() -> None:
    """Names are not either."""
    rows = FakeRows()
    admission = Admission(SETTINGS, keys=lambda: (KEY,), store=await journaled(rows))
    request = AdmissionRequest(user_name="anna@corp", password="other", address="192.0.2.1", throttled=False)
    assert isinstance(await admission.check(request, NOW), Admitted)
    assert await guess(admission, "anna@corp", "wrong", WRONG, account=b"a" * 16, account_key="1") == "passed"
    assert rows.writes == 1
    assert len(rows.rows) == 3
    for key, (same, value, expires_at) in rows.rows.items():
        assert (len(key), key, expires_at) == (16, same, NOW + SETTINGS.forget_after)
        assert decode(value).leases == ()
        assert b"anna" not in value
    await guess(admission, "anna@corp", "right", Outcome.SUCCESS, account=b"a" * 16, account_key="1")
    assert (rows.writes, rows.rows) == (2, {})


async def test_what_is_forgotten_for_want_of_room_does_not_come_back() -> None:
    """Rows and memory stay the same size."""
    rows, limits = FakeRows(), AdmissionSettings(records=8)
    store = await journaled(rows, limits)
    admission = Admission(limits, keys=lambda: (KEY,), store=store)
    for number in range(30):
        await guess(admission, f"user{number}", "x", WRONG)
    assert 7 <= len(store) <= 8
    assert dict(await (await journaled(rows, limits)).records()) == dict(await store.records())


async def test_what_expires_is_swept_from_memory_and_rows() -> None:
    """By whoever sweeps first."""
    rows = FakeRows()
    store = await journaled(rows)
    admission = Admission(SETTINGS, keys=lambda: (KEY,), store=store)
    await guess(admission, "anna@corp", "x", WRONG)
    assert await admission.purge(NOW + SETTINGS.forget_after) == 0
    assert await admission.purge(NOW + SETTINGS.forget_after + 1) == 3
    assert (len(store), rows.rows) == (0, {})
    shared = SharedAdmissionStore(SETTINGS, rows)
    await guess(Admission(SETTINGS, keys=lambda: (KEY,), store=shared), "anna@corp", "x", WRONG)
    assert await shared.purge(NOW + SETTINGS.forget_after + 1) == 3


async def test_failures_of_what_is_no_account_are_kept_for_their_minute_only() -> None:
    """Behind a wrong password, which is kept for a day, as well as before it; in memory, in rows, and after a restart."""
    rows = FakeRows()
    store = await journaled(rows)
    admission = Admission(SETTINGS, keys=lambda: (KEY,), store=store)
    await guess(admission, "anna@corp", "x", WRONG)
    lasting = set(rows.rows)
    await admission.fail(["first", "second"], NOW)
    await admission.fail(["later"], NOW + 30)
    store = await journaled(rows)
    assert (len(store), await store.purge(NOW + 59.9)) == (6, 0)
    assert await store.purge(NOW + 60) == 2
    assert await store.purge(NOW + 90) == 1
    assert set(rows.rows) == {key for key, _ in await store.records()} == lasting
    shared = SharedAdmissionStore(SETTINGS, rows)
    await Admission(SETTINGS, keys=lambda: (KEY,), store=shared).fail(["first"], NOW)
    assert await shared.purge(NOW + 61) == 1
    assert set(rows.rows) == lasting


async def test_a_failure_that_begins_a_new_minute_keeps_no_older_one() -> None:
    """It is the newest again."""
    store = MemoryAdmissionStore(SETTINGS)
    admission = Admission(SETTINGS, store=store)
    await guess(admission, "anna@corp", "x", WRONG)
    for name, moment in (("again", NOW), ("once", NOW), ("again", NOW + 60)):
        await admission.fail([name], moment)
    assert [await store.purge(NOW + late) for late in (61, 120)] == [1, 1]


async def test_failures_that_are_forgotten_or_make_room_leave_nothing_behind() -> None:
    """And no more go at a time than the event loop can wait for."""
    store = MemoryAdmissionStore(AdmissionSettings(records=1500))
    admission = Admission(SETTINGS, store=store)
    for number in range(1600):
        await admission.fail([str(number)], NOW)
    assert len(store) == len(store._brief) == 1500
    assert [await store.purge(NOW + 60) for _ in range(3)] == [1000, 500, 0]
    assert len(store) == len(store._brief) == 0


async def test_more_than_the_memory_holds_is_not_restored() -> None:
    """The settings were lowered: what is locked and what failed last remains, and the others go from the store, too."""
    rows, limits = FakeRows(), AdmissionSettings(records=3)
    for number in range(9):
        key = b"%016d" % number
        rows.rows[key] = key, encode(LockRecord(failures=1, touched=NOW - number, locks=int(number == 8))), NOW * 2
    store = await journaled(rows, limits)
    assert [key for key, _ in await store.records()] == [b"%016d" % number for number in (8, 1, 0)]
    await store.purge(NOW)
    assert len(rows.rows) == 3


async def test_a_record_that_cannot_be_read_keeps_nobody_from_starting() -> None:
    """It is logged; the others are there. One with fields of another release can be read."""
    rows = FakeRows()
    newer = encode(LockRecord(failures=1, touched=NOW)).replace(b"\x82", b"\x83", 1) + b"\xa5later\x01"
    rows.rows = {b"b" * 16: (b"b" * 16, newer, NOW)}
    for number, damaged in enumerate((b"\xff", b"\xc1", newer[:-3], b"")):
        rows.rows[bytes([number])] = (bytes([number]), damaged, NOW)
    with capture_logs() as logs:
        store = await journaled(rows)
    assert [entry["event"] for entry in logs] == ["admission.unreadable"] * 4
    assert await store.records() == [(b"b" * 16, LockRecord(failures=1, touched=NOW))]


# -- a store that is down


async def test_a_journal_whose_store_is_down_goes_on_counting_and_catches_up() -> None:
    """Memory decides; what was not written is written with the next change."""
    rows = FakeRows()
    admission = Admission(SETTINGS, keys=lambda: (KEY,), store=await journaled(rows))
    rows.down = True
    with capture_logs() as logs:
        for number in range(4):
            assert await guess(admission, "anna@corp", f"p{number}", WRONG) == "passed"
    assert {entry["event"] for entry in logs} == {"admission.not_saved"}
    assert await guess(admission, "anna@corp", "x", WRONG) == "locked"
    rows.down = False
    assert await guess(admission, "ben@corp", "x", WRONG) == "passed"
    assert [
        view.failures for view in await Admission(SETTINGS, keys=lambda: (KEY,), store=await journaled(rows)).locked(NOW)
    ] == [4]


async def test_nobody_waits_for_somebody_elses_failure() -> None:
    """A slow store holds up those who fail, and no other sign-in."""
    rows = FakeRows()
    admission = Admission(SETTINGS, keys=lambda: (KEY,), store=await journaled(rows))
    rows.gate = asyncio.Event()
    failing = [asyncio.create_task(guess(admission, "anna@corp", f"p{number}", WRONG)) for number in (1, 2)]
    await asyncio.sleep(0)
    await asyncio.wait_for(guess(admission, "ben@corp", "x", Outcome.SUCCESS), 1)
    assert not any(task.done() for task in failing)
    rows.gate.set()
    await asyncio.gather(*failing)


async def test_a_caller_who_is_cancelled_while_it_is_written_loses_nothing() -> None:
    """Neither in memory nor, with the next change, in the store; writers do not overtake each other."""
    rows = FakeRows()
    admission = Admission(SETTINGS, keys=lambda: (KEY,), store=await journaled(rows))
    rows.gate = asyncio.Event()
    first = asyncio.create_task(guess(admission, "anna@corp", "p1", WRONG))
    others = [asyncio.create_task(guess(admission, "anna@corp", f"p{number}", WRONG)) for number in (2, 3)]
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    rows.gate.set()
    await asyncio.gather(*others)
    assert max(decode(value).failures for _, value, _ in rows.rows.values()) == 3
    assert rows.writes == 1  # those who waited went together


async def test_shared_rows_that_are_down_decide_nothing() -> None:
    """Every call says so; nothing is taken for open."""
    rows = FakeRows()
    admission = Admission(SETTINGS, keys=lambda: (KEY,), store=SharedAdmissionStore(SETTINGS, rows))
    request = AdmissionRequest(user_name="anna@corp", password="x", address="192.0.2.1", throttled=False)
    ticket = await admission.check(request, NOW)
    assert isinstance(ticket, Admitted)
    rows.down = True
    for call in (
        admission.check(request, NOW),
        admission.settle(ticket, WRONG, NOW, account=b"", account_key=""),
        admission.abandon(ticket, NOW),
        admission.unlock(["anna@corp"]),
        admission.locked(NOW),
        admission.purge(NOW),
    ):
        with pytest.raises(StoreUnavailable):
            await call
    rows.down = False
    ((_, value, expires_at),) = rows.rows.values()
    assert decode(value).leases == (Lease(ticket.number, NOW + 300),)
    assert expires_at == NOW + 300


async def test_a_shared_row_that_cannot_be_read_keeps_nobody_out() -> None:
    """Neither its account, for ever, nor the others off the list of locks."""
    rows = FakeRows()
    admission = Admission(SETTINGS, keys=lambda: (KEY,), store=SharedAdmissionStore(SETTINGS, rows))
    for number in range(SETTINGS.threshold):
        await guess(admission, "ben@corp", f"p{number}", WRONG)
    await guess(admission, "anna@corp", "p", WRONG)
    (key,) = [key for key, value, _ in rows.rows.values() if decode(value).failures == 1]
    rows.rows[key] = (key, b"\xc1", NOW)
    with capture_logs() as logs:
        assert len(await admission.locked(NOW)) == 1
        assert await guess(admission, "anna@corp", "right", Outcome.SUCCESS) == "passed"
    assert {line["event"] for line in logs} == {"admission.unreadable"}
