"""From a settings file to an operation context, and from what can go wrong to one clear message."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from isthmus.cli.flow import Manner
from isthmus.cli.output import REFUSED, UNREACHABLE, Failure, config_option, reporting
from settings import SettingsFileError, load_settings

if TYPE_CHECKING:
    from adfs_mgmt.operations import OperationContext

F = TypeVar("F", bound=Callable[..., Any])

_RECORDING = "isthmus.adfs.recording"

farm_option = click.option(
    "--farm", default="", metavar="NAME", help="Name of the farm; required if the settings contain several."
)
farms_option = click.option("--farm", "names", multiple=True, metavar="NAME", help="Only this farm. Can be repeated.")
external_option = click.option(
    "--outside", is_flag=True, help="Only check from outside (TLS, metadata, probe), without WinRM and without credentials."
)


def record_to(context: click.Context, path: Path) -> None:
    """Whatever is said to servers in this run of the program is recorded there. Raises Failure for a file that exists."""
    if path.exists():
        raise Failure(f"{path} already exists; choose a new file for the recording")
    context.find_root().meta[_RECORDING] = path


def open_context(path: Path) -> OperationContext:
    """The settings of a file, as operations need them; logging is set up. Raises Failure, OperationError."""
    from adfs_mgmt.operations import OperationContext
    from isthmus import logging
    from isthmus.adfs_settings import AdfsSettings

    with reporting(SettingsFileError):
        settings = load_settings(path, AdfsSettings)
    context = OperationContext(settings=settings, recording=click.get_current_context().find_root().meta.get(_RECORDING))
    logging.set_up(settings.log.level, settings.log.format)
    return context


def operation(function: F) -> F:
    """A command over an operation context: adds `--config`, and turns the packages' errors into a Failure.

    The function gets the context and the manner, which `--yes` and `--json` say.
    """

    @config_option("/etc/isthmus/adfs.toml")
    @functools.wraps(function)
    def call(config: Path, as_json: bool, yes: bool = False, **given: Any) -> Any:
        with failures(config):
            return function(open_context(config), Manner(yes=yes, as_json=as_json), **given)

    return call  # type: ignore[return-value]


@contextmanager
def failures(config: Path | None = None) -> Iterator[None]:
    """Turn errors of the packages into a Failure, with the exit code for what could not be reached."""
    try:
        yield
    except Exception as error:
        if (failure := _failure(error, config)) is None:
            raise
        raise failure from error


def exit_code(error: BaseException | None) -> int:
    """Of what went wrong: programs can tell what could not be reached from what was refused."""
    from adfs_mgmt.operations import LiveKeyUnknown
    from adfs_mgmt.remoting import AccessDenied, HostUnreachable
    from certs.acme import AcmeUnreachable
    from foundation.graph import Throttled, Unreachable

    away = AcmeUnreachable | Unreachable | Throttled | LiveKeyUnknown | HostUnreachable | AccessDenied
    return UNREACHABLE if isinstance(error, away) else REFUSED


def _failure(error: Exception, config: Path | None) -> Failure | None:
    """None for what is a mistake of the program."""

    from adfs_mgmt.farm import Unreadable
    from adfs_mgmt.operations import OperationError, SettingsError
    from adfs_mgmt.remoting import RecordingDamaged, RemotingError
    from adfs_mgmt.trust import TrustError
    from certs import CertsError
    from certs.acme import AcmeError
    from foundation.graph import GraphError
    from foundation.procedures import ProcedureError

    known = OperationError | ProcedureError | RemotingError | RecordingDamaged | TrustError | GraphError
    if not isinstance(error, known | CertsError | AcmeError | Unreadable):
        return None
    text = f"{config}: {error}" if isinstance(error, SettingsError) and config is not None else str(error)
    return Failure(text, exit_code(error))
