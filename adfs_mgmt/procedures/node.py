"""A node that joins a farm, or leaves it. Pure.

    preflight ─► role ─► test ─► join ─► synchronised ─► listed ─► serves ─► done
                  └────────┴───────┴──────────┴────────────┴── undo ─► role off ─► entry off ─► cleaned up

Sources: the reference of Add-AdfsFarmNode, Test-AdfsFarmJoin, Set-AdfsFarmInformation, Install-WindowsFeature.
"""

from __future__ import annotations

from adfs_mgmt.farm import ADFS_ROLE, SyncRole
from adfs_mgmt.procedures import server_parts as parts
from adfs_mgmt.procedures.preflight import is_gmsa
from adfs_mgmt.procedures.server import Operation, ServerView
from adfs_mgmt.remoting import PSCredential, Value
from foundation.procedures import Condition

SYNC_PATIENCE = 960.0
"""Seconds for the first poll of a secondary: three polls and a minute."""
LIST_PATIENCE = 900.0
"""Seconds until a node's heartbeat has put it into the farm's table."""


def account(view: ServerView) -> dict[str, Value]:
    """Parameters of a command that makes a federation server: what the service runs as, and who reaches the domain."""
    name = view.observed.service_account(view.spec)
    credential = {} if not view.spec.admin else {"Credential": view.credential("admin")}
    if is_gmsa(name):
        return {"GroupServiceAccountIdentifier": name, **credential}
    return {"ServiceAccountCredential": PSCredential(name, view.secrets.service_account), **credential}


def homeless(view: ServerView) -> str:
    """That a server belongs to no farm, or cannot say because its service is down."""
    stopped = view.host.has(ADFS_ROLE) and not view.host.service_running
    return f"{view.spec.name} belongs to no farm" + (", or adfssrv is not running there" if stopped else "")


def _parameters(view: ServerView) -> dict[str, Value]:
    spec, primary = view.spec, view.primary
    found = {**account(view), "CertificateThumbprint": view.observed.thumbprint(spec)}
    if spec.sql:
        return {**found, "SQLConnectionString": spec.sql}
    name = (primary.fqdn or primary.host.partition("=")[0]) if primary else ""
    return {**found, "PrimaryComputerName": name, "PrimaryComputerPort": spec.http_port}


def _joined(view: ServerView) -> list[Condition]:
    # the first try may have left half a database behind; one in SQL Server is the farm's own
    again = bool(view.record.tries_of(parts.JOIN)) and not view.spec.sql
    act = parts.command(
        view, "Add-AdfsFarmNode", {**_parameters(view), "OverwriteConfiguration": again}, known_as=parts.JOIN
    )
    return [parts.condition(view.host.role is not None, homeless(view), act)]


def _synchronised(view: ServerView) -> list[Condition]:
    host, name = view.host, view.spec.name
    read = host.role is not SyncRole.SECONDARY or bool(host.last_sync and host.last_sync_ok)
    stopped = parts.condition(host.service_running, f"adfssrv is not running on {name}")
    return [
        stopped,
        parts.condition(read or bool(stopped.problem), f"{name} has not synchronised with the primary server yet"),
    ]


def _listed(view: ServerView) -> list[Condition]:
    seen, name = view.observed, view.spec.name
    listed = seen.listed is None or seen.lists(name)
    return [parts.condition(listed and not seen.farm_error, seen.farm_error or f"the farm does not list {name} yet")]


NODE_ADD = parts.procedure(
    Operation.NODE_ADD,
    parts.role(ADFS_ROLE),
    parts.tested("Test-AdfsFarmJoin", _parameters),
    parts.changed(parts.JOIN, "join the farm", "it belongs to the farm", _joined),
    parts.awaited(
        "synchronised",
        "wait until it has synchronised",
        "it runs with the primary server's configuration",
        _synchronised,
        SYNC_PATIENCE,
    ),
    parts.awaited(
        "listed",
        "wait until the farm lists it",
        "the farm lists it",
        _listed,
        LIST_PATIENCE,
        back=parts.entry_off(undo=True),
    ),
    parts.SERVES,
    back_order=("role off", "entry off"),
)

NODE_REMOVE = parts.procedure(Operation.NODE_REMOVE, parts.role_off(ADFS_ROLE), parts.entry_off(undo=False), parts.GONE)
