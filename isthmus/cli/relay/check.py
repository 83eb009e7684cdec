"""`isthmus relay check`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import click

from findings import Finding, failed
from foundation.actors import user_name
from gateway.administrator import Administrator
from gateway.app import ServerSettings
from gateway.relay import NotPermitted
from isthmus.cli.admin import reported
from isthmus.cli.output import Failure, emit_json, json_option, run_async
from isthmus.cli.passwords import password_of
from isthmus.cli.relay.context import load_relay_settings, relay_config
from isthmus.cli.reports import FailOn, exit_if, fail_on_option, finding_data, print_finding
from isthmus.cli.state import own
from isthmus.relay_check import LiveRelay, ask_live, check_node


@click.command()
@relay_config
@click.option("--user", default="", help="Also sign this user in, through an agent. Prompts for the password.")
@click.option(
    "--password-file", metavar="FILE", help="With --user: file with the password, mode 0600, or - for standard input."
)
@fail_on_option
@json_option
def check(config: Path, user: str, password_file: str | None, fail_on: FailOn, as_json: bool) -> None:
    """Find out what is wrong with this relay.

    Checks keys, database, disk and last backup, the HTTPS certificate and the path to `public_url`, and queries the
    running relay for its agents, clocks and domains. With --user it signs a user in through relay, agent and directory:
    this counts like any other sign-in, and is recorded in the audit trail with you as the actor.

    Each line passes, warns or fails, with a remedy. Nothing is changed. The check also works while no relay is running.

    \b
    Exit codes: 0 nothing failed, 1 something failed (with --fail-on warning:
                or warns), 2 wrong usage.

    \b
    Examples:
      isthmus relay check
      isthmus relay check --user anna@corp.example.com
      isthmus relay check --json --fail-on warning
    """
    password = password_of(user, password_file)  # first: it may be root's alone
    settings = load_relay_settings(config, now=False).server
    admin = Administrator(settings, before_store=lambda: own(settings.state_dir))
    found: list[Finding] = []

    def take(finding: Finding) -> None:
        found.append(finding)
        if not as_json:
            print_finding(finding)

    try:
        live = run_async(reported(ask_live(admin, settings.state_dir, user, password)))
    except Failure as error:
        if not isinstance(error.__cause__, NotPermitted):
            raise
        take(_wrong_user(settings.state_dir))
    else:
        own(settings.state_dir)  # what the relay's own user can read is what the relay can read
        run_async(_check(settings, live, user, take))
    if as_json:
        emit_json([finding_data(finding) for finding in found])
    exit_if(fail_on, found)


async def _check(settings: ServerSettings, live: LiveRelay, user: str, take: Callable[[Finding], None]) -> None:
    async for finding in check_node(settings, live, user, time.time()):
        take(finding)


def _wrong_user(state_dir: Path) -> Finding:
    owner, own_name = user_name(state_dir.stat().st_uid), user_name(os.geteuid())
    remedy = f"Run it as root, or as {owner}: what another user can read says nothing about the relay."
    return failed("user", "", f"this runs as {own_name}, the relay as {owner}, who owns {state_dir}", remedy)
