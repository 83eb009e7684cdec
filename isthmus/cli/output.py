"""What every command shares: output for people or for programs, failures, the settings option."""

from __future__ import annotations

import asyncio
import math
import shutil
import sys
import textwrap
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from isthmus.terminal import visible, visible_json, visible_lines

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class FiniteRange(click.FloatRange):
    """A number in a range; click's own lets `nan` and `inf` through, before which no time ever is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Raises BadParameter."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


FILE = click.Path(path_type=Path, dir_okay=False)
"""What the option of a file is."""

REFUSED = 1
UNREACHABLE = 3


class Failure(Exception):
    """A command failed; the text is for the person who typed it."""

    def __init__(self, text: str, code: int = REFUSED) -> None:
        super().__init__(text)
        self.text, self.code = text, code

    def __str__(self) -> str:
        return self.text


@contextmanager
def reporting(*kinds: type[Exception]) -> Iterator[None]:
    """Turn the packages' errors into a Failure."""
    try:
        yield
    except kinds as error:
        raise Failure(str(error)) from error


def options(*members: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one decorator; help has them in this order."""

    def decorated(function: F) -> F:
        for option in reversed(members):
            function = option(function)
        return function

    return decorated


def config_option(default: str) -> Callable[[F], F]:
    """`--config FILE`, or ISTHMUS_CONFIG."""
    return click.option(
        "-c",
        "--config",
        type=FILE,
        default=default,
        envvar="ISTHMUS_CONFIG",
        show_default=True,
        show_envvar=True,
        help="Settings file.",
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
json_log_option = click.option("--json", "as_json", is_flag=True, help="Log as JSON, whatever the settings say.")


def emit_json(value: Any, *, err: bool = False) -> None:
    """Print a value as JSON, indented."""
    click.echo(visible_json(msgspec.json.format(msgspec.json.encode(value), indent=2).decode()), err=err)


def emit_said(text: str, *, as_json: bool, **values: Any) -> None:
    """What was done: a sentence for people, its values for programs."""
    if as_json:
        emit_json(values)
    else:
        click.echo(visible_lines(text))


def counted(number: int, singular: str, plural: str = "") -> str:
    """`1 session`, `2 sessions`; plural: where it is not the singular with an s."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, on uvloop where it is there."""
    try:
        import uvloop
    except ImportError:  # Windows
        return asyncio.run(work)
    return uvloop.run(work)


def wrapped(text: str, indent: str) -> str:
    """Broken between words to fit the terminal, with what comes after the first line indented; elsewhere on one line."""
    text = visible(text)
    if not sys.stdout.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


@contextmanager
def host_progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, on standard error, that moves with each host; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("Reading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda host: bar.update(task, advance=1, description=host.partition("=")[0])
