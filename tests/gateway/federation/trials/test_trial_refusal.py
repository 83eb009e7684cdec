"""Which key may be tried with which trust: every state, ring and algorithm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from certs import KeyState
from gateway.federation.keys import SigningKey, Trial, may_be_tried, signed_with, trial_refusal
from gateway.federation.person_applications import start_links
from gateway.federation.trusts import SamlParty, Trust
from gateway.store import SigningKeyRecord
from tests.gateway.federation.oidc.stand import APP, changed

NOW = 1_800_000_000.0
WIKI = Trust(id="wiki", name="Wiki", protocol="saml")
KEY = SigningKeyRecord(
    id="k1",
    ring="oidc",
    algorithm="ES256",
    certificate=b"",
    private=b"",
    state=KeyState.PUBLISHED.value,
    since=NOW,
    created_at=NOW,
    not_after=NOW + 1e6,
)


def test_a_published_key_of_the_trusts_own_kind_can_be_tried() -> None:
    """OpenID Connect by the client's algorithm, SAML by its only one."""
    assert trial_refusal(KEY, APP) == ""
    assert trial_refusal(replace(KEY, ring="saml", algorithm="RSA"), WIKI) == ""


@pytest.mark.parametrize(
    ("key", "trust", "reason"),
    [
        (KEY, None, "disabled"),
        (None, APP, "no such key"),
        (KEY, WIKI, "a key of ring oidc"),
        (replace(KEY, ring="saml", algorithm="RSA"), APP, "a key of ring saml"),
        (replace(KEY, ring="decrypting", algorithm="RSA"), WIKI, "a key of ring decrypting"),
        (KEY, changed(APP, signing_algorithm="RS256"), "a key for ES256"),
        (replace(KEY, state="next"), APP, "not published"),
        (replace(KEY, state="active"), APP, "in use"),
        (replace(KEY, state="retiring"), APP, "has been replaced"),
        (replace(KEY, state="retired"), APP, "has been replaced"),
    ],
)
def test_no_other_key_can_be_tried(key: SigningKeyRecord | None, trust: Trust | None, reason: str) -> None:
    """Each says why."""
    assert reason in trial_refusal(key, trust)


@pytest.mark.parametrize(
    ("ring", "algorithm", "state", "may"),
    [
        ("oidc", "ES256", KeyState.PUBLISHED, True),
        ("oidc", "ES256", KeyState.ACTIVE, True),
        ("oidc", "ES256", KeyState.NEXT, False),
        ("oidc", "ES256", KeyState.RETIRING, False),
        ("oidc", "ES256", KeyState.RETIRED, False),
        ("saml", "RSA", KeyState.PUBLISHED, False),
        ("saml", "ES256", KeyState.PUBLISHED, False),
        ("oidc", "RS256", KeyState.PUBLISHED, False),
    ],
)
def test_what_a_trial_signs_with_fits_the_trust_as_it_is_now(ring: str, algorithm: str, state: KeyState, may: bool) -> None:
    """Looked at for each signature: the trust may have got another algorithm, and the key another state."""
    private: Any = None
    record = replace(KEY, ring=ring, algorithm=algorithm)
    key = SigningKey(
        id="k1",
        ring=ring,
        algorithm=algorithm,
        state=state,
        since=NOW,
        private=private,
        certificate=None,
        record=record,
    )
    assert may_be_tried(key, "oidc", "ES256") is may


def test_a_trial_ends_at_its_moment() -> None:
    """Not a moment later; where there is none there is no key."""
    trial = Trial(trust="app", key="k1", until=NOW)
    assert (trial.key_at(NOW - 0.1), trial.key_at(NOW), Trial().key_at(0.0)) == ("k1", "", "")


def test_the_trail_says_which_key_signed_and_whether_it_was_tried() -> None:
    """A trial that is over is none, though its session asked for that key."""
    assert signed_with("k1", "k1") == {"key": "k1", "trial": "yes"}
    assert signed_with("k1", "k2") == signed_with("k1", "") == {"key": "k1"}


def test_where_a_sign_in_starts() -> None:
    """Here where the trust allows it, and at the application's own address; an app on a device has none."""
    party = replace(WIKI, saml=SamlParty(idp_initiated=True))
    assert [link.url for link in start_links(party, "https://wiki.example.com/acs", "")] == [
        "/saml/start/wiki",
        "https://wiki.example.com/",
    ]
    assert [link.url for link in start_links(APP, "", "")] == ["https://app.example.com/"]
    assert start_links(changed(APP, redirect_uris=("com.example.app:/callback",)), "", "") == []
    assert {link.logo for link in start_links(party, "https://wiki.example.com/acs", "/logos/d1")} == {"/logos/d1"}
