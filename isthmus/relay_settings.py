"""The relay's settings file. Apart from the agent's, so that an agent need not load the relay's packages."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.app import ServerSettings
from gateway.store import AuditSettings
from isthmus.log_settings import LogSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class RelaySettings:
    """`isthmus relay`: in the cloud or the DMZ."""

    server: ServerSettings
    """The relay process."""
    audit: AuditSettings = field(default_factory=AuditSettings)
    """The audit trail."""
    log: LogSettings = field(default_factory=LogSettings)
    """Logging."""
