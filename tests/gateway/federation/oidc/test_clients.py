"""How a client proves itself."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.federation.oidc.client_assertions import verify_client_assertion
from gateway.federation.oidc.client_credentials import (
    ASSERTION_TYPE,
    ClientCredentials,
    check_method,
    read_client_credentials,
    verify_secret,
)
from gateway.federation.oidc.errors import InvalidClient, InvalidRequest, OAuthError
from gateway.federation.oidc.jose import Signer, read_keys
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.trusts import ClientSecret, OidcClient
from tests.gateway.federation.oidc.signing import ec_key, public_jwk, rsa_key

NOW = 1_800_000_000.0
AUDIENCES = ("https://signin.example.com", "https://signin.example.com/oidc/token")


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("form", "header", "expected"),
    [
        ("", _basic("app:s3cret"), ("app", "client_secret_basic", "s3cret")),
        ("client_id=app", _basic("app:s3cret"), ("app", "client_secret_basic", "s3cret")),
        ("", _basic("a%3Ab+c:s%2B3"), ("a:b c", "client_secret_basic", "s+3")),
        ("", _basic("app:with:colons"), ("app", "client_secret_basic", "with:colons")),
        ("client_id=app&client_secret=s3cret", "", ("app", "client_secret_post", "s3cret")),
        ("client_id=app", "", ("app", "none", "")),
    ],
)
def test_credentials_are_read_from_wherever_they_are(form: str, header: str, expected: tuple[str, str, str]) -> None:
    """RFC 6749 section 2.3.1, with its form-encoding inside of Basic."""
    read = read_client_credentials(Parameters.parse(form), header)
    assert (read.client_id, read.method, read.secret) == expected
    assert "s3cret" not in repr(read)


@pytest.mark.parametrize(
    ("form", "header", "error"),
    [
        ("client_id=app&client_secret=s", _basic("app:s"), InvalidRequest),
        (f"client_assertion_type={ASSERTION_TYPE}&client_assertion=x", _basic("app:s"), InvalidRequest),
        (f"client_secret=s&client_assertion_type={ASSERTION_TYPE}&client_assertion=x", "", InvalidRequest),
        ("client_id=other", _basic("app:s"), InvalidRequest),
        ("client_id=app&client_secret=s&client_secret=s", "", InvalidRequest),
        ("", "", InvalidClient),
        ("", "Bearer abc", InvalidClient),
        ("", "Basic ???", InvalidClient),
        ("", "Basic Ä", InvalidClient),
        ("", _basic("app"), InvalidClient),
        ("", _basic("app:"), InvalidClient),
        ("client_id=app&client_assertion=x", "", InvalidClient),
        ("client_id=app&client_assertion_type=urn:other&client_assertion=x", "", InvalidClient),
    ],
)
def test_two_ways_at_once_or_none_are_refused(form: str, header: str, error: type[OAuthError]) -> None:
    """O10."""
    with pytest.raises(error):
        read_client_credentials(Parameters.parse(form), header)


def test_an_assertion_names_its_client_by_itself() -> None:
    """RFC 7521 section 4.2: Authlib sends no client_id beside it."""
    form = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", _assertion(CLAIMS))]
    assert read_client_credentials(Parameters(form), "").client_id == "app"
    for text in ("x", _assertion({**CLAIMS, "sub": 7}), _assertion({"iss": "app"})):
        with pytest.raises(InvalidClient):
            read_client_credentials(Parameters([form[0], ("client_assertion", text)]), "")


def test_only_the_way_of_the_trust_will_do() -> None:
    """A client with a key cannot be impersonated by a secret, nor one with a secret by none."""
    for said in ("client_secret_basic", "client_secret_post", "private_key_jwt", "none"):
        for used in ("client_secret_basic", "client_secret_post", "private_key_jwt", "none"):
            client = OidcClient(authentication=said)
            credentials = ClientCredentials(client_id="app", method=used)
            if said == used:
                check_method(client, credentials)
            else:
                with pytest.raises(InvalidClient):
                    check_method(client, credentials)


def test_two_secrets_are_valid_at_a_time() -> None:
    """And no third one, and none of a client that has none."""
    kept = tuple(ClientSecret(digest=sha256(text.encode()).hexdigest()) for text in ("old", "new"))
    verify_secret(kept, "old")
    verify_secret(kept, "new")
    for secrets, shown in ((kept, "other"), ((), ""), ((), "other"), (kept, kept[0].digest)):
        with pytest.raises(InvalidClient):
            verify_secret(secrets, shown)


def test_an_unknown_client_is_told_what_a_known_one_is() -> None:
    """Which clients there are is nobody's business."""
    told = set()
    for error in (InvalidClient("unknown"), InvalidClient("wrong secret"), InvalidClient("wrong method")):
        told.add((error.code, error.status, error.told))
    assert len(told) == 1


KEYS = read_keys(json.dumps({"keys": [public_jwk(rsa_key("c"), "r", "RS256"), public_jwk(ec_key("c"), "e", "ES256")]}))
CLAIMS = {"iss": "app", "sub": "app", "aud": AUDIENCES[1], "jti": "j1", "exp": NOW + 60, "iat": NOW}


def _assertion(claims: dict[str, Any], typ: str = "JWT", key_id: str = "e") -> str:
    private, algorithm = (ec_key("c"), "ES256") if key_id != "r" else (rsa_key("c"), "RS256")
    return Signer().sign(claims, key_id=key_id, algorithm=algorithm, private=private, typ=typ)


def _named(header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token by the client's RSA key, with any header."""
    parts = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in (header, claims))
    signature = rsa_key("c").sign(parts.encode(), PKCS1v15(), SHA256())
    return f"{parts}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def test_a_certificate_in_the_header_is_not_read() -> None:
    """O05: msal sends one; whatever it is, the key is that of the trust."""
    header = {"alg": "RS256", "typ": "JWT", "x5t#S256": "AAAA", "x5t": "AAAA", "x5c": ["MIIB" * 400]}
    only = tuple(key for key in KEYS if key.algorithm == "RS256")
    assert verify_client_assertion(_named(header, CLAIMS), only, "app", AUDIENCES, NOW).id == "j1"
    thief = read_keys(json.dumps({"keys": [public_jwk(rsa_key("thief"), "r", "RS256")]}))
    for more, keys in (({}, thief), ({"x5u": "https://evil.example"}, only), ({"jwk": {}}, only), ({"crit": ["x5c"]}, only)):
        with pytest.raises(InvalidClient):
            verify_client_assertion(_named({**header, **more}, CLAIMS), keys, "app", AUDIENCES, NOW)


@pytest.mark.parametrize("key_id", ["r", "e"])
@pytest.mark.parametrize("audience", AUDIENCES)
def test_a_signed_assertion_proves_a_client(key_id: str, audience: str) -> None:
    """RFC 7523 section 3: the issuer or the token endpoint is its audience."""
    found = verify_client_assertion(_assertion({**CLAIMS, "aud": audience}, key_id=key_id), KEYS, "app", AUDIENCES, NOW)
    assert (found.id, found.expires_at) == ("j1", NOW + 60)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": [AUDIENCES[1]]},
        {"aud": "https://other.example/oidc/token"},
        {"aud": None},
        {"iss": "other"},
        {"sub": "other"},
        {"sub": None},
        {"jti": None},
        {"jti": ""},
        {"jti": "x" * 257},
        {"jti": 7},
        {"exp": 10**400},
        {"nbf": -(10**400)},
        {"exp": None},
        {"exp": NOW - 6},
        {"exp": NOW + 365 * 86400},
        {"iat": NOW + 60},
        {"nbf": NOW + 60},
    ],
    ids=lambda changes: str(changes)[:40],
)
def test_an_assertion_that_says_something_else_proves_nothing(changes: dict[str, Any]) -> None:
    """O10: a list of audiences, those of another, a year of life."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}
    with pytest.raises(InvalidClient):
        verify_client_assertion(_assertion(claims), KEYS, "app", AUDIENCES, NOW)


def test_an_assertion_by_another_key_proves_nothing() -> None:
    """O05: nor one of another kind, or one whose key is not named where there are several."""
    other = Signer().sign(CLAIMS, key_id="e", algorithm="ES256", private=ec_key("thief"), typ="JWT")
    for text in (other, _assertion(CLAIMS, typ="at+jwt"), _assertion(CLAIMS, key_id="gone"), "x", ""):
        with pytest.raises(InvalidClient):
            verify_client_assertion(text, KEYS, "app", AUDIENCES, NOW)
    with pytest.raises(InvalidClient):
        verify_client_assertion(_assertion(CLAIMS), (), "app", AUDIENCES, NOW)


def test_the_only_key_of_an_algorithm_need_not_be_named() -> None:
    """Clients that put no kid into the header: the key set then says which one it is."""
    unnamed = tuple(replace(key, id="") for key in KEYS)
    text = Signer().sign(CLAIMS, key_id="", algorithm="ES256", private=ec_key("c"), typ="JWT")
    assert verify_client_assertion(text, unnamed, "app", AUDIENCES, NOW).id == "j1"
