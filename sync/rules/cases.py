"""Tests of rules, as administrators write them: objects in, expected values out. Every difference is told."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from settings import Bounds, Key, Unfit, distinct, load_settings, not_empty
from sync.model import DesiredAccount, ObjectKind, SourceObject
from sync.rules.compiled import NoAccount, SourceDescription
from sync.rules.errors import ObjectHeld
from sync.rules.literals import Literals, read_literal, write_literal
from sync.rules.persons import MergedPerson
from sync.rules.reader import read_rules
from sync.rules.ruleset import RuleSet
from sync.rules.scope import guid_key
from sync.rules.trial import Origin, TrialDirectory, TrialResult, key_of_name, run_trial

_FIRST_OF_2026: Final = 1_767_225_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseObject:
    """An object of a source."""

    id: Annotated[str, not_empty]
    """By which the case names it."""
    source: str = "ad"
    """Name of its source."""
    kind: Literal["user", "group", "contact", "other"] = "user"
    """What it is."""
    guid: str = ""
    """Its objectGUID; by default one that is made of its id."""
    dn: str = ""
    """Where it is; OUs of rules are found in it."""
    groups: Annotated[tuple[str, ...], distinct] = ()
    """DNs or GUIDs of the groups that it is a direct member of."""
    nested_groups: Annotated[tuple[str, ...], distinct] = ()
    """And of those that these are members of."""
    links: Annotated[tuple[str, ...], distinct] = ()
    """Linked attributes that name somebody, such as manager."""
    values: Literals = field(default_factory=dict)
    """Its attributes."""

    def contradictions(self) -> Iterator[Unfit]:
        """A GUID is one."""
        if self.guid and guid_key(self.guid) is None:
            yield Unfit("is not a GUID", "write it as in 6f9619ff-8b86-d011-b42d-00c04fc964ff", setting="guid")

    def read(self) -> SourceObject:
        """As a source would tell it."""
        above = self.dn.split(",")[1:]
        return SourceObject(
            source=self.source,
            key=(guid_key(self.guid) if self.guid else None) or key_of_name(f"id={self.id}"),
            kind=ObjectKind(self.kind),
            dn=self.dn,
            path=tuple(key_of_name(",".join(above[index:])) for index in range(len(above))),
            values={name: read_literal(value) for name, value in self.values.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedAccount:
    """What a person should be at a target. Only what is named is compared."""

    values: Literals = field(default_factory=dict)
    """Values that it has."""
    absent: Annotated[tuple[str, ...], distinct] = ()
    """Attributes that have no value."""
    enabled: bool | None = None
    """Whether it is."""
    links: Annotated[tuple[str, ...], distinct] = ()
    """Attributes that name others."""
    none: bool = False
    """There is no account."""
    reason: str = ""
    """Of no account: a part of what is said about it, such as the id of a rule or an attribute."""

    def contradictions(self) -> Iterator[Unfit]:
        """No account has no values."""
        if self.none and (self.values or self.absent or self.links or self.enabled is not None):
            yield Unfit("no account has none of these", "remove it, or the others", setting="none")
        if self.reason and not self.none:
            yield Unfit("is for a person without an account", "write none = true", setting="reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedPerson:
    """A person, by the objects that are joined."""

    objects: Annotated[tuple[str, ...], not_empty, distinct]
    """Ids of all of them."""
    values: Literals = field(default_factory=dict)
    """Values that it has."""
    absent: Annotated[tuple[str, ...], distinct] = ()
    """Attributes that have no value."""
    accounts: Mapping[str, ExpectedAccount] = field(default_factory=dict)
    """By target."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Objects, and what follows from them."""

    name: Annotated[str, not_empty]
    """For people."""
    objects: Annotated[tuple[CaseObject, ...], not_empty]
    """In the order in which they come."""
    persons: tuple[ExpectedPerson, ...] = ()
    """Every person that comes of them."""
    out_of_scope: Annotated[tuple[str, ...], distinct] = ()
    """Ids of the objects that no rule is for."""
    held: Mapping[str, str] = field(default_factory=dict)
    """By id of the object, the cause by which it is held, such as AmbiguousJoin."""

    def contradictions(self) -> Iterator[Unfit]:
        """What is named is there."""
        ids = [one.id for one in self.objects]
        for index, name in enumerate(ids):
            if name in ids[:index]:
                yield Unfit(
                    f"the id {name} is that of another object", "give it another one", setting=("objects", index, "id")
                )
        expected: list[tuple[Key, str]] = [
            (("persons", row, "objects"), name) for row, one in enumerate(self.persons) for name in one.objects
        ]
        expected += [(("out_of_scope",), name) for name in self.out_of_scope]
        expected += [(("held", name), name) for name in self.held]
        for key, name in expected:
            if name not in ids:
                yield Unfit(f"there is no object {name}", f"there are: {', '.join(ids)}", setting=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class CasesFile:
    """Tests of one set of rules."""

    rules: Path | None = None
    """File of rules; without it, the default rules are tested."""
    now: Annotated[float, Bounds()] = _FIRST_OF_2026
    """What Now() gives: Unix seconds."""
    parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By source, in their order: parameters of expressions."""
    cases: Annotated[tuple[Case, ...], not_empty]
    """Each by itself."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of a case."""

    name: str
    differences: tuple[str, ...]
    """Empty: all is as expected."""


def read_cases(path: Path) -> CasesFile:
    """Raises settings.SettingsFileError."""
    return load_settings(path, CasesFile)


def run_cases(cases: CasesFile) -> list[CaseResult]:
    """Raises RulesRefused."""
    rules = read_rules(cases.rules)
    return [CaseResult(case.name, tuple(_differences(case, cases, rules))) for case in cases.cases]


def _differences(case: Case, cases: CasesFile, rules: RuleSet) -> Iterator[str]:
    objects = {one.id: one.read() for one in case.objects}
    names = {(one.source, one.key): name for name, one in objects.items()}
    sources = list(dict.fromkeys([*cases.parameters, *(one.source for one in case.objects), *_sources(rules)]))
    result = run_trial(
        rules,
        [SourceDescription(name=name, parameters=cases.parameters.get(name, {})) for name in sources],
        list(objects.values()),
        _directory(case.objects, objects),
        targets={target for person in case.persons for target in person.accounts},
        now=cases.now,
    )
    yield from _unplaced(case, names, result)
    made = {frozenset(names[origin] for origin in result.objects[one.person.id]): one for one in result.persons}
    for expected in case.persons:
        merged = made.pop(frozenset(expected.objects), None)
        if merged is None:
            yield f"expected a person of {_listed(expected.objects)}; there is none"
            continue
        yield from _person_differences(expected, merged, rules)
        for target, account in expected.accounts.items():
            where = f"{_listed(expected.objects)} at {target}"
            yield from _account_differences(where, account, result.accounts[merged.person.id, target])
    for left in made:
        yield f"there is a person of {_listed(sorted(left))}; expected none"


def _sources(rules: RuleSet) -> list[str]:
    return sorted({name for rule in rules.inbound for name in rule.sources})


def _directory(given: Sequence[CaseObject], objects: Mapping[str, SourceObject]) -> TrialDirectory:
    origins = {one.id: (objects[one.id].source, objects[one.id].key) for one in given}
    return TrialDirectory(
        groups={origins[one.id]: _keys(one.groups) for one in given},
        nested={origins[one.id]: _keys(one.nested_groups) for one in given},
        linked={origins[one.id]: frozenset(one.links) for one in given},
    )


def _keys(names: Sequence[str]) -> frozenset[bytes]:
    return frozenset(guid_key(name) or key_of_name(name) for name in names)


def _unplaced(case: Case, names: Mapping[Origin, str], result: TrialResult) -> Iterator[str]:
    """Objects that are part of no person."""
    out = {names[origin]: found for origin, found in result.out_of_scope.items()}
    held = {names[origin]: error for origin, error in result.held.items()}
    for name in case.out_of_scope:
        if name not in out:
            yield f"{name}: expected to be out of scope; it is {'held: ' + str(held[name]) if name in held else 'in scope'}"
    for name, found in out.items():
        if name not in case.out_of_scope:
            why = "; ".join(map(str, found.failed)) or "no rule is for its source and kind"
            yield f"{name}: out of scope ({why})"
    yield from _held_differences(case.held, held)
    for origin in result.apart:
        yield f"{names[origin]}: in scope, but it joins nobody, and no rule makes a person of it"


def _held_differences(expected: Mapping[str, str], held: Mapping[str, ObjectHeld]) -> Iterator[str]:
    for name, cause in expected.items():
        if name not in held:
            yield f"{name}: expected to be held by {cause}; it is not"
        elif held[name].cause != cause:
            yield f"{name}: expected to be held by {cause}; it is by {held[name]}"
    for name, error in held.items():
        if name not in expected:
            yield f"{name}: held by {error}"


def _person_differences(expected: ExpectedPerson, merged: MergedPerson, rules: RuleSet) -> Iterator[str]:
    who = f"person of {_listed(expected.objects)}"
    unused = {name for _, name in rules.unused}
    for difference in _value_differences(expected.values, expected.absent, merged.person.values):
        name = difference.partition(":")[0]
        yield f"{who}: {difference}" + (" (it is not computed: no outbound rule reads it)" if name in unused else "")


def _account_differences(
    where: str, expected: ExpectedAccount, found: DesiredAccount | NoAccount | ObjectHeld
) -> Iterator[str]:
    if isinstance(found, ObjectHeld):
        yield f"{where}: held by {found}"
    elif isinstance(found, NoAccount):
        told = "; ".join([found.reason.value, *map(str, found.failed)])
        if not expected.none:
            yield f"{where}: expected an account; there is none ({told})"
        elif expected.reason not in told:
            yield f"{where}: expected no account because of {expected.reason!r}; there is none because: {told}"
    elif expected.none:
        yield f"{where}: expected no account; there is one"
    else:
        yield from (f"{where}: {one}" for one in _value_differences(expected.values, expected.absent, found.values))
        if expected.enabled is not None and expected.enabled != found.enabled:
            yield f"{where}: expected it {_enabled(expected.enabled)}; it is {_enabled(found.enabled)}"
        linked = {link.attribute for link in found.links}
        yield from (f"{where}: {name}: expected links; there are none" for name in expected.links if name not in linked)


def _value_differences(expected: Mapping[str, Any], absent: Collection[str], found: Mapping[str, object]) -> Iterator[str]:
    for name, wanted in expected.items():
        value = read_literal(wanted)
        if found.get(name) != value or type(found.get(name)) is not type(value):
            yield f"{name}: expected {write_literal(value)}; found {write_literal(found.get(name))}"
    for name in absent:
        if name in found:
            yield f"{name}: expected no value; found {write_literal(found[name])}"


def _enabled(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)
