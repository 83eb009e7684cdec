"""The vocabulary: conditions, acts, steps, and what a journal says (`Record`). Pure data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

StateT = TypeVar("StateT")
"""A procedure's own state: a frozen struct or dataclass of what it must remember. Never a secret."""
ObservedT = TypeVar("ObservedT")
"""What is observed of the world at one moment."""


class ActId(NamedTuple):
    """Which act of which stage, and where: how a journal knows it again. Stable between runs, without secrets."""

    stage: str
    place: str
    act: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.place}: {self.act}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that changes something somewhere."""

    place: str
    what: Any
    """For the executor. Its `str` is what people and the journal see: always the same, and without secrets."""
    name: str = ""
    """By what it is known again, where that is not its text: an act whose text differs from try to try has the same name
    each time; one that is meant to be done again, once its effect shows, has another name for each time."""
    changes: bool = True
    """Whether it changes anything; one that only tests is done again immediately where its answer was lost."""

    def id(self, stage: str) -> ActId:
        """As an act of this stage."""
        return ActId(stage, self.place, self.name or str(self.what))

    def __str__(self) -> str:
        return f"{self.place}: {self.what}"


@dataclass(frozen=True, slots=True)
class Condition:
    """One part of a stage's postcondition, at one place: whether it holds, and the act that brings it about."""

    where: str
    problem: str = ""
    """What is not so yet, in words; empty where it holds."""
    act: Act | None = None
    """Named where it holds already, too: so that an undo can be shown, and an effect can be recognised. None: it comes
    by itself, or not from here."""

    @classmethod
    def of(cls, holds: bool, where: str, problem: str, act: Act | None = None) -> Condition:
        """With the problem only where it does not hold."""
        return cls(where, "" if holds else problem, act)

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}" if self.where else self.problem


class StepKind(enum.StrEnum):
    """What the next step is."""

    DO = "do"
    """Its acts are to be done."""
    NOTE = "note"
    """Its postcondition holds: write that down."""
    WAIT = "wait"
    """Nothing can be done until a time or a condition comes."""
    ASK = "ask"
    """A person must say something."""
    REFUSE = "refuse"
    """A precondition does not hold."""
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The next thing, and why."""

    kind: StepKind
    stage: str = ""
    number: int = 0
    title: str = ""
    acts: tuple[Act, ...] = ()
    one_at_a_time: bool = False
    """Observe again after each act."""
    promise: str = ""
    """The postcondition, in words."""
    missing: tuple[Condition, ...] = ()
    """What of the postcondition does not hold yet."""
    until: float = 0.0
    """Of a WAIT for a time: when it is over, Unix seconds; 0 where a condition is waited for."""
    patience: float = 0.0
    """Of a WAIT for a condition: seconds after which it is no longer normal that it has not come."""
    reasons: tuple[str, ...] = ()
    """Of a REFUSE: every reason with its remedy. Of an ASK: what is asked."""
    ask: tuple[str, ...] = ()
    """Of an ASK: names that must be acknowledged."""
    undo: tuple[Act, ...] = ()
    """What a rollback does about this stage."""
    learnt: Any = None
    """Of a NOTE: the procedure's state from now on, where it changes."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Generic[StateT]):
    """What the journal says of one piece of work."""

    id: str
    kind: str
    """Of the procedure."""
    subject: str
    """What it is about, such as a farm."""
    started: float
    by: str
    state: StateT
    table: str = ""
    """`Procedure.table` of the stages that it was started with."""
    completed: Mapping[str, float] = field(default_factory=dict)
    """Stages whose postcondition was seen to hold, and when."""
    acted: Mapping[ActId, float] = field(default_factory=dict)
    """Acts that came back without an error, and when."""
    tries: Mapping[ActId, int] = field(default_factory=dict)
    """How often each act was begun, without those that never ran."""
    begun: ActId | None = None
    """The act that was begun and has not come back: its effect is unknown. It may be one of the work that this one ended."""
    begun_at: float = 0.0
    acknowledged: Mapping[str, float] = field(default_factory=dict)
    """What a person has said, by name, and when."""
    back: str = ""
    """How far a rollback is to go; empty on the way forward."""
    problem: str = ""
    """Why it stopped last."""
    failure: str = ""
    """Why an act failed last."""
    finished: float = 0.0
    outcome: str = ""

    @property
    def open(self) -> bool:
        """Whether there is still something to be done."""
        return not self.finished

    def tries_of(self, stage: str) -> int:
        """How often an act of this stage was begun: of the one that was begun most often."""
        return max((count for act, count in self.tries.items() if act.stage == stage), default=0)

    def acted_in(self, stage: str) -> bool:
        """Whether an act of this stage came back without an error."""
        return any(act.stage == stage for act in self.acted)

    def refused(self, act: ActId) -> bool:
        """Whether it ran and wrote an error: one that never got there is no try, one that broke off is still open."""
        return self.tries.get(act, 0) > 0 and act not in self.acted and act != self.begun

    def changed_at(self, *stages: str) -> float:
        """When these stages last changed something, as far as is known: at the start at the earliest."""
        times = [at for act, at in self.acted.items() if act.stage in stages]
        times += [at for name, at in self.completed.items() if name in stages]
        if self.begun is not None and self.begun.stage in stages:
            times.append(self.begun_at)
        return max(times, default=self.started)

    def touched(self, *stages: str) -> bool:
        """Whether one of these stages was completed, or an act of it begun."""
        return any(stage in self.completed or self.tries_of(stage) for stage in stages)
