"""Who has which SSL certificate where, and the commands that change it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from adfs_mgmt.farm import Binding, Farm, Node, Properties, Proxy, PublishedApplication, SyncRole, Use
from adfs_mgmt.procedures.token import certificates
from adfs_mgmt.procedures.view import FarmView
from adfs_mgmt.remoting import make_command
from certs import Certificate, covers
from foundation.procedures import Act, Condition

_MEMBERS_FROM = 3
"""Farm behaviour level (2016) from which Set-AdfsSslCertificate goes from node to node by itself, unless told where."""


def names_needed(properties: Properties) -> tuple[str, ...]:
    """Names that the certificate must cover whatever is bound: the federation name, and certauth.… where client TLS is on
    443. Names of bindings (`enterpriseregistration.…` among them) and of published applications come on top."""
    name = properties.federation_name.lower()
    return (name, f"certauth.{name}") if properties.alternate_tls_binding else (name,)


def names_bound(farm: Farm) -> set[str]:
    """Names that the farm's certificate must cover now: those of its bindings, and those that the mode needs."""
    names = {row.host_name.lower() for host in farm.hosts for row in host.bindings if row.host_name and not row.by_address}
    return {*(name for name in names if name != "localhost"), *names_needed(farm.properties)}


def with_certificate(bindings: Sequence[Binding]) -> list[Binding]:
    """Rows that carry the federation service's certificate, and that AD FS's cmdlets set: those with one, for a name."""
    return [row for row in bindings if row.thumbprint and not row.by_address]


def address_notes(servers: Sequence[Node | Proxy], new: str) -> list[str]:
    """Rows for an address, which stay as they are: netsh made them, and netsh has to change them."""
    rows = [(server, row) for server in servers for row in server.bindings if row.by_address and row.thumbprint != new]
    return [
        f"{server.host}: {row.host_name}:{row.port} keeps {row.thumbprint}, for clients without SNI; afterwards run there: "
        f"netsh http update sslcert ipport={row.host_name}:{row.port} certhash={new} appid=… certstorename=MY (appid as in "
        "netsh http show sslcert)"
        for server, row in rows
    ]


# -- commands


def bind(view: FarmView[Any], node: Node, thumbprint: str) -> Act:
    """One node's rows. The mode decides the cmdlet: the wrong one would switch the mode."""
    level, member = view.farm.properties.behaviour_level, (node.fqdn or node.host.split("=")[0],)
    if view.farm.properties.alternate_tls_binding:
        command = make_command("Set-AdfsAlternateTlsClientBinding", Thumbprint=thumbprint, Member=member, Force=True)
    else:
        told: dict[str, Any] = {"Member": member} if level >= _MEMBERS_FROM else {}
        command = make_command("Set-AdfsSslCertificate", Thumbprint=thumbprint, **told)
    return Act(place=node.host, what=command)


def bind_proxy(proxy: Proxy, thumbprint: str) -> Act:
    """All rows of one proxy."""
    return Act(place=proxy.host, what=make_command("Set-WebApplicationProxySslCertificate", Thumbprint=thumbprint))


def set_application(proxy: Proxy, id_: str, thumbprint: str) -> Act:
    """One published application."""
    command = make_command("Set-WebApplicationProxyApplication", ID=id_, ExternalCertificateThumbprint=thumbprint)
    return Act(place=proxy.host, what=command)


def set_service(view: FarmView[Any], thumbprint: str) -> Act:
    """Service-Communications is a setting of its own."""
    command = make_command("Set-AdfsCertificate", CertificateType=Use.SERVICE.value, Thumbprint=thumbprint)
    return Act(place=view.primary, what=command)


# -- conditions


def bound(server: Node | Proxy, wanted: str, act: Act) -> list[Condition]:
    """Its rows have that certificate."""
    rows = with_certificate(server.bindings)
    if server.error:
        return [Condition(server.host, server.error)]
    if not rows:
        return [Condition(server.host, "has no SSL binding", act)]
    text = "{0.host_name}:{0.port} has {0.thumbprint}, not " + wanted
    return [Condition.of(row.thumbprint == wanted, server.host, text.format(row), act) for row in rows]


def nodes_bound(view: FarmView[Any], stage: str, wanted: Callable[[Node], str]) -> list[Condition]:
    """Every node has what is wanted of it (empty for nothing), the primary last.

    Where a secondary has refused, the primary is told to do it for them: Microsoft documents that way only, but it needs a
    second hop (delegation), which an endpoint seldom has.
    """
    nodes = view.primary_last
    own = {node.host: bind(view, node, wanted(node)) for node in nodes if wanted(node)}
    several = view.farm.properties.behaviour_level >= _MEMBERS_FROM or view.farm.properties.alternate_tls_binding
    secondaries = [node.host for node in nodes if node.role is SyncRole.SECONDARY and node.host in own]
    if several and view.primary and any(view.record.refused(own[host].id(stage)) for host in secondaries):
        own = {host: replace(act, place=view.primary) for host, act in own.items()}
    return [condition for node in nodes if node.host in own for condition in bound(node, wanted(node), own[node.host])]


def service_is(view: FarmView[Any], wanted: str, *changed_by: str) -> list[Condition]:
    """Every node shows it for Service-Communications, and no other."""

    def shows(node: Node) -> bool:
        return set(certificates.thumbprints(node, Use.SERVICE)) == {wanted}

    text = f"Service-Communications is not {wanted} yet"
    return certificates.on_nodes(view, shows, text, changed_by, set_service(view, wanted))


def serving(view: FarmView[Any], wanted: Callable[[str], str]) -> list[Condition]:
    """What each address really serves."""
    if view.observed.outside is None:
        return [Condition("", "the farm was not observed from outside")]
    found = []
    for server in view.farm.hosts:
        row, thumbprint = view.served.get(server.host), wanted(server.host)
        problem = ""
        if row is None or row.tls is None:
            why = row.error if row and row.error else "nothing could be read there"
            problem = f"TLS under {view.farm.properties.federation_name} cannot be read ({why})"
        elif row.tls.thumbprint != thumbprint:
            problem = f"serves {row.tls.thumbprint}, not {thumbprint}"
        found.append(Condition(server.host, problem))
    return found


# -- published applications


def applications_with(proxy: Proxy, old: str) -> list[PublishedApplication]:
    """Published applications that carry the federation service's own certificate."""
    return [row for row in proxy.applications if row.thumbprint == old]


def not_covered(proxy: Proxy, old: str, certificate: Certificate) -> list[str]:
    """Published applications that would lose their name."""
    return [
        f"proxy {proxy.host}: application {row.name} ({row.external_url}) has the old certificate, and the new one does "
        "not cover its name; ask for one that does, or assign another certificate to the application"
        for row in applications_with(proxy, old)
        if not covers(certificate, (urlsplit(row.external_url).hostname or "").lower())
    ]
