"""What people type to say who they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.people.names import LONGEST, parse_name


@pytest.mark.parametrize(
    ("text", "user", "suffix", "netbios"),
    [
        ("anna@Example.COM", "anna", "example.com", ""),
        ("CORP\\anna", "anna", "", "corp"),
        ("anna", "anna", "", ""),
        ("  anna  ", "anna", "", ""),
        ("a@b@example.com", "a@b", "example.com", ""),
        ("CORP\\a@b", "a@b", "", "corp"),
        ("😀@example.com", "😀", "example.com", ""),
    ],
)
def test_names_are_taken_apart(text: str, user: str, suffix: str, netbios: str) -> None:
    """UPN, DOMAIN\\name, bare."""
    name = parse_name(text)
    assert name is not None
    assert (name.user, name.suffix, name.netbios) == (user, suffix, netbios)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "a" * (LONGEST + 1), "a\0b", "a\nb", "\u202eanna", "\ud800", "@example.com", "anna@", "\\anna", "CORP\\"],
)
def test_what_can_be_nobodys_name_is_none(text: str) -> None:
    """Empty, endless, control and direction characters, half names."""
    assert parse_name(text) is None


@given(st.text(max_size=2000))
def test_any_text_is_a_name_or_none(text: str) -> None:
    """It never raises, and what it lets through can be sent."""
    name = parse_name(text)
    assert name is None or name.text.encode()
