"""What changes a farm: procedures over stages that can be interrupted anywhere (`foundation.procedures`).

What belongs here: which stages there are, what each promises and how that is seen, and the executor that does their acts.
What does not: how a command gets to a host (`adfs_mgmt.remoting`), how Entra ID is asked (`adfs_mgmt.trust`).
"""

from typing import TYPE_CHECKING

from adfs_mgmt.procedures.bindings import names_bound
from adfs_mgmt.procedures.deployment import (
    SERVER_STATES,
    check_secrets,
    confirmed,
    plan_server,
    server_journal,
    server_notes,
    server_plan_data,
)
from adfs_mgmt.procedures.emergency import WITHOUT_ENTRA
from adfs_mgmt.procedures.observation import FarmObservation, partners_of
from adfs_mgmt.procedures.request import RolloverRequest, first_end, promoted_elsewhere
from adfs_mgmt.procedures.rollover import TRACKS, current, imported, plan, procedure_of
from adfs_mgmt.procedures.server import Operation, Secrets, ServerSpec, ServerState
from adfs_mgmt.procedures.view import RolloverPolicy
from foundation.lazy import lazy_names

if TYPE_CHECKING:
    from adfs_mgmt.procedures.executor import AdfsExecutor
    from adfs_mgmt.procedures.observer import observe
    from adfs_mgmt.procedures.server_executor import ServerExecutor

_MODULES = {"executor": "AdfsExecutor", "observer": "observe", "server_executor": "ServerExecutor"}
"""Loaded when they are first used: what speaks to networks."""

__all__ = [
    "SERVER_STATES",
    "TRACKS",
    "WITHOUT_ENTRA",
    "AdfsExecutor",
    "FarmObservation",
    "Operation",
    "RolloverPolicy",
    "RolloverRequest",
    "Secrets",
    "ServerExecutor",
    "ServerSpec",
    "ServerState",
    "check_secrets",
    "confirmed",
    "current",
    "first_end",
    "imported",
    "names_bound",
    "observe",
    "partners_of",
    "plan",
    "plan_server",
    "procedure_of",
    "promoted_elsewhere",
    "server_journal",
    "server_notes",
    "server_plan_data",
]


if not TYPE_CHECKING:
    __getattr__ = lazy_names(__name__, _MODULES)
