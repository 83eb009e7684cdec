"""The settings file of `isthmus adfs`, put together from the packages' own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from adfs_mgmt.farm import FarmSettings
from adfs_mgmt.health import Thresholds
from adfs_mgmt.remoting import RemotingSettings
from adfs_mgmt.trust import EntraSettings
from certs.acme import AcmeSettings
from isthmus.log_settings import LogSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class AdfsSettings:
    """`isthmus adfs`: on an administrator's workstation."""

    state_dir: Path
    """Directory (mode 0700) for journals, backups and recordings."""
    farms: tuple[FarmSettings, ...]
    """The AD FS farms."""
    remoting: RemotingSettings = field(default_factory=RemotingSettings)
    """How the servers are reached."""
    entra: tuple[EntraSettings, ...] = ()
    """Entra ID tenants whose domains are federated with a farm."""
    acme: AcmeSettings = field(default_factory=AcmeSettings)
    """ACME server for SSL certificates (`isthmus adfs ssl … --acme`)."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    """Thresholds for warnings and failures."""
    log: LogSettings = field(default_factory=LogSettings)
    """Logging."""
