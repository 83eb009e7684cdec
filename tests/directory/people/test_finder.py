"""From a name to an account: what the server is asked, and what is remembered of its answer."""

from __future__ import annotations

import pytest

from directory.errors import Ambiguous
from directory.ldap import codec
from directory.ldap.codec import Entry
from directory.people import AccountFinder, parse_name
from directory.settings import DirectorySettings

SETTINGS = DirectorySettings(name="corp.example.com", netbios_name="CORP", base_dn="DC=corp", groups=False)


class FakeServer:
    """Finds what its filter names, without case; entries by DN. Of each search, its base and what it found are on record."""

    directory = ""

    def __init__(self, entries: dict[str, Entry]) -> None:
        self.entries = entries
        self.takes_all_for_equal = False
        self.searches: list[tuple[str, int]] = []

    async def search(
        self, base: bytes, scope: int, matching: bytes, attributes: bytes, *, limit: int, **_: float
    ) -> list[tuple[str, Entry]]:
        def passes(entry: Entry) -> bool:
            held = [codec.equals(name, value).lower() for name, values in entry.items() for value in values]
            return self.takes_all_for_equal or any(one in matching.lower() for one in held)

        inside = {base.decode()} if scope == codec.SCOPE_BASE else set(self.entries)
        found = [(dn, entry) for dn, entry in self.entries.items() if dn in inside and passes(entry)][:limit]
        self.searches.append((base.decode(), len(found)))
        return found


def account(number: int, account_name: str, upn: str = "") -> Entry:
    """An entry."""
    entry = {b"objectguid": [bytes([number]) * 16], b"samaccountname": [account_name.encode()]}
    return {**entry, b"userprincipalname": [upn.encode()]} if upn else entry


@pytest.fixture
def finder() -> AccountFinder:
    """Of an AD directory."""
    return AccountFinder(SETTINGS)


@pytest.fixture
def anna() -> FakeServer:
    """With anna, whose account name is implied in one name and who has another one explicitly."""
    return FakeServer({"CN=A": account(1, "anna", "a.berg@corp.example.com")})


async def find(finder: AccountFinder, server: FakeServer, text: str) -> str | None:
    """DN of whoever is meant."""
    name = parse_name(text)
    assert name is not None
    found = await finder.find(server, name)  # type: ignore[arg-type]
    return found.dn if found else None


@pytest.mark.parametrize("text", ["a.berg@corp.example.com", "A.Berg@CORP.example.com", "CORP\\anna", "anna"])
async def test_who_was_certain_is_read_the_next_time(finder: AccountFinder, anna: FakeServer, text: str) -> None:
    """That costs the server less than a search."""
    assert [await find(finder, anna, text) for _ in range(2)] == ["CN=A", "CN=A"]
    assert anna.searches == [("DC=corp", 1), ("CN=A", 1)]


@pytest.mark.parametrize("text", ["anna@corp.example.com", "anna@corp"])
async def test_a_name_that_is_only_implied_is_searched_for_each_time(
    finder: AccountFinder, anna: FakeServer, text: str
) -> None:
    """Somebody may be called so by now, and is meant."""
    assert [await find(finder, anna, text) for _ in range(2)] == ["CN=A", "CN=A"]
    anna.entries["CN=B"] = account(2, "other", text)
    assert await find(finder, anna, text) == "CN=B"
    assert [base for base, _ in anna.searches] == ["DC=corp"] * 3


@pytest.mark.parametrize("gone", [None, account(1, "anna", "new@corp.example.com"), account(3, "zoe")])
async def test_who_is_not_called_so_any_more_is_searched_for(
    finder: AccountFinder, anna: FakeServer, gone: Entry | None
) -> None:
    """Deleted, renamed, or another account under the same DN: the server says so as it is read."""
    text = "a.berg@corp.example.com"
    await find(finder, anna, text)
    anna.entries = {} if gone is None else {"CN=A": gone}
    assert await find(finder, anna, text) is None
    anna.entries["CN=B"] = account(2, "other", text)
    assert await find(finder, anna, text) == "CN=B"
    assert [base for base, _ in anna.searches] == ["DC=corp", "CN=A", "DC=corp", "DC=corp"]


async def test_what_the_server_alone_takes_for_equal_is_nobody_when_read_either(
    finder: AccountFinder, anna: FakeServer
) -> None:
    """The account has another name by now, which a server that folds more than we do does not tell apart."""
    text = "a.berg@corp.example.com"
    await find(finder, anna, text)
    anna.entries["CN=A"] = account(1, "anna", "a.b.erg@corp.example.com")
    anna.takes_all_for_equal = True
    assert await find(finder, anna, text) is None


async def test_two_names_that_we_remember_alike_are_the_servers_to_tell_apart(finder: AccountFinder) -> None:
    """Whatever the key of the memory folds, the account is confirmed with the name as it was typed."""
    kelvin = "\u212a@corp.example.com"
    server = FakeServer({"CN=A": account(1, "k", "k@corp.example.com"), "CN=B": account(2, "other", kelvin)})
    assert kelvin.lower() == "k@corp.example.com"
    for _ in range(2):
        assert await find(finder, server, "k@corp.example.com") == "CN=A"
        assert await find(finder, server, kelvin) == "CN=B"


async def test_among_more_than_are_looked_at_the_first_attribute_still_decides() -> None:
    """A hundred entries that hold the name in a later one hide nobody; who shares it in the first is ambiguous."""
    finder = AccountFinder(DirectorySettings(name="x", kind="ldap", base_dn="DC=corp", groups=False))
    server = FakeServer({f"uid=e{n}": {b"uid": [b"e%d" % n], b"mail": [b"anna"]} for n in range(100)})
    server.entries["uid=anna"] = {b"uid": [b"anna"]}
    assert await find(finder, server, "anna") == "uid=anna"
    del server.entries["uid=anna"]
    with pytest.raises(Ambiguous):
        await find(finder, server, "anna")
