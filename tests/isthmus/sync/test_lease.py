"""The lease is kept while a command works, and what works ends when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.sync_process import LEASE, held_lease, lease_holder
from sync.state import LeaseHeld, LeaseLost, SyncState, open_state

NOW = 1_800_000_000.0


@pytest.fixture
def state(tmp_path: Path) -> Iterator[SyncState]:
    state = open_state(tmp_path / "sync.db")
    yield state
    state.close()


async def test_it_is_renewed_and_given_back(state: SyncState, tmp_path: Path) -> None:
    """Longer than one lease lasts, nobody else can take it; afterwards at once."""
    now = NOW
    other = open_state(tmp_path / "sync.db")
    async with held_lease(state, "first", lambda: now, renewal=0):
        for _ in range(4):
            now += LEASE * 0.9
            await asyncio.sleep(0.01)
            with pytest.raises(LeaseHeld):
                other.take_lease("second", now, LEASE)
    other.take_lease("second", now, LEASE)
    other.close()


async def test_who_loses_it_ends(state: SyncState, tmp_path: Path) -> None:
    """With the name of who has it now."""
    other = open_state(tmp_path / "sync.db")

    async def work() -> None:
        async with held_lease(state, "first", lambda: NOW, renewal=0.01):
            other.take_lease("second", NOW + LEASE + 1, LEASE)
            await asyncio.sleep(60)

    with pytest.raises(LeaseLost, match="second"):
        await work()
    with pytest.raises(LeaseHeld, match="second"):  # it was not given back by the first
        state.take_lease("third", NOW + LEASE + 2, LEASE)
    other.close()


async def test_a_cancelled_block_is_cancelled_and_gives_it_back(state: SyncState, tmp_path: Path) -> None:
    """Nothing hides it."""

    async def work() -> None:
        async with held_lease(state, "first", lambda: NOW):
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    other = open_state(tmp_path / "sync.db")
    assert lease_holder(other) is None
    other.close()


def test_looking_at_it_takes_nothing(state: SyncState, tmp_path: Path) -> None:
    """Even where it has run out: whoever still works keeps it."""
    state.take_lease("first", NOW, LEASE)
    other = open_state(tmp_path / "sync.db")
    held = lease_holder(other)
    assert held is not None
    assert (held.holder, held.until) == ("first", NOW + LEASE)
    state.renew_lease(NOW + LEASE + 5, LEASE)
    other.close()
