"""The delay of refusals: how long it is, and when it changes."""

from __future__ import annotations

import pytest

from gateway.relay.refusals import CheckTimes, delay
from gateway.relay.refusals.delay import FIRST, LONGEST, answer_after, steps_above


@pytest.fixture(autouse=True)
def quarter_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delay, "STEP", 0.25)


def counts(*pairs: tuple[int, int]) -> list[int]:
    """(steps in full, how many checks took them)"""
    made = [0] * (LONGEST + 1)
    for steps, number in pairs:
        made[steps] = number
    return made


@pytest.mark.parametrize(
    ("counted", "steps"),
    [
        (counts((0, 1)), 1),
        (counts((0, 99), (3, 1)), 1),
        (counts((0, 98), (3, 2)), 4),
        (counts((0, 990), (3, 10)), 1),
        (counts((0, 989), (3, 11)), 4),
        (counts((1, 100)), 2),
        (counts((11, 5)), 12),
        (counts((12, 5)), 12),
        (counts((0, 1), (12, 1)), 12),
        (counts(), 0),
    ],
)
def test_it_lies_above_the_99th_percentile(counted: list[int], steps: int) -> None:
    """In steps, three seconds at most."""
    assert steps_above(counted) == steps


@pytest.mark.parametrize(
    ("steps", "seconds", "after"),
    [(1, 0.0, 0.25), (1, 0.25, 0.25), (1, 0.26, 0.5), (4, 0.26, 1.0), (4, 1.01, 1.25), (12, 3.1, 3.25), (12, 14.99, 15.0)],
)
def test_what_took_longer_is_answered_at_the_next_step(steps: int, seconds: float, after: float) -> None:
    """Nothing is answered between two steps."""
    assert answer_after(steps, seconds) == after


def test_it_is_what_ten_minutes_were_and_changes_every_ten_seconds() -> None:
    """The ten seconds that go on do not count yet; what is older than ten minutes no longer does."""
    times = CheckTimes()
    assert times.steps(3.0) == FIRST
    times.note(0.1, 3.0, exists=True)
    assert times.steps(9.9) == FIRST
    assert times.steps(10.0) == 1
    times.note(0.6, 11.0, exists=True)
    assert times.steps(19.9) == 1
    assert times.steps(20.0) == 3
    times.note(0.1, 21.0, exists=True)
    assert times.steps(619.9) == 3
    assert times.steps(620.0) == 1
    assert times.steps(10_000.0) == 1


def test_a_flood_of_one_kind_does_not_hide_how_long_the_other_takes() -> None:
    """Ten thousand invented names in no time, and one account whose password is hashed for long; or the other way round."""
    for exists in (False, True):
        times = CheckTimes()
        for _ in range(10_000):
            times.note(0.001, 1.0, exists=exists)
        times.note(0.3, 1.0, exists=not exists)
        assert times.steps(10.0) == 2


def test_it_starts_careful_on_a_machine_that_has_run_for_long() -> None:
    """The event loop's clock begins anywhere."""
    times = CheckTimes()
    assert times.steps(1e6) == FIRST
    times.note(0.3, 1e6, exists=True)
    assert times.steps(1e6 + 60) == 2
