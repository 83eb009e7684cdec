"""The way from an agent to a relay, as `isthmus agent check` goes it: name, TLS, clock, and one handshake."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp

from certs import MachineIdentity
from findings import Finding, difference, failed, passed, plain_reason, warned
from gateway.agent import REFUSALS, RelayUnreachable, RelayVerdict, Route, probe_relay

TIMEOUT = 10.0
CLOCK_WARNING = 60.0
"""Seconds by which clocks may differ …"""
CLOCK_FAILURE = 300.0
"""… and the leeway with which both ends judge each other's certificates (docs/reference/protocol.md)."""


class RelayAnswer(NamedTuple):
    """What a relay's web server said."""

    status: int
    said: str
    """`status` of its `/healthz`; empty where it is not the answer of a relay."""
    date: str
    seconds: float


async def check_relay(
    route: Route, identity: MachineIdentity | None, domains: tuple[str, ...], clock: Callable[[], float]
) -> AsyncIterator[Finding]:
    """Each finding in order; the first failure on the way ends it.

    identity: None where this machine has no usable one. domains: what the settings answer for. clock: Unix seconds.
    """
    relay = route.relay
    if not isinstance(route.proxy, str):
        found = await _resolved(relay)
        yield found
        if found.status == "fail":
            return
    try:
        answer = await _ask(route)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        yield _unreachable(relay, error)
        if isinstance(error, aiohttp.ClientConnectorCertificateError) and (clue := await _unverified_clock(route, clock)):
            yield clue
        return
    yield judge_answer(relay, answer)
    yield judge_clock(relay, answer.date, clock())
    if identity is not None and answer.status == 200:
        yield await _handshake(route, identity, domains, clock)


async def _resolved(relay: str) -> Finding:
    host, port = urlsplit(relay).hostname or "", urlsplit(relay).port or 443
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return failed("DNS", relay, plain_reason(error), "Check the relay's name and this machine's DNS.")
    return passed("DNS", relay, ", ".join(sorted({str(address[4][0]) for address in found})))


async def _ask(route: Route, *, verified: bool = True) -> RelayAnswer:
    """Raises aiohttp.ClientError, TimeoutError, OSError."""
    started = time.monotonic()
    async with (
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT), trust_env=route.proxy is True, auto_decompress=False
        ) as session,
        session.get(
            f"{route.relay}/healthz",
            ssl=route.tls if verified else False,
            proxy=route.proxy if isinstance(route.proxy, str) else None,
            allow_redirects=False,
        ) as response,
    ):
        said = _status_in(await response.content.read(4096))
        return RelayAnswer(response.status, said, response.headers.get("Date", ""), time.monotonic() - started)


def judge_answer(relay: str, answer: RelayAnswer) -> Finding:
    """Whether it was a relay's, and one that can serve."""
    if answer.status == 503 and answer.said:
        remedy = "On the relay's machine: isthmus relay check"
        return failed("relay", relay, f"it cannot serve: {answer.said}", remedy)
    if answer.status != 200:
        return failed("relay", relay, f"HTTP {answer.status}", "Is this the address of an Isthmus relay?")
    return passed("TLS and relay", relay, f"answered in {answer.seconds * 1000:.0f} ms")


def _status_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["status"])
    except (ValueError, TypeError, KeyError):
        return ""


def _unreachable(relay: str, error: Exception) -> Finding:
    if isinstance(error, aiohttp.ClientHttpProxyError):  # its own text quotes the proxy's URL, password included
        seen = f"the proxy answered {error.status} {error.message}"
        return failed("proxy", relay, seen, "Check `proxy`, `proxy_user` and `proxy_password_file`.")
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        seen = f"no connection to the proxy {error.host}:{error.port}: {plain_reason(error)}"
        return failed("proxy", relay, seen, "Check `proxy`, `proxy_user` and `proxy_password_file`.")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        remedy = "Set `tls_ca_file` to the CA of the relay, or of the proxy that inspects TLS."
        if "expired" in str(error) or "not yet valid" in str(error):
            remedy = "Renew the relay's HTTPS certificate, or set this machine's clock."
        return failed("TLS", relay, plain_reason(error), remedy)
    return failed("connection", relay, plain_reason(error), "Is outbound 443 open, or is a proxy needed here?")


async def _unverified_clock(route: Route, clock: Callable[[], float]) -> Finding | None:
    """Where a certificate is refused, the reason may be this machine's clock. Nobody vouches for the answer: it is a clue,
    and nothing is sent but the question."""
    try:
        answer = await _ask(route, verified=False)
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None
    finding = judge_clock(route.relay, answer.date, clock())
    return finding if finding.status == "fail" else None


def judge_clock(relay: str, date: str, now: float) -> Finding:
    """date: of the relay's answer, as HTTP has it (RFC 9110 section 6.6.1)."""
    try:
        skew = parsedate_to_datetime(date).timestamp() - now
    except (TypeError, ValueError):
        return warned("clock", relay, "the relay's response does not contain its time")
    seen = f"{difference(skew)} from ours"
    remedy = "Synchronise this machine's clock; certificate dates are checked against it."
    if abs(skew) > CLOCK_FAILURE:
        days = f" ({abs(skew) / 86400:.1f} days)" if abs(skew) > 86400 else ""
        return failed("clock", relay, f"{seen}{days}", remedy)
    if abs(skew) > CLOCK_WARNING:
        return warned("clock", relay, seen, remedy)
    return passed("clock", relay, seen)


async def _handshake(
    route: Route, identity: MachineIdentity, domains: tuple[str, ...], clock: Callable[[], float]
) -> Finding:
    try:
        verdict = await probe_relay(route, identity, software=version("isthmus"), clock=clock)
    except RelayUnreachable as error:
        remedy = (
            "Does a device between this machine and the relay block WebSockets? See docs/operators/relay-behind-a-proxy.md."
        )
        return failed("handshake", route.relay, error.reason, remedy)
    return judge_verdict(route.relay, identity.name, verdict, domains)


def judge_verdict(relay: str, name: str, verdict: RelayVerdict | None, domains: tuple[str, ...]) -> Finding:
    """What a relay says of this agent, held against the names that its settings answer for (`*` for bare ones)."""
    if verdict is None:
        return warned(
            "handshake", relay, "this relay's version does not support testing whether it accepts an agent", "Upgrade it."
        )
    if not verdict.admitted:
        remedy = REFUSALS.get(verdict.code, "See the relay's log.")
        return failed("handshake", relay, verdict.reason, f"{remedy[:1].upper()}{remedy[1:]}")
    if verdict.domains is None:
        return passed("handshake", relay, f"{name} is accepted, for any domain that it claims")
    allowed = {domain.lower() for domain in verdict.domains}
    if beyond := [domain for domain in domains if domain not in allowed and domain != "*"]:
        seen = f"the relay does not ask {name} about {', '.join(beyond)}, only about {', '.join(verdict.domains)}"
        remedy = f"Correct the settings, or enrol again with a token for {' and '.join(beyond)} as well."
        return failed("handshake", relay, seen, remedy)
    if beneath := [domain for domain in verdict.domains if domain.lower() not in domains]:
        seen = f"{name} is enrolled for {', '.join(beneath)} as well, which no directory in the settings answers for"
        return warned("handshake", relay, seen, "Add the missing name to the directory, or enrol again without it.")
    return passed("handshake", relay, f"{name} is let in, for {', '.join(verdict.domains)}")
