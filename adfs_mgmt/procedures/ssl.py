"""A new SSL and Service-Communications certificate, on nodes, proxies and published applications, there and back. Pure.

    import ─► import-proxies ─► grant ─► service ─► bind ─► restart ─► bind-proxies ─► applications ─► probe ─► (finish)

    back:  applications back ─► bind-proxies back ─► bind back ─► service back ─► restart back ─► probe back

The old certificates stay in the stores, so that the way back is open until somebody removes them. Which one was where is in
the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from adfs_mgmt.farm import KeyAccess, Node, Proxy, PublishedApplication, Use
from adfs_mgmt.procedures import bindings, checks, stores
from adfs_mgmt.procedures.restart import restarted
from adfs_mgmt.procedures.token import certificates
from adfs_mgmt.procedures.view import SERVICE, FarmView, RolloverPolicy, converging, of_running
from foundation.procedures import Act, Condition, Label, Procedure, Rollback, Stage, label, planned


class SslState(msgspec.Struct, frozen=True, kw_only=True):
    """What an SSL rollover remembers, as thumbprints; empty where there was none."""

    new: str
    nodes: dict[str, str]
    """What each node had, by host."""
    proxies: dict[str, str]
    applications: dict[str, dict[str, str]] = {}
    """What each published application had that is part of this, by proxy and ID."""
    service: str = ""
    """For Service-Communications."""
    material: bool
    """The new one's key is here, so that it can be imported; otherwise it is in the stores already."""


View = FarmView[SslState]


# -- import, grant


def _import_refuses(view: View, servers: Sequence[Node | Proxy]) -> list[str]:
    state = view.state
    absent = stores.unusable(servers, state.new, Use.SSL, importable=state.material)
    return [*_all_there(view), *absent]


def _granted_on(view: View, node: Node) -> list[Condition]:
    """One of the two grants is enough to read the key: where a run was killed in between, the other is still to be done."""
    row, grants = node.held(view.state.new), _grants(view, node)
    acted = [act for act in grants if act.id("grant") in view.record.acted]
    half = len(acted) < len(grants) and any(act.id("grant") in view.record.tries for act in grants)
    text = node.error or stores.unreadable(view.state.new)
    if not node.error and row is not None and row.key in stores.readable(view) and not half:
        return [Condition(node.host, "", act) for act in grants]
    if row is not None and row.key is KeyAccess.NOT_GRANTED:
        return [Condition(node.host, text, act) for act in grants]
    if half:
        return [Condition.of(act in acted, node.host, text, act) for act in grants]
    return [Condition(node.host, text)]


def _grants(view: View, node: Node) -> tuple[Act, ...]:
    """For the service itself, and for the account that it runs as."""
    service = certificates.grant(node, view.state.new, f"NT SERVICE\\{SERVICE}")
    return (service, certificates.grant(node, view.state.new)) if node.service_account else (service,)


# -- preconditions


def _all_there(view: View) -> list[str]:
    """Every server can be asked, and their clocks agree."""
    return [*checks.reachable(view), *checks.proxies_reachable(view), *checks.clocks(view)]


def _all_there_and_fit(view: View) -> list[str]:
    """And the new certificate is still valid: a plan may be old, or the work may have rested for long."""
    certificate = view.observed.certificate(view.state.new)
    return [*_all_there(view), *(checks.fit(certificate, Use.SSL, view.now) if certificate else [])]


def harm(view: View) -> list[str]:
    """Why going back would do harm."""
    state = view.state
    had = {state.service: "service"}
    had |= {old: f"app/{proxy}/{id_}" for proxy, ids in state.applications.items() for id_, old in ids.items()}
    had |= {old: f"proxy/{host}" for host, old in state.proxies.items()}
    had |= {old: f"node/{host}" for host, old in state.nodes.items()}
    return [problem for old, where in had.items() if old for problem in checks.usable_again(view, old, where)]


# -- service, bindings, proxies, applications: there, and back to what was there before


def _wanted(view: View, had: str, back: bool) -> str:
    return had if back else view.state.new


def _service(view: View, back: bool) -> list[Condition]:
    wanted = _wanted(view, view.state.service, back)
    found = bindings.service_is(view, wanted, "service", "service back") if wanted else []
    return of_running(view, found) if back else found


def _nodes_bound(view: View, back: bool) -> list[Condition]:
    had = view.state.nodes
    stage = "bind back" if back else "bind"
    return bindings.nodes_bound(view, stage, lambda node: _wanted(view, had.get(node.host, ""), back))


def _proxies_bound(view: View, back: bool) -> list[Condition]:
    return [
        condition
        for proxy in view.farm.proxies
        if (thumbprint := _wanted(view, view.state.proxies.get(proxy.host, ""), back))
        for condition in bindings.bound(proxy, thumbprint, bindings.bind_proxy(proxy, thumbprint))
    ]


def _applications(view: View) -> list[tuple[Proxy, PublishedApplication, str]]:
    """Published applications that are part of this, with what they had before."""
    had = view.state.applications
    return [
        (proxy, row, old)
        for proxy in view.farm.proxies
        for row in proxy.applications
        if (old := had.get(proxy.host, {}).get(row.id, ""))
    ]


def _applications_have(view: View, back: bool) -> list[Condition]:
    found = []
    for proxy, row, old in _applications(view):
        new = _wanted(view, old, back)
        text, act = f"application {row.name} has {row.thumbprint}, not {new}", bindings.set_application(proxy, row.id, new)
        found.append(Condition.of(row.thumbprint == new, proxy.host, text, act))
    return found


def _probed(view: View) -> list[Condition]:
    hosts = {server.host for server in view.farm.hosts}
    down = [
        Condition(row.host, "/adfs/probe does not answer")
        for row in view.served.values()
        if row.host in hosts and not row.probe_ok
    ]
    return [*bindings.serving(view, lambda _: view.state.new), *down]


def _probed_back(view: View) -> list[Condition]:
    had = {**view.state.proxies, **view.state.nodes}
    return bindings.serving(view, lambda host: had.get(host, ""))


def _there_and_back(
    there: Label,
    back: Label,
    conditions: Callable[[View, bool], list[Condition]],
    readable: Callable[[View], list[str]],
    notes: Callable[[View], list[str]] = lambda view: [],
    **both: Any,
) -> Stage[View]:
    """A row and its mirror, by the same conditions: the new certificate comes, or what was there before. `readable`: what
    the way back needs; `notes`: of the way there; `both`: what else holds for both, as of a Stage."""
    return Stage(
        **there,
        conditions=lambda view: conditions(view, False),
        refuses=_all_there_and_fit,
        notes=notes,
        back=Stage(
            **back,
            conditions=lambda view: conditions(view, True),
            refuses=lambda view: [*readable(view), *harm(view)],
            **both,
        ),
        **both,
    )


STAGES: tuple[Stage[View], ...] = (
    Stage(
        **label(
            "import",
            "import the certificate on every node",
            "it is in LocalMachine\\My on every node, with its private key",
            1,
        ),
        conditions=lambda view: [stores.has_key(node, view.state.new) for node in view.farm.nodes],
        refuses=lambda view: _import_refuses(view, view.farm.nodes),
    ),
    Stage(
        **label(
            "import-proxies",
            "import the certificate on every proxy",
            "it is in LocalMachine\\My on every proxy, with its private key",
            1,
        ),
        conditions=lambda view: [stores.has_key(proxy, view.state.new) for proxy in view.farm.proxies],
        refuses=lambda view: _import_refuses(view, view.farm.proxies),
        applies=lambda view: bool(view.farm.proxies),
    ),
    Stage(
        **label(
            "grant",
            "grant the service account read access to the private key",
            "the service account can read the private key on every node",
            2,
        ),
        conditions=lambda view: [condition for node in view.farm.nodes for condition in _granted_on(view, node)],
        foresees=lambda view: planned(act for node in view.farm.nodes for act in _grants(view, node)),
        refuses=_all_there,
        asks=lambda view: stores.key_access_question(view, [view.state.new]),
    ),
    _there_and_back(
        label("service", "Service-Communications", "every node shows it for Service-Communications", 3),
        label(
            "service back",
            "set Service-Communications back to the old certificate",
            "every node shows the old certificate for Service-Communications",
        ),
        _service,
        checks.has_primary,
        patience=converging,
    ),
    _there_and_back(
        label("bind", "SSL bindings of every node", "every SSL binding of every node has it", 4),
        label(
            "bind back",
            "set the SSL bindings of every node back to the old certificate",
            "every SSL binding of every node has the old certificate",
        ),
        _nodes_bound,
        checks.reachable,
        lambda view: bindings.address_notes(view.farm.nodes, view.state.new),
    ),
    restarted("restart", back=restarted("restart back")),
    _there_and_back(
        label("bind-proxies", "SSL of every proxy", "every SSL binding of every proxy has it", 7),
        label(
            "bind-proxies back",
            "set the SSL bindings of every proxy back to the old certificate",
            "every SSL binding of every proxy has the old certificate",
        ),
        _proxies_bound,
        checks.proxies_reachable,
        lambda view: bindings.address_notes(view.farm.proxies, view.state.new),
        applies=lambda view: bool(view.farm.proxies),
    ),
    _there_and_back(
        label(
            "applications",
            "update published applications that have the old certificate",
            "each of them has the new certificate",
            7,
        ),
        label(
            "applications back",
            "set published applications back to their old certificate",
            "each of them has the certificate that it had before",
        ),
        _applications_have,
        checks.proxies_reachable,
        applies=lambda view: bool(_applications(view)),
    ),
    Stage(
        **label(
            "probe",
            "check what every address serves, by address and by server name",
            "every node and proxy serves the new certificate, and /adfs/probe answers",
            8,
        ),
        conditions=_probed,
        patience=converging,
        back=Stage(
            **label(
                "probe back",
                "check what every address serves, by address and by server name",
                "every node and proxy serves what it served before",
            ),
            conditions=_probed_back,
            patience=converging,
        ),
    ),
)


def procedure(rules: RolloverPolicy) -> Procedure[View]:
    """By this policy."""
    return Procedure(
        kind="ssl",
        state=SslState,
        stages=STAGES,
        view=lambda observed, record, now: FarmView(observed, record, now, rules),
        back_order=("applications back", "bind-proxies back", "bind back", "service back", "restart back", "probe back"),
        rollbacks=(Rollback(to="start"),),
        undone=tuple(stage.name for stage in STAGES),
        harm=harm,
    )
