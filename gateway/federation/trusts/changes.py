"""A change of a trust before it is made: whether it may be, what it changes, what the trail says of it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.federation.trusts.advice import warnings_of
from gateway.federation.trusts.errors import NameTaken, TrustUnusable
from gateway.federation.trusts.model import Trust
from gateway.federation.trusts.reader import read_trust
from gateway.federation.trusts.registry import ParsedTrust
from gateway.federation.trusts.views import TrustChangeView, identifier
from gateway.store import AuditEvent, TrustRecord
from settings import SettingsFileError, changed_settings

LARGEST = 256 * 1024
"""Bytes of a document."""
MOST = 10_000
"""Trusts."""
_TOLD = 4000
"""Characters of a difference that the trail keeps and an administrator is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustChange:
    """A document that is to be a trust's next version."""

    trust: Trust
    document: bytes
    before: TrustRecord | None
    parsed_before: Trust | None

    @property
    def version(self) -> int:
        """Of the trust with this document."""
        if self.before is None:
            return 1
        return self.before.version + (not self.is_idle)

    @property
    def is_idle(self) -> bool:
        """Whether nothing would be different."""
        return self.before is not None and self.before.document == self.document and not self.before.disabled

    @property
    def view(self) -> TrustChangeView:
        """As an administrator sees it."""
        old = self.parsed_before
        changed = [] if old is None else changed_settings(old, self.trust)
        if self.before is not None and self.before.disabled:
            changed.append("enabled again")
        return TrustChangeView(
            id=self.trust.id,
            action="add" if self.before is None else "none" if self.is_idle else "change",
            version=self.version,
            changed=tuple(changed),
            difference=self._difference() if self.before is not None else "",
            warnings=tuple(warnings_of(self.trust)),
        )

    def record(self, origin: str, now: float, actor: str) -> TrustRecord:
        """What the store keeps."""
        return TrustRecord(
            id=self.trust.id,
            version=self.version,
            document=self.document,
            origin=origin,
            changed_at=now,
            changed_by=actor,
        )

    def event(self, now: float, actor: str, origin: str) -> AuditEvent:
        """What the trail keeps."""
        detail = {"version": str(self.version), "origin": origin, "difference": self._difference()}
        if self.before is None:
            return AuditEvent(time=now, kind="trust.added", actor=actor, subject=self.trust.id, detail=detail)
        return AuditEvent(time=now, kind="trust.changed", actor=actor, subject=self.trust.id, detail=detail)

    def _difference(self) -> str:
        old = self.before.document.decode(errors="replace").splitlines() if self.before else []
        lines = [line for line in difflib.ndiff(old, self.document.decode().splitlines()) if line[0] in "+-"]
        text = "\n".join(lines)
        return text if len(text) <= _TOLD else text[:_TOLD] + "…"


def plan_change(trust: Trust, document: bytes, before: TrustRecord | None, known: Mapping[str, ParsedTrust]) -> TrustChange:
    """A document, and what it says, as the next version of `before`. known: every trust, by id. Raises NameTaken."""
    check_names(trust, known)
    parsed = known[trust.id].trust if before is not None and trust.id in known else None
    return TrustChange(trust=trust, document=document, before=before, parsed_before=parsed)


def read_document(document: bytes, where: Path) -> Trust:
    """A document of a bounded size. Raises TrustUnusable."""
    if len(document) > LARGEST:
        raise TrustUnusable(f"{where} cannot be used: it has more than {LARGEST} bytes")
    try:
        return read_trust(document, where)
    except SettingsFileError as error:
        raise TrustUnusable(str(error)) from error


def check_names(trust: Trust, known: Mapping[str, ParsedTrust]) -> None:
    """Whether no other trust, disabled ones included, has its client identifier or entity ID. Raises NameTaken."""
    name = identifier(trust)
    for other_id, parsed in known.items():
        other = parsed.trust
        if other is None or other_id == trust.id or other.protocol != trust.protocol or not name:
            continue
        if identifier(other) == name:
            raise NameTaken("client_id" if trust.protocol == "oidc" else "entity_id", name, other_id)
