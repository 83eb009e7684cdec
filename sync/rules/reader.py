"""From files of rules to a RuleSet. Everything that is wrong is told at once, with file, line, column and key.

What has the wrong form, or is no expression, is told first; whether types fit, and rules each other, once the form is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from settings import Key
from sync.rules.checks import AnyRule, RuleChecker, check_target
from sync.rules.consistency import (
    PlacedRule,
    check_attributes,
    check_ids,
    check_joins,
    check_precedence,
    check_reserved,
    join_conditions,
    merged_types,
)
from sync.rules.construction import build
from sync.rules.documents import RuleDocument, read_document
from sync.rules.errors import RulesRefused
from sync.rules.expressions import RuleSchema, ValueType
from sync.rules.model import OutboundRule, RulesFile
from sync.rules.ruleset import RuleSet
from sync.rules.schema import KNOWN_ATTRIBUTES, LINK, SOURCE_ANCHOR, TYPES

DEFAULT_FILES: Final = tuple(
    Path(__file__).with_name("default") / name for name in ("users.toml", "groups.toml", "contacts.toml")
)
"""The default rules."""

TargetSchema = Mapping[str, ValueType | None]
"""Attributes of a target's accounts; None: it names other accounts."""


def read_rules(
    path: Path | None, *, targets: Mapping[str, TargetSchema] | None = None, content: bytes | None = None
) -> RuleSet:
    """path: of the file of rules; None: the default rules alone. content: what is to be in it, instead of what is there.

    targets: by name, what each target takes, where that is known; without it, attributes of accounts are not checked.
    Raises RulesRefused.
    """
    own = read_document(path, content) if path is not None else None
    documents = [own] if own is not None else []
    if own is None or (own.model is not None and own.model.default_rules):
        documents += [read_document(file) for file in DEFAULT_FILES]
    _stop_at(documents)
    settings = own.model if own is not None and own.model is not None else RulesFile()
    return _checked(documents, settings, targets or {})


def _checked(documents: Sequence[RuleDocument], settings: RulesFile, targets: Mapping[str, TargetSchema]) -> RuleSet:
    words = {**KNOWN_ATTRIBUTES, **settings.attributes}
    source = {name: TYPES[word] for name, word in words.items() if word != LINK}
    links = frozenset(name for name, word in words.items() if word == LINK)
    _check_without(documents, settings)
    inbound = _placed(documents, settings, "inbound", RuleSchema(attributes=source), links, "the source has")
    person, person_links = merged_types(inbound)
    person[SOURCE_ANCHOR] = TYPES["text"]
    confirmed = _confirmed(documents, settings, targets)
    schema = RuleSchema(attributes=person, imported=confirmed, parameters=frozenset())
    outbound = _placed(documents, settings, "outbound", schema, person_links, "persons have")
    check_ids([*inbound, *outbound])
    for placed in (inbound, outbound):
        check_precedence(placed)
    check_attributes(inbound)
    check_reserved(inbound)
    check_joins(inbound, person)
    _check_outbound(documents[0], outbound, settings, targets)
    _stop_at(documents)
    return build(
        inbound,
        outbound,
        settings,
        person=person,
        person_links=person_links,
        several=frozenset(name for name, known in source.items() if known.many),
        written={name: frozenset(schema) for name, schema in targets.items()},
    )


def _stop_at(documents: Iterable[RuleDocument]) -> None:
    problems = [problem for document in documents for problem in document.problems]
    if problems:
        raise RulesRefused(sorted(dict.fromkeys(problems), key=lambda problem: (problem.file, problem.line, problem.column)))


def _placed(
    documents: Iterable[RuleDocument],
    settings: RulesFile,
    direction: Literal["inbound", "outbound"],
    schema: RuleSchema,
    links: frozenset[str],
    whose: str,
) -> list[PlacedRule]:
    placed = []
    for document in documents:
        checker = RuleChecker(document, schema, links, whose)
        for key, rule in _rules(document, settings, direction):
            checker.check_scope(rule, key)
            for place, condition in join_conditions(rule):
                checker.attribute(rule, condition.object, (*key, *place, "object"))
            placed.append(PlacedRule(document, key, rule, checker.flow_types(rule, key)))
    return sorted(placed, key=lambda one: one.rule.precedence)


def _rules(
    document: RuleDocument, settings: RulesFile, direction: Literal["inbound", "outbound"]
) -> Iterable[tuple[Key, AnyRule]]:
    """Of a document, without the default rules that do not hold."""
    assert document.model is not None  # noqa: S101 - else there are problems, which stop before
    without = settings.without if document.model is not settings else ()
    rules: list[AnyRule] = []
    if direction == "inbound":
        rules += document.model.inbound
    else:
        rules += document.model.outbound
    placed: list[tuple[Key, AnyRule]] = [((direction, index), rule) for index, rule in enumerate(rules)]
    return [(key, rule) for key, rule in placed if rule.id not in without]


def _check_without(documents: Sequence[RuleDocument], settings: RulesFile) -> None:
    defaults = {
        rule.id
        for document in documents
        if document.model is not None and document.model is not settings
        for rule in document.model.all()
    }
    for index, name in enumerate(settings.without):
        if name not in defaults:
            documents[0].report(
                ("without", index), f"no default rule is {name}; there are: {', '.join(sorted(defaults))}", "Correct it"
            )


def _confirmed(
    documents: Iterable[RuleDocument], settings: RulesFile, targets: Mapping[str, TargetSchema]
) -> dict[str, ValueType]:
    """What ImportedValue may name: attributes of the targets; where these are not known, those that rules write.

    Of the latter, the type is not known: it is taken for that of a known attribute of this name, else for a text.
    """
    known = {name: found for schema in targets.values() for name, found in schema.items() if found is not None}
    for document in documents:
        for _, rule in _rules(document, settings, "outbound"):
            for name in (*rule.copy, *(flow.to for flow in rule.flows if not flow.links)):
                known.setdefault(name, TYPES.get(KNOWN_ATTRIBUTES.get(name, "text"), TYPES["text"]))
    return known


def _check_outbound(
    own: RuleDocument, placed: Sequence[PlacedRule], settings: RulesFile, targets: Mapping[str, TargetSchema]
) -> None:
    given = {(one.rule.kind, found.flow.to) for one in placed for found in one.flows}
    named = {name for one in placed for name in _targets_of(one)}
    for kind in ("user", "group", "contact"):
        for target in ("", *sorted(named)):  # "": one that no rule names
            together = [one for one in placed if one.rule.kind == kind and _is_for(one, target)]
            check_attributes(together)
    for one in placed:
        _check_target_names(one, targets)
        for index, name in enumerate(one.rule.match if isinstance(one.rule, OutboundRule) else ()):
            if (one.rule.kind, name) not in given:
                one.report(("match", index), f"no outbound rule gives {name}", "Add a flow to it, or match by another one")
    for name in sorted(settings.targets.keys() - targets.keys()) if targets else ():
        own.report(("targets", name), f"there is no target {name}; there are: {', '.join(targets)}", "Correct it")


def _check_target_names(one: PlacedRule, targets: Mapping[str, TargetSchema]) -> None:
    """The targets that a rule is for, and what it writes there."""
    named = _targets_of(one)
    for index, name in enumerate(named):
        if targets and name not in targets:
            one.report(("targets", index), f"there is no target {name}; there are: {', '.join(targets)}", "Correct it")
    for target, schema in targets.items():
        for found in one.flows if _is_for(one, target) else ():
            check_target(one.document, one.rule, found, target, schema, named=target in named)


def _targets_of(one: PlacedRule) -> tuple[str, ...]:
    return one.rule.targets if isinstance(one.rule, OutboundRule) else ()


def _is_for(one: PlacedRule, target: str) -> bool:
    return not _targets_of(one) or target in _targets_of(one)
