"""A Web Application Proxy that is added, or removed. Pure.

    preflight ─► role ─► join ─► healthy ─► serves ─► done          (undo: role off)

Source: the reference of Install-WebApplicationProxy.
"""

from __future__ import annotations

from adfs_mgmt.farm import PROXY_ROLE
from adfs_mgmt.procedures import server_parts as parts
from adfs_mgmt.procedures.server import Operation, ServerView
from adfs_mgmt.remoting import Value
from foundation.procedures import Condition

HEALTH_PATIENCE = 300.0


def _trusted(view: ServerView) -> list[Condition]:
    parameters: dict[str, Value] = {
        "FederationServiceName": view.spec.federation_name,
        "FederationServiceTrustCredential": view.credential("trust_admin"),
        "CertificateThumbprint": view.observed.thumbprint(view.spec),
    }
    act = parts.command(view, "Install-WebApplicationProxy", parameters)
    return [
        parts.condition(
            view.host.joined, f"{view.spec.name} has no configuration, so it has no proxy trust with the farm", act
        )
    ]


def _healthy(view: ServerView) -> list[Condition]:
    running = parts.condition(view.host.service_running, f"appproxysvc is not running on {view.spec.name}")
    return [running, *(parts.condition(False, row) for row in view.host.unhealthy)]


PROXY_ADD = parts.procedure(
    Operation.PROXY_ADD,
    parts.role(PROXY_ROLE),
    parts.changed(parts.JOIN, "set up the proxy trust with the farm", "the farm trusts it", _trusted),
    parts.awaited(
        "healthy", "wait until the proxy is healthy", "every component of the proxy reports OK", _healthy, HEALTH_PATIENCE
    ),
    parts.SERVES,
)

PROXY_REMOVE = parts.procedure(Operation.PROXY_REMOVE, parts.role_off(PROXY_ROLE), parts.GONE)
