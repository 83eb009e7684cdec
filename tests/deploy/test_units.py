"""The systemd units: they say what the program needs, and the program works under what they forbid."""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from demo.browser import Browser
from demo.samba import ServiceAccount, ThrowawayDomain
from demo.signin import directories_toml
from demo.stand import Stand
from gateway.agent import AgentCoreSettings
from gateway.relay.settings import RelayCoreSettings
from isthmus.agent_settings import AgentSettings
from isthmus.cli import cli
from isthmus.relay_settings import RelaySettings
from settings import load_settings

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "deploy" / "systemd"
KINDS = ("agent", "relay")
ANALYZE = shutil.which("systemd-analyze")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="no systemd-analyze here")

Unit = dict[str, dict[str, list[str]]]


def read_unit(path: Path) -> Unit:
    """Sections, keys, and every value that a key was given, in order (systemd.syntax(7))."""
    unit: Unit = {}
    section: dict[str, list[str]] | None = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip() or line.startswith(("#", ";")):
            continue
        if heading := re.fullmatch(r"\[([A-Za-z]+)\]", line):
            section = unit.setdefault(heading[1], {})
            continue
        assignment = re.fullmatch(r"([A-Z][A-Za-z]+)=(.*)", line)
        assert assignment, f"{path.name}:{number} is no assignment: {line}"
        assert section is not None, f"{path.name}:{number} comes before any section"
        assert not line.endswith("\\"), f"{path.name}:{number}: this reader knows no continued lines"
        section.setdefault(assignment[1], []).append(assignment[2].strip())
    return unit


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def service_section(kind: str) -> dict[str, list[str]]:
    return read_unit(UNITS / f"isthmus-{kind}.service")["Service"]


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)(s|min)", text)
    assert found is not None, text
    return int(found[1]) * {"s": 1, "min": 60}[found[2]]


@needs_analyze
def test_systemd_finds_nothing_wrong(kind: str, tmp_path: Path) -> None:
    """`systemd-analyze verify`, with a command that exists on this machine."""
    unit = tmp_path / f"isthmus-{kind}.service"
    unit.write_text((UNITS / unit.name).read_text().replace("/opt/isthmus/bin/isthmus", sys.executable))
    done = subprocess.run(
        [str(ANALYZE), "verify", "--recursive-errors=no", str(unit)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_analyze
def test_little_is_left_open(kind: str) -> None:
    """What systemd calls exposure (0 to 10) stays low; what remains is the network, which is the point of both."""
    command = [str(ANALYZE), "security", "--offline=true", "--threshold=20", str(UNITS / f"isthmus-{kind}.service")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout[-200:] + done.stderr


def test_a_unit_has_its_three_parts(kind: str) -> None:
    """It can be enabled, and is put in order after the network."""
    unit = read_unit(UNITS / f"isthmus-{kind}.service")
    assert set(unit) == {"Unit", "Service", "Install"}
    assert unit["Install"]["WantedBy"] == ["multi-user.target"]
    assert "network-online.target" in unit["Unit"]["After"][0]


def test_the_command_is_one_that_we_have(kind: str, service_section: dict[str, list[str]]) -> None:
    """Subcommands and options of ExecStart exist."""
    program, *arguments = shlex.split(service_section["ExecStart"][0])
    assert program == "/opt/isthmus/bin/isthmus"
    assert arguments == [kind, "run", "--config", f"/etc/isthmus/{kind}.toml"]
    shown = CliRunner().invoke(cli, [kind, "run", "--help"])
    assert shown.exit_code == 0
    assert f"[env var: ISTHMUS_CONFIG; default: {arguments[3]}]" in " ".join(shown.output.split())
    assert "--config" in subcommand(kind, "run").params[0].opts


def subcommand(group: str, name: str) -> click.Command:
    found = cli.get_command(click.Context(cli), group)
    assert isinstance(found, click.Group)
    command = found.get_command(click.Context(found), name)
    assert command is not None
    return command


def test_settings_are_checked_before_the_start(kind: str, service_section: dict[str, list[str]]) -> None:
    """By a command that we have, on the file that the process reads, as the same user."""
    ((program, *arguments),) = [shlex.split(line) for line in service_section["ExecStartPre"]]
    assert program == "/opt/isthmus/bin/isthmus"
    assert arguments == ["config", "check", "--kind", kind, f"/etc/isthmus/{kind}.toml"]
    options = [option for parameter in subcommand("config", "check").params for option in parameter.opts]
    assert "--kind" in options


def test_the_process_says_when_it_serves_and_is_not_killed_by_a_reload(service_section: dict[str, list[str]]) -> None:
    """Without a minute's patience of a watchdog that its signs of life, every half of that, could miss."""
    assert service_section["Type"] == ["notify"]
    assert service_section["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert _seconds(service_section["WatchdogSec"][0]) >= 60


def test_there_is_time_to_drain(kind: str, service_section: dict[str, list[str]]) -> None:
    """systemd kills only after what is in flight had its time, and what comes after it too."""
    drain = {"agent": AgentCoreSettings().drain_timeout, "relay": RelayCoreSettings().drain_timeout}[kind]
    assert _seconds(service_section["TimeoutStopSec"][0]) >= drain + 15


def test_the_state_directory_is_that_of_the_example_settings(
    kind: str, service_section: dict[str, list[str]], tmp_path: Path
) -> None:
    """`isthmus config example` and the unit agree; only the unit's own user gets in."""
    path = tmp_path / "example.toml"
    path.write_text(CliRunner().invoke(cli, ["config", "example", kind]).output)
    if kind == "relay":
        state = load_settings(path, RelaySettings).server.state_dir
    else:
        state = load_settings(path, AgentSettings).state_dir
    assert f"/var/lib/{service_section['StateDirectory'][0]}" == str(state)
    assert service_section["StateDirectoryMode"] == ["0700"]
    assert service_section["User"] == service_section["Group"] == [f"isthmus-{kind}"]


# -- the sandbox, for real


class SandboxedStand(Stand):
    """Its processes run under the restrictions of their units, as far as they can be set up without systemd."""

    def _start(self, name: str, *arguments: str) -> None:
        kind = "relay" if name == "relay" else "agent"
        unit = UNITS / f"isthmus-{kind}.service"
        command = [sys.executable, "-m", "tests.deploy.test_units", str(unit), sys.executable, "-m", "isthmus", *arguments]
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, "NO_PROXY": "*", "no_proxy": "*"},
            )


def checked(stand: Stand, name: str) -> str:
    """What ExecStartPre says, under the same restrictions."""
    kind = "relay" if name == "relay" else "agent"
    config = stand.relay_config if name == "relay" else stand.agent_config(name)
    command = [sys.executable, "-m", "tests.deploy.test_units", str(UNITS / f"isthmus-{kind}.service")]
    check = [sys.executable, "-m", "isthmus", "config", "check", "--kind", kind, str(config)]
    done = subprocess.run([*command, *check], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def enter(unit: Unit) -> None:
    """Put this process and its children under a unit's restrictions on system calls, memory and capabilities."""
    service = unit["Service"]
    libc = ctypes.CDLL(None, use_errno=True)
    if service["CapabilityBoundingSet"] == [""] and os.geteuid() == 0:
        capability = 0
        while libc.prctl(24, capability, 0, 0, 0) == 0:  # PR_CAPBSET_DROP, until there is none left
            capability += 1
        assert capability > 30
    if service["NoNewPrivileges"] == ["yes"]:
        _done(libc.prctl(38, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    if service["MemoryDenyWriteExecute"] == ["yes"]:
        _done(libc.prctl(65, 1, 0, 0, 0), "PR_SET_MDWE")
    _filter_system_calls(service)


class _Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp`."""

    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


_ALLOW, _EPERM, _EQUAL = 0x7FFF0000, 0x00050001, 4


def _filter_system_calls(service: dict[str, list[str]]) -> None:
    import socket

    allowed = _system_calls(service["SystemCallFilter"])
    families = [int(getattr(socket, name)) for name in service["RestrictAddressFamilies"][0].split()]
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(_EPERM))
    for name in sorted(allowed - {"socket"}):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # the others are for other processors
            _done(seccomp.seccomp_rule_add_array(context, _ALLOW, number, 0, None), name)
    number = seccomp.seccomp_syscall_resolve_name(b"socket")
    for family in families:
        comparison = _Comparison(0, _EQUAL, family, 0)
        _done(seccomp.seccomp_rule_add_array(context, _ALLOW, number, 1, ctypes.byref(comparison)), "socket")
    _done(seccomp.seccomp_load(context), "seccomp_load")


def _system_calls(values: list[str]) -> set[str]:
    """What SystemCallFilter's lines come to; systemd always allows @default besides."""
    allowed: set[str] = set(_members("@default"))
    for value in values:
        calls = {call for word in value.removeprefix("~").split() for call in _members(word)}
        allowed = allowed - calls if value.startswith("~") else allowed | calls
    return allowed


def _members(word: str) -> Iterator[str]:
    if not word.startswith("@"):
        yield word
        return
    shown = subprocess.run([str(ANALYZE), "syscall-filter", word], capture_output=True, text=True, check=True, timeout=30)
    for line in shown.stdout.splitlines()[1:]:
        if line.strip() and not line.strip().startswith("#"):
            yield from _members(line.strip())


def _done(result: int, what: str) -> None:
    if result != 0:
        raise OSError(result, f"{what} failed")


@pytest.mark.system
@needs_analyze
@pytest.mark.skipif(ctypes.util.find_library("seccomp") is None, reason="no libseccomp here")
@pytest.mark.parametrize(
    ("attempted", "error"),
    [
        ("import socket; socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)", "PermissionError"),
        ("import os; os.nice(1)", "PermissionError"),
        ("import os; os.chroot('/')", "PermissionError"),
        ("import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)", "PermissionError"),
        ("import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE); print('fine')", ""),
    ],
)
def test_the_sandbox_of_these_tests_forbids_something(attempted: str, error: str) -> None:
    """What a unit forbids fails in it, so that the next test shows something."""
    unit = UNITS / "isthmus-agent.service"
    command = [sys.executable, "-m", "tests.deploy.test_units", str(unit), sys.executable, "-c", attempted]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == (1 if error else 0)
    assert error in done.stderr


@pytest.mark.system
@pytest.mark.samba
@needs_analyze
@pytest.mark.skipif(ctypes.util.find_library("seccomp") is None, reason="no libseccomp here")
def test_relay_and_agent_work_under_their_restrictions(domain: ThrowawayDomain, service: ServiceAccount) -> None:
    """Set up, enrol, sign in at a real Active Directory, administer, stop in order: nothing needs what is forbidden."""
    with SandboxedStand(directories_toml(domain, service)) as stand:
        stand.enrol_agent("agent-1")
        stand.start_agent("agent-1")
        anna = domain.people["anna"]
        assert Browser(stand.url, stand.tls).sign_in(anna.upn, anna.typed).path == "/account"
        assert "Incorrect user name or password" in Browser(stand.url, stand.tls).sign_in(anna.upn, "not-the-password").text
        assert "agent-1" in stand.run("relay", "agents", "--config", str(stand.relay_config), "--json")
        status = Path(f"/proc/{stand.processes['relay'].pid}/status").read_text()
        assert re.search(r"^Seccomp:\s+2$", status, re.MULTILINE)
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.MULTILINE)
        assert stand.stop("agent-1") == 0
        assert stand.stop("relay") == 0
        for name in ("relay", "agent-1"):
            assert "valid settings" in checked(stand, name)


if __name__ == "__main__":
    enter(read_unit(Path(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - that is what this is for
