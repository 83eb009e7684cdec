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
class Sight:
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


async def look(partners: Sequence[Partner], *, timeout: float = 15.0, ca_file: Path | None = None) -> list[Sight]:  # noqa: ASYNC109
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

        async def one(partner: Partner) -> Sight:
            async with limit:
                return await _look_at(session, partner)

        return list(await asyncio.gather(*(one(each) for each in partners)))


def judge(partner: Partner, sight: Sight, now: float) -> list[PartnerWarning]:
    """What is worth saying of one. Pure."""
    if not sight.watched:
        return []
    if sight.error:
        return [_warning(partner, f"its metadata cannot be read: {sight.error}", "Ask its owner, or correct the address")]
    return [*_changes(partner, sight), *_ends(partner, sight, now)]


async def _look_at(session: aiohttp.ClientSession, partner: Partner) -> Sight:
    if not partner.metadata_url:
        return Sight(partner=partner.name, watched=False)
    try:
        metadata = await _fetch(session, partner.metadata_url)
    except SamlError as error:
        return Sight(partner=partner.name, error=error.reason)
    except TimeoutError:
        return Sight(partner=partner.name, error="no answer in time")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Sight(partner=partner.name, error=_reason(error))
    found = {each.thumbprint: each for each in (*metadata.signing, *metadata.encryption)}
    return Sight(partner=partner.name, certificates=tuple(found.values()))


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


def _changes(partner: Partner, sight: Sight) -> Iterable[PartnerWarning]:
    """Only where it was looked at before."""
    if not partner.seen_at:
        return
    current = {each.thumbprint for each in sight.certificates}
    for thumbprint in sorted(current - set(partner.seen)):
        text = f"its metadata has a new certificate, {thumbprint}"
        yield _warning(partner, text, "Where AD FS does not watch its metadata: Update-AdfsRelyingPartyTrust")
    for thumbprint in sorted(set(partner.seen) - current):
        yield _warning(
            partner, f"certificate {thumbprint} vanished from its metadata", "AD FS must not encrypt to it any more"
        )


def _ends(partner: Partner, sight: Sight, now: float) -> Iterable[PartnerWarning]:
    for each in sight.certificates:
        if each.not_after <= now:
            yield _warning(partner, f"its certificate {each.thumbprint} has ended", "Ask its owner for a new one")
        elif each.not_after - now < SOON:
            days = (each.not_after - now) / 86400
            yield _warning(
                partner, f"its certificate {each.thumbprint} ends in {days:.0f} days", "Ask its owner for another"
            )


def _warning(partner: Partner, what: str, remedy: str) -> PartnerWarning:
    return PartnerWarning(partner=partner.name, what=what, remedy=remedy)
