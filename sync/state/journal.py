"""Runs and their operations: meant, attempted, confirmed. Accounts that a target would not take, with the next attempt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from sync.model import AccountOperation, Confirmation, WriteOutcome
from sync.state.accounts import TargetAccounts
from sync.state.codec import decode_confirmation, decode_operation, encode
from sync.state.database import Row, StateFile
from sync.state.names import Names
from sync.state.records import JournalEntry, SyncFailure, SyncRun

_HOUR: Final = 3600.0
RETRIES: Final = (6 * _HOUR, 12 * _HOUR, 24 * _HOUR)
"""Seconds after the first, second and every later failure in a row."""
_SETTLED: Final = frozenset({WriteOutcome.CONFIRMED, WriteOutcome.REFUSED})
_RUN = "id, kind, began, ended, outcome, detail, counts"
_ENTRY = "run, operation, intent, attempts, attempted, settled, confirmation"


class SyncJournal:
    """See `JournalPort`."""

    def __init__(self, file: StateFile, names: Names, accounts: TargetAccounts) -> None:
        self._file, self._names, self._accounts = file, names, accounts

    # Runs

    def begin_run(self, kind: str, now: float) -> int:
        """Its number."""
        with self._file.write():
            return self._file.insert(
                "INSERT INTO runs (kind, began, outcome, detail, counts) VALUES (?, ?, '', '', ?)", (kind, now, encode({}))
            )

    def end_run(
        self, run: int, outcome: str, now: float, *, detail: str = "", counts: Mapping[str, int] | None = None
    ) -> None:
        """What came of it."""
        with self._file.write():
            self._file.run(
                "UPDATE runs SET ended = ?, outcome = ?, detail = ?, counts = ? WHERE id = ?",
                (now, outcome, detail, encode(dict(counts or {})), run),
            )

    def runs(self, *, last: int = 20) -> list[SyncRun]:
        """The youngest first. One without an end is under way, or was killed."""
        rows = self._file.all(f"SELECT {_RUN} FROM runs ORDER BY id DESC LIMIT ?", (last,))
        found = []
        for number, kind, began, ended, outcome, detail, counts in rows:
            decoded = msgspec.msgpack.decode(counts, type=dict[str, int])
            found.append(SyncRun(number, kind, began, ended, outcome, detail, decoded))
        return found

    # Operations

    def intend(self, run: int, operations: Iterable[AccountOperation]) -> None:
        """What a run is going to do: written before the first write to a target."""
        with self._file.write():
            self._file.many(
                "INSERT INTO journal (run, operation, person, target, intent, attempts) VALUES (?, ?, ?, ?, ?, 0)",
                ((run, one.id, one.person, self._names.number("target", one.target), encode(one)) for one in operations),
            )

    def attempt(self, run: int, operations: Iterable[int], now: float) -> None:
        """These are being sent now: on the disk before they are. After a crash their target is asked what came of them."""
        with self._file.write():
            self._file.many(
                "UPDATE journal SET attempts = attempts + 1, attempted = ?, confirmation = NULL "
                "WHERE run = ? AND operation = ?",
                ((now, run, operation) for operation in operations),
            )

    def settle(self, run: int, operation: AccountOperation, confirmation: Confirmation, now: float) -> SyncFailure | None:
        """What a target said: entry, account and failure in one transaction. Raises AccountUnknown.

        An operation that is UNKNOWN or LATER stays open. What is not confirmed is a failure of its person at this target.
        """
        with self._file.write():
            settled = now if confirmation.outcome in _SETTLED else None
            self._file.run(
                "UPDATE journal SET settled = ?, confirmation = ? WHERE run = ? AND operation = ?",
                (settled, encode(confirmation), run, operation.id),
            )
            if confirmation.outcome is WriteOutcome.CONFIRMED:
                self._accounts.settle(operation, confirmation, now)
                self.forget_failure(operation.target, operation.person)
                return None
            return self.fail(operation.target, operation.person, confirmation.cause, confirmation.detail, now)

    def open_operations(self) -> Iterator[JournalEntry]:
        """Of all runs, in their order: not settled. Those with an attempt may have worked, or not: their target knows."""
        which = "settled IS NULL AND (run, operation) > (?, ?)"
        sql = f"SELECT {_ENTRY} FROM journal WHERE {which} ORDER BY run, operation LIMIT ?"
        for row in self._file.pages(sql, after=(0, -1), keys=2):
            yield self._entry(row)

    def abandon(self, run: int, operations: Iterable[int], now: float) -> None:
        """These will not be done: the plan is another one by now, and where one was attempted, its target was asked."""
        with self._file.write():
            self._file.many(
                "UPDATE journal SET settled = ? WHERE run = ? AND operation = ? AND settled IS NULL",
                ((now, run, operation) for operation in operations),
            )

    def operations(self, run: int) -> Iterator[JournalEntry]:
        """Of one run, in the order of writes."""
        sql = f"SELECT {_ENTRY} FROM journal WHERE run = ? AND (run, operation) > (?, ?) ORDER BY run, operation LIMIT ?"
        for row in self._file.pages(sql, run, after=(run, -1), keys=2):
            yield self._entry(row)

    def of_person(self, person: int, *, last: int = 20) -> list[JournalEntry]:
        """What was done to somebody's accounts, the youngest first."""
        sql = f"SELECT {_ENTRY} FROM journal WHERE person = ? ORDER BY run DESC, operation DESC LIMIT ?"
        return [self._entry(row) for row in self._file.all(sql, (person, last))]

    def _entry(self, row: Row) -> JournalEntry:
        run, number, intent, attempts, attempted, settled, confirmation = row
        try:
            said = decode_confirmation(confirmation) if confirmation is not None else None
            return JournalEntry(run, decode_operation(intent), attempts, attempted, settled, said)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
            raise self._file.damaged(f"operation {number} of run {run} cannot be read") from error

    # Failures

    def fail(self, target: str, person: int, cause: str, detail: str, now: float) -> SyncFailure:
        """Once more: the next attempt is after 6, 12 and then every 24 hours; of another cause the count begins anew."""
        with self._file.write():
            place = self._names.number("target", target)
            row = self._file.one(
                "SELECT cause, attempts, since FROM failures WHERE target = ? AND person = ?", (place, person)
            )
            attempts, since = (row[1] + 1, row[2]) if row and row[0] == cause else (1, now)
            due = now + RETRIES[min(attempts, len(RETRIES)) - 1]
            self._file.run(
                "INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (place, person, cause, detail, attempts, since, now, due),
            )
            return SyncFailure(target, person, cause, detail, attempts, since, now, due)

    def forget_failure(self, target: str, person: int) -> None:
        """It works again, or nothing is wanted of it any more."""
        with self._file.write():
            place = self._names.number("target", target)
            self._file.run("DELETE FROM failures WHERE target = ? AND person = ?", (place, person))

    def failure(self, target: str, person: int) -> SyncFailure | None:
        """None where nothing failed."""
        sql = (
            "SELECT target, person, cause, detail, attempts, since, last, due FROM failures WHERE target = ? AND person = ?"
        )
        row = self._file.one(sql, (self._names.find("target", target), person))
        return SyncFailure(target, *row[1:]) if row else None

    def failures(self, *, due: float | None = None) -> Iterator[SyncFailure]:
        """By target and person. due: only those that are to be tried again at this time."""
        sql = (
            "SELECT target, person, cause, detail, attempts, since, last, due FROM failures WHERE (? IS NULL OR due <= ?) "
            "AND (target, person) > (?, ?) ORDER BY target, person LIMIT ?"
        )
        for target, *rest in self._file.pages(sql, due, due, after=(0, 0), keys=2):
            yield SyncFailure(self._names.text(target), *rest)

    def failure_counts(self) -> dict[tuple[str, str], int]:
        """By target and cause."""
        rows = self._file.all("SELECT target, cause, count(*) FROM failures GROUP BY target, cause")
        return {(self._names.text(target), cause): count for target, cause, count in rows}
