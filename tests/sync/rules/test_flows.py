"""Who gives a value: precedence, merge types, apply once, and the results that are no values."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given as given_
from hypothesis import settings
from hypothesis import strategies as st

from sync.model import ConfirmedAccount, ObjectKind
from sync.rules import FlowVerdict, ObjectHeld
from sync.rules.flows import CompiledFlow, Contribution, merge_attribute
from sync.rules.trial import TrialDirectory
from tests.sync.rules.support import (
    NOW,
    account_of,
    copying,
    evaluator,
    given,
    inbound,
    named,
    outbound,
    person_of,
    rules_of,
    user,
)


def flow(expression: str, to: str = "title", more: str = "") -> str:
    return f"{{ to = \"{to}\", expression = '{expression}'{more} }},"


def two(first: str, second: str, *, more: str = "") -> str:
    """Rules of precedence 1 and 2 for one attribute."""
    return (
        inbound(flow(first, more=more), rule="first", precedence=1)
        + inbound(flow(second, more=more), rule="second", precedence=2, link="join")
        + copying("title")
    )


@pytest.mark.parametrize(
    ("first", "second", "value", "winner"),
    [
        ('"a"', '"b"', "a", "first"),
        ("NULL", '"b"', "b", "second"),
        ("[sn]", '"b"', "b", "second"),
        ('""', '"b"', "b", "second"),
        ("AuthoritativeNull", '"b"', None, ""),
        ("IgnoreThisFlow", '"b"', "b", "second"),
        ("NULL", "NULL", None, ""),
    ],
)
def test_precedence(first: str, second: str, value: str | None, winner: str) -> None:
    """The lower number wins; NULL and empty text leave it to the next, AuthoritativeNull to nobody."""
    person = person_of(two(first, second), user()).person
    assert person.values.get("title") == value
    assert [one.rule for one in person.lineage.get("title", ())] == ([winner] if winner else [])


def test_precedence_does_not_depend_on_the_order_in_the_file() -> None:
    """Nor on that of the objects."""
    text = inbound(flow('"b"'), rule="second", precedence=2) + inbound(flow('"a"'), rule="first", precedence=1)
    assert person_of(text + copying("title"), user()).person.values["title"] == "a"


def test_between_objects_the_precedence_of_the_rule_decides() -> None:
    """And of one rule for two objects, the source that comes first."""
    text = (
        inbound('{ to = "title", direct = "title" },', rule="hr", precedence=1, more='sources = ["hr"]')
        + inbound('{ to = "title", direct = "title" },', rule="ad", precedence=2, more='sources = ["corp"]')
        + copying("title")
    )
    objects = [user("a", "corp", title="from corp"), user("b", "hr", title="from hr")]
    for order in (objects, objects[::-1]):
        assert person_of(text, *order).person.values["title"] == "from hr"
    shared = inbound('{ to = "title", direct = "title" },') + copying("title")
    for order in (objects, objects[::-1]):
        assert person_of(shared, *order, sources=["corp", "hr"]).person.values["title"] == "from corp"
        assert person_of(shared, *order, sources=["hr", "corp"]).person.values["title"] == "from hr"


def test_person_keeps_what_the_other_source_gives() -> None:
    """When one of two objects leaves."""
    text = inbound('{ to = "title", direct = "title" },') + copying("title")
    both = person_of(text, user("a", "corp", title="x"), user("b", "hr", title="y")).person
    left = person_of(text, user("b", "hr", title="y"), previous=both).person
    assert left.values["title"] == "y"
    assert left.lineage["title"][0].source == "hr"


def test_constants_of_every_kind() -> None:
    """Also several values, and 0 and False, which are values."""
    flows = '{ to = "a", constant = 0 }, { to = "b", constant = false }, { to = "c", constant = ["x", "y"] },'
    values = person_of(inbound(flows) + copying("a", "b", "c"), user()).person.values
    assert (values["a"], values["b"], values["c"]) == (0, False, ("x", "y"))
    assert values["b"] is False


def test_several_values_without_empty_ones_and_twins() -> None:
    """What is left of none is no value."""
    text = inbound('{ to = "proxyAddresses", direct = "proxyAddresses" },') + copying("proxyAddresses")
    values = person_of(text, user(proxyAddresses=("a", "", "b", "a"))).person.values
    assert values["proxyAddresses"] == ("a", "b")
    assert "proxyAddresses" not in person_of(text, user(proxyAddresses=("", ""))).person.values


def test_one_value_of_an_attribute_of_several_is_a_tuple() -> None:
    """Sources deliver it by itself, expressions expect what the schema says."""
    text = inbound(flow("Count([proxyAddresses])", to="n") + flow("[proxyAddresses]", to="all")) + copying("n", "all")
    values = person_of(text, user(proxyAddresses="x")).person.values
    assert (values["n"], values["all"]) == (1, ("x",))


def test_several_values_of_an_attribute_of_one_hold_the_object() -> None:
    """Which of them is meant is not guessed; where rules declare it, they choose."""
    text = inbound('{ to = "title", direct = "title" },') + copying("title")
    with pytest.raises(ObjectHeld, match=r"title has several values.* Declare it under \[attributes\]"):
        person_of(text, user(title=("a", "b")))
    assert "title" not in person_of(text, user(pager=("a", "b"))).person.values
    declared = '[attributes]\ntitle = "text[]"\n' + inbound(flow("Item([title], 1)")) + copying("title")
    assert person_of(declared, user(title=("a", "b"))).person.values["title"] == "a"


# -- merge types


def merging(kind: str) -> str:
    return two("[proxyAddresses]", 'Split("B,c", ",")', more=f', merge = "{kind}"')


def test_merge() -> None:
    """Values of all rules, the winner's first."""
    person = person_of(merging("merge"), user(proxyAddresses=("a", "b"))).person
    assert person.values["title"] == ("a", "b", "B", "c")
    assert [one.rule for one in person.lineage["title"]] == ["first", "second"]


def test_merge_without_case() -> None:
    """The winner's spelling stays."""
    person = person_of(merging("merge_case_insensitive"), user(proxyAddresses=("a", "b"))).person
    assert person.values["title"] == ("a", "b", "c")


def test_update_takes_all_values_of_the_winner() -> None:
    """And none of the others."""
    person = person_of(merging("update"), user(proxyAddresses=("a", "b"))).person
    assert person.values["title"] == ("a", "b")


def test_merge_ends_at_authoritative_null() -> None:
    """Nobody of lower precedence may give anything."""
    person = person_of(two("AuthoritativeNull", 'Split("x", ",")', more=', merge = "merge"'), user()).person
    assert "title" not in person.values


@settings(max_examples=100)
@given_(st.lists(st.lists(st.sampled_from(["a", "A", "b", "c"]), max_size=3), max_size=4), st.booleans())
def test_merged_values_are_the_union(groups: list[list[str]], folds: bool) -> None:
    """Every value of every contribution once, in the order of precedence."""
    rows = [
        Contribution(_compiled(index, folds=folds), tuple(values) or None, "corp", b"k")
        for index, values in enumerate(groups)
    ]
    merged = merge_attribute(rows, there=False, has_links=lambda link: True)
    seen: dict[str, str] = {}
    for value in (value for values in groups for value in values):
        seen.setdefault(value.casefold() if folds else value, value)
    assert merged.value == (tuple(seen.values()) or None)


def _compiled(index: int, *, folds: bool) -> CompiledFlow:
    return CompiledFlow(
        rule=f"r{index}", precedence=index, to="a", merges=True, folds=folds, once=False, run=lambda bindings: None
    )


# -- apply once, and IgnoreThisFlow


def test_apply_once() -> None:
    """The first value stays, whatever the source says later; a person without one still gets it."""
    text = inbound('{ to = "title", direct = "title", once = true },') + copying("title")
    first = person_of(text, user(title="a")).person
    second = person_of(text, user(title="b"), previous=first, now=NOW + 1).person
    assert second.values["title"] == "a"
    assert second.lineage["title"] == first.lineage["title"]
    empty = person_of(text, user()).person
    assert person_of(text, user(title="b"), previous=empty).person.values["title"] == "b"


def test_apply_once_at_a_target() -> None:
    """Once it was sent, the target's own value stays."""
    text = inbound('{ to = "title", direct = "title" },') + outbound('{ to = "title", direct = "title", once = true },')
    merged = person_of(text, user(title="a"))
    assert account_of(text, merged).values["title"] == "a"
    account = ConfirmedAccount(1, "cloud", ObjectKind.USER, str(merged.person.values["sourceAnchor"]), "7")
    assert account_of(text, merged, account=account).values["title"] == "a"
    sent = msgspec.structs.replace(account, sent={"title": "z"})
    desired = account_of(text, merged, account=sent)
    assert "title" not in desired.values
    assert desired.keep == {"title"}


def test_ignored_flow_keeps_what_is_there() -> None:
    """Unless another rule gives a value; without anything there, there is nothing."""
    text = inbound(flow('IIF([sn] = "x", "new", IgnoreThisFlow)')) + copying("title")
    first = person_of(text, user(sn="x")).person
    assert person_of(text, user(sn="y"), previous=first, now=NOW + 1).person.values["title"] == "new"
    assert "title" not in person_of(text, user(sn="y")).person.values
    assert person_of(two("IgnoreThisFlow", '"b"'), user(), previous=first).person.values["title"] == "b"


def test_null_clears_what_was_there() -> None:
    """Other than IgnoreThisFlow."""
    text = inbound(flow('IIF([sn] = "x", "new", NULL)')) + copying("title")
    first = person_of(text, user(sn="x")).person
    assert "title" not in person_of(text, user(sn="y"), previous=first).person.values


def test_ignored_flow_at_a_target() -> None:
    """The attribute is left alone."""
    text = inbound('{ to = "title", direct = "title" },') + outbound(flow("IIF(True, IgnoreThisFlow, [title])"))
    desired = account_of(text, person_of(text, user(title="x")))
    assert desired.keep == {"title"}
    assert "title" not in desired.values


def test_imported_value_is_what_the_target_confirmed() -> None:
    """And of an inbound rule, what the source has."""
    text = inbound(flow('ImportedValue("sn") & "!"') + '{ to = "sn", direct = "sn" },') + outbound(
        flow('IIF(IsPresent(ImportedValue("title")), ImportedValue("title"), [title])') + '{ to = "sn", direct = "sn" },'
    )
    merged = person_of(text, user(sn="x"))
    assert merged.person.values["title"] == "x!"
    assert account_of(text, merged).values["title"] == "x!"
    anchor = str(merged.person.values["sourceAnchor"])
    account = ConfirmedAccount(
        1, "cloud", ObjectKind.USER, anchor, "7", values={"title": "confirmed"}, sent={"title": "sent"}
    )
    assert account_of(text, merged, account=account).values["title"] == "confirmed"


# -- what is not computed, and errors


def test_flow_that_reaches_no_account_is_not_computed() -> None:
    """Its error would hold the object for nothing."""
    text = inbound(flow('Error("never")') + '{ to = "sn", direct = "sn" },')
    rules = rules_of(text + copying("sn"))
    assert rules.unused == (("in", "title"),)
    assert "title" not in person_of(rules, user(sn="x")).person.values
    with pytest.raises(ObjectHeld, match="ExpressionError: rule in: the rule stops this object by Error"):
        person_of(text + copying("sn", "title"), user(sn="x"))


def test_flow_to_an_attribute_that_no_target_has_is_not_computed() -> None:
    """Where it is known what targets have."""
    from sync.rules.schema import TYPES

    text = inbound(flow('Error("never")') + '{ to = "sn", direct = "sn" },') + copying("sn", "title")
    rules = rules_of(text, cloud={"sn": TYPES["text"]})
    assert rules.unused == (("in", "title"),)
    merged = person_of(rules, user(sn="x"))
    assert account_of(rules, merged).values == {"sn": "x"}


def test_flow_that_cannot_win_is_not_computed() -> None:
    """Unless everything is asked for, to explain it."""
    text = two('"a"', 'Error("never")')
    assert person_of(text, user()).person.values["title"] == "a"
    with pytest.raises(ObjectHeld):
        person_of(text, user(), explain=True)


def test_error_names_the_rule_and_the_place_but_no_value() -> None:
    """The value is beside it, for those who may see it."""
    with pytest.raises(ObjectHeld) as held:
        person_of(inbound(flow("CNum([sn])")) + copying("title"), user(sn="secret"))
    assert str(held.value).startswith("ExpressionError: rule in: at rules.toml:8:31: CNum: ")
    assert "secret" not in str(held.value)
    assert held.value.value == "secret"


# -- lineage, explanation


def test_lineage_says_since_when() -> None:
    """It is as before while value and origin are."""
    text = inbound('{ to = "title", direct = "title" },') + copying("title")
    first = person_of(text, user(title="a")).person
    same = person_of(text, user(title="a"), previous=first, now=NOW + 5).person
    assert same.lineage == first.lineage
    changed = person_of(text, user(title="b"), previous=first, now=NOW + 5).person
    assert changed.lineage["title"][0].since == NOW + 5
    moved = person_of(text, user("b", title="a"), previous=first, now=NOW + 5).person
    assert moved.lineage["title"][0].since == NOW + 5


def test_lineage_of_merged_values() -> None:
    """The same, of several contributors."""
    first = person_of(merging("merge"), user(proxyAddresses=("a", "b"))).person
    same = person_of(merging("merge"), user(proxyAddresses=("a", "b")), previous=first, now=NOW + 5).person
    assert same.lineage == first.lineage
    changed = person_of(merging("merge"), user(proxyAddresses=("a",)), previous=first, now=NOW + 5).person
    assert {one.since for one in changed.lineage["title"]} == {NOW + 5}


@pytest.mark.parametrize(
    ("first", "second", "verdicts"),
    [
        ('"a"', '"b"', [FlowVerdict.WON, FlowVerdict.OUTRANKED]),
        ("NULL", '"b"', [FlowVerdict.NO_VALUE, FlowVerdict.WON]),
        ("IgnoreThisFlow", '"b"', [FlowVerdict.IGNORED, FlowVerdict.WON]),
        ("AuthoritativeNull", '"b"', [FlowVerdict.WON, FlowVerdict.OUTRANKED]),
    ],
)
def test_explanation_has_every_contributor(first: str, second: str, verdicts: list[FlowVerdict]) -> None:
    """In the order of precedence, with what the rule says and what became of it."""
    merged = person_of(two(first, second), user(), explain=True)
    rows = merged.contributors["title"]
    assert [row.verdict for row in rows] == verdicts
    assert [(row.rule, row.origin, row.source) for row in rows] == [("first", first, "corp"), ("second", second, "corp")]


def test_explanation_of_merged_and_kept_values() -> None:
    """Both contributors of a merge; the one that would have won, of what is applied once."""
    merged = person_of(merging("merge"), user(proxyAddresses=("a", "b")), explain=True)
    assert [row.verdict for row in merged.contributors["title"]] == [FlowVerdict.MERGED, FlowVerdict.MERGED]
    text = inbound('{ to = "title", direct = "title", once = true },') + copying("title")
    first = person_of(text, user(title="a")).person
    kept = person_of(text, user(title="b"), previous=first, explain=True)
    assert [row.verdict for row in kept.contributors["title"]] == [FlowVerdict.KEPT]


@settings(max_examples=60)
@given_(
    st.lists(
        st.tuples(
            st.sampled_from(['"a"', '"b"', "NULL", '""', "AuthoritativeNull", "IgnoreThisFlow", "[sn]"]), st.booleans()
        ),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from([None, "x"]),
)
def test_explaining_changes_nothing(flows: list[tuple[str, bool]], sn: str | None) -> None:
    """What is computed with all contributors is what is computed without."""
    text = "".join(
        inbound(flow(expression), rule=f"r{index}", precedence=index, link="provision" if keeps else "join")
        for index, (expression, keeps) in enumerate(flows)
    )
    values: dict[str, Any] = {"sn": sn} if sn else {}
    rules = rules_of(text + copying("title"))
    plain, told = (person_of(rules, user(**values), explain=explain) for explain in (False, True))
    assert plain.person == told.person


def test_explanation_of_an_account() -> None:
    """Every contributor to each of its values, with what the target has."""
    text = (
        inbound('{ to = "title", direct = "title" }, { to = "sn", direct = "sn" },')
        + outbound(flow('IIF([sn] = "x", NULL, [sn])'), rule="o1", precedence=1)
        + outbound('{ to = "title", direct = "title", once = true },', rule="o2", precedence=2)
        + outbound('{ to = "sn", direct = "sn" },', rule="o3", precedence=3, scope="[[{ expression = 'False' }]]")
    )
    engine, merged = evaluator(rules_of(text)), person_of(text, user(title="t", sn="x"))
    told = engine.explain_account(merged, "cloud", None, now=NOW)
    assert [(row.rule, row.value, row.verdict) for row in told["title"]] == [
        ("o1", None, FlowVerdict.NO_VALUE),
        ("o2", "t", FlowVerdict.WON),
    ]
    assert list(told) == ["title"]
    account = ConfirmedAccount(1, "cloud", ObjectKind.USER, "", "7", sent={"title": "z"})
    assert engine.explain_account(merged, "cloud", account, now=NOW)["title"][1].verdict is FlowVerdict.KEPT


# -- links


def test_links_flow_by_the_object_that_names_somebody() -> None:
    """An object without a manager leaves the attribute to the next one; without any, the first has it."""
    text = inbound('{ to = "manager", links = "manager" },') + outbound('{ to = "boss", links = "manager" },')
    rules = rules_of(text)
    objects = [user("a", "corp"), user("b", "hr")]
    linked = TrialDirectory(linked={("hr", objects[1].key): frozenset({"manager"})})
    merged = person_of(rules, *objects, directory=linked)
    desired = account_of(rules, merged)
    assert named(desired.links) == [("boss", "hr")]
    assert desired.links[0].rule == "out"
    assert named(account_of(rules, person_of(rules, *objects)).links) == [("boss", "corp")]


def test_links_that_merge() -> None:
    """Of all objects; nested stays."""
    flows = '{ to = "member", links = "member", merge = "merge", nested = true },'
    text = inbound(flows) + outbound('{ to = "member", links = "member", merge = "merge" },')
    merged = person_of(text, user("a", "corp"), user("b", "hr"))
    links = account_of(text, merged).links
    assert named(links) == [("member", "corp"), ("member", "hr")]
    assert all(link.nested for link in links)


def test_links_of_a_lower_rule_do_not_flow() -> None:
    """The first rule that has any wins, also at the target."""
    text = (
        inbound('{ to = "manager", links = "manager" }, { to = "secretary", links = "secretary" },')
        + outbound('{ to = "boss", links = "secretary" },', rule="o1", precedence=1)
        + outbound('{ to = "boss", links = "manager" },', rule="o2", precedence=2)
    )
    links = account_of(text, person_of(text, user())).links
    assert [(link.links, link.rule) for link in links] == [("secretary", "o1")]


# -- parameters


def test_parameters_are_those_of_the_domain_of_the_object() -> None:
    """Of the deepest domain that it is in; else, those of the source."""
    from sync.rules import Evaluator, SourceDescription

    rules = rules_of(inbound(flow("%Domain.FQDN%")) + copying("title"))
    source = SourceDescription(
        name="corp",
        parameters={"Domain.FQDN": "example.com"},
        domains={"DC=example,DC=com": {}, "DC=sales,DC=example,DC=com": {"Domain.FQDN": "sales.example.com"}},
    )
    engine = Evaluator(rules, [source], TrialDirectory())

    def title(dn: str) -> Any:
        return engine.person(1, [given(engine, user(dn=dn))], previous=None, now=NOW).person.values["title"]

    assert title("CN=x,OU=y,DC=Sales,DC=example,DC=com") == "sales.example.com"
    assert title("CN=x,DC=example,DC=com") == "example.com"
    assert title("CN=x,DC=other") == "example.com"
    with pytest.raises(ObjectHeld, match=r"the parameter %Domain\.FQDN% is not set"):
        given(evaluator(rules), user("anna", "unknown"))
