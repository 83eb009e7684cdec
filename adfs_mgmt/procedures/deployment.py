"""Plans of work on one server of one farm, and what they depend on. Pure.

One journal for each server, in `state_dir/deploy`, holds whatever was ever done about it; one piece of work at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from adfs_mgmt.farm import WID_FEATURE, Use
from adfs_mgmt.procedures.farm import FARM_NEW
from adfs_mgmt.procedures.node import NODE_ADD, NODE_REMOVE
from adfs_mgmt.procedures.preflight import is_gmsa, preflight, refusals
from adfs_mgmt.procedures.proxy import PROXY_ADD, PROXY_REMOVE
from adfs_mgmt.procedures.server import Operation, Secrets, ServerObservation, ServerSpec, ServerState, ServerView
from adfs_mgmt.procedures.server_parts import PREFLIGHT
from foundation import procedures
from foundation.procedures import Plan, Procedure, Refused

SERVER_PROCEDURES: Mapping[str, Procedure[ServerView]] = {
    table.kind: table for table in (FARM_NEW, NODE_ADD, NODE_REMOVE, PROXY_ADD, PROXY_REMOVE)
}
"""By kind."""
SERVER_STATES: Mapping[str, type[Any]] = dict.fromkeys(SERVER_PROCEDURES, ServerState)
_SETTINGS = "Add the {} to the settings file, under [[farms]] {}."
_NOTES: dict[str, tuple[str, ...]] = {
    Operation.FARM_NEW: (
        "Create a DNS record (A, not CNAME) for the federation service name.",
        _SETTINGS.format("node", "nodes"),
    ),
    Operation.NODE_ADD: (
        _SETTINGS.format("node", "nodes"),
        "Then add it to the load balancer (health check: HTTP, port 80, /adfs/probe).",
    ),
    Operation.NODE_REMOVE: (
        "Remove the node from the settings file, and restart the server: only then is the role fully removed.",
        "The Windows Internal Database stays installed; other software may use it.",
    ),
    Operation.PROXY_ADD: (_SETTINGS.format("proxy", "proxies"), "Then add it to the load balancer."),
    Operation.PROXY_REMOVE: (
        "Remove the proxy from the settings file, and restart the server.",
        "On another proxy, remove it from the list of connected servers "
        "(Set-WebApplicationProxyConfiguration -ConnectedServersName).",
    ),
}


_BEFORE: dict[str, tuple[str, ...]] = {
    Operation.NODE_REMOVE: (
        "Remove it from the load balancer before you apply this: users who are signing in through it are interrupted.",
    ),
    Operation.PROXY_REMOVE: ("Remove it from the load balancer before you apply this.",),
}


def server_notes(operation: Operation) -> tuple[str, ...]:
    """What is left for people to do afterwards."""
    return _NOTES[operation]


def server_journal(state_dir: Path, farm: str, name: str) -> Path:
    """Of one server of one farm, whatever characters their names have."""
    return state_dir / "deploy" / f"{quote(farm, safe='')}.{quote(name.lower(), safe='')}.journal"


def plan_server(spec: ServerSpec, seen: ServerObservation, *, by: str) -> Plan[ServerState]:
    """The whole plan as of now; with failed checks it is a list of what to fix. Pure."""
    operation = spec.operation
    return procedures.make(
        SERVER_PROCEDURES[operation],
        seen,
        subject=f"farm {spec.farm}",
        title=f"{_title(spec)}, farm {spec.farm} ({spec.federation_name})",
        state=ServerState(spec=spec, had_role=seen.host.has(operation.role), had_wid=seen.host.has(WID_FEATURE)),
        marks=marks(spec, seen),
        now=seen.now,
        by=by,
        findings=preflight(spec, seen),
        summary=_BEFORE.get(operation, ()),
        notes=server_notes(operation),
    )


def confirmed(plan: Plan[ServerState], seen: ServerObservation, secrets: Secrets, *, by: str) -> ServerState:
    """What the journal starts with, if the plan may be applied now. Raises PlanOutdated, Refused."""
    spec = plan.state.spec
    fresh = plan_server(spec, seen, by=by)
    if fresh.failed:
        raise Refused(_title(spec), refusals(fresh.failed))
    procedures.check_current(plan, fresh)
    check_secrets(spec, seen, secrets)
    return replace(fresh.state, plan=plan.digest)


def marks(spec: ServerSpec, seen: ServerObservation) -> dict[str, str]:
    """What a plan depends on, by name. A host that does not answer has no marks of its own. Pure."""
    farm, primary, host = seen.farm, seen.farm.primary, seen.host
    found = {
        "nodes": ", ".join(sorted(node.host for node in farm.nodes)),
        "primary": primary.host if primary else "",
        "behaviour level": str(farm.properties.behaviour_level),
        "database": "SQL Server" if farm.properties.sql else "WID",
        "service account": seen.service_account(spec),
        "SSL certificate": seen.thumbprint(spec),
    }
    for use in (Use.SIGNING, Use.DECRYPTING, Use.SERVICE):
        rows = primary.certificates if primary else ()
        names = sorted(row.certificate.thumbprint + (" primary" if row.is_primary else "") for row in rows if row.use is use)
        found[f"{use} certificates"] = ", ".join(names)
    if not host.error:
        found |= {
            f"{spec.name}: Windows": host.windows,
            f"{spec.name}: domain": host.domain,
            f"{spec.name}: role": host.features.get(spec.operation.role, ""),
            f"{spec.name}: belongs to a farm": "yes" if host.role is not None or host.joined else "no",
        }
    return found


def check_secrets(spec: ServerSpec, seen: ServerObservation, secrets: Secrets) -> None:
    """Before anything is changed, not in the middle of it. Raises Refused."""
    account = seen.service_account(spec)
    joins = spec.operation in {Operation.NODE_ADD, Operation.FARM_NEW} and not is_gmsa(account)
    needed = (
        (account if joins else "", secrets.service_account, "--service-password-file"),
        (spec.admin, secrets.admin, "--admin-password-file"),
        (spec.trust_admin, secrets.trust_admin, "--trust-password-file"),
    )
    missing = tuple(
        f"the password of {user} is missing: give {option}" for user, secret, option in needed if user and not secret.text
    )
    if missing:
        raise Refused(_title(spec), missing)


def server_plan_data(plan: Plan[ServerState]) -> dict[str, Any]:
    """A plan for programs."""
    table = SERVER_PROCEDURES[plan.kind]
    backs = {row.name: row.back for row in table.stages if row.back}
    undone = {backs[step.stage].name: step.undo for step in plan.steps if step.stage in backs}
    return {
        "version": plan.version,
        "id": plan.digest,
        "made_at": plan.made_at,
        "made_by": plan.made_by,
        "wish": plan.state.spec,
        "checks": [
            {"name": row.name, "status": row.status, "detail": row.seen, "remedy": row.remedy} for row in plan.findings
        ],
        "steps": [
            _step_data(step.stage, step.title, step.postcondition, step.acts)
            for step in plan.steps
            if step.stage != PREFLIGHT  # its findings show that
        ],
        "undo": [
            _step_data(row.name, row.title, row.promise, undone[row.name]) for row in table.way_back if row.name in undone
        ],
        "marks": dict(plan.marks),
        "notes": [*plan.summary, *plan.notes],
    }


def _step_data(stage: str, title: str, promise: str, commands: tuple[str, ...]) -> dict[str, Any]:
    return {"stage": stage, "title": title, "promise": promise, "commands": list(commands)}


def _title(spec: ServerSpec) -> str:
    return f"{spec.operation.value} {spec.name}"
