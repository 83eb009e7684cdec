"""`isthmus adfs`."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from isthmus import config
from isthmus.adfs_settings import AdfsSettings
from isthmus.cli.output import config_option, reporting

adfs_config = config_option("/etc/isthmus/adfs.toml")

_PARTS: dict[str, str] = {}
"""Command and the module of this package that has it, as `command`."""


class _Lazy(click.Group):
    """Loads a part only when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_PARTS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _PARTS:
            return None
        module = importlib.import_module(f"isthmus.cli.adfs.{_PARTS[cmd_name]}")
        command: click.Command = module.command
        return command


@click.group("adfs", cls=_Lazy)
def command() -> None:
    """AD FS farms: look at them, renew and roll their certificates, add servers, keep the trust with Entra ID in step.

    Runs on any workstation; the servers are reached over WinRM. Whatever changes something shows a plan first.
    """


def load(path: Path) -> AdfsSettings:
    """The settings. Raises Failure."""
    with reporting(config.ConfigError):
        return config.load(path, AdfsSettings)
