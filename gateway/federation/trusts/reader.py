"""From TOML to a trust, and back."""

from __future__ import annotations

from pathlib import Path

from gateway.federation.trusts.model import Trust
from settings import dump_settings, load_settings


def read_trust(document: bytes, where: Path) -> Trust:
    """The trust that a document describes. where: the file that problems are told of.

    An unknown setting is an error, also of a document in the store that a later release wrote: what is not known there may
    be what restricts the trust. Raises settings.SettingsFileError with every problem: key, line, remedy.
    """
    return load_settings(where, Trust, document)


def write_trust(trust: Trust) -> bytes:
    """A document that reads back as the same trust: what differs from the defaults."""
    return dump_settings(trust).encode()
