"""What tests of sources have in common."""

from __future__ import annotations

from sync.model import SourceChange
from sync.source import SourceReading, SourceResult


async def take(reading: SourceReading) -> tuple[list[SourceChange], SourceResult]:
    """All of it."""
    async with reading:
        changes = [change async for change in reading]
    assert reading.result.changes == len(changes)
    return changes, reading.result
