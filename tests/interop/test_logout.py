"""mod_auth_openidc signs people out: by the browser, and told by the relay's server."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pytest

from gateway.federation import FederationSettings
from tests.interop.apache import Apache
from tests.interop.site import ANNA, PASSWORD, FederatedSite, federated
from tests.interop.test_apache import application, oidc_application
from tests.interop.visitor import Forms, Page, Visitor
from tests.support.relay_and_agent import LOOPBACK

pytestmark = pytest.mark.interop


class Stand(NamedTuple):
    """Relay and application, and a browser that is signed in to both."""

    site: FederatedSite
    apache: Apache
    visitor: Visitor

    async def visit(self) -> Page:
        """The application, or where it leads to."""
        return await self.visitor.open(f"{self.apache.url}/oidc/")


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """The relay's server trusts the application's: its certificate is known to it by `ca_file`."""
    authorities = tmp_path / "applications.pem"
    async with (
        federated(tmp_path, FederationSettings(ca_file=authorities, application_networks=LOOPBACK)) as site,
        Apache(site.ca_file) as apache,
        Visitor(site.ca_file, apache.ca_file) as visitor,
    ):
        shutil.copy(apache.ca_file, authorities)
        trust = application(apache, pkce="S256")
        told = replace(trust.oidc, backchannel_logout_uri=f"{apache.url}/oidc/redirect?logout=backchannel")
        await site.trust(replace(trust, oidc=told))
        await apache.start(oidc_application(site, pkce="S256"))
        made = Stand(site, apache, visitor)
        page = await visitor.sign_in(await made.visit(), ANNA, PASSWORD)
        assert page.url == f"{apache.url}/oidc/", apache.logged()
        yield made


async def test_who_signs_out_at_the_application_is_signed_out_here(stand: Stand) -> None:
    """RP-initiated: it sends the ID token as a hint, nobody is asked, and the browser comes back to its page."""
    home = f"{stand.apache.url}/"
    page = await stand.visitor.open(f"{stand.apache.url}/oidc/redirect?logout={quote(home, safe='')}")
    assert (page.status, page.url.partition("?")[0]) == (200, home), page.text
    assert "nobody needs to sign in" in page.text
    assert (await stand.visit()).url.startswith(f"{stand.site.url}/signin")


async def test_who_signs_out_here_is_signed_out_at_the_application(stand: Stand) -> None:
    """Back channel: the module takes the logout token, and its own session is over without the browser's doing."""
    account = await stand.visitor.open(f"{stand.site.url}/account")
    (fields,) = [fields for _, action, fields in Forms(account.text).forms if action == "/signout"]
    page = await stand.visitor.open(f"{stand.site.url}/signout", fields)
    assert "Apache" in page.text
    assert (await stand.visit()).url.startswith(f"{stand.site.url}/signin"), stand.apache.logged()
