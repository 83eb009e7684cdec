"""Where the records are: the port that admission uses, and what the store offers for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from gateway.relay.credentials.admission.record import LockRecord

T = TypeVar("T")

Rule = Callable[[Mapping[bytes, LockRecord]], tuple[Mapping[bytes, LockRecord | None], T]]
"""Pure: the records that are there (a key without one is missing) -> those that change (None: delete it) and a result.

It may be called again with newer records where a store found that somebody else was faster."""

Row = tuple[bytes, bytes, float]
"""A record as it is stored: key (16 bytes, a keyed digest), value (opaque to the store, below 1 KB), and the Unix time
from which on the row may be deleted."""

RowRule = Callable[[Mapping[bytes, bytes]], tuple[Sequence[Row], Sequence[bytes], T]]
"""The same in rows: values by key -> rows to write, keys to delete, a result."""


class AdmissionStore(Protocol):
    """Records by key. Every error of the database arrives as gateway.store.StoreError."""

    async def apply(self, keys: Sequence[bytes], rule: Rule[T]) -> T:
        """Read the records of `keys`, have `rule` decide, write what it changes: atomically, whoever else does the same.

        The rule changes records of `keys` only. Cancelling: done as a whole or not at all.
        """
        ...

    async def records(self) -> list[tuple[bytes, LockRecord]]:
        """All of them; for an administrator's list."""
        ...

    async def purge(self, now: float) -> int:
        """Forget what expired before `now`; returns how many."""
        ...


class AdmissionRows(Protocol):
    """What `gateway.store` offers as `store.admission`: rows by key, opaque. Each method is one transaction.

    Errors: StoreUnavailable; nothing was half written then.
    """

    def bound(self, limit: int, weigh: Callable[[bytes], int]) -> None:
        """Have `apply` keep no more than `limit` rows from now on: of the oldest those go first that weigh least."""
        ...

    async def all(self) -> list[Row]:
        """Every row."""
        ...

    async def save(self, rows: Sequence[Row], gone: Sequence[bytes]) -> None:
        """Insert or replace `rows`, delete `gone` (those that are not there do not matter)."""
        ...

    async def apply(self, keys: Sequence[bytes], rule: RowRule[T]) -> T:
        """As `AdmissionStore.apply`, in rows. Keys that are not there must be locked too (facts: one sorted INSERT … ON
        CONFLICT DO UPDATE … RETURNING); whatever waits goes into one transaction, and the rule runs once for each."""
        ...

    async def purge(self, now: float) -> int:
        """Delete rows whose time has come; returns how many."""
        ...
