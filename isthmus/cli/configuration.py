"""`isthmus config`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from isthmus.cli.output import Failure, emit_json, json_option
from settings import SettingsFileError, UnusableFile, load_settings, read_toml
from settings import example as example_of


@click.group("config")
def command() -> None:
    """Settings files: print an example, check one."""


KINDS = ("relay", "agent", "adfs")


def model_of(kind: str) -> tuple[type[Any], str, dict[str, str]]:
    """Of a kind: its model, the first line of its example, and values for what has no default."""
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
    from isthmus.agent_settings import AgentSettings

    required = {
        "state_dir": '"/var/lib/isthmus-agent"',
        "directories.name": '"corp.example.com"',
        "directories.domain": '"corp.example.com"',
        "directories.base_dn": '"DC=corp,DC=example,DC=com"',
        "directories.netbios_name": '"CORP"',
        "directories.service_user": '"isthmus-agent@corp.example.com"',
        "directories.service_password_file": '"/etc/isthmus/service.password"',
        "directories.tls.ca_file": '"/etc/isthmus/domain-ca.pem"',
    }
    return AgentSettings, headline, required


@command.command()
@click.argument("kind", type=click.Choice(KINDS))
@json_option
def example(kind: str, as_json: bool) -> None:
    """Print a complete, commented settings file.

    \b
    Examples:
      isthmus config example relay > /etc/isthmus/relay.toml
      isthmus config example agent > /etc/isthmus/agent.toml
      isthmus config example adfs > /etc/isthmus/adfs.toml
    """
    text = example_of(*model_of(kind))
    if as_json:
        emit_json({"kind": kind, "text": text})
    else:
        click.echo(text, nl=False)


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--kind", type=click.Choice(KINDS), help="Whose it is; guessed from its tables otherwise.")
@json_option
def check(file: Path, kind: str | None, as_json: bool) -> None:
    """Check a settings file and name every error with its key and line. Exit code 1 where there is one.

    Nothing is connected to, and the files that it names are not opened: `isthmus agent check` does that for an agent,
    the first start for a relay.

    \b
    Examples:
      isthmus config check /etc/isthmus/relay.toml
      isthmus config check agent.toml --json | jq -r '.problems[].key'
    """
    kind = kind or _guess(file)
    try:
        load_settings(file, model_of(kind)[0])
    except SettingsFileError as error:
        if not as_json:
            raise Failure(str(error)) from error
        problems = [asdict(problem) | {"file": str(problem.file)} for problem in error.problems]
        emit_json({"file": str(file), "kind": kind, "ok": False, "problems": problems})
        raise SystemExit(1) from error
    if as_json:
        emit_json({"file": str(file), "kind": kind, "ok": True, "problems": []})
    else:
        click.echo(f"{file}: good settings for isthmus {kind}")


def _guess(file: Path) -> str:
    try:
        tables = read_toml(file).data
    except UnusableFile:  # what is wrong with it is told by the check itself
        return "agent"
    if "server" in tables:
        return "relay"
    return "adfs" if "farms" in tables else "agent"
