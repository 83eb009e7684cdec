"""`isthmus relay trust`: which applications sign users in through this relay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from foundation.times import minute
from gateway.federation import TrustChangeView, TrustView
from isthmus.cli.admin import reported
from isthmus.cli.flow import Manner, confirm, yes_option
from isthmus.cli.lazy import LazyGroup
from isthmus.cli.output import Failure, counted, emit_json, emit_said, json_option, run_async
from isthmus.cli.private_files import check_new, private_output
from isthmus.cli.relay.context import open_administrator, relay_config
from isthmus.cli.relay.names import complete_trusts
from isthmus.cli.tables import table, wide_option
from isthmus.terminal import visible, visible_lines

_HERE = "isthmus.cli.relay.trusts"
_EDITING = "isthmus.cli.relay.trust_edits"
_PARTS = {
    "add": ("isthmus.cli.relay.trust_addition:add", "Add the trust of an application, from a preset or options."),
    "list": (f"{_HERE}:list_trusts", "List the trusts."),
    "show": (f"{_HERE}:show", "Show one trust."),
    "test": ("isthmus.cli.relay.trust_test:test", "Find out what is wrong with a trust."),
    "import": ("isthmus.cli.relay.trust_import:import_trusts", "Add or change trusts from files or SAML metadata."),
    "export": (f"{_HERE}:export", "Print a trust, or all, as TOML, for files or `import`."),
    "refresh": (f"{_EDITING}:refresh", "Fetch the metadata of a SAML trust now."),
    "logo": ("isthmus.cli.relay.trust_logo:logo", "Show the logo of an application on the pages."),
    "remove": (f"{_HERE}:remove", "Remove a trust."),
    "enable": (f"{_EDITING}:enable", "Let users sign in to the application again."),
    "disable": (f"{_EDITING}:disable", "Let nobody sign in to the application."),
    "test-users": (f"{_EDITING}:test_users", "Limit an application that is not live yet to test users."),
    "secret": (f"{_EDITING}:secret", "Secrets of OpenID Connect clients."),
}


@click.group("trust", cls=LazyGroup, parts=_PARTS)
def command() -> None:
    """Applications that sign users in through this relay (OpenID Connect, SAML).

    A change takes effect on all nodes within seconds, without a restart, and is recorded in the audit trail. A trust that
    comes from a file in `trusts_dir` is changed in that file.
    """


@click.command("list")
@relay_config
@wide_option
@json_option
def list_trusts(config: Path, as_json: bool) -> None:
    """List the trusts. Files in `trusts_dir` that are not in force, with their mistakes, are listed on standard error.

    \b
    Example:
      isthmus relay trust list --json | jq -r '.[] | .id + " " + .state'
    """
    admin = open_administrator(config)
    views, files = run_async(reported(admin.trusts())), run_async(reported(admin.trust_files()))
    if as_json:
        emit_json(views)
        return
    rows = [
        [
            view.id,
            view.name,
            view.protocol,
            view.state,
            view.identifier,
            view.origin,
            minute(view.changed_at),
            view.changed_by,
        ]
        for view in views
    ]
    headers = ["id", "name", "protocol", "state", "client or entity ID", "from", "changed", "by"]
    empty = "No trusts: isthmus relay trust add --preset NAME"
    table(headers, rows, empty, drop=("by", "changed", "from", "client or entity ID", "name"), prose=("name",))
    for view in views:
        if view.state == "unreadable":
            click.echo(visible_lines(view.why), err=True)
    for problem in files.values():
        click.echo(visible_lines(problem), err=True)


@click.command("show")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@json_option
def show(config: Path, trust: str, as_json: bool) -> None:
    """Show one trust: state, version, and its settings that are not defaults.

    \b
    Example:
      isthmus relay trust show grafana
    """
    view = run_async(reported(open_administrator(config).trust(trust)))
    if as_json:
        emit_json(view)
        return
    state = f"{view.state}: {view.why}" if view.why else view.state
    origin = "a command" if view.origin == "command" else view.origin.replace(":", " ", 1)
    click.echo(visible(f"{view.id}: {state}"))
    click.echo(visible(f"version {view.version} of {minute(view.changed_at)}, by {view.changed_by}, from {origin}"))
    click.echo()
    click.echo(visible_lines(view.document.strip()))


@click.command("export")
@relay_config
@click.argument("trust", shell_complete=complete_trusts, required=False)
@click.option("--all", "is_all", is_flag=True, help="All trusts, each into a file ID.toml of the folder --output.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="File to create; with --all a folder. [default: standard output]",
)
@json_option
def export(config: Path, trust: str | None, is_all: bool, output: Path | None, as_json: bool) -> None:
    """Print a trust as TOML, for a file in `trusts_dir` or `isthmus relay trust import`. It has no secrets, only digests.

    \b
    Examples:
      isthmus relay trust export grafana --output grafana.toml
      isthmus relay trust export --all --output trusts
    """
    if (trust is None) != is_all:
        raise click.UsageError("give a trust, or --all")
    admin = open_administrator(config)
    if trust is None:
        if output is None and not as_json:
            raise click.UsageError("--all needs --output FOLDER, or --json")
        # a list has no documents
        _export_all(
            [run_async(reported(admin.trust(view.id))) for view in run_async(reported(admin.trusts()))], output, as_json
        )
        return
    view = run_async(reported(admin.trust(trust)))
    if as_json:
        emit_json({"id": view.id, "document": view.document})
        return
    with private_output(output) as file:
        file.write(view.document.encode())


def _export_all(views: Sequence[TrustView], folder: Path | None, as_json: bool) -> None:
    """Each into a file of its own: several documents one after the other are no document."""
    if as_json or folder is None:
        emit_json([{"id": view.id, "document": view.document} for view in views])
        return
    files = {view.id: folder / f"{view.id}.toml" for view in views}
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise Failure(f"{folder} cannot be made ({error.strerror}); choose another folder for --output") from error
    for file in files.values():
        check_new(file)  # before the first is written
    for view in views:
        with private_output(files[view.id]) as output:
            output.write(view.document.encode())
    click.echo(visible(f"{folder}: {counted(len(views), 'trust')}."))


def show_change(view: TrustChangeView) -> None:
    """One line for a trust, with the lines of its document that differ, and one for each warning."""
    words = {"add": "is new", "change": f"changes ({', '.join(view.changed) or 'comments only'})", "none": "is unchanged"}
    click.echo(visible(f"{view.id} {words[view.action]}"))
    for line in view.difference.splitlines():
        click.secho(visible(f"  {line}"), fg="green" if line.startswith("+") else "red")
    for warning in view.warnings:
        click.secho(visible(f"  Warning: {warning}"), fg="yellow")


@click.command("remove")
@relay_config
@click.argument("trust", shell_complete=complete_trusts)
@yes_option
@json_option
def remove(config: Path, trust: str, yes: bool, as_json: bool) -> None:
    """Remove a trust: nobody can sign in to the application any more. To keep its settings, use `disable`.

    \b
    Example:
      isthmus relay trust remove grafana
    """
    admin = open_administrator(config)
    view = run_async(reported(admin.trust(trust)))
    question = f"Nobody will be able to sign in to {visible(view.name or view.id)}. Type {view.id} to remove its trust"
    confirm(question, view.id, Manner(yes=yes, as_json=as_json))
    removed: TrustView = run_async(reported(admin.remove_trust(trust)))
    emit_said(f"{removed.id} is removed.", as_json=as_json, id=removed.id, document=removed.document)
