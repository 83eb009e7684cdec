"""`isthmus relay setup`: the whole way on a machine in memory, killed at every change, and once on this one."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from demo.stand import free_port
from isthmus.setup import FileAccess, ProgramFailed
from tests.fakes.machine import UID, FakeMachine, Killed
from tests.isthmus.conftest import Run
from tests.isthmus.relay_setup.conftest import STATE, bare_machine
from tests.isthmus.test_ownership import ENVIRONMENT, NOBODY, PYTHON, ROOT, owners

pytestmark = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root sets a machine up")
SETTINGS = Path("/etc/isthmus/relay.toml")
UNIT = Path("/etc/systemd/system/isthmus-relay.service")
FLAGS = (
    *("relay", "setup", "--public-url", "localhost", "--organisation", "Example", "--domain", "corp.example.com"),
    *("--tls-certificate", "/root/tls/cert.pem", "--tls-key", "/root/tls/key.pem", "--name", "relay1", "--yes"),
)


@pytest.fixture(autouse=True)
def in_memory(machine: FakeMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command finds this machine."""
    monkeypatch.setattr("isthmus.cli.relay.setup.PosixMachine", lambda: machine)


def test_two_machines_need_no_more_than_what_is_printed(run: Run, machine: FakeMachine) -> None:
    """Everything is there and runs; the agent's command, and its token beside it, are the last lines."""
    code, out, err = run(*FLAGS)
    assert (code, err) == (0, "")
    assert machine.files[STATE].access == FileAccess(UID, UID, 0o700)
    assert machine.files[Path("/etc/isthmus/relay.key")].access == FileAccess(0, UID, 0o640)
    assert machine.files[SETTINGS].access == FileAccess(0, UID, 0o640)
    assert machine.enabled == {"isthmus-relay"}
    assert out.splitlines()[-5].startswith("Next, on the agent's machine, before 20")
    assert [line.strip() for line in out.splitlines()[-4:]] == [
        "isthmus agent setup",
        "(with --relay-ca-file FILE where that machine does not know the CA of the relay's certificate)",
        "It asks for this token, which can be used once:",
        "isth1.token",
    ]
    assert "The relay is running at https://localhost\n" in out
    domains = ["--domain", "corp.example.com", "--domain", "CORP", "--domain", "*"]
    assert machine.asked_for == [["relay", "token", "--config", str(SETTINGS), "--name", "agent-1", *domains, "--json"]]


def test_a_copy_is_told_with_what_renews_it(run: Run, machine: FakeMachine) -> None:
    """A certificate that is renewed elsewhere would not be served otherwise."""
    out = run(*FLAGS)[1]
    assert "  install -m 0644 /root/tls/cert.pem /etc/isthmus/relay.crt\n" in out
    assert '  install -m 0640 -g "$(id -g isthmus-relay)" /root/tls/key.pem /etc/isthmus/relay.key\n' in out
    machine.put("/root/tls/cert.pem", machine.read(Path("/root/tls/cert.pem")) + b"\n", 0o600)
    assert "/etc/isthmus/relay.crt: changed" in run(*FLAGS)[1]


def test_no_secret_is_shown(run: Run, machine: FakeMachine, pair: tuple[bytes, bytes]) -> None:
    """Neither the key that is copied, nor what the settings name."""
    _, out, _ = run(*FLAGS)
    assert "PRIVATE KEY" not in out
    assert pair[1].decode().splitlines()[1] not in out


def test_a_second_run_changes_nothing(run: Run, machine: FakeMachine) -> None:
    """Nothing has to be answered again but the domains, which nothing says before an agent is enrolled."""
    run(*FLAGS)
    changes = machine.changes
    code, out, _ = run("relay", "setup", "--yes", "--domain", "corp.example.com")
    assert code == 0
    assert machine.changes == changes
    assert f"{SETTINGS}: already so" in out


def test_an_agent_that_is_enrolled_gets_no_other_token(run: Run, machine: FakeMachine) -> None:
    """And its domains need not be said again."""
    run(*FLAGS)
    machine.agents = [{"name": "agent-1", "domains": ["corp.example.com", "corp", "*"], "revoked_at": None}]
    _, out, _ = run("relay", "setup", "--yes")
    assert "agent-1 is enrolled. For one more agent: isthmus relay setup --agent NAME" in out
    assert len(machine.asked_for) == 1
    _, out, _ = run("relay", "setup", "--yes", "--agent", "agent-2", "--json")
    assert json.loads(out)["token"] == "isth1.token"
    assert machine.asked_for[-1][5:] == [
        *("agent-2", "--domain", "corp.example.com", "--domain", "CORP", "--domain", "*", "--json"),
    ]


def test_killed_at_each_change_and_started_again_it_ends_the_same_way(
    run: Run, machine: FakeMachine, pair: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the change and after it."""
    run(*FLAGS)
    whole = machine.state()
    for number, after in itertools.product(range(1, machine.changes + 1), (False, True)):
        interrupted = bare_machine(pair)
        interrupted.kill_at, interrupted.kill_after = number, after
        monkeypatch.setattr("isthmus.cli.relay.setup.PosixMachine", lambda machine=interrupted: machine)
        with pytest.raises(Killed):
            run(*FLAGS)
        assert run(*FLAGS)[0] == 0
        assert interrupted.state() == whole, (number, after)


def test_settings_that_somebody_changed_are_not_overwritten(run: Run, machine: FakeMachine) -> None:
    """The difference is shown, and nothing else is done; `--replace` agrees to it."""
    run(*FLAGS)
    mine = machine.read(SETTINGS).replace(b'"Example"', b'"Ours"').replace(b"# colour =", b"colour =")
    machine.put(str(SETTINGS), mine, 0o640, 0, UID)
    code, out, err = run(*FLAGS)
    assert code == 1
    assert '-organisation = "Ours"' in out
    assert "repeat the command with --replace" in err
    assert machine.read(SETTINGS) == mine
    assert run(*FLAGS, "--replace")[0] == 0
    assert machine.read(SETTINGS) == mine.replace(b'"Ours"', b'"Example"')


def test_a_certificate_for_another_name_ends_it_before_anything_is_done(run: Run, machine: FakeMachine) -> None:
    """The option is named, and the reason told."""
    code, _, err = run(*FLAGS, "--public-url", "https://signin.example.com")
    assert code == 1
    assert "--tls-certificate: " in err
    assert "the certificate is not for signin.example.com, but for localhost, 127.0.0.1" in err
    assert machine.changes == 0


def test_what_is_missing_is_named(run: Run, machine: FakeMachine) -> None:
    """All of it."""
    code, _, err = run("relay", "setup", "--public-url", "localhost")
    assert code == 1
    assert "--organisation" in err
    assert "--domain" in err
    assert machine.changes == 0


def test_a_dry_run_changes_nothing(run: Run, machine: FakeMachine) -> None:
    """It shows each step."""
    code, out, _ = run(*FLAGS, "--dry-run")
    assert code == 0
    assert "user isthmus-relay: will be created" in out
    assert "service isthmus-relay: will be enabled and started" in out
    assert machine.changes == 0


def test_settings_that_the_relay_would_not_take_end_it_before_it_starts(run: Run, machine: FakeMachine) -> None:
    """What `config check` says is told."""

    def refuse(*_: object) -> str:
        raise ProgramFailed(["isthmus", "config"], 1, "Error: relay.toml cannot be used:\n  server.x (line 3): wrong\n")

    machine.commands["config", "check"] = refuse
    code, _, err = run(*FLAGS)
    assert code == 1
    assert "server.x (line 3): wrong" in err
    assert machine.started == {}


def test_an_installation_in_roots_home_is_told(run: Run, machine: FakeMachine) -> None:
    """Before a service is started that could not run."""
    machine.readable.clear()
    code, _, err = run(*FLAGS)
    assert code == 1
    assert "isthmus-relay cannot read it. Install it where every user can read it" in err


def test_without_systemd_it_says_what_to_start(run: Run, machine: FakeMachine) -> None:
    """And has done all the rest, the token included."""
    machine.systemd = False
    code, out, _ = run(*FLAGS)
    assert code == 0
    assert f"  isthmus relay run --config {SETTINGS}\n" in out
    assert "  isth1.token\n" in out
    assert UNIT not in machine.files
    shown = json.loads(run(*FLAGS, "--json")[1])
    assert shown["start"] == f"isthmus relay run --config {SETTINGS}"


def test_what_does_not_pass_a_check_is_shown(run: Run, machine: FakeMachine) -> None:
    """But that no agent is enrolled, which comes next. What fails is exit code 1, and the token is there all the same."""
    found = [
        {"name": "keys", "status": "pass", "seen": "of relay1", "remedy": ""},
        {"name": "backup", "status": "warn", "seen": "none was made here", "remedy": "Make one"},
        {"name": "agents", "status": "fail", "seen": "none is enrolled", "remedy": "isthmus relay token"},
    ]

    def check(*_: object) -> str:
        raise ProgramFailed(["isthmus", "relay", "check"], 1, "", json.dumps(found))

    machine.commands["relay", "check"] = check
    code, out, _ = run(*FLAGS)
    assert code == 0
    assert "WARN  backup: none was made here\n      Make one\n" in out
    assert "of relay1" not in out
    assert "none is enrolled" not in out
    found[1] = {"name": "database", "status": "fail", "seen": "damaged", "remedy": "Restore a backup"}
    code, out, _ = run(*FLAGS)
    assert code == 1
    assert "FAIL  database: damaged" in out
    assert "  isth1.token\n" in out
    shown = json.loads(run(*FLAGS, "--json")[1])
    assert [finding["name"] for finding in shown["findings"]] == ["database"]


def test_a_file_with_answers(run: Run, machine: FakeMachine, tmp_path: Path) -> None:
    """An option counts before it."""
    answers = tmp_path / "answers.toml"
    answers.write_text(
        'public_url = "localhost"\ncertificate = "proxy"\ntrusted_proxies = ["10.0.0.1"]\norganisation = "File"\n'
        'domains = ["corp.example.com"]\nnetbios_names = []\nbare_names = false\n'
    )
    assert run("relay", "setup", "--answers", answers, "--organisation", "Option")[0] == 0
    assert b'organisation = "Option"' in machine.read(SETTINGS)
    assert b'trusted_proxies = ["10.0.0.1"]' in machine.read(SETTINGS)
    assert machine.asked_for[0][-3:] == ["--domain", "corp.example.com", "--json"]


def test_an_acme_server_issues_the_first_certificate(run: Run, machine: FakeMachine) -> None:
    """After there is a directory for it, and before the settings are checked and the relay starts."""
    done: list[str] = []

    def issue(machine: FakeMachine, _arguments: Sequence[str], _text: str) -> str:
        done.append("issued")
        machine.put(str(STATE / "https" / "certificate.pem"), "chain", 0o600, UID, UID)
        return ""

    def check(machine: FakeMachine, _arguments: Sequence[str], _text: str) -> str:
        done.append("checked")
        return ""

    machine.commands["relay", "renew-certificate"] = issue
    machine.commands["config", "check"] = check
    flags = ("relay", "setup", "--public-url", "signin.test", "--organisation", "Example", "--domain", "corp.example.com")
    code, out, err = run(*flags, "--certificate", "acme", "--acme-terms", "--yes")
    assert (code, err) == (0, "")
    assert done == ["issued", "checked"]
    assert "issued by the ACME server; the relay renews it" in out
    assert run(*flags, "--yes")[0] == 0
    assert done.count("issued") == 1


# -- for real


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that others may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="isthmus-setup-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.system
@pytest.mark.skipif(not PYTHON, reason="needs an installation that other users can read")
def test_killed_and_started_again_on_this_machine(home: Path, pair: tuple[bytes, bytes]) -> None:
    """SIGKILL when the state directory has been made; the same command completes it, for a user that is there already."""
    (home / "tls").mkdir(mode=0o700)
    for name, content in zip(("cert.pem", "key.pem"), pair, strict=True):
        (home / "tls" / name).write_bytes(content)
    flags = (
        *("relay", "setup", "--config", home / "etc" / "relay.toml", "--state-dir", home / "state", "--user", "nobody"),
        *("--public-url", f"https://localhost:{free_port()}", "--metrics-listen", f"127.0.0.1:{free_port()}", "--yes"),
        *("--tls-certificate", home / "tls" / "cert.pem", "--tls-key", home / "tls" / "key.pem"),
        *("--organisation", "Example", "--domain", "corp.example.com", "--json"),
    )
    command = [PYTHON, "-m", "isthmus", *map(str, flags)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, cwd=ROOT) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(f"directory {home / 'state'}".encode()):
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=ENVIRONMENT, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    assert shown["token"].startswith("isth1.")
    assert owners(home / "state") == {(NOBODY.uid, NOBODY.gid)}
    assert (home / "state" / "secret.key").exists()
    access = (home / "etc" / "relay.key").stat()
    assert (access.st_uid, access.st_gid, access.st_mode & 0o777) == (0, NOBODY.gid, 0o640)
