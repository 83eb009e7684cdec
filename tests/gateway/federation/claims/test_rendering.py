"""What an operator reads of a person's claims, and what agents have to send for them."""

from __future__ import annotations

import pytest

from gateway.federation.claims import ClaimRule, ClaimsPolicy, ClaimsProtocol, difference, explain, wanted_attributes
from tests.gateway.federation.claims.people import ADMINS, ENGINEERS, USERS, crowd, issued, person

POLICY = ClaimsPolicy(
    subject="user_name",
    standard=False,
    rules=(
        ClaimRule(claim="mail", source="mail", case="lower"),
        ClaimRule(claim="id", source="attribute:employeeID"),
        ClaimRule(claim="role", value="admin", when_groups=("Domain Admins",)),
        ClaimRule(claim="team", groups="name", match="^Eng", replace="E", map={"e": "x"}, only_mapped=True),
        ClaimRule(claim="to", template="{account_name}@x.org", scopes=("to",)),
    ),
)


def test_each_step_is_one_line() -> None:
    """What, why, and by which rule."""
    assert explain(issued(POLICY)) == [
        "(subject) = anna@corp.example.com (source user_name)",
        "mail = anna.berg@example.com (source mail, lower case)",
        "id not issued: the agent sent no employeeID (source attribute:employeeID)",
        "role not issued: not a member of Domain Admins (constant admin)",
        "team not issued: no value passes the rule (groups by name, match ^Eng as E, map alone)",
        "to not issued: needs the scope to (template {account_name}@x.org)",
    ]


def test_the_lines_are_what_is_issued() -> None:
    """A rule that comes too late for a single value has none; what is set beside the rules has a line, too."""
    viewer, editor = (ClaimRule(claim="role", value=value, single=True) for value in ("Viewer", "Editor"))
    policy = ClaimsPolicy(rules=(viewer, editor))
    told = issued(policy)
    assert told.values["role"] == "Viewer"
    lines = explain(told)
    assert "role = Viewer (constant Viewer)" in lines
    assert "role not issued: an earlier rule has set the single value (constant Editor)" in lines
    assert "email_verified = false (claims.email_verified of the trust)" in lines
    steps = {step.claim for step in told.steps if step.outcome == "issued"}
    assert steps - {"(subject)"} == set(told.values)


def test_an_attribute_of_saml_has_its_friendly_name() -> None:
    """Nobody knows object identifiers by heart."""
    assert "urn:oid:2.5.4.42 [givenName] = Anna (source given_name)" in explain(issued(ClaimsPolicy(), protocol="saml"))


def test_many_values_are_counted() -> None:
    """A thousand groups are not a thousand names on one line."""
    lines = explain(issued(ClaimsPolicy(groups_over="cut", groups_most=12), person(groups=crowd(20))))
    assert "g00011xxxxxx and 10 more (groups by name)" in lines[-4]
    assert lines[-3].endswith("and 2 more cut: 20 values, 12 at most (bounds)")


def test_a_refusal_stands_first() -> None:
    """It is why the person asks."""
    lines = explain(issued(ClaimsPolicy(subject="mail"), person(mail="")))
    assert lines[:2] == [
        "no sign-in to this application: no subject: mail is empty",
        "(subject) refused: mail is empty (source mail)",
    ]


@pytest.mark.parametrize(
    ("sector", "protocol", "rule"),
    [
        ("", "oidc", "derived from the account, the same for all OpenID Connect clients"),
        ("a.example", "oidc", "derived from the account, the same for the clients of a.example"),
        ("", "saml", "derived from the account for this trust"),
    ],
)
def test_a_subject_of_our_own_says_whom_it_is_for(sector: str, protocol: ClaimsProtocol, rule: str) -> None:
    """As the identifiers themselves say nothing."""
    assert explain(issued(ClaimsPolicy(), protocol=protocol, sector=sector))[0].endswith(f"({rule})")


def test_what_changed_is_told_value_by_value() -> None:
    """New, gone and changed claims; what stayed is not named."""
    before = issued(ClaimsPolicy(subject="user_name"), person(groups=(ENGINEERS, USERS)))
    after = issued(
        ClaimsPolicy(subject="user_name", email_verified=True),
        person(groups=(USERS, ADMINS), user_name="new@corp.example.com", display_name="", attributes={"l": ("Bonn",)}),
    )
    assert difference(before, before) == []
    assert difference(before, after) == [
        "- (subject) = anna@corp.example.com",
        "+ (subject) = new@corp.example.com",
        "- name = Anna Berg",
        "- preferred_username = anna@corp.example.com",
        "+ preferred_username = new@corp.example.com",
        "- phone_number = +49 30 123456",
        "- groups = Engineering",
        "+ groups = Domain Admins",
        "- email_verified = false",
        "+ email_verified = true",
        "- address = street_address: Isthmus Street 1",
        "- address = locality: Berlin",
        "+ address = locality: Bonn",
    ]


def test_a_refusal_is_a_change() -> None:
    """Of everything."""
    policy = ClaimsPolicy(subject="mail", standard=False)
    lines = difference(issued(policy), issued(policy, person(mail="")))
    assert lines == ["- (subject) = anna.berg@example.com", "+ refused = no subject: mail is empty"]


@pytest.mark.parametrize(
    ("policy", "protocol", "scopes", "attributes"),
    [
        (ClaimsPolicy(), "oidc", {"openid", "email"}, set()),
        (ClaimsPolicy(), "oidc", {"phone"}, {"telephoneNumber"}),
        (ClaimsPolicy(), "oidc", {"address"}, {"streetAddress", "l", "st", "postalCode", "co"}),
        (ClaimsPolicy(standard=False), "oidc", {"phone", "address"}, set()),
        (ClaimsPolicy(), "saml", set(), set()),
        (ClaimsPolicy(subject="source_anchor"), "saml", set(), {"mS-DS-ConsistencyGuid"}),
        (ClaimsPolicy(subject="attribute:employeeID"), "saml", set(), {"employeeID"}),
        (POLICY, "oidc", {"phone"}, {"employeeID"}),
        (ClaimsPolicy(rules=(ClaimRule(claim="phone_number", value="x"),)), "oidc", {"phone"}, set()),
        (
            ClaimsPolicy(rules=(ClaimRule(claim="address", template="{attribute:a}{attribute:b}"),)),
            "oidc",
            {"address"},
            {"a", "b"},
        ),
        (ClaimsPolicy(rules=(ClaimRule(claim="x", source="attribute:a", scopes=("s",)),)), "oidc", {"t"}, set()),
        (ClaimsPolicy(rules=(ClaimRule(claim="x", source="attribute:a", scopes=("s",)),)), "saml", set(), {"a"}),
    ],
)
def test_agents_have_to_send_what_rules_draw_on(
    policy: ClaimsPolicy, protocol: ClaimsProtocol, scopes: set[str], attributes: set[str]
) -> None:
    """And nothing that no scope of the trust can ask for."""
    assert wanted_attributes(policy, protocol, frozenset(scopes)) == attributes
