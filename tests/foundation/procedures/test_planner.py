"""The next step, decided purely: each rule with what it permits and what it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from foundation.procedures import (
    Act,
    ActId,
    Condition,
    Entry,
    Finished,
    Procedure,
    Record,
    Refused,
    Rollback,
    Rules,
    Stage,
    StepKind,
    Turned,
    acts_of,
    check_harmless,
    foresee,
    gate,
    label,
    next_step,
    planned,
    standing,
    start,
    turn_back,
    turn_forward,
)
from foundation.procedures.events import record_after
from foundation.procedures.planner import conclude
from tests.foundation.procedures.lamps import COOLING, LAMPS, NOW, STAGES, LampState, LampView, World, act, record

WIRE_A, WIRE_B = ActId("wire", "a", "wire"), ActId("wire", "b", "wire")
SETTLE = Rules().settle


def kind(world: World, known: Record[LampState], procedure: Procedure[LampView] = LAMPS) -> tuple[StepKind, str]:
    """What is next, and of which stage."""
    step = next_step(procedure, world, known, world.time)
    return step.kind, step.stage


def acts(world: World, known: Record[LampState], procedure: Procedure[LampView] = LAMPS) -> list[str]:
    """Of the next step."""
    return [str(found) for found in next_step(procedure, world, known, world.time).acts]


def changed(**more: Any) -> Procedure[LampView]:
    """The lamps, with another first row."""
    return replace(LAMPS, stages=(replace(STAGES[0], **more), *STAGES[1:]))


def test_what_is_missing_is_done() -> None:
    """Every condition that does not hold, and no other, in order."""
    world = World(wires={"a"})
    step = next_step(LAMPS, world, record(world), NOW)
    assert (step.kind, [str(found) for found in step.acts]) == (StepKind.DO, ["b: wire"])
    assert [(found.where, found.problem) for found in step.missing] == [("b", "has no wire")]
    assert [str(found) for found in step.undo] == ["a: unwire", "b: unwire"]


def test_what_holds_is_noted_and_learnt_from() -> None:
    """Whoever did it; the state that was learnt is typed."""
    world = World(wires={"a", "b"})
    step = next_step(LAMPS, world, record(world), NOW)
    assert (step.kind, step.stage) == (StepKind.NOTE, "wire")
    assert step.learnt == msgspec.structs.replace(record(world).state, made="wired")


def test_a_precondition_is_stronger_than_what_holds() -> None:
    """It is not noted as completed while something else is wrong."""
    world = World(lamps={"a": "broken"}, wires={"a"})
    step = next_step(LAMPS, world, record(world), NOW)
    assert (step.kind, step.reasons) == (StepKind.REFUSE, ("a is broken; replace it",))


@pytest.mark.parametrize(
    ("age", "wires", "expected"),
    [
        (SETTLE - 1, set(), (StepKind.WAIT, "wire")),  # it may still be running
        (SETTLE - 1, {"b"}, (StepKind.WAIT, "wire")),  # another's effect says nothing about it
        (SETTLE - 1, {"a"}, (StepKind.DO, "wire")),  # its effect is there: no need to wait
        (SETTLE - 1, {"a", "b"}, (StepKind.NOTE, "wire")),
        (SETTLE, set(), (StepKind.DO, "wire")),
        (SETTLE, {"b"}, (StepKind.DO, "wire")),
    ],
)
def test_an_act_in_doubt_settles(age: float, wires: set[str], expected: tuple[StepKind, str]) -> None:
    """Nothing is done while it may be under way, unless its own effect shows."""
    world = World(wires=wires, time=NOW + age)
    known = record(world, begun=WIRE_A, begun_at=NOW, tries={WIRE_A: 1})
    assert kind(world, known) == expected
    if expected[0] is StepKind.WAIT:
        assert next_step(LAMPS, world, known, world.time).until == NOW + SETTLE


def test_an_act_in_doubt_that_no_condition_names_settles_too() -> None:
    """What cannot be told is taken for under way."""
    world = World()
    known = record(world, begun=ActId("wire", "a", "wire --again"), begun_at=NOW)
    assert kind(world, known) == (StepKind.WAIT, "wire")
    world.time += SETTLE
    assert kind(world, known) == (StepKind.DO, "wire")


def test_an_act_in_doubt_comes_before_a_refusal() -> None:
    """What it leaves is looked at first; afterwards the reason counts."""
    world = World(lamps={"a": "broken"})
    known = record(world, begun=WIRE_A, begun_at=NOW)
    assert kind(world, known) == (StepKind.WAIT, "wire")
    world.time += SETTLE
    assert kind(world, known) == (StepKind.REFUSE, "wire")


def test_an_act_of_the_way_forward_settles_on_the_way_back() -> None:
    """Its effect is not there yet: that it is not there must not be noted as undone."""
    world = World()
    known = record(world, begun=WIRE_A, begun_at=NOW, back="start", completed={"paint back": NOW, "cycle back": NOW})
    assert kind(world, known) == (StepKind.WAIT, "unwire")
    world.wires.add("a")
    assert kind(world, known) == (StepKind.WAIT, "unwire")
    world.time += SETTLE
    assert acts(world, known) == ["a: unwire"]
    world.wires.clear()
    assert kind(world, known) == (StepKind.NOTE, "unwire")


def test_an_act_that_only_tests_needs_no_settling() -> None:
    """It is sent again immediately."""
    test = act("a", "test", changes=False)
    procedure = changed(conditions=lambda view: [Condition("a", "was not tested", test)])
    known = record(World(), begun=test.id("wire"), begun_at=NOW)
    assert kind(World(), known, procedure) == (StepKind.DO, "wire")


@pytest.mark.parametrize(
    ("age", "expected"), [(0.0, ["b: wire"]), (SETTLE - 1, ["b: wire"]), (SETTLE, ["a: wire", "b: wire"])]
)
def test_an_act_that_came_back_is_not_done_again_while_its_effect_may_show(age: float, expected: list[str]) -> None:
    """Others of its stage are."""
    world = World(time=NOW + age)
    known = record(world, acted={WIRE_A: NOW}, tries={WIRE_A: 1})
    assert acts(world, known) == expected


def test_waiting_for_an_effect_ends_when_it_has_settled() -> None:
    """With nothing else to do, that is what is waited for."""
    world = World(wires={"b"}, time=NOW + 1)
    step = next_step(LAMPS, world, record(world, acted={WIRE_A: NOW}), world.time)
    assert (step.kind, step.until) == (StepKind.WAIT, NOW + SETTLE)


def test_what_must_not_be_repeated_is_only_waited_for() -> None:
    """However long ago it came back; within the stage's patience, then the run stops."""
    procedure = changed(repeats=False, patience=lambda view: 500.0)
    world = World(wires={"b"}, time=NOW + 10 * SETTLE)
    step = next_step(procedure, world, record(world, acted={WIRE_A: NOW}), world.time)
    assert (step.kind, step.until, step.patience) == (StepKind.WAIT, 0.0, 500.0)
    assert acts(World(), record(World(), acted={WIRE_A: NOW}), procedure) == ["b: wire"]


@pytest.mark.parametrize(("count", "expected"), [(2, StepKind.DO), (3, StepKind.REFUSE)])
def test_tries_are_limited(count: int, expected: StepKind) -> None:
    """The fourth is not made, and the refusal says what was tried and why it failed last."""
    world = World()
    known = record(world, tries={WIRE_A: count}, failure="no spool")
    step = next_step(LAMPS, world, known, NOW)
    assert step.kind is expected
    if expected is StepKind.REFUSE:
        (reason,) = step.reasons
        assert reason.startswith("a: wire was tried 3 times without effect (last: no spool). ")


def test_tries_do_not_count_where_nothing_can_be_seen() -> None:
    """A restart leaves no trace; it is remembered instead."""
    world = World()
    done = dict.fromkeys(("wire", "light"), NOW)
    restart = ActId("cycle", "a", "restart")
    known = record(world, completed=done, tries={restart: 9})
    assert acts(world, known) == ["a: restart", "b: restart"]
    assert acts(world, replace(known, acted={restart: NOW})) == ["b: restart"]


def test_tries_of_an_act_whose_text_changes() -> None:
    """It has a name by which it is counted, and found in doubt."""

    def conditions(view: LampView) -> list[Condition]:
        text = "join" + (" --overwrite" if view.record.tries_of("wire") else "")
        return [Condition("a", "has not joined", act("a", text, name="join"))]

    procedure = changed(conditions=conditions)
    known = record(World(), tries={ActId("wire", "a", "join"): 3})
    assert kind(World(), known, procedure)[0] is StepKind.REFUSE
    known = record(World(), tries={ActId("wire", "a", "join"): 1})
    assert acts(World(), known, procedure) == ["a: join --overwrite"]


def test_a_time_is_waited_for_until_it_comes() -> None:
    """Then it is noted."""
    world = World(time=NOW + COOLING - 1)
    known = record(world, completed={"wire": NOW, "light": NOW, "cycle": NOW})
    step = next_step(LAMPS, world, known, world.time)
    assert (step.kind, step.until) == (StepKind.WAIT, NOW + COOLING)
    world.time += 1
    assert kind(world, known) == (StepKind.NOTE, "cool")


def test_a_gate_is_opened_by_a_person_alone() -> None:
    """By its own name."""
    world = World()
    known = record(world, completed=dict.fromkeys(("wire", "light", "cycle", "cool"), NOW))
    step = next_step(LAMPS, world, known, NOW)
    assert (step.kind, step.ask, step.reasons) == (StepKind.ASK, ("cut",), ("Say that the wires may go",))
    assert kind(world, replace(known, acknowledged={"other": NOW})) == (StepKind.ASK, "agree")
    assert kind(world, replace(known, acknowledged={"cut": NOW})) == (StepKind.NOTE, "agree")


@pytest.mark.parametrize(("wires", "expected"), [(set(), StepKind.DONE), ({"a"}, StepKind.REFUSE)])
def test_what_lasts_must_hold_at_the_end(wires: set[str], expected: StepKind) -> None:
    """A stage that held and does not any more is an inconsistency; one that need not last is not (the colours here)."""
    world = World(wires=wires)
    known = record(world, completed={stage.name: NOW for stage in STAGES})
    step = next_step(LAMPS, world, known, NOW)
    assert step.kind is expected
    if expected is StepKind.REFUSE:
        assert step.stage == "cut"
        assert "was done but no longer holds (a: has a wire)" in step.reasons[0]


def test_nothing_is_judged_while_a_server_is_away() -> None:
    """Not even what would be refused; for that there is a patience of its own."""
    procedure = replace(LAMPS, unavailable=lambda view: [Condition("a", view.observed.away)] if view.observed.away else ())
    world = World(lamps={"a": "broken"}, away="it restarts")
    step = next_step(procedure, world, record(world), NOW)
    assert (step.kind, step.patience, str(step.missing[0])) == (StepKind.WAIT, 900.0, "a: it restarts")
    world.away = ""
    assert kind(world, record(world), procedure) == (StepKind.REFUSE, "wire")


def test_rows_that_do_not_apply_are_passed_over() -> None:
    """As if they were not there."""
    assert kind(World(), record(World()), changed(applies=lambda view: False)) == (StepKind.DO, "light")


def test_standing_is_behind_what_needs_only_be_noted() -> None:
    """With what would be learnt on the way."""
    world = World(wires={"a", "b"}, lamps={"a": "red", "b": "grey"})
    step = standing(LAMPS, world, record(world), NOW)
    assert (step.kind, step.stage) == (StepKind.DO, "light")


def test_the_undo_that_is_foreseen_names_everything() -> None:
    """Although nothing of it is necessary yet; and each act once."""
    world = World()
    steps = {step.stage: step for step in foresee(LAMPS, world, record(world), NOW)}
    assert [str(found) for found in steps["light"].acts] == ["a: paint red", "b: paint red"]
    assert [str(found) for found in steps["light"].undo] == ["a: paint grey", "b: paint grey"]
    assert steps["agree"].undo == steps["cut"].undo == ()
    assert list(steps) == [stage.name for stage in STAGES]


def test_an_act_for_several_conditions_is_done_once() -> None:
    """In the place of the first."""
    one, two = act("a", "x"), act("a", "y")
    found = acts_of([Condition("", "1", one), Condition("", "2", two), Condition("", "3", one), Condition("", "4")])
    assert found == (one, two)


def test_the_way_back_is_the_rows_backs() -> None:
    """In the given order, or from the last row to the first."""
    world = World(wires={"a", "b"}, lamps={"a": "red", "b": "red"})
    known = replace(record(World()), back="start")
    assert acts(world, known) == ["a: paint grey", "b: paint grey"]
    plain = replace(LAMPS, back_order=())
    assert [stage.name for stage in plain.way_back] == ["cycle back", "paint back", "unwire"]
    assert acts(world, replace(known, table=plain.table), plain) == ["a: restart", "b: restart"]
    assert [stage.number for stage in LAMPS.way_back] == [2, 3, 1]


def test_turning_back_forgets_the_way_back_only() -> None:
    """What was completed forward stays, in case it continues with the new certificate."""
    world = World()
    turned = turn_back(LAMPS, record(world, completed={"wire": NOW}), "start")
    assert turned == Turned(to="start", forget=("paint back", "cycle back", "unwire"))


def test_there_is_no_turning_back_after_what_is_final() -> None:
    """Once an act of it was begun; one that never ran does not count."""
    world = World()
    cutting = ActId("cut", "a", "cut")
    turn_back(LAMPS, record(world, tries={cutting: 0}), "start")
    with pytest.raises(Refused, match="the wires are being cut"):
        turn_back(LAMPS, record(world, tries={cutting: 1}), "start")


def test_there_is_no_way_back_to_where_none_leads() -> None:
    """Nor at all, for a procedure without one."""
    with pytest.raises(Refused, match="cannot roll back to noon, only to start or painted"):
        turn_back(LAMPS, record(World()), "noon")
    with pytest.raises(Refused, match="the lamps are gone"):
        turn_back(replace(LAMPS, rollbacks=(), no_rollback="the lamps are gone"), record(World()), "start")


def test_a_rollback_that_would_do_harm_is_refused() -> None:
    """Before it starts, with the reason; the view knows how far it would go."""
    procedure = replace(LAMPS, harm=lambda view: [f"no {view.record.back}"] if view.record.back == "start" else [])
    check_harmless(procedure, World(), record(World()), "painted", NOW)
    with pytest.raises(Refused, match="no start"):
        check_harmless(procedure, World(), record(World()), "start", NOW)


def test_giving_up_a_rollback_does_anew_what_it_may_have_undone() -> None:
    """And nothing else."""
    known = record(World(), back="start")
    assert turn_forward(LAMPS, known).forget == (*LAMPS.undone, "paint back", "cycle back", "unwire")
    with pytest.raises(Refused, match="no rollback is in progress"):
        turn_forward(LAMPS, record(World()))
    with pytest.raises(Refused, match="apply completes it"):
        turn_forward(replace(LAMPS, undone=()), known)
    last = replace(STAGES[0], back=replace(STAGES[0].back, final="the wires are going"))  # type: ignore[type-var]
    final = replace(LAMPS, stages=(last, *STAGES[1:]))
    turn_forward(final, known)
    with pytest.raises(Refused, match="the wires are going"):
        turn_forward(final, replace(known, tries={ActId("unwire", "a", "unwire"): 1}))


def test_conclusions() -> None:
    """Forward, back to the start, and back to where it continues with the new certificate."""
    known = record(World())
    assert conclude(LAMPS, known) == Finished(outcome="done")
    assert conclude(LAMPS, replace(known, back="start")) == Finished(outcome="rolled back")
    reopened = conclude(LAMPS, replace(known, back="painted"))
    assert reopened == Turned(to="", forget=(*LAMPS.undone, "paint back", "cycle back", "unwire"))


def test_work_is_started_once() -> None:
    """Unless it supersedes what is under way, which ends then."""
    known = record(World())
    (started,) = start(LAMPS, None, "r2", "house", known.state)
    assert start(LAMPS, replace(known, finished=NOW), "r2", "house", known.state) == (started,)
    with pytest.raises(Refused, match="r1 is in progress"):
        start(LAMPS, known, "r2", "house", known.state)
    urgent = replace(LAMPS, kind="fire", supersedes={"lamps": "superseded by a fire"})
    finished, _ = start(urgent, known, "r2", "house", known.state)
    assert finished == Finished(outcome="superseded by a fire")
    with pytest.raises(Refused, match="r1 is in progress"):
        start(urgent, replace(known, kind="fire"), "r2", "house", known.state)


def test_an_act_of_work_that_was_ended_is_waited_for() -> None:
    """Superseded, or over for another reason: its late effect must not come after what the next work has done."""
    known = record(World(), begun=WIRE_A, begun_at=NOW)
    fire = replace(LAMPS, kind="fire", supersedes={"lamps": "superseded by a fire"})
    entries = [Entry(event=event, at=NOW + 1) for event in start(fire, known, "r2", "house", known.state)]
    ended = record_after(known, entries[0])
    assert (ended.outcome, ended.begun, ended.begun_at) == ("superseded by a fire", WIRE_A, NOW)
    started = record_after(ended, entries[1])
    assert (started.id, started.begun, started.begun_at) == ("r2", WIRE_A, NOW)
    (again,) = start(fire, ended, "r2", "house", known.state)  # killed between the two
    assert again == entries[1].event
    world = World(time=NOW + SETTLE - 1)
    step = next_step(fire, world, started, world.time)
    assert (step.kind, step.stage, step.until) == (StepKind.WAIT, "wire", NOW + SETTLE)
    assert [str(condition) for condition in step.missing] == ["a: wire may still be running"]
    world.time += 1
    assert kind(world, started, fire) == (StepKind.DO, "wire")


def test_nothing_is_over_while_an_act_is_in_doubt() -> None:
    """Work that was turned round, and has nothing to undo."""
    table = replace(LAMPS, stages=tuple(replace(stage, back=None) for stage in STAGES), back_order=())
    known = record(World(), begun=WIRE_A, begun_at=NOW, back="start", table=table.table)
    world = World(time=NOW + SETTLE - 1)
    step = next_step(table, world, known, world.time)
    assert (step.kind, step.until) == (StepKind.WAIT, NOW + SETTLE)
    assert kind(World(time=NOW + SETTLE), known, table)[0] is StepKind.DONE


@pytest.mark.parametrize(
    "stages",
    [STAGES[1:], (STAGES[1], STAGES[0], *STAGES[2:]), (replace(STAGES[0], name="lay wires"), *STAGES[1:])],
)
def test_work_of_another_table_does_not_continue(stages: tuple[Stage[LampView], ...]) -> None:
    """A row that is new, gone, renamed or elsewhere: what was passed already would be done late. Neither on, nor round."""
    known = record(World(), completed={"light": NOW})
    other = replace(LAMPS, stages=stages, back_order=())
    step = next_step(other, World(), known, NOW)
    assert step.kind is StepKind.REFUSE
    assert "with the release that was installed when it was started (2027-01-15 08:00Z)" in step.reasons[0]
    with pytest.raises(Refused, match="another release"):
        turn_back(other, known, "start")
    with pytest.raises(Refused, match="another release"):
        turn_forward(other, replace(known, back="start"))
    assert LAMPS.table == replace(LAMPS, kind="other").table


@pytest.mark.parametrize(
    "change",
    [
        {"stages": (*STAGES, STAGES[0])},
        {"stages": (*STAGES, replace(STAGES[3], name="unwire"))},
        {"back_order": ("unwire",)},
        {"back_order": ("paint back", "cycle back", "unwire", "unwire")},
        {"undone": ("nothing",)},
    ],
)
def test_tables_that_contradict_themselves(change: dict[str, Any]) -> None:
    """A name that stands twice, a way back that is not in the order, a row that is not there."""
    with pytest.raises(ValueError, match="lamps"):
        replace(LAMPS, **change)


def test_acts_are_known_by_stage_place_and_name() -> None:
    """The same command in another stage, or at another place, is another act."""
    one = Act(place="a", what="x")
    assert one.id("s") == ActId("s", "a", "x") == Act(place="a", what="y", name="x").id("s")
    assert len({one.id("s"), one.id("t"), Act(place="b", what="x").id("s")}) == 3
    assert isinstance(Stage(name="s", title="", promise=""), Stage)
    assert Rollback(to="start").outcome == "rolled back"


def test_a_gate_waits_for_every_word_that_it_asks_for() -> None:
    """And for no other; what is not said yet is named."""
    row: Stage[LampView] = Stage(
        **label("leave", "people leave", "the house is empty", 7), **gate(lambda view: {"ann": "Ann?", "bob": "Bob?"})
    )
    procedure = replace(LAMPS, stages=(row,), back_order=(), undone=())
    step = next_step(procedure, World(), record(World(), acknowledged={"ann": NOW}, table=procedure.table), NOW)
    assert (step.kind, step.number, step.ask, step.reasons) == (StepKind.ASK, 7, ("bob",), ("Bob?",))
    assert [condition.problem for condition in step.missing] == ["bob is not acknowledged"]
    told = record(World(), acknowledged={"ann": NOW, "bob": NOW}, table=procedure.table)
    assert next_step(procedure, World(), told, NOW).kind is StepKind.NOTE


def test_what_a_plan_foresees_is_done_nowhere_yet() -> None:
    """Acts in order, without a problem."""
    conditions = planned(iter([act("a", "wire"), act("b", "wire")]))
    assert [str(found) for found in acts_of(conditions)] == ["a: wire", "b: wire"]
    assert not any(condition.problem for condition in conditions)
