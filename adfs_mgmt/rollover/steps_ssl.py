"""A new SSL and Service-Communications certificate, on nodes, proxies and published applications. Pure.

    import ─► import-proxies ─► grant ─► service ─► bind ─► restart ─► bind-proxies ─► applications ─► probe ─► (finish)

    back (`steps_ssl_back`):  unapplications ─► unbind-proxies ─► unbind ─► unservice ─► rerestart ─► reprobe

The old certificates stay in the stores, so that the way back is open until somebody removes them. Which one was where is in
the journal: `old/service`, `old/node/HOST`, `old/proxy/HOST`, `old/app/HOST/ID`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adfs_mgmt.farm import KeyAccess, Node, Proxy, StoredCertificate
from adfs_mgmt.rollover import bindings, checks, tokens
from adfs_mgmt.rollover.bindings import bound, new
from adfs_mgmt.rollover.bindings import old as had
from adfs_mgmt.rollover.model import Act, Import
from adfs_mgmt.rollover.record import stage_act
from adfs_mgmt.rollover.restarting import restarted
from adfs_mgmt.rollover.stage import Stage, View, converging
from adfs_mgmt.rollover.steps_arrival import key_access_asks, needs_import, stored


def _lacking(view: View, servers: Sequence[Node | Proxy]) -> list[Node | Proxy]:
    return [each for each in servers if needs_import(_row(each, new(view)))]


def _row(server: Node | Proxy, thumbprint: str) -> StoredCertificate | None:
    return next((row for row in server.stored if row.certificate.thumbprint == thumbprint), None)


def _import(servers: Callable[[View], Sequence[Node | Proxy]]) -> dict[str, object]:
    def missing(view: View) -> list[str]:
        text = f"{new(view)} is not in LocalMachine\\My with its key"
        return [f"{each.host}: {each.error or text}" for each in _lacking(view, servers(view))]

    def acts(view: View) -> tuple[Act, ...]:
        return tuple(Act(host=each.host, what=Import(thumbprint=new(view))) for each in _lacking(view, servers(view)))

    def refuses(view: View) -> list[str]:
        if view.fact("material") == "yes":
            return bindings.all_there(view)
        absent = [
            problem
            for each in _lacking(view, servers(view))
            if not each.error
            for problem in checks.stored(_row(each, new(view)), each.host, new(view), cng_allowed=True)
        ]
        return [*bindings.all_there(view), *absent]

    return {"missing": missing, "acts": acts, "refuses": refuses}


def _grant_missing(view: View) -> list[str]:
    acknowledged = "key-access" in view.record.acknowledged
    good = {KeyAccess.READABLE, KeyAccess.UNKNOWN} if acknowledged else {KeyAccess.READABLE}

    def granted(node: Node) -> bool:
        row = stored(node, new(view))
        return row is not None and row.key in good and not _half_granted(view, node)

    text = f"the service account is not known to be allowed to read the key of {new(view)}"
    return [f"{node.host}: {node.error or text}" for node in view.farm.nodes if node.error or not granted(node)]


def _grant_acts(view: View) -> tuple[Act, ...]:
    found: list[Act] = []
    for node in view.farm.nodes:
        row = stored(node, new(view))
        if row is not None and row.key is KeyAccess.NOT_GRANTED:
            found += _grants(view, node)
        elif _half_granted(view, node):
            found += [act for act in _grants(view, node) if not view.acted("grant", act)]
    return tuple(found)


def _half_granted(view: View, node: Node) -> bool:
    """One of the two was granted, which is enough to read the key, and then the run was killed: it is not all there yet."""
    grants = _grants(view, node)
    begun = any(stage_act("grant", act.id) in view.record.tries for act in grants)
    return begun and not all(view.acted("grant", act) for act in grants)


def _grants(view: View, node: Node) -> tuple[Act, ...]:
    """For the service itself, and for the account that it runs as."""
    service = tokens.grant(node, new(view), f"NT SERVICE\\{tokens.SERVICE}")
    return (service, tokens.grant(node, new(view))) if node.service_account else (service,)


def _bind_missing(view: View) -> list[str]:
    return [problem for node in view.farm.nodes for problem in bound(node, new(view))]


def _bind_acts(view: View) -> tuple[Act, ...]:
    return bindings.bind_all(view, "bind", lambda node: new(view))


def _proxies_missing(view: View) -> list[str]:
    return [problem for proxy in view.farm.proxies for problem in bound(proxy, new(view))]


def _proxies_acts(view: View) -> tuple[Act, ...]:
    return tuple(
        bindings.bind_proxy(proxy, new(view)) for proxy in view.farm.proxies if not proxy.error and bound(proxy, new(view))
    )


def _applications_missing(view: View) -> list[str]:
    return [
        f"{proxy.host}: application {each.name} has {each.thumbprint}, not {new(view)}"
        for proxy, each, _ in bindings.applications(view)
        if each.thumbprint != new(view)
    ]


def _applications_acts(view: View) -> tuple[Act, ...]:
    return tuple(
        bindings.set_application(proxy, each.id, new(view))
        for proxy, each, _ in bindings.applications(view)
        if each.thumbprint != new(view)
    )


def _probe_missing(view: View) -> list[str]:
    outside = view.snapshot.outside
    down = [f"{row.host}: /adfs/probe does not answer" for row in outside.served if not row.probe_ok] if outside else []
    hosts = {server.host for server in bindings.servers(view)}
    return [*bindings.serving(view, lambda _: new(view)), *(each for each in down if each.split(": ")[0] in hosts)]


def _undo_bind(view: View) -> tuple[Act, ...]:
    return tuple(bindings.bind(view, node, old) for node in view.farm.nodes if (old := had(view, "node", node.host)))


def _undo_proxies(view: View) -> tuple[Act, ...]:
    return tuple(bindings.bind_proxy(proxy, old) for proxy in view.farm.proxies if (old := had(view, "proxy", proxy.host)))


def _undo_applications(view: View) -> tuple[Act, ...]:
    return tuple(bindings.set_application(proxy, each.id, old) for proxy, each, old in bindings.applications(view))


def start(view: View, certificate_problems: Sequence[str]) -> list[str]:
    """Preconditions of the whole."""
    return [*bindings.all_there(view), *checks.synchronised(view), *certificate_problems]


FORWARD = (
    Stage(
        name="import",
        number=1,
        title="put the certificate into every node's store",
        promise="LocalMachine\\My of every node has it with its key",
        **_import(lambda view: view.farm.nodes),  # type: ignore[arg-type]
    ),
    Stage(
        name="import-proxies",
        number=1,
        title="… and every proxy's",
        promise="LocalMachine\\My of every proxy has it with its key",
        applies=lambda view: bool(view.farm.proxies),
        **_import(lambda view: view.farm.proxies),  # type: ignore[arg-type]
    ),
    Stage(
        name="grant",
        number=2,
        title="let the service read the key",
        promise="on every node the service account may read the key",
        missing=_grant_missing,
        refuses=bindings.all_there,
        acts=_grant_acts,
        foresees=lambda view: tuple(act for node in view.farm.nodes for act in _grants(view, node)),
        asks=lambda view: key_access_asks(view, [new(view)]),
    ),
    Stage(
        name="service",
        number=3,
        title="Service-Communications",
        promise="every node shows it for Service-Communications",
        missing=lambda view: bindings.service_missing(view, new(view)),
        refuses=bindings.all_there_and_fit,
        acts=lambda view: bindings.service_acts(view, new(view)),
        undo=lambda view: (bindings.set_service(view, view.fact("old/service")),) if view.fact("old/service") else (),
        patience=converging,
    ),
    Stage(
        name="bind",
        number=4,
        title="SSL bindings of every node",
        promise="every row of every node has it",
        missing=_bind_missing,
        refuses=bindings.all_there_and_fit,
        acts=_bind_acts,
        undo=_undo_bind,
    ),
    restarted("restart"),
    Stage(
        name="bind-proxies",
        number=7,
        title="SSL of every proxy",
        promise="every row of every proxy has it",
        missing=_proxies_missing,
        refuses=bindings.all_there_and_fit,
        acts=_proxies_acts,
        undo=_undo_proxies,
        applies=lambda view: bool(view.farm.proxies),
    ),
    Stage(
        name="applications",
        number=7,
        title="published applications that had the old one",
        promise="each has the new certificate",
        missing=_applications_missing,
        refuses=bindings.all_there_and_fit,
        acts=_applications_acts,
        undo=_undo_applications,
        applies=lambda view: bool(bindings.applications(view)),
    ),
    Stage(
        name="probe",
        number=8,
        title="look at every address, by address and server name",
        promise="every node and proxy serves the new certificate, and its probe answers",
        missing=_probe_missing,
        patience=converging,
    ),
)
