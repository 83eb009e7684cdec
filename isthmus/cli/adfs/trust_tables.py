"""The trust for people, and as data for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from adfs_mgmt.trust import Configuration, EntraTrust, FederatedDomain, Slot, explain_update
from foundation.times import minute
from isthmus.cli.tables import table
from isthmus.terminal import visible

if TYPE_CHECKING:
    from adfs_mgmt.operations import TrustComparison
    from certs import Certificate


def show_trust(trust: EntraTrust) -> None:
    """Domains, then each federated one's certificates."""
    click.secho(visible(trust.tenant), bold=True)
    rows = [_domain(domain) for domain in trust.domains]
    table(("Domain", "Sign-in", "Service", "MFA", ""), rows, "no domain", drop=("MFA", "Service"), prose=("",))
    for domain in trust.domains:
        if domain.configuration is not None or domain.error:
            _configuration(domain)


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
    click.secho(visible(domain.name), bold=True)
    if domain.configuration is None:
        click.secho(visible(f"  {domain.error}"), fg="red")
        return
    click.echo(f"  {'issuerUri':<23} {domain.configuration.issuer_uri}")
    for slot in Slot:
        held = domain.configuration.certificates.get(slot)
        click.echo(f"  {slot.value:<23} {f'until {minute(held.not_after)}' if held else 'empty'}")
        if held:
            click.echo(f"    {held.thumbprint}")
    for problem in domain.configuration.problems:
        click.secho(visible(f"  {problem}"), fg="red")
    click.echo(f"  {explain_update(domain.configuration.update)}")


def comparison_data(comparison: TrustComparison) -> dict[str, Any]:
    """For programs."""
    rows = [
        {"status": found.status, "domain": found.where, "what": found.seen, "remedy": found.remedy}
        for found in comparison.findings
    ]
    return {"tenant": comparison.tenant, "farm": comparison.farm, "findings": rows}


def domain_data(domain: FederatedDomain) -> dict[str, Any]:
    """For programs."""
    return {
        "name": domain.name,
        "authentication": domain.authentication.value,
        "default": domain.is_default,
        "initial": domain.is_initial,
        "root": domain.is_root,
        "verified": domain.is_verified,
        "error": domain.error,
        "configuration": _configuration_data(domain.configuration) if domain.configuration else None,
    }


def _configuration_data(configuration: Configuration) -> dict[str, Any]:
    update = configuration.update
    return {
        "id": configuration.id,
        "issuer_uri": configuration.issuer_uri,
        "federation_service": configuration.host(),
        "certificates": {slot.value: _certificate_data(held) for slot, held in configuration.certificates.items()},
        "mfa_behaviour": configuration.mfa_behaviour,
        "update_result": update.result if update else None,
        "update_at": update.at if update else None,
        "problems": list(configuration.problems),
    }


def _certificate_data(certificate: Certificate) -> dict[str, Any]:
    """Without the DER."""
    return {name: getattr(certificate, name) for name in ("thumbprint", "subject", "not_before", "not_after")}
