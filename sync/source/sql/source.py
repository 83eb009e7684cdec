"""A database as a source: everything each time, each kind of object by one query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Sequence
from contextlib import aclosing
from itertools import islice

from findings import Finding, failed, passed, warned
from sync.model import SourceChange
from sync.source.comparison import check_names, fetch_all
from sync.source.port import SourceReading, Tally, Wait, nobody_listens
from sync.source.settings import SqlSourceSettings
from sync.source.sql.database import DatabaseProblem, SourceDatabase
from sync.source.sql.rows import Cursor, ObjectRows, OutOfOrder
from sync.source.threads import from_thread

_SAMPLE = 1000
"""Rows of each query that a preflight reads."""


class SqlSource:
    """See `Source`. names: attributes that rules name."""

    delta = False

    def __init__(self, name: str, settings: SqlSourceSettings, names: Collection[str]) -> None:
        self.name = name
        self._settings, self._names = settings, names

    async def close(self) -> None:
        """Nothing stays open."""

    def read(self, cookie: bytes | None) -> SourceReading:
        """Everything, whatever the cookie."""
        return SourceReading(self._read)

    async def _read(self, tally: Tally) -> AsyncGenerator[SourceChange, None]:
        run = _DatabaseReading(self._settings, tally)
        items = from_thread(run.changes(), patience=self._settings.query_seconds, interrupt=run.interrupt)
        try:
            async with aclosing(items) as changes:
                async for change in changes:
                    yield change
        except TimeoutError:
            run.problem = f"{run.name}: no answer within {self._settings.query_seconds:g} s; see `query_seconds`"
        run.finish()

    def fetch(self, keys: Sequence[bytes]) -> SourceReading:
        """By reading everything: a key that a complete answer does not have is gone."""
        return SourceReading(lambda tally: fetch_all(self.read(None), frozenset(keys), tally))

    async def wait(self, seconds: float, cookie: bytes | None = None, begun: Callable[[], None] = nobody_listens) -> Wait:
        """A database does not tell."""
        begun()
        await asyncio.sleep(seconds)
        return Wait(False)

    async def check(self) -> list[Finding]:
        """The first rows of each query; columns that rules name and the settings do not."""
        known = [name for query in self._settings.queries().values() for name in (*query.columns, *query.lists)]
        return [await self._check_queries(), check_names(self.name, self._names, known)]

    async def _check_queries(self) -> Finding:
        tally = Tally()
        run = _DatabaseReading(self._settings, tally, sample=_SAMPLE)
        invalid: list[str] = []
        items = from_thread(run.changes(), patience=self._settings.query_seconds, interrupt=run.interrupt)
        try:
            async with aclosing(items) as changes:
                async for change in changes:
                    tally.changes += 1
                    invalid += [f"{name}: {why}" for name, why in change.invalid.items()]
        except TimeoutError:
            run.problem = f"{run.name}: no answer within {self._settings.query_seconds:g} s; see `query_seconds`"
        problem = run.problem or tally.flaws
        if problem:
            return failed("queries", self.name, problem, "Correct the database, the account's rights, or the query.")
        if invalid:
            remedy = "Correct the data, or the column's `type`."
            return warned("queries", self.name, f"{len(invalid)} values are left out: {invalid[0]}", remedy)
        return passed("queries", self.name, f"{run.name} answers all queries")


class _DatabaseReading:
    """One reading, in a thread. sample: rows of each query; 0: all."""

    def __init__(self, settings: SqlSourceSettings, tally: Tally, *, sample: int = 0) -> None:
        self._settings, self._tally, self._sample = settings, tally, sample
        self._database: SourceDatabase | None = None
        self.name = ""
        self.problem = ""
        """Why it ended early."""

    def changes(self) -> Generator[SourceChange, None, None]:
        """Of all queries, in one transaction."""
        try:
            self._database = SourceDatabase(self._settings)
            self.name = self._database.name
            with self._database as database:
                for kind in self._settings.queries():
                    yield from self._changes_of(database, kind)
        except DatabaseProblem as error:
            self.problem = str(error)
        except OutOfOrder as error:
            self.problem = f"{self.name}: {error}"

    def _changes_of(self, database: SourceDatabase, kind: str) -> Generator[SourceChange, None, None]:
        query = next(settings for name, settings in self._settings.queries().items() if name == kind)
        lists = {name: Cursor(one, database.rows(one.query, one.key, (one.value,))) for name, one in query.lists.items()}
        objects = ObjectRows(kind, query, lists, self._tally.note)
        rows = database.rows(query.query, query.key, [column.column for column in query.columns.values()])
        for row in islice(rows, self._sample or None):
            yield from objects.changes(row)
        if objects.count < query.minimum_rows:
            seen = f"{kind}s: {objects.count} rows, and at least {query.minimum_rows} are expected"
            self._tally.note(f"{seen}; see why, or lower `minimum_rows`")

    def interrupt(self) -> None:
        """Called from another thread."""
        if self._database is not None:
            self._database.interrupt()

    def finish(self) -> None:
        """Sets the result."""
        if self.problem:
            self._tally.broken(self.problem, server=self.name)
        else:
            self._tally.complete(None, self.name, exhaustive=True)
