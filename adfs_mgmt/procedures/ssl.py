"""A new SSL and Service-Communications certificate, on nodes, proxies and published applications, there and back. Pure.

    import ─► import-proxies ─► grant ─► service ─► bind ─► restart ─► bind-proxies ─► applications ─► probe ─► (finish)

    back:  applications back ─► bind-proxies back ─► bind back ─► service back ─► restart back ─► probe back

The old certificates stay in the stores, so that the way back is open until somebody removes them. Which one was where is in
the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from adfs_mgmt.farm import KeyAccess, Node, Proxy, PublishedApplication, Use
from adfs_mgmt.procedures import bindings, checks, stores
from adfs_mgmt.procedures.restart import restarted
from adfs_mgmt.procedures.token import certificates
from adfs_mgmt.procedures.view import SERVICE, FarmView, RolloverPolicy, converging, of_running
from foundation.procedures import Act, Condition, Procedure, Rollback, Stage


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


def _imported(servers: Sequence[Node | Proxy], new: str) -> list[Condition]:
    return [stores.has_key(server, new) for server in servers]


def _import_refuses(view: View, servers: Sequence[Node | Proxy]) -> list[str]:
    if view.state.material:
        return _all_there(view)
    absent = [
        problem
        for server in servers
        if not server.error and stores.needs_import(row := stores.row_of(server, view.state.new))
        for problem in checks.stored(row, server.host, view.state.new, cng_allowed=True)
    ]
    return [*_all_there(view), *absent]


def _granted(view: View) -> list[Condition]:
    return [condition for node in view.farm.nodes for condition in _granted_on(view, node)]


def _granted_on(view: View, node: Node) -> list[Condition]:
    """One of the two grants is enough to read the key: where a run was killed in between, the other is still to be done."""
    row, grants = stores.row_of(node, view.state.new), _grants(view, node)
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


def _foresee_granted(view: View) -> list[Condition]:
    return [Condition("", "", act) for node in view.farm.nodes for act in _grants(view, node)]


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


def _proxies_back_refuse(view: View) -> list[str]:
    return [*checks.proxies_reachable(view), *harm(view)]


# -- service, bindings, proxies, applications: there and back


def _service_back(view: View) -> list[Condition]:
    if not view.state.service:
        return []
    return of_running(view, bindings.service_is(view, view.state.service, "service", "service back"))


def _bound_back(view: View) -> list[Condition]:
    return bindings.nodes_bound(view, "bind back", lambda node: view.state.nodes.get(node.host, ""))


def _proxies_bound(view: View, wanted: Callable[[Proxy], str]) -> list[Condition]:
    return [
        condition
        for proxy in view.farm.proxies
        if (thumbprint := wanted(proxy))
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


def _applications_have(view: View, wanted: Callable[[str], str]) -> list[Condition]:
    """`wanted`: from the thumbprint that it had."""
    found = []
    for proxy, row, old in _applications(view):
        new = wanted(old)
        text, act = f"application {row.name} has {row.thumbprint}, not {new}", bindings.set_application(proxy, row.id, new)
        found.append(Condition.of(row.thumbprint == new, proxy.host, text, act))
    return found


def _has_proxies(view: View) -> bool:
    return bool(view.farm.proxies)


def _has_applications(view: View) -> bool:
    return bool(_applications(view))


def _probed(view: View) -> list[Condition]:
    hosts = {server.host for server in bindings.servers(view)}
    down = [
        Condition(row.host, "/adfs/probe does not answer")
        for row in view.served.values()
        if row.host in hosts and not row.probe_ok
    ]
    return [*bindings.serving(view, lambda _: view.state.new), *down]


def _probed_back(view: View) -> list[Condition]:
    had = {**view.state.proxies, **view.state.nodes}
    return bindings.serving(view, lambda host: had.get(host, ""))


STAGES: tuple[Stage[View], ...] = (
    Stage(
        name="import",
        number=1,
        title="put the certificate into every node's store",
        promise="LocalMachine\\My of every node has it with its key",
        conditions=lambda view: _imported(view.farm.nodes, view.state.new),
        refuses=lambda view: _import_refuses(view, view.farm.nodes),
    ),
    Stage(
        name="import-proxies",
        number=1,
        title="… and every proxy's",
        promise="LocalMachine\\My of every proxy has it with its key",
        conditions=lambda view: _imported(view.farm.proxies, view.state.new),
        refuses=lambda view: _import_refuses(view, view.farm.proxies),
        applies=_has_proxies,
    ),
    Stage(
        name="grant",
        number=2,
        title="let the service read the key",
        promise="on every node the service account may read the key",
        conditions=_granted,
        foresees=_foresee_granted,
        refuses=_all_there,
        asks=lambda view: stores.key_access_question(view, [view.state.new]),
    ),
    Stage(
        name="service",
        number=3,
        title="Service-Communications",
        promise="every node shows it for Service-Communications",
        conditions=lambda view: bindings.service_is(view, view.state.new, "service", "service back"),
        refuses=_all_there_and_fit,
        patience=converging,
        back=Stage(
            name="service back",
            title="Service-Communications, as before",
            promise="every node shows the old certificate for Service-Communications",
            conditions=_service_back,
            refuses=lambda view: [*checks.has_primary(view), *harm(view)],
            patience=converging,
        ),
    ),
    Stage(
        name="bind",
        number=4,
        title="SSL bindings of every node",
        promise="every row of every node has it",
        conditions=lambda view: bindings.nodes_bound(view, "bind", lambda node: view.state.new),
        refuses=_all_there_and_fit,
        back=Stage(
            name="bind back",
            title="SSL bindings of every node, as before",
            promise="every row of every node has the old certificate",
            conditions=_bound_back,
            refuses=lambda view: [*checks.reachable(view), *harm(view)],
        ),
    ),
    restarted("restart", back=restarted("restart back")),
    Stage(
        name="bind-proxies",
        number=7,
        title="SSL of every proxy",
        promise="every row of every proxy has it",
        conditions=lambda view: _proxies_bound(view, lambda proxy: view.state.new),
        refuses=_all_there_and_fit,
        applies=_has_proxies,
        back=Stage(
            name="bind-proxies back",
            title="SSL of every proxy, as before",
            promise="every row of every proxy has the old certificate",
            conditions=lambda view: _proxies_bound(view, lambda proxy: view.state.proxies.get(proxy.host, "")),
            refuses=_proxies_back_refuse,
            applies=_has_proxies,
        ),
    ),
    Stage(
        name="applications",
        number=7,
        title="published applications that had the old one",
        promise="each has the new certificate",
        conditions=lambda view: _applications_have(view, lambda old: view.state.new),
        refuses=_all_there_and_fit,
        applies=_has_applications,
        back=Stage(
            name="applications back",
            title="published applications get their old certificate",
            promise="each has what it had before",
            conditions=lambda view: _applications_have(view, lambda old: old),
            refuses=_proxies_back_refuse,
            applies=_has_applications,
        ),
    ),
    Stage(
        name="probe",
        number=8,
        title="look at every address, by address and server name",
        promise="every node and proxy serves the new certificate, and its probe answers",
        conditions=_probed,
        patience=converging,
        back=Stage(
            name="probe back",
            title="look at every address, by address and server name",
            promise="every node and proxy serves what it served before",
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
        back_order=(
            "applications back",
            "bind-proxies back",
            "bind back",
            "service back",
            "restart back",
            "probe back",
        ),
        rollbacks=(Rollback(to="start"),),
        undone=tuple(stage.name for stage in STAGES),
        harm=harm,
    )
