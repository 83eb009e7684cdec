"""Tables on terminals of any width: what is left out, and that nothing is broken inside a word."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import click
import pytest

from isthmus.cli import tables
from isthmus.cli.tables import Column, columns_that_fit, table, wide_option

NAME, TIME, WORDS = (
    "anna.alexandra.von-und-zu-hohenstein@corp.example.com",
    "2026-11-30 09:12Z",
    "wrong password, typed twice",
)
HEADERS, ROWS = ("user", "time", "why"), [(NAME, TIME, WORDS)]


def column(header: str, width: int) -> Column:
    return Column(header, ["x" * width])


@pytest.mark.parametrize(
    ("room", "kept"),
    [(36, "abc"), (35, "ac"), (24, "ac"), (23, "c"), (12, "c"), (5, "c")],
)
def test_columns_go_in_their_order_until_the_others_fit(room: int, kept: str) -> None:
    """To the cell; what is not to be dropped stays, however narrow it is."""
    columns = [column("a", 10), column("b", 10), column("c", 12)]
    assert "".join(fitting.header for fitting in columns_that_fit(columns, ("b", "a"), room)) == kept


def test_columns_that_say_nothing_go_first() -> None:
    """Before one that was to go earlier; a column that is not to be dropped stays, blank or not."""
    columns = [column("a", 10), Column("b", ["-", ""]), column("c", 12), Column("d", ["-"])]
    assert [fitting.header for fitting in columns_that_fit(columns, ("a", "b"), 29)] == ["a", "c", "d"]


def test_a_column_that_wraps_needs_its_longest_word() -> None:
    """Wide characters take two cells."""
    assert (Column("why", ["ein langer Satz"], wraps=True).least, Column("why", ["日本"]).least) == (6, 4)


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    return Printed(monkeypatch, capsys)


class Printed:
    """The table on a terminal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def __call__(self, columns: int, *arguments: str) -> tuple[list[str], str]:
        """Lines on standard output, and standard error. columns: 0 for a pipe."""

        @click.command()
        @wide_option
        def show() -> None:
            table(HEADERS, ROWS, "none", drop=("time",), prose=("why",))

        self._monkeypatch.setenv("COLUMNS", str(columns or 20))
        self._monkeypatch.setenv("NO_COLOR", "1")
        self._monkeypatch.setattr(tables, "_is_terminal", lambda: columns > 0)
        show.main(arguments, standalone_mode=False)
        out, err = self._capsys.readouterr()
        return [line.rstrip() for line in out.splitlines()], err


def test_on_a_wide_terminal_everything_is_on_one_line(printed: Printed) -> None:
    """And nothing is said about it."""
    lines, err = printed(200)
    assert (len(lines), err) == (2, "")
    assert lines[1].split("  ") == [NAME, TIME, WORDS]


def test_on_a_narrow_one_columns_go_and_sentences_wrap(printed: Printed) -> None:
    """A name is never broken; what is left out is said, with the way to see it."""
    lines, err = printed(70)
    assert err == "Left out, because the terminal is narrow: time. Show them with --wide.\n"
    assert lines[1].split()[0] == NAME
    assert " ".join(" ".join(lines).split()) == f"user why {NAME} {WORDS}"
    lines, _ = printed(20)
    assert lines[1].split()[0] == NAME


@pytest.mark.parametrize(("columns", "arguments"), [(20, ["--wide"]), (0, [])])
def test_wide_and_in_a_pipe_everything_is_there(printed: Printed, columns: int, arguments: list[str]) -> None:
    """On one line, for whatever reads lines."""
    lines, err = printed(columns, *arguments)
    assert (lines[1].split("  "), err) == ([NAME, TIME, WORDS], "")


def test_a_pipe_gets_no_blanks_at_the_ends(capsys: pytest.CaptureFixture[str]) -> None:
    """The detail of one entry of the trail, some thousand characters, would stand behind each of them."""
    table(("user", "why"), [("anna", "-"), ("ben", "x" * 3000)], "")
    assert [len(line) for line in capsys.readouterr().out.splitlines()] == [9, 7, 3006]


def test_commands_with_tables_can_show_them_wide() -> None:
    """Each module that prints one offers `--wide`, or is a page of tables that such a module shows."""
    folder = Path(sys.modules["isthmus.cli"].__file__ or "").parent
    pages = {"farm_tables.py", "plan_output.py", "trust_tables.py"}
    for path in folder.rglob("*.py"):
        tree = ast.parse(path.read_text())
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        names = {alias.name for node in imports if node.module == "isthmus.cli.tables" for alias in node.names}
        assert "table" not in names or "wide_option" in names or path.name in pages, path
        uses = any((node.module or "").endswith(("farm_tables", "plan_output", "trust_tables")) for node in imports)
        assert not uses or path.name in pages or "wide_option" in names, path
