"""The HTTPS certificate from an ACME server: a command has the first one issued, the relay that serves it has it renewed.

tls_certificate, tls_key ──► due? ──► ordered at the ACME server ──► key written, then the chain
                               ▲                                                  │
                               └───── an hour later, also where it failed     ServedCertificate finds both
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import structlog
from cryptography import x509

from certs import CertsError, atomic_write, covers, private_directory, renewal_due
from certs.acme import AcmeError, AcmeSettings
from gateway.certificate import HttpsUnusable, read_https_certificate, tls_context
from gateway.housekeeping import Housekeeping, Sleep
from gateway.settings import ServerError, ServerSettings

log = structlog.get_logger()

Obtain = Callable[[Sequence[str], AcmeSettings, Path], Awaitable[tuple[bytes, bytes]]]
"""Names, how, and where the account's key is; private key and chain, PEM. Raises AcmeError, CertsError."""
LOOK_EVERY = 3600.0
"""Seconds between two looks. Let's Encrypt takes five failed attempts an hour."""
_ALARM_EVERY = 24 * 3600.0


async def _obtain(names: Sequence[str], settings: AcmeSettings, state_dir: Path) -> tuple[bytes, bytes]:
    from certs.acme import obtain  # its library is loaded where a certificate is asked for

    return await obtain(names, settings, state_dir)


def issuance_due(settings: ServerSettings, now: float) -> bool:
    """Whether a certificate has to be asked for: there is none that could be served, it is another name's, or two thirds of
    its life are over. Blocks. now: Unix seconds."""
    host = _host(settings)
    try:
        tls_context(settings)
        certificate = read_https_certificate(_places(settings)[0])
    except HttpsUnusable:
        return True
    if certificate.not_before is None or certificate.not_after is None or not covers(certificate, host):
        return True
    return renewal_due(certificate.not_before, certificate.not_after, now, host)


async def issue(settings: ServerSettings, obtain: Obtain = _obtain) -> float:
    """Have a certificate for the host of `public_url` issued, and put it where `tls_certificate` and `tls_key` say.

    When it ends, Unix seconds. Raises AcmeError, CertsError, ServerError. Cancelled, nothing has changed.
    """
    certificate, key = _places(settings)
    for place in {certificate.parent, key.parent}:
        private_directory(place)
    private_key, chain = await obtain([_host(settings)], settings.acme, settings.state_dir)
    # killed in between, the two do not fit each other: the one before is still served, and the next look asks again
    await asyncio.to_thread(atomic_write, key, private_key)
    await asyncio.to_thread(atomic_write, certificate, chain)
    return x509.load_pem_x509_certificates(chain)[0].not_valid_after_utc.timestamp()


class HttpsRenewal:
    """Keeps the running relay's certificate valid. alarm: raises one, and returns at once; clock: Unix seconds."""

    def __init__(
        self,
        settings: ServerSettings,
        alarm: Callable[[str, dict[str, str]], None],
        clock: Callable[[], float],
        obtain: Obtain = _obtain,
    ) -> None:
        self._settings, self._alarm, self._clock, self._obtain = settings, alarm, clock, obtain
        self._alarmed_at = float("-inf")

    def add_jobs(self, housekeeping: Housekeeping, sleep: Sleep) -> None:
        """Look once an hour, where an ACME server issues it; apart from other jobs, since an order may take minutes."""
        if self._settings.tls_by_acme:
            housekeeping.beside("https-renewal", lambda: self.run(sleep))

    async def run(self, sleep: Sleep) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await sleep(LOOK_EVERY)

    async def look(self) -> None:
        """Renew it where that is due."""
        now = self._clock()
        if not await asyncio.to_thread(issuance_due, self._settings, now):
            return
        try:
            ends = await issue(self._settings, self._obtain)
        except (AcmeError, CertsError, ServerError) as error:
            log.warning("https_certificate.not_issued", error=str(error))
            self._tell(str(error), now)
        except Exception as error:  # with this loop the renewal would end for as long as the relay runs
            log.exception("https_certificate.not_issued")
            self._tell(f"{type(error).__name__}, see the relay's log", now)
        else:
            log.info("https_certificate.issued", host=_host(self._settings), ends=ends)

    def _tell(self, problem: str, now: float) -> None:
        """Once a day: it is tried again each hour, and the certificate is still valid for a third of its life."""
        if now >= self._alarmed_at + _ALARM_EVERY:
            self._alarmed_at = now
            remedy = "to see why: isthmus relay renew-certificate; until then the previous certificate stays in use"
            self._alarm("https_certificate.not_renewed", {"problem": problem, "remedy": remedy})


def _host(settings: ServerSettings) -> str:
    return urlsplit(settings.public_url).hostname or ""


def _places(settings: ServerSettings) -> tuple[Path, Path]:
    """Raises ServerError."""
    if settings.tls_certificate is None or settings.tls_key is None:
        raise ServerError("server.tls_certificate and server.tls_key are not set: they say where the certificate goes")
    return settings.tls_certificate, settings.tls_key
