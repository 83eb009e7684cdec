"""Plans and what came of them, on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from isthmus.cli.output import Failure, counted
from isthmus.cli.tables import table
from isthmus.terminal import visible, visible_lines
from sync.plan import (
    PlanFile,
    PlanHeader,
    PlanTable,
    cause_table,
    note_table,
    operation_table,
    plan_page,
    stop_table,
    summary_table,
)
from sync.run import SourceRead, Written

_PROSE = ("CAUSE", "DECIDE ON", "HELD", "WHAT", "WHY")
_DROP = ("KEY", "#", "TARGET")


def print_plan(path: Path) -> None:
    """The tables of a plan. Raises PlanDamaged."""
    with PlanFile(path) as plan:
        for shown in _tables(plan):
            click.secho(visible(shown.title), bold=True)
            table(shown.headers, shown.rows, "Nothing to do.", drop=_DROP, prose=_PROSE)
            if shown.cut:
                click.echo(shown.cut)
            click.echo()


def _tables(plan: PlanFile) -> Iterator[PlanTable]:
    header = plan.header
    yield summary_table(header)
    if header.stops:
        yield stop_table(header)
    if header.causes:
        yield cause_table(header)
    if header.total or header.held:
        yield operation_table(header, plan.lines())
    if header.problems or header.rewritten:
        yield note_table(header, plan.lines())


def write_page(plan: Path, page: Path) -> None:
    """The page of a plan, mode 0600, whole or not at all, in place of what is there. Raises PlanDamaged, Failure."""
    from certs import KeyStoreError, atomic_write

    with PlanFile(plan) as opened:
        text = "".join(plan_page(opened.header, opened.lines()))
    try:
        atomic_write(page, text.encode())
    except (KeyStoreError, OSError) as error:
        raise Failure(f"the plan is in {plan}, but its page was not written: {error}") from error


def print_reading(read: Sequence[SourceRead]) -> None:
    """What was read, a line for each source."""
    for one in read:
        how = "in full" if one.full else "what changed"
        click.echo(visible(f"{one.source}: read {how}, {counted(one.told, 'object')}, {one.changed} of them changed"))


def stop_advice(header: PlanHeader, again: str) -> str:
    """What to do about a plan that the guard has stopped. again: the command that plans anew."""
    why = counted(len(header.stops), "reason")
    return (
        f"The guard has stopped this plan, for {why} above; nothing was written to a target. If what it shows is wrong, "
        f"correct the source or the rules. If it is right, raise the limit in [guard] of the settings. "
        f"Then: {again}"
    )


def written_text(written: Written) -> str:
    """What came of operations, with what to do about those that were not done."""
    lines = [f"{counted(written.confirmed, 'operation')} confirmed."]
    if written.refused:
        lines.append(f"{written.refused} refused. Which, why, and what to do: isthmus sync errors")
    if written.later:
        lines.append(f"{written.later} not done yet; each is tried again at the time that isthmus sync errors shows.")
    if written.unknown:
        lines.append(f"{written.unknown} without a known outcome; the next run asks the target before it does anything.")
    return "\n".join(lines)


def print_written(written: Written) -> None:
    """In sentences."""
    click.echo(visible_lines(written_text(written)))


def failed_to_write(written: Written) -> bool:
    """Whether somebody has to look."""
    return bool(written.refused or written.unknown)
