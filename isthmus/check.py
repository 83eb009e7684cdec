"""`isthmus agent check`: the way to each relay, the identity, the directories, and one sign-in end to end."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit

import aiohttp
import click

import directory
from certs import CertsError, MachineIdentity
from directory import Check
from gateway.agent.errors import AgentError
from gateway.agent.routes import known_relays, proxy_of, tls_context
from isthmus.agent_settings import AgentSettings
from isthmus.cli.output import moment

TIMEOUT = 10.0
_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


async def check_agent(
    settings: AgentSettings, user: str | None, password: str, *, on_line: Callable[[Check], None] | None
) -> list[Check]:
    """Every check, in the order in which things depend on each other; never raises for what it finds."""
    lines: list[Check] = []
    async for line in _checks(settings, user, password):
        lines.append(line)
        if on_line is not None:
            on_line(line)
    return lines


def print_report(line: Check) -> None:
    """One line for people, and the remedy below it."""
    click.echo(f"{click.style(line.status.upper(), fg=_COLOURS[line.status])}  {line.name}: {line.seen}")
    if line.remedy and line.status != "pass":
        click.echo(f"      {line.remedy}")


async def _checks(settings: AgentSettings, user: str | None, password: str) -> AsyncIterator[Check]:
    yield _identity(settings)
    try:
        relays = known_relays(settings.core, settings.state_dir)
        context, proxy = tls_context(settings.core), proxy_of(settings.core)
    except AgentError as error:
        yield Check("relay", "fail", str(error))
    else:
        for relay in relays:
            for line in await _relay(relay, context, proxy):
                yield line
    try:
        directories = directory.Directories(settings.directories)
    except directory.DirectoryError as error:
        yield Check("directories", "fail", str(error))
        return
    try:
        for line in await directories.check():
            yield line
        if user:
            yield await _sign_in(directories, user, password)
    finally:
        await directories.close()


def _identity(settings: AgentSettings) -> Check:
    path = settings.state_dir / "identity"
    try:
        identity = MachineIdentity.load(path)
    except FileNotFoundError:
        return Check("identity", "fail", f"none in {path}", "Enrol: isthmus agent enrol --token TOKEN")
    except CertsError as error:
        return Check("identity", "fail", str(error), "Enrol again: isthmus agent enrol --token TOKEN")
    seen = f"{identity.name}, certificate ends {moment(identity.not_after)}"
    if time.time() > identity.not_after:
        return Check("identity", "fail", f"{seen}: expired", "Enrol again: isthmus agent enrol --token TOKEN")
    return Check("identity", "pass", seen)


async def _relay(relay: str, context: ssl.SSLContext, proxy: str | bool | None) -> list[Check]:
    host, port = urlsplit(relay).hostname or "", urlsplit(relay).port or 443
    lines = []
    if not isinstance(proxy, str):
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
            lines.append(Check(f"{relay}: DNS", "pass", ", ".join(sorted({str(address[4][0]) for address in found}))))
        except OSError as error:
            return [Check(f"{relay}: DNS", "fail", str(error), "Check the relay's name and this machine's DNS.")]
    return [*lines, *await _talk(relay, context, proxy)]


async def _talk(relay: str, context: ssl.SSLContext, proxy: str | bool | None) -> list[Check]:
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
        return [Check(f"{relay}: proxy", "fail", str(error), "Check `proxy`, `proxy_user` and `proxy_password_file`.")]
    except aiohttp.ClientConnectorCertificateError as error:
        remedy = "Set `tls_ca_file` to the CA of the relay, or of the proxy that inspects TLS."
        return [Check(f"{relay}: TLS", "fail", str(error.certificate_error), remedy)]
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        remedy = "Is outbound 443 open, or is a proxy needed here?"
        return [Check(f"{relay}: connection", "fail", str(error) or "no answer in time", remedy)]
    milliseconds = (time.time() - started) * 1000
    line = Check(f"{relay}: TLS and relay", "pass", f"answered in {milliseconds:.0f} ms")
    if status != 200:
        line = Check(f"{relay}: relay", "fail", f"HTTP {status}", "Is this the address of an Isthmus relay?")
    return [line, _clock(relay, date)]


def _clock(relay: str, date: str) -> Check:
    from email.utils import parsedate_to_datetime

    try:
        skew = parsedate_to_datetime(date).timestamp() - time.time()
    except (TypeError, ValueError):
        return Check(f"{relay}: clock", "warn", "the relay does not tell its time")
    if abs(skew) > 60:
        remedy = "Synchronise this machine's clock; certificates are judged by it."
        return Check(f"{relay}: clock", "warn", f"{skew:+.0f} s from ours", remedy)
    return Check(f"{relay}: clock", "pass", f"{skew:+.0f} s from ours")


async def _sign_in(directories: directory.Directories, user: str, password: str) -> Check:
    started = time.time()
    credential = directory.Credential(user, password)
    result = await directories.verify(credential, deadline=started + TIMEOUT)
    milliseconds = (time.time() - started) * 1000
    seen = f"{result.outcome.value} {result.detail} after {milliseconds:.0f} ms at {result.controller or 'no controller'}"
    if result.identity is None:
        return Check(f"sign-in of {user}", "fail", seen, "The page tells a stranger less than this.")
    return Check(f"sign-in of {user}", "pass", f"{seen}, {len(result.identity.groups)} groups")
