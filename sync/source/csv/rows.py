"""Lines as rows, and rows as objects. No I/O of its own.

A row that cannot be what it seems is left out and named; the reading continues, and is partial. Where it cannot be told any
more which text belongs to which row (a quote that is not closed, or stands in the middle), it ends there.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from sync.model import ChangeKind, LinkTarget, ObjectKind, Plain, SourceChange
from sync.source.attributes import AttributeType
from sync.source.csv.lines import LONGEST
from sync.source.csv.problems import CsvProblem
from sync.source.links import How, ToldLinks, with_links
from sync.source.schema import NotOfItsType, from_text, several
from sync.source.settings import ColumnSettings, CsvSourceSettings

_UNDECODED = re.compile("[\udc80-\udcff]")
"""PEP 383: bytes that the encoding does not have."""


class Row(NamedTuple):
    """One line of the file, or several where values have line breaks."""

    line: int
    """The first one."""
    cells: list[str]


class Rows:
    """An iterator of rows after the header, and the header. Raises CsvProblem."""

    def __init__(self, lines: Iterator[str], settings: CsvSourceSettings) -> None:
        csv.field_size_limit(max(csv.field_size_limit(), LONGEST))
        self._settings, self._file = settings, str(settings.file)
        quoted = settings.quote != "none"
        self._reader = csv.reader(
            lines,
            delimiter="\t" if settings.delimiter == "tab" else settings.delimiter,
            quotechar=settings.quote if quoted else None,
            quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            strict=True,
        )
        self.header = self._next() or []
        if not self.header:
            raise CsvProblem(self._file, "it is empty, without a header", "see why it was not written")
        self._check_header()

    def __iter__(self) -> Iterator[Row]:
        while True:
            line = self._reader.line_num + 1
            cells = self._next()
            if cells is None:
                return
            if cells:  # a blank line is nobody's
                yield Row(line, cells)

    def _next(self) -> list[str] | None:
        begun = self._reader.line_num + 1
        try:
            return next(self._reader, None)
        except csv.Error as error:
            problem = f"its columns cannot be told apart ({error})"
            remedy = "check quotes, and the `quote` and `delimiter` of the settings; nothing after this line is read"
            raise CsvProblem(self._file, problem, remedy, line=begun) from error

    def _check_header(self) -> None:
        wanted = [self._settings.key, *(column.column for column in self._settings.columns.values())]
        lacking = [name for name in dict.fromkeys(wanted) if name not in self.header]
        if lacking:
            shown = ", ".join(repr(name[:40]) for name in self.header[:20])
            remedy = "correct the names in the settings, or `delimiter` and `encoding`"
            raise CsvProblem(self._file, f"there is no column {', '.join(lacking)}; there are {shown}", remedy, line=1)
        twice = [name for name in dict.fromkeys(wanted) if self.header.count(name) > 1]
        if twice:
            raise CsvProblem(self._file, f"there are several columns {', '.join(twice)}", "rename all but one", line=1)


class _Column(NamedTuple):
    place: int
    name: str
    attribute: str
    type: AttributeType
    separator: str


class RowReader:
    """Rows of one file as changes. first_line: the line where a key was seen before, else 0; it takes note of the key."""

    def __init__(
        self, rows: Rows, settings: CsvSourceSettings, first_line: Callable[[bytes, int], int], note: Callable[[str], None]
    ) -> None:
        self._header, self._file = rows.header, str(settings.file)
        self._encoding, self._kind = settings.encoding, ObjectKind(settings.object)
        self._key, self._key_name = rows.header.index(settings.key), settings.key
        self._columns = [self._column(name, column) for name, column in settings.columns.items()]
        self._first_line, self._note = first_line, note

    def _column(self, attribute: str, column: ColumnSettings) -> _Column:
        place = self._header.index(column.column)
        return _Column(place, column.column, attribute, AttributeType(column.type), column.separator)

    def changes(self, row: Row) -> Iterator[SourceChange]:
        """Nothing where the row cannot be what it seems."""
        problem = self._problem(row)
        if problem is not None:
            self._note(str(problem))
            return
        values: dict[str, Plain | tuple[Plain, ...]] = {}
        invalid: dict[str, str] = {}
        links: list[ToldLinks] = []
        for column in self._columns:
            cell = row.cells[column.place]
            if not cell:
                continue
            parts = [part for part in cell.split(column.separator) if part] if column.separator else [cell]
            if column.type is AttributeType.LINK:
                links.append(ToldLinks(column.attribute, How.ALL, [part.encode() for part in parts]))
                continue
            good: list[Plain] = []
            for part in parts:
                try:
                    good.append(from_text(part, column.type))
                except NotOfItsType as error:
                    invalid[column.attribute] = f"line {row.line}, column {column.name}: {error}"
            if good:
                values[column.attribute] = several(good)
        key = row.cells[self._key].encode()
        change = SourceChange(ChangeKind.WHOLE, key, self._kind, values=values, invalid=invalid)
        yield from with_links(change, links, LinkTarget)

    def _problem(self, row: Row) -> CsvProblem | None:
        if len(row.cells) != len(self._header):
            problem = f"it has {len(row.cells)} columns, and the header has {len(self._header)}"
            remedy = "quote values that hold the delimiter or line breaks, and give each line all columns"
            return CsvProblem(self._file, problem, remedy, line=row.line)
        undecoded = _undecoded(row.cells)
        if undecoded >= 0:
            octet = ord(_UNDECODED.findall(row.cells[undecoded])[0]) - 0xDC00
            problem = f"byte 0x{octet:02X} is not {self._encoding}"
            name = self._header[undecoded]
            return CsvProblem(self._file, problem, "correct `encoding`, or the file", line=row.line, column=name)
        key = row.cells[self._key]
        if not key:
            remedy = "give each object a key of its own"
            return CsvProblem(self._file, "it has no key", remedy, line=row.line, column=self._key_name)
        first = self._first_line(key.encode(), row.line)
        if first:
            problem = f"key {key[:40]!r} is that of line {first}, too"
            return CsvProblem(self._file, problem, "give each object a key of its own", line=row.line, column=self._key_name)
        return None


def _undecoded(cells: Sequence[str]) -> int:
    """Place of the first cell with bytes that are no text; -1 where there is none."""
    if "".join(cells).isascii():
        return -1
    return next((place for place, cell in enumerate(cells) if _UNDECODED.search(cell)), -1)
