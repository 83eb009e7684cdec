"""Signatures of tokens: what RFC 8725 asks for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, RSAKey

from gateway.federation.oidc.jose import LONGEST, JwtRefused, Signer, VerifyingKey, number_of, read_header, read_keys, verify
from tests.gateway.federation.oidc.signing import ec_key, public_jwk, rsa_key

RSA = VerifyingKey("k1", "RS256", rsa_key().public_key())
EC = VerifyingKey("k2", "ES256", ec_key().public_key())
KEYS = {"k1": RSA, "k2": EC}


def _part(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _signed(header: dict[str, Any], payload: Any) -> str:
    """With a header of the test's choice, by a good key: the signature itself holds."""
    text = f"{_part(header)}.{_part(payload)}"
    return f"{text}.{_part(rsa_key().sign(text.encode(), padding.PKCS1v15(), SHA256()))}"


def _read(text: str) -> dict[str, Any]:
    return verify(text, KEYS.get, types=("jwt",))


@pytest.mark.parametrize(
    ("key_id", "algorithm", "private"), [("k1", "RS256", rsa_key()), ("k2", "ES256", ec_key())], ids=["RS256", "ES256"]
)
def test_what_was_signed_is_read(key_id: str, algorithm: str, private: Any) -> None:
    """And the header says which key and kind it is."""
    text = Signer().sign({"sub": "anna"}, key_id=key_id, algorithm=algorithm, private=private, typ="JWT")
    assert _read(text) == {"sub": "anna"}
    assert read_header(text) == {"alg": algorithm, "kid": key_id, "typ": "JWT"}


GOOD = {"alg": "RS256", "kid": "k1", "typ": "JWT"}


def test_the_helper_of_these_tests_makes_good_tokens() -> None:
    """So that the refusals below are for their own reason."""
    assert _read(_signed(GOOD, {"sub": "anna"})) == {"sub": "anna"}


@pytest.mark.parametrize(
    "more",
    [
        {"alg": "none"},
        {"alg": "HS256"},
        {"alg": "PS256"},
        {"alg": "ES256"},
        {"alg": ["RS256"]},
        {"kid": "../../etc/passwd"},
        {"kid": "' OR 1=1 --"},
        {"kid": "k2"},
        {"kid": 7},
        {"kid": None},
        {"jku": "https://evil.example/keys"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"jwk": {"kty": "RSA", "n": "AQ", "e": "AQAB"}},
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"b64": False, "crit": ["b64"]},
        {"b64": True},
        {"zip": "DEF"},
        {"typ": "at+jwt"},
        {"typ": "logout+jwt"},
        {"typ": ""},
        {"typ": 1},
        {"cty": "JWT"},
        {"x": "y" * 600},
    ],
    ids=str,
)
def test_a_header_says_nothing_but_which_of_our_keys(more: dict[str, Any]) -> None:
    """O05: the signature holds each time; the header leads nowhere."""
    with pytest.raises(JwtRefused):
        _read(_signed({**GOOD, **more}, {"sub": "anna"}))


def test_a_token_without_alg_or_kid_is_refused() -> None:
    """O05."""
    for missing in ("alg", "kid"):
        with pytest.raises(JwtRefused):
            _read(_signed({name: value for name, value in GOOD.items() if name != missing}, {}))


@pytest.mark.parametrize("form", ["none", "hs256", "zeros", "empty", "es256 zeros"])
def test_signatures_that_are_none_are_refused(form: str) -> None:
    """O05: alg none, HMAC with the public key, zeros for RSA and for r and s (CVE-2022-21449)."""
    body = _part({"sub": "anna"})
    public = rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, signature = {
        "none": ({**GOOD, "alg": "none"}, b""),
        "hs256": ({**GOOD, "alg": "HS256"}, b""),
        "zeros": (GOOD, bytes(256)),
        "empty": (GOOD, b""),
        "es256 zeros": ({"alg": "ES256", "kid": "k2", "typ": "JWT"}, bytes(64)),
    }[form]
    text = f"{_part(header)}.{body}"
    if form == "hs256":
        signature = hmac.digest(public, text.encode(), hashlib.sha256)
    with pytest.raises(JwtRefused):
        _read(f"{text}.{_part(signature)}")


@pytest.mark.parametrize(
    "payload",
    [
        b'{"sub": "a", "sub": "b"}',
        b'{"exp": 1e999}',
        b'{"exp": NaN}',
        b'{"exp": -Infinity}',
        b"[" * 4000,
        b"[1]",
        b'"text"',
        b"\xff\xfe{\x00}\x00",
        b"",
    ],
    ids=repr,
)
def test_a_payload_is_one_json_object_that_means_one_thing(payload: bytes) -> None:
    """O06: deep, duplicate, infinite, of another encoding."""
    with pytest.raises(JwtRefused):
        _read(_signed(GOOD, payload))


def test_duplicate_members_of_a_header_are_refused() -> None:
    """O06: who reads the first and who reads the last would see two algorithms."""
    text = _signed(GOOD, {})
    twice = _part(b'{"alg":"none","alg":"RS256","kid":"k1","typ":"JWT"}')
    with pytest.raises(JwtRefused):
        _read(".".join([twice, *text.split(".")[1:]]))


@pytest.mark.parametrize("text", ["", ".", "..", "a.b", "a.b.c.d", "x" * 1_000_000, "ä.b.c", "." * 8000])
def test_what_is_no_token_is_refused_early(text: str) -> None:
    """O06: 1 MB is not even split."""
    with pytest.raises(JwtRefused):
        _read(text)


def test_a_good_token_that_is_too_long_is_refused() -> None:
    """O06: before anything of it is read."""
    text = _signed(GOOD, {"sub": "a" * LONGEST})
    with pytest.raises(JwtRefused, match=f"longer than {LONGEST}"):
        _read(text)


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda data: f"{_part(data)}.{_part(data)}.{_part(data)}"))
def test_any_text_is_refused_in_one_way(text: str) -> None:
    """No text ends in another error."""
    with pytest.raises(JwtRefused):
        _read(text)


@pytest.mark.parametrize(
    "value", ["1800000000", True, [1], {}, 10**400, -(10**400), 1e300], ids=lambda value: str(value)[:12]
)
def test_times_are_numbers(value: Any) -> None:
    """O06: `exp` as text, or as one that no float holds."""
    with pytest.raises(JwtRefused):
        number_of({"exp": value}, "exp")


def test_a_key_that_is_of_no_use_is_passed_over() -> None:
    """Any JSON where its kind should stand; a modulus that would take long to verify with, or little time to break."""
    good = public_jwk(rsa_key(), "a", "RS256")
    for bad in ({**good, "kty": ["RSA"]}, {**good, "kty": {}}, {**good, "n": "_" * 2000}):
        assert [key.id for key in read_keys(json.dumps({"keys": [{**bad, "kid": "b"}, good]}))] == ["a"]
    with pytest.warns(SecurityWarning):
        assert read_keys(json.dumps({"keys": [{**good, "n": "_" * 340}]})) == ()


def test_keys_of_a_client_are_public_ones_that_sign() -> None:
    """RSA keys are good for two algorithms unless they say for which; what encrypts or is of another kind is passed over."""
    unnamed = {name: value for name, value in public_jwk(rsa_key(), "a", "RS256").items() if name != "alg"}
    keys = [unnamed, public_jwk(ec_key(), "b", "ES256"), {"kty": "oct", "k": "AAAA"}, {**unnamed, "use": "enc"}]
    read = read_keys(json.dumps({"keys": keys}))
    assert [(key.id, key.algorithm) for key in read] == [("a", "RS256"), ("a", "PS256"), ("b", "ES256")]


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        '{"keys": 1}',
        '{"keys": [1]}',
        json.dumps({"keys": [{"kty": "RSA"}] * 21}),
        '{"keys": [{"kty": "RSA", "n": 7, "e": "AQAB"}]}',
        '{"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": {"a": 1}}]}',
        '{"keys": [{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}',
        json.dumps({"keys": [RSAKey.import_key(rsa_key()).as_dict(private=True)]}),
        json.dumps({"keys": [ECKey.import_key(ec_key()).as_dict(private=True)]}),
    ],
    ids=range(10),
)
def test_a_set_of_keys_that_is_none_is_refused(document: str) -> None:
    """O19: a private key among them is one that everybody has by now."""
    with pytest.raises(JwtRefused):
        read_keys(document)
