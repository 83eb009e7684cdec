"""A SCIM 2.0 service as a target (RFC 7643, RFC 7644)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from findings import Finding
from sync.model import AccountOperation, Confirmation, DesiredAccount, ObjectKind, OperationKind, WriteOutcome
from sync.target.bounds import refuse_impossible
from sync.target.errors import TargetError
from sync.target.port import Accounts, FindResult, Profile, RemoteAccount
from sync.target.scim.accounts import AccountWriter
from sync.target.scim.capabilities import Capabilities, discover
from sync.target.scim.client import ScimClient
from sync.target.scim.members import LinkWriter
from sync.target.scim.preflight import check_service
from sync.target.scim.queries import ScimQueries
from sync.target.scim.refusals import unanswered
from sync.target.scim.settings import ScimSettings


class _Service(Struct, frozen=True):
    """What needs to know what the service can do."""

    capabilities: Capabilities
    queries: ScimQueries
    accounts: AccountWriter
    links: LinkWriter


class ScimTarget:
    """One service. name: of the target in the settings. client: for tests; else one that the settings describe."""

    def __init__(self, name: str, settings: ScimSettings, client: ScimClient | None = None) -> None:
        self.name = name
        self._settings = settings
        self._client = client or ScimClient(name, settings)
        self._known: _Service | None = None
        self._discovery = asyncio.Lock()

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    async def profile(self) -> Profile:
        """Asked once."""
        return (await self._service()).capabilities.profile

    async def find(self, desired: DesiredAccount) -> FindResult:
        """By externalId, then by the person's `match`."""
        return await (await self._service()).queries.find(desired)

    async def read(self, kind: ObjectKind, remote: str) -> RemoteAccount | None:
        """One request."""
        return await (await self._service()).queries.read(kind, remote)

    async def list(self, kind: ObjectKind) -> AsyncIterator[RemoteAccount]:
        """Page by page."""
        async for account in (await self._service()).queries.list(kind):
            yield account

    async def links_of(self, kind: ObjectKind, remote: str, attribute: str) -> AsyncIterator[str]:
        """One request: SCIM has no pages of members."""
        async for linked in (await self._service()).queries.links_of(kind, remote, attribute):
            yield linked

    async def apply(self, operation: AccountOperation, accounts: Accounts) -> Confirmation:
        """See `Target.apply`. What the profile does not allow is refused before anything is sent."""
        try:
            service = await self._service()
            if (impossible := refuse_impossible(service.capabilities.profile, operation)) is not None:
                return impossible
            if operation.kind is OperationKind.LINK:
                return await service.links.write(operation, accounts)
            return await service.accounts.write(operation)
        except TargetError as error:  # of a question before a write; links may be repeated in any case
            return unanswered(operation, error, WriteOutcome.LATER)

    async def check(self) -> Sequence[Finding]:
        """Credentials and capabilities; nothing is written."""
        try:
            service = await self._service()
        except TargetError as error:
            return check_service(self.name, error)
        return check_service(self.name, await self._try_search(service), service.capabilities, self._settings)

    async def _try_search(self, service: _Service) -> TargetError | None:
        """Nobody has this anchor. The answer tells whether the token permits reading, and filters are minded."""
        try:
            for kind in service.capabilities.endpoints:
                await service.queries.probe(kind)
        except TargetError as error:
            return error
        return None

    async def _service(self) -> _Service:
        """Discovered by the first task that needs it; a failure is tried anew by the next one. Raises TargetError."""
        async with self._discovery:
            if self._known is None:
                capabilities = await discover(self._client, self._settings)
                queries = ScimQueries(self.name, self._client, self._settings, capabilities)
                parts = (self._client, queries, self._settings, capabilities)
                self._known = _Service(capabilities, queries, AccountWriter(*parts), LinkWriter(*parts))
            return self._known
