"""Where each key of a TOML text stands. `tomllib` forgets that, and an error without its line has to be searched for.

A statement is cut out as the fewest lines that `tomllib` itself accepts, so strings, arrays and comments need no second
grammar here.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from typing import Any


def key_lines(text: str) -> dict[str, int]:
    """Line, counted from 1, of every dotted key (`directories[0].servers`) of a text that `tomllib` accepts."""
    lines = text.splitlines()
    found: dict[str, int] = {}
    seen: Counter[str] = Counter()
    table, at = "", 0
    while at < len(lines):
        last, statement = _statement(lines, at)
        if lines[at].lstrip().startswith("["):
            table = _enter(statement, seen)
            found.setdefault(table, at + 1)
        else:
            _note(statement, table, at + 1, found)
        at = last + 1
    return found


def _statement(lines: list[str], first: int) -> tuple[int, dict[str, Any]]:
    """The statement that begins in a line: its last line and what it says."""
    for last in range(first, len(lines)):
        try:
            return last, tomllib.loads("\n".join(lines[first : last + 1]))
        except tomllib.TOMLDecodeError:
            continue
    return len(lines), {}


def _enter(header: dict[str, Any], seen: Counter[str]) -> str:
    """Dotted key of the table that a header opens; a list of tables gets the index of its newest one."""
    path, value = "", header
    while value:
        name, inner = next(iter(value.items()))
        path = f"{path}.{name}" if path else name
        if isinstance(inner, list):
            seen[path] += 1
            inner = inner[0]
        if path in seen:
            path = f"{path}[{seen[path] - 1}]"
        value = inner
    return path


def _note(statement: dict[str, Any], table: str, line: int, found: dict[str, int]) -> None:
    for name, value in statement.items():
        key = f"{table}.{name}" if table else name
        found.setdefault(key, line)
        if isinstance(value, dict):
            _note(value, key, line, found)
        elif isinstance(value, list):
            for number, item in enumerate(value):
                found.setdefault(f"{key}[{number}]", line)
                if isinstance(item, dict):
                    _note(item, f"{key}[{number}]", line, found)
