"""A file as a source: everything each time, unless it is the very file that was read last."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Iterator, Sequence
from contextlib import aclosing
from itertools import islice

from findings import Finding, failed, passed, warned
from sync.model import SourceChange
from sync.source.comparison import check_names, fetch_all
from sync.source.csv.file import FileIdentity, OpenFile
from sync.source.csv.keys import SeenKeys
from sync.source.csv.lines import LineSource
from sync.source.csv.problems import CsvProblem
from sync.source.csv.rows import Row, RowReader, Rows
from sync.source.port import SourceReading, Tally, Wait, nobody_listens
from sync.source.settings import CsvSourceSettings
from sync.source.threads import from_thread

_LOOK = 60.0
"""Seconds between two looks at whether the file is another one."""
_SAMPLE = 1000
"""Rows that a preflight reads."""


class CsvSource:
    """See `Source`. names: attributes that rules name. clock: Unix seconds."""

    delta = False

    def __init__(
        self, name: str, settings: CsvSourceSettings, names: Collection[str], *, clock: Callable[[], float] = time.time
    ) -> None:
        self.name = name
        self._settings, self._names, self._clock = settings, names, clock

    async def close(self) -> None:
        """Nothing stays open."""

    def read(self, cookie: bytes | None) -> SourceReading:
        """cookie: of the last complete reading: the same file, by the same settings, has nothing new to tell."""
        return SourceReading(lambda tally: self._read(cookie, tally))

    async def _read(self, cookie: bytes | None, tally: Tally) -> AsyncGenerator[SourceChange, None]:
        run = _FileReading(self._settings, self._clock, tally, cookie)
        async with aclosing(from_thread(run.changes())) as changes:
            async for change in changes:
                yield change
        run.finish()

    def fetch(self, keys: Sequence[bytes]) -> SourceReading:
        """By reading the whole file: a key that a complete one does not have is gone."""
        return SourceReading(lambda tally: fetch_all(self.read(None), frozenset(keys), tally))

    async def wait(self, seconds: float, cookie: bytes | None = None, begun: Callable[[], None] = nobody_listens) -> Wait:
        """Until another file is there, or this one has changed. It is looked at once a minute."""
        before = self._identity()
        begun()
        while seconds > 0:
            await asyncio.sleep(min(seconds, _LOOK))
            seconds -= _LOOK
            if self._identity() != before:
                return Wait(True)
        return Wait(False)

    def _identity(self) -> FileIdentity | None:
        try:
            return FileIdentity.of(self._settings.file.stat())
        except OSError:
            return None

    async def check(self) -> list[Finding]:
        """The file and its first rows; columns that rules name and the settings do not."""
        return [await asyncio.to_thread(self._check_file), check_names(self.name, self._names, self._settings.columns)]

    def _check_file(self) -> Finding:
        tally = Tally()
        run = _FileReading(self._settings, self._clock, tally, None)
        try:
            with OpenFile(self._settings.file, self._settings.settle_seconds, self._clock()) as file, SeenKeys() as seen:
                changes = list(islice(run.rows_of(file, seen), _SAMPLE))
        except CsvProblem as error:
            return failed("file", self.name, str(error))
        invalid = [f"{name}: {why}" for change in changes for name, why in change.invalid.items()]
        if tally.flaws:
            return failed("file", self.name, tally.flaws)
        if invalid:
            remedy = "Correct the file, or the column's `type`."
            return warned("file", self.name, f"{len(invalid)} values are left out: {invalid[0]}", remedy)
        return passed("file", self.name, f"{self._settings.file} can be read, and has all columns")


class _FileReading:
    """One reading, in a thread."""

    def __init__(self, settings: CsvSourceSettings, clock: Callable[[], float], tally: Tally, cookie: bytes | None) -> None:
        self._settings, self._clock, self._tally, self._cookie = settings, clock, tally, cookie
        self._problem = ""
        """Why it ended early."""
        self._next: bytes | None = None
        self._unchanged = False
        self._rows = 0

    def changes(self) -> Generator[SourceChange, None, None]:
        """Of the whole file. Each row is told when the next one is there, so that one that was cut off is not told."""
        settings = self._settings
        try:
            with OpenFile(settings.file, settings.settle_seconds, self._clock()) as file, SeenKeys() as seen:
                cookie = file.identity.cookie(repr(settings))
                if cookie == self._cookie:
                    self._unchanged = True
                    return
                yield from self.rows_of(file, seen)
                file.check_unchanged()
                self._next = cookie
        except CsvProblem as error:
            self._problem = str(error)

    def rows_of(self, file: OpenFile, seen: SeenKeys) -> Iterator[SourceChange]:
        """Raises CsvProblem."""
        settings, note = self._settings, self._tally.note
        lines = LineSource(file.stream, settings.encoding, str(settings.file), last=bool(settings.trailer))
        rows = Rows(iter(lines), settings)
        reader = RowReader(rows, settings, seen.first_line, note)
        held: Row | None = None
        for row in rows:
            if held is not None:
                yield from reader.changes(held)
            held = row
            self._rows += 1
        self._check_end(lines)
        if held is not None:
            yield from reader.changes(held)

    def _check_end(self, lines: LineSource) -> None:
        """Raises CsvProblem where the end is not that of a whole file: the last row is not told then."""
        settings = self._settings
        path = str(settings.file)
        if settings.ends_with_line_break and not lines.ended_by_break:
            problem = "the last line has no line break: the file may have been cut off"
            raise CsvProblem(path, problem, "write it again, or see `ends_with_line_break`", line=lines.number)
        expected = settings.trailer.replace("{rows}", str(self._rows))
        if expected and lines.last_line.rstrip("\r\n") != expected:
            problem = f"the last line is not {expected!r}: the file may have been cut off"
            raise CsvProblem(path, problem, "write it again, or correct `trailer`", line=lines.number)
        if self._rows < settings.minimum_rows:
            problem = f"it has {self._rows} objects, and at least {settings.minimum_rows} are expected"
            self._tally.note(str(CsvProblem(path, problem, "see why it is short, or lower `minimum_rows`")))

    def finish(self) -> None:
        """Sets the result."""
        path = str(self._settings.file)
        if self._problem:
            self._tally.broken(self._problem, server=path)
        elif self._unchanged:
            self._tally.complete(self._cookie, path, exhaustive=False)
        else:
            self._tally.complete(self._next, path, exhaustive=True)
