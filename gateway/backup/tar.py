"""Plain files out of a tar archive, as `tarfile` writes them (POSIX.1-2001, pax), read from its front.

`tarfile` reads more than that: sparse files, of which a few bytes fill a disk; headers about headers, taken into memory as a
whole and by recursion. What an archive is made of here is a header, for a long name or a large size a record before it, and
the content.
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

_BLOCK = tarfile.BLOCKSIZE
_PIECE = 1024 * 1024
_LARGEST_RECORDS = 4096
"""Bytes of the records before a header: a path and a size."""
_RECORD = re.compile(rb"[0-9]{1,4} ([A-Za-z.]{1,64})=([^\n\0]*)\n")


class Readable(Protocol):
    """A file that is read from the front."""

    def read(self, size: int, /) -> bytes:
        """Up to `size` bytes; none at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """One entry. plain: whether it is a file; what else there is has no content here."""

    name: str
    size: int
    plain: bool
    content: Iterator[bytes]
    """Pieces of it; to be read to the end before the next member, or not at all."""


def read_members(file: Readable) -> Iterator[Member]:
    """Every member. Raises tarfile.TarError; what `file` raises."""
    records: dict[bytes, bytes] = {}
    while (header := _exactly(file, _BLOCK)).strip(b"\0"):
        found = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
        if found.type == tarfile.XHDTYPE and not records:
            records = _records(file, found.size)
            continue
        try:
            name, size = records.get(b"path", b"").decode() or found.name, int(records.get(b"size", found.size))
        except ValueError as error:
            raise tarfile.ReadError("a record that is none") from error
        if size < 0:
            raise tarfile.ReadError("a negative size")
        plain = found.type in {tarfile.REGTYPE, tarfile.AREGTYPE}
        content = _content(file, size)
        yield Member(name, size, plain, content)
        for _rest in content:
            pass
        records = {}


def _records(file: Readable, size: int) -> dict[bytes, bytes]:
    if not 0 < size <= _LARGEST_RECORDS:
        raise tarfile.ReadError("records of an odd size")
    text = b"".join(_content(file, size))
    if not re.fullmatch(rb"(?:%s)*" % _RECORD.pattern, text):
        raise tarfile.ReadError("a record that is none")
    return dict(_RECORD.findall(text))


def _content(file: Readable, size: int) -> Iterator[bytes]:
    """In pieces, so that no more is in memory; the padding behind it is read, too."""
    left = size
    while left:
        piece = _exactly(file, min(left, _PIECE))
        left -= len(piece)
        yield piece
    _exactly(file, -size % _BLOCK)


def _exactly(file: Readable, size: int) -> bytes:
    if len(found := file.read(size)) < size:
        raise tarfile.ReadError("it ends in the middle")
    return found
