"""Lists of findings, as they are printed."""

from __future__ import annotations

import pytest

from findings import failed, passed, undecided, warned
from isthmus.cli.reports import show_checklist, show_comparison, show_report

FOUND = [
    passed("clock", "a", "right"),
    *(failed("service", place, "does not run", "Start it.") for place in "abcdef"),
    warned("sync", "b", "lags"),
]


def test_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    """The worst first, places with the same words together, four of them by name; passes only where they are wanted."""
    show_report("prod", FOUND, everything=False)
    assert capsys.readouterr().out.splitlines() == [
        "FAIL  service, a, b, c, d and 2 more: does not run",
        "      Start it.",
        "WARN  sync, b: lags",
        "prod: 6 fail, 1 warn, 1 pass",
    ]
    show_report("prod", FOUND, everything=True)
    assert "PASS  clock, a: right" in capsys.readouterr().out


def test_a_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    """In the order given, each with what to do under it."""
    show_comparison("one and other", [FOUND[1], passed("name", "", "is the same")])
    assert capsys.readouterr().out.splitlines() == [
        "one and other",
        "  FAIL     a: does not run",
        "           Start it.",
        "  PASS     is the same",
    ]


def test_a_checklist(capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its remedy below it; what only a person can know is said to be that."""
    show_checklist([FOUND[0], FOUND[1]])
    assert capsys.readouterr().out.splitlines() == [
        "  PASS     right",
        "  FAIL     does not run",
        "           Start it.",
    ]
    show_checklist([undecided("mail", "", "everybody was told")])
    assert capsys.readouterr().out.splitlines() == [
        "  UNKNOWN  everybody was told",
        "           You have to verify this yourself.",
    ]
