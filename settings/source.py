"""A TOML file, read so that whatever lies there ends in one clear sentence."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from settings.errors import UnusableFile
from settings.files import read_regular
from settings.positions import is_too_deep, key_near

LARGEST = 2 * 1024 * 1024
"""Bytes of the largest file. What people write by hand has a thousandth of that; the worst of this size takes seconds."""

_BACKSLASH = "a backslash means something else in double quotes: write 'CORP\\svc' or 'C:\\path' in single quotes"
_REMEDIES = {
    "Cannot overwrite a value": "the same key is there twice",
    "Cannot declare": "the same table is there twice; a list of tables is written [[…]]",
    "Unescaped '\\'": _BACKSLASH,
    "Invalid hex value": _BACKSLASH,
}
"""What tomllib says, and what is usually behind it."""


@dataclass(frozen=True, slots=True)
class TomlFile:
    """What it says, and the text, for whoever has to tell where."""

    path: Path
    text: str
    data: dict[str, Any]


def read_toml(path: Path) -> TomlFile:
    """Raises UnusableFile."""
    return parse_toml(path, read_regular(path, LARGEST)[0])


def parse_toml(path: Path, content: bytes) -> TomlFile:
    """The same of what is in a file, or is to be. Raises UnusableFile."""
    text = _decoded(path, content)
    if is_too_deep(text):
        raise UnusableFile(path, "is nested too deeply")
    try:
        return TomlFile(path, text, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        told = str(error)
        found = re.search(r"at line (\d+)", told)
        line = int(found[1]) if found else None
        remedy = next((remedy for begin, remedy in _REMEDIES.items() if told.startswith(begin)), "")
        key = key_near(text, line) if line else ""
        raise UnusableFile(path, f"is not TOML ({told})", remedy, line=line, key=key) from error
    except ValueError as error:  # int() refuses more than 4300 digits, and tomllib does not expect that
        raise UnusableFile(path, "is not TOML (a number has too many digits)") from error


def _decoded(path: Path, content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        problem = "is UTF-16 text, as Windows PowerShell's > and Notepad's “Unicode” write it"
        raise UnusableFile(path, problem, "save it as UTF-8", line=1)
    if content.startswith(b"\xef\xbb\xbf"):
        problem = "begins with a byte order mark, as Notepad's “UTF-8 with BOM” writes it"
        raise UnusableFile(path, problem, "save it as “UTF-8”, without BOM", line=1)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UnusableFile(path, f"is not UTF-8 text (line {line})", "save it as UTF-8", line=line) from error
