"""Waiting between tries: spread at random, bounded, without end."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.agent.backoff import Backoff


def longest(_low: float, high: float) -> float:
    return high


def shortest(low: float, _high: float) -> float:
    return low


def test_the_range_doubles_up_to_the_ceiling() -> None:
    """Each failed try widens the range that the next wait is drawn from."""
    backoff = Backoff(0.1, 4.0, longest)
    assert [round(backoff.next_delay(), 3) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0, 4.0]


def test_the_shortest_wait_stays_the_floor() -> None:
    """Full jitter: however many tries, a short wait stays possible."""
    backoff = Backoff(0.1, 4.0, shortest)
    assert {backoff.next_delay() for _ in range(20)} == {0.1}


@given(
    floor=st.floats(0.01, 10.0),
    factor=st.floats(1.0, 1000.0),
    tries=st.integers(1, 200),
    seed=st.integers(0, 2**32),
)
def test_every_wait_lies_between_floor_and_ceiling(floor: float, factor: float, tries: int, seed: int) -> None:
    """Whatever was drawn before."""
    ceiling = floor * factor
    backoff = Backoff(floor, ceiling, random.Random(seed).uniform)  # noqa: S311 - no secret
    for _ in range(tries):
        assert floor * (1 - 1e-9) <= backoff.next_delay() <= ceiling * (1 + 1e-9)


def test_it_never_gives_up() -> None:
    """Ten thousand failures on, it still waits no longer than the ceiling, and no number overflows."""
    backoff = Backoff(0.1, 4.0, longest)
    assert max(backoff.next_delay() for _ in range(10_000)) == 4.0


def test_a_success_starts_again_at_the_floor() -> None:
    """After a conversation that worked the next try comes soon."""
    backoff = Backoff(0.1, 4.0, longest)
    for _ in range(10):
        backoff.next_delay()
    backoff.reset()
    assert backoff.next_delay() == pytest.approx(0.2)


def test_agents_that_lose_their_relay_together_do_not_come_back_together() -> None:
    """A thousand first waits fill the range instead of meeting at one point."""
    delays = [Backoff(0.1, 4.0).next_delay() for _ in range(1000)]
    assert min(delays) < 0.12
    assert max(delays) > 0.18
    assert len(set(delays)) > 900
