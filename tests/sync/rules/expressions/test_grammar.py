"""What is an expression, how its operators bind, and what is said of what is none."""

from __future__ import annotations

import contextlib
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.rules.expressions import EvaluationFailed, ExpressionError, ExpressionRefused, Place
from sync.rules.expressions.grammar import DEEPEST, LONGEST, parse
from sync.rules.expressions.syntax import (
    Attribute,
    Call,
    Constant,
    Node,
    Omitted,
    OperatorSequence,
    RuleParameter,
    Variable,
    Word,
    render,
)
from tests.support.examples import examples
from tests.sync.rules.expressions.support import WHERE, evaluated, parsed

BINDING = [
    ('Left("CAS_1", 4) = "CAS_" && InStr("a}", "}") > 0', True),
    ('IsPresent("a") = False || "b" = "b"', True),
    ("2+3*4", 20),
    ("2*(5+3)", 16),
    ("10-3-2", 5),
    ("1--3", 4),
    ('"a" & "b" = "ab"', True),
    ("1 = 1 = True", True),
    ("1 < 2 && 2 <= 2 && 3 > 2 && 2 >= 2 && 1 <> 2", True),
    ('"\\\\0ACNF:"', "\\0ACNF:"),
    ('"say \\"a\\""', 'say "a"'),
    ('"a\nb"', "a\nb"),
    ("&HFf", 255),
    ("&H8000000000000000", -(2**63)),
    ("-9223372036854775808", -(2**63)),
    ("IIF\n  (True ,\n  CRLF,\tNULL)", "\r\n"),
    ("%Domain.FQDN%", "sales.example.com"),
]
NONE = [
    ("", 12, 8, "the expression is empty"),
    ("Trim([sn]", 12, 17, "ends too early; expected a comma or a closing bracket"),
    ("Trim([sn]))", 12, 18, ") stands here; expected"),
    ("Trim([sn]) [cn]", 12, 19, "[cn] stands here; expected an operator or the end"),
    ("[a] &\n  ?", 13, 3, "? stands here; expected a value or an operator"),
    ("[a] &", 12, 13, "ends too early; expected a value"),
    ("* 2", 12, 8, "* stands here; expected a value"),
    ('Trim("a', 12, 13, "the text that begins here does not end"),
    ("Trim([a", 12, 13, "the attribute name that begins here does not end"),
    ("%Domain FQDN%", 12, 8, "the parameter that begins here is incomplete"),
    ("\u201ca\u201d", 12, 8, "Write straight quotes"),
    ("'a'", 12, 8, "Write double quotes"),
    ("12ab", 12, 8, "the number that begins here continues with letters"),
    ("9223372036854775808", 12, 8, "more than 64 bits"),
    ("&H10000000000000000", 12, 8, "more than 64 bits"),
    ("1" * 5000, 12, 8, "more than 32 digits"),
    ("[a] && [b] || [c]", 12, 19, "|| follows && without brackets"),
    ("trim([a])", 12, 8, "Did you mean Trim? Names are case-sensitive"),
    ("Trimm([a])", 12, 8, "Did you mean Trim?"),
    ("Frobnicate([a])", 12, 8, "is not a function of the dialect connect"),
    ("null", 12, 8, "Did you mean NULL?"),
    ("Trim", 12, 8, "Write Trim(...)"),
    ("smith", 12, 8, 'smith is not known. Write "text"'),
    ("Trim()", 12, 8, "Trim has 0 arguments; expected 1"),
    ("Left([a])", 12, 8, "Left has 1 argument; expected 2. Its signature is: str Left(str text, num count)"),
    ("Mid([a],1,2,3)", 12, 8, "Mid has 4 arguments; expected 2 to 3"),
    ("Left([a],)", 12, 17, "an argument is missing here"),
    ("Left(,1)", 12, 13, "an argument is missing here"),
    ("IIF(True,1)", 12, 8, "IIF has 2 arguments; expected 3"),
    ("Switch(True)", 12, 8, "Switch has 1 arguments; expected pairs"),
    ("Switch()", 12, 8, "expected pairs"),
    ("Error()", 12, 8, "expected 1"),
    ("Select([a],[b],1)", 12, 15, "Select takes a variable first"),
    ("Where($i,[b])", 12, 8, "Where has 2 arguments; expected 3"),
    ("With(1,2,3)", 12, 13, "With takes a variable first"),
    ("Trim($item)", 12, 13, "the variable $item is not known here; known are: none"),
    ("Select($i,[b],$j)", 12, 22, "known are: $i"),
    ("Select($i,$i,1)", 12, 18, "the variable $i is not known here"),
    ("ImportedValue([a])", 12, 22, "takes the name of an attribute in quotes"),
    ("ValueCount(5)", 12, 19, "takes the name of an attribute in quotes"),
    ('InStr("a","b",1,vbSomething)', 12, 24, "takes one of these names here: vbTextCompare, vbBinaryCompare"),
    ("ConvertFromBase64([a],UTF16)", 12, 30, "Unicode, ASCII, UTF8"),
    ("SingleAppRoleAssignment([a])", 12, 8, "is refused: it reads or writes what only Entra ID has"),
    ("AppRoleAssignmentsComplex([a])", 12, 8, "only Entra ID has"),
    ('Append([a],"b")', 12, 8, 'Write [a] & "suffix"'),
    ("A(" * (DEEPEST + 1) + ")" * (DEEPEST + 1), 12, 8, "more than 100 functions and operations lie in each other"),
    ("(1+" * (DEEPEST + 1) + "1" + ")" * (DEEPEST + 1), 12, 10, "more than 100 functions and operations"),
    (" " * LONGEST + "1", 12, 8, "the expression has 65537 characters"),
]


@pytest.mark.parametrize(("text", "value"), BINDING)
def test_binding(text: str, value: object) -> None:
    """Comparison binds more than && and ||; the others go from left to right."""
    assert evaluated(text) == value


@pytest.mark.parametrize(("text", "line", "column", "problem"), NONE, ids=[text[:30] for text, *_ in NONE])
def test_no_expression(text: str, line: int, column: int, problem: str) -> None:
    """The error names the file, the place in it, what was expected there, and what to do."""
    with pytest.raises(ExpressionRefused) as raised:
        parsed(text)
    found = raised.value.problem
    assert problem in str(raised.value)
    assert found.place == Place("rules.toml", line, column)
    assert found.remedy


def test_brackets_and_sequences_have_no_depth() -> None:
    """Brackets alone, and a long sequence of operators, need no stack: only functions in each other do."""
    assert evaluated("(" * 5000 + "1" + ")" * 5000) == 1
    assert evaluated(" + ".join(["1"] * 3000)) == 3000
    assert evaluated(" || ".join(["False"] * 2000)) is False
    assert evaluated("Trim(" * DEEPEST + '" a "' + ")" * DEEPEST) == "a"


def test_what_it_reads_is_listed() -> None:
    """For the preflight: attributes, confirmed attributes, parameters."""
    expression = parsed('IIF(IsPresent([a]),ValueCount("member") > 0,ImportedValue("b") & %Domain.FQDN% & [c])')
    assert expression.attributes == {"a", "member", "c"}
    assert expression.imported == {"b"}
    assert expression.parameters == {"Domain.FQDN"}


names = st.text(string.ascii_letters, min_size=1, max_size=5)
leaves = st.one_of(
    st.builds(Constant, st.text(max_size=8)),
    st.builds(Constant, st.integers(-(2**63), 2**63 - 1)),
    st.builds(
        Attribute,
        st.text(st.characters(blacklist_characters='[]"\r\n', blacklist_categories=["Cs"]), min_size=1, max_size=8),
    ),
    st.builds(RuleParameter, names),
    st.builds(Variable, names),
    st.builds(Word, names),
)


LEVELS = (["&", "+", "-", "*"], ["=", "<>", "<", "<=", ">", ">="], ["&&"], ["||"])


@st.composite
def _operations(draw: st.DrawFn, inner: st.SearchStrategy[Node]) -> Node:
    operators = st.sampled_from(draw(st.sampled_from(LEVELS)))
    return OperatorSequence(draw(inner), tuple(draw(st.lists(st.tuples(operators, inner), min_size=1, max_size=3))))


@st.composite
def _calls(draw: st.DrawFn, inner: st.SearchStrategy[Node]) -> Node:
    arguments = draw(st.lists(inner | st.just(Omitted()), max_size=4))
    return Call(draw(names), () if arguments == [Omitted()] else tuple(arguments))


trees = st.recursive(leaves, lambda inner: _operations(inner) | _calls(inner), max_leaves=8)


@given(trees)
@settings(max_examples=examples(60))
def test_a_tree_comes_back_from_its_text(tree: Node) -> None:
    """Parsing what render writes gives the same tree."""
    assert parse(render(tree), WHERE) == tree


pieces = st.lists(
    st.one_of(
        st.sampled_from(
            ["(", ")", ",", "&", "&&", "||", "=", "-", "[sn]", "$i", "%Domain.FQDN%", '"a"', "1", "NULL", " ", "\n"]
        ),
        st.sampled_from(
            ["IIF(", "Trim(", "Select($i,", "Word(", "CDate(", "Item(", "IgnoreThisFlow", '"', "[", "\\", "\u201c"]
        ),
        st.text(max_size=3),
    ),
    max_size=12,
).map("".join)


@given(pieces)
@settings(max_examples=examples(150))
def test_no_text_raises_anything_else(text: str) -> None:
    """Whatever the text: it is refused with its place, or evaluated, or that fails with its place."""
    with contextlib.suppress(ExpressionRefused, EvaluationFailed):
        evaluated(text, sn=(" a ", "b"))
    assert issubclass(ExpressionRefused, ExpressionError)
