"""Debian's Apache modules: mod_auth_openidc, a certified OpenID Connect client, and mod_auth_mellon, SAML by Lasso."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from gateway.federation.claims import ClaimRule, ClaimsPolicy
from gateway.federation.trusts import AssertionConsumer, ClientSecret, Lifetimes, OidcClient, SamlParty, Trust
from tests.foundation.saml.parties import party
from tests.gateway.federation.saml.service_provider import pem
from tests.interop.apache import Apache, OidcApplication, SamlApplication
from tests.interop.site import ANNA, PASSWORD, FederatedSite, federated
from tests.interop.visitor import Visitor

pytestmark = pytest.mark.interop

SECRET = "a secret that the module was given"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[FederatedSite]:
    async with federated(tmp_path) as made:
        yield made


@pytest.fixture
async def apache(site: FederatedSite) -> AsyncIterator[Apache]:
    async with Apache(site.ca_file) as made:
        yield made


def application(apache: Apache, *, pkce: str) -> Trust:
    return Trust(
        id="apache",
        name="Apache",
        protocol="oidc",
        oidc=OidcClient(
            redirect_uris=(f"{apache.url}/oidc/redirect",),
            post_logout_redirect_uris=(f"{apache.url}/",),
            secrets=(ClientSecret(digest=hashlib.sha256(SECRET.encode()).hexdigest()),),
            pkce="required" if pkce else "optional",
        ),
    )


def oidc_application(site: FederatedSite, *directives: str, pkce: str = "") -> OidcApplication:
    """The same, as the module has it."""
    return OidcApplication(issuer=site.url, client_id="apache", secret=SECRET, pkce=pkce, directives=directives)


@pytest.mark.parametrize("pkce", ["", "S256"])
async def test_mod_auth_openidc_signs_in(site: FederatedSite, apache: Apache, pkce: str) -> None:
    """With PKCE and as it comes, without; the claims of userinfo reach the application."""
    await site.trust(application(apache, pkce=pkce))
    await apache.start(oidc_application(site, pkce=pkce))
    async with Visitor(site.ca_file, apache.ca_file) as visitor:
        page = await visitor.open(f"{apache.url}/oidc/")
        assert page.url.startswith(f"{site.url}/signin"), apache.logged()
        assert "Apache" in page.text
        page = await visitor.sign_in(page, ANNA, PASSWORD)
        assert (page.status, page.url) == (200, f"{apache.url}/oidc/"), apache.logged()
        assert page.headers["X-Seen-email"] == ANNA
        assert page.headers["X-Seen-sub"]


def saml_application(apache: Apache, **fields: Any) -> Trust:
    own = party("apache")
    said = SamlParty(
        entity_id=f"{apache.url}/saml/mellon/metadata",
        consumers=(AssertionConsumer(url=f"{apache.url}/saml/mellon/postResponse", default=True),),
        certificates=(pem(own),),
        encryption_certificate=pem(own),
        require_signed_requests=True,
        attribute_name_format="basic",
    )
    rules = tuple(ClaimRule(claim=name, source=source) for name, source in (("mail", "mail"), ("uid", "user_name")))
    return Trust(id="mellon", name="Mellon", protocol="saml", saml=replace(said, **fields), claims=ClaimsPolicy(rules=rules))


async def test_mod_auth_openidc_refreshes(site: FederatedSite, apache: Apache) -> None:
    """Before its access token ends, in time after time: each time with the refresh token of the time before."""
    trust = application(apache, pkce="S256")
    await site.trust(replace(trust, lifetimes=Lifetimes(access_token=60.0)))
    always = "OIDCRefreshAccessTokenBeforeExpiry 3600 logout_on_error"
    await apache.start(oidc_application(site, always, pkce="S256"))
    async with Visitor(site.ca_file, apache.ca_file) as visitor:
        await visitor.sign_in(await visitor.open(f"{apache.url}/oidc/"), ANNA, PASSWORD)
        tokens = []
        for _ in range(3):
            page = await visitor.open(f"{apache.url}/oidc/")
            assert (page.status, page.url) == (200, f"{apache.url}/oidc/"), apache.logged()
            tokens.append(page.headers["X-Seen-access_token"])
        assert len(set(tokens)) == 3


async def mellon(site: FederatedSite, apache: Apache, *directives: str) -> SamlApplication:
    """With our metadata, as an administrator would download it."""
    own = party("apache")
    key, certificate, metadata = (apache.home / name for name in ("mellon.key", "mellon.pem", "idp.xml"))
    key.write_bytes(own.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    certificate.write_text(pem(own))
    async with Visitor(site.ca_file) as visitor:
        metadata.write_text((await visitor.open(f"{site.url}/saml/metadata")).text)
    return SamlApplication(metadata=metadata, key=key, certificate=certificate, directives=directives)


_HOW: dict[str, dict[str, Any]] = {
    "assertion signed": {},
    "response signed": {"sign": "response"},
    "both signed": {"sign": "both"},
    "encrypted, CBC": {"encrypt": True, "encryption_cipher": "aes256-cbc"},
    "a name for one time": {"name_id_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"},
}


@pytest.mark.parametrize("fields", _HOW.values(), ids=_HOW)
async def test_mod_auth_mellon_signs_in(site: FederatedSite, apache: Apache, fields: dict[str, Any]) -> None:
    """Lasso signs its request, and takes our metadata, signatures and encryption."""
    await site.trust(saml_application(apache, **fields))
    await apache.start(await mellon(site, apache))
    async with Visitor(site.ca_file, apache.ca_file) as visitor:
        page = await visitor.open(f"{apache.url}/saml/")
        assert page.url.startswith(f"{site.url}/signin"), apache.logged()
        assert "Mellon" in page.text
        page = await visitor.sign_in(page, ANNA, PASSWORD)
        assert (page.status, page.url) == (200, f"{apache.url}/saml/"), (page.text, apache.logged())
        assert page.headers["X-Seen-mail"] == ANNA
        assert page.headers["X-Seen-uid"] == ANNA
        assert page.headers["X-Seen-NAME_ID"]


async def logout_with_mellon(site: FederatedSite, apache: Apache, binding: str) -> None:
    """A trust of which the party can be told, and Mellon with our metadata."""
    url = f"{apache.url}/saml/mellon/logout"
    await site.trust(saml_application(apache, logout_url=url, logout_binding=binding))
    await apache.start(await mellon(site, apache))


async def test_mod_auth_mellon_signs_out(site: FederatedSite, apache: Apache) -> None:
    """Lasso signs a LogoutRequest, and takes our answer; here and there somebody has to sign in again."""
    await logout_with_mellon(site, apache, "redirect")
    async with Visitor(site.ca_file, apache.ca_file) as visitor:
        page = await visitor.sign_in(await visitor.open(f"{apache.url}/saml/"), ANNA, PASSWORD)
        assert page.headers["X-Seen-mail"] == ANNA
        page = await visitor.open(f"{apache.url}/saml/mellon/logout?ReturnTo={apache.url}/")
        assert (page.status, page.url) == (200, f"{apache.url}/"), (page.text, page.visited, apache.logged())
        assert any(url.startswith(f"{site.url}/saml/slo") for url in page.visited)
        assert (await visitor.open(f"{site.url}/account")).url.startswith(f"{site.url}/signin")
        assert (await visitor.open(f"{apache.url}/saml/")).url.startswith(f"{site.url}/signin")


@pytest.mark.parametrize("binding", ["redirect", "soap"])
async def test_mod_auth_mellon_is_told_of_a_sign_out(
    site: FederatedSite, apache: Apache, binding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever signs out on the account page is out of the application, too, by the browser or past it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(apache.ca_file))  # of the system, for what the relay asks itself
    await logout_with_mellon(site, apache, binding)
    async with Visitor(site.ca_file, apache.ca_file) as visitor:
        await visitor.sign_in(await visitor.open(f"{apache.url}/saml/"), ANNA, PASSWORD)
        _, fields = (await visitor.open(f"{site.url}/account")).form("csrf")
        page = await visitor.open(f"{site.url}/signout", {"csrf": fields["csrf"]})
        assert '<span class="state">signed out</span>' in page.text, (page.text, page.visited, apache.logged())
        assert any(url.startswith(f"{apache.url}/saml/mellon/logout") for url in page.visited) == (binding == "redirect")
        assert (await visitor.open(f"{apache.url}/saml/")).url.startswith(f"{site.url}/signin")
