"""The fake refuses what the documentation says that the real ones refuse. Nothing of the project is used."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.fakes.graph import FakeGraph, MetadataPoll, make_certificate
from tests.fakes.graph.identity import ASSERTION
from tests.fakes.graph.pki import der

DAY = 86400.0
ALL = ("Domain.Read.All", "Domain-InternalFederation.ReadWrite.All", "Domain.ReadWrite.All")
COLLECTION = "/v1.0/domains/example.com/federationConfiguration"


def certificate(name: str = "signing", ends: float = 100 * DAY) -> bytes:
    now = time.time()
    return der(make_certificate(name, begins=now - 400 * DAY, ends=now + ends))


def configuration(**more: Any) -> dict[str, Any]:
    given = {
        "issuerUri": "http://example.com/adfs/services/trust/",
        "passiveSignInUri": "https://fs.example.com/adfs/ls/",
        "preferredAuthenticationProtocol": "wsFed",
        "signingCertificate": base64.b64encode(certificate()).decode(),
    }
    return {**given, **more}


class Client:
    """A few lines of HTTP."""

    def __init__(self, fake: FakeGraph, session: aiohttp.ClientSession) -> None:
        self.fake, self._session = fake, session

    async def call(self, method: str, path: str, token: str, body: Any = None) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"}
        async with self._session.request(method, self.fake.url + path, json=body, headers=headers) as response:
            assert "request-id" in response.headers
            return response.status, (await response.json()) if response.content_type == "application/json" else {}

    async def token(self, **form: str) -> tuple[int, dict[str, Any]]:
        given = {"grant_type": "client_credentials", "scope": f"{self.fake.url}/.default", **form}
        async with self._session.post(f"{self.fake.url}/{self.fake.tenant}/oauth2/v2.0/token", data=given) as response:
            return response.status, await response.json()

    async def plain(self, path: str) -> dict[str, Any]:
        async with self._session.get(self.fake.url + path) as response:
            return await response.json()  # type: ignore[no-any-return]

    def issue(self, *roles: str) -> str:
        return self.fake.identity.issue(self.fake.register("test", roles=roles or ALL), self.fake.url)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with FakeGraph() as fake:
        fake.add_domain("example.com")
        context = ssl.create_default_context(cafile=str(fake.ca_file))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as session:
            yield Client(fake, session)


@pytest.mark.parametrize(
    ("form", "status", "error", "code"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({}, 401, "invalid_client", 7000218),
        ({"client_id": "nobody", "client_secret": "x"}, 400, "unauthorized_client", 700016),
        ({"client_secret": "right", "scope": "User.Read"}, 400, "invalid_scope", 1002012),
        ({"client_secret": "right", "scope": "https://other/.default"}, 400, "invalid_resource", 500011),
        ({"client_secret": "right", "grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"client_assertion": "x", "client_assertion_type": "y"}, 400, "invalid_request", 900144),
    ],
)
async def test_the_token_endpoint_refuses(client: Client, form: dict[str, str], status: int, error: str, code: int) -> None:
    """RFC 6749 section 5.2: error and AADSTS code of each mistake."""
    application = client.fake.register("app", secret="right")
    found, body = await client.token(**{"client_id": application.client_id, **form})
    assert (found, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 0),
        ({"aud": "https://elsewhere/token"}, 700023),
        ({"iss": "somebody"}, 700021),
        ({"sub": "somebody"}, 700021),
        ({"exp": 1}, 700024),
        ({"iat": 9e9, "nbf": 9e9}, 700024),
    ],
)
async def test_client_assertions(client: Client, change: dict[str, Any], code: int) -> None:
    """RFC 7523 section 3: audience, issuer, subject and times of a signed assertion."""
    now, key = time.time(), rsa_key()
    registered = make_certificate("app", begins=now - 60, ends=now + 60, key=key)
    application = client.fake.register("app", certificates=[registered])
    audience = f"{client.fake.url}/{client.fake.tenant_id}/oauth2/v2.0/token"
    claims = {
        "aud": audience,
        "iss": application.client_id,
        "sub": application.client_id,
        "iat": now,
        "exp": now + 600,
        **change,
    }
    assert await assertion(client, application.client_id, claims, key, registered) == code


async def test_assertions_of_another_key(client: Client) -> None:
    """The thumbprint of a registered certificate, the signature of another key; and a thumbprint that nobody registered."""
    now, key, other = time.time(), rsa_key(), rsa_key()
    registered = make_certificate("app", begins=now - 60, ends=now + 60, key=key)
    unregistered = make_certificate("app", begins=now - 60, ends=now + 60, key=other)
    application = client.fake.register("app", certificates=[registered])
    assert await assertion(client, application.client_id, {}, other, registered) == 700027
    assert await assertion(client, application.client_id, {}, other, unregistered) == 700027


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


async def assertion(
    client: Client, client_id: str, claims: dict[str, Any], key: rsa.RSAPrivateKey, named: x509.Certificate
) -> int:
    """The AADSTS code that comes of it; 0 for a token."""
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(der(named)).digest()).decode().rstrip("=")
    signed = jwt.encode(claims, key, algorithm="PS256", headers={"x5t#S256": thumbprint})
    _, body = await client.token(client_id=client_id, client_assertion=signed, client_assertion_type=ASSERTION)
    return 0 if "access_token" in body else int(body["error_codes"][0])


async def test_tokens_verify_by_the_published_keys(client: Client) -> None:
    """OpenID Connect discovery leads to the key that signed."""
    context = ssl.create_default_context(cafile=str(client.fake.ca_file))
    keys = jwt.PyJWKClient(f"{client.fake.url}/{client.fake.tenant_id}/discovery/v2.0/keys", ssl_context=context)
    token = client.issue("Domain.Read.All")
    found = await asyncio.to_thread(keys.get_signing_key_from_jwt, token)
    claims = jwt.decode(token, found.key, algorithms=["RS256"], audience=client.fake.url)
    assert claims["roles"] == ["Domain.Read.All"]


async def test_instance_discovery(client: Client) -> None:
    """Where msal asks whether an authority is known: this one is, others are not."""
    path = "/common/discovery/instance?api-version=1.0&authorization_endpoint="
    own = f"{client.fake.url}/{client.fake.tenant}/oauth2/v2.0/authorize"
    assert (await client.plain(path + own))["tenant_discovery_endpoint"].startswith(
        f"{client.fake.url}/{client.fake.tenant}/"
    )
    assert (await client.plain(path + "https://elsewhere/x"))["error"] == "invalid_instance"


@pytest.mark.parametrize("token", ["", "x", "a.b.c"])
async def test_a_token_must_be_ours(client: Client, token: str) -> None:
    """401 InvalidAuthenticationToken, in the error envelope."""
    status, body = await client.call("GET", "/v1.0/domains", token)
    assert (status, body["error"]["code"]) == (401, "InvalidAuthenticationToken")
    assert body["error"]["innerError"]["request-id"]


async def test_a_token_ends(client: Client) -> None:
    """By the injected clock."""
    token, start = client.issue(), time.time()
    assert (await client.call("GET", "/v1.0/domains", token))[0] == 200
    client.fake.clock = lambda: start + 3700
    status, body = await client.call("GET", "/v1.0/domains", token)
    assert (status, "expired" in body["error"]["message"]) == (401, True)


@pytest.mark.parametrize(
    ("method", "path", "role", "status"),
    [
        ("GET", "/v1.0/domains", "Domain.Read.All", 200),
        ("GET", "/v1.0/domains", "Domain-InternalFederation.ReadWrite.All", 403),
        ("GET", COLLECTION, "Domain-InternalFederation.Read.All", 404),
        ("GET", COLLECTION, "User.Read.All", 403),
        ("POST", COLLECTION, "Domain.Read.All", 403),
        ("POST", COLLECTION, "Domain-InternalFederation.ReadWrite.All", 201),
        ("PATCH", "/v1.0/domains/example.com", "Domain-InternalFederation.ReadWrite.All", 403),
    ],
)
async def test_permissions(client: Client, method: str, path: str, role: str, status: int) -> None:
    """Each request needs one of the documented application permissions."""
    body = configuration() if method == "POST" else {"authenticationType": "Managed"} if method == "PATCH" else None
    assert (await client.call(method, path, client.issue(role), body))[0] == status


async def test_the_life_of_a_configuration(client: Client) -> None:
    """Create, list, get, update, delete; the domain's authentication follows."""
    token = client.issue()
    status, made = await client.call("POST", COLLECTION, token, configuration())
    assert status == 201
    assert (await client.call("GET", "/v1.0/domains/example.com", token))[1]["authenticationType"] == "Federated"
    assert (await client.call("POST", COLLECTION, token, configuration()))[0] == 409
    one = f"{COLLECTION}/{made['id']}"
    status, changed = await client.call("PATCH", one, token, {"displayName": "Example"})
    assert (status, changed["displayName"], changed["issuerUri"]) == (200, "Example", made["issuerUri"])
    assert (await client.call("GET", COLLECTION, token))[1]["value"] == [changed]
    assert (await client.call("DELETE", one, token))[0] == 204
    assert (await client.call("GET", "/v1.0/domains/example.com", token))[1]["authenticationType"] == "Managed"
    assert (await client.call("GET", one, token))[0] == 404


@pytest.mark.parametrize(
    "change",
    [
        {"signingCertificate": None},
        {"signingCertificate": "AAAA"},
        {"signingCertificate": "-----BEGIN CERTIFICATE-----"},
        {"nextSigningCertificate": 7},
        {"passiveSignInUri": "http://fs.example.com/"},
        {"passiveSignInUri": ""},
        {"preferredAuthenticationProtocol": "oidc"},
        {"promptLoginBehavior": "never"},
        {"isSignedAuthenticationRequestRequired": "yes"},
        {"federatedIdpMfaBehavior": None},
        {"federatedIdpMfaBehavior": "unknownFutureValue"},
        {"signingCertificateUpdateStatus": {}},
        {"id": "x"},
        {"colour": "red"},
        {},
        [],
    ],
)
async def test_properties_are_checked(client: Client, change: Any) -> None:
    """internalDomainFederation: types, values, what is read-only, what cannot be unset, what does not exist."""
    client.fake.add_domain("example.com", federation=configuration())
    held = dict(client.fake.domains.all["example.com"].configuration or {})
    status, body = await client.call("PATCH", f"{COLLECTION}/{held['id']}", client.issue(), change)
    assert status == 400
    assert body["error"]["message"]
    assert client.fake.domains.all["example.com"].configuration == held


async def test_an_issuer_is_unique(client: Client) -> None:
    """409 Request_MultipleObjectsWithSameKeyValue."""
    client.fake.add_domain("example.org", federation=configuration())
    status, body = await client.call("POST", COLLECTION, client.issue(), configuration())
    assert (status, body["error"]["code"]) == (409, "Request_MultipleObjectsWithSameKeyValue")


async def test_creation_without_a_certificate(client: Client) -> None:
    """500, and the domain is federated and cannot be read: what readers of the documentation reported."""
    token = client.issue()
    body = configuration()
    del body["signingCertificate"]
    assert (await client.call("POST", COLLECTION, token, body))[0] == 500
    assert (await client.call("GET", "/v1.0/domains/example.com", token))[1]["authenticationType"] == "Federated"
    assert (await client.call("GET", COLLECTION, token))[0] == 500
    assert (await client.call("PATCH", "/v1.0/domains/example.com", token, {"authenticationType": "Managed"}))[0] == 204


async def test_domains_are_guarded(client: Client) -> None:
    """Default and initial domains cannot be federated, read-only properties not set, federated ones not be the default."""
    token, fake = client.issue(), client.fake
    assert (await client.call("POST", f"/v1.0/domains/{fake.tenant}/federationConfiguration", token, configuration()))[
        0
    ] == 400
    assert (await client.call("PATCH", "/v1.0/domains/example.com", token, {"isVerified": True}))[0] == 400
    status, body = await client.call("PATCH", "/v1.0/domains/example.com", token, {"authenticationType": "Federated"})
    assert (status, "not supported" in body["error"]["message"]) == (400, True)
    fake.add_domain("example.com", federation=configuration())
    assert (await client.call("PATCH", "/v1.0/domains/example.com", token, {"isDefault": True}))[0] == 400


async def test_unknown_paths(client: Client) -> None:
    """An address that is not modelled is refused in Graph's envelope."""
    status, body = await client.call("GET", "/v1.0/martians", client.issue())
    assert (status, body["error"]["code"]) == (404, "BadRequest")


async def test_throttling(client: Client) -> None:
    """Past the limit 429 with Retry-After, until the minute is over."""
    token, start = client.issue(), time.time()
    client.fake.faults.requests_per_minute = 1
    assert (await client.call("GET", "/v1.0/domains", token))[0] == 200
    assert (await client.call("GET", "/v1.0/domains", token))[0] == 429
    client.fake.clock = lambda: start + 61
    assert (await client.call("GET", "/v1.0/domains", token))[0] == 200


class Farm:
    """What the poll finds in the metadata."""

    def __init__(self, *certificates: bytes) -> None:
        self.certificates, self.reachable, self.asked = list(certificates), True, 0

    def __call__(self, domain: object) -> list[bytes]:
        self.asked += 1
        if not self.reachable:
            raise OSError("no route")
        return self.certificates


def _status(fake: FakeGraph) -> Any:
    return (fake.domains.all["example.com"].configuration or {}).get("signingCertificateUpdateStatus")


async def test_entras_daily_poll(client: Client) -> None:
    """From 35 days before the end: nothing new, then out of reach, then the successor is taken into the next slot."""
    old, new, start = certificate(ends=40 * DAY), certificate("new", 300 * DAY), time.time()
    client.fake.add_domain("example.com", federation=configuration(signingCertificate=base64.b64encode(old).decode()))
    farm = Farm(old)
    poll = MetadataPoll(client.fake.domains, farm)
    assert poll.run(start + 4 * DAY) == 4 - 1
    assert (farm.asked, _status(client.fake)) == (0, None)
    poll.run(start + 6.5 * DAY)
    assert _status(client.fake)["certificateUpdateResult"] == "noNewCertificateFound"
    farm.reachable = False
    poll.run(start + 7.5 * DAY)
    assert _status(client.fake)["certificateUpdateResult"] == "couldNotAccessRemoteHost"
    farm.reachable, farm.certificates = True, [old, new]
    poll.run(start + 8.5 * DAY)
    assert _status(client.fake)["certificateUpdateResult"] == "success"
    held = client.fake.domains.all["example.com"].configuration or {}
    assert held["nextSigningCertificate"] == base64.b64encode(new).decode()
    asked = farm.asked
    poll.run(start + 20 * DAY)
    assert farm.asked == asked


async def test_the_poll_comes_too_late(client: Client) -> None:
    """With no valid certificate left Entra ID does not update by itself any more."""
    old, start = certificate(ends=10 * DAY), time.time()
    client.fake.add_domain("example.com", federation=configuration(signingCertificate=base64.b64encode(old).decode()))
    farm = Farm()
    farm.reachable = False
    poll = MetadataPoll(client.fake.domains, farm)
    poll.run(start + 12 * DAY)
    assert _status(client.fake)["certificateUpdateResult"] == "noValidExistingCertFound"


def test_it_runs_in_a_thread() -> None:
    """For commands and demos that have an event loop of their own."""
    with FakeGraph() as fake:
        assert fake.url.startswith("https://127.0.0.1:")


def test_it_imports_nothing_of_the_project() -> None:
    """A mistake of ours cannot hide in the fake."""
    import ast
    from pathlib import Path

    packages = {"isthmus", "gateway", "sync", "adfs_mgmt", "foundation", "certs", "directory", "findings", "settings"}
    for path in Path(__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            assert not {name.partition(".")[0] for name in names} & packages
