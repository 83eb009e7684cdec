"""The HTTPS certificate, and the way to `public_url`, as a browser or an agent goes it."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp

from certs import Certificate, CertsError, read_certificate, unusable_for_https
from findings import Finding, failed, passed, plain_reason, warned
from foundation.times import DAY, day
from gateway.app import ServerSettings
from gateway.certificate import HttpsUnusable, read_https_certificate, tls_context

TIMEOUT = 10.0
"""Seconds for an answer from `public_url`."""
CERTIFICATE_WARNING = 14 * DAY
_UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})
"""OpenSSL's errors for a chain that ends nowhere known: self-signed, or without its issuer."""


def check_certificate_files(settings: ServerSettings, now: float) -> list[Finding]:
    """Certificate and key as the settings name them: they fit, are for `public_url`, and last. now: Unix seconds."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return [passed("certificate", "", "not used: a proxy on this machine serves HTTPS")]
    host = urlsplit(settings.public_url).hostname or ""
    try:
        tls_context(settings)
        wrong = unusable_for_https(certificate.read_bytes(), key.read_bytes(), host, now)
        leaf = read_https_certificate(certificate)
    except HttpsUnusable as error:
        return [failed("certificate", "", error.problem, f"{error.remedy[:1].upper()}{error.remedy[1:]}.")]
    except OSError as error:  # it went away meanwhile
        return [failed("certificate", "", f"{certificate}: {plain_reason(error)}")]
    if wrong:
        remedy = f"Get a certificate for {host}, and put those of its issuers below it."
        return [failed("certificate", "", f"{certificate}: {problem}", remedy) for problem in wrong]
    return [judge_end("certificate", "", leaf, now)]


def judge_end(name: str, where: str, leaf: Certificate, now: float) -> Finding:
    """How long a certificate that is good lasts."""
    seen = f"{leaf.subject}, ends {day(leaf.not_after)}"
    if leaf.left(now) < CERTIFICATE_WARNING:
        remedy = "Renew it; the relay picks it up by itself within a minute."
        return warned(name, where, f"{seen}, in {max(leaf.left(now), 0.0) / DAY:.0f} days", remedy)
    return passed(name, where, seen)


class _Answer(NamedTuple):
    status: int
    said: str
    """`status` of `/healthz`; empty where it is not the answer of a relay."""


async def check_public_address(settings: ServerSettings, now: float, *, running: bool) -> AsyncIterator[Finding]:
    """Each finding in order. running: a relay runs here, so that whoever does not answer is on the way to it."""
    url = settings.public_url.rstrip("/")
    parts = urlsplit(url)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            parts.hostname or "", parts.port or 443, type=socket.SOCK_STREAM
        )
    except (OSError, UnicodeError) as error:
        yield failed("DNS", url, plain_reason(error), "Create an address record for the host of `public_url`.")
        return
    yield passed("DNS", url, ", ".join(sorted({str(address[4][0]) for address in found})))
    trust: Finding | None = None
    try:
        try:
            answer = await _ask(url, ssl.create_default_context())
        except aiohttp.ClientConnectorCertificateError as error:
            trust = judge_trust(url, error.certificate_error)
            answer = await _ask(url, _unverified())  # nothing is sent but the question
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        yield judge_unreachable(url, plain_reason(error), running=running)
        return
    yield trust or passed("trust", url, "this machine trusts the certificate that is served")
    yield judge_answer(url, answer.status, answer.said)
    try:
        yield judge_served(url, await _served(url), settings.tls_certificate, now)
    except (CertsError, TimeoutError, OSError) as error:
        yield warned("served certificate", url, plain_reason(error))


async def _ask(url: str, context: ssl.SSLContext) -> _Answer:
    """Raises aiohttp.ClientError, TimeoutError, OSError."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with (
        aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
        session.get(f"{url}/healthz", ssl=context, allow_redirects=False) as response,
    ):
        body = await response.content.read(4096)
    try:
        said = str(json.loads(body)["status"])
    except (ValueError, TypeError, KeyError):
        said = ""
    return _Answer(response.status, said)


async def _served(url: str) -> Certificate:
    """The certificate that is served, whoever signed it. Raises OSError, TimeoutError, CertsError."""
    parts = urlsplit(url)
    async with asyncio.timeout(TIMEOUT):
        _, writer = await asyncio.open_connection(parts.hostname, parts.port or 443, ssl=_unverified())
        try:
            der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        finally:
            writer.close()
    return read_certificate(der or b"", f"the certificate served at {url}")


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def judge_trust(url: str, error: Exception) -> Finding:
    """Why this machine does not trust the certificate that is served: an unknown issuer may be known to others."""
    reason = plain_reason(error)
    if getattr(error, "verify_code", 0) not in _UNKNOWN_ISSUER:
        return failed("trust", url, reason, "Browsers and agents do not trust it either.")
    remedy = (
        "If a public authority issued it, put the intermediate certificates below it in `tls_certificate`. If it is your "
        "own CA's, each agent needs that CA as `tls_ca_file`, and each browser as a trusted root."
    )
    return warned("trust", url, reason, remedy)


def judge_unreachable(url: str, reason: str, *, running: bool) -> Finding:
    """Some networks do not lead a machine back to itself by its public address."""
    if not running:
        return failed("address", url, f"{reason}, and no relay is running here", "Start the relay, then check again.")
    remedy = (
        f"Ask from outside: curl {url}/healthz. If that answers, only the way from this machine to itself is closed; "
        "otherwise see firewall, port forwarding and proxy."
    )
    return warned("address", url, f"{reason}, from this machine", remedy)


def judge_answer(url: str, status: int, said: str) -> Finding:
    """What `/healthz` answered. said: its `status`, empty where it is no relay's."""
    if said and status == 200:
        return passed("address", url, "a relay answers there")
    if said:
        return failed("address", url, f"a relay answers there that cannot serve: {said}", "See its log.")
    seen = f"HTTP {status}, not from a relay"
    return failed("address", url, seen, "See which server `public_url` leads to, and what its proxy does with /healthz.")


def judge_served(url: str, served: Certificate, file: Path | None, now: float) -> Finding:
    """The certificate that is served, against the file; without a file it is a proxy's, and judged by itself."""
    if file is None:
        return judge_end("served certificate", url, served, now)
    try:
        own = read_https_certificate(file)
    except HttpsUnusable:  # told of as `certificate`
        return judge_end("served certificate", url, served, now)
    if own.der == served.der:
        return passed("served certificate", url, f"the one in {file}")
    seen = f"differs from the one in {file}: {served.subject}, ends {day(served.not_after)}"
    remedy = "A renewed one is served within a minute. If it stays so, a proxy in between has its own: keep both good."
    return warned("served certificate", url, seen, remedy)
