"""What a trust is: an application that signs people in through this relay. Read from TOML (`reader`), frozen, pure.

Kind of state: lasting (`gateway.store.TrustStore` keeps the document); in memory a copy, by the generation `trusts`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from gateway.federation.claims import ClaimsPolicy
from gateway.federation.trusts.addresses import application_url
from gateway.federation.trusts.consistency import inconsistencies, secret_digest
from settings import Bounds, Lines, OrEmpty, Pattern, Unfit, network, not_empty

Protocol = Literal["oidc", "saml"]
GrantType = Literal[
    "authorization_code", "refresh_token", "client_credentials", "urn:ietf:params:oauth:grant-type:device_code", "password"
]
ClientAuthentication = Literal["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
_LONGEST = Bounds(most=10 * 366 * 86400, zero=True)
_MINUTE = Bounds(most=60, zero=True)
_THUMBPRINT = Pattern(r"[0-9A-Fa-f]{64}", "a SHA-256 thumbprint: 64 hexadecimal digits")
_ID = Pattern(r"[a-z0-9][a-z0-9._-]{0,63}", "a short name: lower-case letters, digits, dots, dashes, up to 64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long what a trust is given holds, in seconds. 0: the relay's default (`[server.federation.lifetimes]`)."""

    code: Annotated[float, _MINUTE] = 0.0
    """An authorization code: at most 60."""
    access_token: Annotated[float, _LONGEST] = 0.0
    id_token: Annotated[float, _LONGEST] = 0.0
    refresh_idle: Annotated[float, _LONGEST] = 0.0
    """A refresh token that is not used."""
    refresh_absolute: Annotated[float, _LONGEST] = 0.0
    """A family of refresh tokens, from the sign-in on."""
    device_code: Annotated[float, Bounds(most=3600, zero=True)] = 0.0
    """A device code: the time that the user has to enter it."""
    assertion: Annotated[float, _LONGEST] = 0.0
    """A SAML assertion, from its issue on."""
    reauthenticate: Annotated[float, _LONGEST] = 0.0
    """How old a sign-in may be for this trust; 0: as old as the session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAccess:
    """Who may sign in to the application. Empty: everybody who has an account."""

    groups: tuple[str, ...] = ()
    """One of them is enough; SID, name or DOMAIN\\name; nested memberships count."""
    networks: tuple[Annotated[str, network], ...] = ()
    """Networks (`10.0.0.0/8`) from which the application may be used."""
    test_users: tuple[str, ...] = ()
    """While any is set, only these may sign in (user name or GUID): the application is not live yet."""
    ask: str = ""
    """Whom to ask for access: a line for the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNotice:
    """How the application learns of a new signing key of this relay: a key does not sign before it has had the time."""

    learns: Literal["", "automatic", "by hand"] = ""
    """automatic: it reads the relay's key set or metadata by itself; by hand: somebody there installs the certificate, and
    `isthmus certs acknowledge` says when. Empty: automatic for OpenID Connect; for SAML unknown, which holds nothing up."""
    within: Annotated[float, Bounds(most=90 * 86400)] = 86400.0
    """Seconds within which an application that learns by itself has read them anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """What proves a confidential client. Two are valid at a time."""

    digest: Annotated[str, secret_digest]
    """SHA-256 of the secret, hex: the secret itself is 256 random bits that the relay showed once."""
    created: str = ""
    """Date, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcClient:
    """The OpenID Connect and OAuth 2 part of a trust."""

    client_id: str = ""
    """Empty: the trust's id."""
    application: Literal["web", "native", "browser"] = "web"
    """native: redirect addresses on loopback may have any port (RFC 8252 section 7.3); browser: CORS for `origins`."""
    redirect_uris: tuple[str, ...] = ()
    post_logout_redirect_uris: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    """Of a browser application: origins that may read answers of the token, userinfo and revocation endpoints."""
    authentication: ClientAuthentication = "client_secret_basic"
    secrets: tuple[ClientSecret, ...] = ()
    jwks: Lines = ""
    """JSON of the client's public keys (private_key_jwt)."""
    jwks_uri: Annotated[str, OrEmpty(application_url)] = ""
    grants: tuple[GrantType, ...] = ("authorization_code", "refresh_token")
    scopes: tuple[str, ...] = ("openid", "profile", "email", "phone", "address", "groups", "offline_access")
    """Scopes that the client may ask for."""
    resources: tuple[str, ...] = ()
    """Audiences (absolute addresses) that its access tokens may be for (RFC 8707)."""
    pkce: Literal["required", "optional"] = "required"
    """optional: for clients that send none, such as mod_auth_openidc 2.4.12; S256 alone either way."""
    response_modes: tuple[Literal["query", "form_post", "fragment"], ...] = ("query", "form_post")
    access_token: Literal["jwt", "opaque"] = "jwt"  # noqa: S105 - a format
    subject: Literal["public", "pairwise"] = "public"
    sector: str = ""
    """Host that pairwise subjects are for; empty: the host of the redirect addresses."""
    signing_algorithm: Literal["RS256", "ES256", "PS256"] = "RS256"
    consent: Literal["none", "once", "always"] = "none"
    require_par: bool = False
    """Only pushed authorization requests (RFC 9126) are taken."""
    backchannel_logout_uri: Annotated[str, OrEmpty(application_url)] = ""
    backchannel_logout_session_required: bool = False
    introspects: bool = False
    """A resource server: it may ask about access tokens whose audience it is."""
    claims_in_id_token: bool = False
    """Whether the ID token holds what a scope asks for, not only userinfo: some applications never ask there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionConsumer:
    """Where responses may go."""

    url: Annotated[str, application_url]
    binding: Literal["post"] = "post"
    """Responses never go by redirect (SAML profiles, section 4.1.2)."""
    index: Annotated[int, Bounds(most=65535, zero=True)] = 0
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlParty:
    """The SAML 2.0 part of a trust: what stands here, or else in its metadata."""

    entity_id: str = ""
    """Empty: that of the metadata."""
    metadata_url: Annotated[str, OrEmpty(application_url)] = ""
    """Refreshed on schedule."""
    metadata_signer: Annotated[str, OrEmpty(_THUMBPRINT)] = ""
    """SHA-256 thumbprint of the certificate that signs its metadata; empty: not signed."""
    consumers: tuple[AssertionConsumer, ...] = ()
    logout_url: Annotated[str, OrEmpty(application_url)] = ""
    logout_binding: Literal["redirect", "post", "soap"] = "redirect"
    certificates: tuple[Lines, ...] = ()
    """PEM: keys that sign its requests."""
    encryption_certificate: Lines = ""
    """PEM; empty: that of the metadata."""
    encrypt: bool = False
    """Whether assertions are; without a certificate for that, nobody signs in."""
    encryption_cipher: Literal["aes256-gcm", "aes128-gcm", "aes256-cbc", "aes128-cbc"] = "aes256-gcm"
    """CBC only for parties that cannot do better: it is not authenticated."""
    require_signed_requests: bool = False
    sign: Literal["assertion", "response", "both"] = "assertion"
    signature_algorithm: Literal["rsa-sha256", "rsa-sha1"] = "rsa-sha256"
    """rsa-sha1 only for parties that know nothing else."""
    accept_sha1: bool = False
    """Of the party's own signatures."""
    skew: Annotated[float, Bounds(most=600, zero=True)] = 60.0
    """Seconds by which NotBefore lies back."""
    name_id_format: str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
    """Unless a request asks for another one. With transient no request gets another; the mail address is given to one that
    asks for it only where the claims policy tells the application of it anyway."""
    attribute_name_format: Literal["uri", "basic", "unspecified"] = "uri"
    idp_initiated: bool = False
    relay_state: str = ""
    """Of an IdP-initiated sign-in that brings none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """One application."""

    id: Annotated[str, _ID]
    name: Annotated[str, not_empty]
    """For people: it stands on the sign-in page."""
    protocol: Protocol
    enabled: bool = True
    start_url: Annotated[str, OrEmpty(application_url)] = ""
    """Where the chooser of applications leads; empty: an IdP-initiated sign-in (SAML), or the trust is not in it."""
    contact: str = ""
    """Who looks after the application: told before a key changes."""
    oidc: OidcClient = field(default_factory=OidcClient)
    saml: SamlParty = field(default_factory=SamlParty)
    access: TrustAccess = field(default_factory=TrustAccess)
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    claims: ClaimsPolicy = field(default_factory=ClaimsPolicy)
    keys: KeyNotice = field(default_factory=KeyNotice)
    switches: Mapping[str, bool] = field(default_factory=dict)
    """What a real component wants although a specification does not; docs/reference/trusts.md lists them."""

    def contradictions(self) -> Iterator[Unfit]:
        """What cannot be together."""
        return inconsistencies(self)

    @property
    def client_id(self) -> str:
        """Of an OpenID Connect client."""
        return self.oidc.client_id or self.id
