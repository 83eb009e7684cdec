"""`isthmus adfs trust`: what Entra ID knows of a farm, and telling it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isthmus.cli.adfs.context import external_option, operation
from isthmus.cli.lazy import LazyGroup
from isthmus.cli.output import REFUSED, emit_json, json_option, run_async
from isthmus.cli.tables import wide_option

if TYPE_CHECKING:
    from adfs_mgmt.operations import OperationContext
    from isthmus.cli.flow import Manner

_HERE = "isthmus.cli.adfs."
_PARTS: dict[str, tuple[str, str]] = {
    "show": (_HERE + "trust:show", "Domains, their certificates at Entra ID, and how its own update went."),
    "compare": (_HERE + "trust:compare_", "What Entra ID knows against what the farm signs with."),
    "update": (_HERE + "trust_changes:update", "Publish the farm's certificates to every federated domain."),
    "issuer": (_HERE + "trust_changes:issuer", "Correct issuerUri, where it is not what the farm issues."),
    "convert": (_HERE + "trust_changes:convert", "A domain between managed and federated."),
    "backup": (_HERE + "trust_changes:backup", "Copy the federation of domains into files."),
    "restore": (_HERE + "trust_changes:restore_", "Put back what such a file holds."),
    "partners": (_HERE + "trust_partners:command", "Relying parties, and who of them must be told of a certificate."),
}

tenants_option = click.option("--tenant", default="", metavar="TENANT", help="Only this tenant.")


@click.group("trust", cls=LazyGroup, parts=_PARTS)
def command() -> None:
    """The trust between farms and Entra ID, over Microsoft Graph.

    The application in [[entra]] needs Domain.Read.All to look, Domain-InternalFederation.ReadWrite.All to update
    certificates, and Domain.ReadWrite.All to convert a domain.
    """


@click.command("show")
@operation
@tenants_option
@wide_option
@json_option
def show(context: OperationContext, manner: Manner, tenant: str) -> None:
    """Show the domains of each tenant as Entra ID has them. Nothing is changed.

    \b
    Examples:
      isthmus adfs trust show
      isthmus adfs trust show --json | \\
          jq '.tenants[].domains[] | select(.error != "")'
    """
    from adfs_mgmt.operations import read_trust
    from isthmus.cli.adfs.trust_tables import domain_data, show_trust

    trusts = [run_async(read_trust(found, context.now())) for found in context.tenants(tenant)]
    if manner.as_json:
        rows = [{"tenant": trust.tenant, "domains": [domain_data(row) for row in trust.domains]} for trust in trusts]
        emit_json({"tenants": rows})
        return
    for trust in trusts:
        show_trust(trust)


@click.command("compare")
@operation
@tenants_option
@external_option
@json_option
def compare_(context: OperationContext, manner: Manner, tenant: str, outside: bool) -> None:
    """Compare each tenant with its farm. Nothing is changed. Exit code 1 where sign-in is broken or will be by itself.

    \b
    Examples:
      isthmus adfs trust compare

    \b
    Without WinRM, the farm's metadata says what it signs with:
      isthmus adfs trust compare --outside
    """
    from adfs_mgmt.operations import compare_trusts
    from isthmus.cli.adfs.trust_tables import comparison_data
    from isthmus.cli.reports import show_comparison

    comparisons = run_async(compare_trusts(context, context.tenants(tenant), external_only=outside))
    if manner.as_json:
        emit_json({"tenants": [comparison_data(comparison) for comparison in comparisons]})
    else:
        for comparison in comparisons:
            headline = f"{comparison.tenant} and farm {comparison.farm}"
            show_comparison(headline, comparison.findings)
    if any(finding.status == "fail" for comparison in comparisons for finding in comparison.findings):
        raise SystemExit(REFUSED)
