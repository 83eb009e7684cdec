"""What is asked for, what is observed, and what a procedure about one server remembers. Pure data."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from adfs_mgmt.farm import ADFS_ROLE, PROXY_ROLE, Farm, Node, ObservedServer, Served
from adfs_mgmt.remoting import PSCredential, Secret, split_host
from certs import normal_thumbprint
from foundation.procedures import View


class Operation(enum.StrEnum):
    """What can be done about a server. Its value is the kind of the procedure, too."""

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
        """Whether a server joins, which can be undone."""
        return self in {Operation.FARM_NEW, Operation.NODE_ADD, Operation.PROXY_ADD}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSpec:
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
    """User of the credential by which the host reaches domain controllers and the primary; empty for the session's
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerObservation:
    """Everything that is known at one moment."""

    now: float
    farm: Farm
    """Without the host that the operation is about. A farm that is to be made has no nodes."""
    host: ObservedServer
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

    @property
    def primary_thumbprint(self) -> str:
        """The SSL certificate of the primary, for the federation name; empty where there is none."""
        bindings = self.farm.primary.bindings if self.farm.primary else ()
        name = self.farm.properties.federation_name.lower()
        return next((row.thumbprint for row in bindings if row.host_name.lower() == name), "")

    def thumbprint(self, spec: ServerSpec) -> str:
        """The SSL certificate that the host shall have."""
        return normal_thumbprint(spec.thumbprint) or self.primary_thumbprint

    def service_account(self, spec: ServerSpec) -> str:
        """The account that the service shall run as."""
        return spec.service_account or (self.farm.primary.service_account if self.farm.primary else "")

    def lists(self, name: str) -> bool:
        """Whether the farm's own table has a node of that name."""
        return name in (self.listed or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerState:
    """What a procedure remembers: what was asked for, and what the host had before: that is not taken away from it."""

    spec: ServerSpec
    plan: str = ""
    had_role: bool = False
    had_wid: bool = False


@dataclass(frozen=True, slots=True)
class ServerView(View[ServerObservation, ServerState]):
    """What the rows decide on. The secrets are nowhere else."""

    secrets: Secrets = field(default=Secrets(), repr=False)

    @property
    def spec(self) -> ServerSpec:
        """What was asked for."""
        return self.state.spec

    @property
    def host(self) -> ObservedServer:
        """The server."""
        return self.observed.host

    @property
    def primary(self) -> Node | None:
        """The farm's server that takes changes."""
        return self.observed.farm.primary

    def credential(self, which: str) -> PSCredential:
        """`which`: admin or trust_admin."""
        return PSCredential(getattr(self.spec, which), getattr(self.secrets, which))
