"""Drives a rollover to its end, as an administrator would who comes back whenever it waits, asks or was killed."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adfs_mgmt.farm import Use
from adfs_mgmt.rollover import beginning, plan
from adfs_mgmt.rollover import journal as journals
from adfs_mgmt.rollover.beginning import Request
from adfs_mgmt.rollover.hands import Hands
from adfs_mgmt.rollover.journal import Journal
from adfs_mgmt.rollover.run import End, Outcome, Rollover, apply
from tests.adfs.rollover.world import TOKEN, Killed, World

WORK = Rollover()


def hands(world: World) -> Hands:
    """Over a world."""
    return Hands(world, world.look, world, world, world.now)  # type: ignore[arg-type]


class Fuse:
    """Kills at one event, once; counts them all."""

    def __init__(self, at: int = -1) -> None:
        self.at, self.count, self.where = at, 0, ""

    def __call__(self, what: str) -> None:
        self.count += 1
        if self.count - 1 == self.at:
            self.where = what
            raise Killed(what)


class FusedJournal(Journal):
    """Dies before a line is written, with half of it on disk, or right after."""

    fuse: Callable[[str], None]

    def _append(self, kind: str, data: Any, now: float) -> Any:
        self.fuse(f"before journal {kind}")
        self._torn(kind)
        record = super()._append(kind, data, now)
        self.fuse(f"after journal {kind}")
        return record

    def _torn(self, kind: str) -> None:
        try:
            self.fuse(f"torn journal {kind}")
        except Killed:
            os.write(self._descriptor, b'{"v":1,"n":')
            raise


@contextmanager
def opened(path: Path, world: World, fuse: Callable[[str], None] | None = None) -> Iterator[Journal]:
    """The journal, with a fuse in it."""
    FusedJournal.fuse = staticmethod(fuse or (lambda what: None))
    with FusedJournal(path, now=world.time, who="ann@ws1") as journal:
        yield journal


async def begin(path: Path, world: World, request: Request | None = None, fuse: Callable[[str], None] | None = None) -> None:
    """Start it, unless it was started."""
    request = request or Request(kind="token", uses=TOKEN)
    record = journals.read(path)
    if record is not None and record.open:
        return
    facts = beginning.facts(request, await world.look(), WORK.policy, world.time)
    with opened(path, world, fuse) as journal:
        journal.start("r1", request.kind, "prod", facts, now=world.time)


async def once(path: Path, world: World, fuse: Callable[[str], None] | None = None, **more: Any) -> Outcome:
    """One run of apply."""
    with opened(path, world, fuse) as journal:
        return await apply(WORK, hands(world), journal, clock=world, **more)


async def drive(
    path: Path,
    world: World,
    *,
    request: Request | None = None,
    fuse: Callable[[str], None] | None = None,
    stop: Callable[[Outcome], bool] = lambda outcome: False,
    runs: int = 60,
) -> Outcome:
    """Until it is done, or `stop` says so. Waits are slept through, questions answered, kills survived."""
    if fuse is not None:
        world.event = fuse
    outcome = None
    for _ in range(runs):
        try:
            await begin(path, world, request, fuse)
            outcome = await once(path, world, fuse)
            if outcome.end is End.DONE or outcome.end in {End.REFUSED, End.STOPPED} or stop(outcome):
                return outcome
            await move_on(path, world, outcome, fuse)
        except Killed:
            record = journals.read(path)
            if record is not None and not record.open:
                return Outcome(
                    end=End.DONE, step=plan.next_step(await world.look(), record, WORK.policy, world.time), record=record
                )
    raise AssertionError(f"no end after {runs} runs: {outcome}")


async def move_on(path: Path, world: World, outcome: Outcome, fuse: Callable[[str], None] | None = None) -> None:
    """Time passes, or a person answers."""
    if outcome.end is End.ASKING:
        with opened(path, world, fuse) as journal:
            for name in outcome.step.ask:
                journal.acknowledge(name, now=world.time)
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
