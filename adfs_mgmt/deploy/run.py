"""Does what the planner says, one step after the other, each in the journal before it is done.

    look ─► next step ─┬─ NOTE    written down ──────────────────────────────┐
      ▲                ├─ DO      begun (on disk) ─► command ─► acted | failed ┤
      │                ├─ WAIT    a pause, up to the stage's patience          │
      │                ├─ REFUSE, DONE                                        │
      └────────────────┴──────────────────────────────────────────────────────┘

Killed at any point, the same call goes on where it was: what is seen decides, not what is remembered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol

from adfs_mgmt.deploy.look import command_of, problems
from adfs_mgmt.deploy.model import Procedure, Situation, Wish
from adfs_mgmt.deploy.plan import next_step
from adfs_mgmt.remoting import CommandFailed, HostUnreachable, Interrupted, RemotingError, Shell
from adfs_mgmt.rollover.errors import Refused, RolloverError
from adfs_mgmt.rollover.journal import Journal
from adfs_mgmt.rollover.model import Act, Record, Step, StepKind

PAUSE = 5.0
"""Seconds between two looks while something is waited for."""
_LONG = {"Install-WindowsFeature": 1800.0, "Uninstall-WindowsFeature": 1800.0, "Add-AdfsFarmNode": 900.0}
_LONG |= {"Install-AdfsFarm": 900.0, "Install-WebApplicationProxy": 600.0, "Set-AdfsFarmInformation": 120.0}
_LONG |= {"Test-AdfsFarmJoin": 300.0, "Test-AdfsFarmInstallation": 300.0}


class Stalled(RolloverError):
    """What a stage waits for has not come in time. Nothing is lost: the same command goes on waiting."""

    def __init__(self, host: str, stage: str, missing: tuple[str, ...], waited: float) -> None:
        super().__init__(host, stage, missing, waited)
        self.host, self.stage, self.missing, self.waited = host, stage, missing, waited

    def __str__(self) -> str:
        why = "; ".join(self.missing)
        return (
            f"{self.host}: {self.stage}: not within {self.waited:.0f} s: {why}. Mend that and go on with --resume, or --undo"
        )


class Progress(Protocol):
    """Who watches."""

    def step(self, step: Step) -> None:
        """A step begins, or is waited for, or was seen to hold."""

    def act(self, act: Act) -> None:
        """A command is sent."""


@dataclass(slots=True, kw_only=True)
class Runner:
    """One run over one journal. `steps` hold the secrets, which are nowhere else."""

    shell: Shell
    wish: Wish
    steps: Procedure
    journal: Journal
    look: Callable[[], Awaitable[Situation]]
    clock: Callable[[], float]
    """Unix seconds."""
    sleep: Callable[[float], Awaitable[None]]
    progress: Progress
    _stage: str = ""
    _waiting_since: float = field(default=0.0)

    async def run(self) -> Record:
        """Until it is done. Raises Refused, Stalled, JournalError, RemotingError; the journal then says why it stopped.

        Cancelling leaves it as a kill does: a command under way goes on at its host; the next run looks what became of it.
        """
        while True:
            record = self._record()
            seen = await self.look()
            step = next_step(self.wish, self.steps, seen, record, self.clock())
            self.progress.step(step)
            if step.kind is StepKind.DONE:
                return self.journal.finish("cleaned up" if record.back else "done", now=self.clock())
            if step.kind is StepKind.REFUSE:
                self._stopped("; ".join(step.reasons))
                raise Refused(f"{self.wish.operation.value} {self.wish.name}: {step.title}", step.reasons)
            await self._one(step)

    def _record(self) -> Record:
        record = self.journal.record
        if record is None or not record.open:
            raise Refused(f"{self.wish.operation.value} {self.wish.name}", ("nothing is under way: make a plan first",))
        return record

    async def _one(self, step: Step) -> None:
        if step.kind is StepKind.WAIT:
            await self._wait(step)
            return
        self._stage = ""
        if step.kind is StepKind.NOTE:
            self.journal.hold(step.stage, step.facts, now=self.clock())
            return
        for act in step.acts:
            await self._do(step, act)

    async def _do(self, step: Step, act: Act) -> None:
        """One command. One whose fate is unknown is left open in the journal: the planner looks before it tries again."""
        self.journal.begin(step.stage, act, now=self.clock())
        self.progress.act(act)
        command = command_of(act)
        try:
            answer = await self.shell.run(act.host, command, timeout=_LONG.get(command.name, 60.0))
            if found := problems(answer):
                raise CommandFailed(act.host, command.name, "; ".join(found))
        except Interrupted as error:
            self.journal.fail(str(error), "unknown", now=self.clock())
        except HostUnreachable as error:
            self.journal.fail(str(error), "none", now=self.clock())
            raise
        except RemotingError as error:
            self.journal.fail(str(error), "refused", now=self.clock())
            raise
        else:
            self.journal.acted(step.stage, act, now=self.clock())

    def _stopped(self, why: str) -> None:
        """An act whose fate is unknown stays so."""
        self.journal.fail(why, "unknown" if self._record().begun else "none", now=self.clock())

    async def _wait(self, step: Step) -> None:
        now = self.clock()
        if self._stage != step.stage:
            self._stage, self._waiting_since = step.stage, now
        waited = now - self._waiting_since
        if waited > step.patience and now >= step.until:
            stalled = Stalled(self.wish.name, step.title, step.missing, waited)
            self._stopped(str(stalled))
            raise stalled
        await self.sleep(min(PAUSE, max(step.until - now, 0.1)) if step.until > now else PAUSE)
