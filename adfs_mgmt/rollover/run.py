"""Does what the planner says, one step after the other, and writes it down before and after.

    look ─► next step ─┬─ DO ──► for each act: journal `begun` (on disk) ─► act ─► journal `acted` ─► look
       ▲               ├─ NOTE ► journal `held`, with what was learnt
       │               ├─ WAIT ► a short one is waited for; a long one ends the run, `apply` goes on later
       └───────────────┴─ ASK, REFUSE, DONE ► the run ends

Killed anywhere, the next run reads the journal, looks at the farm, and the planner finds the same place again: an act that
had taken effect is seen, one that had not is done. One whose fate is open is given `settle_seconds` first, because a command
may outlive the connection that started it.

`deploy` uses the same runner with a planner of its own.
"""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from adfs_mgmt.rollover import plan
from adfs_mgmt.rollover.errors import ActFailed, JournalError
from adfs_mgmt.rollover.journal import Journal
from adfs_mgmt.rollover.model import Act, Record, Snapshot, Step, StepKind
from adfs_mgmt.rollover.plan import Conclusion
from adfs_mgmt.rollover.stage import RolloverPolicy

POLL = 15.0
"""Most seconds between two looks while a condition is waited for; the first ones come sooner."""
_LEAST_PATIENCE = 60.0
_SHORT = 150.0
"""Seconds that are always waited for, whatever the caller's patience: an act's settling, a restart."""


class Doer(Protocol):
    """The hands and eyes of the runner."""

    async def look(self) -> Snapshot:
        """Everything as it is now. What cannot be read is in the snapshot, as an error, not raised."""
        ...

    async def do(self, act: Act) -> None:
        """Do it. Raises ActFailed. Cancelling leaves its effect unknown."""
        ...


class Work(Protocol):
    """A planner."""

    def next_step(self, snapshot: Snapshot, record: Record, now: float) -> Step:
        """What is next. Pure."""
        ...

    def conclude(self, record: Record) -> Conclusion:
        """What it means that nothing is left to be done. Pure."""
        ...


@dataclass(frozen=True, slots=True)
class Rollover:
    """The planner of this room, with its policy."""

    policy: RolloverPolicy = field(default_factory=RolloverPolicy)

    def next_step(self, snapshot: Snapshot, record: Record, now: float) -> Step:
        """As `plan.next_step`."""
        return plan.next_step(snapshot, record, self.policy, now)

    def conclude(self, record: Record) -> Conclusion:
        """As `plan.conclude`."""
        return plan.conclude(record)


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
        """Wait."""
        await asyncio.sleep(seconds)


class End(enum.StrEnum):
    """Why a run ended."""

    DONE = "done"
    WAITING = "waiting"
    """Until a time; apply again then."""
    ASKING = "asking"
    """A person must say something."""
    REFUSED = "refused"
    STOPPED = "stopped"
    """An act failed, or something did not come about in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended."""

    end: End
    step: Step
    record: Record
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What is going on, for a person who watches."""

    step: Step
    text: str
    at: float


def _silent(progress: Progress) -> None:
    pass


async def apply(
    work: Work,
    doer: Doer,
    journal: Journal,
    *,
    clock: Clock | None = None,
    patience: float = 900.0,
    progress: Callable[[Progress], None] = _silent,
) -> Outcome:
    """Go as far as can be gone now. `patience`: seconds that are waited for a time to come; conditions have their own.

    Raises JournalError. Cancelling is like a kill: the next run finds its place again.
    """
    if journal.record is None or not journal.record.open:
        raise JournalError(journal.path, "has nothing under way", "Begin with a plan.")
    return await _Run(work, doer, journal, clock or WallClock(), patience, progress, journal.record).run()


@dataclass(slots=True)
class _Run:
    work: Work
    doer: Doer
    journal: Journal
    clock: Clock
    patience: float
    progress: Callable[[Progress], None]
    record: Record
    _waiting: dict[str, float] = field(default_factory=dict)
    """When a stage began to wait for its condition, in this run."""
    _done: dict[str, float] = field(default_factory=dict)
    """When an act was done in this run: its effect may take a moment to show."""
    _interrupted: set[str] = field(default_factory=set)
    _looks: dict[str, int] = field(default_factory=dict)
    """How often each stage was waited for."""

    async def run(self) -> Outcome:
        snapshot = await self.doer.look()
        while True:
            step = self.work.next_step(snapshot, self.record, self.clock.now())
            if step.kind is StepKind.NOTE:
                self.record = self.journal.hold(step.stage, step.facts, now=self.clock.now())
                self._tell(step, f"holds: {step.promise}")
                continue
            outcome = await self._one(step)
            if outcome is not None:
                return outcome
            if self.record.finished:
                return self._outcome(End.DONE, step)
            snapshot = await self.doer.look()

    async def _one(self, step: Step) -> Outcome | None:
        """None: look again."""
        if step.kind is StepKind.DO:
            return await self._wait(step) if self._is_settling(step) else await self._do(step)
        if step.kind is StepKind.WAIT:
            return await self._wait(step)
        if step.kind is StepKind.DONE:
            self._conclude()
            return None
        return self._outcome(End.ASKING if step.kind is StepKind.ASK else End.REFUSED, step)

    async def _do(self, step: Step) -> Outcome | None:
        for act in step.acts[:1] if step.one_at_a_time else step.acts:
            self._tell(step, str(act))
            self.record = self.journal.begin(step.stage, act, now=self.clock.now())
            try:
                await self.doer.do(act)
            except ActFailed as failed:
                self.record = self.journal.fail(str(failed), failed.effect, now=self.clock.now())
                if failed.effect == "unknown" and act.id not in self._interrupted:
                    self._interrupted.add(act.id)
                    self._tell(step, f"{failed}; looking whether it took effect")
                    return None
                return self._outcome(End.STOPPED, step, str(failed))
            self.record = self.journal.acted(step.stage, act, now=self.clock.now())
            self._done[f"{step.stage}: {act.id}"] = self.clock.now()
        return None

    def _is_settling(self, step: Step) -> bool:
        """Whether all of it was done a moment ago, so that looking once more is better than doing it again."""
        times = [self._done.get(f"{step.stage}: {act.id}") for act in step.acts]
        return all(at is not None and self.clock.now() < at + _LEAST_PATIENCE for at in times)

    async def _wait(self, step: Step) -> Outcome | None:
        now = self.clock.now()
        if step.until > now:
            if step.until - now > max(self.patience, _SHORT):
                return self._outcome(End.WAITING, step)
            self._tell(step, "; ".join(step.missing[:3]) or "waiting")
            await self.clock.sleep(min(step.until - now, self._pause(step)))
            return None
        since = self._waiting.setdefault(step.stage, now)
        if now - since > max(step.patience, _LEAST_PATIENCE):
            problem = f"{step.title}: not so after {(now - since) / 60:.0f} minutes: {'; '.join(step.missing)}"
            return self._outcome(End.STOPPED, step, problem)
        self._tell(step, "; ".join(step.missing[:3]))
        await self.clock.sleep(self._pause(step))
        return None

    def _pause(self, step: Step) -> float:
        """Longer each time: what comes at once is seen at once, and a farm that takes long is not asked all the time."""
        count = self._looks.get(step.stage, 0)
        self._looks[step.stage] = count + 1
        return min(POLL, 2.0 ** min(count, 10))

    def _conclude(self) -> None:
        conclusion = self.work.conclude(self.record)
        if conclusion.outcome:
            self.record = self.journal.finish(conclusion.outcome, now=self.clock.now())
        else:
            self.record = self.journal.turn("", forget=conclusion.forget, now=self.clock.now())

    def _outcome(self, end: End, step: Step, problem: str = "") -> Outcome:
        return Outcome(end=end, step=step, record=self.record, problem=problem)

    def _tell(self, step: Step, text: str) -> None:
        self.progress(Progress(step=step, text=text, at=self.clock.now()))
