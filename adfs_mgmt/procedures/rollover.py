"""The three procedures about a farm's certificates: their plans, what those depend on, and their records. Pure.

    plan(request, observed) ──► Plan, shown or saved ──► current: the farm must be as it was ──► journal ──► run

Until it starts the farm must be as it was when the plan was made; from then on each stage's preconditions see to that,
because the farm changes by our own hand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adfs_mgmt.farm import Node, Proxy, Use
from adfs_mgmt.procedures import emergency, ssl
from adfs_mgmt.procedures.observation import FarmObservation
from adfs_mgmt.procedures.request import RolloverRequest, initial_state
from adfs_mgmt.procedures.ssl import SslState
from adfs_mgmt.procedures.token import stages as token
from adfs_mgmt.procedures.token.state import NEW, EmergencyState, ReplacedState, TokenState
from adfs_mgmt.procedures.view import RolloverPolicy
from foundation.procedures import Plan, Procedure, Record, check_current, hashed, make

TRACKS: Mapping[str, Mapping[str, type[Any]]] = {
    "token": {"token": TokenState, "emergency": EmergencyState},
    "ssl": {"ssl": SslState},
}
"""Of each journal of a farm: the procedures that write it, with their states."""
STATES: Mapping[str, type[Any]] = {kind: state for track in TRACKS.values() for kind, state in track.items()}
_PROCEDURES: Mapping[str, Callable[[RolloverPolicy], Procedure[Any]]] = {
    "token": token.procedure,
    "emergency": emergency.procedure,
    "ssl": ssl.procedure,
}
_TITLES = {
    "token": "Rollover of",
    "emergency": "EMERGENCY rollover of",
    "ssl": "New SSL and Service-Communications certificate",
}
_SHOWN = 12
_SERVICE = Use.SERVICE.value


def procedure_of(kind: str, policy: RolloverPolicy) -> Procedure[Any]:
    """By its kind, as in journals and plans."""
    return _PROCEDURES[kind](policy)


def plan(
    request: RolloverRequest,
    observed: FarmObservation,
    policy: RolloverPolicy,
    now: float,
    by: str = "",
    previous: Record[Any] | None = None,
) -> Plan[Any]:
    """All steps. `previous`: what an emergency may supersede. Raises Refused, with every reason."""
    state = initial_state(request, observed, policy, now, previous)
    return _plan(request.kind, state, observed, policy, now, by=by, previous=previous)


def current(
    made: Plan[Any], observed: FarmObservation, policy: RolloverPolicy, now: float, previous: Record[Any] | None = None
) -> Plan[Any]:
    """A plan that was made earlier, as it is now. Raises PlanOutdated where the farm is not as it was."""
    fresh = _plan(made.kind, made.state, observed, policy, now, by=made.made_by, previous=previous)
    check_current(made, fresh)
    return fresh


def _plan(kind: str, state: Any, observed: FarmObservation, policy: RolloverPolicy, now: float, **more: Any) -> Plan[Any]:
    uses = " and ".join(state.uses) if isinstance(state, ReplacedState) else ""
    return make(
        procedure_of(kind, policy),
        observed,
        subject=observed.farm.name,
        title=f"{_TITLES[kind]} {uses}".rstrip() + f", farm {observed.farm.name}",
        state=state,
        marks=marks(observed),
        now=now,
        summary=_summary(state),
        **more,
    )


# -- which certificates


def _summary(state: ReplacedState | SslState) -> list[str]:
    """Each certificate once, with everything that it is, or will be, there for."""
    if isinstance(state, SslState):
        old = {f"app {proxy} {id_}": name for proxy, ids in state.applications.items() for id_, name in ids.items()}
        old |= {f"node {host}": name for host, name in state.nodes.items()}
        old |= {f"proxy {host}": name for host, name in state.proxies.items()}
        return [*_certificates("replaces", old | {_SERVICE: state.service}), *_certificates("by", {"SSL": state.new})]
    made = [f"  by       {NEW}  (AD FS will create it)"] if set(state.uses) - set(state.new) else []
    return [*_certificates("replaces", state.old), *_certificates("by", state.new), *made]


def _certificates(lead: str, by_place: Mapping[Any, str]) -> list[str]:
    places: dict[str, list[str]] = {}
    for place, thumbprint in by_place.items():
        if thumbprint:
            places.setdefault(thumbprint, []).append(place)
    return [
        f"  {lead:8} {thumbprint}  {', '.join(found[:_SHOWN])}"
        + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
        for thumbprint, found in places.items()
    ]


def imported(record: Record[Any]) -> tuple[str, ...]:
    """Certificates whose keys were kept for this piece of work, as thumbprints."""
    state = record.state
    if isinstance(state, SslState):
        return (state.new,) if state.material else ()
    return tuple(state.new.values()) if isinstance(state, TokenState) and state.material else ()


# -- what a plan depends on


def marks(observed: FarmObservation) -> dict[str, str]:
    """By part. What changes by itself (times, skews, errors) is left out."""
    farm = observed.farm
    parts: dict[str, Any] = {"properties": farm.properties}
    parts |= {f"node {node.host}": _node(node) for node in farm.nodes}
    parts |= {f"proxy {proxy.host}": _proxy(proxy) for proxy in farm.proxies}
    parts |= {f"relying party {trust.name}": [trust.identifiers, trust.enabled] for trust in farm.relying_parties}
    parts |= {f"domain {domain.name}": sorted(domain.certificates) for domain in observed.domains}
    parts |= {f"partner {partner.name}": [partner.kind, partner.refresh] for partner in observed.partners}
    return {name: hashed(part) for name, part in parts.items()}


def _node(node: Node) -> list[Any]:
    return [
        node.fqdn,
        node.role,
        node.service_account,
        sorted((row.use, row.certificate.thumbprint, row.is_primary) for row in node.certificates),
        sorted((row.certificate.thumbprint, row.key, row.cng, row.key_spec) for row in node.stored),
        sorted((row.host_name, row.port, row.thumbprint) for row in node.bindings),
    ]


def _proxy(proxy: Proxy) -> list[Any]:
    return [
        sorted((row.host_name, row.port, row.thumbprint) for row in proxy.bindings),
        sorted((row.id, row.external_url, row.thumbprint) for row in proxy.applications),
    ]
