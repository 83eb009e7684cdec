"""The rolling restart, which every procedure has: one node at a time, the primary's last, as a stage. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adfs_mgmt.farm import Node, SyncRole
from adfs_mgmt.remoting import make_command
from adfs_mgmt.rollover.model import Act
from adfs_mgmt.rollover.stage import Stage, View
from adfs_mgmt.rollover.tokens import SERVICE


def restarted(name: str, *, applies: Callable[[View], bool] = lambda view: True) -> Stage:
    """A stage in which every node's service is restarted, one after the other."""
    return Stage(
        name=name,
        number=6,
        title="rolling restart, one node at a time",
        promise="every node was restarted, and serves",
        missing=lambda view: _not_restarted(view, name),
        acts=lambda view: _rolling_restart(view, name),
        patience=lambda view: view.policy.restart_seconds,
        foresees=_restart_all,
        notes=_restart_notes,
        one_at_a_time=True,
        once=False,
        applies=applies,
    )


def of_running(view: View, problems: Sequence[str]) -> list[str]:
    """Without those of nodes whose service is down, which polls nobody and signs nothing: on the way back such a node is
    started next, so that waiting for it first would be waiting for ever."""
    down = {node.host for node in view.farm.nodes if not node.error and not node.service_running}
    return [problem for problem in problems if problem.split(": ")[0] not in down]


def _restart(host: str) -> Act:
    """The federation service, and what depends on it."""
    return Act(host=host, what=make_command("Restart-Service", Name=(SERVICE,), Force=True))


def _healthy(view: View, node: Node) -> bool:
    """Whether a node serves."""
    row = view.served.get(node.host)
    served = view.snapshot.outside is None or (row is not None and bool(row.signing or row.encryption))
    return not node.error and node.service_running and served


def _rolling_restart(view: View, stage: str) -> tuple[Act, ...]:
    """The restarts that are left, the primary's last; none while a node does not serve, so that never two are away.

    A node whose service is down is away already, and comes first: a start failed with the other certificate, or a restart
    broke off half-way, and nobody else starts it.
    """
    down = [_restart(node.host) for node in view.farm.nodes if not node.error and not node.service_running]
    if starts := tuple(act for act in down if not view.acted(stage, act)):
        return starts
    if not all(_healthy(view, node) for node in view.farm.nodes):
        return ()
    nodes = sorted(view.farm.nodes, key=lambda node: node.role is SyncRole.PRIMARY)
    return tuple(act for act in (_restart(node.host) for node in nodes) if not view.acted(stage, act))


def _restart_all(view: View) -> tuple[Act, ...]:
    """For a plan that is shown."""
    nodes = sorted(view.farm.nodes, key=lambda node: node.role is SyncRole.PRIMARY)
    return tuple(_restart(node.host) for node in nodes)


def _restart_notes(view: View) -> list[str]:
    """What a rolling restart means where there is nothing to roll."""
    if len(view.farm.nodes) != 1:
        return []
    return [f"{view.farm.nodes[0].host} is the only node: nobody can sign in while its service restarts (about a minute)"]


def _not_restarted(view: View, stage: str) -> list[str]:
    """What of a rolling restart is missing."""
    wrong = []
    for node in view.farm.nodes:
        if not _healthy(view, node):
            wrong.append(f"{node.host}: {node.error or 'the federation service does not answer (yet)'}")
        elif not view.acted(stage, _restart(node.host)):
            wrong.append(f"{node.host}: not restarted yet")
    return wrong
