"""Does what the planner says, one step after the other, and writes it down before and after.

    observe ─► next step ─┬─ DO ──► for each act: journal `begun` ─► act ─► journal `acted` ─► observe
       ▲                  ├─ NOTE ► journal `completed`, with what was learnt
       │                  ├─ WAIT ► a short one is waited for; a long one ends the run, the next one continues later
       └──────────────────┴─ ASK, REFUSE, DONE ► the run ends

Killed anywhere, the next run reads the journal, observes, and the planner finds the same place again: an act that had taken
effect is seen, one that had not is done. One whose fate is open is given time to settle first, because a command may outlive
the connection that started it.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol

from foundation.procedures import planner
from foundation.procedures.errors import ActFailed, Refused
from foundation.procedures.events import ActBegun, Acted, Event, Failed, Stopped
from foundation.procedures.journal import Journal
from foundation.procedures.model import Act, Condition, Record, Step, StepKind
from foundation.procedures.stage import Procedure, ViewT


class Executor(Protocol):
    """What connects a procedure with the world."""

    async def observe(self) -> Any:
        """Everything as it is now. What cannot be read is in the answer, as an error, not raised."""
        ...

    async def do(self, act: Act) -> None:
        """Do it. Raises ActFailed. Cancelling leaves its effect unknown."""
        ...


class Clock(Protocol):
    """Time, which tests replace."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class WallClock:
    """The real one."""

    def now(self) -> float:
        """Unix seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Cancelling ends it."""
        await asyncio.sleep(seconds)


class End(enum.StrEnum):
    """Why a run ended."""

    DONE = "done"
    WAITING = "waiting"
    """Until a time; run again then."""
    ASKING = "asking"
    """A person must say something."""
    REFUSED = "refused"
    STOPPED = "stopped"
    """An act failed, or something did not come about in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a run ended. `error`: the act that failed, with the error behind it as its `__cause__`."""

    end: End
    step: Step
    record: Record[Any]
    problem: str = ""
    error: ActFailed | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is going on, for a person who watches. `at`: Unix seconds."""

    event: Literal["act", "failed", "waiting", "completed"]
    step: Step
    text: str
    at: float


def _silent(progress: Progress) -> None:
    pass


async def run(
    procedure: Procedure[ViewT],
    executor: Executor,
    journal: Journal,
    *,
    clock: Clock | None = None,
    patience: float = 900.0,
    progress: Callable[[Progress], None] = _silent,
) -> RunResult:
    """Go as far as can be gone now. `patience`: seconds that are waited for a time to come; conditions have their own.

    Raises JournalError; Refused where nothing is under way, or work of another kind. Cancelling is like a kill: the next run
    finds its place again.
    """
    record = journal.record
    if record is None or not record.open:
        raise Refused("continuing", ["nothing is in progress; start with a plan"])
    if record.kind != procedure.kind:  # the rows of one procedure say nothing about the work of another
        raise Refused("continuing", [f"the work in progress is of the kind {record.kind}, not {procedure.kind}"])
    return await _Run(procedure, executor, journal, clock or WallClock(), patience, progress, record).run()


@dataclass(slots=True)
class _Run(Generic[ViewT]):
    procedure: Procedure[ViewT]
    executor: Executor
    journal: Journal
    clock: Clock
    patience: float
    progress: Callable[[Progress], None]
    record: Record[Any]
    _waiting: dict[str, float] = field(default_factory=dict)
    """When a stage began to wait for its condition, in this run."""
    _interrupted: set[Any] = field(default_factory=set)
    """Acts whose connection broke in this run."""
    _pauses: dict[str, int] = field(default_factory=dict)
    """How often each stage was waited for."""

    async def run(self) -> RunResult:
        observed = await self.executor.observe()
        while True:
            step = planner.next_step(self.procedure, observed, self.record, self.clock.now())
            if step.kind is StepKind.NOTE:
                await self._write(planner.completed(step))
                self._tell("completed", step, step.promise)
                continue
            result = await self._advance(step)
            if result is not None:
                return result
            if self.record.finished:
                return self._result(End.DONE, step)
            observed = await self.executor.observe()

    async def _advance(self, step: Step) -> RunResult | None:
        """None: observe again."""
        if step.kind is StepKind.DO:
            return await self._do(step)
        if step.kind is StepKind.WAIT:
            return await self._wait(step)
        if step.kind is StepKind.DONE:
            await self._write(planner.conclude(self.procedure, self.record))
            return None
        if step.kind is StepKind.ASK:
            return self._result(End.ASKING, step)
        return await self._stop(End.REFUSED, step, "; ".join(step.reasons))

    async def _do(self, step: Step) -> RunResult | None:
        for act in step.acts[:1] if step.one_at_a_time else step.acts:
            self._tell("act", step, str(act))
            await self._write(ActBegun(act=act.id(step.stage)))
            try:
                await self.executor.do(act)
            except ActFailed as failed:
                return await self._failed(step, act, failed)
            await self._write(Acted(act=act.id(step.stage)))
        return None

    async def _failed(self, step: Step, act: Act, failed: ActFailed) -> RunResult | None:
        """One whose fate is unknown is looked after, once in a run."""
        await self._write(Failed(why=str(failed), effect=failed.effect))
        id_ = act.id(step.stage)
        if failed.effect == "unknown" and id_ not in self._interrupted:
            self._interrupted.add(id_)
            self._tell("failed", step, f"{failed}; checking whether it took effect")
            return None
        return self._result(End.STOPPED, step, str(failed), failed)

    async def _wait(self, step: Step) -> RunResult | None:
        now = self.clock.now()
        self._tell("waiting", step, texts(step.missing[:3]) or "waiting")
        if step.until > now:
            if step.until - now > max(self.patience, self.procedure.rules.settle):
                return self._result(End.WAITING, step)
            await self.clock.sleep(min(step.until - now, self._pause(step)))
            return None
        waited = now - self._waiting.setdefault(step.stage, now)
        if waited > max(step.patience, self.procedure.rules.least_patience):
            problem = f"{step.title}: not achieved after {waited / 60:.0f} minutes: {texts(step.missing)}"
            return await self._stop(End.STOPPED, step, problem)
        await self.clock.sleep(self._pause(step))
        return None

    def _pause(self, step: Step) -> float:
        """Longer each time: what comes soon is seen soon, and servers that take long are not asked all the time."""
        count = self._pauses.get(step.stage, 0)
        self._pauses[step.stage] = count + 1
        return min(self.procedure.rules.poll, 2.0 ** min(count, 10))

    async def _stop(self, end: End, step: Step, problem: str) -> RunResult:
        """Written down once, however often it is tried."""
        if self.record.problem != problem:
            await self._write(Stopped(why=problem))
        return self._result(end, step, problem if end is End.STOPPED else "")

    async def _write(self, event: Event) -> None:
        self.record = await self.journal.write(event, self.clock.now())

    def _result(self, end: End, step: Step, problem: str = "", error: ActFailed | None = None) -> RunResult:
        return RunResult(end=end, step=step, record=self.record, problem=problem, error=error)

    def _tell(self, event: Literal["act", "failed", "waiting", "completed"], step: Step, text: str) -> None:
        self.progress(Progress(event=event, step=step, text=text, at=self.clock.now()))


def texts(conditions: tuple[Condition, ...]) -> str:
    """In one line."""
    return "; ".join(map(str, conditions))
