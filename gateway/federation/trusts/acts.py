"""What an administrator can do with trusts, whether the relay runs or not. Every change is in the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gateway.federation.trusts.changes import MOST, TrustChange, plan_change, read_document
from gateway.federation.trusts.dependents import end_dependents
from gateway.federation.trusts.errors import TrustExists, TrustFromFile, UnknownTrust
from gateway.federation.trusts.registry import TrustRegistry, parse_record
from gateway.federation.trusts.views import TrustChangeView, TrustView, trust_view
from gateway.store import AuditEvent, Store, StoreFull, TrustOutdated, TrustRecord

FILE_ORIGIN = "file:"


class TrustActs:
    """The acts. registry: this node's copy, which knows of a change when the act is done.

    with_files: whether a folder of trust files is set; then what comes from a file is changed there only. clock: Unix
    seconds. Every act raises StoreError.
    """

    def __init__(self, store: Store, registry: TrustRegistry, clock: Callable[[], float], *, with_files: bool) -> None:
        self._store, self._registry, self._clock, self._with_files = store, registry, clock, with_files

    async def trusts(self) -> list[TrustView]:
        """All of them, by id, without documents."""
        records = await self._registry.load()
        return [trust_view(record, self._registry.parsed[record.id]) for record in records]

    async def trust(self, trust_id: str) -> TrustView:
        """One, with its document. Raises UnknownTrust."""
        record = await self._store.trusts.get(trust_id)
        if record is None:
            raise UnknownTrust(trust_id)
        return trust_view(record, parse_record(record), document=True)

    async def plan(self, document: str, where: str) -> TrustChangeView:
        """What `put` would do; nothing is changed. Raises TrustUnusable, NameTaken, TrustFromFile.

        where: the file that problems are told of.
        """
        change = await self._plan(document, where)
        self._check_origin(change.before)
        return change.view

    async def put(self, document: str, where: str, version: int, actor: str) -> TrustChangeView:
        """Keep a document as the next version of its trust; in force on this node at once.

        version: the one that is to be changed; 0 for a new trust. Raises as `plan` does; TrustExists; TrustOutdated where it
        was changed meanwhile; StoreFull.
        """
        change = await self._plan(document, where)
        self._check_origin(change.before)
        self._check_version(change, version)
        if change.is_idle:
            return change.view
        if change.before is None:
            await end_dependents(self._store, change.trust.id)
        now, unit = self._clock(), self._store.unit()
        unit.put_trust(change.record("command", now, actor))
        unit.record(change.event(now, actor, "command"))
        await unit.commit()
        await self._registry.load()
        if not change.trust.enabled:
            await end_dependents(self._store, change.trust.id)
        return change.view

    async def remove(self, trust_id: str, actor: str) -> TrustView:
        """Forget a trust with all that hangs on it: nobody signs in to it any more; as it was.

        Raises UnknownTrust, TrustFromFile, TrustOutdated.
        """
        record = await self._store.trusts.get(trust_id)
        if record is None:
            raise UnknownTrust(trust_id)
        self._check_origin(record)
        now, unit = self._clock(), self._store.unit()
        unit.remove_trust(trust_id, record.version)
        detail = {"version": str(record.version), "origin": record.origin}
        unit.record(AuditEvent(time=now, kind="trust.removed", actor=actor, subject=trust_id, detail=detail))
        await unit.commit()
        await self._registry.load()
        await end_dependents(self._store, trust_id)
        return trust_view(record, parse_record(record), document=True)

    async def _plan(self, document: str, where: str) -> TrustChange:
        records = await self._registry.load()
        content = document.encode()
        trust = read_document(content, Path(where))
        before = _find(records, trust.id)
        if before is None and len(records) >= MOST:
            raise StoreFull("trusts", MOST)
        return plan_change(trust, content, before, self._registry.parsed)

    def _check_origin(self, record: TrustRecord | None) -> None:
        """One whose file was removed is nobody's."""
        if record is None or not record.origin.startswith(FILE_ORIGIN) or record.disabled or not self._with_files:
            return
        raise TrustFromFile(record.id, record.origin.removeprefix(FILE_ORIGIN))

    def _check_version(self, change: TrustChange, version: int) -> None:
        kept = change.before.version if change.before else 0
        if kept and not version:
            raise TrustExists(change.trust.id)
        if kept != version:
            raise TrustOutdated(change.trust.id, version)


def _find(records: Sequence[TrustRecord], trust_id: str) -> TrustRecord | None:
    return next((record for record in records if record.id == trust_id), None)
