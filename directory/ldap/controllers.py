"""The domain controllers of one directory, and the order in which they are asked."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterator

from directory.errors import NoDirectory
from directory.ldap.connection import parse_server
from directory.ldap.controller import Controller
from directory.ldap.service_login import ServiceLogin
from directory.ldap.tls import make_context, normalise_fingerprint
from directory.settings import DirectorySettings


class Controllers:
    """servers: `host:port` of each. clock: Unix seconds. on_change: see `Controller`. Raises SettingsProblem."""

    def __init__(
        self,
        settings: DirectorySettings,
        servers: tuple[str, ...],
        clock: Callable[[], float],
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        context = make_context(settings.tls)
        pins = tuple(map(normalise_fingerprint, settings.tls.pinned_sha256))
        allow_plain = settings.send_passwords_unencrypted_over_the_network
        service = ServiceLogin(settings)
        self._directory = settings.name
        self._all = [
            Controller(settings, parse_server(server, allow_plain=allow_plain), context, pins, clock, service, on_change)
            for server in servers
        ]

    def __iter__(self) -> Iterator[Controller]:
        return iter(self._all)

    def candidates(self, account: str) -> Iterator[Controller]:
        """Whom to ask, in order: those that are due for a probe, then the healthy ones.

        The same first one for the same account, however it is spelt: each counts its own wrong passwords.
        """
        for controller in self._all:
            if not controller.is_up and controller.may_probe():
                yield controller
        healthy = [controller for controller in self._all if controller.is_up]
        turn = zlib.crc32(account.casefold().encode())
        yield from (healthy[(turn + n) % len(healthy)] for n in range(len(healthy)))

    def none_answered(self) -> NoDirectory:
        """The error of a question that no candidate answered."""
        return NoDirectory(self._directory, tuple(map(str, self._all)), "none answered")

    async def close(self) -> None:
        """Hang up; returns when the connections have ended."""
        await asyncio.gather(*(controller.close() for controller in self._all))
