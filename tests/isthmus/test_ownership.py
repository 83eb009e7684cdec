"""Commands that root runs become the owner of state_dir, for real: in processes of their own, with a user that is there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.throwaway_tls import write_certificates
from foundation.actors import this_actor
from gateway.backup import make_key
from isthmus import ownership
from isthmus.setup import PosixMachine, UserIds
from tests.isthmus.test_cli import sign_in

NOBODY = UserIds(65534, 65534)
ROOT = Path(ownership.__file__).parents[1]


def _python() -> str:
    """A Python that nobody can run: ours, or the system's where ours is in root's home. Empty: there is none."""
    if os.name != "posix" or os.geteuid() != 0:
        return ""
    machine = PosixMachine()
    if not machine.readable_by(Path(ownership.__file__), NOBODY):
        return ""
    same = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    places = {sys.executable: Path(os.__file__), same: Path(same)}
    return next((program for program, path in places.items() if path.exists() and machine.readable_by(path, NOBODY)), "")


PYTHON = _python()
ENVIRONMENT = {**os.environ, "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}"}
pytestmark = pytest.mark.skipif(not PYTHON, reason="needs root, and an installation that other users can read")


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory that others may enter, unlike pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="isthmus-owner-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
def config(home: Path) -> Path:
    """Settings that root alone can read, of a relay whose state directory is nobody's."""
    (home / "state").mkdir(mode=0o700)
    os.chown(home / "state", NOBODY.uid, NOBODY.gid)
    path = home / "relay.toml"
    path.write_text(
        '[server]\nstate_dir = "state"\npublic_url = "https://signin.test"\nlisten = "127.0.0.1:1"\nmetrics_listen = ""\n'
    )
    path.chmod(0o600)
    return path


def run(*arguments: object, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, "-m", "isthmus", *map(str, arguments)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=ENVIRONMENT,
        cwd=ROOT,
    )


def owners(directory: Path) -> set[tuple[int, int]]:
    paths = [directory, *directory.rglob("*")]
    return {(path.lstat().st_uid, path.lstat().st_gid) for path in paths}


def test_what_root_makes_in_there_is_the_owners(config: Path) -> None:
    """`relay init`, and `relay token`, which used to leave a database that the relay could not open."""
    done = run("relay", "init", "--config", config, "--name", "relay1")
    assert (done.returncode, done.stderr) == (0, "")
    order = ("relay", "token", "--config", config, "--name", "dc1", "--domain", "corp.example.com", "--json")
    done = run(*order)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["text"].startswith("isth1.")
    assert (config.parent / "state" / "relay.db").exists()
    assert owners(config.parent / "state") == {(NOBODY.uid, NOBODY.gid)}


def test_the_trail_knows_that_it_was_root(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And who called sudo, where nobody signed in: that is looked at before root becomes somebody else."""
    monkeypatch.setitem(ENVIRONMENT, "SUDO_UID", "1")
    monkeypatch.setenv("SUDO_UID", "1")
    run("relay", "init", "--config", config, "--name", "relay1")
    run("relay", "token", "--config", config, "--name", "dc1", "--any-domain")
    (entry,) = json.loads(run("relay", "audit", "list", "--config", config, "--json").stdout)
    assert entry["actor"] == f"admin:{this_actor()}"
    assert "root" in entry["actor"]


@pytest.mark.parametrize("kind", ["relay", "agent"])
def test_root_makes_no_state_directory(home: Path, kind: str) -> None:
    """It cannot know for whom; what to do is said."""
    path = home / f"{kind}.toml"
    relay = '[server]\nstate_dir = "state"\npublic_url = "https://signin.test"\nlisten = "127.0.0.1:1"\n'
    agent = 'state_dir = "state"\n[[directories]]\nname = "corp"\nbase_dn = "DC=corp"\nservers = ["127.0.0.1:1"]\n'
    path.write_text({"relay": relay, "agent": agent}[kind])
    command = {"relay": ("init",), "agent": ("enrol", "--token-file", "-")}[kind]
    done = run(kind, *command, "--config", path, text="isth1.x")
    assert done.returncode == 1
    assert f"Run `isthmus {kind} setup`" in done.stderr
    assert f"install -d -m 0700 -o USER -g USER {home / 'state'}" in done.stderr
    assert not (home / "state").exists()


def test_a_token_that_only_root_can_read(home: Path) -> None:
    """It is read before the command becomes somebody else; what fails here is the token, not its file."""
    (home / "state").mkdir(mode=0o700)
    os.chown(home / "state", NOBODY.uid, NOBODY.gid)
    path = home / "agent.toml"
    path.write_text('state_dir = "state"\n[[directories]]\nname = "corp"\nbase_dn = "DC=corp"\nservers = ["127.0.0.1:1"]\n')
    token = home / "token"
    token.write_text("isth1.damaged")
    token.chmod(0o600)
    done = run("agent", "enrol", "--config", path, "--token-file", token)
    assert done.returncode == 1
    assert "damaged" in done.stderr
    assert "cannot be read" not in done.stderr


def test_settings_are_checked_as_the_owner(config: Path) -> None:
    """What root can read, and the relay cannot, is named: its key, a database that root made, the settings themselves."""
    home = config.parent
    write_certificates(home / "tls", dns_name="signin.test", address="127.0.0.1")
    (home / "tls").chmod(0o755)
    config.write_text(config.read_text() + 'tls_certificate = "tls/cert.pem"\ntls_key = "tls/key.pem"\n')
    (home / "state" / "relay.db").touch(mode=0o600)
    done = run("config", "check", config, "--json")
    assert done.returncode == 1, done.stderr
    problems = {problem["key"]: problem for problem in json.loads(done.stdout)["problems"]}
    assert set(problems) == {"", "server.tls_key", "server.state_dir"}
    assert "cannot be read by the user" in problems[""]["problem"]
    assert problems["server.tls_key"]["line"] == 7
    assert "cannot be read (Permission denied)" in problems["server.tls_key"]["problem"]
    assert "relay.db" in problems["server.state_dir"]["problem"]
    for path in (config, home / "tls" / "key.pem", home / "state" / "relay.db"):
        os.chown(path, NOBODY.uid, NOBODY.gid)
    done = run("config", "check", config)
    assert (done.returncode, done.stdout) == (0, f"{config}: valid settings for isthmus relay\n")


PROGRAM = """
import os, sys
from pathlib import Path
from isthmus.ownership import become_owner
become_owner(Path(sys.argv[1]))
print(os.getresuid(), os.getresgid(), sorted(os.getgroups()), oct(os.umask(0)))
try:
    os.setuid(0)
except PermissionError:
    print("permanently")
"""


def become(path: Path, program: str = PROGRAM) -> str:
    done = subprocess.run(
        [PYTHON, "-c", program, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    return done.stdout


def test_every_identity_of_roots_is_given_up(home: Path) -> None:
    """Real, effective and saved, user and groups; there is no way back."""
    os.chown(home, NOBODY.uid, NOBODY.gid)
    ids = f"({NOBODY.uid}, {NOBODY.uid}, {NOBODY.uid}) ({NOBODY.gid}, {NOBODY.gid}, {NOBODY.gid})"
    assert become(home) == f"{ids} [{NOBODY.gid}] 0o77\npermanently\n"


def test_a_number_without_a_name_has_the_directorys_group(home: Path) -> None:
    """As in a container whose volume is some number's."""
    os.chown(home, 54321, 54322)
    assert become(home).startswith("(54321, 54321, 54321) (54322, 54322, 54322) [] ")


def test_roots_own_directory_and_none_at_all(home: Path) -> None:
    """Nothing changes."""
    assert become(home).startswith("(0, 0, 0)")
    assert become(home / "gone").startswith("(0, 0, 0)")


def test_an_installation_that_the_owner_cannot_read(home: Path) -> None:
    """Is told as what it is, and not as a package that is missing."""
    hidden = home / "hidden"
    hidden.mkdir(mode=0o700)
    shutil.copy(ROOT / "isthmus" / "ownership.py", hidden / "ownership.py")
    os.chown(home, NOBODY.uid, NOBODY.gid)
    program = (
        "import sys; from pathlib import Path; sys.path.insert(0, str(Path(sys.argv[1]) / 'hidden'))\n"
        "import ownership\n"
        "try:\n    ownership.become_owner(Path(sys.argv[1]))\n"
        "except ownership.InstallationClosed as error:\n    print(error)\n"
    )
    assert "nobody cannot read" in become(home, program)


def test_who_acts_is_still_known(home: Path) -> None:
    """The trail says who ran the command, not whom it became."""
    os.chown(home, NOBODY.uid, NOBODY.gid)
    program = (
        "import sys; from pathlib import Path; from foundation.actors import this_actor\n"
        "from isthmus.ownership import become_owner\n"
        "before = str(this_actor()); become_owner(Path(sys.argv[1])); print(before == str(this_actor()), before)\n"
    )
    said = become(home, program)
    assert said.startswith("True ")
    assert "nobody" not in said


def test_a_backup_reads_nothing_that_only_root_may(config: Path) -> None:
    """Whoever owns the state directory could lay a link there while root copies: so the owner's rights are all there are."""
    assert run("relay", "init", "--config", config, "--name", "relay1").returncode == 0
    state = config.parent / "state"
    (state / "shadow").write_text("root's alone")
    (state / "shadow").chmod(0o600)
    vault = config.parent / "vault"
    vault.mkdir(mode=0o700)
    (vault / "public").write_text(f"{make_key(vault / 'key', 1.0)}\n")
    done = run("relay", "backup", vault / "relay.age", "--config", config, "--public-key-file", vault / "public")
    assert (done.returncode, "shadow: cannot be copied (Permission denied)" in done.stderr) == (1, True), done.stderr
    assert sorted(path.name for path in vault.iterdir()) == ["key", "public"]
    assert not list(state.glob(".backup-*"))


def test_an_export_that_only_root_can_write(config: Path) -> None:
    """The file is root's, where the relay's user may not look; all that is left in the state directory is the owner's."""
    assert run("relay", "init", "--config", config, "--name", "relay1").returncode == 0
    assert run("relay", "agents", "--config", config).returncode == 0  # makes the database
    vault = config.parent / "vault"
    vault.mkdir(mode=0o700)
    done = run("relay", "audit", "export", "--config", config, "--output", vault / "trail.jsonl")
    assert done.returncode == 0, done.stderr
    assert (vault / "trail.jsonl").stat().st_uid == 0
    assert owners(config.parent / "state") == {(NOBODY.uid, NOBODY.gid)}


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_persons_data_that_only_root_can_write(config: Path, form: tuple[str, ...]) -> None:
    """Taken by root, as the trail says, from a database that stays its owner's; told that no relay runs."""
    assert run("relay", "init", "--config", config, "--name", "relay1").returncode == 0
    sign_in(config)
    for path in (config.parent / "state").rglob("*"):
        os.chown(path, NOBODY.uid, NOBODY.gid)
    vault = config.parent / "vault"
    vault.mkdir(mode=0o700)
    order = ("relay", "person", "export", "anna@corp", "--config", config, "--output", vault / "anna.json", *form)
    done = run(*order)
    assert done.returncode == 0, done.stderr
    assert "No relay is running" in done.stderr
    assert ((vault / "anna.json").stat().st_uid, (vault / "anna.json").stat().st_mode & 0o777) == (0, 0o600)
    assert owners(config.parent / "state") == {(NOBODY.uid, NOBODY.gid)}
    taken = ("relay", "audit", "list", "--config", config, "--kind", "admin.person_exported", "--json")
    (entry,) = json.loads(run(*taken).stdout)
    assert entry["actor"] == f"admin:{this_actor()}"
    assert run(*order).returncode == 1
    assert len(json.loads(run(*taken).stdout)) == 1


@pytest.mark.long
def test_a_backup_that_only_root_can_write_and_read(config: Path) -> None:
    """Made and restored by root; all that it leaves in the state directory is the owner's."""
    assert run("relay", "init", "--config", config, "--name", "relay1").returncode == 0
    assert run("relay", "agents", "--config", config).returncode == 0  # makes the database
    vault = config.parent / "vault"
    vault.mkdir(mode=0o700)
    (vault / "public").write_text(f"{make_key(vault / 'key', 1.0)}\n")
    backup = vault / "relay.age"
    done = run("relay", "backup", "create", "--config", config, backup, "--public-key-file", vault / "public")
    assert done.returncode == 0, done.stderr
    order = ("--private-key-file", vault / "key", "--replace", "--yes")
    done = run("relay", "restore", "--config", config, backup, *order)
    assert done.returncode == 0, done.stderr
    assert owners(config.parent / "state") == {(NOBODY.uid, NOBODY.gid)}


def test_a_low_port_is_all_that_is_left(home: Path) -> None:
    """CAP_NET_BIND_SERVICE where it was asked for, for a relay at port 443; otherwise nothing."""
    os.chown(home, NOBODY.uid, NOBODY.gid)
    program = (
        "import sys; from pathlib import Path; from isthmus.ownership import become_owner\n"
        "become_owner(Path(sys.argv[1]), low_ports={low_ports})\n"
        "lines = Path('/proc/self/status').read_text().splitlines()\n"
        "print(*(line.split()[1] for line in lines if line.startswith(('CapPrm', 'CapEff', 'CapInh', 'CapAmb'))))\n"
    )
    nothing, port = f"{0:016x}", f"{1 << 10:016x}"
    assert become(home, program.format(low_ports=True)).split() == [nothing, port, port, nothing]
    assert become(home, program.format(low_ports=False)).split() == [nothing] * 4
