"""Questions to a SCIM service: one account, all of them, who has a value, and whom a group links to."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from sync.model import DesiredAccount, ObjectKind, Plain
from sync.target.errors import UnusableAnswer
from sync.target.port import ANCHOR, FindResult, RemoteAccount, judge_candidates
from sync.target.scim.capabilities import MANAGER, Capabilities
from sync.target.scim.client import ScimClient, ServiceAnswer
from sync.target.scim.paths import ENTERPRISE_SCHEMA, ScimPath
from sync.target.scim.resources import Json, account_of, folded, values_at
from sync.target.scim.settings import ScimSettings

_NOBODY = "isthmus-check-of-filters"
_MANAGER = ScimPath(MANAGER, "value", schema=ENTERPRISE_SCHEMA)


class _Member(Struct):
    value: str = ""


class _Members(Struct):
    """A group of which nothing is kept but who is in it: of 250,000 members, a tenth of what dictionaries would take."""

    members: list[_Member] | None = None


class ScimQueries:
    """Of one service, whose capabilities are known. target: its name in the settings."""

    def __init__(self, target: str, client: ScimClient, settings: ScimSettings, capabilities: Capabilities) -> None:
        self._target, self._client = target, client
        self._settings, self._capabilities = settings, capabilities

    async def find(self, desired: DesiredAccount) -> FindResult:
        """See `Target.find`."""
        kind = desired.kind
        paths = self._capabilities.paths.get(kind)
        if paths is None:
            return FindResult()
        result = judge_candidates(desired, ANCHOR, await self.with_anchor(kind, desired.anchor))
        for attribute in desired.match:
            value = desired.values.get(attribute)
            if not result.accounts and attribute in paths and isinstance(value, str) and value:
                result = judge_candidates(desired, attribute, await self.with_value(kind, attribute, value))
        return result

    async def with_anchor(self, kind: ObjectKind, anchor: str) -> Sequence[RemoteAccount]:
        """Case counts in an externalId (RFC 7643 section 3.1): base64 that differs in case is somebody else's."""
        return await self._search(kind, "externalId", anchor, lambda resource: resource.get("externalid") == anchor)

    async def with_value(self, kind: ObjectKind, attribute: str, value: str) -> Sequence[RemoteAccount]:
        """By one of our attributes, whatever its case."""
        path = self._capabilities.paths[kind][attribute]
        wanted = value.casefold()
        return await self._search(
            kind, path.searched, value, lambda resource: any(wanted == _folded(v) for v in values_at(resource, path))
        )

    async def read(self, kind: ObjectKind, remote: str) -> RemoteAccount | None:
        """See `Target.read`."""
        resource, _ = await self.resource(kind, remote)
        return None if resource is None else self.account(kind, folded(resource))

    async def resource(self, kind: ObjectKind, remote: str, *, whole: bool = False) -> tuple[Json | None, str]:
        """As it came, and its version (ETag) where the service has them; None where it is not there. whole: with members."""
        parameters = None if whole or kind is not ObjectKind.GROUP else {"excludedAttributes": "members"}
        address = self._client.address(self._capabilities.endpoints[kind], remote)
        answer = await self._client.ask(address, parameters, absent=True)
        if not answer.done:
            return None, ""
        resource = answer.resource()
        if resource is None or folded(resource).get("id") != remote:
            raise UnusableAnswer(self._target, f"asked for account {remote}, it answered with something else")
        return resource, answer.version if self._capabilities.etag else ""

    async def list(self, kind: ObjectKind) -> AsyncIterator[RemoteAccount]:
        """See `Target.list`."""
        if kind in self._capabilities.endpoints:
            async for resource in self._pages(kind, {}):
                yield self.account(kind, resource)

    async def links_of(self, kind: ObjectKind, remote: str, attribute: str) -> AsyncIterator[str]:
        """See `Target.links_of`."""
        if attribute == MANAGER:
            resource, _ = await self.resource(kind, remote)
            for value in values_at(folded(resource or {}), _MANAGER):
                if isinstance(value, str):
                    yield value
            return
        address = self._client.address(self._capabilities.endpoints[kind], remote)
        for member in _members(await self._client.ask(address, {"attributes": "members"}, absent=True)):
            yield member

    def account(self, kind: ObjectKind, resource: Json) -> RemoteAccount:
        """Of a folded resource."""
        account = account_of(kind, resource, self._capabilities.paths[kind], self._settings.protected_roles)
        if not account.remote:
            raise UnusableAnswer(self._target, f"it answers with a {kind.value} that has no id")
        return account

    async def probe(self, kind: ObjectKind) -> None:
        """Search for an anchor that nobody has. Raises TargetError, also where the search answers with somebody.

        Then it ignores filters: correct, because what comes is compared, but each search reads all accounts.
        """
        if not self._capabilities.filter:
            return
        async for resource in self._pages(kind, {"filter": f"externalId eq {_quoted(_NOBODY)}"}):
            somebody = resource.get("id")
            problem = f"asked for an externalId that nobody has, it answers with {somebody}: it ignores filters"
            raise UnusableAnswer(self._target, f"{problem}; set filter = false, and expect each search to read all accounts")

    async def _search(
        self, kind: ObjectKind, attribute: str, value: str, is_it: Callable[[Json], bool]
    ) -> Sequence[RemoteAccount]:
        """All that have it, compared here: some services ignore filters that they do not understand, and give everybody."""
        parameters = {"filter": f"{attribute} eq {_quoted(value)}"} if self._capabilities.filter else {}
        return [self.account(kind, resource) async for resource in self._pages(kind, parameters) if is_it(resource)]

    async def _pages(self, kind: ObjectKind, parameters: Mapping[str, str]) -> AsyncIterator[Json]:
        """Folded resources, one by one. Raises UnusableAnswer where not all came that the service says there are."""
        address = self._client.address(self._capabilities.endpoints[kind])
        if kind is ObjectKind.GROUP:
            parameters = {**parameters, "excludedAttributes": "members"}
        begin, previous = 1, ""
        while True:
            place = {"startIndex": str(begin), "count": str(self._capabilities.page_size)}
            page = self._page(await self._client.ask(address, {**parameters, **place}))
            resources = page["resources"]
            for resource in resources:
                yield resource
            begin += len(resources)
            if begin > page["totalresults"]:
                return
            first = str(resources[0].get("id")) if resources else ""
            if not resources or first == previous:
                problem = f"it says that there are {page['totalresults']} {kind.value}s, and gave {begin - 1} of them"
                raise UnusableAnswer(self._target, f"{problem} (startIndex {begin} leads nowhere)")
            previous = first

    def _page(self, answer: ServiceAnswer) -> Json:
        page = folded(answer.resource() or {})
        total, resources = page.get("totalresults"), page.get("resources", [])
        if not isinstance(total, int) or not isinstance(resources, list) or not all(isinstance(r, dict) for r in resources):
            raise UnusableAnswer(self._target, "a list without totalResults and Resources (RFC 7644 section 3.4.2)")
        return {"totalresults": total, "resources": resources}


def _members(answer: ServiceAnswer) -> list[str]:
    if not answer.done:
        return []
    try:
        members = msgspec.json.decode(answer.content, type=_Members).members
    except (msgspec.DecodeError, RecursionError):  # ids that are numbers
        members = None
    if members is not None:
        return [member.value for member in members if member.value]
    found = folded(answer.json() or {}).get("members")  # no members, or spelled otherwise
    return [str(m["value"]) for m in found if isinstance(m, dict) and m.get("value")] if isinstance(found, list) else []


def _quoted(value: str) -> str:
    """A value in a filter is JSON (RFC 7644 section 3.4.2.2): what would end it is escaped."""
    return json.dumps(value, ensure_ascii=False)


def _folded(value: Plain | None) -> Plain | None:
    return value.casefold() if isinstance(value, str) else value
