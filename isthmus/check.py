"""`isthmus agent check`: the way to each relay, the identity, the directories, and one sign-in end to end."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import aiohttp

import directory
from certs import CertsError, MachineIdentity, check_closed
from findings import Finding, failed, passed, warned
from foundation.times import minute
from gateway.agent import AgentError, known_relays, proxy_of, tls_context
from isthmus.agent_settings import AgentSettings

TIMEOUT = 10.0


async def check_agent(
    settings: AgentSettings, user: str | None, password: str, *, on_finding: Callable[[Finding], None] | None
) -> list[Finding]:
    """Every check, in the order in which things depend on each other; never raises for what it finds."""
    found: list[Finding] = []
    async for finding in _checks(settings, user, password):
        found.append(finding)
        if on_finding is not None:
            on_finding(finding)
    return found


async def _checks(settings: AgentSettings, user: str | None, password: str) -> AsyncIterator[Finding]:
    yield _identity(settings)
    try:
        relays = known_relays(settings.core, settings.state_dir)
        context, proxy = tls_context(settings.core), proxy_of(settings.core)
    except AgentError as error:
        yield failed("relay", "", str(error))
    else:
        for relay in relays:
            for finding in await _relay(relay, context, proxy):
                yield finding
    try:
        directories = directory.Directories(settings.directories)
    except directory.DirectoryError as error:
        yield failed("directories", "", str(error))
        return
    try:
        for finding in await directories.check():
            yield finding
        if user:
            yield await _sign_in(directories, user, password)
    finally:
        await directories.close()


def _identity(settings: AgentSettings) -> Finding:
    path = settings.state_dir / "identity"
    try:
        check_closed(settings.state_dir)
    except FileNotFoundError:
        pass
    except CertsError as error:
        return failed("state_dir", "", str(error), "The agent does not start before that.")
    try:
        identity = MachineIdentity.load(path)
    except FileNotFoundError:
        return failed("identity", "", f"none in {path}", "Enrol: isthmus agent enrol --token TOKEN")
    except CertsError as error:
        return failed("identity", "", str(error), "Enrol again: isthmus agent enrol --token TOKEN")
    seen = f"{identity.name}, certificate ends {minute(identity.not_after)}"
    if time.time() > identity.not_after:
        return failed("identity", "", f"{seen}: expired", "Enrol again: isthmus agent enrol --token TOKEN")
    return passed("identity", "", seen)


async def _relay(relay: str, context: ssl.SSLContext, proxy: str | bool | None) -> list[Finding]:
    host, port = urlsplit(relay).hostname or "", urlsplit(relay).port or 443
    resolved = []
    if not isinstance(proxy, str):
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            resolved.append(passed("DNS", relay, ", ".join(sorted({str(address[4][0]) for address in found}))))
        except OSError as error:
            return [failed("DNS", relay, str(error), "Check the relay's name and this machine's DNS.")]
    return [*resolved, *await _talk(relay, context, proxy)]


async def _talk(relay: str, context: ssl.SSLContext, proxy: str | bool | None) -> list[Finding]:
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    via = proxy if isinstance(proxy, str) else None
    started = time.time()
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=proxy is True) as session,
            session.get(f"{relay}/healthz", ssl=context, proxy=via) as response,
        ):
            date = response.headers.get("Date", "")
            status = response.status
    except (aiohttp.ClientHttpProxyError, aiohttp.ClientProxyConnectionError) as error:
        return [failed("proxy", relay, str(error), "Check `proxy`, `proxy_user` and `proxy_password_file`.")]
    except aiohttp.ClientConnectorCertificateError as error:
        remedy = "Set `tls_ca_file` to the CA of the relay, or of the proxy that inspects TLS."
        return [failed("TLS", relay, str(error.certificate_error), remedy)]
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        remedy = "Is outbound 443 open, or is a proxy needed here?"
        return [failed("connection", relay, str(error) or "no answer in time", remedy)]
    milliseconds = (time.time() - started) * 1000
    finding = passed("TLS and relay", relay, f"answered in {milliseconds:.0f} ms")
    if status != 200:
        finding = failed("relay", relay, f"HTTP {status}", "Is this the address of an Isthmus relay?")
    return [finding, _clock(relay, date)]


def _clock(relay: str, date: str) -> Finding:
    from email.utils import parsedate_to_datetime

    try:
        skew = parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError):
        return warned("clock", relay, "the relay does not tell its time")
    if abs(skew) > 60:
        remedy = "Synchronise this machine's clock; certificates are judged by it."
        return warned("clock", relay, f"{skew:+.0f} s from ours", remedy)
    return passed("clock", relay, f"{skew:+.0f} s from ours")


async def _sign_in(directories: directory.Directories, user: str, password: str) -> Finding:
    started = time.time()
    credential = directory.Credential(user, password)
    result = await directories.verify(credential, deadline=started + TIMEOUT)
    milliseconds = (time.time() - started) * 1000
    said = f"{result.outcome.value} ({result.detail})" if result.detail else result.outcome.value
    seen = f"{said} after {milliseconds:.0f} ms at {result.controller or 'no controller'}"
    if result.identity is None:
        return failed(f"sign-in of {user}", "", seen, "The page tells a stranger less than this.")
    return passed(f"sign-in of {user}", "", f"{seen}, {len(result.identity.groups)} groups")
