"""How Active Directory writes times."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.ldap.values import (
    as_text,
    format_guid,
    format_sid,
    from_filetime,
    from_generalized_time,
    from_interval,
    integer_of,
    parse_guid,
    parse_sid,
    text_of,
)


def test_times_of_active_directory() -> None:
    """FILETIME and negative intervals; the smallest integer is for ever."""
    assert from_filetime(0) == 0.0
    assert from_filetime(116444736000000000) == 0.0
    assert from_filetime(116444736010000000) == 1.0
    assert from_interval(-18000000000) == 1800.0
    assert from_interval(-(2**63)) == math.inf


ADMINISTRATORS = bytes.fromhex("01020000000000052000000020020000")


def test_a_sid_as_it_is_written() -> None:
    """MS-DTYP section 2.4.2.4: well-known ones."""
    assert format_sid(ADMINISTRATORS) == "S-1-5-32-544"
    assert format_sid(bytes.fromhex("010000000000000a")) == "S-1-10"


@pytest.mark.parametrize("raw", [b"", b"\x01", b"\x01\x05", ADMINISTRATORS[:-1], b"S-1-5-32-544", b"\xff" * 8])
def test_what_is_no_sid_is_taken_for_none(raw: bytes) -> None:
    """Cut short, or text: it looks like no SID, so that it is nobody's, and no group's."""
    assert not format_sid(raw).startswith("S-")


@pytest.mark.parametrize(
    "raw",
    [
        ADMINISTRATORS,
        bytes.fromhex("0101ffffffffffffffffffff"),
        bytes.fromhex("010f000000000005") + bytes(range(60)),
    ],
)
def test_a_sid_is_read_as_it_is_written(raw: bytes) -> None:
    """The smallest and the largest authority, part and number of parts that one can have."""
    assert parse_sid(format_sid(raw)) == raw


@pytest.mark.parametrize(
    "text",
    [
        "",
        "S-1-5",
        "s-1-5-32",
        "S-2-5-32",
        "S-1-5-32-",
        "S-1-5--32",
        "S-1-5-32-544 ",
        "S-1-281474976710656-1",
        "S-1-5-4294967296",
        "S-1-5-32-4294967296",
        "S-1-5" + "-1" * 16,
        "S-1-5-٣",
    ],
)
def test_what_is_no_sid_is_not_read(text: str) -> None:
    """An authority has 48 bits, a part 32, and there are 15 parts at most (MS-DTYP section 2.4.2)."""
    assert parse_sid(text) is None


def test_a_guid_is_read_as_it_is_written() -> None:
    """In either case; MS-DTYP section 2.3.4.2."""
    raw = bytes.fromhex("00112233445566778899aabbccddeeff")
    assert format_guid(raw) == "33221100-5544-7766-8899-aabbccddeeff"
    assert parse_guid(format_guid(raw)) == parse_guid(format_guid(raw).upper()) == raw


@pytest.mark.parametrize("text", ["", "33221100554477668899aabbccddeeff", "{33221100-5544-7766-8899-aabbccddeeff}", "anna"])
def test_what_is_no_guid_is_not_read(text: str) -> None:
    """Python's own reader takes many other forms."""
    assert parse_guid(text) is None


@given(st.binary(max_size=300))
def test_no_value_breaks_a_reader(value: bytes) -> None:
    """A hostile directory's values, too."""
    entry = {b"a": [value]}
    for read in (format_sid, format_guid, as_text, from_generalized_time):
        read(value)
    text_of(entry, b"a")
    from_filetime(integer_of(entry, b"a"))
    from_interval(integer_of(entry, b"a"))


@pytest.mark.parametrize("value", [b"9" * 400, b"-" + b"9" * 400, b"9" * 5000, b"1e9", b"", b"\xff"])
def test_a_number_that_no_directory_holds_is_a_number_all_the_same(value: bytes) -> None:
    """It neither breaks what counts with it, nor becomes nothing where it was much."""
    number = integer_of({b"a": [value]}, b"a")
    assert -(2**63) <= number < 2**63
    assert math.isfinite(from_filetime(number))
    assert from_interval(number) <= math.inf
    assert (number == 2**63 - 1) == (value == b"9" * 400)
