"""What `config check` asks the machine: what is in use by right, what cannot be known, and whose files they are."""

from __future__ import annotations

import errno
import json
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from demo.stand import free_port
from demo.throwaway_tls import write_certificates
from foundation.listener import AddressUnavailable
from gateway.agent import HealthServer
from gateway.app import init, serving
from isthmus.agent_settings import AgentSettings
from isthmus.cli import cli
from isthmus.cli.configuration import KINDS, example_text
from isthmus.prerequisites import Unchecked, machine, unusable_addresses, unusable_files
from isthmus.relay_settings import RelaySettings
from settings import Unfit, load_settings
from tests.support.relay_and_agent import server_settings

DIRECTORY = '[[directories]]\nname = "corp.example.com"\nbase_dn = "DC=corp"\nservers = ["dc1"]\n'


@pytest.fixture
def relay(tmp_path: Path) -> RelaySettings:
    return RelaySettings(server=server_settings(tmp_path))


def agent(tmp_path: Path, text: str) -> AgentSettings:
    (tmp_path / "state").mkdir(mode=0o700, exist_ok=True)
    path = tmp_path / "agent.toml"
    path.write_text(f'state_dir = "state"\n{text}')
    return load_settings(path, AgentSettings)


# -- addresses


async def test_what_a_relay_listens_on_that_runs_already_is_in_use_by_right(relay: RelaySettings) -> None:
    """So that the settings of a running one can be checked. Another server there is another matter."""
    init(relay.server, name="relay1", now=time.time())
    host, _, port = relay.server.listen.partition(":")
    async with serving(relay.server):
        assert list(unusable_addresses(relay)) == []
    with socket.create_server((host, int(port))):
        (found,) = unusable_addresses(relay)
    assert found.key == ("server", "listen")
    assert "is in use already" in found.problem


async def test_an_agents_health_address_is_its_own(tmp_path: Path) -> None:
    """It shows an agent's metrics there."""
    import asyncio

    address = f"127.0.0.1:{free_port()}"
    settings = agent(tmp_path, f'core = {{health_listen = "{address}"}}\n{DIRECTORY}')
    for text, expected in ((b"isthmus_relay_connections 1\n", 0), (b"node_exporter 1\n", 1)):
        async with HealthServer(address, lambda: None, lambda: text):  # type: ignore[arg-type, return-value]  # noqa: B023
            assert len(await asyncio.to_thread(lambda: list(unusable_addresses(settings)))) == expected


def test_a_port_that_this_user_may_not_have_is_no_error(relay: RelaySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unit may give the capability; whoever checks by hand lacks it, and is told so."""

    def refuse(host: str, port: int) -> None:
        raise AddressUnavailable(f"{host}:{port}", "may not be listened on by this user", "see the unit", errno.EACCES)

    monkeypatch.setattr(machine, "try_address", refuse)
    (found,) = unusable_addresses(relay)
    assert isinstance(found, Unchecked)


# -- passwords that only the service has


@pytest.mark.parametrize(
    ("line", "setting"),
    [
        (
            'service_password_file = "/run/credentials/isthmus-agent.service/service.password"',
            "service_password_file",
        ),
        ('service_password_env = "ISTHMUS_TEST_NOT_SET"', "service_password_env"),
    ],
)
def test_what_only_the_service_has_cannot_be_known(
    tmp_path: Path, line: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By hand it is told as not checked; in the service itself, as ExecStartPre, it is an error."""
    settings = agent(tmp_path, f'core = {{health_listen = ""}}\n{DIRECTORY}service_user = "svc"\n{line}\n')
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    (found,) = unusable_files(settings)
    assert isinstance(found, Unchecked)
    assert found.key == ("directories", 0, setting)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (found,) = unusable_files(settings)
    assert type(found) is Unfit


def test_what_cannot_be_known_is_told_and_is_no_error(tmp_path: Path) -> None:
    """Exit code 0."""
    agent(
        tmp_path, f'core = {{health_listen = ""}}\n{DIRECTORY}service_user = "svc"\nservice_password_env = "NOT_SET_HERE"\n'
    )
    done = CliRunner().invoke(cli, ["config", "check", str(tmp_path / "agent.toml")])
    assert done.exit_code == 0
    assert "Not checked: directories[0].service_password_env (line 8): NOT_SET_HERE is not set" in done.output
    told = json.loads(CliRunner().invoke(cli, ["config", "check", "--json", str(tmp_path / "agent.toml")]).output)
    assert (told["ok"], [problem["line"] for problem in told["unchecked"]]) == (True, [8])


def test_the_machine_can_be_left_out(tmp_path: Path) -> None:
    """For a file that is used elsewhere: its own errors only."""
    path = tmp_path / "agent.toml"
    path.write_text(f'state_dir = "/nowhere"\n{DIRECTORY}')
    assert CliRunner().invoke(cli, ["config", "check", str(path)]).exit_code == 1
    assert CliRunner().invoke(cli, ["config", "check", "--file-only", str(path)]).exit_code == 0
    path.write_text(f'state_dir = "/nowhere"\n{DIRECTORY}connections = 0\n')
    assert CliRunner().invoke(cli, ["config", "check", "--file-only", str(path)]).exit_code == 1


# -- the shipped examples, their comments followed


@pytest.mark.parametrize("kind", KINDS)
def test_an_example_passes_once_its_comments_are_followed(tmp_path: Path, kind: str) -> None:
    """Each file that it names is made as the comment above it says; ports are ones that are free here."""
    text = example_text(kind)
    text = re.sub(r'"/(etc/isthmus|var/lib)/', f'"{tmp_path}/', text)
    text = re.sub(r'(?m)^# (\w*listen) = "[^"]*"', lambda found: f'{found[1]} = "127.0.0.1:{free_port()}"', text)
    comment, made = "", 0
    for line in text.split("\n"):
        setting = re.fullmatch(rf'(\w+) = "({tmp_path}[^"]*)"', line)
        if setting is not None:
            follow(comment, Path(setting[2]))
            made += 1
        comment = f"{comment} {line[2:]}" if line.startswith("# ") else ""
    assert made >= 2
    path = tmp_path / f"{kind}.toml"
    path.write_text(text)
    done = CliRunner().invoke(cli, ["config", "check", str(path)])
    assert (done.exit_code, done.stdout) == (0, f"{path}: valid settings for isthmus {kind}\n"), done.exception


def follow(comment: str, path: Path) -> None:
    """Make what a comment asks for, with the mode that it names."""
    mode = int(found[1], 8) if (found := re.search(r"mode (0\d{3})", comment)) else 0o644
    made: dict[str, Callable[[], Any]] = {
        "Directory": lambda: path.mkdir(),
        "certificate and key": lambda: path.write_bytes(pem(path.parent, "cert.pem") + pem(path.parent, "key.pem")),
        "private key": lambda: path.write_bytes(pem(path.parent, "key.pem")),
        "CA certificates": lambda: path.write_bytes(pem(path.parent, "ca.pem")),
        "HTTPS certificate": lambda: path.write_bytes(pem(path.parent, "cert.pem")),
        "password": lambda: path.write_text("Sesam-1\n"),
        "token": lambda: path.write_text("a-token\n"),
    }
    next(make for words, make in made.items() if words in comment)()
    path.chmod(mode)


def pem(directory: Path, name: str) -> bytes:
    if not (directory / "tls").exists():
        write_certificates(directory / "tls", dns_name="signin.example.com", address="127.0.0.1")
    return (directory / "tls" / name).read_bytes()


def test_files_of_adfs_settings_are_looked_at(tmp_path: Path) -> None:
    """Secrets that others can read, and certificates that are not there; what is made later is not asked for."""
    (tmp_path / "secret").write_text("Sesam-1\n")
    (tmp_path / "secret").chmod(0o644)
    path = tmp_path / "adfs.toml"
    path.write_text(
        'state_dir = "later"\n[[farms]]\nname = "p"\nfederation_name = "fs.test"\n'
        'synthetic_user = "a@test"\nsynthetic_password_file = "secret"\n[remoting]\ntls_ca_file = "gone.pem"\n'
    )
    told = json.loads(CliRunner().invoke(cli, ["config", "check", "--json", str(path)]).output)
    assert {problem["key"]: problem["line"] for problem in told["problems"]} == {
        "farms[0].synthetic_password_file": 6,
        "remoting.tls_ca_file": 8,
    }
