"""Servers of a farm, added and removed: plan, apply, resume, undo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from adfs_mgmt import procedures
from adfs_mgmt.farm import FarmSettings
from adfs_mgmt.operations.context import OnProgress, OperationContext, silent
from adfs_mgmt.operations.errors import NotPossible
from adfs_mgmt.procedures import SERVER_STATES, Operation, Secrets, ServerExecutor, ServerSpec, ServerState
from foundation import procedures as engine
from foundation.procedures import Plan, Record, Refused, RunResult


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOperation:
    """One operation on one server. `secrets` are needed to plan and to apply, and are kept nowhere."""

    context: OperationContext
    farm: FarmSettings
    spec: ServerSpec
    secrets: Secrets
    who: str = field(default_factory=engine.whoami)

    @property
    def record(self) -> Record[ServerState] | None:
        """What was done about this server last. Raises JournalError."""
        return engine.read(self._path, SERVER_STATES)

    async def plan(self) -> Plan[ServerState]:
        """Observe, check and plan; nothing is changed. A server that does not answer is a failed check. Windows tests the
        prerequisites if the role is there. Raises RemotingError for settings that cannot work."""
        async with self._executor(self.spec) as executor:
            return procedures.plan_server(self.spec, await executor.observe_tested(), by=self.who)

    def load(self, path: Path) -> Plan[ServerState]:
        """A saved plan for this operation. Raises PlanUnusable; NotPossible for one of something else."""
        plan = engine.load(path, SERVER_STATES)
        _check_same(f"plan {plan.digest}", plan.state.spec, self.spec)
        return plan

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left for people to do afterwards."""
        return procedures.server_notes(self.spec.operation)

    def check_idle(self, record: Record[ServerState] | None) -> None:
        """Whether nothing is under way at this server. Raises Refused."""
        if record is not None and record.open:
            reason = f"{record.kind} is in progress on this server: continue with --resume, or clean up with --undo"
            raise Refused(f"{self.spec.operation.value} {self.spec.name}", (reason,))

    async def apply(self, plan: Plan[ServerState], progress: OnProgress = silent) -> RunResult:
        """If the farm is as it was. Cancelled or killed, `resume` continues. Raises ProcedureError, RemotingError."""
        spec = plan.state.spec
        async with self._executor(spec) as executor:
            with self._journal() as journal:
                self.check_idle(journal.record)
                state = procedures.confirmed(plan, await executor.observe_tested(), self.secrets, by=self.who)
                now = self.context.now()
                id_ = f"{plan.digest}@{now:.0f}"
                for event in engine.start(executor.table, journal.record, id_, plan.subject, state):
                    journal.append(event, now)
                return await self._run(executor, journal, progress)

    def check_resumable(self) -> None:
        """Whether what is under way at this server, if anything is, is what was asked for. Raises NotPossible."""
        record = self.record
        if record is not None and record.open:
            _check_same("the work in progress there", record.state.spec, self.spec)

    async def resume(self, *, undo: bool = False, progress: OnProgress = silent) -> RunResult:
        """Continue what is under way, or clean it up. Raises as `apply`."""
        with self._journal() as journal:
            record: Record[ServerState] | None = journal.record
            if record is None or not record.open:
                reason = "nothing is in progress on this server: leave out --resume and --undo"
                raise Refused(f"work on {self.spec.name}", (reason,))
            async with self._executor(record.state.spec) as executor:
                turned = engine.turn_back(executor.table, record, "start") if undo and not record.back else None
                seen = await executor.observe_all()
                if turned is not None:
                    journal.append(turned, self.context.now())
                elif not record.back:
                    procedures.check_secrets(executor.spec, seen, self.secrets)
                return await self._run(executor, journal, progress)

    @property
    def _path(self) -> Path:
        return procedures.server_journal(self.context.state_dir, self.farm.name, self.spec.name)

    def _journal(self) -> engine.FileJournal:
        return engine.FileJournal(self._path, SERVER_STATES, now=self.context.now(), who=self.who)

    async def _run(self, executor: ServerExecutor, journal: engine.FileJournal, progress: OnProgress) -> RunResult:
        return await engine.run(executor.table, executor, journal, clock=self.context.clock, progress=progress)

    @asynccontextmanager
    async def _executor(self, spec: ServerSpec) -> AsyncIterator[ServerExecutor]:
        async with self.context.shell() as shell:
            yield ServerExecutor(shell, self.farm, spec, self.secrets, self.context.now, self.context.external)


def server_operation(
    context: OperationContext, farm: str, operation: Operation, host: str, secrets: Secrets, **options: Any
) -> ServerOperation:
    """`options`: what else ServerSpec has. A host of the settings may be named without its address.

    Raises SelectionError.
    """
    settings = context.farm(farm)
    known = (known for known in (*settings.nodes, *settings.proxies) if known.lower().startswith(f"{host.lower()}="))
    spec = ServerSpec(
        operation=operation,
        farm=settings.name,
        federation_name=settings.federation_name,
        host=next(known, host),
        **options,
    )
    return ServerOperation(context=context, farm=settings, spec=spec, secrets=secrets)


def _check_same(what: str, planned: ServerSpec, asked: ServerSpec) -> None:
    """Options beside a plan must say what it says: one that is passed over would mislead. Those not given say nothing."""
    for option in fields(planned):
        there, here = getattr(planned, option.name), getattr(asked, option.name)
        if option.name == "host":
            there, here = planned.name, asked.name
        if here not in (option.default, there):
            name = option.name.replace("_", " ")
            raise NotPossible(f"{what} has {name} {there or 'none'}, not {here}; nothing was changed")
