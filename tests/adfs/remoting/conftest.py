"""A simulated WinRM service with a handler that remembers what it was asked."""

from __future__ import annotations

import datetime as dt
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from adfs_mgmt.remoting import RemotingSettings
from tests.adfs.simulator.errors import PsError
from tests.adfs.simulator.values import PsObject
from tests.adfs.simulator.wsman import WsManServer

USER, PASSWORD = "CORP\\admin", "Very secret 1"
HOSTS = ["fs1.corp.example", "fs2.corp.example", "fs3.corp.example"]
NOON = dt.datetime(2026, 3, 1, 12, 0, tzinfo=dt.timezone(dt.timedelta(hours=2)))


class Hosts:
    """Answers a few commands as AD FS would."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, str, dict[str, object]]] = []
        self.working, self.most = 0, 0
        self.lock = threading.Lock()
        self.together: threading.Barrier | None = None
        self.long = ""

    def __call__(self, user: str, host: str, command: str, parameters: dict[str, object]) -> list[dict[str, object]]:
        with self.lock:
            self.asked.append((user, host, command, parameters))
            self.working += 1
            self.most = max(self.most, self.working)
        try:
            return self._answer(command)
        finally:
            with self.lock:
                self.working -= 1

    def _answer(self, command: str) -> list[dict[str, object]]:
        if command == "Get-AdfsProperties":
            return [{"": self.long}]
        if command == "Get-Date":
            return [{"": NOON}]
        if command == "Get-Service":
            if self.together is not None:
                self.together.wait(10)
            return [{"Name": "adfssrv", "Status": "Running"}]
        if command == "Get-AdfsSslCertificate":
            return [{"HostName": "fs.corp.example", "PortNumber": 443}, {"HostName": "localhost", "PortNumber": 443}]
        if command == "Get-AdfsCertificate":
            nested = PsObject(("X509", "System.Object"), "[Subject]", {"RawData": b"\0\1"})
            return [{"Thumbprint": "AB" * 20, "Certificate": nested, "IsPrimary": True, "Raw": b"\1\2",
                     "NotAfter": NOON, "Names": ["a", "b"], "Nothing": None, "Size": 2**40}]  # fmt: skip
        if command == "Set-AdfsSslCertificate":
            raise PsError("PS0159: the farm behavior level is too low.", "PS0159,Some.Command", "InvalidOperation")
        if command == "Set-AdfsCertificate":
            raise PsError("It was not found.", "NotFound,Some.Command", "ObjectNotFound", terminating=False)
        return []


@pytest.fixture
def hosts() -> Hosts:
    return Hosts()


@pytest.fixture
def server(hosts: Hosts) -> Iterator[WsManServer]:
    with WsManServer(hosts, hosts=HOSTS, users={USER: PASSWORD}) as running:
        yield running


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text(PASSWORD + "\n")
    path.chmod(0o600)
    return path


Settings = Callable[..., RemotingSettings]


@pytest.fixture
def settings(server: WsManServer, password_file: Path) -> Settings:
    """Settings that fit the server; fields can be given otherwise."""

    def make(**fields: object) -> RemotingSettings:
        chosen: dict[str, object] = {
            "auth": "ntlm", "user": USER, "password_file": password_file, "port": server.port, "tls": False,
            "connect_timeout": 2.0,
        }  # fmt: skip
        return RemotingSettings(**(chosen | fields))  # type: ignore[arg-type]

    return make


class Pki:
    """A CA, a server's certificate for the hosts' names (not their addresses), and a client's."""

    def __init__(self, directory: Path, hosts: Sequence[str] = HOSTS) -> None:
        self.ca_file, self.client_file, self.client_key = (
            directory / name for name in ("ca.pem", "client.pem", "client.key")
        )
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test CA")])
        self.ca = _build(name, name, key, key, [x509.BasicConstraints(ca=True, path_length=None)])
        self.ca_file.write_bytes(self.ca.public_bytes(serialization.Encoding.PEM))
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        self.server, server_key = self._issue(name, key, "server", [names])
        chain = directory / "server.pem"
        chain.write_bytes(self.server.public_bytes(serialization.Encoding.PEM) + _pem(server_key))
        self.client, client_key = self._issue(name, key, "client", [])
        self.client_file.write_bytes(self.client.public_bytes(serialization.Encoding.PEM))
        self.client_key.touch(0o600)
        self.client_key.write_bytes(_pem(client_key))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(chain)
        self.context.load_verify_locations(self.ca_file)
        self.context.verify_mode = ssl.CERT_OPTIONAL

    def _issue(
        self, issuer: x509.Name, by: ec.EllipticCurvePrivateKey, name: str, extensions: list[x509.ExtensionType]
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        return _build(subject, issuer, key, by, extensions), key


def _build(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    extensions: list[x509.ExtensionType],
) -> x509.Certificate:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - dt.timedelta(days=1),
        not_valid_after=now + dt.timedelta(days=1),
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(by, hashes.SHA256())


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    return Pki(tmp_path)
