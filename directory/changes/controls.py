"""Controls of readings, as bytes. Pure; each with the section that defines it. What cannot be read raises CodecError."""

from __future__ import annotations

from typing import NamedTuple

from directory.ldap import codec

PAGED_RESULTS = b"1.2.840.113556.1.4.319"  # RFC 2696
DIRSYNC = b"1.2.840.113556.1.4.841"  # MS-ADTS section 3.1.1.3.4.1.3
SHOW_DELETED = b"1.2.840.113556.1.4.417"  # 3.1.1.3.4.1.14
SHOW_RECYCLED = b"1.2.840.113556.1.4.2064"  # 3.1.1.3.4.1.26
EXTENDED_DN = b"1.2.840.113556.1.4.529"  # 3.1.1.3.4.1.5
NOTIFICATION = b"1.2.840.113556.1.4.528"  # 3.1.1.3.4.1.9
SYNC_REQUEST = b"1.3.6.1.4.1.4203.1.9.1.1"  # RFC 4533 section 2.2
SYNC_STATE = b"1.3.6.1.4.1.4203.1.9.1.2"  # 2.3
SYNC_DONE = b"1.3.6.1.4.1.4203.1.9.1.3"  # 2.4
SYNC_INFO = b"1.3.6.1.4.1.4203.1.9.1.4"  # 2.5; the name of an intermediate response

OBJECT_SECURITY = 0x1
"""DirSync: only what the caller may read, and no replication right is needed."""
INCREMENTAL_VALUES = 0x80000000
"""DirSync: of linked attributes, only the values that changed."""
REFRESH_ONLY, REFRESH_AND_PERSIST = 1, 3
_FLAG_BITS = 32

SHOW_DELETED_REQUEST = codec.control(SHOW_DELETED, critical=True) + codec.control(SHOW_RECYCLED)
"""Recycled objects are beside the point where the recycle bin is off, and a server may not know of them: not critical."""
# Flag 1 wants GUID and SID as text; without the value, they come as hexadecimal digits
EXTENDED_DN_REQUEST = codec.control(EXTENDED_DN, critical=True, value=codec.tlv(0x30, codec.integer(1)))
NOTIFICATION_REQUEST = codec.control(NOTIFICATION, critical=True)


def paged_request(size: int, cookie: bytes) -> bytes:
    """Not critical: a server that does not know it sends everything, or says that it does not."""
    return codec.control(PAGED_RESULTS, value=codec.tlv(0x30, codec.integer(size) + codec.octets(cookie)))


def dirsync_request(flags: int, largest: int, cookie: bytes) -> bytes:
    """largest: bytes of attribute values in one answer; a wish that Samba does not heed."""
    # Windows reads the flags as a signed integer of 4 bytes: the highest of them is the sign, a fifth byte is an error
    signed = flags - (1 << _FLAG_BITS) if flags >> (_FLAG_BITS - 1) else flags
    value = codec.signed_integer(signed) + codec.integer(largest) + codec.octets(cookie)
    return codec.control(DIRSYNC, critical=True, value=codec.tlv(0x30, value))


def sync_request(mode: int, cookie: bytes) -> bytes:
    """RFC 4533 section 2.2. reloadHint stays FALSE: e-syncRefreshRequired tells where the cookie is of no use."""
    value = codec.integer(mode, 0x0A) + (codec.octets(cookie) if cookie else b"")
    return codec.control(SYNC_REQUEST, critical=True, value=codec.tlv(0x30, value))


def read_paged(value: bytes) -> bytes:
    """The cookie of the next page; empty at the last one."""
    match codec.read_elements(value):
        case [(0x02, _), (0x04, cookie)]:
            return cookie
    raise codec.CodecError("a control for paged results without size and cookie")


def read_dirsync(value: bytes) -> tuple[bool, bytes]:
    """(whether there is more, cookie); the second number is no use (section 3.1.1.3.4.1.3)."""
    match codec.read_elements(value):
        case [(0x02, more), (0x02, _), (0x04, cookie)]:
            return any(more), cookie
    raise codec.CodecError("a DirSync control without its three parts")


class SyncStateValue(NamedTuple):
    """What is said about an entry (RFC 4533 section 2.3)."""

    state: int
    uuid: bytes
    cookie: bytes


PRESENT, ADDED, MODIFIED, DELETED = range(4)


def read_sync_state(value: bytes) -> SyncStateValue:
    """The control of an entry."""
    match codec.read_elements(value):
        case [(0x0A, state), (0x04, uuid), *rest] if len(uuid) == 16 and int.from_bytes(state, "big") <= DELETED:
            return SyncStateValue(int.from_bytes(state, "big"), uuid, _cookie(rest))
    raise codec.CodecError("a sync state control without state and entryUUID")


def read_sync_done(value: bytes) -> tuple[bytes, bool]:
    """(cookie, refreshDeletes), section 2.4."""
    parts = codec.read_elements(value)
    return _cookie(parts), _boolean(parts, default=False)


class SyncInfo(NamedTuple):
    """A Sync Info message (section 2.5)."""

    kind: int
    cookie: bytes
    flag: bool = False
    """refreshDone; of a set of entries, refreshDeletes: whether they are deleted or present."""
    uuids: tuple[bytes, ...] = ()


NEW_COOKIE, REFRESH_DELETE, REFRESH_PRESENT, ID_SET = 0x80, 0xA1, 0xA2, 0xA3


def read_sync_info(value: bytes) -> SyncInfo:
    """The value of the intermediate response."""
    kind, start, end = codec.header(value, 0)
    if end != len(value):
        raise codec.CodecError("a sync info message is not one element")
    if kind == NEW_COOKIE:
        return SyncInfo(kind, value[start:end])
    if kind not in (REFRESH_DELETE, REFRESH_PRESENT, ID_SET):
        raise codec.CodecError("a sync info message of an unknown kind")
    parts = codec.read_elements(value, kind)
    if kind != ID_SET:
        return SyncInfo(kind, _cookie(parts), _boolean(parts, default=True))
    sets = [content for tag, content in parts if tag == 0x31]
    if len(sets) != 1:
        raise codec.CodecError("a set of entries without entries")
    uuids = tuple(content for _, content in codec.read_elements(codec.tlv(0x31, sets[0]), 0x31))
    if any(len(uuid) != 16 for uuid in uuids):
        raise codec.CodecError("a set of entries with something other than an entryUUID")
    return SyncInfo(kind, _cookie(parts), _boolean(parts, default=False), uuids)


def _cookie(parts: list[tuple[int, bytes]]) -> bytes:
    return next((content for tag, content in parts if tag == 0x04), b"")


def _boolean(parts: list[tuple[int, bytes]], *, default: bool) -> bool:
    return next((any(content) for tag, content in parts if tag == 0x01), default)
