"""`isthmus adfs`."""

from __future__ import annotations

from pathlib import Path

import click

from isthmus import config
from isthmus.adfs_settings import AdfsSettings
from isthmus.cli.lazy import LazyGroup
from isthmus.cli.output import config_option, reporting

adfs_config = config_option("/etc/isthmus/adfs.toml")

_PARTS: dict[str, tuple[str, str]] = {}


@click.group("adfs", cls=LazyGroup, parts=_PARTS)
def command() -> None:
    """AD FS farms: look at them, renew and roll their certificates, add servers, keep the trust with Entra ID in step.

    Runs on any workstation; the servers are reached over WinRM. Whatever changes something shows a plan first.
    """


def load(path: Path) -> AdfsSettings:
    """The settings. Raises Failure."""
    with reporting(config.ConfigError):
        return config.load(path, AdfsSettings)
