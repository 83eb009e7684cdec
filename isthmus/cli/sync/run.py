"""`isthmus sync run`."""

from __future__ import annotations

from pathlib import Path

import click

from isthmus.cli.output import REFUSED, Failure, counted, emit_json, json_option
from isthmus.cli.sync.context import in_session, load_sync_settings, sync_config
from isthmus.cli.sync.plan_output import (
    failed_to_write,
    print_plan,
    print_reading,
    print_written,
    stop_advice,
)
from isthmus.cli.tables import wide_option
from isthmus.sync_process import SyncSession
from isthmus.sync_settings import SyncSettings
from isthmus.terminal import visible
from sync.plan import PlanDamaged, PlanFile, PlanHeader
from sync.run import GuardStopped, RunReport, SourceRead


@click.command("run")
@sync_config
@click.option("--full", is_flag=True, help="Read every source in full, and compare everybody.")
@click.option("--staging", is_flag=True, help="Do everything but write to targets: read, plan, and show the plan.")
@wide_option
@json_option
def command(config: Path, full: bool, staging: bool, as_json: bool) -> None:
    """Read what changed, plan, and write what the guard permits, once.

    Everything is read in full and compared with --full, at least once a week, and when rules, sources or targets have
    changed in the settings. If the guard stops, nothing is written to any target.

    The plans of the last runs are in `plans` in the state directory.

    \b
    Exit codes: 0 done, 1 stopped by the guard, failed, or a target refused
                something, 2 wrong usage, 3 a target was not reachable.

    \b
    Examples:
      isthmus sync run
      isthmus sync run --staging
    """
    settings = load_sync_settings(config)
    if staging:
        _run_staging(settings, config, full=full, as_json=as_json)
    else:
        _run(settings, config, full=full, as_json=as_json)


def _run(settings: SyncSettings, config: Path, *, full: bool, as_json: bool) -> None:
    async def work(session: SyncSession) -> RunReport | GuardStopped:
        compares = full or session.comparison_due()
        try:
            return await session.sync.run(
                session.make_plans_dir(),
                full=compares,
                when_read=session.note_comparison if compares else lambda: None,
            )
        except GuardStopped as stopped:
            return stopped

    report = in_session(settings, "run", work)
    if isinstance(report, GuardStopped):
        _tell_stop(report, config, as_json=as_json)
        return
    if as_json:
        emit_json({"run": report.run, "read": report.read, "plans": report.plans, "written": report.written})
    else:
        print_reading(report.read)
        click.echo(f"Run {report.run}:")
        print_written(report.written)
        last = report.plans[-1]
        if last.held or last.problems:
            text = f"{counted(last.held, 'operation')} held and {counted(last.problems, 'problem')} in the plan"
            click.echo(f"{text}. See them: isthmus sync plan FILE --config {config}")
    if failed_to_write(report.written):
        raise SystemExit(REFUSED)


def _tell_stop(stopped: GuardStopped, config: Path, *, as_json: bool) -> None:
    if as_json:
        raise Failure(str(stopped)) from stopped
    try:
        print_plan(stopped.path)
        with PlanFile(stopped.path) as plan:
            header = plan.header
    except PlanDamaged:
        raise Failure(str(stopped)) from stopped
    click.echo(visible(f"The plan is in {stopped.path}."))
    click.echo(visible(stop_advice(header, f"isthmus sync run --config {config}")))
    raise SystemExit(REFUSED)


def _run_staging(settings: SyncSettings, config: Path, *, full: bool, as_json: bool) -> None:
    async def work(session: SyncSession) -> tuple[int, tuple[SourceRead, ...], Path, PlanHeader]:
        with session.run("staging") as run:
            read = await session.read(run, full=full)
            path = session.make_plans_dir() / f"staging-{run}.plan"
            header = await session.sync.plan(path)
            session.sync.end_done(run)
            return run, read, path, header

    run, read, path, header = in_session(settings, "run --staging", work)
    if as_json:
        emit_json({"run": run, "read": read, "file": str(path), "plan": header})
    else:
        print_reading(read)
        click.echo()
        print_plan(path)
        click.echo(visible(f"The plan is in {path}. Nothing was written to a target, because of --staging."))
        if header.stops:
            click.echo(visible(stop_advice(header, f"isthmus sync run --staging --config {config}")))
    if header.stops:
        raise SystemExit(REFUSED)
