"""Drives a rollover to its end, as an administrator would who comes back whenever it waits, asks or was killed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from adfs_mgmt.farm import Use
from adfs_mgmt.procedures.executor import AdfsExecutor
from adfs_mgmt.procedures.request import RolloverRequest, initial_state
from adfs_mgmt.procedures.rollover import STATES, procedure_of
from adfs_mgmt.procedures.view import RolloverPolicy
from foundation.procedures import (
    Acknowledged,
    End,
    FileJournal,
    Procedure,
    Record,
    RunResult,
    Step,
    next_step,
    read,
    run,
    start,
    turn_back,
    turn_forward,
)
from tests.adfs.procedures.world import TOKEN, World
from tests.foundation.procedures.lamps import Fuse, FusedJournal, Killed

POLICY = RolloverPolicy()

__all__ = ["POLICY", "Fuse", "begin", "drive", "end_state", "move_on", "next_of", "once", "opened", "procedure", "turn"]


def executor(world: World) -> AdfsExecutor:
    """Over a world."""
    return AdfsExecutor(world, world.observe, world, world, world.now)  # type: ignore[arg-type]


def procedure(record: Record[Any]) -> Procedure[Any]:
    """Of what is under way."""
    return _procedure_of(record.kind)


@cache
def _procedure_of(kind: str) -> Procedure[Any]:
    return procedure_of(kind, POLICY)


async def next_of(record: Record[Any], world: World) -> Step:
    """What is next."""
    return next_step(procedure(record), await world.observe(), record, world.time)


@contextmanager
def opened(path: Path, world: World, fuse: Callable[[str], None] | None = None) -> Iterator[FileJournal]:
    """The journal, with a fuse in it."""
    with FusedJournal(path, STATES, now=world.time, who="ann@ws1") as journal:
        journal.fuse = fuse or (lambda what: None)
        yield journal


def turn(path: Path, world: World, record: Record[Any], to: str) -> None:
    """An administrator says: go back; or forward again, where `to` is empty. After the end it is opened again."""
    table = procedure(record)
    with opened(path, world) as journal:
        if journal.record is not None and not journal.record.open:
            for event in start(table, journal.record, "r2", "prod", record.state):
                journal.append(event, world.time)
        turned = turn_back(table, record, to) if to else turn_forward(table, record)
        journal.append(turned, world.time)


async def begin(
    path: Path, world: World, request: RolloverRequest | None = None, fuse: Callable[[str], None] | None = None
) -> None:
    """Start it, unless it was started."""
    request = request or RolloverRequest(kind="token", uses=TOKEN)
    record = read(path, STATES)
    if record is not None and record.open:
        return
    state = initial_state(request, await world.observe(), POLICY, world.time)
    with opened(path, world, fuse) as journal:
        for event in start(procedure_of(request.kind, POLICY), journal.record, "r1", "prod", state):
            journal.append(event, world.time)


async def once(path: Path, world: World, fuse: Callable[[str], None] | None = None, **more: Any) -> RunResult:
    """One run of apply."""
    with opened(path, world, fuse) as journal:
        assert journal.record is not None
        return await run(procedure(journal.record), executor(world), journal, clock=world, **more)


async def drive(
    path: Path,
    world: World,
    *,
    request: RolloverRequest | None = None,
    fuse: Callable[[str], None] | None = None,
    stop: Callable[[RunResult], bool] = lambda outcome: False,
    runs: int = 60,
) -> RunResult:
    """Until it is done, or `stop` says so. Waits are slept through, questions answered, kills survived."""
    if fuse is not None:
        world.event = fuse
    outcome, begun = None, False
    for _ in range(runs):
        try:
            if not begun:
                await begin(path, world, request, fuse)
                begun = True
            outcome = await once(path, world, fuse)
            if outcome.end is End.DONE or outcome.end in {End.REFUSED, End.STOPPED} or stop(outcome):
                return outcome
            await move_on(path, world, outcome, fuse)
        except Killed:
            begun = False
            record = read(path, STATES)
            if record is not None and not record.open:
                return RunResult(end=End.DONE, step=await next_of(record, world), record=record)
    raise AssertionError(f"no end after {runs} runs: {outcome}")


async def move_on(path: Path, world: World, outcome: RunResult, fuse: Callable[[str], None] | None = None) -> None:
    """Time passes, or a person answers."""
    if outcome.end is End.ASKING:
        with opened(path, world, fuse) as journal:
            for name in outcome.step.ask:
                journal.append(Acknowledged(name=name), world.time)
    world.time = max(world.time, outcome.step.until)


def end_state(world: World) -> dict[str, Any]:
    """What must be the same however often it was interrupted."""
    state = {
        "token": {use.value: rows for use, rows in world.config.token.items()},
        "auto": world.config.auto,
        "service": world.config.service,
        "domains": {name: sorted(slots) for name, slots in world.domains.items()},
        "bindings": world.bindings,
        "applications": world.applications,
        "nodes": [world.seen(host).token[Use.SIGNING] for host in world.nodes],
    }
    return copy.deepcopy(state)
