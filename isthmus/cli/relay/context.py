"""What the relay's commands share: their settings option, settings, and acts."""

from __future__ import annotations

from pathlib import Path

from gateway.administrator import Administrator
from isthmus.cli.output import config_option, reporting
from isthmus.relay_settings import RelaySettings
from settings import SettingsFileError, load_settings

relay_config = config_option("/etc/isthmus/relay.toml")


def load_relay_settings(path: Path) -> RelaySettings:
    """The settings of a relay's file. Raises Failure."""
    with reporting(SettingsFileError):
        return load_settings(path, RelaySettings)


def open_administrator(path: Path) -> Administrator:
    """The acts on the relay of a settings file. Raises Failure."""
    return Administrator(load_relay_settings(path).server)
