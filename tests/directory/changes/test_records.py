"""What entries mean: by bytes that Samba sent, and by what ldap3 reads in the same bytes."""

from __future__ import annotations

import uuid

import hypothesis.strategies as st
import pytest
from hypothesis import given
from ldap3.protocol.rfc4511 import LDAPMessage
from pyasn1.codec.ber import decoder

from directory.changes.model import DirectoryRecord, RecordKind
from directory.changes.records import (
    ExtendedDn,
    changed_record,
    entry_key,
    parse_extended_dn,
    parse_range,
    plain_dn,
    whole_record,
)
from directory.ldap import codec
from tests.support.fake_directory import entry

CLEARED = bytes.fromhex(  # Samba 4.17: a telephone number was taken away from somebody
    "3081860201096481800430434e3d416e6e6120426572672c4f553d50656f706c652c44433d636f72702c44433d6578616d706c652c44433d636f6d30"
    "4c3020040a6f626a6563744755494431120410f914de8539b9fe4ba8b1a0a7fc95b10f3013040c696e7374616e636554797065310304013430130"
    "40f74656c6570686f6e654e756d6265723100"
)
MEMBERS = bytes.fromhex(  # Samba 4.17: a group lost one member and got another
    "3081fe0201096481f80429434e3d67312c4f553d50656f706c652c44433d636f72702c44433d6578616d706c652c44433d636f6d3081ca30490410"
    "6d656d6265723b72616e67653d302d3031350433434e3d42656e2043617374696c6c6f2c4f553d50656f706c652c44433d636f72702c44433d6578"
    "616d706c652c44433d636f6d304604106d656d6265723b72616e67653d312d3131320430434e3d416e6e6120426572672c4f553d50656f706c652c"
    "44433d636f72702c44433d6578616d706c652c44433d636f6d3020040a6f626a65637447554944311204102585e59640509245b161855f654ee1d8"
    "3013040c696e7374616e6365547970653103040134"
)
KEY = b"k" * 16


def read(message: bytes) -> tuple[str, codec.Entry]:
    """The entry of a message."""
    return codec.read_entry(message, *codec.open_message(message)[2:])


def test_a_cleared_attribute() -> None:
    """It is present, without a value."""
    dn, found = read(CLEARED)
    record = changed_record(dn, found, entry_key(found))
    assert record.kind is RecordKind.CHANGED
    assert record.key == bytes.fromhex("f914de8539b9fe4ba8b1a0a7fc95b10f")
    assert record.cleared == (b"telephonenumber",)
    assert set(record.attributes) == {b"objectguid", b"instancetype"}
    assert not record.restored


def test_single_members() -> None:
    """range=1-1 are those that were added, range=0-0 those that were removed."""
    dn, found = read(MEMBERS)
    record = changed_record(dn, found, entry_key(found))
    assert record.dn == "CN=g1,OU=People,DC=corp,DC=example,DC=com"
    assert record.added == {b"member": [b"CN=Anna Berg,OU=People,DC=corp,DC=example,DC=com"]}
    assert record.removed == {b"member": [b"CN=Ben Castillo,OU=People,DC=corp,DC=example,DC=com"]}
    assert record.cleared == ()
    assert set(record.attributes) == {b"objectguid", b"instancetype"}


@pytest.mark.parametrize("message", [CLEARED, MEMBERS])
def test_ldap3_reads_the_same_in_these_bytes(message: bytes) -> None:
    """A second opinion on what was sent, by definitions that nobody here wrote."""
    theirs, rest = decoder.decode(message, asn1Spec=LDAPMessage())
    assert rest == b""
    found = theirs["protocolOp"]["searchResEntry"]
    attributes = {
        str(attribute["type"]).lower().encode(): [bytes(value) for value in attribute["vals"]]
        for attribute in found["attributes"]
    }
    assert read(message) == (str(found["object"]), attributes)


NAMES = st.sampled_from(["cn", "mail", "member", "member;range=1-1", "member;range=0-0", "manager;range=1-1", "isDeleted"])


@given(st.dictionaries(NAMES, st.lists(st.binary(max_size=20), max_size=3)))
def test_nothing_of_a_change_is_lost_or_told_twice(attributes: dict[str, list[bytes]]) -> None:
    """Each attribute is in exactly one place, but for a plain name without values beside single values of it."""
    dn, found = read(codec.message(1, entry("CN=x", attributes)))
    record = changed_record(dn, found, KEY)
    told = {name: values for name, values in attributes.items() if values and ";" not in name}
    assert record.attributes == {name.lower().encode(): values for name, values in told.items()}
    for mark, place in ((";range=1-1", record.added), (";range=0-0", record.removed)):
        said = {name.removesuffix(mark).encode(): values for name, values in attributes.items() if name.endswith(mark)}
        assert place == said
    empty = {name.lower().encode() for name, values in attributes.items() if not values and ";" not in name}
    assert set(record.cleared) == empty - set(record.added) - set(record.removed)


def test_tombstones() -> None:
    """Of either reading; one that lives again has isDeleted cleared."""
    deleted = {b"isdeleted": [b"TRUE"], b"mail": []}
    assert changed_record("CN=x", dict(deleted), KEY).kind is RecordKind.DELETED
    assert changed_record("CN=x", dict(deleted), KEY).cleared == (b"mail",)
    assert whole_record("CN=x", dict(deleted), KEY).kind is RecordKind.DELETED
    restored = changed_record("CN=x", {b"isdeleted": []}, KEY)
    assert (restored.kind, restored.restored) == (RecordKind.CHANGED, True)


def test_a_whole_entry_is_what_it_is() -> None:
    """Its attributes are those of the message."""
    attributes = {b"mail": [b"a@b"], b"cn": [b"A"]}
    assert whole_record("CN=A", attributes, KEY) == DirectoryRecord(RecordKind.WHOLE, KEY, "CN=A", attributes)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (b"member;range=0-1499", (b"member", 0, 1499)),
        (b"member;range=1500-*", (b"member", 1500, None)),
        (b"member;lang-de;range=0-0", (b"member;lang-de", 0, 0)),
        (b"member", None),
        (b"member;binary", None),
        (b"member;range=x-1", None),
        (b"member;range=0-1;binary", None),
        (b"member;range=12345678901-*", None),
    ],
)
def test_ranges(name: bytes, found: tuple[bytes, int, int | None] | None) -> None:
    """MS-ADTS section 3.1.1.3.1.3.3."""
    assert parse_range(name) == found


GUID = uuid.UUID("4e3e1f1f-5073-4899-825c-c6e6ca83eb62")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (
            f"<GUID={GUID}>;<SID=S-1-5-21-1-2-3-1107>;CN=Ben,DC=corp",
            (GUID.bytes_le, "S-1-5-21-1-2-3-1107", "CN=Ben,DC=corp"),
        ),
        (f"<GUID={GUID}>;CN=a\\>;<SID=b>,DC=corp", (GUID.bytes_le, "", "CN=a\\>;<SID=b>,DC=corp")),
        (f"<GUID={GUID}>;CN=two\nlines,DC=corp", (GUID.bytes_le, "", "CN=two\nlines,DC=corp")),
        ("CN=Ben,DC=corp", None),
        ("<GUID=4e3e1f1f50734899825cc6e6ca83eb62>;CN=hexadecimal", None),
        ("<GUID=------------------------------------>;CN=x", None),
    ],
)
def test_extended_names(text: str, found: ExtendedDn | None) -> None:
    """MS-ADTS section 3.1.1.3.4.1.5."""
    assert parse_extended_dn(text) == found
    assert plain_dn(text) == (found[2] if found is not None else text)


@pytest.mark.parametrize(
    ("attributes", "key"),
    [
        ({b"objectguid": [GUID.bytes_le]}, GUID.bytes_le),
        ({b"entryuuid": [str(GUID).encode()]}, GUID.bytes),
        ({b"objectguid": [b"short"]}, b""),
        ({b"objectguid": []}, b""),
        ({b"entryuuid": [b"x"]}, b""),
        ({b"entryuuid": [b"\xff"]}, b""),
        ({}, b""),
    ],
)
def test_keys(attributes: codec.Entry, key: bytes) -> None:
    """16 bytes or none."""
    assert entry_key(attributes) == key
