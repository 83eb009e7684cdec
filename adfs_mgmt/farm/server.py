"""A server before, while and after it belongs to a farm: the model. `server_reader` reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adfs_mgmt.farm.model import StoredCertificate, SyncRole
from certs import normal_thumbprint

ADFS_ROLE = "ADFS-Federation"
PROXY_ROLE = "Web-Application-Proxy"
WID_FEATURE = "Windows-Internal-Database"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedServer:
    """A Windows server that becomes part of a farm, or is, as it says."""

    host: str
    error: str = ""
    """Why nothing is known of it."""
    fqdn: str = ""
    domain: str = ""
    """The AD domain; empty in a workgroup."""
    windows: str = ""
    clock_skew: float | None = None
    """Seconds that its clock is ahead of ours; None where it does not tell."""
    features: Mapping[str, str] = field(default_factory=dict)
    """InstallState by feature: `Installed`, `Available`, `InstallPending`, `UninstallPending`."""
    stored: tuple[StoredCertificate, ...] = ()
    service_running: bool = False
    """adfssrv, or appproxysvc on a proxy."""
    role: SyncRole | None = None
    """None while it belongs to no farm."""
    last_sync: float | None = None
    """None where it has never polled its primary, or does not tell."""
    last_sync_ok: bool = True
    federation_name: str = ""
    """Of the farm that it belongs to, where it tells."""
    joined: bool = False
    """Proxy: it has a configuration, so its trust works."""
    unhealthy: tuple[str, ...] = ()
    """Proxy: rows of its health that are not OK."""
    join_problems: tuple[str, ...] | None = None
    """What `Test-AdfsFarmJoin` or `Test-AdfsFarmInstallation` found; None where it could not be run yet."""

    def has(self, feature: str) -> bool:
        """Whether it is installed, a restart notwithstanding."""
        return self.features.get(feature, "") in {"Installed", "InstallPending"}

    def certificate(self, thumbprint: str) -> StoredCertificate | None:
        """In its store."""
        return next((row for row in self.stored if row.certificate.thumbprint == normal_thumbprint(thumbprint)), None)
