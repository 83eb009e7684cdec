"""From the journal of a run to operations that put a target back to what it was before it. Pure.

    create ──► delete        disable ◄──► enable         update ──► update with what was before
    delete ──► create        soft_delete ◄──► restore    link ──► link, the other way round

Undone is the last operation first. What is not known to have been done is not undone, nor what has been changed since: undo
puts back what this run did, not what anybody else did after it. What cannot be undone is named, with the reason.

Sources and rules are not touched by it: the next run wants the same again, unless what caused it is taken back first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias

from msgspec import Struct, structs

from sync.model import (
    AccountOperation,
    AccountState,
    Confirmation,
    ConfirmedAccount,
    OperationKind,
    Plain,
    Values,
    WriteOutcome,
)
from sync.plan.entries import CauseKind, ChangeCause, DepartureEvidence, EvidenceKind, PlanEntry
from sync.plan.fingerprints import fingerprint
from sync.plan.values import same


class TriedOperation(Struct, frozen=True):
    """An operation that was tried, and what came of it."""

    operation: AccountOperation
    confirmation: Confirmation
    name: str = ""


class NotUndone(Struct, frozen=True):
    """What stays as the run left it, and why."""

    operation: AccountOperation
    why: str
    name: str = ""


Current: TypeAlias = Callable[[str, int], ConfirmedAccount | None]
"""What a target has confirmed for a person, as it is now."""

_INVERSE: Final = {
    OperationKind.DISABLE: OperationKind.ENABLE,
    OperationKind.ENABLE: OperationKind.DISABLE,
    OperationKind.SOFT_DELETE: OperationKind.RESTORE,
    OperationKind.RESTORE: OperationKind.SOFT_DELETE,
}
_STATES_AFTER: Final = {
    OperationKind.DISABLE: {AccountState.DISABLED},
    OperationKind.ENABLE: {AccountState.ACTIVE},
    OperationKind.SOFT_DELETE: {AccountState.SOFT_DELETED},
    OperationKind.RESTORE: {AccountState.ACTIVE, AccountState.DISABLED},
}
"""What a run has left. An account that is restored is enabled or not."""


def undo(run: str, journal: Iterable[TriedOperation], current: Current) -> Iterator[PlanEntry | NotUndone]:
    """journal: of the run, the last operation first. An operation may give both: what can be put back of it, and what not.
    They pass the guard like those of any run: evidence is the run that is undone, and its limits count."""
    for entry in journal:
        outcome = entry.confirmation.outcome
        if outcome is WriteOutcome.UNKNOWN:
            yield NotUndone(entry.operation, "it is not known whether it was done: ask the target first", entry.name)
        elif outcome is WriteOutcome.CONFIRMED and not entry.operation.temporary:
            yield from _undone(run, entry, current(entry.operation.target, entry.operation.person))


def _undone(run: str, entry: TriedOperation, account: ConfirmedAccount | None) -> Iterator[PlanEntry | NotUndone]:
    operation = entry.operation
    if operation.kind is OperationKind.DELETE:
        yield from _recreation(run, entry, account)
    elif account is None or account.state is AccountState.DELETED:
        yield _refusal(entry, "the target has no such account any more")
    elif operation.kind is OperationKind.CREATE:
        yield _entry(run, entry, account, _base(operation, OperationKind.DELETE, account, before=account.values))
    elif operation.kind is OperationKind.LINK:
        inverse = structs.replace(operation, added=operation.removed, removed=operation.added, remote=account.remote)
        yield _entry(run, entry, account, inverse)
    elif operation.kind in _INVERSE:
        yield from _state(run, entry, account)
    else:
        yield from _values(run, entry, account)


def _recreation(run: str, entry: TriedOperation, account: ConfirmedAccount | None) -> Iterator[PlanEntry | NotUndone]:
    """Disabled: its person had left, whatever its state was before."""
    operation = entry.operation
    if account is not None and account.state is not AccountState.DELETED:
        yield _refusal(entry, "the person has an account again")
        return
    again = structs.replace(operation, kind=OperationKind.CREATE, remote="", set=operation.before, before={}, enabled=False)
    yield _entry(run, entry, account, again)
    yield _refusal(entry, "a new account, disabled: identifier, links, password and whatever else it held are gone")


def _state(run: str, entry: TriedOperation, account: ConfirmedAccount) -> Iterator[PlanEntry | NotUndone]:
    operation = entry.operation
    if account.state not in _STATES_AFTER[operation.kind]:
        yield _refusal(entry, f"the account has been changed since: it is {account.state}")
        return
    yield _entry(run, entry, account, _base(operation, _INVERSE[operation.kind], account))


def _values(run: str, entry: TriedOperation, account: ConfirmedAccount) -> Iterator[PlanEntry | NotUndone]:
    """Of an update or an adoption."""
    operation = entry.operation
    put: dict[str, Plain | tuple[Plain, ...]] = {}
    clear, changed = set(), []
    for name in (*operation.set, *sorted(operation.clear)):
        given = entry.confirmation.values.get(name, operation.set.get(name))
        if not same(account.values.get(name), given):
            changed.append(name)
        elif name in operation.before:
            put[name] = operation.before[name]
        else:
            clear.add(name)
    if put or clear:
        before = {name: account.values[name] for name in (*put, *sorted(clear)) if name in account.values}
        update = _base(operation, OperationKind.UPDATE, account, before=before)
        yield _entry(run, entry, account, structs.replace(update, set=put, clear=frozenset(clear)))
    if changed:
        yield _refusal(entry, f"changed since: {', '.join(changed)}")
    if operation.kind is OperationKind.ADOPT:
        yield _refusal(entry, "the account stays this person's: it is not given up, and not deleted")


def _base(
    operation: AccountOperation, kind: OperationKind, account: ConfirmedAccount, before: Values | None = None
) -> AccountOperation:
    return AccountOperation(
        id=0,
        kind=kind,
        target=operation.target,
        person=operation.person,
        object=operation.object,
        anchor=operation.anchor,
        remote=account.remote,
        before=before or {},
    )


def _entry(run: str, entry: TriedOperation, account: ConfirmedAccount | None, operation: AccountOperation) -> PlanEntry:
    return PlanEntry(
        structs.replace(operation, id=0),
        name=entry.name,
        causes=(ChangeCause(CauseKind.UNDO, run),),
        evidence=(DepartureEvidence(EvidenceKind.UNDO, run=run),),
        fingerprint=fingerprint(None, account, operation),
    )


def _refusal(entry: TriedOperation, why: str) -> NotUndone:
    return NotUndone(entry.operation, why, entry.name)
