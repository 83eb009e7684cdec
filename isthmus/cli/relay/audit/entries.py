"""`isthmus relay audit list`."""

from __future__ import annotations

import asyncio
import difflib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
from click.shell_completion import CompletionItem

from foundation.times import NotATime, minute, moment, second
from gateway.protocol import Outcome
from gateway.relay import AuditView, AuditWanted
from isthmus.cli.admin import reported
from isthmus.cli.output import emit_json, json_option, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_agents
from isthmus.cli.tables import table, wide_option
from isthmus.explanation import reference_of
from isthmus.outcomes import REFUSED_BY_ADMISSION
from isthmus.terminal import visible, visible_json

_EVERY = 2.0
"""Seconds between two looks, while following."""
_LATE = 30.0
"""Seconds that an entry may come after newer ones: another node's clock may be behind, or its database slow."""
_AT_ONCE = 1000
"""Entries of one look, while following."""
_HEADERS = ("id", "time", "kind", "whom", "outcome", "from", "by", "reference", "detail")

Read = Callable[[AuditWanted], Awaitable[list[AuditView]]]
Sleep = Callable[[float], Awaitable[None]]


class MomentType(click.ParamType[float]):
    """A time as people write it. end: of a day its end is meant."""

    name = "time"

    def __init__(self, *, end: bool = False) -> None:
        self._end = end

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises BadParameter."""
        try:
            return moment(str(value), time.time(), end=self._end)
        except NotATime as error:
            self.fail(str(error), param, ctx)


class OutcomeType(click.ParamType[str]):
    """What can come of a credential check."""

    name = "outcome"
    known = (*(outcome.value for outcome in Outcome), REFUSED_BY_ADMISSION)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Raises BadParameter."""
        text = str(value).lower()
        if text and text not in self.known:
            near = difflib.get_close_matches(text, self.known, 1)
            hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(self.known)}"
            self.fail(f"{value!r} is not an outcome; {hint}", param, ctx)
        return text

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Those that begin so."""
        return [CompletionItem(outcome) for outcome in self.known if outcome.startswith(incomplete)]


class ReferenceType(click.ParamType[str]):
    """A reference as somebody reads it out."""

    name = "reference"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Raises BadParameter."""
        try:
            return reference_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command("list")
@relay_config
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="Maximum number of entries.")
@click.option("--before", metavar="ID", help="Only entries before this one.")
@click.option("--since", type=MomentType(), help="Only entries since then: 2h (ago), today, 2026-11-30, 2026-11-30 09:15.")
@click.option(
    "--until", type=MomentType(end=True), help="Only entries until then, or until the end of that day. Default zone: UTC."
)
@click.option("--person", default="", help="Only this user's entries: a GUID or any name; finds all names of the account.")
@click.option("--user", "subject", default="", help="Only this user name, or agent, exactly as recorded.")
@click.option("--kind", default="", help="Only this kind: signin, agent.enrolled, …; `admin` is every admin.…")
@click.option("--agent", default="", shell_complete=complete_agents, help="Only what this agent checked.")
@click.option(
    "--outcome",
    default="",
    type=OutcomeType(),
    help="Only this outcome: success, wrong_credential, …",
)
@click.option(
    "--reference",
    "--correlation-id",
    "correlation_id",
    type=ReferenceType(),
    help="Only this request: what the page shows, or X-Correlation-Id. See also `isthmus relay explain`.",
)
@click.option("--follow", "-f", is_flag=True, help="Show new entries as they come, from --since or now on, until Ctrl-C.")
@wide_option
@json_option
def list_audit(config: Path, as_json: bool, follow: bool, **chosen: Any) -> None:
    """Show the trail, newest first.

    \b
    Examples:
      isthmus relay audit list --person anna@corp.example.com --since 2d
      isthmus relay audit list --outcome wrong_credential --since today --follow
      isthmus relay audit list --kind admin --since 1w
      isthmus relay audit list --kind agent.enrolled --json

    With --follow, --json prints one object on each line.
    """
    since, until = chosen["since"], chosen["until"]
    if since is not None and until is not None and since >= until:
        raise click.UsageError(f"--since ({second(since)}) is not before --until ({second(until)}).")
    if follow and (chosen["before"] or until is not None):
        raise click.UsageError("--follow continues with new entries: leave out --before and --until.")
    admin = open_administrator(config)
    wanted = AuditWanted(**{**chosen, "correlation_id": chosen["correlation_id"] or ""})  # type: ignore[typeddict-item]
    if follow:
        run_async(_follow(lambda query: reported(admin.audit(**query)), wanted, as_json=as_json))
        return
    views = run_async(reported(admin.audit(**wanted)))
    if as_json:
        emit_json(views)
        return
    searched = any(value for name, value in chosen.items() if name != "limit")
    exactly = " --user needs the name exactly as typed; --person finds all names of a user." if chosen["subject"] else ""
    nothing = f"No entry matches.{exactly}"
    empty = nothing if searched else "The trail is empty."
    table(_HEADERS, [_row(view) for view in views], empty, drop=("by", "id", "from", "kind", "reference"), prose=("detail",))
    if len(views) == chosen["limit"]:
        click.echo(f"There may be older ones: --before {views[-1].id}, or a higher --limit.", err=True)


def _who(view: AuditView) -> list[str]:
    """The agent that checked; whoever did it, where there was none, or where it was no user but an administrator."""
    return [name for name in (view.actor if view.actor.startswith("admin:") else "", view.agent) if name] or [view.actor]


def _row(view: AuditView) -> Sequence[str]:
    return (
        view.id,
        minute(view.time),
        view.kind,
        view.subject or "-",
        view.outcome or "-",
        view.address or "-",
        ", ".join(_who(view)),
        view.correlation_id or "-",
        " ".join(view.detail.values()),
    )


async def _follow(read: Read, wanted: AuditWanted, *, as_json: bool) -> None:
    async for view in new_entries(read, wanted, time.time(), asyncio.sleep):
        if as_json:
            click.echo(visible_json(msgspec.json.encode(view).decode()))
        else:
            click.echo("  ".join(map(visible, [second(view.time), *_row(view)[2:]])))


async def new_entries(read: Read, wanted: AuditWanted, now: float, sleep: Sleep) -> AsyncIterator[AuditView]:
    """What is there since `now` (or `wanted["since"]`), and then whatever comes, each once, oldest first; without end."""
    start = wanted.get("since")
    since = now if start is None else start
    seen: dict[str, float] = {}
    while True:
        for view in reversed(await _all_since(read, wanted, since, seen)):
            if view.id not in seen:
                seen[view.id] = view.time
                yield view
        newest = max(seen.values(), default=since)
        since = max(since, newest - _LATE)
        seen = {entry: at for entry, at in seen.items() if at >= since}
        await sleep(_EVERY)


async def _all_since(read: Read, wanted: AuditWanted, since: float, seen: Container[str]) -> list[AuditView]:
    """Newest first, however many there are: as far as the first one that was seen."""
    found: list[AuditView] = []
    before: str | None = None
    while True:
        query = AuditWanted(**{**wanted, "since": since, "limit": _AT_ONCE, "before": before})
        page = await read(query)
        found += page
        if len(page) < _AT_ONCE or page[-1].id in seen:
            return found
        before = page[-1].id
