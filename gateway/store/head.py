"""Where the audit trail's chains end: noted outside the database, and compared with what was noted before.

The chains' seals show whoever changes an entry. They do not show an older copy, of the database or of the end of one chain
together with its row of then: that holds in itself. So the heads are noted where somebody who can only write to the
database has no access: in the `HeadWitness`, and in the log, which can be carried off the machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import structlog

from gateway.housekeeping import Housekeeping
from gateway.store.audit import AuditAnchor, AuditHead, AuditLog, AuditReport, Take
from gateway.store.chain import AuditEvent
from gateway.store.errors import AuditBroken, NothingToAccept, StoreError, StoreUnavailable
from gateway.store.witness import WITNESS_NAME, Heads, HeadWitness, contradicted, moved_heads, pruned_hash

log = structlog.get_logger()

Alarm = Callable[[str, dict[str, str]], None]

_LOGGED = 10
"""Chains of this node, the newest, whose heads are logged."""
_NAMED = 20
"""Chains that are named in one entry."""


class AuditHeads:
    """Notes and compares. state_dir: where the witness is; node: this one's name. alarm: raises one, and returns at once."""

    def __init__(self, audit: AuditLog, state_dir: Path, node: str, alarm: Alarm = lambda _event, _fields: None) -> None:
        self._audit, self._node, self._alarm = audit, node, alarm
        self._witness = HeadWitness(state_dir / WITNESS_NAME)
        self._logged: dict[int, int] = {}
        self._alarmed: set[int] = set()
        self._broken: set[tuple[int, int]] = set()
        self._accepted: tuple[AuditHead, ...] = ()

    def add_jobs(self, housekeeping: Housekeeping) -> None:
        """Compare, log and note once a minute."""
        housekeeping.every_minute("note_head", self.note)

    async def begin(self) -> None:
        """As `note`, before anything is served: what cannot be read or written keeps nobody from signing in."""
        try:
            if await asyncio.to_thread(self._witness.read) is None and await self._audit.heads():
                log.warning("audit.no_witness", file=str(self._witness.path), remedy="see who removed it")
            await self.note()
        except StoreError as error:
            log.error("audit.not_compared", error=str(error))  # noqa: TRY400 - its text says all

    async def note(self) -> None:
        """Compare with what was noted, raise an alarm where that does not hold, note and log what has moved.

        What does not hold stays noted, until somebody accepts it. Raises StoreError.
        """
        witnessed = await asyncio.to_thread(self._witness.read) or {}
        try:
            found, broken = await self._compare(witnessed)
        except AuditBroken as error:  # there is nothing that could be compared
            self._tell_broken(error)
            return
        for head, now in broken:
            self._tell(head, now)
        await self._anchors()
        self._log(found)
        held = {**found, **{head.chain: head for head, _ in reversed(broken)}}  # of two the one that was noted first
        changes = {chain: head for chain, head in held.items() if _place(witnessed.get(chain)) != _place(head)}
        if changes:
            await asyncio.to_thread(self._witness.change, changes)

    async def end(self) -> None:
        """As `note`, when everything is written and the database is still open."""
        try:
            await self._audit.settle()
            await self.note()
        except StoreError as error:
            log.error("audit.not_compared", error=str(error))  # noqa: TRY400 - as above

    async def note_own(self) -> None:
        """Note what this process has written, and nothing else: for a command that changes something. Raises StoreError."""
        if own := self._audit.written:
            await self._audit.heads()  # what they tell is on the disk
            witnessed = await asyncio.to_thread(self._witness.read) or {}
            # a chain that was witnessed before this process began it: an older copy of the database counted it once more
            new = {head.chain: head for head in own if head.chain not in witnessed}
            await asyncio.to_thread(self._witness.change, new)

    async def verify(
        self, progress: Callable[[int, int], None] | None = None, take: Take | None = None
    ) -> tuple[AuditReport, int | None]:
        """Check the whole trail, and that it holds what was noted. take: see `AuditLog.verify`.

        Returns the report and how many chains were compared; None where there is no witness. Raises AuditBroken,
        StoreUnavailable.
        """
        witnessed = await asyncio.to_thread(self._witness.read)
        report = await self._audit.verify(progress, take)
        if witnessed is None:
            return report, None
        _, broken = await self._compare(witnessed)
        for head, now in broken:
            first = now.seq + 1 if now is not None and now.seq < head.seq else head.seq
            raise AuditBroken(head.chain, first, _told(head, now))
        return report, len(witnessed)

    async def accept(self, event: AuditEvent) -> int:
        """Take what is there as it is, from now on: after a backup was put back. event: who does it, and why.

        What was noted and does not hold is in the entry, and in the log. Returns of how many chains that was.
        Raises NothingToAccept, StoreError.
        """
        noted, unreadable = await self._noted()
        _, broken = await self._compare(noted)
        if not broken and not unreadable:
            raise NothingToAccept(str(self._witness.path))
        log.warning("audit.accepted", actor=event.actor, **await self._take(event, broken, unreadable))
        return len({head.chain for head, _ in broken})

    async def renew(self, event: AuditEvent) -> None:
        """Take what is there as it is, whether or not it is what was noted: the database itself was put back just now.

        event: who did it. What was noted and does not hold is in the entry. Raises StoreError.
        """
        noted, unreadable = await self._noted()
        _, broken = await self._compare(noted)
        await self._take(event, broken, unreadable)

    async def _noted(self) -> tuple[Heads, str]:
        """What the witness says, and why it cannot be read."""
        try:
            return await asyncio.to_thread(self._witness.read) or {}, ""
        except StoreUnavailable as error:
            return {}, str(error)

    async def _take(
        self, event: AuditEvent, broken: list[tuple[AuditHead, AuditHead | None]], unreadable: str
    ) -> dict[str, str]:
        """Write the entry, note what is there, and nothing else. Returns the entry's detail."""
        named = [f"{head.noted} ({_ends(now)})" for head, now in broken[:_NAMED]]
        more = [f"{len(broken) - _NAMED} more"] if len(broken) > _NAMED else []
        said = ", ".join([*named, *more]) or unreadable
        detail = {**event.detail, **({"noted": said} if said else {})}
        entry = replace(event, detail=detail)
        try:
            await self._audit.append(entry)
        except StoreUnavailable:  # the trail has just seen that its own chain is another one; now it begins a new one
            await self._audit.append(entry)
        found = await self._audit.heads()
        await asyncio.to_thread(self._witness.replace, {head.chain: head for head in found})
        self._alarmed.clear()
        self._accepted = self._audit.written
        return detail

    async def _compare(self, witnessed: Heads) -> tuple[dict[int, AuditHead], list[tuple[AuditHead, AuditHead | None]]]:
        """Where the chains end, and what was noted, or written by this process, and does not hold."""
        own = [head for head in self._audit.written if head not in self._accepted]
        noted = [*witnessed.values(), *(head for head in own if _place(witnessed.get(head.chain)) != _place(head))]
        found = {head.chain: head for head in await self._audit.heads()}
        hashes = {}
        for head in moved_heads(noted, found):  # as many as there are processes that write
            entry = await self._audit.entry(head.chain, head.seq)
            there = entry.hash if entry is not None else pruned_hash(head, (await self._anchors()).get(head.chain))
            hashes[head.chain, head.seq] = there
        return found, contradicted(noted, found, hashes)

    async def _anchors(self) -> dict[int, AuditAnchor]:
        """Up to where chains were pruned; nothing where that was tampered with, which is an alarm of its own."""
        try:
            return await self._audit.anchors()
        except AuditBroken as error:
            self._tell_broken(error)
            return {}

    def _tell_broken(self, error: AuditBroken) -> None:
        """An alarm, once for each place."""
        if (error.chain, error.seq) not in self._broken:
            self._broken.add((error.chain, error.seq))
            self._alarm("audit.broken", {"entry": f"{error.chain}-{error.seq}", "problem": error.problem})

    def _tell(self, head: AuditHead, now: AuditHead | None) -> None:
        """An alarm, once for each chain."""
        if head.chain not in self._alarmed:
            self._alarmed.add(head.chain)
            self._alarm("audit.rolled_back", {"noted": head.noted, "found": _ends(now)})

    def _log(self, found: Heads) -> None:
        own = [head for head in found.values() if head.node == self._node]
        for head in own[-_LOGGED:]:
            if self._logged.get(head.chain) != head.seq:
                self._logged[head.chain] = head.seq
                log.info("audit.head", noted=head.noted)


def _place(head: AuditHead | None) -> tuple[int, str] | None:
    return (head.seq, head.hash) if head is not None else None


def _ends(now: AuditHead | None) -> str:
    return f"now {now.noted}" if now is not None else "now gone"


def _told(head: AuditHead, now: AuditHead | None) -> str:
    return (
        f"its head was {head.noted}, {_ends(now)}: newest entries were removed, or the database is an older copy, "
        "such as one without relay.db-wal. "
        "If you restored a backup: isthmus relay audit accept --why REASON. If not, somebody removed them"
    )
