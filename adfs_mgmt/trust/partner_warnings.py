"""The partners' own metadata: fetched, compared with what it was, and judged by when its certificates end.

A partner that changes its encryption or signing certificate breaks sign-in to it where AD FS does not watch its metadata.
The addresses come out of AD FS's configuration and lead anywhere, so only HTTPS is spoken, TLS is verified, redirects are
not followed and sizes are bounded.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from certs import Certificate, Partner
from foundation.saml import MAX_METADATA_BYTES, Metadata, SamlError, read_metadata

AT_ONCE = 8
SOON = 30 * 86400.0
"""Seconds. A partner's certificate that ends sooner is worth a warning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerMetadata:
    """What a partner's metadata was like."""

    partner: str
    certificates: tuple[Certificate, ...] = ()
    error: str = ""
    """Why it could not be read; empty where it has no address."""
    watched: bool = True
    """False where AD FS knows no address of metadata for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerWarning:
    """Something that an administrator should know of a partner."""

    partner: str
    what: str
    remedy: str


async def read_partner_metadata(
    partners: Sequence[Partner],
    *,
    timeout: float = 15.0,  # noqa: ASYNC109
    ca_file: Path | None = None,
) -> list[PartnerMetadata]:
    """Fetch every partner's metadata, some at a time; `timeout` in seconds for each. Never raises for a partner's fault."""
    limit = asyncio.Semaphore(AT_ONCE)
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=context),
        timeout=aiohttp.ClientTimeout(total=timeout),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,  # a few bytes that unpack to gigabytes stay a few bytes
        headers={"Accept-Encoding": "identity", "User-Agent": "isthmus"},
        trust_env=True,
    ) as session:

        async def one(partner: Partner) -> PartnerMetadata:
            async with limit:
                return await _look_at(session, partner)

        return list(await asyncio.gather(*(one(partner) for partner in partners)))


def judge_partner(partner: Partner, found: PartnerMetadata, now: float) -> list[PartnerWarning]:
    """What is worth saying of one. Pure."""
    if not found.watched:
        return []
    if found.error:
        return [_warning(partner, f"its metadata cannot be read: {found.error}", "Ask its owner, or correct the address")]
    return [*_changes(partner, found), *_ends(partner, found, now)]


async def _look_at(session: aiohttp.ClientSession, partner: Partner) -> PartnerMetadata:
    if not partner.metadata_url:
        return PartnerMetadata(partner=partner.name, watched=False)
    try:
        metadata = await _fetch(session, partner.metadata_url)
    except SamlError as error:
        return PartnerMetadata(partner=partner.name, error=error.reason)
    except TimeoutError:
        return PartnerMetadata(partner=partner.name, error="no answer in time")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return PartnerMetadata(partner=partner.name, error=_reason(error))
    found = {row.thumbprint: row for row in (*metadata.signing, *metadata.encryption)}
    return PartnerMetadata(partner=partner.name, certificates=tuple(found.values()))


async def _fetch(session: aiohttp.ClientSession, url: str) -> Metadata:
    if urlsplit(url).scheme != "https":
        raise SamlError("metadata", "its address is not HTTPS, so anybody on the way could have written it")
    async with session.get(url, allow_redirects=False) as response:
        if response.status != 200:
            raise SamlError("metadata", f"HTTP {response.status}")
        data = bytearray()
        async for chunk in response.content.iter_chunked(65536):
            data += chunk
            if len(data) > MAX_METADATA_BYTES:
                raise SamlError("metadata", f"more than {MAX_METADATA_BYTES} bytes")
    return await asyncio.to_thread(read_metadata, bytes(data))


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its TLS certificate is not trusted here"
    return "cannot be reached"


def _changes(partner: Partner, found: PartnerMetadata) -> Iterable[PartnerWarning]:
    """Only where it was looked at before."""
    if not partner.seen_at:
        return
    current = {certificate.thumbprint for certificate in found.certificates}
    for thumbprint in sorted(current - set(partner.seen)):
        text = f"its metadata has a new certificate, {thumbprint}"
        yield _warning(partner, text, "Where AD FS does not watch its metadata: Update-AdfsRelyingPartyTrust")
    for thumbprint in sorted(set(partner.seen) - current):
        yield _warning(
            partner, f"certificate {thumbprint} vanished from its metadata", "AD FS must not encrypt to it any more"
        )


def _ends(partner: Partner, found: PartnerMetadata, now: float) -> Iterable[PartnerWarning]:
    for certificate in found.certificates:
        name, left = certificate.thumbprint, certificate.not_after - now
        if left <= 0:
            yield _warning(partner, f"its certificate {name} has ended", "Ask its owner for a new one")
        elif left < SOON:
            text = f"its certificate {name} ends in {left / 86400:.0f} days"
            yield _warning(partner, text, "Ask its owner for another")


def _warning(partner: Partner, what: str, remedy: str) -> PartnerWarning:
    return PartnerWarning(partner=partner.name, what=what, remedy=remedy)
