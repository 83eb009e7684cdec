"""Bech32 (BIP 173), in which age writes its keys: text with a checksum that finds slips of the pen.

Without BIP 173's limit of 90 characters, as age has it.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

_ALPHABET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM = 6
"""Characters."""


def encode_bech32(prefix: str, data: bytes) -> str:
    """Lower case. prefix: what stands before the `1`."""
    words = _regroup(data, 8, 5, pad=True)
    remainder = _remainder(chain(_expanded(prefix), words, [0] * _CHECKSUM)) ^ 1
    checksum = [remainder >> 5 * (_CHECKSUM - 1 - place) & 31 for place in range(_CHECKSUM)]
    return f"{prefix}1{''.join(_ALPHABET[word] for word in (*words, *checksum))}"


def decode_bech32(text: str) -> tuple[str, bytes]:
    """Prefix, lower case, and data. Raises ValueError for what is none."""
    if text not in {text.lower(), text.upper()} or not text.isascii():
        raise ValueError("mixed case, or a character that no key has")
    prefix, separator, body = text.lower().rpartition("1")
    if not (prefix and separator) or len(body) < _CHECKSUM or not set(body) <= set(_ALPHABET):
        raise ValueError("a character that no key has")
    words = [_ALPHABET.index(character) for character in body]
    if _remainder(chain(_expanded(prefix), words)) != 1:
        raise ValueError("its checksum does not fit: a character is wrong or missing")
    return prefix, bytes(_regroup(words[:-_CHECKSUM], 5, 8, pad=False))


def _expanded(prefix: str) -> list[int]:
    codes = prefix.encode()
    return [*(code >> 5 for code in codes), 0, *(code & 31 for code in codes)]


def _remainder(words: Iterable[int]) -> int:
    checksum = 1
    for word in words:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ word
        for place, number in enumerate(_GENERATOR):
            checksum ^= number if top >> place & 1 else 0
    return checksum


def _regroup(words: Iterable[int], width: int, into: int, *, pad: bool) -> list[int]:
    """Bits in groups of another width. Raises ValueError for padding that is none."""
    held = bits = 0
    groups = []
    for word in words:
        held, bits = held << width | word, bits + width
        while bits >= into:
            bits -= into
            groups.append(held >> bits & (1 << into) - 1)
        held &= (1 << bits) - 1
    if pad and bits:
        groups.append(held << into - bits & (1 << into) - 1)
    elif not pad and (bits >= width or held):
        raise ValueError("bits are left over")
    return groups
