"""`isthmus adfs trust update|convert|backup|restore`: each shows its plan first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isthmus.cli import flow
from isthmus.cli.adfs.context import external_option, operation
from isthmus.cli.adfs.observation import plain
from isthmus.cli.flow import Manner, yes_option
from isthmus.cli.output import FILE, REFUSED, Failure, emit_json, emit_said, json_option, run_async, wrapped
from isthmus.cli.thumbprints import thumbprint as pasted
from isthmus.terminal import visible

if TYPE_CHECKING:
    from adfs_mgmt.operations import Conversion, DomainResult, OperationContext, Restoration, TrustUpdate

_MFA = ("acceptIfMfaDoneByFederatedIdp", "enforceMfaByFederatedIdp", "rejectMfaByFederatedIdp")
tenant_option = click.option(
    "--tenant", default="", metavar="TENANT", help="Tenant; required if the settings contain several."
)


@click.command("update")
@operation
@tenant_option
@external_option
@click.option("--domain", "domains", multiple=True, metavar="DOMAIN", help="Only this domain. Can be repeated.")
@click.option("--retire", type=pasted, default="", metavar="THUMBPRINT", help="Remove this old certificate instead.")
@yes_option
@json_option
def update(
    context: OperationContext, manner: Manner, tenant: str, outside: bool, domains: tuple[str, ...], retire: str
) -> None:
    """Publish the current token-signing certificate, or else its successor, to every domain federated with the farm.

    Only the slot without the current certificate is written, after a backup, and then read back. Nothing else is changed. A
    domain that fails does not stop the others; the exit code is 1 in that case.

    \b
    Examples:
      isthmus adfs trust update
      isthmus adfs trust update --outside --yes
      isthmus adfs trust update --retire 0123456789ABCDEF0123456789ABCDEF01234567
    """
    from adfs_mgmt.operations import apply_trust_update, plan_trust_update

    found = context.tenant(tenant)
    planned = run_async(plan_trust_update(context, found, domains=domains, retire=retire, external_only=outside))
    changes = [str(change) for change in planned.changes]
    if not manner.as_json:
        _show_update(planned)
    results: Sequence[DomainResult] = planned.problems
    if changes:
        if manner.as_json and not manner.yes:
            emit_json({"plan": changes, "problems": [problem.text for problem in planned.problems]})
        flow.confirm("Type yes to confirm", "yes", manner)
        results = run_async(apply_trust_update(context, planned))
    _show_results(results, changes, as_json=manner.as_json)


def _show_update(planned: TrustUpdate) -> None:
    click.secho("Plan", bold=True)
    for line in planned.changes:
        click.echo(visible(f"  {line}"))
    for problem in planned.problems:
        click.echo(visible(f"  {problem.domain}: cannot be done"))
    for name in planned.unchanged:
        click.echo(visible(f"  {name}: nothing to do"))


def _show_results(results: Sequence[DomainResult], plan: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        emit_json({"plan": plan, "results": [_result_data(result) for result in results]})
    else:
        for result in results:
            click.secho("done    " if result.done else "failed  ", fg="green" if result.done else "red", nl=False)
            click.echo(visible(result.text))
    if not all(result.done for result in results):
        raise SystemExit(REFUSED)


def _result_data(result: DomainResult) -> dict[str, Any]:
    data = {name: getattr(result, name) for name in ("domain", "done", "changed", "text")}
    return data | {"error": type(result.error).__name__ if result.error else ""}


@click.command("issuer")
@operation
@tenant_option
@click.option("--domain", "domains", multiple=True, metavar="DOMAIN", help="Only this domain. Can be repeated.")
@yes_option
@json_option
def issuer(context: OperationContext, manner: Manner, tenant: str, domains: tuple[str, ...]) -> None:
    """Set issuerUri of each domain to the issuer that the farm puts into tokens, where it differs (AADSTS50107).

    The farm's identifier and claim rules are read over WinRM. The previous settings are backed up first.

    \b
    Examples:
      isthmus adfs trust issuer
      isthmus adfs trust issuer --domain example.com --yes
    """
    from adfs_mgmt.operations import apply_restoration, plan_issuers

    planned = run_async(plan_issuers(context, context.tenant(tenant), domains))
    plan = {row.domain.name: row.values["issuerUri"] for row in planned}
    text = "\n".join(f"{name}: issuerUri becomes {value}" for name, value in plan.items())
    if plan and (not manner.as_json or not manner.yes):
        emit_said(text, as_json=manner.as_json, plan=plan)
    saved: dict[str, str] = {}
    if plan:
        flow.confirm("Type yes to confirm", "yes", manner)
    for row in planned:
        saved[row.domain.name] = path = str(run_async(apply_restoration(context, row)))
        if not manner.as_json:
            click.echo(visible(f"{row.domain.name}: done (backup: {path})"))
    if manner.as_json or not plan:
        emit_said("every issuerUri is correct", as_json=manner.as_json, written=plan, backups=saved)


@click.command("convert")
@operation
@tenant_option
@external_option
@click.argument("domain")
@click.argument("kind", type=click.Choice(["managed", "federated"]))
@click.option("--from", "source", type=FILE, help="Use the federation settings of this backup.")
@click.option(
    "--mfa",
    type=click.Choice(_MFA),
    default=None,
    metavar="BEHAVIOUR",
    help=f"federatedIdpMfaBehavior: {', '.join(_MFA)}. It cannot be unset later.",
)
@click.option(
    "--only-domain", is_flag=True, help="Use the farm's identifier as the issuer, for a farm with only one domain."
)
@click.option("--without-backup", is_flag=True, help="Convert to managed even if the current settings cannot be backed up.")
@yes_option
@json_option
def convert(
    context: OperationContext,
    manner: Manner,
    tenant: str,
    outside: bool,
    domain: str,
    kind: Any,
    mfa: str | None,
    **how: Any,
) -> None:
    """Convert a domain to managed or federated, after a checklist. On a terminal you confirm with the domain's name.

    This changes how every user of the domain signs in. It can take up to an hour to take effect everywhere.

    \b
    Examples:
      isthmus adfs trust convert example.com managed
      isthmus adfs trust convert example.com federated
      isthmus adfs trust convert example.com federated \\
          --from state/backups/entra-….json
    """
    from adfs_mgmt.operations import apply_conversion, plan_conversion

    found = context.tenant(tenant)
    conversion = run_async(plan_conversion(context, found, domain, kind, mfa=mfa or "", external_only=outside, **how))
    failed = conversion.plan.failed if conversion.plan is not None else ()
    if manner.shows_plan or failed:
        _show_conversion(conversion, as_json=manner.as_json)
    if failed:
        raise Failure(f"{len(failed)} of the checks failed; nothing was changed")
    flow.confirm(f"Type the domain's name to convert {domain}", domain, manner)
    saved = run_async(apply_conversion(context, conversion))
    text = f"{domain} is {kind} now." + (f" Backup of the previous settings: {saved}" if saved else "")
    emit_said(text, as_json=manner.as_json, domain=domain, authentication=kind, backup=str(saved) if saved else None)


def _show_conversion(conversion: Conversion, *, as_json: bool) -> None:
    from isthmus.cli.reports import show_checklist

    head, plan = f"{conversion.domain} to {conversion.to}", conversion.plan
    if as_json:
        checks = plain(plan.findings) if plan else []
        emit_json({"domain": conversion.domain, "to": conversion.to, "continues": plan is None, "checks": checks})
    elif plan is None:
        click.echo(f"{head}: continuing what was interrupted")
    else:
        click.secho(head, bold=True)
        for name, value in plan.state.values.items():
            click.echo(visible(f"  {name} = {'…' if name.endswith('ertificate') else value}"))
        show_checklist(plan.findings)
        for line in plan.summary:
            click.echo(wrapped(line, " " * 11))


@click.command("backup")
@operation
@tenant_option
@click.argument("domains", nargs=-1, metavar="[DOMAIN]...")
@json_option
def backup(context: OperationContext, manner: Manner, tenant: str, domains: tuple[str, ...]) -> None:
    """Back up the federation settings of these domains (default: all) to files in state_dir/backups, mode 0600.

    \b
    Examples:
      isthmus adfs trust backup
      isthmus adfs trust backup example.com --json
    """
    from adfs_mgmt.operations import back_up

    result = run_async(back_up(context, context.tenant(tenant), domains))
    text = "\n".join(f"{name}: {path}" for name, path in result.saved.items())
    saved = {name: str(path) for name, path in result.saved.items()}
    emit_said(text, as_json=manner.as_json, saved=saved, not_saved=list(result.problems))
    if result.problems:
        raise Failure("; ".join(result.problems.values()))


@click.command("restore")
@operation
@tenant_option
@external_option
@click.argument("file", type=FILE)
@click.option("--mfa", is_flag=True, help="Also restore federatedIdpMfaBehavior. It cannot be unset later.")
@click.option(
    "--blind", is_flag=True, help="Do not check the farm, for a farm that is gone. The current certificate may be lost."
)
@yes_option
@json_option
def restore_(
    context: OperationContext, manner: Manner, tenant: str, outside: bool, file: Path, mfa: bool, blind: bool
) -> None:
    """Restore a domain from a backup. Only differences are written, and only if the current certificate is included.

    \b
    Examples:
      isthmus adfs trust restore state/backups/entra-….json
    """
    from adfs_mgmt.operations import apply_restoration, plan_restoration

    found = context.tenant(tenant)
    planned = run_async(plan_restoration(context, found, file, with_mfa=mfa, blind=blind, external_only=outside))
    names = list(planned.values)
    if not manner.as_json:
        said = f"{', '.join(names)} will be written" if names else "nothing to restore"
        click.echo(visible(f"{planned.domain.name}: {said}"))
    elif names and not manner.yes:
        emit_json({"domain": planned.domain.name, "plan": names})
    saved = None
    if names:
        flow.confirm("Type yes to confirm", "yes", manner)
        saved = run_async(apply_restoration(context, planned))
    _show_restored(planned, saved, as_json=manner.as_json)


def _show_restored(planned: Restoration, saved: Path | None, *, as_json: bool) -> None:
    name = planned.domain.name
    if as_json:
        emit_json({"domain": name, "restored": list(planned.values), "backup": str(saved) if saved else None})
    elif planned.values:
        click.echo(f"{name} is restored." + (f" Backup of the previous settings: {saved}" if saved else ""))
