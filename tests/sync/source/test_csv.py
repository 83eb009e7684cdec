"""Files of comma-separated values: what they say, and when they do not count as whole."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sync.model import ChangeKind, LinkTarget, ObjectKind, SourceChange
from sync.source import ColumnSettings, CsvSource, CsvSourceSettings, SourceOutcome, SourceResult
from sync.source.csv.keys import SeenKeys
from sync.source.csv.lines import LONGEST
from sync.source.csv.rows import RowReader, Rows
from tests.sync.source.support import take

COLUMNS = {
    "mail": ColumnSettings(column="E-Mail"),
    "manager": ColumnSettings(column="Boss", type="link"),
    "phones": ColumnSettings(column="Phones", separator="|"),
}
HEADER = "Nr,E-Mail,Boss,Phones\n"
LATER = 4e9
"""A time at which every file has been left alone for long."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


def settings_of(file: Path, **more: Any) -> CsvSourceSettings:
    return CsvSourceSettings(**{"file": file, "key": "Nr", "columns": COLUMNS, **more})


def source_of(file: Path, now: Callable[[], float] = lambda: LATER, **more: Any) -> CsvSource:
    return CsvSource("hr", settings_of(file, **more), (), clock=now)


def write(file: Path, text: str | bytes) -> float:
    """When it changed."""
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return file.stat().st_mtime


def open_files() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


async def read(file: Path, text: str | bytes, **more: Any) -> tuple[list[SourceChange], SourceResult]:
    write(file, text)
    return await take(source_of(file, **more).read(None))


async def test_a_file_becomes_objects(file: Path) -> None:
    """Quotes, delimiters and line breaks inside values; empty cells; several values; links by key; a blank line."""
    changes, result = await read(file, HEADER + '7,"a,""b""\nc",8,1|2\n\n8,,,5\n')
    assert (result.outcome, result.exhaustive, result.reason) == (SourceOutcome.COMPLETE, True, "")
    assert [(change.kind, change.key, change.object, change.values) for change in changes] == [
        (ChangeKind.WHOLE, b"7", ObjectKind.USER, {"mail": 'a,"b"\nc', "phones": ("1", "2")}),
        (ChangeKind.WHOLE, b"8", ObjectKind.USER, {"phones": "5"}),
    ]
    assert changes[0].links["manager"].all == (LinkTarget(b"8"),)
    assert changes[1].links == {}


@pytest.mark.parametrize(
    ("data", "more"),
    [
        (("\ufeff" + HEADER + "7,ü,,\n").encode(), {}),
        ((HEADER + "7,ü,,\n").encode("windows-1252"), {"encoding": "windows-1252"}),
        ((HEADER + "7,ü,,\n").encode("utf-16"), {"encoding": "utf-16"}),
        ((HEADER + "7,ü,,\n").replace("\n", "\r\n").encode(), {}),
        ((HEADER + "7,ü,,\n").replace("\n", "\r").encode(), {}),
        ((HEADER + "7,ü,,\n").replace(",", "\t").encode(), {"delimiter": "tab"}),
        ((HEADER + "7,'ü',,\n").encode(), {"quote": "'"}),
    ],
)
async def test_encodings_line_ends_and_delimiters(file: Path, data: bytes, more: dict[str, Any]) -> None:
    """As spreadsheets and databases write them."""
    changes, result = await read(file, data, **more)
    assert (result.outcome, [change.values for change in changes]) == (SourceOutcome.COMPLETE, [{"mail": "ü"}])


async def test_without_quotes_a_quote_is_a_character(file: Path) -> None:
    """`quote = "none"`."""
    changes, _ = await read(file, HEADER + '7,"a,,\n', quote="none")
    assert changes[0].values == {"mail": '"a'}


GOOD = "1,a,,\n2,b,,\n"


@pytest.mark.parametrize(
    ("text", "more", "words"),
    [
        (HEADER + GOOD + "3,c,\n4,d,,\n", {}, ["line 4", "3 columns", "the header has 4", "quote values"]),
        (HEADER + GOOD + "1,c,,\n4,d,,\n", {}, ["line 4", "column Nr", "'1'", "that of line 2"]),
        (HEADER + GOOD + ",c,,\n4,d,,\n", {}, ["line 4", "column Nr", "no key"]),
        ((HEADER + GOOD).encode() + b"3,\xe9,,\n4,d,,\n", {}, ["line 4", "column E-Mail", "0xE9", "utf-8", "`encoding`"]),
        (HEADER + GOOD + '3,"c"d,,\n4,d,,\n', {}, ["line 4", "cannot be told apart", "nothing after"]),
        (HEADER + GOOD + '3,"c,,\n4,d,,\n', {}, ["line 4", "cannot be told apart"]),
        (HEADER + GOOD + "3,c,,", {}, ["line 4", "no line break", "cut off"]),
        (HEADER + GOOD + "3,c,,\n", {"trailer": "#END {rows}"}, ["line 4", "'#END 2'", "cut off"]),
        (HEADER + GOOD, {"minimum_rows": 3}, ["2 objects", "at least 3", "`minimum_rows`"]),
        ((HEADER + GOOD).encode("utf-16") + b"x", {"encoding": "utf-16"}, ["the bytes are not utf-16"]),
    ],
)
async def test_a_file_that_is_not_whole_makes_nobody_absent(
    file: Path, text: str | bytes, more: dict[str, Any], words: list[str]
) -> None:
    """What can be told is; file, line, column and remedy are named; no cookie, so that it is read again."""
    changes, result = await read(file, text, **more)
    assert (result.outcome, result.exhaustive, result.cookie) == (SourceOutcome.PARTIAL, False, None)
    assert [change.key for change in changes][:2] == [b"1", b"2"][: len(changes)]
    assert b"3" not in {change.key for change in changes}  # the row that may be half of one, or is wrong
    assert str(file) in result.reason
    assert [word for word in words if word not in result.reason] == []


@pytest.mark.parametrize(
    ("data", "more", "words"),
    [
        (b"", {}, ["empty, without a header"]),
        (
            b"Nr;E-Mail;Boss;Phones\n1;a;;\n",
            {},
            ["no column Nr, E-Mail, Boss, Phones", "'Nr;E-Mail;Boss;Phones'", "`delimiter`"],
        ),
        (b"Nr,E-Mail,Boss,Phones,Nr\n", {}, ["several columns Nr"]),
        (("\ufeff" + HEADER).encode(), {"encoding": "windows-1252"}, ["byte order mark of utf-8", "windows-1252"]),
        (HEADER.encode("utf-16"), {}, ["byte order mark of utf-16"]),
        (HEADER.encode("utf-32"), {"encoding": "utf-16"}, ["byte order mark of utf-32"]),
        (b"x" * (LONGEST + 2), {}, ["line 1", "more than"]),
        (HEADER.encode(), {}, ["0 objects"]),
    ],
)
async def test_a_file_that_tells_nothing(file: Path, data: bytes, more: dict[str, Any], words: list[str]) -> None:
    """It failed, and says why."""
    changes, result = await read(file, data, **more)
    assert changes == []
    assert (result.exhaustive, [word for word in words if word not in result.reason]) == (False, [])
    assert result.outcome in (SourceOutcome.FAILED, SourceOutcome.PARTIAL)


async def test_an_empty_file_counts_where_that_is_said(file: Path) -> None:
    """`minimum_rows = 0`."""
    _, result = await read(file, HEADER, minimum_rows=0)
    assert (result.outcome, result.exhaustive) == (SourceOutcome.COMPLETE, True)


async def test_a_trailer_says_that_the_file_is_whole(file: Path) -> None:
    """It is no object; without a line break where that is allowed."""
    changes, result = await read(file, HEADER + GOOD + "#END 2", trailer="#END {rows}", ends_with_line_break=False)
    assert (len(changes), result.outcome) == (2, SourceOutcome.COMPLETE)


async def test_what_cannot_be_opened(tmp_path: Path) -> None:
    """Nothing there; a folder; a pipe, whose writer nobody waits for."""
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("none", "No such file"), ("", "not a regular file"), ("pipe", "not a regular file")):
        changes, result = await take(source_of(tmp_path / name).read(None))
        assert (changes, result.outcome, words in result.reason) == ([], SourceOutcome.FAILED, True)


async def test_a_file_that_was_just_written_is_left_alone(file: Path) -> None:
    """Until `settle_seconds` have gone by: a writer may come back to it."""
    changed = write(file, HEADER + GOOD)
    for age, outcome in ((2.0, SourceOutcome.FAILED), (6.0, SourceOutcome.COMPLETE)):
        _, result = await take(source_of(file, lambda age=age: changed + age).read(None))  # type: ignore[misc]
        assert result.outcome is outcome
        assert ("settle_seconds" in result.reason) == (outcome is SourceOutcome.FAILED)


def _append(file: Path) -> None:
    with file.open("a") as more:
        more.write("9999,late,,\n")


def _replace(file: Path) -> None:
    other = file.with_suffix(".new")
    other.write_text(HEADER + GOOD)
    other.rename(file)


@pytest.mark.parametrize(
    ("disturb", "words"),
    [(_append, "changed while"), (_replace, "another file took its place"), (Path.unlink, "disappeared")],
)
async def test_a_file_that_changes_while_it_is_read(file: Path, disturb: Callable[[Path], None], words: str) -> None:
    """It is not complete, whatever was read of it."""
    write(file, HEADER + "".join(f"{number},mail,,\n" for number in range(2000)))
    async with source_of(file).read(None) as reading:
        await anext(reading)
        disturb(file)
        rest = [change async for change in reading]
    assert len(rest) >= 1999
    assert (reading.result.outcome, reading.result.exhaustive) == (SourceOutcome.PARTIAL, False)
    assert words in reading.result.reason


async def test_the_same_file_has_nothing_new_to_tell(file: Path) -> None:
    """By its cookie; another file, or other settings, are read. Nobody is absent because of it."""
    _, first = await read(file, HEADER + GOOD)
    changes, again = await take(source_of(file).read(first.cookie))
    assert (changes, again.outcome, again.exhaustive) == ([], SourceOutcome.COMPLETE, False)
    assert again.cookie == first.cookie
    changes, other = await take(source_of(file, object="contact").read(first.cookie))
    assert (len(changes), other.exhaustive) == (2, True)
    write(file, HEADER + GOOD + "3,c,,\n")
    changes, other = await take(source_of(file).read(first.cookie))
    assert (len(changes), other.exhaustive) == (3, True)


async def test_values_that_do_not_fit_their_column(file: Path) -> None:
    """They are left out and named, and the object is told all the same."""
    columns = {**COLUMNS, "mail": ColumnSettings(column="E-Mail", type="number")}
    (change, other), result = await read(file, HEADER + "1,x,,\n2,5,,\n", columns=columns)
    assert (change.values, other.values) == ({}, {"mail": 5})
    assert change.invalid == {"mail": "line 2, column E-Mail: 'x' is not a whole number of 64 bits"}
    assert (result.outcome, result.invalid) == (SourceOutcome.COMPLETE, 1)


async def test_single_objects_are_asked_for(file: Path) -> None:
    """Only a whole file says that somebody is gone."""
    write(file, HEADER + GOOD)
    changes, result = await take(source_of(file).fetch([b"2", b"9"]))
    assert [(change.key, change.kind) for change in changes] == [(b"2", ChangeKind.WHOLE), (b"9", ChangeKind.DELETED)]
    assert result.outcome is SourceOutcome.COMPLETE
    changes, result = await take(source_of(file, minimum_rows=3).fetch([b"2", b"9"]))
    assert [change.key for change in changes] == [b"2"]
    assert result.outcome is SourceOutcome.PARTIAL


async def test_many_problems_are_counted(file: Path) -> None:
    """The first ones are named."""
    _, result = await read(file, HEADER + GOOD + "x\n" * 20)
    assert "line 8" in result.reason
    assert "and 15 more" in result.reason


async def test_waiting_for_another_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is looked at after a minute; nothing happened, or something did."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 4:
            write(file, HEADER)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    begun: list[bool] = []
    source = source_of(file)
    assert not (await source.wait(90, begun=lambda: begun.append(True))).changed
    assert (slept, begun) == ([60, 30], [True])
    assert (await source.wait(300)).changed
    assert len(slept) == 4


async def test_what_a_preflight_finds(file: Path) -> None:
    """A file that is not there; values that are left out; attributes that no column has."""
    source = CsvSource("hr", settings_of(file), ("mail", "Phones", "shoeSize"), clock=lambda: LATER)
    found = await source.check()
    assert [finding.status for finding in found] == ["fail", "warn"]
    assert "shoeSize" in found[1].seen
    write(file, HEADER + GOOD)
    assert [finding.status for finding in await source.check()] == ["pass", "warn"]
    columns = {**COLUMNS, "mail": ColumnSettings(column="E-Mail", type="number")}
    assert [finding.status for finding in await source_of(file, columns=columns).check()] == ["warn", "pass"]
    write(file, HEADER + "1\n")
    assert [finding.status for finding in await source.check()] == ["fail", "warn"]


async def test_whoever_leaves_early_leaves_nothing_behind(file: Path) -> None:
    """Cancelled in the middle of a long file, too."""
    write(file, HEADER + "".join(f"{number},mail,,\n" for number in range(5000)))
    before = open_files()
    async with source_of(file).read(None) as reading:
        await anext(reading)
    task = asyncio.create_task(take(source_of(file).read(None)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert open_files() == before


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Lines that never end as a file: 12,000 rows take no more than 2,000 do."""

    def lines(count: int) -> Iterator[str]:
        yield HEADER
        for number in range(count):
            yield f"{number},{'x' * 500},,\n"

    def peak(count: int) -> int:
        settings = settings_of(tmp_path / "none")
        tracemalloc.start()
        with SeenKeys() as seen:
            rows = Rows(lines(count), settings)
            reader = RowReader(rows, settings, seen.first_line, print)
            told = sum(1 for row in rows for _ in reader.changes(row))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert told == count
        return most

    assert peak(12_000) < 1.5 * peak(2_000)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@hypothesis_settings(max_examples=40)
@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=6), st.sampled_from([",", ";", "tab"]), st.booleans())
def test_what_another_program_wrote_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], delimiter: Any, always_quoted: bool
) -> None:
    """Python's own writer, whatever stands in the values: line breaks, quotes, NUL, every script."""
    written = io.StringIO()
    mark = "\t" if delimiter == "tab" else delimiter
    writer = csv.writer(written, delimiter=mark, quoting=csv.QUOTE_ALL if always_quoted else csv.QUOTE_MINIMAL)
    writer.writerow(("Nr", "A", "B"))
    for number, pair in enumerate(cells):
        writer.writerow((number, *pair))
    file = tmp_path_factory.getbasetemp() / "round.csv"
    write(file, written.getvalue())
    columns = {"a": ColumnSettings(column="A"), "b": ColumnSettings(column="B")}
    source = source_of(file, columns=columns, delimiter=delimiter, minimum_rows=0)
    changes, result = asyncio.run(take(source.read(None)))
    assert (result.outcome, result.reason) == (SourceOutcome.COMPLETE, "")
    assert [(change.values.get("a", ""), change.values.get("b", "")) for change in changes] == cells
