"""Host names of applications' servers are looked up in threads of their own.

`getaddrinfo` blocks, knows no deadline, and cannot be cancelled: where name servers do not answer, it has its thread for
half a minute and more. In the event loop's own threads that would hold up whatever else is done there. So each name that is
looked up has one thread until it ends, however many ask for it meanwhile, and nobody waits longer than the limit: a party
whose name servers hang has one of the threads, and its own requests fail.

Kind of state: this node's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

AT_ONCE: Final = 64
"""Names that are looked up at a time; an idle thread costs next to nothing, and there are no more than trusts have names."""
LIMIT: Final = 10.0
"""Seconds for one name; longer than a party that is told of a logout has for all of it, for it is left because of that."""

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
"""Of `socket.getaddrinfo`: family, type, protocol, canonical name, and the address proper."""
Resolve = Callable[..., list[Any]]


class NameLookups:
    """resolve: as `socket.getaddrinfo`."""

    def __init__(self, resolve: Resolve | None = None, *, at_once: int = AT_ONCE, limit: float = LIMIT) -> None:
        self._resolve: Resolve = resolve or socket.getaddrinfo
        self._limit = limit
        self._places = asyncio.Semaphore(at_once)
        self._under_way: dict[str, asyncio.Future[list[AddressInfo] | Exception]] = {}

    async def addresses(self, host: str) -> list[AddressInfo]:
        """Of a name, for TCP, with port 0. Cancelling leaves the thread to its end. Raises OSError, UnicodeError."""
        try:
            async with asyncio.timeout(self._limit):
                if host not in self._under_way:
                    await self._places.acquire()
                    if host in self._under_way:  # somebody else's turn came first
                        self._places.release()
                found = await asyncio.shield(self._under_way.get(host) or self._start(host))
        except TimeoutError as error:
            raise OSError(f"{host} was not resolved within {self._limit:g} s; check its name servers") from error
        if isinstance(found, Exception):
            raise found
        return found

    def _start(self, host: str) -> asyncio.Future[list[AddressInfo] | Exception]:
        """The place is ours, and given back when the thread ends. A daemon: the process does not wait for it."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[AddressInfo] | Exception] = loop.create_future()

        def finish(found: list[AddressInfo] | Exception) -> None:
            del self._under_way[host]
            self._places.release()
            future.set_result(found)

        def work() -> None:
            found: list[AddressInfo] | Exception
            try:
                found = self._resolve(host, 0, type=socket.SOCK_STREAM)
            except Exception as error:  # noqa: BLE001 - whoever waits for it gets it
                found = error
            with contextlib.suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(finish, found)

        self._under_way[host] = future
        try:
            threading.Thread(target=work, name=f"name-lookup {host}", daemon=True).start()
        except RuntimeError as error:  # the system has no thread left
            finish(OSError(f"{host} cannot be looked up: {error}"))
        return future


class LookupResolver(AbstractResolver):
    """For connections of aiohttp."""

    def __init__(self, lookups: NameLookups) -> None:
        self._lookups = lookups

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Raises OSError, UnicodeError."""
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=port,
                family=found,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for found, _, protocol, _, address in await self._lookups.addresses(host)
            if family in {socket.AF_UNSPEC, found}
        ]

    async def close(self) -> None:
        """Nothing is open."""
