"""What attribute values mean: numbers, times, SIDs, GUIDs as Active Directory writes them. Pure; times are Unix seconds."""

from __future__ import annotations

import base64
import datetime as dt
import math
import re
import uuid

from directory.ldap.codec import Entry

_SID = re.compile("S-1-[0-9]{1,15}(?:-[0-9]{1,10}){1,15}")
_GUID = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_EPOCH = 11_644_473_600
"""Seconds from 1601 to 1970."""
_LARGEST = 2**63 - 1
_STEPS = 10_000_000
"""Steps of 100 ns in a second."""


def integer_of(entry: Entry, name: bytes) -> int:
    """A single integer value, of 64 bits as the directory's own are; 0 where there is none or it is none."""
    values = entry.get(name)
    try:
        return min(max(int(values[0]), -_LARGEST - 1), _LARGEST) if values else 0
    except ValueError:
        return 0


def text_of(entry: Entry, name: bytes) -> str:
    """The first value as text; empty where there is none."""
    values = entry.get(name)
    return values[0].decode("utf-8", "replace") if values else ""


def as_text(value: bytes) -> str:
    """A value as it is where it can be read, else in base64."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
    return text if text.isprintable() else base64.b64encode(value).decode()


def from_filetime(value: int) -> float:
    """A FILETIME (100 ns since 1601, MS-DTYP section 2.3.3); 0, which means never, stays 0."""
    return value / _STEPS - _EPOCH if value > 0 else 0.0


def from_generalized_time(value: bytes) -> float | None:
    """A GeneralizedTime in UTC (RFC 4517 section 3.3.13), to the second; None where it is none."""
    digits = value[:14]
    if len(digits) < 14 or not digits.isdigit():
        return None
    month, day, hour, minute, second = (int(digits[place : place + 2]) for place in range(4, 14, 2))
    try:  # not strptime: it takes several times as long, and this is read at each sign-in
        return dt.datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=dt.UTC).timestamp()
    except ValueError:
        return None


def from_interval(value: int) -> float:
    """A negative interval of 100 ns steps as seconds; the smallest integer means without end."""
    return math.inf if value <= -(2**63) else -value / _STEPS


def format_sid(raw: bytes) -> str:
    """A binary SID as `S-1-…` (MS-DTYP section 2.4.2): the authority big-endian, the parts after it little-endian.

    What is none is shown in base64, which no SID looks like.
    """
    if len(raw) < 8 or len(raw) < 8 + 4 * raw[1]:
        return base64.b64encode(raw).decode()
    authority = int.from_bytes(raw[2:8], "big")
    parts = [int.from_bytes(raw[at : at + 4], "little") for at in range(8, 8 + 4 * raw[1], 4)]
    return "-".join(map(str, ("S", raw[0], authority, *parts)))


def parse_sid(text: str) -> bytes | None:
    """The binary SID of `S-1-…` (MS-DTYP section 2.4.2.1); None where it is none."""
    match = _SID.fullmatch(text)
    if match is None:
        return None
    revision, authority, *parts = map(int, text[2:].split("-"))
    if authority >= 1 << 48 or any(part >= 1 << 32 for part in parts):
        return None
    head = bytes((revision, len(parts))) + authority.to_bytes(6, "big")
    return head + b"".join(part.to_bytes(4, "little") for part in parts)


def parse_guid(text: str) -> bytes | None:
    """The binary objectGUID of a GUID as `format_guid` writes it, in either case; None where it is none."""
    return uuid.UUID(text).bytes_le if _GUID.fullmatch(text) else None


def format_guid(raw: bytes) -> str:
    """A binary objectGUID (MS-DTYP section 2.3.4.2: the first three fields are little-endian), else the text that it is."""
    if len(raw) == 16:
        return str(uuid.UUID(bytes_le=raw))
    return raw.decode("utf-8", "replace").lower()
