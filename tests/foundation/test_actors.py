"""Who does something: by the kernel, never by the environment."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from foundation.actors import Actor, actor_of, peer_actor, this_actor, user_name
from foundation.procedures import whoami

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux's kernel")
AS_ROOT = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="becomes other users")

NAMES = {0: "root", 990: "isthmus-relay", 1000: "anna", 1001: "ceo"}


@pytest.mark.parametrize(
    ("uid", "login_uid", "sudo_uid", "expected"),
    [
        (1000, None, "", "anna"),
        (1000, 1000, "", "anna"),
        (0, 0, "", "root"),
        (0, 1000, "", "anna as root"),
        (990, 1000, "", "anna as isthmus-relay"),
        (0, 1000, "1001", "anna as root"),  # the kernel's word counts for more than sudo's
        (0, 0, "1001", "root"),
        (0, None, "1000", "root (claimed: anna)"),
        (0, None, "0", "root"),
        (990, None, "1001", "isthmus-relay"),  # not root: may have chosen it
        (1000, 1000, "1001", "anna"),
        (0, None, "ceo", "root"),
        (0, None, "-1", "root"),
        (0, None, "4294967295", "root"),
        (0, None, "1" * 5000, "root"),
        (0, None, "٣", "root"),
    ],
)
def test_whom_the_numbers_make(uid: int, login_uid: int | None, sudo_uid: str, expected: str) -> None:
    """The login uid where somebody signed in; else SUDO_UID, of root alone, and as a claim."""
    assert str(actor_of(uid, login_uid, sudo_uid, NAMES.__getitem__)) == expected


def test_the_machine_stands_beside_the_person() -> None:
    """In journals that several machines write to."""
    assert Actor("anna").at("ws1") == "anna@ws1"
    assert Actor("root", login="anna").at("ws1") == "anna@ws1 as root"
    assert Actor("root", claimed="anna").at("ws1") == "root@ws1 (claimed: anna)"


def test_an_account_without_a_name_is_its_number() -> None:
    """As in some containers."""
    assert user_name(2**31 + 5) == "user 2147483653"


SAY_WHO = """
import os, pwd, sys
from foundation.actors import this_actor
login_uid, uid = sys.argv[1:]
if login_uid:
    open("/proc/self/loginuid", "w").write(login_uid)
os.setresgid(int(uid), int(uid), int(uid)); os.setresuid(int(uid), int(uid), int(uid))
print(this_actor())
"""


def who(uid: int, login_uid: str = "", **environment: str) -> str:
    """Whom a process of its own takes itself for, of this uid, after a login (or none)."""
    path = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", SAY_WHO, login_uid, str(uid)]
    return subprocess.run(command, env=path | environment, capture_output=True, text=True, check=True).stdout.strip()


@LINUX
def test_the_environment_names_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts a process chooses LOGNAME and the like."""
    before = this_actor()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "ceo")
    assert this_actor() == before
    assert "ceo" not in str(before)


@AS_ROOT
def test_of_a_process() -> None:
    """SUDO_UID is a claim of root's, and nothing where another user says it."""
    daemon = user_name(1)
    if Path("/proc/self/loginuid").read_text() == "4294967295":
        assert who(0, SUDO_UID="1") == f"root (claimed: {daemon})"
        assert who(2, SUDO_UID="1", LOGNAME="ceo") == user_name(2)
    if _login_uid_can_be_set():
        assert who(0, "1", SUDO_UID="2") == f"{daemon} as root"
        assert who(2, "1", SUDO_UID="0", LOGNAME="ceo") == f"{daemon} as {user_name(2)}"


def _login_uid_can_be_set() -> bool:
    """Not in every container."""
    write = "open('/proc/self/loginuid', 'w').write('1')"
    return subprocess.run([sys.executable, "-c", write], capture_output=True, check=False).returncode == 0


def _kernel_names_processes() -> bool:
    """SO_PEERPIDFD, since Linux 6.5."""
    here, there = socket.socketpair()
    with here, there:
        try:
            os.close(here.getsockopt(socket.SOL_SOCKET, 77))
        except OSError:
            return False
        return True


CONNECT = """
import os, socket, sys
path, login_uid, uid, ending = sys.argv[1:]
if login_uid:
    open("/proc/self/loginuid", "w").write(login_uid)
os.setresuid(int(uid), int(uid), int(uid))
connection = socket.socket(socket.AF_UNIX)
connection.connect(path)
if not ending:
    connection.recv(1)
elif (child := os.fork()) == 0:
    connection.recv(1)
"""


def peer(directory: Path, uid: int, login_uid: str = "", claimed: str = "", ending: str = "") -> str:
    """Whom a process is taken for that connects. ending: it leaves the connection to a child, and is gone."""
    path = directory / f"{uid}-{login_uid}-{claimed}-{ending}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        path.chmod(0o777)
        listener.listen(1)
        command = [sys.executable, "-c", CONNECT, str(path), login_uid, str(uid), ending]
        process = subprocess.Popen(command)
        connection, _ = listener.accept()
        with connection:
            if ending:
                os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie: its number still has a login uid
            found = str(peer_actor(connection, claimed))
        process.wait()
    return found


@AS_ROOT
def test_of_who_is_connected() -> None:
    """By the socket's credentials, and the login uid of that process while it runs."""
    import tempfile

    daemon, other = user_name(1), user_name(2)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        if Path("/proc/self/loginuid").read_text() == "4294967295":
            assert peer(directory, 0, claimed="1") == f"root (claimed: {daemon})"
            assert peer(directory, 2, claimed="1") == other
        if _login_uid_can_be_set():
            assert peer(directory, 2, "1", claimed="0") == f"{daemon} as {other}"
            if _kernel_names_processes():
                assert peer(directory, 2, "1", ending="gone") == other


def test_journals_ask_the_system_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an AD FS farm, on any workstation."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "ceo")
    assert whoami() == this_actor().at(socket.gethostname())
    assert "ceo" not in whoami()


def test_nobody_else_asks_who_it_is() -> None:
    """Neither the environment nor `getpass`, which looks there first."""
    asking = re.compile(r"getuser\(|getlogin\(|environ\S*[\"'](LOGNAME|USER|USERNAME|LNAME|SUDO_UID|SUDO_USER)[\"']")
    packages = (ROOT / name for name in ("isthmus", "gateway", "adfs_mgmt", "foundation", "certs", "directory", "settings"))
    found = [path for package in packages for path in package.rglob("*.py") if asking.search(path.read_text())]
    assert found == [ROOT / "foundation" / "actors.py"]
