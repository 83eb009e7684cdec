"""Addresses that are listened on: opened for a listener, or only tried; what is wrong with one in words."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable

_BACKLOG = 1024

SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]


class AddressUnavailable(Exception):
    """An address cannot be listened on. code: of the system (`errno`), 0 where a name does not resolve."""

    def __init__(self, address: str, problem: str, remedy: str, code: int = 0) -> None:
        super().__init__(address, problem, remedy, code)
        self.address, self.problem, self.remedy, self.code = address, problem, remedy, code

    def __str__(self) -> str:
        return f"{self.address} {self.problem}; {self.remedy}"


def open_sockets(host: str, port: int, found: Iterable[tuple[int, SocketAddress]]) -> list[socket.socket]:
    """Listening sockets on all of the addresses (family and address), or none. Raises AddressUnavailable."""
    return _opened(host, port, found, lambda opened: opened.listen(_BACKLOG))


def try_address(host: str, port: int) -> None:
    """Whether an address could be listened on now; nobody can connect meanwhile. Blocks. Raises AddressUnavailable."""
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise unavailable(host, port, error) from error
    for tried in _opened(host, port, dict.fromkeys((family, address) for family, _, _, _, address in found), lambda _: None):
        tried.close()


def _opened(
    host: str, port: int, found: Iterable[tuple[int, SocketAddress]], begin: Callable[[socket.socket], None]
) -> list[socket.socket]:
    opened: list[socket.socket] = []
    try:
        for family, address in found:
            opened.append(_bound(family, address))
            begin(opened[-1])
    except OSError as error:
        for other in opened:
            other.close()
        raise unavailable(host, port, error) from error
    return opened


def _bound(family: int, address: SocketAddress) -> socket.socket:
    """As `socket.create_server` does it, but that it listens."""
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.setblocking(False)
        made.bind(address)
    except OSError:
        made.close()
        raise
    return made


def unavailable(host: str, port: int, error: OSError) -> AddressUnavailable:
    """The error that says what a system's own means."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(error, socket.gaierror):
        return AddressUnavailable(
            address, f"does not resolve ({error.strerror})", "correct the name, or write an IP address"
        )
    code = error.errno or 0
    problem, remedy = _MEANINGS.get(code, (f"cannot be listened on ({error.strerror or error})", "choose another"))
    return AddressUnavailable(address, problem, remedy.replace("PORT", str(port)), code)


_MEANINGS = {
    errno.EADDRINUSE: ("is in use already", "choose another port, or stop what listens there: ss -ltnp 'sport = :PORT'"),
    errno.EADDRNOTAVAIL: (
        "is not an address of this machine",
        "write one that `ip address` shows, or 0.0.0.0 for all of them",
    ),
    errno.EACCES: (
        "may not be listened on by this user",
        "ports below 1024 need CAP_NET_BIND_SERVICE: see the unit, or choose a port from 1024 on",
    ),
    errno.EAFNOSUPPORT: ("is of a kind that this machine does not have", "write an IPv4 address"),
}
