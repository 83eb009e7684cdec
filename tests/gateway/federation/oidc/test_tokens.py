"""Tokens of each kind, and none taken for another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from msgspec.structs import replace

from gateway.federation.oidc.jose import JwtRefused, read_unproven
from gateway.federation.oidc.tokens import AccessToken, Tokens, check_times, left_half
from gateway.signin import Seal
from gateway.store import open_store
from tests.gateway.federation.oidc.signing import FakeKeys

ISSUER, NOW = "https://signin.example.com", 1_800_000_000.0
ACCESS = AccessToken(
    id="t1",
    subject="anna-sub",
    client_id="app",
    audience=(ISSUER,),
    scope=("openid", "email"),
    issued_at=NOW,
    expires_at=NOW + 300,
    auth_time=NOW - 10,
    acr="pw",
    grant="g1",
)


@dataclass
class Made:
    tokens: Tokens
    other_node: Tokens
    """The same relay; it remembers nothing of what the first one has signed."""
    keys: FakeKeys
    now: float = NOW


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Made]:
    store = open_store(f"sqlite:///{tmp_path}/tokens.db", secret=b"k" * 32, node="relay1")
    keys = FakeKeys()
    found: list[Made] = []
    seal = Seal(store.keyring, "oidc access tokens", lambda: found[0].now)
    found.append(Made(Tokens(ISSUER, keys, seal), Tokens(ISSUER, keys, seal), keys))
    yield found[0]
    store._database.dispose()


@pytest.mark.parametrize("form", ["jwt", "opaque"])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_an_access_token_comes_back_as_it_was(made: Made, form: Literal["jwt", "opaque"], algorithm: str) -> None:
    """RFC 9068, or sealed."""
    text = made.tokens.access_token(ACCESS, form, algorithm=algorithm)
    for node in (made.tokens, made.other_node):
        assert node.read_access_token(text, NOW) == ACCESS
    assert "t1" not in repr(ACCESS)


@pytest.mark.parametrize("form", ["jwt", "opaque"])
def test_an_access_token_ends(made: Made, form: Literal["jwt", "opaque"]) -> None:
    """O14: at the second, whichever clock reads it."""
    text = made.tokens.access_token(ACCESS, form, algorithm="ES256")
    made.now = NOW + 300
    for node in (made.tokens, made.other_node):
        with pytest.raises(JwtRefused):
            node.read_access_token(text, NOW + 300)


def test_an_access_token_of_a_key_that_was_withdrawn_is_refused(made: Made) -> None:
    """O05: where it was signed, too, although its claims are remembered there."""
    text = made.tokens.access_token(ACCESS, "jwt", algorithm="ES256")
    made.keys.keys.clear()
    for node in (made.tokens, made.other_node):
        with pytest.raises(JwtRefused):
            node.read_access_token(text, NOW)


def test_claims_of_the_last_tokens_alone_are_remembered(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are verified: they are as good."""
    monkeypatch.setattr("gateway.federation.oidc.tokens._MOST_ISSUED", 2)
    texts = [made.tokens.access_token(replace(ACCESS, id=f"t{n}"), "jwt", algorithm="ES256") for n in range(4)]
    assert len(made.tokens._issued) == 2
    assert [made.tokens.read_access_token(text, NOW).id for text in texts] == ["t0", "t1", "t2", "t3"]


def test_a_token_that_was_touched_is_not_the_one_that_is_remembered(made: Made) -> None:
    """O05: neither with another signature, nor with what is no ASCII."""
    text = made.tokens.access_token(ACCESS, "jwt", algorithm="ES256")
    for touched in (text[:-4] + "AAAA", text + "=", text.replace("e", "\u0435", 1)):
        with pytest.raises(JwtRefused):
            made.tokens.read_access_token(touched, NOW)


def test_several_audiences_stay_a_list(made: Made) -> None:
    """RFC 7519 section 4.1.3: one alone is a text."""
    wide = replace(ACCESS, audience=("https://a.example", "https://b.example"))
    text = made.tokens.access_token(wide, "jwt", algorithm="ES256")
    for node in (made.tokens, made.other_node):
        assert node.read_access_token(text, NOW) == wide


@pytest.mark.parametrize("typ", ["JWT", "logout+jwt", ""])
def test_no_other_kind_is_an_access_token(made: Made, typ: str) -> None:
    """O05, O14: an ID token that has all members of an access token is still none."""
    claims = {"sub": "a", "aud": ISSUER, "client_id": "app", "scope": "openid", "iat": NOW, "exp": NOW + 9, "jti": "t"}
    text = made.tokens.sign(claims, algorithm="ES256", typ=typ)
    with pytest.raises(JwtRefused):
        made.tokens.read_access_token(text, NOW)


def test_an_access_token_is_no_id_token_hint(made: Made) -> None:
    """The other way round."""
    text = made.tokens.access_token(replace(ACCESS, audience=("app",)), "jwt", algorithm="ES256")
    with pytest.raises(JwtRefused):
        made.tokens.read_id_token_hint(text, "app")


def test_a_hint_is_an_id_token_of_that_client(made: Made) -> None:
    """O16: expired or not; of another client, another issuer or another ring's key it is none."""
    claims = {"sub": "anna-sub", "aud": "app", "exp": NOW - 10_000}
    text = made.tokens.sign(claims, algorithm="RS256", typ="JWT")
    assert made.tokens.read_id_token_hint(text, "app")["sub"] == "anna-sub"
    with pytest.raises(JwtRefused):
        made.tokens.read_id_token_hint(text, "other")
    other = Tokens("https://other.example", made.keys, None)  # type: ignore[arg-type]
    with pytest.raises(JwtRefused):
        made.tokens.read_id_token_hint(other.sign(claims, algorithm="RS256", typ="JWT"), "app")


def test_a_key_of_another_ring_signs_no_token(made: Made) -> None:
    """A SAML key, whatever its kid."""
    saml = made.keys.keys[2]
    claims = {"iss": ISSUER, "sub": "anna-sub", "aud": "app"}
    text = made.tokens._signer.sign(claims, key_id=saml.id, algorithm="RS256", private=saml.private, typ="JWT")
    with pytest.raises(JwtRefused):
        made.tokens.read_id_token_hint(text, "app")


def test_an_access_token_with_odd_members_was_never_issued(made: Made) -> None:
    """Ours sign nothing else; should they, it is refused, not guessed at."""
    odd: list[dict[str, Any]] = [{}, {"aud": 7}, {"jti": ["a"]}, {"exp": "1"}]
    base = {"sub": "a", "aud": ISSUER, "client_id": "app", "scope": "openid", "iat": NOW, "exp": NOW + 9, "jti": "t"}
    for change in odd:
        claims = {**base, **change} if change else {}
        with pytest.raises(JwtRefused):
            made.tokens.read_access_token(made.tokens.sign(claims, algorithm="ES256", typ="at+jwt"), NOW)


def test_the_hash_of_an_access_token_is_that_of_the_specification() -> None:
    """OpenID Connect Core appendix A.3 has an example."""
    assert left_half("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y") == "77QmUPtjPfzWtF2AnpK9RQ"


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"exp": NOW - 5},
        {"exp": NOW + 3606},
        {"exp": NOW + 365 * 86400},
        {"exp": NOW + 60, "nbf": NOW + 6},
        {"exp": NOW + 60, "iat": NOW + 6},
        {"exp": NOW + 60, "iat": NOW - 3606},
        {"exp": str(NOW + 60)},
        {"exp": True},
    ],
    ids=json.dumps,
)
def test_times_of_a_token_that_somebody_else_signed_are_held_against_now(claims: dict[str, Any]) -> None:
    """O10: missing, over, a year ahead, not yet valid, old."""
    with pytest.raises(JwtRefused):
        check_times(claims, NOW, 3600)


def test_clocks_may_differ_a_little() -> None:
    """Five seconds, both ways."""
    assert check_times({"exp": NOW - 4, "nbf": NOW + 4}, NOW, 3600) == NOW - 4


def test_a_token_of_a_client_itself_names_no_grant(made: Made) -> None:
    """There is none; of a person it does."""
    for token, claims in (
        (ACCESS, {"auth_time", "acr", "grant"}),
        (replace(ACCESS, grant="", auth_time=0.0, acr=""), set()),
    ):
        text = made.tokens.access_token(token, "jwt", algorithm="ES256")
        assert set(read_unproven(text)) & {"auth_time", "acr", "grant"} == claims
        assert made.tokens.read_access_token(text, NOW) == token
