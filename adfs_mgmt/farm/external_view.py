"""What anybody on the network sees of a farm: TLS, federation metadata and probe of each host, by address and SNI.

No credential is used and nothing is changed. Each host is looked at on its own address under the federation name, which
is how one that lags behind its load balancer is found. A host may answer anything: every wait and every size is bounded,
and what is wrong with an answer is an `error` in the result, never an exception.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import aiohttp
from yarl import URL

from adfs_mgmt.farm.model import ExternalView, Served, ServedPart
from adfs_mgmt.farm.settings import FarmSettings, address_of
from certs import Certificate, CertificateUnreadable
from foundation import http
from foundation.saml import MAX_METADATA_BYTES, SamlError, read_metadata
from foundation.times import ElapsedClock

METADATA_PATH = "/FederationMetadata/2007-06/FederationMetadata.xml"
PROBE_PATH = "/adfs/probe"
HOSTS_AT_ONCE = 48
"""Hosts that are looked at at the same time: four short connections each."""
_PROBE_BYTES = 1024
_BROKEN = (aiohttp.ClientError, OSError, ValueError, TimeoutError)
"""What a connection comes to."""


async def read_external_view(
    settings: FarmSettings, now: float, *, on_host: Callable[[str], None] | None = None
) -> ExternalView:
    """Look at every host and at the federation name itself. `on_host` hears of each that is done. Never raises.

    `now` is Unix seconds. Cancelling closes the connections.
    """
    observer = _Observer(settings, ElapsedClock(now))
    hosts = [*settings.nodes, *settings.proxies, settings.federation_name]
    async with http.open_session() as session:
        served, alias = await asyncio.gather(
            asyncio.gather(*(observer.observe(session, host, on_host) for host in hosts)), _alias(settings)
        )
    return ExternalView(
        federation_name=settings.federation_name,
        read_at=now,
        served=tuple(served),
        certificates=observer.certificates,
        canonical_name=alias,
    )


async def _alias(settings: FarmSettings) -> str:
    """What the federation name is an alias of. Where the settings have its address, it need not resolve here."""
    if settings.federation_address:
        return ""
    return await http.canonical_name(settings.federation_name, settings.outside_timeout)


@dataclass(slots=True)
class _Observer:
    """One round over all addresses."""

    settings: FarmSettings
    clock: ElapsedClock
    certificates: dict[str, Certificate] = field(default_factory=dict)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(HOSTS_AT_ONCE))

    async def observe(self, session: aiohttp.ClientSession, host: str, on_host: Callable[[str], None] | None) -> Served:
        """One host: TLS, metadata and probe at the same time, each with a result of its own."""
        address = address_of(self.settings, host)
        async with self._slots:
            tls, unnamed, metadata, probe = await asyncio.gather(
                self._try("TLS", self._read_tls(address)),
                self._read_unnamed(address),
                self._try("metadata", self._read_metadata(session, address)),
                self._try("probe", self._read_probe(session, address)),
            )
        if on_host is not None:
            on_host(host)
        served = Served(host=host, port=self.settings.https_port)
        for change in (tls, unnamed, metadata, probe):
            served = change(served)
        return served

    async def _try(self, part: ServedPart, work: Awaitable[Callable[[Served], Served]]) -> Callable[[Served], Served]:
        """What was read, or what went wrong, as a change of `Served`."""
        try:
            async with asyncio.timeout(self.settings.outside_timeout):
                return await work
        except (http.FetchFailed, SamlError, CertificateUnreadable) as error:
            return _broken(part, error.reason)
        except _BROKEN as error:
            return _broken(part, http.explain_failure(error, self.settings.outside_timeout))

    async def _read_tls(self, address: str) -> Callable[[Served], Served]:
        settings = self.settings
        certificate, problem = await http.read_served_certificate(
            address, settings.https_port, settings.federation_name, settings.tls_ca_file
        )
        self._keep(certificate)
        return lambda served: replace(served, tls=certificate, tls_problem=problem)

    async def _read_unnamed(self, address: str) -> Callable[[Served], Served]:
        """What a client without SNI gets: http.sys ends the connection where it has no row for the address."""
        found = ""
        with suppress(http.FetchFailed, CertificateUnreadable, *_BROKEN):
            async with asyncio.timeout(self.settings.outside_timeout):
                certificate, _ = await http.read_served_certificate(address, self.settings.https_port, "")
                found = self._keep(certificate).thumbprint
        return lambda served: replace(served, unnamed=found)

    async def _read_metadata(self, session: aiohttp.ClientSession, address: str) -> Callable[[Served], Served]:
        started = time.monotonic()
        body, skew = await self.get_metadata(session, address)
        took = (time.monotonic() - started) * 1000
        read = await asyncio.to_thread(read_metadata, body)
        problem = "; ".join(filter(None, (read.signature_problem, *read.unreadable)))
        for certificate in (*read.signing, *read.encryption, *((read.signed_by,) if read.signed_by else ())):
            self._keep(certificate)
        return lambda served: replace(
            served,
            entity_id=read.entity_id,
            signing=tuple(certificate.thumbprint for certificate in read.signing),
            encryption=tuple(certificate.thumbprint for certificate in read.encryption),
            signed_by=read.signed_by.thumbprint if read.signed_by else "",
            milliseconds=took,
            clock_skew=skew if skew is not None else served.clock_skew,
            errors={**served.errors, **({"metadata": problem} if problem else {})},
        )

    async def get_metadata(self, session: aiohttp.ClientSession, address: str) -> tuple[bytes, float | None]:
        """The document, and the clock skew of who sent it. What it says is proved by its own signature, not by TLS."""
        url = URL.build(scheme="https", host=address, port=self.settings.https_port, path=METADATA_PATH)
        async with session.get(
            url,
            ssl=http.accept_anything(),
            server_hostname=self.settings.federation_name,
            headers={"Host": http.host_header(self.settings.federation_name, self.settings.https_port, 443)},
            allow_redirects=False,
        ) as response:
            if response.status != 200:
                raise http.FetchFailed("metadata", f"HTTP {response.status}")
            return await http.read_bounded(response, MAX_METADATA_BYTES), http.clock_skew(response, self.clock.now())

    async def _read_probe(self, session: aiohttp.ClientSession, address: str) -> Callable[[Served], Served]:
        url = URL.build(scheme="http", host=address, port=self.settings.http_port, path=PROBE_PATH)
        headers = {"Host": http.host_header(self.settings.federation_name, self.settings.http_port, 80)}
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            skew = http.clock_skew(response, self.clock.now())
            await http.read_bounded(response, _PROBE_BYTES)
            if response.status != 200:
                raise http.FetchFailed("probe", f"HTTP {response.status}")
            return lambda served: replace(
                served, probe_ok=True, clock_skew=served.clock_skew if served.clock_skew is not None else skew
            )

    def _keep(self, certificate: Certificate) -> Certificate:
        return self.certificates.setdefault(certificate.thumbprint, certificate)


def _broken(part: ServedPart, reason: str) -> Callable[[Served], Served]:
    return lambda served: replace(served, errors={**served.errors, part: reason})
