"""What to do next, from what was seen and what was done. Pure.

    preflight ─► role ─► test ─► join ─► synchronised ─► listed ─► serves ─► done
                  └────────┴───────┴──────────┴────────────┴── undo ─► role off ─► entry off ─► cleaned up

That is a node; a farm and a proxy go the same way with steps of their own, and removing is the way of the undo. Each stage
is judged by what is seen, not by what is remembered: after a kill, a lost connection or somebody else's help the next
step is the right one. An act that was begun and has not come back may still be under way on the host; it is begun again
only after SETTLE seconds in which nothing came of it.

Sources: the reference of Add-AdfsFarmNode, Test-AdfsFarmJoin, Install-AdfsFarm, Set-AdfsFarmInformation,
Install-WebApplicationProxy, Install-WindowsFeature.
"""

from __future__ import annotations

from adfs_mgmt.deploy import stages
from adfs_mgmt.deploy.model import Operation, Plan, Planned, Procedure, Secrets, Situation, Stage, Verdict, Wish
from adfs_mgmt.deploy.preflight import check, service_account, thumbprint
from adfs_mgmt.farm import Use
from adfs_mgmt.remoting import CATALOGUE, Command
from adfs_mgmt.rollover.model import Act, Record, Step, StepKind

VERSION = 1
SETTLE = 180.0
"""Seconds that a command may still be under way on a host after we lost sight of it."""
EFFECT_PATIENCE = 300.0
"""Seconds from a command that came back without an error until its effect is seen."""
MAX_TRIES = 3
PREFLIGHT = "preflight"
RESTART_PATIENCE = 900.0
"""Seconds that a server may be away: it installs features, or restarts."""


def procedure(wish: Wish, secrets: Secrets) -> Procedure:
    """The stages of an operation."""
    return stages.PROCEDURES[wish.operation](wish, secrets)


def next_step(wish: Wish, steps: Procedure, seen: Situation, record: Record, now: float) -> Step:
    """The next thing to do, and why. Never raises."""
    if record.back:
        return _first_open(steps.back, wish, seen, record, now)
    if PREFLIGHT not in record.held:
        return _preflight(wish, seen)
    return _first_open(steps.forward, wish, seen, record, now)


def _preflight(wish: Wish, seen: Situation) -> Step:
    """It is looked at once: afterwards our own steps have changed the answers."""
    failed = [each for each in check(wish, seen) if each.verdict is Verdict.FAILED]
    if failed:
        return Step(kind=StepKind.REFUSE, stage=PREFLIGHT, title="preflight", reasons=tuple(map(str, failed)))
    return Step(kind=StepKind.NOTE, stage=PREFLIGHT, title="preflight", promise="nothing is in the way")


def _first_open(chosen: tuple[Stage, ...], wish: Wish, seen: Situation, record: Record, now: float) -> Step:
    away = seen.host.error if not wish.offline else ""
    for number, stage in enumerate(chosen, 1):
        if stage.name in record.held:
            continue
        if away:
            missing: tuple[str, ...] = (f"{wish.name} does not answer ({away})",)
            return _waiting(stage, number, missing, RESTART_PATIENCE)
        missing = stage.missing(seen, record)
        if not missing:
            return Step(kind=StepKind.NOTE, stage=stage.name, number=number, title=stage.title, promise=stage.promise)
        return _to_do(stage, number, missing, seen, record, now)
    if lost := _lost(chosen, seen, record):
        return lost
    return Step(kind=StepKind.DONE, title="done")


def _to_do(stage: Stage, number: int, missing: tuple[str, ...], seen: Situation, record: Record, now: float) -> Step:
    if stage.acts is None:
        return _waiting(stage, number, missing, stage.patience)
    acts = stage.acts(seen, record)
    if not acts or any(name.startswith(f"{stage.name}: ") for name in record.acted):  # it came back: not once more
        return _waiting(stage, number, missing, EFFECT_PATIENCE)
    uncertain = record.begun.startswith(f"{stage.name}: ") and any(map(_changes, acts))
    if uncertain and now < record.begun_at + SETTLE:
        return _waiting(stage, number, missing, SETTLE, until=record.begun_at + SETTLE)
    tried = max((count for name, count in record.tries.items() if name.startswith(f"{stage.name}: ")), default=0)
    if tried >= MAX_TRIES and record.begun:
        reason = (
            f"{stage.title} was tried {tried} times and never came back; look at {acts[0].host}, then clean up with --undo"
        )
        return Step(kind=StepKind.REFUSE, stage=stage.name, number=number, title=stage.title, reasons=(reason,))
    return Step(
        kind=StepKind.DO,
        stage=stage.name,
        number=number,
        title=stage.title,
        acts=acts,
        promise=stage.promise,
        missing=missing,
    )


def _changes(act: Act) -> bool:
    return not isinstance(act.what, Command) or CATALOGUE[act.what.name].changes


def _waiting(stage: Stage, number: int, missing: tuple[str, ...], patience: float, until: float = 0.0) -> Step:
    return Step(
        kind=StepKind.WAIT,
        stage=stage.name,
        number=number,
        title=stage.title,
        promise=stage.promise,
        missing=missing,
        patience=patience,
        until=until,
    )


def _lost(chosen: tuple[Stage, ...], seen: Situation, record: Record) -> Step | None:
    """A stage that held and does not any more: it is not called done."""
    for stage in chosen:
        if missing := stage.missing(seen, record):
            reason = f"{stage.title} held and does not any more ({'; '.join(missing)}): somebody else is at work; look first"
            return Step(kind=StepKind.REFUSE, stage=stage.name, title=stage.title, reasons=(reason,))
    return None


# -- a plan for people


def make_plan(wish: Wish, seen: Situation, *, id_: str, by: str) -> Plan:
    """The whole plan as of now; with failed checks it is a list of what to mend."""
    steps = procedure(wish, Secrets())
    empty = Record(
        id=id_, kind=wish.operation.value, farm=wish.farm, started=seen.now, by=by, facts=stages.before(wish, seen)
    )
    checks = check(wish, seen)
    usable = not any(each.verdict is Verdict.FAILED for each in checks)
    return Plan(
        version=VERSION,
        id=id_,
        made_at=seen.now,
        made_by=by,
        wish=wish,
        checks=checks,
        steps=tuple(_planned(stage, seen, empty) for stage in steps.forward) if usable else (),
        undo=tuple(_planned(stage, seen, empty) for stage in steps.back) if usable else (),
        marks=marks(wish, seen),
        notes=_NOTES[wish.operation],
    )


def _planned(stage: Stage, seen: Situation, record: Record) -> Planned:
    commands = tuple(act.id for act in stage.acts(seen, record)) if stage.acts else ()
    return Planned(stage=stage.name, title=stage.title, promise=stage.promise, commands=commands)


def marks(wish: Wish, seen: Situation) -> dict[str, str]:
    """What a plan depends on, by name. A host that does not answer has no marks of its own."""
    farm, primary, host = seen.farm, seen.farm.primary, seen.host
    found = {
        "nodes": ", ".join(sorted(node.host for node in farm.nodes)),
        "primary": primary.host if primary else "",
        "behaviour level": str(farm.properties.behaviour_level),
        "database": "SQL Server" if farm.properties.sql else "WID",
        "service account": service_account(wish, seen),
        "SSL certificate": thumbprint(wish, seen),
    }
    for use in (Use.SIGNING, Use.DECRYPTING, Use.SERVICE):
        rows = primary.certificates if primary else ()
        names = sorted(row.certificate.thumbprint + (" primary" if row.is_primary else "") for row in rows if row.use is use)
        found[f"{use} certificates"] = ", ".join(names)
    if not host.error:
        found |= {
            f"{wish.name}: Windows": host.windows,
            f"{wish.name}: domain": host.domain,
            f"{wish.name}: role": host.features.get(wish.operation.role, ""),
            f"{wish.name}: belongs to a farm": "yes" if host.role is not None or host.joined else "no",
        }
    return found


def differences(plan: Plan, now_planned: Plan) -> tuple[str, ...]:
    """What is not as it was when a plan was made; empty where it may be applied."""
    names = [*plan.marks, *(name for name in now_planned.marks if name not in plan.marks)]
    found = [
        f"{name}: was {plan.marks.get(name) or 'nothing'}, is {now_planned.marks.get(name) or 'nothing'}"
        for name in names
        if plan.marks.get(name, "") != now_planned.marks.get(name, "")
    ]
    if not found and not now_planned.refused and plan.steps != now_planned.steps:
        found.append("the steps: this version of Isthmus would do others")
    return tuple(found)


_NOTES: dict[Operation, tuple[str, ...]] = {
    Operation.FARM_NEW: (
        "Make a DNS record (A, not CNAME) for the federation name.",
        "Put the node into the settings file, under [[farms]] nodes.",
    ),
    Operation.NODE_ADD: (
        "Put the node into the settings file, under [[farms]] nodes.",
        "Then let the load balancer send people to it (health check: HTTP, port 80, /adfs/probe).",
    ),
    Operation.NODE_REMOVE: (
        "Take the node out of the load balancer before you apply this: people who are signing in there would be cut off.",
        "Take it out of the settings file afterwards, and restart the server: the role is gone only then.",
        "The Windows Internal Database stays installed; other software may use it.",
    ),
    Operation.PROXY_ADD: (
        "Put the proxy into the settings file, under [[farms]] proxies.",
        "Then let the load balancer send people to it.",
    ),
    Operation.PROXY_REMOVE: (
        "Take the proxy out of the load balancer before you apply this.",
        "Take it out of the settings file afterwards, and restart the server.",
        "On another proxy, take it out of Set-WebApplicationProxyConfiguration -ConnectedServersName.",
    ),
}
