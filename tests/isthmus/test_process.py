"""Signals of a process that serves: which end it, which do not, and what the service manager hears."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import structlog

from isthmus.process import ServiceProcess
from isthmus.service_manager import ServiceManager
from tests.support.notify import NotifySocket
from tests.support.relay_and_agent import eventually


@pytest.fixture
def notify(tmp_path: Path) -> Iterator[NotifySocket]:
    with NotifySocket(str(tmp_path / "notify")) as made:
        yield made


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    """Handlers are global; other tests must not notice."""
    numbers = (signal.SIGHUP, signal.SIGTERM, signal.SIGINT)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


class Reloads:
    """Counts them; `fail` has the next one raise."""

    def __init__(self) -> None:
        self.count, self.fail = 0, False

    async def __call__(self) -> None:
        self.count += 1
        if self.fail:
            raise RuntimeError("a defect")


async def attended(
    process: ServiceProcess, reload: Callable[[], Awaitable[None]], act: Callable[[], Awaitable[None]]
) -> None:
    """Run `act` while the process is attended to; ends when that does."""
    async with process, asyncio.timeout(10):
        attending = asyncio.create_task(process.attend("Serving", reload))
        await act()
        await attending


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_when_it_is_told(notify: NotifySocket, number: signal.Signals) -> None:
    """Ready before, stopping afterwards."""

    async def act() -> None:
        await asyncio.sleep(0)
        os.kill(os.getpid(), number)

    reloads = Reloads()
    await attended(ServiceProcess(ServiceManager(notify.address)), reloads, act)
    assert [next(iter(message)) for message in notify.waiting()] == ["READY", "STOPPING"]
    assert reloads.count == 0


async def test_sighup_reloads_and_ends_nothing(notify: NotifySocket) -> None:
    """As often as it comes; the service manager hears when it begins and when it is over."""
    reloads, process = Reloads(), ServiceProcess(ServiceManager(notify.address))

    async def act() -> None:
        for times in (1, 2):
            os.kill(os.getpid(), signal.SIGHUP)
            await eventually(lambda: reloads.count == times)  # noqa: B023 - awaited here
        process.stop()

    await attended(process, reloads, act)
    told = [next(iter(message)) for message in notify.waiting()]
    assert told == ["READY", "RELOADING", "READY", "RELOADING", "READY", "STOPPING"]


async def test_a_sighup_that_comes_before_it_serves_is_kept(notify: NotifySocket) -> None:
    """Before there is an event loop, and while it starts: neither ends the process, and the settings are read then."""
    process, reloads = ServiceProcess(ServiceManager(notify.address)), Reloads()
    os.kill(os.getpid(), signal.SIGHUP)

    async def act() -> None:
        await eventually(lambda: reloads.count == 1)
        process.stop()

    await attended(process, reloads, act)
    assert reloads.count == 1


async def test_whoever_is_told_to_stop_while_starting_never_says_that_it_is_ready(notify: NotifySocket) -> None:
    """It ends as soon as it could serve."""
    process, reloads = ServiceProcess(ServiceManager(notify.address)), Reloads()
    process.stop()
    process.reload()
    async with process:
        await process.attend("Serving", reloads)
    assert [next(iter(message)) for message in notify.waiting()] == ["STOPPING"]
    assert reloads.count == 0


async def test_a_reload_that_breaks_is_logged_and_ends_nothing(notify: NotifySocket) -> None:
    """A defect of ours is no reason to stop serving."""
    process, reloads = ServiceProcess(ServiceManager(notify.address)), Reloads()
    reloads.fail = True

    async def act() -> None:
        process.reload()
        await eventually(lambda: reloads.count == 1)
        process.stop()

    with structlog.testing.capture_logs() as logs:
        await attended(process, reloads, act)
    assert [entry["event"] for entry in logs] == ["settings.not_reloaded"]
    assert [next(iter(message)) for message in notify.waiting()] == ["READY", "RELOADING", "READY", "STOPPING"]


async def test_signs_of_life_come_twice_as_often_as_they_are_wanted(notify: NotifySocket) -> None:
    """From when it is ready on, through the drain, until it has ended."""
    slept: list[float] = []
    turns = asyncio.Semaphore(0)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await turns.acquire()

    process = ServiceProcess(ServiceManager(notify.address, watchdog=30.0), sleep)
    async with process:
        attending = asyncio.create_task(process.attend("Serving", Reloads()))
        await eventually(lambda: len(slept) == 1)
        process.stop()
        await attending
        turns.release()
        await eventually(lambda: len(slept) == 2)
    assert slept == [15.0, 15.0]
    assert [next(iter(message)) for message in notify.waiting()] == ["READY", "WATCHDOG", "STOPPING", "WATCHDOG"]
