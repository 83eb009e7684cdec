"""Groups whose commands are imported when they are called."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

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
            raise click.NoSuchCommand(name, possibilities=self._parts, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them without importing any."""
        if self._parts:
            with formatter.section("Commands"):
                formatter.write_dl([(name, text) for name, (_, text) in self._parts.items()])
