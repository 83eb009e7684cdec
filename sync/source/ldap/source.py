"""An LDAP server as a source: by content synchronisation where it has that, else everything each time."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing

from directory import ChangeReader, Reading, ReadOutcome, ReadResult
from findings import Finding, failed, passed, undecided, warned
from sync.model import ObjectKind, SourceChange
from sync.source.attributes import AttributeType
from sync.source.ldap.records import changes_of
from sync.source.port import SourceOutcome, SourceReading, Tally, Wait, gone, nobody_listens
from sync.source.schema import Schema
from sync.source.settings import LdapSourceSettings
from sync.source.wakeup import first_change

_NOT_OFFERED = 12
"""unavailableCriticalExtension (RFC 4511 section 4.1.11): no content synchronisation of this database. What the root entry
lists does not tell: OpenLDAP has the control there where any database, or none, has the overlay (seen)."""
_AT_ONCE = 50
"""Objects that are asked for in one search."""
_TYPE_NAMES = re.compile(r"\bNAME\s+(\([^)]*\)|'[^']*')")
_QUOTED = re.compile(r"'([^']*)'")


class LdapSource:
    """See `Source`. names: attributes that rules name. clock: Unix seconds. Blocks for DNS. Raises SettingsProblem."""

    def __init__(
        self, name: str, settings: LdapSourceSettings, names: Collection[str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self.name = name
        self._settings = settings
        declared = {attribute: AttributeType(kind) for attribute, kind in settings.attribute_types.items()}
        self._schema = Schema(names, declared)
        self._asked = tuple(dict.fromkeys(("objectClass", *self._schema.names())))
        self._kinds = {classes.lower(): ObjectKind(kind) for classes, kind in settings.kinds.items()}
        self._reader = ChangeReader(settings.connection("ldap", name), settings.limits(), key=settings.key, clock=clock)
        self._synchronised = settings.method != "full"

    @property
    def delta(self) -> bool:
        """As far as it is known: of `method = "auto"`, the first reading finds out."""
        return self._synchronised

    async def close(self) -> None:
        """Hang up; no reading may be under way."""
        await self._reader.close()

    def read(self, cookie: bytes | None) -> SourceReading:
        """A full comparison has no cookie, and is exhaustive each time."""
        return SourceReading(lambda tally: self._read(cookie, tally))

    async def _read(self, cookie: bytes | None, tally: Tally) -> AsyncGenerator[SourceChange, None]:
        reading = self._reading(cookie)
        async with aclosing(self._changes_of(reading)) as changes:
            async for change in changes:
                yield change
        if self._is_not_offered(reading.result):
            self._synchronised = False
            reading = self._reading(None)
            async with aclosing(self._changes_of(reading)) as changes:
                async for change in changes:
                    yield change
        result = reading.result
        if result.outcome is ReadOutcome.COMPLETE:
            tally.complete(result.cookie, result.controller, exhaustive=result.exhaustive)
        else:
            tally.end(SourceOutcome(result.outcome.value), result.reason, result.cookie, result.controller)

    def _reading(self, cookie: bytes | None) -> Reading:
        if self._synchronised:
            return self._reader.read_syncrepl(cookie, attributes=self._asked, matching=self._settings.matching)
        return self._reader.read_full(attributes=self._asked, matching=self._settings.matching)

    async def _changes_of(self, reading: Reading) -> AsyncGenerator[SourceChange, None]:
        async with reading:
            async for record in reading:
                for change in changes_of(record, self._schema, self._kinds):
                    yield change

    def _is_not_offered(self, result: ReadResult) -> bool:
        return self._settings.method == "auto" and self._synchronised and result.code == _NOT_OFFERED

    # -- single objects

    def fetch(self, keys: Sequence[bytes]) -> SourceReading:
        """By entryUUID or nsUniqueId. Whoever does not match the filter of the settings is not there."""
        return SourceReading(lambda tally: self._fetch(list(dict.fromkeys(keys)), tally))

    async def _fetch(self, keys: Sequence[bytes], tally: Tally) -> AsyncGenerator[SourceChange, None]:
        for begin in range(0, len(keys), _AT_ONCE):
            some = keys[begin : begin + _AT_ONCE]
            found: set[bytes] = set()
            one_of = "(|" + "".join(f"({self._settings.key}={_written(key, self._settings.key)})" for key in some) + ")"
            matching = f"(&{self._settings.matching}{one_of})" if self._settings.matching else one_of
            reading = self._reader.read_full(attributes=self._asked, matching=matching)
            async with reading:
                async for record in reading:
                    found.add(record.key)
                    for change in changes_of(record, self._schema, self._kinds):
                        yield change
            if reading.result.outcome is not ReadOutcome.COMPLETE:
                tally.broken(reading.result.reason, server=reading.result.controller)
                return
            for key in some:
                if key not in found:
                    yield gone(key)
        tally.complete(None, "", exhaustive=False)

    # -- waking up, preflight

    async def wait(self, seconds: float, cookie: bytes | None = None, begun: Callable[[], None] = nobody_listens) -> Wait:
        """By content synchronisation (refreshAndPersist); a server without it does not tell."""
        if self._synchronised:
            reading = self._reader.wait_for_change(cookie, seconds=seconds, matching=self._settings.matching)
            wait = await first_change([reading], begun)
            if wait.changed or not self._is_not_offered(reading.result):
                return wait
            self._synchronised = False
        else:
            begun()
        await asyncio.sleep(seconds)
        return Wait(False)

    async def check(self) -> list[Finding]:
        """Reading, content synchronisation, schema."""
        subschema, problem = await self._ask_root("subschemaSubentry")
        if problem:
            return [failed("connection", self.name, problem, "Check `servers`, `tls`, `service_user` and its password.")]
        return [
            await self._check_reading(),
            await self._check_synchronisation(),
            await self._check_schema(subschema),
        ]

    async def _ask_root(self, attribute: str) -> tuple[list[str], str]:
        """(values of an attribute of the root entry, what stood in the way)."""
        values: list[str] = []
        async with self._reader.read_base("", attributes=(attribute,)) as reading:
            async for record in reading:
                values = [
                    octets.decode("utf-8", "replace") for octets in record.attributes.get(attribute.lower().encode(), [])
                ]
        result = reading.result
        return values, "" if result.outcome is ReadOutcome.COMPLETE else result.reason

    async def _check_reading(self) -> Finding:
        reading = self._reader.read_full(attributes=("objectClass",), matching=self._settings.matching)
        async with reading:
            async for _ in reading:
                seen = f"entries below {self._settings.base_dn} are readable, and have a {self._settings.key}"
                return passed("reading", self.name, seen)
        seen = reading.result.reason or f"there is no entry below {self._settings.base_dn} that matches"
        return failed("reading", self.name, seen, "Let the service account read there, or correct `base_dn` and `matching`.")

    async def _check_synchronisation(self) -> Finding:
        where = self.name
        if self._settings.method == "full":
            return passed("content synchronisation", where, "not used (`method`)")
        reading = self._reader.read_syncrepl(None, attributes=("1.1",), matching=self._settings.matching)
        async with reading:
            async for _ in reading:
                return passed("content synchronisation", where, "the server offers it")
        if reading.result.outcome is ReadOutcome.COMPLETE:
            return passed("content synchronisation", where, "the server offers it")
        seen = reading.result.reason
        remedy = (
            "On OpenLDAP, load the module syncprov and add `overlay syncprov` to the database; on 389 Directory Server, "
            "run dsconf INSTANCE plugin contentsync enable."
        )
        if self._settings.method == "syncrepl" or reading.result.code != _NOT_OFFERED:
            return failed("content synchronisation", where, seen, remedy)
        return warned("content synchronisation", where, f"{seen}: everything is read each time", remedy)

    async def _check_schema(self, subschema: list[str]) -> Finding:
        known: set[str] = set()
        if subschema:
            async with self._reader.read_base(subschema[0], attributes=("attributeTypes",)) as reading:
                async for record in reading:
                    for octets in record.attributes.get(b"attributetypes", []):
                        for given in _TYPE_NAMES.findall(octets.decode("utf-8", "replace")):
                            known |= {name.lower() for name in _QUOTED.findall(given)}
        if not known:
            return undecided("schema", self.name, "the schema is not readable", "Check the spelling yourself.")
        names = self._asked
        lacking = sorted(name for name in names if name.lower() not in known)
        if not lacking:
            return passed("schema", self.name, f"it has all {len(names)} attributes that are read")
        seen = f"it has no {', '.join(lacking)}: for rules, these never have a value"
        return warned("schema", self.name, seen, "Correct the spelling in the rules, or load the schema that has them.")


def _written(key: bytes, attribute: str) -> str:
    """As the attribute has it: nsUniqueId in four groups of eight digits, entryUUID as RFC 4122 writes it."""
    digits = key.hex()
    if attribute == "nsUniqueId":
        return "-".join(digits[at : at + 8] for at in range(0, len(digits), 8))
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
