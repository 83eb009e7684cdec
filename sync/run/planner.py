"""From persons to a plan: what each account should be, what is missing or too much, why, and whether it may be written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Final

from msgspec import Struct, structs

from sync.causes import MANDATORY_MISSING
from sync.model import AccountOperation, AccountState, ConfirmedAccount, DesiredAccount, ObjectKind, OperationKind, Values
from sync.plan import (
    AccountProblem,
    DeletionPolicy,
    DepartureEvidence,
    EvidenceKind,
    Fingerprint,
    PersonChange,
    PlanEntry,
    PlanLine,
    account_difference,
    causes_of,
    departure,
    fingerprint,
    link_operations,
    next_step,
)
from sync.rules import NoAccount, ObjectHeld, OutOfScope
from sync.run.persons import Built, PersonBuilder
from sync.state import AffectedBy, AffectedPerson, DeletionEvidence, SyncState
from sync.target import Profile, Target, TargetError

_STEPS: Final = {
    AccountState.DISABLED: OperationKind.DISABLE,
    AccountState.SOFT_DELETED: OperationKind.SOFT_DELETE,
}
_OBJECT_EVIDENCE: Final = {
    DeletionEvidence.TOMBSTONE: EvidenceKind.TOMBSTONE,
    DeletionEvidence.ABSENT: EvidenceKind.ABSENT,
    DeletionEvidence.NOT_FOUND: EvidenceKind.ABSENT,
}
_MEMORY: Final = "(left)"
"""Value of a person, beside those of rules: Unix seconds, as text, when none of its objects kept it any more."""


class TargetAccess(Struct, frozen=True):
    """A target, and how accounts are written to it."""

    target: Target
    profile: Profile
    policy: DeletionPolicy = DeletionPolicy()

    def steps(self, kind: ObjectKind) -> frozenset[OperationKind]:
        """What can become of an account whose person has left."""
        states = self.profile.states.get(kind, frozenset())
        return frozenset({OperationKind.DELETE, *(step for state, step in _STEPS.items() if state in states)})


class PersonPlan(Struct, frozen=True):
    """What is to be done about one person."""

    lines: tuple[PlanLine, ...] = ()
    waits: bool = False
    """There is more to do later: a grace, or a target that cannot be asked."""


class Planner:
    """Compares what should be with what was confirmed. Writes nothing but persons' values. edition: of the rules."""

    def __init__(
        self, state: SyncState, builder: PersonBuilder, targets: Mapping[str, TargetAccess], *, edition: str
    ) -> None:
        self._state, self.builder, self._targets, self._edition = state, builder, targets, edition

    async def person(self, affected: AffectedPerson, now: float) -> PersonPlan:
        """Everything that differs, at all targets."""
        try:
            built = self.builder.build(affected.person, now)
        except ObjectHeld as held:
            return PersonPlan(tuple(self._held(affected.person, name, held) for name in self._targets), waits=True)
        built = self._remember(built, now)
        lines: list[PlanLine] = []
        waits = False
        for name, access in self._targets.items():
            account = self._state.accounts.find(affected.person, name)
            failure = self._state.journal.failure(name, affected.person)
            if failure is not None and failure.due > now:
                waits = True
                continue
            try:
                wanted = self.builder.evaluator.account(built.merged, name, account, now=now)
            except ObjectHeld as held:
                lines.append(self._held(affected.person, name, held))
                waits = True
                continue
            if isinstance(wanted, NoAccount):
                found, waiting = self._leaving(built, affected, access, account, now)
                lines += found
                waits = waits or waiting
                continue
            try:
                lines += await self._staying(built, affected, access, account, wanted)
            except TargetError as error:
                lines.append(AccountProblem(name, affected.person, error.cause, error.problem, _name(built)))
                waits = True
        return PersonPlan(tuple(lines), waits)

    async def current(self, entry: PlanEntry, now: float) -> Fingerprint | None:
        """Of the same operation, if it were planned now; None: there would be none."""
        affected = AffectedPerson(entry.operation.person, AffectedBy.REQUEST, 0)
        for line in (await self.person(affected, now)).lines:
            if isinstance(line, PlanEntry) and _same_place(line.operation, entry.operation):
                return line.fingerprint
        return None

    def settle_links(self, person: int, now: float) -> None:
        """Nothing is missing any more of what the person's accounts link to."""
        merged = self.builder.build(person, now).merged
        for account in self._state.accounts.of_person(person):
            access = self._targets.get(account.target)
            wanted = self.builder.evaluator.account(merged, account.target, account, now=now)
            if access is not None and isinstance(wanted, DesiredAccount) and wanted.kind in access.profile.attributes:
                self._state.memberships.settle(person, account.target, _fitting(wanted, access.profile).links)

    # What should be there

    async def _staying(
        self,
        built: Built,
        affected: AffectedPerson,
        access: TargetAccess,
        account: ConfirmedAccount | None,
        wanted: DesiredAccount,
    ) -> list[PlanLine]:
        profile, name = access.profile, wanted.target
        if wanted.kind not in profile.attributes:
            return []
        wanted = _fitting(wanted, profile)
        missing = sorted(profile.required.get(wanted.kind, frozenset()) - wanted.values.keys())
        if missing:
            detail = f"{', '.join(missing)} would be empty, and the target demands a value"
            return [AccountProblem(name, wanted.person, MANDATORY_MISSING, detail, _name(built))]
        adopted = None
        if account is None or account.state is AccountState.DELETED:
            found = await access.target.find(wanted)
            if found.cause:
                return [AccountProblem(name, wanted.person, found.cause, found.detail, _name(built))]
            adopted = found.account
        existing = (
            ConfirmedAccount(
                wanted.person, name, adopted.kind, adopted.anchor, adopted.remote, adopted.values, {}, adopted.state, 0.0
            )
            if adopted is not None
            else None
        )
        difference = account_difference(wanted, account, existing)
        if difference.problem is not None:
            return [structs.replace(difference.problem, name=_name(built))]
        change = self._change(built, affected, account)
        operations = [*difference.operations]
        if account is not None and account.state is not AccountState.DELETED:
            operations += self._links(wanted, account, profile)
        return [
            *(self._entry(built, operation, change, wanted, account) for operation in operations),
            *(structs.replace(rewritten, name=_name(built)) for rewritten in difference.rewritten),
        ]

    def _links(self, wanted: DesiredAccount, account: ConfirmedAccount, profile: Profile) -> Iterator[AccountOperation]:
        differences = self._state.memberships.difference(wanted.person, wanted.target, wanted.links)
        for attribute, found in groupby(differences, key=lambda one: one.attribute):
            several = [*found]  # of one account; pieces of it are written one by one
            yield from link_operations(
                wanted,
                account.remote,
                attribute,
                (one.person for one in several if one.added),
                (one.person for one in several if not one.added),
                single=attribute in profile.single_links,
                piece=profile.links_a_request,
            )

    # Who has left

    def _leaving(
        self, built: Built, affected: AffectedPerson, access: TargetAccess, account: ConfirmedAccount | None, now: float
    ) -> tuple[list[PlanLine], bool]:
        """The step that is due, and whether another one comes later."""
        if account is None or account.state is AccountState.DELETED:
            return [], False
        left = float(str(built.merged.person.values.get(_MEMORY, now)))
        step = next_step(access.policy, account, left, supported=access.steps(account.kind))
        if step is None:
            return [], False
        if step.due > now:
            return [], True
        change = self._change(built, affected, account)
        return [self._entry(built, departure(account, step.kind), change, None, account)], True

    def _remember(self, built: Built, now: float) -> Built:
        """Keep since when a person is kept by nothing. Saves the person."""
        person = built.merged.person
        before = self._state.persons.find(person.id)
        values = dict(person.values)
        if not built.merged.kept_by:
            values[_MEMORY] = before.values[_MEMORY] if before and _MEMORY in before.values else repr(now)
        if before is None or before.values != values or before.lineage != person.lineage:
            self._state.persons.save(structs.replace(person, values=values), now)
        return structs.replace(built, merged=structs.replace(built.merged, person=structs.replace(person, values=values)))

    # Why

    def _change(self, built: Built, affected: AffectedPerson, account: ConfirmedAccount | None) -> PersonChange:
        lineage = built.merged.person.lineage
        return PersonChange(
            new=account is None,
            returned=account is not None and account.state is not AccountState.ACTIVE,
            attributes=frozenset(f"{origin.source}.{name}" for name, origins in lineage.items() for origin in origins)
            if affected.causes & (AffectedBy.OBJECT | AffectedBy.JOIN)
            else frozenset(),
            rules={origin.rule: self._edition for origins in lineage.values() for origin in origins}
            if affected.causes & AffectedBy.REQUEST
            else {},
            evidence=tuple(self._evidence(left, affected) for left in built.left),
        )

    def _evidence(self, left: OutOfScope, affected: AffectedPerson) -> DepartureEvidence:
        deletion = self._state.objects.deletion(left.source, left.key)
        if deletion is not None:
            kind = _OBJECT_EVIDENCE[deletion.evidence]
            return DepartureEvidence(kind, left.source, left.key, str(deletion.run), deletion.at)
        condition = left.failed[0] if left.failed else None
        by_object = bool(affected.causes & (AffectedBy.OBJECT | AffectedBy.PATH | AffectedBy.LINKS | AffectedBy.JOIN))
        return DepartureEvidence(
            EvidenceKind.LEFT_SCOPE,
            left.source,
            left.key,
            rule=condition.rule if condition else "",
            attribute=condition.condition if condition and by_object else "",
            edition=self._edition if affected.causes & AffectedBy.REQUEST and not by_object else "",
        )

    def _entry(
        self,
        built: Built,
        operation: AccountOperation,
        change: PersonChange,
        wanted: DesiredAccount | None,
        account: ConfirmedAccount | None,
    ) -> PlanEntry:
        return PlanEntry(
            operation,
            name=_name(built) or (named(account.values) if account is not None else ""),  # of who has left, all values went
            causes=causes_of(operation, change, built.merged.person.lineage),
            objects=built.objects,
            evidence=change.evidence,
            fingerprint=fingerprint(wanted, account, operation),
        )

    def _held(self, person: int, target: str, held: ObjectHeld) -> AccountProblem:
        known = self._state.persons.find(person)
        return AccountProblem(target, person, held.cause, str(held), named(known.values) if known is not None else "")


def _fitting(wanted: DesiredAccount, profile: Profile) -> DesiredAccount:
    """Without what the target cannot keep."""
    takes = profile.attributes[wanted.kind]
    disables = AccountState.DISABLED in profile.states.get(wanted.kind, frozenset())
    links = profile.links.get(wanted.kind, frozenset())
    return structs.replace(
        wanted,
        values={name: value for name, value in wanted.values.items() if name in takes},
        links=tuple(link for link in wanted.links if link.attribute in links),
        enabled=wanted.enabled or not disables,
    )


def _name(built: Built) -> str:
    return named(built.merged.person.values)


def named(values: Values) -> str:
    """A name for people, by values of a person or an account; empty where there is none."""
    return str(values.get("userPrincipalName") or values.get("displayName") or values.get("mail") or "")


def _same_place(one: AccountOperation, other: AccountOperation) -> bool:
    places = (one.target, one.person, one.kind), (other.target, other.person, other.kind)
    return places[0] == places[1] and one.added == other.added and one.removed == other.removed
