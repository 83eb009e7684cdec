"""Attempts of one account that are under way at the same time."""

from __future__ import annotations

import asyncio
import time

import pytest

from directory.credentials.reservations import Reservations


async def test_two_attempts_never_share_the_last_allowed_one() -> None:
    """The second waits; the first was wrong, so the second is refused."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=0)
    read_at = time.monotonic()
    second = asyncio.create_task(reservations.take(b"anna", 1, read_at=read_at, give_up=time.monotonic() + 10))
    await asyncio.sleep(0)
    reservations.give_back(b"anna", refused=True)
    assert not await second


async def test_who_waits_behind_a_right_password_goes_on() -> None:
    """It cost nothing."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=0)
    second = asyncio.create_task(reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=time.monotonic() + 10))
    await asyncio.sleep(0)
    reservations.give_back(b"anna", refused=False)
    assert await second


async def test_nobody_waits_past_the_deadline() -> None:
    """While somebody else's attempt hangs."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=0.0, give_up=0)
    assert not await reservations.take(b"anna", 1, read_at=0.0, give_up=time.monotonic() + 0.01)
    assert await reservations.take(b"ben", 1, read_at=0.0, give_up=0)


async def test_an_attempt_cancelled_while_it_waits_leaves_nothing_behind() -> None:
    """It takes no attempt from who comes next, and is not waited for: the account is forgotten when it is idle."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=0)
    read_at = time.monotonic()
    waiting = asyncio.create_task(reservations.take(b"anna", 1, read_at=read_at, give_up=time.monotonic() + 10))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    reservations.give_back(b"anna", refused=False)
    assert len(reservations) == 0
    assert await reservations.take(b"anna", 1, read_at=read_at, give_up=0)
    assert len(reservations) == 1


async def test_a_cancelled_attempt_does_not_take_the_turn_of_one_that_still_waits() -> None:
    """Two wait, the first of them is cancelled just as the attempt that they wait for ends: the second goes on."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=0)
    give_up = time.monotonic() + 10
    first, second = (
        asyncio.create_task(reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=give_up)) for _ in range(2)
    )
    await asyncio.sleep(0)
    first.cancel()
    reservations.give_back(b"anna", refused=False)
    assert await second
    assert first.cancelled()
    reservations.give_back(b"anna", refused=False)
    assert len(reservations) == 0


async def test_spent_attempts_older_than_the_count_are_in_the_count() -> None:
    """They are not counted twice."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=0.0, give_up=0)
    reservations.give_back(b"anna", refused=True)
    assert not await reservations.take(b"anna", 1, read_at=0.0, give_up=0)
    assert await reservations.take(b"anna", 1, read_at=time.monotonic() + 1, give_up=0)


async def test_memory_is_bounded() -> None:
    """Accounts that are idle make room."""
    reservations = Reservations(most_accounts=2)
    for number in range(10):
        key = str(number).encode()
        assert await reservations.take(key, 1, read_at=0.0, give_up=0)
        reservations.give_back(key, refused=False)
    assert await reservations.take(b"x", 1, read_at=0.0, give_up=0)
