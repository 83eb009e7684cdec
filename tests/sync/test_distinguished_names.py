"""Distinguished names, written in one way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.distinguished_names import normal_dn


@pytest.mark.parametrize(
    "spelling",
    [
        r"CN=Berg\, Anna,OU=Büro,DC=example",
        r"cn=berg\2c anna,ou=b\C3\BCro,dc=example",
        r"cn = Berg\, Anna , OU = Büro, dc=example",
        'CN="Berg, Anna",OU=Büro;DC=example',
    ],
)
def test_one_name_in_several_spellings(spelling: str) -> None:
    """Case, blanks, escapes, quotes (RFC 2253 section 4) and encoded octets make no difference."""
    assert normal_dn(spelling) == normal_dn(r"CN=Berg\, Anna,OU=Büro,DC=example")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"CN=Berg\, OU\=Anna,DC=example", "CN=Berg,OU=Anna,DC=example"),
        ("CN=a+UID=b", r"CN=a\+UID\=b"),
        ("CN=a\\ ,DC=b", "CN=a,DC=b"),
        (r"CN=x\0ACNF:1,DC=b", "CN=x,DC=b"),
        (r"CN=x\00y,DC=b", "CN=xy,DC=b"),
    ],
)
def test_other_names_stay_others(one: str, other: str) -> None:
    """An escaped separator is part of a value, and so are an escaped blank, a line break and NUL."""
    assert normal_dn(one) != normal_dn(other)


VALUES = st.text('ab, =+"\\<>;#é\x00\n', min_size=1, max_size=8).filter(lambda text: text.strip() == text)


def _escaped(value: str, *, as_octets: bool) -> str:
    if as_octets:
        return "".join(f"\\{octet:02x}" for octet in value.encode())
    return "".join(f"\\{character}" if character in ',+"\\<>;=#' else character for character in value)


@given(st.lists(st.tuples(st.sampled_from(["CN", "ou", "Dc"]), VALUES), min_size=1, max_size=4))
def test_escapes_make_no_difference(parts: list[tuple[str, str]]) -> None:
    """Whatever the values: as characters or as octets; and what is normal stays so."""
    plain = ",".join(f"{name}={_escaped(value, as_octets=False)}" for name, value in parts)
    octets = ", ".join(f"{name.lower()} ={_escaped(value, as_octets=True)}" for name, value in parts)
    assert normal_dn(plain) == normal_dn(octets)
    assert normal_dn(normal_dn(plain)) == normal_dn(plain)


@given(st.text(max_size=30))
def test_no_text_is_too_strange(text: str) -> None:
    """What is no name comes back as some text."""
    assert isinstance(normal_dn(text), str)
