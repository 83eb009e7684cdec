"""What an application may have done by its logout request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.federation.oidc.checks.logout import (
    EndSessionRequest,
    check_hinted_client,
    checked_return,
    read_logout_request,
)
from gateway.federation.oidc.errors import InvalidRequest
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.trusts import Trust

GONE, WITH_QUERY = "https://app.example.com/gone", "https://app.example.com/gone?a=1"
TRUST = Trust(id="app", name="App", protocol="oidc")
TRUST = replace(TRUST, oidc=replace(TRUST.oidc, post_logout_redirect_uris=(GONE, WITH_QUERY)))


def test_each_parameter_is_read_into_its_own_field() -> None:
    """Section 2; of languages the first twenty."""
    languages = [f"x-{number}" for number in range(21)]
    query = {
        "id_token_hint": "a.b.c",
        "client_id": "app",
        "post_logout_redirect_uri": GONE,
        "state": "s",
        "ui_locales": " ".join(languages),
    }
    assert read_logout_request(Parameters(query.items())) == EndSessionRequest(
        id_token_hint="a.b.c",
        client_id="app",
        post_logout_redirect_uri=GONE,
        state="s",
        ui_locales=tuple(languages[:20]),
    )
    assert read_logout_request(Parameters([])) == EndSessionRequest()


def test_a_parameter_is_there_once() -> None:
    """RFC 6749 section 3.1, one that is not known here included."""
    with pytest.raises(InvalidRequest):
        read_logout_request(Parameters([("other", "1"), ("other", "2")]))


@pytest.mark.parametrize(
    ("client_id", "hint", "passes"),
    [
        ("app", {"aud": "app"}, True),
        ("", {"aud": "app"}, True),
        ("app", {}, True),
        ("other", {}, True),
        ("other", {"aud": "app"}, False),
        ("app", {"sub": "anna"}, False),
    ],
)
def test_the_client_is_the_one_that_the_id_token_was_given_to(client_id: str, hint: dict[str, str], passes: bool) -> None:
    """Where both are there (section 2)."""
    asked = EndSessionRequest(client_id=client_id)
    if passes:
        check_hinted_client(asked, hint)
        return
    with pytest.raises(InvalidRequest) as refusal:
        check_hinted_client(asked, hint)
    assert (refusal.value.parameter, refusal.value.detail) == ("client_id", "is not whom the ID token was given to")


@pytest.mark.parametrize(
    ("uri", "state", "goes"),
    [
        ("", "s", ""),
        (GONE, "", GONE),
        (GONE, "a b&c", f"{GONE}?state=a+b%26c"),
        (WITH_QUERY, "s", f"{WITH_QUERY}&state=s"),
    ],
)
def test_the_person_goes_where_the_trust_says(uri: str, state: str, goes: str) -> None:
    """With `state` (section 3)."""
    assert checked_return(EndSessionRequest(post_logout_redirect_uri=uri, state=state), TRUST) == goes


@pytest.mark.parametrize("uri", [f"{GONE}/", f"{GONE}?b=1", GONE.upper(), "https://evil.example/gone"])
def test_the_person_goes_nowhere_else(uri: str) -> None:
    """Compared character by character."""
    with pytest.raises(InvalidRequest) as refusal:
        checked_return(EndSessionRequest(post_logout_redirect_uri=uri), TRUST)
    assert (refusal.value.parameter, refusal.value.detail) == ("post_logout_redirect_uri", "is not one of the trust's")
