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
    "show": (_HERE + "trust:show", "Show domains, their certificates in Entra ID, and the result of its automatic update."),
    "compare": (_HERE + "trust:compare_", "Compare the certificates in Entra ID with those of the farm."),
    "update": (_HERE + "trust_changes:update", "Publish the farm's certificates to every federated domain."),
    "issuer": (_HERE + "trust_changes:issuer", "Correct issuerUri where it differs from the farm's issuer."),
    "convert": (_HERE + "trust_changes:convert", "Convert a domain to managed or federated."),
    "backup": (_HERE + "trust_changes:backup", "Back up the federation settings of domains."),
    "restore": (_HERE + "trust_changes:restore_", "Restore the federation settings of a domain from a backup."),
    "partners": (_HERE + "trust_partners:command", "Keep track of how relying parties get new certificates."),
}

tenants_option = click.option("--tenant", default="", metavar="TENANT", help="Only this tenant.")


@click.group("trust", cls=LazyGroup, parts=_PARTS)
def command() -> None:
    """Manage the federation trust between farms and Entra ID, through Microsoft Graph.

    The application in [[entra]] needs Domain.Read.All to read, Domain-InternalFederation.ReadWrite.All to update
    certificates, and Domain.ReadWrite.All to convert a domain.
    """


@click.command("show")
@operation
@tenants_option
@wide_option
@json_option
def show(context: OperationContext, manner: Manner, tenant: str) -> None:
    """Show the domains of each tenant with their federation settings in Entra ID.

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
    """Compare each tenant with its farm. The exit code is 1 if sign-in is broken or will break without action.

    \b
    Examples:
      isthmus adfs trust compare

    \b
    Without WinRM, using the farm's federation metadata:
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
