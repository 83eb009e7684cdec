"""`isthmus agent`."""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path

import click

from foundation.times import minute
from isthmus import logging
from isthmus.agent_settings import AgentSettings
from isthmus.cli.lazy import LazyGroup
from isthmus.cli.output import (
    REFUSED,
    UNREACHABLE,
    Failure,
    config_option,
    emit_json,
    json_log_option,
    json_option,
    reporting,
    run_async,
)
from isthmus.cli.passwords import password_of
from isthmus.cli.reports import FailOn, exit_if, fail_on_option, finding_data, print_finding
from isthmus.cli.state import load_as_owner
from isthmus.process import ServiceProcess
from isthmus.scheduling import take_turns
from isthmus.service_manager import ServiceManager

agent_config = config_option("/etc/isthmus/agent.toml")


_HERE = "isthmus.cli.agent"
_PARTS = {
    "setup": ("isthmus.cli.agent_setup:setup", "Set up an agent on this machine: user, files, enrolment, service."),
    "enrol": (f"{_HERE}:enrol", "Enrol this machine: request a certificate from the relay."),
    "run": (f"{_HERE}:run", "Serve until SIGTERM or SIGINT."),
    "check": (f"{_HERE}:check", "Find out what is wrong with this agent."),
}


@click.group("agent", cls=LazyGroup, parts=_PARTS)
def command() -> None:
    """The agent (on premises): set up, enrol, run, check. It opens no port to the network, and only connects outbound."""


def _load(path: Path, *, makes: bool = False) -> AgentSettings:
    """Root is the owner of the agent's state_dir from then on."""
    return load_as_owner(path, AgentSettings, lambda settings: settings.state_dir, kind="agent", makes=makes)


@click.command()
@agent_config
@click.option("--token", envvar="ISTHMUS_TOKEN", show_envvar=True, help="Token from `isthmus relay token`.")
@click.option("--token-file", type=click.Path(path_type=Path), help="File with the token, or - for standard input.")
@json_option
def enrol(config: Path, token: str | None, token_file: Path | None, as_json: bool) -> None:
    """Generate this machine's key and request its certificate from the relay. The key never leaves this machine.

    \b
    Examples:
      isthmus agent enrol --token-file -           paste the token, Return, Ctrl-D
      isthmus agent enrol --token-file - < token
    """
    from certs import CertsError
    from gateway.agent import AgentError, EnrolmentFailed
    from gateway.agent import enrol as redeem

    if token_file is not None:
        try:
            with click.open_file(str(token_file)) as file:
                token = file.read().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Failure(f"--token-file {token_file}: cannot be read ({error})") from error
    if not token:
        raise click.UsageError("Give --token or --token-file.")
    settings = _load(config, makes=True)  # after the token, whose file may be root's
    try:
        identity = run_async(redeem(settings.core, settings.state_dir, token, time.time()))
    except EnrolmentFailed as error:
        raise Failure(str(error), REFUSED if error.refused else UNREACHABLE) from error
    except (CertsError, AgentError) as error:
        raise Failure(str(error)) from error
    if as_json:
        emit_json({"name": identity.name, "certificate_ends": identity.not_after, "serial": f"{identity.serial:x}"})
        return
    click.echo(f"Enrolled as {identity.name}; the certificate ends {minute(identity.not_after)} and renews itself.")
    click.echo(f"Next: isthmus agent check --config {config}, then isthmus agent run --config {config}")


@click.command()
@agent_config
@json_log_option
@click.pass_obj
def run(debug: bool, config: Path, as_json: bool) -> None:
    """Serve until SIGTERM or SIGINT, then finish requests in progress. SIGHUP reloads the settings.

    \b
    Example:
      isthmus agent run --config /etc/isthmus/agent.toml
    """
    import directory
    from certs import CertsError
    from gateway.agent import AgentError
    from isthmus.agent_process import serve

    process = ServiceProcess(ServiceManager.from_environment())
    settings = _load(config)
    level = "debug" if debug else ""
    logging.set_up(level or settings.log.level, "json" if as_json else settings.log.format)
    take_turns()
    with reporting(AgentError, CertsError, directory.DirectoryError):
        run_async(serve(settings, config, process, software=version("isthmus"), level=level))


@click.command()
@agent_config
@click.option("--user", help="Also check this user's password, as in a sign-in. Prompts for the password.")
@click.option(
    "--password-file", metavar="FILE", help="With --user: file with the password, mode 0600, or - for standard input."
)
@click.option(
    "--at-page", is_flag=True, help="With --user: also sign in at the relay's page, through any agent, and sign out again."
)
@fail_on_option
@json_option
def check(config: Path, user: str | None, password_file: str | None, at_page: bool, fail_on: FailOn, as_json: bool) -> None:
    """Find out what is wrong with this agent.

    Checks this machine and its clock, the path to the relay and whether it accepts this agent, each domain controller, the
    service account's permissions, and the domain's names and lockout policies.

    Each line passes, warns or fails, with a remedy. Nothing is changed, and a running agent is not affected.

    \b
    Exit codes: 0 nothing failed, 1 something failed (with --fail-on warning:
                or warns), 2 wrong usage.

    \b
    Examples:
      isthmus agent check
      isthmus agent check --user anna@corp.example.com --at-page
      isthmus agent check --json --fail-on warning
    """
    from isthmus.check import TrialSignIn, check_agent

    if at_page and not user:
        raise click.UsageError("--at-page needs --user.")
    password = password_of(user, password_file)  # first: it may be root's alone
    settings = _load(config)
    sign_in = TrialSignIn(user, password, at_page) if user else None
    found = run_async(check_agent(settings, sign_in, on_finding=None if as_json else print_finding))
    if as_json:
        emit_json([finding_data(finding) for finding in found])
    exit_if(fail_on, found)
