"""Whether the person has to do something first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.federation.oidc.authorization_request import AuthorizationRequest
from gateway.federation.oidc.checks.interaction import Freshness, SignedIn, required_consent, required_sign_in
from gateway.federation.oidc.claims_request import ClaimsRequest
from gateway.federation.oidc.errors import ConsentRequired, LoginRequired

NOW = 1_800_000_000.0
REQUEST = AuthorizationRequest(client_id="app", redirect_uri="https://app.example.com/cb")
ANNA = SignedIn(subject="anna-sub", names=frozenset({"anna@corp.example.com"}), auth_time=NOW - 100)


def _asks(signed_in: SignedIn | None = ANNA, hinted: str = "", returned: bool = False, **request: Any) -> bool:
    max_age = request.pop("trust_max_age", None)
    freshness = Freshness(max_age=max_age, returned=returned)
    return required_sign_in(replace(REQUEST, **request), signed_in, freshness, hinted, NOW)


OLD, HINT = "the sign-in is too old", "somebody else is signed in than login_hint says"
ANOTHER = "somebody else is signed in than id_token_hint or claims say"
ASKED = [
    ({"signed_in": None}, "nobody is signed in"),
    ({"max_age": 99.0}, OLD),
    ({"max_age": 0.0}, OLD),
    ({"trust_max_age": 60.0}, OLD),
    ({"trust_max_age": 60.0, "max_age": 3600.0}, OLD),
    ({"hinted": "ben-sub"}, ANOTHER),
    ({"claims": ClaimsRequest(subject="ben-sub")}, ANOTHER),
    ({"login_hint": "ben@corp.example.com"}, HINT),
]


@pytest.mark.parametrize(("given", "why"), ASKED, ids=str)
def test_the_person_is_asked(given: dict[str, Any], why: str) -> None:
    """O15: nobody there, too long ago, or another one than the application wants; with prompt=none the application gets
    an error instead (oidcc-prompt-none-not-logged-in and its like), and the log has why."""
    assert _asks(**given)
    with pytest.raises(LoginRequired, match=f": {why}$"):
        _asks(**given, prompt=frozenset({"none"}))


@pytest.mark.parametrize("prompt", ["login", "select_account"])
def test_an_application_may_have_the_person_asked_again(prompt: str) -> None:
    """OpenID Connect Core section 3.1.2.1."""
    assert _asks(prompt=frozenset({prompt}))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"max_age": 100.0},
        {"hinted": "anna-sub"},
        {"login_hint": " Anna@corp.example.com "},
        {"prompt": frozenset({"none"})},
        {"prompt": frozenset({"consent"})},
        {"returned": True, "prompt": frozenset({"login"})},
        {"returned": True, "max_age": 0.0},
        {"returned": True, "login_hint": "ben@corp.example.com"},
    ],
    ids=str,
)
def test_a_sign_in_that_will_do_is_not_repeated(given: dict[str, Any]) -> None:
    """Back from the sign-in page only its time counts: else prompt=login would ask without end."""
    assert not _asks(**given)


def test_back_from_the_page_without_a_session_it_is_asked_again() -> None:
    """O15: nobody signed in there."""
    assert _asks(signed_in=None, returned=True)


def test_somebody_else_who_signs_in_is_refused() -> None:
    """O15: the application wants one person (id_token_hint); it never gets another one."""
    with pytest.raises(LoginRequired, match=r": somebody else has signed in than id_token_hint or claims say$"):
        _asks(hinted="ben-sub", returned=True)


@pytest.mark.parametrize(
    ("policy", "prompt", "before", "just", "asks"),
    [
        ("none", "", "", "", False),
        ("none", "consent", "", "", False),
        ("once", "", "", "", True),
        ("once", "", "openid", "", True),
        ("once", "", "openid email", "", False),
        ("once", "consent", "openid email", "", True),
        ("once", "consent", "openid email", "openid email", False),
        ("once", "", "", "openid", True),
        ("always", "", "openid email", "", True),
        ("always", "", "", "openid email", False),
    ],
)
def test_consent_is_asked_for_as_the_trust_says(policy: Any, prompt: str, before: str, just: str, asks: bool) -> None:
    """A wider scope is asked for anew; what was just agreed to is not asked for again."""
    request = replace(REQUEST, prompt=frozenset({prompt} if prompt else ()))
    agreed = frozenset(before.split()), frozenset(just.split())
    assert required_consent(request, policy, ("openid", "email"), *agreed) is asks


def test_consent_that_may_not_be_asked_for_is_an_error() -> None:
    """OpenID Connect Core section 3.1.2.6."""
    with pytest.raises(ConsentRequired, match=r": the trust asks for consent, and the person has not agreed to this scope$"):
        required_consent(replace(REQUEST, prompt=frozenset({"none"})), "once", ("openid",), frozenset(), frozenset())
