"""Flows at full speed, and at a given rate; what they cost the relay."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence

from bench.federation.flows import Flow
from bench.http_client import KeptConnection
from bench.measure import processor_seconds
from demo.stand import Stand

CONNECTIONS = 16


class Result:
    """The median of rounds."""

    def __init__(self, rates: Sequence[float], processor: Sequence[float]) -> None:
        self.per_second, self.cpu_ms = statistics.median(rates), statistics.median(processor)


async def run_rounds(stand: Stand, flow: Flow, cookies: Sequence[str], seconds: float, rounds: int) -> Result:
    """As many flows at a time as there are connections."""
    pid = stand.processes["relay"].pid
    await _load(stand, flow, cookies, 1.0)
    rates, processor = [], []
    for _ in range(rounds):
        before, started = processor_seconds(pid), time.perf_counter()
        done = await _load(stand, flow, cookies, seconds)
        rates.append(done / (time.perf_counter() - started))
        processor.append((processor_seconds(pid) - before) / done * 1000)
    return Result(rates, processor)


async def _load(stand: Stand, flow: Flow, cookies: Sequence[str], seconds: float) -> int:
    """How many flows were finished."""
    until, done = time.perf_counter() + seconds, 0

    async def work(cookie: str) -> None:
        nonlocal done
        async with KeptConnection(stand.url, stand.tls) as connection:
            while time.perf_counter() < until:
                await flow(connection, cookie)
                done += 1

    await asyncio.gather(*(work(cookie) for cookie in cookies[:CONNECTIONS]))
    return done


async def run_all(stand: Stand, flows: Sequence[tuple[Flow, str]]) -> None:
    """Each flow once, by a browser with its cookies, as many at a time as there are connections."""
    waiting = iter(flows)

    async def work() -> None:
        async with KeptConnection(stand.url, stand.tls) as connection:
            for flow, cookie in waiting:
                await flow(connection, cookie)

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))


async def latencies(stand: Stand, flow: Flow, cookies: Sequence[str], rate: float, seconds: float) -> tuple[float, float]:
    """Milliseconds of a flow: the median, one at a time; the 99th percentile of flows that begin at this rate."""
    alone = []
    async with KeptConnection(stand.url, stand.tls) as connection:
        for _ in range(100):
            started = time.perf_counter()
            await flow(connection, cookies[0])
            alone.append((time.perf_counter() - started) * 1000)
    free: asyncio.LifoQueue[KeptConnection] = asyncio.LifoQueue()
    loaded: list[float] = []

    async def one(cookie: str, due: float) -> None:
        connection = await free.get()
        await flow(connection, cookie)
        loaded.append((time.perf_counter() - due) * 1000)
        free.put_nowait(connection)

    connections = [await KeptConnection(stand.url, stand.tls).__aenter__() for _ in range(4 * CONNECTIONS)]
    for connection in connections:
        free.put_nowait(connection)
    begin, tasks = time.perf_counter(), []
    for number in range(int(rate * seconds)):
        due = begin + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(cookies[number % len(cookies)], due)))
    await asyncio.gather(*tasks)
    for connection in connections:
        await connection.__aexit__(None, None, None)
    return statistics.median(alone), statistics.quantiles(loaded, n=100)[98]
