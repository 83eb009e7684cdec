"""What `isthmus agent setup` says, to people and to programs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from isthmus import cli
from isthmus.cli.setup import SetupManner
from tests.fakes.machine import FakeMachine
from tests.fakes.surroundings import FakeSurroundings
from tests.isthmus.agent_setup.setting import PASSWORD, ROOT_SHOWN, FakeRelay, surroundings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def relay(tmp_path: Path) -> FakeRelay:
    made = FakeRelay(tmp_path)
    made.checks.append({"name": "dc1: TLS", "status": "warn", "seen": "ends soon", "remedy": "Renew it."})
    made.checks.append({"name": "sign-in of anna", "status": "pass", "seen": "success", "remedy": ""})
    return made


@pytest.fixture
def machine(relay: FakeRelay) -> FakeMachine:
    return relay.machine()


@pytest.fixture
def run(relay: FakeRelay, machine: FakeMachine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command on the machine in memory, where nobody is at the terminal: exit code, output, errors."""

    def around() -> FakeSurroundings:
        return surroundings(identity=relay.identity_on(machine))

    monkeypatch.setattr("isthmus.cli.agent_setup.PosixMachine", lambda: machine)
    monkeypatch.setattr("isthmus.cli.agent_setup.RealSurroundings", around)

    def run(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["agent", "setup", *map(str, arguments)])
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def options(relay: FakeRelay, tmp_path: Path) -> list[str]:
    """Those of a first run; secrets in files."""
    files = {"token": relay.token().text, "service-password": PASSWORD, "test-password": "Anna-Strait-9"}
    given = ["--service-user", "svc", "--accept-fingerprint", ROOT_SHOWN.printed_fingerprint, "--domain", "corp.example.com"]
    for name, secret in files.items():
        path = tmp_path / name
        path.touch(0o600)
        path.write_text(secret)
        given += [f"--{name}-file", str(path)]
    return given


def test_it_says_what_it_did_and_what_is_next(run: Run, options: list[str]) -> None:
    """Warnings of the check, the test sign-in, the log; no secret in any of it."""
    code, out, err = run(*options, "--test-user", "anna")
    assert code == 0
    assert "warning: dc1: TLS: ends soon" in out
    assert "test: sign-in of anna: success" in out
    assert "journalctl -u isthmus-agent" in out
    assert not [secret for secret in (PASSWORD, "Anna-Strait-9", "isth1.") if secret in out + err]


def test_programs_get_values(run: Run, options: list[str]) -> None:
    """Standard output holds nothing else."""
    code, out, _ = run(*options, "--json")
    told = json.loads(out)
    assert code == 0
    assert (told["directory"], told["start"], told["test_sign_in"]) == ("corp.example.com", None, [])
    assert {step["result"] for step in told["steps"]} == {"done"}
    assert json.loads(run(*options, "--json")[1])["steps"][0]["result"] == "already"


def test_without_systemd_it_prints_what_to_start(run: Run, options: list[str], machine: FakeMachine) -> None:
    """A whole command, for root: it becomes the agent's user by itself."""
    machine.systemd = False
    assert "agent run --config /etc/isthmus/agent.toml" in run(*options)[1]


def test_a_test_sign_in_that_fails_is_exit_code_1(
    run: Run, options: list[str], relay: FakeRelay, machine: FakeMachine
) -> None:
    """Although the agent is set up."""
    relay.checks[-1] = {"name": "sign-in of anna", "status": "fail", "seen": "wrong_credential", "remedy": ""}
    code, out, _ = run(*options, "--test-user", "anna")
    assert (code, "test: sign-in of anna: wrong_credential" in out) == (1, True)
    assert machine.enabled == {"isthmus-agent"}


def test_somebody_at_a_terminal_is_shown_what_to_decide(
    relay: FakeRelay, machine: FakeMachine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fingerprint to compare, what is wrong with an answer, and every step before the first one is done."""
    manner = SetupManner(asks=True, replace=False, dry_run=False, as_json=False)
    monkeypatch.setattr("isthmus.cli.agent_setup.manner_of", lambda given, as_json: manner)
    typed = ["bad", relay.token().text, "", "y", "svc", "wrong", PASSWORD, "y", ""]
    done = CliRunner().invoke(cli.cli, ["agent", "setup"], input="\n".join(typed) + "\n")
    assert done.exit_code == 0, done.output
    assert f"SHA-256 {ROOT_SHOWN.printed_fingerprint}" in done.output
    assert "refuses svc: data 52e" in " ".join(done.output.split())
    assert done.output.index("user isthmus-agent: will be created") < done.output.index("user isthmus-agent: created")
    assert machine.enabled == {"isthmus-agent"}
    assert not [secret for secret in (PASSWORD, "isth1.W") if secret in done.output]


def test_whoever_does_not_trust_a_certificate_changes_nothing(
    relay: FakeRelay, machine: FakeMachine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No is the default."""
    manner = SetupManner(asks=True, replace=False, dry_run=False, as_json=False)
    monkeypatch.setattr("isthmus.cli.agent_setup.manner_of", lambda given, as_json: manner)
    done = CliRunner().invoke(cli.cli, ["agent", "setup"], input=f"{relay.token().text}\n\n\n")
    assert "not accepted" in str(done.exception)
    assert machine.changes == 0


def test_a_dry_run_changes_nothing(run: Run, options: list[str], machine: FakeMachine) -> None:
    """It says each step."""
    code, out, _ = run(*options, "--dry-run")
    assert (code, machine.changes) == (0, 0)
    assert "user isthmus-agent: will be created" in out


def test_nobody_is_asked_where_nobody_is(run: Run) -> None:
    """The options that are missing are named."""
    code, _, err = run("--yes")
    assert (code, "--token-file" in err) == (1, True)
