"""What has to be looked at again: objects that changed, persons that are affected, members that may have come or gone.

Marks are written in the transaction that changes what they stand for: neither a crash nor a run that failed loses any.
They stay until the part that has worked on them takes them back.

A link that changes affects the person of the object that holds it, and those of the groups that this object is a member of,
directly or through other groups: their flattened members change. `link_changes` names, for each account of these, the
person who may have come or gone; person 0 stands for all, where a group has come or gone as a member.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sync.state.codec import GROUP
from sync.state.database import StateFile
from sync.state.names import Names
from sync.state.objects import Objects
from sync.state.records import AffectedBy, AffectedPerson, ChangedObject

_MERGE = "ON CONFLICT DO UPDATE SET causes = causes | excluded.causes, mark = excluded.mark"
_MARK_OBJECT = f"INSERT INTO changed_objects VALUES (?, ?, ?) {_MERGE}"
_MARK_PERSON = f"INSERT INTO affected_persons VALUES (?, ?, ?) {_MERGE}"
_MARK_JOINED = f"INSERT INTO affected_persons SELECT person, ?2, ?3 FROM joins WHERE object = ?1 {_MERGE}"
_HOLDERS = f"""
    WITH RECURSIVE above (id, attribute) AS (
        {{start}}
        UNION
        SELECT links.holder, links.attribute FROM above
            CROSS JOIN objects ON objects.id = above.id AND objects.kind = {GROUP}
            CROSS JOIN links ON links.member = above.id AND links.attribute = above.attribute)
"""  # UNION, not UNION ALL: groups that are members of each other end there. Only the members of groups are flattened
_HOLDERS_OF_LINK = _HOLDERS.format(start="VALUES (?1, ?2)")
_HOLDERS_OF_MEMBER = _HOLDERS.format(start="SELECT holder, attribute FROM links WHERE member = ?1")
_ALL = (
    "NOT EXISTS (SELECT 1 FROM link_changes AS every "
    "WHERE every.account = accounts.id AND every.attribute = above.attribute AND every.person = 0)"
)


class Marks:
    """See `MarkPort`."""

    def __init__(self, file: StateFile, names: Names, objects: Objects) -> None:
        self._file, self._names, self._objects = file, names, objects
        row = file.one(
            "SELECT ifnull(max(mark), 0) FROM (SELECT mark FROM changed_objects UNION ALL SELECT mark FROM affected_persons)"
        )
        self._mark: int = row[0] if row else 0

    # Taken by whoever works on them

    def changed_objects(self) -> Iterator[ChangedObject]:
        """In the order of their numbers, those that are marked meanwhile included where they come later."""
        sql = (
            "SELECT changed_objects.object, causes, mark, ifnull(person, 0) FROM changed_objects "
            "LEFT JOIN joins ON joins.object = changed_objects.object WHERE changed_objects.object > ? "
            "ORDER BY changed_objects.object LIMIT ?"
        )
        for number, causes, mark, person in self._file.pages(sql, after=(0,)):
            found = self._objects.by_number(number)
            if found is not None:
                yield ChangedObject(found, person, AffectedBy(causes), mark)

    def affected_persons(self) -> Iterator[AffectedPerson]:
        """In the order of their numbers."""
        sql = "SELECT person, causes, mark FROM affected_persons WHERE person > ? ORDER BY person LIMIT ?"
        for person, causes, mark in self._file.pages(sql, after=(0,)):
            yield AffectedPerson(person, AffectedBy(causes), mark)

    def settle_object(self, changed: ChangedObject) -> None:
        """Scope and join were looked at. Nothing happens where the object was affected again in between."""
        number = self._objects.number(changed.object.source, changed.object.key)
        with self._file.write():
            self._file.run("DELETE FROM changed_objects WHERE object = ? AND mark = ?", (number, changed.mark))

    def settle_person(self, affected: AffectedPerson) -> None:
        """Its accounts are as they should be, or what they lack is kept as a failure. See `settle_object`."""
        with self._file.write():
            self._file.run("DELETE FROM affected_persons WHERE person = ? AND mark = ?", (affected.person, affected.mark))

    def affect_everything(self, source: str | None = None) -> None:
        """All objects and persons, or those of one source, have to be looked at: the rules are others, for example."""
        with self._file.write():
            causes, mark = AffectedBy.REQUEST.value, self.next()
            number = self._names.find("source", source) if source is not None else 0
            which = "status <> 1 AND (?3 IS NULL OR source = ?3)"
            chosen = None if source is None else number
            self._file.run(
                f"INSERT INTO changed_objects SELECT id, ?1, ?2 FROM objects WHERE {which} {_MERGE}", (causes, mark, chosen)
            )
            if source is None:
                self._file.run(
                    f"INSERT INTO affected_persons SELECT id, ?1, ?2 FROM persons WHERE true {_MERGE}", (causes, mark)
                )
            else:
                persons = "SELECT DISTINCT person, ?1, ?2 FROM joins WHERE source = ?3"
                self._file.run(f"INSERT INTO affected_persons {persons} {_MERGE}", (causes, mark, chosen))

    # Made by the parts of the state, inside their transactions

    def next(self) -> int:
        """A mark that was never used."""
        self._mark += 1
        return self._mark

    def objects(self, numbers: Iterable[int], causes: AffectedBy) -> None:
        """These objects are not as they were."""
        rows = [(number, causes.value, self.next()) for number in numbers]
        self._file.many(_MARK_OBJECT, rows)
        self._file.many(_MARK_JOINED, rows)

    def fresh_objects(self, numbers: Iterable[int]) -> None:
        """Objects that nobody is joined to yet."""
        self._file.many(_MARK_OBJECT, [(number, AffectedBy.OBJECT.value, self.next()) for number in numbers])

    def person(self, person: int, causes: AffectedBy) -> None:
        """This person has to be computed."""
        self._file.run(_MARK_PERSON, (person, causes.value, self.next()))

    def links(self, holder: int, attribute: int, members: Iterable[int]) -> None:
        """Links of one object have come or gone."""
        self._file.many(_MARK_OBJECT, [(holder, AffectedBy.LINKS.value, self.next())])
        above = self._file.all(
            f"{_HOLDERS_OF_LINK} SELECT joins.person, ifnull(accounts.id, 0) FROM above "
            "CROSS JOIN joins ON joins.object = above.id LEFT JOIN accounts ON accounts.person = joins.person",
            (holder, attribute),
        )
        self._file.many(
            _MARK_PERSON, [(person, AffectedBy.LINKS.value, self.next()) for person in {row[0] for row in above}]
        )
        accounts = {row[1] for row in above} - {0}
        for account in accounts:
            self._account_links(account, attribute, members)

    def _account_links(self, account: int, attribute: int, members: Iterable[int]) -> None:
        self._file.many(
            "INSERT OR IGNORE INTO link_changes SELECT ?1, ?2, CASE WHEN objects.kind = "
            f"{GROUP} THEN 0 ELSE joins.person END FROM objects LEFT JOIN joins ON joins.object = objects.id "
            f"WHERE objects.id = ?3 AND (objects.kind = {GROUP} OR joins.person IS NOT NULL)",
            ((account, attribute, member) for member in members),
        )
        # A group is a member with an account of its own, too, where members are not flattened: 0 stands for all

    def member(self, member: int, person: int, causes: AffectedBy, target: int = 0) -> None:
        """The person of an object that others link to is another, or its account has come or gone. target: 0 for all."""
        self._file.run(
            f"INSERT OR IGNORE INTO link_changes {_HOLDERS_OF_MEMBER} "
            "SELECT DISTINCT accounts.id, above.attribute, ?2 FROM above "
            "CROSS JOIN joins ON joins.object = above.id CROSS JOIN accounts ON accounts.person = joins.person "
            f"WHERE (?3 = 0 OR accounts.target = ?3) AND {_ALL}",
            (member, person, target),
        )
        self._file.run(
            f"INSERT INTO affected_persons {_HOLDERS_OF_MEMBER} SELECT DISTINCT joins.person, ?2, ?3 FROM above "
            "CROSS JOIN joins ON joins.object = above.id WHERE true "
            f"{_MERGE}",
            (member, causes.value, self.next()),
        )
