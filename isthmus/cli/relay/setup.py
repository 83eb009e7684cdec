"""`isthmus relay setup`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from foundation.times import minute
from isthmus.cli.output import REFUSED, Failure, emit_json, json_option, reporting
from isthmus.cli.relay.context import relay_config
from isthmus.cli.reports import show_finding
from isthmus.cli.setup import SetupManner, interview, manner_of, setup_options, take_steps
from isthmus.relay_settings import RelaySettings
from isthmus.relay_setup import (
    AGENT,
    CERTIFICATE_FILES,
    INITIALISED,
    QUESTIONS,
    QUESTIONS_ABOUT_HTTPS,
    USER,
    Observed,
    RelayPlan,
    check_certificate,
    known_answers,
    known_domains,
    make_plan,
    relay_steps,
    token_domains,
)
from isthmus.setup import (
    Answers,
    Interview,
    Machine,
    NotEditable,
    PosixMachine,
    ProgramFailed,
    SetupError,
    StepReport,
    isthmus_command,
)
from isthmus.terminal import visible_lines
from settings import SettingsFileError, load_settings


@click.command()
@relay_config
@setup_options(QUESTIONS)
@json_option
def setup(config: Path, as_json: bool, **given: Any) -> None:
    """Set up this machine as a relay. Asks its questions, then does the rest.

    It creates the relay's user, directories, settings and keys, starts the service, and prints a token for the first
    agent. Run it as root. It keeps what is already in place: run it again to continue after an interruption, or to change
    an answer.

    \b
    Examples:
      isthmus relay setup
      isthmus relay setup --answers relay-answers.toml --yes
      isthmus relay setup --public-url https://signin.example.com \\
        --tls-certificate signin.crt --tls-key signin.key \\
        --organisation Example --domain corp.example.com --yes
    """
    if os.geteuid() != 0:
        raise Failure("a setup makes a user, and files that are root's: run it as root")
    config = config.absolute()
    machine: Machine = PosixMachine()
    manner = manner_of(given, as_json=as_json)
    with reporting(SetupError, SettingsFileError, NotEditable, ProgramFailed, OSError):
        existing = machine.read(config) if machine.entry(config) is not None else None
        asked = interview(QUESTIONS, given, manner, _known(config, existing, machine))
        if manner.asks:  # whoever is there need not answer the rest before a wrong file is told
            asked.put(QUESTIONS_ABOUT_HTTPS)
            _certificate_files(asked, machine)
        answers = asked.put(QUESTIONS)
        files = _certificate_files(asked, machine)
        plan = make_plan(answers, _observed(config, existing, answers, files, machine))
        agents = _agents(plan.config, plan.state_dir, machine)
        reports = take_steps(relay_steps(plan), machine, manner)
        if manner.dry_run:
            return
        outcome = _finish(plan, answers, reports, agents, machine)
    _show(outcome, manner)
    if any(finding["status"] == "fail" for finding in outcome.findings):
        raise SystemExit(REFUSED)


def _known(config: Path, existing: bytes | None, machine: Machine) -> dict[str, str]:
    """What an earlier setup answered."""
    if existing is None:
        return {}
    settings = load_settings(config, RelaySettings, existing)
    known = known_answers(settings)
    state = machine.entry(settings.server.state_dir)
    owner = machine.user_name(state.access.uid) if state is not None and state.access.uid else None
    if owner is not None:
        known[USER.key] = owner
    return known | known_domains(_agents(config, settings.server.state_dir, machine))


def _agents(config: Path, state_dir: Path, machine: Machine) -> list[Mapping[str, object]]:
    """Every agent; none before there are settings and keys, and so before anything is done."""
    if machine.entry(config) is None or machine.entry(state_dir / INITIALISED) is None:
        return []
    agents: list[Mapping[str, object]] = json.loads(machine.isthmus(["relay", "agents", "--config", str(config), "--json"]))
    return agents


def _certificate_files(asked: Interview, machine: Machine) -> dict[Path, bytes]:
    """Certificate and key, asked for until they are good for the public address."""
    if CERTIFICATE_FILES[0] not in asked.answers:
        return {}
    while True:
        paths = [asked.answers[question] for question in CERTIFICATE_FILES]
        files = {}
        for path in paths:
            try:
                files[path] = machine.read(path)
            except OSError:
                continue
        wrong = check_certificate(asked.answers, files, machine.now())
        if not wrong:
            return files
        asked.reconsider(CERTIFICATE_FILES, wrong)


def _observed(
    config: Path, existing: bytes | None, answers: Answers, files: Mapping[Path, bytes], machine: Machine
) -> Observed:
    user = machine.user(answers[USER])
    return Observed(
        config=config.absolute(),
        existing=existing,
        files=files,
        closed=frozenset(path for path in files if not machine.readable_by(path, user)),
        systemd=machine.has_systemd(),
        command=isthmus_command(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    plan: RelayPlan
    steps: Sequence[StepReport]
    agent: str
    token: Mapping[str, Any] | None
    """None: this agent is enrolled."""
    findings: Sequence[Mapping[str, Any]]
    """What `isthmus relay check` says of the relay that runs, without what passes; none where none runs."""
    running: bool


def _finish(
    plan: RelayPlan,
    answers: Answers,
    steps: Sequence[StepReport],
    agents: Sequence[Mapping[str, object]],
    machine: Machine,
) -> _Outcome:
    """The first agent's token, where it is not enrolled yet. agents: those that are."""
    name, token = answers[AGENT], None
    if not any(agent["name"] == name and not agent["revoked_at"] for agent in agents):
        domains = [word for domain in token_domains(answers) for word in ("--domain", domain)]
        order = ["relay", "token", "--config", str(plan.config), "--name", name, *domains, "--json"]
        token = json.loads(machine.isthmus(order))
    running = plan.unit is not None or (bool(plan.health_url) and machine.http_status(plan.health_url) == 200)
    findings = _check(plan.config, machine, expects_agents=bool(agents)) if running else []
    return _Outcome(plan=plan, steps=steps, agent=name, token=token, findings=findings, running=running)


def _check(config: Path, machine: Machine, *, expects_agents: bool) -> list[Mapping[str, Any]]:
    """What does not pass. That no agent is enrolled is what comes next, and no finding."""
    try:
        printed = machine.isthmus(["relay", "check", "--config", str(config), "--json"])
    except ProgramFailed as error:
        if not error.printed:
            raise
        printed = error.printed
    found: list[Mapping[str, Any]] = json.loads(printed)
    return [finding for finding in found if finding["status"] != "pass" and (expects_agents or finding["name"] != "agents")]


def _show(outcome: _Outcome, manner: SetupManner) -> None:
    start = "" if outcome.running else f"isthmus relay run --config {outcome.plan.config}"
    if manner.as_json:
        emit_json(
            {
                "public_url": outcome.plan.public_url,
                "config": str(outcome.plan.config),
                "steps": [{"title": step.title, "result": step.result, "text": step.text} for step in outcome.steps],
                "findings": list(outcome.findings),
                "start": start or None,
                "agent": outcome.agent,
                "token": outcome.token["text"] if outcome.token else None,
                "token_expires": outcome.token["expires_at"] if outcome.token else None,
            }
        )
        return
    for finding in outcome.findings:
        show_finding(finding["status"], f"{finding['name']}: {finding['seen']}", finding["remedy"], lead="", width=6)
    click.echo(visible_lines("\n".join(_lines(outcome, start))))


def _lines(outcome: _Outcome, start: str) -> list[str]:
    plan = outcome.plan
    lines = [""]
    copies = [copy for copy in plan.copies if copy.source != copy.target]
    if copies:
        lines.append(f"{plan.user} cannot read {' and '.join(str(copy.source) for copy in copies)}: the relay uses copies.")
        lines.append("After each renewal repeat this command with these files, or have the renewal do:")
        mode = {True: f'0640 -g "$(id -g {plan.user})"', False: "0644"}
        lines += [f"  install -m {mode[copy.secret]} {copy.source} {copy.target}" for copy in copies]
    if start:
        lines += ["This machine has no systemd. Start the relay as root (it switches to its own user):", f"  {start}"]
    else:
        lines.append(f"The relay is running at {plan.public_url}")
        changed = any(step.result == "done" and step.title == str(plan.config) for step in outcome.steps)
        if plan.unit is None and changed:
            lines.append("This machine has no systemd. Restart the relay yourself: its settings were changed.")
    if outcome.token is None:
        return [*lines, f"{outcome.agent} is enrolled. For one more agent: isthmus relay setup --agent NAME"]
    return [
        *lines,
        "",
        f"Next, on the agent's machine, before {minute(outcome.token['expires_at'])}:",
        "  isthmus agent setup",
        "(with --relay-ca-file FILE where that machine does not know the CA of the relay's certificate)",
        "It asks for this token, which can be used once:",
        f"  {outcome.token['text']}",
    ]
