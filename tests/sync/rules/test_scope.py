"""Which objects a rule is for."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given as given_
from hypothesis import strategies as st

from sync.rules import ObjectHeld, OutOfScope, RulesRefused
from sync.rules.scope import compile_scope
from sync.rules.trial import TrialDirectory, key_of_name
from tests.sync.rules.support import NOW, copying, evaluator, in_scope, inbound, rules_of, user

COPY = copying("sn")
SN = '{ to = "sn", direct = "sn" },'


def holds(condition: str, **values: Any) -> bool:
    """Of a rule with one condition."""
    rules = rules_of(inbound(SN, scope=f"[[{{ {condition} }}]]") + COPY)
    return in_scope(evaluator(rules), user(**values))


def compared(operator: str, value: str, attribute: str = "department") -> str:
    return f'attribute = "{attribute}", operator = "{operator}", value = {value}'


TABLE: list[tuple[str, str, dict[str, Any], bool]] = [
    ("EQUAL", '"IT"', {"department": "it"}, True),
    ("EQUAL", '"IT"', {"department": "IT2"}, False),
    ("EQUAL", '"IT"', {}, False),
    ("NOTEQUAL", '"IT"', {"department": "it"}, False),
    ("NOTEQUAL", '"IT"', {}, True),
    ("LESSTHAN", '"m"', {"department": "B"}, True),
    ("LESSTHAN", '"m"', {"department": "M"}, False),
    ("LESSTHAN_OR_EQUAL", '"m"', {"department": "M"}, True),
    ("LESSTHAN_OR_EQUAL", '"m"', {"department": "n"}, False),
    ("GREATERTHAN", '"m"', {"department": "N"}, True),
    ("GREATERTHAN", '"m"', {"department": "m"}, False),
    ("GREATERTHAN_OR_EQUAL", '"m"', {"department": "M"}, True),
    ("GREATERTHAN_OR_EQUAL", '"m"', {}, False),
    ("CONTAINS", '"ale"', {"department": "SALES"}, True),
    ("CONTAINS", '"ale"', {"department": "IT"}, False),
    ("NOTCONTAINS", '"ale"', {"department": "Sales"}, False),
    ("NOTCONTAINS", '"ale"', {}, True),
    ("STARTSWITH", '"sa"', {"department": "Sales"}, True),
    ("STARTSWITH", '"les"', {"department": "Sales"}, False),
    ("NOTSTARTSWITH", '"sa"', {"department": "Sales"}, False),
    ("NOTSTARTSWITH", '"sa"', {}, True),
    ("ENDSWITH", '"LES"', {"department": "Sales"}, True),
    ("ENDSWITH", '"sa"', {"department": "Sales"}, False),
    ("NOTENDSWITH", '"les"', {"department": "Sales"}, False),
    ("NOTENDSWITH", '"les"', {}, True),
    ("ISIN", '"IT"', {"department": "it"}, True),
    ("ISNOTIN", '"IT"', {"department": "it"}, False),
    ("ISNOTIN", '"IT"', {}, True),
]


@pytest.mark.parametrize(("operator", "value", "values", "expected"), TABLE)
def test_operators_on_texts(operator: str, value: str, values: dict[str, Any], expected: bool) -> None:
    """Without case, as the directory compares; with NOT, true where the other one is not, also of what is absent."""
    assert holds(compared(operator, value), **values) is expected


@pytest.mark.parametrize("operator", ["ISNULL", "ISNOTNULL"])
def test_presence(operator: str) -> None:
    """An empty text is no value."""
    absent = operator == "ISNULL"
    condition = f'attribute = "department", operator = "{operator}"'
    assert holds(condition) is absent
    assert holds(condition, department="") is absent
    assert holds(condition, department="x") is not absent


def test_bits() -> None:
    """All bits are set, or not all; what is absent has none."""
    for operator in ("ISNOTBITSET", "ISBITNOTSET"):
        assert holds(compared(operator, "2", "userAccountControl"), userAccountControl=512)
        assert not holds(compared(operator, "2", "userAccountControl"), userAccountControl=514)
        assert holds(compared(operator, "2", "userAccountControl"))
    assert holds(compared("ISBITSET", '"0x202"', "userAccountControl"), userAccountControl=514)
    assert not holds(compared("ISBITSET", "0x202", "userAccountControl"), userAccountControl=512)
    assert not holds(compared("ISBITSET", "2", "userAccountControl"))


def test_numbers_are_compared_as_numbers() -> None:
    """`memberCount LESSTHAN 50000` lets groups of nine members in, which a comparison of texts would not."""
    assert holds(compared("LESSTHAN", "50000", "uidNumber"), uidNumber=9)
    assert not holds(compared("LESSTHAN", '"50000"', "uidNumber"), uidNumber=60000)
    assert holds(compared("CONTAINS", '"00"', "uidNumber"), uidNumber=60000)


def test_booleans_in_any_case() -> None:
    """Connect's rules write TRUE and True."""
    for word in ('"TRUE"', '"True"', "true"):
        assert not holds(compared("NOTEQUAL", word, "isCriticalSystemObject"), isCriticalSystemObject=True)
        assert holds(compared("NOTEQUAL", word, "isCriticalSystemObject"), isCriticalSystemObject=False)
        assert holds(compared("NOTEQUAL", word, "isCriticalSystemObject"))


def test_one_of_several_values_is_enough() -> None:
    """And with NOT, none of them may fit."""
    values = {"proxyAddresses": ("SMTP:a@example.com", "x500:b")}
    assert holds(compared("ISIN", '"X500:b"', "proxyAddresses"), **values)
    assert holds(compared("STARTSWITH", '"x500"', "proxyAddresses"), **values)
    assert not holds(compared("NOTSTARTSWITH", '"x500"', "proxyAddresses"), **values)
    assert holds(compared("ISIN", '"x500:b"', "proxyAddresses"), proxyAddresses="x500:b")


def test_expressions() -> None:
    """True or not; NULL is not."""
    assert holds("expression = 'Left([sn], 1) = \"x\"'", sn="xy")
    assert not holds("expression = 'Left([sn], 1) = \"x\"'", sn="yx")
    assert not holds("expression = 'BitAnd([userAccountControl], 2)'")
    assert holds("expression = 'BitAnd([userAccountControl], 2)'", userAccountControl=2)


def test_failing_expression_holds_the_object() -> None:
    """It is neither in scope nor out of it: out of scope would delete accounts."""
    with pytest.raises(ObjectHeld, match=r"rule in: at rules\.toml:6:\d+: CNum: ") as held:
        holds("expression = 'CNum([sn]) = 1'", sn="secret")
    assert held.value.cause == "ExpressionError"
    assert "secret" not in str(held.value)
    assert held.value.objects == ((user().source, user().key),)


def test_membership() -> None:
    """Direct, and nested where that is asked for; by DN in any case, and by GUID."""
    found = user()
    origin = (found.source, found.key)
    direct = TrialDirectory(groups={origin: frozenset({key_of_name("cn=g,dc=example")})})
    nested = TrialDirectory(nested={origin: frozenset({key_of_name("cn=g,dc=example")})})

    def member(condition: str, directory: TrialDirectory) -> bool:
        rules = rules_of(inbound(SN, scope=f"[[{{ {condition} }}]]") + COPY)
        return in_scope(evaluator(rules, directory=directory), found)

    asked = 'operator = "ISMEMBEROF", value = "CN=g,DC=example"'
    assert member(asked, direct)
    assert not member(asked, nested)
    assert member(f"{asked}, nested = true", nested)
    assert not member(asked.replace("ISMEMBEROF", "ISNOTMEMBEROF"), direct)
    assert member(asked.replace("ISMEMBEROF", "ISNOTMEMBEROF"), nested)
    guid = "6f9619ff-8b86-d011-b42d-00c04fc964ff"
    by_guid = TrialDirectory(groups={origin: frozenset({UUID(guid).bytes_le})})
    assert not member(f'operator = "ISMEMBEROF", value = "{guid}"', direct)
    assert member(f'operator = "ISMEMBEROF", value = "{guid}"', by_guid)


def test_place_in_the_tree() -> None:
    """By the keys of the objects above, so that the DN of the object does not count."""
    asked = 'operator = "ISBELOW", value = "OU=Staff,DC=example,DC=com"'
    assert holds(asked)
    assert holds(asked, dn="CN=x,OU=deeper,ou=staff,dc=example,dc=com")
    assert not holds(asked, dn="CN=x,OU=Other,DC=example,DC=com")
    assert not holds(asked, dn="OU=Staff,DC=example,DC=com")
    assert holds(asked.replace("ISBELOW", "ISNOTBELOW"), dn="CN=x,OU=Other,DC=example,DC=com")


def test_name_that_no_source_has_stops_the_run() -> None:
    """Else everybody would be out of scope."""

    class Empty(TrialDirectory):
        def key_of(self, name: str) -> bytes | None:
            return None

    rules = rules_of(inbound(SN, scope='[[{ operator = "ISBELOW", value = "OU=Staf,DC=example" }]]') + COPY)
    assert rules.names == {"OU=Staf,DC=example": "in"}
    with pytest.raises(RulesRefused, match=r"rule in: no source has OU=Staf,DC=example\. Correct its DN, or write its GUID"):
        evaluator(rules, directory=Empty())


def test_source_that_is_not_there_stops_the_run() -> None:
    """A rule for a misspelled source would be for nobody."""
    rules = rules_of(inbound(SN, more='sources = ["crop"]') + COPY)
    with pytest.raises(RulesRefused, match="there is no source crop; there are: corp, hr"):
        evaluator(rules)


def test_rules_are_for_their_sources_and_kinds() -> None:
    """A rule names the sources that it is for; without names, it is for all."""
    rules = rules_of(inbound(SN, more='sources = ["corp"]') + COPY)
    assert in_scope(evaluator(rules), user())
    assert not in_scope(evaluator(rules), user("anna", "hr"))
    rules = rules_of(inbound(SN, kind="group") + copying("sn").replace('"user"', '"group"'))
    assert not in_scope(evaluator(rules), user())


def test_reason_names_the_first_condition_of_each_group() -> None:
    """What people are told about an object that no rule is for."""
    scope = """[
      [{ attribute = "sn", operator = "ISNOTNULL" }, { attribute = "department", operator = "EQUAL", value = "IT" }],
      [{ attribute = "c", operator = "EQUAL", value = "SE" }, { expression = 'IsPresent([sn])' }],
    ]"""
    engine = evaluator(rules_of(inbound(SN, scope=scope) + COPY))
    out = engine.contribute(user(sn="x", department="HR"), now=NOW)
    assert isinstance(out, OutOfScope)
    assert [str(failed) for failed in out.failed] == ["in: department EQUAL IT", "in: c EQUAL SE"]
    assert in_scope(engine, user(sn="x", department="it"))
    assert in_scope(engine, user(sn="x", c="se"))
    assert not in_scope(engine, user(department="it", c="se"))


def test_explanation_names_the_rules_that_are_not_in_scope() -> None:
    """Beside those that are."""
    text = inbound(SN, scope='[[{ attribute = "sn", operator = "EQUAL", value = "x" }], [{ expression = "True" }]]')
    text += inbound(rule="other", precedence=11, scope='[[{ attribute = "c", operator = "ISNOTNULL" }]]')
    found = evaluator(rules_of(text + COPY)).explain_scope(user(sn="y"), now=NOW)
    assert [str(one) for one in found] == ["other: c ISNOTNULL"]


def test_deleted_object_is_out_of_scope() -> None:
    """Whatever its attributes are."""
    import msgspec

    engine = evaluator(rules_of(inbound(SN) + COPY))
    out = engine.contribute(msgspec.structs.replace(user(sn="x"), deleted=True), now=NOW)
    assert isinstance(out, OutOfScope)
    assert out.deleted


@given_(st.lists(st.lists(st.booleans(), min_size=1, max_size=4), max_size=4))
def test_groups_are_or_of_and(groups: list[list[bool]]) -> None:
    """For any arrangement of conditions that are true or false."""
    from sync.rules.expressions import Bindings
    from sync.rules.model import ScopeCondition
    from sync.rules.scope import ScopeContext

    conditions = [
        [ScopeCondition(attribute="sn", operator="ISNOTNULL" if one else "ISNULL") for one in group] for group in groups
    ]
    scope = compile_scope(conditions, {})
    bindings, context = Bindings(attributes={"sn": "x"}, now=NOW), ScopeContext(TrialDirectory(), {})
    expected = not groups or any(all(group) for group in groups)
    assert scope.holds(bindings, None, context) is expected
    assert (len(scope.failing(bindings, None, context)) == len(groups)) is (not expected or not groups)
