"""What changed in a naming context of Active Directory, by DirSync (MS-ADTS section 3.1.1.3.4.1.3).

first reading (no cookie): every object, tombstones included ── cookie ──► next reading: what changed ── cookie ──► …

The server answers in parts, each with a cookie to continue with. What it does not tell is not worked out here: that a
deleted object has left its groups, that those below a renamed OU have other names (docs/developers/directory-changes.md).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass

from directory.changes import controls
from directory.changes.answers import check_cookie_taken, check_done, identify_controller, note_nameless, search
from directory.changes.cookies import ReadCookie, check_database
from directory.changes.model import DirectoryRecord
from directory.changes.ranges import complete_ranges
from directory.changes.records import SINGLE_VALUES, changed_record, entry_key, has_options, parse_range
from directory.changes.run import ReadProgress, ReadServer
from directory.ldap import AnswerStream, Entry, codec

_PART = 4 * 1024 * 1024
"""Bytes of values in one answer of the server: few enough that a break costs little."""
_COOKIE_RESULTS = frozenset({2, 12})
"""protocolError, unavailableCriticalExtension: what a cookie comes to that the server does not take (Samba: 12). Where the
control itself is meant, the reading without a cookie says so again."""


@dataclass(frozen=True, slots=True)
class DirSyncReading:
    """What is asked for; `cookie` is that of the last reading."""

    base: str
    """Root of a naming context: Active Directory takes no other."""
    attributes: bytes
    flags: int
    question: bytes
    cookie: ReadCookie | None
    more: bytes = b""

    async def read(self, server: ReadServer, progress: ReadProgress) -> AsyncGenerator[DirectoryRecord | None, None]:
        """An object may come in several pieces, and twice."""
        database = await identify_controller(server)
        given = self.cookie
        if given is not None:
            check_database(given, database.identity, database.usn)
        opaque = given.opaque if given is not None else b""
        request, more = search(self.base, codec.ANYTHING, self.attributes), True
        while more:
            told = progress.records
            answers = server.stream(request, controls.dirsync_request(self.flags, _PART, opaque) + self.more)
            while (answer := await answers.next()) is not None:
                if answer.tag != codec.ENTRY:
                    continue
                dn, entry = codec.read_entry(answer.data, answer.start, answer.end)
                key = entry_key(entry)
                if not key:
                    note_nameless(progress, dn, "objectGUID")
                    continue
                if has_options(entry) and _is_cut(entry):
                    completed = await complete_ranges(server, dn, key, entry, progress)
                    if completed is None:
                        continue
                    entry = completed
                yield changed_record(dn, entry, key)
            before = opaque
            more, opaque = self._ended(server, answers)
            if more and opaque == before and progress.records == told:
                raise codec.CodecError("a DirSync without an end")
            if given is not None or not more:  # half a first reading is none: what continued it would not be exhaustive
                # highestCommittedUSN as it was before: what came later, this reading need not have told
                progress.cookie = ReadCookie("dirsync", database.identity, self.question, opaque, database.usn).seal()
        progress.exhaustive = given is None

    def _ended(self, server: ReadServer, answers: AnswerStream) -> tuple[bool, bytes]:
        """(whether there is more, cookie) of one part."""
        if self.cookie is not None:
            check_cookie_taken(server, answers, _COOKIE_RESULTS)
        check_done(server, answers, self.base)
        value = answers.done_controls.get(controls.DIRSYNC)
        if value is None:
            raise codec.CodecError("a DirSync without a cookie")
        return controls.read_dirsync(value)


def _is_cut(entry: Entry) -> bool:
    """Whether an attribute came in part."""
    ranges = [found for name in entry if (found := parse_range(name)) is not None]
    return any((found.first, found.last) not in SINGLE_VALUES for found in ranges)
