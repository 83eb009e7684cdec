"""The audit trail: what happened, in chains of keyed hashes (`chain.py` has the arithmetic). Records and port.

Each start of each node writes a chain of its own, so that no node waits for another one's head (one shared head refused
writers from four nodes on). Entries of different chains have no order among each other but that of their clocks.

The keys are not readable in the database: whoever can only write to it can neither change, insert nor remove an entry
unnoticed, nor cut off a tail, unless they kept the row of the chain (or the register) as it was then: an older copy
holds in itself, of the whole database or of the end of one chain. A process that still writes to that chain notices
(`audit.head_replaced`). For the others the heads are noted outside the database (`head.py`).

What a person's entries say of the person can be removed (`remove_person`). The chain still verifies; the removal is an
entry itself, and names those that it took from: whoever removes anything without an entry is found out. It also shows
which entries were of one person, without saying whose.

Kind of state: lasting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

from gateway.protocol import AccountId
from gateway.store.chain import AuditEvent
from gateway.store.duties import DutyLease
from gateway.store.errors import AuditBroken


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An event in its place."""

    chain: int
    seq: int
    """From 1 in each chain."""
    event: AuditEvent
    hash: str
    """Hex; covers the event and the previous entry's hash."""

    @property
    def id(self) -> str:
        """What people and programs name it by: `<chain>-<number>`."""
        return f"{self.chain}-{self.seq}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditHead:
    """Where a chain ends."""

    chain: int
    node: str
    seq: int
    hash: str
    """Hex."""

    @property
    def noted(self) -> str:
        """As the log has it: `<chain>-<number>:<hash>`."""
        return f"{self.chain}-{self.seq}:{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditAnchor:
    """What pruning left of a chain: up to where it is gone."""

    chain: int
    seq: int
    """Of the last entry that is gone."""
    hash: str
    """Hex."""
    until: float
    """When the newest of those that are gone happened, Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PruneReport:
    """What a round of pruning did."""

    entries: int
    """That are gone."""
    broken: tuple[AuditBroken, ...] = ()
    """Chains that do not hold: nothing of them was pruned from there on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What `verify` found in order."""

    entries: int
    removed: int
    """Entries whose personal part was removed, as the trail itself says."""
    heads: tuple[AuditHead, ...]
    pruned: int = 0
    """Entries that are gone because they were old enough, as sealed anchors say."""
    pruned_until: float | None = None
    """When the newest of them happened, Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedEntry:
    """An entry as it is stored, once it was checked."""

    chain: int
    seq: int
    node: str
    """The chain's."""
    key_id: str
    """Of the chain's key."""
    before: bytes
    """Hash of the entry before."""
    facts: bytes
    personal: bytes | None
    salt: bytes | None
    digest: bytes
    hash: bytes


Take = Callable[[Sequence[CheckedEntry]], None]
"""Gets entries in the order of their chains."""


_PLAIN = tuple(field.name for field in fields(AuditEvent) if field.name not in {"account", "detail"})


def event_fields(event: AuditEvent) -> dict[str, Any]:
    """What an event says, by the names that people and programs get it under: all of it, shown or exported."""
    directory, object_guid = event.account or ("", "")
    plain = {name: getattr(event, name) for name in _PLAIN}
    return {**plain, "directory": directory, "object_guid": object_guid, "detail": dict(event.detail)}


class AuditLog(Protocol):
    """Append-only, in hash chains. Nothing here tells the order of two entries of different nodes."""

    @property
    def refusing(self) -> bool:
        """The last entry could not be written."""
        ...

    async def append(self, event: AuditEvent, *, patience: float = 0.0) -> None:
        """Add an event; returns when it is committed. Raises StoreUnavailable: then it may be there all the same.

        patience: seconds that it may wait for others, to be committed with them.
        """
        ...

    async def settle(self) -> None:
        """Wait until everything appended is committed."""
        ...

    async def entries(
        self,
        *,
        limit: int = 100,
        before: str = "",
        kind: str = "",
        subject: str = "",
        account: AccountId | None = None,
        correlation_id: str = "",
        agent: str = "",
        outcome: str = "",
        since: float | None = None,
        until: float | None = None,
        people: Sequence[AccountId] = (),
    ) -> list[AuditEntry]:
        """Newest first, by the writers' clocks; `before` is an entry's id, the others filter exactly; `kind` also takes
        what stands before the dot of several, such as `admin`.

        since, until: Unix seconds, the second one excluded. people: entries about any of these accounts, and those that name
        nobody's account under a name that one of them had.

        Raises ValueError for a `before` that is no id, or of no entry.
        """
        ...

    async def entry(self, chain: int, seq: int) -> AuditEntry | None:
        """One entry; None where there is none."""
        ...

    async def last_signins(self, account: AccountId, limit: int = 10) -> list[AuditEntry]:
        """The latest sign-ins of one person, newest first."""
        ...

    async def accounts_named(self, name: str) -> list[AccountId]:
        """Whose name the directory said this to be; where it was never typed like that, whatever the case of its letters."""
        ...

    async def accounts(self, identifier: str) -> list[AccountId]:
        """Those with this objectGUID or entryUUID that entries tell of, in order of their directories."""
        ...

    @property
    def written(self) -> tuple[AuditHead, ...]:
        """Where this process's own chain ends, as far as it knows, behind those that it had to leave."""
        ...

    async def heads(self) -> list[AuditHead]:
        """Where the chains of all nodes end, oldest first; what it tells is on the disk, and outlives a power cut."""
        ...

    async def person_entries(self, account: AccountId) -> list[AuditEntry]:
        """All that the trail says of a person, newest first: what `remove_person` would take from."""
        ...

    async def remove_person(self, account: AccountId, now: float, actor: str) -> int:
        """Remove what entries say of a person, with attempts under every name that the person signed in with; not what they
        say of somebody else who has signed in under the same name.

        Returns from how many; the removal is an entry itself, several for very many. actor: who wants it. Interrupted, it
        can be done again.
        """
        ...

    async def anchors(self) -> dict[int, AuditAnchor]:
        """Up to where chains were pruned, by chain. Raises AuditBroken where such a note was tampered with."""
        ...

    async def prune(self, before: float, now: float, lease: DutyLease | None = None, portions: int = 40) -> PruneReport:
        """Delete what happened before a moment, checked first, in so many portions of some hundred entries at most.

        lease: of the duty in whose name it is done. What was tampered with stays. Raises DutyLost.
        """
        ...

    async def verify(self, progress: Callable[[int, int], None] | None = None, take: Take | None = None) -> AuditReport:
        """Check all chains. Raises AuditBroken at the first entry that does not hold.

        take: gets the entries as they were checked, each once.
        """
        ...
