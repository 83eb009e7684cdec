"""Whom we believe to be a domain controller: TLS contexts and pinned certificates."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl

from directory.errors import ConnectFailed, ServerCertificateRefused, SettingsProblem
from directory.settings import TlsSettings
from findings import plain_reason


def make_context(settings: TlsSettings) -> ssl.SSLContext:
    """A client context, TLS 1.2 at least. A pin without an authority replaces chain and name by the fingerprint."""
    try:
        context = ssl.create_default_context(cafile=str(settings.ca_file) if settings.ca_file else None)
    except (OSError, ssl.SSLError) as error:
        raise SettingsProblem(
            "tls.ca_file", f"{settings.ca_file} cannot be used: {plain_reason(error)}", "Give a PEM file."
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.pinned_sha256 and not settings.ca_file:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def normalise_fingerprint(text: str) -> str:
    """SHA-256 of a DER certificate as 64 lower-case hexadecimal digits; colons and spaces are let through."""
    digits = text.replace(":", "").replace(" ", "").lower()
    if len(digits) != 64 or set(digits) - set("0123456789abcdef"):
        raise SettingsProblem(
            "tls.pinned_sha256", "is not a SHA-256 fingerprint", "See `openssl x509 -noout -fingerprint -sha256`."
        )
    return digits


async def secure(
    plain: asyncio.Transport,
    protocol: asyncio.BaseProtocol,
    host: str,
    server: str,
    context: ssl.SSLContext,
    pins: tuple[str, ...],
    timeout: float,  # noqa: ASYNC109 - the loop's own for a handshake
) -> asyncio.Transport:
    """Shakes hands over `plain`; raises `ServerCertificateRefused` before one byte of LDAP is sent."""
    try:
        secured = await asyncio.get_running_loop().start_tls(
            plain, protocol, context, server_hostname=host, ssl_handshake_timeout=timeout
        )
    except ssl.SSLCertVerificationError as error:
        raise ServerCertificateRefused(
            server,
            f"its certificate is not trusted: {error.verify_message}. "
            "Name the right authority in `tls.ca_file`, and the server as in its certificate.",
        ) from error
    except ConnectionAbortedError as error:  # what the event loop makes of its own timeout
        raise ConnectFailed(server, "no TLS handshake in time") from error
    except (ssl.SSLError, OSError) as error:
        raise ConnectFailed(server, f"the TLS handshake failed: {plain_reason(error)}") from error
    if secured is None:
        raise ConnectFailed(server, "the TLS handshake failed: the server hung up")
    if pins:
        try:
            check_pin(certificate_of(secured) or b"", server, pins)
        except ServerCertificateRefused:
            secured.abort()
            raise
    return secured


def certificate_of(transport: asyncio.BaseTransport) -> bytes | None:
    """The server's certificate (DER), or None without TLS."""
    secured: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    return secured.getpeercert(binary_form=True) if secured is not None else None


def check_pin(certificate: bytes, server: str, pins: tuple[str, ...]) -> None:
    """Raises `ServerCertificateRefused` unless the DER certificate has one of the fingerprints (normalised)."""
    seen = hashlib.sha256(certificate).hexdigest()
    if not any(hmac.compare_digest(seen, pin) for pin in pins):
        raise ServerCertificateRefused(
            server, f"its certificate's SHA-256 fingerprint is {seen}, which `tls.pinned_sha256` does not list."
        )
