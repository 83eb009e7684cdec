"""The HTTPS certificate: loaded where certificate and key fit each other, and loaded anew where they were renewed.

    files changed ──► they fit: served to whoever connects from now on
                └──► they do not: the old ones stay; an alarm where that is still so at the next look

Whoever renews them writes two files one after the other, so that for a moment they do not fit. Connections that are open
keep what they began with.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from certs import Certificate, CertsError, read_certificate
from foundation.file_stamps import FileStamp, stamp_of
from gateway.housekeeping import Housekeeping
from gateway.settings import ServerError, ServerSettings
from settings import Unfit, UnusableFile, check_secret_file, dotted

log = structlog.get_logger()

Alarm = Callable[[str, dict[str, str]], None]
Stamp = tuple[FileStamp | None, ...]
"""Of certificate and key."""

_LARGEST = 1024 * 1024
"""Bytes of a chain; it is some thousands."""
_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


class HttpsUnusable(Unfit, ServerError):
    """Certificate or key cannot be used. setting: which of the two it is about."""

    def __init__(self, setting: str, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy, setting=f"server.{setting}")


def tls_context(settings: ServerSettings) -> ssl.SSLContext | None:
    """For HTTPS: TLS 1.2 or later. None behind a proxy. Blocks. Raises HttpsUnusable."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None or key is None:
        return None
    read_https_certificate(certificate)
    try:
        check_secret_file(key)
        content = _read(key)
    except UnusableFile as error:
        raise HttpsUnusable("tls_key", f"{key} {error.problem}", error.remedy or "correct the path") from error
    except OSError as error:
        raise _unreadable("tls_key", key, error) from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # the password: OpenSSL would ask for one at the terminal, where there is one
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except ssl.SSLError as error:
        raise _unfit(certificate, key, content, error) from error
    except OSError as error:  # it went away meanwhile
        raise _unreadable("tls_key", key, error) from error
    return context


def read_https_certificate(path: Path) -> Certificate:
    """The first certificate of the chain, which is the server's own. Raises HttpsUnusable."""
    try:
        found = _PEM.search(_read(path))
    except OSError as error:
        raise _unreadable("tls_certificate", path, error) from error
    if found is None:
        remedy = "the file must contain the certificate, followed by those of its issuers"
        raise HttpsUnusable("tls_certificate", f"{path} contains no certificate in PEM format", remedy)
    try:
        return read_certificate(ssl.PEM_cert_to_DER_cert(found[0].decode("ascii", "replace")), str(path))
    except (ValueError, CertsError) as error:
        raise HttpsUnusable("tls_certificate", f"{path} contains a damaged certificate", "obtain a new one") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_LARGEST)


def _unreadable(setting: str, path: Path, error: OSError) -> HttpsUnusable:
    remedy = "correct the path" if isinstance(error, FileNotFoundError) else "make it readable for the relay's user"
    return HttpsUnusable(setting, f"{path} cannot be read ({error.strerror})", remedy)


def _unfit(certificate: Path, key: Path, content: bytes, error: ssl.SSLError) -> HttpsUnusable:
    if error.reason == "KEY_VALUES_MISMATCH":
        return HttpsUnusable("tls_key", f"{key} is not the key of {certificate}", "use a certificate and key that match")
    if b"ENCRYPTED" in content:
        remedy = f"store it without a passphrase: openssl pkey -in {key} -out NEW"
        return HttpsUnusable("tls_key", f"{key} is protected by a passphrase", remedy)
    if b"PRIVATE KEY-----" not in content:
        return HttpsUnusable("tls_key", f"{key} contains no private key in PEM format", "use the key of the certificate")
    reason = (error.reason or str(error)).replace("_", " ").lower()
    return HttpsUnusable("tls_key", f"{key} and {certificate} cannot be used for HTTPS ({reason})", "obtain new ones")


class ServedCertificate:
    """What is served, for as long as the relay runs.

    use: takes the context for connections to come. alarm: raises one, and returns at once.
    """

    def __init__(self, settings: ServerSettings, use: Callable[[ssl.SSLContext], None], alarm: Alarm) -> None:
        self._settings, self._use, self._alarm = settings, use, alarm
        self._served = _stamp(settings)
        self.ends = _end(settings)
        """Unix seconds; None behind a proxy."""
        self._unusable: Stamp | None = None
        """What could not be used at the last look."""
        self._alarmed: Stamp | None = None

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """Look once a minute, where there is a certificate."""
        if self._settings.tls_certificate is not None:
            housekeeping.every_minute("https_certificate", self.look)

    async def look(self) -> None:
        """Serve what was renewed, where it can be used."""
        stamp = await asyncio.to_thread(_stamp, self._settings)
        if stamp == self._served:
            self._unusable = self._alarmed = None  # what was there before is back
            return
        try:
            context = await asyncio.to_thread(tls_context, self._settings)
        except HttpsUnusable as error:
            self._refuse(stamp, error)
            return
        if context is not None:
            self.serve(self._settings, context, stamp)

    def serve(self, settings: ServerSettings, context: ssl.SSLContext, stamp: Stamp | None = None) -> None:
        """Take what was loaded. stamp: of the files before they were read; without it, as they are now."""
        self._settings, self._served = settings, stamp or _stamp(settings)
        self.ends = _end(settings)
        self._unusable = self._alarmed = None
        self._use(context)
        log.info("https_certificate.renewed", file=str(settings.tls_certificate))

    def _refuse(self, stamp: Stamp, error: HttpsUnusable) -> None:
        """Once for what was found: at first they may be half written."""
        if stamp == self._unusable and stamp != self._alarmed:
            self._alarmed = stamp
            remedy = f"{error.remedy}; the previous certificate stays in use"
            fields = {"setting": dotted(error.key), "problem": error.problem, "remedy": remedy}
            self._alarm("https_certificate.unusable", fields)
        self._unusable = stamp


class CertificateGauges(Collector):
    """When certificates end. https: of the one that is served, None behind a proxy; authority: of the relay's own."""

    def __init__(self, https: Callable[[], float | None], authority: float) -> None:
        self._https, self._authority = https, authority

    def collect(self) -> Iterable[Metric]:
        """Yield the ends, Unix seconds."""
        https = GaugeMetricFamily(
            "isthmus_https_certificate_end_seconds", "Expiry of the HTTPS certificate in use, Unix time."
        )
        if (end := self._https()) is not None:
            https.add_metric([], end)
        authority = (
            "Expiry of the certificate authority that agents pin, Unix time. After it, agents no longer trust the relay."
        )
        yield https
        yield GaugeMetricFamily("isthmus_authority_end_seconds", authority, value=self._authority)


def _end(settings: ServerSettings) -> float | None:
    """Of the certificate in the file, which was read as a chain a moment ago."""
    path = settings.tls_certificate
    return read_https_certificate(path).not_after if path is not None else None


def _stamp(settings: ServerSettings) -> Stamp:
    return tuple(stamp_of(path) for path in (settings.tls_certificate, settings.tls_key))
