"""Clocks of the agent: deadlines must survive a clock that is set and a laptop that slept."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

_BOOT = getattr(time, "CLOCK_BOOTTIME", None)  # counts while suspended, unlike CLOCK_MONOTONIC on Linux


_elapsed: Callable[[], float] = functools.partial(time.clock_gettime, _BOOT) if _BOOT is not None else time.monotonic


def steady_clock(wall: Callable[[], float] = time.time, elapsed: Callable[[], float] = _elapsed) -> Callable[[], float]:
    """A clock that shows Unix seconds as of now and from then on only what really elapses, suspension included."""
    offset = wall() - elapsed()
    return lambda: offset + elapsed()
