"""What in a trust cannot be together: each rule a small function, pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cryptography import x509

from gateway.federation.claims import check_policy
from gateway.federation.trusts.addresses import absolute_uri, browser_origin, redirect_address
from gateway.federation.trusts.switches import SWITCHES
from settings import Key as SettingKey
from settings import Unfit, shown

if TYPE_CHECKING:
    from gateway.federation.trusts.model import OidcClient, SamlParty, Trust

MOST_SECRETS = 2
"""Client secrets that are valid at a time: the one in use and the next."""
NAME_ID_FORMATS = (
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
)
_LONGEST_ENTITY_ID = 1024
"""SAML core, section 8.3.6."""
_LONGEST_CLIENT_ID = 256
_PRIVATE_MEMBERS = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))
"""Of a JSON web key: what only its owner may know (RFC 7518 section 6)."""


def inconsistencies(trust: Trust) -> Iterator[Unfit]:
    """Everything that cannot be together, with the key of each."""
    yield from _other_protocol(trust)
    yield from _switches(trust)
    yield from (error.under("claims") for error in check_policy(trust.claims, trust.protocol))
    if trust.protocol == "oidc":
        for rule in _OIDC:
            yield from (error.under("oidc") for error in rule(trust.oidc))
    else:
        for check in _SAML:
            yield from (error.under("saml") for error in check(trust.saml))


def _other_protocol(trust: Trust) -> Iterator[Unfit]:
    other = "saml" if trust.protocol == "oidc" else "oidc"
    part = getattr(trust, other)
    if part != type(part)():
        yield Unfit(f"belongs to the protocol {other}, and this trust's is {trust.protocol}", "leave it out", setting=other)


def _switches(trust: Trust) -> Iterator[Unfit]:
    for name in trust.switches:
        known = SWITCHES.get(name)
        if known is None:
            yield Unfit("no such switch", "docs/reference/trusts.md lists them", setting=("switches", name))
        elif known.protocol != trust.protocol:
            yield Unfit(f"is a switch of the protocol {known.protocol}", "leave it out", setting=("switches", name))


def _client_id(client: OidcClient) -> Iterator[Unfit]:
    """RFC 6749 appendix A.1. Blanks at the ends go lost where people copy it."""
    value = client.client_id
    if len(value) > _LONGEST_CLIENT_ID or value != value.strip() or any(not " " <= sign <= "~" for sign in value):
        problem = f"{shown(value)} is no client identifier"
        yield Unfit(problem, "up to 256 ASCII characters, without blanks at the ends", setting="client_id")


def _redirects(client: OidcClient) -> Iterator[Unfit]:
    if "authorization_code" in client.grants and not client.redirect_uris:
        yield Unfit("is empty", "list the addresses that answers may go to", setting="redirect_uris")
    native = client.application == "native"
    for name in ("redirect_uris", "post_logout_redirect_uris"):
        yield from _each(name, getattr(client, name), lambda uri: redirect_address(uri, native=native))


def _origins(client: OidcClient) -> Iterator[Unfit]:
    if client.origins and client.application != "browser":
        yield Unfit("is for browser applications", 'set application = "browser", or leave it out', setting="origins")
    yield from _each("origins", client.origins, browser_origin)


def _resources(client: OidcClient) -> Iterator[Unfit]:
    yield from _each("resources", client.resources, absolute_uri)


def _scopes(client: OidcClient) -> Iterator[Unfit]:
    yield from _each("scopes", client.scopes, _scope)


def _secrets(client: OidcClient) -> Iterator[Unfit]:
    by_secret = client.authentication in {"client_secret_basic", "client_secret_post"}
    if client.secrets and not by_secret:
        yield Unfit(f"is not used with authentication = {client.authentication!r}", "leave it out", setting="secrets")
    if by_secret and not client.secrets:
        remedy = "make one (isthmus relay trust secret make), or set another authentication"
        yield Unfit(f"is needed for authentication = {client.authentication!r}", remedy, setting="secrets")
    if len(client.secrets) > MOST_SECRETS:
        remedy = f"keep at most {MOST_SECRETS}: the one in use and the next"
        yield Unfit(f"has {len(client.secrets)} secrets", remedy, setting="secrets")


def _public_client(client: OidcClient) -> Iterator[Unfit]:
    if client.application != "web" and client.authentication.startswith("client_secret"):
        remedy = 'set authentication = "none": whoever has the application could read the secret (RFC 8252 section 8.5)'
        yield Unfit(f"cannot be kept by a {client.application} application", remedy, setting="authentication")
    if client.authentication != "none":
        return
    if "client_credentials" in client.grants:
        yield Unfit("client_credentials needs a client that proves who it is", "set authentication", setting="grants")
    if client.introspects:
        yield Unfit("needs a client that proves who it is", "set authentication", setting="introspects")
    if client.pkce == "optional" and "authorization_code" in client.grants:
        yield Unfit("cannot be optional for a client without authentication", 'set pkce = "required"', setting="pkce")


def _keys(client: OidcClient) -> Iterator[Unfit]:
    if client.jwks and client.jwks_uri:
        yield Unfit("cannot be together with jwks_uri", "set one of them", setting="jwks")
    if client.authentication == "private_key_jwt" and not (client.jwks or client.jwks_uri):
        yield Unfit("is needed for private_key_jwt", "set it, or jwks_uri", setting="jwks")
    if client.jwks:
        yield from _jwks(client.jwks)


def _jwks(text: str) -> Iterator[Unfit]:
    try:
        keys = json.loads(text)["keys"]
        members = [set(key) for key in keys if isinstance(key, dict)]
    except (ValueError, KeyError, TypeError, RecursionError):
        yield Unfit("is not a JSON Web Key Set", 'write it as in {"keys": [{"kty": "RSA", …}]}', setting="jwks")
        return
    if not members or len(members) < len(keys):
        yield Unfit("has no keys in it, or what is none", "give the client's public keys", setting="jwks")
    if any(member & _PRIVATE_MEMBERS for member in members):
        yield Unfit("has a private or a symmetric key in it", "give public keys only, and replace that one", setting="jwks")


def _grants(client: OidcClient) -> Iterator[Unfit]:
    if not client.grants:
        yield Unfit("is empty", setting="grants")
    if "refresh_token" in client.grants and set(client.grants) <= {"refresh_token", "client_credentials"}:
        remedy = "add authorization_code, or leave it out"
        yield Unfit("refresh_token comes with no grant of a person", remedy, setting="grants")


def _subject(client: OidcClient) -> Iterator[Unfit]:
    if client.sector and client.subject != "pairwise":
        yield Unfit('is used with subject = "pairwise" only', "leave it out", setting="sector")
    hosts = {urlsplit(uri).hostname for uri in client.redirect_uris}
    if client.subject == "pairwise" and not client.sector and len(hosts) > 1:
        remedy = "name the host that subjects are for (OpenID Connect Core section 8.1)"
        yield Unfit("is needed where redirect addresses have several hosts", remedy, setting="sector")


def _backchannel(client: OidcClient) -> Iterator[Unfit]:
    if client.backchannel_logout_session_required and not client.backchannel_logout_uri:
        yield Unfit("is needed", "set it", setting="backchannel_logout_uri")


def _entity(party: SamlParty) -> Iterator[Unfit]:
    if not party.entity_id and not party.metadata_url:
        yield Unfit("is missing", "copy it from the application's metadata (entityID)", setting="entity_id")
    fits = party.entity_id.isprintable() and party.entity_id.strip() == party.entity_id
    if len(party.entity_id) > _LONGEST_ENTITY_ID or not fits:
        problem = f"{shown(party.entity_id)} is no entity ID"
        yield Unfit(problem, "at most 1024 printable characters, without blanks around", setting="entity_id")
    if party.metadata_signer and not party.metadata_url:
        yield Unfit("is used with metadata_url only", "leave it out", setting="metadata_signer")


def _consumers(party: SamlParty) -> Iterator[Unfit]:
    if not party.consumers and not party.metadata_url:
        yield Unfit("is empty", "list the addresses that responses may go to", setting="consumers")
    if sum(consumer.default for consumer in party.consumers) > 1:
        yield Unfit("has several defaults", "set default on one of them", setting="consumers")
    indexes = [consumer.index for consumer in party.consumers]
    for place, index in enumerate(indexes):
        if index in indexes[:place]:
            yield Unfit(f"{index} is there twice", "number them", setting=("consumers", place, "index"))


def _certificates(party: SamlParty) -> Iterator[Unfit]:
    yield from _each("certificates", party.certificates, _certificate)
    if party.encryption_certificate:
        yield from _each("", (party.encryption_certificate,), _certificate, key=("encryption_certificate",))
    if party.require_signed_requests and not (party.certificates or party.metadata_url):
        yield Unfit("is needed to verify its requests", "add the certificate that signs them", setting="certificates")
    if (party.encrypt or party.encrypt_name_id) and not (party.encryption_certificate or party.metadata_url):
        yield Unfit("is needed to encrypt", "add the application's certificate", setting="encryption_certificate")


def _name_id(party: SamlParty) -> Iterator[Unfit]:
    if party.name_id_format not in NAME_ID_FORMATS:
        problem = f"{shown(party.name_id_format)} is no format that can be issued"
        yield Unfit(problem, "one of " + ", ".join(NAME_ID_FORMATS), setting="name_id_format")
    if party.relay_state and not party.idp_initiated:
        yield Unfit("is used with idp_initiated only", "leave it out", setting="relay_state")


_OIDC: tuple[Callable[[OidcClient], Iterator[Unfit]], ...] = (
    _client_id,
    _redirects,
    _origins,
    _resources,
    _scopes,
    _secrets,
    _public_client,
    _keys,
    _grants,
    _subject,
    _backchannel,
)
_SAML: tuple[Callable[[SamlParty], Iterator[Unfit]], ...] = (_entity, _consumers, _certificates, _name_id)


def _each(
    name: str, values: Iterable[str], check: Callable[[str], Any], *, key: SettingKey | None = None
) -> Iterator[Unfit]:
    for place, value in enumerate(values):
        try:
            check(value)
        except Unfit as error:
            yield error.under(*(key or (name, place)))


def secret_digest(value: str) -> None:
    """SHA-256, hexadecimal. What stands there instead may be the secret itself: it is not repeated. Raises Unfit."""
    if not re.fullmatch("[0-9a-f]{64}", value):
        remedy = "isthmus relay trust secret make prints a new secret with its digest"
        raise Unfit("is not a SHA-256 digest: 64 hexadecimal digits in lower case", remedy)


def _scope(value: str) -> None:
    """RFC 6749 section 3.3."""
    if not value or any(not "!" <= character <= "~" or character in '"\\' for character in value):
        raise Unfit(f"{shown(value)} is not a scope", "letters, digits and marks without blanks")


def _certificate(value: str) -> None:
    try:
        found = x509.load_pem_x509_certificates(value.encode())
    except ValueError:
        found = []
    if len(found) != 1:
        raise Unfit("is not one certificate in PEM", "paste it with its lines BEGIN CERTIFICATE and END CERTIFICATE")
