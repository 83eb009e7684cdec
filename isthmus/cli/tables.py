"""Tables for people, on terminals of any width."""

from __future__ import annotations

import math
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click

from isthmus.terminal import visible

_GAP = 2
"""Blanks between columns."""
_WIDE = "isthmus.wide"


def _choose_wide(context: click.Context, _parameter: click.Parameter, chosen: bool) -> None:
    context.meta[_WIDE] = chosen


wide_option = click.option(
    "--wide",
    is_flag=True,
    expose_value=False,
    callback=_choose_wide,
    help="Show every column of a table, however wide the terminal.",
)
"""Of every command that prints a table."""


@dataclass(frozen=True, slots=True)
class Column:
    """cells: what stands below `header`, already visible; wraps: between words, where room is scarce."""

    header: str
    cells: Sequence[str]
    wraps: bool = False

    @property
    def is_blank(self) -> bool:
        """Nothing but dashes."""
        return not {*self.cells} - {"", "-"}

    @property
    def widest(self) -> int:
        """Characters' cells on a terminal, of the longest text."""
        return max(_cells(text) for text in (self.header, *self.cells))

    @property
    def least(self) -> int:
        """Of the longest piece that is never broken."""
        if not self.wraps:
            return self.widest
        return max(_cells(word) for text in (self.header, *self.cells) for word in text.split() or [""])


def columns_that_fit(columns: Sequence[Column], drop: Sequence[str], room: float) -> list[Column]:
    """Those that fit into `room`, in order; those named in `drop` go, the first one first, until the others do. Those of
    them that say nothing go before all others."""
    kept = list(columns)
    blank = {column.header for column in columns if column.is_blank}
    for header in sorted(drop, key=lambda header: header not in blank):
        if _total([column.least for column in kept]) <= room:
            break
        kept = [column for column in kept if column.header != header]
    return kept


def table(
    headers: Sequence[str], rows: Sequence[Sequence[str]], empty: str, *, drop: Sequence[str] = (), prose: Sequence[str] = ()
) -> None:
    """Print a table for people. What strangers typed stands in it: nothing in a cell is markup, nothing moves the cursor.

    A cell is never cut or broken inside a word. On a terminal that is too narrow, `prose` is wrapped between words, and
    columns of `drop` are left out, the first one first; with `--wide`, and in files and pipes, neither.
    """
    if not rows:
        click.echo(empty)
        return
    shown = [[visible(cell) for cell in row] for row in rows]
    columns = [Column(header, [row[at] for row in shown], header in prose) for at, header in enumerate(headers)]
    room = _room()
    kept = columns_that_fit(columns, drop, room)
    _print(kept, room)
    if left_out := [column.header for column in columns if column not in kept]:
        click.echo(f"Left out, because the terminal is narrow: {', '.join(left_out)}. Show them with --wide.", err=True)


def _room() -> float:
    """Cells on a line; no end of them in files and pipes, and where everything is wanted."""
    context = click.get_current_context(silent=True)
    if not _is_terminal() or (context is not None and context.meta.get(_WIDE)):
        return math.inf
    return shutil.get_terminal_size().columns


def _is_terminal() -> bool:
    return sys.stdout.isatty()


def _print(columns: Sequence[Column], room: float) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column in columns:
        grid.add_column(column.header, no_wrap=not column.wraps, min_width=column.least)
    for row in zip(*(column.cells for column in columns), strict=True):
        grid.add_row(*map(Text, row))
    natural, least = (_total(sizes) for sizes in zip(*((column.widest, column.least) for column in columns), strict=True))
    console = Console(highlight=False, width=int(max(min(natural, room), least)))
    if _is_terminal():
        console.print(grid)
        return
    with console.capture() as captured:  # in a file, the longest last cell would be as many blanks behind all others
        console.print(grid)
    for line in captured.get().splitlines():
        click.echo(line.rstrip())


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)
