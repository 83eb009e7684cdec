"""Each part of a rule, by itself and against the others."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.federation.claims import ClaimRule, ClaimsPolicy, ClaimsSubject, ClaimStep, Value
from gateway.federation.claims.memberships import Memberships
from gateway.federation.claims.rules import NotIssued, rule_values
from tests.gateway.federation.claims.people import ADMINS, ANNA, ENGINEERS, issued, person


def value_of(subject: ClaimsSubject = ANNA, **rule: Any) -> Value | None:
    """Of the one rule's claim; None where it is not issued."""
    found = issued(ClaimsPolicy(standard=False, rules=(ClaimRule(claim="c", **rule),)), subject)
    assert found.refused == ""
    return found.values.get("c")


def step_of(subject: ClaimsSubject = ANNA, **rule: Any) -> ClaimStep:
    """Of the one rule."""
    return issued(ClaimsPolicy(standard=False, rules=(ClaimRule(claim="c", **rule),)), subject).steps[-1]


def test_the_first_rule_with_a_value_sets_a_single_one() -> None:
    """What came of each rule is said, those after it included."""
    sources = ("mail", "given_name", "surname", "display_name")
    rules = tuple(ClaimRule(claim="c", source=source, single=True) for source in sources)
    found = issued(ClaimsPolicy(standard=False, rules=rules), person(mail=""))
    assert found.values == {"c": "Anna"}
    late = "an earlier rule has set the single value"
    assert [(step.outcome, step.why) for step in found.steps[1:]] == [
        ("no value", "mail is empty"),
        ("issued", ""),
        ("superseded", late),
        ("superseded", late),
    ]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("user_name", "anna@corp.example.com"),
        ("account_name", "anna"),
        ("mail", "anna.berg@example.com"),
        ("display_name", "Anna Berg"),
        ("given_name", "Anna"),
        ("surname", "Berg"),
        ("sid", ANNA.sid),
        ("object_guid", ANNA.object_guid),
        ("domain", "corp.example.com"),
        ("dn", ANNA.dn),
        ("source_anchor", "TF0eD0tbeGmIeJatsaPS4fA="),
        ("attribute:department", ("Research",)),
        ("attribute:proxyaddresses", ("SMTP:anna.berg@example.com", "smtp:a.berg@example.com")),
    ],
)
def test_a_source_gives_what_it_names(source: str, value: Value) -> None:
    """Fields of the identity are texts, attributes lists."""
    if source == "source_anchor":
        assert len(str(value_of(source=source))) == 24
    else:
        assert value_of(source=source) == value


def test_a_single_value_is_a_text_and_the_same_one_each_time() -> None:
    """A directory gives values in no order."""
    addresses = ANNA.attributes["proxyAddresses"]
    for values in (addresses, addresses[::-1]):
        subject = person(attributes={"proxyAddresses": values})
        assert value_of(subject, source="attribute:proxyAddresses", single=True) == "SMTP:anna.berg@example.com"


def test_a_constant_is_a_text() -> None:
    """Whoever the person is."""
    assert value_of(value="staff") == "staff"


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{account_name}@example.org", "anna@example.org"),
        ("{given_name}.{surname}", "Anna.Berg"),
        ("{{{account_name}}}", "{anna}"),
        ("plain", "plain"),
        ("{attribute:department}/{account_name}", ("Research/anna",)),
        (
            "{account_name}:{attribute:proxyAddresses}",
            ("anna:SMTP:anna.berg@example.com", "anna:smtp:a.berg@example.com"),
        ),
        ("{attribute:employeeID}-x", None),
        ("{account_name}{account_name}", "annaanna"),
    ],
)
def test_a_template_is_filled_or_there_is_none(template: str, value: Value | None) -> None:
    """Never with a gap where a source is empty: `@example.org` could be somebody's address."""
    assert value_of(template=template) == value


def test_what_is_in_a_value_is_no_template() -> None:
    """A person called {sid} learns nothing."""
    assert value_of(person(display_name="{sid}{{"), template="<{display_name}>") == "<{sid}{{>"


def test_two_sources_with_several_values_make_no_pairs() -> None:
    """Which belong together is not known, and a thousand by a thousand would be a million."""
    subject = person(attributes={"a": ("1", "2"), "b": ("3", "4")})
    assert value_of(subject, template="{attribute:a}{attribute:b}") is None
    step = step_of(subject, template="{attribute:a}{attribute:b}")
    assert (step.outcome, step.why) == ("no value", "attribute:a and attribute:b have several values each")


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"match": "^smtp:"}, ("smtp:a.berg@example.com",)),
        ({"match": "(?i)^smtp:", "replace": "mailto:"}, ("mailto:anna.berg@example.com", "mailto:a.berg@example.com")),
        ({"match": r"^SMTP:(.*)@(.*)$", "replace": r"\2/\1\\"}, ("example.com/anna.berg\\",)),
        ({"match": r"(?P<who>[a-z.]+)@.*", "replace": r"\g<who>"}, ("SMTP:anna.berg", "smtp:a.berg")),
        ({"match": r"(x)?@.*", "replace": r"\1"}, ("SMTP:anna.berg", "smtp:a.berg")),
        ({"match": r".", "replace": r"ü"}, ("ü" * 26, "ü" * 23)),
        ({"match": "nowhere"}, None),
        ({"map": {"smtp:A.BERG@example.com": "alias"}}, ("SMTP:anna.berg@example.com", "alias")),
        ({"map": {"smtp:a.berg@example.com": "alias"}, "only_mapped": True}, ("alias",)),
        ({"map": {"x": "y"}, "only_mapped": True}, None),
        ({"case": "upper"}, ("SMTP:ANNA.BERG@EXAMPLE.COM", "SMTP:A.BERG@EXAMPLE.COM")),
        ({"case": "lower", "match": "SMTP"}, ("smtp:anna.berg@example.com",)),
        ({"match": ".*", "replace": "one"}, ("one",)),
    ],
)
def test_values_are_filtered_then_changed_then_mapped(rule: dict[str, Any], value: Value | None) -> None:
    """In that order; what becomes equal is there once."""
    assert value_of(source="attribute:proxyAddresses", **rule) == value


@pytest.mark.parametrize(
    ("rule", "yields"),
    [
        ({"when_groups": ("Engineering",)}, True),
        ({"when_groups": ("Sales", "engineering")}, True),
        ({"when_groups": ("Sales",)}, False),
        ({"unless_groups": ("ENGINEERING",)}, False),
        ({"unless_groups": ("Sales",)}, True),
        ({"when_groups": ("Engineering",), "unless_groups": ("Users",)}, False),
        ({"when_networks": ("192.0.2.0/24",)}, True),
        ({"when_networks": ("10.0.0.0/8", "192.0.2.7")}, True),
        ({"when_networks": ("10.0.0.0/8",)}, False),
        ({"when_networks": ("192.0.2.0/24",), "when_groups": ("Sales",)}, False),
    ],
)
def test_a_condition_decides_whether_a_rule_is_asked(rule: dict[str, Any], yields: bool) -> None:
    """All conditions of a rule have to hold."""
    assert (value_of(value="x", **rule) is not None) is yields
    assert (step_of(value="x", **rule).outcome == "condition") is not yields


@pytest.mark.parametrize("address", ["", "unknown", "192.0.2", "192.0.2.7%eth0", "::ffff:198.51.100.1"])
def test_an_address_that_is_none_is_in_no_network(address: str) -> None:
    """Nor is another one."""
    assert value_of(person(address=address), value="x", when_networks=("192.0.2.0/24",)) is None


def test_an_ipv4_address_written_as_ipv6_is_the_same_one() -> None:
    """RFC 4291 section 2.5.5.2: a listener for both families gives it so."""
    assert value_of(person(address="::ffff:192.0.2.7"), value="x", when_networks=("192.0.2.0/24",)) == "x"


def test_scopes_of_a_rule_bound_it_in_openid_connect() -> None:
    """The `claims` parameter asks past them (Core section 5.5)."""
    policy = ClaimsPolicy(standard=False, rules=(ClaimRule(claim="c", value="x", scopes=("roles", "all")),))
    assert "c" not in issued(policy).values
    assert "c" in issued(policy, scopes=frozenset({"all"})).values
    assert "c" in issued(policy, scopes=frozenset(), wanted=frozenset({"c"})).values


def test_rules_of_one_claim_add_up_to_a_list() -> None:
    """Always a list, so that its type does not depend on who signs in; each value once, in the order of the rules."""
    rules = (
        ClaimRule(claim="role", value="admin", when_groups=("Domain Admins",)),
        ClaimRule(claim="role", value="engineer", when_groups=("Engineering",)),
        ClaimRule(claim="role", value="engineer"),
    )
    policy = ClaimsPolicy(standard=False, rules=rules)
    assert issued(policy).values == {"role": ("engineer",)}
    assert issued(policy, person(groups=(ENGINEERS, ADMINS))).values == {"role": ("admin", "engineer")}


def test_the_first_of_several_rules_wins_where_one_value_is_wanted() -> None:
    """A default stands last."""
    rules = tuple(
        ClaimRule(claim="role", value=value, single=True, when_groups=groups)
        for value, groups in (("admin", ("Domain Admins",)), ("viewer", ()))
    )
    policy = ClaimsPolicy(standard=False, rules=rules)
    assert issued(policy).values == {"role": "viewer"}
    assert issued(policy, person(groups=(ADMINS,))).values == {"role": "admin"}


@pytest.mark.parametrize(
    ("rule", "outcome", "why"),
    [
        ({"source": "mail"}, "issued", ""),
        ({"source": "attribute:employeeID"}, "not sent", "the agent sent no employeeID"),
        ({"template": "{mail}{attribute:employeeID}"}, "not sent", "the agent sent no employeeID"),
        ({"source": "mail", "match": "^x"}, "no value", "no value passes the rule"),
        ({"groups": "name", "match": "^x"}, "no value", "no group passes the rule"),
        ({"source": "mail", "when_groups": ("A", "B")}, "condition", "not a member of A, B"),
        ({"source": "mail", "unless_groups": ("Users", "B")}, "condition", "a member of Users, B"),
        (
            {"source": "mail", "when_networks": ("10.0.0.0/8", "::1")},
            "condition",
            "the client's address is not in 10.0.0.0/8, ::1",
        ),
        ({"template": "{attribute:proxyAddresses}{attribute:x}"}, "not sent", "the agent sent no x"),
        ({"source": "mail", "scopes": ("a", "b")}, "scope", "needs the scope a or b"),
    ],
)
def test_a_step_says_why(rule: dict[str, Any], outcome: str, why: str) -> None:
    """For the operator."""
    step = step_of(**rule)
    assert (step.claim, step.outcome, step.why) == ("c", outcome, why)


def test_a_reason_is_in_the_exception() -> None:
    """For whoever meets it in a traceback."""
    with pytest.raises(NotIssued) as caught:
        rule_values(ClaimRule(claim="c", groups="name"), person(groups=()), Memberships(ANNA))
    assert caught.value.args == ("no value", "no groups")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ({"source": "mail", "match": "a"}, "source mail, match a"),
        ({"source": "mail", "map": {"a": "b"}}, "source mail, map"),
        ({"value": "x", "case": "upper"}, "constant x, upper case"),
    ],
)
def test_a_rule_is_told_in_short(rule: dict[str, Any], text: str) -> None:
    """Its source, and what is done with it."""
    assert step_of(**rule).rule == text


def test_a_person_without_groups_has_none() -> None:
    """And the step says so."""
    assert step_of(person(groups=()), groups="name").why == "no groups"


def test_a_friendly_name_comes_with_its_claim_only() -> None:
    """SAML: not where no value is issued."""
    rules = (
        ClaimRule(claim="a", friendly_name="A", source="mail"),
        ClaimRule(claim="b", friendly_name="B", source="attribute:none"),
    )
    assert issued(ClaimsPolicy(rules=rules), protocol="saml").friendly_names == {"a": "A"}


@pytest.mark.parametrize(
    "name",
    [
        "Анна Берг",
        "アンナ",
        "安娜",
        "أنا بيرغ",
        "אנה\u202e",
        "👩‍🔬",
        "A\u0308nna",
        "<b>&\"'</b>",
        "x" * 1024,
        "\u2028\u2029",
        "\U0010fffd",
    ],
)
@pytest.mark.parametrize("protocol", ["oidc", "saml"])
def test_names_in_every_script_arrive_as_they_are(name: str, protocol: str) -> None:
    """No character is changed or left out: form and escaping are the writer's."""
    policy = ClaimsPolicy(standard=False, rules=(ClaimRule(claim="n", source="display_name"),))
    found = issued(policy, person(display_name=name), "saml" if protocol == "saml" else "oidc")
    assert found.values == {"n": name}


@pytest.mark.parametrize("protocol", ["oidc", "saml"])
@pytest.mark.parametrize("character", ["\0", "\x08", "\x1b", "\ufffe", "\ud800"])
def test_what_xml_cannot_hold_is_left_out_and_said(character: str, protocol: str) -> None:
    """An attribute that its owner may write must not end in a traceback, here or at the application."""
    attributes = {"description": (f"a{character}b",), "title": ("fine\r\n\t", f"x{character}"), "l": (character, "Bonn")}
    rules = tuple(ClaimRule(claim=name, source=f"attribute:{name}") for name in ("description", "title"))
    found = issued(ClaimsPolicy(rules=rules), person(attributes=attributes), "saml" if protocol == "saml" else "oidc")
    assert found.values["title"] == ("fine\r\n\t",)
    assert "description" not in found.values
    assert (found.steps[1].outcome, found.steps[1].why) == ("no value", "it has characters that XML cannot hold")
    assert found.values.get("address", {"locality": "Bonn"}) == {"locality": "Bonn"}


def test_an_expression_takes_linear_time() -> None:
    """The text that takes Python's `re` for years."""
    evil = person(display_name="a" * 1000 + "!")
    started = time.process_time()
    assert value_of(evil, source="display_name", match="^(a+)+$") is None
    assert value_of(evil, source="display_name", match="^(a|aa)+$") is None
    assert time.process_time() - started < 1


@given(
    st.dictionaries(st.sampled_from(["a", "b"]), st.lists(st.text(max_size=8), max_size=3).map(tuple), max_size=2),
    st.text(max_size=8),
    st.sampled_from(["", "^a", "[^b]+", "(.)"]),
    st.sampled_from(["", "x", "ä\\\\"]),
    st.sampled_from(["oidc", "saml"]),
)
def test_whatever_a_directory_says_ends_in_values_or_in_none(
    attributes: dict[str, tuple[str, ...]], name: str, match: str, replace: str, protocol: str
) -> None:
    """No exception, no empty value, each value once."""
    rules = (
        ClaimRule(claim="a", source="attribute:a", match=match, replace=replace),
        ClaimRule(claim="b", template="{attribute:a}-{attribute:b}"),
        ClaimRule(claim="n", source="display_name", case="upper"),
    )
    subject = person(attributes=attributes, display_name=name)
    found = issued(ClaimsPolicy(standard=False, rules=rules), subject, "saml" if protocol == "saml" else "oidc")
    for value in found.values.values():
        texts = (value,) if isinstance(value, str) else value
        assert isinstance(texts, tuple)
        assert texts
        assert all(texts)
        assert len(set(texts)) == len(texts)
