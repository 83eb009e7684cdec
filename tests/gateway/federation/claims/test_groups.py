"""Groups: which ones a condition means, how claims call them, and how many are issued."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.federation.claims import ClaimRule, ClaimsPolicy, ClaimStep, GroupNames, is_member
from gateway.federation.claims.bounds import bound_values
from gateway.protocol import Group
from tests.gateway.federation.claims.people import ADMINS, DOMAIN_SID, ENGINEERS, FOREIGN, USERS, crowd, issued, person

MEMBER = person(groups=(ENGINEERS, USERS, FOREIGN))


@pytest.mark.parametrize(
    ("name", "member"),
    [
        ("Engineering", True),
        ("ENGINEERING", True),
        ("Engineering ", False),
        ("corp.example.com\\", False),
        (ENGINEERS.sid, True),
        (ENGINEERS.sid.lower(), True),
        ("corp.example.com\\Engineering", True),
        ("CORP.example.com\\engineering", True),
        ("Users", True),
        ("BUILTIN\\Users", True),
        ("builtin\\users", True),
        (FOREIGN.sid, True),
        ("other.example.com\\Engineering", False),
        ("corp\\Engineering", False),
        ("\\Engineering", False),
        ("corp.example.com\\Users", False),
        ("BUILTIN\\Engineering", False),
        ("Engineer", False),
        ("Engineering2", False),
        (ENGINEERS.sid[:-1], False),
        ("", False),
        ("*", False),
    ],
)
def test_a_condition_means_a_group_by_identifier_or_name(name: str, member: bool) -> None:
    """Case ignored; a domain only where it is known to be the group's."""
    assert is_member(MEMBER, (name,)) is member
    assert is_member(MEMBER, ("Nobody", name)) is member
    assert is_member(person(groups=()), (name,)) is False


def test_no_names_mean_nobody() -> None:
    """Whoever asks about a list has to say what an empty one means."""
    assert is_member(MEMBER, ()) is False


UUID = "6f0c1fb2-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    "spoof", [ADMINS.sid, ADMINS.sid.lower(), UUID, "corp.example.com\\Domain Admins", "BUILTIN\\Administrators"]
)
@pytest.mark.parametrize("others", [(), (USERS,)])
def test_a_group_that_is_named_like_another_is_not_that_one(spoof: str, others: tuple[Group, ...]) -> None:
    """General: whoever may make groups in one unit could call one by the SID of the domain's administrators."""
    forger = person(groups=(*others, Group(f"{DOMAIN_SID}-9999", spoof)))
    assert not is_member(forger, (spoof, "Domain Admins", "Administrators"))
    assert is_member(forger, (f"{DOMAIN_SID}-9999",))


@pytest.mark.parametrize("spoof", [ADMINS.sid, ADMINS.sid.lower(), UUID, UUID.upper()])
@pytest.mark.parametrize("others", [(), (ENGINEERS,)])
def test_no_claim_calls_a_group_by_another_ones_identifier(spoof: str, others: tuple[Group, ...]) -> None:
    """In every form it is its own identifier then."""
    forger = person(groups=(*others, Group(f"{DOMAIN_SID}-9999", spoof)))
    rules = tuple(ClaimRule(claim=form, groups=form) for form in ("name", "sid", "qualified"))
    values = issued(ClaimsPolicy(rules=rules), forger, "saml").values
    assert [labels[-1] for labels in values.values()] == [f"{DOMAIN_SID}-9999"] * 3  # type: ignore[index]


@pytest.mark.parametrize("name", ["A-Team", "S-Bahn", "s-1-x", "x" * 36, "S-1", "\uff33-1-5-32"])
def test_a_name_that_is_no_identifier_is_a_name(name: str) -> None:
    """Whatever it begins with, and however long it is."""
    subject = person(groups=(Group(f"{DOMAIN_SID}-9999", name),))
    rules = (ClaimRule(claim="n", groups="name"), ClaimRule(claim="q", groups="qualified"))
    assert issued(ClaimsPolicy(rules=rules), subject, "saml").values == {"n": (name,), "q": (f"corp.example.com\\{name}",)}
    assert is_member(subject, (name,))


def test_names_are_equal_in_every_form_of_unicode() -> None:
    """A composed letter is the decomposed one; what looks alike in another script is not."""
    subject = person(groups=(Group(f"{DOMAIN_SID}-9999", "Bu\u0308ro"), Group(f"{DOMAIN_SID}-9998", "Straße")))
    assert is_member(subject, ("b\u00fcro",))
    assert is_member(subject, ("B\u00dcRO",))
    assert is_member(subject, ("STRAßE",))
    assert not is_member(subject, ("\u0412\u00fcro", "Buro"))


@pytest.mark.parametrize(
    ("made", "meant"),
    [
        ("\u017ftaff", "staff"),
        ("\u017ftaff", "Staff"),
        ("stra\u00dfe", "strasse"),
        ("\ufb01nance", "finance"),
        ("\u212aey users", "key users"),
        ("\u212aey users", "Key Users"),
        ("\uff53taff", "staff"),
        ("sta\u200bff", "staff"),
    ],
)
def test_a_group_that_only_python_takes_for_another_is_not_that_one(made: str, meant: str) -> None:
    """Who may make groups is not a member of all: neither in a condition, nor by what a name is mapped to."""
    forger = person(groups=(Group(f"{DOMAIN_SID}-9999", made),))
    assert is_member(forger, (made,))
    assert not is_member(forger, (meant,))
    assert not is_member(forger, (f"corp.example.com\\{meant}",))
    roles = ClaimRule(claim="role", groups="name", map={meant: "admin"}, only_mapped=True)
    assert "role" not in issued(ClaimsPolicy(rules=(roles,)), forger, "saml").values


def test_a_group_without_a_name_is_not_named_by_an_empty_text() -> None:
    """A directory that sends no name opens nothing."""
    nameless = person(groups=(Group(f"{DOMAIN_SID}-7", ""), Group("", ""), Group("S-1-5-32-1", "")))
    assert not is_member(nameless, ("", "corp.example.com\\", "BUILTIN\\", "\\"))


def test_a_backslash_in_a_name_needs_its_domain_before_it() -> None:
    """In an LDAP directory a group may be called `x\\y`: by that alone a condition means y in the domain x."""
    subject = person(sid="", groups=(Group(UUID, "x\\y"),))
    assert is_member(subject, ("corp.example.com\\x\\y",))
    assert not is_member(subject, ("x\\y", "y", "corp.example.com\\y"))


def test_values_within_their_bounds_have_no_reason() -> None:
    """For having been left out."""
    assert bound_values(ClaimsPolicy(), [ClaimRule(claim="c", groups="name")], ["a"]) == (["a"], "")


def test_a_line_end_in_a_name_makes_no_second_group() -> None:
    """An LDAP directory takes any character in a name."""
    forger = person(groups=(Group("6f0c1fb2-0000-4000-8000-000000000001", "x\nDomain Admins"),), sid="")
    assert not is_member(forger, ("Domain Admins",))
    assert is_member(forger, ("6F0C1FB2-0000-4000-8000-000000000001",))


def test_a_group_of_another_domain_is_known_by_its_sid_alone() -> None:
    """General: two groups of one name are two groups."""
    foreign = Group("S-1-5-21-9-9-9-1105", "Engineering")
    stranger = person(groups=(foreign,))
    assert not is_member(stranger, ("Engineering", "corp.example.com\\Engineering"))
    assert is_member(stranger, (foreign.sid,))


@pytest.mark.parametrize(
    ("form", "labels"),
    [
        ("name", ("Engineering", "Users", FOREIGN.sid)),
        ("sid", (ENGINEERS.sid, USERS.sid, FOREIGN.sid)),
        ("qualified", ("corp.example.com\\Engineering", "BUILTIN\\Users", FOREIGN.sid)),
    ],
)
def test_a_claim_calls_groups_in_three_ways(form: GroupNames, labels: tuple[str, ...]) -> None:
    """One of another domain has no name that is known here, nor a domain."""
    assert issued(ClaimsPolicy(rules=(ClaimRule(claim="g", groups=form),)), MEMBER).values["g"] == labels


def test_the_home_of_an_unnamed_domain_is_not_guessed() -> None:
    """Qualified names of groups whose domain is another one are SIDs, even where a name came with them."""
    subject = person(groups=(Group("S-1-5-21-9-9-9-1105", "Engineering"),))
    found = issued(ClaimsPolicy(rules=(ClaimRule(claim="g", groups="qualified"),)), subject)
    assert found.values["g"] == ("S-1-5-21-9-9-9-1105",)


def test_groups_of_an_ldap_directory_are_all_its_own() -> None:
    """There are no SIDs to tell domains apart."""
    subject = person(sid="", groups=(Group("6f0c1fb2-0000-4000-8000-000000000001", "staff"), Group("cn=x,dc=y", "x")))
    policy = ClaimsPolicy(rules=(ClaimRule(claim="g", groups="qualified"),))
    assert issued(policy, subject).values["g"] == ("corp.example.com\\staff", "corp.example.com\\x")
    assert is_member(subject, ("Staff",))
    assert is_member(subject, ("6f0c1fb2-0000-4000-8000-000000000001",))
    assert is_member(subject, ("x",))


@pytest.mark.parametrize(
    ("rule", "labels"),
    [
        ({"groups": "name", "match": "^Eng"}, ("Engineering",)),
        ({"groups": "sid", "match": "^Eng"}, (ENGINEERS.sid,)),
        ({"groups": "sid", "match": "^(Eng).*", "replace": r"\1"}, ("Eng",)),
        ({"groups": "qualified", "match": r"^corp\.example\.com\\(.*)$", "replace": r"\1"}, ("Engineering",)),
        ({"groups": "name", "map": {"engineering": "dev"}, "only_mapped": True}, ("dev",)),
        ({"groups": "name", "match": "^Eng", "single": True}, "Engineering"),
    ],
)
def test_groups_are_filtered_by_name_and_mapped(rule: dict[str, Any], labels: Any) -> None:
    """Whatever form they are issued in."""
    assert issued(ClaimsPolicy(rules=(ClaimRule(claim="g", **rule),)), MEMBER).values["g"] == labels


def test_roles_of_aws_are_made_of_group_names() -> None:
    """The pair that AWS wants, with the account's number out of the name."""
    rule = ClaimRule(
        claim="https://aws.amazon.com/SAML/Attributes/Role",
        groups="name",
        match=r"^AWS-(\d{12})-(\w+)$",
        replace=r"arn:aws:iam::\1:role/\2,arn:aws:iam::\1:saml-provider/Isthmus",
    )
    subject = person(groups=(Group(f"{DOMAIN_SID}-1", "AWS-123456789012-Admin"), ENGINEERS))
    assert issued(ClaimsPolicy(rules=(rule,)), subject, "saml").values[rule.claim] == (
        "arn:aws:iam::123456789012:role/Admin,arn:aws:iam::123456789012:saml-provider/Isthmus",
    )


GROUPS = frozenset({"groups"})


def test_two_hundred_groups_are_issued_and_one_more_is_not() -> None:
    """By default there is no claim then, and it is said in the token."""
    assert len(issued(ClaimsPolicy(), person(groups=crowd(200)), scopes=GROUPS).values["groups"]) == 200  # type: ignore[arg-type]
    found = issued(ClaimsPolicy(), person(groups=crowd(201)), scopes=GROUPS)
    assert found.values == {"groups_cut": 201}
    assert next(step for step in found.steps if step.outcome == "cut").why == "201 values, 200 at most"


def test_a_cut_keeps_the_first_by_name_and_says_how_many_are_left_out() -> None:
    """The same ones each time, whatever the order of the directory."""
    policy = ClaimsPolicy(groups_over="cut", groups_most=2)
    for groups in (crowd(1000), crowd(1000)[::-1]):
        found = issued(policy, person(groups=groups), scopes=GROUPS)
        assert found.values == {"groups": ("g00001xxxxxx", "g00002xxxxxx"), "groups_cut": 998}


def test_a_sign_in_is_refused_where_the_trust_says_so() -> None:
    """Then nothing is told at all."""
    found = issued(ClaimsPolicy(groups_over="refuse"), person(groups=crowd(201)))
    assert (found.refused, found.subject, found.values) == ("groups: 201 values, 200 at most", "", {})
    assert ClaimStep(claim="groups", outcome="refused", rule="bounds", why="201 values, 200 at most") in found.steps
    assert issued(ClaimsPolicy(groups_over="refuse"), person(groups=crowd(200))).refused == ""


@pytest.mark.parametrize(("length", "kept"), [(40, 200), (41, 199), (1024, 8)])
def test_names_have_8_kilobytes_together(length: int, kept: int) -> None:
    """What a header or an address can carry, to the byte."""
    policy = ClaimsPolicy(groups_over="cut", groups_bytes=199 * 41 if length == 41 else 8192)
    values = issued(policy, person(groups=crowd(200, length)), scopes=GROUPS).values
    assert len(values["groups"]) == kept  # type: ignore[arg-type]
    assert values.get("groups_cut", 0) == 200 - kept


def test_bytes_count_not_characters() -> None:
    """This emoji has eleven of them in four characters."""
    groups = tuple(
        Group(f"{DOMAIN_SID}-{number}", f"{number}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{MICROSCOPE}")
        for number in range(1000, 1010)
    )
    found = issued(ClaimsPolicy(groups_bytes=100, groups_over="cut"), person(groups=groups), scopes=GROUPS).values
    assert found["groups"] == tuple(group.name for group in groups[:6])
    assert found["groups_cut"] == 4


def test_bytes_bound_groups_alone_and_to_the_last_one() -> None:
    """200 names of 40 bytes are 8,000; an attribute has any size."""
    policy = ClaimsPolicy(groups_bytes=8000, rules=(ClaimRule(claim="t", source="attribute:text"),))
    found = issued(policy, person(groups=crowd(200, 40), attributes={"text": ("x" * 9000,)}))
    assert "groups_cut" not in found.values
    assert found.values["t"] == ("x" * 9000,)
    found = issued(policy, person(groups=(*crowd(199, 40), Group(f"{DOMAIN_SID}-1", "y" * 41))))
    assert found.values["groups_cut"] == 200
    step = next(step for step in found.steps if step.outcome == "cut")
    assert (step.claim, step.rule, step.values) == ("groups", "bounds", ())
    assert step.why == "200 values of more than 8000 bytes"


def test_a_constant_beside_them_does_not_unbind_groups() -> None:
    """The bounds are of the claim."""
    rules = (ClaimRule(claim="g", value="everybody"), ClaimRule(claim="g", groups="name"))
    assert issued(ClaimsPolicy(rules=rules, standard=False), person(groups=crowd(200))).values == {"g_cut": 201}
    rules = (ClaimRule(claim="g", value="a"), ClaimRule(claim="g", value="b"))
    assert issued(ClaimsPolicy(rules=rules, standard=False, groups_most=1)).values == {"g": ("a", "b")}


def test_a_rule_has_a_bound_of_its_own() -> None:
    """For groups in place of the policy's, for other values where it is set."""
    rules = (
        ClaimRule(claim="g", groups="name", most=250),
        ClaimRule(claim="p", source="attribute:proxyAddresses", most=1),
    )
    policy = ClaimsPolicy(standard=False, rules=rules, groups_over="cut")
    found = issued(policy, person(groups=crowd(249))).values
    assert len(found["g"]) == 249  # type: ignore[arg-type]
    assert (found["p"], found["p_cut"]) == (("SMTP:anna.berg@example.com",), 1)


def test_a_filter_is_applied_before_the_bounds() -> None:
    """A thousand groups of which the application wants three are no problem."""
    policy = ClaimsPolicy(rules=(ClaimRule(claim="groups", groups="name", match="^g0000[1-3]"),))
    assert len(issued(policy, person(groups=crowd(1000))).values["groups"]) == 3  # type: ignore[arg-type]


@given(st.integers(0, 12), st.integers(1, 12), st.integers(1, 60), st.sampled_from(["cut", "leave_out", "refuse"]))
def test_never_fewer_in_silence(count: int, most: int, size: int, over: Any) -> None:
    """All of them, or the number of those that are left out, or a refusal."""
    policy = ClaimsPolicy(groups_most=most, groups_bytes=size, groups_over=over)
    found = issued(policy, person(groups=crowd(count, 6)), scopes=GROUPS)
    kept, cut = found.values.get("groups", ()), found.values.get("groups_cut", 0)
    assert isinstance(kept, tuple)
    assert isinstance(cut, int)
    assert found.refused or len(kept) + cut == count
    assert len(kept) <= most
    assert len("".join(kept)) <= size
    assert not cut or over != "refuse"
