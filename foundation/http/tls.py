"""The certificate that an address shows under a name, and what the name is an alias of. No credential is used."""

from __future__ import annotations

import asyncio
import socket
import ssl

from certs import Certificate, read_certificate
from foundation.http.errors import FetchFailed


async def read_served_certificate(address: str, port: int, name: str, ca_file: str = "") -> tuple[Certificate, str]:
    """The certificate, trusted or not, and why a client would not trust it; empty where it would.

    `name` is what the client asks for (SNI, RFC 6066 section 3), empty for a client that does not, whose certificate is not
    judged; `ca_file` (PEM) replaces the system's authorities. Raises FetchFailed, CertificateUnreadable, OSError. It waits
    as long as the peer: bound it. Cancelling closes the connection.
    """
    problem = ""
    try:
        context = ssl.create_default_context(cafile=ca_file or None) if name else accept_anything()
        der = await _handshake(address, port, name, context)
    except ssl.SSLCertVerificationError as error:
        problem = error.verify_message
        der = await _handshake(address, port, name, accept_anything())
    return read_certificate(der, "its certificate"), problem


async def _handshake(address: str, port: int, name: str, context: ssl.SSLContext) -> bytes:
    """DER of the certificate that is served under that name."""
    _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
    try:
        found: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.transport.abort()  # nothing was sent: no need for a farewell that the peer could delay
    if found is None:
        raise FetchFailed("TLS", "it shows no certificate")
    return found


def accept_anything() -> ssl.SSLContext:
    """For certificates that are to be looked at, and documents that prove themselves: nothing is entrusted to it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def canonical_name(name: str, timeout: float) -> str:  # noqa: ASYNC109
    """What a name is an alias (CNAME) of; empty where it is none, or does not resolve in that many seconds."""
    try:
        async with asyncio.timeout(timeout):
            found = await asyncio.get_running_loop().getaddrinfo(
                name, None, type=socket.SOCK_STREAM, flags=socket.AI_CANONNAME
            )
    except (OSError, TimeoutError, UnicodeError):
        return ""
    canonical = next((entry[3] for entry in found if entry[3]), name).rstrip(".")
    return "" if canonical.lower() == name.lower() else canonical
