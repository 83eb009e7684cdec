"""Sign-on and single logout where each request reaches the other node."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from foundation.saml import read_logout_request, read_logout_response, read_redirect, sign_redirect
from tests.foundation.saml.parties import party
from tests.gateway.federation.oidc.stand import ANNA, PASSWORD, OidcStand
from tests.gateway.federation.saml.conftest import WIKI
from tests.gateway.federation.saml.service_provider import ENTITY, Answer, authn_request, own_keys
from tests.gateway.federation.saml.test_logout import SHOP, WIKI_SLO, Known, logout, response, shop_trust
from tests.support.fakes import FakeDirectories
from tests.support.nodes import TwoNodes, trusting_client

pytestmark = pytest.mark.postgres


async def test_a_logout_passes_from_node_to_node(two_nodes: TwoNodes) -> None:
    """Two applications, one asks, the other is told by the browser: what one node began the other continues."""
    people = FakeDirectories({ANNA: PASSWORD})
    async with two_nodes.agent(people), trusting_client(two_nodes._home) as client:
        stand = OidcStand(two_nodes.relays, people, two_nodes._home, client)
        await stand.trust(replace(WIKI, saml=replace(WIKI.saml, logout_url=WIKI_SLO)), shop_trust())
        browser = stand.browser()
        known: list[Known] = []
        for entity, request_id in ((ENTITY, "_a"), (SHOP, "_b")):
            destination = f"{stand.issuer}/saml/sso"
            asked = authn_request(
                time.time(), "", entity, ID=request_id, Destination=destination, AssertionConsumerServiceURL=None
            )
            query = sign_redirect("SAMLRequest", asked, "", (own_keys() if entity == ENTITY else party("shop")).key)
            arrival = await browser.open(f"/saml/sso?{query}")
            answer = Answer.of(arrival.page if known else (await browser.sign_in(arrival)).page)
            known.append(Known(answer.text("//a:NameID"), answer.text("//a:AuthnStatement/@SessionIndex")))
        slo = f"{stand.issuer}/saml/slo"
        asking = logout(time.time(), known[0], Destination=slo)
        arrival = await browser.open(f"/saml/slo?{sign_redirect('SAMLRequest', asking, '', own_keys().key)}")
        told = read_logout_request(read_redirect(arrival.location.partition("?tenant=1&")[2]).document)
        assert told.session_indexes == (known[1].index,)
        answered = response(time.time(), told.id, destination=slo)
        arrival = await browser.open(f"/saml/slo?{sign_redirect('SAMLResponse', answered, '', party('shop').key)}")
        assert arrival.location.startswith(f"{WIKI_SLO}?")
        assert read_logout_response(read_redirect(arrival.location.partition("?")[2]).document).succeeded
        for _ in two_nodes.relays:
            assert "user_name" in (await browser.open("/account")).page
