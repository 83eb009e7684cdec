"""Entries as records. Pure.

DirSync (MS-ADTS section 3.1.1.3.4.1.3): an attribute without values was cleared; with incremental values, `member;range=1-1`
holds those that were added and `member;range=0-0` those that were removed.
"""

from __future__ import annotations

import re
import uuid
from typing import NamedTuple

from directory.changes.model import DirectoryRecord, RecordKind
from directory.ldap.codec import Entry

_RANGE = re.compile(rb"(?P<name>[^;]+(?:;[^;=]+)*);range=(?P<first>\d{1,9})-(?P<last>\d{1,9}|\*)")
_ADDED, _REMOVED = b";range=1-1", b";range=0-0"
SINGLE_VALUES = frozenset({(1, 1), (0, 0)})
"""First and last of these two: no server cuts an attribute into pieces of one value."""
_EXTENDED = re.compile(r"<GUID=(?P<guid>[0-9A-Fa-f-]{36})>;(?:<SID=(?P<sid>[^>]*)>;)?(?P<dn>.*)", re.DOTALL)


class ExtendedDn(NamedTuple):
    """A distinguished name with what identifies its object (MS-ADTS section 3.1.1.3.4.1.5)."""

    guid: bytes
    """objectGUID as it is stored."""
    sid: str
    """`S-1-…`; empty where the object has none."""
    dn: str


def parse_extended_dn(text: str) -> ExtendedDn | None:
    """`<GUID=…>;<SID=…>;CN=…`; None where it is another notation."""
    match = _EXTENDED.fullmatch(text)
    if match is None:
        return None
    try:
        guid = uuid.UUID(match["guid"]).bytes_le
    except ValueError:
        return None
    return ExtendedDn(guid, match["sid"] or "", match["dn"])


class ValueRange(NamedTuple):
    """A part of an attribute's values (MS-ADTS section 3.1.1.3.1.3.3)."""

    name: bytes
    first: int
    last: int | None
    """None: to the end."""


def parse_range(name: bytes) -> ValueRange | None:
    """`member;range=0-1499`; None where the name has no range."""
    match = _RANGE.fullmatch(name)
    if match is None:
        return None
    return ValueRange(match["name"], int(match["first"]), None if match["last"] == b"*" else int(match["last"]))


def has_options(entry: Entry) -> bool:
    """Whether any attribute's name has an option, such as a range: quick, since hardly any has."""
    return b";" in b"".join(entry)


def entry_key(entry: Entry) -> bytes:
    """objectGUID, entryUUID or nsUniqueId; empty where the entry has none of them.

    389 Directory Server writes nsUniqueId as four groups of eight digits, and sends the same bytes as entryUUID (RFC 4533).
    """
    values = entry.get(b"objectguid")
    if values:
        return values[0] if len(values[0]) == 16 else b""
    values = entry.get(b"entryuuid") or entry.get(b"nsuniqueid")
    try:
        return uuid.UUID(values[0].decode()).bytes if values else b""
    except ValueError:
        return b""


def is_deleted(entry: Entry) -> bool:
    """Whether it is a tombstone, or lies in the recycle bin."""
    return entry.get(b"isdeleted") == [b"TRUE"]


def whole_record(dn: str, entry: Entry, key: bytes) -> DirectoryRecord:
    """Of an entry with all that was asked for."""
    return DirectoryRecord(RecordKind.DELETED if is_deleted(entry) else RecordKind.WHOLE, key, plain_dn(dn), entry)


def changed_record(dn: str, entry: Entry, key: bytes) -> DirectoryRecord:
    """Of an entry that DirSync brings."""
    kind = RecordKind.DELETED if is_deleted(entry) else RecordKind.CHANGED
    if [] not in entry.values() and not has_options(entry):  # nearly always: nothing to take apart
        return DirectoryRecord(kind, key, plain_dn(dn), entry)
    attributes: Entry = {}
    added: Entry = {}
    removed: Entry = {}
    cleared = []
    for name, values in entry.items():
        if name.endswith(_ADDED):
            added[name.removesuffix(_ADDED)] = values
        elif name.endswith(_REMOVED):
            removed[name.removesuffix(_REMOVED)] = values
        elif values:
            attributes[name] = values
        else:
            cleared.append(name)
    # With incremental values, the plain name may stand beside them without a value: it was not cleared
    names = tuple(name for name in cleared if name not in added and name not in removed)
    return DirectoryRecord(kind, key, plain_dn(dn), attributes, names, added, removed)


def plain_dn(dn: str) -> str:
    """Without what the control for extended names puts before it."""
    if not dn.startswith("<GUID="):
        return dn
    extended = parse_extended_dn(dn)
    return extended.dn if extended is not None else dn
