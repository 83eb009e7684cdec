"""Who somebody is, asked of servers in this process: which of them is asked, and whose word is enough."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from directory.errors import ConnectFailed, LdapConnectionError, NoDirectory, StateUnreadable
from directory.ldap import Controllers, Entry, codec
from directory.model import AccountStatus, DirectoryObject, FoundPerson, PersonReference
from directory.people import AccountFinder, PersonLookup
from directory.settings import DirectorySettings

GUID = uuid.UUID("3f1c5a0e-0000-4000-8000-000000000001")
DOMAIN_GUID = "9d1c5a0e-0000-4000-8000-000000000002"
ANNA = PersonReference(object_guid=str(GUID))
SETTINGS = DirectorySettings(name="corp.example.com", netbios_name="CORP", base_dn="DC=corp", groups=False)
ENTRY: Entry = {
    b"objectguid": [GUID.bytes_le],
    b"objectsid": [bytes.fromhex("010500000000000515000000010000000200000003000000e8030000")],
    b"samaccountname": [b"anna"],
    b"userprincipalname": [b"anna@corp.example.com"],
    b"useraccountcontrol": [b"512"],
    b"pwdlastset": [b"133000000000000000"],
}


@dataclass
class LdapServer:
    """Stands in for a domain controller and its connection."""

    name: str
    entries: dict[str, Entry] = field(default_factory=lambda: {"CN=Anna,DC=corp": ENTRY})
    error: LdapConnectionError | None = None
    directory: str = DOMAIN_GUID
    clock_skew: float = 0.0
    in_flight: int = 0
    searches: list[bytes] = field(default_factory=list)
    failures: int = 0

    @property
    def server(self) -> str:
        return f"{self.name}:636"

    @contextlib.asynccontextmanager
    async def searching(self) -> AsyncIterator[LdapServer]:
        yield self

    async def search(
        self, base: bytes, scope: int, matching: bytes, attributes: bytes, *, limit: int, **_: float
    ) -> list[tuple[str, Entry]]:
        self.searches.append(base)
        if self.error is not None:
            raise self.error

        def passes(dn: str, entry: Entry) -> bool:
            if scope == codec.SCOPE_BASE:
                return base.decode() == dn
            held = [codec.equals(name, value).lower() for name, values in entry.items() for value in values]
            return any(one in matching.lower() for one in held)

        return [(dn, entry) for dn, entry in self.entries.items() if passes(dn, entry)][:limit]

    def succeeded(self) -> None:
        self.failures = 0

    def failed(self, _error: LdapConnectionError) -> None:
        self.failures += 1


@dataclass
class Servers:
    """Stands in for `Controllers`: all that did not fail, in their order."""

    all: list[LdapServer]

    def candidates(self, _account: str) -> Iterator[LdapServer]:
        yield from [server for server in self.all if not server.failures]

    def none_answered(self) -> NoDirectory:
        return NoDirectory("corp", tuple(server.name for server in self.all), "none answered")


def of(*servers: LdapServer, **settings: Any) -> PersonLookup:
    """A look-up at these servers."""
    finder = AccountFinder(DirectorySettings(**{**_fields(SETTINGS), **settings}))
    return PersonLookup(cast("Controllers", Servers(list(servers))), finder, time.time)


def _fields(settings: DirectorySettings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("name", "netbios_name", "base_dn", "groups")}


async def ask(lookup: PersonLookup, person: PersonReference = ANNA, *, may: bool = True) -> FoundPerson | None:
    return await lookup.look_up(person, lambda _: may, time.monotonic() + 5)


@pytest.mark.parametrize(
    "person",
    [
        ANNA,
        PersonReference(object_guid=str(GUID).upper()),
        PersonReference(sid="S-1-5-21-1-2-3-1000"),
        PersonReference(user_name="anna@corp.example.com"),
        PersonReference(user_name="CORP\\anna"),
    ],
)
async def test_a_person_is_found_by_guid_sid_and_name(person: PersonReference) -> None:
    """State, identity, the object, and when the password was set."""
    found = await ask(of(LdapServer("dc1")), person)
    assert found is not None
    assert (found.status, found.account) == (AccountStatus.LIVE, DirectoryObject(DOMAIN_GUID, str(GUID)))
    assert found.identity is not None
    assert (found.identity.user_name, found.identity.object_guid) == ("anna@corp.example.com", str(GUID))
    assert (found.password_set, found.controller) == (1_655_526_400.0, "dc1:636")


async def test_nothing_is_read_of_whom_nothing_may_be_told() -> None:
    """Not even groups; and one who is not there looks the same."""
    known, nobody = LdapServer("dc1"), LdapServer("dc1", entries={})
    asked: list[DirectoryObject] = []

    def refuse(whose: DirectoryObject) -> bool:
        asked.append(whose)
        return False

    for server in (known, nobody):
        assert await of(server, groups=True).look_up(ANNA, refuse, time.monotonic() + 5) is None
    assert asked == [DirectoryObject(DOMAIN_GUID, str(GUID))] * 2
    assert len(known.searches) == len(nobody.searches) == 1


async def test_one_who_is_not_there_is_gone_once_two_controllers_say_so() -> None:
    """Replication lags: a colleague who was created a minute ago must not lose a session."""
    behind, ahead = LdapServer("dc1", entries={}), LdapServer("dc2")
    found = await ask(of(behind, ahead))
    assert found is not None
    assert (found.status, found.controller) == (AccountStatus.LIVE, "dc2:636")
    servers = [LdapServer(name, entries={}) for name in ("dc1", "dc2", "dc3")]
    found = await ask(of(*servers))
    assert found is not None
    assert (found.status, found.identity, found.account) == (AccountStatus.GONE, None, (DOMAIN_GUID, str(GUID)))
    assert [len(server.searches) for server in servers] == [1, 1, 0]


async def test_the_only_controller_is_believed() -> None:
    """There is nobody else to ask."""
    found = await ask(of(LdapServer("dc1", entries={})))
    assert found is not None
    assert found.status is AccountStatus.GONE


async def test_a_controller_that_fails_makes_nobody_gone() -> None:
    """One said so, the other did not answer: nobody knows. Once that one counts as down, the first one's word is enough."""
    first = LdapServer("dc1", entries={})
    lost = LdapServer("dc2", error=ConnectFailed("dc2:636", "refused"))
    lookup = of(first, lost)
    with pytest.raises(NoDirectory):
        await ask(lookup)
    assert lost.failures == 1
    found = await ask(lookup)
    assert found is not None
    assert found.status is AccountStatus.GONE


async def test_the_next_controller_is_asked_where_one_fails() -> None:
    """And counts as down."""
    lost = LdapServer("dc1", error=ConnectFailed("dc1:636", "refused"))
    found = await ask(of(lost, LdapServer("dc2")))
    assert found is not None
    assert (found.controller, lost.failures, lost.in_flight) == ("dc2:636", 1, 0)


async def test_an_account_whose_state_cannot_be_read_is_an_error() -> None:
    """Never `live`: that would outlive the account."""
    entry = {name: values for name, values in ENTRY.items() if name != b"useraccountcontrol"}
    with pytest.raises(StateUnreadable, match="userAccountControl"):
        await ask(of(LdapServer("dc1", entries={"CN=Anna,DC=corp": entry})))


@pytest.mark.parametrize("text", ["", "*", "3f1c", "S-1-5", "3f1c5a0e-0000-4000-8000-00000000000g", "a\0b", "\ud800"])
async def test_what_can_be_no_identifier_is_nobodys(text: str) -> None:
    """Nothing is searched for, in either kind of directory."""
    for person in (PersonReference(object_guid=text), PersonReference(sid=text), PersonReference(user_name=f"{text}\0")):
        server = LdapServer("dc1")
        assert await ask(of(server), person, may=False) is None
        assert server.searches == []


async def test_expiry_goes_by_the_domain_controllers_clock() -> None:
    """As sign-ins do."""
    ends = int((time.time() + 60 + 11_644_473_600) * 10_000_000)
    server = LdapServer("dc1", entries={"CN=Anna,DC=corp": {**ENTRY, b"accountexpires": [str(ends).encode()]}})
    lookup = of(server)
    assert (found := await ask(lookup)) is not None
    assert found.status is AccountStatus.LIVE
    server.clock_skew = 120.0
    assert (found := await ask(lookup)) is not None
    assert found.status is AccountStatus.EXPIRED
