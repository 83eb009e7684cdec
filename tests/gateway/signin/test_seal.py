"""What a browser carries: sealed, bound, and over in time."""

from __future__ import annotations

import pytest

from gateway.signin import Seal
from tests.support.keys import FixedKeyring

NOW = 1000.0


@pytest.fixture
def keyring() -> FixedKeyring:
    return FixedKeyring()


def seal_of(keyring: FixedKeyring, use: str = "steps", now: float = NOW) -> Seal:
    return Seal(keyring, use, lambda: now)


def test_what_is_sealed_is_opened_again_and_seen_by_nobody(keyring: FixedKeyring) -> None:
    """Twice the same is not the same twice."""
    seal = seal_of(keyring)
    one, other = (seal.close(b"secret", bound="browser", until=NOW + 1) for _ in range(2))
    assert seal.open(one, bound="browser") == seal.open(other, bound="browser") == b"secret"
    assert one != other
    assert "secret" not in one
    assert one.isascii()
    assert seal.open(seal.close(b"", bound="", until=NOW + 1), bound="") == b""


def test_another_browser_another_use_and_another_time_open_nothing(keyring: FixedKeyring) -> None:
    """Each by itself."""
    sealed = seal_of(keyring).close(b"secret", bound="browser", until=NOW + 10)
    assert seal_of(keyring).open(sealed, bound="other") is None
    assert seal_of(keyring, "typed").open(sealed, bound="browser") is None
    assert seal_of(keyring, now=NOW + 9.9).open(sealed, bound="browser") == b"secret"
    assert seal_of(keyring, now=NOW + 10).open(sealed, bound="browser") is None


async def test_it_is_opened_until_the_second_roll(keyring: FixedKeyring) -> None:
    """Two keys are valid at a time."""
    seal = seal_of(keyring)
    sealed = seal.close(b"secret", bound="", until=NOW + 10)
    await keyring.roll()
    assert seal.open(sealed, bound="") == b"secret"
    await keyring.roll()
    assert seal.open(sealed, bound="") is None


def test_not_one_bit_of_it_can_be_changed(keyring: FixedKeyring) -> None:
    """Nor can it be cut or lengthened."""
    seal = seal_of(keyring)
    sealed = seal.close(b"secret", bound="", until=NOW + 10)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for place, character in enumerate(sealed):
        for other in {alphabet[(alphabet.index(character) + step) % 64] for step in (1, 32)}:
            changed = sealed[:place] + other + sealed[place + 1 :]
            # the last character's lowest bits are no part of any byte
            assert seal.open(changed, bound="") is None or place == len(sealed) - 1
        assert seal.open(sealed[:place], bound="") is None
    assert seal.open(sealed + "AAAA", bound="") is None


@pytest.mark.parametrize("garbage", ["", "=", "A", "AAAA", "\udcff", "é", "\0", "A" * 100_000, "!" * 50, " "])
def test_garbage_is_nothing(keyring: FixedKeyring, garbage: str) -> None:
    """Nor an error."""
    assert seal_of(keyring).open(garbage, bound="") is None
    assert seal_of(keyring).open(garbage, bound="\udcff") is None
