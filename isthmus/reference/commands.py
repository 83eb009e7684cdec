"""The page of the command line, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator

import click

from isthmus.cli import cli
from isthmus.reference.markdown import code, page, paragraphs, table


def commands_page() -> str:
    """Every command with its options."""
    introduction = "What `--help` says of each command. `-h` is short for `--help`, which every command takes."
    sections = [_section(context) for context in _contexts(click.Context(cli, info_name="isthmus"))]
    return page("Commands", introduction, *sections)


def _contexts(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None  # noqa: S101 - it was just listed
            yield from _contexts(click.Context(command, parent=context, info_name=name))


def _section(context: click.Context) -> str:
    command = context.command
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [f"## {context.command_path}", f"```\n{usage}\n```", paragraphs(command.help or "")]
    if isinstance(command, click.Group):
        parts.append(table(("command", ""), _children(command, context)))
    options = [option for option in command.params if isinstance(option, click.Option)]
    parts.append(table(("option", "meaning"), [(_names(option, context), _meaning(option)) for option in options]))
    return "\n\n".join(part for part in parts if part)


def _children(group: click.Group, context: click.Context) -> Iterator[tuple[str, str]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None  # noqa: S101 - it was just listed
        path = f"{context.command_path} {name}"
        yield f"[{code(path)}](#{path.replace(' ', '-')})", command.get_short_help_str(limit=120)


def _names(option: click.Option, context: click.Context) -> str:
    names = ", ".join(code(name) for name in [*option.opts, *option.secondary_opts])
    return names if option.is_flag else f"{names} {code(option.make_metavar(context))}"


def _meaning(option: click.Option) -> str:
    extras = []
    if option.required:
        extras.append("required")
    if isinstance(option.show_default, str):
        extras.append(f"default: {option.show_default}")
    elif option.show_default:
        extras.append(f"default: {code(option.default)}")
    if option.show_envvar:
        extras.append(f"environment: {code(option.envvar)}")
    return f"{option.help} ({'; '.join(extras)})" if extras else str(option.help)
