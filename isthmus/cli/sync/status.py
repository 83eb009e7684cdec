"""`isthmus sync status`, `history` and `errors`: what the state knows. Nothing is read from a source or target."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import click

from foundation.times import minute, second
from isthmus.cli.output import Failure, counted, emit_json, json_option
from isthmus.cli.sync.context import failures, load_sync_settings, sync_config
from isthmus.cli.tables import table, wide_option
from isthmus.sync_process import lease_holder
from isthmus.sync_settings import SyncSettings
from isthmus.terminal import visible
from sync.causes import CAUSES
from sync.run import COMPARISON, named
from sync.state import LeaseHeld, SyncRun, SyncState, open_state

_ERRORS_SHOWN = 200


@contextmanager
def open_existing(settings: SyncSettings) -> Iterator[SyncState]:
    """Only to look: where there is no state, none is made. Raises Failure, StateError."""
    if not settings.state_file.exists():
        raise Failure(f"{settings.state_file} does not exist: nothing has been run yet. Begin with: isthmus sync check")
    state = open_state(settings.state_file)
    try:
        yield state
    finally:
        state.close()


@click.command()
@sync_config
@wide_option
@json_option
def status(config: Path, as_json: bool) -> None:
    """Show the last run, how far each source was read, accounts at each target, and failures by cause with their remedy.

    \b
    Examples:
      isthmus sync status
      isthmus sync status --json | jq '.sources[] | select(.complete | not)'
    """
    settings = load_sync_settings(config)
    with failures(), open_existing(settings) as state:
        now = time.time()
        found = _status(settings, state, now)
    if as_json:
        emit_json(found)
        return
    click.echo(visible(_working(found["working"])))
    run = found["last_run"]
    click.echo(visible(f"Last run: {_run_text(run)}" if run else "Last run: none yet"))
    click.echo()
    table(
        ["source", "last read", "complete", "last complete", "objects"],
        [
            [
                one["name"],
                minute(one["read"]),
                ("yes" if one["complete"] else "NO") if one["read"] else "-",
                minute(one["completed"]),
                str(one["objects"]),
            ]
            for one in found["sources"]
        ],
        "No source.",
        drop=["last complete"],
    )
    click.echo()
    table(
        ["target", "accounts", "failures"],
        [[one["name"], str(one["accounts"]), str(one["failures"])] for one in found["targets"]],
        "No target.",
    )
    if unread := [one["name"] for one in found["sources"] if not one["complete"]]:
        click.echo()
        click.echo(visible(f"Not read to the end: {', '.join(unread)}. Nothing is planned before that: isthmus sync check"))
    if found["failures"]:
        click.echo()
        table(
            ["target", "cause", "number", "what happened", "what to do"],
            [
                [one["target"], one["cause"], str(one["number"]), one["what_happened"], one["remedy"]]
                for one in found["failures"]
            ],
            "",
            drop=["what happened"],
            prose=["what happened", "what to do"],
        )
        click.echo("Who: isthmus sync errors")


def _status(settings: SyncSettings, state: SyncState, now: float) -> dict[str, Any]:
    runs = state.journal.runs(last=50)
    counts = state.journal.failure_counts()
    sources = []
    for name in settings.sources:
        one = state.objects.status(name)
        sources.append(
            {
                "name": name,
                "read": one.at or None,
                "complete": one.complete,
                "completed": one.completed or None,
                "objects": state.objects.count(name),
            }
        )
    targets = [
        {
            "name": name,
            "accounts": state.accounts.count(name),
            "failures": sum(number for (target, _), number in counts.items() if target == name),
        }
        for name in settings.targets
    ]
    failed = [
        {"target": target, "cause": cause, "number": number, **_explained(cause)}
        for (target, cause), number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    held = lease_holder(state)
    return {
        "working": _lease(held, now),
        "last_run": next((_run_data(run, now, held) for run in runs if run.kind != COMPARISON), None),
        "sources": sources,
        "targets": targets,
        "failures": failed,
    }


def _explained(cause: str) -> dict[str, str]:
    known = CAUSES.get(cause)
    return {
        "what_happened": known.what_happened if known else "not known to this version",
        "remedy": known.remedy if known else "",
    }


def _lease(held: LeaseHeld | None, now: float) -> dict[str, Any] | None:
    return None if held is None else {"holder": held.holder, "until": held.until, "ended": held.until <= now}


def _working(lease: dict[str, Any] | None) -> str:
    if lease is None:
        return "Nobody works with the state now."
    if lease["ended"]:
        return f"{lease['holder']} was ended before it was done, or hangs: the next run takes over from it."
    return f"{lease['holder']} works with the state now; its lease lasts until {second(lease['until'])} and is renewed."


def _run_data(run: SyncRun, now: float, held: LeaseHeld | None) -> dict[str, Any]:
    if run.ended is not None:
        outcome = run.outcome
    else:
        outcome = "in progress" if held is not None and held.until > now else "ended before it was done"
    return {
        "run": run.id,
        "kind": run.kind,
        "began": run.began,
        "ended": run.ended,
        "outcome": outcome,
        "detail": "" if run.kind == COMPARISON else run.detail,
        "counts": dict(run.counts),
    }


def _run_text(run: dict[str, Any]) -> str:
    took = f", took {run['ended'] - run['began']:.0f} s" if run["ended"] is not None else ""
    text = f"{run['run']} ({run['kind']}), began {minute(run['began'])}{took}: {run['outcome']}"
    return ", ".join([text, *filter(None, [_counts(run["counts"])])]) + (
        f". {' '.join(run['detail'].split())}" if run["detail"] else ""
    )


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name}" for name, number in counts.items() if number)


@click.command()
@sync_config
@click.option("--last", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many runs.")
@wide_option
@json_option
def history(config: Path, last: int, as_json: bool) -> None:
    """List the last runs, the youngest first: what they were, how they ended, and how many operations were confirmed.

    A `comparison` says that every source had been read in full, and that everybody is compared.

    \b
    Example:
      isthmus sync history --last 100
    """
    settings = load_sync_settings(config)
    with failures(), open_existing(settings) as state:
        now, held = time.time(), lease_holder(state)
        rows = [_run_data(run, now, held) for run in state.journal.runs(last=last)]
    if as_json:
        emit_json(rows)
        return
    table(
        ["run", "kind", "began", "took", "outcome", "operations", "why"],
        [
            [
                str(row["run"]),
                row["kind"],
                second(row["began"]),
                f"{row['ended'] - row['began']:.0f} s" if row["ended"] is not None else "-",
                row["outcome"],
                _counts(row["counts"]) or "-",
                " ".join(row["detail"].split()) or "-",
            ]
            for row in rows
        ],
        "No run yet.",
        drop=["took", "kind"],
        prose=["why", "operations"],
    )


@click.command()
@sync_config
@click.option("--target", metavar="NAME", help="Only at this target.")
@wide_option
@json_option
def errors(config: Path, target: str | None, as_json: bool) -> None:
    """List accounts that a target would not take: whose, why, since when, when they are tried again, and what to do.

    Each is tried again after 6, 12 and then every 24 hours, and sooner when its object changes.

    \b
    Examples:
      isthmus sync errors
      isthmus sync errors --target scim --json
    """
    settings = load_sync_settings(config)
    if target is not None and target not in settings.targets:
        raise click.UsageError(f"There is no target {target!r}; there are: {', '.join(settings.targets)}.")
    with failures(), open_existing(settings) as state:
        chosen = (one for one in state.journal.failures() if target is None or one.target == target)
        rows: list[dict[str, Any]] = [
            {
                "target": one.target,
                "who": _name(state, one.target, one.person),
                "cause": one.cause,
                "detail": one.detail,
                "attempts": one.attempts,
                "since": one.since,
                "due": one.due,
                **_explained(one.cause),
            }
            for one in (chosen if as_json else islice(chosen, _ERRORS_SHOWN + 1))
        ]
    if as_json:
        emit_json(rows)
        return
    table(
        ["target", "who", "cause", "detail", "tries", "since", "next try", "what to do"],
        [
            [
                row["target"],
                row["who"],
                row["cause"],
                " ".join(row["detail"].split()) or "-",
                str(row["attempts"]),
                minute(row["since"]),
                minute(row["due"]),
                row["remedy"] or "-",
            ]
            for row in rows[:_ERRORS_SHOWN]
        ],
        "No target has refused anything.",
        drop=["since", "tries", "target"],
        prose=["detail", "what to do"],
    )
    if len(rows) > _ERRORS_SHOWN:
        click.echo(f"The first {counted(_ERRORS_SHOWN, 'failure')} are shown; --json has all of them.")


def _name(state: SyncState, target: str, person: int) -> str:
    """Of who has left, only the account still has a name."""
    found, account = state.persons.find(person), state.accounts.find(person, target)
    names = (named(one.values) for one in (found, account) if one is not None)
    return next(filter(None, names), f"person {person}")
