"""`isthmus relay trust test`."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.administrator import Administrator
from gateway.federation import TrustView, open_outbound, read_trust
from isthmus.cli.admin import reported
from isthmus.cli.output import emit_json, json_option, run_async
from isthmus.cli.relay.context import load_relay_settings, open_administrator, relay_config
from isthmus.cli.relay.names import complete_trusts
from isthmus.cli.reports import FailOn, exit_if, fail_on_option, finding_data, print_finding
from isthmus.own_publication import check_publication, check_ways
from isthmus.trust_addresses import check_servers


@click.command("test")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@fail_on_option
@json_option
def test(config: Path, trust: str, fail_on: FailOn, as_json: bool) -> None:
    """Find out what is wrong with a trust, before a user does.

    The running relay checks state, addresses, secrets, certificates and metadata, and signs a sample, which it verifies
    with the keys that it publishes. This machine fetches what the relay publishes from the public address, as
    applications do, and connects to each server of the application by TLS, without sending anything.

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
        read = read_trust(view.document.encode(), Path(f"{view.id}.toml"))
        settings = load_relay_settings(config, now=False).server
        rings = run_async(reported(admin.signing_keys()))
        keys = {key.id: key.state for ring in rings if ring.ring == read.protocol for key in ring.keys}
        found += run_async(check_ways(read, open_outbound(settings.federation)))
        found += run_async(check_publication(settings.public_url.rstrip("/"), read.protocol, keys))
        found += run_async(check_servers(read))
    if as_json:
        emit_json([finding_data(finding) for finding in found])
    else:
        for finding in found:
            print_finding(finding)
    exit_if(fail_on, found)
