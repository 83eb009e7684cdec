"""Several directories behind one asynchronous interface, routed by the name that was typed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from directory.credentials import BeforeBind, CredentialChecker, reset_password
from directory.errors import NoDirectory, NotFound, SettingsProblem
from directory.ldap import Controller, Controllers, check_servers, make_context, resolve_servers, user_filter, watch
from directory.model import (
    CheckOutcome,
    CheckResult,
    ControllerHealth,
    Credential,
    DirectoryCondition,
    DirectoryIdentity,
    DirectoryReadiness,
    FoundPerson,
    PersonReference,
)
from directory.people import AccountFinder, AccountLookup, LoginName, MayTell, PersonLookup, parse_name
from directory.settings import DirectorySettings
from findings import Finding, failed, warned
from settings import Unfit, dotted

T = TypeVar("T")


class _TooMuchWaits(NoDirectory):
    """The queue is full: nothing was asked. To a check it is an outcome, to everything else an error."""

    def __init__(self, directory: str) -> None:
        super().__init__(directory, (), "too many checks wait for this directory")

    def __str__(self) -> str:
        return f"{self.directory}: {self.reason}; nothing was asked. Try again, or raise `connections`"


class _Directory:
    """One directory, and how much of it may be under way at a time."""

    def __init__(self, settings: DirectorySettings, clock: Callable[[], float], on_change: Callable[[], None]) -> None:
        self.settings = settings
        servers = resolve_servers(settings)
        self.foreign = servers.foreign
        self.controllers = Controllers(settings, servers.used, clock, on_change)
        finder = AccountFinder(settings)
        self.lookup = AccountLookup(self.controllers, finder)
        self.people = PersonLookup(self.controllers, finder, clock)
        self.checker = CredentialChecker(settings, self.controllers, finder, clock)
        self._turn = asyncio.Semaphore(settings.connections)
        self._limit = settings.connections + settings.queue
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run it when its turn has come. Raises _TooMuchWaits immediately where too much waits already."""
        if self._under_way >= self._limit:
            raise _TooMuchWaits(self.settings.name)
        self._under_way += 1
        self._idle.clear()
        try:
            async with self._turn:
                return await work()
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def close(self) -> None:
        await self._idle.wait()
        await self.controllers.close()


def check_trust(settings: DirectorySettings) -> None:
    """See that the authorities of the domain controllers' certificates can be read. Raises SettingsProblem."""
    make_context(settings.tls)


def check_service_password(settings: DirectorySettings) -> None:
    """See that the service account's password can be read, where there is an account. Raises SettingsProblem."""
    settings.service_password()


def contradictions(directories: Sequence[DirectorySettings]) -> Iterator[Unfit]:
    """What `Directories` would refuse, as far as nobody has to be asked; the `setting` begins with the directory's index."""
    for number, settings in enumerate(directories):
        for check in (check_servers, user_filter):
            try:
                check(settings)
            except SettingsProblem as error:
                yield error.as_unfit(f"{number}.{error.setting}")
    yield from _shared_names(directories)


def _shared_names(directories: Sequence[DirectorySettings]) -> Iterator[Unfit]:
    """Names that lead to two directories; the `setting` begins with the second one's index."""
    suffixes: dict[str, int] = {}
    domains: dict[str, int] = {}
    for number, directory in enumerate(directories):
        named = [(suffixes, "upn_suffixes", suffix) for suffix in (directory.name, *directory.upn_suffixes)]
        named += [(domains, "netbios_name", name) for name in (directory.name, directory.netbios_name) if name]
        for taken, setting, name in named:
            first = taken.setdefault(name.lower(), number)
            if first != number:
                setting = "name" if name == directory.name else setting
                problem = f"{name} belongs to {directories[first].name} already"
                yield Unfit(problem, "name it once", setting=f"{number}.{setting}")


class Directories:
    """All directories of an agent. clock: Unix seconds, that of the deadlines. Raises SettingsProblem.

    Made and used on one event loop. Cancelling a call hangs up on the domain controller that it was talking to.
    """

    def __init__(self, settings: Sequence[DirectorySettings], *, clock: Callable[[], float] = time.time) -> None:
        if not settings:
            raise SettingsProblem("directories", "is empty", "Name at least one directory.")
        self._clock = clock
        self._all: list[_Directory] = []
        self._on_change: Callable[[], None] | None = None
        self._by_suffix: dict[str, _Directory] = {}
        """By what stands after the @ …"""
        self._by_domain: dict[str, _Directory] = {}
        """… and by what stands before a backslash, or after the @ as well: NetBIOS and DNS names of domains."""
        for error in _shared_names(settings):
            raise SettingsProblem(dotted(error.key[1:]), error.problem, f"{error.remedy}.".capitalize())
        for directory in settings:
            self._add(_Directory(directory, clock, self._tell))

    def _add(self, directory: _Directory) -> None:
        settings = directory.settings
        self._all.append(directory)
        self._by_suffix.update((suffix.lower(), directory) for suffix in (settings.name, *settings.upn_suffixes))
        names = filter(None, (settings.name, settings.netbios_name))
        self._by_domain.update((name.lower(), directory) for name in names)

    @property
    def domains(self) -> tuple[str, ...]:
        """What is answered for: UPN suffixes and NetBIOS names, lower case; `*` where bare names have one home."""
        names = tuple(dict.fromkeys((*self._by_suffix, *self._by_domain)))
        return (*names, "*") if len(self._all) == 1 else names

    def directory_of(self, name: str) -> str | None:
        """Name of the directory that a name belongs to, as it is typed; None where there is none, or no telling which."""
        directory = self._home(parse_name(name))
        return directory.settings.name if directory is not None else None

    async def verify(self, credential: Credential, *, deadline: float, before_bind: BeforeBind | None = None) -> CheckResult:
        """Check a credential before `deadline` (Unix seconds). Never raises but for what `before_bind` raises.

        `before_bind` is awaited once, right before the first bind; raising Abandoned there forbids it.
        """
        directory = self._home(parse_name(credential.name))
        if directory is None:
            return CheckResult(CheckOutcome.WRONG_CREDENTIAL, detail="no directory for such a name")
        try:
            return await directory.run(lambda: directory.checker.verify(credential, deadline, before_bind))
        except _TooMuchWaits as busy:
            return CheckResult(CheckOutcome.BUSY, detail=busy.reason)

    async def change_password(
        self, name: str, old: str, new: str, *, deadline: float, before_bind: BeforeBind | None = None
    ) -> CheckResult:
        """Change a password, proving the old one; works where it has expired or must be changed. Otherwise as `verify`."""
        directory = self._home(parse_name(name))
        if directory is None:
            return CheckResult(CheckOutcome.WRONG_CREDENTIAL, detail="no directory for such a name")
        checker = directory.checker
        try:
            return await directory.run(lambda: checker.change_password(name, old, new, deadline, before_bind))
        except _TooMuchWaits as busy:
            return CheckResult(CheckOutcome.BUSY, detail=busy.reason)

    async def reset_password(self, name: str, new: str, *, must_change: bool = True) -> None:
        """Set a password as the service account. Raises NotFound, Ambiguous, NoDirectory, ServerRefused."""
        directory = self._home(parse_name(name))
        if directory is None:
            raise NotFound(name)
        settings, lookup = directory.settings, directory.lookup
        await directory.run(lambda: reset_password(settings, lookup, name, new, must_change=must_change))

    async def find_user(self, name: str) -> DirectoryIdentity | None:
        """Who answers to a name; None where nobody does. Raises Ambiguous, NoDirectory."""
        directory = self._home(parse_name(name))
        if directory is None:
            return None
        try:
            return await directory.run(lambda: directory.lookup.find_user(name))
        except NotFound:
            return None

    async def look_up(self, person: PersonReference, *, deadline: float, may_tell: MayTell) -> FoundPerson | None:
        """Who somebody is and whether the account lives, without a password, before `deadline` (Unix seconds).

        may_tell: asked about the account before anything is said of it. None where it may not be told, and where no
        directory can be meant, whether there is such a person or not. Raises Ambiguous, NoDirectory, ServerRefused,
        StateUnreadable, TimeoutError.
        """
        directory = self._home_of(person)
        if directory is None:
            return None
        patience = deadline - self._clock()
        give_up = time.monotonic() + patience
        async with asyncio.timeout(patience):
            return await directory.run(lambda: directory.people.look_up(person, may_tell, give_up))

    def _home_of(self, person: PersonReference) -> _Directory | None:
        if person.domain:
            domain = person.domain.lower()
            return self._by_suffix.get(domain) or self._by_domain.get(domain)
        if person.user_name:
            return self._home(parse_name(person.user_name))
        return self._all[0] if len(self._all) == 1 else None

    async def check(self) -> list[Finding]:
        """Find out what is wrong with each domain controller and the service account; never raises."""
        from directory.inspection import inspect  # brings ldap3 with it, which nobody else needs here

        async def inspected(directory: _Directory) -> list[Finding]:
            try:
                found = await directory.run(lambda: inspect(directory.settings, directory.controllers, self._clock))
                return [*_foreign(directory), *found]
            except _TooMuchWaits as busy:
                return [warned("load", directory.settings.name, busy.reason, "Check again when less is under way.")]

        found = await asyncio.gather(*map(inspected, self._all))
        return [finding for findings in found for finding in findings]

    def health(self) -> list[ControllerHealth]:
        """The state of each domain controller, now."""
        return [
            controller.health(directory.settings.name) for directory in self._all for controller in directory.controllers
        ]

    def readiness(self) -> list[DirectoryReadiness]:
        """Whether each directory can serve a sign-in, by what was seen of its domain controllers last."""
        return [self._readiness(directory) for directory in self._all]

    def _readiness(self, directory: _Directory) -> DirectoryReadiness:
        condition, detail = best_condition(directory.controllers)
        names = {**self._by_suffix, **self._by_domain}
        domains = tuple(name for name, home in names.items() if home is directory)
        if len(self._all) == 1:
            domains = (*domains, "*")
        return DirectoryReadiness(directory.settings.name, domains, condition, detail)

    async def watch(self, on_change: Callable[[], None]) -> None:
        """Look at every domain controller now and then, until cancelled; without it only sign-ins find out who is there.

        on_change: called whenever `health` or `readiness` may have changed.
        """
        self._on_change = on_change
        try:
            async with asyncio.TaskGroup() as tasks:
                for directory in self._all:
                    for controller in directory.controllers:
                        tasks.create_task(watch(controller, directory.settings), name=f"watch {controller}")
        finally:
            self._on_change = None

    def _tell(self) -> None:
        if self._on_change is not None:
            self._on_change()

    async def close(self) -> None:
        """Let what is under way end, then hang up."""
        await asyncio.gather(*(directory.close() for directory in self._all))

    def _home(self, name: LoginName | None) -> _Directory | None:
        if name is None:
            return None
        if name.netbios:
            return self._by_domain.get(name.netbios)
        home = self._by_suffix.get(name.suffix) or self._by_domain.get(name.suffix)
        if home is not None:
            return home
        return self._all[0] if len(self._all) == 1 else None


def best_condition(controllers: Iterable[Controller]) -> tuple[DirectoryCondition, str]:
    """What the best of a directory's domain controllers lets a sign-in expect, and what stands in the way there.

    One that answers and has an obstacle says more of it than one that does not answer.
    """
    best = min(controllers, key=lambda controller: _ORDER.index(controller.condition))
    return best.condition, best.obstacle


_ORDER: tuple[DirectoryCondition, ...] = ("ready", "not_checked", "service_account", "base_dn", "no_controller")


def _foreign(directory: _Directory) -> list[Finding]:
    """What the DNS names and nobody asks."""
    settings = directory.settings
    return [
        failed(
            "DNS",
            f"{settings.name} {host}",
            f"not used: the SRV records name it, but it does not lie below {settings.domain}",
            "See who changed the DNS. If it is a domain controller of yours, list all of them in `servers`.",
        )
        for host in directory.foreign
    ]
