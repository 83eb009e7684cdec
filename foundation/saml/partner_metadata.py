"""The partners' own metadata, fetched from wherever it is said to be.

The addresses come out of configuration and lead anywhere, so only HTTPS is spoken, TLS is verified, redirects are not
followed and sizes are bounded.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from certs import Partner
from foundation.http import FetchFailed, open_session, read_bounded
from foundation.saml.errors import SamlError
from foundation.saml.metadata import MAX_METADATA_BYTES, read_metadata
from foundation.saml.model import Metadata, PartnerMetadata

AT_ONCE = 8


async def read_partner_metadata(
    partners: Sequence[Partner],
    *,
    timeout: float = 15.0,  # noqa: ASYNC109
    ca_file: Path | None = None,
) -> list[PartnerMetadata]:
    """Fetch every partner's metadata, some at a time; `timeout` in seconds for each. Never raises for a partner's fault."""
    limit = asyncio.Semaphore(AT_ONCE)
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    async with open_session(aiohttp.ClientTimeout(total=timeout), context, by_proxy=True) as session:

        async def one(partner: Partner) -> PartnerMetadata:
            async with limit:
                return await _read(session, partner)

        return list(await asyncio.gather(*(one(partner) for partner in partners)))


async def _read(session: aiohttp.ClientSession, partner: Partner) -> PartnerMetadata:
    if not partner.metadata_url:
        return PartnerMetadata(partner=partner.name, watched=False)
    try:
        metadata = await _fetch(session, partner.metadata_url)
    except (SamlError, FetchFailed) as error:
        return PartnerMetadata(partner=partner.name, error=error.reason)
    except TimeoutError:
        return PartnerMetadata(partner=partner.name, error="no answer in time")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return PartnerMetadata(partner=partner.name, error=_reason(error))
    found = {row.thumbprint: row for row in (*metadata.signing, *metadata.encryption)}
    return PartnerMetadata(partner=partner.name, certificates=tuple(found.values()), unreadable=metadata.unreadable)


async def _fetch(session: aiohttp.ClientSession, url: str) -> Metadata:
    if urlsplit(url).scheme != "https":
        raise FetchFailed("metadata", "its address is not HTTPS, so anybody on the way could have written it")
    async with session.get(url, allow_redirects=False) as response:
        if response.status != 200:
            raise FetchFailed("metadata", f"HTTP {response.status}")
        try:
            data = await read_bounded(response, MAX_METADATA_BYTES)
        except FetchFailed as error:
            raise FetchFailed("metadata", f"more than {MAX_METADATA_BYTES} bytes") from error
    return await asyncio.to_thread(read_metadata, data)


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its TLS certificate is not trusted here"
    return "cannot be reached"
