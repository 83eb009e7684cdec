"""Persons: which objects are joined to them, their values and where these come from, and finding them by a value."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final, Literal

import msgspec

from sync.model import Lineage, ObjectKind, Person, Plain, Values
from sync.state.codec import (
    EMPTY,
    KIND_NUMBERS,
    KINDS,
    Numbered,
    PersonContent,
    decode_person,
    decode_values,
    each_value,
    encode,
    folded,
)
from sync.state.database import StateFile
from sync.state.errors import JoinRefused, PersonInUse
from sync.state.marks import Marks
from sync.state.names import Names
from sync.state.objects import DELETED, Objects
from sync.state.records import AffectedBy, JoinedObject

Scope = Literal["person", "account"]
_INDEXED_AT_ONCE: Final = 500


class Persons:
    """See `PersonPort`."""

    def __init__(self, file: StateFile, names: Names, objects: Objects, marks: Marks) -> None:
        self._file, self._names, self._objects, self._marks = file, names, objects, marks

    def create(self, kind: ObjectKind) -> int:
        """A person without objects or values."""
        with self._file.write():
            return self._file.insert("INSERT INTO persons (kind, content) VALUES (?, ?)", (KIND_NUMBERS[kind], EMPTY))

    def find(self, person: int) -> Person | None:
        """With values and lineage, as `save` was told."""
        row = self._file.one("SELECT id, kind, content FROM persons WHERE id = ?", (person,))
        return self._person(row[0], row[1], row[2]) if row else None

    def all(self) -> Iterator[Person]:
        """In the order of their numbers."""
        for row in self._file.pages("SELECT id, kind, content FROM persons WHERE id > ? ORDER BY id LIMIT ?", after=(0,)):
            yield self._person(row[0], row[1], row[2])

    def save(self, person: Person, now: float) -> frozenset[str]:
        """Values and lineage, as rules computed them; names of the values that changed.

        A value that is as it was, from the same object by the same rule, keeps its `since`; of the others it is `now`.
        """
        with self._file.write():
            row = self._file.one("SELECT kind, content FROM persons WHERE id = ?", (person.id,))
            before = self._decoded(person.id, row[1]) if row else {}
            after = self._content(person, before, now)
            if row is None or after != before or row[0] != KIND_NUMBERS[person.kind]:
                self._file.run(
                    "INSERT OR REPLACE INTO persons VALUES (?, ?, ?)",
                    (person.id, KIND_NUMBERS[person.kind], encode(after)),
                )
                self._index_person(person.id, before, after)
        changed = {number for number in {*before, *after} if _value(before, number) != _value(after, number)}
        return frozenset(self._names.text(number) for number in changed)

    def _content(self, person: Person, before: PersonContent, now: float) -> PersonContent:
        content: PersonContent = {}
        for name, value in person.values.items():
            number = self._names.number("attribute", name)
            old, sources = before.get(number, (None, ()))
            since = {(source[0], source[1]): source[2] for source in sources} if old == value else {}
            lineage = []
            for origin in person.lineage.get(name, ()):
                place = (self._objects.number(origin.source, origin.key), self._names.number("rule", origin.rule))
                lineage.append((*place, since.get(place, now)))
            content[number] = (value, tuple(lineage))
        return content

    def forget(self, person: int) -> None:
        """A person without objects and without accounts. Raises PersonInUse."""
        with self._file.write():
            if self._file.one("SELECT 1 FROM joins WHERE person = ?", (person,)):
                raise PersonInUse(person, "objects")
            if self._file.one("SELECT 1 FROM accounts WHERE person = ? AND state <> 'deleted'", (person,)):
                raise PersonInUse(person, "accounts")
            row = self._file.one("SELECT content FROM persons WHERE id = ?", (person,))
            self._index_person(person, self._decoded(person, row[0]) if row else {}, {})
            self._file.run("DELETE FROM link_changes WHERE account IN (SELECT id FROM accounts WHERE person = ?)", (person,))
            for table, column in (
                ("accounts", "person"),
                ("failures", "person"),
                ("affected_persons", "person"),
                ("persons", "id"),
            ):
                self._file.run(f"DELETE FROM {table} WHERE {column} = ?", (person,))

    # Joins

    def join(self, source: str, key: bytes, person: int, rule: str, now: float) -> None:
        """The object is this person from now on, until `unjoin`. Raises JoinRefused, ObjectUnknown.

        Two living objects of one source are never one person. A deleted one makes room: somebody who was made anew.
        """
        with self._file.write():
            number = self._objects.number(source, key)
            before = self._file.one("SELECT person FROM joins WHERE object = ?", (number,))
            if before and before[0] == person:
                return
            place = self._names.number("source", source)
            other = self._file.one(
                "SELECT object, objects.key, status FROM joins JOIN objects ON objects.id = object "
                "WHERE person = ? AND joins.source = ?",
                (person, place),
            )
            if other and other[2] != DELETED:
                raise JoinRefused(source, key, other[1], person, rule)
            if other:
                self._unjoin(other[0], person)
            if before:
                self._unjoin(number, before[0])
            self._file.run(
                "INSERT INTO joins VALUES (?, ?, ?, ?, ?)", (number, person, place, self._names.number("rule", rule), now)
            )
            self._follow(number, person)

    def unjoin(self, source: str, key: bytes) -> None:
        """The object is nobody any more. Nothing happens where it was not joined."""
        with self._file.write():
            number = self._objects.number(source, key)
            row = self._file.one("SELECT person FROM joins WHERE object = ?", (number,))
            if row:
                self._unjoin(number, row[0])

    def _unjoin(self, number: int, person: int) -> None:
        self._file.run("DELETE FROM joins WHERE object = ?", (number,))
        self._follow(number, person)

    def _follow(self, number: int, person: int) -> None:
        """Who links to the object links to another person now, and so does what the object links to."""
        self._marks.person(person, AffectedBy.JOIN)
        self._marks.member(number, person, AffectedBy.LINKS)

    def of_object(self, source: str, key: bytes) -> int:
        """The person that the object is joined to; 0: none."""
        row = self._file.one(
            "SELECT person FROM joins JOIN objects ON objects.id = object WHERE objects.source = ? AND objects.key = ?",
            (self._names.find("source", source), key),
        )
        return int(row[0]) if row else 0

    def objects_of(self, person: int) -> list[JoinedObject]:
        """At most one living object of each source, in the order in which sources were first read."""
        rows = self._file.all("SELECT object, rule, since FROM joins WHERE person = ? ORDER BY source", (person,))
        found = ((self._objects.by_number(number), rule, since) for number, rule, since in rows)
        return [JoinedObject(known, self._names.text(rule), since) for known, rule, since in found if known is not None]

    # Finding by value

    def index(self, scope: Scope, attributes: Collection[str]) -> None:
        """Find persons or accounts by these attributes from now on, and by no others. What is there is indexed."""
        with self._file.write():
            wanted = {self._names.number("attribute", name) for name in attributes}
            have = self._indexed(scope)
            for number in have - wanted:
                self._file.run("DELETE FROM indexed_attributes WHERE scope = ? AND attribute = ?", (scope, number))
                self._file.run(f"DELETE FROM {scope}_index WHERE attribute = ?", (number,))
            for number in wanted - have:
                self._file.run("INSERT INTO indexed_attributes VALUES (?, ?)", (scope, number))
            if wanted - have:
                self._fill(scope, wanted - have)

    def _fill(self, scope: Scope, attributes: set[int]) -> None:
        if scope == "person":
            for number, content in self._file.pages(
                "SELECT id, content FROM persons WHERE id > ? ORDER BY id LIMIT ?", after=(0,)
            ):
                found = self._decoded(number, content)
                self._file.many(
                    "INSERT OR IGNORE INTO person_index VALUES (?, ?, ?)", _person_rows(number, found, attributes)
                )
            return
        sql = "SELECT id, target, confirmed FROM accounts WHERE id > ? AND state <> 'deleted' ORDER BY id LIMIT ?"
        for number, target, content in self._file.pages(sql, after=(0,)):
            values = decode_values(content)
            self._file.many(
                "INSERT OR IGNORE INTO account_index VALUES (?, ?, ?, ?)", account_rows(number, target, values, attributes)
            )

    def _indexed(self, scope: Scope) -> set[int]:
        return {row[0] for row in self._file.all("SELECT attribute FROM indexed_attributes WHERE scope = ?", (scope,))}

    def _index_person(self, person: int, before: PersonContent, after: PersonContent) -> None:
        attributes = self._indexed("person")
        old, new = set(_person_rows(person, before, attributes)), set(_person_rows(person, after, attributes))
        self._file.many("DELETE FROM person_index WHERE attribute = ? AND digest = ? AND person = ?", old - new)
        self._file.many("INSERT OR IGNORE INTO person_index VALUES (?, ?, ?)", new - old)

    def index_account(self, account: int, target: int, before: Numbered, after: Numbered) -> None:
        """Inside the transaction that writes an account."""
        attributes = self._indexed("account")
        old, new = (
            set(account_rows(account, target, before, attributes)),
            set(account_rows(account, target, after, attributes)),
        )
        self._file.many(
            "DELETE FROM account_index WHERE target = ? AND attribute = ? AND digest = ? AND account = ?", old - new
        )
        self._file.many("INSERT OR IGNORE INTO account_index VALUES (?, ?, ?, ?)", new - old)

    def with_value(self, attribute: str, value: Plain, *, exact: bool = False) -> Iterator[int]:
        """Persons of whom one value of an indexed attribute is this. Texts are compared whatever their case, unless `exact`.

        Widths and accents are told apart: who can write a name that only looks like another must not become its person.
        """
        number = self._names.find("attribute", attribute)
        sql = (
            "SELECT person, content FROM person_index JOIN persons ON persons.id = person "
            "WHERE attribute = ? AND digest = ? AND person > ? ORDER BY person LIMIT ?"
        )
        for person, content in self._file.pages(sql, number, folded(value), after=(0,)):
            found = _value(self._decoded(person, content), number)
            if any(_same(value, one, exact=exact) for one in each_value(found)):
                yield person

    def _decoded(self, person: int, content: bytes) -> PersonContent:
        try:
            return decode_person(content)
        except msgspec.MsgspecError as error:
            raise self._file.damaged(f"what it holds of person {person} cannot be read") from error

    def _person(self, number: int, kind: int, content: bytes) -> Person:
        values: dict[str, Plain | tuple[Plain, ...]] = {}
        lineage: dict[str, tuple[Lineage, ...]] = {}
        for attribute, (value, origins) in self._decoded(number, content).items():
            name = self._names.text(attribute)
            values[name] = value
            lineage[name] = tuple(
                Lineage(*self._objects.key_of(origin), self._names.text(rule), since) for origin, rule, since in origins
            )
        return Person(number, KINDS[kind], values, lineage)


def _value(content: PersonContent, number: int) -> Plain | tuple[Plain, ...] | None:
    found = content.get(number)
    return found[0] if found else None


def _same(one: Plain, other: Plain, *, exact: bool) -> bool:
    if isinstance(one, str) and isinstance(other, str) and not exact:
        return one.casefold() == other.casefold()
    return type(one) is type(other) and one == other


def _person_rows(person: int, content: PersonContent, attributes: Collection[int]) -> Iterator[tuple[int, bytes, int]]:
    for attribute in attributes:
        for value in each_value(_value(content, attribute)):
            yield attribute, folded(value), person


def account_rows(
    account: int, target: int, values: Numbered, attributes: Collection[int]
) -> Iterator[tuple[int, int, bytes, int]]:
    """What stands in the index of an account."""
    for attribute in attributes:
        for value in each_value(values.get(attribute)):
            yield target, attribute, folded(value), account


def named_values(names: Names, content: bytes) -> Values:
    """Of an object or an account. Raises msgspec.MsgspecError."""
    return names.named(decode_values(content))
