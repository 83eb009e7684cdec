"""What people type to say who they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.people.names import LONGEST, fold, parse_name


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
    [
        "",
        "   ",
        "a" * (LONGEST + 1),
        "a\0b",
        "a\nb",
        "\u200e",
        "\ufeff \u200b",
        "a\ue000b",
        "\ud800",
        "@example.com",
        "anna@",
        "\\anna",
        "CORP\\",
    ],
)
def test_what_can_be_nobodys_name_is_none(text: str) -> None:
    """Empty, endless, control and direction characters, half names."""
    assert parse_name(text) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("\u200eanna@corp.example.com", "anna@corp.example.com"),  # left-to-right mark, as Windows' dialogs put before names
        ("anna@corp.example.com\u200b", "anna@corp.example.com"),
        ("\ufeffCORP\\anna", "CORP\\anna"),
        ("\u202aanna\u202c", "anna"),
        ("an\u00adna", "anna"),
        ("anna\ufe0f", "anna"),
        ("CORP\\  anna", "CORP\\anna"),
        ("CORP \\ anna", "CORP\\anna"),
        ("anna @ corp.example.com", "anna@corp.example.com"),
        ("anna\u00a0@corp.example.com\u2028", "anna@corp.example.com"),
        ("anna\u3000maria", "anna maria"),
        ("anna  maria", "anna  maria"),
    ],
)
def test_what_nobody_sees_is_not_part_of_a_name(text: str, name: str) -> None:
    """It came along with what was pasted: the directory is asked about the name, so that nothing counts unasked."""
    assert parse_name(text) == parse_name(name)
    assert parse_name(text).text == name  # type: ignore[union-attr]


def test_a_name_that_is_too_long_costs_nothing() -> None:
    """Whatever of it nobody sees."""
    assert parse_name("\u200b" * LONGEST + "a") is None


@pytest.mark.parametrize(
    ("one", "other"),
    [("stra\u00dfe", "strasse"), ("jos\u00e9", "jose"), ("anna b", "annab"), ("an-na", "anna"), ("\u0130lker", "ilker")],
)
def test_two_names_that_some_directory_tells_apart_are_two(one: str, other: str) -> None:
    """They may be two people."""
    assert fold(one) != fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna", "aNNA"),
        ("\uff21nna", "anna"),
        ("jose\u0301", "JOS\u00c9"),
        ("anna   b", "Anna B"),
        ("STRA\u1e9eE", "stra\u00dfe"),
        ("\u039f\u0394\u039f\u03a3", "\u03bf\u03b4\u03bf\u03c2"),
    ],
)
def test_case_width_and_composition_make_no_other_name(one: str, other: str) -> None:
    """Whatever a directory thinks of them."""
    assert fold(one) == fold(other)


@given(st.text(max_size=30))
def test_folding_twice_changes_nothing(text: str) -> None:
    """Whatever is typed."""
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=2000))
def test_any_text_is_a_name_or_none(text: str) -> None:
    """It never raises, and what it lets through can be sent."""
    name = parse_name(text)
    assert name is None or name.text.encode()
