"""Whether rules fit each other: ids, precedence, and what several of them say of one attribute."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from settings import Key
from sync.rules.checks import AnyRule, FlowType
from sync.rules.documents import RuleDocument
from sync.rules.expressions import Kind, ValueType
from sync.rules.model import InboundRule, JoinCondition
from sync.rules.schema import ACCOUNT_ENABLED, SOURCE_ANCHOR, type_word


@dataclass(frozen=True, slots=True)
class PlacedRule:
    """A rule, and where it stands."""

    document: RuleDocument
    key: Key
    rule: AnyRule
    flows: Sequence[FlowType]

    def report(self, key: Key, problem: str, remedy: str) -> None:
        """Adds a problem; key: inside the rule."""
        self.document.report((*self.key, *key), problem, remedy, self.rule.id)


def check_ids(placed: Iterable[PlacedRule]) -> None:
    """Lineage and errors name a rule by its id."""
    seen: dict[str, PlacedRule] = {}
    for one in placed:
        if one.rule.id in seen:
            one.report(("id",), f"the id {one.rule.id} is that of {_where(seen[one.rule.id])}, too", "Give it another one")
        seen.setdefault(one.rule.id, one)


def check_precedence(placed: Iterable[PlacedRule]) -> None:
    """Of rules of one direction for one kind of object, it is always clear which one wins."""
    seen: dict[tuple[str, int], PlacedRule] = {}
    for one in placed:
        place = (one.rule.kind, one.rule.precedence)
        if place in seen:
            other = seen[place]
            one.report(
                ("precedence",),
                f"{one.rule.precedence} is the precedence of {other.rule.id} ({_where(other)}), too",
                "Give it another one",
            )
        seen.setdefault(place, one)


def check_attributes(placed: Sequence[PlacedRule]) -> None:
    """All flows to one attribute agree on what it holds, and on how its values come together."""
    first: dict[str, tuple[PlacedRule, FlowType]] = {}
    for one in placed:
        for found in one.flows:
            name = found.flow.to
            if name not in first:
                first[name] = (one, found)
                continue
            other, before = first[name]
            problem = _disagreement(name, found, before)
            if problem:
                one.document.report(
                    found.key,
                    f"{problem} in the rule {other.rule.id} ({_where(other)})",
                    "All flows to one attribute say the same",
                    one.rule.id,
                )
            elif before.type is not None and not before.type.kinds:
                first[name] = (one, found)


def check_reserved(placed: Iterable[PlacedRule]) -> None:
    """Attributes of persons that mean something to the engine."""
    for one in placed:
        for found in one.flows:
            if found.flow.to == SOURCE_ANCHOR:
                one.document.report(
                    found.key,
                    "the source anchor is set by [anchor], for every rule that provisions",
                    "Remove it",
                    one.rule.id,
                )
            if found.flow.to == ACCOUNT_ENABLED and found.type != ValueType.of(Kind.BOOLEAN):
                given = "links" if found.type is None else type_word(found.type)
                one.document.report(
                    found.key,
                    f"{ACCOUNT_ENABLED} decides whether accounts are enabled: expected a boolean, not {given}",
                    "Compare something: BitAnd([userAccountControl], 2) = 0",
                    one.rule.id,
                )


def merged_types(placed: Iterable[PlacedRule]) -> tuple[dict[str, ValueType], frozenset[str]]:
    """What attributes hold after all flows: those of values with their type, and those of links."""
    types: dict[str, ValueType] = {}
    links = set()
    for one in placed:
        for found in one.flows:
            name = found.flow.to
            if found.type is None:
                links.add(name)
            else:
                many = found.type.many or found.flow.merge != "update"
                known = ValueType(found.type.kinds, many)
                types[name] = types[name] | known if name in types else known
    return types, frozenset(links)


def check_joins(placed: Iterable[PlacedRule], person: Mapping[str, ValueType]) -> None:
    """What joins search by is a value that persons have."""
    for one in placed:
        for place, condition in join_conditions(one.rule):
            if condition.person not in person:
                one.report(
                    (*place, "person"),
                    f"no inbound rule gives persons the attribute {condition.person}",
                    "Add a flow to it, or search by another one",
                )


def join_conditions(rule: AnyRule) -> Iterator[tuple[Key, JoinCondition]]:
    """Of all join groups, with the key of each inside the rule."""
    if isinstance(rule, InboundRule):
        for row, group in enumerate(rule.join):
            for column, condition in enumerate(group):
                yield ("join", row, column), condition


def _disagreement(name: str, found: FlowType, before: FlowType) -> str:
    """What two flows say differently."""
    if found.flow.merge != before.flow.merge:
        return f'{name} has merge = "{found.flow.merge}" here, and "{before.flow.merge}"'
    if (found.type is None) != (before.type is None):
        return f"{name} gets values here, and links" if before.type is None else f"{name} gets links here, and values"
    if found.type is None or before.type is None or not found.type.kinds or not before.type.kinds:
        return ""
    if found.type.kinds != before.type.kinds or found.type.many != before.type.many:
        return f"{name} gets {type_word(found.type)} here, and {type_word(before.type)}"
    return ""


def _where(one: PlacedRule) -> str:
    return f"{one.document.path}:{one.document.place(one.key)[0]}"
