"""Values by type, and what becomes of those that do not fit."""

from __future__ import annotations

import pytest

from sync.model import Plain
from sync.source import AttributeType, Schema
from sync.source.schema import NotOfItsType, from_text, read_values


def read(entry: dict[bytes, list[bytes]], **declared: AttributeType) -> tuple[dict[str, object], dict[str, str]]:
    values: dict[str, Plain | tuple[Plain, ...]] = {}
    names = ("displayName", "USERACCOUNTCONTROL", "objectsid", "proxyAddresses", "isDeleted", "member", "shoeSize")
    invalid = read_values(Schema((*names, "userCertificate"), declared), entry, values)
    return dict(values), invalid


def test_values_have_the_type_of_their_attribute() -> None:
    """Names as the schema spells them; several values are a tuple, in one order whatever the server's; links are none."""
    values, invalid = read(
        {
            b"displayname": ["Zoë".encode()],
            b"useraccountcontrol": [b"-514"],
            b"objectsid": [b"\x01\xff"],
            b"proxyaddresses": [b"smtp:b", b"SMTP:a"],
            b"isdeleted": [b"FALSE"],
            b"member": [b"CN=x"],
            b"usercertificate;binary": [b"\x30"],
            b"whenchanged": [b"never asked for"],
        }
    )
    assert values == {
        "displayName": "Zoë",
        "userAccountControl": -514,
        "objectSid": b"\x01\xff",
        "proxyAddresses": ("SMTP:a", "smtp:b"),
        "isDeleted": False,
        "userCertificate": b"\x30",
    }
    assert invalid == {}


def test_a_value_that_does_not_fit_is_left_out_and_named() -> None:
    """The others stay, of the same attribute, too."""
    values, invalid = read(
        {
            b"displayname": [b"\xff\xfe"],
            b"useraccountcontrol": [b"99999999999999999999"],
            b"isdeleted": [b"maybe"],
            b"proxyaddresses": [b"smtp:a", b"\xff"],
        }
    )
    assert values == {"proxyAddresses": "smtp:a"}
    assert set(invalid) == {"displayName", "userAccountControl", "isDeleted", "proxyAddresses"}
    assert "binary" in invalid["displayName"]
    assert "64 bits" in invalid["userAccountControl"]
    assert "'maybe'" in invalid["isDeleted"]


def test_settings_say_other_types() -> None:
    """Of attributes that nobody knows, and of those that are used otherwise."""
    entry = {b"shoesize": [b"43"], b"displayname": [b"\xff"]}
    assert read(entry, SHOEsize=AttributeType.NUMBER, displayname=AttributeType.BINARY) == (
        {"shoeSize": 43, "displayName": b"\xff"},
        {},
    )


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Yes", AttributeType.BOOLEAN, True),
        ("0", AttributeType.BOOLEAN, False),
        (" 7 ", AttributeType.NUMBER, 7),
        ("aGk=", AttributeType.BINARY, b"hi"),
        (" kept ", AttributeType.TEXT, " kept "),
    ],
)
def test_text_of_files_and_tables(text: str, kind: AttributeType, value: object) -> None:
    """Words for booleans, base64 for bytes."""
    assert from_text(text, kind) == value


@pytest.mark.parametrize(
    ("text", "kind"), [("2", AttributeType.BOOLEAN), ("1.5", AttributeType.NUMBER), ("é", AttributeType.BINARY)]
)
def test_text_that_does_not_fit(text: str, kind: AttributeType) -> None:
    """The error repeats it."""
    with pytest.raises(NotOfItsType, match=text):
        from_text(text, kind)
