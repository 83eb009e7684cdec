"""From an entry to an identity, and which of several accounts is meant."""

from __future__ import annotations

import uuid

import pytest

from directory.errors import Ambiguous
from directory.ldap.values import format_sid
from directory.people.accounts import Account, Accounts
from directory.people.names import parse_name
from directory.settings import DirectorySettings


def settings(**fields: object) -> DirectorySettings:
    """Of an AD directory."""
    given = {"name": "corp.example.com", "base_dn": "DC=corp", **fields}
    return DirectorySettings(**given)  # type: ignore[arg-type]


def test_a_sid_and_a_guid_are_written_as_everybody_writes_them() -> None:
    """MS-DTYP 2.4.2; a GUID's first three fields are little-endian."""
    raw = bytes([1, 5, 0, 0, 0, 0, 0, 5]) + b"".join(n.to_bytes(4, "little") for n in (21, 1, 2, 3, 1104))
    assert format_sid(raw) == "S-1-5-21-1-2-3-1104"
    guid = uuid.uuid4()
    account = Account("CN=a", {b"objectguid": [guid.bytes_le], b"objectsid": [raw], b"samaccountname": [b"anna"]})
    identity = Accounts(settings()).identity(account, ())
    assert (identity.object_guid, identity.sid) == (str(guid), "S-1-5-21-1-2-3-1104")
    assert identity.user_name == "anna@corp.example.com"


def test_chosen_attributes_travel_and_binary_ones_in_base64() -> None:
    """Text as text."""
    entry = {b"objectguid": [b"0" * 16], b"department": [b"Sales"], b"photo": [b"\xff\x00"], b"bell": [b"a\x07"]}
    accounts = Accounts(settings(attributes=("department", "photo", "bell", "absent")))
    found = accounts.identity(Account("CN=a", entry), ()).attributes
    assert found == {"department": ("Sales",), "photo": ("/wA=",), "bell": ("YQc=",)}


def test_an_explicit_name_comes_before_an_implied_one() -> None:
    """MS-ADTS 5.1.1.1.1: userPrincipalName first; two that are called so are an error, never a guess."""
    accounts = Accounts(settings())
    name = parse_name("anna@corp.example.com")
    assert name is not None
    implied = Account("CN=a", {b"samaccountname": [b"anna"]})
    explicit = Account("CN=b", {b"samaccountname": [b"other"], b"userprincipalname": [b"Anna@corp.example.com"]})
    assert accounts.choose(name, [implied, explicit]) is explicit
    for pair in ([implied, implied], [explicit, explicit]):
        with pytest.raises(Ambiguous, match="CN="):
            accounts.choose(name, pair)
