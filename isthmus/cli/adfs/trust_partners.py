"""`isthmus adfs trust partners`: who must be told of a new certificate, and the partners' own metadata."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from foundation.times import minute
from isthmus.cli.adfs.context import farm_option, operation
from isthmus.cli.output import REFUSED, FiniteRange, emit_json, emit_said, host_progress, json_option, run_async
from isthmus.cli.tables import table, wide_option
from isthmus.cli.thumbprints import thumbprint as pasted
from isthmus.terminal import visible

if TYPE_CHECKING:
    from adfs_mgmt.operations import OperationContext
    from isthmus.cli.flow import Manner


@click.group("partners")
def command() -> None:
    """Keep track of relying parties: automatic ones read the farm's metadata, manual ones must be notified,
    for the others it is not known yet.
    """


@command.command("list")
@operation
@farm_option
@click.option("--refresh", is_flag=True, help="First read the relying party trusts from the farm, over WinRM.")
@wide_option
@json_option
def list_(context: OperationContext, manner: Manner, farm: str, refresh: bool) -> None:
    """Show how each partner gets new certificates.

    \b
    Examples:
      isthmus adfs trust partners list --refresh
    """
    from adfs_mgmt.operations import read_partners, refresh_partners, steps_of

    if refresh:
        with host_progress(steps_of([context.farm(farm)], external_only=False)) as step:
            ledger = run_async(refresh_partners(context, farm, on_host=step))
    else:
        ledger = read_partners(context, farm)
    if manner.as_json:
        emit_json({"farm": ledger.farm, "partners": ledger.partners})
        return
    rows = [
        (
            partner.name,
            partner.kind.value,
            f"{partner.refresh / 3600:g} h",
            partner.contact or "-",
            ", ".join(partner.acknowledged) or "-",
        )
        for partner in ledger.partners
    ]
    headers = ("Partner", "Update", "Reads every", "Contact", "Acknowledged")
    late, wrapped = ("Reads every", "Contact", "Acknowledged"), ("Contact", "Acknowledged")
    table(headers, rows, "none: read them from the farm with --refresh", drop=late, prose=wrapped)


@command.command("set")
@operation
@farm_option
@click.argument("partner")
@click.argument("kind", type=click.Choice(["automatic", "manual", "unknown"]))
@click.option(
    "--every",
    type=FiniteRange(0.1, 24 * 366),
    default=None,
    metavar="HOURS",
    help="How often the partner reads the farm's metadata.",
)
@click.option("--contact", default=None, help="Whom to notify, and how.")
@json_option
def set_(
    context: OperationContext, manner: Manner, farm: str, partner: str, kind: str, every: float | None, contact: str | None
) -> None:
    """Record how a partner (its name or identifier in AD FS) gets a new certificate.

    \b
    Examples:
      isthmus adfs trust partners set Wiki automatic --every 24
      isthmus adfs trust partners set urn:payroll manual --contact 'Ada, 555-0100'
    """
    from adfs_mgmt.operations import classify_partner
    from certs import PartnerKind

    refresh = None if every is None else every * 3600
    classify_partner(context, farm, partner, PartnerKind(kind), refresh=refresh, contact=contact)
    emit_said(f"{partner} is {kind}.", as_json=manner.as_json, partner=partner, kind=kind)


@command.command("acknowledge")
@operation
@farm_option
@click.argument("partner")
@click.argument("thumbprint", type=pasted)
@json_option
def acknowledge_(context: OperationContext, manner: Manner, farm: str, partner: str, thumbprint: str) -> None:
    """Record that a partner has installed the certificate with this thumbprint.

    \b
    Examples:
      isthmus adfs trust partners acknowledge Wiki 0123456789ABCDEF…
    """
    from adfs_mgmt.operations import acknowledge_certificate
    from foundation.actors import this_actor

    acknowledge_certificate(context, farm, partner, thumbprint, str(this_actor()))
    emit_said(f"{partner} has {thumbprint}.", as_json=manner.as_json, partner=partner, thumbprint=thumbprint)


@command.command("watch")
@operation
@farm_option
@click.option(
    "--ca-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="CA certificate (PEM) to trust instead of the system's.",
)
@wide_option
@json_option
def watch_(context: OperationContext, manner: Manner, farm: str, ca_file: Path | None) -> None:
    """Read the partners' metadata and show changed and expiring certificates. The exit code is 1 if there is a warning.

    \b
    Examples:
      isthmus adfs trust partners watch --json
    """
    from adfs_mgmt.operations import watch_partners

    report = run_async(watch_partners(context, farm, ca_file=ca_file))
    watched = [sight for sight in report.sights if sight.watched]
    if manner.as_json:
        names = [sight.partner for sight in watched]
        emit_json({"farm": context.farm(farm).name, "warnings": report.warnings, "watched": names})
    else:
        rows = [
            (
                sight.partner,
                str(len(sight.certificates)),
                minute(min((end for row in sight.certificates if (end := row.not_after) is not None), default=None)),
                sight.error or "-",
            )
            for sight in watched
        ]
        headers = ("Partner", "Certificates", "First expiry", "Problem")
        empty = "AD FS has no metadata URL for any partner"
        table(headers, rows, empty, drop=("Certificates",), prose=("Problem",))
        for warning in report.warnings:
            click.secho(visible(f"! {warning.partner}: {warning.what}. {warning.remedy}"), fg="yellow")
    if report.warnings:
        raise SystemExit(REFUSED)
