"""What can be found out about a directory by whoever has little to go by yet: `isthmus agent setup`.

In this order: which domain controllers the DNS names, what certificates they show (nothing is sent to a server that nobody
has decided to trust), and, with the service account, what the domain calls itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from directory.authority import ShownCertificate, root_of
from directory.errors import ConnectFailed, NoDirectory
from directory.ldap import Address, LdapConnection, make_context, normalise_fingerprint, parse_server
from directory.ldap.discovery import servers_from_dns
from directory.model import DomainNames
from directory.settings import DirectorySettings
from findings import plain_reason

_LONGEST_CHAIN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownChain:
    """What one domain controller shows before anybody trusts it."""

    server: str
    """As it was named."""
    certificates: tuple[ShownCertificate, ...]
    """Its own first."""
    root: ShownCertificate | None
    """The authority at its end: sent along, or in this system's store. None: neither."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainReading:
    """What a domain says of itself."""

    names: DomainNames
    in_use: Mapping[str, bool | None]
    """By UPN suffix, lower case: whether a user has it; None where that could not be told."""


async def find_controllers(domain: str) -> tuple[str, ...]:
    """`host:port` of the domain controllers that the DNS names for a domain, and that lie in it. Raises SettingsProblem."""
    return (await asyncio.to_thread(servers_from_dns, domain, anywhere=False)).used


async def read_chain(server: str, timeout: float = 5.0) -> ShownChain:  # noqa: ASYNC109 - of a connection
    """Shake hands with a server, believing it nothing, and hang up. Raises SettingsProblem, ConnectFailed."""
    address = _address(server)
    anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anybody.check_hostname = False
    anybody.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(timeout):
            chain = await _chain(address.host, address.port, anybody, verified=False)
    except (OSError, TimeoutError) as error:
        raise ConnectFailed(str(address), plain_reason(error)) from error
    root = root_of(chain)
    if root is None:
        known = ssl.create_default_context()  # as far as this system knows the authority, it has the root as well
        known.check_hostname = False
        try:
            async with asyncio.timeout(timeout):
                root = root_of(await _chain(address.host, address.port, known, verified=True))
        except (OSError, TimeoutError):
            root = None
    return ShownChain(server=server, certificates=tuple(map(ShownCertificate, chain)), root=root)


async def _chain(host: str, port: int, context: ssl.SSLContext, *, verified: bool) -> list[bytes]:
    """DER, the server's own certificate first."""
    _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=host)
    try:
        secured = writer.get_extra_info("ssl_object")
        name = "get_verified_chain" if verified else "get_unverified_chain"
        # public since Python 3.13; before, the same method of what it wraps
        read: Any = getattr(secured, name, None) or getattr(secured._sslobj, name)
        return [_der(certificate) for certificate in (read() or ())[:_LONGEST_CHAIN]]
    finally:
        writer.transport.abort()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _der(certificate: Any) -> bytes:
    """Python 3.13 gives bytes, older ones an object of their own."""
    if isinstance(certificate, bytes):
        return certificate
    return ssl.PEM_cert_to_DER_cert(certificate.public_bytes())


async def read_domain(
    settings: DirectorySettings, servers: Sequence[str], password: str, suffixes: Sequence[str] = ()
) -> DomainReading:
    """What the domain of these servers says of itself, as the service account reads it at the first that answers.

    settings: trust, service account and what users sign in with; base and names need not be right yet, nor is the password
    taken from there. suffixes: of which it is told too whether a user has them. Raises SettingsProblem,
    ServerCertificateRefused, ServiceAccountRefused, NoDirectory.
    """
    from directory.inspection import read_reading

    server = await _first_that_answers(settings, servers)
    return await asyncio.to_thread(read_reading, settings, _address(server), password, tuple(suffixes))


async def published_authorities(settings: DirectorySettings, servers: Sequence[str], password: str) -> tuple[bytes, ...]:
    """Certificates (DER) of the authorities that the forest publishes for its machines. Raises as `read_domain`."""
    from directory.inspection import read_authorities

    server = await _first_that_answers(settings, servers)
    return await asyncio.to_thread(read_authorities, settings, _address(server), password)


def _address(server: str) -> Address:
    return parse_server(server, allow_plain=False)


async def verify_trust(settings: DirectorySettings, servers: Sequence[str]) -> None:
    """Shake hands with each server as a sign-in would. Raises SettingsProblem, ServerCertificateRefused; one that is down
    proves nothing, and is left out."""
    await _first_that_answers(settings, servers, all_of_them=True)


async def _first_that_answers(settings: DirectorySettings, servers: Sequence[str], *, all_of_them: bool = False) -> str:
    context = make_context(settings.tls)
    pins = tuple(map(normalise_fingerprint, settings.tls.pinned_sha256))
    answered, reasons = [], []
    for server in servers:
        address = _address(server)
        try:
            connection = await LdapConnection.open(address, context, pins, settings.connect_timeout)
        except ConnectFailed as error:
            if type(error) is not ConnectFailed:
                raise
            reasons.append(str(error))
            continue
        connection.unbind()
        await connection.closed
        answered.append(server)
        if not all_of_them:
            break
    if not answered:
        raise NoDirectory(settings.name, tuple(servers), "; ".join(reasons) or "there is none")
    return answered[0]
