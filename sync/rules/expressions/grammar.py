r"""From the text of an expression to its syntax tree. The only user of lark. It knows no functions: those are a dialect's.

Operators, from the one that binds most:

    & + - *            concatenation and arithmetic, from left to right without priority among them
    = <> < <= > >=     comparison, from left to right
    && ||              from left to right; both in one sequence need brackets

Microsoft's page gives all operators one priority. Connect's own rules contain `Left([a], 4) = "CAS_" && InStr([b], "}") > 0`
and `IsPresent([a]) || [b] = "x"`, which make sense only if a comparison binds more. Which of && and || binds more these
rules do not show, since they have brackets wherever both occur; without brackets they are refused rather than guessed.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final

from sync.rules.expressions.errors import ExpressionProblem, ExpressionRefused, Place
from sync.rules.expressions.syntax import (
    Attribute,
    Call,
    Constant,
    Node,
    Omitted,
    OperatorSequence,
    Position,
    RuleParameter,
    Variable,
    Word,
    depth,
)
from sync.rules.expressions.values import LARGEST_NUMBER

if TYPE_CHECKING:
    from lark import Lark, Token
    from lark.exceptions import UnexpectedInput

LONGEST: Final = 65_536
"""Characters of an expression. The longest of Connect's own rules has some 2,000."""
DEEPEST: Final = 100
"""Calls and operations in each other; each costs frames of Python's stack. The deepest of Connect's rules has some 20."""

_GRAMMAR: Final = r"""
start: comparison (LOGIC comparison)*         -> operation
comparison: sum (COMPARISON sum)*             -> operation
sum: operand ((MINUS | ARITHMETIC) operand)*  -> operation
operand: TEXT                                 -> text
    | NUMBER                                  -> number
    | MINUS NUMBER                            -> number
    | ATTRIBUTE                               -> attribute
    | PARAMETER                               -> parameter
    | VARIABLE                                -> variable
    | NAME                                    -> word
    | NAME OPEN argument (COMMA argument)* CLOSE  -> call
    | "(" start CLOSE                         -> inner
argument: start?
LOGIC: "&&" | "||"
COMPARISON: "<=" | ">=" | "<>" | "=" | "<" | ">"
ARITHMETIC: "&" | "+" | "*"
MINUS: "-"
COMMA: ","
OPEN: "("
CLOSE: ")"
TEXT: /"(?:[^"\\]|\\.)*"/s
NUMBER.2: /&[Hh][0-9A-Fa-f]+(?![A-Za-z0-9_(])|[0-9]+(?![A-Za-z0-9_])/
ATTRIBUTE: /\[[^\[\]"\r\n]+\]/
PARAMETER: /%[A-Za-z_][A-Za-z0-9_.\-]*%/
VARIABLE: /\$[A-Za-z_][A-Za-z0-9_]*/
NAME: /[A-Za-z_][A-Za-z0-9_]*/
BLANK: /[ \t\r\n\f\v\xa0]+/
%ignore BLANK
"""
_DIGITS: Final = 32
_ESCAPE: Final = re.compile(r"\\([\\\"])")
_VALUES: Final = frozenset({"TEXT", "NUMBER", "ATTRIBUTE", "PARAMETER", "VARIABLE", "NAME", "OPEN"})
_OPERATORS: Final = frozenset({"LOGIC", "COMPARISON", "ARITHMETIC"})
_CURLY_QUOTES: Final = "\u201c\u201d\u201e\u2018\u2019"


def parse(text: str, where: Place) -> Node:
    """The tree of the text. where: the place of its first character. Raises ExpressionRefused."""
    if len(text) > LONGEST:
        raise _refused(
            where, (1, 1), f"the expression has {len(text)} characters", f"It has at most {LONGEST}: make it several flows"
        )
    if not text.strip():
        raise _refused(where, (1, 1), "the expression is empty", 'Write NULL for no value, or "" for an empty text')
    from lark.exceptions import UnexpectedInput

    try:
        tree: Any = _parser().parse(text)  # a node of ours, by the callbacks
    except _Rejected as rejected:
        raise _refused(where, rejected.at, rejected.problem, rejected.remedy) from None
    except UnexpectedInput as error:
        raise _unexpected(text, where, error) from error
    node: Node = tree
    return node


class _Rejected(Exception):
    """Of a callback, which does not know where the text stands."""

    def __init__(self, at: Position, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.at = at
        self.problem = problem
        self.remedy = remedy


@functools.cache
def _parser() -> Lark:
    """Made when the first expression is read: it takes some 50 ms."""
    from lark import Lark

    return Lark(_GRAMMAR, parser="lalr", lexer="basic", transformer=_Callbacks())


class _Callbacks:
    """One method for each alternative of the grammar, called while it is parsed; nothing of lark's own trees is made."""

    def text(self, children: list[Any]) -> Node:
        r"""A backslash stands before a backslash or a quote. Before anything else it stays: `\r` is for Replace."""
        token = children[0]
        return Constant(_ESCAPE.sub(r"\1", token[1:-1]), _at(token))

    def number(self, children: list[Any]) -> Node:
        """Hexadecimal numbers of 64 bits are in two's complement."""
        digits, first = children[-1], children[0]
        hexadecimal = digits.startswith("&")
        if len(digits) > _DIGITS:
            raise _Rejected(_at(first), f"the number has more than {_DIGITS} digits", "Write a smaller number")
        value = int(digits[2:], 16) if hexadecimal else int(digits)
        if hexadecimal and LARGEST_NUMBER < value < 2**64:
            value -= 2**64
        value = -value if len(children) == 2 else value
        if not -LARGEST_NUMBER - 1 <= value <= LARGEST_NUMBER:
            raise _Rejected(_at(first), "the number has more than 64 bits", "Write a smaller number")
        return Constant(value, _at(first))

    def attribute(self, children: list[Any]) -> Node:
        return Attribute(children[0][1:-1], _at(children[0]))

    def parameter(self, children: list[Any]) -> Node:
        return RuleParameter(children[0][1:-1], _at(children[0]))

    def variable(self, children: list[Any]) -> Node:
        return Variable(children[0][1:], _at(children[0]))

    def word(self, children: list[Any]) -> Node:
        return Word(str(children[0]), _at(children[0]))

    def inner(self, children: list[Any]) -> Any:
        return children[0]

    def argument(self, children: list[Any]) -> Any:
        return children[0] if children else None

    def call(self, children: list[Any]) -> Node:
        """name, bracket, then arguments with what stands after each: None where there is only the comma."""
        name, _, *rest = children
        arguments = [
            Omitted(_at(after)) if node is None else node for node, after in zip(rest[::2], rest[1::2], strict=True)
        ]
        if len(arguments) == 1 and isinstance(arguments[0], Omitted):
            arguments = []
        return _shallow(Call(str(name), tuple(arguments), _at(name)))

    def operation(self, children: list[Any]) -> Any:
        if len(children) == 1:
            return children[0]
        first, *rest = children
        operators = rest[::2]
        if operators[0].type == "LOGIC":
            for operator in operators:
                if operator != operators[0]:
                    raise _Rejected(
                        _at(operator),
                        f"{operator} follows {operators[0]} without brackets",
                        "Put brackets around what belongs together: (a && b) || c",
                    )
        pairs = tuple((str(operator), node) for operator, node in zip(operators, rest[1::2], strict=True))
        return _shallow(OperatorSequence(first, pairs, _at(operators[0])))


def _shallow(node: Node) -> Node:
    if depth(node) > DEEPEST:
        raise _Rejected(node.at, f"more than {DEEPEST} functions and operations lie in each other", "Make it several flows")
    return node


def _at(token: Token) -> Position:
    return (token.line or 1, token.column or 1)


def _refused(where: Place, at: Position, problem: str, remedy: str) -> ExpressionRefused:
    return ExpressionRefused(ExpressionProblem(where.inside(*at), problem, remedy))


def _unexpected(text: str, where: Place, error: UnexpectedInput) -> ExpressionRefused:
    from lark.exceptions import UnexpectedCharacters, UnexpectedToken

    if isinstance(error, UnexpectedCharacters):
        return _refused(where, (error.line, error.column), *_character(text, error.pos_in_stream or 0))
    assert isinstance(error, UnexpectedToken)  # noqa: S101 - the LALR parser has no third kind
    expected = _expected(error.accepts or error.expected)
    if error.token.type == "$END":
        return _refused(where, _end(text), f"the expression ends too early; expected {expected}", "Complete it")
    remedy = "Remove this bracket, or open one before it" if error.token.type == "CLOSE" else "Change or remove it"
    return _refused(where, _at(error.token), f"{_shortened(str(error.token))} stands here; expected {expected}", remedy)


def _character(text: str, index: int) -> tuple[str, str]:
    """What is wrong with a character with which nothing can begin, and what to do."""
    character = text[index]
    if character == '"':
        return "the text that begins here does not end", 'End it with ". A quote inside it is written \\"'
    if character == "[":
        return "the attribute name that begins here does not end", "Write [name], on one line"
    if character == "%":
        return "the parameter that begins here is incomplete", "Write %Name%, such as %Domain.FQDN%"
    if character in _CURLY_QUOTES:
        return f"{character} is not a quote of this language", 'Write straight quotes: "text"'
    if character == "'":
        return "' is not a quote of this language", 'Write double quotes: "text"'
    if character.isdigit():
        return "the number that begins here continues with letters", "Write a text in quotes, or a number alone"
    return f"{_shortened(character)} stands here; expected a value or an operator", "Remove it, or put the text in quotes"


def _expected(names: set[str]) -> str:
    """Terminals of the grammar, as people call them."""
    words = ["a value"] if names & _VALUES else []
    words += ["an operator"] if names & _OPERATORS else []
    words += ["a comma"] if "COMMA" in names else []
    words += ["a closing bracket"] if "CLOSE" in names else []
    words += ["the end"] if "$END" in names or not words else []
    return ", ".join(words[:-1]) + (" or " if words[1:] else "") + words[-1]


def _end(text: str) -> Position:
    lines = text.split("\n")
    return (len(lines), len(lines[-1]) + 1)


def _shortened(text: str) -> str:
    """Of a file, so that it may have anything in it."""
    shown = ascii(text) if not text.isprintable() else text
    return shown if len(shown) <= 40 else shown[:40] + "..."
