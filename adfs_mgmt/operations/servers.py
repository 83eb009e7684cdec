"""Servers of a farm, added and removed: plan, apply, resume, undo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from adfs_mgmt.farm import FarmSettings
from adfs_mgmt.operations.context import OnProgress, OperationContext, silent
from adfs_mgmt.operations.errors import NotPossible
from adfs_mgmt.procedures import SERVER_STATES, Deployment, Operation, Secrets, ServerSpec, ServerState, server_journal
from foundation.procedures import Plan, RunResult, load, read


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOperation:
    """One operation on one server. `secrets` are needed to plan and to apply, and are kept nowhere."""

    context: OperationContext
    farm: FarmSettings
    spec: ServerSpec
    secrets: Secrets

    async def plan(self) -> Plan[ServerState]:
        """Observe, check and plan; nothing is changed. A server that does not answer is a failed check. Raises RemotingError
        for settings that cannot work."""
        async with self._deployment(silent) as deployment:
            return await deployment.plan(self.spec, self.secrets)

    def load(self, path: Path) -> Plan[ServerState]:
        """A saved plan for this operation. Raises PlanUnusable; NotPossible for one of something else."""
        plan = load(path, SERVER_STATES)
        _check_same(f"plan {plan.digest}", plan.state.spec, self.spec)
        return plan

    async def apply(self, plan: Plan[ServerState], progress: OnProgress = silent) -> RunResult:
        """If the farm is as it was. Cancelled or killed, `resume` continues. Raises ProcedureError, RemotingError."""
        async with self._deployment(progress) as deployment:
            return await deployment.apply(plan, self.secrets)

    def check_resumable(self) -> None:
        """Whether what is under way at this server, if anything is, is what was asked for. Raises NotPossible."""
        record = read(server_journal(self.context.state_dir, self.farm.name, self.spec.name), SERVER_STATES)
        if record is not None and record.open:
            _check_same("what is under way there", record.state.spec, self.spec)

    async def resume(self, *, undo: bool = False, progress: OnProgress = silent) -> RunResult:
        """Continue what is under way, or clean it up. Raises as `apply`."""
        async with self._deployment(progress) as deployment:
            return await deployment.resume(self.spec.name, self.secrets, undo=undo)

    @asynccontextmanager
    async def _deployment(self, progress: OnProgress) -> AsyncIterator[Deployment]:
        async with self.context.shell() as shell:
            yield Deployment(
                shell=shell,
                settings=self.farm,
                state_dir=self.context.state_dir,
                progress=progress,
                clock=self.context.clock,
                external=self.context.external,
            )


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
    for field in fields(planned):
        there, here = getattr(planned, field.name), getattr(asked, field.name)
        if field.name == "host":
            there, here = planned.name, asked.name
        if here not in (field.default, there):
            name = field.name.replace("_", " ")
            raise NotPossible(f"{what} has {name} {there or 'none'}, not {here}; nothing was changed")
