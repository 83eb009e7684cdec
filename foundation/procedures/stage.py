"""A stage: one row of a procedure, as pure functions over what is known. A procedure: its rows, and the rules about them.

Rows look at the world, not at what was sent: an act whose effect is there is never done twice, whoever did it, and work that
was interrupted anywhere continues by the same functions as work that was not. What leaves nothing to look at (a restart) is
remembered, and must be harmless twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypedDict, TypeVar

from foundation.procedures.model import Act, ActId, Condition, ObservedT, Record, StateT


@dataclass(frozen=True, slots=True)
class View(Generic[ObservedT, StateT]):
    """What a stage decides on. A procedure may have a view of its own, with properties in its own terms."""

    observed: ObservedT
    record: Record[StateT]
    now: float

    @property
    def state(self) -> StateT:
        """What the procedure remembers."""
        return self.record.state


ViewT = TypeVar("ViewT", bound=View[Any, Any])
"""A procedure's own view."""


def _nothing(view: Any) -> tuple[Any, ...]:
    return ()


def _no_questions(view: Any) -> Mapping[str, str]:
    return {}


def _never(view: Any) -> float:
    return 0.0


def _unchanged(view: Any) -> Any:
    return None


def _always(view: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(Generic[ViewT]):
    """One row: how its postcondition is brought about, and how that is undone."""

    name: str
    """Once in the procedure, the way back included."""
    title: str
    promise: str
    """The postcondition in words."""
    number: int = 0
    """Of the documented procedure, for people; of a way back 0 means that of its row."""
    conditions: Callable[[ViewT], Sequence[Condition]] = _nothing
    """The parts of the postcondition, each with its act, in the order in which the acts are to be done."""
    foresees: Callable[[ViewT], Sequence[Condition]] | None = None
    """For a plan, where the conditions depend on what rows before it do: what it would do then. None means `conditions`."""
    refuses: Callable[[ViewT], Sequence[str]] = _nothing
    """Preconditions that do not hold, each with its remedy."""
    asks: Callable[[ViewT], Mapping[str, str]] = _no_questions
    """What a person must say, by name."""
    learns: Callable[[ViewT], Any] = _unchanged
    """The procedure's state once the postcondition holds; None: as it was."""
    until: Callable[[ViewT], float] = _never
    """When it can hold, Unix seconds; 0 where nobody knows."""
    patience: Callable[[ViewT], float] = _never
    """Seconds within which it normally holds, once there is nothing left to be done."""
    applies: Callable[[ViewT], bool] = _always
    notes: Callable[[ViewT], Sequence[str]] = _nothing
    one_at_a_time: bool = False
    """Observe again after each act."""
    leaves_trace: bool = True
    """Its acts leave something to look at: one that was tried often without any is given up."""
    repeats: bool = True
    """An act that came back without an error and has had no effect by then is done again; False: it is only waited for."""
    lasts: bool = False
    """Its postcondition must still hold when everything is done."""
    final: str = ""
    """Once an act of it was begun there is no turning round any more. Why not, in words."""
    back: Stage[ViewT] | None = None
    """How it is undone; rows that bring about the same may share it."""


class Label(TypedDict):
    """What people read of a stage."""

    name: str
    title: str
    promise: str
    number: int


def label(name: str, title: str, promise: str, number: int = 0) -> Label:
    """For a Stage, as `Stage(**label(…), …)`: what it says, in one place, beside what it does."""
    return Label(name=name, title=title, promise=promise, number=number)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollback:
    """One way back: how far it goes, and what it comes to."""

    to: str
    outcome: str = "rolled back"
    reopens: bool = False
    """Work is not over when it has got there: it goes forward again from there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The engine's limits. Seconds, but for `tries`."""

    settle: float = 180.0
    """How long an act may still be under way after its connection broke, and how long its effect may take to show. Longer
    than any command runs on after that: looking sooner might miss its effect, and do it twice."""
    tries: int = 3
    """An act that was begun as often and left no trace is not tried again."""
    poll: float = 15.0
    """Most seconds between two observations while a condition is waited for; the first ones come sooner."""
    least_patience: float = 60.0
    """Every condition is waited for as long as that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure(Generic[ViewT]):
    """A table of stages over one kind of state."""

    kind: str
    """In journals and plans: `token`, `node add`, …"""
    state: type[Any]
    """A frozen struct or dataclass that msgspec reads and writes."""
    stages: tuple[Stage[ViewT], ...]
    view: Callable[[Any, Record[Any], float], ViewT]
    """From what was observed, the record and the time (Unix seconds)."""
    back_order: tuple[str, ...] = ()
    """Names of the ways back, in the order in which a rollback does them; empty: the rows from the last to the first."""
    rollbacks: tuple[Rollback, ...] = ()
    """None: there is no way back at all."""
    no_rollback: str = "it has no way back"
    """Why not, where there is none."""
    undone: tuple[str, ...] = ()
    """Rows that a rollback undoes, so that they are done anew when it goes forward again. Others stay completed."""
    harm: Callable[[ViewT], Sequence[str]] = _nothing
    """Why going back would do harm now."""
    unavailable: Callable[[ViewT], Sequence[Condition]] = _nothing
    """Why nothing can be judged at the moment: a server that restarts, say. It is waited for."""
    unavailable_patience: float = 900.0
    supersedes: Mapping[str, str] = field(default_factory=dict)
    """Kinds whose open work it ends when it starts, with the outcome of that."""
    foreseen: Callable[[Any], Any] = lambda state: state
    """For a plan: the state with placeholders for what is not known yet."""
    rules: Rules = field(default_factory=Rules)
    way_back: tuple[Stage[ViewT], ...] = field(init=False, repr=False, compare=False)
    """The ways back of all rows, in order."""
    table: str = field(init=False, repr=False, compare=False)
    """Short digest of its rows' names, in order: work that was started with other rows must not continue with these."""

    def __post_init__(self) -> None:
        backs = {stage.back.name: stage.back for stage in self.stages if stage.back}
        shared = all(backs[stage.back.name] is stage.back for stage in self.stages if stage.back)
        names = [stage.name for stage in self.stages]
        if not shared or len({*names, *backs}) != len(names) + len(backs):
            raise ValueError(f"two stages of {self.kind} have one name")
        if self.back_order and (set(self.back_order) != set(backs) or len(self.back_order) != len(backs)):
            raise ValueError(f"the way back of {self.kind} does not name each of its stages once")
        if not set(self.undone) <= set(names):
            raise ValueError(f"{self.kind} undoes stages that it does not have")
        object.__setattr__(self, "way_back", self._way_back())  # here once: they are asked for at each look at a farm
        rows = [stage.name for stage in (*self.stages, *self.way_back)]
        object.__setattr__(self, "table", hashlib.sha256("\n".join(rows).encode()).hexdigest()[:8])

    @property
    def titles(self) -> Mapping[str, str]:
        """Of its rows, there and back, by name."""
        return {stage.name: stage.title for stage in (*self.stages, *self.way_back)}

    def _way_back(self) -> tuple[Stage[ViewT], ...]:
        rows = {stage.back.name: stage for stage in reversed(self.stages) if stage.back}
        backs = {
            name: replace(stage.back, number=stage.back.number or stage.number) for name, stage in rows.items() if stage.back
        }
        return tuple(backs[name] for name in self.back_order or backs)

    def rows(self, record: Record[Any]) -> tuple[Stage[ViewT], ...]:
        """Those that this record is on the way along."""
        return self.way_back if record.back else self.stages

    def rollback(self, to: str) -> Rollback | None:
        """The one that goes so far."""
        return next((rollback for rollback in self.rollbacks if rollback.to == to), None)


class Gate(TypedDict):
    """Of a stage that only waits for a person's word."""

    conditions: Callable[[Any], Sequence[Condition]]
    asks: Callable[[Any], Mapping[str, str]]


def gate(asks: Callable[[Any], Mapping[str, str]], missing: str = "{} is not acknowledged") -> Gate:
    """For a Stage, as `Stage(**gate(…), …)`: everything that it asks must be acknowledged. `missing`: what is said of a
    name that is not."""

    def conditions(view: View[Any, Any]) -> list[Condition]:
        told = view.record.acknowledged
        return [Condition.of(name in told, "", missing.format(name)) for name in asks(view)]

    return Gate(conditions=conditions, asks=asks)


def planned(acts: Iterable[Act]) -> list[Condition]:
    """For `Stage.foresees`: what would be done, in order, wherever it is."""
    return [Condition("", "", act) for act in acts]


def acts_of(conditions: Sequence[Condition]) -> tuple[Act, ...]:
    """Each act once, in order."""
    found: dict[ActId, Act] = {}
    for condition in conditions:
        if condition.act is not None:
            found.setdefault(condition.act.id(""), condition.act)
    return tuple(found.values())
