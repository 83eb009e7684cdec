"""Texts without the names in them: for reports that leave an organisation.

Texts are cut into words; a word stays only if it is known to be nobody's own, every other becomes a pseudonym, the same one
wherever the word appears (so that a thumbprint in one place still fits the thumbprint in another, and
`certauth.fs.corp.example` still ends in `fs.corp.example`). The pseudonyms come from a key: without it nobody can try names.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable, Collection

_WORD = re.compile(r"[^\W_]+")
_IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_COMPOUND = re.compile(r"[^\s,;:'\"()]*[\w][.@\\/=][\w][^\s,;:'\"()]*")
_WHOLE = re.compile(
    r"(?P<sid>S-1-5-21-[0-9-]+)|(?P<ip>\b\d{1,3}(?:\.\d{1,3}){3}\b)|(?P<ip6>\b[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){3,7}\b)"
    r"|(?P<guid>\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b)"
)


def words_of(text: str) -> list[str]:
    """What is looked at one by one."""
    return _WORD.findall(text)


class Pseudonyms:
    """Replaces what could name somebody, consistently."""

    def __init__(self, key: bytes, known: Collection[str], codes: str) -> None:
        """`known`: words that stay, case-folded; `codes`: a regular expression for message numbers, which stay in prose."""
        self._key, self._known, self._codes = key, known, re.compile(codes)
        self._met: set[str] = set()
        self._made: set[str] = set()

    def text(self, text: str) -> str:
        """A text of an answer or a parameter: only known words stay."""
        return self._split(text, self._word)

    def prose(self, text: str) -> str:
        """An error's text: ordinary words stay."""
        masked = _COMPOUND.sub(lambda match: self.text(match.group()), text)
        return self._split(masked, lambda word: self._word(word) if self._is_name(word) else word)

    def identifier(self, name: str) -> str:
        """A name of a program's own, such as a property's; one that looks otherwise is a text."""
        return name if not name or _IDENTIFIER.fullmatch(name) else self.text(name)

    def _is_name(self, word: str) -> bool:
        """Whether an error's word is a name: one that was met, or in capitals, or with digits as hosts have them."""
        if word in self._made or self._codes.fullmatch(word):
            return False
        mixed = not word.isalpha() and not word.isdecimal()
        return word.casefold() in self._met or (word.isupper() and len(word) > 1) or mixed

    def _split(self, text: str, replace: Callable[[str], str]) -> str:
        done, at = [], 0
        for match in _WHOLE.finditer(text):
            done += [_WORD.sub(lambda word: replace(word.group()), text[at : match.start()]), self._whole(match)]
            at = match.end()
        done.append(_WORD.sub(lambda word: replace(word.group()), text[at:]))
        return "".join(done)

    def _word(self, word: str) -> str:
        small = word.casefold()
        if small in self._known or (word.isdecimal() and len(word) <= 5) or len(word) == 1:
            return word
        digest = self._digest(small)
        if len(word) in {40, 64} and re.fullmatch("[0-9a-f]+", small):
            made = digest[: len(word)].upper() if word == word.upper() else digest[: len(word)]
            self._made.add(made)
            return made
        self._met.add(small)
        self._made.add(made := f"n{digest[:7]}")
        return made

    def _whole(self, match: re.Match[str]) -> str:
        digest = self._digest(match.group().casefold())
        number = int(digest[:8], 16)
        if match.lastgroup == "sid":
            return f"S-1-5-21-{number}-{match.group().rpartition('-')[2]}"
        if match.lastgroup == "ip":
            return f"192.0.2.{number % 254 + 1}"  # RFC 5737
        if match.lastgroup == "ip6":
            return f"2001:db8::{number:x}"  # RFC 3849
        return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"

    def _digest(self, text: str) -> str:
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()
