"""Rules that were read, checked and compiled: what one run, or several, work with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sync.model import ObjectKind
from sync.rules.expressions import ValueType
from sync.rules.flows import CompiledFlow
from sync.rules.model import JoinGroups, LinkType, TargetDomains, TypeWord
from sync.rules.scope import CompiledScope


@dataclass(frozen=True, slots=True)
class CompiledInbound:
    """An inbound rule."""

    id: str
    sources: frozenset[str]
    """Empty: all."""
    kind: ObjectKind
    precedence: int
    link: LinkType
    scope: CompiledScope
    join: JoinGroups
    flows: tuple[CompiledFlow, ...]
    """Without those that reach no account."""
    anchor: CompiledFlow | None
    """Of a rule that provisions: the flow of the source anchor."""


@dataclass(frozen=True, slots=True)
class CompiledOutbound:
    """An outbound rule."""

    id: str
    targets: frozenset[str]
    """Empty: all."""
    kind: ObjectKind
    precedence: int
    link: LinkType
    scope: CompiledScope
    match: tuple[str, ...]
    flows: tuple[CompiledFlow, ...]


@dataclass(frozen=True, slots=True)
class Needs:
    """What rules read of the objects of one kind: what sources have to deliver."""

    attributes: frozenset[str]
    """Without DN and key, which every object has."""
    links: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """Made by read_rules."""

    inbound: tuple[CompiledInbound, ...]
    """By precedence, as are the outbound ones."""
    outbound: tuple[CompiledOutbound, ...]
    anchor: str
    """Attribute of users that holds their source anchor; empty: the key is it."""
    targets: Mapping[str, TargetDomains]
    written: Mapping[str, frozenset[str]]
    """By target, where that is known: the attributes that its accounts have. Flows to others are left out for it."""
    declared: Mapping[str, TypeWord]
    """Types of attributes that the rules declare: sources have to deliver values of these."""
    several: frozenset[str]
    """Attributes of sources that may have several values."""
    needs: Mapping[ObjectKind, Needs]
    names: Mapping[str, str]
    """DNs that stand in scopes, with the rule that has each: a run begins by finding their keys."""
    groups: frozenset[str]
    """DNs and GUIDs of the groups among whose members somebody is asked for: when these change, scopes do."""
    person: Mapping[str, ValueType]
    """Attributes of persons, with what the rules give them."""
    person_links: frozenset[str]
    """Attributes of persons that name others."""
    searched: frozenset[str]
    """Attributes of persons by which joins search."""
    unused: tuple[tuple[str, str], ...]
    """Rule and attribute of the inbound flows that reach no account, and are not computed."""
    reads_parameters: bool
