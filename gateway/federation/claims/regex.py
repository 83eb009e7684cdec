"""Regular expressions of claim rules: RE2, in time that grows with the length of the text and nothing else.

Kind of state: this node's. Compiled expressions and what they made of short texts are remembered, since the same group names
come with every sign-in; both memories are bounded.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import re2

from settings import Unfit, shown

LONGEST = 1024
"""Characters of an expression, and of what a match becomes."""
_MEMORY = 1 << 20
"""Bytes of one compiled expression with its automaton; past it RE2 is slower, and no less right."""
_REMEMBERED = 256
"""Characters of a text whose result is remembered."""
_REMEDY = "RE2 knows no look-around and no back references: https://github.com/google/re2/wiki/Syntax"
_REFERENCE = re.compile(r"\\(?:([0-9])|g<([A-Za-z_][A-Za-z0-9_]*)>|(\\))")

_Pieces = tuple[tuple[str, int | str | None], ...]


def check_expression(expression: str) -> None:
    """Raises Unfit for what is no expression of RE2, with the place in it."""
    if len(expression) > LONGEST:
        raise Unfit(f"has {len(expression)} characters", f"an expression has at most {LONGEST}")
    try:
        _compiled(expression)
    except re2.error as error:
        raise _unfit(expression, error) from None
    except UnicodeEncodeError:
        raise Unfit("has half of a surrogate pair in it") from None


def check_replacement(expression: str, replacement: str) -> None:
    """Raises Unfit where it names a group that the expression does not have."""
    if len(replacement) > LONGEST:
        raise Unfit(f"has {len(replacement)} characters", f"it has at most {LONGEST}")
    compiled = _compiled(expression)
    for number, name, _ in _REFERENCE.findall(replacement):
        if name and name not in compiled.groupindex:
            raise Unfit(f"names the group {name!r}, which the expression does not have")
        if number and int(number) > compiled.groups:
            raise Unfit(f"names group {number}, and the expression has {compiled.groups}")


def replaced(expression: str, replacement: str, texts: Sequence[str]) -> list[str | None]:
    r"""Each text with the replacement in place of each match (`\1`, `\g<name>`, `\\`), or as it was where that is empty;
    None where nothing is found in it."""
    if texts and max(map(len, texts)) > _REMEMBERED:
        return [_replaced(expression, replacement, text) for text in texts]
    return list(map(_memory_of(expression, replacement), texts))


@functools.lru_cache(maxsize=64)
def _memory_of(expression: str, replacement: str) -> Callable[[str], str | None]:
    """5 µs become 0.1 for a text that came before."""
    return functools.lru_cache(maxsize=1024)(functools.partial(_replaced, expression, replacement))


def _replaced(expression: str, replacement: str, text: str) -> str | None:
    compiled = _compiled(expression)
    try:
        if compiled.search(text) is None:
            return None
    except UnicodeEncodeError:  # half of a surrogate pair: no text
        return None
    return _changed(compiled, _pieces(replacement), text) if replacement else text


def _changed(compiled: Any, pieces: _Pieces, text: str) -> str:
    """Every match replaced, but for an empty one right after another, as RE2's own GlobalReplace has it: `.*` matches a text
    once, not once more at its end."""
    changed, at = [], -1
    for match in compiled.finditer(text):
        start, end = match.span()
        if start == end == at:
            continue
        changed += [text[max(at, 0) : start], _expanded(pieces, match)]
        at = end
    return "".join([*changed, text[max(at, 0) :]])


@functools.lru_cache(maxsize=1024)
def _compiled(expression: str) -> Any:
    options = re2.Options()
    options.log_errors = False  # to stderr, past every log of ours
    options.max_mem = _MEMORY
    return re2.compile(expression, options=options)


@functools.lru_cache(maxsize=1024)
def _pieces(replacement: str) -> _Pieces:
    """Text, and the group after it. RE2's own templates spoil every character beyond ASCII."""
    pieces: list[tuple[str, int | str | None]] = []
    at = 0
    for found in _REFERENCE.finditer(replacement):
        text, at = replacement[at : found.start()], found.end()
        pieces.append((text + "\\", None) if found[3] else (text, int(found[1]) if found[1] else found[2]))
    return (*pieces, (replacement[at:], None))


def _expanded(pieces: _Pieces, match: Any) -> str:
    """A group that took no part in the match is empty."""
    return "".join([text + ("" if group is None else match[group] or "") for text, group in pieces])


def _unfit(expression: str, error: Exception) -> Unfit:
    """RE2 says what is wrong and quotes the part in which it is: `missing ): (a`."""
    message = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
    problem, _, part = message.partition(": ")
    at = expression.rfind(part) if part else -1
    where = f" at character {at + 1}, in {shown(part)}" if at >= 0 else ""
    return Unfit(f"is not an expression of RE2: {problem}{where}", _REMEDY)
