"""The runner, in virtual time: what it waits for, what it writes down, and that it may be killed anywhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundation.procedures import (
    Acknowledged,
    ActFailed,
    Condition,
    End,
    MemoryJournal,
    Progress,
    Record,
    Refused,
    Rules,
    RunResult,
    Turned,
    foresee,
    read,
    run,
    start,
    turn_back,
)
from tests.foundation.procedures.lamps import (
    COOLING,
    LAMPS,
    NOW,
    STAGES,
    TYPES,
    Fuse,
    Killed,
    LampView,
    World,
    opened,
    record,
    state,
)

SETTLE = Rules().settle


def started(world: World) -> MemoryJournal:
    """A journal with work in it."""
    journal = MemoryJournal("ann")
    for event in start(LAMPS, None, "r1", "house", state(world)):
        journal.append(event, world.time)
    return journal


async def to_the_gate(world: World, journal: Any, **more: Any) -> RunResult:
    """Through the cooling, whose end is waited for."""
    result = await run(LAMPS, world, journal, clock=world, **more)
    if result.end is End.WAITING:
        world.time = result.step.until
        result = await run(LAMPS, world, journal, clock=world, **more)
    return result


async def to_the_end(world: World, journal: Any, **more: Any) -> RunResult:
    """A person answers, too."""
    result = await to_the_gate(world, journal, **more)
    if result.end is End.ASKING:
        journal.append(Acknowledged(name="cut"), world.time)
        result = await run(LAMPS, world, journal, clock=world, **more)
    return result


async def test_from_the_first_stage_to_the_last() -> None:
    """Every act once, in order; a long wait and a question end a run, and the next one goes on."""
    world = World()
    journal = started(world)
    result = await run(LAMPS, world, journal, clock=world)
    assert (result.end, result.step.stage, result.step.until) == (End.WAITING, "cool", NOW + COOLING)
    world.time += COOLING
    result = await run(LAMPS, world, journal, clock=world)
    assert (result.end, result.step.ask) == (End.ASKING, ("cut",))
    result = await to_the_end(world, journal)
    assert (result.end, result.record.outcome) == (End.DONE, "done")
    assert result.record.state == replace_made(state(World()), "wired")
    assert world.log == [
        *("a: wire", "b: wire", "a: paint red", "b: paint red", "a: restart", "b: restart", "a: cut", "b: cut")
    ]


def replace_made(known: Any, made: str) -> Any:
    """The state with what was learnt."""
    import msgspec

    return msgspec.structs.replace(known, made=made)


async def test_an_act_is_written_down_before_it_is_done(tmp_path: Path) -> None:
    """When it arrives, the journal on disk already says that it was begun, and which."""
    world, path = World(), tmp_path / "j.jsonl"
    seen = []

    def look(what: str) -> None:
        if what.startswith("before "):
            last = json.loads(path.read_text().splitlines()[-1])
            assert (last["kind"], last["data"]["act"][1:]) == ("begun", what.removeprefix("before ").split(": "))
            seen.append(what)

    with opened(path, world) as journal:
        for event in start(LAMPS, None, "r1", "house", state(world)):
            journal.append(event, world.time)
        world.event = look
        await to_the_end(world, journal)
    assert len(seen) == 8


async def test_an_effect_that_shows_late_is_waited_for() -> None:
    """The act came back, its effect comes within the settle time: it is not done twice."""
    world = World(delay=SETTLE - 10)
    await to_the_end(world, started(world))
    assert world.log.count("a: wire") == 1
    assert world.log.count("b: paint red") == 1


async def test_an_effect_that_shows_soon_is_seen_soon() -> None:
    """Nobody waits the whole settle time for it."""
    world = World(delay=5.0)
    await run(LAMPS, world, started(world), clock=world)
    assert world.time < NOW + 60


async def test_a_lost_answer_is_looked_after() -> None:
    """The act took effect, so that the run goes on without doing it again, and without waiting."""
    world = World(fails={"a: wire": ActFailed("a", "the connection broke", "unknown")})
    result = await run(LAMPS, world, started(world), clock=world)
    assert result.step.stage == "cool"
    assert world.log.count("a: wire") == 1
    assert world.time < NOW + 60


@pytest.mark.parametrize("patience", [0.0, 900.0])
async def test_a_lost_answer_without_effect_is_tried_again_when_it_has_settled(patience: float) -> None:
    """Not before: it might still be under way. Whoever waits for nothing else waits for that."""
    world = World(deaf={"a: wire"}, fails={"a: wire": ActFailed("a", "the connection broke", "unknown")})
    times: list[float] = []
    world.event = lambda what: times.append(world.time) if what == "before a: wire" else None
    result = await run(LAMPS, world, started(world), clock=world, patience=patience)
    assert times[1] >= NOW + SETTLE
    assert result.end is End.REFUSED  # it never had any effect
    assert len(times) == Rules().tries


async def test_an_act_that_is_interrupted_again_ends_the_run() -> None:
    """Once in a run is bad luck."""
    world = World(deaf={"a: wire"})

    def fail(what: str) -> None:
        if what == "before a: wire":
            world.fails["a: wire"] = ActFailed("a", "the connection broke", "unknown")

    world.event = fail
    journal = started(world)
    result = await run(LAMPS, world, journal, clock=world)
    assert (result.end, result.problem) == (End.STOPPED, "the connection broke")
    assert world.log.count("a: wire") == 2
    result = await run(LAMPS, world, journal, clock=world)
    assert world.log.count("a: wire") == 3
    result = await run(LAMPS, world, journal, clock=world)
    assert result.end is End.REFUSED
    assert world.log.count("a: wire") == 3
    assert "was tried 3 times" in result.record.problem


async def test_an_act_that_comes_back_without_effect_is_given_up() -> None:
    """After three tries, each with its time to settle."""
    world = World(deaf={"b: paint red"})
    journal = started(world)
    result = await run(LAMPS, world, journal, clock=world)
    assert result.end is End.REFUSED
    assert world.log.count("b: paint red") == 3
    assert world.log.count("a: paint red") == 1
    assert world.time >= NOW + 3 * SETTLE


async def test_what_must_not_be_repeated_is_not() -> None:
    """It came back, nothing shows: the run stops, and so does the next one."""
    once = replace(LAMPS, stages=(replace(STAGES[0], repeats=False), *STAGES[1:]))
    world = World(deaf={"a: wire"})
    journal = started(world)
    for _ in range(2):
        result = await run(once, world, journal, clock=world)
        assert (result.end, result.step.stage) == (End.STOPPED, "wire")
        assert "not achieved after 3 minutes: a: has no wire" in result.problem
    assert world.log.count("a: wire") == 1
    assert result.record.problem == result.problem


@pytest.mark.parametrize("effect", ["none", "refused"])
async def test_a_failure_ends_the_run(effect: Any) -> None:
    """With the error behind it. One that never ran is no try, so that it may fail as often as it likes."""
    world = World()
    journal = started(world)
    for _ in range(4):
        failed = ActFailed("a", "no answer", effect)
        failed.__cause__ = OSError("no route")
        world.fails = {"a: wire": failed}
        result = await run(LAMPS, world, journal, clock=world)
        if effect == "refused" and result.end is End.REFUSED:
            break
        assert (result.end, result.problem, result.error) == (End.STOPPED, "no answer", failed)
        assert result.record.problem == "no answer"
    assert (result.end is End.REFUSED) is (effect == "refused")
    assert world.log == []


async def test_a_refusal_is_written_down_once() -> None:
    """However often it is tried."""
    world = World(lamps={"a": "broken"})
    journal = started(world)
    for _ in range(3):
        result = await run(LAMPS, world, journal, clock=world)
        assert (result.end, result.record.problem) == (End.REFUSED, "a is broken; replace it")
    assert len(journal.entries) == 2


async def test_a_condition_that_does_not_come() -> None:
    """The run stops after the stage's patience, and says what is missing; pauses get longer up to the rules' poll."""
    pauses: list[float] = []
    world = World()
    waiting = replace(
        STAGES[0], conditions=lambda view: [Condition("a", "is away")], patience=lambda view: 300.0, refuses=lambda view: []
    )
    procedure = replace(LAMPS, stages=(waiting, *STAGES[1:]))
    before = [world.time]

    def slept(what: str) -> None:
        pauses.append(world.time - before[0])
        before[0] = world.time

    world.event = slept
    result = await run(procedure, world, started(world), clock=world)
    assert (result.end, result.problem) == (End.STOPPED, "wire the lamps: not achieved after 5 minutes: a: is away")
    assert pauses[1:6] == [1.0, 2.0, 4.0, 8.0, 15.0]
    assert 300 < world.time - NOW < 330


async def test_patience_for_a_time() -> None:
    """A short wait is slept through; one that is longer than the caller's patience ends the run."""
    world = World()
    journal = started(world)
    assert (await run(LAMPS, world, journal, clock=world, patience=COOLING - 1)).end is End.WAITING
    assert (await run(LAMPS, world, journal, clock=world, patience=COOLING)).end is End.ASKING
    assert world.time >= NOW + COOLING


async def test_one_at_a_time_is_looked_at_in_between() -> None:
    """The second restart is not begun before the first was observed."""
    world = World()
    order: list[str] = []
    inner = world.observe

    async def observe() -> World:
        order.append("observed")
        return await inner()

    world.observe = observe  # type: ignore[method-assign]
    world.event = lambda what: order.append(what) if what.startswith("before") else None
    await run(LAMPS, world, started(world), clock=world)
    assert order[order.index("before a: restart") + 1] == "observed"
    assert order[order.index("before a: wire") + 1] == "before b: wire"


async def test_nothing_under_way() -> None:
    """A run needs work."""
    with pytest.raises(Refused, match="start with a plan"):
        await run(LAMPS, World(), MemoryJournal(), clock=World())


async def test_progress_is_told() -> None:
    """By what happens, not by its words."""
    world, told = World(), list[Progress]()
    await run(LAMPS, world, started(world), clock=world, progress=told.append)
    assert [(each.event, each.step.stage) for each in told[:4]] == [
        ("act", "wire"),
        ("act", "wire"),
        ("completed", "wire"),
        ("act", "light"),
    ]
    assert told[-1].event == "waiting"


async def test_a_rollback_does_what_the_plan_said() -> None:
    """From the end of the way there, act by act: the undo of each row, in the order of the way back."""
    world = World()
    undo = {step.stage: [str(act) for act in step.undo] for step in foresee(LAMPS, world, record(world), NOW)}
    journal = started(world)
    await to_the_gate(world, journal)
    there = len(world.log)
    assert journal.record is not None
    journal.append(turn_back(LAMPS, journal.record, "start"), world.time)
    result = await run(LAMPS, world, journal, clock=world)
    assert (result.end, result.record.outcome) == (End.DONE, "rolled back")
    assert world.log[there:] == [*undo["light"], *undo["cycle"], *undo["wire"]]
    assert (world.lamps, world.wires) == ({"a": "grey", "b": "grey"}, set())


async def test_a_rollback_that_goes_forward_again() -> None:
    """What was undone is done anew; the rest stays."""
    back = replace(LAMPS, stages=tuple(_not_to_start(stage) for stage in STAGES))
    world = World()
    journal = started(world)
    await to_the_gate(world, journal)
    assert journal.record is not None
    journal.append(turn_back(back, journal.record, "painted"), world.time)
    result = await run(back, world, journal, clock=world)
    assert (result.end, result.step.stage, result.record.back) == (End.WAITING, "cool", "")
    assert list(result.record.completed) == ["wire", "light", "cycle"]
    assert world.log.count("a: paint red") == 2
    assert world.log.count("a: wire") == 1


def _not_to_start(stage: Any) -> Any:
    """Wires stay where it goes back to `painted` only."""
    if stage.name != "wire":
        return stage

    def applies(view: LampView) -> bool:
        return view.record.back == "start"

    return replace(stage, back=replace(stage.back, applies=applies))


# -- killed anywhere


async def resumed(path: Path, world: World, fuse: Fuse, *, back: bool = False) -> Record[Any]:
    """Whoever was killed comes back, until it is over."""
    world.event = fuse
    for _ in range(10):
        try:
            with opened(path, world, fuse) as journal:
                if journal.record is None:
                    for event in start(LAMPS, None, "r1", "house", state(world)):
                        journal.append(event, world.time)
                if back and journal.record is not None and not journal.record.back and journal.record.open:
                    journal.append(turn_back(LAMPS, journal.record, "start"), world.time)
                if journal.record is not None and not journal.record.open:
                    return journal.record
                result = await to_the_end(world, journal)
                if result.end is End.DONE:
                    return result.record
                raise AssertionError(result)
        except Killed:
            continue
    raise AssertionError("it never ends")


async def test_killed_anywhere_it_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """Before, in and after every line, before and after every effect; and no act that leaves a trace is done twice."""
    clean, counting = World(), Fuse()
    await resumed(tmp_path / "clean.jsonl", clean, counting)
    assert counting.count > 60
    for at in range(counting.count):
        world, fuse = World(), Fuse(at)
        known = await resumed(tmp_path / f"{at}.jsonl", world, fuse)
        assert known.outcome == "done", fuse.where
        assert (world.lamps, world.wires) == (clean.lamps, clean.wires), fuse.where
        assert set(world.restarts) == {"a", "b"}, fuse.where
        doubled = {what for what in world.log if world.log.count(what) > 1}
        assert all("restart" in what for what in doubled), (fuse.where, world.log)
        assert read(tmp_path / f"{at}.jsonl", TYPES) == known


async def test_killed_anywhere_on_the_way_back(tmp_path: Path) -> None:
    """It ends where it began."""

    async def once(path: Path, fuse: Fuse) -> World:
        world = World()
        with opened(path, world) as journal:
            for event in start(LAMPS, None, "r1", "house", state(world)):
                journal.append(event, world.time)
            await to_the_gate(world, journal)
        known = await resumed(path, world, fuse, back=True)
        assert known.outcome == "rolled back", fuse.where
        assert (world.lamps, world.wires) == ({"a": "grey", "b": "grey"}, set()), fuse.where
        return world

    counting = Fuse()
    await once(tmp_path / "clean.jsonl", counting)
    assert counting.count > 30
    for at in range(counting.count):
        await once(tmp_path / f"{at}.jsonl", Fuse(at))


async def test_turning_twice_is_harmless() -> None:
    """As far as the way back goes."""
    world = World()
    journal = started(world)
    await to_the_gate(world, journal)
    assert journal.record is not None
    for _ in range(2):
        journal.append(Turned(to="start", forget=("unwire", "paint back", "cycle back")), world.time)
    assert (await run(LAMPS, world, journal, clock=world)).record.outcome == "rolled back"


async def test_work_of_another_kind_is_not_continued() -> None:
    """A journal that was copied, or a procedure that was confused: its rows say nothing about this work."""
    world = World()
    journal = started(world)
    with pytest.raises(Refused, match=r"of the kind lamps, not others"):
        await run(replace(LAMPS, kind="others"), world, journal, clock=world)
    assert world.log == []
