"""Which person an object is: found by equal values, made, or neither. Ambiguity is an error, never a guess.

Join groups are tried from the first to the last. One person found: that is it. None, or several: the next group. If no group
finds exactly one, and one of them found several, the object is held (AmbiguousJoin). Two objects of one source never join
one person (TwoFromOneSource). Join groups may stand in one rule in scope only.

A join is made once, and kept as long as the rule that made it is in scope; then the others are asked again, and where none
finds a person, a rule that would make one takes the object's person over instead.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Protocol

from msgspec import Struct

from sync.model import ObjectKind, Plain, SourceObject
from sync.rules.errors import ObjectHeld
from sync.rules.model import JoinCondition
from sync.rules.ruleset import CompiledInbound

_PEOPLE: Final = frozenset({ObjectKind.USER, ObjectKind.CONTACT})
_GROUPS: Final = frozenset({ObjectKind.GROUP})
_ANY: Final = frozenset({ObjectKind.USER, ObjectKind.CONTACT, ObjectKind.GROUP})
_KINDS: Final = {ObjectKind.USER: _PEOPLE, ObjectKind.CONTACT: _PEOPLE, ObjectKind.GROUP: _GROUPS, ObjectKind.OTHER: _ANY}
"""Kinds of persons that an object may join: a contact may stand for the user of another forest, a group never does."""


class PersonSearch(Protocol):
    """How candidates are found. The state implements it; persons as they are after the objects before this one."""

    def persons_with(
        self, kinds: frozenset[ObjectKind], attribute: str, value: Plain, *, case_sensitive: bool
    ) -> Collection[int]:
        """Persons of these kinds that have this value, alone or among several."""

    def objects_of(self, person: int) -> Collection[tuple[str, bytes]]:
        """Source and key of every object that is joined to a person."""


class Join(Struct, frozen=True):
    """What an object is joined to."""

    person: int
    rule: str
    """Id of the rule that made it."""


class JoinDecision(Struct, frozen=True):
    """What is to be done."""

    person: int | None
    """To join it to. None: to make a person, or to leave the object alone."""
    rule: str = ""
    """That says so; empty: the object is left alone."""

    @property
    def makes_person(self) -> bool:
        """Whether a person is to be made."""
        return self.person is None and bool(self.rule)


def decide_join(
    found: SourceObject, rules: Sequence[CompiledInbound], existing: Join | None, search: PersonSearch
) -> JoinDecision:
    """rules: those in scope, by precedence. existing: what the object is joined to so far. Raises ObjectHeld."""
    if existing is not None and any(rule.id == existing.rule for rule in rules):
        return JoinDecision(existing.person, existing.rule)
    joining = [rule for rule in rules if rule.join]
    own = (found.source, found.key)
    if len(joining) > 1:
        raise ObjectHeld(
            "ConflictingRules",
            f"join groups stand in several rules that are in scope: {', '.join(rule.id for rule in joining)}",
            "Have their scopes exclude each other, or keep the join groups of one",
            objects=[own],
        )
    for rule in joining:
        person = _search(found, rule, search)
        if person is not None:
            _check_source(found, person, rule, search)
            return JoinDecision(person, rule.id)
    for rule in rules:
        if rule.link == "provision" and (not rule.join or _has_value(found, rule)):
            return JoinDecision(existing.person if existing is not None else None, rule.id)
    return JoinDecision(None)


def _search(found: SourceObject, rule: CompiledInbound, search: PersonSearch) -> int | None:
    ambiguous: list[int] = []
    for group in rule.join:
        persons = _persons(found, group, search)
        if len(persons) == 1:
            return persons.pop()
        ambiguous += sorted(persons - set(ambiguous))
    if ambiguous:
        objects = [joined for person in ambiguous for joined in search.objects_of(person)]
        raise ObjectHeld(
            "AmbiguousJoin",
            f"{len(ambiguous)} persons match",
            "Make the values that are compared unique, or add a join group before that tells these apart",
            rule=rule.id,
            objects=[(found.source, found.key), *objects],
            persons=ambiguous,
        )
    return None


def _persons(found: SourceObject, group: Sequence[JoinCondition], search: PersonSearch) -> set[int]:
    """Those for whom all conditions hold. An absent value equals nothing."""
    persons: set[int] | None = None
    for condition in group:
        matching: set[int] = set()
        for value in found_values(found, condition.object):
            matching.update(
                search.persons_with(_KINDS[found.kind], condition.person, value, case_sensitive=condition.case_sensitive)
            )
        persons = matching if persons is None else persons & matching
        if not persons:
            return set()
    return persons or set()


def found_values(found: SourceObject, attribute: str) -> tuple[Plain, ...]:
    """Values of an attribute of an object that are worth comparing."""
    value = found.key if attribute == "objectGUID" else found.dn if attribute == "dn" else found.values.get(attribute)
    values = value if isinstance(value, tuple) else () if value is None else (value,)
    return tuple(one for one in values if one not in {"", b""})


def _has_value(found: SourceObject, rule: CompiledInbound) -> bool:
    """A person that no later object could be joined to is not made."""
    return any(found_values(found, condition.object) for group in rule.join for condition in group)


def _check_source(found: SourceObject, person: int, rule: CompiledInbound, search: PersonSearch) -> None:
    own = (found.source, found.key)
    others = [joined for joined in search.objects_of(person) if joined[0] == found.source and joined != own]
    if others:
        raise ObjectHeld(
            "TwoFromOneSource",
            f"the person that matches has an object of {found.source} already",
            "Change the values of one of the two objects, or the join",
            rule=rule.id,
            objects=[own, *others],
            persons=[person],
        )
