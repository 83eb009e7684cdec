"""Signing keys of both rings are replaced while people sign in to Apache's applications: nobody is refused for a moment."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from certs import KeyState
from gateway.federation import FederationSettings
from gateway.federation.keys import KeySettings
from gateway.federation.keys.model import Ring
from gateway.federation.trusts import KeyNotice
from tests.interop.apache import Apache
from tests.interop.site import ANNA, PASSWORD, FederatedSite, federated
from tests.interop.test_apache import application, mellon, oidc_application, saml_application
from tests.interop.visitor import Page, Visitor

pytestmark = pytest.mark.interop

KEYS = KeySettings(lead=1.0, publish_for=3.0, retire_after=3.0)
"""Seconds instead of days."""
SOON = KeyNotice(learns="automatic", within=1.0)
RINGS: tuple[Ring, ...] = ("oidc", "saml")
_LIMIT = 90.0
"""Seconds; it takes ten."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[FederatedSite]:
    async with federated(tmp_path, FederationSettings(keys=KEYS)) as made:
        yield made


async def visit(visitor: Visitor, apache: Apache, path: str) -> Page:
    """An application as somebody has it who signs in where that is asked for."""
    page = await visitor.open(f"{apache.url}{path}")
    if 'name="user_name"' in page.text:
        page = await visitor.sign_in(page, ANNA, PASSWORD)
    assert (page.status, page.url) == (200, f"{apache.url}{path}"), (page.text, apache.logged())
    return page


async def check_everybody_signs_in(site: FederatedSite, apache: Apache) -> None:
    """Somebody new, to both."""
    async with Visitor(site.ca_file, apache.ca_file) as visitor:
        oidc, saml = await visit(visitor, apache, "/oidc/"), await visit(visitor, apache, "/saml/")
        assert oidc.headers["X-Seen-email"] == saml.headers["X-Seen-mail"] == ANNA


async def keys_of(site: FederatedSite) -> dict[Ring, dict[str, KeyState]]:
    """By ring and id."""
    records = await site.relay.store.signing_keys.all()
    return {ring: {record.id: KeyState(record.state) for record in records if record.ring == ring} for ring in RINGS}


async def metadata(site: FederatedSite) -> str:
    async with Visitor(site.ca_file) as visitor:
        return (await visitor.open(f"{site.url}/saml/metadata")).text


async def test_keys_are_replaced_while_people_sign_in(site: FederatedSite) -> None:
    """mod_auth_openidc reads the key set by itself; mellon is given the metadata anew while both keys are in it."""
    async with Apache(site.ca_file) as apache, Visitor(site.ca_file, apache.ca_file) as early:
        await site.trust(replace(application(apache, pkce="S256"), keys=SOON))
        await site.trust(replace(saml_application(apache), keys=SOON))
        await apache.start(oidc_application(site, pkce="S256"), await mellon(site, apache))
        await visit(early, apache, "/oidc/")
        before = await keys_of(site)
        for ring in RINGS:
            await site.relay.federation.rollovers.start(ring)
        await site.relay.store.generations.look()
        both = await metadata(site)
        signing = re.findall('use="signing".*?X509Certificate>([^<]+)<', both.partition("IDPSSODescriptor")[2])
        assert len(set(signing)) == 2
        (apache.home / "idp.xml").write_text(both)
        apache.reload()
        async with asyncio.timeout(_LIMIT):
            seen = await follow(site, apache, before)
        assert seen == {"oidc": 2, "saml": 2}
        await check_everybody_signs_in(site, apache)
        await visit(early, apache, "/oidc/")
        await visit(early, apache, "/saml/")


async def follow(site: FederatedSite, apache: Apache, before: dict[Ring, dict[str, KeyState]]) -> dict[Ring, int]:
    """People sign in until all keys are new ones. How many keys for each algorithm there were at most."""
    most = dict.fromkeys(RINGS, 0)
    while True:
        await check_everybody_signs_in(site, apache)
        now = await keys_of(site)
        most = {ring: max(most[ring], len(now[ring]) // len(before[ring])) for ring in RINGS}
        if all(not now[ring].keys() & before[ring].keys() for ring in RINGS):
            assert {state for ring in RINGS for state in now[ring].values()} == {KeyState.ACTIVE}
            return most
