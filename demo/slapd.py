"""A throwaway OpenLDAP server: for tests of the kind `ldap`, and for benchmarks in which the directory costs nothing."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from demo.samba import DomainUnavailable
from demo.throwaway_tls import write_certificates

BASE_DN = "dc=people,dc=example,dc=org"
SERVICE_DN = f"cn=reader,{BASE_DN}"
_CREW = 50
"""People in each group; all groups are in one called `fleet`."""
PASSWORD = "Harbour-Quay"  # noqa: S105 - everyone's, followed by the number of the person


class ThrowawaySlapd:
    """Context manager: one slapd on a free loopback port, TLS only, everything in one temporary directory.

    people: that many accounts `person0@people.example.org` …, with {SSHA} passwords, in nested groups; besides `lapsed`,
    whose password has expired. session_log: operations that it keeps for those who synchronise (RFC 4533); None: nobody may.
    """

    name = "people.example.org"

    def __init__(self, *, people: int = 10, session_log: int | None = None) -> None:
        self.count = people
        self._session_log = session_log
        self.home = Path(tempfile.mkdtemp(prefix="isthmus-slapd-"))
        self.ca_file = self.home / "tls" / "ca.pem"
        self.service_password_file = self.home / "reader.password"
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def __enter__(self) -> ThrowawaySlapd:
        if not Path("/usr/sbin/slapd").exists():
            raise DomainUnavailable("OpenLDAP is not installed.", "Run: apt-get install --no-install-recommends slapd")
        try:
            self._set_up()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def server(self) -> str:
        """`host:port`, LDAPS."""
        return f"127.0.0.1:{self.port}"

    def upn(self, number: int) -> str:
        """What a person types."""
        return f"person{number}@{self.name}"

    def dn(self, number: int) -> str:
        """A person's distinguished name."""
        return f"uid=person{number},{BASE_DN}"

    def password(self, number: int) -> str:
        """A person's password."""
        return f"{PASSWORD}-{number}"

    def toml(self) -> str:
        """An agent's settings for it."""
        return f"""
[[directories]]
name = "{self.name}"
kind = "ldap"
servers = ["{self.server}"]
base_dn = "{BASE_DN}"
service_user = "{SERVICE_DN}"
service_password_file = "{self.service_password_file}"
[directories.tls]
ca_file = "{self.ca_file}"
"""

    def start(self) -> None:
        """Start it and wait until it answers."""
        url = f"ldaps://127.0.0.1:{self.port}"
        with (self.home / "slapd.out").open("ab") as log:
            self._process = subprocess.Popen(
                ["/usr/sbin/slapd", "-d0", "-f", str(self.home / "slapd.conf"), "-h", url], stdout=log, stderr=log
            )
        context = ssl.create_default_context(cafile=str(self.ca_file))
        give_up = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1) as plain:
                context.wrap_socket(plain, server_hostname="127.0.0.1").close()
                return
            if self._process.poll() is not None or time.monotonic() > give_up:
                said = (self.home / "slapd.out").read_text(errors="replace")[-500:]
                raise DomainUnavailable(f"slapd did not start: {said}", f"Try: slapd -d1 -f {self.home}/slapd.conf")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def close(self) -> None:
        """End it and remove every file."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def modify(self, ldif: str) -> None:
        """Apply LDIF changes as the root of the database, by its local tool."""
        _run(
            ["ldapmodify", "-x", "-H", f"ldaps://{self.server}", "-D", f"cn=root,{BASE_DN}", "-y", str(self._root)],
            ldif,
            self,
        )

    # -- inside

    @property
    def _root(self) -> Path:
        return self.home / "root.password"

    def _set_up(self) -> None:
        write_certificates(self.home / "tls", dns_name="localhost", address="127.0.0.1")
        (self.home / "db").mkdir()
        reader, root = secrets.token_urlsafe(18), secrets.token_urlsafe(18)
        _write_private(self.service_password_file, reader)
        _write_private(self._root, root)
        configuration = _CONF.format(home=self.home, base=BASE_DN, root=ssha(root), service=SERVICE_DN)
        if self._session_log is not None:
            configuration += _SYNCPROV.format(log=self._session_log)
        (self.home / "slapd.conf").write_text(configuration)
        _run(["/usr/sbin/slapadd", "-q", "-f", str(self.home / "slapd.conf")], self._ldif(reader), self)

    def _ldif(self, reader: str) -> str:
        people = "".join(
            _PERSON.format(number=number, base=BASE_DN, domain=self.name, secret=ssha(self.password(number)))
            for number in range(self.count)
        )
        lapsed = _LAPSED.format(base=BASE_DN, secret=ssha(PASSWORD))
        crews = ""
        for first in range(0, self.count, _CREW):
            members = "".join(f"member: {self.dn(number)}\n" for number in range(first, min(first + _CREW, self.count)))
            crews += _CREW_ENTRY.format(number=first // _CREW, base=BASE_DN, members=members)
        fleet = "".join(f"member: cn=crew{number},{BASE_DN}\n" for number in range((self.count - 1) // _CREW + 1))
        return _TOP.format(base=BASE_DN, reader=ssha(reader), members=fleet) + crews + people + lapsed


def ssha(password: str) -> str:
    """A salted SHA-1 hash, OpenLDAP's {SSHA}: cheap for the server, which is what the benchmark wants."""
    salt = secrets.token_bytes(8)
    digest = hashlib.sha1(password.encode() + salt, usedforsecurity=False).digest()
    return "{SSHA}" + base64.b64encode(digest + salt).decode()


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _run(command: list[str], text: str, server: ThrowawaySlapd) -> None:
    environment = {**os.environ, "LDAPTLS_CACERT": str(server.ca_file)}
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60, env=environment)
    if done.returncode != 0:
        raise DomainUnavailable(
            f"{command[0]}: {(done.stderr or done.stdout).strip()[-300:]}", "Is the package slapd whole?"
        )


_CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb.la
moduleload ppolicy.la
moduleload syncprov.la
pidfile {home}/slapd.pid
threads 4
TLSCACertificateFile {home}/tls/ca.pem
TLSCertificateFile {home}/tls/cert.pem
TLSCertificateKeyFile {home}/tls/key.pem
database mdb
maxsize 268435456
suffix "{base}"
rootdn "cn=root,{base}"
rootpw {root}
directory {home}/db
dbnosync
index objectClass eq
index uid,mail,member,uniqueMember,entryUUID eq
access to attrs=userPassword by dn.exact="{service}" write by self write by anonymous auth by * none
access to * by dn.exact="{service}" write by users read
overlay ppolicy
ppolicy_default "cn=policy,{base}"
ppolicy_use_lockout
"""

_SYNCPROV = """\
overlay syncprov
syncprov-sessionlog {log}
"""

_TOP = """\
dn: {base}
objectClass: dcObject
objectClass: organization
dc: people
o: People

dn: cn=reader,{base}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: {reader}

dn: cn=policy,{base}
objectClass: pwdPolicy
objectClass: organizationalRole
cn: policy
pwdAttribute: userPassword
pwdMinLength: 8
pwdCheckQuality: 1
pwdMustChange: TRUE
pwdLockout: TRUE
pwdMaxFailure: 0

dn: cn=strict,{base}
objectClass: pwdPolicy
objectClass: organizationalRole
cn: strict
pwdAttribute: userPassword
pwdMaxAge: 3600

dn: cn=fleet,{base}
objectClass: groupOfNames
cn: fleet
{members}
"""

_CREW_ENTRY = """\
dn: cn=crew{number},{base}
objectClass: groupOfNames
cn: crew{number}
{members}
"""

_PERSON = """\
dn: uid=person{number},{base}
objectClass: inetOrgPerson
uid: person{number}
cn: Person {number}
givenName: Person
sn: Number{number}
displayName: Person {number}
mail: person{number}@{domain}
userPassword: {secret}

"""

_LAPSED = """\
dn: uid=lapsed,{base}
objectClass: inetOrgPerson
uid: lapsed
cn: Lapsed
sn: Lapsed
userPassword: {secret}
pwdChangedTime: 20200101000000Z
pwdPolicySubentry: cn=strict,{base}

"""
