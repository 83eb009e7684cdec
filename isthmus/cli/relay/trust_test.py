"""`isthmus relay trust test`."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.administrator import Administrator
from gateway.federation import TrustView, read_trust
from isthmus.cli.admin import reported
from isthmus.cli.output import emit_json, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_trusts
from isthmus.cli.reports import FailOn, exit_if, fail_on_option, finding_data, print_finding
from isthmus.trust_addresses import check_servers


@click.command("test")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@fail_on_option
@json_option
def test(config: Path, trust: str, fail_on: FailOn, as_json: bool) -> None:
    """Find out what is wrong with a trust, before a user does.

    The running relay checks state, addresses, secrets, certificates and metadata, and signs a sample, which it verifies
    with the keys that it publishes. This machine connects to each server of the application by TLS, and sends nothing.

    \b
    Exit codes: 0 nothing failed, 1 something failed (with --fail-on warning:
                or warns), 2 wrong usage.

    \b
    Example:
      isthmus relay trust test grafana
    """
    admin: Administrator = open_administrator(config)
    found = run_async(reported(admin.test_trust(trust)))
    view: TrustView = run_async(reported(admin.trust(trust)))
    if view.state != "unreadable":
        found += run_async(check_servers(read_trust(view.document.encode(), Path(f"{view.id}.toml"))))
    if as_json:
        emit_json([finding_data(finding) for finding in found])
    else:
        for finding in found:
            print_finding(finding)
    exit_if(fail_on, found)
