"""Names as numbers, and names of objects by which links find them."""

from __future__ import annotations

import hashlib
import re
from typing import Literal

from sync.distinguished_names import normal_dn
from sync.model import Values
from sync.state.codec import Numbered
from sync.state.database import StateFile

NameKind = Literal["attribute", "source", "target", "rule"]

_SID = re.compile(r"S-1-(\d{1,15})((?:-\d{1,10}){1,15})")


class Names:
    """Sources, targets, attributes and rules by number. There are few: all that were asked for are kept in memory."""

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self._numbers: dict[tuple[str, str], int] = {}
        self._texts: dict[int, str] = {}
        self.attributes: dict[str, int] = {}
        file.when_rolled_back(self._forget)

    def _forget(self) -> None:
        self._numbers.clear()
        self._texts.clear()
        self.attributes.clear()

    def find(self, kind: NameKind, text: str) -> int:
        """Its number; 0 where the state does not have it."""
        number = self._numbers.get((kind, text))
        if number is None:
            row = self._file.one("SELECT id FROM names WHERE kind = ? AND text = ?", (kind, text))
            if row is None:
                return 0
            number = self._keep(kind, text, row[0])
        return number

    def number(self, kind: NameKind, text: str) -> int:
        """Its number, given to it now if need be: inside a transaction that writes."""
        return self.find(kind, text) or self._keep(
            kind, text, self._file.insert("INSERT INTO names (kind, text) VALUES (?, ?)", (kind, text))
        )

    def text(self, number: int) -> str:
        """The name of a number that is in the state."""
        text = self._texts.get(number)
        if text is None:
            row = self._file.one("SELECT kind, text FROM names WHERE id = ?", (number,))
            if row is None:
                raise self._file.damaged(f"there is a name with the number {number}, but not in the table of names")
            self._keep(row[0], row[1], number)
            text = str(row[1])
        return text

    def numbered(self, values: Values) -> Numbered:
        """Values by number of their attribute."""
        known = self.attributes
        try:
            return {known[name]: value for name, value in values.items()}
        except KeyError:
            return {self.number("attribute", name): value for name, value in values.items()}

    def named(self, values: Numbered) -> Values:
        """Values by name of their attribute."""
        texts = self._texts
        try:
            return {texts[number]: value for number, value in values.items()}
        except KeyError:
            return {self.text(number): value for number, value in values.items()}

    def _keep(self, kind: str, text: str, number: int) -> int:
        self._numbers[kind, text] = number
        self._texts[number] = text
        if kind == "attribute":
            self.attributes[text] = number
        return number


def dn_digest(dn: str) -> int:
    """By which an object is found that is named by its DN, however that is spelled (RFC 4514): case, blanks, escapes."""
    return _digest("d" + normal_dn(dn))


def sid_digest(sid: bytes) -> int:
    """By which a group is found that is a primary group. sid: as the directory stores it (MS-DTYP section 2.4.2.2)."""
    return _digest("s" + sid.hex())


def name_digest(name: str) -> int:
    """By which an object is found that a link names: by its DN, or by its SID (`S-1-…`, MS-DTYP section 2.4.2.1)."""
    found = _SID.fullmatch(name)
    if found is None:
        return dn_digest(name)
    parts = [int(part) for part in found[2].split("-")[1:]]
    if int(found[1]) >> 48 or any(part >> 32 for part in parts):
        return dn_digest(name)
    authority = int(found[1]).to_bytes(6, "big")
    return sid_digest(bytes((1, len(parts))) + authority + b"".join(part.to_bytes(4, "little") for part in parts))


def split_dn(dn: str) -> list[str]:
    """A DN's parts, nearest first."""
    parts, begin, at, quoted = [], 0, 0, False
    while at < len(dn):
        character = dn[at]
        if character == "\\":
            at += 1
        elif character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            parts.append(dn[begin:at])
            begin = at + 1
        at += 1
    parts.append(dn[begin:])
    return parts


def parent_dn(dn: str) -> str:
    """Of the object above; empty where there is none."""
    if "\\" not in dn and '"' not in dn:
        return dn.partition(",")[2].strip()
    return dn[len(split_dn(dn)[0]) + 1 :].strip()


def moved_dn(dn: str, above: str) -> str:
    """The same object below another DN."""
    return f"{split_dn(dn)[0]},{above}"


def _digest(text: str) -> int:
    data = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(data, "big", signed=True)
