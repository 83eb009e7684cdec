"""A farm as tables for people, readable from 80 columns on, and as data for programs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from adfs_mgmt.farm import (
    Binding,
    ExternalView,
    Farm,
    Inconsistency,
    KeyAccess,
    Node,
    PartnerTrust,
    Proxy,
    Served,
    SyncRole,
    find_inconsistencies,
    short_name,
)
from adfs_mgmt.health import EXTERNAL, TRUSTS, CertificateEntry, certificate_inventory, common_name, host_label
from foundation.times import day, distance, minute
from isthmus.cli.adfs.observation import plain
from isthmus.cli.output import wrapped
from isthmus.cli.tables import table
from isthmus.terminal import visible

if TYPE_CHECKING:
    from adfs_mgmt.operations import ObservedFarm


def show(farm: Farm, external: ExternalView) -> None:
    """All of it, section by section; empty ones are left out."""
    _heading(farm, external)
    nodes, proxies = [_node(node, farm) for node in farm.nodes], [_proxy(proxy, farm) for proxy in farm.proxies]
    _section("Nodes", ("Host", "Windows", "Role", "Last poll", "Service", "Clock"), nodes, ("Windows", "Clock", "Last poll"))
    _section("Proxies", ("Host", "Service", "Trust", "Trust expires", "Clock"), proxies, ("Clock", "Trust expires"))
    _certificates(farm, certificate_inventory(farm, external))
    _section("Bindings", ("Name", "Certificate", "Hosts"), _bindings(farm), prose=("Hosts",))
    headers, late, broken = ("Name", "URL", "Certificate", "Proxies"), ("Certificate", "Proxies"), ("Proxies",)
    _section("Published applications", headers, _applications(farm), late, broken)
    headers, late, broken = ("Name", "Enabled", "Monitored", "Identifier"), ("Monitored", "Identifier"), ("Identifier",)
    _section("Relying party trusts", headers, _trusts(farm.relying_parties), late, broken)
    _section("Claims provider trusts", headers, _trusts(farm.claims_providers), late, broken)
    if farm.endpoints:
        on = [endpoint for endpoint in farm.endpoints if endpoint.enabled]
        _title("Endpoints")
        click.echo(f"{len(on)} of {len(farm.endpoints)} are enabled, {sum(row.proxied for row in on)} through proxies")
    served = [_served(row) for row in external.served]
    _section("Seen from outside", ("Host", "TLS", "Signed by", "Signing", "Probe", "ms"), served, ("ms", "Signing"))
    _problems(farm, external)
    _inconsistencies(find_inconsistencies(farm, external))


def farm_data(observation: ObservedFarm) -> dict[str, Any]:
    """For programs: what did not work at an address is one text there."""
    external = plain(observation.external)
    for row, served in zip(external["served"], observation.external.served, strict=True):
        del row["errors"]
        row["error"] = served.error
    found = plain(find_inconsistencies(observation.farm, observation.external))
    return {"farm": plain(observation.farm), "outside": external, "inconsistencies": found}


def _title(text: str) -> None:
    click.echo()
    click.secho(text, bold=True)


def _section(
    title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], drop: Sequence[str] = (), prose: Sequence[str] = ()
) -> None:
    if rows:
        _title(title)
        table(headers, rows, "none", drop=drop, prose=prose)


def _heading(farm: Farm, external: ExternalView) -> None:
    click.secho(visible(f"{farm.name}: {external.federation_name}"), bold=True)
    if farm.error:
        click.echo(visible(f"Configuration: {farm.error}"))
        return
    now = farm.properties
    auto = f"on ({now.generation_threshold_days}/{now.promotion_threshold_days}/{now.critical_threshold_days} days)"
    level = f"farm behaviour level {now.behaviour_level}" if now.behaviour_level else "farm behaviour level unknown"
    database = "SQL Server" if now.sql else "WID"
    click.echo(f"{level}, {database}, AutoCertificateRollover {auto if now.auto_rollover else 'off'}")
    audit = ", ".join(now.audit_level) or "off"
    lockout = "log-only" if now.extranet_lockout_logs_only else "on" if now.extranet_lockout else "off"
    click.echo(f"audit level {audit}, extranet lockout {lockout}")
    click.echo(f"identifier {now.identifier}")


def _node(node: Node, farm: Farm) -> tuple[str, ...]:
    role = "-"
    if node.role is not None:
        role = "SQL" if farm.properties.sql else "primary" if node.role is SyncRole.PRIMARY else "secondary"
    poll = "-"
    if node.role is SyncRole.SECONDARY:
        age = f"{max(farm.read_at - node.last_sync, 0):.0f} s ago" if node.last_sync else "unknown"
        poll = age if node.last_sync_ok else f"{age}, failed"
    known = bool(node.windows)
    service = ("running" if node.service_running else "stopped") if known else "-"
    return host_label(node.host), node.windows or "-", role, poll, service, _clock(node.clock_skew) if known else "-"


def _proxy(proxy: Proxy, farm: Farm) -> tuple[str, ...]:
    if not proxy.stored and not proxy.bindings:
        return host_label(proxy.host), "-", "-", "-", "-"
    trust = "ok" if proxy.trust_ok and (proxy.trust_ends is None or proxy.trust_ends > farm.read_at) else "broken"
    service = "running" if proxy.service_running else "stopped"
    return host_label(proxy.host), service, trust, minute(proxy.trust_ends), _clock(proxy.clock_skew)


def _clock(skew: float | None) -> str:
    if skew is None:
        return "-"
    return f"{round(skew):+d} s" if abs(skew) >= 2 else "ok"


def _certificates(farm: Farm, entries: Sequence[CertificateEntry]) -> None:
    """Two lines each: at 80 columns a whole thumbprint leaves no room for much else."""
    if entries:
        _title("Certificates")
    for entry in entries:
        end = entry.certificate.not_after
        ends = f"{day(end)}, {distance(end, farm.read_at)}" if end is not None else "expiry unknown"
        state = ", ".join(part for part in (entry.role, _keys(farm, entry)) if part)
        click.echo(f"{entry.group:<22}  {ends:<23}  {state}")
        click.echo(visible(f"  {entry.certificate.thumbprint}  {common_name(entry.certificate)}"))


def _keys(farm: Farm, entry: CertificateEntry) -> str:
    """Who can use the private key: where it lies in stores, by its state there; otherwise AD FS shares it itself."""
    if entry.group in {EXTERNAL, *TRUSTS}:
        return ", ".join(entry.hosts)
    where: defaultdict[KeyAccess, list[str]] = defaultdict(list)
    for host in farm.hosts:
        for row in host.stored:
            if row.certificate.thumbprint == entry.certificate.thumbprint:
                where[row.key].append(host_label(host.host))
    if not where:
        return "in AD FS" if entry.role else "not found"
    return "; ".join(f"{key.value} on {_some(hosts)}" for key, hosts in where.items())


def _some(hosts: Sequence[str]) -> str:
    return hosts[0].partition(".")[0] if len(hosts) == 1 else f"{len(hosts)} hosts"


def _bindings(farm: Farm) -> list[tuple[str, ...]]:
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for host in farm.hosts:
        for row in host.bindings:
            found[_bound(row), short_name(row.thumbprint)].append(host_label(host.host).partition(".")[0])
    return [(name, thumbprint, ", ".join(hosts)) for (name, thumbprint), hosts in found.items()]


def _bound(row: Binding) -> str:
    return f"{row.host_name}:{row.port}"


def _applications(farm: Farm) -> list[tuple[str, ...]]:
    found: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for proxy in farm.proxies:
        for application in proxy.applications:
            found[application.name, application.external_url, short_name(application.thumbprint)].append(
                host_label(proxy.host).partition(".")[0]
            )
    return [(*key, ", ".join(hosts)) for key, hosts in found.items()]


def _trusts(trusts: Sequence[PartnerTrust]) -> list[tuple[str, ...]]:
    return [
        (trust.name, "yes" if trust.enabled else "no", "yes" if trust.monitoring else "no", ", ".join(trust.identifiers))
        for trust in trusts
    ]


def _served(served: Served) -> tuple[str, ...]:
    tls = short_name(served.tls.thumbprint) if served.tls else "-"
    return (
        host_label(served.host),
        f"{tls} untrusted" if served.tls_problem else tls,
        short_name(served.signed_by) if served.signed_by else "unsigned" if served.signing else "-",
        str(len(served.signing)),
        "ok" if served.probe_ok else "no",
        f"{served.milliseconds:.0f}" if served.milliseconds else "-",
    )


def _problems(farm: Farm, external: ExternalView) -> None:
    """Why something is not known."""
    rows = [(host_label(host.host), host.error) for host in farm.hosts if host.error]
    rows += [(host_label(row.host), f"TLS: {row.tls_problem}") for row in external.served if row.tls_problem]
    rows += [(host_label(row.host), row.error) for row in external.served if row.error]
    _section("Problems", ("Host", "Reason"), rows, prose=("Reason",))


def _inconsistencies(found: Sequence[Inconsistency]) -> None:
    _title("Inconsistencies")
    if not found:
        click.echo("none: configuration and served certificates are consistent")
    for difference in found:
        click.secho(wrapped(f"! {host_label(difference.where)}: {difference.what}", "  "), fg="red")
        for text in (difference.one, difference.other, difference.remedy):
            click.echo(wrapped(f"    {text}", "    "))
