"""Groups whose commands are imported when they are called."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import suppress

import click


class LazyGroup(click.Group):
    """parts: of each command, the module that has it as `command` (or, after a colon, under another name), and its help."""

    def __init__(self, *, parts: Mapping[str, tuple[str, str]], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]  # click's own
        self._parts = parts

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order given."""
        return list(self._parts)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import it."""
        if cmd_name not in self._parts:
            return None
        module, _, name = self._parts[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name or "command")
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, which would look for similar names among those that are loaded."""
        name = args[0]
        if name not in self._parts and not name.startswith("-") and not ctx.resilient_parsing:
            below = [f"{ctx.command_path} {group} {name}" for group in self._groups_with(ctx, name)]
            said = f"No such command {name!r}. Did you mean {' or '.join(map(repr, below))}?" if below else None
            raise click.NoSuchCommand(name, said, None if below else self._parts, ctx)
        return super().resolve_command(ctx, args)

    def _groups_with(self, ctx: click.Context, name: str) -> Iterator[str]:
        """Groups in this one that have a command of just that name; without those whose extra is not installed."""
        for part in self._parts:
            with suppress(ModuleNotFoundError):
                group = self.get_command(ctx, part)
                if isinstance(group, click.Group) and name in group.list_commands(ctx):
                    yield part

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without importing any."""
        if self._parts:
            with formatter.section("Commands"):
                formatter.write_dl([(name, text) for name, (_, text) in self._parts.items()])
