"""What is wished for, what was seen, and what will be done about it. Pure data."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from adfs_mgmt.farm.model import Binding, Farm, Served, StoredCertificate, SyncRole
from adfs_mgmt.farm.settings import split_host
from adfs_mgmt.remoting.command import Credential, Secret
from adfs_mgmt.rollover.model import Act, Record
from certs import normal_thumbprint

ADFS_ROLE = "ADFS-Federation"
PROXY_ROLE = "Web-Application-Proxy"
WID_FEATURE = "Windows-Internal-Database"


class Operation(enum.StrEnum):
    """What can be done. Its value is the journal's `kind`, too."""

    FARM_NEW = "farm new"
    NODE_ADD = "node add"
    NODE_REMOVE = "node remove"
    PROXY_ADD = "proxy add"
    PROXY_REMOVE = "proxy remove"

    @property
    def role(self) -> str:
        """The Windows feature that it is about."""
        return PROXY_ROLE if self in {Operation.PROXY_ADD, Operation.PROXY_REMOVE} else ADFS_ROLE

    @property
    def adds(self) -> bool:
        """Whether it can be undone by the same steps backwards."""
        return self in {Operation.FARM_NEW, Operation.NODE_ADD, Operation.PROXY_ADD}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody asked for. Everything that a plan depends on besides the farm; no secret."""

    operation: Operation
    farm: str
    """Name in the settings."""
    federation_name: str
    host: str
    """As in the settings: `name`, or `name=address`."""
    thumbprint: str = ""
    """SSL certificate in the host's store; empty for that of the primary."""
    service_account: str = ""
    """`CORP\\adfs$` (a gMSA) or `CORP\\adfs`; empty for that of the primary."""
    admin: str = ""
    """User of the credential that the host goes on with to domain controllers and to the primary; empty for the session's
    own, which needs delegation or CredSSP."""
    trust_admin: str = ""
    """Proxy: user of the credential that sets up its trust, a local administrator of the federation servers."""
    display_name: str = ""
    """New farm: what the sign-in page is headed with."""
    signing: str = ""
    """New farm: thumbprint of a CA-issued token-signing certificate; empty: AD FS makes and renews its own."""
    decrypting: str = ""
    """New farm: likewise for token-decrypting; both or none."""
    sql: str = ""
    """Connection string of the farm's SQL Server; empty for WID. Without a password: it is integrated security's."""
    http_port: int = 80
    """The primary's port that nodes join and poll by."""
    offline: bool = False
    """Removal of a server that does not answer any more: only the farm is told."""

    @property
    def name(self) -> str:
        """The host's fully qualified name."""
        return split_host(self.host)[0].lower()


@dataclass(frozen=True, slots=True)
class Secrets:
    """What commands need and no plan holds. An absent one has an empty text, as in a plan that is only shown."""

    service_account: Secret = field(default=Secret(""), repr=False)
    admin: Secret = field(default=Secret(""), repr=False)
    trust_admin: Secret = field(default=Secret(""), repr=False)

    def credential(self, wish: Wish, which: str) -> Credential:
        """`which`: service_account, admin or trust_admin."""
        return Credential(getattr(wish, which), getattr(self, which))


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFacts:
    """The server that an operation is about, as it says."""

    host: str
    error: str = ""
    """Why nothing is known of it."""
    fqdn: str = ""
    domain: str = ""
    """The AD domain; empty in a workgroup."""
    windows: str = ""
    clock_skew: float = 0.0
    features: Mapping[str, str] = field(default_factory=dict)
    """InstallState by feature: `Installed`, `Available`, `InstallPending`, `UninstallPending`."""
    stored: tuple[StoredCertificate, ...] = ()
    service_running: bool = False
    """adfssrv, or appproxysvc on a proxy."""
    role: SyncRole | None = None
    """None while it belongs to no farm."""
    primary: str = ""
    last_sync: float = 0.0
    last_sync_ok: bool = True
    poll_seconds: float = 300.0
    bindings: tuple[Binding, ...] = ()
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything that is known at one moment."""

    now: float
    farm: Farm
    """Without the host that the operation is about. A farm that is to be made has no nodes."""
    host: HostFacts
    listed: tuple[str, ...] | None = None
    """Names of nodes in the farm's own table, lower case; None where the farm keeps none (2012 R2) or cannot be asked."""
    farm_error: str = ""
    """Why the primary could not be asked just now."""
    served: Served | None = None
    """What the host serves."""
    reference: Served | None = None
    """What the primary serves."""
    resolves_to: tuple[str, ...] | None = None
    """Addresses of the federation name, from here; None where that was not looked at."""


class Verdict(enum.StrEnum):
    """Of a check."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    LATER = "later"
    """It cannot be known yet; the step that will prove it is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One condition that must hold before anything is changed."""

    name: str
    verdict: Verdict
    detail: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}" + (f"; {self.remedy}" if self.remedy else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a procedure: what it promises, how to see that, and what brings it about."""

    name: str
    title: str
    promise: str
    """The postcondition, in words."""
    missing: Callable[[Situation, Record], tuple[str, ...]]
    """What of the postcondition does not hold. Empty: it holds."""
    acts: Callable[[Situation, Record], tuple[Act, ...]] | None = None
    """None: it comes by itself, within `patience` seconds."""
    patience: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """All stages of an operation, in order, and those that clean up after a failed attempt."""

    forward: tuple[Stage, ...]
    back: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A stage in a plan, for people: commands as an administrator would type them."""

    stage: str
    title: str
    promise: str
    commands: tuple[str, ...] = ()
    """`host: command`; none where it comes by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan that can be saved, reviewed, and applied by somebody else."""

    version: int
    id: str
    made_at: float
    made_by: str
    wish: Wish
    checks: tuple[Check, ...]
    steps: tuple[Planned, ...]
    undo: tuple[Planned, ...]
    """What cleans up, if it is asked to."""
    marks: Mapping[str, str]
    """What of farm and host it depends on, by name: where one differs later, the plan is not applied."""
    notes: tuple[str, ...] = ()
    """What is left for people to do."""

    @property
    def refused(self) -> tuple[Check, ...]:
        """Checks that must be mended first."""
        return tuple(check for check in self.checks if check.verdict is Verdict.FAILED)
