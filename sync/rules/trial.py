"""Rules applied to a few objects in memory: everything that a run does between sources and targets, without either."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import NAMESPACE_X500, uuid5

from sync.model import DesiredAccount, ObjectKind, Plain, SourceObject
from sync.rules.compiled import Evaluator, NoAccount, OutOfScope, SourceDescription
from sync.rules.errors import ObjectHeld
from sync.rules.flows import Contributions
from sync.rules.persons import MergedPerson
from sync.rules.ruleset import RuleSet

Origin = tuple[str, bytes]
"""Source and key of an object."""


def key_of_name(name: str) -> bytes:
    """A key for whatever is known by its DN only, the same for each spelling."""
    return uuid5(NAMESPACE_X500, name.casefold()).bytes_le


@dataclass(slots=True)
class TrialDirectory:
    """What the state would answer. DNs have keys that are made of them."""

    groups: Mapping[Origin, frozenset[bytes]] = field(default_factory=dict)
    """Keys of the groups that an object is a direct member of."""
    nested: Mapping[Origin, frozenset[bytes]] = field(default_factory=dict)
    """And of those that it is in through others."""
    linked: Mapping[Origin, frozenset[str]] = field(default_factory=dict)
    """Linked attributes that name somebody."""

    def key_of(self, name: str) -> bytes | None:
        """Every name is known."""
        return key_of_name(name)

    def is_member(self, source: str, member: bytes, group: bytes, *, nested: bool) -> bool:
        """As it was given."""
        origin = (source, member)
        return group in self.groups.get(origin, ()) or (nested and group in self.nested.get(origin, ()))

    def has_links(self, source: str, key: bytes, attribute: str) -> bool:
        """As it was given."""
        return attribute in self.linked.get((source, key), ())


@dataclass(slots=True)
class TrialPersons:
    """Persons so far; searched as the state searches."""

    merged: dict[int, MergedPerson] = field(default_factory=dict)
    contributions: dict[int, list[Contributions]] = field(default_factory=dict)

    def persons_with(
        self, kinds: frozenset[ObjectKind], attribute: str, value: Plain, *, case_sensitive: bool
    ) -> Collection[int]:
        """By looking at all of them."""
        wanted = _folded(value, case_sensitive)
        found = set()
        for number, merged in self.merged.items():
            own = merged.person.values.get(attribute)
            values = own if isinstance(own, tuple) else (own,)
            if merged.person.kind in kinds and wanted in [_folded(one, case_sensitive) for one in values]:
                found.add(number)
        return found

    def objects_of(self, person: int) -> Collection[Origin]:
        """Those that were joined to it."""
        return [(given.source, given.key) for given in self.contributions.get(person, ())]


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What came of the objects."""

    persons: Sequence[MergedPerson]
    """In the order in which they were made."""
    objects: Mapping[int, Collection[Origin]]
    """By person."""
    out_of_scope: Mapping[Origin, OutOfScope]
    held: Mapping[Origin, ObjectHeld]
    apart: Sequence[Origin]
    """In scope, but neither joined nor a reason to make a person."""
    accounts: Mapping[tuple[int, str], DesiredAccount | NoAccount | ObjectHeld]
    """By person and target, where there is no account yet."""


def run_trial(
    rules: RuleSet,
    sources: Sequence[SourceDescription],
    objects: Sequence[SourceObject],
    directory: TrialDirectory,
    *,
    targets: Collection[str],
    now: float,
) -> TrialResult:
    """Objects come one after the other, as they would in a first run. Raises RulesRefused."""
    evaluator = Evaluator(rules, sources, directory)
    persons = TrialPersons()
    out: dict[Origin, OutOfScope] = {}
    held: dict[Origin, ObjectHeld] = {}
    apart: list[Origin] = []
    for found in objects:
        origin = (found.source, found.key)
        try:
            given = evaluator.contribute(found, now=now)
            if isinstance(given, OutOfScope):
                out[origin] = given
                continue
            decision = evaluator.join(found, given, None, persons)
            if decision.person is None and not decision.makes_person:
                apart.append(origin)
                continue
            number = decision.person if decision.person is not None else len(persons.merged) + 1
            together = [*persons.contributions.get(number, ()), given]
            merged = evaluator.person(number, together, previous=None, now=now)
        except ObjectHeld as error:
            held[origin] = error
            continue
        persons.contributions[number], persons.merged[number] = together, merged
    joined = {number: persons.objects_of(number) for number in persons.merged}
    accounts = {
        (number, target): _account(evaluator, merged, target, now)
        for number, merged in persons.merged.items()
        for target in targets
    }
    return TrialResult(tuple(persons.merged.values()), joined, out, held, apart, accounts)


def _account(evaluator: Evaluator, merged: MergedPerson, target: str, now: float) -> DesiredAccount | NoAccount | ObjectHeld:
    try:
        return evaluator.account(merged, target, None, now=now)
    except ObjectHeld as error:
        return error


def _folded(value: object, case_sensitive: bool) -> object:
    return value.casefold() if isinstance(value, str) and not case_sensitive else value
