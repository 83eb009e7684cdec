"""What a trust without rules is told."""

from __future__ import annotations

import pytest

from gateway.federation.claims import ClaimRule, ClaimsPolicy, ClaimStep
from tests.gateway.federation.claims.people import ALL_SCOPES, issued, person

DEFAULT = ClaimsPolicy()


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", set()),
        ("profile", {"name", "family_name", "given_name", "preferred_username"}),
        ("email", {"email", "email_verified"}),
        ("phone", {"phone_number"}),
        ("address", {"address"}),
        ("groups", {"groups"}),
    ],
)
def test_a_scope_brings_its_claims_and_no_others(scope: str, claims: set[str]) -> None:
    """OpenID Connect Core section 5.4."""
    assert set(issued(DEFAULT, scopes=frozenset({scope})).values) == claims


def test_values_have_the_types_of_the_specification() -> None:
    """OpenID Connect Core section 5.1: texts, a boolean, an object; groups are a list."""
    assert issued(DEFAULT).values == {
        "name": "Anna Berg",
        "family_name": "Berg",
        "given_name": "Anna",
        "preferred_username": "anna@corp.example.com",
        "email": "anna.berg@example.com",
        "email_verified": False,
        "phone_number": "+49 30 123456",
        "address": {"street_address": "Isthmus Street 1", "locality": "Berlin"},
        "groups": ("Engineering", "Users"),
    }


def test_the_organisation_vouches_for_addresses_or_not() -> None:
    """An application that links accounts by mail takes over somebody's where an unproven address is called verified."""
    assert issued(ClaimsPolicy(email_verified=True)).values["email_verified"] is True
    assert "email_verified" not in issued(ClaimsPolicy(email_verified=True), person(mail="")).values


@pytest.mark.parametrize("claim", ["email", "address", "phone_number", "groups", "name"])
def test_the_claims_parameter_asks_for_single_claims(claim: str) -> None:
    """OpenID Connect Core section 5.5: without the scope."""
    values = issued(DEFAULT, scopes=frozenset({"openid"}), wanted=frozenset({claim})).values
    assert set(values) - {"email_verified"} == {claim}


def test_the_claims_parameter_asks_for_nothing_of_a_scope_that_the_client_may_not_have() -> None:
    """O23: a scope that is refused must not be had claim by claim."""
    wanted, allowed = frozenset({"groups", "address", "email"}), frozenset({"openid", "email"})
    values = issued(DEFAULT, scopes=frozenset({"openid"}), wanted=wanted, allowed=allowed).values
    assert set(values) == {"email", "email_verified"}


def test_what_the_directory_does_not_know_is_not_there() -> None:
    """No empty texts, no nulls (OpenID Connect Core section 5.3.2), no empty address."""
    bare = person(mail="", display_name="", given_name="", surname="", attributes={}, groups=())
    assert issued(DEFAULT, bare).values == {"preferred_username": "anna@corp.example.com"}


def test_standard_claims_can_be_left_out() -> None:
    """Then rules alone decide."""
    policy = ClaimsPolicy(standard=False, rules=(ClaimRule(claim="who", source="account_name"),))
    assert issued(policy).values == {"who": "anna"}


def test_a_rule_takes_the_place_of_the_standard_claim_even_where_it_yields_nothing() -> None:
    """Else a condition on `groups` could be passed by not meeting it."""
    rule = ClaimRule(claim="groups", groups="name", when_groups=("Nobody",))
    assert "groups" not in issued(ClaimsPolicy(rules=(rule,))).values
    rule = ClaimRule(claim="address", value="somewhere")
    assert issued(ClaimsPolicy(rules=(rule,))).values["address"] == "somewhere"


@pytest.mark.parametrize(
    "claim", ["sub", "iss", "aud", "exp", "nonce", "auth_time", "acr", "amr", "azp", "sid", "cnf", "scope"]
)
def test_no_rule_says_who_issued_a_token_or_to_whom(claim: str) -> None:
    """An audience or an issuer from a policy would make a token of another trust."""
    policy = ClaimsPolicy(rules=(ClaimRule(claim=claim, value="evil"),))
    assert claim not in issued(policy).values


def test_saml_gets_the_usual_attributes_under_their_object_identifiers() -> None:
    """SAML Profiles section 8.2; scopes mean nothing there."""
    found = issued(DEFAULT, protocol="saml", scopes=frozenset())
    names = {found.friendly_names[claim]: value for claim, value in found.values.items()}
    assert names == {
        "mail": "anna.berg@example.com",
        "givenName": "Anna",
        "sn": "Berg",
        "displayName": "Anna Berg",
        "uid": "anna@corp.example.com",
    }
    assert all(claim.startswith("urn:oid:") for claim in found.values)


def test_saml_rules_are_all_there_is() -> None:
    """Standard attributes beside them would tell a party more than its trust says."""
    policy = ClaimsPolicy(rules=(ClaimRule(claim="who", source="account_name", scopes=("profile",)),))
    assert issued(policy, protocol="saml", scopes=frozenset()).values == {"who": "anna"}


def test_every_claim_has_a_step_that_says_why() -> None:
    """Issued, outside of the scopes, or not known."""
    steps = {step.claim: step.outcome for step in issued(DEFAULT, person(mail=""), scopes=ALL_SCOPES - {"phone"}).steps}
    assert steps == {
        "(subject)": "issued",
        "name": "issued",
        "family_name": "issued",
        "given_name": "issued",
        "middle_name": "not sent",
        "preferred_username": "issued",
        "website": "not sent",
        "locale": "not sent",
        "email": "no value",
        "phone_number": "scope",
        "groups": "issued",
        "address": "issued",
    }


def test_the_steps_of_an_address_and_of_a_verified_address_of_mail() -> None:
    """`address` is made of attributes of its own."""
    rule, why = "attributes streetAddress, l, st, postalCode, co", "the agent sent none of them"
    values = ("Isthmus Street 1", "Berlin")
    assert issued(DEFAULT).steps[-1] == ClaimStep(claim="address", outcome="issued", rule=rule, values=values)
    assert issued(DEFAULT, person(attributes={})).steps[-1] == ClaimStep(
        claim="address", outcome="not sent", rule=rule, why=why
    )
    assert issued(DEFAULT, scopes=frozenset()).steps[-1] == ClaimStep(
        claim="address", outcome="scope", rule=rule, why="needs the scope address"
    )


def test_a_rule_may_say_what_is_verified() -> None:
    """In place of the switch."""
    policy = ClaimsPolicy(email_verified=True, rules=(ClaimRule(claim="email_verified", value="no"),))
    assert issued(policy).values["email_verified"] == "no"
