"""One vocabulary for every check, and how it is told to monitoring."""

from __future__ import annotations

import math
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from findings import (
    Finding,
    Status,
    explain,
    exposition,
    failed,
    finding_lines,
    gauge_lines,
    passed,
    undecided,
    warned,
    worst,
)

PASS = passed("clock", "dc1", "+0 s")
UNKNOWN = undecided("join", "adfs3", "cannot be known yet", "stage join-farm proves it")
WARN = warned("clock", "dc1", "+70 s", "Synchronise it.")
FAIL = failed("clock", "dc1", "+700 s", "Synchronise it now.")


def test_a_finding_in_a_sentence() -> None:
    """With its remedy, where it has one."""
    assert explain(FAIL) == "clock: +700 s; Synchronise it now."
    assert explain(PASS) == "clock: +0 s"


@pytest.mark.parametrize(
    ("finding", "status"),
    [(PASS, "pass"), (UNKNOWN, "unknown"), (WARN, "warn"), (FAIL, "fail")],
    ids=lambda value: str(value),
)
def test_each_constructor_states_its_status(finding: Finding, status: Status) -> None:
    """And carries every field."""
    assert finding.status == status
    assert finding == Finding(
        name=finding.name, where=finding.where, status=status, seen=finding.seen, remedy=finding.remedy
    )
    assert bool(finding.remedy) == (status != "pass")


def test_a_remedy_is_not_always_known() -> None:
    """Errors that say themselves what to do need none beside."""
    assert failed("relay", "", "not enrolled").remedy == ""
    assert warned("relay", "", "not enrolled").remedy == ""
    assert undecided("relay", "", "ask").remedy == ""


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([], "pass"),
        ([PASS], "pass"),
        ([PASS, UNKNOWN], "unknown"),
        ([PASS, UNKNOWN, WARN], "warn"),
        ([PASS, UNKNOWN, WARN, FAIL], "fail"),
    ],
)
def test_the_worst_of_many_does_not_depend_on_their_order(findings: list[Finding], status: Status) -> None:
    """Fail over warn over unknown over pass; none is a pass."""
    assert {worst(order) for order in permutations(findings)} == {status}


def test_findings_are_a_gauge_with_one_series_for_each_check_and_host() -> None:
    """The worst of those that share their labels, in the order in which they came."""
    lines = finding_lines("isthmus_check", "Outcome.", [([("farm", "corp")], [PASS, FAIL, WARN, UNKNOWN])])
    assert lines == [
        "# HELP isthmus_check Outcome.",
        "# TYPE isthmus_check gauge",
        'isthmus_check{farm="corp",check="clock",host="dc1"} 2',
        'isthmus_check{farm="corp",check="join",host="adfs3"} NaN',
    ]


def test_the_same_check_of_two_farms_stays_apart() -> None:
    """Their labels differ."""
    judged = [([("farm", "a")], [PASS]), ([("farm", "b")], [WARN])]
    assert [line.rpartition(" ")[2] for line in finding_lines("x", "X.", judged)[2:]] == ["0", "1"]


def test_a_metric_without_labels_has_no_braces() -> None:
    """And numbers are written as briefly as they can be without loss."""
    values = (3.0, 0.25, 1e9 + 0.5, math.inf, -math.inf, -2.0)
    lines = gauge_lines("x", "X.", [((), value) for value in values])
    assert lines[2:] == ["x 3", "x 0.25", "x 1000000000.5", "x +Inf", "x -Inf", "x -2"]


def test_several_metrics_make_one_text() -> None:
    """It ends with a line end, which the format demands; nothing makes an empty text."""
    assert exposition(["a 1"], ["b 2", "c 3"]) == "a 1\nb 2\nc 3\n"
    assert exposition() == ""


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r")), st.floats(allow_nan=False))
def test_any_label_and_any_number_survive_the_way(value: str, number: float) -> None:
    """Quotes, backslashes and line ends included: Prometheus's own parser reads what was written."""
    text = exposition(gauge_lines("x", "X.", [([("host", value)], number)]))
    (family,) = text_string_to_metric_families(text)
    (sample,) = family.samples
    assert (sample.labels, sample.value) == ({"host": value}, number)
