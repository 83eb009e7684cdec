"""Links that come and go, and what follows from the end, the arrival or another name of the object that they lead to."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import islice

from sync.state.codec import GROUP
from sync.state.database import Row, StateFile
from sync.state.known import KnownObjects
from sync.state.marks import Marks
from sync.state.objects import AS_PRIMARY_GROUP, BY_KEY, BY_NAME, DEEPEST

_AT_ONCE = 500
_INSERT = "INSERT OR IGNORE INTO links VALUES (?, ?, ?, ?)"
_DELETE = "DELETE FROM links WHERE holder = ? AND attribute = ? AND member = ? AND told = ?"


class Links:
    """Of one source. Whatever is called here, flush `known` before."""

    def __init__(self, file: StateFile, known: KnownObjects, marks: Marks) -> None:
        self._file, self._known, self._marks = file, known, marks
        self.quiet = False
        """Nobody is joined to any object yet: links affect nobody."""

    def add(self, holder: int, attribute: int, rows: Sequence[tuple[int, int]]) -> bool:
        """Members with how they were told. Whether any of them was new."""
        new = [member for member, told in rows if self._file.run(_INSERT, (holder, attribute, member, told))]
        return self._changed(holder, attribute, new)

    def remove(self, holder: int, attribute: int, member: int) -> bool:
        """Whatever way it was told, but for a primary group: that is the member's own word. Whether it was there."""
        sql = "DELETE FROM links WHERE holder = ? AND attribute = ? AND member = ? AND told <> ?"
        gone = self._file.run(sql, (holder, attribute, member, AS_PRIMARY_GROUP))
        return self._changed(holder, attribute, [member] if gone else [])

    def attributes(self, holder: int) -> Iterator[int]:
        """In which the object links to others, from the first to the last: a look at each, not at each link."""
        attribute = 0
        while row := self._file.one(
            "SELECT attribute FROM links WHERE holder = ? AND attribute > ? ORDER BY attribute LIMIT 1", (holder, attribute)
        ):
            attribute = row[0]
            yield attribute

    def replace(self, holder: int, attribute: int, told: array[int], *, whole: bool) -> bool:
        """Make the links what was told (`packed`). whole: what was not told goes. Whether anything changed."""
        wanted = sorted(set(told))
        at = 0
        missing: list[int] = []
        changed = False
        sql = (
            "SELECT member, told FROM links WHERE holder = ? AND attribute = ? AND told <> ? AND (member, told) > (?, ?) "
            "ORDER BY member, told LIMIT ?"
        )
        gone: list[int] = []
        for member, how in self._file.pages(sql, holder, attribute, AS_PRIMARY_GROUP, after=(0, 0), keys=2):
            row = packed(member, how)
            while at < len(wanted) and wanted[at] < row:
                missing.append(wanted[at])
                at += 1
            if at < len(wanted) and wanted[at] == row:
                at += 1
            elif whole:
                gone.append(row)
                if len(gone) >= _AT_ONCE:
                    changed |= self._write(_DELETE, holder, attribute, gone)
                    gone = []
        missing += wanted[at:]
        changed |= self._write(_DELETE, holder, attribute, gone)
        for begin in range(0, len(missing), _AT_ONCE):
            changed |= self._write(_INSERT, holder, attribute, missing[begin : begin + _AT_ONCE])
        return changed

    def _write(self, sql: str, holder: int, attribute: int, rows: Sequence[int]) -> bool:
        self._file.many(sql, ((holder, attribute, row >> 2, row & 3) for row in rows))
        return self._changed(holder, attribute, [row >> 2 for row in rows])

    def set_primary_group(self, member: int, attribute: int, group: int) -> bool:
        """The group that the member names as its primary one; 0: none. Whether it is another than before."""
        sql = "SELECT holder FROM links WHERE member = ? AND attribute = ? AND told = ?"
        before = [row[0] for row in self._file.all(sql, (member, attribute, AS_PRIMARY_GROUP))]
        if before == ([group] if group else []):
            return False
        for holder in before:
            self._file.run(_DELETE, (holder, attribute, member, AS_PRIMARY_GROUP))
            self._changed(holder, attribute, [member])
        if group:
            self._file.run(_INSERT, (group, attribute, member, AS_PRIMARY_GROUP))
            self._changed(group, attribute, [member])
        return True

    def drop(self, number: int, kind: int) -> None:
        """The object is deleted: it leaves every group, is nobody's manager any more, and links to nothing.

        Directories do not tell that of the groups: of a deleted member, DirSync brings the tombstone only.
        """
        for attribute in list(self.attributes(number)):
            if kind == GROUP:
                self._changed(number, attribute, [number])  # a group among members stands for all of them
            else:
                sql = "SELECT member FROM links WHERE holder = ? AND attribute = ?"
                self._changed(number, attribute, [member for (member,) in self._file.all(sql, (number, attribute))])
            self._file.run("DELETE FROM links WHERE holder = ? AND attribute = ?", (number, attribute))
        for some in self._in_links(number, "told <> ?", BY_NAME):
            for holder, attribute, member, told in some:
                self._file.run(_DELETE, (holder, attribute, member, told))
                self._changed(holder, attribute, [member])

    def release(self, number: int, digest: int, name: str) -> None:
        """The object does not have this name any more: links told by name lead to whoever has it, or will have it."""
        portions = self._in_links(number, "told = ?", BY_NAME)
        for some in portions:
            other = self._known.holder_of_name(digest, name)
            self._known.flush()
            if other == number:
                return
            self._lead(some, other)

    def arrive(self, placeholder: int, number: int) -> None:
        """What was waiting for a name found its object."""
        for some in self._in_links(placeholder, "told >= ?", BY_KEY):
            self._lead(some, number)
        for attribute in list(self.attributes(placeholder)):  # a primary group: its members have told of it
            sql = "SELECT member, told FROM links WHERE holder = ? AND attribute = ? AND member > ? ORDER BY member LIMIT ?"
            pages = self._file.pages(sql, placeholder, attribute, after=(0,))
            while some := list(islice(pages, _AT_ONCE)):
                self._file.many(_INSERT, ((number, attribute, member, told) for member, told in some))
                self._changed(number, attribute, [member for member, _ in some])
            self._file.run("DELETE FROM links WHERE holder = ? AND attribute = ?", (placeholder, attribute))
        self._known.replace(placeholder, number)

    def _in_links(self, member: int, which: str, told: int) -> Iterator[list[Row]]:
        """Links to an object, some at a time; whoever takes them removes them."""
        sql = f"SELECT holder, attribute, member, told FROM links WHERE member = ? AND {which} LIMIT ?"
        while some := self._file.all(sql, (member, told, _AT_ONCE)):
            yield some

    def _lead(self, rows: Sequence[Row], other: int) -> None:
        for holder, attribute, member, told in rows:
            self._file.run(_DELETE, (holder, attribute, member, told))
            self._file.run(_INSERT, (holder, attribute, other, told))
            self._changed(holder, attribute, [member, other])

    def _changed(self, holder: int, attribute: int, members: Sequence[int]) -> bool:
        if not members:
            return False
        if self.quiet:
            self._marks.fresh_objects((holder,))
        else:
            self._marks.links(holder, attribute, members)
        return True

    def subtree(self, number: int, dn: str) -> Iterator[tuple[int, int, str, str]]:
        """Numbers, status, DNs as they were and DNs of what lies above, of everything below an object, from above to below.

        dn: of the object now. Whoever takes an object has written its new DN before the next is taken.
        """
        return self._below(number, dn, (number,))

    def _below(self, number: int, dn: str, above: tuple[int, ...]) -> Iterator[tuple[int, int, str, str]]:
        sql = "SELECT id, status, dn FROM objects WHERE parent = ? AND id > ? ORDER BY id LIMIT ?"
        for child, status, old in self._file.pages(sql, number, after=(0,)):
            if child in above or len(above) > DEEPEST:
                continue  # a circle, told in the middle of two moves
            yield child, status, old, dn
            row = self._file.one("SELECT dn FROM objects WHERE id = ?", (child,))
            yield from self._below(child, row[0] if row else "", (*above, child))


def packed(member: int, told: int) -> int:
    """A member, and how it was told, as one number that sorts like both."""
    return member << 2 | told
