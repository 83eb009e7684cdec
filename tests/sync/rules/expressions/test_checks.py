"""Types are checked against a schema before any object is read."""

from __future__ import annotations

import pytest

from sync.rules.expressions import Kind, Place, RuleSchema, ValueType, check
from tests.sync.rules.expressions.support import parsed

TEXT, NUMBER, BOOLEAN, BYTES, REFERENCE = (
    ValueType.of(kind) for kind in (Kind.TEXT, Kind.NUMBER, Kind.BOOLEAN, Kind.BYTES, Kind.REFERENCE)
)
SCHEMA = RuleSchema(
    attributes={
        "sn": TEXT,
        "groupType": NUMBER,
        "hidden": BOOLEAN,
        "objectGUID": BYTES,
        "dn": REFERENCE,
        "member": ValueType.of(Kind.REFERENCE, many=True),
        "proxyAddresses": ValueType.of(Kind.TEXT, many=True),
        "certificates": ValueType.of(Kind.BYTES, many=True),
    }
)
TEXTS = ValueType.of(Kind.TEXT, many=True)
TYPES = [
    ("Trim([sn])", TEXT),
    ("Trim([proxyAddresses])", TEXTS),
    ('Word([proxyAddresses],1,"@") & "@contoso.com"', TEXTS),
    ("Left([sn],Len([proxyAddresses]))", TEXTS),
    ("Item([proxyAddresses],1)", TEXT),
    ("Item([certificates],1)", BYTES),
    ("Mid([objectGUID],1,2) & [objectGUID]", BYTES),
    ("RemoveDuplicates([member])", ValueType.of(Kind.REFERENCE, many=True)),
    ('Split([sn],",")', TEXTS),
    ("[dn] & \",dc=x\"", TEXT),
    ("[groupType] + 1", NUMBER),
    ("BitAnd([groupType],2) = 0 && [hidden]", BOOLEAN),
    ('InStr([proxyAddresses],"x") = 1', ValueType.of(Kind.BOOLEAN, many=True)),
    ("IsPresent([proxyAddresses])", BOOLEAN),
    ("IIF([hidden],[sn],NULL)", TEXT),
    ("IIF([hidden],[sn],[objectGUID])", ValueType.of(Kind.TEXT, Kind.BYTES)),
    ('IIF(InStr([proxyAddresses],"SIP:")=1,NULL,[proxyAddresses])', TEXTS),
    ("IIF([hidden],[sn],IgnoreThisFlow)", ValueType(frozenset({Kind.TEXT}), sentinel=True)),
    ("IIF(IsString([objectGUID]),CStr([objectGUID]),ConvertToBase64([objectGUID]))", TEXT),
    ('IIF(IsString([sn]),CStr([sn]),ConvertToBase64([sn]))', TEXT),
    ('Switch([hidden],[sn],True,Error("x"))', TEXT),
    ("Switch([hidden],[groupType])", NUMBER),
    ("Select($i,[proxyAddresses],Len($i))", ValueType.of(Kind.NUMBER, many=True)),
    ("Where($i,[certificates],CertNotAfter($i)>Now())", ValueType.of(Kind.BYTES, many=True)),
    ("With($a,[proxyAddresses],Count($a))", NUMBER),
    ('ValueCount("member")', NUMBER),
    ('ImportedValue("proxyAddresses")', TEXTS),
    ("%Domain.FQDN%", TEXT),
    ("NULL", ValueType(frozenset())),
    ("AuthoritativeNull", ValueType(frozenset(), sentinel=True)),
    ("NULL & [sn]", TEXT),
    ("[sn] = NULL || NULL = 1", BOOLEAN),
    ("Item(NULL,1)", ValueType(frozenset())),
    ('InStr([sn],"a",1,vbTextCompare)', NUMBER),
    ("Guid()", TEXT),
]  # fmt: skip
PROBLEMS = [
    ("Trim([sN])", 13, "the schema has no attribute sN. Did you mean [sn]?"),
    ("Trim([nothing])", 13, "the schema has no attribute nothing"),
    ('IIF(IsNull([nothing]),NULL,IIF(IsString([objectGUID]),CStr([objectGUID]),""))', 19, "no attribute nothing"),
    ('IIF(IsString([nothing]),Trim([sn]),"")', 21, "the schema has no attribute nothing"),
    ("Trim(IIF([hidden],[nothing],[sn]))", 26, "the schema has no attribute nothing"),
    ("Trim(Switch([hidden],[nothing]))", 29, "the schema has no attribute nothing"),
    ("Join(Select($i,[nothing],Trim($i)))", 23, "the schema has no attribute nothing"),
    ("Count(Where($i,[nothing],$i = 1))", 23, "the schema has no attribute nothing"),
    ('InStrRev([nothing],"a") + [groupType]', 17, "the schema has no attribute nothing"),
    ('ImportedValue("nothing")', 22, "the schema has no attribute nothing"),
    ('ValueCount("nothing")', 19, "the schema has no attribute nothing"),
    ("%Domain.Fqdn%", 8, "the parameter %Domain.Fqdn% is not set; set are: Connector.ID, Domain.FQDN"),
    ("Trim([groupType])", 13, "text of Trim is number; expected text"),
    ("Left([sn],[sn])", 18, "count of Left is text; expected number"),
    ("Count([sn])", 14, "values of Count is text; expected any value"),
    ("Item([sn],1)", 13, "values of Item is text"),
    ("Join([member])", 13, "values of Join is several values of reference; expected several values of text"),
    ("Trim(IIF([hidden],[sn],1))", 13, "text of Trim is text or number; expected text"),
    ('[sn] & 1', 15, "& joins text and number; expected texts, or bytes"),
    ('[sn] & [objectGUID]', 15, "& joins text and bytes; expected texts, or bytes"),
    ('[sn] + 1', 15, "+ computes with text; expected numbers"),
    ('[groupType] = "1"', 22, "= compares number with text; expected values of one kind"),
    ("[hidden] < True", 19, "< compares boolean with boolean; expected numbers, dates or texts"),
    ("[dn] >= [dn]", 16, ">= compares reference with reference"),
    ("IIF([sn],1,2)", 12, "a condition is text; expected a boolean or number"),
    ("[hidden] && [sn]", 20, "a condition is text"),
    ("Switch([sn],1)", 15, "a condition is text"),
    ('Switch([proxyAddresses] = "x",1)', 15, "a condition of Switch has several values"),
    ("Where($i,[proxyAddresses],$i)", 34, "a condition is text"),
    ("Trim(IIF([hidden],[sn],IgnoreThisFlow))", 13, "here a value is expected"),
    ("[sn] = AuthoritativeNull", 15, "here a value is expected"),
    ("Select($i,[proxyAddresses],IIF($i = \"a\",IgnoreThisFlow,$i))", 35, "Select has a result of a flow among its values"),
    ('IIF([proxyAddresses] = "a",IgnoreThisFlow,NULL)', 35, "here a value is expected"),
    ("Select($i,[sn],$i)", 18, "Select goes through text; expected an attribute or expression with several values"),
    ("Where($i,[sn],True)", 17, "Where goes through text"),
    ("Error([groupType])", 14, "the text of Error is number; expected text"),
    ("Now()", 8, "the result is a date, which no attribute has"),
    ("IIF([hidden],Now(),NULL)", 8, "the result is a date"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), TYPES)
def test_type(text: str, wanted: ValueType) -> None:
    """The type of the result, without a problem."""
    assert check(parsed(text), SCHEMA) == (wanted, [])


@pytest.mark.parametrize(("text", "column", "problem"), PROBLEMS)
def test_problem(text: str, column: int, problem: str) -> None:
    """One problem, at its place, with what was expected and what to do."""
    _, problems = check(parsed(text), SCHEMA)
    assert [found.place for found in problems] == [Place("rules.toml", 12, column)]
    assert problem in str(problems[0])
    assert problems[0].remedy


def test_all_problems_are_reported_once() -> None:
    """What follows from a problem is not one of its own."""
    _, problems = check(parsed("IIF(IsString([nothing]),Trim([groupType]) & [a],Left([b],[sn]) & Trim([c]))"), SCHEMA)
    assert [found.place.column for found in problems] == [21, 37, 52, 61, 65, 78]


def test_confirmed_attributes_may_have_a_schema_of_their_own() -> None:
    """Of the connected directory, where an outbound rule reads it."""
    schema = RuleSchema(attributes={}, imported={"a": NUMBER}, parameters=frozenset({"Own"}))
    assert check(parsed('ImportedValue("a")'), schema) == (NUMBER, [])
    assert check(parsed("%Own%"), schema) == (TEXT, [])


def test_types_are_named_for_people() -> None:
    """As errors write them."""
    assert [str(found) for found in (TEXT | NUMBER, TEXTS, ValueType(frozenset()))] == [
        "text or number",
        "several values of text",
        "NULL",
    ]
