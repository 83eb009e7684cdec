"""From an entry to an identity, and which of several accounts is meant."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pytest

from directory.errors import Ambiguous
from directory.ldap.values import format_sid
from directory.people.accounts import CERTAIN, Account, Accounts, choose
from directory.people.names import LoginName, parse_name
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


@pytest.mark.parametrize(
    ("fields", "typed", "expected"),
    [
        ({}, "anna@corp.example.com", ["userPrincipalName", "sAMAccountName"]),
        ({}, "anna@elsewhere.example", ["userPrincipalName"]),
        ({}, "CORP\\anna", ["sAMAccountName"]),
        ({"login_attributes": ("mail",)}, "anna", ["sAMAccountName", "mail"]),
        ({"login_attributes": ("mail",)}, "anna@corp.example.com", ["mail", "sAMAccountName"]),
        (
            {"login_attributes": ("UserPrincipalName", "mail")},
            "anna@corp.example.com",
            ["UserPrincipalName", "sAMAccountName", "mail"],
        ),
        ({"kind": "ldap"}, "anna", ["uid", "mail"]),
        ({"kind": "ldap"}, "anna@corp.example.com", ["uid", "uid", "mail"]),
        ({"kind": "ldap", "netbios_name": "CORP"}, "CORP\\anna", ["uid", "mail"]),
        ({"kind": "ldap", "login_attributes": ("mail", "cn")}, "anna@corp.example.com", ["mail", "cn", "uid"]),
        ({"kind": "ldap", "login_attributes": ("mail", "cn")}, "anna@elsewhere.example", ["mail", "cn"]),
    ],
)
def test_names_rank_by_the_attribute_that_holds_them(fields: dict[str, Any], typed: str, expected: list[str]) -> None:
    """In the order of the settings, what implies a name right behind it, as in AD (MS-ADTS 5.1.1.1.1): one who writes
    another's name into an attribute that stands further back is not in that person's way."""
    name = parse_name(typed)
    assert name is not None
    accounts = Accounts(settings(**fields))
    held = re.compile(rb"\xa3.\x04.([A-Za-z]+)")  # equalityMatch (RFC 4511 section 4.5.1.7)
    assert [held.findall(matching)[0].decode() for matching in accounts.by_precedence(name)] == expected
    assert [attribute.decode() for attribute in held.findall(accounts.matching(name))[: len(expected)]] == expected


@pytest.mark.parametrize(
    ("held", "taken"),
    [
        ("bj\u00f8rn", ["bj\u00f8rn", "BJ\u00d8RN", "bjorn", "\uff22j\u00f8rn", "CORP\\bjorn", "bjorn@corp.example.com"]),
        ("jos\u00e9", ["jose", "JOSE\u0301", "jos\u00e9"]),
        ("jose", ["Jose"]),
        ("anna b", ["anna   b", "annab", "Anna\u3000B"]),
        ("+49 30-1", ["+49301", "+49 30-1"]),
        ("\u0141ukasz", ["lukasz", "\u0142UKASZ"]),
        ("stra\u00dfe", ["stra\u00dfe", "STRA\u1e9eE", "strasse", "STRASSE"]),
        ("\u0130lker", ["\u0130lker", "ilker", "ILKER"]),
    ],
)
def test_a_name_is_taken_in_few_spellings(held: str, taken: list[str]) -> None:
    """As the directory has it, and what people type who leave out what can be left out."""
    account = Account("CN=a", {b"samaccountname": [held.encode()]})
    for typed in taken:
        name = parse_name(typed.replace("\u3000", " "))
        assert name is not None
        assert Accounts(settings()).rank(account, name) is not None, typed


@pytest.mark.parametrize(
    ("held", "typed"),
    [
        ("bjorn", "b\u0328jo\u0308rn"),
        ("bjorn", "bj\u00f8rn"),
        ("strasse", "stra\u00dfe"),
        ("strasse", "stra\u1e9ee"),
        ("jos\u00e9", "j\u00f3se"),
        ("jos\u00e9", "j\u00f3s\u00e9"),
        ("anna", "an-na"),
        ("anna-b", "ann ab"),
        ("\u3064", "\u30c4"),
        ("anna", "anna\U0001f970"),
    ],
)
def test_what_a_directory_takes_for_equal_beyond_that_is_nobody(held: str, typed: str) -> None:
    """Windows strips marks from whatever has some, and skips what it does not know: there would be a new spelling, so a new
    budget of guesses, for ever."""
    account = Account("CN=a", {b"samaccountname": [held.encode()], b"userprincipalname": [f"{held}@corp".encode()]})
    for text in (typed, f"CORP\\{typed}", f"{typed}@corp"):
        name = parse_name(text)
        assert name is not None
        assert Accounts(settings()).rank(account, name) is None


AD, LDAP = settings(netbios_name="CORP"), settings(kind="ldap", netbios_name="CORP", upn_suffixes=("people.example",))


@pytest.mark.parametrize(
    ("of", "typed"),
    [
        (AD, "anna@else.example"),
        (AD, "anna@people.example"),
        (AD, "anna@corp.example.com.else.example"),
        (LDAP, "anna@else.example"),
        (LDAP, "anna@example.com"),
    ],
)
def test_the_account_name_alone_does_not_make_a_suffix_ones_own(of: DirectorySettings, typed: str) -> None:
    """It is implied for the directory's own domain only; whoever had that name before has it no more."""
    account = Account(
        "CN=a", {b"samaccountname": [b"anna"], b"uid": [b"anna"], b"userprincipalname": [b"a.berg@else.example"]}
    )
    name = parse_name(typed)
    assert name is not None
    assert Accounts(of).rank(account, name) is None


@pytest.mark.parametrize(
    ("of", "typed"),
    [
        (AD, "anna"),
        (AD, "anna@CORP.example.com"),
        (AD, "anna@corp"),
        (AD, "CORP\\anna"),
        (AD, "corp.example.com\\anna"),
        (LDAP, "anna"),
        (LDAP, "anna@corp.example.com"),
        (LDAP, "anna@people.example"),
        (LDAP, "anna@corp"),
        (LDAP, "CORP\\anna"),
        (LDAP, "corp.example.com\\anna"),
        (LDAP, "corp.example.com\\anna.berg@mail.example"),
    ],
)
def test_ways_to_say_who_one_is(of: DirectorySettings, typed: str) -> None:
    """With the directory's DNS and NetBIOS names, as Active Directory takes them; the filter asks for what is accepted."""
    held = {b"uid": b"anna", b"mail": b"anna.berg@mail.example"} if of is LDAP else {b"samaccountname": b"anna"}
    name, accounts = parse_name(typed), Accounts(of)
    assert name is not None
    assert accounts.rank(Account("CN=a", {key: [value] for key, value in held.items()}), name) is not None
    asked = accounts.matching(name).lower()
    assert any(key in asked and value in asked for key, value in held.items())


def meant(accounts: Accounts, name: LoginName, found: list[Account]) -> Account:
    ranked = [(accounts.rank(account, name), account) for account in found]
    return choose(name, [(rank, account) for rank, account in ranked if rank is not None])[1]


def test_the_order_of_the_login_attributes_decides() -> None:
    """Whoever writes another person's name into their own entry does not become that person, nor keep them out."""
    name = parse_name("anna")
    assert name is not None
    anna, other = Account("uid=anna", {b"uid": [b"anna"]}), Account("uid=eve", {b"uid": [b"eve"], b"mail": [b"anna"]})
    assert meant(Accounts(LDAP), name, [other, anna]) is anna
    by_mail = Accounts(settings(kind="ldap", login_attributes=("mail", "uid")))
    assert meant(by_mail, name, [other, anna]) is other
    name = parse_name("anna@people.example")
    assert name is not None
    other = Account("uid=eve", {b"uid": [b"eve"], b"mail": [b"anna@people.example"]})
    assert meant(Accounts(LDAP), name, [other, anna]) is anna


def test_the_spelling_that_was_typed_comes_before_one_with_marks() -> None:
    """A directory that takes no notice of them finds both."""
    name = parse_name("jose@x")
    assert name is not None
    accounts = Accounts(settings(login_attributes=("mail",)))
    plain, marked = Account("CN=a", {b"mail": [b"JOSE@x"]}), Account("CN=b", {b"mail": ["jos\u00e9@x".encode()]})
    assert meant(accounts, name, [marked, plain]) is plain
    with pytest.raises(Ambiguous):
        meant(accounts, name, [marked, marked])


def test_only_who_has_the_name_in_the_first_attribute_is_certain() -> None:
    """Anybody else's name may be another account's by now, which comes first: the directory is asked again."""
    entry = {b"samaccountname": [b"anna", b"anna b"], b"userprincipalname": [b"a.berg@corp.example.com"]}
    account, accounts = Account("CN=a", entry), Accounts(AD)
    certain = {
        typed: accounts.rank(account, name) == CERTAIN
        for typed in ("a.berg@corp.example.com", "CORP\\anna", "anna@corp.example.com", "anna", "annab", "nobody")
        if (name := parse_name(typed)) is not None
    }
    assert list(certain.values()) == [True, True, False, True, False, False]


def test_whoever_has_no_account_name_is_called_as_they_sign_in() -> None:
    """A person of an LDAP directory without a uid."""
    accounts = Accounts(LDAP)
    entry = {b"entryuuid": [b"u"], b"mail": [b"anna@mail.example"]}
    assert accounts.identity(Account("cn=a", entry), ()).user_name == "anna@mail.example"
    assert accounts.identity(Account("cn=a", {**entry, b"uid": [b"anna"]}), ()).user_name == "anna"
