"""The domains of a forest, read one after the other, as one source.

read     DirSync of each domain; then restored objects, whole, by key
fetch    by objectGUID, tombstones too, in every domain: an object may have moved to another one
wait     change notification of every domain
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from directory import (
    ChangeReader,
    DirectoryRecord,
    ReadOutcome,
    ReadResult,
    RecordKind,
    domain_root,
)
from findings import Finding
from sync.model import SourceChange
from sync.source.ad.cookies import CookieUnusable, seal, unseal
from sync.source.ad.preflight import check_domain
from sync.source.ad.records import ALWAYS, BACK_LINKS, NEEDED, changes_of, forward_links, sid_of
from sync.source.attributes import AttributeType
from sync.source.port import SourceOutcome, SourceReading, Tally, Wait, gone, nobody_listens
from sync.source.schema import Schema
from sync.source.settings import AdDomainSettings, AdSourceSettings
from sync.source.wakeup import first_change

_AT_ONCE = 50
"""Objects that are asked for in one search."""
_FETCHED = ("parentGUID", "name", "isDeleted")
"""What DirSync tells unasked."""


@dataclass(slots=True)
class _Domain:
    """One domain, and what a reading of the source learns about it."""

    name: str
    root: str
    reader: ChangeReader
    settings: AdDomainSettings
    sid: str = ""


@dataclass(slots=True)
class _Pass:
    """One reading of all domains."""

    known: dict[str, bytes] | None
    """Cookies that it begins with; None: in full."""
    cookies: dict[str, bytes | None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    servers: list[str] = field(default_factory=list)
    exhaustive: bool = True
    refused: str = ""
    """Why a cookie was refused."""

    def note(self, domain: str, result: ReadResult, *, flawed: str = "") -> None:
        """How one domain's reading ended. flawed: what could not be read after it: its changes have to be told again."""
        self.servers.append(result.controller)
        self.exhaustive = self.exhaustive and result.exhaustive and not flawed
        self.cookies[domain] = self.known.get(domain) if flawed and self.known else result.cookie
        if result.outcome is ReadOutcome.COOKIE_REFUSED:
            self.refused = f"{domain}: {result.reason}"
        elif result.outcome is not ReadOutcome.COMPLETE or flawed:
            self.problems.append(f"{domain}: {flawed or result.reason}")
            if self.cookies[domain] is None and self.known is not None:
                self.cookies[domain] = self.known[domain]

    @property
    def cookie(self) -> bytes | None:
        """To continue with. Half a full reading is none: what continued it would not be exhaustive."""
        told = {name: cookie for name, cookie in self.cookies.items() if cookie is not None}
        return seal(told) if len(told) == len(self.cookies) else None


class AdSource:
    """See `Source`. names: attributes that rules name. clock: Unix seconds. Blocks for DNS. Raises SettingsProblem."""

    delta = True

    def __init__(
        self, name: str, settings: AdSourceSettings, names: Collection[str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self.name = name
        self._settings, self._clock = settings, clock
        declared = {attribute: AttributeType(kind) for attribute, kind in settings.attribute_types.items()}
        self._schema = Schema((*ALWAYS, *names), declared)
        self._asked = tuple(dict.fromkeys((*NEEDED, *self._schema.names())))
        self._domains = [self._open(domain) for domain in settings.domains]

    def _open(self, domain: AdDomainSettings) -> _Domain:
        reader = ChangeReader(domain.connection("ad", domain.name), domain.limits(), clock=self._clock)
        return _Domain(domain.name, domain_root(domain.base_dn), reader, domain)

    async def close(self) -> None:
        """Hang up; no reading may be under way."""
        for domain in self._domains:
            await domain.reader.close()

    # -- everything, and what changed

    def read(self, cookie: bytes | None) -> SourceReading:
        """By DirSync. A cookie is refused as a whole: what is read in full next, is exhaustive for all domains."""
        return SourceReading(lambda tally: self._read(cookie, tally))

    async def _read(self, cookie: bytes | None, tally: Tally) -> AsyncGenerator[SourceChange, None]:
        try:
            known = unseal(cookie, [domain.name for domain in self._domains]) if cookie is not None else None
        except CookieUnusable as error:
            tally.end(SourceOutcome.COOKIE_REFUSED, str(error))
            return
        run = _Pass(known)
        for domain in self._domains:
            async with aclosing(self._read_domain(domain, run)) as changes:
                async for change in changes:
                    yield change
            if run.refused:
                break
        servers = ", ".join(run.servers)
        if run.refused:
            tally.end(SourceOutcome.COOKIE_REFUSED, run.refused, server=servers)
        elif run.problems:
            tally.broken("; ".join(run.problems), run.cookie, servers)
        else:
            tally.complete(run.cookie, servers, exhaustive=run.exhaustive)

    async def _read_domain(self, domain: _Domain, run: _Pass) -> AsyncGenerator[SourceChange, None]:
        failure = await self._learn_sid(domain)
        if failure is not None:
            run.note(domain.name, failure)
            return
        full = run.known is None
        restored: list[bytes] = []
        deleted: list[DirectoryRecord] = []
        reading = domain.reader.read_dirsync(
            run.known[domain.name] if run.known is not None else None,
            attributes=self._asked,
            base=domain.root,
            own_rights=self._settings.own_rights,
            extended_dn=True,
        )
        async with reading:
            async for record in reading:
                if record.kind is RecordKind.DELETED and len(self._domains) > 1:
                    if not full:  # a full reading has it as absent, or in the domain it moved to
                        deleted.append(record)
                    continue
                if record.restored and not full:
                    restored.append(record.key)
                for change in changes_of(record, self._schema, domain.sid, full=full):
                    yield change
        flaws: list[str] = []
        for more in (self._tell_restored(domain, restored, flaws), self._tell_deleted(domain, deleted, flaws)):
            async with aclosing(more):
                async for change in more:
                    yield change
        run.note(domain.name, reading.result, flawed="; ".join(flaws))

    async def _learn_sid(self, domain: _Domain) -> ReadResult | None:
        """Of the domain, once; else how that failed."""
        if domain.sid:
            return None
        async with domain.reader.read_base(domain.root, attributes=("objectSid",)) as reading:
            async for record in reading:
                domain.sid = sid_of(record)
        if domain.sid:
            return None
        result = reading.result
        reason = f"objectSid of {domain.root} is not readable. Correct `base_dn`, or let the service account read there."
        if result.outcome is not ReadOutcome.COMPLETE:
            reason = result.reason
        return ReadResult(ReadOutcome.FAILED, reason, controller=result.controller)

    async def _tell_restored(
        self, domain: _Domain, keys: Sequence[bytes], flaws: list[str]
    ) -> AsyncGenerator[SourceChange, None]:
        """What they hold now, and which links of others lead to them again: a delta tells neither."""
        for begin in range(0, len(keys), _AT_ONCE):
            async with aclosing(self._ask(domain, keys[begin : begin + _AT_ONCE], flaws)) as records:
                async for record in records:
                    for change in changes_of(record, self._schema, domain.sid, full=False):
                        yield change
                    for change in forward_links(record, self._schema):
                        yield change

    async def _tell_deleted(
        self, domain: _Domain, records: Sequence[DirectoryRecord], flaws: list[str]
    ) -> AsyncGenerator[SourceChange, None]:
        """Those that do not live in another domain: a move between domains leaves a tombstone behind, with the same GUID."""
        others = [other for other in self._domains if other is not domain]
        for begin in range(0, len(records), _AT_ONCE):
            some = records[begin : begin + _AT_ONCE]
            alive: set[bytes] = set()
            known = len(flaws)
            for other in others:
                async with aclosing(self._ask(other, [record.key for record in some], flaws)) as asked:
                    alive |= {record.key async for record in asked if record.kind is not RecordKind.DELETED}
            if len(flaws) > known:
                return  # told again from the same cookie
            for record in some:
                if record.key not in alive:
                    for change in changes_of(record, self._schema, domain.sid, full=False):
                        yield change

    # -- single objects

    def fetch(self, keys: Sequence[bytes]) -> SourceReading:
        """By objectGUID, in all domains, so that an object that moved to another one is not taken for deleted."""
        return SourceReading(lambda tally: self._fetch(list(dict.fromkeys(keys)), tally))

    async def _fetch(self, keys: Sequence[bytes], tally: Tally) -> AsyncGenerator[SourceChange, None]:
        for begin in range(0, len(keys), _AT_ONCE):
            some = keys[begin : begin + _AT_ONCE]
            found: set[bytes] = set()
            tombstones: dict[bytes, str] = {}
            flaws: list[str] = []
            for domain in self._domains:
                failure = await self._learn_sid(domain)
                if failure is not None:
                    flaws.append(f"{domain.name}: {failure.reason}")
                    continue
                async with aclosing(self._ask(domain, some, flaws)) as records:
                    async for record in records:
                        if record.kind is RecordKind.DELETED:
                            tombstones[record.key] = record.dn
                            continue
                        found.add(record.key)
                        for change in changes_of(record, self._schema, domain.sid, full=False):
                            yield change
            if flaws:
                tally.broken("; ".join(flaws))
                return
            for key in some:
                if key not in found:
                    yield gone(key, tombstones.get(key, ""))
        tally.complete(None, "", exhaustive=False)

    async def _ask(self, domain: _Domain, keys: Sequence[bytes], flaws: list[str]) -> AsyncGenerator[DirectoryRecord, None]:
        """Records of those that are there, tombstones too. flaws: gets what stood in the way."""
        reading = domain.reader.read_full(
            attributes=(*self._asked, *_FETCHED, *BACK_LINKS),
            matching="(|" + "".join(f"(objectGUID={_octets(key)})" for key in keys) + ")",
            base=domain.root,
            deleted=True,
            extended_dn=True,
        )
        async with reading:
            async for record in reading:
                yield record
        if reading.result.outcome is not ReadOutcome.COMPLETE:
            flaws.append(f"{domain.name}: {reading.result.reason}")

    # -- waking up, preflight

    async def wait(self, seconds: float, cookie: bytes | None = None, begun: Callable[[], None] = nobody_listens) -> Wait:
        """By change notification, in all domains, each at the domain controller of its cookie."""
        try:
            known = unseal(cookie, [domain.name for domain in self._domains]) if cookie is not None else {}
        except CookieUnusable as error:
            begun()
            return Wait(False, str(error))
        readings = [
            domain.reader.wait_for_change(known.get(domain.name), seconds=seconds, base=domain.root)
            for domain in self._domains
        ]
        return await first_change(readings, begun)

    async def check(self) -> list[Finding]:
        """Each domain: reading, replication right, deleted objects, recycle bin, clock, schema."""
        checks = (
            check_domain(
                f"{self.name} {domain.name}",
                domain.reader,
                domain.settings,
                self._asked,
                own_rights=self._settings.own_rights,
                now=self._clock,
            )
            for domain in self._domains
        )
        return [finding for found in await asyncio.gather(*checks) for finding in found]


def _octets(key: bytes) -> str:
    """As filters have bytes (RFC 4515 section 3)."""
    return "".join(f"\\{octet:02x}" for octet in key)
