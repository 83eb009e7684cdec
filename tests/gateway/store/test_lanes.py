"""The store's threads: order, cancelling, errors, the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from gateway.store.lanes import Lane, LaneJob


@pytest.fixture
def lane() -> Iterator[Lane]:
    made = Lane("test", 1)
    yield made
    made.close()


async def test_jobs_begin_in_order_and_tell_what_came_of_them(lane: Lane) -> None:
    """A result, or whatever was raised; the thread is there for the next one."""
    begun: list[int] = []

    def fail(_job: LaneJob) -> None:
        begun.append(2)
        raise ZeroDivisionError

    jobs = [LaneJob(lambda _job: begun.append(1) or "one"), LaneJob(fail), LaneJob(lambda _job: begun.append(3) or "three")]  # type: ignore[func-returns-value]
    for job in jobs:
        lane.put(job)
    results = await asyncio.gather(*(job.future for job in jobs), return_exceptions=True)
    assert (results[0], type(results[1]), results[2]) == ("one", ZeroDivisionError, "three")
    assert begun == [1, 2, 3]


async def test_what_nobody_waits_for_is_not_begun(lane: Lane) -> None:
    """One that has begun is done all the same, and its result is dropped."""
    free, begun = threading.Event(), list[int]()

    def wait(_job: LaneJob) -> None:
        begun.append(1)
        free.wait(5)

    first, second, third = LaneJob(wait), LaneJob(lambda _job: begun.append(2)), LaneJob(lambda _job: begun.append(3))
    for job in (first, second, third):
        lane.put(job)
    while not begun:  # noqa: ASYNC110 - a thread says so
        await asyncio.sleep(0.001)
    first.future.cancel()
    second.abandoned = True
    free.set()
    await third.future
    assert begun == [1, 3]


async def test_a_lane_that_closes_does_what_waits(lane: Lane) -> None:
    """And has no thread left."""
    other = Lane("other", 3)
    jobs = [LaneJob(lambda _job: 1) for _ in range(20)]
    for job in jobs:
        other.put(job)
    await asyncio.to_thread(other.close)
    assert sum(await asyncio.gather(*(job.future for job in jobs))) == 20
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("isthmus-store-other")]
