"""NULL, several values, branches that are not taken, and sizes."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.rules.expressions import (
    DIALECTS,
    AuthoritativeNull,
    Bindings,
    DateTime,
    EvaluationFailed,
    IgnoreThisFlow,
    Kind,
    Reference,
    RuleSchema,
    StoppedByRule,
    Value,
    ValueType,
    check,
)
from sync.rules.expressions.signatures import Form, Function
from sync.rules.expressions.values import KINDS, LARGEST_NUMBER, LONGEST_TEXT, SMALLEST_NUMBER
from tests.support.examples import examples
from tests.sync.rules.expressions.support import bindings, evaluated, parsed

DN = Reference("cn=a,dc=x")
VALUES = [
    # -- NULL
    ('[absent] = NULL && [absent] <> "a" && "a" <> [absent] && ([absent] = "a") = False', True),
    ("[absent] < 1 || [absent] >= 1 || 1 > [absent]", False),
    ('[absent] & "a" & [absent]', "a"),
    ("[absent] & [absent]", None),
    ("[absent] + 1", None),
    ("IIF([absent],1,2)", 2),
    ("[absent] && True", False),
    ("[absent] || False", False),
    ("IIF(BitAnd([absent],2)=0,True,False)", False),
    ("Switch(False,1)", None),
    ("Switch([absent],1,True,NULL,True,3)", None),
    # -- what is not needed is not evaluated
    ('IIF(True,1,Error("x"))', 1),
    ('IIF(False,Error("x"),2)', 2),
    ('Switch(False,Error("x"),True,2,Error("y"),3)', 2),
    ('True || Error("x")', True),
    ('False && Error("x")', False),
    ("With($first,Item([absent],1),IIF(IsPresent([absent]),$first,NULL))", None),
    # -- conditions
    ("IIF(5,1,2)", 1),
    ("IIF(0,1,2)", 2),
    ('IIF(InStr("abc","b"),1,2)', 1),
    # -- several values
    ("[many] = 1", (True, False, False)),
    ("1 < [many]", (False, True, True)),
    ("[many] + [many]", (2, 4, 6)),
    ("[many] + 10", (11, 12, 13)),
    ("[many] + [absent]", None),
    ("[many] = 1 || [many] = 3", (True, False, True)),
    ("[many] > 1 && True", (False, True, True)),
    ("[many] > 1 && False", (False, False, False)),
    ("[many] <> 2", (True, False, True)),
    ("IIF([many] = 2,[many] * 10,[many])", (1, 20, 3)),
    ("IIF([many] = 2,NULL,[many])", (1, 3)),
    ('IIF([many] = 2,"x",NULL)', ("x",)),
    ('IIF([many] = 7,Error("x"),"y")', ("y", "y", "y")),
    ("IIF([many] = 7,1,NULL)", None),
    ('[texts] & "@" & [texts]', ("a@a", "b@b")),
    ("[texts] & 'x'".replace("'", '"'), ("ax", "bx")),
    # -- results of a flow
    ("IIF(True,AuthoritativeNull,NULL)", AuthoritativeNull),
    ("Switch(True,IgnoreThisFlow)", IgnoreThisFlow),
    ("With($a,1,IgnoreThisFlow)", IgnoreThisFlow),
    # -- kinds
    ("[dn] & \",dc=y\"", "cn=a,dc=x,dc=y"),
    ("[dn] = CRef(\"cn=a,dc=x\")", True),
    ("[bytes] & [bytes] & NULL", b"abab"),
    ('"B" < "a"', True),
    ("[none]", None),
    ("Select($a,[texts],Select($b,[texts],$a & $b))", ("aa", "ab", "ba", "bb")),
    ("Where($a,[many],Count(Where($b,[many],$b < $a)) = 1)", (2,)),
]  # fmt: skip
ATTRIBUTES: dict[str, Value] = {"many": (1, 2, 3), "texts": ("a", "b"), "dn": DN, "bytes": b"ab", "none": ()}
FAILURES = [
    ('[texts] & 1', "& joins texts or bytes, not number"),
    ('"a" & [bytes]', "text stands against bytes"),
    ('1 = "1"', "number stands against text"),
    ("True = 1", "boolean stands against number"),
    ("True < False", "values of boolean have no order"),
    ("[dn] = CStr([dn])", "reference stands against text"),
    ("AuthoritativeNull = 1", "AuthoritativeNull is a result of a flow"),
    ('"a" + "b"', "+ computes with text; expected numbers".replace("+ ", "")),
    ("9223372036854775807 + 1", "the result has more than 64 bits"),
    ("-9223372036854775808 * -1", "the result has more than 64 bits"),
    ("-9223372036854775808 - 1", "the result has more than 64 bits"),
    ("[many] + [two]", "3 values stand against 2"),
    ("[many] = 1 || [two] = 1", "3 values stand against 2"),
    ("IIF([many] = 1,[two],NULL)", "IIF has 3 conditions for 2 values"),
    ("IIF([many] = 1,IgnoreThisFlow,NULL)", "IgnoreThisFlow is a result of a flow, not one of its values"),
    ("IIF(\"True\",1,2)", "the condition of IIF is text; expected a boolean or number"),
    ("[dn] && True", "an operand of && is reference"),
    ("IIF(AuthoritativeNull,1,2)", "the condition of IIF is AuthoritativeNull"),
    ("Switch([many] = 1,2)", "a condition of Switch has several values"),
    ("Select($a,[many],IgnoreThisFlow)", "Select has a result of a flow among its values"),
    ("Select($a,IgnoreThisFlow,1)", "Select goes through IgnoreThisFlow"),
    ("Error(5)", "the text is number"),
    ("%Unset%", "the parameter %Unset% is not set"),
    ('CDate("2001-01-01")', "the result is a date, which no attribute has"),
    ("[texts] & [half] & [half]", "more than 1048576 characters"),
    ("[half] & [half] & [half]", "more than 1048576 characters"),
    ("[half_bytes] & [half_bytes] & [half_bytes]", "more than 1048576 characters"),
    ("Select($a,[hundred],[half])", "more than 67108864 characters together"),
    ("[hundred_texts] & [half]", "more than 67108864 characters together"),
    ("IIF([hundred] = 1,NULL,[half])", "more than 67108864 characters together"),
    ('PadLeft([hundred_texts],1000000,"x")', "more than 67108864 characters together"),
    ('Replace([half],"x",[half])', "more than 1048576 characters"),
    ('ReplaceChars([half],"x:abc")', "more than 1048576 characters"),
    ("Join([hundred_texts],[half])", "more than 1048576 characters"),
    ("ConvertToUTF8Hex([half] & [half])", "more than 1048576 characters"),
    ("ConvertToBase64([half])", "more than 1048576 characters"),
    ('EscapeDNComponent([half])', "more than 1048576 characters"),
]  # fmt: skip
BIG: dict[str, Value] = {
    "two": (1, 2),
    "half": "x" * (LONGEST_TEXT // 2),
    "half_bytes": b"x" * (LONGEST_TEXT // 2),
    "hundred": (2,) * 200,
    "hundred_texts": ("a",) * 200,
}


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_value(text: str, value: object) -> None:
    """Each expression has the value of the table, and its class."""
    found = evaluated(text, **ATTRIBUTES)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("text", "problem"), FAILURES)
def test_failure(text: str, problem: str) -> None:
    """What cannot be computed is an error that says why and where; nothing grows without bound."""
    with pytest.raises(EvaluationFailed) as raised:
        evaluated(text, **ATTRIBUTES, **BIG)
    assert problem in str(raised.value)


def test_keys_of_devices() -> None:
    """Connect's rules for keys of Windows Hello are computed for each key of a person, with places that its own bytes name:
    the hash of what follows the first entry is put between (MS-ADTS section 2.2.20.6)."""
    keys = (bytes.fromhex("00020000010001aabbbb"), bytes.fromhex("00020000020001ccccdd"))
    text = """
        IIF(IsNull([key]), NULL, With($first, 7 + CNum(Mid([key], 5, 2)),
            With($rest, Mid([key], $first + 1, Len([key])),
                IIF(CNum(Mid([key], 1, 1)) = 0,
                    Mid([key], 1, $first) & CBin(Len(Thumbprint($rest)), 2) & CBin(2, 1) & Thumbprint($rest) & $rest,
                    NULL))))"""
    hashed = [bytes.fromhex("200002") + hashlib.sha256(rest).digest() + rest for rest in (b"\xbb\xbb", b"\xdd")]
    assert evaluated(text, key=keys) == (keys[0][:8] + hashed[0], keys[1][:9] + hashed[1])
    assert evaluated(text, key=keys[0]) == keys[0][:8] + hashed[0]
    assert evaluated(text) is None


def test_an_error_names_its_place_and_no_value() -> None:
    """The place is that of the function in its line; the value stands in a field, for those who may see it."""
    with pytest.raises(EvaluationFailed) as raised:
        evaluated("[a] &\n  CStr(CNum([number]))", number="secret")
    assert str(raised.value).startswith("rules.toml:13:8: CNum: the value is not a number")
    assert "secret" not in str(raised.value)
    assert raised.value.value == "secret"


def test_the_rules_own_error_is_told_apart() -> None:
    """Its text may name the person, and is therefore not in the error's."""
    with pytest.raises(StoppedByRule) as raised:
        evaluated('IIF(IsPresent([sn]),Error("No mail for " & [sn]),NULL)', sn="Doe")
    assert raised.value.value == "No mail for Doe"
    assert "Doe" not in str(raised.value)
    with pytest.raises(StoppedByRule):
        evaluated("Error(NULL)")


def test_a_variable_of_with_is_computed_once() -> None:
    """However often it is used, so that a random number stays the same in one expression."""
    drawn = iter([3, 4])
    found = parsed("With($a,RandomNum(0,9),$a * 10 + $a)").evaluate(
        Bindings(attributes={}, now=0.0, random_below=lambda limit: next(drawn))
    )
    assert found == 33


def test_long_texts_take_no_time() -> None:
    """1 MiB of the worst for searching, splitting and replacing, each in about the time of a copy."""
    texts: dict[str, Value] = {"a": "a" * LONGEST_TEXT, "delimiters": "".join(map(chr, range(1000, 60000)))}
    began = time.perf_counter()
    for text in [
        "Len(Word([a],1,[delimiters]))",
        'InStr([a],PadLeft("b",50000,"a"))',
        'Len(Replace([a],"aa","b"))',
        "CDate([a])",
        "CNum([a])",
        "DNComponent(CRef([a]),1)",
        "FormatDateTime(Now(),[a])",
        "IsGuid([a])",
        "CGuid([a])",
        "ConvertFromBase64([a], ASCII)",
        'Count(Split([a],"a"))',
        "Len(LCase([a]))",
        "IsCert([a])",
    ]:
        try:
            evaluated(text, **texts)
        except EvaluationFailed:
            continue
    assert time.perf_counter() - began < 2


scalars = st.one_of(
    st.none(),
    st.text(max_size=6),
    st.sampled_from(["2001-01-01", "cn=a,dc=x", "", "12", "True", "YQ==", "\ud800", "m", "yyyy", ",", "a:b"]),
    st.integers(SMALLEST_NUMBER, LARGEST_NUMBER),
    st.integers(-3, 3),
    st.booleans(),
    st.binary(max_size=20),
    st.builds(Reference, st.text(max_size=6)),
    st.builds(DateTime, st.integers(0, 3652059 * 864000000000 - 1)),
    st.sampled_from([AuthoritativeNull, IgnoreThisFlow]),
)
TYPED = {
    Kind.TEXT: st.sampled_from(["2001-01-01", "", "12", "True", "m", "yyyy", ",", "a:b"]),
    Kind.NUMBER: st.integers(-3, 3),
    Kind.BOOLEAN: st.booleans(),
    Kind.BYTES: st.binary(max_size=9),
    Kind.REFERENCE: st.just(DN),
}


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[ValueType, Value]:
    """What a schema says of an attribute, and a value of it."""
    kind, many = draw(st.sampled_from(list(TYPED))), draw(st.booleans())
    values = st.lists(TYPED[kind], min_size=1, max_size=2).map(tuple) if many else TYPED[kind]
    value: Any = draw(st.none() | values)
    return ValueType.of(kind, many=many), value


some_values = scalars | st.lists(scalars.filter(lambda value: value is not None), max_size=3).map(tuple)


def _call(function: Function | Form, count: int) -> str:
    if isinstance(function, Form):
        return ""
    shown = [
        parameter.choices[0] if parameter.choices else f"[a{index}]"
        for index, parameter in enumerate(function.parameters[:count])
    ]
    return f"{function.name}({', '.join(shown)})"


CALLS = [
    _call(function, count)
    for function in DIALECTS["connect"].functions.values()
    if isinstance(function, Function)
    for count in range(function.least, function.most + 1)
]
OTHERS = [
    *(f"[a0] {operator} [a1]" for operator in ("=", "<>", "<", ">=", "&", "+", "*", "&&", "||")),
    *("IIF([a0],[a1],[a2])", "Switch([a0],[a1])", "Select($i,[a0],$i & [a1])", "Where($i,[a0],[a1])", "With($i,[a0],$i)"),
]


@pytest.mark.parametrize("text", [*CALLS, *OTHERS])
def test_no_value_raises_anything_else(text: str) -> None:
    """Whatever an attribute holds, even what its schema does not allow: a value comes out, or EvaluationFailed."""
    expression = parsed(text)

    @given(st.tuples(some_values, some_values, some_values))
    @settings(max_examples=examples(8), derandomize=True, database=None)
    def try_values(values: tuple[Any, ...]) -> None:
        try:
            found = expression.evaluate(bindings({f"a{index}": value for index, value in enumerate(values)}))
        except EvaluationFailed:
            return
        assert found != ()
        assert not isinstance(found, tuple) or None not in found

    try_values()


@pytest.mark.parametrize("text", [*CALLS, *OTHERS])
def test_a_value_has_the_type_that_the_check_says(text: str) -> None:
    """Where the check finds no problem, and the values are those of the schema."""
    expression = parsed(text)

    @given(st.tuples(typed_values(), typed_values(), typed_values()))
    @settings(max_examples=examples(6), derandomize=True, database=None)
    def try_values(values: tuple[tuple[ValueType, Value], ...]) -> None:
        schema = RuleSchema(attributes={f"a{index}": kind for index, (kind, _) in enumerate(values)})
        wanted, problems = check(expression, schema)
        if problems:
            return
        try:
            found = expression.evaluate(bindings({f"a{index}": value for index, (_, value) in enumerate(values)}))
        except EvaluationFailed:
            return
        items = found if isinstance(found, tuple) else () if found in (None, "") else (found,)  # Mid of no bytes is a text
        assert {KINDS[type(item)] for item in items} <= wanted.kinds
        assert wanted.many or not isinstance(found, tuple)

    try_values()
