"""The commands: a plan before each change, a name to type, JSON for programs."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from adfs_mgmt import operations
from isthmus.cli import flow
from isthmus.cli.adfs import servers
from isthmus.cli.output import Failure
from tests.adfs.deploy.support import ADMIN, NAME, NEW, PASSWORD, PRIMARY, PROXY, Scene, VirtualClock, Watched
from tests.adfs.simulator.shell import SimulatedShell

Run = Callable[..., Result]


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    """A farm with a new node and proxy."""
    return Scene(tmp_path)


@pytest.fixture
def run(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Calls a command on the simulator."""
    (tmp_path / "password").write_text(PASSWORD + "\n")
    (tmp_path / "password").chmod(0o600)
    nodes = ", ".join(f'"{node}"' for node in scene.settings.nodes)
    (tmp_path / "adfs.toml").write_text(
        f'state_dir = "."\n[[farms]]\nname = "prod"\nfederation_name = "{NAME}"\nfederation_address = "127.0.0.1"\n'
        f"nodes = [{nodes}]\nhttps_port = 1\n"
    )
    shell = Watched(SimulatedShell(scene.simulator), lambda when, what: scene.on(when, what))
    simulated = functools.partial(
        operations.OperationContext,
        connect=lambda _settings: shell,
        external=scene.external,
        clock=VirtualClock(scene.clock),
    )
    monkeypatch.setattr(operations, "OperationContext", simulated)

    def call(group: click.Group, *arguments: str, typed: str = "") -> Result:
        result = CliRunner().invoke(group, [*arguments, "--config", str(tmp_path / "adfs.toml")], input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit | Failure):
            raise result.exception
        return result

    return call


def add(*more: str) -> tuple[str, ...]:
    """`node add` with the credential for the second hop."""
    return ("add", NEW, "--admin-user", ADMIN, "--admin-password-file", "password", *more)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are named relative to it."""
    monkeypatch.chdir(tmp_path)


def test_a_node_is_added(run: Run, scene: Scene) -> None:
    """Checks, commands, progress and what is left to do are shown; no password is."""
    result = run(servers.node_command, *add("--yes"))
    assert result.exit_code == 0
    assert f"PASS     primary: {PRIMARY} is running and answers" in result.output
    assert "Add-AdfsFarmNode -GroupServiceAccountIdentifier 'CORP\\adfs-svc$'" in result.output
    assert '"title":"check it from outside"' in result.stderr
    assert "health check: HTTP, port 80, /adfs/probe" in result.output
    assert PASSWORD not in result.output
    assert scene.new.node is not None


def test_nothing_happens_without_a_confirmation(run: Run, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A script must say --yes; a person must type the server's name."""
    assert "use --yes" in str(run(servers.node_command, *add()).exception)
    monkeypatch.setattr(flow, "someone_is_there", lambda: True)
    wrong = run(servers.node_command, *add(), typed=f"{PRIMARY}\n")
    assert f"that is not {NEW}; nothing was changed" in str(wrong.exception)
    assert scene.new.features == set()
    assert run(servers.node_command, *add(), typed=f"{NEW}\n").exit_code == 0
    assert scene.new.node is not None


def test_a_plan_is_saved_and_applied(run: Run, scene: Scene) -> None:
    """For the same server only."""
    assert run(servers.node_command, *add("--save", "plan.json")).exit_code == 0
    assert scene.new.features == set()
    wrong = run(servers.node_command, "remove", NEW, "--plan", "plan.json", "--yes")
    assert "has operation node add, not node remove" in str(wrong.exception)
    other = run(servers.node_command, *add("--plan", "plan.json", "--yes", "--service-account", "CORP\\other$"))
    assert "has service account none, not CORP\\other$" in str(other.exception)
    result = run(servers.node_command, *add("--plan", "plan.json", "--yes"))
    assert result.exit_code == 0
    assert scene.new.node is not None


def test_json_is_the_plan_or_with_yes_the_outcome(run: Run) -> None:
    """Nothing else is on standard output."""
    plan = json.loads(run(servers.node_command, *add("--json")).stdout)
    assert plan["wish"]["host"] == NEW
    assert [step["stage"] for step in plan["steps"]] == ["role", "test", "join", "synchronised", "listed", "serves"]
    outcome = json.loads(run(servers.node_command, *add("--json", "--yes")).stdout)
    assert (outcome["kind"], outcome["outcome"]) == ("node add", "done")


def test_failed_checks_end_it(run: Run, scene: Scene) -> None:
    """With the remedy of each."""
    scene.new.store.clear()
    result = run(servers.node_command, *add("--yes"))
    assert "FAIL     SSL certificate" in result.output
    assert "Import-PfxCertificate" in result.output
    assert "checks failed; nothing was changed" in str(result.exception)


def test_what_failed_is_resumed_or_undone(run: Run, scene: Scene) -> None:
    """The error says how; another command for the same server is refused meanwhile."""
    scene.on = lambda when, what: scene.simulator.offline(NEW) if (when, what) == ("before", "Add-AdfsFarmNode") else None
    failure = run(servers.node_command, *add("--yes")).exception
    assert isinstance(failure, Failure)
    assert failure.code == 3
    assert "--resume, or clean up with --undo" in str(failure)
    scene.on = lambda _when, _what: None
    again = run(servers.node_command, *add("--yes"))
    assert (again.output, "node add is in progress on this server: continue with --resume" in str(again.exception)) == (
        "",
        True,
    )
    scene.simulator.online(NEW)
    assert "has operation node add, not node remove" in str(
        run(servers.node_command, "remove", NEW, "--resume", "--yes").exception
    )
    undone = run(servers.node_command, *add("--undo", "--yes")).output
    assert "Cleaned up" in undone
    assert "Left for you" not in undone
    added = run(servers.node_command, *add("--yes"))
    assert added.exit_code == 0
    assert "Left for you:\n  - Add the node to the settings file, under [[farms]] nodes.\n" in added.output


def test_a_proxy_is_added_and_removed(run: Run, scene: Scene) -> None:
    """The thumbprint is the primary's where none is given."""
    given = ("--trust-user", ADMIN, "--trust-password-file", "password", "--yes")
    assert run(servers.proxy_command, "add", PROXY, *given).exit_code == 0
    assert scene.proxy.proxy is not None
    assert run(servers.proxy_command, "remove", PROXY, "--yes").exit_code == 0
    assert scene.proxy.proxy is None


def test_a_node_is_removed(run: Run, scene: Scene) -> None:
    """After it was added."""
    run(servers.node_command, *add("--yes"))
    assert run(servers.node_command, "remove", NEW, "--yes").exit_code == 0
    assert scene.new.node is None


def test_a_farm_is_made(run: Run, scene: Scene) -> None:
    """Its name is the settings'."""
    given = ("--thumbprint", scene.ssl.thumbprint, "--service-account", "CORP\\adfs-svc$", "--admin-user", ADMIN)
    result = run(servers.farm_command, "new", NEW, *given, "--admin-password-file", "password", "--yes")
    assert result.exit_code == 0
    assert scene.new.node is not None
    assert scene.new.node.farm.name == NAME


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--save", "a", "--resume"), "Use only one of"),
        (("--farm", "other"), "no farm other in the settings; available: prod"),
        (("--admin-password-file", "nowhere"), "nowhere cannot be read (No such file or directory)"),
        (("--plan", "nowhere"), "cannot be read"),
    ],
)
def test_wrong_usage_is_explained(run: Run, arguments: tuple[str, ...], said: str) -> None:
    """Before anybody is asked."""
    result = run(servers.node_command, "add", NEW, *arguments)
    explained: Any = result.output + str(result.exception)
    assert said in explained


@pytest.mark.parametrize("option", ["--thumbprint", "--signing", "--decrypting"])
def test_every_thumbprint_may_be_pasted(run: Run, option: str) -> None:
    """With what Windows' dialogs put into it; what is none is told before a server is asked."""
    assert "is not a thumbprint" in run(servers.farm_command, "new", NEW, option, "zz").output
    pasted = "\u200e" + "ab " * 19 + "ab"
    result = run(servers.farm_command, "new", NEW, option, pasted, "--json")
    assert json.loads(result.stdout)["wish"][option.removeprefix("--")] == "AB" * 20


def test_a_server_of_the_settings_is_found_at_its_address(run: Run, tmp_path: Path) -> None:
    """Its name is enough, as in every other command; one that is not there is taken as it is."""
    settings = tmp_path / "adfs.toml"
    written = run(servers.node_command, "add", "New9.corp.example.com", "--json").stdout
    assert json.loads(written)["wish"]["host"] == "New9.corp.example.com"
    settings.write_text(settings.read_text().replace("nodes = [", 'nodes = ["new9.corp.example.com=127.0.0.9", '))
    written = run(servers.node_command, "add", "New9.corp.example.com", "--json").stdout
    assert json.loads(written)["wish"]["host"] == "new9.corp.example.com=127.0.0.9"
