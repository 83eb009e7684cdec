"""What sources without deltas have in common: single objects are asked for by reading everything."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection

from findings import Finding, passed, warned
from sync.model import SourceChange
from sync.source.port import SourceOutcome, SourceReading, Tally, gone


async def fetch_all(reading: SourceReading, keys: frozenset[bytes], tally: Tally) -> AsyncGenerator[SourceChange, None]:
    """Of a full reading, what is about these keys; a key that a complete one does not have is gone."""
    found: set[bytes] = set()
    async with reading:
        async for change in reading:
            if change.key in keys:
                found.add(change.key)
                yield change
    result = reading.result
    if result.outcome is not SourceOutcome.COMPLETE:
        tally.broken(result.reason, server=result.server)
        return
    for key in sorted(keys - found):
        yield gone(key)
    tally.complete(None, result.server, exhaustive=False)


def check_names(where: str, names: Collection[str], known: Collection[str]) -> Finding:
    """Whether the settings of a source have what rules name."""
    there = {name.lower() for name in known}
    lacking = sorted(name for name in names if name.lower() not in there)
    if not lacking:
        return passed("attributes", where, "the settings have all that rules name")
    seen = f"the settings have no {', '.join(lacking)}: for rules, these never have a value"
    return warned("attributes", where, seen, "Add the columns, or correct the rules.")
