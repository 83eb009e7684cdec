"""What became of an operation whose outcome is unknown: the target is asked before anything is repeated."""

from __future__ import annotations

from sync.causes import GONE_IN_TARGET, TARGET_BUSY
from sync.model import AccountOperation, Confirmation, DesiredAccount, OperationKind, Values, WriteOutcome, state_after
from sync.target.errors import TargetError
from sync.target.port import RemoteAccount, Target


async def confirm(target: Target, operation: AccountOperation) -> Confirmation:
    """CONFIRMED: it is done. LATER: it is not done, or may be repeated without harm. UNKNOWN: the target does not say.

    For an operation that ended as UNKNOWN, or whose attempt stands in the journal without an end (kill -9). Only reads.
    A request may still be on its way when this asks: wait for `Confirmation.retry_after` first.
    """
    try:
        if operation.kind is OperationKind.LINK:  # coming and going of single values: done twice is done once
            return Confirmation(WriteOutcome.LATER, remote=operation.remote)
        return await (_confirm_new(target, operation) if not operation.remote else _confirm_known(target, operation))
    except TargetError as error:
        return Confirmation(WriteOutcome.UNKNOWN, operation.remote, cause=error.cause, detail=error.problem)


async def _confirm_new(target: Target, operation: AccountOperation) -> Confirmation:
    desired = DesiredAccount(operation.person, operation.target, operation.object, operation.anchor, operation.set)
    found = await target.find(desired)
    if found.cause:
        return Confirmation(WriteOutcome.REFUSED, cause=found.cause, detail=found.detail)
    if found.account is None:
        return Confirmation(WriteOutcome.LATER, cause=TARGET_BUSY, detail="the account is not there")
    return _confirmed(operation, found.account)


async def _confirm_known(target: Target, operation: AccountOperation) -> Confirmation:
    account = await target.read(operation.object, operation.remote)
    if operation.kind is OperationKind.DELETE:
        return Confirmation(WriteOutcome.LATER if account else WriteOutcome.CONFIRMED, operation.remote)
    if account is None:
        if operation.kind is OperationKind.SOFT_DELETE:  # some targets show what is in their bin, others do not
            return Confirmation(WriteOutcome.CONFIRMED, operation.remote)
        return Confirmation(WriteOutcome.REFUSED, operation.remote, cause=GONE_IN_TARGET, detail="the account is not there")
    wanted = state_after(operation)
    if wanted is not None and account.state is not wanted:
        return Confirmation(WriteOutcome.LATER, operation.remote)
    if operation.kind is OperationKind.ADOPT and account.anchor != operation.anchor:
        return Confirmation(WriteOutcome.LATER, operation.remote)
    if not holds(operation, account.values):
        return Confirmation(WriteOutcome.LATER, operation.remote)
    return _confirmed(operation, account)


def holds(operation: AccountOperation, values: Values) -> bool:
    """Whether an account has what the operation sets, to the letter, and nothing of what it clears."""
    return all(values.get(name) == value for name, value in operation.set.items()) and not operation.clear & values.keys()


def _confirmed(operation: AccountOperation, account: RemoteAccount) -> Confirmation:
    values = {name: account.values[name] for name in operation.set if name in account.values}
    return Confirmation(WriteOutcome.CONFIRMED, account.remote, values)
