"""`isthmus adfs trust partners`: who must be told of a new certificate, and the partners' own metadata."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from adfs_mgmt.farm.model import RelyingParty
from certs import Certificate
from isthmus.cli.adfs import adfs_config, load
from isthmus.cli.adfs.thumbprints import thumbprint as pasted
from isthmus.cli.output import Failure, emit_json, json_option, moment, reporting, table

farm_option = click.option("--farm", default="", metavar="NAME", help="The farm, where the settings have several.")


@click.group("partners")
def command() -> None:
    """Relying parties: automatic ones read the farm's metadata, manual ones must be told, of the rest nobody has said."""


@command.command("list")
@adfs_config
@farm_option
@click.option("--refresh", is_flag=True, help="Ask the farm for its relying parties first (WinRM).")
@json_option
def list_(config: Path, farm: str, refresh: bool, as_json: bool) -> None:
    """Show the ledger.

    \b
    Examples:
      isthmus adfs trust partners list --refresh
    """
    from certs import CertsError, Ledgers

    settings = load(config)
    name = _farm(config, farm)
    ledgers = Ledgers(settings.state_dir)
    with reporting(CertsError):
        if refresh:
            parties = _relying_parties(config, name)
            with ledgers.changing(name) as box:
                box.ledger = box.ledger.learn(parties)
        ledger = ledgers.load(name)
    if as_json:
        emit_json({"farm": name, "partners": ledger.partners})
        return
    rows = [
        (each.name, each.kind.value, f"{each.refresh / 3600:g} h", each.contact or "-", ", ".join(each.acknowledged) or "-")
        for each in ledger.partners
    ]
    table(("Partner", "Learns", "Reads every", "Contact", "Acknowledged"), rows, "none: ask the farm with --refresh")


@command.command("set")
@adfs_config
@farm_option
@click.argument("partner")
@click.argument("kind", type=click.Choice(["automatic", "manual", "unknown"]))
@click.option(
    "--every", type=click.FloatRange(0.1, 24 * 366), default=None, metavar="HOURS", help="How often it reads our metadata."
)
@click.option("--contact", default=None, help="Who is to be told, and how.")
@json_option
def set_(config: Path, farm: str, partner: str, kind: str, every: float | None, contact: str | None, as_json: bool) -> None:
    """Say how a partner (its name or identifier in AD FS) learns of a new certificate.

    \b
    Examples:
      isthmus adfs trust partners set Wiki automatic --every 24
      isthmus adfs trust partners set urn:payroll manual --contact 'Ada, 555-0100'
    """
    from certs import CertsError, Ledgers, PartnerKind

    name = _farm(config, farm)
    with reporting(CertsError), Ledgers(load(config).state_dir).changing(name) as box:
        refresh = None if every is None else every * 3600
        box.ledger = box.ledger.classify(partner, PartnerKind(kind), refresh=refresh, contact=contact)
    _said(as_json, f"{partner} is {kind}.", partner=partner, kind=kind)


@command.command("acknowledge")
@adfs_config
@farm_option
@click.argument("partner")
@click.argument("thumbprint", type=pasted)
@json_option
def acknowledge_(config: Path, farm: str, partner: str, thumbprint: str, as_json: bool) -> None:
    """Note that a partner has put in the certificate with this thumbprint.

    \b
    Examples:
      isthmus adfs trust partners acknowledge Wiki 0123456789ABCDEF0123456789ABCDEF01234567
    """
    from certs import CertsError, Ledgers
    from isthmus.cli.adfs.trust_work import actor, now

    name = _farm(config, farm)
    with reporting(CertsError), Ledgers(load(config).state_dir).changing(name) as box:
        box.ledger = box.ledger.acknowledge(partner, thumbprint, actor(), now())
    _said(as_json, f"{partner} knows {thumbprint}.", partner=partner, thumbprint=thumbprint)


@command.command("watch")
@adfs_config
@farm_option
@click.option("--ca-file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="CA (PEM) to trust instead.")
@json_option
def watch_(config: Path, farm: str, ca_file: Path | None, as_json: bool) -> None:
    """Read the partners' own metadata: what changed since the last time, and what ends. Exit code 1 for a warning.

    \b
    Examples:
      isthmus adfs trust partners watch --json
    """
    from adfs_mgmt.trust.watch import judge, look
    from certs import CertsError, Ledgers
    from isthmus.cli.adfs.trust_work import now
    from isthmus.cli.output import run_async

    name = _farm(config, farm)
    with reporting(CertsError), Ledgers(load(config).state_dir).changing(name) as box:
        partners = box.ledger.partners
        sights = run_async(look(partners, ca_file=ca_file))
        pairs = list(zip(partners, sights, strict=True))
        found = [warning for partner, sight in pairs for warning in judge(partner, sight, now())]
        for partner, sight in pairs:
            if sight.watched and not sight.error:
                box.ledger = box.ledger.note_metadata(partner.name, [each.thumbprint for each in sight.certificates], now())
    if as_json:
        emit_json({"farm": name, "warnings": found, "watched": [each.partner for each in sights if each.watched]})
    else:
        rows = [(e.partner, str(len(e.certificates)), _end(e.certificates), e.error or "-") for e in sights if e.watched]
        table(("Partner", "Certificates", "First to end", "Problem"), rows, "no partner has metadata that AD FS knows of")
        for warning in found:
            click.secho(f"! {warning.partner}: {warning.what}. {warning.remedy}", fg="yellow")
    if found:
        raise SystemExit(1)


def _said(as_json: bool, text: str, **values: str) -> None:
    if as_json:
        emit_json(values)
    else:
        click.echo(text)


def _end(certificates: Sequence[Certificate]) -> str:
    return moment(min(each.not_after for each in certificates)) if certificates else "-"


def _farm(config: Path, name: str) -> str:
    names = [each.name for each in load(config).farms]
    if name in names or (not name and len(names) == 1):
        return name or names[0]
    raise Failure(f"name a farm with --farm: {', '.join(names) or 'there is none in the settings'}")


def _relying_parties(config: Path, farm: str) -> Sequence[RelyingParty]:
    from isthmus.cli.adfs.looking import look_at

    (look,) = look_at(load(config), [farm], outside_only=False)
    if look.farm.error or look.farm.primary is None:
        raise Failure(f"farm {farm} did not say its relying parties: {look.farm.error or 'no primary answered'}")
    return look.farm.relying_parties
