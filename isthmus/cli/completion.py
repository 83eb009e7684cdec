"""`isthmus completion`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  isthmus completion bash > /etc/bash_completion.d/isthmus
    zsh:   isthmus completion zsh > "${fpath[1]}/_isthmus"
    fish:  isthmus completion fish > ~/.config/fish/completions/isthmus.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows all three
    click.echo(kind(ctx.find_root().command, {}, "isthmus", "_ISTHMUS_COMPLETE").source())
