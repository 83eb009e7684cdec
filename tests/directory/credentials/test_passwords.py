"""Which passwords can be sent at all."""

from __future__ import annotations

import pytest

from directory.credentials.passwords import LONGEST_PASSWORD, password_is_possible


@pytest.mark.parametrize("password", ["", "a\0b", "x" * (LONGEST_PASSWORD + 1), "\ud800"])
def test_passwords_that_must_never_be_bound_with(password: str) -> None:
    """The empty one above all: it makes an anonymous bind that succeeds."""
    assert not password_is_possible(password)
    assert password_is_possible("pässwörd 😀")
