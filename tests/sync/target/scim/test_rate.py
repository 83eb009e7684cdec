"""How fast a service is asked: additive increase, multiplicative decrease, never above the setting."""

from __future__ import annotations

import asyncio

import hypothesis.strategies as st
import pytest
from hypothesis import given

from sync.target.scim.rate import LONGEST_PAUSE, Pace, Rate, read_retry_after
from tests.sync.target.scim.quirks import Sleeps

NOW = 1_800_000_000.0


def test_it_is_halved_once_a_second_and_grows_back() -> None:
    """What was under way together is refused together."""
    rate = Rate(100.0, 5.0, 0.0)
    assert rate.current(0.0) == 100.0
    for _ in range(5):
        rate.refused(0.0, 10.0)
    assert rate.current(10.0) == 50.0
    rate.refused(0.0, 11.0)
    assert rate.current(11.0) == pytest.approx(27.5)
    assert rate.current(12.0) == pytest.approx(32.5)
    assert rate.current(100.0) == 100.0


def test_slow_answers_count_as_busy() -> None:
    """Those over the setting alone."""
    rate = Rate(100.0, 5.0, 0.0)
    rate.answered(5.0, 1.0)
    assert rate.current(1.0) == 100.0
    rate.answered(5.1, 1.0)
    assert rate.current(1.0) == 50.0


def test_nobody_asks_before_the_service_wants_it() -> None:
    """The pause holds for all requests, however fast they may be sent otherwise."""
    rate = Rate(1000.0, 5.0, 0.0)
    rate.refused(30.0, 1.0)
    assert rate.delay(1.0) == 30.0
    assert rate.delay(30.9) > 0
    assert rate.delay(40.0) == 0.0


@given(
    st.lists(
        st.tuples(st.floats(0, 3), st.sampled_from(["send", "send", "send", "busy", "slow"])), min_size=1, max_size=200
    ),
    st.floats(0.5, 500),
)
def test_never_above_the_setting(steps: list[tuple[float, str]], ceiling: float) -> None:
    """Whatever happens: in any time, no more requests than the setting allows, but for what a timer is early."""
    rate, now = Rate(ceiling, 5.0, 0.0), 0.0
    begun: list[float] = []
    for seconds, event in steps:
        now += seconds if event != "send" else 0.0
        if event == "send":
            begun.append(now + rate.delay(now))
        elif event == "busy":
            rate.refused(0.0, now)
        else:
            rate.answered(6.0, now)
        assert 0 < rate.current(now) <= ceiling
    for first, begin in enumerate(begun):
        for last in range(first, len(begun)):
            assert last - first <= ceiling * (begun[last] - begin + 0.06) + 1e-6


async def test_so_many_at_one_time() -> None:
    """The next one waits until one has its answer; one that is cancelled lets it go."""
    sleeps = Sleeps()
    pace = Pace(Rate(1000.0, 5.0, 0.0), 2, clock=lambda: 0.0, sleep=sleeps)
    inside, release = [], asyncio.Event()

    async def request(number: int) -> None:
        async with pace.request():
            inside.append(number)
            await release.wait()

    tasks = [asyncio.create_task(request(number)) for number in range(4)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert inside == [0, 1]
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    await asyncio.sleep(0)
    assert inside == [0, 1, 2]
    release.set()
    await asyncio.gather(*tasks[1:])


async def test_an_answer_that_does_not_come_is_the_slowest() -> None:
    """The rate is halved as for a slow one."""
    now = iter([0.0, 0.0, 30.0, 30.0])
    rate = Rate(100.0, 5.0, 0.0)
    pace = Pace(rate, 1, clock=lambda: next(now), sleep=Sleeps())
    with pytest.raises(TimeoutError):
        async with pace.request():
            raise TimeoutError
    assert rate.current(30.0) == 50.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 1.25 ", 1.25),
        ("Fri, 15 Jan 2027 08:00:10 GMT", 10.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("-5", 0.0),
        ("nan", 0.0),
        ("inf", 0.0),
        ("1e300", LONGEST_PAUSE),
        ("", 0.0),
        ("soon", 0.0),
        ("Fri, 99 Jan 2027", 0.0),
    ],
)
def test_retry_after(value: str, seconds: float) -> None:
    """Seconds, with decimals, or a date (RFC 9110 section 10.2.3); nonsense is nothing."""
    assert read_retry_after(value, NOW) == seconds


@given(st.text())
def test_retry_after_of_anything(value: str) -> None:
    """No header breaks it or stops us for longer than a day."""
    assert 0 <= read_retry_after(value, NOW) <= LONGEST_PAUSE
