"""Debian's Apache with mod_auth_openidc and mod_auth_mellon on loopback: two applications that sign people in at a relay.

What the modules tell an application comes back as response headers (`X-Seen-…`), so that a test can read it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from demo.stand import free_port
from demo.throwaway_tls import write_certificates

APACHE = "/usr/sbin/apache2"
_MODULES = "/usr/lib/apache2/modules"
_LOADED = (
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "dir",
    "env",
    "headers",
    "setenvif",
    "socache_shmcb",
    "ssl",
    "auth_openidc",
    "auth_mellon",
)
_START = 10.0
"""Seconds until it has to serve."""


@dataclass(kw_only=True)
class OidcApplication:
    """`/oidc/` of the server, behind mod_auth_openidc. It sends no PKCE unless told (2.4.12)."""

    issuer: str
    client_id: str
    secret: str
    scope: str = "openid profile email groups offline_access"
    pkce: str = ""
    """`S256`, or empty for none."""
    directives: tuple[str, ...] = ()
    """More of them, as they stand in the configuration."""

    def text(self, base: str, ca_file: Path) -> str:
        """What stands in the server's configuration."""
        lines = [
            f"OIDCProviderMetadataURL {self.issuer}/.well-known/openid-configuration",
            f"OIDCClientID {self.client_id}",
            f'OIDCClientSecret "{self.secret}"',
            f'OIDCScope "{self.scope}"',
            f"OIDCRedirectURI {base}/oidc/redirect",
            f"OIDCCryptoPassphrase {secrets.token_hex(16)}",
            f"OIDCCABundlePath {ca_file}",
            "OIDCSSLValidateServer On",
            "OIDCRemoteUserClaim sub",
            "OIDCPassClaimsAs environment",
            "OIDCPassRefreshToken On",
            *([f"OIDCPKCEMethod {self.pkce}"] if self.pkce else []),
            *self.directives,
            "<Location /oidc/>",
            "  AuthType openid-connect",
            "  Require valid-user",
            *(
                f'  Header always set X-Seen-{claim} "expr=%{{env:OIDC_CLAIM_{claim}}}"'
                for claim in ("sub", "email", "name", "groups", "preferred_username", "sid")
            ),
            '  Header always set X-Seen-access_token "expr=%{env:OIDC_access_token}"',
            "</Location>",
        ]
        return "\n".join(lines)


@dataclass(kw_only=True)
class SamlApplication:
    """`/saml/` of the server, behind mod_auth_mellon (Lasso)."""

    metadata: Path
    """The identity provider's."""
    key: Path
    certificate: Path
    attributes: tuple[str, ...] = ("mail", "uid", "displayName")
    directives: tuple[str, ...] = ()

    def text(self, base: str, _ca_file: Path) -> str:
        """What stands in the server's configuration."""
        lines = [
            "<Location /saml/>",
            "  AuthType Mellon",
            "  MellonEnable auth",
            "  Require valid-user",
            "  MellonEndpointPath /saml/mellon",
            f"  MellonSPentityId {base}/saml/mellon/metadata",
            f"  MellonSPPrivateKeyFile {self.key}",
            f"  MellonSPCertFile {self.certificate}",
            f"  MellonIdPMetadataFile {self.metadata}",
            "  MellonMergeEnvVars On ;",
            "  MellonSecureCookie On",
            *(f"  {directive}" for directive in self.directives),
            '  Header always set X-Seen-NAME_ID "expr=%{env:MELLON_NAME_ID}"',
            *(f'  Header always set X-Seen-{name} "expr=%{{env:MELLON_{name}}}"' for name in self.attributes),
            "</Location>",
        ]
        return "\n".join(lines)


@dataclass
class Apache:
    """One server with both applications, as far as they are given. Async context manager.

    trusted: CA file for what it asks itself.
    """

    trusted: Path
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="isthmus-apache-"))
        self.home.chmod(0o755)  # its workers are another user's where it is started by root
        self.trusted = Path(shutil.copy(self.trusted, self.home / "trusted.pem"))
        write_certificates(self.home / "tls", dns_name="localhost", address="127.0.0.1")
        self.ca_file = self.home / "tls" / "ca.pem"
        documents = self.home / "documents"
        for application in ("oidc", "saml"):
            (documents / application).mkdir(parents=True)
            (documents / application / "index.html").write_text(f"<h1>{application}</h1>")
        (documents / "index.html").write_text("<h1>nobody needs to sign in here</h1>")

    @property
    def url(self) -> str:
        """`https://localhost:port`."""
        return f"https://localhost:{self.port}"

    def tls(self) -> ssl.SSLContext:
        """For whoever asks it."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    async def start(self, *applications: OidcApplication | SamlApplication) -> None:
        """Serve them. Raises RuntimeError with what it logged."""
        configuration = self.home / "apache.conf"
        configuration.write_text(self._configuration(applications))
        self._process = self._begin(configuration)
        deadline = asyncio.get_running_loop().time() + _START
        while asyncio.get_running_loop().time() < deadline and self._process.poll() is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return
        raise RuntimeError(f"apache2 does not serve:\n{self.logged()}")

    def _begin(self, configuration: Path) -> subprocess.Popen[bytes]:
        with (self.home / "output.log").open("wb") as output:
            return subprocess.Popen(
                [APACHE, "-f", str(configuration), "-DFOREGROUND"], stdout=output, stderr=output, start_new_session=True
            )

    def logged(self) -> str:
        """What it said so far."""
        return "".join(
            path.read_text(errors="replace") for path in (self.home / "output.log", self.home / "error.log") if path.exists()
        )

    def reload(self) -> None:
        """Have it read its files anew, without a request being lost."""
        assert self._process is not None
        self._process.send_signal(signal.SIGUSR1)

    async def stop(self) -> None:
        """End it and all its children."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            await asyncio.to_thread(self._process.wait, 10)
        self._process = None

    async def __aenter__(self) -> Apache:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def _configuration(self, applications: tuple[OidcApplication | SamlApplication, ...]) -> str:
        compiled_in = subprocess.run([APACHE, "-l"], capture_output=True, text=True, check=True).stdout
        modules = [
            f"LoadModule {name}_module {_MODULES}/mod_{name}.so"
            for name in _LOADED
            if f"mod_{name}.c" not in compiled_in and Path(_MODULES, f"mod_{name}.so").exists()
        ]
        user = ("User nobody", "Group nogroup") if os.geteuid() == 0 else ()
        lines = [
            f"ServerRoot {self.home}",
            f"PidFile {self.home}/apache.pid",
            f"DefaultRuntimeDir {self.home}",
            f"ErrorLog {self.home}/error.log",
            "LogLevel warn auth_openidc:info auth_mellon:info",
            "ServerName localhost",
            f"Listen 127.0.0.1:{self.port}",
            "StartServers 1",
            "ServerLimit 1",
            "ThreadsPerChild 16",
            "MaxRequestWorkers 16",
            *modules,
            *user,
            f"Mutex file:{self.home} default",
            f"DocumentRoot {self.home}/documents",
            "DirectoryIndex index.html",
            "SSLEngine on",
            "SSLSessionCache none",
            f"SSLCertificateFile {self.home}/tls/cert.pem",
            f"SSLCertificateKeyFile {self.home}/tls/key.pem",
            *(application.text(self.url, self.trusted) for application in applications),
        ]
        return "\n".join(lines) + "\n"
