"""Plans: made, shown, saved, and refused where something is not as it was."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from findings import failed, warned
from foundation.procedures import (
    ActId,
    Plan,
    PlanOutdated,
    PlanUnusable,
    ProcedureError,
    Step,
    StepKind,
    check_current,
    differing,
    hashed,
    load,
    make,
    plan_text,
    record_data,
    record_text,
    save,
    standing,
    step_text,
)
from foundation.procedures.plan import MAX_PLAN
from tests.foundation.procedures.lamps import LAMPS, NOW, TYPES, LampState, World, act, record, state


def made(world: World | None = None, **more: Any) -> Plan[LampState]:
    """A plan for red lamps."""
    world = world or World()
    marks = {"lamps": ", ".join(world.lamps), "wires": hashed(sorted(world.wires))}
    given = {"subject": "house", "title": "Red lamps, house", "state": state(world), "marks": marks, "now": NOW, "by": "ann"}
    return make(LAMPS, world, **{**given, **more})


def test_a_plan_as_text() -> None:
    """Each step with what it does, until when, and its undo."""
    plan = made(summary=("  replaces grey",), notes=("Sweep the floor.",))
    text = plan_text(plan)
    assert text.startswith(f"Red lamps, house\ncreated 2027-01-15 08:00Z, plan {plan.digest}\n")
    for words in (
        "  replaces grey",
        "  2  paint the lamps",
        "       do    b: paint red",
        "       until every lamp has the colour",
        "       undo  a: paint grey",
        "  - Sweep the floor.",
    ):
        assert words in text
    many = World(lamps={f"l{number}": "grey" for number in range(20)})
    assert "       do    … and 8 more like these" in plan_text(made(many))


def test_a_plan_says_which_act_of_the_work_that_it_ends_may_yet_come() -> None:
    """And until when it is waited for; not where it has settled."""
    known = record(World(), begun=ActId("wire", "a", "wire"), begun_at=NOW - 60)
    text = plan_text(made(previous=known))
    assert "  open     a: wire (r1)\n           may still take effect until 2027-01-15 08:02Z" in text
    for nothing in (None, record(World()), replace(known, begun_at=NOW - LAMPS.rules.settle)):
        assert "open" not in plan_text(made(previous=nothing))


def test_a_plan_of_another_table_is_outdated() -> None:
    """Even where the same would be done: what comes later may differ."""
    plan = made()
    with pytest.raises(PlanOutdated, match="the plan was made by another release of Isthmus"):
        check_current(plan, replace(plan, table="other"))


def test_a_plan_that_a_finding_forbids_has_no_steps() -> None:
    """Nor anything that is left to be done afterwards. A warning forbids nothing."""
    forbidden = made(findings=[failed("fuse", "", "is out", "put it in")], notes=("Sweep the floor.",))
    assert (forbidden.steps, forbidden.notes) == ((), ())
    assert forbidden.failed[0].remedy == "put it in"
    assert made(findings=[warned("fuse", "", "is old")]).steps
    assert not made(findings=[warned("fuse", "", "is old")]).failed


def test_the_undo_of_a_plan_is_the_way_back() -> None:
    """From the last step to the first."""
    assert [step.stage for step, _ in made().undo] == ["cycle", "light", "wire"]


def test_a_saved_plan_is_the_same_plan(tmp_path: Path) -> None:
    """With its typed state, and its findings."""
    plan = made(findings=[warned("fuse", "", "is old")])
    save(plan, tmp_path / "plan.json")
    assert load(tmp_path / "plan.json", TYPES) == plan
    assert (tmp_path / "plan.json").stat().st_mode & 0o777 == 0o644
    with pytest.raises(PlanUnusable):
        save(plan, tmp_path / "nowhere" / "plan.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: {**c, "version": 9}, "version 9; this Isthmus knows 3"),
        (lambda c: {**c, "state": {**c["state"], "colour": "blue"}}, "was changed after it was made"),
        (lambda c: {**c, "title": "Nothing"}, "was changed after it was made"),
        (lambda c: {**c, "steps": c["steps"][1:]}, "was changed after it was made"),
        (lambda c: {**c, "made_by": "bob"}, "was changed after it was made"),
        (lambda c: {**c, "more": 1}, "was changed after it was made"),
        (lambda c: {**c, "state": {**c["state"], "more": 1}}, "was changed after it was made"),
        (lambda c: {**c, "steps": [{**c["steps"][0], "more": 1}, *c["steps"][1:]]}, "was changed after it was made"),
        (lambda c: {name: value for name, value in c.items() if name != "digest"}, "is not a plan"),
        (lambda c: {**c, "kind": "party"}, "for 'party'"),
        (lambda c: {**c, "kind": ["lamps"]}, "which is not known here"),
        (lambda c: {**c, "state": {"x": 1}}, "damaged"),
        (lambda c: {**c, "marks": 7}, "damaged"),
        (lambda c: [c], "version None"),
    ],
)
def test_saved_plans_that_cannot_be_used(tmp_path: Path, change: Any, words: str) -> None:
    """Another version, an edited or damaged file: refused, with what is wrong."""
    save(made(), tmp_path / "plan.json")
    content = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps(change(content)))
    with pytest.raises(PlanUnusable, match=words):
        load(tmp_path / "plan.json", TYPES)


def test_what_is_read_is_what_was_reviewed(tmp_path: Path) -> None:
    """A field that is there twice is refused; other white space is not."""
    save(made(), tmp_path / "plan.json")
    text = (tmp_path / "plan.json").read_text()
    (tmp_path / "plan.json").write_text(text.replace('"steps"', '"steps": [], "steps"'))
    with pytest.raises(PlanUnusable, match="was changed after it was made"):
        load(tmp_path / "plan.json", TYPES)
    (tmp_path / "plan.json").write_bytes(text.encode().replace(b"\n", b"\r\n"))
    assert load(tmp_path / "plan.json", TYPES) == made()


def test_a_file_without_end(tmp_path: Path) -> None:
    """No more is read of it than a plan may have."""
    with pytest.raises(PlanUnusable, match="too large"):
        load(Path("/dev/zero"), TYPES)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"{" + b" " * MAX_PLAN + b"}"])
def test_files_that_are_no_plans(content: bytes, tmp_path: Path) -> None:
    """Empty, torn, no text, nested without end, too large; and one that is not there."""
    (tmp_path / "plan.json").write_bytes(content)
    with pytest.raises(PlanUnusable, match=r"is not a plan, or is damaged|too large"):
        load(tmp_path / "plan.json", TYPES)
    with pytest.raises(PlanUnusable, match="cannot be read"):
        load(tmp_path / "none.json", TYPES)


def test_a_plan_is_for_what_it_was_made_for() -> None:
    """The refusal names each part, with its values where they can be shown."""
    plan = made()
    check_current(plan, made(now=NOW + 3600, by="bob"))
    other = made(World(wires={"a"}, lamps={"a": "grey", "c": "grey"}))
    with pytest.raises(PlanOutdated, match="house has changed since the plan was made") as caught:
        check_current(plan, other)
    assert isinstance(caught.value, ProcedureError)
    assert caught.value.differences == ("lamps: was a, b, is a, c", "wires has changed")
    assert differing(plan, replace(plan, subject="shed")) == ("the plan is for house, this is shed",)
    assert differing(plan, replace(plan, marks={**plan.marks, "door": "shut"})) == ("door is new",)
    assert differing(replace(plan, marks={**plan.marks, "door": "shut"}), plan) == ("door is gone",)
    assert differing(plan, replace(plan, marks={**plan.marks, "lamps": ""})) == ("lamps: was a, b, is nothing",)


def test_a_plan_whose_steps_would_be_others_is_refused() -> None:
    """Although everything is as it was: it is not what was reviewed."""
    plan = made()
    assert differing(plan, replace(plan, steps=plan.steps[1:])) == ("the steps: a plan made now would have different steps",)


def test_where_work_stands() -> None:
    """What was completed, what is in doubt, why it stopped, what is next; and how it ended."""
    world = World()
    known = record(world, completed={"wire": NOW}, begun=act("a", "x").id("light"), problem="no paint")
    waiting = Step(kind=StepKind.WAIT, title="let them cool", until=NOW)
    assert step_text(waiting) == "Waiting: let them cool, until 2027-01-15 08:00Z"
    text = record_text(known, standing(LAMPS, world, known, NOW + 1000), LAMPS.titles)
    for words in (
        "r1 (lamps), started 2027-01-15 08:00Z by ann",
        "  2027-01-15 08:00Z  wire the lamps",
        "started, effect not known yet: a: x",
        "  stopped: no paint",
        "Next: paint",
    ):
        assert words in text
    assert record_data(known)["state"] == {"colour": "red", "before": {"a": "grey", "b": "grey"}, "made": ""}
    over = replace(known, finished=NOW, outcome="done")
    assert record_text(over, standing(LAMPS, world, known, NOW), {}) == "r1 (lamps) ended 2027-01-15 08:00Z: done."
