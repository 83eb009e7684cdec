"""Metadata of parties, from the addresses that their trusts name: looked at on schedule, kept where it is good.

    due ──► fetched ──► read, signature of the pinned key ──► valid, its own entity, addresses over HTTPS ──► kept
              │ not reached      │ refused                        │ refused
              └──────────────────┴────────────────────────────────┴──► the last good one stays until its `validUntil`

A duty: one node looks. Kind of state: `PartyMetadata` is a copy of what is elsewhere, in the store; memory holds how long a
document says that it may be cached, which is read anew after a restart.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

import msgspec
import structlog

from foundation.http import FetchFailed
from foundation.saml import PartyDescription, SamlError, read_party_metadata
from gateway.federation.outbound import DocumentSource
from gateway.federation.saml.names import BINDING_POST
from gateway.federation.saml.parties import Parties
from gateway.federation.trusts import Trust, TrustRegistry, application_url
from gateway.housekeeping import Housekeeping, Sleep
from gateway.relay import Order, OrderHandler, RelayError, order_handler
from gateway.store import AuditEvent, DutyLease, PartyMetadata, Store, StoreError
from settings import Unfit

log = structlog.get_logger()

LARGEST: Final = 5 * 1024 * 1024
"""Bytes of a document."""
PACE: Final = 60.0
"""Seconds between two looks at what is due."""
USUAL: Final = 6 * 3600.0
"""Seconds until a document is fetched again that says nothing about it."""
SHORTEST: Final = 3600.0
LONGEST: Final = 86400.0
"""Bounds of what a document says of it, in seconds."""
RETRY: Final = 900.0
"""Seconds after which a document that was not good is fetched again."""
AGED: Final = 2 * 86400.0
"""Seconds without a good document after which somebody has to look."""
LEASE: Final = 120.0
"""Seconds."""
AT_ONCE: Final = 4
MOST: Final = 20
"""Parties that one round looks at."""
_DUTY: Final = "party metadata"


class MetadataRefused(Exception):
    """A document that was fetched is not good."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class NoMetadataAddress(RelayError):
    """Its trust names no address."""

    def __init__(self, trust: str) -> None:
        super().__init__(trust)
        self.trust = trust

    def __str__(self) -> str:
        return f"the trust {self.trust!r} is disabled, or has no saml.metadata_url: there is nothing to read"


class MetadataView(msgspec.Struct, kw_only=True):
    """What came of a look. Times are Unix seconds."""

    trust: str
    problem: str
    """Why the document was not good; empty where it was."""
    changed: bool
    """Another document is kept now."""
    fetched_at: float
    """When the kept document was; 0: there is none."""
    valid_until: float
    """0: it does not say."""


def interval(kept: PartyMetadata, cache_duration: float) -> float:
    """Seconds from one look to the next. cache_duration: what the document says, 0 where that is not known. Pure."""
    every = min(max(cache_duration or USUAL, SHORTEST), LONGEST)
    if kept.valid_until:
        every = min(every, max(RETRY, (kept.valid_until - kept.checked_at) / 2))
    return min(every, RETRY) if kept.problem else every


def check_metadata(data: bytes, trust: Trust, known_as: str, now: float) -> PartyDescription:
    """A document that may be kept for a trust. Pure. Raises MetadataRefused.

    known_as: the party's entity ID so far, which it keeps; empty where it is not known.
    """
    try:
        described = read_party_metadata(data, entity_id=trust.saml.entity_id, signer=trust.saml.metadata_signer)
    except SamlError as error:
        raise MetadataRefused(str(error)) from error
    if known_as and described.entity_id != known_as:
        raise MetadataRefused(f"it describes {described.entity_id}, and the party is {known_as}")
    if described.valid_until and described.valid_until <= now:
        raise MetadataRefused("its validUntil is over")
    check_consumers(described)
    return described


def check_consumers(described: PartyDescription) -> None:
    """Responses go by POST, to addresses that are encrypted. Raises MetadataRefused."""
    consumers = [consumer.url for consumer in described.consumers if consumer.binding == BINDING_POST]
    if not consumers:
        raise MetadataRefused("it names no assertion consumer service for HTTP-POST")
    for url in consumers:
        try:
            application_url(url)
        except Unfit as error:
            raise MetadataRefused(f"an assertion consumer service: {error}") from error


class MetadataRefresh:
    """documents: where they come from. alarm: tells the operator. clock: Unix seconds."""

    def __init__(
        self,
        store: Store,
        trusts: TrustRegistry,
        parties: Parties,
        documents: DocumentSource,
        alarm: Callable[[str, dict[str, str]], None],
        clock: Callable[[], float],
    ) -> None:
        self._store, self._trusts, self._parties, self._documents = store, trusts, parties, documents
        self._alarm, self._clock = alarm, clock
        self._holder = f"{store.node}-{secrets.token_hex(4)}"
        self._cache_durations: dict[str, float] = {}

    def add_jobs(self, housekeeping: Housekeeping, sleep: Sleep) -> None:
        """Look at what is due, for as long as the relay serves."""

        async def keep_looking() -> None:
            while True:
                await sleep(PACE)
                try:
                    await self.run()
                except StoreError as error:
                    log.warning("party_metadata.postponed", error=str(error))

        housekeeping.beside("relay-party-metadata", keep_looking)

    async def run(self) -> None:
        """Look at what is due, unless another node does. Raises StoreError."""
        named = {trust.id: trust for trust in self._trusts.all() if trust.saml.metadata_url}
        self._cache_durations = {name: value for name, value in self._cache_durations.items() if name in named}
        if not named:
            return
        kept, now = await self._kept(), self._clock()
        due = [trust for trust in named.values() if self._is_due(trust, kept.get(trust.id), now)]
        # where a round has no room for all, those that have waited longest: else the ones that fail are all that it looks at
        due.sort(key=lambda trust: kept[trust.id].checked_at if trust.id in kept else 0.0)
        lease = await self._store.duties.take(_DUTY, self._holder, now=now, until=now + LEASE) if due else None
        if lease is None:
            return
        slots = asyncio.Semaphore(AT_ONCE)

        async def look(trust: Trust) -> None:
            async with slots:
                await self._look(trust, kept.get(trust.id), lease, "relay")

        try:
            outcomes = await asyncio.gather(*(look(trust) for trust in due[:MOST]), return_exceptions=True)
            for failed in filter(None, outcomes):
                raise failed
        finally:
            await self._store.duties.give_up(lease)

    async def refresh(self, trust_id: str, actor: str) -> MetadataView:
        """Look at one trust's now. Raises NoMetadataAddress, StoreError."""
        trust = self._trusts.get(trust_id)
        if trust is None or not trust.saml.metadata_url:
            raise NoMetadataAddress(trust_id)
        before = (await self._kept()).get(trust_id)
        after = await self._look(trust, before, None, actor)
        return MetadataView(
            trust=trust_id,
            problem=after.problem,
            changed=after.document != (before.document if before is not None else b""),
            fetched_at=after.fetched_at,
            valid_until=after.valid_until,
        )

    # -- inside

    async def _kept(self) -> dict[str, PartyMetadata]:
        return {metadata.trust: metadata for metadata in await self._store.trusts.metadata()}

    def _is_due(self, trust: Trust, kept: PartyMetadata | None, now: float) -> bool:
        """A look in the future was noted by a clock that was wrong, and says nothing. A trust that was changed since may
        name another address, or another signer."""
        if kept is None or kept.checked_at < self._trusts.records[trust.id].changed_at:
            return True
        return abs(now - kept.checked_at) >= interval(kept, self._cache_durations.get(kept.trust, 0.0))

    async def _look(self, trust: Trust, before: PartyMetadata | None, lease: DutyLease | None, actor: str) -> PartyMetadata:
        kept = before or PartyMetadata(trust=trust.id, document=b"", fetched_at=0.0, checked_at=self._clock())
        try:
            after = await self._fetch(trust)
        except (FetchFailed, MetadataRefused) as error:
            after = without(kept, str(error)[:500], self._clock())
            self._tell(kept, after, refused=isinstance(error, MetadataRefused))
        if await self._store.trusts.keep_metadata(after, lease) and after.document != kept.document:
            await self._record(after, actor)
        return after

    async def _fetch(self, trust: Trust) -> PartyMetadata:
        """Raises FetchFailed, MetadataRefused."""
        data = await self._documents.get(trust.saml.metadata_url, most=LARGEST)
        party, now = self._parties.of(trust.id), self._clock()
        described = await asyncio.to_thread(check_metadata, data, trust, party.entity_id if party else "", now)
        owner = self._parties.find(described.entity_id)
        if owner is not None and owner.trust.id != trust.id:
            raise MetadataRefused(f"its entity ID is that of the trust {owner.trust.id}")
        self._cache_durations[trust.id] = described.cache_duration
        return PartyMetadata(
            trust=trust.id, document=data, fetched_at=now, checked_at=now, valid_until=described.valid_until
        )

    def _tell(self, before: PartyMetadata, after: PartyMetadata, *, refused: bool) -> None:
        """Once for each reason, and once where what is kept has become old."""
        log.warning("party_metadata.not_good", trust=after.trust, problem=after.problem)
        fields = {"trust": after.trust, "problem": after.problem}
        if refused and before.problem != after.problem:
            self._alarm("metadata.refused", fields)
        if before.checked_at - before.fetched_at < AGED <= after.checked_at - after.fetched_at and before.document:
            self._alarm("metadata.aged", fields)
        if before.document and not after.document:
            self._alarm("metadata.expired", fields)

    async def _record(self, after: PartyMetadata, actor: str) -> None:
        detail = {"sha256": hashlib.sha256(after.document).hexdigest() if after.document else ""}
        event = AuditEvent(
            time=self._clock(), kind="trust.metadata_changed", actor=actor, subject=after.trust, detail=detail
        )
        await self._store.audit.append(event)


def without(kept: PartyMetadata, problem: str, now: float) -> PartyMetadata:
    """What is kept where a look brought nothing good: the last good one, until it says that it is over. Pure."""
    over = 0 < kept.valid_until <= now
    return replace(
        kept,
        document=b"" if over else kept.document,
        valid_until=0.0 if over else kept.valid_until,
        checked_at=now,
        problem=problem,
    )


class RefreshTrust(Order):
    """trust: its id."""

    trust: str


def metadata_orders(refresh: MetadataRefresh) -> Mapping[str, OrderHandler]:
    """The act by name, as `control_app` takes it."""
    return {"refresh_trust": order_handler(RefreshTrust, lambda order, actor: refresh.refresh(order.trust, actor))}
