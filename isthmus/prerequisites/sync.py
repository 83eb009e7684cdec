"""The files that the settings of `isthmus sync` name. Sources and targets are asked by `isthmus sync check`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from isthmus.prerequisites.machine import unreadable
from isthmus.sync_settings import SyncSettings
from settings import Key, Unfit, UnusableFile, check_secret_file, settings_of
from sync.rules import RulesRefused, read_rules


def unusable_addresses(_settings: SyncSettings) -> Iterator[Unfit]:
    """It listens on none."""
    return iter(())


def unusable_files(settings: SyncSettings) -> Iterator[Unfit]:
    """Rules, certificates, passwords and tokens; the state directory is made when it is needed."""
    for key, path, secret in _files(settings, ()):
        if key == ("state_dir",):
            continue
        if secret:
            try:
                check_secret_file(path)
            except UnusableFile as error:
                yield Unfit(f"{path} {error.problem}", error.remedy, setting=key)
        else:
            yield from unreadable(path, key)
    if settings.rules_file is not None and settings.rules_file.exists():
        try:
            read_rules(settings.rules_file)
        except RulesRefused as refused:
            remedy = f"isthmus sync rules check {settings.rules_file} shows every error"
            yield Unfit(f"has {len(refused.problems)} errors", remedy, setting="rules_file")


def _files(value: Any, key: Key, *, secret: bool = False) -> Iterator[tuple[Key, Path, bool]]:
    """Every path in a model and the tables in it; whether a secret is to lie there."""
    if isinstance(value, Path):
        yield key, value, secret
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _files(item, (*key, name))
    elif isinstance(value, tuple):
        for number, item in enumerate(value):
            yield from _files(item, (*key, number))
    elif hasattr(value, "__dataclass_fields__"):
        for name, setting in settings_of(type(value)).items():
            yield from _files(getattr(value, name), (*key, name), secret=setting.shape.secret)
