"""What the stages of SSL have in common: who has which certificate where, and the commands that change it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from adfs_mgmt.farm import Binding, Node, Properties, Proxy, PublishedApplication, SyncRole, Use
from adfs_mgmt.remoting import make_command
from adfs_mgmt.rollover import checks, tokens
from adfs_mgmt.rollover.model import Act
from adfs_mgmt.rollover.record import stage_act
from adfs_mgmt.rollover.stage import View
from certs import Certificate, covers

_MEMBERS_FROM = 3
"""Farm behaviour level (2016) from which Set-AdfsSslCertificate goes from node to node by itself, unless told where."""

_NOT_STORED = " is not in LocalMachine\\My with its key"


def new(view: View) -> str:
    """Thumbprint of the certificate that comes."""
    return view.fact("new/SSL")


def names_needed(properties: Properties) -> tuple[str, ...]:
    """Names that the certificate must cover whatever is bound: the federation name, and certauth.… where client TLS is on
    443. Names of bindings (`enterpriseregistration.…` among them) and of published applications come on top."""
    name = properties.federation_name.lower()
    return (name, f"certauth.{name}") if properties.alternate_tls_binding else (name,)


def servers(view: View) -> list[Node | Proxy]:
    """Nodes and proxies."""
    return [*view.farm.nodes, *view.farm.proxies]


def _host(application: PublishedApplication) -> str:
    return (urlsplit(application.external_url).hostname or "").lower()


def applications(view: View) -> list[tuple[Proxy, PublishedApplication, str]]:
    """Published applications that are part of this, with what they had before."""
    return [
        (proxy, each, old)
        for proxy in view.farm.proxies
        for each in proxy.applications
        if (old := view.fact(f"old/app/{proxy.host}/{each.id}"))
    ]


def ours(bindings: Sequence[Binding]) -> list[Binding]:
    """Rows that carry the federation service's certificate: all but those without one."""
    return [row for row in bindings if row.thumbprint]


def bind(view: View, node: Node, thumbprint: str) -> Act:
    """One node's rows. The mode decides the cmdlet: the wrong one would switch the mode."""
    level, member = view.farm.properties.behaviour_level, (node.fqdn or node.host.split("=")[0],)
    if view.farm.properties.alternate_tls_binding:
        return Act(
            host=node.host,
            what=make_command("Set-AdfsAlternateTlsClientBinding", Thumbprint=thumbprint, Member=member, Force=True),
        )
    if level >= _MEMBERS_FROM:
        return Act(host=node.host, what=make_command("Set-AdfsSslCertificate", Thumbprint=thumbprint, Member=member))
    return Act(host=node.host, what=make_command("Set-AdfsSslCertificate", Thumbprint=thumbprint))


def bind_all(view: View, stage: str, wanted: Callable[[Node], str]) -> tuple[Act, ...]:
    """The binds that are left, the primary's last. Where a secondary has refused, the primary is told to do it for them:
    Microsoft documents that way only, but it needs a second hop (delegation), which an endpoint seldom has."""
    nodes = sorted(view.farm.nodes, key=lambda node: node.role is SyncRole.PRIMARY)
    own = {node.host: bind(view, node, wanted(node)) for node in nodes if wanted(node)}
    several = view.farm.properties.behaviour_level >= _MEMBERS_FROM or view.farm.properties.alternate_tls_binding
    from_primary = (
        several
        and view.primary
        and any(
            node.role is SyncRole.SECONDARY and node.host in own and _refused(view, stage, own[node.host]) for node in nodes
        )
    )
    left = [node for node in nodes if node.host in own and not node.error and bound(node, wanted(node))]
    return tuple(replace(own[node.host], host=view.primary) if from_primary else own[node.host] for node in left)


def _refused(view: View, stage: str, act: Act) -> bool:
    """It was tried, ran, and wrote an error: one that never got there is no try, one that broke off is still open."""
    name = stage_act(stage, act.id)
    return view.record.tries.get(name, 0) > 0 and name not in view.record.acted and name != view.record.begun


def set_service(view: View, thumbprint: str) -> Act:
    """Service-Communications is a setting of its own."""
    command = make_command("Set-AdfsCertificate", CertificateType=Use.SERVICE.value, Thumbprint=thumbprint)
    return Act(host=view.primary, what=command)


def bind_proxy(proxy: Proxy, thumbprint: str) -> Act:
    """All rows of one proxy."""
    return Act(host=proxy.host, what=make_command("Set-WebApplicationProxySslCertificate", Thumbprint=thumbprint))


def set_application(proxy: Proxy, id_: str, thumbprint: str) -> Act:
    """One published application."""
    command = make_command("Set-WebApplicationProxyApplication", ID=id_, ExternalCertificateThumbprint=thumbprint)
    return Act(host=proxy.host, what=command)


def all_there(view: View) -> list[str]:
    """Every server can be asked, and their clocks agree."""
    return [*checks.reachable(view), *checks.proxies_reachable(view), *checks.clocks(view)]


def all_there_and_fit(view: View) -> list[str]:
    """And the new certificate is still valid: a plan may be old, or the work may have rested for long."""
    certificate = view.snapshot.certificate(new(view))
    return [*all_there(view), *(checks.fit(certificate, Use.SSL, view.now) if certificate else [])]


def service_missing(view: View, wanted: str) -> list[str]:
    """Nodes whose Service-Communications is another."""

    def shows(node: Node) -> bool:
        return {row.certificate.thumbprint for row in node.certificates if row.use is Use.SERVICE} == {wanted}

    return tokens.nodes_without(view, shows, f"Service-Communications is not {wanted} yet", "service", "unservice")


def service_acts(view: View, wanted: str) -> tuple[Act, ...]:
    """Set it on the primary, unless it is."""
    node = view.farm.primary
    if tokens.has(node, Use.SERVICE, wanted):
        return ()
    return (set_service(view, wanted),)


def bound(server: Node | Proxy, wanted: str) -> list[str]:
    """Rows that have another certificate."""
    rows = ours(server.bindings)
    if server.error or not rows:
        return [f"{server.host}: {server.error or 'has no SSL binding at all'}"]
    return [
        f"{server.host}: {row.host_name}:{row.port} has {row.thumbprint}, not {wanted}"
        for row in rows
        if row.thumbprint != wanted
    ]


def serving(view: View, wanted: Callable[[str], str]) -> list[str]:
    """What each address really serves."""
    if view.snapshot.outside is None:
        return ["the farm was not looked at from outside"]
    seen = {row.host: row for row in view.snapshot.outside.served}
    wrong = []
    for server in servers(view):
        row, thumbprint = seen.get(server.host), wanted(server.host)
        if row is None or row.tls is None:
            why = row.error if row and row.error else "nothing was read there"
            wrong.append(f"{server.host}: TLS under {view.farm.properties.federation_name} cannot be read ({why})")
        elif row.tls.thumbprint != thumbprint:
            wrong.append(f"{server.host}: serves {row.tls.thumbprint}, not {thumbprint}")
    return wrong


def old(view: View, kind: str, host: str) -> str:
    """Thumbprint that a `node` or `proxy` had at the start; empty for none."""
    return view.fact(f"old/{kind}/{host}")


def applications_with(proxies: Sequence[Proxy], old: str) -> list[tuple[Proxy, PublishedApplication]]:
    """Published applications that carry the federation service's own certificate."""
    return [(proxy, each) for proxy in proxies for each in proxy.applications if each.thumbprint == old]


def not_covered(proxies: Sequence[Proxy], old: str, certificate: Certificate) -> list[str]:
    """Published applications that would lose their name."""
    return [
        f"proxy {proxy.host}: application {each.name} ({each.external_url}) has the old certificate, and the new one does "
        "not cover its name; ask for one that does, or give the application another"
        for proxy, each in applications_with(proxies, old)
        if not covers(certificate, _host(each))
    ]
