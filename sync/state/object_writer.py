"""What a change makes of an object, its names, its place and its links.

Links that a change tells whole replace the known ones when the source comes to the next object: a large group is told in
pieces, and must not lose the members of the pieces that a broken reading did not bring.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence

import msgspec

from sync.model import ChangeKind, LinkChange, LinkTarget, ObjectKind, SourceChange
from sync.state.codec import GROUP, KIND_NUMBERS, Numbered, decode_values, encode
from sync.state.database import StateFile
from sync.state.known import KnownObject, KnownObjects, Named
from sync.state.links import Links, packed
from sync.state.marks import Marks
from sync.state.names import Names, dn_digest, moved_dn, parent_dn, sid_digest
from sync.state.objects import AS_PRIMARY_GROUP, DELETED, LIVING, PLACEHOLDER, Objects
from sync.state.records import AffectedBy
from sync.state.schema import MEMBER

PRIMARY_GROUP = "primaryGroupID"
"""A link that an account has to its group: it makes it a member, beside those that the group names."""


class ObjectWriter:
    """Of one source. `begin` and `end` stand around the changes of a transaction."""

    def __init__(self, file: StateFile, names: Names, objects: Objects, marks: Marks, source: int) -> None:
        self._file, self._names, self._objects, self._marks, self._source = file, names, objects, marks, source
        self._sid = names.number("attribute", "objectSid")
        self._known = KnownObjects(file, source)
        self._links = Links(file, self._known, marks)
        self._key = b""
        self._number = 0
        self._replaced: dict[int, array[int]] = {}
        self._appeared: list[int] = []
        self._moved: list[tuple[int, str]] = []
        self._linked: list[tuple[int, int, list[int]]] = []
        self.altered = 0
        """Changes that changed something."""
        self.unresolved = False
        """The last change took away a link to something that is not known: which link it was has to be read."""

    def begin(self, changes: Sequence[SourceChange]) -> None:
        """What these changes refer to is looked up."""
        self._known.begin(changes)
        self._links.quiet = self._file.one("SELECT 1 FROM joins LIMIT 1") is None
        for left in (self._appeared, self._moved, self._linked):
            left.clear()

    def end(self) -> None:
        """Write what waits to be written, and work out what only the tables can tell."""
        self._known.flush()
        self._marks.fresh_objects(self._appeared)
        for number, dn in self._moved:
            self._move_below(number, dn)
        if not self._links.quiet:
            for holder, attribute, members in self._linked:
                self._marks.links(holder, attribute, members)

    def open(self, key: bytes) -> KnownObject | None:
        """The object that is told of now; None where it is not known. What is told of another one ends here."""
        if self._key != key:
            self.close(whole=True)
            self._key = key
        return self._known.row(key)

    def close(self, *, whole: bool) -> None:
        """Links of the object that was told of last are as they were told. whole: what was not told goes."""
        if self._replaced:
            self._known.flush()
            replaced = [self._links.replace(self._number, name, told, whole=whole) for name, told in self._replaced.items()]
            self.altered += any(replaced)
            self._replaced.clear()
        self._key = b""

    def create(self, key: bytes) -> KnownObject:
        """An object of which nothing was known."""
        return self._known.create(key)

    def tell(self, row: KnownObject, change: SourceChange, *, whole: bool) -> None:
        """whole: what is not told, the object does not have."""
        self.unresolved = False
        if row.status == PLACEHOLDER:
            self._appear(row, change)
        else:
            self._known.flush()
            self._amend(row, change, whole=whole)

    def _appear(self, row: KnownObject, change: SourceChange) -> None:
        """Nothing of it is in the tables but that others refer to it: it is written later, with others."""
        values = self._names.numbered(change.values)
        row.status, row.kind, row.content, row.dn = LIVING, KIND_NUMBERS[change.object], encode(values), change.dn
        row.parent = self._parent(change)
        if not row.fresh:
            self._moved.append((row.id, ""))  # something may lie below it already
        self._known.write(row)
        for digest in self._digests(row.kind, row.dn, values):
            self._take_name(row.id, digest)
        for name, links in change.links.items():
            if name == PRIMARY_GROUP:
                group = self._primary_group(links)
                self._known.add_link(group, MEMBER, row.id, AS_PRIMARY_GROUP)
                self._linked.append((group, MEMBER, [row.id]))
                continue
            attribute = self._names.number("attribute", name)
            members = self._known.add_links(row.id, attribute, (links.all or ()) + links.added)
            self._linked.append((row.id, attribute, members))
        self._appeared.append(row.id)
        self.altered += 1

    def _amend(self, row: KnownObject, change: SourceChange, *, whole: bool) -> None:
        status, kind, dn = row.status, row.kind, row.dn
        before = after = self._set_values(row, change, whole=whole)
        if before is not None:
            after = self._decoded(row)
        if change.kind is ChangeKind.WHOLE or change.object is not ObjectKind.OTHER:
            row.kind = KIND_NUMBERS[change.object]
        parent = row.parent
        row.parent, row.dn = self._parent(change, row), change.dn or dn
        row.status = LIVING
        content = before is not None or (status, kind) != (row.status, row.kind)
        place = (parent, dn) != (row.parent, row.dn)
        if status == DELETED:
            self._file.run("DELETE FROM deletions WHERE object = ?", (row.id,))
        if content or place:
            self._known.write(row)
            self._known.flush()
            values = self._decoded(row) if after is None else after
            had = self._digests(kind, dn, values if before is None else before) if status == LIVING else frozenset()
            self._set_names(row, had, dn, values)
            if place:
                self._moved.append((row.id, row.dn if dn != row.dn else ""))
                self._objects.forget_paths()
            causes = (AffectedBy.OBJECT if content else AffectedBy(0)) | (AffectedBy.PATH if place else AffectedBy(0))
            self._marks.objects((row.id,), causes)
        linked = self._tell_links(row, change, whole=whole)
        self.altered += content or place or linked

    def _set_values(self, row: KnownObject, change: SourceChange, *, whole: bool) -> Numbered | None:
        """Values as they were; None where they are the same."""
        told = self._names.numbered(change.values)
        if whole and encode(told) == row.content:
            return None
        before = self._decoded(row)
        after = told
        if not whole:
            cleared = {self._names.find("attribute", name) for name in change.cleared}
            after = {name: value for name, value in (before | told).items() if name not in cleared or name in told}
        if after == before:
            return None
        row.content = encode(after)
        return before

    def _decoded(self, row: KnownObject) -> Numbered:
        try:
            return decode_values(row.content)
        except msgspec.MsgspecError as error:
            raise self._file.damaged(f"what it holds of object {row.id} cannot be read") from error

    # Links

    def _tell_links(self, row: KnownObject, change: SourceChange, *, whole: bool) -> bool:
        """Whether a link came or went; what is replaced shows later."""
        changed = False
        self._number = row.id
        if whole:
            self._replaced |= {attribute: array("q") for attribute in self._links.attributes(row.id)}
        for name in change.cleared:
            attribute = self._names.find("attribute", name)
            if attribute:
                self._replaced[attribute] = array("q")
        if whole or PRIMARY_GROUP in change.links:
            group = self._primary_group(change.links.get(PRIMARY_GROUP))
            self._known.flush()
            changed |= self._links.set_primary_group(row.id, MEMBER, group)
        for name, links in change.links.items():
            if name == PRIMARY_GROUP:
                continue
            attribute = self._names.number("attribute", name)
            if links.all is not None or whole:
                self._replaced[attribute] = array("q", self._packed((links.all or ()) + links.added))
            elif attribute in self._replaced:
                self._amend_replacement(self._replaced[attribute], links)
            else:
                changed |= self._add_and_remove(row.id, attribute, links)
        return changed

    def _packed(self, targets: Iterable[LinkTarget]) -> list[int]:
        return [packed(*self._known.target(target)) for target in targets]

    def _amend_replacement(self, told: array[int], links: LinkChange) -> None:
        told.extend(self._packed(links.added))
        if links.removed:
            gone = {self._known.find_target(target) for target in links.removed}
            told[:] = array("q", (row for row in told if row >> 2 not in gone))

    def _add_and_remove(self, holder: int, attribute: int, links: LinkChange) -> bool:
        added = [self._known.target(target) for target in links.added]
        self._known.flush()
        changed = self._links.add(holder, attribute, added)
        for target in links.removed:
            number = self._known.find_target(target)
            if number:
                changed |= self._links.remove(holder, attribute, number)
            else:
                self.unresolved = True
        return changed

    def _primary_group(self, told: LinkChange | None) -> int:
        """Number of the group; 0 where none is told."""
        targets = (told.all or ()) + told.added if told is not None else ()
        return self._known.target(targets[-1])[0] if targets else 0

    # Names and places

    def _digests(self, kind: int, dn: str, values: Numbered) -> frozenset[int]:
        """Names by which links may call an object: its DN, and the SID of a group."""
        digests = {dn_digest(dn)} if dn else set()
        sid = values.get(self._sid)
        if kind == GROUP and isinstance(sid, bytes):
            digests.add(sid_digest(sid))
        return frozenset(digests)

    def _set_names(self, row: KnownObject, had: frozenset[int], dn: str, values: Numbered) -> None:
        has = self._digests(row.kind, row.dn, values)
        for digest in had - has:
            self._known.remove_name(digest, row.id)
            self._links.release(row.id, digest, dn)
        for digest in has - had:
            self._take_name(row.id, digest)
        self._known.flush()

    def _take_name(self, number: int, digest: int) -> None:
        named = self._known.named(digest)
        if named is not None and named.status == PLACEHOLDER and named.id != number:
            self._known.flush()
            self._links.arrive(named.id, number)
            self._objects.forget_paths()
            self._moved.append((number, ""))
        self._known.add_name(digest, Named(number, LIVING))

    def _parent(self, change: SourceChange, row: KnownObject | None = None) -> int:
        """The object above: told by key, else by the DN."""
        if change.parent:
            return self._known.number(change.parent)
        known = row.parent if row is not None else 0
        if not change.dn or (row is not None and known and change.dn == row.dn):
            return known
        above = parent_dn(change.dn)
        return self._known.holder_of_name(dn_digest(above), above) if above else 0

    def _move_below(self, number: int, dn: str) -> None:
        """Everything below an object is elsewhere, too: directories tell of the OU only. dn: where it is another now."""
        self._objects.forget_paths()
        for child, status, old, above in self._links.subtree(number, dn):
            new = moved_dn(old, above) if dn and old and above and status == LIVING else old
            if new != old:
                self._file.run("UPDATE objects SET dn = ? WHERE id = ?", (new, child))
                self._known.renamed(child, new)
                digest = dn_digest(old)
                self._known.remove_name(digest, child)
                self._links.release(child, digest, old)
                self._take_name(child, dn_digest(new))
                self._known.flush()
            self._marks.objects((child,), AffectedBy.PATH)

    # An object that is not there any more

    def delete(self, row: KnownObject) -> None:
        """Its values and its place stay as they were last; it has no links and no name."""
        self._known.flush()
        if row.status == DELETED:
            return
        self._links.drop(row.id, row.kind)
        if row.status == PLACEHOLDER:
            return
        for digest in self._digests(row.kind, row.dn, self._decoded(row)):
            self._known.remove_name(digest, row.id)
            self._links.release(row.id, digest, row.dn)
        row.status = DELETED
        self._known.write(row)
        self._known.flush()
        self._marks.objects((row.id,), AffectedBy.OBJECT)
        self.altered += 1
