"""Single logout by SOAP: a party asks without a browser, and is asked so."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from structlog.testing import capture_logs

from certs import Certificate
from demo.throwaway_tls import write_certificates
from foundation.saml import (
    LogoutRequest,
    LogoutResponse,
    read_envelope,
    read_logout_request,
    read_logout_response,
    sign_element,
    verify_enveloped,
    write_envelope,
)
from foundation.saml.requests import LOGOUT_REQUEST, LOGOUT_RESPONSE
from gateway.federation.saml.logout.soap import MAX_ANSWER
from tests.foundation.saml.parties import Party, party
from tests.gateway.federation.saml.conftest import Provider
from tests.gateway.federation.saml.service_provider import ENTITY, own_keys
from tests.gateway.federation.saml.test_logout import (
    PARTIAL,
    SUCCESS,
    Known,
    both,
    followed,
    logout,
    response,
    response_in,
    sent,
    signed_in,
)
from tests.gateway.signin.site import Site

NOW = 1_800_000_000.0
"""Of the site's clock."""


async def soap(site: Site, envelope: bytes, content_type: str = "text/xml; charset=utf-8") -> tuple[int, bytes]:
    """What a party posts by itself, without a cookie."""
    kept, site.cookies = site.cookies, {}
    headers = {"Content-Type": content_type}
    status, page, answered = await site.request("POST", "/saml/slo", data=envelope, headers=headers)
    site.cookies = kept
    assert answered["Content-Type"] == "text/xml; charset=utf-8"
    return status, page.encode()


def signed(document: bytes, keys: Party | None = None, element_id: str = "_logout1") -> bytes:
    return write_envelope(sign_element(document, element_id, (keys or own_keys()).key, None))


def answered(provider: Provider, envelope: bytes) -> LogoutResponse:
    """Signed by us."""
    document = read_envelope(envelope)
    certificate = provider.context._key()[1]
    return read_logout_response(verify_enveloped(document, [certificate], "r", root_tags=(LOGOUT_RESPONSE,)).document)


class SoapParty:
    """A party that takes logout by SOAP. answer: what it makes of a request."""

    def __init__(self) -> None:
        self.asked: list[LogoutRequest] = []
        self.certificate: Certificate | None = None
        """Of the relay, where it is not the one in use."""
        self.answer: Callable[[LogoutRequest], bytes | int | None] = lambda asked: write_envelope(response(NOW, asked.id))

    async def handle(self, request: web.Request) -> web.Response:
        document = read_envelope(await request.read())
        certificate = self.certificate or self.provider.context._key()[1]
        verify_enveloped(document, [certificate], "r", root_tags=(LOGOUT_REQUEST,))
        self.asked.append(read_logout_request(document))
        answer = self.answer(self.asked[-1])
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, int):
            return web.Response(status=answer, headers={"Location": f"https://localhost:{self.port}/elsewhere"})
        return web.Response(body=answer, content_type="text/xml")

    async def start(self, home: Path, provider: Provider) -> TestServer:
        self.provider = provider
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(home / "tls" / "cert.pem", home / "tls" / "key.pem")
        app = web.Application()
        app.router.add_post("/slo", self.handle)
        server = TestServer(app, scheme="https", handler_cancellation=True)
        await server.start_server(ssl=tls)
        self.port = int(server.port or 0)
        return server

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}/slo"


@pytest.fixture
def provider(tmp_path: Path) -> Provider:
    made = Provider()
    write_certificates(tmp_path / "tls", dns_name="localhost", address="127.0.0.1")
    made.ca_file = tmp_path / "tls" / "ca.pem"
    return made


@pytest.fixture
async def shop(tmp_path: Path, site: Site, provider: Provider) -> AsyncIterator[SoapParty]:
    made = SoapParty()
    server = await made.start(tmp_path, provider)
    yield made
    await server.close()


@pytest.mark.parametrize("content_type", ["text/xml; charset=utf-8", "application/soap+xml"], ids=["SOAP 1.1", "pysaml2"])
async def test_a_party_ends_a_session_without_a_browser(
    site: Site, provider: Provider, shop: SoapParty, content_type: str
) -> None:
    """And the other one, which takes SOAP, has been told when the answer comes (saml-bindings-2.0-os section 3.2)."""
    wiki, known = await both(site, provider, logout_url=shop.url, logout_binding="soap")
    status, envelope = await soap(site, signed(logout(site.now, wiki)), content_type)
    told = answered(provider, envelope)
    assert (status, told.status, told.in_response_to) == (200, (SUCCESS,), "_logout1")
    assert [asked.session_indexes for asked in shop.asked] == [(known.index,)]
    assert shop.asked[0].destination == shop.url
    assert not await signed_in(site)


async def test_whom_only_a_browser_reaches_is_not_told(site: Site, provider: Provider) -> None:
    """The party hears that it was not everybody."""
    wiki, _ = await both(site, provider)
    _, envelope = await soap(site, signed(logout(site.now, wiki)))
    assert answered(provider, envelope).status == (SUCCESS, PARTIAL)
    assert not await signed_in(site)


async def test_a_browser_is_not_sent_to_who_takes_soap(site: Site, provider: Provider, shop: SoapParty) -> None:
    """The answer comes by the first redirect."""
    wiki, _ = await both(site, provider, logout_url=shop.url, logout_binding="soap")
    _, _, headers = await followed(site, sent(logout(site.now, wiki), own_keys()))
    assert response_in(provider, headers["Location"])[0].succeeded
    assert len(shop.asked) == 1


BAD_ANSWERS: dict[str, tuple[Callable[[LogoutRequest], bytes | int | None], str]] = {
    "never": (lambda _: None, ""),
    "redirect": (lambda _: 302, "HTTP 302"),
    "error": (lambda _: 500, "HTTP 500"),
    "no envelope": (lambda asked: response(NOW, asked.id), "not a SOAP 1.1 envelope"),
    "too long": (lambda asked: write_envelope(response(NOW, asked.id)) + b" " * MAX_ANSWER, "envelope"),
    "no success": (lambda asked: write_envelope(response(NOW, asked.id, status="urn:oasis:no")), "answers urn:oasis:no"),
    "S23 another request": (lambda _: write_envelope(response(NOW, "_other")), "another request"),
    "S24 Issuer": (lambda asked: write_envelope(response(NOW, asked.id, ENTITY)), "another issuer"),
    "S20 another's key": (lambda asked: signed(response(NOW, asked.id), element_id="_answer"), "signature"),
    "S10 DOCTYPE": (lambda asked: b"<!DOCTYPE x>" + write_envelope(response(NOW, asked.id)), "envelope"),
}


@pytest.mark.parametrize(("answer", "reason"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
async def test_a_party_that_answers_badly_was_not_told(
    site: Site, provider: Provider, shop: SoapParty, answer: Callable[[LogoutRequest], bytes | int | None], reason: str
) -> None:
    """Within its time; the person is out all the same."""
    shop.answer = answer
    wiki, _ = await both(site, provider, logout_url=shop.url, logout_binding="soap")
    provider.participants._time_limit = 0.3
    with capture_logs() as logs:
        _, envelope = await soap(site, signed(logout(site.now, wiki)))
    assert answered(provider, envelope).status == (SUCCESS, PARTIAL)
    assert [entry["outcome"] for entry in logs if entry["event"] == "logout.told"] == ["failed"]
    assert [reason for entry in logs if reason in str(entry.get("reason", ""))]
    assert not await signed_in(site)


async def test_a_signed_answer_is_taken(site: Site, provider: Provider, shop: SoapParty) -> None:
    """The rows above would pass with a check that refuses all signatures."""
    shop.answer = lambda asked: signed(response(NOW, asked.id), party("shop"), "_answer")
    wiki, _ = await both(site, provider, logout_url=shop.url, logout_binding="soap")
    _, envelope = await soap(site, signed(logout(site.now, wiki)))
    assert answered(provider, envelope).succeeded


async def test_without_https_nobody_is_asked(site: Site, provider: Provider, shop: SoapParty) -> None:
    """Anybody could answer."""
    wiki, _ = await both(site, provider, logout_url="http://127.0.0.1:1/slo", logout_binding="soap")
    _, envelope = await soap(site, signed(logout(site.now, wiki)))
    assert answered(provider, envelope).status == (SUCCESS, PARTIAL)


FAULTS: dict[str, Callable[[float, Known], bytes]] = {
    "S28 not signed": lambda now, wiki: write_envelope(logout(now, wiki)),
    "S20 another's key": lambda now, wiki: signed(logout(now, wiki), party("shop")),
    "S24 Destination": lambda now, wiki: signed(logout(now, wiki, Destination="https://elsewhere.example.com")),
    "S12 two messages": lambda now, wiki: signed(logout(now, wiki)).replace(b"<s:Body>", b"<s:Body><x/>"),
    "two bodies": lambda now, wiki: signed(logout(now, wiki)).replace(b"<s:Body>", b"<s:Body/><s:Body>"),
    "a header to be understood": lambda now, wiki: signed(logout(now, wiki)).replace(
        b"<s:Body>", b'<s:Header><x s:mustUnderstand="1"/></s:Header><s:Body>'
    ),
    "no envelope": lambda now, wiki: sign_element(logout(now, wiki), "_logout1", own_keys().key, None),
    "SOAP 1.2": lambda now, wiki: signed(logout(now, wiki)).replace(
        b"http://schemas.xmlsoap.org/soap/envelope/", b"http://www.w3.org/2003/05/soap-envelope"
    ),
    "S10 DOCTYPE": lambda now, wiki: b'<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + signed(logout(now, wiki)),
    "S29 too long": lambda now, wiki: signed(logout(now, wiki)) + b" " * 600_000,
    "S29 UTF-16": lambda now, wiki: signed(logout(now, wiki)).decode().encode("utf-16"),
    "S29 NUL": lambda now, wiki: signed(logout(now, wiki)).replace(b"<s:Body>", b"<s:Body>\0"),
    "nothing": lambda _now, _wiki: b"",
}


@pytest.mark.parametrize("made", FAULTS.values(), ids=FAULTS)
async def test_an_envelope_that_proves_nobody_is_a_fault(
    site: Site, provider: Provider, made: Callable[[float, Known], bytes]
) -> None:
    """It says nothing about why; the log does. The session lives."""
    wiki, _ = await both(site, provider)
    with capture_logs() as logs:
        status, page = await soap(site, made(site.now, wiki))
    assert (status, b"<faultstring>the request cannot be answered</faultstring>" in page) == (500, True)
    assert [entry["event"] for entry in logs if entry["event"].startswith("saml.")] == ["saml.unproven"]
    assert await signed_in(site)


async def test_a_request_that_came_before_is_a_status(site: Site, provider: Provider) -> None:
    """S23: by whichever binding it came first."""
    wiki, _ = await both(site, provider)
    document = logout(site.now, Known(wiki.name, "_other"))
    await site.get(sent(document, own_keys()))
    _, envelope = await soap(site, signed(document))
    assert answered(provider, envelope).status[1].endswith("RequestDenied")
