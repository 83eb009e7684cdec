"""What every answer says, and whom a request may be meant for."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Middleware

from foundation.addresses import parse_address

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ANSWER_HEADERS: Final = {"Server": "isthmus", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
"""On every answer that says nothing else of its own. `Server`: without versions, which tell an attacker what to try."""


def harden(response: web.StreamResponse) -> None:
    """Add what every answer says, unless it has gone out (a websocket's)."""
    if not response.prepared:
        headers = response.headers
        for name, value in ANSWER_HEADERS.items():
            headers.setdefault(name, value)


def check_expectation(request: web.Request) -> None:
    """Refuse what nobody can meet (RFC 9110 section 10.1.1), before aiohttp does it, which quotes what was expected."""
    expected = request.headers.get("Expect")
    if expected is not None and expected.lower() != "100-continue":
        raise web.HTTPExpectationFailed(text="Expect: 100-continue is all that is met here")


def own_host(*names: str, setting: str) -> Middleware:
    """A middleware that answers only to IP addresses, `localhost`, this machine's name and `names`.

    A web page can have a name of its own lead to any address (DNS rebinding), and then read what is served there; the
    `Host` that the browser sends is still that name. setting: in which `names` stand.
    """
    known = {name.rstrip(".").lower() for name in ("localhost", socket.gethostname(), *names) if name}

    @web.middleware
    async def check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_own_host(request.headers.getall("Host", []), known):
            raise web.HTTPMisdirectedRequest(
                text=f"this name is not served here: ask by IP address, or add the name to the setting {setting}"
            )
        return await handler(request)

    return check_host


def is_own_host(hosts: Sequence[str], known: set[str]) -> bool:
    """Whether a request's `Host` (RFC 9110 section 7.2) is one of ours; an address always is."""
    if len(hosts) != 1:
        return not hosts  # a program that speaks HTTP/1.0
    host = hosts[0].rpartition(":")[0] if hosts[0].rpartition(":")[2].isdecimal() else hosts[0]
    return parse_address(hosts[0]) is not None or host.rstrip(".").lower() in known
