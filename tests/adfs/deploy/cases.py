"""A server in every state, as plain data: what tests of decisions are made of."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from adfs_mgmt.farm import PROXY_ROLE, WID_FEATURE, Binding, Farm, Node, ObservedServer, Properties, Served, SyncRole
from adfs_mgmt.procedures.deployment import SERVER_PROCEDURES
from adfs_mgmt.procedures.server import Operation, Secrets, ServerObservation, ServerSpec, ServerState, ServerView
from certs import Certificate
from foundation.procedures import ActId, Record, Step, blank, next_step
from tests.adfs.deploy.support import NAME, NEW, PRIMARY, PROXY

NOW = 1_000_000.0
SSL = "A" * 40
OTHER = "B" * 40
SIGNING = "C" * 40
NODE, NEW_FARM, ADD_PROXY = Operation.NODE_ADD, Operation.FARM_NEW, Operation.PROXY_ADD


def certificate(thumbprint: str) -> Certificate:
    return Certificate(thumbprint=thumbprint, subject="", issuer="", not_before=0, not_after=NOW + 1e9)


def served(host: str = NEW, **more: Any) -> Served:
    given: dict[str, Any] = {"tls": certificate(SSL), "signing": (SIGNING,), "probe_ok": True}
    return Served(host=host, port=443, **{**given, **more})


PRIMARY_NODE = Node(
    host=PRIMARY,
    fqdn=PRIMARY,
    role=SyncRole.PRIMARY,
    service_running=True,
    service_account="CORP\\adfs-svc$",
    clock_skew=0.0,
    bindings=(Binding(host_name=NAME, port=443, thumbprint=SSL),),
)
FARM = Farm(name="prod", read_at=NOW, properties=Properties(federation_name=NAME, behaviour_level=4), nodes=(PRIMARY_NODE,))
JOINED: dict[Operation, dict[str, Any]] = {
    Operation.NODE_ADD: {"role": SyncRole.SECONDARY, "last_sync": NOW - 1, "service_running": True},
    Operation.FARM_NEW: {"role": SyncRole.PRIMARY, "federation_name": NAME, "service_running": True},
    Operation.PROXY_ADD: {"joined": True, "service_running": True},
}


@dataclass
class Case:
    """Everything done and as it should be; tests take something away."""

    operation: Operation
    spec: dict[str, Any] = field(default_factory=dict)
    host: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)

    def observed(self) -> tuple[ServerSpec, ServerObservation]:
        """What is asked for, and what is there."""
        role = self.operation.role
        base: dict[str, Any] = {"host": PROXY if role == PROXY_ROLE else NEW, "operation": self.operation}
        if self.operation is Operation.FARM_NEW:
            base |= {"thumbprint": SSL, "service_account": "CORP\\adfs-svc$"}
        spec = ServerSpec(farm="prod", federation_name=NAME, **{**base, **self.spec})
        features = {role: "Installed", WID_FEATURE: "Installed"}
        host = ObservedServer(
            host=spec.host, **{"features": features, "clock_skew": 0.0, **JOINED.get(self.operation, {}), **self.host}
        )
        seen: dict[str, Any] = {
            "farm": FARM,
            "served": served(spec.host),
            "reference": served(PRIMARY),
            "listed": (spec.name,),
        }
        return spec, ServerObservation(now=NOW, host=host, **{**seen, **self.seen})

    def step(self, *completed: str, back: str = "", begun: str = "") -> Step:
        """The next one, after these rows."""
        spec, observed = self.observed()
        table = replace(
            SERVER_PROCEDURES[self.operation], view=lambda seen, record, now: ServerView(seen, record, now, Secrets())
        )
        record: Record[ServerState] = blank(table, "prod", ServerState(spec=spec, **self.state), NOW)
        tries = {ActId(begun, spec.host, begun): 1} if begun else {}
        record = replace(
            record, completed=dict.fromkeys(("preflight", *completed), NOW), back=back, tries=tries, **self.record
        )
        return next_step(table, observed, record, NOW)
