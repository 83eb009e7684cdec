"""Looking at farms: what `status`, `check` and `timeline` share."""

from __future__ import annotations

import asyncio
import shutil
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
import msgspec
import structlog

from adfs_mgmt.farm import ExternalView, Farm, FarmSettings
from isthmus.adfs_settings import AdfsSettings
from isthmus.cli.output import Failure, reporting, run_async

farm_option = click.option("--farm", "names", multiple=True, metavar="NAME", help="Only this farm; may be given again.")
outside_option = click.option(
    "--outside", is_flag=True, help="Look from outside only: TLS, metadata, probe. No WinRM, no credential."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One farm, from both sides."""

    settings: FarmSettings
    farm: Farm
    outside: ExternalView

    @property
    def blind(self) -> bool:
        """Nothing at all was seen."""
        return all(host.error for host in self.farm.hosts) and not any(
            each.tls or each.probe_ok for each in self.outside.served
        )


def look_at(settings: AdfsSettings, names: Sequence[str], *, outside_only: bool) -> list[Look]:
    """Every farm, or those that are named; shows its progress. Raises Failure."""
    from adfs_mgmt.remoting import RemotingError
    from isthmus import logging

    logging.set_up(settings.log.level, settings.log.format)
    farms = chosen(settings, names)
    with reporting(RemotingError), progress(sum(_steps(farm, outside_only) for farm in farms)) as step:
        return run_async(_look_at(settings, farms, outside_only, step))


def chosen(settings: AdfsSettings, names: Sequence[str]) -> list[FarmSettings]:
    """The farms of these names; all for none. Raises Failure."""
    known = {farm.name: farm for farm in settings.farms}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Failure(f"no farm {', '.join(unknown)} in the settings; there is {', '.join(known) or 'none'}")
    if not known:
        raise Failure("there is no farm in the settings; add one: [[farms]]")
    return [known[name] for name in dict.fromkeys(names)] or list(known.values())


async def _look_at(
    settings: AdfsSettings, farms: Sequence[FarmSettings], outside_only: bool, step: Callable[[str], None]
) -> list[Look]:
    from isthmus.cli.adfs.shells import open_shell

    if outside_only or not any(farm.winrm and farm.nodes for farm in farms):
        return [await _look(None, farm, step) for farm in farms]
    shell = open_shell(settings.remoting)
    try:
        return [await _look(shell if farm.winrm else None, farm, step) for farm in farms]
    finally:
        await shell.close()


async def _look(shell: Any, settings: FarmSettings, step: Callable[[str], None]) -> Look:
    """Both sides at the same time. What the metadata has completes what was read."""
    from adfs_mgmt.farm import read_external_view, read_farm, unread_farm, with_certificates

    begun = time.time()
    seeing = read_external_view(settings, begun, on_host=step)
    if shell is None:
        outside, farm = await seeing, unread_farm(settings, begun)
    else:
        outside, farm = await asyncio.gather(seeing, read_farm(shell, settings, begun, on_host=step))
    farm = with_certificates(farm, outside.certificates.values())
    failed = [host.host for host in farm.hosts if host.error]
    if not sys.stderr.isatty():
        log = structlog.get_logger()
        log.info("adfs.read", farm=settings.name, seconds=round(time.time() - begun, 3), failed=failed)
    return Look(settings=settings, farm=farm, outside=outside)


def _steps(farm: FarmSettings, outside_only: bool) -> int:
    hosts = len(farm.nodes) + len(farm.proxies)
    return hosts + 1 + (hosts if farm.winrm and farm.nodes and not outside_only else 0)


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal, on standard error; nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("Reading"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda host: bar.update(task, advance=1, description=host.partition("=")[0])


def wrapped(text: str, indent: str) -> str:
    """Broken between words to fit the terminal, with what comes after the first line indented; elsewhere as it is."""
    if not sys.stdout.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def echo_plan(text: str) -> None:
    """A plan, its lines broken between words on a terminal, each under its own beginning; and an empty line."""
    for line in text.splitlines():
        click.echo(wrapped(line, " " * (len(line) - len(line.lstrip()) + 6)))
    click.echo()


def plain(value: Any) -> Any:
    """For JSON: without the certificates' DER."""
    return _without_der(msgspec.to_builtins(value))


def _without_der(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_der(each) for name, each in value.items() if name != "der"}
    return [_without_der(each) for each in value] if isinstance(value, list | tuple) else value
