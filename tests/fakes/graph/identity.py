"""The identity platform, as far as client credentials go (OpenID Connect discovery; RFC 6749 section 4.4; RFC 7523)."""

from __future__ import annotations

import base64
import functools
import hashlib
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import jwt
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.types import Options

from tests.fakes.graph.failure import SignInFailure
from tests.fakes.graph.pki import der

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
GRAPH = "https://graph.microsoft.com"
UNCHECKED: Options = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
"""Audience and times are checked here: by the fake's own clock, with the platform's own errors."""


@dataclass(kw_only=True)
class Application:
    """An app registration with its service principal."""

    name: str
    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    roles: set[str] = field(default_factory=set)
    """Application permissions with admin consent."""
    secret: str = ""
    secret_ends: float = float("inf")
    certificates: list[x509.Certificate] = field(default_factory=list)
    enabled: bool = True


class Identity:
    """The token endpoint of one tenant. `attempts` counts the requests for a token."""

    def __init__(self, clock: Callable[[], float], tenant_id: str, tenant_names: Iterable[str]) -> None:
        self._clock = clock
        self.tenant_id = tenant_id
        self._tenants = {tenant_id, *tenant_names}
        self.applications: dict[str, Application] = {}
        self.attempts = 0
        self.token_lifetime = 3599
        self.audience = ""
        """Overrides the audience of tokens: a token for something else."""
        self.base = ""
        self._key = _signing_key()
        self._kid = hashlib.sha256(str(self._key.public_key().public_numbers().n).encode()).hexdigest()[:27]

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/common/discovery/instance", self._instance),
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", self._discovery),
            web.get("/{tenant}/discovery/v2.0/keys", self._keys),
            web.post("/{tenant}/oauth2/v2.0/token", self._token),
        ]

    def read_token(self, token: str) -> dict[str, Any]:
        """Claims of a token that we issued, whatever its audience or age. Raises jwt.PyJWTError."""
        claims: dict[str, Any] = jwt.decode(token, self._key.public_key(), algorithms=["RS256"], options=UNCHECKED)
        return claims

    async def _instance(self, request: web.Request) -> web.Response:
        address = request.query.get("authorization_endpoint", "")
        tenant = address.removeprefix(self.base).strip("/").partition("/")[0]
        if not address.startswith(self.base):
            return web.json_response({"error": "invalid_instance", "error_codes": [50049]}, status=400)
        return web.json_response(
            {"tenant_discovery_endpoint": f"{self.base}/{tenant}/v2.0/.well-known/openid-configuration", "metadata": []}
        )

    async def _discovery(self, request: web.Request) -> web.Response:
        try:
            self._check_tenant(request.match_info["tenant"], "invalid_tenant")
        except SignInFailure as failure:
            return web.json_response(failure.body(self._clock()), status=failure.status)
        return web.json_response(
            {
                "issuer": f"{self.base}/{self.tenant_id}/v2.0",
                "authorization_endpoint": f"{self.base}/{self.tenant_id}/oauth2/v2.0/authorize",
                "token_endpoint": self._token_endpoint,
                "jwks_uri": f"{self.base}/{self.tenant_id}/discovery/v2.0/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            }
        )

    async def _keys(self, request: web.Request) -> web.Response:
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return web.json_response({"keys": [{**jwk, "kid": self._kid, "use": "sig"}]})

    async def _token(self, request: web.Request) -> web.Response:
        self.attempts += 1
        try:
            form = {name: str(value) for name, value in (await request.post()).items()}
            return web.json_response(self._grant(request.match_info["tenant"], form), headers={"Cache-Control": "no-store"})
        except SignInFailure as failure:
            return web.json_response(failure.body(self._clock()), status=failure.status)

    @property
    def _token_endpoint(self) -> str:
        return f"{self.base}/{self.tenant_id}/oauth2/v2.0/token"

    def _grant(self, tenant: str, form: dict[str, str]) -> dict[str, Any]:
        self._check_tenant(tenant, "invalid_request")
        self._check_grant(form)
        application = self._find(form)
        self._authenticate(application, form)
        resource = self._resource(form["scope"])
        return {
            "token_type": "Bearer",
            "expires_in": self.token_lifetime,
            "ext_expires_in": self.token_lifetime,
            "access_token": self.issue(application, resource),
        }

    def issue(self, application: Application, resource: str) -> str:
        """An access token (v1.0, as Graph's are)."""
        now = int(self._clock())
        claims = {
            "aud": self.audience or resource,
            "iss": f"https://sts.windows.net/{self.tenant_id}/",
            "iat": now,
            "nbf": now,
            "exp": now + self.token_lifetime,
            "appid": application.client_id,
            "app_displayname": application.name,
            "idtyp": "app",
            "tid": self.tenant_id,
            "roles": sorted(application.roles),
            "ver": "1.0",
        }
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": self._kid})

    def _check_tenant(self, tenant: str, error: str) -> None:
        if tenant.lower() not in self._tenants:
            text = (
                f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
                "correct cloud. Check with your subscription administrator, this may happen if there are no active "
                "subscriptions for the tenant."
            )
            raise SignInFailure(400, error, 90002, text)

    def _check_grant(self, form: dict[str, str]) -> None:
        for name in ("grant_type", "client_id", "scope"):
            if not form.get(name):
                text = f"The request body must contain the following parameter: '{name}'."
                raise SignInFailure(400, "invalid_request", 900144, text)
        if form["grant_type"] != "client_credentials":
            text = f"The app requested an unsupported grant type '{form['grant_type']}'."
            raise SignInFailure(400, "unsupported_grant_type", 70003, text)

    def _find(self, form: dict[str, str]) -> Application:
        application = self.applications.get(form["client_id"])
        if application is None:
            text = (
                f"Application with identifier '{form['client_id']}' was not found in the directory '{self.tenant_id}'. This "
                "can happen if the application has not been installed by the administrator of the tenant or consented to by "
                "any user in the tenant. You may have sent your authentication request to the wrong tenant."
            )
            raise SignInFailure(400, "unauthorized_client", 700016, text)
        if not application.enabled:
            text = f"Application '{application.client_id}'({application.name}) is disabled."
            raise SignInFailure(400, "unauthorized_client", 7000112, text)
        return application

    def _authenticate(self, application: Application, form: dict[str, str]) -> None:
        if form.get("client_assertion"):
            self._check_assertion(application, form)
        elif form.get("client_secret"):
            self._check_secret(application, form["client_secret"])
        else:
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise SignInFailure(401, "invalid_client", 7000218, text)

    def _check_secret(self, application: Application, secret: str) -> None:
        if not application.secret or secret != application.secret:
            text = (
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
                f"not the client secret ID, for a secret added to app '{application.client_id}'."
            )
            raise SignInFailure(401, "invalid_client", 7000215, text)
        if self._clock() >= application.secret_ends:
            text = f"The provided client secret keys for app '{application.client_id}' are expired."
            raise SignInFailure(401, "invalid_client", 7000222, text)

    def _check_assertion(self, application: Application, form: dict[str, str]) -> None:
        if form.get("client_assertion_type") != ASSERTION:
            raise SignInFailure(400, "invalid_request", 900144, "The 'client_assertion_type' parameter is wrong.")
        token = form["client_assertion"]
        certificate = self._certificate_of(application, token)
        try:
            claims = jwt.decode(
                token,
                certificate.public_key(),  # type: ignore[arg-type]
                algorithms=["PS256", "RS256"],
                options=UNCHECKED,
            )
        except jwt.PyJWTError as error:
            text = "Client assertion contains an invalid signature. [Reason - The key is not the one of its thumbprint.]"
            raise SignInFailure(401, "invalid_client", 700027, text) from error
        self._check_assertion_claims(application, claims)

    def _check_assertion_claims(self, application: Application, claims: dict[str, Any]) -> None:
        if {claims.get("iss"), claims.get("sub")} != {application.client_id}:
            text = "Client assertion application identifier doesn't match 'client_id' parameter."
            raise SignInFailure(401, "invalid_client", 700021, text)
        if claims.get("aud") not in {self._token_endpoint, f"{self.base}/{self.tenant_id}/v2.0"}:
            text = "Client assertion audience claim does not match Realm issuer. Review the documentation."
            raise SignInFailure(401, "invalid_client", 700023, text)
        now = self._clock()
        if not claims.get("nbf", claims.get("iat", 0)) - 300 <= now < claims.get("exp", 0) + 300:
            raise SignInFailure(401, "invalid_client", 700024, "Client assertion is not within its valid time range.")

    def _certificate_of(self, application: Application, token: str) -> x509.Certificate:
        """By x5t#S256 or x5t (RFC 7515 sections 4.1.7 and 4.1.8)."""
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise SignInFailure(401, "invalid_client", 50027, "JWT token is invalid or malformed.") from error
        for each in application.certificates:
            if _thumbprints(each) & {("x5t#S256", _unpadded(header, "x5t#S256")), ("x5t", _unpadded(header, "x5t"))}:
                return each
        text = (
            "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - "
            "The key was not found., Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see "
            f"configured keys for app Id '{application.client_id}'.]"
        )
        raise SignInFailure(401, "invalid_client", 700027, text)

    def _resource(self, scope: str) -> str:
        resource, found, rest = scope.partition("/.default")
        if not found or rest:
            text = (
                f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
                "/.default suffixed to the resource identifier (application ID URI)."
            )
            raise SignInFailure(400, "invalid_scope", 1002012, text)
        if resource not in {self.base, GRAPH}:
            text = f"The resource principal named {resource} was not found in the tenant named {self.tenant_id}."
            raise SignInFailure(400, "invalid_resource", 500011, text)
        return resource


@functools.cache
def _signing_key() -> rsa.RSAPrivateKey:
    """One for the process: it takes a while to make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _thumbprints(certificate: x509.Certificate) -> set[tuple[str, str]]:
    data = der(certificate)
    return {
        ("x5t#S256", base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")),
        ("x5t", base64.urlsafe_b64encode(hashlib.sha1(data, usedforsecurity=False).digest()).decode().rstrip("=")),
    }


def _unpadded(header: dict[str, Any], name: str) -> str:
    return str(header.get(name, "")).rstrip("=")
