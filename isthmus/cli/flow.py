"""The one way in which a command changes something.

    plan ─► save ─► show ─► confirm ─► apply, with progress ─► how it ended: text or JSON, and the exit code
                                          ▲
             interrupted, or waiting ─────┘  the same command again

A plan is shown before anything is changed. On a terminal somebody types a name, because the wrong window is the commonest
mistake; elsewhere only `--yes` will do. With `--json` standard output has one answer: the plan, or with `--yes` the outcome.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from foundation.times import minute
from isthmus.cli.output import FILE, REFUSED, Failure, FiniteRange, emit_json, emit_said, run_async, wrapped
from isthmus.cli.reports import show_finding
from isthmus.terminal import visible, visible_lines

if TYPE_CHECKING:
    from foundation.procedures import Plan, Progress, Record, RunResult, Step

yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
save_option = click.option("--save", type=FILE, help="Save the plan, to review it and apply it later.")
plan_option = click.option("--plan", "plan_file", type=FILE, help="Apply a saved plan.")
patience_option = click.option(
    "--patience",
    type=FiniteRange(0),
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="Maximum time to wait. If more is needed, the command ends, and `apply` continues later.",
)

_INTERRUPTED = (
    "Interrupted. Completed steps are in the journal; a command that was running may still take effect.\n"
    "Run `apply` again (for servers: `--resume`): it checks what took effect and continues."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How somebody wants something to be done."""

    yes: bool
    as_json: bool

    @property
    def shows_plan(self) -> bool:
        """A program that has said yes gets the outcome only."""
        return not (self.yes and self.as_json)


# -- plan, save, show


def show_plan(plan: Plan[Any]) -> None:
    """The whole plan, with what its preflight found."""
    from foundation.procedures import plan_text

    headline, made, *steps = plan_text(plan).split("\n")
    click.secho(visible(headline), bold=True)
    click.echo(visible(made))
    if plan.findings:
        click.echo()
    for finding in plan.findings:
        show_finding(finding.status, f"{finding.name}: {finding.seen}", finding.remedy)
    for line in steps:
        click.echo(wrapped(line, " " * _continued(line)))
    click.echo()


def _continued(line: str) -> int:
    """Where a line of a plan continues that was broken: behind its bullet, or its word (`do`, `undo`)."""
    text = line.lstrip()
    lead = len(line) - len(text)
    return lead + 2 if text.startswith("- ") else lead + 6 if lead else 0


def save_plan(plan: Plan[Any], path: Path, manner: Manner) -> None:
    """For a reviewer, and for whoever applies it. Raises PlanUnusable."""
    from foundation.procedures import save

    save(plan, path)
    text = (
        f"Plan {plan.digest} is saved in {path}. Apply it with --plan {path}; it is refused if anything has changed by then."
    )
    click.echo(text, err=manner.as_json)


# -- confirm


def confirm(question: str, expected: str, manner: Manner) -> None:
    """Ask for a word, such as the farm's name; elsewhere than on a terminal only `--yes` will do. Raises Failure."""
    if manner.yes:
        return
    if manner.as_json or not someone_is_there():
        raise Failure("nothing was changed, because nobody could be asked to confirm; use --yes")
    try:
        typed = ask(question)
    except click.Abort:
        click.echo("\nNothing was changed.", err=True)
        raise
    if typed.casefold() != expected.casefold():
        raise Failure(f"that is not {expected}; nothing was changed")


def ask(question: str) -> str:
    """What somebody types, without blanks around it; empty for nothing."""
    typed: str = click.prompt(question, default="", show_default=False, err=True)
    return typed.strip()


def someone_is_there() -> bool:
    """Whether standard input is a terminal."""
    return sys.stdin.isatty()


# -- apply


@contextmanager
def progress() -> Iterator[Callable[[Progress], None]]:
    """A line for each stage that is completed and what is going on below, on a terminal. Elsewhere log lines, and a line for
    each stage that is completed where the log leaves it out (`level`)."""
    if not sys.stderr.isatty():
        import structlog

        log, logged = structlog.get_logger(), logging.getLogger().isEnabledFor(logging.INFO)

        def note(seen: Progress) -> None:
            log.info(f"procedure.{seen.event}", stage=seen.step.stage, title=seen.step.title, text=seen.text)
            if seen.event == "completed" and not logged:
                click.echo(visible(f"done: {seen.step.title}: {seen.text}"), err=True)

        yield note
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(stderr=True, highlight=False)
    with console.status("Looking") as status:

        def tell(seen: Progress) -> None:
            if seen.event == "completed":
                console.print(f"[green]✓[/] {escape(visible(f'{seen.step.title}: {seen.text}'))}")
            status.update(escape(visible(f"{seen.step.title}: {seen.text[:100]}")))

        yield tell


def follow(work: Callable[[Callable[[Progress], None]], Coroutine[Any, Any, RunResult]]) -> RunResult:
    """Do it, and show what is going on. Interrupted (Ctrl-C), it says how to go on."""
    try:
        with progress() as tell:
            return run_async(work(tell))
    except KeyboardInterrupt:
        click.echo(_INTERRUPTED, err=True)
        raise


def show_result(result: RunResult, data: Mapping[str, Any], manner: Manner) -> None:
    """How a run ended of work that may wait for days; `data`: the same for programs. Raises click's Exit with 1 where
    something went wrong."""
    from foundation.procedures import End, record_text, step_text

    if manner.as_json:
        emit_json(data)
    elif result.end is End.DONE:
        click.echo(visible_lines(record_text(result.record, result.step, {})))
    elif result.end is End.STOPPED:
        click.echo(visible_lines(f"Stopped: {result.problem}"))
        click.echo("Run `apply` again to continue from here, or `rollback` to roll back.")
    else:
        click.echo(visible_lines(step_text(result.step)))
    if result.end in {End.REFUSED, End.STOPPED}:
        raise click.exceptions.Exit(REFUSED)


def show_outcome(result: RunResult, remedy: str, code: int, notes: Sequence[str], manner: Manner) -> None:
    """How work ended that is done in one go, and what is left for people. Raises Failure with `code` where it did not end;
    `remedy`: what to do then."""
    from foundation.procedures import End

    record = result.record
    if result.end is not End.DONE:
        reasons = result.problem or "; ".join([*result.step.reasons, *map(str, result.step.missing)])
        raise Failure(f"{reasons.rstrip('.')}. {remedy}", code)
    text = f"{record.outcome[:1].upper()}{record.outcome[1:]} at {minute(record.finished)}."
    data = {"id": record.id, "kind": record.kind, "outcome": record.outcome, "finished": record.finished}
    left = [wrapped(f"  - {note}", " " * 4) for note in notes]
    emit_said("\n".join([text, *(["Left for you:"] if left else []), *left]), as_json=manner.as_json, **data)


def show_standing(
    standing: tuple[Record[Any], Step] | None,
    titles: Mapping[str, str],
    nothing: str,
    data: Mapping[str, Any],
    manner: Manner,
) -> None:
    """Where work stands, and what it waits for. `titles`: of its stages; `nothing`: what is said where none was ever
    started."""
    from foundation.procedures import record_text

    text = nothing
    if standing is not None:
        lines = record_text(*standing, titles).splitlines()
        text = "\n".join(wrapped(line, " " * (len(line) - len(line.lstrip()) + 4)) for line in lines)
    emit_said(text, as_json=manner.as_json, **data)
