"""Accounts of a SCIM service: made, adopted, changed, disabled, deleted; and looked at afterwards, whatever it answered."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from sync.causes import (
    ANSWER_UNUSABLE,
    ATTRIBUTE_VALUE_MUST_BE_UNIQUE,
    GONE_IN_TARGET,
    IDENTITY_DATA_VALIDATION_FAILED,
    INVALID_SOFT_MATCH,
    NOT_DONE,
)
from sync.model import AccountOperation, AccountState, Confirmation, ObjectKind, OperationKind, WriteOutcome, state_after
from sync.target.bounds import refused
from sync.target.errors import TargetError
from sync.target.port import RemoteAccount
from sync.target.scim.capabilities import MEMBER, Capabilities
from sync.target.scim.client import ScimClient, ServiceAnswer
from sync.target.scim.members import no_patch, put_group
from sync.target.scim.paths import ScimPath
from sync.target.scim.queries import ScimQueries
from sync.target.scim.refusals import refusal, unanswered
from sync.target.scim.resources import (
    UnsendableValue,
    changed_resource,
    changes_of,
    check_changes,
    checked_patch,
    folded,
    new_resource,
    patch_operations,
)
from sync.target.scim.settings import ScimSettings

_ACTIVE = ScimPath("active")
_ANCHOR = ScimPath("externalId")


class AccountWriter:
    """Of one service, whose capabilities are known. Its methods raise TargetError from questions before a write."""

    def __init__(self, client: ScimClient, queries: ScimQueries, settings: ScimSettings, capabilities: Capabilities) -> None:
        self._client, self._queries = client, queries
        self._settings, self._capabilities = settings, capabilities

    async def write(self, operation: AccountOperation) -> Confirmation:
        """Any operation but LINK."""
        try:
            if operation.kind is OperationKind.CREATE:
                return await self._create(operation)
            if operation.kind is OperationKind.DELETE:
                return await self._delete(operation)
            return await self._change(operation)
        except UnsendableValue as error:
            return refused(operation, IDENTITY_DATA_VALIDATION_FAILED, str(error))

    async def _create(self, operation: AccountOperation) -> Confirmation:
        kind = operation.object
        body = new_resource(kind, operation.anchor, self._capabilities.paths[kind], operation.set, active=operation.enabled)
        answer = await self._client.write("POST", self._address(operation), body)
        if answer.status == 409 or answer.scim_type() == "uniqueness":
            return await self._create_on_conflict(operation, answer)
        if not answer.done:
            return refusal(operation, answer, "", self._settings.timeout)
        resource = folded(answer.resource() or {})
        if not resource.get("id"):  # it may be there: it is asked for by its anchor
            detail = answer.problem or "it answered to a new account without its id"
            return Confirmation(WriteOutcome.UNKNOWN, cause=ANSWER_UNUSABLE, detail=detail)
        return _confirmed(operation, self._queries.account(kind, resource))

    async def _create_on_conflict(self, operation: AccountOperation, answer: ServiceAnswer) -> Confirmation:
        """An attempt whose answer was lost had worked, or somebody has the name: never a second account."""
        try:
            own = await self._queries.with_anchor(operation.object, operation.anchor)
            if len(own) == 1:
                return await self._change(_known(operation, own[0].remote))
            return await self._name_holder(operation, answer)
        except TargetError as error:
            return unanswered(operation, error, WriteOutcome.LATER)

    async def _name_holder(self, operation: AccountOperation, answer: ServiceAnswer) -> Confirmation:
        """Who has the unique value that the service refuses."""
        kind = operation.object
        unique = self._capabilities.profile.unique.get(kind, frozenset())
        for attribute in sorted(unique & operation.set.keys()):
            value = operation.set[attribute]
            for holder in await self._queries.with_value(kind, attribute, value) if isinstance(value, str) else ():
                if holder.remote == operation.remote:
                    continue
                detail = f"{attribute} belongs to account {holder.remote}"
                if holder.anchor:
                    return refused(operation, INVALID_SOFT_MATCH, f"{detail} with the anchor {holder.anchor}")
                detail += f", which has no anchor: it is adopted where {attribute} is in the rules' match"
                return refused(operation, ATTRIBUTE_VALUE_MUST_BE_UNIQUE, detail)
        return refused(operation, ATTRIBUTE_VALUE_MUST_BE_UNIQUE, answer.explain())

    async def _delete(self, operation: AccountOperation) -> Confirmation:
        answer = await self._client.write("DELETE", self._address(operation))
        if answer.absent:
            return Confirmation(WriteOutcome.CONFIRMED, operation.remote)
        if not answer.done:
            return refusal(operation, answer, operation.remote, self._settings.timeout)
        try:
            left = await self._queries.read(operation.object, operation.remote)
        except TargetError as error:
            return unanswered(operation, error, WriteOutcome.UNKNOWN)
        if left is not None and left.state is AccountState.ACTIVE:
            return refused(operation, NOT_DONE, "it answered that the account is deleted, and still has it, active")
        return Confirmation(WriteOutcome.CONFIRMED, operation.remote)

    async def _change(self, operation: AccountOperation) -> Confirmation:
        kind = operation.object
        changes = changes_of(self._capabilities.paths[kind], operation.set, operation.clear)
        check_changes(kind, changes)
        if kind is ObjectKind.USER and (state := state_after(operation)) is not None:
            changes[_ACTIVE] = [state is AccountState.ACTIVE]
        if operation.kind is OperationKind.ADOPT:
            account = await self._queries.read(kind, operation.remote)
            if account is not None and account.anchor not in {"", operation.anchor}:
                detail = f"account {account.remote} has the anchor {account.anchor}"
                return refused(operation, INVALID_SOFT_MATCH, detail)
            changes[_ANCHOR] = [operation.anchor]
        if not changes:
            return await self._compare(operation, None)
        if self._capabilities.patch:
            answer = await self._patch(operation, changes)
        elif self._settings.put:
            answer = await self._put(operation, changes)
        else:
            return no_patch(operation)
        if answer is None:
            return refused(operation, GONE_IN_TARGET, "the account is not there")
        if answer.status == 409 or answer.scim_type() == "uniqueness":
            return await self._name_holder(operation, answer)
        if not answer.done:
            return refusal(operation, answer, operation.remote, self._settings.timeout)
        return await self._compare(operation, answer)

    async def _patch(self, operation: AccountOperation, changes: dict[ScimPath, list[object]]) -> ServiceAnswer | None:
        current = None
        if any(path.type for path in changes):
            current, _ = await self._queries.resource(operation.object, operation.remote)
            if current is None:
                return None
        body = checked_patch(operation.object, patch_operations(current, changes))
        return await self._client.write("PATCH", self._address(operation), body)

    async def _put(self, operation: AccountOperation, changes: dict[ScimPath, list[object]]) -> ServiceAnswer | None:
        kind, remote = operation.object, operation.remote
        current, version = await self._queries.resource(kind, remote, whole=True)
        if current is None:
            return None
        body = changed_resource(kind, current, changes)
        if kind is ObjectKind.GROUP:
            body = put_group(body, [member async for member in self._queries.links_of(kind, remote, MEMBER)])
        return await self._client.write("PUT", self._address(operation), body, version)

    async def _compare(self, operation: AccountOperation, answer: ServiceAnswer | None) -> Confirmation:
        """Whether it was done, by what came back; where nothing did, by asking."""
        resource = folded((answer.resource() if answer is not None else None) or {})
        try:
            if resource.get("id") == operation.remote:
                account: RemoteAccount | None = self._queries.account(operation.object, resource)
            else:
                account = await self._queries.read(operation.object, operation.remote)
        except TargetError as error:
            return unanswered(operation, error, WriteOutcome.UNKNOWN)
        if account is None:
            return refused(operation, GONE_IN_TARGET, "the account is not there")
        if ignored := _ignored(operation, account):
            return refused(operation, NOT_DONE, f"it answered that it was done, and did not change {', '.join(ignored)}")
        return _confirmed(operation, account)

    def _address(self, operation: AccountOperation) -> str:
        return self._client.address(self._capabilities.endpoints[operation.object], operation.remote)


def _ignored(operation: AccountOperation, account: RemoteAccount) -> Sequence[str]:
    """What is as it was before: all values that were to be set, one that was to be cleared, the state, the anchor.

    Where some values are as they should be, the others are told as they are: the service rewrites them.
    """
    values = account.values
    unchanged = [n for n, v in operation.set.items() if values.get(n) != v and values.get(n) == operation.before.get(n)]
    ignored = unchanged if len(unchanged) == len(operation.set) else []
    ignored += sorted(operation.clear & values.keys())
    state = state_after(operation) if operation.object is ObjectKind.USER else None
    if state is not None and account.state is not state:
        ignored.append("active")
    if operation.kind is OperationKind.ADOPT and account.anchor != operation.anchor:
        ignored.append("externalId")
    return ignored


def _confirmed(operation: AccountOperation, account: RemoteAccount) -> Confirmation:
    values = {name: account.values[name] for name in operation.set if name in account.values}
    return Confirmation(WriteOutcome.CONFIRMED, account.remote, values)


def _known(operation: AccountOperation, remote: str) -> AccountOperation:
    """The same for an account that is there."""
    return replace(operation, kind=OperationKind.ADOPT, remote=remote)
