"""The door: several directories behind one async face, routed by the name that was typed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from directory.credentials.checker import BeforeBind, OneDirectory
from directory.errors import NotFound, SettingsProblem
from directory.ldap.discovery import resolve_servers
from directory.model import Check, ControllerHealth, Credential, Identity, Outcome, Verdict
from directory.people.names import LoginName, parse_name
from directory.settings import DirectorySettings

T = TypeVar("T")


class _Lane:
    """One directory, and how much of it may be under way at a time."""

    def __init__(self, directory: OneDirectory) -> None:
        self.directory = directory
        settings = directory.settings
        self._turn = asyncio.Semaphore(settings.connections)
        self._limit = settings.connections + settings.queue
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Run it when its turn has come; None where too much waits already."""
        if self._under_way >= self._limit:
            return None
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
        await self.directory.close()


class Directories:
    """All directories of an agent. clock: Unix seconds, that of the deadlines. Raises SettingsProblem.

    Made and used on one event loop. Cancelling a call hangs up on the domain controller that it was talking to.
    """

    def __init__(self, settings: Sequence[DirectorySettings], *, clock: Callable[[], float] = time.time) -> None:
        if not settings:
            raise SettingsProblem("directories", "is empty", "Name at least one directory.")
        self._lanes: list[_Lane] = []
        self._by_suffix: dict[str, _Lane] = {}
        self._by_netbios: dict[str, _Lane] = {}
        for each in settings:
            self._add(_Lane(OneDirectory(each, resolve_servers(each), clock)))

    def _add(self, lane: _Lane) -> None:
        settings = lane.directory.settings
        self._lanes.append(lane)
        for suffix in (settings.name, *settings.upn_suffixes):
            if self._by_suffix.setdefault(suffix.lower(), lane) is not lane:
                raise SettingsProblem("upn_suffixes", f"{suffix} belongs to two directories", "Name it once.")
        if settings.netbios_name and self._by_netbios.setdefault(settings.netbios_name.lower(), lane) is not lane:
            raise SettingsProblem("netbios_name", f"{settings.netbios_name} belongs to two directories", "Name it once.")

    @property
    def domains(self) -> tuple[str, ...]:
        """What is answered for: UPN suffixes and NetBIOS names, lower case; `*` where bare names have one home."""
        names = (*self._by_suffix, *self._by_netbios)
        return (*names, "*") if len(self._lanes) == 1 else names

    def directory_of(self, name: str) -> str | None:
        """Name of the directory that a name belongs to, as it is typed; None where there is none, or no telling which."""
        lane = self._lane(parse_name(name))
        return lane.directory.settings.name if lane is not None else None

    async def verify(self, credential: Credential, *, deadline: float, before_bind: BeforeBind | None = None) -> Verdict:
        """Check a credential before `deadline` (Unix seconds). Never raises but for what `before_bind` raises.

        `before_bind` is awaited once, right before the first bind; raising Abandoned there forbids it.
        """
        lane = self._lane(parse_name(credential.name))
        if lane is None:
            return Verdict(Outcome.WRONG_CREDENTIAL, detail="no directory for such a name")
        verdict = await lane.run(lambda: lane.directory.verify(credential, deadline, before_bind))
        return verdict or Verdict(Outcome.BUSY, detail="too many checks wait for this directory")

    async def change_password(
        self, name: str, old: str, new: str, *, deadline: float, before_bind: BeforeBind | None = None
    ) -> Verdict:
        """Change a password, proving the old one; works where it has expired or must be changed. Otherwise as `verify`."""
        lane = self._lane(parse_name(name))
        if lane is None:
            return Verdict(Outcome.WRONG_CREDENTIAL, detail="no directory for such a name")
        verdict = await lane.run(lambda: lane.directory.change_password(name, old, new, deadline, before_bind))
        return verdict or Verdict(Outcome.BUSY, detail="too many checks wait for this directory")

    async def reset_password(self, name: str, new: str, *, must_change: bool = True) -> None:
        """Set a password as the service account. Raises NotFound, Ambiguous, NoDirectory, ServerRefused."""
        lane = self._lane(parse_name(name))
        if lane is None:
            raise NotFound(name)
        await lane.run(lambda: lane.directory.reset_password(name, new, must_change=must_change))

    async def find_user(self, name: str) -> Identity | None:
        """Who answers to a name; None where nobody does. Raises Ambiguous, NoDirectory."""
        lane = self._lane(parse_name(name))
        if lane is None:
            return None
        try:
            return await lane.run(lambda: lane.directory.find_user(name))
        except NotFound:
            return None

    async def check(self) -> list[Check]:
        """Find out what is wrong with each domain controller and the service account; never raises."""
        from directory.inspection import inspect  # brings ldap3 with it, which nobody else needs here

        found = await asyncio.gather(*(lane.run(lambda lane=lane: inspect(lane.directory)) for lane in self._lanes))  # type: ignore[misc]
        return [check for checks in found for check in checks or ()]

    def health(self) -> list[ControllerHealth]:
        """The state of each domain controller, now."""
        return [
            controller.health(lane.directory.settings.name)
            for lane in self._lanes
            for controller in lane.directory.controllers
        ]

    async def close(self) -> None:
        """Let what is under way end, then hang up."""
        await asyncio.gather(*(lane.close() for lane in self._lanes))

    def _lane(self, name: LoginName | None) -> _Lane | None:
        if name is None:
            return None
        if name.netbios:
            return self._by_netbios.get(name.netbios)
        if name.suffix and name.suffix in self._by_suffix:
            return self._by_suffix[name.suffix]
        return self._lanes[0] if len(self._lanes) == 1 else None
