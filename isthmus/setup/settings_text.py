"""The text of a settings file: made anew, or edited so that what an administrator wrote around it stays.

An edit is checked: what `tomllib` reads afterwards has to be what was there, with the wanted values in it and nothing else.
"""

from __future__ import annotations

import copy
import re
import tomllib
from collections.abc import Mapping
from typing import Any

from settings import toml_value

_HEADER = re.compile(r"^\s*\[\[?\s*([A-Za-z0-9_.\-\s]+?)\s*\]\]?\s*(#.*)?$")
_SETTING = re.compile(r"^\s*([A-Za-z0-9_-]+)\s*=")


class NotEditable(Exception):
    """A value cannot be put into this text without touching what else is there. key: dotted."""

    def __init__(self, key: str, value: object) -> None:
        super().__init__(key, value)
        self.key, self.value = key, value

    def __str__(self) -> str:
        return (
            f"set {self.key} = {toml_value(self.value)} in it yourself: it is laid out so that it cannot be changed safely"
        )


def current_value(data: Mapping[str, Any], key: str) -> Any:
    """Of a dotted key in what TOML said; None where it is not there. A list of one table counts as that table."""
    found: Any = data
    for name in key.split("."):
        found = _only(found)
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def _only(found: Any) -> Any:
    """The table of a list that has one."""
    return found[0] if isinstance(found, list) and len(found) == 1 and isinstance(found[0], dict) else found


def edited(text: str, wanted: Mapping[str, object]) -> str:
    """The text with these values; unchanged where it says so already. Raises NotEditable.

    wanted: by dotted keys of tables, or of lists that hold one table.
    A value of None takes a setting out. tomllib.TOMLDecodeError: for a text that is not TOML.
    """
    for key, value in wanted.items():
        before = tomllib.loads(text)
        if _same(current_value(before, key), value):
            continue
        text = _with(text, before, key, value)
    return text


def _same(found: Any, value: object) -> bool:
    return found is None if value is None else type(found) is type(_read(value)) and bool(found == _read(value))


def _read(value: object) -> Any:
    """As it comes out of a file."""
    return tomllib.loads(f"value = {toml_value(value)}")["value"]


def _with(text: str, before: dict[str, Any], key: str, value: object) -> str:
    table, _, name = key.rpartition(".")
    expected = _expected(before, key, value)
    line = None if value is None else f"{name} = {toml_value(value)}"
    for candidate in _candidates(text, table, name, line):
        try:
            if tomllib.loads(candidate) == expected:
                return candidate
        except tomllib.TOMLDecodeError:
            continue
    raise NotEditable(key, value)


def _expected(before: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    after = copy.deepcopy(before)
    *tables, name = key.split(".")
    inner = after
    for table in tables:
        inner = _only(inner.setdefault(table, {}))
    if value is None:
        inner.pop(name, None)
    else:
        inner[name] = _read(value)
    return after


def _candidates(text: str, table: str, name: str, line: str | None) -> list[str]:
    """Texts that may be what is wanted: the setting's lines replaced, one line longer each time; or a new line."""
    lines = text.splitlines()
    header = _header_line(lines, table)
    if header is None:
        return [] if line is None else ["\n".join([*lines, "", f"[{table}]", line, ""])]
    end = next((at for at in range(header + 1, len(lines)) if lines[at].lstrip().startswith("[")), len(lines))
    new = [] if line is None else [line]
    at = next((at for at in range(header + 1, end) if (found := _SETTING.match(lines[at])) and found[1] == name), None)
    if at is None:
        return ["\n".join([*lines[: header + 1], *new, *lines[header + 1 :], ""])]
    return ["\n".join([*lines[:at], *new, *lines[at + length :], ""]) for length in range(1, len(lines) - at + 1)]


def _header_line(lines: list[str], table: str) -> int | None:
    """Where a table begins; -1 for what comes before every header."""
    if not table:
        return -1
    for at, line in enumerate(lines):
        if (found := _HEADER.match(line)) and "".join(found[1].split()) == table:
            return at
    return None
