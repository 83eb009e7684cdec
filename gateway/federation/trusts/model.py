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
from settings import Bounds, Lines, OrEmpty, Pattern, Unfit, network, not_empty, readable

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
    """An authorization code, in seconds; at most 60."""
    access_token: Annotated[float, _LONGEST] = 0.0
    """An access token, in seconds."""
    id_token: Annotated[float, _LONGEST] = 0.0
    """An ID token, in seconds."""
    refresh_idle: Annotated[float, _LONGEST] = 0.0
    """A refresh token that is not used, in seconds."""
    refresh_absolute: Annotated[float, _LONGEST] = 0.0
    """All refresh tokens of one sign-in together, in seconds from the sign-in."""
    device_code: Annotated[float, Bounds(most=3600, zero=True)] = 0.0
    """A device code, in seconds: the time that the user has to enter it; at most 3600."""
    assertion: Annotated[float, _LONGEST] = 0.0
    """A SAML assertion, in seconds from its issue."""
    reauthenticate: Annotated[float, _LONGEST] = 0.0
    """Maximum age of a sign-in, in seconds: users who signed in earlier sign in again. 0: as old as the session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustAccess:
    """Who may sign in to the application. Empty: everybody who has an account."""

    groups: tuple[str, ...] = ()
    """Groups whose members may sign in; one of them is enough. Each is a SID, a name or `DOMAIN\\name`; nested memberships
    count. Empty: everybody."""
    networks: tuple[Annotated[str, network], ...] = ()
    """Networks (`10.0.0.0/8`) from which the application may be used. Empty: from everywhere."""
    test_users: tuple[str, ...] = ()
    """While this is set, only these users may sign in (user name, `DOMAIN\\name` or objectGUID): the application is not live
    yet."""
    ask: str = ""
    """Whom users without access are to ask: one line on the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNotice:
    """How the application learns of a new signing key of this relay: a key does not sign before it has had the time."""

    learns: Literal["", "automatic", "by hand"] = ""
    """How the application learns of the relay's new keys. `automatic`: it reads the key set or the metadata. `by hand`:
    somebody installs the certificate there, and `isthmus certs acknowledge` tells the relay. Empty: automatic with OpenID
    Connect; with SAML it is unknown, and nothing waits for it."""
    within: Annotated[float, Bounds(most=90 * 86400)] = 86400.0
    """Maximum time until an application that learns by itself has read the keys again, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSecret:
    """What proves a confidential client. Two are valid at a time."""

    digest: Annotated[str, secret_digest]
    """SHA-256 of the secret, in hex. `isthmus relay trust secret make` prints both; the relay does not keep the secret."""
    created: str = ""
    """Date of creation, for administrators."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcClient:
    """The OpenID Connect and OAuth 2 part of a trust."""

    client_id: str = ""
    """Empty: the trust's `id`."""
    application: Literal["web", "native", "browser"] = "web"
    """`native`: redirect addresses on loopback may have any port, and schemes of domain names in reverse are allowed (RFC
    8252). `browser`: scripts of `origins` may read answers (CORS)."""
    redirect_uris: tuple[str, ...] = ()
    """Addresses that answers may go to, compared character by character. Required for the grant `authorization_code`."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    """Addresses that users may be sent to after signing out, compared character by character."""
    origins: tuple[str, ...] = ()
    """Of a browser application: origins (`https://app.example.com`) whose scripts may read answers of the token, userinfo
    and revocation endpoints."""
    authentication: ClientAuthentication = "client_secret_basic"
    """How the client proves itself. `none`: it does not, because it cannot keep a secret; then PKCE is required."""
    secrets: tuple[ClientSecret, ...] = ()
    """Secrets that prove the client; at most two, the one in use and the next."""
    jwks: Lines = ""
    """The client's public keys as JSON Web Key Set, as text in quotes (`private_key_jwt`)."""
    jwks_uri: Annotated[str, OrEmpty(application_url)] = ""
    """Address of these keys instead; the relay fetches them."""
    grants: tuple[GrantType, ...] = ("authorization_code", "refresh_token")
    """What the client may ask the token endpoint for."""
    scopes: tuple[str, ...] = ("openid", "profile", "email", "phone", "address", "groups", "offline_access")
    """Scopes that the client may ask for; names of your own are allowed, for APIs and for `scopes` of claims rules."""
    resources: tuple[str, ...] = ()
    """Audiences (absolute addresses of APIs) that the client's access tokens may be for (RFC 8707)."""
    pkce: Literal["required", "optional"] = "required"
    """`optional`: for confidential clients that send none, such as mod_auth_openidc 2.4.12. The only method is S256 in
    either case."""
    response_modes: tuple[Literal["query", "form_post", "fragment"], ...] = ("query", "form_post")
    """How answers may come back to a redirect address."""
    access_token: Literal["jwt", "opaque"] = "jwt"  # noqa: S105 - a format
    """`jwt`: APIs can verify it themselves (RFC 9068). `opaque`: only the relay knows what it means; APIs ask it
    (introspection)."""
    subject: Literal["public", "pairwise"] = "public"
    """`pairwise`: each `sector` gets another `sub` for the same user, so that applications cannot compare their users."""
    sector: str = ""
    """Host that pairwise subjects are for. Empty: the host of the redirect addresses."""
    signing_algorithm: Literal["RS256", "ES256", "PS256"] = "RS256"
    """Of the tokens that the client gets."""
    consent: Literal["none", "once", "always"] = "none"
    """Whether users are asked what the application may know. `none`: never. `once`: for each new scope. `always`: at each
    sign-in."""
    require_par: bool = False
    """Accept pushed authorization requests (RFC 9126) only."""
    backchannel_logout_uri: Annotated[str, OrEmpty(application_url)] = ""
    """Address that the relay sends a logout token to when a session ends (OpenID Connect Back-Channel Logout). Empty: the
    application is not told."""
    backchannel_logout_session_required: bool = False
    """Whether the application needs `sid` in it; the relay always sends it."""
    introspects: bool = False
    """Whether the client is a resource server: it may ask about access tokens whose audience it is."""
    claims_in_id_token: bool = False
    """Whether the ID token has the claims of the scopes, too, instead of userinfo alone: some applications never ask
    there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssertionConsumer:
    """Where responses may go."""

    url: Annotated[str, application_url]
    """Address that responses may go to (ACS URL), compared character by character."""
    binding: Literal["post"] = "post"
    """Responses never go by redirect (SAML profiles, section 4.1.2)."""
    index: Annotated[int, Bounds(most=65535, zero=True)] = 0
    """Number by which a request may choose it."""
    default: bool = False
    """Whether it is meant if a request names none, and for sign-ins that start at the relay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlParty:
    """The SAML 2.0 part of a trust: what stands here, or else in its metadata."""

    entity_id: str = ""
    """Empty: that of the metadata."""
    metadata_url: Annotated[str, OrEmpty(application_url)] = ""
    """Address of the application's metadata, which the relay reads regularly. Empty: all is set here."""
    metadata_signer: Annotated[str, OrEmpty(_THUMBPRINT)] = ""
    """SHA-256 thumbprint of the certificate that signs its metadata. Empty: the metadata need not be signed."""
    consumers: tuple[AssertionConsumer, ...] = ()
    """Where responses may go. Without metadata, one is needed."""
    logout_url: Annotated[str, OrEmpty(application_url)] = ""
    """Address for SAML logout. Empty: that of the metadata, if it has one."""
    logout_binding: Literal["redirect", "post", "soap"] = "redirect"
    """Binding of `logout_url`."""
    certificates: tuple[Lines, ...] = ()
    """Certificates (PEM) of the keys that sign the application's requests. Two entries while it changes to the next."""
    encryption_certificate: Lines = ""
    """Certificate (PEM) that assertions and NameIDs are encrypted for. Empty: that of the metadata."""
    encrypt: bool = False
    """Whether assertions are encrypted. Without a certificate for that, nobody can sign in."""
    encrypt_name_id: bool = False
    """Whether NameIDs are encrypted, in assertions and LogoutRequests. If a request asks for it, they always are."""
    encryption_cipher: Literal["aes256-gcm", "aes128-gcm", "aes256-cbc", "aes128-cbc"] = "aes256-gcm"
    """CBC only for applications that cannot do better: it does not protect against changes."""
    require_signed_requests: bool = False
    """Refuse requests to sign in that are not signed."""
    sign: Literal["assertion", "response", "both"] = "assertion"
    """What is signed."""
    signature_algorithm: Literal["rsa-sha256", "rsa-sha1"] = "rsa-sha256"
    """`rsa-sha1` only for applications that know nothing else."""
    accept_sha1: bool = False
    """Accept SHA-1 in the application's own signatures."""
    accept_cbc: bool = False
    """Accept NameIDs in LogoutRequests that the application has encrypted by AES-CBC. AES-GCM is always accepted."""
    skew: Annotated[float, Bounds(most=600, zero=True)] = 60.0
    """Time between NotBefore and the time of issue, in seconds, for applications whose clock is behind."""
    name_id_format: str = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
    """Format of the NameID, unless a request asks for another one. With `transient` no request gets another one. The mail
    address is given to a request for it only if the claims policy tells the application of it anyway."""
    attribute_name_format: Literal["uri", "basic", "unspecified"] = "uri"
    """NameFormat of the attributes: `basic` for applications that know them by plain names."""
    idp_initiated: bool = False
    """Whether a sign-in may start at the relay (`/saml/start/ID`), without a request of the application. It can then be
    signed in by somebody else's link (login CSRF)."""
    relay_state: str = ""
    """RelayState of such a sign-in if its address has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """One application."""

    id: Annotated[str, _ID]
    """Short name for commands and files: lower-case letters, digits, dots and dashes."""
    name: Annotated[str, not_empty, readable]
    """Name for users; on the sign-in page."""
    protocol: Protocol
    """Decides which of `[oidc]` and `[saml]` the trust has."""
    enabled: bool = True
    """`false`: nobody can sign in to the application."""
    start_url: Annotated[str, OrEmpty(application_url)] = ""
    """Address that `/apps` leads users to. Empty: a sign-in that starts at the relay (`saml.idp_initiated`), or the
    application is not listed."""
    contact: str = ""
    """Who looks after the application; named where somebody has to be told of a new key."""
    oidc: OidcClient = field(default_factory=OidcClient)
    """OpenID Connect and OAuth 2."""
    saml: SamlParty = field(default_factory=SamlParty)
    """SAML 2.0. What is not set here is taken from the metadata, if there is any."""
    access: TrustAccess = field(default_factory=TrustAccess)
    """Who may sign in to the application; everybody if nothing is set."""
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    """Lifetimes of what the application is given. 0: the relay's default (`[server.federation.lifetimes]`)."""
    claims: ClaimsPolicy = field(default_factory=ClaimsPolicy)
    """What the application is told about a user."""
    keys: KeyNotice = field(default_factory=KeyNotice)
    """How the application learns of the relay's new signing keys."""
    switches: Mapping[str, bool] = field(default_factory=dict)
    """What a component needs although no specification says so; docs/reference/trusts.md lists them."""

    def contradictions(self) -> Iterator[Unfit]:
        """What cannot be together."""
        return inconsistencies(self)

    @property
    def client_id(self) -> str:
        """Of an OpenID Connect client."""
        return self.oidc.client_id or self.id
