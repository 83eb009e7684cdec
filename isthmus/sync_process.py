"""What commands of synchronisation that read or write have in common: state and lease, sources, rules, targets."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from certs import check_closed
from isthmus.sync_settings import SyncSettings
from sync.rules import DEFAULT_FILES, RuleSet, SourceDescription, read_rules
from sync.run import (
    SourceRead,
    Synchronisation,
    TargetAccess,
    comparison_due,
    edition_of,
    note_comparison,
    require_complete,
)
from sync.source import AdSourceSettings, Source, SourceSettings, open_source
from sync.state import LeaseHeld, StateError, SyncState, open_state
from sync.target.scim import ScimTarget

LEASE: Final = 300.0
"""Seconds. Rules of a large directory are computed without a pause, in which the lease could be renewed; after a kill, the
next process waits for as long."""
RENEWAL: Final = 20.0
"""Seconds between two renewals."""
_PLANS_KEPT: Final = 30
"""Plans of runs that are kept, the youngest."""


@dataclass(frozen=True, slots=True)
class LoadedRules:
    """Rules, and the digest of their files."""

    rules: RuleSet
    edition: str


def load_rules(file: Path | None) -> LoadedRules:
    """file: None for the default rules. Raises RulesRefused."""
    own: bytes | None = None
    if file is not None:
        with contextlib.suppress(OSError):  # read_rules says what is wrong with it
            own = file.read_bytes()
    rules = read_rules(file, content=own)
    defaults = [default.read_bytes() for default in DEFAULT_FILES]
    return LoadedRules(rules, edition_of(defaults if own is None else [own, *defaults]))


def names_of(rules: RuleSet) -> tuple[str, ...]:
    """Attributes that sources have to deliver."""
    names = {name for needs in rules.needs.values() for name in (*needs.attributes, *needs.links)}
    return tuple(sorted(names | ({rules.anchor} if rules.anchor else set())))


def describe(name: str, settings: SourceSettings, parameters: Mapping[str, str]) -> SourceDescription:
    """What rules have to know of a source. parameters: of the settings; they come first."""
    if not isinstance(settings, AdSourceSettings):
        return SourceDescription(name=name, parameters=parameters)
    domains = {
        domain.base_dn: {"Domain.FQDN": domain.name, "Domain.LDAP": domain.base_dn, **parameters}
        for domain in settings.domains
    }
    return SourceDescription(name=name, parameters=parameters, domains=domains)


@dataclass(frozen=True, slots=True)
class SyncSession:
    """Everything that a run needs. The lease is held as long as the session is open."""

    settings: SyncSettings
    state: SyncState
    sync: Synchronisation
    loaded: LoadedRules
    basis: str
    """Digest of rules, sources and targets: where it changes, everything is compared."""
    clock: Callable[[], float]

    def comparison_due(self) -> bool:
        """Whether everything has to be read and compared."""
        return comparison_due(self.state, self.basis, self.clock())

    def note_comparison(self) -> None:
        """Everything was read in full, and has to be looked at."""
        note_comparison(self.state, self.basis, self.clock())

    async def read(self, run: int, *, full: bool) -> tuple[SourceRead, ...]:
        """All sources; in full where a comparison is due, too. Raises SourceUnread, StateError."""
        full = full or self.comparison_due()
        read = await self.read_only(run, full=full)
        if full:
            self.note_comparison()
        return read

    async def read_only(self, run: int, *, full: bool = True) -> tuple[SourceRead, ...]:
        """All sources, without a note that everything is to be compared. Raises SourceUnread, StateError."""
        read = await self.sync.read(run, full=full)
        require_complete(read)
        return read

    @contextmanager
    def run(self, kind: str) -> Iterator[int]:
        """One line of the history: its number. It failed where the block raises, else it is to be ended."""
        number = self.state.journal.begin_run(kind, self.clock())
        try:
            yield number
        except BaseException as error:
            self.sync.end_failed(number, error)
            raise

    def make_plans_dir(self) -> Path:
        """Where runs put their plans; of earlier ones the youngest stay. Raises OSError."""
        folder = self.settings.plans_dir
        folder.mkdir(mode=0o700, exist_ok=True)
        youngest = sorted(folder.glob("*.plan"), key=lambda path: path.stat().st_mtime, reverse=True)
        for old in youngest[_PLANS_KEPT:]:
            old.unlink(missing_ok=True)
        return folder


@asynccontextmanager
async def open_session(
    settings: SyncSettings, command: str, loaded: LoadedRules, clock: Callable[[], float]
) -> AsyncIterator[SyncSession]:
    """command: who holds the lease, in words. clock: Unix seconds.

    Raises StateError, KeyStoreError (a state directory that is open to others), OSError, SettingsProblem, TargetError. A
    session that loses its lease ends with LeaseLost.
    """
    make_state_dir(settings)
    async with AsyncExitStack() as stack:
        state = open_state(settings.state_file)
        stack.callback(state.close)
        await stack.enter_async_context(held_lease(state, holder(command), clock))
        sources = [await _open(stack, name, one, loaded, clock) for name, one in settings.sources.items()]
        targets = {}
        for name, one in settings.targets.items():
            target = ScimTarget(name, one)
            stack.push_async_callback(target.close)
            targets[name] = TargetAccess(target, await target.profile(), one.deletion)
        sync = Synchronisation(
            state,
            sources,
            loaded.rules,
            targets,
            edition=loaded.edition,
            limits=settings.guard,
            descriptions=[describe(name, one, settings.parameters.get(name, {})) for name, one in settings.sources.items()],
            clock=clock,
            made_by=f"isthmus sync {command}",
        )
        yield SyncSession(settings, state, sync, loaded, _basis(settings, loaded), clock)


def make_state_dir(settings: SyncSettings) -> None:
    """Where there is none. Raises OSError; KeyStoreError for one that is open to others."""
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_closed(settings.state_dir)


async def _open(
    stack: AsyncExitStack, name: str, settings: SourceSettings, loaded: LoadedRules, clock: Callable[[], float]
) -> Source:
    source = await asyncio.to_thread(open_source, name, settings, names_of(loaded.rules), clock=clock)
    stack.push_async_callback(source.close)
    return source


def _basis(settings: SyncSettings, loaded: LoadedRules) -> str:
    made_from = (loaded.edition, dict(settings.sources), dict(settings.targets), dict(settings.parameters))
    return hashlib.blake2b(repr(made_from).encode(), digest_size=6).hexdigest()


def holder(command: str) -> str:
    """Who has the lease, for people who have to find it."""
    return f"isthmus sync {command} (process {os.getpid()} on {socket.gethostname()})"


@asynccontextmanager
async def held_lease(
    state: SyncState, holder: str, clock: Callable[[], float], *, renewal: float = RENEWAL
) -> AsyncIterator[None]:
    """The lease is renewed as long as the block runs, which is cancelled when it is lost. Raises LeaseHeld; LeaseLost."""
    state.take_lease(holder, clock(), LEASE)
    block = asyncio.current_task()
    assert block is not None  # noqa: S101 - a coroutine runs in a task
    failed: list[StateError] = []

    async def renew() -> None:
        while True:
            await asyncio.sleep(renewal)
            try:
                state.renew_lease(clock(), LEASE)
            except StateError as error:
                failed.append(error)
                block.cancel()
                return

    renewing = asyncio.create_task(renew(), name="lease of the state")
    try:
        yield
    except asyncio.CancelledError:
        if not failed:
            raise
        block.uncancel()
        raise failed[0] from None
    finally:
        renewing.cancel()
        with contextlib.suppress(asyncio.CancelledError):  # also of a block that had ended when the lease was lost
            await renewing
        with contextlib.suppress(StateError):
            state.release_lease()


def lease_holder(state: SyncState) -> LeaseHeld | None:
    """Who has the lease, or had it and was killed: then `until` has passed. Whoever has it does not lose it by this."""
    try:
        state.take_lease("", 0.0, 0.0)  # as of 1970, so that nothing that was not released has run out
    except LeaseHeld as held:
        return held
    state.release_lease()
    return None
