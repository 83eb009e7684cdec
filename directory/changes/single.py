"""Reading one object by its name: the root entry, a naming context, a container."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from directory.changes.answers import read_base
from directory.changes.model import DirectoryRecord
from directory.changes.records import entry_key, whole_record
from directory.changes.run import ReadProgress, ReadServer


@dataclass(frozen=True, slots=True)
class BaseReading:
    """What is asked for; an empty DN is the root entry (RFC 4512 section 5.1)."""

    dn: str
    attributes: tuple[str, ...]

    async def read(self, server: ReadServer, progress: ReadProgress) -> AsyncGenerator[DirectoryRecord | None, None]:
        """One record, or none."""
        entry = await read_base(server, self.dn, self.attributes)
        if entry:
            yield whole_record(self.dn, entry, entry_key(entry))
        progress.exhaustive = True
