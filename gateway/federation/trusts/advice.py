"""What a trust may have, and an administrator should know of: pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.federation.trusts.model import OidcClient, SamlParty, Trust


def warnings_of(trust: Trust) -> Iterator[str]:
    """Each with the key of the setting in front."""
    if trust.protocol == "oidc":
        yield from _client_warnings(trust.oidc)
    else:
        yield from _party_warnings(trust.saml)


def _client_warnings(client: OidcClient) -> Iterator[str]:
    if "password" in client.grants:
        yield "oidc.grants: with `password` the application itself handles passwords; no second factor can be asked for"
    if client.pkce == "optional" and "authorization_code" in client.grants:
        yield "oidc.pkce: without PKCE a stolen authorization code is worth a session to whoever has the client's secret"
    if "fragment" in client.response_modes:
        yield "oidc.response_modes: with `fragment` codes are visible to every script of the page"


def _party_warnings(party: SamlParty) -> Iterator[str]:
    if party.signature_algorithm == "rsa-sha1":
        yield "saml.signature_algorithm: SHA-1 signatures can be forged with enough effort"
    if party.accept_sha1:
        yield "saml.accept_sha1: SHA-1 signatures can be forged with enough effort"
    if party.accept_cbc:
        yield "saml.accept_cbc: CBC is not authenticated; ask the application's operators for AES-GCM"
    if party.encrypt and party.encryption_cipher.endswith("cbc"):
        yield "saml.encryption_cipher: CBC is not authenticated: who can send to the application may decrypt assertions"
    if party.idp_initiated:
        yield "saml.idp_initiated: somebody can be made to sign in as somebody else (login CSRF); use it only where needed"
