"""From what is known to the next step, or to all of them. Pure.

    its rows are others than the work was started with ─► REFUSE
    for the first row that is not completed:
        an act of it is in doubt, and has not settled ──► WAIT    (it may still be running; its effect may yet show)
        refuses ────────────────────────────────────────► REFUSE
        every condition holds ──────────────────────────► NOTE    (write that down; the next row is looked at)
        an act that would be next was tried too often ──► REFUSE
        acts ───────────────────────────────────────────► DO
        acts that came back a moment ago ───────────────► WAIT    (until they settle: their effect may yet show)
        asks ───────────────────────────────────────────► ASK
        otherwise ──────────────────────────────────────► WAIT
    and after the last one:
        an act is in doubt, and has not settled ────────► WAIT
        a row that lasts does not hold any more ────────► REFUSE
        otherwise ──────────────────────────────────────► DONE

An act is in doubt when it was begun and has not come back. It settles `rules.settle` seconds later, or when the conditions
that it was to bring about hold: what is seen sooner is taken sooner. One of the way forward is in doubt on the way back too,
and one of work that was ended is in doubt in the work that ended it: a late effect must not come after what that has done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from foundation.procedures.errors import Refused
from foundation.procedures.events import Completed, Event, Finished, Started, Turned
from foundation.procedures.model import Act, Condition, Record, Step, StepKind
from foundation.procedures.stage import Procedure, Rules, Stage, ViewT, acts_of
from foundation.times import minute


def next_step(procedure: Procedure[ViewT], observed: Any, record: Record[Any], now: float) -> Step:
    """The one that is next."""
    if reasons := _other_table(procedure, record):
        return Step(kind=StepKind.REFUSE, title="work of another release", reasons=reasons)
    view = procedure.view(observed, record, now)
    rows = [stage for stage in procedure.rows(record) if stage.applies(view)]
    due = next((stage for stage in rows if stage.name not in record.completed), None)
    if due is not None:
        if away := tuple(procedure.unavailable(view)):
            return _step(due, view, StepKind.WAIT, missing=away, patience=procedure.unavailable_patience)
        return _of_stage(due, view, procedure.rules)
    if record.begun is not None and (settled := record.begun_at + procedure.rules.settle) > now:
        return Step(kind=StepKind.WAIT, title="nothing is left to do", until=settled, missing=(_doubt(record),))
    for stage in rows:
        if stage.lasts and (lost := _missing(stage.conditions(view))):
            why = f"{stage.title} was done but no longer holds ({_text(lost)}): someone else is making changes; check first"
            return _step(stage, view, StepKind.REFUSE, reasons=(why,), missing=lost)
    return Step(kind=StepKind.DONE, title="nothing is left to do")


def standing(procedure: Procedure[ViewT], observed: Any, record: Record[Any], now: float) -> Step:
    """The next step that is not merely to be written down: where it really stands, for people."""
    step = next_step(procedure, observed, record, now)
    while step.kind is StepKind.NOTE:
        state = record.state if step.learnt is None else step.learnt
        record = replace(record, completed={**record.completed, step.stage: now}, state=state, begun=None, begun_at=0.0)
        step = next_step(procedure, observed, record, now)
    return step


def foresee(procedure: Procedure[ViewT], observed: Any, record: Record[Any], now: float) -> tuple[Step, ...]:
    """Every row that is left, with what it would do if those before it did what they should, and its undo."""
    view = procedure.view(observed, replace(record, state=procedure.foreseen(record.state)), now)
    found = []
    for stage in procedure.rows(record):
        if stage.name in record.completed or not stage.applies(view):
            continue
        foreseen = stage.foresees(view) if stage.foresees else _missing(stage.conditions(view))
        acts = acts_of(foreseen)
        found.append(
            _step(stage, view, StepKind.DO, acts=acts, undo=undo_of(stage, view), until=stage.until(view) if acts else 0.0)
        )
    return tuple(found)


def undo_of(stage: Stage[ViewT], view: ViewT) -> tuple[Act, ...]:
    """What the way back of this row does, should all of it be needed."""
    if stage.back is None:
        return ()
    return acts_of((stage.back.foresees or stage.back.conditions)(view))


def blank(procedure: Procedure[ViewT], subject: str, state: Any, now: float) -> Record[Any]:
    """A record of work that has not started."""
    return Record(id="", kind=procedure.kind, subject=subject, started=now, by="", state=state, table=procedure.table)


# -- one row


def _of_stage(stage: Stage[ViewT], view: ViewT, rules: Rules) -> Step:
    conditions = tuple(stage.conditions(view))
    missing = _missing(conditions)
    if (settled := _in_doubt_until(stage, view, conditions, rules)) > view.now:
        return _step(stage, view, StepKind.WAIT, until=settled, missing=(_doubt(view.record),))
    if reasons := tuple(stage.refuses(view)):
        return _step(stage, view, StepKind.REFUSE, reasons=reasons, missing=missing)
    if not missing:
        return _step(stage, view, StepKind.NOTE, learnt=stage.learns(view))
    acts = acts_of(missing)
    settles = [_settles_at(stage, view, act, rules) for act in acts]
    due = tuple(act for act, at in zip(acts, settles, strict=True) if at <= view.now)
    if worn := _worn_out(stage, view, due, rules):
        return _step(stage, view, StepKind.REFUSE, reasons=worn, missing=missing)
    if due:
        return _step(stage, view, StepKind.DO, acts=due, missing=missing, undo=undo_of(stage, view))
    if acts and stage.repeats:
        return _step(stage, view, StepKind.WAIT, missing=missing, until=min(settles))
    return _ask_or_wait(stage, view, missing, rules.settle if acts else 0.0)


def _in_doubt_until(stage: Stage[ViewT], view: ViewT, conditions: Sequence[Condition], rules: Rules) -> float:
    """0 where nothing is in doubt. What cannot be told from the conditions stays in doubt until it has settled."""
    begun = view.record.begun
    if begun is None or (begun.stage == stage.name and not _missing(conditions)):
        return 0.0  # of another row, where work was turned round: what it is to bring about may yet undo what holds here
    own = [condition for condition in conditions if condition.act and condition.act.id(stage.name) == begun]
    act = own[0].act if own else None
    if act is not None and not (act.changes and _missing(own)):
        return 0.0
    return view.record.begun_at + rules.settle


def _doubt(record: Record[Any]) -> Condition:
    begun = record.begun
    return Condition(begun.place if begun else "", f"{begun.act if begun else ''} may still be running")


def _settles_at(stage: Stage[ViewT], view: ViewT, act: Act, rules: Rules) -> float:
    """When an act may be done (again): now, where it has not come back without an error before."""
    acted = view.record.acted.get(act.id(stage.name))
    if acted is None:
        return 0.0
    return acted + rules.settle if stage.repeats else float("inf")


def _ask_or_wait(stage: Stage[ViewT], view: ViewT, missing: tuple[Condition, ...], least: float) -> Step:
    asked = {name: text for name, text in stage.asks(view).items() if name not in view.record.acknowledged}
    until = stage.until(view)
    if asked:
        return _step(
            stage, view, StepKind.ASK, ask=tuple(asked), reasons=tuple(asked.values()), missing=missing, until=until
        )
    return _step(stage, view, StepKind.WAIT, missing=missing, until=until, patience=max(stage.patience(view), least))


def _worn_out(stage: Stage[ViewT], view: ViewT, acts: Sequence[Act], rules: Rules) -> tuple[str, ...]:
    if not stage.leaves_trace:
        return ()
    last = f" (last: {view.record.failure})" if view.record.failure else ""
    return tuple(
        f"{act} was tried {count} times without effect{last}. "
        "Find out why on the host, then roll back, or do it by hand and apply again"
        for act in acts
        if (count := view.record.tries.get(act.id(stage.name), 0)) >= rules.tries
    )


def _missing(conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    return tuple(condition for condition in conditions if condition.problem)


def _text(conditions: Sequence[Condition]) -> str:
    return "; ".join(map(str, conditions))


def _step(stage: Stage[ViewT], view: ViewT, kind: StepKind, **more: Any) -> Step:
    return Step(
        kind=kind,
        stage=stage.name,
        number=stage.number,
        title=stage.title,
        promise=stage.promise,
        notes=tuple(stage.notes(view)),
        one_at_a_time=stage.one_at_a_time,
        **more,
    )


# -- start, turn, conclude: events for a journal


def start(procedure: Procedure[ViewT], record: Record[Any] | None, id_: str, subject: str, state: Any) -> tuple[Event, ...]:
    """What is written down when work starts. Raises Refused where other work is under way that it does not supersede; an act
    of that work which may yet take effect is waited for before anything is done."""
    begun, begun_at = (record.begun, record.begun_at) if record else (None, 0.0)
    started = Started(
        id=id_,
        kind=procedure.kind,
        subject=subject,
        table=procedure.table,
        state=state,
        begun=begun,
        begun_at=begun_at,
    )
    if record is None or not record.open:
        return (started,)
    if record.kind not in procedure.supersedes:
        raise Refused(f"a new plan for {subject}", [f"{record.id} is in progress; apply it or roll it back first"])
    return (Finished(outcome=procedure.supersedes[record.kind]), started)


def turn_back(procedure: Procedure[ViewT], record: Record[Any], to: str) -> Turned:
    """A rollback starts, as far as `to`. Raises Refused where there is no way back. For work that is over, `start` it again
    with its state first: a journal takes no turn of what is over."""
    what = f"rolling back {record.id}"
    if not procedure.rollbacks:
        raise Refused(what, [procedure.no_rollback])
    if procedure.rollback(to) is None:
        known = " or ".join(rollback.to for rollback in procedure.rollbacks)
        raise Refused(what, [f"cannot roll back to {to}, only to {known}"])
    if reasons := _other_table(procedure, record) or _passed(procedure.stages, record):
        raise Refused(what, reasons)
    return Turned(to=to, forget=_names(procedure.way_back))


def check_harmless(procedure: Procedure[ViewT], observed: Any, record: Record[Any], to: str, now: float) -> None:
    """Whether what a rollback leads to is still worth something: looked at before it starts. Raises Refused."""
    view = procedure.view(observed, replace(record, back=to), now)
    if reasons := tuple(procedure.harm(view)):
        raise Refused(f"rolling back {record.id}", reasons)


def turn_forward(procedure: Procedure[ViewT], record: Record[Any]) -> Turned:
    """A rollback is given up half-way: every row that it may have undone is done anew. Raises Refused."""
    what = f"cancelling the rollback of {record.id}"
    if not record.back:
        raise Refused(what, ["no rollback is in progress"])
    if not procedure.undone:
        raise Refused(what, ["a rollback of this kind cannot be cancelled halfway; apply completes it"])
    if reasons := _other_table(procedure, record) or _passed(procedure.way_back, record):
        raise Refused(what, reasons)
    return Turned(to="", forget=(*procedure.undone, *_names(procedure.way_back)))


def conclude(procedure: Procedure[ViewT], record: Record[Any]) -> Event:
    """What it means that nothing is left to be done."""
    if not record.back:
        return Finished(outcome="done")
    rollback = procedure.rollback(record.back)
    if rollback is not None and rollback.reopens:
        return Turned(to="", forget=(*procedure.undone, *_names(procedure.way_back)))
    return Finished(outcome=rollback.outcome if rollback else "rolled back")


def completed(step: Step) -> Completed:
    """Of a NOTE."""
    return Completed(stage=step.stage, state=step.learnt)


def _passed(stages: Sequence[Stage[ViewT]], record: Record[Any]) -> tuple[str, ...]:
    return tuple(stage.final for stage in stages if stage.final and record.tries_of(stage.name))


def _other_table(procedure: Procedure[ViewT], record: Record[Any]) -> tuple[str, ...]:
    """A row that work has passed already, and that its table did not have, would be done late."""
    if record.table == procedure.table:
        return ()
    return (
        f"{record.id} was started by another release of Isthmus, in which {record.kind} has different "
        "stages; complete it, or "
        f"roll it back, with the release that was installed when it was started ({minute(record.started)})",
    )


def _names(stages: Sequence[Stage[ViewT]]) -> tuple[str, ...]:
    return tuple(stage.name for stage in stages)


__all__ = [
    "blank",
    "check_harmless",
    "completed",
    "conclude",
    "foresee",
    "next_step",
    "standing",
    "start",
    "turn_back",
    "turn_forward",
    "undo_of",
]
