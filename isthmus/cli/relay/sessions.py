"""`isthmus relay sessions`: who is signed in, and the end of that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from foundation.times import minute
from isthmus.cli.admin import reported
from isthmus.cli.flow import Manner, confirm, yes_option
from isthmus.cli.output import Failure, counted, emit_json, json_option, options, run_async
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_trusts
from isthmus.cli.tables import table, wide_option
from isthmus.terminal import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gateway.administrator import Administrator
    from gateway.federation import SessionListView, SessionSelection
    from gateway.relay import DepartureView, SessionsEndedView

_SHOWN = 20
"""Sessions that are shown before they are ended."""
_selected = options(
    click.option("--user", default="", help="Sessions of one user: name as typed at a sign-in, or GUID."),
    click.option("--session", default="", metavar="ID", help="One session, as `list` names it."),
    click.option("--trust", default="", shell_complete=complete_trusts, help="Sessions that signed in to this application."),
)


@click.group()
def sessions() -> None:
    """Sessions of users who are signed in with a browser: list them, end them."""


@sessions.command("list")
@relay_config
@_selected
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, help="Maximum number to show.")
@wide_option
@json_option
def list_sessions(config: Path, user: str, session: str, trust: str, limit: int, as_json: bool) -> None:
    """List sessions, those used last first, with the applications that were signed in to.

    \b
    Examples:
      isthmus relay sessions list
      isthmus relay sessions list --user anna@corp.example.com
      isthmus relay sessions list --trust grafana --json | jq '.sessions'
    """
    view = _look(open_administrator(config), _selection(user, session, trust), limit)
    if as_json:
        emit_json(view)
        return
    _show(view)


@sessions.command("revoke")
@relay_config
@_selected
@click.option("--all", "everybody", is_flag=True, help="All sessions of all users.")
@yes_option
@json_option
def revoke_sessions(config: Path, user: str, session: str, trust: str, everybody: bool, yes: bool, as_json: bool) -> None:
    """End sessions, and what applications were given with them. Applications that can be told are told.

    With --user, --trust and --all this includes refresh tokens that outlive sessions ("access while you aren't signed
    in"). Users can sign in again; to prevent that, disable the account in AD or the trust. An application's own session
    ends when the application is told; "not reached" and "no way to tell it" name those where that has to be done there.

    \b
    Examples:
      isthmus relay sessions revoke --user anna@corp.example.com
      isthmus relay sessions revoke --session 3f0d5a5c6e3bb2d3a7c1f0a4b7b0e9d1
      isthmus relay sessions revoke --trust grafana --yes --json
      isthmus relay sessions revoke --all
    """
    selection = _selection(user, session, trust)
    if selection.named + everybody != 1:
        raise click.UsageError("give one of --user, --session, --trust and --all")
    admin, manner = open_administrator(config), Manner(yes=yes, as_json=as_json)
    if manner.shows_plan:
        _plan(_look(admin, selection, _SHOWN), selection, as_json)
    word = "all" if everybody else user or trust or "session"
    confirm(f"Type {visible(word)} to end them", word, manner)
    ended = run_async(reported(admin.revoke_sessions(selection, everybody=everybody)))
    if as_json:
        emit_json(ended)
    else:
        _tell(ended)


def _selection(user: str, session: str, trust: str) -> SessionSelection:
    from gateway.federation import SessionSelection

    return SessionSelection(user=user.strip(), session=session.strip(), trust=trust.strip())


def _look(admin: Administrator, selection: SessionSelection, limit: int) -> SessionListView:
    if selection.named > 1:
        raise click.UsageError("give one of --user, --session and --trust")
    return run_async(reported(admin.sessions(selection, limit)))


def _plan(view: SessionListView, selection: SessionSelection, as_json: bool) -> None:
    if selection.session and not view.total:
        raise Failure(f"there is no session {selection.session}, or it has ended")
    if as_json:
        return
    _show(view)
    more = "" if selection.session else ", and refresh tokens that outlive sessions"
    click.echo(f"{counted(view.total, 'session')} of {counted(view.people, 'user')} will end{more}.")


def _show(view: SessionListView) -> None:
    rows = [
        [
            entry.user,
            minute(entry.signed_in_at),
            minute(entry.seen_at),
            minute(entry.expires_at),
            entry.address or "-",
            ", ".join(entry.applications) or "-",
            entry.id,
        ]
        for entry in view.sessions
    ]
    headers = ["user", "signed in", "last used", "ends", "from", "applications", "id"]
    table(headers, rows, "No session.", drop=("ends", "last used", "from", "signed in"), prose=("applications",))
    if view.total > len(view.sessions):
        click.echo(f"{view.total - len(view.sessions)} more are not shown.", err=True)


def _tell(ended: SessionsEndedView) -> None:
    click.echo(f"{counted(ended.sessions, 'session')} and {counted(ended.grants, 'grant')} of applications ended.")
    show_departures(ended.departures)


def show_departures(departures: Sequence[DepartureView]) -> None:
    """What came of the applications in sessions that ended."""
    rows = [[view.application, str(view.told), str(view.failed), str(view.no_way)] for view in departures]
    if rows:
        table(["application", "told", "not reached", "no way to tell it"], rows, "", prose=("application",))
