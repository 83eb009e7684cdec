"""`isthmus config`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from isthmus.cli.output import Failure, emit_json, json_option, reporting
from isthmus.ownership import OwnershipError, become_owner
from isthmus.terminal import visible_lines
from settings import Problem, SettingsFileError, Unfit, UnusableFile, load_settings, locate, read_toml
from settings import example as example_of


@click.group("config")
def command() -> None:
    """Settings files: print an example, check one."""


KINDS = ("relay", "agent", "adfs", "sync")
CHECKED = (*KINDS, "trust")
"""A trust is settings of the relay for one application; docs/reference/settings-trust.md lists them."""


def model_of(kind: str) -> tuple[type[Any], str, dict[str, str]]:
    """Of a kind: its model, the first line of its example, and values for what has no default. See `example_text`."""
    headline = f"Settings of `isthmus {kind}`. What is commented out shows the default."
    if kind == "relay":
        from isthmus.relay_settings import RelaySettings

        required = {
            "server.state_dir": '"/var/lib/isthmus-relay"',
            "server.public_url": '"https://signin.example.com"',
            "server.tls_certificate": '"/etc/isthmus/relay.crt"',
            "server.tls_key": '"/etc/isthmus/relay.key"',
        }
        return RelaySettings, headline, required
    if kind == "adfs":
        from isthmus.adfs_settings import AdfsSettings

        required = {
            "state_dir": '"/var/lib/isthmus-adfs"',
            "farms.name": '"prod"',
            "farms.federation_name": '"fs.example.com"',
            "farms.nodes": '["fs1.corp.example.com", "fs2.corp.example.com"]',
            "farms.proxies": '["wap1.example.com"]',
            "entra.tenant": '"example.com"',
            "entra.client_id": '"00000000-0000-0000-0000-000000000000"',
            "entra.certificate_file": '"/etc/isthmus/entra.pem"',
        }
        return AdfsSettings, headline, required
    if kind == "sync":
        from isthmus.sync_settings import SyncSettings

        return SyncSettings, "", {}
    if kind == "trust":
        from gateway.federation import Trust

        return Trust, "", {}
    from isthmus.agent_settings import AgentSettings

    required = {
        "state_dir": '"/var/lib/isthmus-agent"',
        "directories.name": '"corp.example.com"',
        "directories.domain": '"corp.example.com"',
        "directories.base_dn": '"DC=corp,DC=example,DC=com"',
        "directories.netbios_name": '"CORP"',
        "directories.service_user": '"svc-isthmus@corp.example.com"',
        "directories.service_password_file": '"/etc/isthmus/service.password"',
        "directories.tls.ca_file": '"/etc/isthmus/domain-ca.pem"',
    }
    return AgentSettings, headline, required


def example_text(kind: str) -> str:
    """The example of a kind: made from its model, but for sync, of whose kinds of sources a file has a few, and not all."""
    if kind == "sync":
        return files("isthmus").joinpath("sync_example.toml").read_text(encoding="utf-8")
    return example_of(*model_of(kind))


@command.command()
@click.argument("kind", type=click.Choice(KINDS))
@json_option
def example(kind: str, as_json: bool) -> None:
    """Print a commented settings file.

    \b
    Examples:
      isthmus config example relay > /etc/isthmus/relay.toml
      isthmus config example agent > /etc/isthmus/agent.toml
      isthmus config example adfs > /etc/isthmus/adfs.toml
      isthmus config example sync > /etc/isthmus/sync.toml
    """
    text = example_text(kind)
    if as_json:
        emit_json({"kind": kind, "text": text})
    else:
        click.echo(text, nl=False)


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(CHECKED), help="Kind of settings file. [default: determined from its tables]")
@click.option("--file-only", is_flag=True, help="Check only the file, not this machine, for use on another machine.")
@json_option
def check(file: Path, kind: str | None, file_only: bool, as_json: bool) -> None:
    """Check a settings file or a trust, and report every error with its key and line. The exit code is 1 if there are any.

    Loads everything that the process would load when it starts, as the owner of the state directory if run by root:
    certificates and keys, passwords, logo and texts, the database (without creating anything), addresses to listen on. It
    does not contact a relay or domain controller: use `isthmus relay check` and `isthmus agent check` for that.

    \b
    Examples:
      isthmus config check /etc/isthmus/relay.toml
      isthmus config check --file-only relay.toml
      isthmus config check agent.toml --json | jq -r '.problems[].key'
      isthmus config check trusts/grafana.toml
    """
    kind = kind or _guess(file)
    unchecked: list[Problem] = []
    problems: list[Problem] = []
    warnings: list[str] = []
    try:
        settings = load_settings(file, model_of(kind)[0])
        warnings = _warnings(settings)
        if not file_only and kind != "trust":
            unchecked = _check_machine(file, settings)
    except SettingsFileError as error:
        if not as_json:
            raise Failure(str(error)) from error
        problems = list(error.problems)
    if as_json:
        told = {"file": str(file), "kind": kind, "ok": not problems}
        emit_json(told | {"problems": _as_data(problems), "unchecked": _as_data(unchecked), "warnings": warnings})
    else:
        click.echo(f"{file}: valid settings {'of a trust' if kind == 'trust' else f'for isthmus {kind}'}")
        for problem in unchecked:
            click.echo(visible_lines(f"Not checked: {problem}"))
        for warning in warnings:
            click.echo(f"Warning: {warning}", err=True)
    if problems:
        raise SystemExit(1)


def _warnings(settings: Any) -> list[str]:
    """What works, and should not stay so."""
    if not hasattr(settings, "server"):
        return []
    from gateway.signin import unnamed_warning

    return list(filter(None, [unnamed_warning(settings.server.signin)]))


def _as_data(problems: Sequence[Problem]) -> list[dict[str, object]]:
    return [asdict(problem) | {"file": str(problem.file)} for problem in problems]


def _check_machine(file: Path, settings: Any) -> list[Problem]:
    """Raises SettingsFileError for what is wrong with this machine; what cannot be known."""
    from isthmus.prerequisites import Unchecked, unusable_addresses, unusable_files

    text = read_toml(file).text  # of which the owner may see nothing
    found = list(unusable_addresses(settings))  # as root, who may listen where the service may
    with reporting(OwnershipError):
        become_owner(_state_dir(settings))
    if not os.access(file, os.R_OK):
        remedy = f"let it read the file: chown root:GROUP {file}; chmod 0640 {file}"
        found.append(Unfit("cannot be read by the user that the state directory belongs to", remedy))
    found += unusable_files(settings)
    unchecked = [error for error in found if isinstance(error, Unchecked)]
    problems = locate(file, [error for error in found if not isinstance(error, Unchecked)], text)
    if problems:
        raise SettingsFileError(file, problems)
    return locate(file, unchecked, text)


def _state_dir(settings: Any) -> Path:
    path: Path = settings.server.state_dir if hasattr(settings, "server") else settings.state_dir
    return path


def _guess(file: Path) -> str:
    try:
        tables = read_toml(file).data
    except UnusableFile:  # what is wrong with it is told by the check itself
        return "agent"
    if "server" in tables:
        return "relay"
    if "protocol" in tables:
        return "trust"
    if "sources" in tables or "targets" in tables:
        return "sync"
    return "adfs" if "farms" in tables else "agent"
