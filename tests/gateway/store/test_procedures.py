"""Journals of procedures in the store: kept whatever happens to the process, written by whoever holds the duty."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from foundation.procedures import (
    Acknowledged,
    Act,
    ActBegun,
    Acted,
    Completed,
    End,
    Event,
    Failed,
    Finished,
    Journal,
    JournalError,
    JournalLocked,
    MemoryJournal,
    Record,
    Started,
    Stopped,
    Turned,
    run,
    start,
)
from gateway.store import DutyLease, Store, StoreUnavailable
from gateway.store.keyring import DELAY
from gateway.store.procedures import MAX_ENTRY
from gateway.store.store import SqlStore
from tests.foundation.procedures.lamps import LAMPS, TYPES, Killed, LampState, World, state
from tests.gateway.store.conftest import NOW, Opener

STATE = LampState(colour="red", before={"a": "grey"})
ACT = Act(place="a", what="wire").id("wire")
START = Started(id="r1", kind="lamps", subject="house", table="t1", state=STATE)


async def lease(store: Store, now: float = NOW) -> DutyLease:
    held = await store.duties.take("lamps", store.node, now=now, until=now + 10)
    assert held is not None
    return held


async def opened(store: Store, held: DutyLease | None = None, name: str = "lamps") -> Journal:
    return await store.procedures.open(name, TYPES, held or await lease(store), who=store.node)


async def written(journal: Journal, *events: Event) -> Record[Any] | None:
    for at, event in enumerate(events):
        await journal.write(event, float(at))
    return journal.record


async def test_every_event_survives_the_store(pair: tuple[Store, Store]) -> None:
    """Written, read on another node and folded it is what it was in memory; half a character too."""
    memory, journal = MemoryJournal(who="relay1"), await opened(pair[0])
    events: list[Event] = [
        START,
        ActBegun(act=ACT),
        Failed(why="no spool", effect="none"),
        ActBegun(act=ACT),
        Acted(act=ACT),
        Completed(stage="wire", state=LampState(colour="red", before={}, made="x")),
        ActBegun(act=ACT),
        Failed(why="no \ud83d here", effect="unknown"),
        Stopped(why="enough"),
        Acknowledged(name="cut"),
        Turned(to="start", forget=("unwire",)),
    ]
    for at, event in enumerate(events):
        assert await journal.write(event, float(at)) == memory.append(event, float(at))
    assert await pair[1].procedures.read("lamps", TYPES) == memory.record
    assert await pair[1].procedures.history("lamps", TYPES) == memory.entries
    assert await pair[1].procedures.read("other", TYPES) is None


async def test_work_goes_on_on_another_node(pair: tuple[Store, Store]) -> None:
    """From where the first one was; the first one, which wakes up, writes nothing any more."""
    journal = await opened(pair[0])
    await written(journal, START, ActBegun(act=ACT))
    successor = await opened(pair[1], await lease(pair[1], NOW + 20))
    assert successor.record == journal.record
    with pytest.raises(JournalLocked, match="by another node, which has taken the work over"):
        await journal.write(Acted(act=ACT), 3.0)
    await successor.write(Acted(act=ACT), 4.0)
    assert [entry.by for entry in await pair[0].procedures.history("lamps", TYPES)] == ["relay1", "relay1", "relay2"]


async def test_two_that_write_under_one_number(store: Store) -> None:
    """A mistake, which is not kept: one entry follows on another."""
    held = await lease(store)
    first, second = await opened(store, held), await opened(store, held)
    results = await asyncio.gather(first.write(START, 1.0), second.write(START, 2.0), return_exceptions=True)
    assert sum(isinstance(result, JournalLocked) for result in results) == 1
    assert len(await store.procedures.history("lamps", TYPES)) == 1


async def test_a_commit_whose_outcome_is_unknown_is_looked_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database answered too late, or did not do it: the next write goes by what it says, not by what was hoped."""
    assert isinstance(store, SqlStore)
    write, held = store._database.write, await lease(store)
    for done in (True, False):

        async def lost(work: Callable[..., Any], *, done: bool = done) -> None:
            if done:
                await write(work)
            raise StoreUnavailable("relay.db", "no answer", "see")

        journal = await opened(store, held, f"lamps{done}")
        await written(journal, START)
        with monkeypatch.context() as patch:
            patch.setattr(store._database, "write", lost)
            with pytest.raises(JournalError, match=r"no answer.*nothing was done\. Try again once"):
                await journal.write(ActBegun(act=ACT), 2.0)
        record = await journal.write(Stopped(why="no answer"), 3.0)
        assert (record.begun, record.problem) == (ACT if done else None, "no answer")
        assert record == await store.procedures.read(f"lamps{done}", TYPES)


async def test_an_act_that_cannot_be_noted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody says that nothing was done; nor is a journal read that the database does not give."""
    assert isinstance(store, SqlStore)
    journal = await opened(store)
    await written(journal, START, ActBegun(act=ACT))

    async def down(_work: Callable[..., Any]) -> None:
        raise StoreUnavailable("relay.db", "no answer", "see")

    for way in ("read", "write"):
        monkeypatch.setattr(store._database, way, down)
    with pytest.raises(JournalError, match="an act was done whose end could not be written down"):
        await journal.write(Acted(act=ACT), 3.0)
    with pytest.raises(JournalError, match="cannot be read"):
        await journal.write(Acted(act=ACT), 3.0)


async def test_what_does_not_follow_is_refused(store: Store) -> None:
    """A second start, an act of nothing, work of another kind, a text that is far too long: nothing is written."""
    journal = await opened(store)
    with pytest.raises(JournalError, match="nothing is under way"):
        await journal.write(ActBegun(act=ACT), 1.0)
    with pytest.raises(JournalError, match="cannot write 'started' of party"):
        await journal.write(Started(id="r", kind="party", subject="house", table="t1", state=STATE), 1.0)
    await journal.write(START, 1.0)
    with pytest.raises(JournalError, match="second start"):
        await journal.write(START, 2.0)
    with pytest.raises(JournalError, match="cannot write 'stopped'"):
        await journal.write(Stopped(why="x" * MAX_ENTRY), 2.0)
    assert len(await store.procedures.history("lamps", TYPES)) == 1
    with pytest.raises(JournalError, match="of 'lamps', which is not known here"):
        await store.procedures.read("lamps", {})


@pytest.mark.parametrize(
    "damage",
    [
        """UPDATE procedures SET entry = replace(entry, '"act":["wire"', '"act":["cut"') WHERE number = 2""",
        "UPDATE procedures SET entry = 'x' WHERE number = 2",
        "UPDATE procedures SET kind = 'acted' WHERE number = 2",
        "UPDATE procedures SET kind = 'begun' WHERE number = 1",
        "UPDATE procedures SET key_id = 'unknown' WHERE number = 1",
        "UPDATE procedures SET seal = (SELECT seal FROM procedures WHERE number = 1) WHERE number = 2",
        "UPDATE procedures SET journal = 'mine' WHERE number > 0",
        "UPDATE procedures SET number = number + 1 WHERE number = 3",
        "DELETE FROM procedures WHERE number = 1",
        "DELETE FROM procedures WHERE number = 2",
    ],
)
async def test_who_writes_to_the_database_makes_no_entry(damage: str, store: Store, edit: Callable[..., None]) -> None:
    """An entry that was changed, moved, taken from elsewhere or left out is an error, and nothing is done."""
    held = await lease(store)
    await written(await opened(store, held), START, ActBegun(act=ACT), Acted(act=ACT))
    edit(damage)
    name = "mine" if "mine" in damage else "lamps"
    with pytest.raises(JournalError, match=r"line \d: is damaged"):
        await store.procedures.read(name, TYPES)
    with pytest.raises(JournalError, match=r"line \d: is damaged"):
        await opened(store, held, name)


async def test_earlier_work_is_forgotten(store: Store) -> None:
    """The last and the one before are kept, so that the table does not grow with the years."""
    journal = await opened(store)
    for number in range(4):
        await written(journal, Started(id=f"r{number}", kind="lamps", subject="h", table="t", state=STATE), Finished("done"))
    kept = await store.procedures.history("lamps", TYPES)
    assert [entry.event.id for entry in kept if isinstance(entry.event, Started)] == ["r2", "r3"]
    assert len(kept) == 4
    await written(await opened(store, await lease(store, NOW + 20)), START)
    kept = await store.procedures.history("lamps", TYPES)
    assert [entry.event.id for entry in kept if isinstance(entry.event, Started)] == ["r3", "r1"]


async def test_a_journal_outlives_the_keyrings_roots(opener: Opener) -> None:
    """Work that was begun under a root that was rolled twice since is continued."""
    now = [NOW]
    store = opener(clock=lambda: now[0])
    journal = await opened(store)
    await written(journal, START)
    for _ in range(2):
        await store.keyring.roll()
        now[0] += DELAY
    await journal.write(ActBegun(act=ACT), 3.0)
    assert await store.procedures.read("lamps", TYPES) == journal.record


async def test_killed_anywhere_another_node_ends_it(pair: tuple[Store, Store]) -> None:
    """Before and after every act: whoever takes the duty over goes on, and each lamp is as it should be, cut once."""
    assert await _roll(pair, -1) == "done"
    kill = 0
    while (ended := await _roll(pair, kill)) == "killed":
        kill += 1
    assert ended == "done"
    assert kill > 15


async def _roll(pair: tuple[Store, Store], kill: int) -> str:
    """A rollover of lamps, whose first node is killed at the event with that number: what came of it there."""
    world, name, events, now = World(), f"lamps{kill}", [0], NOW + 100 * (kill + 2)

    def fuse(_what: str) -> None:
        events[0] += 1
        if events[0] - 1 == kill:
            raise Killed

    world.event = fuse
    journal = await opened(pair[0], await lease(pair[0], now), name)
    for event in start(LAMPS, None, "r1", "house", state(world)):
        await journal.write(event, world.time)
    try:
        ended = await _to_the_end(world, journal)
    except Killed:
        world.event = lambda what: None
        await _to_the_end(world, await opened(pair[1], await lease(pair[1], now + 50), name))
        ended = "killed"
    assert (world.lamps, world.wires) == ({"a": "red", "b": "red"}, set())
    assert [world.log.count(f"{lamp}: cut") for lamp in "ab"] == [1, 1]
    return ended


async def _to_the_end(world: World, journal: Journal) -> str:
    while True:
        result = await run(LAMPS, world, journal, clock=world)
        if result.end is End.DONE:
            return str(result.record.outcome)
        if result.end is End.ASKING:
            await journal.write(Acknowledged(name="cut"), world.time)
        else:
            assert result.end is End.WAITING
            world.time = result.step.until
