"""A model that is written as TOML reads back as the same model."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings import Bounds, Lines, SettingsFileError, dump_settings, load_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One of several tables."""

    words: tuple[str, ...] = ()
    """Some words."""
    names: Mapping[str, str] = field(default_factory=dict)
    """Names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A table."""

    ratio: Annotated[float, Bounds(zero=True)] = 1.0
    """A number."""
    rows: tuple[Row, ...] = ()
    """Tables in a table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """One field of each form."""

    name: str
    """Required."""
    pem: Lines = ""
    """Several lines."""
    on: bool = False
    """Whether."""
    count: Annotated[int, Bounds(zero=True)] = 3
    """How many."""
    kind_of: Literal["a", "b"] = "a"
    """Which."""
    part: Part = field(default_factory=Part)
    """A table."""
    rows: tuple[Row, ...] = ()
    """Tables."""
    flags: Mapping[str, bool] = field(default_factory=dict)
    """By name."""
    parts: Mapping[str, Part] = field(default_factory=dict)
    """Tables by name."""


_CONTROLS = "".join(map(chr, (*range(32), *range(127, 160))))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=_CONTROLS), max_size=20)
LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=_CONTROLS.replace("\n", "")), max_size=40)
NUMBERS = st.floats(min_value=0.001, max_value=1e9) | st.just(0.0)
ROWS = st.builds(Row, words=st.lists(TEXT, max_size=3).map(tuple), names=st.dictionaries(TEXT, TEXT, max_size=3))
PARTS = st.builds(Part, ratio=NUMBERS, rows=st.lists(ROWS, max_size=2).map(tuple))
WHOLES = st.builds(
    Whole,
    name=TEXT,
    pem=LINES,
    on=st.booleans(),
    count=st.integers(0, 10**9),
    kind_of=st.sampled_from(("a", "b")),
    part=PARTS,
    rows=st.lists(ROWS, max_size=2).map(tuple),
    flags=st.dictionaries(TEXT, st.booleans(), max_size=3),
    parts=st.dictionaries(TEXT, PARTS, max_size=2),
)


@given(WHOLES)
def test_what_is_written_reads_back(whole: Whole) -> None:
    """Quotes, backslashes, lines, empty names and every script among it."""
    assert load_settings(Path("whole.toml"), Whole, dump_settings(whole).encode()) == whole


def test_defaults_are_not_written() -> None:
    """Only what somebody chose, and what is required."""
    assert dump_settings(Whole(name="x", flags=types.MappingProxyType({}))) == 'name = "x"\n'


def test_a_text_with_lines_keeps_them() -> None:
    """People compare PEM with what they have."""
    assert dump_settings(Whole(name="x", pem="one\ntwo\n")) == 'name = "x"\npem = """\none\ntwo\n"""\n'


@pytest.mark.parametrize("text", ["one\x00two", "one\ttwo", "one\rtwo", "\x1b[2J"])
def test_lines_are_the_only_control_characters(text: str) -> None:
    """A text with lines reaches terminals too."""
    with pytest.raises(SettingsFileError, match="pem"):
        load_settings(Path("whole.toml"), Whole, dump_settings(Whole(name="x", pem=text)).encode())
