"""Whether the rules of a document fit the types of what they read: found before a run, told with file, line and column."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from settings import Key
from sync.rules.documents import RuleDocument
from sync.rules.expressions import Kind, RuleSchema, ValueType, check
from sync.rules.model import BITS, LOCATION, MEMBERSHIP, PRESENCE, Flow, InboundRule, OutboundRule, ScopeCondition
from sync.rules.schema import LINK, TYPES, type_word

UNTYPED: Final = ValueType(frozenset())
"""Of what is always NULL, and of what a problem has been reported for."""
_ORDERED: Final = frozenset({"LESSTHAN", "LESSTHAN_OR_EQUAL", "GREATERTHAN", "GREATERTHAN_OR_EQUAL"})
_NUMERIC: Final = _ORDERED | {"EQUAL", "NOTEQUAL", "ISIN", "ISNOTIN"}
_CONDITION: Final = frozenset({Kind.BOOLEAN, Kind.NUMBER})
_CONSTANTS: Final = {str: Kind.TEXT, int: Kind.NUMBER, bool: Kind.BOOLEAN}

AnyRule: TypeAlias = InboundRule | OutboundRule


@dataclass(frozen=True, slots=True)
class FlowType:
    """A flow, and what it gives."""

    flow: Flow
    key: Key
    """Where it stands."""
    type: ValueType | None
    """None: links."""


@dataclass(frozen=True, slots=True)
class RuleChecker:
    """Of the rules of one direction in one document."""

    document: RuleDocument
    schema: RuleSchema
    links: frozenset[str]
    """Attributes that name other objects."""
    whose: str
    """What the attributes are of, for errors: "the source has", "persons have"."""

    def flow_types(self, rule: AnyRule, key: Key) -> list[FlowType]:
        """Of all its flows, those of `copy` among them."""
        flows = [(Flow(to=name, direct=name), (*key, "copy", index)) for index, name in enumerate(rule.copy)]
        flows += [(flow, (*key, "flows", index)) for index, flow in enumerate(rule.flows)]
        seen: dict[str, Key] = {}
        for flow, place in flows:
            if flow.to in seen:
                self._report(place, rule, f"a flow to {flow.to} is in this rule already", "Keep one of them")
            seen[flow.to] = place
        return [FlowType(flow, place, self._type_of(rule, flow, place)) for flow, place in flows]

    def check_scope(self, rule: AnyRule, key: Key) -> None:
        """Conditions compare what is there, with values that it could have."""
        for row, group in enumerate(rule.scope):
            for column, condition in enumerate(group):
                self._check_condition(rule, condition, (*key, "scope", row, column))

    def attribute(self, rule: AnyRule, name: str, place: Key) -> ValueType | None:
        """The type of an attribute that is read as a value; reports where there is none."""
        if name in self.schema.attributes:
            return self.schema.attributes[name]
        if name in self.links:
            self._report(place, rule, f"{name} names other objects, and is no value", f'Write links = "{name}" in a flow')
            return None
        by_case = {known.casefold(): known for known in self.schema.attributes}
        near = difflib.get_close_matches(name.casefold(), by_case, 1, 0.8)
        more = "Declare it under [attributes]" if self.whose == "the source has" else "An inbound rule has to give it"
        hint = f"Did you mean {by_case[near[0]]}? Names are case-sensitive" if near else more
        self._report(place, rule, f"{self.whose} no attribute {name}", hint)
        return None

    def _report(self, key: Key, rule: AnyRule, problem: str, remedy: str) -> None:
        self.document.report(key, problem, remedy, rule.id)

    def _type_of(self, rule: AnyRule, flow: Flow, place: Key) -> ValueType | None:
        if flow.links:
            self._check_links(rule, flow, place)
            return None
        if flow.direct:
            return self.attribute(rule, flow.direct, place if place[-2] == "copy" else (*place, "direct")) or UNTYPED
        if flow.expression:
            return self._expression_type(rule, (*place, "expression"))
        if flow.compute is not None:
            return TYPES["text"]
        return _constant_type(flow.constant)

    def _check_links(self, rule: AnyRule, flow: Flow, place: Key) -> None:
        if flow.links in self.links:
            return
        remedy = (
            f'Declare it under [attributes]: {flow.links} = "{LINK}"'
            if self.whose == "the source has"
            else "An inbound rule has to give it, by links"
        )
        self._report((*place, "links"), rule, f"{flow.links} is not known to name other objects", remedy)

    def _expression_type(self, rule: AnyRule, place: Key) -> ValueType:
        """Without sentinels: what stays of them is no value."""
        expression = self.document.expressions[place]
        linked = sorted((expression.attributes | expression.imported) & self.links)
        for name in linked:
            self._report(place, rule, f"{name} names other objects, and is no value", f'Write links = "{name}" in a flow')
        if linked:
            return UNTYPED
        found, problems = check(expression, self.schema)
        for problem in problems:
            self.document.report_expression(place, problem, rule.id)
        if Kind.REFERENCE in found.kinds and not problems:
            self._report(place, rule, "the result is a reference; expected a value", "Write links, or convert it by CStr")
        return UNTYPED if problems else ValueType(found.kinds, found.many)

    def _check_condition(self, rule: AnyRule, condition: ScopeCondition, place: Key) -> None:
        if condition.expression:
            found = self._expression_type(rule, (*place, "expression"))
            if not found.kinds <= _CONDITION or found.many:
                self._report(
                    (*place, "expression"),
                    rule,
                    f"a condition is {found}; expected one boolean",
                    "Compare it, or ask by IsPresent",
                )
        elif condition.operator not in MEMBERSHIP | LOCATION:
            known = self.attribute(rule, condition.attribute, (*place, "attribute"))
            if known is not None and condition.operator not in PRESENCE:
                for key, problem, remedy in _unfit(condition, known):
                    self._report((*place, key), rule, problem, remedy)


def _unfit(condition: ScopeCondition, known: ValueType) -> Iterator[tuple[str, str, str]]:
    """Why a value cannot be compared with an attribute: under which key, what is wrong, and what to do."""
    value, name = condition.value, condition.attribute
    if Kind.BYTES in known.kinds:
        yield "operator", f"{name} is bytes, which are only there or not", "Use ISNULL or ISNOTNULL, or an expression"
    elif condition.operator in BITS:
        if Kind.NUMBER not in known.kinds:
            yield "attribute", f"{name} is {known}; {condition.operator} expects a number", "Use another operator"
        elif not _is_number(value):
            yield "value", "is not a number", "Write the bits as a number, such as 2 or 0x200"
    elif Kind.BOOLEAN in known.kinds:
        if condition.operator in _ORDERED or str(value).casefold() not in {"true", "false"}:
            yield "value", f"{name} is true or false", "Compare it by EQUAL or NOTEQUAL with TRUE or FALSE"
    elif Kind.NUMBER in known.kinds and condition.operator in _NUMERIC and not _is_number(value):
        yield "value", f"{name} is a number, and this is none", "Write a number"


def _is_number(value: object) -> bool:
    try:
        int(str(value), 0)
    except ValueError:
        return False
    return not isinstance(value, bool)


def _constant_type(value: Any) -> ValueType:
    if isinstance(value, list):
        kinds = frozenset(_CONSTANTS[type(item)] for item in value)
        return ValueType(kinds, many=True)
    return ValueType.of(_CONSTANTS[type(value)])


def check_target(
    document: RuleDocument,
    rule: AnyRule,
    found: FlowType,
    target: str,
    schema: Mapping[str, ValueType | None],
    *,
    named: bool,
) -> None:
    """Whether a target has the attribute, and takes what flows there.

    schema: None stands for links. named: whether the rule names the target.
    """
    flow, place = found.flow, (*found.key, "to") if found.key[-2] != "copy" else found.key
    if flow.to not in schema:
        if not named:  # a rule for all targets: each takes what it has
            return
        near = difflib.get_close_matches(flow.to, schema, 1, 0.8)
        hint = f"Did you mean {near[0]}?" if near else "Remove the flow, or choose another attribute"
        document.report(place, f"the target {target} has no attribute {flow.to}", hint, rule.id)
        return
    wanted = schema[flow.to]
    if (wanted is None) != (found.type is None):
        expected = "links" if wanted is None else type_word(wanted)
        document.report(place, f"{flow.to} of {target} takes {expected}", "Change the flow", rule.id)
    elif wanted is not None and found.type is not None and found.type.kinds and not _takes(wanted, found.type):
        document.report(
            place,
            f"{flow.to} of {target} takes {type_word(wanted)}; the flow gives {type_word(found.type)}",
            "Convert it (CStr, CNum, CBool), or pick one value by Item",
            rule.id,
        )


def _takes(wanted: ValueType, given: ValueType) -> bool:
    return given.kinds <= wanted.kinds and (wanted.many or not given.many)
