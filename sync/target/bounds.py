"""What a target's profile does not allow is refused before anything is sent; the one rule for all targets."""

from __future__ import annotations

from collections.abc import Mapping

from sync.causes import MANDATORY_MISSING, READ_ONLY_IN_TARGET
from sync.model import AccountOperation, AccountState, Confirmation, OperationKind, WriteOutcome
from sync.target.port import Profile

_NEEDS: Mapping[OperationKind, AccountState] = {
    OperationKind.DISABLE: AccountState.DISABLED,
    OperationKind.ENABLE: AccountState.DISABLED,
    OperationKind.SOFT_DELETE: AccountState.SOFT_DELETED,
    OperationKind.RESTORE: AccountState.SOFT_DELETED,
}


def refuse_impossible(profile: Profile, operation: AccountOperation) -> Confirmation | None:
    """Why the target cannot take this operation; None where nothing is known against it."""
    kind = operation.object
    if kind not in profile.attributes:
        return refused(operation, READ_ONLY_IN_TARGET, f"it does not keep any {kind.value}")
    links = profile.links.get(kind, frozenset())
    unknown = {*operation.set, *operation.clear} - profile.attributes[kind]
    unknown |= {*operation.added, *operation.removed} - links
    if unknown:
        return refused(operation, READ_ONLY_IN_TARGET, f"a {kind.value} has nothing to hold {_listed(unknown)}")
    state = _NEEDS.get(operation.kind)
    if state is not None and state not in profile.states.get(kind, frozenset()):
        return refused(operation, READ_ONLY_IN_TARGET, f"a {kind.value} cannot be {state.value} in it")
    required = profile.required.get(kind, frozenset())
    missing = required & operation.clear
    if operation.kind is OperationKind.CREATE:
        missing |= required - operation.set.keys()
    if missing:
        return refused(operation, MANDATORY_MISSING, f"a {kind.value} has to have {_listed(missing)}")
    return None


def refused(operation: AccountOperation, cause: str, detail: str) -> Confirmation:
    """It was not done, and will not be as it is."""
    return Confirmation(WriteOutcome.REFUSED, operation.remote, cause=cause, detail=detail)


def _listed(names: set[str] | frozenset[str]) -> str:
    return ", ".join(sorted(names))
