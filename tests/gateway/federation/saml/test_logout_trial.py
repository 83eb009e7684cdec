"""A party that a session tries a signing key with is told of the end with that key, and answered with it."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from certs import Certificate, KeyState, read_certificate
from foundation.saml import (
    LOGOUT_RESPONSE,
    SamlError,
    read_envelope,
    read_logout_request,
    read_redirect,
    verify_enveloped,
    verify_redirect,
)
from gateway.federation.keys.material import make_key
from tests.foundation.saml.parties import party
from tests.gateway.federation.saml.conftest import Provider
from tests.gateway.federation.saml.service_provider import own_keys
from tests.gateway.federation.saml.test_logout import Known, both, followed, further, logout, response, sent
from tests.gateway.federation.saml.test_logout_soap import SoapParty, signed, soap
from tests.gateway.federation.saml.test_logout_soap import provider as provider
from tests.gateway.federation.saml.test_logout_soap import shop as shop
from tests.gateway.signin.site import Site


@pytest.fixture
async def tried(site: Site, provider: Provider) -> Certificate:
    """Of a key that is published and not in use."""
    record = make_key("saml", "RSA", host="h", state=KeyState.PUBLISHED, now=site.now, lifetime=1e6)
    unit = provider.store.unit()
    unit.put_signing_key(record)
    await unit.commit()
    await provider.keys.load()
    return read_certificate(record.certificate)


async def trying(site: Site, provider: Provider, trust: str, known: Known) -> None:
    """The session tries that key with this party."""
    kept = await provider.store.participants.find(trust, known.index)
    assert kept is not None
    key = provider.keys.published("saml")[1].id
    await provider.store.participants.add(replace(kept, tried_key=key, tried_until=site.now + 60))


def by_redirect_signed_with(url: str, certificate: Certificate) -> bytes:
    """The message, where that key signed it."""
    message = read_redirect(urlsplit(url).query)
    verify_redirect(message, [certificate])
    return message.document


async def test_by_the_browser_each_party_sees_its_own_key(site: Site, provider: Provider, tried: Certificate) -> None:
    """The one that asks is answered with the key that is tried; the other one, which tries nothing, as ever."""
    wiki, _ = await both(site, provider)
    await trying(site, provider, "wiki", wiki)
    _, page, _ = await followed(site, sent(logout(site.now, wiki), own_keys()))
    asked = read_logout_request(by_redirect_signed_with(further(page), provider.context._key()[1]))
    _, _, headers = await followed(site, sent(response(site.now, asked.id), party("shop")))
    assert by_redirect_signed_with(headers["Location"], tried)


async def test_a_party_that_the_browser_tells_is_told_with_it(site: Site, provider: Provider, tried: Certificate) -> None:
    """Until its time is over."""
    wiki, known = await both(site, provider)
    await trying(site, provider, "shop", known)
    _, page, _ = await followed(site, sent(logout(site.now, wiki), own_keys()))
    asked = read_logout_request(by_redirect_signed_with(further(page), tried))
    _, _, headers = await followed(site, sent(response(site.now, asked.id), party("shop")))
    with pytest.raises(SamlError):
        by_redirect_signed_with(headers["Location"], tried)


async def test_by_soap_it_is_the_same(site: Site, provider: Provider, shop: SoapParty, tried: Certificate) -> None:
    """Request to the one, response to the other."""
    wiki, known = await both(site, provider, logout_url=shop.url, logout_binding="soap")
    await trying(site, provider, "wiki", wiki)
    await trying(site, provider, "shop", known)
    shop.certificate = tried
    _, envelope = await soap(site, signed(logout(site.now, wiki)))
    assert len(shop.asked) == 1
    assert verify_enveloped(read_envelope(envelope), [tried], "r", root_tags=(LOGOUT_RESPONSE,))
