"""Which entries are users, as an administrator writes it and as it is sent."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from directory.errors import SettingsProblem
from directory.ldap import user_filter
from directory.settings import DirectorySettings


def settings(**fields: Any) -> DirectorySettings:
    return DirectorySettings(name="corp.example.com", base_dn="DC=corp", **fields)


@pytest.mark.parametrize("kind", ["ad", "ldap"])
def test_the_filter_of_a_kind_is_what_the_settings_say_it_is(kind: Literal["ad", "ldap"]) -> None:
    """Written out in the settings it comes to the same bytes."""
    default = user_filter(settings(kind=kind))
    written = user_filter(settings(kind=kind, user_filter=f" {default.text} "))
    assert (written.text, written.encoded) == (default.text, default.encoded)


def test_an_administrators_filter_is_sent_as_it_is_meant() -> None:
    """Escapes, substrings, negation, matching rules (RFC 4515 section 4); its attributes are known, each once."""
    text = "(&(!(cn=a*b))(|(o=\\2a)(cn=x))(userAccountControl:1.2.840.113556.1.4.803:=2)(mail=*))"
    found = user_filter(settings(user_filter=text))
    assert found.attributes == ("cn", "o", "userAccountControl", "mail")
    assert found.encoded.count(b"1.2.840.113556.1.4.803") == 1
    assert b"\x04\x01o\x04\x01*" in found.encoded
    assert b"\xa2\x0e\xa4\x0c\x04\x02cn" in found.encoded


@pytest.mark.parametrize("text", ["objectClass=person", "(cn=", "(a=b)(c=d)", "(&(a=b)", "(&)", "person"])
def test_what_is_no_filter_is_named(text: str) -> None:
    """With the setting, what it says, and how one looks."""
    with pytest.raises(SettingsProblem, match=r"^user_filter: .*is not an LDAP filter.*RFC 4515"):
        user_filter(settings(user_filter=text))
