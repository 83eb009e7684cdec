"""Attributes that relays asked for and this agent does not let out: for its operator, who may not be the relay's.

    state_dir/withheld-attributes   a line for each: name, and the day it was asked for last (days since 1970)

Kind of state: this agent's own.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

import structlog

from certs import CertsError, atomic_write

log = structlog.get_logger()

FORGOTTEN_AFTER: Final = 30
"""Days."""
WRITTEN_EVERY: Final = 60.0
"""Seconds at least: the disk is waited for, and a relay that was stolen may ask for anything."""
MOST_NAMES: Final = 64
_DAY: Final = 86_400


def read_withheld(state_dir: Path, now: float) -> dict[str, int]:
    """Day by name, of those asked for in the last `FORGOTTEN_AFTER` days. Empty where nothing can be read."""
    found: dict[str, int] = {}
    with contextlib.suppress(OSError, ValueError):
        for line in (state_dir / "withheld-attributes").read_text(encoding="ascii").splitlines()[:MOST_NAMES]:
            name, _, day = line.partition(" ")
            if 0 <= int(now) // _DAY - int(day) <= FORGOTTEN_AFTER:
                found[name] = int(day)
    return found


class WithheldAttributes:
    """What is kept, and its file. clock: Unix seconds."""

    def __init__(self, state_dir: Path, clock: Callable[[], float]) -> None:
        self._state_dir, self._clock = state_dir, clock
        self._days = read_withheld(state_dir, clock())
        self._unwritten, self._written_at = False, -math.inf

    def note(self, names: Iterable[str]) -> None:
        """They were asked for, and not given. Once a day for each it is written, at the next occasion."""
        now = self._clock()
        today = int(now) // _DAY
        new = [name for name in names if self._days.get(name) != today]
        if new:
            days = {**{name: day for name, day in self._days.items() if name not in new}, **dict.fromkeys(new, today)}
            self._days = dict(list(days.items())[-MOST_NAMES:])
            self._unwritten = True
        if self._unwritten and not 0 <= now - self._written_at < WRITTEN_EVERY:
            self._unwritten, self._written_at = False, now
            self._write()

    def _write(self) -> None:
        text = "".join(f"{name} {day}\n" for name, day in self._days.items())
        try:
            atomic_write(self._state_dir / "withheld-attributes", text.encode("ascii"))
        except CertsError as error:
            log.warning("withheld_attributes.not_kept", reason=str(error))
