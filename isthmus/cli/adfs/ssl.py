"""`isthmus adfs ssl`: a new SSL and Service-Communications certificate, on nodes, proxies and published applications."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from adfs_mgmt.procedures.request import RolloverRequest
from certs import Material, from_pem
from foundation.procedures import Started
from isthmus.cli.adfs import adfs_config, load, rolling
from isthmus.cli.adfs.certificates import certificate_options, in_stores, plan_option, save_option, supplied
from isthmus.cli.adfs.rolling import Desk, due_option, farm_option, patience_option, yes_option
from isthmus.cli.output import Failure, json_option, reporting, run_async


@click.group("ssl")
def command() -> None:
    """Renew the SSL and Service-Communications certificate: every node, every proxy, every published application.

    Interrupted anywhere, `apply` goes on; `rollback` puts the old certificate back. A request for an enterprise CA is made
    with `isthmus adfs rollover request`.
    """


acme_option = click.option("--acme", is_flag=True, help="Have a new one issued by the ACME server of the settings, [acme].")
name_option = click.option(
    "--name",
    "names",
    multiple=True,
    metavar="DNS",
    help="One more name that it must cover, such as enterpriseregistration.example.com; may be given again.",
)


def _given(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say which certificate."""
    for option in (name_option, acme_option, certificate_options):
        function = option(function)
    return function


@command.command()
@adfs_config
@farm_option
@_given
@save_option
@json_option
def plan(config: Path, farm: str, save: Path | None, as_json: bool, **given: Any) -> None:
    """Check a new certificate and show every step. Nothing is changed on the servers.

    \b
    Examples:
      isthmus adfs ssl plan --pfx fs.pfx --password-file fs.password
      isthmus adfs ssl plan --acme --save plan.json
    """
    at = rolling.desk(load(config), farm, "ssl")
    rolling.show_plan(rolling.make_plan(at, _request(at, given, keep=save is not None)), save, as_json=as_json)


@command.command()
@adfs_config
@farm_option
@_given
@plan_option
@due_option
@patience_option
@yes_option
@json_option
def apply(
    config: Path,
    farm: str,
    plan_file: Path | None,
    within: float | None,
    patience: float,
    yes: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Begin, or go on with what is under way, to the end.

    \b
    Examples:
      isthmus adfs ssl apply --pfx fs.pfx --password-file fs.password
      isthmus adfs ssl apply --plan plan.json --yes
      isthmus adfs ssl apply --acme --if-ends-within 30 --yes     # from a timer, once a day
    """
    at = rolling.desk(load(config), farm, "ssl")
    if at.under_way is None and not rolling.is_due(at, "ssl", (), within, as_json=as_json):
        return
    made = None
    if at.under_way is None:
        if plan_file is not None:
            supplied(at, given)
            made = rolling.saved_plan(at, plan_file)
        else:
            made = rolling.make_plan(at, _request(at, given))
        if not (as_json and yes):
            rolling.show_plan(made, None, as_json=as_json)
        rolling.confirm(at.farm.name, yes=yes, as_json=as_json)
    elif plan_file is not None:
        raise Failure(f"{at.under_way.id} is under way; apply goes on with it without --plan")
    else:
        supplied(at, given)
    with reporting(*rolling.ERRORS), at.writing() as journal:
        if made is not None:
            rolling.begin(at, journal, made)
        rolling.go(at, journal, patience=patience, as_json=as_json)


@command.command()
@adfs_config
@farm_option
@json_option
def status(config: Path, farm: str, as_json: bool) -> None:
    """Show where it stands, and what it waits for. Nothing is changed.

    \b
    Example:
      isthmus adfs ssl status
    """
    rolling.show_status(rolling.desk(load(config), farm, "ssl"), as_json=as_json)


@command.command()
@adfs_config
@farm_option
@rolling.cancel_option
@patience_option
@yes_option
@json_option
def rollback(config: Path, farm: str, cancel: bool, patience: float, yes: bool, as_json: bool) -> None:
    """Put the old certificate back, everywhere. Possible after the end, too, while the old one is in the stores and valid.

    \b
    Example:
      isthmus adfs ssl rollback
    """
    at = rolling.desk(load(config), farm, "ssl")
    record = at.record
    if record is None or record.outcome == "rolled back":
        raise Failure(f"no new SSL certificate of farm {at.farm.name} was applied here that could be rolled back")
    turned = rolling.turning(at, record, "" if cancel else "start")
    if not as_json:
        what = "is undone, every server gets the certificate that it had before" if turned.to else "goes forward again"
        click.echo(f"Farm {at.farm.name}: {record.id} {what}.")
    rolling.confirm(at.farm.name, yes=yes, as_json=as_json)
    with reporting(*rolling.ERRORS), at.writing() as journal:
        if journal.record is not None and not journal.record.open:
            again = Started(id=f"{record.id}-undo", kind="ssl", subject=record.subject, state=record.state)
            journal.append(again, time.time())
        journal.append(turned, time.time())
        rolling.go(at, journal, patience=patience, as_json=as_json)


def _request(at: Desk, given: dict[str, Any], *, keep: bool = True) -> RolloverRequest:
    ways = [name for name in ("pfx", "certificate", "thumbprint", "acme") if given[name]]
    if len(ways) != 1:
        raise Failure("say which certificate: one of --pfx, --certificate, --thumbprint, --acme")
    if given["thumbprint"]:
        return RolloverRequest(kind="ssl", certificate=in_stores(at, given["thumbprint"]), names=given["names"])
    material = _from_acme(at, given["names"]) if given["acme"] else None
    material = material or supplied(at, given, keep=keep)
    if material is None:
        raise Failure("no certificate was given")
    return RolloverRequest(
        kind="ssl", certificate=material.model, chain=material.issuers, material=True, names=tuple(given["names"])
    )


def _from_acme(at: Desk, names: tuple[str, ...]) -> Material:
    """For the names that are bound now, and those that were given."""
    from adfs_mgmt.procedures.bindings import names_bound
    from certs.acme import AcmeError, obtain

    wanted = sorted({*names_bound(at.look().farm), *(name.lower() for name in names)})
    with reporting(AcmeError, *rolling.ERRORS):
        key, chain = run_async(obtain(wanted, at.settings.acme, at.settings.state_dir))
        material = from_pem("the ACME server", key, chain)
        at.vault.put(material)
    return material
