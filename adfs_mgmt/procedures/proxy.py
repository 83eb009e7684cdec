"""A Web Application Proxy that is added, or removed. Pure.

    preflight ─► role ─► join ─► healthy ─► serves ─► done          (undo: role off)

Source: the reference of Install-WebApplicationProxy.
"""

from __future__ import annotations

from adfs_mgmt.farm import PROXY_ROLE
from adfs_mgmt.procedures.server import Operation, ServerView
from adfs_mgmt.procedures.server_parts import (
    EFFECT_PATIENCE,
    GONE,
    JOIN,
    SERVES,
    command,
    condition,
    procedure,
    role,
    role_off,
)
from adfs_mgmt.remoting import Value
from foundation.procedures import Condition, Stage

HEALTH_PATIENCE = 300.0


def _trusted(view: ServerView) -> list[Condition]:
    parameters: dict[str, Value] = {
        "FederationServiceName": view.spec.federation_name,
        "FederationServiceTrustCredential": view.credential("trust_admin"),
        "CertificateThumbprint": view.observed.thumbprint(view.spec),
    }
    act = command(view, "Install-WebApplicationProxy", parameters)
    return [condition(view.host.joined, f"{view.spec.name} has no configuration: no trust with the farm", act)]


def _healthy(view: ServerView) -> list[Condition]:
    running = condition(view.host.service_running, f"appproxysvc does not run on {view.spec.name}")
    return [running, *(condition(False, row) for row in view.host.unhealthy)]


PROXY_ADD = procedure(
    Operation.PROXY_ADD,
    role(PROXY_ROLE),
    Stage(
        name=JOIN,
        title="set up the trust with the farm",
        promise="it is trusted",
        conditions=_trusted,
        patience=lambda view: EFFECT_PATIENCE,
        repeats=False,
        lasts=True,
    ),
    Stage(
        name="healthy",
        title="wait for its health",
        promise="all rows of its health are OK",
        conditions=_healthy,
        patience=lambda view: HEALTH_PATIENCE,
        lasts=True,
    ),
    SERVES,
)

PROXY_REMOVE = procedure(Operation.PROXY_REMOVE, role_off(PROXY_ROLE), GONE)
