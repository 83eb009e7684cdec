"""The trust for people."""

from __future__ import annotations

from collections.abc import Sequence

import click

from adfs_mgmt.trust.model import EntraTrust, FederatedDomain, Slot
from adfs_mgmt.trust.status import explain_update
from findings import Finding, Status
from isthmus.cli.output import moment, table

WEIGHTS: dict[Status, str] = {"fail": "failure", "warn": "warning", "pass": "ok", "unknown": "unknown"}
"""How a finding about the trust is weighed, for people and for programs."""
_COLOURS: dict[Status, str] = {"fail": "red", "warn": "yellow", "pass": "green", "unknown": "yellow"}
_MARKS: dict[Status, str] = {"pass": "+", "warn": "!", "fail": "!", "unknown": "?"}


def show_trust(trust: EntraTrust) -> None:
    """Domains, then each federated one's certificates."""
    click.secho(f"{trust.tenant}", bold=True)
    table(("Domain", "Sign-in", "Federation service", "MFA", ""), [_domain(each) for each in trust.domains], "no domain")
    for each in trust.domains:
        if each.configuration is not None or each.error:
            _configuration(each)


def show_findings(tenant: str, farm: str, found: Sequence[Finding]) -> None:
    """One line for each, with what to do under it."""
    click.secho(f"{tenant} and farm {farm}", bold=True)
    for finding in found:
        where = f"{finding.where}: " if finding.where else ""
        click.secho(f"{WEIGHTS[finding.status]:<8}", fg=_COLOURS[finding.status], nl=False)
        click.echo(f"{where}{finding.seen}")
        if finding.remedy:
            click.echo(f"{'':8}{finding.remedy}")


def show_checklist(checklist: Sequence[Finding]) -> None:
    """One line for each, marked by whether it holds."""
    for line in checklist:
        click.secho(f"  {_MARKS[line.status]} ", fg=_COLOURS[line.status], nl=False)
        click.echo(line.seen + (f": {line.remedy}" if line.remedy else ""))
    if any(line.status == "unknown" for line in checklist):
        click.echo("  (? only you can know)")


def _domain(domain: FederatedDomain) -> tuple[str, ...]:
    notes = [
        "default" if domain.is_default else "",
        "initial" if domain.is_initial else "",
        "" if domain.is_verified else "not verified",
        "" if domain.is_root else "subdomain",
    ]
    configuration = domain.configuration
    service = configuration.host() if configuration else "cannot be read" if domain.error else "-"
    mfa = (configuration.mfa_behaviour or "not set") if configuration else "-"
    return domain.name, domain.authentication.value.lower(), service, mfa, ", ".join(filter(None, notes))


def _configuration(domain: FederatedDomain) -> None:
    click.echo()
    click.secho(domain.name, bold=True)
    if domain.configuration is None:
        click.secho(f"  {domain.error}", fg="red")
        return
    for slot in Slot:
        held = domain.configuration.certificates.get(slot)
        text = f"{held.thumbprint}  until {moment(held.not_after)}" if held else "empty"
        click.echo(f"  {slot.value:<23} {text}")
    for problem in domain.configuration.problems:
        click.secho(f"  {problem}", fg="red")
    click.echo(f"  {explain_update(domain.configuration.update)}")
