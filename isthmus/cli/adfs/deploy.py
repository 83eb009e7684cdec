"""`isthmus adfs farm new`, `node add|remove`, `proxy add|remove`."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from isthmus import logging
from isthmus.adfs_settings import AdfsSettings
from isthmus.cli.adfs import adfs_config, load
from isthmus.cli.adfs.looking import wrapped
from isthmus.cli.adfs.shells import open_shell
from isthmus.cli.adfs.thumbprints import thumbprint as pasted
from isthmus.cli.output import REFUSED, UNREACHABLE, Failure, emit_json, json_option, moment, reporting, run_async

if TYPE_CHECKING:
    from adfs_mgmt.farm.settings import FarmSettings
    from adfs_mgmt.procedures.deployment import Deployment
    from adfs_mgmt.procedures.server import Secrets, ServerSpec, ServerState
    from foundation.procedures import Plan, Progress, RunResult

F = TypeVar("F", bound=Callable[..., Any])
_MARKS = {"pass": ("ok", "green"), "warn": ("warning", "yellow"), "fail": ("failed", "red"), "unknown": ("later", "cyan")}


def _file_option(name: str, text: str) -> Callable[[F], F]:
    return click.option(name, type=click.Path(path_type=Path, dir_okay=False), help=text)


def _every(function: F) -> F:
    """Options of all five commands, and what they come to."""

    @functools.wraps(function)
    def wrapped(**given: Any) -> None:
        shared = {
            name: given.pop(name) for name in ("config", "farm", "save", "plan_file", "resume", "undo", "yes", "as_json")
        }
        passwords = {
            name: given.pop(name, None) for name in ("admin_password_file", "trust_password_file", "service_password_file")
        }
        function(_Call(**shared, passwords=passwords), **given)

    for option in reversed(
        (
            adfs_config,
            click.option("--farm", default="", help="Name of the farm in the settings; needed where there are several."),
            _file_option("--save", "Write the plan to this file and change nothing."),
            click.option(
                "--plan", "plan_file", type=click.Path(path_type=Path, dir_okay=False), help="Apply a plan that was saved."
            ),
            click.option("--resume", is_flag=True, help="Continue what was interrupted."),
            click.option("--undo", is_flag=True, help="Clean up what a failed attempt left."),
            click.option("--yes", is_flag=True, help="Do not ask for the server's name before the change."),
            json_option,
        )
    ):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]


def _joining(function: F) -> F:
    """Options of servers that join the domain's farm."""
    for option in reversed(
        (
            click.option("--service-account", default="", help="Such as 'CORP\\adfs$'; without it that of the primary."),
            _file_option("--service-password-file", "File with its password, unless it is a gMSA."),
            click.option(
                "--admin-user",
                default="",
                help="Account with which the server reaches DCs and primary; without it the session must delegate.",
            ),
            _file_option("--admin-password-file", "File with its password."),
            click.option("--sql", default="", help="Connection string of the farm's SQL Server; without it WID."),
        )
    ):
        function = option(function)
    return function


@click.group("farm")
def farm_command() -> None:
    """Make a farm."""


@click.group("node")
def node_command() -> None:
    """Add and remove federation servers."""


@click.group("proxy")
def proxy_command() -> None:
    """Add and remove Web Application Proxies."""


@farm_command.command("new")
@click.argument("host")
@_every
@_joining
@click.option("--thumbprint", type=pasted, default="", help="Of the SSL certificate in the server's LocalMachine\\My.")
@click.option("--display-name", default="", help="What the sign-in page is headed with.")
@click.option(
    "--signing", default="", help="Thumbprint of a CA-issued token-signing certificate; without it AD FS makes one."
)
@click.option("--decrypting", default="", help="Likewise for token-decrypting.")
def farm_new(call: _Call, host: str, **options: str) -> None:
    """Make HOST the first node of a new farm. The farm is in the settings already, with its federation name.

    \b
    Example:
      isthmus adfs farm new adfs1.corp.example.com --farm prod --thumbprint … --service-account 'CORP\\adfs$'
    """
    call.do("farm new", host, options)


@node_command.command("add")
@click.argument("host")
@_every
@_joining
@click.option("--thumbprint", type=pasted, default="", help="Of the SSL certificate; without it the primary's.")
@click.option("--http-port", default=80, show_default=True, help="The primary's HTTP port (HttpPort of Get-AdfsProperties).")
def node_add(call: _Call, host: str, **options: Any) -> None:
    """Add HOST to a farm: preflight, plan, role, join, first synchronisation, probe.

    \b
    Examples:
      isthmus adfs node add adfs3.corp.example.com
      isthmus adfs node add adfs3.corp.example.com --save plan.json
      isthmus adfs node add adfs3.corp.example.com --plan plan.json
      isthmus adfs node add adfs3.corp.example.com --undo
    """
    call.do("node add", host, options)


@node_command.command("remove")
@click.argument("host")
@_every
@click.option("--offline", is_flag=True, help="It does not answer and never will: take it out of the farm's table only.")
def node_remove(call: _Call, host: str, **options: Any) -> None:
    """Remove HOST from a farm: its role, and its entry in the farm's table of nodes.

    \b
    Example:
      isthmus adfs node remove adfs3.corp.example.com
    """
    call.do("node remove", host, options)


@proxy_command.command("add")
@click.argument("host")
@_every
@click.option("--thumbprint", type=pasted, default="", help="Of the SSL certificate; without it the primary's.")
@click.option(
    "--trust-user", "trust_admin", default="", help="Local administrator of the federation servers, for the trust."
)
@_file_option("--trust-password-file", "File with that account's password.")
def proxy_add(call: _Call, host: str, **options: str) -> None:
    """Make HOST a Web Application Proxy of a farm: role, trust, health, probe. For a lost trust: remove, then add.

    \b
    Example:
      isthmus adfs proxy add wap2.dmz.example.com --trust-user 'CORP\\admin' --trust-password-file admin.password
    """
    call.do("proxy add", host, options)


@proxy_command.command("remove")
@click.argument("host")
@_every
def proxy_remove(call: _Call, host: str) -> None:
    """Remove the role from HOST.

    \b
    Example:
      isthmus adfs proxy remove wap2.dmz.example.com
    """
    call.do("proxy remove", host, {})


class _Call:
    """One call of one of the commands."""

    def __init__(
        self,
        *,
        config: Path,
        farm: str,
        save: Path | None,
        plan_file: Path | None,
        resume: bool,
        undo: bool,
        yes: bool,
        as_json: bool,
        passwords: dict[str, Path | None],
    ) -> None:
        self.settings = load(config)
        self.farm = _farm(self.settings, farm)
        self.save, self.plan_file, self.resume, self.undo = save, plan_file, resume, undo
        self.yes, self.as_json, self.passwords = yes, as_json, passwords
        if sum(map(bool, (save, plan_file, resume, undo))) > 1:
            raise click.UsageError("Give one of --save, --plan, --resume and --undo.")

    def do(self, operation: str, host: str, options: dict[str, Any]) -> None:
        """Plan, and what was asked for besides. Raises Failure."""
        from adfs_mgmt.procedures.server import Operation, ServerSpec
        from foundation.procedures import ProcedureError

        if "admin_user" in options:
            options["admin"] = options.pop("admin_user")
        spec = ServerSpec(
            operation=Operation(operation),
            farm=self.farm.name,
            federation_name=self.farm.federation_name,
            host=_place(self.farm, host),
            **options,
        )
        logging.set_up(self.settings.log.level, self.settings.log.format)
        with reporting(ProcedureError):
            run_async(self._do(spec))

    async def _do(self, spec: ServerSpec) -> None:
        from adfs_mgmt.procedures.deployment import Deployment

        secrets, shell = self._secrets(), open_shell(self.settings.remoting)
        try:
            work = Deployment(
                shell=shell, settings=self.farm, state_dir=self.settings.state_dir, progress=_Shown(self.as_json)
            )
            if self.resume or self.undo:
                await self._go_on(work, spec, secrets)
            else:
                await self._begin(work, spec, secrets)
        finally:
            await shell.close()

    async def _go_on(self, work: Deployment, spec: ServerSpec, secrets: Secrets) -> None:
        record = work.record(spec.name)
        if record is not None and record.open:
            _check_same("what is under way there", record.state.spec, spec)
        self._confirm(spec, "clean up the failed attempt" if self.undo else f"continue with {spec.operation.value}")
        self._end(await work.resume(spec.name, secrets, undo=self.undo))

    async def _begin(self, work: Deployment, spec: ServerSpec, secrets: Secrets) -> None:
        from adfs_mgmt.procedures.deployment import STATES, plan_data
        from foundation.procedures import load as load_plan
        from foundation.procedures import save

        plan = await work.plan(spec, secrets) if self.plan_file is None else load_plan(self.plan_file, STATES)
        _check_same(f"plan {plan.digest}", plan.state.spec, spec)
        if self.as_json and (not self.yes or plan.failed):
            emit_json(plan_data(plan))
        elif not self.as_json:
            show(plan)
        if plan.failed:
            raise Failure(f"{len(plan.failed)} of {len(plan.findings)} checks failed; nothing was changed")
        if self.save is not None:
            save(plan, self.save)
            click.echo(f"Plan {plan.digest} is in {self.save}. Apply it with --plan {self.save}", err=self.as_json)
            return
        if self.as_json and not self.yes:
            return
        self._confirm(spec, f"apply plan {plan.digest}")
        self._end(await work.apply(plan, secrets))

    def _confirm(self, spec: ServerSpec, what: str) -> None:
        """By typing the server's name: the wrong window is the commonest mistake."""
        if self.yes:
            return
        if not _is_terminal():
            raise Failure(f"nobody is there to confirm: give --yes to {what} at {spec.name}")
        if click.prompt(f"To {what}, type the server's name", err=True).strip().lower() != spec.name:
            raise Failure("that is another name; nothing was changed")

    def _secrets(self) -> Secrets:
        from adfs_mgmt.procedures.server import Secrets

        read = {name.removesuffix("_password_file"): _password(path) for name, path in self.passwords.items()}
        return Secrets(service_account=read["service"], admin=read["admin"], trust_admin=read["trust"])

    def _end(self, result: RunResult) -> None:
        from adfs_mgmt.remoting import AccessDenied, HostUnreachable
        from foundation.procedures import End

        record = result.record
        if result.end is not End.DONE:
            reasons = result.problem or "; ".join([*result.step.reasons, *map(str, result.step.missing)])
            away = isinstance(result.error and result.error.__cause__, HostUnreachable | AccessDenied)
            remedy = "Fix that, then continue with --resume, or clean up with --undo"
            raise Failure(f"{reasons.rstrip('.')}. {remedy}", UNREACHABLE if away else REFUSED)
        if self.as_json:
            emit_json({"id": record.id, "kind": record.kind, "outcome": record.outcome, "finished": record.finished})
        else:
            click.echo(f"{record.outcome[:1].upper()}{record.outcome[1:]} at {moment(record.finished)}.")


def _check_same(what: str, planned: ServerSpec, asked: ServerSpec) -> None:
    """Options beside a plan must say what it says: one that is passed over would mislead. Those not given say nothing."""
    for field in fields(planned):
        there, here = getattr(planned, field.name), getattr(asked, field.name)
        if field.name == "host":
            there, here = planned.name, asked.name
        given = here != field.default
        if given and here != there:
            name = field.name.replace("_", " ")
            raise Failure(f"{what} has {name} {there or 'none'}, not {here}; nothing was changed")


def _farm(settings: AdfsSettings, name: str) -> FarmSettings:
    names = [each.name for each in settings.farms]
    if not name and len(names) == 1:
        return settings.farms[0]
    for each in settings.farms:
        if each.name == name:
            return each
    raise Failure(f"which farm? Give --farm {' or '.join(names)}" if names else "the settings have no [[farms]]")


def _password(path: Path | None) -> Any:
    from adfs_mgmt.remoting import Secret
    from certs import CertsError
    from certs.files import read_private

    if path is None:
        return Secret("")
    with reporting(CertsError):
        try:
            text = read_private(path).decode()
        except FileNotFoundError as error:
            raise Failure(f"{path} is not there") from error
        except UnicodeDecodeError as error:
            raise Failure(f"{path} is not UTF-8 text") from error
    return Secret(text.removesuffix("\n").removesuffix("\r"))


def show(plan: Plan[ServerState]) -> None:
    """A plan for people: checks, steps with their commands, what is left to do."""
    from adfs_mgmt.procedures.deployment import plan_data
    from adfs_mgmt.procedures.preflight import explain

    click.secho(plan.title, bold=True)
    click.echo(f"plan {plan.digest}, made {moment(plan.made_at)} by {plan.made_by}\n")
    for finding in plan.findings:
        word, colour = _MARKS[finding.status]
        verdict = f"  {word:8}"
        line = wrapped(f"{verdict}{explain(finding)}", " " * 12)
        click.echo(click.style(verdict, fg=colour) + line.removeprefix(verdict))
    data = plan_data(plan)
    for title, steps in (("Steps", data["steps"]), ("If it is undone", data["undo"])):
        if steps:
            click.echo(f"\n{title}:")
        for number, step in enumerate(steps, 1):
            click.echo(f"  {number}. {step['title']}: {step['promise']}")
            for command in step["commands"]:
                click.echo(wrapped(f"       {command}", " " * 11))
    if plan.notes and plan.steps:
        click.echo("\nYours to do:")
        for note in plan.notes:
            click.echo(wrapped(f"  - {note}", "    "))
    click.echo()


def _place(farm: FarmSettings, host: str) -> str:
    """With the address that the settings have for it, where it was named alone."""
    known = (each for each in (*farm.nodes, *farm.proxies) if each.lower().startswith(f"{host.lower()}="))
    return next(known, host)


class _Shown:
    """Progress as lines: on a terminal and in a log alike. With JSON on standard error, so that the answer stays alone."""

    def __init__(self, as_json: bool) -> None:
        self._err, self._last = as_json, ""

    def __call__(self, progress: Progress) -> None:
        """A line when something new is to be said."""
        step = progress.step
        line = {
            "completed": f"  ok    {step.title}: {step.promise}",
            "waiting": f"  …     {step.title}: {progress.text}",
            "failed": f"  !     {step.title}: {progress.text}",
            "act": f"  do    {step.title}",
        }[progress.event]
        if line != self._last:
            click.echo(line, err=self._err)
        self._last = line
        if progress.event == "act":
            click.echo(wrapped(f"          {progress.text}", " " * 14), err=self._err)


def _is_terminal() -> bool:
    return sys.stdin.isatty()
