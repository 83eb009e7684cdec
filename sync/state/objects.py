"""Objects as sources told of them: looking them up, by key or in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from sync.model import LinkTarget, SourceObject
from sync.state.codec import KINDS, decode_values
from sync.state.database import Row, StateFile
from sync.state.errors import ObjectUnknown
from sync.state.names import Names
from sync.state.records import Deletion, DeletionEvidence, SourceStatus

LIVING: Final = 0
PLACEHOLDER: Final = 1
"""Something links to it, or lies below it, and its source has not told of it yet."""
DELETED: Final = 2

BY_KEY: Final = 0
BY_NAME: Final = 1
"""A link that was told by name belongs to whichever object has this name."""
AS_PRIMARY_GROUP: Final = 2
"""The member's own word: its primary group."""

_MOST_PATHS = 20_000
"""Objects above others, whose paths are kept in memory. Where there are more, they are worked out again."""
DEEPEST: Final = 256
"""Objects above one another. What is deeper is a circle, which a directory cannot have."""
_COLUMNS = (
    "objects.id, objects.source, objects.key, objects.kind, objects.dn, objects.parent, objects.content, objects.status"
)


class Objects:
    """See `ObjectPort`."""

    def __init__(self, file: StateFile, names: Names) -> None:
        self._file, self._names = file, names
        self._paths: dict[int, tuple[bytes, ...]] = {}
        file.when_rolled_back(self.forget_paths)

    def forget_paths(self) -> None:
        """An object that others lie below is elsewhere, or another, now."""
        self._paths.clear()

    # Sources

    def status(self, source: str) -> SourceStatus:
        """How far it has been read."""
        row = self._file.one(
            "SELECT cookie, complete, run, at, completed FROM sources WHERE id = ?", (self._names.find("source", source),)
        )
        return SourceStatus(source, row[0], bool(row[1]), *row[2:]) if row else SourceStatus(source)

    def absence_candidates(self, source: str) -> Iterator[SourceObject]:
        """Objects that the last complete reading did not have: their keys are to be asked for."""
        return self._listed("absence_candidates", source)

    def rereads(self, source: str) -> Iterator[SourceObject]:
        """Objects of which more has to be known than was told: their keys are to be asked for."""
        return self._listed("rereads", source)

    def _listed(self, table: str, source: str) -> Iterator[SourceObject]:
        sql = (
            f"SELECT {_COLUMNS} FROM {table} AS listed JOIN objects ON objects.id = listed.object "
            "WHERE objects.source = ? AND listed.object > ? ORDER BY listed.object LIMIT ?"
        )
        for row in self._file.pages(sql, self._names.find("source", source), after=(0,)):
            yield self._object(row)

    # Objects

    def find(self, source: str, key: bytes) -> SourceObject | None:
        """The object, living or deleted; None where nothing was told of it."""
        row = self._file.one(
            f"SELECT {_COLUMNS} FROM objects WHERE source = ? AND key = ? AND status <> {PLACEHOLDER}",
            (self._names.find("source", source), key),
        )
        return self._object(row) if row else None

    def number(self, source: str, key: bytes) -> int:
        """Of the object. Raises ObjectUnknown."""
        row = self._file.one(
            f"SELECT id FROM objects WHERE source = ? AND key = ? AND status <> {PLACEHOLDER}",
            (self._names.find("source", source), key),
        )
        if row is None:
            raise ObjectUnknown(source, key)
        return int(row[0])

    def by_number(self, number: int) -> SourceObject | None:
        """None where it is a placeholder, or not there."""
        row = self._file.one(f"SELECT {_COLUMNS} FROM objects WHERE id = ? AND status <> {PLACEHOLDER}", (number,))
        return self._object(row) if row else None

    def key_of(self, number: int) -> tuple[str, bytes]:
        """Source and key of an object that is known."""
        row = self._file.one("SELECT source, key FROM objects WHERE id = ?", (number,))
        if row is None:
            raise self._file.damaged(f"there is an object with the number {number}, but not in the table of objects")
        return self._names.text(row[0]), row[1] or b""

    def all(self, source: str, *, deleted: bool = False) -> Iterator[SourceObject]:
        """Of one source, in the order of their keys. deleted: these too."""
        sql = (
            f"SELECT objects.key, {_COLUMNS} FROM objects "
            f"WHERE source = ? AND (status = {LIVING} OR (status = {DELETED} AND ?)) AND key > ? ORDER BY key LIMIT ?"
        )
        for row in self._file.pages(sql, self._names.find("source", source), deleted, after=(b"",)):
            yield self._object(row[1:])

    def count(self, source: str) -> int:
        """Living ones."""
        row = self._file.one(
            f"SELECT count(*) FROM objects WHERE source = ? AND status = {LIVING}", (self._names.find("source", source),)
        )
        return int(row[0]) if row else 0

    def deletion(self, source: str, key: bytes) -> Deletion | None:
        """The evidence for a deleted object; None where it lives, or is not known."""
        row = self._file.one(
            "SELECT evidence, run, at FROM deletions JOIN objects ON objects.id = object WHERE source = ? AND key = ?",
            (self._names.find("source", source), key),
        )
        return Deletion(DeletionEvidence(row[0]), row[1], row[2]) if row else None

    # Links

    def links_of(self, source: str, key: bytes, attribute: str) -> Iterator[LinkTarget]:
        """What an object links to, in the order of numbers; of a group's `member`, those too whose primary group it is.

        A target that no source has told of yet has the key or the name by which it was told.
        """
        sql = (
            "SELECT DISTINCT links.member, objects.key, objects.dn FROM links JOIN objects ON objects.id = links.member "
            "WHERE links.holder = ? AND links.attribute = ? AND links.member > ? ORDER BY links.member LIMIT ?"
        )
        holder = self.number(source, key)
        for _, other, dn in self._file.pages(sql, holder, self._names.find("attribute", attribute), after=(0,)):
            yield LinkTarget(key=other) if other is not None else LinkTarget(name=dn)

    def link_count(self, source: str, key: bytes, attribute: str) -> int:
        """How many objects it links to."""
        row = self._file.one(
            "SELECT count(DISTINCT member) FROM links WHERE holder = ? AND attribute = ?",
            (self.number(source, key), self._names.find("attribute", attribute)),
        )
        return int(row[0]) if row else 0

    def holders_of(self, source: str, key: bytes, attribute: str) -> Iterator[SourceObject]:
        """Objects that link to this one directly: the groups that somebody is in."""
        sql = (
            f"SELECT DISTINCT links.holder, {_COLUMNS} FROM links JOIN objects ON objects.id = links.holder "
            f"WHERE links.member = ? AND links.attribute = ? AND links.holder > ? AND status <> {PLACEHOLDER} "
            "ORDER BY links.holder LIMIT ?"
        )
        member = self.number(source, key)
        for row in self._file.pages(sql, member, self._names.find("attribute", attribute), after=(0,)):
            yield self._object(row[1:])

    def _object(self, row: Row) -> SourceObject:
        number, source, key, kind, dn, parent, content, status = row
        try:
            values = self._names.named(decode_values(content))
            return SourceObject(
                self._names.text(source), key, KINDS[kind], dn, self._path(parent), values, deleted=status == DELETED
            )
        except (msgspec.MsgspecError, IndexError) as error:
            raise self._file.damaged(f"what it holds of object {number} cannot be read") from error

    def _path(self, number: int) -> tuple[bytes, ...]:
        """Keys from this object upwards."""
        climbed: list[tuple[int, bytes]] = []
        while number and number not in self._paths:
            row = self._file.one("SELECT key, parent FROM objects WHERE id = ?", (number,))
            if row is None or len(climbed) > DEEPEST:
                break
            climbed.append((number, row[0] or b""))
            number = row[1]
        path = self._paths.get(number, ())
        if len(self._paths) > _MOST_PATHS:
            self._paths.clear()
        for above, key in reversed(climbed):
            path = (key, *path) if key else path
            self._paths[above] = path
        return path
