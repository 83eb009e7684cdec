"""Whether an expression's types fit a schema, before any object is read."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from sync.rules.expressions.compilation import TYPE_REMEDY
from sync.rules.expressions.errors import ExpressionProblem, Place
from sync.rules.expressions.operators import CONVERT_REMEDY, ORDERED
from sync.rules.expressions.signatures import ANY, Form, Function, FunctionParameter
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
    position,
)
from sync.rules.expressions.values import KINDS, FlowResult, Kind, Sentinel, ValueType

if TYPE_CHECKING:
    from sync.rules.expressions.dialects import Dialect

SUPPLIED_PARAMETERS: Final = frozenset(
    {
        "Connector.ID",
        "Domain.FQDN",
        "Domain.LDAP",
        "Domain.Netbios",
        "Forest.FQDN",
        "Forest.LDAP",
        "Forest.Netbios",
    }
)
"""Those that every source in Active Directory has."""
CONDITION: Final = frozenset({Kind.BOOLEAN, Kind.NUMBER})
"""Kinds that are true or false."""
UNKNOWN: Final = ValueType(ANY)
"""Of what a problem has been reported for: nothing more is said about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSchema:
    """What expressions of a rule may read."""

    attributes: Mapping[str, ValueType]
    """By name, with its case."""
    imported: Mapping[str, ValueType] | None = None
    """For ImportedValue; None: the same attributes."""
    parameters: frozenset[str] = SUPPLIED_PARAMETERS


@dataclass(slots=True)
class Checker:
    """Of one expression."""

    dialect: Dialect
    where: Place
    schema: RuleSchema
    problems: list[ExpressionProblem] = field(default_factory=list)
    scope: dict[str, ValueType] = field(default_factory=dict)
    """Variables, by name."""

    def type_of(self, node: Node) -> ValueType:
        """Reports what is wrong inside it."""
        match node:
            case Constant() | Word():
                return constant_type(self._constant(node))
            case Attribute(name):
                return self.attribute(name, node.at, self.schema.attributes)
            case RuleParameter(name):
                if name not in self.schema.parameters:
                    known = ", ".join(sorted(self.schema.parameters)) or "none"
                    self.report(
                        node.at, f"the parameter %{name}% is not set; set are: {known}", "Set it, or use one of these"
                    )
                return ValueType.of(Kind.TEXT)
            case Variable(name):
                return self.scope[name]
            case OperatorSequence():
                return self._operation(node)
            case Call():
                found = self.dialect.functions[node.name]
                return found.type_of(self, node) if isinstance(found, Form) else self._call(node, found)
            case Omitted():
                return UNKNOWN

    def inside(self, name: str, bound: ValueType, node: Node) -> ValueType:
        """The type of a node that sees one variable more."""
        outer = self.scope
        self.scope = {**outer, name: bound}
        try:
            return self.type_of(node)
        finally:
            self.scope = outer

    def attribute(self, name: str, at: Position, attributes: Mapping[str, ValueType]) -> ValueType:
        """Its type in this part of the schema."""
        if name in attributes:
            return attributes[name]
        by_case = {known.casefold(): known for known in attributes}
        near = difflib.get_close_matches(name.casefold(), by_case, 1, 0.8)
        hint = (
            f"Did you mean [{by_case[near[0]]}]? Names are case-sensitive"
            if near
            else "Use another one, or extend the schema"
        )
        self.report(at, f"the schema has no attribute {name}", hint)
        return UNKNOWN

    def condition(self, node: Node) -> ValueType:
        """The type of something that has to be true or false."""
        found = self.value(node)
        if found is not UNKNOWN and not found.kinds <= CONDITION:
            self.report(
                position(node), f"a condition is {found}; expected a boolean or number", "Compare it, or convert it by CBool"
            )
        return found

    def value(self, node: Node) -> ValueType:
        """The type of something that is used further: AuthoritativeNull and IgnoreThisFlow cannot be."""
        found = self.type_of(node)
        if found.sentinel:
            self.report(
                position(node),
                "AuthoritativeNull and IgnoreThisFlow are results of a flow; here a value is expected",
                "Write NULL, or move the condition around the whole expression",
            )
        return found

    def report(self, at: Position, problem: str, remedy: str) -> None:
        """Adds a problem."""
        self.problems.append(ExpressionProblem(self.where.inside(*at), problem, remedy))

    def _constant(self, node: Constant | Word) -> FlowResult:
        return node.value if isinstance(node, Constant) else self.dialect.constants[node.name]

    def _call(self, node: Call, function: Function) -> ValueType:
        types = [
            None if parameter.choices else self.value(argument)
            for parameter, argument in zip(function.parameters, node.arguments, strict=False)
        ]
        fits = True
        several = False
        for argument, parameter, found in zip(node.arguments, function.parameters, types, strict=False):
            if found is None:
                continue
            several |= found.many and not parameter.many and not parameter.takes_all
            if not _fits(parameter, found):
                fits = False
                self.report(
                    position(argument),
                    f"{parameter.name} of {node.name} is {found}; expected {parameter.expected}",
                    f"{TYPE_REMEDY}. Its signature is: {function.signature}",
                )
        first = types[0] if types else None
        kinds = function.result if function.result is not None else first.kinds if first else ANY
        return ValueType(kinds, function.many or several) if fits else UNKNOWN

    def _operation(self, node: OperatorSequence) -> ValueType:
        operator = node.rest[0][0]
        if operator in {"&&", "||"}:
            types = [self.condition(operand) for operand in (node.first, *(right for _, right in node.rest))]
            return ValueType.of(Kind.BOOLEAN, many=any(found.many for found in types))
        left = self.value(node.first)
        for operator, right in node.rest:
            left = self._step(left, operator, self.value(right), position(right))
        return left

    def _step(self, left: ValueType, operator: str, right: ValueType, at: Position) -> ValueType:
        many = left.many or right.many
        problem = ""
        if operator == "&":
            kinds = frozenset({Kind.BYTES if left.kinds | right.kinds == {Kind.BYTES} else Kind.TEXT})
            problem = "" if left is UNKNOWN or right is UNKNOWN else _unjoined(left, right)
        elif operator in {"+", "-", "*"}:
            kinds = frozenset({Kind.NUMBER})
            wrong = [found for found in (left, right) if found is not UNKNOWN and not found.kinds <= kinds]
            problem = f"{operator} computes with {wrong[0]}; expected numbers" if wrong else ""
        else:
            kinds = frozenset({Kind.BOOLEAN})
            problem = "" if left is UNKNOWN or right is UNKNOWN else _incomparable(left, operator, right)
        if problem:
            self.report(at, problem, CONVERT_REMEDY)
        return ValueType(kinds, many)


def constant_type(value: FlowResult) -> ValueType:
    """Of a literal or a named constant."""
    if value is None:
        return ValueType(frozenset())
    if isinstance(value, Sentinel):
        return ValueType(frozenset(), sentinel=True)
    return ValueType.of(KINDS[type(value)])


def _fits(parameter: FunctionParameter, found: ValueType) -> bool:
    """A parameter of all values needs what has several; any other takes several one by one."""
    if found is UNKNOWN:
        return True
    return found.kinds <= parameter.kinds and (found.many or not found.kinds or not parameter.many)


def _unjoined(left: ValueType, right: ValueType) -> str:
    """Why & cannot join these, or nothing."""
    kinds = left.kinds | right.kinds
    if kinds <= {Kind.TEXT, Kind.REFERENCE} or kinds <= {Kind.BYTES}:
        return ""
    return f"& joins {left} and {right}; expected texts, or bytes"


def _incomparable(left: ValueType, operator: str, right: ValueType) -> str:
    """Why these cannot be compared, or nothing: both have to be of one kind, or NULL."""
    if left.kinds and right.kinds and (left.kinds != right.kinds or len(left.kinds) > 1):
        return f"{operator} compares {left} with {right}; expected values of one kind"
    if operator not in {"=", "<>"} and not left.kinds | right.kinds <= ORDERED:
        return f"{operator} compares {left} with {right}; expected numbers, dates or texts"
    return ""
