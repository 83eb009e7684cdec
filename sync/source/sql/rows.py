"""Rows as objects: a row for each object, and rows of its lists, both in the order of keys. No I/O of its own.

    objects   1  2  4         a value whose object is not there belongs to nobody
    members   1a 1b 3x 4c     and is passed over

The order is checked, because everything rests on it: a list's values would go to nobody, and who is there twice would not
be noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sync.model import ChangeKind, LinkTarget, ObjectKind, Plain, SourceChange
from sync.source.attributes import AttributeType
from sync.source.links import How, ToldLinks, with_links
from sync.source.schema import NotOfItsType, from_text, several
from sync.source.settings import ColumnSettings, SqlListSettings, SqlQuerySettings

_LARGEST = 2**63


class OutOfOrder(Exception):
    """The rows of a query came in another order than that of their keys."""


class Cursor:
    """Rows of a list, taken key by key."""

    def __init__(self, settings: SqlListSettings, rows: Iterator[tuple[Any, ...]]) -> None:
        self.settings = settings
        self._rows = rows
        self._head: tuple[Any, ...] | None = None
        self._last = ""
        self._advance()

    def take(self, key: str) -> list[Any]:
        """Values of that object. Keys have to come in order."""
        values = []
        while self._head is not None and self._head[0] <= key:
            if self._head[0] == key and self._head[1] is not None:
                values.append(self._head[1])
            self._advance()
        return values

    def _advance(self) -> None:
        self._head = next((row for row in self._rows if row[0] is not None), None)
        if self._head is not None:
            if self._head[0] < self._last:
                raise OutOfOrder(f"the rows of a list came out of order: {self._head[0]!r} after {self._last!r}")
            self._last = self._head[0]


def object_key(kind: str, key: str) -> bytes:
    """Keys of users and groups may be the same numbers."""
    return f"{kind}:{key}".encode()


class ObjectRows:
    """Rows of one query as changes. note: what is missing. Raises OutOfOrder."""

    def __init__(self, kind: str, settings: SqlQuerySettings, lists: dict[str, Cursor], note: Callable[[str], None]) -> None:
        self._kind, self._settings, self._lists, self._note = kind, settings, lists, note
        self._object = ObjectKind(kind)
        self._columns = [(name, column, AttributeType(column.type)) for name, column in settings.columns.items()]
        self._last: str | None = None
        self.count = 0

    def changes(self, row: tuple[Any, ...]) -> Iterator[SourceChange]:
        """Nothing where the row is nobody's, or another one has the same key."""
        key, cells = row[0], row[1:]
        self.count += 1
        if not key:
            self._note(f"{self._kind}s: a row has no {self._settings.key}; give each object a key of its own")
            return
        if self._last is not None and key <= self._last:
            if key != self._last:
                raise OutOfOrder(f"the rows of {self._kind}s came out of order: {key!r} after {self._last!r}")
            self._note(f"{self._kind}s: two rows have the {self._settings.key} {key[:40]!r}; give each a key of its own")
            return
        self._last = key
        values: dict[str, Plain | tuple[Plain, ...]] = {}
        invalid: dict[str, str] = {}
        links: list[ToldLinks] = []
        for (name, column, kind), cell in zip(self._columns, cells, strict=True):
            if cell is not None and cell != "":
                self._add(name, kind, column.to, _parts(cell, column), values, invalid, links)
        for name, cursor in self._lists.items():
            taken = cursor.take(key)
            if taken:
                self._add(name, AttributeType(cursor.settings.type), cursor.settings.to, taken, values, invalid, links)
        change = SourceChange(ChangeKind.WHOLE, object_key(self._kind, key), self._object, values=values, invalid=invalid)
        yield from with_links(change, links, LinkTarget)

    @staticmethod
    def _add(
        name: str,
        kind: AttributeType,
        to: str,
        cells: Sequence[Any],
        values: dict[str, Plain | tuple[Plain, ...]],
        invalid: dict[str, str],
        links: list[ToldLinks],
    ) -> None:
        if kind is AttributeType.LINK:
            links.append(ToldLinks(name, How.ALL, [object_key(to, str(cell)) for cell in cells]))
            return
        good: list[Plain] = []
        for cell in cells:
            try:
                good.append(from_cell(cell, kind))
            except NotOfItsType as error:
                invalid[name] = str(error)
        if good:
            values[name] = several(good)


def _parts(cell: Any, column: ColumnSettings) -> list[Any]:
    if isinstance(cell, list):  # PostgreSQL's arrays
        return [part for part in cell if part is not None and part != ""]
    if column.separator and isinstance(cell, str):
        return [part for part in cell.split(column.separator) if part]
    return [cell]


def from_cell(cell: Any, kind: AttributeType) -> Plain:
    """One value as the driver gives it: as what the settings say. Raises NotOfItsType."""
    if isinstance(cell, memoryview):
        cell = bytes(cell)
    if isinstance(cell, bytes):
        if kind is AttributeType.BINARY:
            return cell
        try:
            cell = cell.decode()
        except UnicodeDecodeError:
            raise NotOfItsType("it is binary; declare it so in `type`") from None
    if kind is AttributeType.NUMBER and isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) < _LARGEST:
        return cell
    if kind is AttributeType.BOOLEAN and isinstance(cell, bool):
        return cell
    return from_text(cell if isinstance(cell, str) else str(cell), kind)
