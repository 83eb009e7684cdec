"""Which members, managers and other linked persons an account should have and has not, or has and should not.

Computed by SQL on numbers, never held as a whole. Once the links of an account were settled, only the persons that `Marks`
noted since are compared: one member more in a group of 50,000 is one row.

A person is linked where it has an account at the target that is active or disabled. Of nested flows the groups themselves
are no members: who is in them is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Final

from sync.model import LinkFlow
from sync.state.accounts import LINKABLE, TargetAccounts
from sync.state.codec import GROUP, encode
from sync.state.database import StateFile
from sync.state.names import Names
from sync.state.objects import Objects
from sync.state.records import LinkDifference

# CROSS JOIN: in the order that is written, which SQLite without statistics does not find by itself
_LINKABLE: Final = f"accounts.target = ?2 AND accounts.state IN ({', '.join(repr(state.value) for state in LINKABLE)})"
_DIRECT: Final = f"""
    SELECT joins.person FROM links CROSS JOIN joins ON joins.object = links.member
    CROSS JOIN accounts ON accounts.person = joins.person AND {_LINKABLE}
    WHERE links.holder = {{holder}} AND links.attribute = {{attribute}}
"""
_NESTED: Final = f"""
    SELECT joins.person FROM (
        WITH RECURSIVE inside (id) AS (
            SELECT member FROM links WHERE holder = {{holder}} AND attribute = {{attribute}}
            UNION
            SELECT links.member FROM inside CROSS JOIN objects ON objects.id = inside.id AND objects.kind = {GROUP}
                CROSS JOIN links ON links.holder = inside.id AND links.attribute = {{attribute}})
        SELECT inside.id FROM inside CROSS JOIN objects ON objects.id = inside.id WHERE objects.kind <> {GROUP}) AS members
    CROSS JOIN joins ON joins.object = members.id CROSS JOIN accounts ON accounts.person = joins.person AND {_LINKABLE}
"""
_ONE_DIRECT: Final = f"""
    SELECT 1 FROM joins CROSS JOIN links ON links.member = joins.object
    CROSS JOIN accounts ON accounts.person = joins.person AND {_LINKABLE}
    WHERE joins.person = ?1 AND links.holder = {{holder}} AND links.attribute = {{attribute}}
"""
_ONE_NESTED: Final = f"""
    SELECT 1 FROM (
        WITH RECURSIVE above (id) AS (
            SELECT links.holder FROM joins CROSS JOIN objects ON objects.id = joins.object AND objects.kind <> {GROUP}
                CROSS JOIN links ON links.member = joins.object AND links.attribute = {{attribute}} WHERE joins.person = ?1
            UNION
            SELECT links.holder FROM above CROSS JOIN objects ON objects.id = above.id AND objects.kind = {GROUP}
                CROSS JOIN links ON links.member = above.id AND links.attribute = {{attribute}})
        SELECT id FROM above WHERE id = {{holder}}) AS found
    CROSS JOIN accounts ON accounts.person = ?1 AND {_LINKABLE}
"""


class LinkComparison:
    """See `MembershipPort`."""

    def __init__(self, file: StateFile, names: Names, objects: Objects, accounts: TargetAccounts) -> None:
        self._file, self._names, self._objects, self._accounts = file, names, objects, accounts

    def difference(self, person: int, target: str, flows: Sequence[LinkFlow]) -> Iterator[LinkDifference]:
        """By attribute, then by person. Attributes without a flow stay as they are. Raises AccountUnknown, ObjectUnknown.

        flows: of the account (`DesiredAccount.links`). Nothing may be written until the iteration has ended.
        """
        account, place = self._accounts.number(person, target), self._names.find("target", target)
        wanted = self._wanted(flows)
        some = self._some(account, flows)
        for attribute in sorted(wanted):
            number = self._names.find("attribute", attribute)
            if some is None:
                found = self._compare_all(account, place, number, wanted[attribute])
            else:
                found = self._compare(account, place, number, wanted[attribute], some)
            for other, added in found:
                yield LinkDifference(attribute, other, added)

    def settle(self, person: int, target: str, flows: Sequence[LinkFlow]) -> bool:
        """Links were confirmed: where no difference is left, what was noted of them is forgotten. Whether that is so."""
        with self._file.write():
            if next(self.difference(person, target, flows), None) is not None:
                return False
            account = self._accounts.number(person, target)
            self._file.run("DELETE FROM link_changes WHERE account = ?", (account,))
            self._file.run("UPDATE accounts SET flows = ? WHERE id = ?", (_fingerprint(flows), account))
            return True

    def _wanted(self, flows: Sequence[LinkFlow]) -> dict[str, list[tuple[int, int, bool]]]:
        wanted: dict[str, list[tuple[int, int, bool]]] = {}
        for flow in flows:
            place = (self._objects.number(*flow.object), self._names.find("attribute", flow.links), flow.nested)
            wanted.setdefault(flow.attribute, []).append(place)
        return wanted

    def _some(self, account: int, flows: Sequence[LinkFlow]) -> list[int] | None:
        """Persons that may have come or gone; None: all have to be compared."""
        row = self._file.one("SELECT flows FROM accounts WHERE id = ?", (account,))
        if row is None or row[0] != _fingerprint(flows):
            return None
        if self._file.one("SELECT 1 FROM link_changes WHERE account = ? AND person = 0", (account,)):
            return None
        sql = "SELECT DISTINCT person FROM link_changes WHERE account = ? ORDER BY person"
        return [other for (other,) in self._file.all(sql, (account,))]

    def _compare_all(
        self, account: int, target: int, attribute: int, places: Sequence[tuple[int, int, bool]]
    ) -> Iterator[tuple[int, bool]]:
        desired = " UNION ".join(
            (_NESTED if nested else _DIRECT).format(holder=holder, attribute=links) for holder, links, nested in places
        )  # numbers of our own
        confirmed = "SELECT person FROM account_links WHERE account = ?1 AND attribute = ?3"
        # Two statements of sorted numbers: SQLite merges them, and keeps what does not fit into memory in a file
        for other, added in self._file.stream(
            f"SELECT person, 1 FROM (SELECT person FROM ({desired}) EXCEPT {confirmed}) "
            f"UNION ALL SELECT person, 0 FROM ({confirmed} EXCEPT SELECT person FROM ({desired})) ORDER BY 1",
            (account, target, attribute),
        ):
            yield other, bool(added)

    def _compare(
        self, account: int, target: int, attribute: int, places: Sequence[tuple[int, int, bool]], persons: Sequence[int]
    ) -> Iterator[tuple[int, bool]]:
        tests = [
            (_ONE_NESTED if nested else _ONE_DIRECT).format(holder=holder, attribute=links)
            for holder, links, nested in places
        ]
        for other in persons:
            should = any(self._file.one(f"{test} LIMIT 1", (other, target)) for test in tests)
            sql = "SELECT 1 FROM account_links WHERE account = ? AND attribute = ? AND person = ?"
            has = self._file.one(sql, (account, attribute, other)) is not None
            if should is not has:
                yield other, should


def _fingerprint(flows: Sequence[LinkFlow]) -> bytes:
    """Changes where other links flow."""
    told = sorted([flow.attribute, *flow.object, flow.links, flow.nested] for flow in flows)
    return hashlib.blake2b(encode(told), digest_size=16).digest()
