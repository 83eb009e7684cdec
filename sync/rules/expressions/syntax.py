"""The syntax tree of an expression, and how it is written.

Nodes that differ only in where they stand are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, TypeAlias

Position: TypeAlias = tuple[int, int]
"""Line and column in the text, both from 1."""
_NOWHERE: Final = (1, 1)


@dataclass(frozen=True, slots=True)
class Constant:
    """A text in quotes or a number."""

    value: str | int
    at: Position = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Attribute:
    """`[name]`."""

    name: str
    at: Position = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class RuleParameter:
    """`%name%`."""

    name: str
    at: Position = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`."""

    name: str
    at: Position = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Word:
    """A name without brackets: True, NULL, vbTextCompare. What it means is the dialect's."""

    name: str
    at: Position = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Omitted:
    """An argument of which there is only the comma: `f(a, , b)`. Not every dialect has them."""

    at: Position = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """`name(argument, ...)`."""

    name: str
    arguments: tuple[Node, ...]
    at: Position = field(default=_NOWHERE, compare=False)
    depth: int = field(default=0, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "depth", 1 + max(map(depth, self.arguments), default=0))


@dataclass(frozen=True, slots=True)
class OperatorSequence:
    """Operands with operators of one level between them, from left to right."""

    first: Node
    rest: tuple[tuple[str, Node], ...]
    """At least one operator, with what stands to its right."""
    at: Position = field(default=_NOWHERE, compare=False)
    """Of the first operator."""
    depth: int = field(default=0, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        inner = max(depth(node) for _, node in self.rest)
        object.__setattr__(self, "depth", 1 + max(depth(self.first), inner))


Node: TypeAlias = Constant | Attribute | RuleParameter | Variable | Word | Omitted | Call | OperatorSequence


def depth(node: Node) -> int:
    """How many calls and operations lie in each other."""
    return node.depth if isinstance(node, Call | OperatorSequence) else 0


def position(node: Node) -> Position:
    """Where the node begins."""
    while isinstance(node, OperatorSequence):
        node = node.first
    return node.at


def name_of(node: Node) -> str:
    """Of a variable; empty for any other node."""
    return node.name if isinstance(node, Variable) else ""


def text_of(node: Node) -> str:
    """What stands in quotes; empty for any other node."""
    return node.value if isinstance(node, Constant) and isinstance(node.value, str) else ""


def render(node: Node) -> str:
    """The text of a tree: parsing it gives the same tree. Brackets stand around every inner operation."""
    match node:
        case Constant(str(value)):
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
        case Constant(value):
            return str(value)
        case Attribute(name):
            return f"[{name}]"
        case RuleParameter(name):
            return f"%{name}%"
        case Variable(name):
            return f"${name}"
        case Word(name):
            return name
        case Omitted():
            return ""
        case Call(name, arguments):
            return f"{name}({', '.join(map(render, arguments))})"
        case OperatorSequence(first, rest):
            return _operand(first) + "".join(f" {operator} {_operand(node)}" for operator, node in rest)


def _operand(node: Node) -> str:
    return f"({render(node)})" if isinstance(node, OperatorSequence) else render(node)
