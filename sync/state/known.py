"""What the changes of one transaction refer to: looked up for all of them together, and written together.

Objects are numbered here, so that a link can be written before its target is. Whatever reads the tables flushes first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple

from sync.model import LinkTarget, ObjectKind, SourceChange
from sync.state.codec import EMPTY, KIND_NUMBERS
from sync.state.database import StateFile
from sync.state.names import dn_digest, name_digest
from sync.state.objects import BY_KEY, BY_NAME, PLACEHOLDER

_MOST_KEYS: Final = 50_000
"""Keys whose numbers are kept in memory: members are told again and again."""
_ASKED: Final = 400
"""Keys in one question."""


class KnownObject:
    """A row of `objects` on its way."""

    __slots__ = ("content", "dn", "fresh", "id", "key", "kind", "parent", "status", "written")

    def __init__(self, number: int, key: bytes | None, status: int, kind: int, parent: int, dn: str, content: bytes) -> None:
        self.id, self.key, self.status, self.kind, self.parent, self.dn, self.content = (
            number,
            key,
            status,
            kind,
            parent,
            dn,
            content,
        )
        self.fresh = False
        """Not in the table yet: nothing else can refer to it."""
        self.written = True
        """As it is in the table."""


class Named(NamedTuple):
    """Whoever has a name."""

    id: int
    status: int


class KnownObjects:
    """Of one source."""

    def __init__(self, file: StateFile, source: int) -> None:
        self._file, self._source = file, source
        self._numbers: dict[bytes, int] = {}
        self._rows: dict[bytes, KnownObject] = {}
        self._unwritten: list[KnownObject] = []
        self._named: dict[int, Named | None] = {}
        self._new_names: list[tuple[int, int, int]] = []
        self._new_links: list[tuple[int, int, int, int]] = []
        self._next = 0
        file.when_rolled_back(self._forget)

    def _forget(self) -> None:
        self._numbers.clear()
        self._clear()

    def _clear(self) -> None:
        self._rows.clear()
        self._unwritten.clear()
        self._named.clear()
        self._new_names.clear()
        self._new_links.clear()

    def begin(self, changes: Sequence[SourceChange]) -> None:
        """Look up what these changes name. Each transaction begins with it."""
        self._clear()
        if len(self._numbers) > _MOST_KEYS:
            self._numbers.clear()
        row = self._file.one("SELECT ifnull(max(id), 0) + 1 FROM objects")
        self._next = row[0] if row else 1
        self._find_rows({change.key for change in changes})
        others = {change.parent for change in changes if change.parent}
        for change in changes:
            for links in change.links.values():
                for targets in (links.all, links.added, links.removed):
                    if targets:
                        others.update([target.key for target in targets if target.key])
        self._find_numbers(others - self._numbers.keys() - self._rows.keys())
        self._find_names({dn_digest(change.dn) for change in changes if change.dn})

    def _find_rows(self, keys: Iterable[bytes]) -> None:
        for some, marks in _portions(keys):
            for row in self._file.all(
                f"SELECT id, key, status, kind, parent, dn, content FROM objects WHERE source = ? AND key IN ({marks})",
                (self._source, *some),
            ):
                self._rows[row[1]] = KnownObject(*row)

    def _find_numbers(self, keys: Iterable[bytes]) -> None:
        for some, marks in _portions(keys):
            self._numbers.update(
                self._file.all(f"SELECT key, id FROM objects WHERE source = ? AND key IN ({marks})", (self._source, *some))
            )

    def _find_names(self, digests: set[int]) -> None:
        self._named.update(dict.fromkeys(digests))
        for some, marks in _portions(digests):
            for digest, number, status in self._file.all(
                "SELECT digest, objects.id, status FROM object_names JOIN objects ON objects.id = object "
                f"WHERE object_names.source = ? AND digest IN ({marks}) ORDER BY digest, status DESC, objects.id",
                (self._source, *some),
            ):
                self._named[digest] = Named(number, status)  # the last one counts: living, told of last

    def row(self, key: bytes) -> KnownObject | None:
        """Of an object that `begin` was told of, or that was created since."""
        return self._rows.get(key)

    def create(self, key: bytes | None, dn: str = "") -> KnownObject:
        """An object that was not known; a placeholder until it is told of. Without a key, it has this DN as its name."""
        made = KnownObject(self._next, key, PLACEHOLDER, KIND_NUMBERS[ObjectKind.OTHER], 0, dn, EMPTY)
        made.fresh = True
        self._next += 1
        if key is not None:
            self._rows[key] = made
            self._numbers[key] = made.id
        self.write(made)
        return made

    def write(self, row: KnownObject) -> None:
        """It has to be written with the next flush."""
        if row.written:
            row.written = False
            self._unwritten.append(row)

    def number(self, key: bytes) -> int:
        """Of whatever has this key: a placeholder is made where there is nothing."""
        return self._number(key) or self.create(key).id

    def _number(self, key: bytes) -> int:
        number = self._numbers.get(key)
        if number is None:
            row = self._rows.get(key)
            number = row.id if row is not None else 0
        return number

    def target(self, target: LinkTarget) -> tuple[int, int]:
        """Number of a link's target, and how it was told. A placeholder is made where there is nothing."""
        if target.key:
            return self._numbers.get(target.key) or self.number(target.key), BY_KEY
        return self.holder_of_name(name_digest(target.name), target.name), BY_NAME

    def find_target(self, target: LinkTarget) -> int:
        """The same, but 0 where there is nothing."""
        if target.key:
            return self._number(target.key)
        named = self.named(name_digest(target.name))
        return named.id if named else 0

    def holder_of_name(self, digest: int, dn: str) -> int:
        """Number of the object that has this name: a placeholder is made where there is none."""
        named = self.named(digest)
        if named is None:
            named = Named(self.create(None, dn).id, PLACEHOLDER)
            self.add_name(digest, named)
        return named.id

    def named(self, digest: int) -> Named | None:
        """Whoever has a name; of several, one that lives, and of these the youngest."""
        try:
            return self._named[digest]
        except KeyError:
            row = self._file.one(
                "SELECT objects.id, status FROM object_names JOIN objects ON objects.id = object "
                "WHERE object_names.source = ? AND digest = ? ORDER BY status, objects.id DESC LIMIT 1",
                (self._source, digest),
            )
            self._named[digest] = named = Named(*row) if row else None
            return named

    def add_name(self, digest: int, named: Named) -> None:
        """Somebody has this name now."""
        self._named[digest] = named
        self._new_names.append((self._source, digest, named.id))

    def remove_name(self, digest: int, number: int) -> None:
        """Somebody does not have it any more. Flush first."""
        self._named.pop(digest, None)
        self._file.run(
            "DELETE FROM object_names WHERE source = ? AND digest = ? AND object = ?", (self._source, digest, number)
        )

    def add_links(self, holder: int, attribute: int, targets: Iterable[LinkTarget]) -> list[int]:
        """Of an object that had no links. Numbers of the targets."""
        known = self._numbers
        rows = [
            (holder, attribute, known.get(target.key) or self.number(target.key), BY_KEY)
            if target.key
            else (holder, attribute, *self.target(target))
            for target in targets
        ]
        self._new_links += rows
        return [row[2] for row in rows]

    def add_link(self, holder: int, attribute: int, member: int, told: int) -> None:
        """One that was not there."""
        self._new_links.append((holder, attribute, member, told))

    def renamed(self, number: int, dn: str) -> None:
        """The DN of an object was changed in the table."""
        for row in self._rows.values():
            if row.id == number:
                row.dn = dn

    def flush(self) -> None:
        """Write what has to be written."""
        if self._unwritten:
            new = [row for row in self._unwritten if row.fresh]
            old = [row for row in self._unwritten if not row.fresh]
            self._file.many(
                "INSERT INTO objects (id, source, key, status, kind, parent, dn, content) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(row.id, self._source, row.key, row.status, row.kind, row.parent, row.dn, row.content) for row in new],
            )
            self._file.many(
                "UPDATE objects SET status = ?, kind = ?, parent = ?, dn = ?, content = ? WHERE id = ?",
                [(row.status, row.kind, row.parent, row.dn, row.content, row.id) for row in old],
            )
            for row in self._unwritten:
                row.fresh, row.written = False, True
            self._unwritten.clear()
        if self._new_names:
            self._file.many("INSERT OR IGNORE INTO object_names VALUES (?, ?, ?)", self._new_names)
            self._new_names.clear()
        if self._new_links:
            self._new_links.sort()
            self._file.many("INSERT OR IGNORE INTO links VALUES (?, ?, ?, ?)", self._new_links)
            self._new_links.clear()

    def replace(self, placeholder: int, number: int) -> None:
        """A placeholder that had a name only turned out to be this object. Flush first."""
        self._file.run("DELETE FROM object_names WHERE source = ? AND object = ?", (self._source, placeholder))
        self._file.run("UPDATE objects SET parent = ? WHERE parent = ?", (number, placeholder))
        self._file.run("DELETE FROM objects WHERE id = ?", (placeholder,))
        for other in self._rows.values():
            if other.parent == placeholder:
                other.parent = number
        for digest, named in list(self._named.items()):
            if named is not None and named.id == placeholder:
                del self._named[digest]


def _portions(values: Iterable[object]) -> Iterator[tuple[tuple[object, ...], str]]:
    remaining = iter(values)
    while some := tuple(islice(remaining, _ASKED)):
        yield some, ",".join("?" * len(some))
