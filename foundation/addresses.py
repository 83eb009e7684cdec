"""IP addresses as strangers, proxies and back ends write them: read strictly, or not at all."""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Sequence

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_WITH_PORT = re.compile(r"\[([^\]]*)\](?::\d{1,5})?|([^:]*):\d{1,5}")
"""`[v6]`, `[v6]:port` or `v4:port`: the node of RFC 7239 section 6, and what some proxies put into X-Forwarded-For."""


_LONGEST = 64
"""Characters: an IPv6 address has 45 at most, its brackets, port and quotes ten more."""


def parse_address(text: str) -> IPAddress | None:
    """An address, with or without a port, brackets and double quotes around it; None for anything else.

    An IPv4 address that is written as an IPv6 one (RFC 4291 section 2.5.5.2) is the IPv4 address. A zone (RFC 4007 section
    11) means nothing on another machine, and may hold any text: an address with one is none.
    """
    return _parse(text) if len(text) <= _LONGEST else None


@functools.lru_cache(maxsize=4096)  # some 2 µs each, and people come back
def _parse(text: str) -> IPAddress | None:
    if len(text) > 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2] or ""
    if "%" in text:
        return None
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(parsed, "ipv4_mapped", None) or parsed


def address_key(address: str) -> str:
    """The address as it is counted: IPv4 as it is, IPv6 by its /64; what is not an address as it is."""
    return _key(address) if len(address) <= _LONGEST else address


@functools.lru_cache(maxsize=4096)
def _key(address: str) -> str:
    parsed = parse_address(address)
    if parsed is None:
        return address
    return str(parsed) if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))


def lies_within(address: str, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks; never for what is not an address."""
    parsed = parse_address(address) if networks else None
    return parsed is not None and any(parsed in network for network in networks)
