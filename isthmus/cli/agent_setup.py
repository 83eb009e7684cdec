"""`isthmus agent setup`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import click

from isthmus.agent_setup import (
    QUESTIONS,
    SERVICE,
    TEST_PASSWORD,
    TEST_USER,
    AgentChecked,
    Preparation,
    Preparer,
    RealSurroundings,
    TrustProposal,
    described,
    known_answers,
    plan_steps,
    read_existing,
    said,
    sign_in_lines,
)
from isthmus.cli.agent import agent_config
from isthmus.cli.output import Failure, emit_json, json_option, reporting
from isthmus.cli.setup import SetupManner, interview, manner_of, setup_options, take_steps
from isthmus.setup import Interview, Machine, PosixMachine, ProgramFailed, SetupError, StepReport, isthmus_command
from isthmus.terminal import visible, visible_lines


@click.command()
@agent_config
@setup_options(QUESTIONS)
@json_option
def setup(config: Path, as_json: bool, **given: Any) -> None:
    """Set up an agent on this machine: user, files, enrolment, check, service.

    Asks for the relay's token and the service account, and reads the rest from
    the directory. You can run it again at any time: it keeps what is already in place, and continues an interrupted setup.

    \b
    Examples:
      isthmus agent setup
      isthmus agent setup --dry-run
      isthmus agent setup --token-file - --domain corp.example.com \\
          --service-user svc-isthmus@corp.example.com \\
          --service-password-file service.password \\
          --accept-fingerprint 9F:2C:…
    """
    if os.geteuid() != 0:
        raise Failure("a setup makes a user, and files that are root's: run it as root")
    manner, machine = manner_of(given, as_json=as_json), PosixMachine()
    with reporting(SetupError, OSError):
        existing = read_existing(machine, config.absolute())
        put = interview(QUESTIONS, given, manner, known_answers(existing, machine))
        prepared = Preparer(put, existing, machine, RealSurroundings(), _Operator(manner)).prepare()
        systemd = machine.has_systemd()
        steps, checked = plan_steps(prepared, systemd=systemd)
        reports = take_steps(steps, machine, manner)
        if manner.dry_run:
            return
        signed_in = _test_sign_in(put, prepared, machine, at_page=systemd)
    if as_json:
        emit_json(_as_values(prepared, reports, checked, signed_in, systemd=systemd))
    else:
        _conclude(prepared, checked, signed_in, systemd=systemd)
    if any(line["status"] == "fail" for line in signed_in):
        raise SystemExit(1)


class _Operator:
    """See `isthmus.agent_setup.Installer`: at a terminal, or nobody."""

    def __init__(self, manner: SetupManner) -> None:
        self._manner = manner

    def tell(self, text: str) -> None:
        click.echo(visible(text), err=True)  # one line, whatever a directory's names hold

    @property
    def can_be_asked(self) -> bool:
        return self._manner.asks

    def accepts(self, proposal: TrustProposal) -> bool | None:
        if not self._manner.asks:
            return None
        click.echo(f"\n{_ROOTS if proposal.roots else _SERVERS}", err=True)
        for certificate in proposal.shown:
            text = f"  {described(certificate)}\n  SHA-256 {certificate.printed_fingerprint}"
            click.echo(visible_lines(text), err=True)
        click.echo(_COMPARE.format(store="Root" if proposal.roots else "My"), err=True)
        return click.confirm("Trust it?" if len(proposal.shown) == 1 else "Trust them?", default=False, err=True)


_ROOTS = "The domain controllers' certificates come from this CA:"
_SERVERS = "The CA of the domain controllers is not known here. These are their own certificates:"
_COMPARE = """Until you accept it, no password is sent. Compare it with what a domain controller shows itself:
  Windows:  Get-ChildItem Cert:\\LocalMachine\\{store} | ForEach-Object {{ $_.Subject; $_.GetCertHashString('SHA256') }}
  others:   openssl x509 -noout -subject -fingerprint -sha256 -in FILE"""


def _test_sign_in(put: Interview, prepared: Preparation, machine: Machine, *, at_page: bool) -> list[dict[str, str]]:
    """The lines of `agent check` about one user; none where nobody was named. at_page: the agent runs, so a sign-in goes all
    the way, from the relay's page to the directory and back."""
    answers = put.put([TEST_USER, TEST_PASSWORD])
    user = answers[TEST_USER]
    if not user:
        return []
    command = ["agent", "check", "--config", str(prepared.config), "--user", user, "--password-file", "-", "--json"]
    command += ["--at-page"] if at_page else []
    try:
        text = machine.isthmus(command, answers[TEST_PASSWORD])
    except ProgramFailed as error:
        text = error.said
    try:
        return sign_in_lines(json.loads(text), user)
    except (ValueError, KeyError, TypeError) as error:
        raise Failure(f"the test sign-in came to nothing: {text.strip()}") from error


def _start_command(prepared: Preparation) -> str:
    return f"{isthmus_command()} agent run --config {prepared.config}"


def _conclude(prepared: Preparation, checked: AgentChecked, signed_in: list[dict[str, str]], *, systemd: bool) -> None:
    for warning in checked.warnings:
        click.echo(visible_lines(f"warning: {warning}"))
    for line in signed_in:
        click.echo(visible_lines(f"test: {said(line)}"))
    if systemd:
        click.echo(f"The agent is running. To see its log: journalctl -u {SERVICE}")
        click.echo("Next: on the relay, `isthmus relay agents` lists it. Set up a second agent on another machine.")
        return
    click.echo("This machine has no systemd. Next: start the agent with this machine's service manager, as root:")
    click.echo(f"  {_start_command(prepared)}")


def _as_values(
    prepared: Preparation,
    reports: list[StepReport],
    checked: AgentChecked,
    signed_in: list[dict[str, str]],
    *,
    systemd: bool,
) -> dict[str, Any]:
    return {
        "config": str(prepared.config),
        "directory": prepared.names.name,
        "steps": [{"title": report.title, "result": report.result, "text": report.text} for report in reports],
        "notes": prepared.names.notes,
        "warnings": checked.warnings,
        "test_sign_in": signed_in,
        "start": None if systemd else _start_command(prepared),
    }
