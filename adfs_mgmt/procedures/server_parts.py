"""Rows that procedures about a server share: its role, the farm's table of nodes, what it serves. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adfs_mgmt.farm import ADFS_ROLE, WID_FEATURE
from adfs_mgmt.procedures.preflight import preflight, refusals
from adfs_mgmt.procedures.server import Operation, ServerState, ServerView
from adfs_mgmt.remoting import CATALOGUE, Value, make_command
from foundation.procedures import Act, Condition, Procedure, Rollback, Stage, label

EFFECT_PATIENCE = 300.0
"""Seconds from a command that came back without an error until its effect is seen."""
SERVE_PATIENCE = 300.0
RESTART_PATIENCE = 900.0
"""Seconds that a server may be away: it installs features, or restarts."""
PREFLIGHT = "preflight"
TEST = "test"
JOIN = "join"
CLEANED_UP = "cleaned up"

Parameters = Callable[[ServerView], dict[str, Value]]


def procedure(operation: Operation, *rows: Stage[ServerView], back_order: tuple[str, ...] = ()) -> Procedure[ServerView]:
    """A table with what every procedure about a server has: its preflight first, and a host that may be away meanwhile."""
    check: Stage[ServerView] = Stage(
        **label(PREFLIGHT, PREFLIGHT, "every check has passed"),
        refuses=lambda view: refusals(preflight(view.spec, view.observed)),
    )
    return Procedure(
        kind=operation.value,
        state=ServerState,
        stages=(check, *rows),
        view=ServerView,
        back_order=back_order,
        rollbacks=(Rollback(to="start", outcome=CLEANED_UP),) if operation.adds else (),
        no_rollback="a removal cannot be undone; complete it with --resume, then add the server again",
        unavailable=_away,
        unavailable_patience=RESTART_PATIENCE,
    )


def command(view: ServerView, name: str, parameters: Mapping[str, Value], *, known_as: str = "", host: str = "") -> Act:
    """A command for the server, or for another host."""
    what = make_command(name, **parameters)
    return Act(place=host or view.spec.host, what=what, name=known_as, changes=CATALOGUE[name].changes)


def condition(holds: bool, problem: str, act: Act | None = None) -> Condition:
    """Problems here name their host."""
    return Condition.of(holds, "", problem, act)


Conditions = Callable[[ServerView], list[Condition]]


def changed(name: str, title: str, promise: str, conditions: Conditions, **more: Any) -> Stage[ServerView]:
    """A row whose commands change the server or its farm, are sent once, and take time to show. `more`: as of a Stage."""
    return awaited(name, title, promise, conditions, EFFECT_PATIENCE, repeats=False, **more)


def awaited(name: str, title: str, promise: str, conditions: Conditions, seconds: float, **more: Any) -> Stage[ServerView]:
    """A row that is waited for, as long as that, and must still hold in the end. `more`: as of a Stage."""
    text = label(name, title, promise)
    return Stage(**text, conditions=conditions, patience=lambda view: seconds, lasts=True, **more)


def _away(view: ServerView) -> list[Condition]:
    """Only once the work is under way: before, the preflight says what to do about it."""
    away = view.host.error and not view.spec.offline and PREFLIGHT in view.record.completed
    return [condition(False, f"{view.spec.name} does not answer ({view.host.error})")] if away else []


# -- the role


def role(feature: str) -> Stage[ServerView]:
    """Its installation, and how it is taken away again: what we brought, and no more."""

    def installed(view: ServerView) -> list[Condition]:
        act = command(view, "Install-WindowsFeature", {"Name": (feature,), "IncludeManagementTools": True})
        return [condition(view.host.has(feature), f"{feature} is {view.host.features.get(feature) or 'missing'}", act)]

    def brought(view: ServerView) -> tuple[str, ...]:
        kept = view.state.had_role and not view.record.tries_of(JOIN)
        wid = not view.state.had_wid and view.host.has(WID_FEATURE)
        return (() if kept else (feature,)) + ((WID_FEATURE,) if wid else ())

    back = role_off(feature, brought)
    return changed("role", f"install the role {feature}", "it is installed", installed, back=back)


def role_off(feature: str, brought: Callable[[ServerView], tuple[str, ...]] | None = None) -> Stage[ServerView]:
    """Uninstalling the role is the way in which a server leaves a farm. `brought`: the features that we brought."""

    def gone(view: ServerView) -> list[Condition]:
        names = brought(view) if brought else (feature,)
        what = names or (feature,)
        parameters: dict[str, Value] = {"Name": what, "IncludeManagementTools": True}
        act = command(view, "Uninstall-WindowsFeature", parameters, known_as="role off")
        return [condition(name not in names or not view.host.has(name), f"{name} is installed", act) for name in what]

    return changed("role off", f"remove the role {feature}", "it is gone", gone, applies=online)


def online(view: ServerView) -> bool:
    """Whether the server itself takes part."""
    return not view.spec.offline


def tested(name: str, parameters: Parameters) -> Stage[ServerView]:
    """Windows' own test of the prerequisites, which changes nothing and leaves nothing to look at."""

    def run(view: ServerView) -> list[Condition]:
        return [condition(view.record.acted_in(TEST), f"{name} has not been run", command(view, name, parameters(view)))]

    text = label(TEST, "have Windows test the prerequisites", "all prerequisites are met")
    return Stage(**text, conditions=run, leaves_trace=False)


# -- the farm's table of nodes


def entry_off(*, undo: bool) -> Stage[ServerView]:
    """After the role is gone: a node that still runs would put itself back by its next heartbeat."""

    def gone(view: ServerView) -> list[Condition]:
        name, seen, act = view.spec.name, view.observed, None
        if view.primary is not None and seen.farm.properties.behaviour_level != 1:  # 2012 R2 keeps no table
            act = command(view, "Set-AdfsFarmInformation", {"RemoveNode": (name,)}, host=view.primary.host)
        foreign = undo and not view.record.tries_of(JOIN)  # an entry that is there is not ours
        gone = not seen.farm_error and not seen.lists(name)
        return [condition(foreign or gone, seen.farm_error or f"the farm lists {name}", act)]

    return changed("entry off", "remove it from the farm's list of nodes", "the farm does not list it", gone)


# -- from outside: what users will get


def _served(view: ServerView) -> list[Condition]:
    served, wanted, reference = view.observed.served, view.observed.thumbprint(view.spec), view.observed.reference
    if served is None:
        return [condition(False, "it has not been checked yet")]
    if served.tls is None:
        return [condition(False, served.errors.get("TLS") or "nothing answers on its TLS port")]
    same = not served.signing or reference is None or set(served.signing) == set(reference.signing)
    probed = served.probe_ok or view.spec.operation.role != ADFS_ROLE
    return [
        condition(served.tls.thumbprint == wanted, f"it serves the certificate {served.tls.thumbprint}, not {wanted}"),
        condition(bool(served.signing), served.errors.get("metadata") or "its metadata has no signing certificate"),
        condition(same, "its metadata has other signing certificates than the primary's"),
        condition(probed, served.errors.get("probe") or "/adfs/probe does not answer"),
    ]


def _not_served(view: ServerView) -> list[Condition]:
    served = view.observed.served
    answers = served is not None and (bool(served.signing) or served.probe_ok)
    return [condition(not answers, f"{view.spec.name} still serves the farm")]


_LOOK = "check it from outside"
_AS_FARM = "seen from outside, it serves the farm's TLS certificate and metadata, and /adfs/probe answers"
SERVES = awaited("serves", _LOOK, _AS_FARM, _served, SERVE_PATIENCE)
GONE = awaited("gone", _LOOK, "it no longer serves the farm", _not_served, SERVE_PATIENCE, applies=online)
