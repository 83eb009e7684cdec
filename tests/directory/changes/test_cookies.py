"""Whose a cookie is, and what it answers."""

from __future__ import annotations

import hashlib

import hypothesis.strategies as st
import pytest
from hypothesis import given

from directory.changes.cookies import CookieRefused, OfAnotherServer, ReadCookie, check_database, digest, open_cookie

COOKIE = ReadCookie("dirsync", b"d" * 16, b"q" * 16, b"opaque", 70)


@given(st.binary(), st.integers(0, 2**63 - 1))
def test_a_cookie_is_opened_as_it_was_sealed(opaque: bytes, usn: int) -> None:
    """By the same kind of reading that asks the same."""
    cookie = ReadCookie("syncrepl", b"d", b"q", opaque, usn)
    assert open_cookie(cookie.seal(), "syncrepl", b"q") == cookie
    assert open_cookie(cookie.seal(), "syncrepl", None) == cookie


@given(st.data())
def test_no_damage_goes_unnoticed(data: st.DataObject) -> None:
    """A server would take some of it and tell less than what changed."""
    sealed = bytearray(COOKIE.seal())
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(CookieRefused, match="damaged"):
        open_cookie(bytes(sealed), "dirsync", COOKIE.question)
    with pytest.raises(CookieRefused, match="damaged"):
        open_cookie(COOKIE.seal()[:place], "dirsync", COOKIE.question)


def test_a_cookie_of_another_version_is_refused() -> None:
    """A later one may mean something else by its parts."""
    later = ReadCookie("dirsync", b"d", b"q", b"", 0, version=2).seal()
    unknown = b"another form"
    for sealed in (later, hashlib.sha256(unknown).digest()[:8] + unknown):
        with pytest.raises(CookieRefused, match="version"):
            open_cookie(sealed, "dirsync", b"q")


@pytest.mark.parametrize(("kind", "question"), [("syncrepl", b"q" * 16), ("dirsync", b"other")])
def test_a_cookie_of_another_reading_is_refused(kind: str, question: bytes) -> None:
    """With more attributes than before, the server would tell the new ones only of what changes."""
    with pytest.raises(CookieRefused, match="other attributes"):
        open_cookie(COOKIE.seal(), kind, question)  # type: ignore[arg-type]


def test_what_makes_another_question() -> None:
    """Base, attributes and whatever else; not their case or order."""
    first = digest("DC=corp", ("mail", "cn"), 1)
    assert first == digest("dc=CORP", ("CN", "mail", "Mail"), 1)
    others = {digest("DC=other", ("mail", "cn"), 1), digest("DC=corp", ("mail",), 1), digest("DC=corp", ("mail", "cn"), 2)}
    assert len(others) == 3
    assert first not in others


def test_a_cookie_of_another_database_is_refused() -> None:
    """It has another meaning there: another domain controller may be the right one."""
    check_database(COOKIE, b"d" * 16, 70)
    with pytest.raises(OfAnotherServer, match="another database"):
        check_database(COOKIE, b"e" * 16, 70)


def test_a_database_that_was_put_back_is_noticed() -> None:
    """A snapshot of a domain controller: it would leave out what is written until it has caught up."""
    with pytest.raises(CookieRefused, match="put back") as caught:
        check_database(COOKIE, b"d" * 16, 69)
    assert not isinstance(caught.value, OfAnotherServer)
