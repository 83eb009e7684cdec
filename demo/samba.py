"""A throwaway Active Directory domain: Samba on a loopback address of its own, gone without a trace afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import structlog

from demo import people as inhabitants
from demo.people import Person
from demo.throwaway_tls import write_certificates

_log = structlog.get_logger()
_SYSTEM_PYTHON = "/usr/bin/python3"
_PACKAGES = "samba samba-ad-dc samba-ad-provision samba-dsdb-modules python3-samba winbind"
BENCH_PASSWORD = "Lagoon-Strait-Bench"  # noqa: S105 - everyone's in `create_users`
LOCKOUT_THRESHOLD = 5


class DomainUnavailable(Exception):
    """The throwaway domain cannot be had here; `remedy` says what to do."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}"


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The account that the agent reads the directory with."""

    name: str
    upn: str
    dn: str
    password_file: Path
    """Mode 0600; the password is nowhere else."""


class ThrowawayDomain:
    """Provisions and runs one domain controller; a context manager.

    Takes about six seconds. Listens on a random address of 127.0.0.0/8 only, keeps everything in one temporary
    directory, ends with its owner (it watches a pipe of this process), so that several can stand side by side.
    """

    def __init__(
        self,
        *,
        realm: str = "CORP.EXAMPLE.COM",
        netbios_name: str = "CORP",
        host_name: str = "dc1",
        address: str | None = None,
        lockout_threshold: int = LOCKOUT_THRESHOLD,
    ) -> None:
        self.realm = realm
        self.netbios_name = netbios_name
        self.dns_domain = realm.lower()
        self.host_name = host_name
        self.host = f"{host_name}.{self.dns_domain}"
        self.address = address or free_loopback_address()
        self.base_dn = ",".join(f"DC={part}" for part in self.dns_domain.split("."))
        self.ldaps_url = f"ldaps://{self.address}:636"
        self.lockout_threshold = lockout_threshold
        self.admin_upn = f"Administrator@{self.dns_domain}"
        self.admin_dn = f"CN=Administrator,CN=Users,{self.base_dn}"
        self.admin_password = secrets.token_urlsafe(18) + "-aA1"
        self.people: dict[str, Person] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._bench_users = 0
        self._clock = time.time

    def __enter__(self) -> ThrowawayDomain:
        check_prerequisites()
        self.directory = Path(tempfile.mkdtemp(prefix="isthmus-ad-"))
        try:
            self._provision()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stops the server and removes every file."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def ca_file(self) -> Path:
        """PEM of the authority that issued the domain controller's TLS certificate."""
        return self.directory / "tls" / "ca.pem"

    @property
    def configuration(self) -> Path:
        """Path of smb.conf."""
        return self.directory / "etc" / "smb.conf"

    @property
    def admin_password_file(self) -> Path:
        """The administrator's password, mode 0600."""
        return self.directory / "administrator.password"

    @property
    def people_dn(self) -> str:
        """The organisational unit with the people, groups and bench users."""
        return f"OU=People,{self.base_dn}"

    # -- server ---------------------------------------------------------------------------------------------------

    def start(self, *, timeout: float = 30) -> None:
        """Starts the server and returns when it answers on LDAPS; `timeout` in seconds."""
        log = (self.directory / "samba.out").open("ab")
        self._process = subprocess.Popen(
            ["/usr/sbin/samba", f"--configfile={self.configuration}", "-F", "--no-process-group"],
            stdin=subprocess.PIPE,  # it ends when this pipe closes: it cannot outlive us
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        self._wait_until_it_answers(time.monotonic() + timeout)

    def stop(self) -> None:
        """Ends the server with all its children; no-op where it does not run."""
        process, self._process = self._process, None
        if process is None:
            return
        for number in (signal.SIGCONT, signal.SIGTERM):
            _signal_group(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdin:
            process.stdin.close()

    def pause(self) -> None:
        """Makes it hang: connections are still accepted by the kernel, nothing is ever answered."""
        if self._process:
            _signal_group(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Ends `pause`."""
        if self._process:
            _signal_group(self._process.pid, signal.SIGCONT)

    def processor_seconds(self) -> float:
        """User and system time that its processes have used, those that run now."""
        return sum((int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") for _, fields in self._running_processes())

    def ldap_workers(self) -> list[int]:
        """The process numbers of its LDAP servers: each keeps the connections that it has accepted."""
        return [
            number for number, _ in self._running_processes() if b"task[ldap] pre-forked worker" in _command_line(number)
        ]

    def _running_processes(self) -> Iterator[tuple[int, list[str]]]:
        """Number and proc(5) stat fields from the state on, of each process of the server."""
        group = str(self._process.pid) if self._process else ""
        for path in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has ended
                fields = path.read_text().rpartition(")")[2].split()
                if fields[2] == group:
                    yield int(path.parent.name), fields

    def _wait_until_it_answers(self, give_up: float) -> None:
        context = ssl.create_default_context(cafile=str(self.ca_file))
        while True:
            try:
                with (
                    socket.create_connection((self.address, 636), timeout=1) as plain,
                    context.wrap_socket(plain, server_hostname=self.address),
                ):
                    return
            except OSError as error:
                dead = self._process is None or self._process.poll() is not None
                if dead or time.monotonic() > give_up:
                    raise DomainUnavailable(
                        f"Samba did not start on {self.address}: {self._last_words()}",
                        "Is another server listening on port 636 of every address? See `ss -ltnp 'sport = :636'`.",
                    ) from error
            time.sleep(0.05)

    def _last_words(self) -> str:
        texts = [(self.directory / name) for name in ("samba.out", "samba.log")]
        lines = [line for text in texts if text.exists() for line in text.read_text(errors="replace").splitlines()]
        return " / ".join(lines[-4:]) or "it said nothing"

    # -- accounts ---------------------------------------------------------------------------------------------------

    def create_people(self) -> dict[str, Person]:
        """One person in every account state, by account name; see `demo.people`."""
        self.people = inhabitants.people(self.dns_domain)
        self.edit(inhabitants.steps(self.people, self.base_dn, self._clock()))
        return self.people

    def create_users(self, count: int, *, groups: tuple[str, ...] = ()) -> list[str]:
        """`count` more plain users with `BENCH_PASSWORD`, in the people's unit; answers their userPrincipalNames.

        `groups` are common names in the same unit. About 2 ms each: only the NT hash is written, which is what a
        simple bind is checked against (no Kerberos keys).
        """
        request = {
            "count": count,
            "start": self._bench_users,
            "name": "bench{:05d}",
            "password": BENCH_PASSWORD,
            "base": self.people_dn,
            "upn_suffix": self.dns_domain,
            "groups": [f"CN={name},{self.people_dn}" for name in groups],
            "now": inhabitants.filetime(self._clock()),
        }
        self.edit([{"copies": request}])
        names = [f"bench{number:05d}@{self.dns_domain}" for number in range(self._bench_users, self._bench_users + count)]
        self._bench_users += count
        return names

    def create_service_account(
        self, name: str = "svc-isthmus", *, may_reset: bool = False, may_list_policies: bool = True
    ) -> ServiceAccount:
        """A plain member of Domain Users; `may_list_policies` lets it read password settings objects as well.

        `may_reset` adds what a password reset needs in the people's unit: Reset Password, pwdLastSet, lockoutTime.
        """
        dn = f"CN={name},CN=Users,{self.base_dn}"
        password = secrets.token_urlsafe(18) + "-aA1"
        entry = {
            "dn": dn,
            "objectClass": "user",
            "sAMAccountName": name,
            "userPrincipalName": f"{name}@{self.dns_domain}",
            "userAccountControl": "66048",
            "password": password,
        }
        policies = f"CN=Password Settings Container,CN=System,{self.base_dn}"
        steps: list[dict[str, object]] = [{"add": entry}]
        if may_list_policies:
            steps.append({"grant": {"dn": policies, "to": name, "aces": ["(A;CI;RPLCLORC;;;{sid})"]}})
        if may_reset:
            steps.append({"grant": {"dn": self.people_dn, "to": name, "aces": _RESET_ACES}})
        self.edit(steps)
        file = self.directory / f"{name}.password"
        _write_private(file, password)
        return ServiceAccount(name=name, upn=f"{name}@{self.dns_domain}", dn=dn, password_file=file)

    def set_attributes(self, account_name: str, **attributes: object) -> None:
        """Overwrites attributes of one of `people`, server-kept ones (badPwdCount, lockoutTime …) included."""
        dn = f"CN={self.people[account_name].display_name},{self.people_dn}"
        self.edit([{"modify": {"dn": dn, **attributes}, "raw": True}])

    def set_password(self, account_name: str, password: str) -> None:
        """Gives one of `people` a password and clears every count."""
        dn = f"CN={self.people[account_name].display_name},{self.people_dn}"
        counts = {"badPwdCount": 0, "badPasswordTime": 0, "lockoutTime": 0}
        self.edit([{"modify": {"dn": dn, "password": password}}, {"modify": {"dn": dn, **counts}, "raw": True}])

    def edit(self, steps: list[dict[str, object]]) -> None:
        """Applies steps (see `_samdb.py`) to the database in one transaction, while the server runs or not."""
        request = json.dumps({"configuration": str(self.configuration), "steps": steps})
        script = Path(__file__).with_name("_samdb.py")
        _run([_SYSTEM_PYTHON, "-I", str(script)], request, "edit the throwaway domain")

    # -- provisioning -----------------------------------------------------------------------------------------------

    def _provision(self) -> None:
        started = time.monotonic()
        seed = self.directory / "seed.conf"
        seed.write_text(f"[global]\nworkgroup = {self.netbios_name}\nrealm = {self.realm}\n")
        output = _run(
            [
                _SYSTEM_PYTHON,
                "/usr/bin/samba-tool",
                "domain",
                "provision",
                f"--configfile={seed}",
                f"--realm={self.realm}",
                f"--domain={self.netbios_name}",
                "--server-role=dc",
                "--dns-backend=NONE",
                f"--targetdir={self.directory}",
                "--use-rfc2307",
                f"--host-ip={self.address}",
                f"--host-name={self.host_name}",
                "--option=bind interfaces only=yes",
                f"--option=interfaces={self.address}/8",
                "--option=vfs objects=dfs_samba4 acl_xattr xattr_tdb",
            ],
            "",
            "provision the throwaway domain",
        )
        match = re.search(r"DOMAIN SID:\s+(S-[0-9-]+)", output)
        self.domain_sid = match.group(1) if match else ""
        write_certificates(self.directory / "tls", dns_name=self.host, address=self.address)
        with (self.directory / "tls" / "cert.pem").open("ab") as chain:  # it shows its authority too, as most of them do
            chain.write(self.ca_file.read_bytes())
        self._write_configuration()
        self._apply_policy()
        _write_private(self.admin_password_file, self.admin_password)
        _log.debug("demo.domain_provisioned", realm=self.realm, seconds=round(time.monotonic() - started, 1))

    def _write_configuration(self) -> None:
        home = self.directory
        for name in ("run", "cache", "lock", "ncalrpc", "state", "bind-dns"):
            (home / name).mkdir(exist_ok=True)
        self.configuration.write_text(
            _SMB_CONF.format(
                home=home,
                realm=self.realm,
                workgroup=self.netbios_name,
                name=self.host_name.upper(),
                address=self.address,
            )
        )

    def _apply_policy(self) -> None:
        minutes = 60 * 10_000_000
        policy = {
            "dn": self.base_dn,
            "lockoutThreshold": self.lockout_threshold,
            "lockOutObservationWindow": -30 * minutes,
            "lockoutDuration": -30 * minutes,
            "minPwdAge": 0,
            "pwdHistoryLength": 3,
        }
        self.edit([{"modify": policy}, {"modify": {"dn": self.admin_dn, "password": self.admin_password}}])


_RESET_ACES = [
    "(OA;CIIO;CR;00299570-246d-11d0-a768-00aa006e0529;bf967aba-0de6-11d0-a285-00aa003049e2;{sid})",  # Reset Password
    "(OA;CIIO;RPWP;bf967a0a-0de6-11d0-a285-00aa003049e2;bf967aba-0de6-11d0-a285-00aa003049e2;{sid})",  # pwdLastSet
    "(OA;CIIO;RPWP;28630ebf-41d5-11d1-a9c1-0000f80367c1;bf967aba-0de6-11d0-a285-00aa003049e2;{sid})",  # lockoutTime
]

_SMB_CONF = """\
[global]
netbios name = {name}
realm = {realm}
workgroup = {workgroup}
server role = active directory domain controller
server services = rpc, ldap, cldap, kdc
interfaces = {address}/8
bind interfaces only = yes
private dir = {home}/private
state directory = {home}/state
cache directory = {home}/cache
lock directory = {home}/lock
pid directory = {home}/run
ncalrpc dir = {home}/ncalrpc
binddns dir = {home}/bind-dns
log file = {home}/samba.log
log level = 0
tls enabled = yes
tls keyfile = {home}/tls/key.pem
tls certfile = {home}/tls/cert.pem
tls cafile = {home}/tls/ca.pem
idmap_ldb:use rfc2307 = yes
vfs objects = dfs_samba4 acl_xattr xattr_tdb
"""


def check_prerequisites() -> None:
    """Raises `DomainUnavailable` with the remedy where Samba is missing or we are not root."""
    missing = [
        path
        for path in ("/usr/sbin/samba", "/usr/bin/samba-tool", "/usr/share/samba/setup/ad-schema")
        if not Path(path).exists()
    ]
    if missing:
        raise DomainUnavailable(
            f"Samba's domain controller is not installed ({missing[0]} is missing).",
            f"Run: apt-get install --no-install-recommends {_PACKAGES}",
        )
    if os.geteuid() != 0:
        raise DomainUnavailable("Samba needs root, for ports 88, 389 and 636.", "Run this again with sudo.")


def free_loopback_address() -> str:
    """A random address of 127.0.0.0/8 on which nothing listens for LDAPS."""
    for _ in range(50):
        chosen = ".".join(str(random.randint(16, 250)) for _ in range(3))  # noqa: S311 - not a secret
        address = f"127.{chosen}"
        with socket.socket() as probe:
            try:
                probe.bind((address, 636))
            except PermissionError:
                return address
            except OSError:
                continue
            return address
    raise DomainUnavailable(
        "Port 636 is taken on every loopback address.",
        "Another LDAP server listens on all addresses: stop it, or give it `bind interfaces only = yes`.",
    )


def _run(command: list[str], text: str, purpose: str) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=180)
    output = done.stdout + done.stderr
    if done.returncode != 0:
        last = " / ".join(output.strip().splitlines()[-3:])
        raise DomainUnavailable(f"Could not {purpose}: {last}", f"Command: {' '.join(command[:4])}")
    return output


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _command_line(number: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{number}/cmdline").read_bytes()
    return b""


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
