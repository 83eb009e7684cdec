"""Journals of procedures that one node does for all (`foundation.procedures`), such as a rollover of signing keys.

Each entry is a row, committed before anything is done on its account. Who writes holds a duty, and every write names its
fencing number: a node that slept past its lease writes nothing any more. A row is sealed (HMAC-SHA-256, by the keyring)
over the row before: who writes to the database only can add none, nor change, move or leave out any but the last ones.

Kind of state: lasting. Of the work before the last one nothing is kept: what came of it stands in the audit trail.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Sequence
from typing import Any, Protocol

import sqlalchemy as sa

from foundation.procedures import (
    Entry,
    Event,
    Impossible,
    Journal,
    JournalError,
    JournalLocked,
    Record,
    Started,
    StateTypes,
    decode_event,
    encode_event,
    following,
    kind_of,
    record_after,
    unwritten,
)
from gateway.store.database import Database
from gateway.store.duties import DutyLease, check_lease
from gateway.store.errors import DutyLost, StoreUnavailable
from gateway.store.keyring import DerivedKey, Keyring
from gateway.store.tables import BigNumber, metadata, upsert

VERSION = 1
MAX_ENTRY = 1024 * 1024
"""Characters of one entry."""
_USE = "procedures"
_START = str(Started.__struct_config__.tag)
_RESTORE = "Restore the database from the backup, or look at what the work was about before you continue."
_MISTAKE = "This is a mistake of the program, or somebody answered with far too much text."

procedures = sa.Table(
    "procedures",
    metadata,
    sa.Column("journal", sa.String(64), primary_key=True),
    sa.Column("number", BigNumber, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("entry", sa.Text, nullable=False),
    sa.Column("key_id", sa.String(16), nullable=False),
    sa.Column("seal", sa.LargeBinary, nullable=False),
)


class ProcedureStore(Protocol):
    """Journals by name. `types`: the states of the procedures that share one, by kind."""

    async def open(self, name: str, types: StateTypes, lease: DutyLease, *, who: str) -> Journal:
        """For writing, while the duty is held. who: is written into each entry. Raises JournalError.

        The journal's `write` raises JournalLocked where somebody else has the duty, or has written, by now.
        """
        ...

    async def read(self, name: str, types: StateTypes) -> Record[Any] | None:
        """What it says; None where nothing was ever started. Raises JournalError."""
        ...

    async def history(self, name: str, types: StateTypes) -> list[Entry]:
        """Every entry of the last work, and of the one before. Raises JournalError."""
        ...


class SqlProcedures:
    """Implements `ProcedureStore`."""

    def __init__(self, database: Database, keyring: Keyring) -> None:
        self._database, self._keyring = database, keyring

    async def open(self, name: str, types: StateTypes, lease: DutyLease, *, who: str) -> Journal:
        """See `ProcedureStore`."""
        journal = StoreJournal(self._database, self._keyring, name, types, lease, who)
        await journal.load()
        return journal

    async def read(self, name: str, types: StateTypes) -> Record[Any] | None:
        """See `ProcedureStore`."""
        return (await _read(self._database, self._keyring, name, types)).record

    async def history(self, name: str, types: StateTypes) -> list[Entry]:
        """See `ProcedureStore`."""
        return (await _read(self._database, self._keyring, name, types)).entries


class StoreJournal:
    """Implements `foundation.procedures.Journal`: open for writing while a duty is held."""

    def __init__(
        self, database: Database, keyring: Keyring, name: str, types: StateTypes, lease: DutyLease, who: str
    ) -> None:
        self._database, self._keyring, self._name, self._types = database, keyring, name, types
        self._lease, self._who = lease, who
        self._content = _Content(name, _where(database, name))
        self._unsure = False
        """Whether the last write was kept is not known."""

    @property
    def record(self) -> Record[Any] | None:
        """See `Journal`."""
        return self._content.record

    async def load(self) -> None:
        """Read what is there. Raises JournalError."""
        self._content = await _read(self._database, self._keyring, self._name, self._types)
        self._unsure = False

    async def write(self, event: Event, now: float) -> Record[Any]:
        """See `Journal`. After a commit whose outcome was not known it looks what became of that first."""
        if self._unsure:
            await self.load()
        content = self._content
        entry = Entry(event=event, at=now, by=self._who)
        changed = following(content.where, content.record, entry)
        text = _encode(entry)
        if len(text) > MAX_ENTRY or changed.kind not in self._types:  # it could not be read back
            raise JournalError(content.where, f"cannot write {kind_of(event)!r} of {changed.kind}", _MISTAKE)
        row = content.next_row(self._keyring.current(_USE), entry, text)
        try:
            await self._database.write(lambda connection: self._insert(connection, row, content.start_before(entry)))
        except StoreUnavailable as error:
            self._unsure = True
            raise unwritten(content.where, event, str(error), "Try again once the database answers") from error
        except DutyLost as error:
            raise JournalLocked(content.where, "by another node, which has taken the work over") from error
        content.add(entry, row, changed)
        return changed

    def _insert(self, connection: sa.Connection, row: dict[str, Any], keep_from: int) -> None:
        check_lease(connection, self._lease)
        insert = upsert(connection, procedures).values(row).on_conflict_do_nothing().returning(procedures.c.number)
        if connection.execute(insert).one_or_none() is None:
            raise JournalLocked(self._content.where, "by somebody else, who has written to it meanwhile")
        old = (procedures.c.journal == self._name) & (procedures.c.number < keep_from)
        connection.execute(sa.delete(procedures).where(old))


class _Content:
    """What rows say, checked."""

    def __init__(self, name: str, where: str) -> None:
        self.name, self.where = name, where
        self.entries: list[Entry] = []
        self.record: Record[Any] | None = None
        self._number, self._seal, self._start = 0, b"", 0

    def read(self, rows: Sequence[Any], keyring: Keyring, types: StateTypes) -> None:
        """Raises JournalError, whose line is the row's number."""
        self._number = rows[0].number - 1 if rows else 0
        for row in rows:
            key = keyring.find(_USE, row.key_id)
            seal = self._sealed(key, row.number, row.kind, row.entry) if key is not None else b""
            if row.number != self._number + 1 or not hmac.compare_digest(seal, bytes(row.seal)):
                raise JournalError(self.where, "is damaged: it was changed, or entries are missing", _RESTORE, row.number)
            try:
                entry = _decode(row.kind, row.entry, types, self.record)
                changed = record_after(self.record, entry)
            except Impossible as error:
                raise JournalError(self.where, str(error), _RESTORE, row.number) from error
            self.add(entry, row._mapping, changed)

    def add(self, entry: Entry, row: Any, changed: Record[Any]) -> None:
        """One more entry that is kept."""
        self._start = self.start_of(entry, row["number"])
        self.entries.append(entry)
        self.record, self._number, self._seal = changed, row["number"], bytes(row["seal"])

    def next_row(self, key: DerivedKey, entry: Entry, text: str) -> dict[str, Any]:
        """The row of an entry that is about to be kept."""
        number, kind = self._number + 1, kind_of(entry.event)
        told = {"journal": self.name, "number": number, "kind": kind, "entry": text}
        return {**told, "key_id": key.id, "seal": self._sealed(key, number, kind, text)}

    def start_of(self, entry: Entry, number: int) -> int:
        """The number of the entry that the work begins with which this one belongs to."""
        return number if isinstance(entry.event, Started) else self._start

    def start_before(self, entry: Entry) -> int:
        """From which number on entries are kept: where new work starts, those of the work before it; else all."""
        return self._start if isinstance(entry.event, Started) else 0

    def _sealed(self, key: DerivedKey, number: int, kind: str, text: str) -> bytes:
        before = "" if kind == _START else self._seal.hex()  # what stands before new work may be deleted
        told = json.dumps([self.name, number, kind, before, text]).encode()
        return hmac.digest(key.secret, told, "sha256")


async def _read(database: Database, keyring: Keyring, name: str, types: StateTypes) -> _Content:
    query = sa.select(procedures).where(procedures.c.journal == name).order_by(procedures.c.number)
    content = _Content(name, _where(database, name))
    try:
        rows = await database.read(lambda connection: connection.execute(query).all())
    except StoreUnavailable as error:
        raise JournalError(content.where, f"cannot be read ({error})", "Try again once the database answers.") from error
    content.read(rows, keyring, types)
    return content


def _where(database: Database, name: str) -> str:
    return f"{database.where}, journal {name}"


def _encode(entry: Entry) -> str:
    """In ASCII: errors of servers may hold half a character, which no database takes."""
    fields = {"v": VERSION, "at": entry.at, "by": entry.by, "data": encode_event(entry.event)}
    return json.dumps(fields, separators=(",", ":"))


def _decode(kind: str, text: str, types: StateTypes, record: Record[Any] | None) -> Entry:
    """Raises Impossible."""
    fields = json.loads(text)
    if fields["v"] != VERSION:
        raise Impossible(f"it was written by a newer Isthmus (version {fields['v']}, this one knows {VERSION})")
    return Entry(event=decode_event(kind, fields["data"], types, record), at=fields["at"], by=fields["by"])
