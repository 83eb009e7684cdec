"""Reading everything, page by page (RFC 2696): any server, any account that may read."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from directory.changes import controls
from directory.changes.answers import check_done, note_nameless, search
from directory.changes.model import DirectoryRecord
from directory.changes.ranges import complete_ranges
from directory.changes.records import entry_key, has_options, whole_record
from directory.changes.run import ReadProgress, ReadServer
from directory.ldap import codec


@dataclass(frozen=True, slots=True)
class FullReading:
    """What is asked for. `matching` and `attributes` as LDAP carries them; `more`: controls beside that for pages."""

    base: str
    matching: bytes
    attributes: bytes
    key: str
    """objectGUID or entryUUID."""
    more: bytes = b""

    async def read(self, server: ReadServer, progress: ReadProgress) -> AsyncGenerator[DirectoryRecord | None, None]:
        """Each entry once, unless it moves in the tree meanwhile: pages are no snapshot (seen on Samba since 4.10)."""
        request, cookie = search(self.base, self.matching, self.attributes), b""
        while True:
            answers = server.stream(request, controls.paged_request(server.limits.page_size, cookie) + self.more)
            told = progress.records
            while (answer := await answers.next()) is not None:
                if answer.tag != codec.ENTRY:
                    continue  # references lead to other directories, which are read on their own
                dn, entry = codec.read_entry(answer.data, answer.start, answer.end)
                key = entry_key(entry)
                if not key:
                    note_nameless(progress, dn, self.key)
                    continue
                if has_options(entry):
                    completed = await complete_ranges(server, dn, key, entry, progress)
                    if completed is None:
                        continue
                    entry = completed
                yield whole_record(dn, entry, key)
            check_done(server, answers, self.base)
            page = answers.done_controls.get(controls.PAGED_RESULTS)
            before, cookie = cookie, controls.read_paged(page) if page is not None else b""
            if not cookie:
                break
            if cookie == before and progress.records == told:
                raise codec.CodecError("pages without an end")
        progress.exhaustive = True
