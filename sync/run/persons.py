"""From objects to persons: scope and join of what changed, and what the joined objects together make of a person."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from msgspec import Struct

from sync.distinguished_names import normal_dn
from sync.model import ObjectKind, Plain, SourceObject
from sync.rules import Contributions, Evaluator, Join, MergedPerson, ObjectHeld, OutOfScope, RuleSet, SourceDescription
from sync.state import ChangedObject, SyncState

MEMBERS: Final = "member"
"""The attribute of groups that says who is in them."""


class Built(Struct, frozen=True):
    """A person, and what each of its objects gives it, or why it gives nothing."""

    merged: MergedPerson
    left: tuple[OutOfScope, ...]
    """Of its objects, those that no rule is for (any more)."""
    objects: tuple[tuple[str, bytes], ...]


class PersonBuilder:
    """Applies one set of rules to what the state knows. Raises RulesRefused where rules name what no source has."""

    def __init__(self, state: SyncState, rules: RuleSet, sources: Collection[SourceDescription]) -> None:
        self._state = state
        self.evaluator = Evaluator(rules, tuple(sources), _Directory(state, [source.name for source in sources]))
        self._search = _Search(state)
        state.persons.index("person", rules.searched)

    def judge_objects(self, now: float) -> Iterator[tuple[SourceObject, ObjectHeld]]:
        """Scope and join of every object that changed; those that are held, with the reason. They stay marked."""
        for changed in self._state.marks.changed_objects():
            try:
                with self._state.transaction():
                    self._judge(changed, now)
                    self._state.marks.settle_object(changed)
            except ObjectHeld as held:
                yield changed.object, held

    def build(self, person: int, now: float) -> Built:
        """The person as its objects make it now. Raises ObjectHeld."""
        joined = self._state.persons.objects_of(person)
        given = [self.evaluator.contribute(one.object, now=now) for one in joined]
        merged = self.evaluator.person(
            person,
            [one for one in given if isinstance(one, Contributions)],
            previous=self._state.persons.find(person),
            now=now,
        )
        left = tuple(one for one in given if isinstance(one, OutOfScope))
        return Built(merged, left, tuple((one.object.source, one.object.key) for one in joined))

    def _judge(self, changed: ChangedObject, now: float) -> None:
        found = changed.object
        given = self.evaluator.contribute(found, now=now)
        if isinstance(given, OutOfScope):
            return  # its join stays until the account is gone: who returns gets the same one
        decision = self.evaluator.join(found, given, self._existing(changed), self._search)
        person = decision.person
        if decision.makes_person:
            person = self._state.persons.create(found.kind)
        if person is None:
            self._state.persons.unjoin(found.source, found.key)
            return
        self._state.persons.join(found.source, found.key, person, decision.rule, now)
        self._state.persons.save(self.build(person, now).merged.person, now)  # the next object may be joined by these values

    def _existing(self, changed: ChangedObject) -> Join | None:
        own = (changed.object.source, changed.object.key)
        for joined in self._state.persons.objects_of(changed.person) if changed.person else ():
            if (joined.object.source, joined.object.key) == own:
                return Join(changed.person, joined.rule)
        return None


class _Search:
    """Implements `sync.rules.PersonSearch`."""

    def __init__(self, state: SyncState) -> None:
        self._persons = state.persons

    def persons_with(
        self, kinds: frozenset[ObjectKind], attribute: str, value: Plain, *, case_sensitive: bool
    ) -> Collection[int]:
        """See `PersonSearch`."""
        found = self._persons.with_value(attribute, value, exact=case_sensitive)
        return [person for person in found if (known := self._persons.find(person)) is not None and known.kind in kinds]

    def objects_of(self, person: int) -> Collection[tuple[str, bytes]]:
        """See `PersonSearch`."""
        joined = self._persons.objects_of(person)
        return [(one.object.source, one.object.key) for one in joined if not one.object.deleted]


class _Directory:
    """Implements `sync.rules.ObjectDirectory`."""

    def __init__(self, state: SyncState, sources: Collection[str]) -> None:
        self._objects, self._sources = state.objects, sources

    def key_of(self, name: str) -> bytes | None:
        """See `ObjectDirectory`. Reads everything: rules name few."""
        wanted = normal_dn(name)
        for source in self._sources:
            for found in self._objects.all(source):
                if found.dn and normal_dn(found.dn) == wanted:
                    return found.key
        return None

    def is_member(self, source: str, member: bytes, group: bytes, *, nested: bool) -> bool:
        """See `ObjectDirectory`."""
        seen, waiting = {member}, [member]
        while waiting:
            for holder in self._objects.holders_of(source, waiting.pop(), MEMBERS):
                if holder.key == group:
                    return True
                if nested and holder.key not in seen:
                    seen.add(holder.key)
                    waiting.append(holder.key)
        return False

    def has_links(self, source: str, key: bytes, attribute: str) -> bool:
        """See `ObjectDirectory`."""
        return self._objects.link_count(source, key, attribute) > 0
