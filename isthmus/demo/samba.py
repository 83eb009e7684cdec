"""A throwaway Active Directory domain: a real Samba AD DC on a loopback address of its own.

It shares nothing with a Samba that is already on the machine: every directory, socket and address is its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType

from isthmus.demo.tls import make_server_certificate

REALM = "CORP.EXAMPLE.COM"
DOMAIN = "CORP"
BASE_DN = "DC=corp,DC=example,DC=com"
SUFFIX = "corp.example.com"
HOST = f"dc1.{SUFFIX}"
LOCKOUT_THRESHOLD = 5
_SYSTEM_PYTHON = "/usr/bin/python3"


class DomainFailed(Exception):
    """The throwaway domain did not come up."""

    def __init__(self, step: str, detail: str) -> None:
        super().__init__(step, detail)
        self.step, self.detail = step, detail

    def __str__(self) -> str:
        return f"throwaway domain: {self.step}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A user of the throwaway domain; for `state` see populate.py."""

    name: str
    given_name: str
    surname: str
    password: str
    state: str = "ok"
    mail: str = ""

    @property
    def upn(self) -> str:
        """What the person types."""
        return f"{self.name}@{SUFFIX}"


PEOPLE = (
    Person(name="anna", given_name="Anna", surname="Berg", password="Sommer-2026!", mail="anna@corp.example.com"),
    Person(name="ben", given_name="Ben", surname="Okafor", password="Herbst-2026!", mail="ben@corp.example.com"),
    Person(name="carla", given_name="Carla", surname="Rossi", password="Winter-2026!", state="expired_password"),
    Person(name="david", given_name="David", surname="Klein", password="Fruehling-26!", state="must_change"),
    Person(name="emma", given_name="Emma", surname="Novak", password="Morgen-2026!", state="disabled"),
    Person(name="farid", given_name="Farid", surname="Haddad", password="Abend-2026!!", state="expired_account"),
    Person(name="greta", given_name="Greta", surname="Lund", password="Mittag-2026!", state="logon_hours"),
    Person(name="hugo", given_name="Hugo", surname="Marin", password="Nacht-2026!!", state="workstation"),
    Person(name="ines", given_name="Ines", surname="Costa", password="Locked-2026!", state="ok"),
)
GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Engineering", ("anna", "ben")),
    ("Product", ("Engineering",)),
    ("Everybody at work", ("Product", "carla")),
)


class ThrowawayDomain:
    """Context manager: provisions, fills, starts and in the end removes a domain. Needs root and Samba."""

    def __init__(self, people: Sequence[Person] = PEOPLE, *, extra_users: int = 0, address: str | None = None) -> None:
        self.address = address or _free_address()
        self.people = tuple(people)
        self.admin_password = "Aa1!" + secrets.token_urlsafe(16)
        self.service_password = "Aa1!" + secrets.token_urlsafe(16)
        self.service_dn = f"CN=isthmus-agent,CN=Users,{BASE_DN}"
        self.extra = [
            Person(name=f"user{n:05d}", given_name="User", surname=f"{n:05d}", password="Bench-2026!!") for n in range(extra_users)
        ]
        self.directory = Path(tempfile.mkdtemp(prefix="isthmus-domain-"))
        self.ca_file = self.directory / "ca.pem"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ldaps_url(self) -> str:
        """Where the domain controller answers."""
        return f"ldaps://{self.address}:636"

    @property
    def admin_dn(self) -> str:
        """The administrator, for tests that need one."""
        return f"CN=Administrator,CN=Users,{BASE_DN}"

    def __enter__(self) -> ThrowawayDomain:
        try:
            self.create()
            self.start()
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.remove()

    def create(self) -> None:
        """Provision and fill. Raises DomainFailed."""
        _check_prerequisites()
        self._run("provision", [
            "samba-tool", "domain", "provision", f"--realm={REALM}", f"--domain={DOMAIN}", "--server-role=dc",
            "--dns-backend=NONE", "--use-rfc2307", f"--targetdir={self.directory}", f"--host-ip={self.address}",
            "--host-name=dc1", "--option=bind interfaces only=yes", f"--option=interfaces={self.address}/8",
            "--option=vfs objects=dfs_samba4 acl_xattr xattr_tdb",
        ])  # fmt: skip
        self._configure()
        order = {
            "admin_password": self.admin_password,
            "policy": {
                "minPwdAge": "0",
                "maxPwdAge": "-36288000000000",
                "pwdHistoryLength": "0",
                "lockoutThreshold": str(LOCKOUT_THRESHOLD),
            },
            "people": [asdict(person) for person in (*self.people, *self.extra)],
            "groups": [{"name": name, "members": list(members)} for name, members in GROUPS if self._has(members)],
            "service": {"name": "isthmus-agent", "password": self.service_password},
        }
        script = Path(__file__).with_name("populate.py")
        self._run("fill", [_SYSTEM_PYTHON, "-I", str(script), str(self._conf)], json.dumps(order).encode())

    def start(self) -> None:
        """Start the domain controller and wait until it answers over TLS."""
        with (self.directory / "console.log").open("ab") as console:
            self._process = subprocess.Popen(
                ["samba", "-s", str(self._conf), "-F", "--no-process-group"],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )  # fmt: skip
        self._wait_until_up()

    def stop(self) -> None:
        """Stop the domain controller; `start` brings it back with its data."""
        if self._process is not None:
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            self._signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Hang: it accepts connections and never answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._signal(signal.SIGCONT)

    def remove(self) -> None:
        """Stop and delete everything."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def search(self, name: str, *attributes: str) -> dict[str, str]:
        """Read a user's attributes straight from the domain's database (single values), for the tests' eyes."""
        output = self._run("search", [
            "ldbsearch", "-H", str(self.directory / "private" / "sam.ldb"), f"(sAMAccountName={name})", *attributes,
        ])  # fmt: skip
        lines = (line.partition(": ") for line in output.decode().splitlines() if not line.startswith("#"))
        return {key: value for key, colon, value in lines if colon}

    # -- inside

    @property
    def _conf(self) -> Path:
        return self.directory / "etc" / "smb.conf"

    def _has(self, members: Sequence[str]) -> bool:
        known = {person.name for person in self.people} | {name for name, _ in GROUPS}
        return all(member in known for member in members) and bool(self.people)

    def _configure(self) -> None:
        """Our own TLS key with the right names, and every run-time file in our directory."""
        certificate, key, authority = make_server_certificate([HOST, self.address])
        for name, content in (("server.pem", certificate), ("server.key", key), ("ca.pem", authority)):
            (self.directory / name).write_bytes(content)
            (self.directory / name).chmod(0o600)
        run = self.directory / "run"
        run.mkdir()
        options = {
            "tls certfile": self.directory / "server.pem", "tls keyfile": self.directory / "server.key",
            "tls cafile": self.ca_file, "pid directory": run, "ncalrpc dir": run / "ncalrpc",
            "winbindd socket directory": run / "winbindd", "ntp signd socket directory": run / "ntp",
            "nbt client socket address": self.address, "server services": "ldap, kdc, rpc, cldap",
            "log file": self.directory / "samba.log", "ldap server require strong auth": "yes",
            "disable netbios": "yes", "load printers": "no", "prefork children": "2",
        }  # fmt: skip
        text = self._conf.read_text()
        lines = "".join(f"\t{name} = {value}\n" for name, value in options.items())
        self._conf.write_text(text.replace("[global]\n", "[global]\n" + lines, 1))

    def _run(self, step: str, command: list[str], content: bytes | None = None) -> bytes:
        done = subprocess.run(command, input=content, capture_output=True, timeout=300, check=False)
        if done.returncode != 0:
            raise DomainFailed(step, (done.stderr or done.stdout).decode(errors="replace").strip()[-2000:])
        return done.stdout

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _wait_until_up(self) -> None:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process is not None and self._process.poll() is not None:
                break
            with (
                contextlib.suppress(OSError),
                socket.create_connection((self.address, 636), 1) as raw,
                context.wrap_socket(raw, server_hostname=self.address),
            ):
                return
            time.sleep(0.05)
        raise DomainFailed("start", (self.directory / "console.log").read_text(errors="replace")[-2000:])


def _check_prerequisites() -> None:
    if os.geteuid() != 0:
        raise DomainFailed("start", "a domain controller needs root; run it as root or with sudo")
    missing = [tool for tool in ("samba-tool", "samba", "ldbsearch") if shutil.which(tool) is None]
    if missing:
        raise DomainFailed("start", f"{', '.join(missing)} not found; apt-get install samba samba-ad-dc winbind ldb-tools")


def _free_address() -> str:
    """An address of 127.0.0.0/8 on which nobody listens at LDAPS."""
    while True:
        address = f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 2}.{secrets.randbelow(250) + 2}"
        with socket.socket() as probe:
            probe.settimeout(0.2)
            if probe.connect_ex((address, 636)) != 0:
                return address
