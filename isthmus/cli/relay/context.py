"""What the relay's commands share: their settings option, settings, and acts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from gateway.administrator import Administrator
from isthmus.cli.output import config_option
from isthmus.cli.state import load_as_owner, own
from isthmus.relay_settings import RelaySettings

relay_config = config_option("/etc/isthmus/relay.toml")


def load_relay_settings(path: Path, *, makes: bool = False, now: bool = True) -> RelaySettings:
    """The settings of a relay's file; root is the owner of the relay's state_dir from then on. makes, now: see
    `load_as_owner`.

    Raises Failure.
    """
    return load_as_owner(path, RelaySettings, lambda settings: settings.server.state_dir, kind="relay", makes=makes, now=now)


def open_administrator(path: Path) -> Administrator:
    """The acts on the relay of a settings file; where none runs, one line on standard error says so. Raises Failure.

    Root asks the running relay as root, which then can tell who it is; before the store is opened it becomes its owner.
    """
    settings = load_relay_settings(path, now=False).server
    note = f"No relay is running on {settings.state_dir}: this works on its database."
    return Administrator(settings, without_relay=lambda: _note_once(note), before_store=lambda: own(settings.state_dir))


def _note_once(text: str) -> None:
    """For people at once; for programs at the end, and only where nothing failed: an error is all there then is."""
    context = click.get_current_context(silent=True)
    if context is None or text in context.meta:
        return
    context.meta[text] = True
    if context.params.get("as_json"):
        context.with_resource(_told_at_the_end(text))
    else:
        click.echo(text, err=True)


@contextmanager
def _told_at_the_end(text: str) -> Iterator[None]:
    yield
    click.echo(text, err=True)
