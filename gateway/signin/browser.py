"""What is known of the browser that asks: address, origin, language, where it wants to go."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from aiohttp import web

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def client_address(peer: str | None, forwarded_for: Sequence[str], trusted: Sequence[Network]) -> str:
    """The client's address: the rightmost of X-Forwarded-For that no trusted proxy added.

    Anything to the left of it can be invented by the client and is not looked at.
    """
    address = peer or ""
    hops = [hop.strip() for line in forwarded_for for hop in line.split(",")]
    while hops and _is_trusted(address, trusted):
        address = hops.pop()
    return address if _parse(address) is not None else (peer or "")


def _parse(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    if not address:
        return bool(trusted)  # a unix socket: only a local proxy can reach it
    parsed = _parse(address)
    return parsed is not None and any(parsed in network for network in trusted)


def safe_path(return_to: str | None) -> str:
    """Where to go after the sign-in: a path on this very origin, or the account page.

    Browsers take `//host`, `/\\host` and paths with control characters for other hosts, so none of these passes.
    """
    if not return_to or len(return_to) > 4096 or not return_to.startswith("/"):
        return "/account"
    if return_to.startswith(("//", "/\\")) or "\\" in return_to or any(ord(char) < 0x21 for char in return_to):
        return "/account"
    return return_to


def is_cross_site(request: web.Request, origin: str) -> bool:
    """Whether another site made the browser send this (Fetch Metadata; the Origin header where that is missing)."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    sent = request.headers.get("Origin")
    return sent is not None and sent != origin
