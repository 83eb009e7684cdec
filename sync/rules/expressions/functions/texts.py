"""Functions of texts. A character is one of Unicode; .NET counts those beyond U+FFFF as two, and may cut inside one."""

from __future__ import annotations

import functools
import uuid
from collections import Counter
from typing import Final

from sync.rules.expressions.errors import UnfitValue
from sync.rules.expressions.operators import too_long
from sync.rules.expressions.signatures import Basis, FunctionTable
from sync.rules.expressions.values import LONGEST_TEXT, Bindings

TEXTS: Final = FunctionTable("Text")
WHITE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    "\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
)
"""White space as .NET's Char.IsWhiteSpace has it. Python's also has U+001C to U+001F."""
_MONIKERS: Final = (("\\n", "\n"), ("\\r", "\r"), ("\\t", "\t"))
_LONGEST_PATTERN: Final = 10_000
"""Characters of what ReplaceChars replaces: patterns are remembered."""
_COMPARE: Final = "vbTextCompare|vbBinaryCompare compare"


def lower(text: str) -> str:
    """Character by character, in no language, so that the length stays: Python makes two characters of some."""
    return text.lower() if text.isascii() else "".join(map(_lower, text))


def _lower(character: str) -> str:
    changed = character.lower()
    return changed if len(changed) == 1 else character


def _upper(character: str) -> str:
    changed = character.upper()
    return changed if len(changed) == 1 else character


def _upper_text(text: str) -> str:
    return text.upper() if text.isascii() else "".join(map(_upper, text))


@TEXTS.function("str Guid()", Basis.DESCRIPTION, ambient=True)
def guid(bindings: Bindings) -> str:
    """A new random GUID, another one at each evaluation: for flows that are applied once."""
    return str(uuid.UUID(int=bindings.random_below(1 << 128), version=4))


@TEXTS.function(f"num InStr(str? text, str? match[, num start][, {_COMPARE}])", Basis.EXAMPLE)
def in_str(text: str | None, match: str | None, start: int = 1, compare: str = "vbBinaryCompare") -> int:
    """Where `match` first stands in the text, from 1; 0 where it does not. With `vbTextCompare` in any case."""
    if start < 1:
        raise UnfitValue(f"start is {start}; expected 1 or more", "Count from 1")
    if text is None or match is None:
        return 0
    if compare == "vbTextCompare":
        text, match = lower(text), lower(match)
    return text.find(match, start - 1) + 1


@TEXTS.function(f"num InStrRev(str? text, str? match[, num start][, {_COMPARE}])", Basis.EXAMPLE)
def in_str_rev(text: str | None, match: str | None, start: int = -1, compare: str = "vbBinaryCompare") -> int:
    """Where `match` last stands in the text, from 1; 0 where it does not. Only the first `start` characters are searched; -1
    is all of them."""
    if start < 1 and start != -1:
        raise UnfitValue(f"start is {start}; expected 1 or more, or -1", "Count from 1")
    if text is None or match is None:
        return 0
    if compare == "vbTextCompare":
        text, match = lower(text), lower(match)
    return text.rfind(match, 0, len(text) if start == -1 else start) + 1


@TEXTS.function("str LCase(str text)", Basis.EXAMPLE)
def l_case(text: str) -> str:
    """In lower case, in no language: I becomes i in Turkey, too."""
    return lower(text)


@TEXTS.function("str Left(str? text, num count)", Basis.EXAMPLE)
def left(text: str | None, count: int) -> str:
    """The first characters. All of them if count is negative; an empty text for NULL."""
    return "" if text is None else text[:count] if count >= 0 else text


@TEXTS.function("num Len(str|bin? value)", Basis.EXAMPLE)
def length(value: str | bytes | None) -> int:
    """Number of characters, or of bytes; 0 for NULL."""
    return 0 if value is None else len(value)


@TEXTS.function("str LTrim(str text)", Basis.EXAMPLE)
def l_trim(text: str) -> str:
    """Without white space at its beginning."""
    return text.lstrip(WHITE)


@TEXTS.function("same Mid(str|bin? value, num start[, num count])", Basis.EXAMPLE)
def mid(value: str | bytes | None, start: int, count: int | None = None) -> str | bytes:
    """Characters, or bytes, from the place `start` on, from 1; without count all of them. The whole value if count is
    negative, or start is less than 1 or behind the end; an empty text for NULL."""
    if value is None:
        return ""
    if count == 0:
        return value[:0]
    if not 1 <= start <= len(value) or (count is not None and count < 0):
        return value
    return value[start - 1 :] if count is None else value[start - 1 : start - 1 + count]


@TEXTS.function("str PadLeft(str? text, num length, str padCharacter)", Basis.EXAMPLE)
def pad_left(text: str | None, size: int, character: str) -> str:
    """Made this long by a character in front; an empty text for NULL."""
    return "" if text is None else _padding(text, size, character) + text


@TEXTS.function("str PadRight(str? text, num length, str padCharacter)", Basis.EXAMPLE)
def pad_right(text: str | None, size: int, character: str) -> str:
    """Made this long by a character at the end; an empty text for NULL."""
    return "" if text is None else text + _padding(text, size, character)


def _padding(text: str, size: int, character: str) -> str:
    if len(character) != 1:
        raise UnfitValue(f"padCharacter has {len(character)} characters; expected one", "Write one character")
    if size > LONGEST_TEXT:
        raise too_long()
    return character * (size - len(text))


@TEXTS.function("str PCase(str text)", Basis.EXAMPLE)
def p_case(text: str) -> str:
    """Each word with a capital letter and all others small. Words are separated by spaces."""
    return " ".join([_upper_text(word[:1]) + lower(word[1:]) for word in text.split(" ")])


@TEXTS.function("str Replace(str text, str old, str? new)", Basis.EXAMPLE)
def replace(text: str, old: str, new: str | None) -> str:
    r"""Every `old` replaced. `\n`, `\r` and `\t` in the last two are line feed, carriage return and tab."""
    wanted, other = _without_monikers(old), _without_monikers(new or "")
    if not wanted:
        raise UnfitValue("there is nothing to replace: old is empty", "Write the text that is to be replaced")
    if len(text) + text.count(wanted) * (len(other) - len(wanted)) > LONGEST_TEXT:
        raise too_long()
    return text.replace(wanted, other)


def _without_monikers(text: str) -> str:
    if "\\" in text:
        for moniker, character in _MONIKERS:
            text = text.replace(moniker, character)
    return text


@TEXTS.function("str ReplaceChars(str text, str pattern)", Basis.EXAMPLE)
def replace_chars(text: str, pattern: str) -> str:
    """Single characters replaced, by a pattern like `ä:ae,ö:oe,-:`. What stands behind the colon may be empty. White space
    in the pattern does not count."""
    table = _characters(pattern)
    if len(text) * max(map(len, table.values()), default=0) > LONGEST_TEXT:
        counts = Counter(text)
        if sum(count * len(table.get(ord(character), character)) for character, count in counts.items()) > LONGEST_TEXT:
            raise too_long()
    return text.translate(table)


@functools.lru_cache(maxsize=64)
def _characters(pattern: str) -> dict[int, str]:
    if len(pattern) > _LONGEST_PATTERN:
        raise UnfitValue(f"the pattern has more than {_LONGEST_PATTERN} characters", "Shorten it")
    table: dict[int, str] = {}
    for number, pair in enumerate("".join(pattern.split()).split(","), 1):
        source, colon, target = pair.partition(":")
        if len(source) != 1 or not colon or ":" in target:
            raise UnfitValue(
                f"replacement {number} of the pattern is malformed; expected one character, a colon and a text",
                "Write ä:ae,ö:oe",
            )
        if ord(source) in table:
            raise UnfitValue(
                f"replacement {number} of the pattern is for a character that has one before", "Remove one of them"
            )
        table[ord(source)] = target
    return table


@TEXTS.function("str Right(str? text, num count)", Basis.EXAMPLE)
def right(text: str | None, count: int) -> str:
    """The last characters. All of them if count is negative; an empty text for NULL."""
    if text is None or count == 0:
        return ""
    return text[-count:] if 0 < count < len(text) else text


@TEXTS.function("str RTrim(str text)", Basis.EXAMPLE)
def r_trim(text: str) -> str:
    """Without white space at its end."""
    return text.rstrip(WHITE)


@TEXTS.function("str Trim(str text)", Basis.EXAMPLE)
def trim(text: str) -> str:
    """Without white space at its beginning and end."""
    return text.strip(WHITE)


@TEXTS.function("str UCase(str text)", Basis.EXAMPLE)
def u_case(text: str) -> str:
    """In upper case, in no language. A character that would become two, such as ß, stays."""
    return _upper_text(text)


@TEXTS.function("str Word(str? text, num number, str delimiters)", Basis.EXAMPLE)
def word(text: str | None, number: int, delimiters: str) -> str:
    """The word of this number, from 1, where any of the delimiters ends a word; several in a row end one. An empty text
    where there is no such word, and for NULL."""
    if text is None or number < 1 or not delimiters:
        return ""
    if len(delimiters) > 1:
        text = text.translate(dict.fromkeys(map(ord, delimiters), delimiters[0]))
    words = [found for found in text.split(delimiters[0]) if found]
    return words[number - 1] if number <= len(words) else ""
