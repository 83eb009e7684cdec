"""Where the demo's relay listens, and the address that browsers open: `make demo LISTEN=192.0.2.7:8443`."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
from dataclasses import dataclass

_EXAMPLES = "127.0.0.1:8443, [::1]:8443, demo.example.com:8443, or 0.0.0.0:8443 for all addresses of this machine"


class AddressUnusable(Exception):
    """Nothing can listen there; `problem` says why."""

    def __init__(self, text: str, problem: str) -> None:
        super().__init__(text, problem)
        self.text = text
        self.problem = problem

    def __str__(self) -> str:
        return f"LISTEN={self.text}: {self.problem}"


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """An address of this machine, and the name by which browsers and agents reach it."""

    bind: str
    """IP address that the relay listens on; 0.0.0.0 or :: for all."""
    host: str
    """IP address or name in URLs; an IPv6 address without brackets."""
    port: int

    @property
    def listen(self) -> str:
        """As the relay's settings have it."""
        return f"{_bracketed(self.bind)}:{self.port}"

    @property
    def url(self) -> str:
        """The relay's public URL."""
        return f"https://{_bracketed(self.host)}:{self.port}"

    @property
    def certified(self) -> str:
        """The IP address for the certificate."""
        return self.host if _is_address(self.host) else _usual_address(self.bind)

    @property
    def is_loopback(self) -> bool:
        """Nobody on another machine can reach it."""
        return ipaddress.ip_address(self.bind).is_loopback


def parse_address(text: str) -> PublicAddress:
    """`HOST:PORT`, HOST being an IP address or a name of this machine. Raises AddressUnusable."""
    host, colon, digits = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not re.fullmatch(r"\d{1,5}", digits) or not 0 < int(digits) < 65536:
        raise AddressUnusable(text, f"give an address and a port, for example {_EXAMPLES}")
    bind = _resolved(text, host)
    address = PublicAddress(bind, _usual_address(bind) if host == bind else host, int(digits))
    _try_to_listen(text, address)
    return address


def _resolved(text: str, host: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise AddressUnusable(
            text, f"the name {host} cannot be resolved ({error}); use an address of this machine"
        ) from error
    return str(found[0][4][0])


def _try_to_listen(text: str, address: PublicAddress) -> None:
    """Fails now rather than after a domain has been provisioned."""
    family = socket.AF_INET6 if ":" in address.bind else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.bind, address.port))
        except OSError as error:
            raise AddressUnusable(text, f"cannot listen on {address.listen}: {error.strerror}") from error


def _usual_address(bind: str) -> str:
    """For all addresses, the one from which this machine reaches others, or loopback; else the address itself."""
    if not ipaddress.ip_address(bind).is_unspecified:
        return bind
    version6 = ":" in bind
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_INET6 if version6 else socket.AF_INET, socket.SOCK_DGRAM) as probe,
    ):
        # Connecting UDP sends nothing: the kernel chooses a route. The addresses are for documentation (RFC 5737, RFC 3849)
        probe.connect(("2001:db8::1" if version6 else "192.0.2.1", 9))
        return str(probe.getsockname()[0])
    return "::1" if version6 else "127.0.0.1"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
