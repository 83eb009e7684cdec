"""One reading of a source: what it tells is applied in transactions, and its end says what was not told.

Each transaction has up to 5,000 changes. The cookie is written by `finish`, in the last one: a process that is killed in
between has more than its cookie says, never less, and the next reading tells some of it again.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Final

from sync.model import ChangeKind, SourceChange
from sync.state.database import StateFile
from sync.state.marks import Marks
from sync.state.names import Names
from sync.state.object_writer import ObjectWriter
from sync.state.objects import DELETED, LIVING, PLACEHOLDER, Objects
from sync.state.records import DeletionEvidence, ReadingKind, ReadingSummary

_AT_ONCE: Final = 5000
"""Changes in one transaction."""


class ReadingApplication:
    """See `ReadingPort`."""

    def __init__(
        self,
        file: StateFile,
        names: Names,
        objects: Objects,
        marks: Marks,
        source: str,
        kind: ReadingKind,
        run: int,
        now: float,
    ) -> None:
        self._file, self._kind, self._run, self._now = file, kind, run, now
        with file.write():
            self._source = names.number("source", source)
            self._writer = ObjectWriter(file, names, objects, marks, self._source)
            if kind is not ReadingKind.FETCH:
                file.run(
                    "INSERT INTO sources VALUES (?, NULL, 0, ?, ?, 0.0) "
                    "ON CONFLICT DO UPDATE SET complete = 0, run = excluded.run",
                    (self._source, run, now),
                )
        self._seen = Bits()
        self._told = 0
        self._candidates = self._rereads = False

    def apply(self, changes: Iterable[SourceChange]) -> None:
        """In their order. Committed when it returns; where it raises, the last 5,000 of them at most are not."""
        remaining = iter(changes)
        while some := list(islice(remaining, _AT_ONCE)):
            with self._file.write(durable=False):
                self._begin()
                self._writer.begin(some)
                for change in some:
                    self._apply(change)
                self._writer.end()
            self._told += len(some)

    def finish(self, *, complete: bool, cookie: bytes | None = None, exhaustive: bool = False, now: float) -> ReadingSummary:
        """The reading has ended.

        complete: what was told is all that there is to tell. Otherwise nothing goes because it was not told.
        exhaustive: an object that was not told of, or only as deleted, is not there: it becomes a candidate for absence.
        cookie: to continue with next time, kept in the same transaction; None: read in full. Of a FETCH it is not kept.
        """
        absent = 0
        with self._file.write(durable=False):
            self._writer.begin(())
            self._writer.close(whole=complete)
            self._writer.end()
            if self._kind is not ReadingKind.FETCH:
                if complete and exhaustive:
                    absent = self._note_absent()
                self._file.run(
                    "UPDATE sources SET cookie = ?, complete = ?, run = ?, at = ?, completed = iif(?, ?, completed) "
                    "WHERE id = ?",
                    (cookie, complete, self._run, now, complete, now, self._source),
                )
        return ReadingSummary(self._told, self._writer.altered, absent)

    def _begin(self) -> None:
        self._candidates = self._file.one("SELECT 1 FROM absence_candidates LIMIT 1") is not None
        self._rereads = self._file.one("SELECT 1 FROM rereads LIMIT 1") is not None

    def _apply(self, change: SourceChange) -> None:
        row = self._writer.open(change.key)
        if change.kind is ChangeKind.DELETED:
            if row is not None:  # servers name objects as deleted of which they never told
                self._forget_requests(row.id, change)
                self._writer.delete(row)
            return
        if row is None:
            row = self._writer.create(change.key)
        again = self._seen.add(row.id)
        if self._candidates:
            self._file.run("DELETE FROM absence_candidates WHERE object = ?", (row.id,))
        if change.kind is ChangeKind.PRESENT:
            if row.status != LIVING:
                self._reread(row.id)
            return
        whole = change.kind is ChangeKind.WHOLE or (self._kind is ReadingKind.FULL and not again)
        died = row.status == DELETED
        self._writer.tell(row, change, whole=whole)
        if self._writer.unresolved or change.restored or (died and not whole):
            self._reread(row.id)
        elif whole and self._rereads:
            self._file.run("DELETE FROM rereads WHERE object = ?", (row.id,))

    def _reread(self, number: int) -> None:
        """More has to be known of it than a delta tells."""
        self._rereads = True
        self._file.run("INSERT OR IGNORE INTO rereads VALUES (?)", (number,))

    def _forget_requests(self, number: int, change: SourceChange) -> None:
        """Note why an object is taken for deleted; nothing is to be asked about it any more. A tombstone has a DN."""
        absent = self._file.run("DELETE FROM absence_candidates WHERE object = ?", (number,))
        self._file.run("DELETE FROM rereads WHERE object = ?", (number,))
        if self._kind is not ReadingKind.FETCH or change.dn:
            evidence = DeletionEvidence.TOMBSTONE
        else:
            evidence = DeletionEvidence.ABSENT if absent else DeletionEvidence.NOT_FOUND
        better = "WHERE excluded.evidence = 'tombstone'"  # what is known is not replaced by less
        self._file.run(
            "INSERT INTO deletions SELECT id, ?, ?, ? FROM objects WHERE id = ? AND status <> ? ON CONFLICT DO UPDATE SET "
            f"evidence = excluded.evidence, run = excluded.run, at = excluded.at {better}",
            (evidence.value, self._run, self._now, number, PLACEHOLDER),
        )

    def _note_absent(self) -> int:
        """Objects that a complete and exhaustive reading did not have. They are asked for before anything is concluded."""
        self._file.run(
            "DELETE FROM absence_candidates WHERE object IN (SELECT object FROM absence_candidates "
            "JOIN objects ON objects.id = object WHERE source = ?)",
            (self._source,),
        )
        count = 0
        sql = "SELECT key, id FROM objects WHERE source = ? AND key > ? ORDER BY key LIMIT ?"
        for _, number in self._file.pages(sql, self._source, after=(b"",)):
            if not self._seen.has(number):
                count += self._file.run(
                    "INSERT INTO absence_candidates SELECT id, ? FROM objects WHERE id = ? AND status = ?",
                    (self._run, number, LIVING),
                )
        return count


class Bits:
    """A set of numbers of objects: 125 KB for a million."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def add(self, number: int) -> bool:
        """Whether it was there already."""
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self._bytes):
            self._bytes.extend(bytes(max(4096, place + 1 - len(self._bytes))))
        had = self._bytes[place] & bit
        self._bytes[place] |= bit
        return bool(had)

    def has(self, number: int) -> bool:
        """Whether it was added."""
        place = number >> 3
        return place < len(self._bytes) and bool(self._bytes[place] & 1 << (number & 7))
