"""Whether a token, assertion or response that turned up was issued here: by the hashes in the audit trail."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Final, Literal

import msgspec

from gateway.federation.inspection.evidence import Evidence, read_evidence
from gateway.store import AuditEntry, AuditEvent, Store

_PAGE: Final = 1000
_AROUND: Final = 3600.0
"""Seconds around the moment that a token names of itself: another node's clock may be off, and a token made from a code is
recorded a moment later."""
_NO_HASHES: Final = frozenset({"assertion_id", "attributes", "jti", "request", "scope"})


class IssueView(msgspec.Struct, kw_only=True):
    """An entry of the trail that says so. Times are Unix seconds."""

    what: str
    """`access_token`, `id_token`, `refresh_token`, `response`, `assertion`."""
    matched: Literal["hash", "id"]
    """hash: these very bytes were issued; id: something of this identifier was, and this need not be the same."""
    trust: str
    user: str
    directory: str
    object_guid: str
    time: float
    address: str
    protocol: str
    reference: str
    """`isthmus relay explain` takes it."""
    entry: str
    """Id in the trail."""


class EvidenceView(msgspec.Struct, kw_only=True):
    """One token of a file."""

    evidence: Evidence
    issued: list[IssueView]
    """Empty: the trail knows nothing of it."""
    own_issuer: bool
    """Whether it names this relay as its issuer; anybody can write that."""
    own_key: bool
    """Whether it names a signing key that this relay has now; the same."""


class IssuedSearch:
    """Looks through the trail, from the newest entry on. issuer: the relay's public address, without a slash at its end."""

    def __init__(self, store: Store, *, issuer: str) -> None:
        self._store, self._issuer = store, issuer

    async def find(self, data: bytes, since: float | None = None, until: float | None = None) -> list[EvidenceView]:
        """Of each token in a file's bytes. since, until: Unix seconds. Raises NotEvidence, StoreError."""
        found = read_evidence(data)
        keys = {record.id for record in await self._store.signing_keys.all()}
        issues: dict[str, list[IssueView]] = {evidence.sha256: [] for evidence in found}
        start, end = _window(found, since, until)
        async for entry in self._entries(start, end):
            for evidence in found:
                issue = matching(evidence, entry)
                if issue is not None:
                    issues[evidence.sha256].append(issue)
        own = {self._issuer, f"{self._issuer}/saml/metadata"}
        return [
            EvidenceView(
                evidence=evidence,
                issued=sorted(issues[evidence.sha256], key=lambda issue: (issue.matched != "hash", -issue.time)),
                own_issuer=evidence.issuer in own,
                own_key=evidence.key in keys,
            )
            for evidence in found
        ]

    async def _entries(self, since: float | None, until: float | None) -> AsyncIterator[AuditEntry]:
        before = ""
        while True:
            page = await self._store.audit.entries(
                kind="federation.issued", since=since, until=until, before=before, limit=_PAGE
            )
            for entry in page:
                yield entry
            if len(page) < _PAGE:
                return
            before = page[-1].id


def matching(evidence: Evidence, entry: AuditEntry) -> IssueView | None:
    """What an entry says of the evidence. Pure."""
    event = entry.event
    for what, digest in event.detail.items():
        if what not in _NO_HASHES and digest == evidence.sha256:
            return _issue(what, "hash", entry)
    if evidence.id and evidence.id == event.detail.get("assertion_id"):
        return _issue("assertion", "id", entry)
    if evidence.id and evidence.id == event.detail.get("jti"):
        return _issue("access_token", "id", entry)
    return None


def _issue(what: str, matched: Literal["hash", "id"], entry: AuditEntry) -> IssueView:
    event: AuditEvent = entry.event
    directory, object_guid = event.account or ("", "")
    return IssueView(
        what=what,
        matched=matched,
        trust=event.actor.removeprefix("trust:"),
        user=event.subject,
        directory=directory,
        object_guid=object_guid,
        time=event.time,
        address=event.address,
        protocol=event.via,
        reference=event.correlation_id,
        entry=entry.id,
    )


def _window(found: Sequence[Evidence], since: float | None, until: float | None) -> tuple[float | None, float | None]:
    """Where every token says when it was issued, around these moments; a lie only makes it not found."""
    moments = [evidence.issued_at for evidence in found]
    if since is not None or until is not None or not all(moments):
        return since, until
    return min(moments) - _AROUND, max(moments) + _AROUND
