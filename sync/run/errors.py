"""Why a run does not go on. Nothing was written to a target where one of these is raised."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sync.plan import GuardStop, stop_text


class SyncRunError(Exception):
    """Base class."""


class GuardStopped(SyncRunError):
    """Somebody has to decide first."""

    def __init__(self, path: Path, stops: tuple[GuardStop, ...]) -> None:
        super().__init__(path, stops)
        self.path, self.stops = path, stops

    def __str__(self) -> str:
        reasons = "\n".join(f"  {stop_text(stop)}" for stop in self.stops)
        return f"the guard has stopped the plan {self.path}; nothing was written to a target:\n{reasons}"


class SourceUnread(SyncRunError):
    """What is known of these sources is a mixture: their last reading did not come to its end."""

    def __init__(self, sources: tuple[str, ...], reasons: Mapping[str, str] | None = None) -> None:
        super().__init__(sources, reasons)
        self.sources, self.reasons = sources, dict(reasons or {})

    def __str__(self) -> str:
        named = ", ".join(self.sources)
        reasons = "".join(f"\n  {source}: {reason}" for source, reason in self.reasons.items() if reason)
        return (
            f"not read to the end: {named}; nothing was planned, and nothing was written to a target. "
            f"Correct what stood in the way, and read again{':' if reasons else ''}{reasons}"
        )
