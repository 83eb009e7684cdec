"""What rules say of given objects: the way through scope, join, flows and precedence, for one run.

contribute(object) ─► Contributions ──┐                         ┌─► DesiredAccount, at each target
contribute(object) ─► OutOfScope      ├─ person ─► MergedPerson ┤
…, join(object)                     ──┘                         └─► NoAccount, with the condition that excludes it
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeAlias

from msgspec import Struct

from sync.model import AccountState, ConfirmedAccount, DesiredAccount, LinkFlow, ObjectKind, Person, SourceObject
from sync.rules.anchor import source_anchor
from sync.rules.errors import ObjectHeld, RuleProblem, RulesRefused
from sync.rules.expressions import Bindings, EvaluationFailed, Value
from sync.rules.flows import CompiledFlow, Contributions, Contributor, contributors_of, held_by, settle
from sync.rules.joins import Join, JoinDecision, PersonSearch, decide_join
from sync.rules.model import TargetDomains
from sync.rules.persons import MergedPerson, merge_person
from sync.rules.ruleset import CompiledInbound, CompiledOutbound, RuleSet
from sync.rules.schema import ACCOUNT_ENABLED, DN, KEY, SOURCE_ANCHOR
from sync.rules.scope import ObjectDirectory, ScopeContext
from sync.rules.upn import mail_nickname, user_principal_name

_NO_DOMAINS: Final = TargetDomains()
_TargetFlows: TypeAlias = tuple[tuple[CompiledFlow, ...], tuple[CompiledFlow, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDescription:
    """What rules have to know of a source."""

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    """By name, without the percent signs: `Forest.FQDN`."""
    domains: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Of a forest with several domains: by the DN of each, the parameters that are different in it."""


class FailedScope(Struct, frozen=True):
    """A rule that is not for an object or person, and the condition that says so."""

    rule: str
    condition: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.condition}"


class OutOfScope(Struct, frozen=True):
    """No inbound rule is for this object."""

    source: str
    key: bytes
    deleted: bool
    failed: tuple[FailedScope, ...]
    """Of each rule, the first condition of each group that is not true; empty where no rule is for its source and kind."""


class NoAccountReason(enum.StrEnum):
    """Why a person has no account at a target."""

    NOT_KEPT = "not kept"
    """None of its objects is in the scope of a rule that provisions or keeps."""
    NO_RULE = "no rule"
    """No outbound rule that provisions is for this target and kind."""
    OUT_OF_SCOPE = "out of scope"


class NoAccount(Struct, frozen=True):
    """A person is not to have an account at a target."""

    person: int
    target: str
    reason: NoAccountReason
    failed: tuple[FailedScope, ...] = ()


class Evaluator:
    """Of one set of rules, for the sources of one installation. Has no state: nothing of an object stays in it."""

    def __init__(self, rules: RuleSet, sources: Sequence[SourceDescription], directory: ObjectDirectory) -> None:
        """sources: in the order in which they win where one rule is for several. Raises RulesRefused."""
        self.rules = rules
        self._directory = directory
        self._order = {source.name: index for index, source in enumerate(sources)}
        self._sources = {source.name: source for source in sources}
        self._domains = {
            source.name: {name.casefold(): {**source.parameters, **own} for name, own in source.domains.items()}
            for source in sources
        }
        self._context = ScopeContext(directory, _keys_of_names(rules, self._sources, directory))
        self._several = {kind: needs.attributes & rules.several for kind, needs in rules.needs.items()}
        """Sources deliver one value by itself; for expressions, what may have several is a tuple."""
        self._inbound: dict[tuple[str, ObjectKind], tuple[CompiledInbound, ...]] = {}
        self._by_id = {rule.id: rule for rule in rules.inbound}
        self._outbound: dict[tuple[str, ObjectKind], tuple[CompiledOutbound, ...]] = {}
        self._target_flows: dict[tuple[str, str], _TargetFlows] = {}

    def contribute(self, found: SourceObject, *, now: float, explain: bool = False) -> Contributions | OutOfScope:
        """What the rules make of one object. explain: of flows that cannot win, too. Raises ObjectHeld."""
        rules = self._rules_for(found)
        if found.deleted:
            return OutOfScope(found.source, found.key, True, ())
        bindings = self._bindings(found, now)
        in_scope = [rule for rule in rules if self._holds(rule, bindings, found)]
        if not in_scope:
            return OutOfScope(found.source, found.key, False, self._failed(rules, bindings, found))
        given = Contributions(
            source=found.source,
            key=found.key,
            kind=found.kind,
            rules=tuple(rule.id for rule in in_scope),
            keeps=any(rule.link != "join" for rule in in_scope),
            anchor=source_anchor(found, self.rules.anchor),
        )
        for rule in in_scope:
            if rule.anchor is not None and given.anchor:
                given.winners.setdefault(SOURCE_ANCHOR, (rule.anchor, given.anchor))
            given.collect(rule.flows, bindings, everything=explain)
        return given

    def join(
        self, found: SourceObject, contributions: Contributions, existing: Join | None, search: PersonSearch
    ) -> JoinDecision:
        """Which person the object is. existing: what it is joined to so far. Raises ObjectHeld."""
        return decide_join(found, [self._by_id[rule] for rule in contributions.rules], existing, search)

    def person(
        self,
        person: int,
        contributions: Sequence[Contributions],
        *,
        previous: Person | None,
        now: float,
        explain: bool = False,
    ) -> MergedPerson:
        """What the objects that are joined to a person make of it, in any order. Raises ObjectHeld."""
        ordered = contributions
        if len(contributions) > 1:
            ordered = sorted(contributions, key=lambda given: (self._order.get(given.source, len(self._order)), given.key))
        return merge_person(person, ordered, previous=previous, now=now, has_links=self._has_links, explain=explain)

    def account(
        self, merged: MergedPerson, target: str, account: ConfirmedAccount | None, *, now: float
    ) -> DesiredAccount | NoAccount:
        """What a person should be at a target. account: what the target has confirmed so far. Raises ObjectHeld."""
        person = merged.person
        if not merged.kept_by:
            return NoAccount(person.id, target, NoAccountReason.NOT_KEPT)
        there = account if account is not None and account.state is not AccountState.DELETED else None
        bindings = Bindings(attributes=person.values, imported=there.values if there else {}, now=now)
        rules = self._rules_at(target, person.kind)
        in_scope = [rule for rule in rules if self._holds(rule, bindings, None)]
        wanting = [rule for rule in rules if rule.link == "provision" or (there and rule.link == "sticky_join")]
        if not any(rule in in_scope for rule in wanting):
            reason = NoAccountReason.OUT_OF_SCOPE if wanting else NoAccountReason.NO_RULE
            return NoAccount(person.id, target, reason, self._failed(wanting, bindings, None))
        return self._desired(merged, target, there, in_scope, bindings)

    def explain_scope(self, found: SourceObject, *, now: float) -> tuple[FailedScope, ...]:
        """Why the rules for its source and kind that are not in scope of an object are not. Raises ObjectHeld."""
        bindings = self._bindings(found, now)
        out = [rule for rule in self._rules_for(found) if not self._holds(rule, bindings, found)]
        return self._failed(out, bindings, found)

    def explain_account(
        self, merged: MergedPerson, target: str, account: ConfirmedAccount | None, *, now: float
    ) -> dict[str, tuple[Contributor, ...]]:
        """Who gives an account's values, by attribute, in the order of precedence. Raises ObjectHeld."""
        person = merged.person
        bindings = Bindings(attributes=person.values, imported=account.values if account else {}, now=now)
        given = Contributions(target, b"", person.kind, (), True, "")
        for rule in self._rules_at(target, person.kind):
            if self._holds(rule, bindings, None):
                given.collect(self._flows_at(target, rule)[0], bindings, everything=True)
        settled = settle([given], account.sent if account else {}, self._has_links)
        return {name: contributors_of(rows, one) for name, rows, one in settled}

    def _desired(
        self,
        merged: MergedPerson,
        target: str,
        there: ConfirmedAccount | None,
        rules: Sequence[CompiledOutbound],
        bindings: Bindings,
    ) -> DesiredAccount:
        person = merged.person
        given = Contributions(target, b"", person.kind, (), True, "")
        links: dict[str, tuple[CompiledFlow, list[LinkFlow]]] = {}
        for rule in rules:
            value_flows, link_flows = self._flows_at(target, rule)
            given.collect(value_flows, bindings)
            for flow in link_flows:
                _add_links(links, flow, merged.links.get(flow.links, ()))
        quick = given.undisputed()
        values: dict[str, Any] = {name: value for name, (_, value) in quick.items()}
        keep = set()
        for name, _, settled in settle([given], there.sent if there else {}, self._has_links, quick):
            if settled.keeps:
                keep.add(name)
            elif settled.value is not None:
                values[name] = settled.value
        return DesiredAccount(
            person=person.id,
            target=target,
            kind=person.kind,
            anchor=_anchor(person, there),
            values=values,
            links=tuple(link for _, found in links.values() for link in found),
            enabled=person.values.get(ACCOUNT_ENABLED) is not False,
            match=tuple(dict.fromkeys(name for rule in rules for name in rule.match)),
            keep=frozenset(keep),
        )

    def _rules_for(self, found: SourceObject) -> tuple[CompiledInbound, ...]:
        place = (found.source, found.kind)
        rules = self._inbound.get(place)
        if rules is None:
            rules = self._inbound[place] = tuple(
                rule
                for rule in self.rules.inbound
                if rule.kind is found.kind and (not rule.sources or found.source in rule.sources)
            )
        return rules

    def _rules_at(self, target: str, kind: ObjectKind) -> tuple[CompiledOutbound, ...]:
        rules = self._outbound.get((target, kind))
        if rules is None:
            rules = self._outbound[target, kind] = tuple(
                rule for rule in self.rules.outbound if rule.kind is kind and (not rule.targets or target in rule.targets)
            )
        return rules

    def _flows_at(self, target: str, rule: CompiledOutbound) -> _TargetFlows:
        """Of a rule at one target: flows of values, and of links."""
        found = self._target_flows.get((target, rule.id))
        if found is None:
            domains, written = self.rules.targets.get(target, _NO_DOMAINS), self.rules.written.get(target)
            flows = [_computed(flow, domains) for flow in rule.flows if written is None or flow.to in written]
            found = tuple(flow for flow in flows if not flow.links), tuple(flow for flow in flows if flow.links)
            self._target_flows[target, rule.id] = found
        return found

    def _bindings(self, found: SourceObject, now: float) -> Bindings:
        attributes: dict[str, Value] = {**found.values, DN: found.dn, KEY: found.key}
        several = self._several[found.kind]
        for name in several:
            value = attributes.get(name)
            if value is not None and value.__class__ is not tuple:
                attributes[name] = (value,)  # type: ignore[assignment]  # not None
        for name, several_values in found.values.items():
            if several_values.__class__ is tuple and name not in several and name in self.rules.needs[found.kind].attributes:
                raise _too_many(found, name)
        parameters = self._parameters(found) if self.rules.reads_parameters else {}
        return Bindings(attributes=attributes, imported=attributes, parameters=parameters, now=now)

    def _parameters(self, found: SourceObject) -> Mapping[str, str]:
        """Of the domain that the object is in: that with the longest DN that its own ends with."""
        source = self._sources.get(found.source)
        if source is None:
            return {}
        own = found.dn.casefold()
        inside = [name for name in self._domains[found.source] if own == name or own.endswith(f",{name}")]
        return self._domains[found.source][max(inside, key=len)] if inside else source.parameters

    def _holds(self, rule: CompiledInbound | CompiledOutbound, bindings: Bindings, found: SourceObject | None) -> bool:
        try:
            return rule.scope.holds(bindings, found, self._context)
        except EvaluationFailed as failed:
            raise held_by(failed, rule.id, [(found.source, found.key)] if found is not None else []) from failed

    def _failed(
        self, rules: Sequence[CompiledInbound | CompiledOutbound], bindings: Bindings, found: SourceObject | None
    ) -> tuple[FailedScope, ...]:
        return tuple(
            FailedScope(rule.id, str(condition))
            for rule in rules
            for condition in rule.scope.failing(bindings, found, self._context)
        )

    def _has_links(self, link: LinkFlow) -> bool:
        return self._directory.has_links(*link.object, link.links)


def _too_many(found: SourceObject, name: str) -> ObjectHeld:
    return ObjectHeld(
        "ExpressionError",
        f"{name} has several values, and rules take it for an attribute of one",
        f'Declare it under [attributes], such as {name} = "text[]", and choose a value by Item',
        objects=[(found.source, found.key)],
        value=found.values[name],
    )


def _computed(flow: CompiledFlow, domains: TargetDomains) -> CompiledFlow:
    """A flow at one target: what is computed depends on its domains."""
    if flow.compute == "mail_nickname":
        return replace(flow, run=lambda bindings: mail_nickname(bindings.attributes))  # type: ignore[arg-type]  # no dates
    if flow.compute == "user_principal_name":
        verified, initial = frozenset(map(str.casefold, domains.verified_domains)), domains.initial_domain
        return replace(flow, run=lambda bindings: user_principal_name(bindings.attributes, verified, initial))  # type: ignore[arg-type]  # no dates
    return flow


def _add_links(links: dict[str, tuple[CompiledFlow, list[LinkFlow]]], flow: CompiledFlow, found: Sequence[LinkFlow]) -> None:
    """The first rule that has any, or all where they merge. The account's attribute takes the place of the person's."""
    if not found or (flow.to in links and not flow.merges):
        return
    own = [
        LinkFlow(attribute=flow.to, object=link.object, links=link.links, nested=link.nested or flow.nested, rule=flow.rule)
        for link in found
    ]
    links.setdefault(flow.to, (flow, []))[1].extend(link for link in own if link not in links[flow.to][1])


def _anchor(person: Person, there: ConfirmedAccount | None) -> str:
    """Raises ObjectHeld: an account without an anchor would not be found again, and made a second time."""
    anchor = person.values.get(SOURCE_ANCHOR)
    if not isinstance(anchor, str) or not anchor:
        raise ObjectHeld(
            "MandatoryMissing",
            "the person has no source anchor",
            "One of its objects has to be in the scope of an inbound rule that provisions",
            persons=[person.id],
        )
    if there is not None and there.anchor and there.anchor != anchor:
        raise ObjectHeld(
            "AnchorChanged",
            f"the account at {there.target} carries another source anchor than its person",
            "Put the previous value back, or have the account carry the new one",
            persons=[person.id],
            value=(there.anchor, anchor),
        )
    return anchor


def _keys_of_names(rules: RuleSet, sources: Mapping[str, SourceDescription], directory: ObjectDirectory) -> dict[str, bytes]:
    """Keys of the groups and OUs that rules name. One that is not found would take everybody out of scope: no run starts."""
    keys = {name: directory.key_of(name) for name in rules.names}
    problems = [
        RuleProblem(
            "rules",
            0,
            0,
            "",
            f"no source has {name}",
            "Correct its DN, or write its GUID, which stays when it is renamed",
            rule,
        )
        for name, rule in rules.names.items()
        if keys[name] is None
    ]
    problems += [
        RuleProblem(
            "rules", 0, 0, "", f"there is no source {name}; there are: {', '.join(sources) or 'none'}", "Correct it", rule.id
        )
        for rule in rules.inbound
        for name in sorted(rule.sources - sources.keys())
    ]
    if problems:
        raise RulesRefused(problems)
    return {name: key for name, key in keys.items() if key is not None}
