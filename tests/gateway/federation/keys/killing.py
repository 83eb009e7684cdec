"""Rollovers in processes that are killed: each at its first, second or third write, in turns right before and right after.

python -m tests.gateway.federation.keys.killing STORE     (prints a line for each process)

Each child goes on where the one before it was killed, until nothing is left to do in any ring.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from gateway.store import Store, open_store
from gateway.store.procedures import StoreJournal
from gateway.store.unit import SqlUnit
from tests.gateway.federation.keys.rolling import SETTINGS, Applications, RollingNode

LONG = replace(SETTINGS, oidc_lifetime=30_000.0, saml_lifetime=30_000.0, create_before=20_000.0)
START = 1_800_010_000.0
"""Unix seconds: keys that were made 10,000 s before are due."""
STEP = 60.0
"""Seconds from one process to the next: more than a lease, which the dead hold."""
CHILDREN = 600


class Killer:
    """Counts this process's writes, and kills it at one of them."""

    def __init__(self, last: int, *, after: bool) -> None:
        self._last, self._after = last, after
        self._count = itertools.count(1)

    def around(self, write: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """The same write, which may be the last thing that this process does, or never begin."""

        async def counted(*given: Any, **named: Any) -> Any:
            last = next(self._count) == self._last
            if last and not self._after:
                os.kill(os.getpid(), signal.SIGKILL)
            result = await write(*given, **named)
            if last:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return counted


def opened(url: str, now: float) -> tuple[Store, RollingNode]:
    """A node that runs now."""
    store = open_store(url, secret=b"k" * 32, node="relay1", clock=lambda: now)
    return store, RollingNode(store, Applications(), lambda: now, asyncio.sleep, LONG)


async def _look(url: str, now: float) -> None:
    store, node = opened(url, now)
    await node.rollovers.run()
    await store.close()


def _child(url: str, now: float, killer: Killer) -> None:
    for kind, name in ((SqlUnit, "commit"), (StoreJournal, "write")):
        setattr(kind, name, killer.around(getattr(kind, name)))
    asyncio.run(_look(url, now))
    os._exit(0)


async def _over(url: str, now: float) -> bool:
    store, node = opened(url, now)
    try:
        views = await node.rollovers.rings()
        return all(view.rollover is not None and view.rollover.outcome == "done" for view in views)
    finally:
        await store.close()


def main(url: str) -> None:
    """Until all rollovers are done."""
    for number in range(CHILDREN):
        now = START + number * STEP
        child = os.fork()
        if child == 0:
            _child(url, now, Killer(number % 3 + 1, after=number // 3 % 2 == 1))
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        sys.stdout.write(f"{'killed' if killed else f'ended {os.WEXITSTATUS(status)}'} {now}\n")
        sys.stdout.flush()
        if not killed and asyncio.run(_over(url, now)):
            return
    raise SystemExit(f"not done after {CHILDREN} processes")


if __name__ == "__main__":
    main(sys.argv[1])
