"""`isthmus adfs rollover`: new token-signing and token-decrypting certificates, without an outage."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from adfs_mgmt.farm.model import Use
from adfs_mgmt.procedures.emergency import WITHOUT_ENTRA
from adfs_mgmt.procedures.request import RolloverRequest
from foundation.procedures import Acknowledged, Record, step_text
from isthmus.cli.adfs import adfs_config, load, rolling
from isthmus.cli.adfs.certificates import certificate_options, in_stores, plan_option, save_option, supplied
from isthmus.cli.adfs.rolling import DAY, Desk, due_option, farm_option, patience_option, yes_option
from isthmus.cli.output import Failure, emit_json, json_option, reporting

_USES = {"signing": Use.SIGNING, "decrypting": Use.DECRYPTING}

use_option = click.option(
    "--use",
    "uses",
    multiple=True,
    type=click.Choice(list(_USES)),
    default=tuple(_USES),
    show_default="both",
    help="Which certificates; may be given again.",
)
wait_option = click.option(
    "--wait-days", type=click.FloatRange(0), default=None, help="Days that partners get before promotion (5)."
)
soak_option = click.option(
    "--soak-days", type=click.FloatRange(0), default=None, help="Days for which the old certificate stays (2)."
)


@click.group("rollover")
def command() -> None:
    """Roll token-signing and token-decrypting certificates: plan, apply, and come back whenever it waits.

    Every step has a precondition, is written down before it is done, and is checked on every node afterwards. Interrupted
    anywhere, `apply` goes on; until `retire` there is a way back.
    """


def _given(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options that say what is wanted."""
    for option in (soak_option, wait_option, certificate_options, use_option):
        function = option(function)
    return function


def _request(at: Desk, given: dict[str, Any], *, keep: bool = True) -> RolloverRequest:
    material = supplied(at, given, keep=keep)
    thumbprint, wait, soak = given["thumbprint"], given["wait_days"], given["soak_days"]
    return RolloverRequest(
        kind="token",
        uses=_uses(given),
        certificate=material.model if material else in_stores(at, thumbprint) if thumbprint else None,
        chain=material.issuers if material else (),
        material=material is not None,
        publish_for=None if wait is None else wait * DAY,
        retire_after=None if soak is None else soak * DAY,
    )


def _uses(given: dict[str, Any]) -> tuple[Use, ...]:
    return tuple(_USES[use] for use in given["uses"])


@command.command()
@adfs_config
@farm_option
@_given
@save_option
@json_option
def plan(config: Path, farm: str, save: Path | None, as_json: bool, **given: Any) -> None:
    """Show every step of a rollover. Nothing is changed.

    \b
    Examples:
      isthmus adfs rollover plan                                   # AD FS makes the certificates
      isthmus adfs rollover plan --use signing --pfx new.pfx --password-file new.password --save plan.json
    """
    at = rolling.desk(load(config), farm, "token")
    made = rolling.make_plan(at, _request(at, given, keep=save is not None))
    rolling.show_plan(made, save, as_json=as_json)


@command.command()
@adfs_config
@farm_option
@_given
@plan_option
@click.option("--unattended", is_flag=True, help="Promote and retire as soon as that may be, without being told again.")
@due_option
@patience_option
@yes_option
@json_option
def apply(
    config: Path,
    farm: str,
    plan_file: Path | None,
    unattended: bool,
    within: float | None,
    patience: float,
    yes: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Begin a rollover, or go on with the one that is under way, as far as can be gone now.

    It stops before the new certificate comes into use (`promote`) and before the old one goes (`retire`).

    \b
    Examples:
      isthmus adfs rollover apply
      isthmus adfs rollover apply --plan plan.json --yes
      isthmus adfs rollover apply --unattended --if-ends-within 30 --yes     # from a timer, once an hour
    """
    at = rolling.desk(load(config), farm, "token")
    if at.under_way is None and not rolling.is_due(at, "token", _uses(given), within, as_json=as_json):
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
        for gate in ("promote", "retire") if unattended else ():
            journal.append(Acknowledged(name=gate), time.time())
        rolling.go(at, journal, patience=patience, as_json=as_json)


@command.command()
@adfs_config
@farm_option
@json_option
def status(config: Path, farm: str, as_json: bool) -> None:
    """Show where the rollover stands, and what it waits for. Nothing is changed.

    \b
    Example:
      isthmus adfs rollover status --json
    """
    rolling.show_status(rolling.desk(load(config), farm, "token"), as_json=as_json)


@command.command()
@adfs_config
@farm_option
@click.argument("names", nargs=-1, required=True)
@json_option
def acknowledge(config: Path, farm: str, names: tuple[str, ...], as_json: bool) -> None:
    """Say that a partner knows the new certificate, or that something else that was asked for was done.

    \b
    Example:
      isthmus adfs rollover acknowledge "Intranet" "Payroll"
    """
    at = rolling.desk(load(config), farm, "token")
    record = _needs_work(at)
    if {"promote", "retire"} & set(names):
        raise Failure("promotion and retirement have commands of their own: isthmus adfs rollover promote, retire")
    _check_known(at, record, names)
    with reporting(*rolling.ERRORS), at.writing() as journal:
        for name in names:
            journal.append(Acknowledged(name=name), time.time())
    if as_json:
        emit_json({"acknowledged": list(names)})
    else:
        click.echo(f"Noted: {', '.join(names)}. `isthmus adfs rollover status` shows what else is waited for.")


@command.command()
@adfs_config
@farm_option
@click.option("--acknowledge", "names", multiple=True, metavar="PARTNER", help="A partner that knows; may be given again.")
@patience_option
@yes_option
@json_option
def promote(config: Path, farm: str, names: tuple[str, ...], patience: float, yes: bool, as_json: bool) -> None:
    """Let the new certificate come into use, and see that every node uses it.

    Refused while a known partner does not have it, or the time that partners get is not over.

    \b
    Example:
      isthmus adfs rollover promote --acknowledge "Payroll"
    """
    at = rolling.desk(load(config), farm, "token")
    _open_gate(at, "promote", names, "the new certificate signs from now on", patience=patience, yes=yes, as_json=as_json)


@command.command()
@adfs_config
@farm_option
@patience_option
@yes_option
@json_option
def retire(config: Path, farm: str, patience: float, yes: bool, as_json: bool) -> None:
    """Take the old certificate away, from the farm and from Entra ID. There is no way back after that.

    \b
    Example:
      isthmus adfs rollover retire
    """
    at = rolling.desk(load(config), farm, "token")
    _open_gate(
        at, "retire", (), "the old certificate goes; there is no way back", patience=patience, yes=yes, as_json=as_json
    )


def _open_gate(at: Desk, gate: str, names: tuple[str, ...], what: str, *, patience: float, yes: bool, as_json: bool) -> None:
    record = _needs_work(at)
    if record.back or record.kind != "token":
        raise Failure(f"{record.id} is {'on its way back' if record.back else 'an emergency'}: apply goes on with it")
    before = {"promote": "approve", "retire": "retire"}[gate]
    step = rolling.standing(at, _with(record, names))
    if step.stage != before and gate not in record.acknowledged and before not in record.completed:
        raise Failure(f"not yet: {gate} is not what is next.\n{step_text(step)}")
    if not as_json:
        click.echo(f"Farm {at.farm.name}: {what}.")
    rolling.confirm(at.farm.name, yes=yes, as_json=as_json)
    with reporting(*rolling.ERRORS), at.writing() as journal:
        for name in (*names, gate):
            journal.append(Acknowledged(name=name), time.time())
        rolling.go(at, journal, patience=patience, as_json=as_json)


@command.command()
@adfs_config
@farm_option
@click.option(
    "--to",
    type=click.Choice(["published", "start"]),
    default="published",
    show_default=True,
    help="The old certificate in use again and the new one still published; or everything as it was.",
)
@rolling.cancel_option
@patience_option
@yes_option
@json_option
def rollback(config: Path, farm: str, to: str, cancel: bool, patience: float, yes: bool, as_json: bool) -> None:
    """Go back. Possible until `retire`, and while the old certificate has not ended.

    \b
    Example:
      isthmus adfs rollover rollback --to start
    """
    at = rolling.desk(load(config), farm, "token")
    record = _needs_work(at)
    turned = rolling.turning(at, record, "" if cancel else to)
    if not as_json:
        click.echo(f"Farm {at.farm.name}: {record.id} goes {f'back to {turned.to}' if turned.to else 'forward again'}.")
    rolling.confirm(at.farm.name, yes=yes, as_json=as_json)
    with reporting(*rolling.ERRORS), at.writing() as journal:
        journal.append(turned, time.time())
        rolling.go(at, journal, patience=patience, as_json=as_json)


@command.command()
@adfs_config
@farm_option
@use_option
@click.option(
    "--without-entra", is_flag=True, help="Entra ID cannot be asked: the farm's keys come first, it is told at the end."
)
@patience_option
@yes_option
@json_option
def emergency(
    config: Path, farm: str, uses: tuple[str, ...], without_entra: bool, patience: float, yes: bool, as_json: bool
) -> None:
    """A key was stolen: new certificates at once. No waiting for partners, no way back.

    Sign-in to partners other than Entra ID fails until they have the new certificate.

    \b
    Example:
      isthmus adfs rollover emergency --use signing
    """
    at = rolling.desk(load(config), farm, "token")
    under_way = at.under_way
    with reporting(*rolling.ERRORS):
        if under_way is None or under_way.kind != "emergency":
            wanted = RolloverRequest(kind="emergency", uses=tuple(_USES[use] for use in uses), without_entra=without_entra)
            made = rolling.make_plan(at, wanted, under_way)
            if not (as_json and yes):
                rolling.show_plan(made, None, as_json=as_json)
            rolling.confirm(at.farm.name, yes=yes, as_json=as_json)
        with at.writing() as journal:
            if under_way is None or under_way.kind != "emergency":
                rolling.begin(at, journal, made)
            if without_entra:
                journal.append(Acknowledged(name=WITHOUT_ENTRA), time.time())
            rolling.go(at, journal, patience=patience, as_json=as_json)


@command.command()
@adfs_config
@farm_option
@click.option("--name", "names", multiple=True, help="A DNS name; the farm's own by default. May be given again.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="File for the request (PEM).")
@json_option
def request(config: Path, farm: str, names: tuple[str, ...], out: Path, as_json: bool) -> None:
    """Make a key and a request for an enterprise CA. Its answer is given with --certificate; the key stays here.

    \b
    Example:
      isthmus adfs rollover request --out fs.csr
    """
    at = rolling.desk(load(config), farm, "token")
    wanted = names or (at.farm.federation_name,)
    with reporting(*rolling.ERRORS):
        at.vault.request(wanted, out)
    if as_json:
        emit_json({"request": str(out), "names": list(wanted)})
    else:
        click.echo(f"Wrote {out} for {', '.join(wanted)}. The key is in {at.settings.state_dir}/keys: keep that directory.")


def _check_known(at: Desk, record: Record[Any], names: tuple[str, ...]) -> None:
    """A typing error must not be noted as somebody's word. Raises Failure."""
    observed = at.look()
    asked = rolling.standing(at, record, observed).ask
    known = {*asked, *(partner.name for partner in observed.partners), *record.acknowledged}
    unknown = [name for name in names if name not in known]
    if unknown:
        waited = f"what is waited for: {', '.join(asked)}" if asked else "nothing is waited for now"
        raise Failure(f"nobody is called {', '.join(unknown)} here; {waited}. Nothing was noted")


def _needs_work(at: Desk) -> Record[Any]:
    record = at.under_way
    if record is None:
        raise Failure(f"no rollover of farm {at.farm.name} is under way; begin one: isthmus adfs rollover apply")
    return record


def _with(record: Record[Any], names: tuple[str, ...]) -> Record[Any]:
    return replace(record, acknowledged={**record.acknowledged, **dict.fromkeys(names, time.time())})
