"""The rolling restart, which every procedure has: one node at a time, the primary's last, as a stage. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from adfs_mgmt.farm import Node
from adfs_mgmt.procedures.view import SERVICE, FarmView
from adfs_mgmt.remoting import make_command
from foundation.procedures import Act, Condition, Stage, label, planned

FarmViewT = TypeVar("FarmViewT", bound=FarmView[Any])


def restarted(
    name: str, *, applies: Callable[[FarmViewT], bool] = lambda view: True, back: Stage[FarmViewT] | None = None
) -> Stage[FarmViewT]:
    """A stage in which every node's service is restarted, one after the other."""
    return Stage(
        **label(name, "rolling restart, one node at a time", "every node has been restarted and answers requests", 6),
        conditions=lambda view: _conditions(view, name),
        patience=lambda view: view.policy.restart_seconds,
        foresees=lambda view: planned(_restart(node) for node in view.primary_last),
        notes=_notes,
        one_at_a_time=True,
        leaves_trace=False,
        applies=applies,
        back=back,
    )


def _conditions(view: FarmViewT, stage: str) -> list[Condition]:
    """None has an act while a node does not serve, so that never two are away.

    A node whose service is down is away already, and comes first: a start failed with the other certificate, or a restart
    broke off half-way, and nobody else starts it.
    """
    acts = {node.host: _restart(node) for node in view.primary_last}
    acted = {host for host, act in acts.items() if act.id(stage) in view.record.acted}
    away = {node.host: _away(view, node) for node in view.farm.nodes}
    may_restart = view.down - acted or (set() if any(away.values()) else set(acts))
    return [
        Condition(host, away[host] or ("" if host in acted else "not restarted yet"), act if host in may_restart else None)
        for host, act in acts.items()
    ]


def _restart(node: Node) -> Act:
    """The federation service, and what depends on it."""
    return Act(place=node.host, what=make_command("Restart-Service", Name=(SERVICE,), Force=True))


def _away(view: FarmViewT, node: Node) -> str:
    """Why it does not serve; empty where it does."""
    row = view.served.get(node.host)
    served = view.observed.outside is None or (row is not None and bool(row.signing or row.encryption))
    if not node.error and node.service_running and served:
        return ""
    return node.error or "the federation service does not answer yet"


def _notes(view: FarmViewT) -> list[str]:
    """What a rolling restart means where there is nothing to roll."""
    if len(view.farm.nodes) != 1:
        return []
    return [f"{view.farm.nodes[0].host} is the only node: nobody can sign in while its service restarts (about a minute)"]
