"""`isthmus adfs farm new`, `node add|remove`, `proxy add|remove`."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from isthmus.cli import flow
from isthmus.cli.adfs.context import exit_code, operation
from isthmus.cli.output import FILE, Failure, emit_json, json_option, options, reporting, run_async
from isthmus.cli.thumbprints import thumbprint as pasted
from settings import UnusableFile, read_secret

if TYPE_CHECKING:
    from adfs_mgmt.operations import OperationContext, ServerOperation
    from adfs_mgmt.procedures import Secrets
    from adfs_mgmt.remoting import Secret
    from foundation.procedures import RunResult
    from isthmus.cli.flow import Manner

F = TypeVar("F", bound=Callable[..., Any])
_CONTINUE = "Fix this, then continue with --resume, or clean up with --undo"


_common_options = options(
    click.option("--farm", default="", help="Name of the farm; required if the settings contain several."),
    click.option("--save", type=FILE, help="Write the plan to this file and change nothing."),
    click.option("--plan", "plan_file", type=FILE, help="Apply a saved plan."),
    click.option("--resume", is_flag=True, help="Continue after an interruption."),
    click.option("--undo", is_flag=True, help="Clean up after a failed attempt."),
    click.option("--yes", is_flag=True, help="Do not ask for confirmation."),
    json_option,
)
"""Of all five commands."""


def _server_command(kind: str) -> Callable[[F], F]:
    """A command about one server; the function has its help, and the options that are its own."""

    def decorated(function: F) -> F:
        @functools.wraps(function)
        def call(context: OperationContext, manner: Manner, host: str, farm: str, **given: Any) -> None:
            from adfs_mgmt.operations import Operation, server_operation

            how = {name: given.pop(name) for name in ("save", "plan_file", "resume", "undo")}
            if sum(map(bool, how.values())) > 1:
                raise click.UsageError("Use only one of --save, --plan, --resume and --undo.")
            secrets = _secrets(given)
            work = server_operation(context, farm, Operation(kind), host, secrets, **given)
            if how["resume"] or how["undo"]:
                _resume(work, manner, undo=how["undo"])
            else:
                _apply(work, manner, how["save"], how["plan_file"])

        return operation(_common_options(call))  # type: ignore[return-value]

    return decorated


_joining = options(
    click.option(
        "--service-account",
        default="",
        help="Service account of AD FS, such as 'CORP\\adfs$'. Default: that of the primary server.",
    ),
    click.option(
        "--service-password-file", type=FILE, help="File with the service account's password; not needed for a gMSA."
    ),
    click.option(
        "--admin-user",
        "admin",
        default="",
        help="Account with which the server connects to domain controllers and the primary server. "
        "Without it, the session must delegate credentials.",
    ),
    click.option("--admin-password-file", type=FILE, help="File with the password of --admin-user."),
    click.option("--sql", default="", help="Connection string of the farm's SQL Server database. Default: WID."),
)
"""Options of servers that join the domain's farm."""


@click.group("farm")
def farm_command() -> None:
    """Create a farm."""


@click.group("node")
def node_command() -> None:
    """Add and remove federation servers."""


@click.group("proxy")
def proxy_command() -> None:
    """Add and remove Web Application Proxies."""


@farm_command.command("new")
@click.argument("host")
@_server_command("farm new")
@_joining
@click.option(
    "--thumbprint", type=pasted, default="", help="SSL certificate, which must be in the server's LocalMachine\\My."
)
@click.option("--display-name", default="", help="Display name of the federation service on the sign-in page.")
@click.option(
    "--signing",
    type=pasted,
    default="",
    help="Token-signing certificate from a CA. Default: AD FS creates one.",
)
@click.option(
    "--decrypting", type=pasted, default="", help="Token-decrypting certificate from a CA. Default: AD FS creates one."
)
def farm_new() -> None:
    """Make HOST the first node of a new farm. Add the farm to the settings first, with its federation service name.

    \b
    Example:
      isthmus adfs farm new adfs1.corp.example.com --farm prod \\
          --thumbprint … --service-account 'CORP\\adfs$'
    """


@node_command.command("add")
@click.argument("host")
@_server_command("node add")
@_joining
@click.option("--thumbprint", type=pasted, default="", help="SSL certificate. Default: that of the primary server.")
@click.option(
    "--http-port", default=80, show_default=True, help="HTTP port of the primary server (HttpPort in Get-AdfsProperties)."
)
def node_add() -> None:
    """Add HOST to a farm as a node: preflight checks, plan, role, join, first synchronisation, probe.

    \b
    Examples:
      isthmus adfs node add adfs3.corp.example.com
      isthmus adfs node add adfs3.corp.example.com --save plan.json
      isthmus adfs node add adfs3.corp.example.com --plan plan.json
      isthmus adfs node add adfs3.corp.example.com --undo
    """


@node_command.command("remove")
@click.argument("host")
@_server_command("node remove")
@click.option(
    "--offline",
    is_flag=True,
    help="For a server that will never answer again: only remove it from the farm's list of nodes.",
)
def node_remove() -> None:
    """Remove HOST from a farm: the AD FS role, and its entry in the farm's list of nodes.

    \b
    Example:
      isthmus adfs node remove adfs3.corp.example.com
    """


@proxy_command.command("add")
@click.argument("host")
@_server_command("proxy add")
@click.option("--thumbprint", type=pasted, default="", help="SSL certificate. Default: that of the primary server.")
@click.option(
    "--trust-user",
    "trust_admin",
    default="",
    help="Account for setting up the proxy trust: a local administrator of the federation servers.",
)
@click.option("--trust-password-file", type=FILE, help="File with the password of --trust-user.")
def proxy_add() -> None:
    """Make HOST a Web Application Proxy of a farm: role, proxy trust, health, probe.

    To repair a lost proxy trust, remove the proxy and add it again.

    \b
    Example:
      isthmus adfs proxy add wap2.dmz.example.com \\
          --trust-user 'CORP\\admin' --trust-password-file admin.password
    """


@proxy_command.command("remove")
@click.argument("host")
@_server_command("proxy remove")
def proxy_remove() -> None:
    """Remove the Web Application Proxy role from HOST.

    \b
    Example:
      isthmus adfs proxy remove wap2.dmz.example.com
    """


def _apply(work: ServerOperation, manner: Manner, save: Path | None, plan_file: Path | None) -> None:
    from adfs_mgmt.operations import server_plan_data

    work.check_idle(work.record)
    plan = work.load(plan_file) if plan_file else run_async(work.plan())
    if not manner.as_json:
        flow.show_plan(plan)
    elif plan.failed or not manner.yes:
        emit_json(server_plan_data(plan))
    if plan.failed:
        raise Failure(f"{len(plan.failed)} of {len(plan.findings)} checks failed; nothing was changed")
    if save is not None:
        flow.save_plan(plan, save, manner)
    elif manner.yes or not manner.as_json:
        flow.confirm(f"To apply plan {plan.digest}, type the server's name", work.spec.name, manner)
        _finish(flow.follow(lambda progress: work.apply(plan, progress)), work.notes, manner)


def _resume(work: ServerOperation, manner: Manner, *, undo: bool) -> None:
    work.check_resumable()
    what = "clean up the failed attempt" if undo else f"continue with {work.spec.operation.value}"
    flow.confirm(f"To {what}, type the server's name", work.spec.name, manner)
    result = flow.follow(lambda progress: work.resume(undo=undo, progress=progress))
    _finish(result, () if result.record.back else work.notes, manner)


def _finish(result: RunResult, notes: Sequence[str], manner: Manner) -> None:
    cause = result.error.__cause__ if result.error else None
    flow.show_outcome(result, _CONTINUE, exit_code(cause), notes, manner)


def _secrets(given: dict[str, Any]) -> Secrets:
    """Out of the options that name their files."""
    from adfs_mgmt.operations import Secrets

    service, admin, trust = (_password(given.pop(f"{name}_password_file", None)) for name in ("service", "admin", "trust"))
    return Secrets(service_account=service, admin=admin, trust_admin=trust)


def _password(path: Path | None) -> Secret:
    from adfs_mgmt.remoting import Secret

    with reporting(UnusableFile):
        return Secret(read_secret(path) if path is not None else "")
