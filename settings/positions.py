"""Where each key of a TOML text stands. `tomllib` forgets that, and an error without its line has to be searched for.

The text is cut into strings, comments, marks and the rest; that is all of TOML's grammar that is needed to follow keys
through a text that `tomllib` has accepted. One pass: time grows with the text, however it is laid out.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

Key = tuple[str | int, ...]
"""Names of tables and settings, with indexes into lists: `("directories", 0, "servers")`."""

DEEPEST = 64
"""Levels of tables and lists, and parts of a dotted key: tomllib has a stack for the one, quadratic time for the other."""

_SHOWN = 40
"""Characters of a text, or of one name in a key, that an error repeats."""

_TOKEN = re.compile(
    r'''(?P<text>"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}|\'\'\'(?:[^']|'{1,2}(?!'))*+'{3,5}|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*')'''
    r"""|(?P<skip>[ \t\r]+|\#[^\n]*)|(?P<line>\n)|(?P<mark>[\[\]{},.=])|(?P<bare>[^ \t\r\n"'\#\[\]{},.=]+)""",
    re.DOTALL,
)

_KEY = re.compile(r"\s*([A-Za-z0-9_.-]+)\s*=")
_HEADER = re.compile(r"\s*(\[\[?)([A-Za-z0-9_.-]+)\]")


class _Token(NamedTuple):
    kind: str
    """`text`, `line`, `mark`, `bare`; `end` once, after the last one."""
    text: str
    line: int
    column: int


def _tokens(text: str) -> Iterator[_Token]:
    """Ends where a text is not TOML."""
    line, begin, at = 1, 0, 0
    while found := _TOKEN.match(text, at):
        kind, token = str(found.lastgroup), found[0]
        if kind != "skip":
            yield _Token(kind, token, line, at - begin + 1)
        at = found.end()
        if lines := token.count("\n"):
            line, begin = line + lines, at - len(token) + token.rindex("\n") + 1
    yield _Token("end", "", line, at - begin + 1)


def is_too_deep(text: str) -> bool:
    """Whether a text, TOML or not, has more than DEEPEST levels."""
    depth = parts = 0
    for token in _tokens(text):
        if token.kind == "mark":
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token.text, 0)
        parts = parts + 1 if token.text == "." else parts if token.kind in {"bare", "text"} else 0
        if depth > DEEPEST or parts > DEEPEST:
            return True
    return False


def lines_of(text: str) -> dict[Key, int]:
    """Line, counted from 1, of every key and every item of a list, in a text that `tomllib` accepts."""
    return _Locator(text).found


def places_of(text: str) -> dict[Key, tuple[int, int]]:
    """Line and column, from 1, of every value but tables, in a text that `tomllib` accepts; of a text, of what is quoted.

    A backslash in double quotes makes one character of several: columns inside such a text are too low behind it.
    """
    return _Locator(text).places


def key_near(text: str, line: int) -> str:
    """The key at the beginning of a line, in a text that is not TOML; empty where none can be made out.

    Only lines are looked at: the table is that of the last line before that looks like a header.
    """
    lines = text.split("\n")[:line]
    found = _KEY.match(lines[-1]) if lines else None
    if found is None:
        return ""
    headers = [header for before in lines[:-1] if (header := _HEADER.match(before))]
    if not headers:
        return found[1]
    name = headers[-1][2]
    index = sum(header[2] == name for header in headers) - 1
    return f"{name}[{index}].{found[1]}" if headers[-1][1] == "[[" else f"{name}.{found[1]}"


class _Locator:
    def __init__(self, text: str) -> None:
        self.found: dict[Key, int] = {}
        self.places: dict[Key, tuple[int, int]] = {}
        self._tokens = _tokens(text)
        self._token = next(self._tokens)
        self._lists: dict[Key, int] = {}
        """Lists of tables, with the index of the newest one."""
        table: Key = ()
        while self._token.kind != "end":
            if self._token.kind == "line":
                self._advance()
            elif self._token.text == "[":
                table = self._header()
            else:
                self._setting(table)

    def _advance(self) -> _Token:
        """The token that is left behind."""
        token, self._token = self._token, next(self._tokens, self._token)
        return token

    def _skip_lines(self) -> None:
        while self._token.kind == "line":
            self._advance()

    def _header(self) -> Key:
        line = self._advance().line
        repeated = self._token.text == "["
        if repeated:
            self._advance()
        table: Key = ()
        names = self._names("]")
        for left, name in zip(range(len(names))[::-1], names, strict=True):
            table = (*table, name)
            self.found.setdefault(table, line)
            if table in self._lists and left:
                table = (*table, self._lists[table])
        if repeated:
            self._lists[table] = self._lists.get(table, -1) + 1
            table = (*table, self._lists[table])
            self.found.setdefault(table, line)
            self._advance()
        return table

    def _names(self, end: str) -> list[str]:
        """A dotted key up to the mark that ends it, which is left behind too."""
        names = []
        while (token := self._advance()).text != end or token.kind != "mark":
            if token.kind == "end":
                break
            if token.kind == "text":
                names.append(str(tomllib.loads(f"name = {token.text}")["name"]))
            elif token.kind == "bare":
                names.append(token.text)
        return names

    def _setting(self, table: Key) -> None:
        line = self._token.line
        for name in self._names("="):
            table = (*table, name)
            self.found.setdefault(table, line)
        self._value(table)

    def _value(self, key: Key) -> None:
        self.places[key] = _inside_quotes(self._token)
        if self._token.text == "[":
            self._items(key)
        elif self._token.text == "{":
            self._inline_table(key)
        else:
            while self._token.kind not in {"line", "end"} and self._token.text not in {",", "]", "}"}:
                self._advance()

    def _items(self, key: Key) -> None:
        self._advance()
        index = 0
        self._skip_lines()
        while self._token.text != "]" and self._token.kind != "end":
            self.found[*key, index] = self._token.line
            self._value((*key, index))
            index += 1
            self._skip_comma()
        self._advance()

    def _inline_table(self, key: Key) -> None:
        self._advance()
        self._skip_lines()
        while self._token.text != "}" and self._token.kind != "end":
            self._setting(key)
            self._skip_comma()
        self._advance()

    def _skip_comma(self) -> None:
        self._skip_lines()
        if self._token.text == ",":
            self._advance()
            self._skip_lines()


def _inside_quotes(token: _Token) -> tuple[int, int]:
    """Where a value begins. A line end right behind three quotes does not belong to it (TOML 1.0, section String)."""
    if token.kind != "text":
        return token.line, token.column
    quotes = 3 if token.text[:3] in {'"""', "'''"} else 1
    broken = quotes == 3 and token.text[3:5].lstrip("\r")[:1] == "\n"
    return (token.line + 1, 1) if broken else (token.line, token.column + quotes)


def dotted(key: Key) -> str:
    """A key as TOML writes it, with indexes into lists: `targets."a b".urls[0]`."""
    text = ""
    for part in key:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            shown = short(part)
            name = shown if re.fullmatch(r"[A-Za-z0-9_-]+", shown) else json.dumps(shown, ensure_ascii=False)
            text += f".{name}" if text else name
    return text


def short(text: str) -> str:
    """As much of a text as an error repeats."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
