"""`isthmus adfs check`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isthmus.cli.adfs import adfs_config, load
from isthmus.cli.adfs.looking import Look, chosen, farm_option, look_at, outside_option, plain, progress, wrapped
from isthmus.cli.output import Failure, emit_json, json_option, reporting, run_async

if TYPE_CHECKING:
    from adfs_mgmt.farm.model import SyntheticSignIn
    from adfs_mgmt.farm.token_request import Account
    from adfs_mgmt.trust.model import EntraTrust
    from findings import Finding
    from isthmus.adfs_settings import AdfsSettings

_COLOURS = {"pass": "green", "warn": "yellow", "fail": "red"}


@click.command("check")
@adfs_config
@farm_option
@outside_option
@click.option("--all", "everything", is_flag=True, help="Show what passes, too.")
@click.option(
    "--fail-on",
    type=click.Choice(["fail", "warn"]),
    default="fail",
    show_default=True,
    help="What makes the exit code 1.",
)
@click.option("--prometheus", is_flag=True, help="Print Prometheus text, for node_exporter's textfile collector.")
@json_option
def command(
    config: Path, names: tuple[str, ...], outside: bool, everything: bool, fail_on: str, prometheus: bool, as_json: bool
) -> None:
    """Judge farms, and what Entra ID knows of them: what is wrong, what soon will be, what to do. Exit code 1 if a check
    fails.

    Two checks are done only where they are set up: `synthetic-token` signs in with the test account of `synthetic_user` in
    the farm's settings, never with --outside; `service-principal-name` needs the endpoint of `isthmus adfs jea`.

    \b
    Examples:
      isthmus adfs check
      isthmus adfs check --outside --farm prod --fail-on warn
      isthmus adfs check --prometheus > /var/lib/node_exporter/adfs.prom
    """
    from adfs_mgmt.health.checks import check_farm
    from adfs_mgmt.health.prometheus import prometheus_text

    if prometheus and as_json:
        raise click.UsageError("Give --prometheus or --json.")
    settings = load(config)
    accounts = {} if outside else _accounts(settings, names)
    looks = look_at(settings, names, outside_only=outside)
    judged = []
    for look in looks:
        trusts, troubles = ([], []) if outside else _trusts(settings, look.farm.name, look.farm.read_at)
        tokens = _sign_in(look, accounts[look.farm.name]) if look.farm.name in accounts else ()
        checks = check_farm(look.farm, look.outside, settings.thresholds, look.farm.read_at, trusts, tokens)
        judged.append((look, [*troubles, *checks]))
    if prometheus:
        click.echo(prometheus_text([(look.farm, look.outside, checks) for look, checks in judged]), nl=False)
    elif as_json:
        emit_json({"farms": [{"name": look.farm.name, "checks": plain(checks)} for look, checks in judged]})
    else:
        for look, checks in judged:
            _print(look.farm.name, checks, everything)
    bad = {"fail"} if fail_on == "fail" else {"fail", "warn"}
    if any(check.status in bad for _, checks in judged for check in checks):
        raise SystemExit(1)


def _accounts(settings: AdfsSettings, names: Sequence[str]) -> dict[str, Account]:
    """The test accounts by farm, of those that have one: read before anything is looked at. Raises Failure."""
    from adfs_mgmt.farm.errors import Unreadable
    from adfs_mgmt.farm.token_request import read_account

    with reporting(Unreadable):
        found = {farm.name: read_account(farm) for farm in chosen(settings, names)}
    return {name: account for name, account in found.items() if account is not None}


def _sign_in(look: Look, account: Account) -> tuple[SyntheticSignIn, ...]:
    """A token of each node, and of the federation name."""
    from adfs_mgmt.farm.token_request import sign_in

    said = [each.entity_id for each in look.outside.served if each.signed_by and each.entity_id]
    usual = f"http://{look.settings.federation_name}/adfs/services/trust"
    identifier = look.farm.properties.identifier or (said[0] if said else usual)
    with progress(len(look.settings.nodes) + 1) as step:
        return run_async(sign_in(look.settings, account, look.outside, identifier, time.time(), on_host=step))


def _trusts(settings: AdfsSettings, farm: str, now: float) -> tuple[list[EntraTrust], list[Finding]]:
    """What the tenants say that are federated with this farm, and a warning for each that does not answer."""
    if not settings.entra:
        return [], []
    from adfs_mgmt.trust.entra import read
    from findings import warned
    from isthmus.cli.adfs.trust_work import on_graph, pairs

    trusts, troubles = [], []
    for pair in pairs(settings, ""):
        if pair.farm == farm:
            try:
                trusts.append(on_graph(pair.entra, lambda graph: read(graph, now)))
            except Failure as failure:
                troubles.append(warned("entra", pair.entra.tenant, failure.text, "Look at it: isthmus adfs trust show."))
    return trusts, troubles


def _print(name: str, checks: Sequence[Finding], everything: bool) -> None:
    """The worst first; hosts with the same words together."""
    shown = [check for check in checks if everything or check.status != "pass"]
    for status in ("fail", "warn", "pass"):
        for (title, seen, remedy), hosts in _together(check for check in shown if check.status == status).items():
            where = ", ".join(hosts[:4]) + (f" and {len(hosts) - 4} more" if len(hosts) > 4 else "")
            head = wrapped(f"{status.upper()}  {title}, {where}: {seen}", "      ")
            click.echo(click.style(status.upper(), fg=_COLOURS[status]) + head.removeprefix(status.upper()))
            if remedy:
                click.echo(wrapped(f"      {remedy}", "      "))
    counts = {status: sum(check.status == status for check in checks) for status in _COLOURS}
    click.echo(f"{name}: {counts['fail']} fail, {counts['warn']} warn, {counts['pass']} pass")


def _together(checks: Iterable[Finding]) -> dict[tuple[str, str, str], list[str]]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for check in checks:
        found.setdefault((check.name, check.seen, check.remedy), []).append(check.where)
    return found
