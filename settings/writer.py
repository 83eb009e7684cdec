"""A model as a TOML text that reads back as the same model: what differs from the defaults, and what is required."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from settings.fields import TAG, Setting, settings_of

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def dump_settings(settings: Any) -> str:
    """The text. `load_settings` makes the same model of it; of relative paths, in a file of the same directory."""
    return "\n".join(_model(settings, ())).strip("\n") + "\n"


def _model(settings: Any, key: tuple[str, ...]) -> Iterator[str]:
    """Values first: whatever comes after the header of a table belongs to that."""
    written = [setting for setting in settings_of(type(settings)).values() if _differs(settings, setting)]
    values = [setting for setting in written if not _is_tables(setting, getattr(settings, setting.name))]
    for setting in values:
        yield f"{_name(setting.name)} = {_value(getattr(settings, setting.name))}"
    for setting in written:
        if setting not in values:
            yield from _tables(getattr(settings, setting.name), (*key, setting.name))


def _differs(settings: Any, setting: Setting) -> bool:
    return setting.required or setting.name == TAG or bool(getattr(settings, setting.name) != setting.default)


def _is_tables(setting: Setting, value: Any) -> bool:
    return value is not None and value != () and (setting.shape.table is not None or setting.shape.form == "mapping")


def _tables(value: Any, key: tuple[str, ...]) -> Iterator[str]:
    if isinstance(value, tuple):
        for entry in value:
            yield from ("", f"[[{_dotted(key)}]]", *_model(entry, key))
    elif isinstance(value, Mapping):
        yield from _mapping(value, key)
    else:
        yield from ("", f"[{_dotted(key)}]", *_model(value, key))


def _mapping(value: Mapping[str, Any], key: tuple[str, ...]) -> Iterator[str]:
    plain = {name: entry for name, entry in value.items() if not hasattr(entry, "__dataclass_fields__")}
    yield from ("", f"[{_dotted(key)}]", *(f"{_name(name)} = {_value(entry)}" for name, entry in plain.items()))
    for name, entry in value.items():
        if name not in plain:
            yield from _tables(entry, (*key, name))


def _value(value: Any) -> str:
    if value is None:
        return '""'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and math.fabs(value) < 2**53 else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return _list(map(_value, value))
    return _text(str(value) if isinstance(value, Path) else value)


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(values) + "]"


def _text(text: str) -> str:
    """TOML knows all of JSON's escapes; a text with lines keeps them, as people read PEM."""
    if "\n" not in text:
        return f'"{_escaped(text)}"'
    return '"""\n' + "\n".join(map(_escaped, text.split("\n"))) + '"""'


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1].replace("\x7f", "\\u007f")


def _name(name: str) -> str:
    return name if _BARE.fullmatch(name) else f'"{_escaped(name)}"'


def _dotted(key: tuple[str, ...]) -> str:
    return ".".join(map(_name, key))
