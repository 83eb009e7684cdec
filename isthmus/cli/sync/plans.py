"""`isthmus sync plan` and `isthmus sync apply`."""

from __future__ import annotations

from pathlib import Path

import click

from isthmus.cli.output import FILE, REFUSED, Failure, emit_json, json_option
from isthmus.cli.sync.context import failures, in_session, load_sync_settings, sync_config
from isthmus.cli.sync.plan_output import (
    failed_to_write,
    print_plan,
    print_reading,
    print_written,
    stop_advice,
    write_page,
)
from isthmus.cli.tables import wide_option
from isthmus.sync_process import SyncSession
from isthmus.terminal import visible_lines
from sync.plan import PlanFile, PlanHeader
from sync.run import SourceRead, Written


class _Undone(Exception):
    """Takes back what was computed for a look only."""


@click.command()
@sync_config
@click.argument("file", type=FILE)
@click.option("--page", type=FILE, metavar="FILE.html", help="Also write the plan as an HTML page.")
@click.option("--full", is_flag=True, help="Read every source in full, and compare everybody.")
@click.option("--rules", type=FILE, metavar="NEW.toml", help="Show what these rules would do.")
@wide_option
@json_option
def plan(config: Path, file: Path, page: Path | None, full: bool, rules: Path | None, as_json: bool) -> None:
    """Read the sources, and write what would be done to FILE. Nothing is written to a target.

    FILE and page replace what is there. Both hold personal data, and only their owner can read them (mode 0600).

    With --rules, everybody is computed by other rules, and what was computed is forgotten again: such a plan is to be looked
    at. To apply it, put the rules into `rules_file` of the settings, and plan again.

    \b
    Exit codes: 0 the plan may be applied, 1 the guard has stopped it, or there
                is none, 2 wrong usage, 3 a target was not reachable.

    \b
    Examples:
      isthmus sync plan today.plan --page today.html
      isthmus sync plan what-if.plan --rules new-rules.toml
    """
    settings = load_sync_settings(config)

    async def work(session: SyncSession) -> tuple[tuple[SourceRead, ...], PlanHeader]:
        with session.run("plan") as run:
            if rules is not None:
                read, header = await _preview(session, run, file)
            else:
                read = await session.read(run, full=full)
                header = await session.sync.plan(file)
            session.sync.end_done(run)
            return read, header

    read, header = in_session(settings, "plan", work, rules_file=rules)
    with failures():
        if page is not None:
            write_page(file, page)
        if as_json:
            emit_json({"file": str(file), "page": str(page) if page else None, "plan": header})
        else:
            print_reading(read)
            click.echo()
            print_plan(file)
            _say_next(config, file, page, header, preview=rules is not None)
    if header.stops:
        raise SystemExit(REFUSED)


async def _preview(session: SyncSession, run: int, file: Path) -> tuple[tuple[SourceRead, ...], PlanHeader]:
    """By rules that are not in force: in a transaction that is taken back. In full, since they may read other attributes."""
    read = await session.read_only(run)
    header: PlanHeader | None = None
    try:
        with session.state.transaction():
            session.state.marks.affect_everything()
            header = await session.sync.plan(file)
            raise _Undone
    except _Undone:
        assert header is not None  # noqa: S101 - set just before
        return read, header


def _say_next(config: Path, file: Path, page: Path | None, header: PlanHeader, *, preview: bool) -> None:
    written = f"The plan is in {file}" + (f", its page in {page}." if page else ".")
    if preview:
        then = "It shows what the rules would do, and cannot be applied: put them into rules_file of the settings first."
    elif header.stops:
        then = stop_advice(header, f"isthmus sync plan {file} --config {config}")
    elif header.total:
        then = f"Look at it. Then: isthmus sync apply {file} --config {config}"
    else:
        then = "There is nothing to apply."
    click.echo(visible_lines(f"{written}\n{then}"))


@click.command()
@sync_config
@click.argument("file", type=FILE)
@json_option
def apply(config: Path, file: Path, as_json: bool) -> None:
    """Do exactly what the plan in FILE says, or nothing.

    The sources are read again first. If anything that the plan rests on has changed since (an object, the rules, an
    account), or the guard has stopped the plan, nothing is written, and the message says where and why.

    Members and managers of accounts that a plan creates come with the next plan, or the next `isthmus sync run`.

    \b
    Exit codes: 0 done, 1 the plan was not applied, or a target refused some of
                it, 2 wrong usage, 3 a target was not reachable.

    \b
    Example:
      isthmus sync apply today.plan
    """
    settings = load_sync_settings(config)
    with failures(), PlanFile(file) as opened:
        header = opened.header

    async def work(session: SyncSession) -> Written:
        _check_rules(file, header, session.loaded.edition)
        with session.run("apply") as run:
            await session.read(run, full=False)
            written = await session.sync.apply(run, file)
            session.sync.end_done(run, written)
            return written

    written = in_session(settings, "apply", work)
    if as_json:
        emit_json({"file": str(file), "plan": header.id, "written": written})
    else:
        print_written(written)
        if any(kinds.get("create") or kinds.get("adopt") for kinds in header.operations.values()):
            click.echo("Members and managers of new accounts come with the next plan, or with: isthmus sync run")
    if failed_to_write(written):
        raise SystemExit(REFUSED)


def _check_rules(file: Path, header: PlanHeader, edition: str) -> None:
    if header.marks.get("rules") != edition:
        raise Failure(
            f"{file} was made with other rules than those that are in force now; nothing was written to a target. "
            "Put the rules that you want into rules_file of the settings, and make a new plan"
        )
