"""`isthmus relay audit list`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from foundation.times import minute
from isthmus.cli.admin import reported
from isthmus.cli.output import emit_json, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_agents
from isthmus.cli.tables import table, wide_option


@click.command("list")
@relay_config
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Entries at most.")
@click.option("--before", metavar="ID", help="Only entries before this one.")
@click.option("--kind", default="", help="Only this kind: signin, password_change, agent.enrolled, …")
@click.option("--user", "subject", default="", help="Only this user name, or agent, exactly as recorded.")
@click.option("--agent", default="", shell_complete=complete_agents, help="Only what this agent checked.")
@click.option("--outcome", default="", help="Only this outcome: success, wrong_credential, …")
@click.option("--correlation-id", default="", help="Only this attempt: the X-Correlation-Id of its answer.")
@wide_option
@json_option
def list_audit(config: Path, as_json: bool, **chosen: Any) -> None:
    """Show the trail, newest first.

    \b
    Examples:
      isthmus relay audit list --user anna@corp.example.com
      isthmus relay audit list --kind agent.enrolled --json
    """
    views = run_async(reported(open_administrator(config).audit(**chosen)))
    if as_json:
        emit_json(views)
        return
    rows = [
        [
            view.id,
            minute(view.time),
            view.kind,
            view.subject or "-",
            view.outcome or "-",
            view.address or "-",
            view.agent or view.actor,
            " ".join(view.detail.values()),
        ]
        for view in views
    ]
    searched = any(value for name, value in chosen.items() if name != "limit")
    nothing = "No entry is like that; names must be given exactly as they were typed." if searched else "The trail is empty."
    headers = ["id", "time", "kind", "whom", "outcome", "from", "by", "detail"]
    table(headers, rows, nothing, drop=("by", "id", "from", "kind"), prose=("detail",))
