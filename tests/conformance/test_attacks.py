"""Every attack of the tables on OAuth and SAML has a test that names its row, or an entrance that is not there yet."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.conformance.tables import named_tests, read_table, rows_in

LATER = {
    "O09": "DPoP",
    "S25": "sign-in at other identity providers: no response is read yet",
}
"""Rows whose entrance comes later, by what it comes with."""


def _rows() -> list[str]:
    listed = [row["id"] for name in ("attacks-oauth.csv", "attacks-saml.csv") for row in read_table(name)]
    return sorted({row for text in listed for row in rows_in(text)})


def _named() -> Counter[str]:
    tests = (test for test in named_tests() if not test.node_id.startswith("conformance/test_attacks.py"))
    return Counter(row for test in tests for row in set(rows_in(test.text)))


def test_the_tables_hold_the_rows_that_the_issue_names() -> None:
    """O01 to O23, S01 to S29."""
    assert _rows() == [*(f"O{number:02}" for number in range(1, 24)), *(f"S{number:02}" for number in range(1, 30))]


@pytest.mark.parametrize("row", _rows())
def test_a_row_has_a_test_that_names_it(row: str) -> None:
    """By its id in the docstring or among the parameters; one that comes later has none yet."""
    assert (_named()[row] > 0) is (row not in LATER), f"{row}: add the test, or say in LATER what its entrance comes with"


def test_what_comes_later_is_in_the_tables() -> None:
    """No row is put off that there is not."""
    assert set(LATER) <= set(_rows())


@pytest.mark.parametrize(("text", "rows"), [("O01, S29", "O01 S29"), ("S01-S03", "S01 S02 S03"), ("RS256 O1 S011", "")])
def test_rows_are_found_in_what_a_test_says(text: str, rows: str) -> None:
    """Single ones and ranges; nothing that only looks like one."""
    assert list(rows_in(text)) == rows.split()
