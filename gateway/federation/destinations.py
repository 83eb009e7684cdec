"""Which addresses the relay may connect to when a trust names a server: those of the Internet, and named networks. Pure.

A trust names a host, and where that leads is its owner's to say, today or tomorrow. So the address is judged at the moment
of the connection (`outbound`), and what is reachable from the relay's own place only is left alone unless an administrator
has named its network.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Final

from foundation.addresses import IPAddress, Network, parse_address

_NEVER_BY_CHANCE: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this host on this network" (RFC 6890); Linux takes 0.0.0.0 as loopback
        "127.0.0.0/8",
        "169.254.0.0/16",  # link-local; clouds hand out credentials at 169.254.169.254
        "100.100.100.200/32",  # Alibaba Cloud's metadata service
        "168.63.129.16/32",  # Azure's host agent
        "192.0.0.192/32",  # Oracle Cloud's metadata service
        "::/127",  # unspecified and loopback
        "fe80::/10",
        "fd00:ec2::/32",  # AWS's metadata service and resolver
        "fd20:ce::254/128",  # Google Cloud's metadata service
    )
)
"""A larger network does not name these: 100.0.0.0/8 or fd00::/8 means machines of the organisation."""
_LOCAL: Final[tuple[Network, ...]] = (
    ipaddress.ip_network("fec0::/10"),  # site-local: deprecated (RFC 3879), still routed in places
    ipaddress.ip_network("64:ff9b:1::/48"),  # of a NAT64 that may lead anywhere inside (RFC 8215)
)
"""Inside, though Python does not say so of each, or not in every version."""
_NAT64: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_COMPATIBLE: Final = (ipaddress.ip_network("::/96"), ipaddress.ip_network("::ffff:0:0:0/96"))
"""IPv4 in the last 32 bits (RFC 4291 section 2.5.5.1; RFC 2765 section 2.1)."""


class Destinations:
    """networks: those that an administrator has named, beside the Internet; texts as in `10.0.0.0/8`."""

    def __init__(self, networks: Sequence[str] = ()) -> None:
        self._networks = tuple(ipaddress.ip_network(text, strict=False) for text in networks)

    def allow(self, address: str) -> bool:
        """Whether a connection may be made to an address; never to what is none."""
        parsed = parse_address(address)
        return parsed is not None and all(map(self._allows, _meanings(parsed)))

    def name(self, address: str) -> bool:
        """Whether an address lies in a network that was named."""
        parsed = parse_address(address)
        return parsed is not None and any(_names(network, parsed) for network in self._networks)

    def _allows(self, address: IPAddress) -> bool:
        return is_of_the_internet(address) or any(_names(network, address) for network in self._networks)


def is_of_the_internet(address: IPAddress) -> bool:
    """Not of this machine, its link, a private network, or a cloud's own services."""
    unusual = address.is_multicast or any(address in network for network in (*_LOCAL, *_NEVER_BY_CHANCE))
    return address.is_global and not unusual


def _names(network: Network, address: IPAddress) -> bool:
    if address.version != network.version or address not in network or address.is_multicast:
        return False
    around = [special for special in _NEVER_BY_CHANCE if address in special]
    return all(network.subnet_of(special) for special in around)  # type: ignore[arg-type]  # of the same version


def _meanings(address: IPAddress) -> Iterator[IPAddress]:
    """An address, and the IPv4 one that a gateway would make of it."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.sixtofour is not None:
        yield address.sixtofour
    own = int(address) <= 1  # unspecified and loopback are themselves
    if not own and any(address in network for network in (*_NAT64, *_COMPATIBLE)):
        yield ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
