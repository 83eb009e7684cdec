"""Links of SCIM accounts: members of groups as differences, in pieces, and the manager of a user."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from sync.causes import GONE_IN_TARGET, GROUP_TOO_LARGE, READ_ONLY_IN_TARGET, REFERENCE_UNRESOLVED
from sync.model import AccountOperation, Confirmation, ObjectKind, WriteOutcome
from sync.target.bounds import refused
from sync.target.port import Accounts
from sync.target.scim.capabilities import MANAGER, MEMBER, Capabilities
from sync.target.scim.client import ScimClient, ServiceAnswer
from sync.target.scim.paths import ENTERPRISE_SCHEMA
from sync.target.scim.queries import ScimQueries
from sync.target.scim.refusals import refusal
from sync.target.scim.resources import PATCH_SCHEMA, Json, checked_patch, folded
from sync.target.scim.settings import ScimSettings

_MANAGER_PATH = f"{ENTERPRISE_SCHEMA}:{MANAGER}"
_BAD_REQUEST = frozenset({400, 404, 413, 422})
"""That may be the fault of one member: the others are tried without it."""


class LinkWriter:
    """Of one service, whose capabilities are known."""

    def __init__(self, client: ScimClient, queries: ScimQueries, settings: ScimSettings, capabilities: Capabilities) -> None:
        self._client, self._queries = client, queries
        self._settings, self._capabilities = settings, capabilities

    async def write(self, operation: AccountOperation, accounts: Accounts) -> Confirmation:
        """A LINK operation. What was done before a failure stays done, and is not lost: it may be repeated whole.

        Raises TargetError from questions that it asks.
        """
        unresolved: list[str] = []
        if operation.object is ObjectKind.GROUP:
            failure = await self._write_members(operation, accounts, unresolved)
        else:
            failure = await self._write_manager(operation, accounts, unresolved)
        if failure is None and unresolved:
            named = ", ".join(unresolved[:5]) + (", …" if len(unresolved) > 5 else "")
            detail = f"{len(unresolved)} accounts that are not there (yet): {named}"
            return Confirmation(WriteOutcome.LATER, operation.remote, cause=REFERENCE_UNRESOLVED, detail=detail)
        return failure or Confirmation(WriteOutcome.CONFIRMED, operation.remote)

    async def _write_members(
        self, operation: AccountOperation, accounts: Accounts, unresolved: list[str]
    ) -> Confirmation | None:
        if not self._capabilities.patch:
            return await self._put_members(operation, accounts, unresolved)
        for persons in self._pieces(operation.removed.get(MEMBER, ())):
            # who has no account any more left its groups with it
            failure = await self._send(operation, "remove", list(accounts(persons).values()), unresolved)
            if failure is not None:
                return failure
        for persons in self._pieces(operation.added.get(MEMBER, ())):
            failure = await self._send(operation, "add", _resolved(accounts, persons, unresolved), unresolved)
            if failure is not None:
                return failure
        return None

    def _pieces(self, persons: Sequence[int]) -> Iterable[Sequence[int]]:
        size = self._settings.members_a_request
        return (persons[begin : begin + size] for begin in range(0, len(persons), size))

    async def _send(
        self, operation: AccountOperation, op: str, members: Sequence[str], unresolved: list[str]
    ) -> Confirmation | None:
        """One piece; None where it is done. Of a piece that is refused, the members are tried in halves."""
        if not members:
            return None
        answer = await self._client.write("PATCH", self._address(operation), self._body(op, members))
        if answer.done:
            return None
        if answer.status in _BAD_REQUEST:
            if len(members) > 1 and not await self._is_gone(operation):
                middle = len(members) // 2
                failure = await self._send(operation, op, members[:middle], unresolved)
                return failure or await self._send(operation, op, members[middle:], unresolved)
            return await self._judge_one(operation, op, members[0], answer, unresolved)
        return refusal(operation, answer, operation.remote, self._settings.timeout)

    async def _judge_one(
        self, operation: AccountOperation, op: str, member: str, answer: ServiceAnswer, unresolved: list[str]
    ) -> Confirmation | None:
        """Whether a member that is refused alone is not in the group any more, or not in the target."""
        if await self._is_gone(operation):
            return refused(operation, GONE_IN_TARGET, "the group is not there")
        if op == "remove" and answer.scim_type() == "notarget":
            return None
        if not await self._exists(member):
            if op == "add":
                unresolved.append(f"account {member}")
            return None
        failure = refusal(operation, answer, operation.remote, self._settings.timeout)
        if answer.status == 413 or answer.scim_type() == "toomany":
            return refused(operation, GROUP_TOO_LARGE, failure.detail)
        return failure

    def _body(self, op: str, members: Sequence[str]) -> Json:
        values = [{"value": member} for member in members]
        if op == "add":
            return checked_patch(ObjectKind.GROUP, [{"op": op, "path": "members", "value": values}])
        if self._settings.member_removal == "values":  # not RFC 7644, so scim2-models would refuse it
            return {"schemas": [PATCH_SCHEMA], "Operations": [{"op": op, "path": "members", "value": values}]}
        paths = [f"members[value eq {json.dumps(member, ensure_ascii=False)}]" for member in members]
        return checked_patch(ObjectKind.GROUP, [{"op": op, "path": path} for path in paths])

    async def _put_members(
        self, operation: AccountOperation, accounts: Accounts, unresolved: list[str]
    ) -> Confirmation | None:
        """Without PATCH: the whole group, with the members that it has and these changes."""
        if not self._settings.put:
            return no_patch(operation)
        resource, version = await self._queries.resource(ObjectKind.GROUP, operation.remote, whole=True)
        if resource is None:
            return refused(operation, GONE_IN_TARGET, "the group is not there")
        members = {remote: None async for remote in self._queries.links_of(ObjectKind.GROUP, operation.remote, MEMBER)}
        for remote in accounts(operation.removed.get(MEMBER, ())).values():
            members.pop(remote, None)
        members |= dict.fromkeys(_resolved(accounts, operation.added.get(MEMBER, ()), unresolved))
        body = put_group(resource, list(members))
        answer = await self._client.write("PUT", self._address(operation), body, version)
        return None if answer.done else refusal(operation, answer, operation.remote, self._settings.timeout)

    async def _write_manager(
        self, operation: AccountOperation, accounts: Accounts, unresolved: list[str]
    ) -> Confirmation | None:
        added = _resolved(accounts, operation.added.get(MANAGER, ()), unresolved)
        if not self._capabilities.patch and not self._settings.put:
            return no_patch(operation)
        resource, version = await self._queries.resource(ObjectKind.USER, operation.remote)
        if resource is None:
            return refused(operation, GONE_IN_TARGET, "the account is not there")
        has = [remote async for remote in self._queries.links_of(ObjectKind.USER, operation.remote, MANAGER)]
        removed = set(accounts(operation.removed.get(MANAGER, ())).values())
        if not added and not removed & set(has):
            return None
        manager = self._manager(added[-1]) if added else None
        if self._capabilities.patch:
            change = {"op": "replace", "value": manager} if manager else {"op": "remove"}
            body = checked_patch(ObjectKind.USER, [{**change, "path": _MANAGER_PATH}])
            answer = await self._client.write("PATCH", self._address(operation), body)
        else:
            answer = await self._client.write("PUT", self._address(operation), _with_manager(resource, manager), version)
        return None if answer.done else refusal(operation, answer, operation.remote, self._settings.timeout)

    def _manager(self, remote: str) -> Json:
        """`$ref` too: RFC 7643 section 4.3 wants it, and some services do."""
        return {"value": remote, "$ref": self._client.address(self._capabilities.endpoints[ObjectKind.USER], remote)}

    def _address(self, operation: AccountOperation) -> str:
        return self._client.address(self._capabilities.endpoints[operation.object], operation.remote)

    async def _is_gone(self, operation: AccountOperation) -> bool:
        return await self._queries.read(operation.object, operation.remote) is None

    async def _exists(self, member: str) -> bool:
        for kind in self._capabilities.endpoints:
            if await self._queries.read(kind, member) is not None:
                return True
        return False


def no_patch(operation: AccountOperation) -> Confirmation:
    """The one refusal of a service that takes whole resources only, where the settings do not allow those."""
    return refused(operation, READ_ONLY_IN_TARGET, "it does not take PATCH: set put = true, and read what that costs")


def put_group(resource: Json, members: Sequence[str]) -> Json:
    """A group as it is put: always with all its members, or they would be gone."""
    body = {name: value for name, value in resource.items() if name.casefold() not in {"meta", "members"}}
    return {**body, "members": [{"value": member} for member in members]}


def _with_manager(resource: Json, manager: Json | None) -> Json:
    body = {name: value for name, value in resource.items() if name.casefold() not in {"meta", "groups"}}
    key = next((name for name in body if name.casefold() == ENTERPRISE_SCHEMA.casefold()), ENTERPRISE_SCHEMA)
    inner = {name: value for name, value in (body.get(key) or {}).items() if name.casefold() != MANAGER}
    body[key] = {**inner, **({MANAGER: manager} if manager else {})}
    body["schemas"] = [*dict.fromkeys((*folded(body).get("schemas", ()), ENTERPRISE_SCHEMA))]
    return body


def _resolved(accounts: Accounts, persons: Sequence[int], unresolved: list[str]) -> list[str]:
    found = accounts(persons)
    unresolved += [f"of person {person}" for person in persons if person not in found]
    return [found[person] for person in persons if person in found]
