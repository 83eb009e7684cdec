"""Redeeming a code, and using a refresh token: the pure part."""

from __future__ import annotations

import base64
import hashlib

import pytest

from gateway.federation.oidc.checks.codes import (
    check_code_client,
    check_code_redirect_uri,
    check_verifier,
    narrowed_resources,
    narrowed_scope,
)
from gateway.federation.oidc.errors import InvalidGrant, InvalidRequest, InvalidScope, InvalidTarget, OAuthError
from gateway.federation.oidc.grant_details import digest_of, grant_id_of
from gateway.federation.oidc.refresh_tokens import grant_id_in, new_refresh_token, open_next, seal_next

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
FORM = "is too short, too long or has other characters"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_the_verifier_of_the_specification_fits_its_challenge() -> None:
    """RFC 7636 appendix B; and without a challenge none is wanted."""
    check_verifier(CHALLENGE, VERIFIER)
    check_verifier("", "")


@pytest.mark.parametrize(
    ("challenge", "verifier", "error", "detail"),
    [
        (CHALLENGE, "", InvalidGrant, "no code_verifier, although there was a code_challenge"),
        (CHALLENGE, VERIFIER[:-1], InvalidRequest, FORM),
        (CHALLENGE, VERIFIER + "=", InvalidRequest, FORM),
        (CHALLENGE, "A" * 129, InvalidRequest, FORM),
        (CHALLENGE, "A" * 43, InvalidGrant, "the code_verifier does not fit the code_challenge"),
        (CHALLENGE, CHALLENGE, InvalidGrant, "the code_verifier does not fit the code_challenge"),
        ("", VERIFIER, InvalidGrant, "a code_verifier, although there was no code_challenge"),
    ],
)
def test_any_other_verifier_is_refused(challenge: str, verifier: str, error: type[OAuthError], detail: str) -> None:
    """O03: missing, too short or long, wrong, the challenge itself, or there although no challenge was."""
    with pytest.raises(error) as refusal:
        check_verifier(challenge, verifier)
    assert (refusal.value.detail, refusal.value.parameter) == (detail, "code_verifier" if error is InvalidRequest else "")


@pytest.mark.parametrize("verifier", ["A" * 42, "A" * 129, "A" * 42 + "!", "A" * 42 + "\u00e4"])
def test_a_verifier_that_is_easily_guessed_is_refused_although_it_fits(verifier: str) -> None:
    """O03: the application hashed it all the same (RFC 7636 section 4.1)."""
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    with pytest.raises(InvalidRequest):
        check_verifier(challenge, verifier)


def test_a_code_is_for_its_client_and_address() -> None:
    """O02."""
    check_code_client("app", "app")
    check_code_redirect_uri("https://app.example/cb", "https://app.example/cb")
    with pytest.raises(InvalidGrant, match="the code was issued to app"):
        check_code_client("app", "thief")
    for given in ("", "https://app.example/cb/"):
        with pytest.raises(InvalidGrant, match=r": redirect_uri is not that of the authorization request$"):
            check_code_redirect_uri("https://app.example/cb", given)


def test_what_was_granted_can_only_become_less() -> None:
    """O11, O23: scope and resources are never widened."""
    assert narrowed_scope(("openid", "email"), ()) == ("openid", "email")
    assert narrowed_scope(("openid", "email"), ("email",)) == ("email",)
    assert narrowed_resources(("https://a", "https://b"), ("https://b", "https://b")) == ("https://b",)
    assert narrowed_resources((), ()) == ()
    with pytest.raises(InvalidScope, match=r": more than was granted$"):
        narrowed_scope(("openid",), ("openid", "email"))
    with pytest.raises(InvalidTarget, match=r": a resource that was not granted$"):
        narrowed_resources((), ("https://a",))


def test_a_refresh_token_opens_only_the_one_that_was_given_for_it() -> None:
    """O11: whoever has a later or another token learns nothing of it."""
    grant = grant_id_of("some code")
    first, second = new_refresh_token(grant), new_refresh_token(grant)
    sealed = seal_next(first, second)
    assert open_next(first, sealed) == second
    assert second.encode() not in sealed
    for other in (second, new_refresh_token(grant)):
        with pytest.raises(InvalidGrant):
            open_next(other, sealed)
    for damaged in (b"", sealed[:-1], sealed[:5]):
        with pytest.raises(InvalidGrant):
            open_next(first, damaged)


def test_a_refresh_token_says_which_family_it_is_of() -> None:
    """And what has another form is none."""
    grant = grant_id_of("some code")
    token = new_refresh_token(grant)
    assert grant_id_in(token) == grant
    assert len(digest_of(token)) == 32
    for text in ("", token[:-1], token + "x", token.upper(), token.replace(".", ""), "\udc80" + token):
        with pytest.raises(InvalidGrant):
            grant_id_in(text)
