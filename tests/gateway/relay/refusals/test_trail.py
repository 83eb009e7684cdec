"""Refusals in the trail: one entry for each name or address and minute."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.relay.refusals import FoldedTrail
from gateway.store import AuditEvent, StoreUnavailable

NOW = 1_800_000_000.0


class Trail:
    """Takes entries, or none."""

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.down = False

    async def append(self, event: AuditEvent, *, patience: float = 0.0) -> None:
        if self.down:
            raise StoreUnavailable("trail", "stopped", "start it")
        self.events.append(event)

    @property
    def times(self) -> list[int]:
        return [int(event.detail.get("times", "1")) for event in self.events]


@pytest.fixture
def trail() -> Trail:
    return Trail()


def refused(seconds: float, subject: str = "anna") -> AuditEvent:
    return AuditEvent(time=NOW + seconds, kind="signin", subject=subject, detail={"detail": "locked"})


def folded(trail: Any, **settings: int) -> FoldedTrail:
    return FoldedTrail(trail, **settings)


async def test_the_first_is_written_at_once_and_the_next_entry_counts_the_others(trail: Trail) -> None:
    """A flood of ten minutes is ten entries, and none is lost."""
    folding = folded(trail)
    written = [await folding.append("anna", refused(number / 10)) for number in range(6000)]
    assert written.count(True) == len(trail.events) == 10
    await folding.flush(NOW + 661)
    assert trail.times == [1, *[600] * 9, 599]
    assert sum(trail.times) == 6000
    assert trail.events[0].detail == {"detail": "locked"}


async def test_what_is_counted_is_written_when_its_minute_is_over(trail: Trail) -> None:
    """As the last of them was, once; then the name is forgotten."""
    folding = folded(trail)
    for subject in ("first", "second", "third"):
        await folding.append("key", refused(0, subject))
    await folding.flush(NOW + 59)
    assert trail.times == [1]
    await folding.flush(NOW + 60)
    assert trail.times == [1, 2]
    assert [event.subject for event in trail.events] == ["first", "third"]
    await folding.flush(NOW + 100)
    assert len(folding) == 1
    await folding.flush(NOW + 120)
    assert trail.times == [1, 2]
    assert len(folding) == 0


async def test_names_and_addresses_are_told_apart(trail: Trail) -> None:
    """Up to a bound; beyond it the others share an entry that says so."""
    folding = folded(trail, most=3)
    for _ in range(2):
        for key in "abcdef":
            await folding.append(key, refused(0, key))
    assert [event.subject for event in trail.events] == ["a", "b", "c", "d"]
    assert len(folding) == 4
    await folding.flush(NOW + 60)
    assert sum(trail.times) == 12
    shared = [event for event in trail.events if "others" in event.detail]
    assert [event.subject for event in shared] == ["d", "f"]


async def test_a_trail_that_is_down_loses_no_count(trail: Trail) -> None:
    """Whoever is refused is told so; the next round writes it."""
    folding = folded(trail)
    trail.down = True
    with pytest.raises(StoreUnavailable):
        await folding.append("anna", refused(0))
    assert not await folding.append("anna", refused(1))
    with pytest.raises(StoreUnavailable):
        await folding.flush(NOW + 60)
    trail.down = False
    await folding.flush(NOW + 120)
    assert trail.times == [2]


async def test_a_stop_writes_everything(trail: Trail) -> None:
    """The minute need not be over."""
    folding = folded(trail)
    await folding.append("anna", refused(0))
    await folding.append("anna", refused(1))
    await folding.flush(NOW + 2, everything=True)
    assert trail.times == [1, 1]


async def test_a_clock_that_is_set_back_ends_the_minute(trail: Trail) -> None:
    """Otherwise nothing would be written until the clock is there again."""
    folding = folded(trail)
    await folding.append("anna", refused(3600))
    assert await folding.append("anna", replace(refused(0), subject="later"))
    assert [event.subject for event in trail.events] == ["anna", "later"]
