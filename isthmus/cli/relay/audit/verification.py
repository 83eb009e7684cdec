"""`isthmus relay audit verify` and `accept`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click
import msgspec

from foundation.times import second
from isthmus.cli.admin import reported
from isthmus.cli.flow import Manner, confirm, yes_option
from isthmus.cli.output import counted, emit_json, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config


@click.command("verify")
@relay_config
@click.option(
    "--noted",
    metavar="ID:HASH",
    help="A head that was noted on another machine (`audit.head` in the log): it must be in the trail.",
)
@json_option
def verify_audit(config: Path, noted: str | None, as_json: bool) -> None:
    """Check all chains; exit code 1 names the first entry that cannot be trusted.

    An older copy of the database is whole in itself. That it is older shows by what the relay has noted in its state_dir
    (`audit-heads`), each minute; against those who can write there too, only by a head that was noted on another machine.

    \b
    Examples:
      isthmus relay audit verify --json
      isthmus relay audit verify --noted 3-1204:9f31…
    """

    def progress(done: int, total: int) -> None:
        if sys.stderr.isatty() and not as_json:
            click.echo(f"\r{done} of {total}", nl=False, err=True)

    report = run_async(
        reported(open_administrator(config).verify_audit(progress, noted=_noted(noted) if noted is not None else None))
    )
    if as_json:
        emit_json({"ok": True, **msgspec.to_builtins(report)})
        return
    if report.witnessed is None and report.entries:
        missing = "state_dir has no file audit-heads; a running relay writes it each minute"
        click.echo(f"Not compared with what was noted before: {missing}.", err=True)
    if report.pruned_until is not None:
        pruned = f"{counted(report.pruned, 'older entry', 'older entries')} up to {second(report.pruned_until)}"
        click.echo(f"Verified from the anchors on that pruning left: {pruned} {'is' if report.pruned == 1 else 'are'} gone.")
    if not report.entries:
        click.echo("The trail is empty." if not report.pruned else "No entry is left.")
    else:
        gone = f"personal data was removed from {report.removed} of them; " if report.removed else ""
        click.echo(
            f"{counted(report.entries, 'entry', 'entries')} in {counted(len(report.heads), 'chain')}, none changed; "
            f"{gone}the newest ends {report.heads[-1]}"
        )


@click.command("accept")
@relay_config
@click.option("--why", required=True, help="Reason, for the audit trail: which backup was put back, and when.")
@yes_option
@json_option
def accept_audit(config: Path, why: str, yes: bool, as_json: bool) -> None:
    """Accept that the trail's newest entries are gone, after you have put back a backup of the database.

    Until then `audit verify` calls the trail broken, and each start of the relay raises an alarm. What was noted and is
    gone is written into the trail. If nobody has put back a backup: do not accept it, somebody removed entries.

    \b
    Example:
      isthmus relay audit accept --why "backup of 28 November was put back"
    """
    question = "Entries that the relay had noted are gone for good. Type accept to accept that"
    confirm(question, "accept", Manner(yes=yes, as_json=as_json))
    chains = run_async(reported(open_administrator(config).accept_audit(why)))
    if as_json:
        emit_json({"chains": chains})
    else:
        click.echo(f"Accepted for {counted(chains, 'chain')}; the trail says so. See: isthmus relay audit verify")


def _noted(text: str) -> tuple[int, int, str]:
    """Chain, number and hash of a head, as the log has it."""
    matched = re.fullmatch(r"([1-9][0-9]*)-([1-9][0-9]*):([0-9A-Fa-f]+)", text)
    if matched is None:
        raise click.BadParameter(f"{text!r}: expected ID:HASH, as the log has it", param_hint="--noted")
    return int(matched[1]), int(matched[2]), matched[3]
