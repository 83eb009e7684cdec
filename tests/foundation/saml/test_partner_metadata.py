"""The partners' own metadata."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from certs import Certificate, Partner
from foundation.saml import MAX_METADATA_BYTES, PartnerMetadata, read_partner_metadata
from tests.adfs.trust.conftest import signing
from tests.fakes.graph import Pki

NOW = time.time()


def document(*certificates: Certificate) -> bytes:
    """A service provider's metadata (saml-metadata-2.0-os section 2.4.4)."""
    keys = "".join(
        '<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>'
        f"{base64.b64encode(each.der).decode()}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
        for each in certificates
    )
    return (
        '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:wiki">'
        f'<SPSSODescriptor protocolSupportEnumeration="x">{keys}</SPSSODescriptor></EntityDescriptor>'
    ).encode()


class Site:
    """A partner's web server."""

    def __init__(self, pki: Pki) -> None:
        self.pki, self.body, self.status, self.url, self.asked = pki, b"", 200, "", 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        headers = {"Location": f"{self.url}/elsewhere"} if self.status == 302 else {}
        return web.Response(body=self.body, status=self.status, headers=headers)

    async def see(self, url: str = "") -> PartnerMetadata:
        partner = Partner(name="Wiki", metadata_url=url or f"{self.url}/metadata")
        (sight,) = await read_partner_metadata([partner], ca_file=self.pki.ca_file)
        return sight


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    made = Site(Pki(tmp_path, NOW))
    application = web.Application()
    application.add_routes([web.get("/{path:.*}", made.answer)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=made.pki.server_context()).start()
    made.url = f"https://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


async def test_certificates_are_seen(site: Site) -> None:
    """What the document names."""
    live = signing()
    site.body = document(live)
    assert (await site.see()).certificates == (live,)


async def test_an_odd_certificate_does_not_hide_the_others(site: Site) -> None:
    """It is said which one cannot be read, and why."""
    live, other = signing(), signing()
    text = base64.b64encode(other.der)
    for odd in (b"AAAA", b"!!!"):
        site.body = document(other, live).replace(text, odd)
        sight = await site.see()
        assert (sight.error, sight.certificates) == ("", (live,))
        assert sight.unreadable[0].startswith("signing certificate 1: ")


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (404, b"", "HTTP 404"),
        (302, b"", "HTTP 302"),
        (200, b"<html", "not well-formed"),
        (200, b'<!DOCTYPE x [<!ENTITY a "b">]><x/>', "document type"),
        (200, b" " * (MAX_METADATA_BYTES + 1), "more than"),
    ],
)
async def test_what_is_no_metadata(site: Site, status: int, body: bytes, expected: str) -> None:
    """An error in words, for one partner; a redirect is not followed, entities are not expanded, sizes are bounded."""
    site.status, site.body = status, body
    assert expected in (await site.see()).error
    assert site.asked == 1


async def test_addresses_that_are_not_asked(site: Site) -> None:
    """Plain HTTP and other schemes out of a configuration are not followed; no address is no error."""
    for url in ("http://127.0.0.1:1/", "file:///etc/passwd", "gopher://x"):
        assert "HTTPS" in (await site.see(url)).error
    (sight,) = await read_partner_metadata([Partner(name="none")])
    assert (sight.watched, sight.error) == (False, "")
    assert "reached" in (await site.see("https://127.0.0.1:9/")).error
    assert site.asked == 0


async def test_tls_is_verified(site: Site) -> None:
    """Another CA than ours is not trusted."""
    site.body = document(signing())
    (sight,) = await read_partner_metadata([Partner(name="Wiki", metadata_url=f"{site.url}/")])
    assert "not trusted" in sight.error
    assert site.asked == 0
