"""Names of applications' servers are looked up beside everything else, by a resolver that hangs."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Never

import pytest

from gateway.federation.name_lookups import LookupResolver, NameLookups

BOTH = [
    (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::1", 0, 0, 0)),
    (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0)),
]


class HangingServers:
    """Names that begin with `hanging` are resolved when they are released; as `socket.getaddrinfo`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.threads: list[threading.Thread] = []
        self._released: defaultdict[str, threading.Event] = defaultdict(threading.Event)

    def __call__(self, host: str, port: int, *, type: int) -> list[Any]:  # noqa: A002 - its name there
        assert (port, type) == (0, socket.SOCK_STREAM)
        self.asked.append(host)
        self.threads.append(threading.current_thread())
        if host.startswith("hanging"):
            self._released[host].wait(10.0)
        if host == "nobody":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return BOTH

    def release(self, *names: str) -> None:
        """They answer; without names, all that were asked for, and every thread has ended when this returns."""
        for name in names or self.asked:
            self._released[name].set()
        for thread in () if names else self.threads:
            thread.join()


@pytest.fixture
def servers() -> Iterator[HangingServers]:
    made = HangingServers()
    yield made
    made.release()


async def test_a_name_that_hangs_has_one_thread_however_many_ask(servers: HangingServers) -> None:
    """Others are resolved meanwhile; who asks for it waits no longer than the limit, and the process not at all."""
    lookups = NameLookups(servers, at_once=2, limit=0.1)
    asked = [asyncio.create_task(lookups.addresses("hanging")) for _ in range(20)]
    await asyncio.sleep(0)
    assert await lookups.addresses("app") == await lookups.addresses("wiki") == BOTH
    failures = await asyncio.gather(*asked, return_exceptions=True)
    assert {str(failure) for failure in failures} == {"hanging was not resolved within 0.1 s; check its name servers"}
    with pytest.raises(OSError, match="not resolved"):
        await lookups.addresses("hanging")
    assert servers.asked == ["hanging", "app", "wiki"]
    assert all(thread.daemon for thread in servers.threads)


async def test_no_more_threads_than_there_are_places(servers: HangingServers) -> None:
    """Who finds none waits its time, and leaves nothing behind; places are free again when the servers answer."""
    lookups = NameLookups(servers, at_once=2, limit=0.1)
    names = ["hanging 1", "hanging 2", "hanging 3", "app"]
    failures = await asyncio.gather(*map(lookups.addresses, names), return_exceptions=True)
    assert all(isinstance(failure, OSError) for failure in failures)
    assert servers.asked == names[:2]
    servers.release(*names)
    for name in (*names, *names):
        assert await lookups.addresses(name) == BOTH


async def test_whoever_waits_for_a_place_finds_the_name_looked_up_already(servers: HangingServers) -> None:
    """Two that wait for the same name take one thread, and give the other place back."""
    lookups = NameLookups(servers, at_once=2)
    names = ("hanging 1", "hanging 2", "hanging 3", "hanging 3")
    first, second, *others = (asyncio.create_task(lookups.addresses(name)) for name in names)
    await asyncio.sleep(0)
    servers.release("hanging 1")
    await first
    servers.release("hanging 2")
    await second
    assert await lookups.addresses("app") == BOTH
    assert servers.asked == ["hanging 1", "hanging 2", "hanging 3", "app"]
    servers.release("hanging 3")
    assert await asyncio.gather(*others) == [BOTH] * 2


async def test_whoever_is_cancelled_holds_up_nobody(servers: HangingServers) -> None:
    """Another one who waits for the same name gets the answer, and the place is not lost."""
    lookups = NameLookups(servers, at_once=1)
    gone, stays, waits = (asyncio.create_task(lookups.addresses(name)) for name in ("hanging", "hanging", "hanging 2"))
    await asyncio.sleep(0)
    gone.cancel()
    waits.cancel()
    await asyncio.gather(gone, waits, return_exceptions=True)
    servers.release("hanging")
    assert await stays == BOTH
    assert await lookups.addresses("app") == BOTH
    assert servers.asked == ["hanging", "app"]


async def test_what_the_resolver_says_is_handed_on(servers: HangingServers, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a name that is not there, of one that is none, and of a system without another thread; then it goes on."""
    lookups = NameLookups(servers, at_once=1)
    with pytest.raises(socket.gaierror, match="no such name"):
        await lookups.addresses("nobody")
    with pytest.raises(UnicodeError):
        await NameLookups().addresses("x" * 64 + ".example")

    def refuse(_: threading.Thread) -> Never:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="cannot be looked up: can't start"):
            await lookups.addresses("app")
    assert await lookups.addresses("app") == BOTH


async def test_connections_get_addresses_of_the_family_that_they_asked_for(servers: HangingServers) -> None:
    """With their own port."""
    resolver = LookupResolver(NameLookups(servers))
    for family, expected in (
        (socket.AF_UNSPEC, ["2001:db8::1", "192.0.2.1"]),
        (socket.AF_INET, ["192.0.2.1"]),
        (socket.AF_INET6, ["2001:db8::1"]),
    ):
        found = await resolver.resolve("app", 8443, family)
        assert [(row["host"], row["port"]) for row in found] == [(host, 8443) for host in expected]
    await resolver.close()
