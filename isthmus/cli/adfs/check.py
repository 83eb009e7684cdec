"""`isthmus adfs check`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from isthmus.cli.adfs.context import external_option, farms_option, operation
from isthmus.cli.adfs.observation import log_observations, plain
from isthmus.cli.output import emit_json, host_progress, json_option, run_async, wrapped
from isthmus.cli.reports import show_report

if TYPE_CHECKING:
    from adfs_mgmt.operations import OperationContext
    from isthmus.cli.flow import Manner


@click.command("check")
@operation
@farms_option
@external_option
@click.option("--all", "everything", is_flag=True, help="Also show checks that pass.")
@click.option(
    "--fail-on",
    type=click.Choice(["fail", "warn"]),
    default="fail",
    show_default=True,
    help="Lowest status that makes the exit code 1.",
)
@click.option("--prometheus", is_flag=True, help="Print metrics for the textfile collector of node_exporter.")
@json_option
def command(
    context: OperationContext,
    manner: Manner,
    names: tuple[str, ...],
    outside: bool,
    everything: bool,
    fail_on: str,
    prometheus: bool,
) -> None:
    """Check farms and their trusts with Entra ID, and show a remedy for each problem. The exit code is 1 if a check
    fails.

    Two checks run only if they are configured: `synthetic-token` signs in with the test account `synthetic_user` of
    the farm's settings, but never with --outside; `service-principal-name` needs the endpoint of `isthmus adfs jea`.

    \b
    Examples:
      isthmus adfs check
      isthmus adfs check --outside --farm prod --fail-on warn
      isthmus adfs check --prometheus > /var/lib/node_exporter/adfs.prom
    """
    from adfs_mgmt.health import prometheus_text
    from adfs_mgmt.operations import check_farms, steps_of

    if prometheus and manner.as_json:
        raise click.UsageError("Use either --prometheus or --json.")
    farms = context.farms(names)
    with host_progress(steps_of(farms, external_only=outside, sign_in=not outside)) as step:
        reports = run_async(check_farms(context, farms, external_only=outside, on_host=step))
    log_observations([report.observation for report in reports])
    if prometheus:
        checked = [(report.observation.farm, report.observation.external, report.findings) for report in reports]
        click.echo(prometheus_text(checked), nl=False)
    elif manner.as_json:
        rows = [{"name": report.observation.farm.name, "checks": plain(report.findings)} for report in reports]
        emit_json({"farms": rows})
    else:
        for report in reports:
            for finding in report.findings:
                if finding.name == "rollover" and finding.status == "pass" and not everything:
                    click.echo(wrapped(f"{finding.seen}.", ""))
            show_report(report.observation.farm.name, report.findings, everything=everything)
    bad = {"fail"} if fail_on == "fail" else {"fail", "warn"}
    if any(finding.status in bad for report in reports for finding in report.findings):
        raise SystemExit(1)
