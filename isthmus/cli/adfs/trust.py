"""`isthmus adfs trust`: what Entra ID knows of a farm, and telling it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from isthmus.cli.adfs import adfs_config, load
from isthmus.cli.adfs.looking import outside_option
from isthmus.cli.lazy import LazyGroup
from isthmus.cli.output import REFUSED, emit_json, json_option

_HERE = "isthmus.cli.adfs."
_PARTS: dict[str, tuple[str, str]] = {
    "show": (_HERE + "trust:show", "Domains, their certificates at Entra ID, and how its own update went."),
    "compare": (_HERE + "trust:compare_", "What Entra ID knows against what the farm signs with."),
    "update": (_HERE + "trust_changes:update", "Publish the farm's certificates to every federated domain."),
    "convert": (_HERE + "trust_changes:convert", "A domain between managed and federated."),
    "backup": (_HERE + "trust_changes:backup", "Copy the federation of domains into files."),
    "restore": (_HERE + "trust_changes:restore_", "Put back what such a file holds."),
    "partners": (_HERE + "trust_partners:command", "Relying parties, and who of them must be told of a certificate."),
}


@click.group("trust", cls=LazyGroup, parts=_PARTS)
def command() -> None:
    """The trust between farms and Entra ID, over Microsoft Graph.

    The application in [[entra]] needs Domain.Read.All to look, Domain-InternalFederation.ReadWrite.All to update
    certificates, and Domain.ReadWrite.All to convert a domain.
    """


@click.command("show")
@adfs_config
@click.option("--tenant", default="", metavar="TENANT", help="Only this tenant.")
@json_option
def show(config: Path, tenant: str, as_json: bool) -> None:
    """Show the domains of each tenant as Entra ID has them. Nothing is changed.

    \b
    Examples:
      isthmus adfs trust show
      isthmus adfs trust show --json | jq '.tenants[].domains[] | select(.error != "")'
    """
    from adfs_mgmt.trust.entra import read
    from isthmus.cli.adfs.trust_tables import show_trust
    from isthmus.cli.adfs.trust_work import as_plain, now, on_graph, pairs

    trusts = [on_graph(pair.entra, lambda graph: read(graph, now())) for pair in pairs(load(config), tenant)]
    if as_json:
        tenants = [{"tenant": each.tenant, "domains": [as_plain(domain) for domain in each.domains]} for each in trusts]
        emit_json({"tenants": tenants})
        return
    for each in trusts:
        show_trust(each)


@click.command("compare")
@adfs_config
@click.option("--tenant", default="", metavar="TENANT", help="Only this tenant.")
@outside_option
@json_option
def compare_(config: Path, tenant: str, outside: bool, as_json: bool) -> None:
    """Compare each tenant with its farm. Nothing is changed. Exit code 1 where sign-in is broken or will be by itself.

    \b
    Examples:
      isthmus adfs trust compare
      isthmus adfs trust compare --outside        # without WinRM: the farm's metadata says what it signs with
    """
    from adfs_mgmt.trust.compare import compare
    from adfs_mgmt.trust.entra import read
    from isthmus.cli.adfs.trust_tables import WEIGHTS, show_findings
    from isthmus.cli.adfs.trust_work import farm_keys, now, on_graph, pairs

    settings = load(config)
    answers: list[dict[str, Any]] = []
    failed = False
    for pair in pairs(settings, tenant):
        trust = on_graph(pair.entra, lambda graph: read(graph, now()))
        found = compare(trust, farm_keys(settings, pair.farm, outside_only=outside), now())
        failed = failed or any(finding.status == "fail" for finding in found)
        rows = [
            {"weight": WEIGHTS[row.status], "domain": row.where, "what": row.seen, "remedy": row.remedy} for row in found
        ]
        answers.append({"tenant": trust.tenant, "farm": pair.farm, "findings": rows})
        if not as_json:
            show_findings(trust.tenant, pair.farm, found)
    if as_json:
        emit_json({"tenants": answers})
    if failed:
        raise SystemExit(REFUSED)
