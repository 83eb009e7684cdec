"""The trust for people."""

from __future__ import annotations

from collections.abc import Sequence

import click

from adfs_mgmt.trust.compare import TrustFinding, Weight
from adfs_mgmt.trust.convert import Check, State
from adfs_mgmt.trust.model import EntraTrust, FederatedDomain, Slot
from adfs_mgmt.trust.status import explain_update
from isthmus.cli.output import moment, table

_COLOURS = {Weight.FAILURE: "red", Weight.WARNING: "yellow", Weight.OK: "green"}
_MARKS = {State.HOLDS: ("+", "green"), State.FAILS: ("!", "red"), State.ASK: ("?", "yellow")}


def show_trust(trust: EntraTrust) -> None:
    """Domains, then each federated one's certificates."""
    click.secho(f"{trust.tenant}", bold=True)
    table(("Domain", "Sign-in", "Federation service", "MFA", ""), [_domain(each) for each in trust.domains], "no domain")
    for each in trust.domains:
        if each.configuration is not None or each.error:
            _configuration(each)


def show_findings(tenant: str, farm: str, found: Sequence[TrustFinding]) -> None:
    """One line for each, with what to do under it."""
    click.secho(f"{tenant} and farm {farm}", bold=True)
    for each in found:
        where = f"{each.domain}: " if each.domain else ""
        click.secho(f"{each.weight.value:<8}", fg=_COLOURS[each.weight], nl=False)
        click.echo(f"{where}{each.what}")
        if each.remedy:
            click.echo(f"{'':8}{each.remedy}")


def show_checks(checks: Sequence[Check]) -> None:
    """A checklist."""
    for each in checks:
        mark, colour = _MARKS[each.state]
        click.secho(f"  {mark} ", fg=colour, nl=False)
        click.echo(each.text + (f": {each.remedy}" if each.remedy else ""))
    if any(each.state is State.ASK for each in checks):
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
