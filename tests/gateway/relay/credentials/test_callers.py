"""The rate of an API key."""

from __future__ import annotations

import pytest

from gateway.relay.credentials.admission import callers
from gateway.relay.credentials.admission.callers import CallerRates, CallerRecord, draw

NOW = 1_800_000_000.0


def passed(rates: CallerRates, caller: str, rate: float, now: float, tries: int) -> int:
    return sum(rates.draw(caller, rate, now) == 0 for _ in range(tries))


def test_a_minutes_worth_at_once_and_then_evenly() -> None:
    """Whoever has used it up waits for one; whoever waits a minute has all again, and no more however long it was."""
    rates = CallerRates()
    assert passed(rates, "a", 60, NOW, 100) == 60
    assert rates.draw("a", 60, NOW) == pytest.approx(1.0)
    assert rates.draw("a", 60, NOW + 0.5) == pytest.approx(0.5)
    assert passed(rates, "a", 60, NOW + 1.001, 5) == 1
    assert passed(rates, "a", 60, NOW + 11.002, 20) == 10
    assert passed(rates, "a", 60, NOW + 5000, 100) == 60


def test_each_has_its_own() -> None:
    """One that is stolen costs the others nothing."""
    rates = CallerRates()
    assert passed(rates, "a", 5, NOW, 10) == 5
    assert passed(rates, "b", 5, NOW, 10) == 5


def test_a_clock_that_was_set_back_gives_nothing_and_takes_nothing() -> None:
    """Time goes on from there."""
    record = CallerRecord(0.0, NOW)
    assert draw(record, 60, NOW - 3600) == pytest.approx(1.0)
    assert draw(record, 60, NOW - 3600 + 2) == 0.0


def test_callers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that asked longest ago is forgotten."""
    monkeypatch.setattr(callers, "RECORDS", 2)
    rates = CallerRates()
    for caller in ("a", "b", "a", "c"):
        rates.draw(caller, 10, NOW)
    assert list(rates._records) == ["a", "c"]
