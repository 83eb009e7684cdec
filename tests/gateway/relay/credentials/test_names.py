"""How a user name is counted: every spelling that some directory takes for the same is one."""

from __future__ import annotations

import time
import unicodedata
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.people.names import fold, parse_name
from gateway.relay.credentials.admission.names import TOO_LONG, fold_name, local_part
from gateway.relay.credentials.admission.settings import LONGEST_NAME


@pytest.mark.parametrize(
    ("spelling", "folded"),
    [
        ("anna@corp.example.com", "anna@corp.example.com"),
        ("  ANNA@Corp.Example.COM\t", "anna@corp.example.com"),
        ("anna @ corp.example.com", "anna@corp.example.com"),
        ("CORP \\ anna", "corp\\anna"),
        ("CORP\\\u00a0anna", "corp\\anna"),  # a no-break space
        ("CORP\\\u2028anna", "corp\\anna"),  # a line separator
        ("an\u200bna", "anna"),  # zero width space
        ("an\u00adna", "anna"),  # soft hyphen
        ("\ufeffanna", "anna"),  # byte order mark
        ("anna\u202e", "anna"),  # right-to-left override
        ("an\ufe0fna", "anna"),  # variation selector
        ("an\U000e0101na", "anna"),
        ("an\u034fna", "anna"),  # combining grapheme joiner
        ("an\u3164na", "anna"),  # Hangul filler: NFKC makes it another ignorable one
        ("an\x00na", "anna"),
        ("an\tna", "anna"),
        ("an\ud800na", "anna"),  # a lone surrogate
        ("\uff21\uff4e\uff4e\uff41", "anna"),  # full width
        ("anna\uff20corp", "anna@corp"),
        ("corp\uff3canna", "corp\\anna"),
        ("STRA\u1e9eE", "stra\u00dfe"),
        ("JOS\u00c9", "jos\u00e9"),
        ("jose\u0301", "jos\u00e9"),  # composed
        ("\u03a3\u03c2", "\u03c3\u03c3"),  # the two small sigmas
        ("\u212bsa", "\u00e5sa"),  # the unit
        ("o'neil", "o'neil"),
        ("anna maria", "anna maria"),  # a blank inside is a letter like others
        ("anna  maria", "anna maria"),  # but two are one
        (f"anna{' ' * 200}maria \u00a0 b @ corp", "anna maria b@corp"),
        ("", ""),
        ("   ", ""),
        ("@", "@"),
        ("\\", "\\"),
    ],
)
def test_spellings_are_folded(spelling: str, folded: str) -> None:
    """Case, width, composition, hidden characters, blanks around the name and its separators."""
    assert fold_name(spelling) == folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna", "ana"),
        ("anna@a", "anna@b"),
        ("a\\anna", "anna"),
        ("jose", "jos\u00e9"),
        ("strasse", "stra\u00dfe"),
        ("i\u0307z", "\u0130z"),
    ],
)
def test_what_may_be_another_person_stays_apart(one: str, other: str) -> None:
    """Until the directory tells."""
    assert fold_name(one) != fold_name(other)


@pytest.mark.parametrize(
    ("folded", "local"),
    [
        ("anna", "anna"),
        ("corp\\anna", "anna"),
        ("anna@corp", "anna"),
        ("anna@home@corp", "anna@home"),
        ("a\\b\\anna", "anna"),
        ("corp\\anna@corp", "anna"),
        ("@corp", "@corp"),
        ("jos\u00e9@corp", "jose"),
        ("stra\u00dfe@corp", "strasse"),
        ("", ""),
    ],
)
def test_the_local_part_is_what_spellings_share(folded: str, local: str) -> None:
    """Without domain, suffix and accents."""
    assert local_part(folded) == local


def test_a_name_that_is_too_long_costs_nothing() -> None:
    """A megabyte is nobody's name: all such names share one record."""
    assert fold_name("\u00e4" * LONGEST_NAME) == "\u00e4" * LONGEST_NAME
    assert fold_name(" " + "a" * LONGEST_NAME + " ") == "a" * LONGEST_NAME
    assert fold_name("a" * (LONGEST_NAME + 1)) == TOO_LONG
    begun = time.process_time()
    for character in ("a", "\ufdfa", "\u0301", "@", "\u200b"):
        assert fold_name(character * 1_000_000) == TOO_LONG
    assert time.process_time() - begun < 0.5


def test_the_worst_name_is_folded_quickly() -> None:
    """Within the longest, whatever it is made of."""
    begun = time.process_time()
    for name in ("\ufdfa" * LONGEST_NAME, " " * (LONGEST_NAME - 2) + "@a", "a" + " @" * 511, "a\u0301\u0327" * 341):
        for _ in range(10):
            local_part(fold_name(name))
    assert time.process_time() - begun < 1.0


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing_and_never_fails(name: str) -> None:
    """Whatever is typed."""
    folded = fold_name(name)
    assert fold_name(folded) == folded
    assert isinstance(local_part(folded), str)


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_neither_case_nor_composition_matters(name: str) -> None:
    """Of any script, letter by letter."""
    small = "".join(letter.lower() if len(letter.lower()) == 1 else letter for letter in name)
    assert fold_name(unicodedata.normalize("NFD", name)) == fold_name(name)
    assert fold_name(small) == fold_name(name)


@given(
    st.text(st.characters(categories=["L", "N", "M", "Cf", "Z"]), min_size=1, max_size=12),
    st.lists(
        st.tuples(st.integers(0, 12), st.sampled_from("\u200b\u200e\ufeff\u00ad\ufe0f\u034f \u00a0\u3000")), max_size=4
    ),
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
)
def test_what_the_agent_takes_for_one_name_is_counted_as_one(
    name: str, inserted: list[tuple[int, str]], form: Literal["NFC", "NFD", "NFKC", "NFKD"]
) -> None:
    """Else there would be a spelling, so a budget of guesses, for everything that the agent leaves out or folds."""
    other = unicodedata.normalize(form, name.swapcase())
    for place, character in inserted:
        other = other[:place] + character + other[place:]
    for pattern in ("{}@corp.example.com", "CORP\\{}", "{}"):
        first, second = parse_name(pattern.format(name)), parse_name(pattern.format(other))
        if first is not None and second is not None and fold(first.user) == fold(second.user):
            assert fold_name(pattern.format(name)) == fold_name(pattern.format(other))
