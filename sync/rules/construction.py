"""From checked rules to what is evaluated: flows and scopes compiled, and only what reaches an account."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sync.model import ObjectKind
from sync.rules.checks import FlowType
from sync.rules.consistency import PlacedRule, join_conditions
from sync.rules.expressions import Bindings, Expression, ValueType
from sync.rules.flows import CompiledFlow
from sync.rules.model import MEMBERSHIP, InboundRule, OutboundRule, RulesFile
from sync.rules.ruleset import CompiledInbound, CompiledOutbound, Needs, RuleSet
from sync.rules.schema import ACCOUNT_ENABLED, DN, KEY, SOURCE_ANCHOR
from sync.rules.scope import CompiledScope, compile_scope, named_object
from sync.rules.upn import READ

_RECIPIENT: Final = "msExchRecipientTypeDetails"
"""Tells a linked mailbox, which has no anchor."""


def build(
    inbound: Sequence[PlacedRule],
    outbound: Sequence[PlacedRule],
    settings: RulesFile,
    *,
    person: Mapping[str, ValueType],
    person_links: frozenset[str],
    several: frozenset[str],
    written: Mapping[str, frozenset[str]],
) -> RuleSet:
    """inbound, outbound: by precedence, with nothing wrong in them. For the others, see RuleSet."""
    reached = _reached(inbound, outbound, written)
    expressions = [expression for one in (*inbound, *outbound) for expression in _expressions(one).values()]
    return RuleSet(
        inbound=tuple(_inbound(one, one.rule, reached) for one in inbound if isinstance(one.rule, InboundRule)),
        outbound=tuple(_outbound(one, one.rule) for one in outbound if isinstance(one.rule, OutboundRule)),
        anchor=settings.anchor.attribute,
        targets=settings.targets,
        written=written,
        declared=settings.attributes,
        several=several,
        needs={kind: _needs(inbound, kind, reached, settings.anchor.attribute) for kind in ObjectKind},
        names={name: one.rule.id for one in inbound for name in _names(one)},
        groups=frozenset(
            str(condition.value)
            for one in inbound
            for group in one.rule.scope
            for condition in group
            if condition.operator in MEMBERSHIP
        ),
        person=person,
        person_links=person_links,
        searched=frozenset(condition.person for one in inbound for _, condition in join_conditions(one.rule)),
        unused=tuple((one.rule.id, found.flow.to) for one in inbound for found in one.flows if found.flow.to not in reached),
        reads_parameters=any(expression.parameters for expression in expressions),
    )


def _reached(
    inbound: Iterable[PlacedRule], outbound: Iterable[PlacedRule], written: Mapping[str, frozenset[str]]
) -> frozenset[str]:
    """Attributes of persons that somebody reads."""
    read = {SOURCE_ANCHOR, ACCOUNT_ENABLED}
    for one in outbound:
        for found in one.flows:
            if written and not any(found.flow.to in names for names in _written_by(one, written)):
                continue
            read |= _read_by(one, found)
            if found.flow.compute is not None:
                read |= READ
        read |= _read_by_scope(one)
    for one in inbound:
        read |= {condition.person for _, condition in join_conditions(one.rule)}
    return frozenset(read)


def _written_by(one: PlacedRule, written: Mapping[str, frozenset[str]]) -> list[frozenset[str]]:
    """Attributes of each target that a rule is for."""
    targets = one.rule.targets if isinstance(one.rule, OutboundRule) else ()
    return [names for target, names in written.items() if not targets or target in targets]


def _read_by(one: PlacedRule, found: FlowType) -> set[str]:
    """Attributes, those of links among them."""
    expression = one.document.expressions.get((*found.key, "expression"))
    names = {found.flow.direct, found.flow.links} - {""}
    return names | expression.attributes if expression is not None else names


def _read_by_scope(one: PlacedRule) -> set[str]:
    names = {condition.attribute for group in one.rule.scope for condition in group} - {""}
    scoped = (expression.attributes for key, expression in _expressions(one).items() if key[len(one.key)] == "scope")
    return names.union(*scoped)


def _expressions(one: PlacedRule) -> dict[Any, Expression]:
    """Of one rule, by key."""
    return {key: found for key, found in one.document.expressions.items() if key[: len(one.key)] == one.key}


def _needs(inbound: Iterable[PlacedRule], kind: ObjectKind, reached: frozenset[str], anchor: str) -> Needs:
    attributes: set[str] = {anchor, _RECIPIENT} - {""} if kind is ObjectKind.USER else set()
    links: set[str] = set()
    for one in inbound:
        if one.rule.kind != kind or not isinstance(one.rule, InboundRule):
            continue
        attributes |= _read_by_scope(one)
        attributes |= {condition.object for _, condition in join_conditions(one.rule)}
        for found in one.flows:
            if found.flow.to in reached:
                (links if found.flow.links else attributes).update(_read_by(one, found))
    return Needs(frozenset(attributes - {DN, KEY}), frozenset(links))


def _names(one: PlacedRule) -> list[str]:
    names = (named_object(condition) for group in one.rule.scope for condition in group)
    return [name for name in names if name]


def _inbound(one: PlacedRule, rule: InboundRule, reached: frozenset[str]) -> CompiledInbound:
    return CompiledInbound(
        id=rule.id,
        sources=frozenset(rule.sources),
        kind=ObjectKind(rule.kind),
        precedence=rule.precedence,
        link=rule.link,
        scope=_scope(one),
        join=rule.join,
        flows=tuple(_flow(one, found) for found in one.flows if found.flow.to in reached),
        anchor=_anchor_flow(rule) if rule.link == "provision" else None,
    )


def _anchor_flow(rule: InboundRule) -> CompiledFlow:
    return CompiledFlow(
        rule=rule.id,
        precedence=rule.precedence,
        to=SOURCE_ANCHOR,
        merges=False,
        folds=False,
        once=False,
        run=_constant(None),
        said="source anchor",
    )


def _outbound(one: PlacedRule, rule: OutboundRule) -> CompiledOutbound:
    return CompiledOutbound(
        id=rule.id,
        targets=frozenset(rule.targets),
        kind=ObjectKind(rule.kind),
        precedence=rule.precedence,
        link=rule.link,
        scope=_scope(one),
        match=rule.match,
        flows=tuple(_flow(one, found) for found in one.flows),
    )


def _scope(one: PlacedRule) -> CompiledScope:
    start = len(one.key)
    expressions = {
        (int(key[start + 1]), int(key[start + 2])): expression
        for key, expression in _expressions(one).items()
        if key[start] == "scope"
    }
    return compile_scope(one.rule.scope, expressions)


def _flow(one: PlacedRule, found: FlowType) -> CompiledFlow:
    flow = found.flow
    run, said = _run(one, found)
    return CompiledFlow(
        rule=one.rule.id,
        precedence=one.rule.precedence,
        to=flow.to,
        merges=flow.merge != "update",
        folds=flow.merge == "merge_case_insensitive",
        once=flow.once,
        run=run,
        direct=flow.direct,
        links=flow.links,
        nested=flow.nested,
        compute=flow.compute or "",
        said=said,
    )


def _run(one: PlacedRule, found: FlowType) -> tuple[Callable[[Bindings], Any], str]:
    """What gives the value, and how people are told of it."""
    flow = found.flow
    expression = one.document.expressions.get((*found.key, "expression"))
    if expression is not None:
        return expression.evaluate, " ".join(expression.text.split())
    if flow.direct:
        return _constant(None), flow.direct
    if flow.links:
        return _constant(None), f"links {flow.links}"
    if flow.compute is not None:
        return _constant(None), f"compute {flow.compute}"
    value = tuple(flow.constant) if isinstance(flow.constant, list) else flow.constant
    return _constant(value), f"constant {value!r}"


def _constant(value: Any) -> Callable[[Bindings], Any]:
    return lambda bindings: value
