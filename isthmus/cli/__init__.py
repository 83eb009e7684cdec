"""The `isthmus` command. Each part is imported when it is called: an agent loads nothing of the relay."""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import click

from isthmus.cli.lazy import LazyGroup
from isthmus.cli.output import Failure, emit_json
from isthmus.terminal import visible_lines

__all__ = ["cli", "main"]

_PARTS = {
    "agent": ("isthmus.cli.agent", "The agent (on premises): set up, enrol, run, check."),
    "relay": ("isthmus.cli.relay", "The relay (in the cloud): set up, run, administer."),
    "adfs": ("isthmus.cli.adfs", "AD FS farms: certificates, servers, the trust with Entra ID."),
    "sync": ("isthmus.cli.sync", "Synchronisation of directories to cloud services: plan, run, look."),
    "certs": ("isthmus.cli.certs", "The relay's signing keys: list, replace, roll back."),
    "config": ("isthmus.cli.configuration", "Settings files: print an example, check one."),
    "completion": ("isthmus.cli.completion", "Print the completion script for a shell."),
}


_EXTRAS = {
    "adfs": {"acme", "josepy", "lxml", "msal", "psrpcore", "pypsrp", "requests", "signxml", "spnego"},
    "relay": {"acme", "alembic", "jinja2", "josepy", "prometheus_client", "requests", "sqlalchemy"},
    "agent": {"dns", "ldap3", "prometheus_client", "websockets"},
    "sync": {"dns", "lark", "ldap3", "scim2_models", "sqlalchemy"},
}
"""Which extra brings what: a machine has those of the processes that run there."""


@click.group(cls=LazyGroup, parts=_PARTS, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("isthmus"), prog_name="isthmus")
@click.option("--debug", is_flag=True, help="Show tracebacks and debug events.")
@click.pass_context
def cli(ctx: click.Context, debug: bool) -> None:
    """Isthmus joins an on-premises Active Directory to the cloud, without an inbound port.

    \b
    On the relay:           isthmus relay setup
                            isthmus relay check
    Next to the directory:  isthmus agent setup
                            isthmus agent check

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 not reachable.
    """
    ctx.obj = debug


def main(arguments: list[str] | None = None) -> None:
    """Entry point: errors of the packages become one clear message."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not sys.warnoptions:  # libraries' words to programmers, such as about an odd certificate of somebody else's
        warnings.simplefilter("ignore")
    try:
        code: Any = cli.main(arguments, prog_name="isthmus", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        if "--json" in arguments:
            emit_json({"error": error.format_message(), "exit_code": error.exit_code}, err=True)
        else:
            error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except ModuleNotFoundError as error:
        extra = _extra_with((error.name or "").partition(".")[0], arguments)
        if "--debug" in arguments or not extra:
            raise
        command = f"{_pip()} install --require-hashes -r requirements/{extra}.txt"
        _end(f"{error.name} is not installed. Run in a copy of the source: {command}", 1, arguments)
    except Failure as failure:
        if "--debug" in arguments:
            raise
        _end(failure.text, failure.code, arguments)


def _end(text: str, code: int, arguments: list[str]) -> NoReturn:
    if "--json" in arguments:
        emit_json({"error": text, "exit_code": code}, err=True)
    else:
        click.echo(visible_lines(f"Error: {text}"), err=True)
    sys.exit(code)


def _pip() -> str:
    """The one that belongs to this Python."""
    beside = Path(sys.executable).with_name("pip")
    return str(beside) if beside.exists() else f"{sys.executable} -m pip"


def _extra_with(module: str, arguments: list[str]) -> str:
    """The extra that brings a module, that of the command if it does; empty for a module that no extra brings."""
    having = [extra for extra, modules in _EXTRAS.items() if module in modules]
    return next((extra for extra in having if extra in arguments), next(iter(having), ""))
