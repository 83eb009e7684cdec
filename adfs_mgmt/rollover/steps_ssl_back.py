"""The old SSL and Service-Communications certificates, back where each of them was. Pure."""

from __future__ import annotations

from adfs_mgmt.rollover import bindings, checks
from adfs_mgmt.rollover.bindings import bound
from adfs_mgmt.rollover.bindings import old as had
from adfs_mgmt.rollover.model import Act
from adfs_mgmt.rollover.restarting import of_running, restarted
from adfs_mgmt.rollover.stage import Stage, View, converging


def _unapplications_missing(view: View) -> list[str]:
    return [
        f"{proxy.host}: application {each.name} does not have {old}"
        for proxy, each, old in bindings.applications(view)
        if each.thumbprint != old
    ]


def _unapplications_acts(view: View) -> tuple[Act, ...]:
    return tuple(
        bindings.set_application(proxy, each.id, old)
        for proxy, each, old in bindings.applications(view)
        if each.thumbprint != old
    )


def _unbind_proxies_missing(view: View) -> list[str]:
    return [problem for proxy in view.farm.proxies for problem in bound(proxy, had(view, "proxy", proxy.host))]


def _unbind_proxies_acts(view: View) -> tuple[Act, ...]:
    return tuple(
        bindings.bind_proxy(proxy, old)
        for proxy in view.farm.proxies
        if not proxy.error and (old := had(view, "proxy", proxy.host)) and bound(proxy, old)
    )


def _unbind_missing(view: View) -> list[str]:
    return [problem for node in view.farm.nodes for problem in bound(node, had(view, "node", node.host))]


def _unbind_acts(view: View) -> tuple[Act, ...]:
    return bindings.bind_all(view, "unbind", lambda node: had(view, "node", node.host))


def no_use(view: View) -> list[str]:
    """Why going back would do harm."""
    found = {thumbprint: name for name, thumbprint in view.record.facts.items() if name.startswith("old/") and thumbprint}
    return [each for old, name in found.items() for each in checks.usable_again(view, old, name.removeprefix("old/"))]


def _proxies_refuse(view: View) -> list[str]:
    return [*checks.proxies_reachable(view), *no_use(view)]


def _was_serving(view: View, host: str) -> str:
    return had(view, "node", host) or had(view, "proxy", host)


STAGES = (
    Stage(
        name="unapplications",
        number=7,
        title="published applications get their old certificate",
        promise="each has what it had before",
        missing=_unapplications_missing,
        refuses=_proxies_refuse,
        acts=_unapplications_acts,
        applies=lambda view: bool(bindings.applications(view)),
    ),
    Stage(
        name="unbind-proxies",
        number=7,
        title="SSL of every proxy, as before",
        promise="every row of every proxy has the old certificate",
        missing=_unbind_proxies_missing,
        refuses=_proxies_refuse,
        acts=_unbind_proxies_acts,
        applies=lambda view: bool(view.farm.proxies),
    ),
    Stage(
        name="unbind",
        number=4,
        title="SSL bindings of every node, as before",
        promise="every row of every node has the old certificate",
        missing=_unbind_missing,
        refuses=lambda view: [*checks.reachable(view), *no_use(view)],
        acts=_unbind_acts,
    ),
    Stage(
        name="unservice",
        number=3,
        title="Service-Communications, as before",
        promise="every node shows the old certificate for Service-Communications",
        missing=lambda view: of_running(view, bindings.service_missing(view, view.fact("old/service"))),
        refuses=lambda view: [*checks.primary(view), *no_use(view)],
        acts=lambda view: bindings.service_acts(view, view.fact("old/service")),
        patience=converging,
        applies=lambda view: bool(view.fact("old/service")),
    ),
    restarted("rerestart"),
    Stage(
        name="reprobe",
        number=8,
        title="look at every address, by address and server name",
        promise="every node and proxy serves what it served before",
        missing=lambda view: bindings.serving(view, lambda host: _was_serving(view, host)),
        patience=converging,
    ),
)
