"""The files that the settings of `isthmus adfs` name. Its commands ask hosts only when they are run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isthmus.adfs_settings import AdfsSettings
from isthmus.prerequisites.machine import unreadable
from settings import Key, Unfit, UnusableFile, check_secret_file, settings_of


def unusable_addresses(_settings: AdfsSettings) -> Iterator[Unfit]:
    """It listens on none."""
    return iter(())


def unusable_files(settings: AdfsSettings) -> Iterator[Unfit]:
    """Certificates, keys and passwords; the state directory is made when it is needed."""
    for key, path, secret in _files(settings, ()):
        if key == ("state_dir",):
            continue
        if not secret:
            yield from unreadable(path, key)
            continue
        try:
            check_secret_file(path)
        except UnusableFile as error:
            yield Unfit(f"{path} {error.problem}", error.remedy, setting=key)


def _files(settings: Any, key: Key) -> Iterator[tuple[Key, Path, bool]]:
    """Every path in a model and the tables in it; whether a secret is to lie there."""
    for name, setting in settings_of(type(settings)).items():
        value = getattr(settings, name)
        if isinstance(value, Path):
            yield (*key, name), value, setting.shape.secret
        elif setting.shape.form == "table" and value is not None:
            yield from _files(value, (*key, name))
        elif setting.shape.form == "list" and setting.shape.table is not None:
            for number, item in enumerate(value):
                yield from _files(item, (*key, name, number))
