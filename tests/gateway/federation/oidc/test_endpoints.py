"""Userinfo, client authentication, CORS and discovery over real HTTPS."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec.structs import replace

from gateway.federation.oidc.client_credentials import ASSERTION_TYPE
from gateway.federation.oidc.jose import Signer
from gateway.federation.oidc.tokens import AccessToken, Tokens
from gateway.signin import Seal
from tests.gateway.federation.oidc.signing import public_jwk, rsa_key
from tests.gateway.federation.oidc.stand import (
    APP,
    CALLBACK,
    OTHER,
    SECRET,
    VERIFIER,
    OidcStand,
    changed,
    in_thread,
    oidc_stand,
)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, APP, OTHER) as made:
        yield made


async def test_claims_follow_the_scope(stand: OidcStand) -> None:
    """OpenID Connect Core section 5.4; and no cache keeps them."""
    tokens = await stand.tokens(scope="openid groups")
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    status, told, answered = await stand.get("/oidc/userinfo", headers=headers)
    assert (status, told["groups"], "name" in told) == (200, ["Engineering"], False)
    assert answered["Cache-Control"] == "no-store"
    status, by_form, _ = await stand.post("/oidc/userinfo", {"access_token": tokens["access_token"]})
    assert (status, by_form) == (200, told)
    status, by_post, _ = await stand.post("/oidc/userinfo", headers=headers)
    assert (status, by_post) == (200, told)


@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_userinfo_takes_access_tokens_for_itself_alone(stand: OidcStand, form: Any) -> None:
    """O14: an ID token, a refresh token, a damaged one, one of another issuer or audience, an expired one."""
    await stand.trust(changed(access_token=form))
    tokens = await stand.tokens()
    good = tokens["access_token"]
    assert (good.count(".") == 2) is (form == "jwt")
    assert (await stand.userinfo(good))[0] == 200
    maker = _tokens_of(stand)
    kept = maker.read_access_token(good, time.time())
    bad = [
        tokens["id_token"],
        tokens["refresh_token"],
        good[:-4] + "AAAA",
        maker.access_token(replace(kept, audience=("https://api.example.com/",)), form, algorithm="ES256"),
        maker.access_token(replace(kept, expires_at=time.time() - 1), form, algorithm="ES256"),
        maker.access_token(replace(kept, grant="0" * 64), form, algorithm="ES256"),
        maker.access_token(replace(kept, client_id="other"), form, algorithm="ES256"),
    ]
    for text in bad:
        status, body, headers = await stand.get("/oidc/userinfo", headers={"Authorization": f"Bearer {text}"})
        assert (status, body["error"]) == (401, "invalid_token")
        assert headers["WWW-Authenticate"].startswith('Bearer realm="isthmus", error="invalid_token"')
    less = maker.access_token(replace(kept, scope=("email",)), form, algorithm="ES256")
    status, body = await stand.userinfo(less)
    assert (status, body["error"]) == (403, "insufficient_scope")


def _tokens_of(stand: OidcStand) -> Tokens:
    relay = stand.relay
    seal = Seal(relay.store.keyring, "oidc access tokens", time.time)
    return Tokens(stand.issuer, relay.federation.keys, seal)


async def test_half_a_surrogate_pair_is_refused_as_anything_else(stand: OidcStand) -> None:
    """JSON may have one in it, and no log and no database does: the refusal is told, logged and kept all the same."""
    header, claims = (b64encode(text).decode().rstrip("=") for text in (b'{"alg":"ES256"}', b'{"sub":"a\\ud800"}'))
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": f"{header}.{claims}.eA"}
    status, body, _ = await stand.post("/oidc/token", {"grant_type": "client_credentials", **proof})
    assert (status, body["error"]) == (401, "invalid_client")
    (entry, *_) = await stand.relay.store.audit.entries(limit=1)
    assert (entry.event.kind, entry.event.detail["client"]) == ("federation.refused", "a?")


async def test_a_token_is_brought_in_one_way(stand: OidcStand) -> None:
    """O14: not in the query, not twice; without one nothing is explained (RFC 6750 section 3.1)."""
    token = (await stand.tokens())["access_token"]
    status, body, headers = await stand.get("/oidc/userinfo")
    assert (status, body, headers["WWW-Authenticate"]) == (401, {}, 'Bearer realm="isthmus"')
    bearer = {"Authorization": f"Bearer {token}"}
    for path, options in (
        (f"/oidc/userinfo?access_token={token}", {}),
        (f"/oidc/userinfo?access_token={token}", {"headers": bearer}),
        ("/oidc/userinfo", {"headers": bearer, "data": {"access_token": token}}),
        ("/oidc/userinfo", {"headers": {"Authorization": f"Basic {token}"}}),
    ):
        status, body, _ = await stand.post(path, **options)
        assert (status, body["error"]) == (400, "invalid_request")
    # what libraries add of their own: OpenID-Connect-PHP sends this one
    assert (await stand.get("/oidc/userinfo?schema=openid", headers=bearer))[0] == 200


async def test_a_client_with_a_key_needs_no_secret(stand: OidcStand) -> None:
    """Authlib's private_key_jwt; and O10: each assertion counts once."""
    keys = json.dumps({"keys": [public_jwk(rsa_key("client"), "c1", "RS256")]})
    await stand.trust(changed(authentication="private_key_jwt", secrets=(), jwks=keys))
    pem = rsa_key("client").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    endpoint = f"{stand.issuer}/oidc/token"
    with stand.authlib(token_endpoint_auth_method="private_key_jwt") as client:
        client.client_secret = pem.decode()
        client.register_client_auth_method(PrivateKeyJWT(endpoint, headers={"kid": "c1"}))
        arrival = await stand.signed_in(stand.browser())
        token = await in_thread(
            client.fetch_token, endpoint, authorization_response=arrival.location, code_verifier=VERIFIER, state="s-1"
        )
        assert token["id_token"]
    now = time.time()
    claims = {"iss": "app", "sub": "app", "aud": stand.issuer, "jti": "j1", "exp": now + 60, "iat": now}
    text = Signer().sign(claims, key_id="c1", algorithm="RS256", private=rsa_key("client"), typ="JWT")
    assertion = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text, "client_secret": None}
    answers = [await stand.refresh(token["refresh_token"], **assertion) for _ in range(2)]
    assert [status for status, _ in answers] == [200, 401]
    assert (await stand.refresh(answers[0][1]["refresh_token"]))[1]["error"] == "invalid_client"
    trust = changed(authentication="private_key_jwt", secrets=(), jwks=keys)
    await stand.trust(dataclasses.replace(trust, switches={"reused_assertions": True}))
    assert (await stand.refresh(answers[0][1]["refresh_token"], **assertion))[0] == 200


async def test_every_way_to_fail_as_a_client_looks_the_same(stand: OidcStand) -> None:
    """Unknown, wrong secret, wrong way: one answer, with a challenge (RFC 6749 section 5.2)."""
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    told = []
    for fields in (
        {"client_id": "nobody", "client_secret": "x"},
        {"client_id": "app", "client_secret": "x"},
        {"client_id": "app"},
    ):
        status, body, headers = await stand.post("/oidc/token", {**form, **fields})
        told.append((status, body, headers["WWW-Authenticate"]))
    assert told[0][0] == 401
    assert told.count(told[0]) == 3


async def test_answers_are_read_by_the_scripts_of_registered_origins_alone(stand: OidcStand) -> None:
    """attacks.md, OIDC: CORS of the token endpoint; never a wildcard, never with cookies."""
    own = "https://app.example.com"
    await stand.trust(changed(application="browser", authentication="none", secrets=(), origins=(own,)))
    for origin, allowed in (
        (own, own),
        ("https://evil.example", None),
        ("null", None),
        ("https://app.example.com.evil.example", None),
    ):
        status, _, headers = await stand.post("/oidc/token", {"client_id": "app"}, headers={"Origin": origin})
        assert status == 400
        assert headers.get("Access-Control-Allow-Origin") == allowed
        assert "Access-Control-Allow-Credentials" not in headers
        async with stand.client.options(
            f"https://{stand.relay.settings.listen}/oidc/token", headers={"Origin": origin}
        ) as asked:
            assert asked.headers.get("Access-Control-Allow-Origin") == allowed
    fields = {"client_id": "other", "client_secret": SECRET, "grant_type": "refresh_token", "refresh_token": "x"}
    _, _, headers = await stand.post("/oidc/token", fields, headers={"Origin": own})
    assert "Access-Control-Allow-Origin" not in headers


async def test_discovery_names_what_is_there(stand: OidcStand) -> None:
    """OpenID Connect Discovery section 3, RFC 8414 section 2: each address answers, and all documents are one."""
    _, document, headers = await stand.get("/.well-known/openid-configuration")
    for path in ("/.well-known/oauth-authorization-server", "/oidc/.well-known/openid-configuration"):
        assert (await stand.get(path))[1] == document
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["grant_types_supported"] == [
        "authorization_code",
        "refresh_token",
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:device_code",
        "password",
    ]
    assert document["response_types_supported"] == ["code"]
    assert document["authorization_response_iss_parameter_supported"] is True
    for name, url in document.items():
        if name.endswith(("_endpoint", "_uri")):
            async with stand.client.get(url, allow_redirects=False) as response:
                assert response.status != 404, name
    _, keys, headers = await stand.get("/oidc/jwks")
    assert {key["alg"] for key in keys["keys"]} == {"RS256", "ES256", "PS256"}
    assert not any("d" in key for key in keys["keys"])
    assert headers["Cache-Control"] == "public, max-age=3600"


async def test_what_servers_ask_is_not_asked_by_get(stand: OidcStand) -> None:
    """RFC 6749 section 3.2, 7009 2.1, 7662 2.1, 8628 3.1, 9126 2: POST alone, so that nothing secret is in an address."""
    _, document, _ = await stand.get("/.well-known/openid-configuration")
    for name in ("token", "revocation", "introspection", "device_authorization", "pushed_authorization_request"):
        async with stand.client.get(
            document[f"{name}_endpoint"], params={"client_id": "app", "client_secret": SECRET}
        ) as refused:
            assert refused.status == 405, name


async def test_the_trail_knows_each_token_by_its_hash(stand: OidcStand) -> None:
    """And neither trail nor log holds a token, a code or a secret."""
    tokens = await stand.tokens()
    (entry,) = await stand.relay.store.audit.entries(kind="federation.issued")
    for kind in ("access_token", "id_token", "refresh_token"):
        assert entry.event.detail[kind] == hashlib.sha256(tokens[kind].encode()).hexdigest()
        assert tokens[kind] not in str(entry)
    assert entry.event.actor == "trust:app"
    assert SECRET not in str(entry)


async def test_an_access_token_lives_no_longer_than_its_grant(stand: OidcStand) -> None:
    """expires_in is what the token itself says."""
    tokens = await stand.tokens()
    token: AccessToken = _tokens_of(stand).read_access_token(tokens["access_token"], time.time())
    assert 0 < tokens["expires_in"] <= 600
    assert token.expires_at <= time.time() + 600
    assert CALLBACK not in repr(token)
