"""Mistakes in a policy, each with its key and what would be right."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.federation.claims import ClaimRule, ClaimsPolicy, ClaimsProtocol, check_policy
from settings import dotted
from tests.gateway.federation.claims.people import issued


def mistakes(policy: ClaimsPolicy, protocol: ClaimsProtocol = "oidc") -> dict[str, str]:
    """Key -> what is wrong."""
    return {dotted(error.key): error.problem for error in check_policy(policy, protocol)}


def of_rule(protocol: ClaimsProtocol = "oidc", **rule: Any) -> dict[str, str]:
    """Of one rule that is right but for this, keys relative to it."""
    whole = {"claim": "c", **({} if {"value", "template", "groups"} & set(rule) else {"source": "mail"}), **rule}
    found = mistakes(ClaimsPolicy(rules=(ClaimRule(**whole),)), protocol)
    return {key.removeprefix("rules[0]").lstrip("."): problem for key, problem in found.items()}


@pytest.mark.parametrize("protocol", ["oidc", "saml"])
def test_the_default_has_no_mistakes(protocol: str) -> None:
    """Nor has a rule of each kind."""
    kind: ClaimsProtocol = "saml" if protocol == "saml" else "oidc"
    rules = (
        ClaimRule(claim="a", source="attribute:department", match="^(a+)", replace=r"\1", case="lower"),
        ClaimRule(claim="b", template="{given_name}.{attribute:1.2.840.113556.1.4.2}", single=True),
        ClaimRule(claim="c", groups="sid", map={"S-1": "one"}, only_mapped=True, most=3),
        ClaimRule(claim="d", value="x", when_groups=("A",), unless_groups=("B",), when_networks=("10.0.0.0/8",)),
        ClaimRule(claim="d", source="source_anchor"),
    )
    assert mistakes(ClaimsPolicy(), kind) == {}
    assert mistakes(ClaimsPolicy(subject="attribute:employeeID;lang-en", rules=rules), kind) == {}


@pytest.mark.parametrize(
    ("rule", "key", "problem"),
    [
        ({"claim": ""}, "claim", "is empty"),
        ({"claim": "  "}, "claim", "is empty"),
        ({"claim": "sub"}, "claim", "not a policy's to set"),
        ({"claim": "client_id"}, "claim", "not a policy's to set"),
        ({"claim": "groups_cut"}, "claim", "ends in _cut"),
        ({"source": ""}, "", "says nothing"),
        ({"source": "mail", "value": "x"}, "", "has source and value"),
        ({"groups": "sid", "template": "x"}, "", "has template and groups"),
        ({"source": "email"}, "source", "'email' is not a source"),
        ({"source": "attribute:"}, "source", "not the name of an attribute"),
        ({"source": "attribute:a)(b"}, "source", "not the name of an attribute"),
        ({"template": "{nobody}"}, "template", "'nobody' is not a source"),
        ({"template": "{}"}, "template", "a brace without a source at character 1"),
        ({"template": "a{b"}, "template", "a brace without a source at character 2"),
        ({"template": "ab}"}, "template", "a brace without a source at character 3"),
        ({"match": "ä(b"}, "match", "missing )"),
        ({"match": "a(?=b)"}, "match", "invalid perl operator at character 2, in '(?='"),
        ({"match": r"(a)\1"}, "match", r"invalid escape sequence at character 4"),
        ({"match": "a**"}, "match", "bad repetition operator at character 2"),
        ({"match": r"\p{L}{1000}"}, "match", "pattern too large"),
        ({"match": "a" * 1025}, "match", "has 1025 characters"),
        ({"replace": "x"}, "replace", "without match"),
        ({"match": "a", "replace": r"\1"}, "replace", "names group 1, and the expression has 0"),
        ({"match": "(?P<a>x)", "replace": r"\g<b>"}, "replace", "names the group 'b'"),
        ({"match": "a", "replace": "x" * 1025}, "replace", "has 1025 characters"),
        ({"only_mapped": True}, "only_mapped", "without map"),
        ({"map": {"A": "1", "a": "2"}}, "map.a", "has 'a' 2 times"),
        ({"when_groups": ("A", " ")}, "when_groups[1]", "is empty"),
        ({"unless_groups": ("",)}, "unless_groups[0]", "is empty"),
        ({"when_groups": ("A",), "unless_groups": ("a",)}, "unless_groups", "is in when_groups, too"),
        ({"when_networks": ("10.0.0.0/33",)}, "when_networks[0]", "is not a network"),
        ({"when_networks": ("10.0.0.0/8", "::/0")}, "when_networks[1]", "every address"),
        ({"single": True, "most": 2}, "most", "beside single"),
        ({"friendly_name": "x"}, "friendly_name", "of SAML"),
    ],
)
def test_a_mistake_is_told_with_its_key(rule: dict[str, Any], key: str, problem: str) -> None:
    """One mistake, told once."""
    found = of_rule(**rule)
    assert list(found) == [key]
    assert problem in found[key]


def test_each_protocol_has_settings_of_its_own() -> None:
    """A setting that would do nothing is a mistake; names that tokens keep for themselves are free in SAML."""
    assert list(of_rule("saml", scopes=("a",))) == ["scopes"]
    assert of_rule("saml", claim="sub", friendly_name="x") == {}
    assert list(mistakes(ClaimsPolicy(email_verified=True), "saml")) == ["email_verified"]
    assert mistakes(ClaimsPolicy(email_verified=True), "oidc") == {}


@pytest.mark.parametrize("source", ["display_name", "given_name", "surname", "domain", "mails", "attribute:"])
def test_a_subject_is_one_persons_alone(source: str) -> None:
    """Two people of one name would share what they have in the application."""
    assert list(mistakes(ClaimsPolicy(subject=source))) == ["subject"]


def test_rules_of_one_claim_agree_on_its_form() -> None:
    """Else its type would depend on who signs in."""
    rules = (ClaimRule(claim="r", value="a", single=True), ClaimRule(claim="r", value="b"))
    assert list(mistakes(ClaimsPolicy(rules=rules))) == ["rules[1].single"]


def test_every_mistake_is_told() -> None:
    """Not the first alone."""
    rules = (ClaimRule(claim=""), ClaimRule(claim="x", source="y", match="("))
    assert list(mistakes(ClaimsPolicy(subject="z", rules=rules))) == [
        "subject",
        "rules[0].claim",
        "rules[0]",
        "rules[1].source",
        "rules[1].match",
    ]


PIECES = st.lists(
    st.sampled_from(
        [
            "a",
            "(",
            ")",
            "[",
            "]",
            "\\",
            "\\1",
            "\\g<n>",
            "(?P<n>",
            "(?i)",
            "*",
            "+",
            "{",
            "}",
            "{mail}",
            "{{",
            "|",
            "^",
            "$",
            "ü",
            "\0",
            "\\p{L}",
            "attribute:",
            "9",
            "\ud800",
        ]
    ),
    max_size=8,
).map("".join)


@given(PIECES, PIECES, PIECES, PIECES)
def test_whatever_is_written_is_a_mistake_or_works(source: str, template: str, match: str, replace: str) -> None:
    """What was not refused when the trust was read does not fail when somebody signs in."""
    rules = (
        ClaimRule(claim="a", source=source or "mail", match=match, replace=replace if match else ""),
        ClaimRule(claim="b", template=template or "x", match=match),
        ClaimRule(claim="c", groups="name", match=match, replace=replace if match else ""),
    )
    policy = ClaimsPolicy(rules=rules)
    if not mistakes(policy):
        assert issued(policy).refused == ""
        assert issued(policy, protocol="saml").refused == ""
