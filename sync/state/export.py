"""A copy of the state for bug reports: names and values are pseudonyms, the structure is kept.

The copy is written row by row into a new file, so that nothing of the original is left in unused pages. What each column
becomes stands in one table, which tests compare with the schema. The pseudonyms' key is forgotten: nobody can try names.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from sync.state.codec import decode_confirmation, decode_operation, decode_person, decode_values, encode
from sync.state.database import Row, StateFile
from sync.state.errors import StateUnavailable
from sync.state.names import name_digest, sid_digest

KEPT_VALUES: Final = frozenset(
    ["objectClass", "userAccountControl", "groupType", "sAMAccountType", "primaryGroupID", "instanceType", "systemFlags"]
)
"""Attributes whose values name nobody, and tell what an object is."""
_WORD = re.compile(r"[^\W_]+")
_TYPE = re.compile(r"(?:^|(?<=[,+]))\s*[A-Za-z][A-Za-z0-9.-]*=")
"""The attribute's type in a DN, which stays."""


class Scrubber:
    """Pseudonyms: the same for the same name wherever it stands, whatever its case."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def text(self, text: str) -> str:
        """Each word and number becomes another; what separates them stays."""
        kept, at = [], 0
        for found in _TYPE.finditer(text) if "=" in text else ():
            kept += [_WORD.sub(self._word, text[at : found.start()]), found[0]]
            at = found.end()
        return "".join([*kept, _WORD.sub(self._word, text[at:])])

    def octets(self, data: bytes) -> bytes:
        """As many, up to 64."""
        return hmac.digest(self._key, b"b" + data, hashlib.sha512)[: len(data)]

    def number(self, number: int) -> int:
        """One with as many digits or fewer."""
        if number in {0, 1, -1}:
            return number
        made = int.from_bytes(hmac.digest(self._key, b"i%d" % number, hashlib.sha256)[:8], "big")
        return made % (abs(number) + 1) * (1 if number > 0 else -1)

    def value(self, value: Any) -> Any:
        """Of an attribute."""
        if isinstance(value, tuple | list):
            return tuple(self.value(one) for one in value)
        if isinstance(value, bool):
            return value
        if isinstance(value, int):
            return self.number(value)
        return self.text(value) if isinstance(value, str) else self.octets(value)

    def _word(self, found: re.Match[str]) -> str:
        word = found[0]
        made = (
            "n" + hmac.digest(self._key, b"s" + word.casefold().encode("utf-8", "surrogatepass"), hashlib.sha256).hex()[:8]
        )
        return made.upper() if word.isupper() else made.capitalize() if word[:1].isupper() else made


Column = Callable[["_Export", Any], Any]


class _Export:
    def __init__(self, source: StateFile, scrubber: Scrubber) -> None:
        self.source, self.scrubber = source, scrubber
        self.kept = {
            number
            for number, text in source.all("SELECT id, text FROM names WHERE kind = 'attribute'")
            if text in KEPT_VALUES
        }

    def values(self, content: bytes | None) -> bytes | None:
        if content is None:
            return None
        return encode({name: self._value(name, value) for name, value in decode_values(content).items()})

    def person(self, content: bytes) -> bytes:
        found = decode_person(content).items()
        return encode({name: (self._value(name, value), lineage) for name, (value, lineage) in found})

    def _value(self, name: int, value: Any) -> Any:
        return value if name in self.kept else self.scrubber.value(value)

    def _named(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value if name in KEPT_VALUES else self.scrubber.value(value) for name, value in values.items()}

    def intent(self, content: bytes) -> bytes:
        one, text = decode_operation(content), self.scrubber.text
        names = {"target": text(one.target), "anchor": text(one.anchor), "remote": text(one.remote)}
        return encode(msgspec.structs.replace(one, set=self._named(one.set), before=self._named(one.before), **names))

    def confirmation(self, content: bytes | None) -> bytes | None:
        if content is None:
            return None
        one, text = decode_confirmation(content), self.scrubber.text
        return encode(
            msgspec.structs.replace(one, values=self._named(one.values), remote=text(one.remote), detail=text(one.detail))
        )


def _keep(_: _Export, value: Any) -> Any:
    return value


def _none(_: _Export, value: Any) -> None:
    return None


def _text(export: _Export, value: Any) -> Any:
    return export.scrubber.text(value)


def _octets(export: _Export, value: Any) -> Any:
    return None if value is None else export.scrubber.octets(value)


COLUMNS: Final[Mapping[str, Mapping[str, Column]]] = {
    "names": {"id": _keep, "kind": _keep, "text": _text},
    "lease": {"id": _keep, "number": _keep, "holder": _text, "until": _keep},
    "sources": {"id": _keep, "cookie": _none, "complete": _keep, "run": _keep, "at": _keep, "completed": _keep},
    "objects": {
        "id": _keep,
        "source": _keep,
        "key": _octets,
        "status": _keep,
        "kind": _keep,
        "parent": _keep,
        "dn": _text,
        "content": _Export.values,
    },
    "links": dict.fromkeys(("holder", "attribute", "member", "told"), _keep),
    "deletions": dict.fromkeys(("object", "evidence", "run", "at"), _keep),
    "absence_candidates": dict.fromkeys(("object", "run"), _keep),
    "rereads": {"object": _keep},
    "changed_objects": dict.fromkeys(("object", "causes", "mark"), _keep),
    "affected_persons": dict.fromkeys(("person", "causes", "mark"), _keep),
    "persons": {"id": _keep, "kind": _keep, "content": _Export.person},
    "joins": dict.fromkeys(("object", "person", "source", "rule", "since"), _keep),
    "indexed_attributes": dict.fromkeys(("scope", "attribute"), _keep),
    "accounts": {
        "id": _keep,
        "person": _keep,
        "target": _keep,
        "kind": _keep,
        "anchor": _text,
        "remote": _text,
        "confirmed": _Export.values,
        "sent": _Export.values,
        "state": _keep,
        "since": _keep,
        "flows": _none,
    },
    "account_links": dict.fromkeys(("account", "attribute", "person"), _keep),
    "link_changes": dict.fromkeys(("account", "attribute", "person"), _keep),
    "decisions": {
        "id": _keep,
        "allow": _keep,
        "who": _text,
        "why": _text,
        "at": _keep,
        "target": _text,
        "person": _keep,
        "kind": _keep,
        "cause": _text,  # it may name an OU
    },
    "runs": {"id": _keep, "kind": _keep, "began": _keep, "ended": _keep, "outcome": _keep, "detail": _text, "counts": _keep},
    "journal": {
        "run": _keep,
        "operation": _keep,
        "person": _keep,
        "target": _keep,
        "intent": _Export.intent,
        "attempts": _keep,
        "attempted": _keep,
        "settled": _keep,
        "confirmation": _Export.confirmation,
    },
    "failures": {
        "target": _keep,
        "person": _keep,
        "cause": _keep,
        "detail": _text,
        "attempts": _keep,
        "since": _keep,
        "last": _keep,
        "due": _keep,
    },
}
"""Table -> column -> what becomes of it."""
LEFT_OUT: Final = frozenset({"object_names", "person_index", "account_index"})
"""Hold digests of names and values, which could be tried. They follow from the other tables."""


def export_scrubbed(source: StateFile, path: Path) -> None:
    """See `SyncState`. The copy has mode 0600, too: somebody should look at it before it is sent."""
    if os.path.lexists(path):
        raise StateUnavailable(path, "is there already", "name a file that is not there")
    copy = StateFile(path)
    try:
        export = _Export(source, Scrubber(secrets.token_bytes(32)))
        with copy.write(fenced=False):
            for table in COLUMNS:
                _copy_table(export, copy, table)
            _restore_names(copy)
        copy.run("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
    finally:
        copy.close()


def _copy_table(export: _Export, copy: StateFile, table: str) -> None:
    columns = COLUMNS[table]
    names = ", ".join(columns)
    copy.run(f"DELETE FROM {table}")
    rules = list(columns.values())

    def scrubbed(row: Row) -> Row:
        if table == "names" and row[1] == "attribute":
            return row  # names of attributes belong to schemas
        return tuple(rule(export, value) for rule, value in zip(rules, row, strict=True))

    rows = map(scrubbed, export.source.stream(f"SELECT {names} FROM {table}"))
    copy.many(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(rules))})", rows)


def _restore_names(copy: StateFile) -> None:
    """By which links find objects: of the pseudonyms."""
    sid = copy.one("SELECT id FROM names WHERE kind = 'attribute' AND text = 'objectSid'")
    sql = "SELECT id, source, dn, content FROM objects WHERE status < 2 AND id > ? ORDER BY id LIMIT ?"
    for number, source, dn, content in copy.pages(sql, after=(0,)):
        values = decode_values(content)
        digests = {name_digest(dn)} if dn else set()
        own = values.get(sid[0]) if sid else None
        if isinstance(own, bytes):
            digests.add(sid_digest(own))
        copy.many("INSERT OR IGNORE INTO object_names VALUES (?, ?, ?)", [(source, digest, number) for digest in digests])
