"""What an administrator is shown of trusts; over the control socket as JSON, with these names."""

from __future__ import annotations

from typing import Literal

import msgspec

from gateway.federation.trusts.model import Trust
from gateway.federation.trusts.registry import ParsedTrust
from gateway.store import TrustRecord

TrustState = Literal["live", "test users only", "disabled", "unreadable"]


class TrustView(msgspec.Struct, kw_only=True):
    """A trust. Times are Unix seconds."""

    id: str
    name: str = ""
    protocol: str = ""
    identifier: str = ""
    """client_id or entity ID."""
    state: TrustState
    why: str = ""
    """Why it is disabled or unreadable."""
    version: int
    origin: str
    """`command`, or `file:NAME`."""
    changed_at: float
    changed_by: str
    document: str = ""
    """TOML; of one trust only, not in lists."""


class TrustChangeView(msgspec.Struct, kw_only=True):
    """What putting a document in place does, or has done."""

    id: str
    action: Literal["add", "change", "none"]
    version: int
    """Of the trust with this document."""
    changed: tuple[str, ...] = ()
    """Keys, dotted, of the settings that differ from the version before."""
    difference: str = ""
    """Lines of the document before (`-`) and after (`+`); empty for a new trust."""
    warnings: tuple[str, ...] = ()


def trust_view(record: TrustRecord, parsed: ParsedTrust, *, document: bool = False) -> TrustView:
    """A record with what came of its document."""
    trust = parsed.trust
    state, why = _state(record, parsed)
    return TrustView(
        id=record.id,
        name=trust.name if trust else "",
        protocol=trust.protocol if trust else "",
        identifier=identifier(trust) if trust else "",
        state=state,
        why=why,
        version=record.version,
        origin=record.origin,
        changed_at=record.changed_at,
        changed_by=record.changed_by,
        document=record.document.decode(errors="replace") if document else "",
    )


def identifier(trust: Trust) -> str:
    """The name by which its protocol knows it, unique among the trusts of that protocol."""
    return trust.client_id if trust.protocol == "oidc" else trust.saml.entity_id


def _state(record: TrustRecord, parsed: ParsedTrust) -> tuple[TrustState, str]:
    if record.disabled:
        return "disabled", record.disabled
    if parsed.trust is None:
        return "unreadable", parsed.problem
    if not parsed.trust.enabled:
        return "disabled", "enabled = false"
    return ("test users only" if parsed.trust.access.test_users else "live"), ""
