"""`isthmus certs`: the keys that sign tokens and SAML messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast, get_args

import click

from foundation.procedures import Plan, PlanUnusable, load
from foundation.times import minute
from gateway.federation import ROLLOVER_STATES, Ring, RingView
from isthmus import logging
from isthmus.cli.admin import acts_reporting, reported
from isthmus.cli.flow import Manner, confirm, plan_option, save_option, save_plan, show_plan, yes_option
from isthmus.cli.output import Failure, emit_json, json_option, run_async, wrapped
from isthmus.cli.procedure_data import plan_data
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.reports import show_finding
from isthmus.cli.tables import table, wide_option

ring_argument = click.argument("ring", type=click.Choice(get_args(Ring)))
trust_option = click.option("--trust", required=True, help="Id of the application's trust.")


@click.group("certs")
def command() -> None:
    """The keys that sign tokens and SAML messages.

    Keys are in three rings: oidc (tokens), saml (messages and metadata) and decrypting (what applications encrypt for the
    relay). The relay replaces them in time by itself: a new key is published, signs once every application has had the time
    to learn of it, and the old one is deleted later.
    """
    logging.set_up("warning")  # what is done is said by the command; only what is wrong is logged beside it


@command.command("list")
@relay_config
@wide_option
@json_option
def list_keys(config: Path, as_json: bool) -> None:
    """List the keys, what a replacement is waiting for, and which applications have not acknowledged a key.

    \b
    Example:
      isthmus certs list --json | jq -r '.[].keys[] | .id + " " + .state'
    """
    views = run_async(reported(open_administrator(config).signing_keys()))
    if as_json:
        emit_json(views)
        return
    rows = [
        [view.ring, key.algorithm, key.state, minute(key.since), minute(key.not_after), ", ".join(key.waiting_for), key.id]
        for view in views
        for key in view.keys
    ]
    empty = "There are no keys yet: they are created with the first application."
    headings = ["ring", "algorithm", "state", "since", "ends", "waits for", "key"]
    table(headings, rows, empty, drop=("since", "key"))
    for view in views:
        _show_progress(view)


@command.command()
@relay_config
@click.argument("ring", type=click.Choice(("saml", "decrypting")))
@click.option("--next", "new", is_flag=True, help="Of the new key that a replacement has made, not of the one in use.")
@json_option
def certificate(config: Path, ring: str, new: bool, as_json: bool) -> None:
    """Print a ring's certificate (PEM), for an application that wants it as a file. The metadata has the same.

    \b
    Examples:
      isthmus certs certificate saml > isthmus.pem
      isthmus certs certificate saml --next | openssl x509 -noout -enddate
    """
    views = run_async(reported(open_administrator(config).signing_keys()))
    keys = next(view.keys for view in views if view.ring == ring)
    states = ("next", "published") if new else ("active",)
    found = [key for key in keys if key.state in states]
    if not found:
        why = f"no replacement of its keys is under way; to start one: isthmus certs rollover {ring}"
        raise Failure(
            f"the ring {ring} has no {'new key: ' + why if new else 'key yet: it is made with the first application'}"
        )
    if as_json:
        emit_json({"ring": ring, "key": found[-1].id, "certificate": found[-1].certificate})
    else:
        click.echo(found[-1].certificate, nl=False)


@command.command()
@relay_config
@ring_argument
@click.option("--emergency", is_flag=True, help="Show what `emergency` would do.")
@save_option
@json_option
def plan(config: Path, ring: str, emergency: bool, save: Path | None, as_json: bool) -> None:
    """Show every step of a replacement of a ring's keys, without changing anything.

    \b
    Examples:
      isthmus certs plan saml
      isthmus certs plan saml --save plan.json
      isthmus certs plan oidc --emergency
    """
    manner = Manner(yes=False, as_json=as_json)
    made = run_async(reported(open_administrator(config).plan_signing_keys(cast(Ring, ring), emergency=emergency)))
    _show_plan(made, manner)
    if save is not None:
        with acts_reporting():
            save_plan(made, save, manner)


@command.command()
@relay_config
@ring_argument
@plan_option
@yes_option
@json_option
def rollover(config: Path, ring: str, plan_file: Path | None, yes: bool, as_json: bool) -> None:
    """Replace the keys of a ring now instead of shortly before they end. Applications get the usual time.

    With a saved plan, nothing is done if keys, applications or settings have changed since it was made.

    \b
    Examples:
      isthmus certs rollover saml
      isthmus certs rollover saml --plan plan.json
    """
    _replace(config, ring, plan_file, Manner(yes=yes, as_json=as_json), emergency=False)


@command.command()
@relay_config
@ring_argument
@plan_option
@yes_option
@json_option
def emergency(config: Path, ring: str, plan_file: Path | None, yes: bool, as_json: bool) -> None:
    """Replace the keys of a ring within minutes, because somebody else may know them. There is no way back.

    Applications are not waited for: those that do not read the keys by themselves sign nobody in until their new
    certificate is installed. The plan names them.

    \b
    Example:
      isthmus certs emergency oidc
    """
    _replace(config, ring, plan_file, Manner(yes=yes, as_json=as_json), emergency=True)


@command.command()
@relay_config
@ring_argument
@click.option(
    "--to",
    type=click.Choice(["published", "start"]),
    default="published",
    show_default=True,
    help="published: the old keys sign again, the new ones get the same time once more. start: the new keys are deleted.",
)
@json_option
def rollback(config: Path, ring: str, to: str, as_json: bool) -> None:
    """Sign with the old keys of a ring again, for example because an application rejects the new ones.

    \b
    Example:
      isthmus certs rollback saml --to start
    """
    _show(run_async(reported(open_administrator(config).roll_back_signing_keys(cast(Ring, ring), to))), as_json=as_json)


@command.command("try")
@relay_config
@click.argument("key")
@trust_option
@json_option
def try_key(config: Path, key: str, trust: str, as_json: bool) -> None:
    """Sign with the next key for one application and yourself, before anybody else depends on it.

    Prints an address. Open it in your own browser, within five minutes, and start: for 15 minutes, everything that the
    application is told about you in that browser is signed with KEY. Then sign in to the application. KEY is the id of a
    published key (`isthmus certs list --wide`).

    \b
    Example:
      isthmus certs try 3f9c…e1 --trust payroll
    """
    view = run_async(reported(open_administrator(config).try_signing_key(key, trust)))
    if as_json:
        emit_json(view)
        return
    click.echo(view.url)
    click.echo(f"\nOpen it in your own browser by {minute(view.until)}. It works once, for whoever starts first.", err=True)


@command.command()
@relay_config
@ring_argument
@trust_option
@json_option
def acknowledge(config: Path, ring: str, trust: str, as_json: bool) -> None:
    """Say that the new key of a ring is installed at an application that does not read it by itself.

    \b
    Example:
      isthmus certs acknowledge saml --trust payroll
    """
    _show(run_async(reported(open_administrator(config).acknowledge_signing_keys(cast(Ring, ring), trust))), as_json=as_json)


def _replace(config: Path, name: str, plan_file: Path | None, manner: Manner, *, emergency: bool) -> None:
    ring, administrator = cast(Ring, name), open_administrator(config)
    saved = _load_plan(plan_file, ring) if plan_file is not None else None
    if manner.shows_plan and not manner.as_json:
        _show_plan(saved or run_async(reported(administrator.plan_signing_keys(ring, emergency=emergency))), manner)
    confirm(f"Type {ring} to replace its keys", ring, manner)
    view = run_async(reported(administrator.replace_signing_keys(ring, emergency=emergency, saved=saved)))
    _show(view, as_json=manner.as_json)


def _load_plan(path: Path, ring: Ring) -> Plan[Any]:
    """Raises Failure."""
    with acts_reporting():
        plan = load(path, ROLLOVER_STATES)
        if plan.subject != ring:
            raise PlanUnusable(path, f"is for ring {plan.subject}, not {ring}")
    return plan


def _show(view: RingView, *, as_json: bool) -> None:
    if as_json:
        emit_json(view)
        return
    rows = [[key.algorithm, key.state, minute(key.not_after), ", ".join(key.waiting_for), key.id] for key in view.keys]
    table(["algorithm", "state", "ends", "waits for", "key"], rows, "", drop=("key",))
    _show_progress(view)


def _show_plan(plan: Plan[Any], manner: Manner) -> None:
    if manner.as_json:
        emit_json(plan_data(plan, "ring"))
    else:
        show_plan(plan)


def _show_progress(view: RingView) -> None:
    for finding in view.findings:
        show_finding(finding.status, f"{view.ring}: {finding.seen}", finding.remedy)
    if view.rollover is None:
        return
    if view.rollover.problem:
        click.echo(f"\n{view.ring}: stopped: {view.rollover.problem}")
    if view.rollover.standing:
        click.echo(f"\n{view.ring}, since {minute(view.rollover.started)} by {view.rollover.by}:")
        click.echo(wrapped(view.rollover.standing, "  ") if "\n" not in view.rollover.standing else view.rollover.standing)
