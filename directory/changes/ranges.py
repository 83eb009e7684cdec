"""The rest of attributes with more values than a server sends at a time (MS-ADTS section 3.1.1.3.1.3.3): 1,500 on Windows.

Read on a connection of its own, by objectGUID, so that the entry may be renamed meanwhile. The values are in no order that
holds while some are added or removed: where the object's uSNChanged is another at the last range than it was at the first,
all of them are read again, from the first one.
"""

from __future__ import annotations

import uuid

from directory.changes.records import SINGLE_VALUES, parse_range
from directory.changes.run import ReadProgress, ReadServer
from directory.ldap import Entry, LdapConnection, codec

_ATTEMPTS = 4
"""Readings of one attribute; who changes it without a break is read at the next change."""
_MOST = 100_000_000
"""Values of one attribute: far more than a directory holds."""


async def complete_ranges(server: ReadServer, dn: str, guid: bytes, entry: Entry, progress: ReadProgress) -> Entry | None:
    """The entry with all values of each attribute that came in part; None where they cannot be had.

    DirSync's single values (see `records`) stay what they are. Raises as a search does.
    """
    whole: Entry = {}
    for name, values in entry.items():
        found = parse_range(name)
        if found is None or (found.first, found.last) in SINGLE_VALUES:
            whole.setdefault(name, values)  # beside a range, the plain name may stand without values
        elif found.last is None and found.first == 0:
            whole[found.name] = values
        else:
            read = await _read_all(server, guid, found.name)
            if read is None:
                progress.note(f"{found.name.decode('ascii', 'replace')} of {dn} changed while it was read")
                return None
            whole[found.name] = read
    return whole


async def _read_all(server: ReadServer, guid: bytes, name: bytes) -> list[bytes] | None:
    base = f"<GUID={uuid.UUID(bytes_le=guid)}>".encode()
    async with server.controller.searching() as connection:
        for _ in range(_ATTEMPTS):
            values, undisturbed = await _read_once(server, connection, base, name)
            if undisturbed:
                return values
    return None


async def _read_once(server: ReadServer, connection: LdapConnection, base: bytes, name: bytes) -> tuple[list[bytes], bool]:
    """(values, whether the object stayed as it was)."""
    values: list[bytes] = []
    first_usn: list[bytes] | None = None
    while len(values) < _MOST:
        wanted = codec.attribute_list((f"{name.decode('ascii', 'replace')};range={len(values)}-*", "uSNChanged"))
        found = await connection.search(
            base, codec.SCOPE_BASE, codec.ANYTHING, wanted, limit=1, timeout=server.search_timeout
        )
        entry = found[0][1] if found else {}
        usn = entry.get(b"usnchanged")
        first_usn = usn if first_usn is None else first_usn
        if usn != first_usn or usn is None:
            return values, False
        more, last = _values(entry, name)
        values += more
        if last or not more:
            return values, True
    raise codec.CodecError("an attribute without an end")


def _values(entry: Entry, name: bytes) -> tuple[list[bytes], bool]:
    """(values of the attribute, whether they are the last ones)."""
    for found, values in entry.items():
        part = parse_range(found)
        if part is not None and part.name == name:
            return values, part.last is None
    return entry.get(name, []), True
