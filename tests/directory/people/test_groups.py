"""How many searches somebody's groups take, and how long they may."""

from __future__ import annotations

import re
import time
from typing import Any, cast

import pytest

from directory.ldap import Entry, LdapConnection
from directory.people import Account
from directory.people.groups import Groups
from directory.settings import DirectorySettings


def sid(number: int) -> bytes:
    """Of a group of one domain (MS-DTYP 2.4.2)."""
    return bytes([1, 5, 0, 0, 0, 0, 0, 5]) + b"".join(part.to_bytes(4, "little") for part in (21, 1, 2, 3, number))


class Server:
    """Stands in for a connection: knows groups by SID and by member, and keeps what it is asked."""

    def __init__(self, above: dict[str, list[str]] | None = None) -> None:
        self.above = above or {}
        self.timeouts: list[float] = []

    async def search(
        self,
        base: bytes,
        scope: int,
        matching: bytes,
        attributes: bytes,
        *,
        limit: int,
        timeout: float,  # noqa: ASYNC109 - as the real one
    ) -> list[tuple[str, Entry]]:
        self.timeouts.append(timeout)
        sids = re.findall(rb"objectSid\x04\x1c(.{28})", matching, re.DOTALL)
        named = [
            (f"CN={value[-4:].hex()}", {b"objectsid": [value], b"samaccountname": [b"\xffG" + value[-4:-3]]})
            for value in sids
        ]
        members = [name.decode() for name in re.findall(rb"\x06member\x04.(cn=\w+)", matching)]
        return named or [
            (f"cn={name}", {b"cn": [name.encode()]}) for member in members for name in self.above.get(member, ())
        ]


def groups(**fields: Any) -> Groups:
    return Groups(DirectorySettings(name="corp", base_dn="OU=People,DC=corp,DC=example", **fields))


async def test_a_thousand_groups_take_a_handful_of_searches() -> None:
    """One for each took 23 s at 20 ms. Names in bytes that are no UTF-8 are names; what is known is not asked again."""
    server, tokens = Server(), [sid(number) for number in range(1012)]
    account = Account("CN=Anna", {b"objectguid": [b"a" * 16], b"tokengroups": tokens})
    asked = groups()
    found = await asked.of(cast("LdapConnection", server), account)
    assert [group.sid for group in found] == [f"S-1-5-21-1-2-3-{number}" for number in range(1012)]
    assert found[5].name == "\ufffdG\x05"
    assert len(server.timeouts) <= 6
    other = Account("CN=Ben", {b"objectguid": [b"b" * 16], b"tokengroups": [*tokens[:20], sid(5000)]})
    before = len(server.timeouts)
    assert len(await asked.of(cast("LdapConnection", server), other)) == 21
    assert len(server.timeouts) == before + 1


async def test_groups_are_found_although_no_name_is_kept() -> None:
    """A cache that keeps nothing is no reason to ask for each."""
    server, tokens = Server(), [sid(number) for number in range(600)]
    account = Account("CN=Anna", {b"objectguid": [b"a" * 16], b"tokengroups": tokens})
    found = await groups(names_cache_seconds=0, groups_cache_seconds=0).of(cast("LdapConnection", server), account)
    assert (len(found), len(server.timeouts)) == (600, 3)


async def test_nested_groups_of_other_servers_are_asked_for_together() -> None:
    """Each level in searches of a bounded size; a circle ends."""
    first = [f"a{number}" for number in range(600)]
    server = Server({"cn=anna": first, **{f"cn={name}": ["top", "a0"] for name in first}})
    account = Account("cn=anna", {b"entryuuid": [b"1"]})
    found = await groups(kind="ldap").of(cast("LdapConnection", server), account)
    assert {group.name for group in found} == {*first, "top"}
    assert len(server.timeouts) == 1 + 3 + 1


@pytest.mark.parametrize(("left", "most"), [(1.5, 1.5), (60.0, 4.0), (-5.0, 0.05)])
async def test_each_search_ends_before_the_deadline(left: float, most: float) -> None:
    """And within its own time."""
    server = Server()
    account = Account("CN=Anna", {b"objectguid": [b"a" * 16], b"tokengroups": [sid(1)]})
    await groups().of(cast("LdapConnection", server), account, time.monotonic() + left)
    assert most - 0.5 < server.timeouts[0] <= most
