"""The steps of a run, in their order; each can be run alone: read, plan, apply."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from sync.model import ObjectKind
from sync.plan import (
    Guard,
    GuardLimits,
    PlanEntry,
    PlanFile,
    PlanHeader,
    PlanWriter,
    SourceCount,
    TargetTotals,
    check_world,
)
from sync.rules import RuleSet, SourceDescription
from sync.run.errors import GuardStopped, SourceUnread
from sync.run.persons import PersonBuilder
from sync.run.planner import Planner, TargetAccess
from sync.run.source_reader import SourceRead, read_source, require_complete
from sync.run.writer import Writer, Written
from sync.source import Source
from sync.state import StateError, SyncState

_OBJECTS: Final = "objects of "
"""Name of a count of a run, before that of a source."""
_LOOKED_AT: Final = 100
"""Runs that are looked through for the last one that wrote."""
_PASSES: Final = 3
"""Of a run: accounts are made in the first, their members follow in the second; the third has nothing to do."""


class RunReport(Struct, frozen=True):
    """What a run came to."""

    run: int
    read: tuple[SourceRead, ...]
    plans: tuple[PlanHeader, ...]
    written: Written


class Synchronisation:
    """Sources, rules and targets, with one state. edition: of the rules, such as a digest of their files."""

    def __init__(
        self,
        state: SyncState,
        sources: Sequence[Source],
        rules: RuleSet,
        targets: Mapping[str, TargetAccess],
        *,
        edition: str,
        limits: GuardLimits,
        descriptions: Sequence[SourceDescription] = (),
        clock: Callable[[], float],
        made_by: str = "isthmus sync",
    ) -> None:
        self._state, self._sources, self._rules, self._targets = state, sources, rules, targets
        self._edition, self._limits, self._clock = edition, limits, clock
        self._descriptions = tuple(descriptions) or tuple(SourceDescription(name=source.name) for source in sources)
        self._made_by = made_by
        self._writer = Writer(state, {name: access.target for name, access in targets.items()}, clock)
        unique = {name: _unique(access) for name, access in targets.items()}
        self._unique = unique
        state.persons.index("account", sorted({name for found in unique.values() for name in found}))

    async def read(self, run: int, *, full: bool = False) -> tuple[SourceRead, ...]:
        """What sources say, into the state. Raises StateError."""
        return tuple([await read_source(self._state, source, run, self._clock, full=full) for source in self._sources])

    async def plan(self, path: Path) -> PlanHeader:
        """What differs, into a file. Asks targets, and writes to none.

        Raises SourceUnread, PlanNotWritten, RulesRefused, StateError.
        """
        self._check_sources()
        await self._writer.recover()  # a plan on what may have been done already would not be right
        planner, now = self._planner(), self._clock()
        for _ in planner.builder.judge_objects(now):
            pass  # a held object stays marked; its person shows the reason
        guard = self._guard()
        with PlanWriter(path, self._unique) as writer:
            for affected in self._state.marks.affected_persons():
                for line in (await planner.person(affected, now)).lines:
                    writer.add(guard.check(line) if isinstance(line, PlanEntry) else line)
            return writer.finish(
                secrets.token_hex(8),
                made_at=now,
                made_by=self._made_by,
                marks={"rules": self._edition},
                stops=guard.stops(self._source_counts()),
            )

    async def apply(self, run: int, path: Path) -> Written:
        """Exactly what the plan says. Raises GuardStopped, WorldMoved, PlanDamaged, StateError; then nothing was written."""
        with PlanFile(path) as plan:
            if plan.header.stops:
                raise GuardStopped(path, plan.header.stops)
            planner, now = self._planner(), self._clock()
            current = {}
            for entry in plan.entries():
                current[entry.operation.id] = await planner.current(entry, now)
            check_world(plan.lines(), lambda entry: current[entry.operation.id])
            written = await self._writer.write(run, plan.entries)
        await self._settle(planner)
        return written

    async def run(self, folder: Path, *, full: bool = False, when_read: Callable[[], None] = lambda: None) -> RunReport:
        """Read, plan, guard, apply, until nothing is left to do. Raises as its steps do.

        when_read: called once every source was read to its end, before anything is planned.
        """
        run = self._state.journal.begin_run("run", self._clock())
        plans: list[PlanHeader] = []
        total, own = Written(), Written()
        try:
            read = await self.read(run, full=full)
            require_complete(read)
            when_read()
            for number in range(_PASSES):
                path = folder / f"run-{run}-{number + 1}.plan"
                header = await self.plan(path)
                plans.append(header)
                if not header.total and not header.stops:
                    await self._settle(self._planner())
                    break
                written = await self._pass(run, number, path)
                own = written if number == 0 else own
                total.add(written)
                if not written.confirmed:
                    break
        except BaseException as error:
            self.end_failed(run, error)
            raise
        self.end_done(run, own)
        return RunReport(run, read, tuple(plans), total)

    async def _pass(self, run: int, number: int, path: Path) -> Written:
        """The first pass belongs to the run; each later one is a run of its own, since operations are numbered in a plan."""
        if number == 0:
            return await self.apply(run, path)
        pass_run = self._state.journal.begin_run("run", self._clock())
        try:
            written = await self.apply(pass_run, path)
        except BaseException as error:
            self.end_failed(pass_run, error)
            raise
        self.end_done(pass_run, written)
        return written

    def end_done(self, run: int, written: Written | None = None) -> None:
        """A run has come to its end. written: what it wrote to targets."""
        counts: dict[str, int] = {}
        if written is not None:  # what was written rests on so many objects: the next run is held against it
            objects = {_OBJECTS + source.name: self._state.objects.count(source.name) for source in self._sources}
            counts = {**structs.asdict(written), **objects}
        self._state.journal.end_run(run, "done", self._clock(), counts=counts)

    def end_failed(self, run: int, error: BaseException) -> None:
        """A run was broken off by this."""
        interrupted = isinstance(error, asyncio.CancelledError | KeyboardInterrupt)
        detail = "it was interrupted" if interrupted else f"{type(error).__name__}: {error}"[:500]
        with contextlib.suppress(StateError):  # what has gone wrong first is what has to be told
            self._state.journal.end_run(run, "failed", self._clock(), detail=detail)

    async def _settle(self, planner: Planner) -> None:
        """A mark goes when nothing differs any more, and nothing waits."""
        now = self._clock()
        for affected in self._state.marks.affected_persons():
            found = await planner.person(affected, now)
            if found.waits or any(isinstance(line, PlanEntry) for line in found.lines):
                continue
            planner.settle_links(affected.person, now)
            self._state.marks.settle_person(affected)

    def _planner(self) -> Planner:
        builder = PersonBuilder(self._state, self._rules, self._descriptions)
        return Planner(self._state, builder, self._targets, edition=self._edition)

    def _guard(self) -> Guard:
        totals = {
            name: TargetTotals(accounts=self._state.accounts.count(name), links=self._state.accounts.link_count(name))
            for name in self._targets
        }
        names = {name: frozenset(found) for name, found in self._unique.items()}
        return Guard(self._limits, self._state.decisions.all(), totals, names=names)

    def _source_counts(self) -> Iterator[SourceCount]:
        """What each source has now, and had when targets were written the last time."""
        runs = [run for run in self._state.journal.runs(last=_LOOKED_AT) if run.outcome == "done"]
        for source in self._sources:
            now, name = self._state.objects.count(source.name), _OBJECTS + source.name
            yield SourceCount(source.name, next((run.counts[name] for run in runs if name in run.counts), now), now)

    def _check_sources(self) -> None:
        """A plan rests on what is known of every source. Raises SourceUnread."""
        unread = [source.name for source in self._sources if not self._state.objects.status(source.name).complete]
        if unread:
            raise SourceUnread(tuple(unread))


def edition_of(texts: Iterable[bytes]) -> str:
    """Of rules, by the content of their files."""
    digest = hashlib.blake2b(digest_size=6)
    for text in texts:
        digest.update(len(text).to_bytes(8) + text)
    return digest.hexdigest()


def _unique(access: TargetAccess) -> Mapping[str, str]:
    return {name: name for kind in ObjectKind for name in access.profile.unique.get(kind, frozenset())}
