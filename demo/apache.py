"""Two sample applications on Debian's Apache: Notes behind mod_auth_openidc, Wiki behind mod_auth_mellon (SAML by Lasso)."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import string
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

from demo.address import PublicAddress
from demo.throwaway_tls import write_signing_certificate

APACHE = "/usr/sbin/apache2"
_MODULES = Path("/usr/lib/apache2/modules")
_LOADED = (
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_user",
    "dir",
    "include",
    "mime",
    "setenvif",
    "socache_shmcb",
    "ssl",
    "auth_openidc",
    "auth_mellon",
)
_PAGES = Path(__file__).parent / "applications"
_START = 10.0
"""Seconds until it has to serve."""
_REFRESH = 2.0
"""Seconds between two readings of the relay's metadata: less than `keys.within` of the trust."""
_CLAIMS = {
    "sub": "OIDC_CLAIM_sub",
    "name": "OIDC_CLAIM_name",
    "preferred_username": "OIDC_CLAIM_preferred_username",
    "given_name": "OIDC_CLAIM_given_name",
    "family_name": "OIDC_CLAIM_family_name",
    "email": "OIDC_CLAIM_email",
    "groups": "OIDC_CLAIM_groups",
    "amr": "OIDC_CLAIM_amr",
    "iss": "OIDC_CLAIM_iss",
    "sid": "OIDC_CLAIM_sid",
}
_ATTRIBUTES = {
    "NameID": "MELLON_NAME_ID",
    "displayName": "MELLON_displayName",
    "uid": "MELLON_uid",
    "mail": "MELLON_mail",
    "groups": "MELLON_groups",
    "IdP": "MELLON_IDP",
}


class ApacheFailed(Exception):
    """It does not serve; `output` is what it said."""

    def __init__(self, output: str) -> None:
        super().__init__(output)
        self.output = output

    def __str__(self) -> str:
        return f"apache2 does not serve:\n{self.output}"


class SampleApplications:
    """A context manager: the server runs until its end, and leaves nothing behind.

    public: where people reach it. issuer: the relay's address. tls: directory with `ca.pem`, which the server trusts, and
    `cert.pem` and `key.pem`, which it shows. metadata: reads the relay's SAML metadata.
    """

    def __init__(self, public: PublicAddress, issuer: str, tls: Path, metadata: Callable[[], bytes]) -> None:
        self.public, self.url, self._issuer, self._metadata = public, public.url, issuer, metadata
        self.home = Path(tempfile.mkdtemp(prefix="isthmus-applications-"))
        for name in ("ca.pem", "cert.pem", "key.pem"):
            shutil.copy(tls / name, self.home / name)
        write_signing_certificate(self.home / "saml.key", self.home / "saml.pem", name="Wiki")
        self.certificate = (self.home / "saml.pem").read_text()
        self.reloads = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._ended = threading.Event()
        self._refresher = threading.Thread(target=self._keep_metadata, daemon=True)

    def __enter__(self) -> SampleApplications:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        if self._refresher.is_alive():
            self._refresher.join(10)
        self._stop()
        shutil.rmtree(self.home, ignore_errors=True)

    @property
    def notes(self) -> str:
        """The OpenID Connect application."""
        return f"{self.url}/notes/"

    @property
    def wiki(self) -> str:
        """The SAML application."""
        return f"{self.url}/wiki/"

    @property
    def redirect_uri(self) -> str:
        """Of Notes: the module's own address, for answers, logout and logout tokens."""
        return f"{self.notes}redirect"

    @property
    def endpoint(self) -> str:
        """Of Wiki: the module's addresses begin with it."""
        return f"{self.wiki}mellon"

    def start(self, client_id: str, secret: str) -> None:
        """Serve both, and follow the relay's metadata. Raises ApacheFailed."""
        self.write(client_id, secret)
        with (self.home / "output.log").open("wb") as output:
            self._process = subprocess.Popen(
                [APACHE, "-f", str(self.home / "apache.conf"), "-DFOREGROUND"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._wait()
        self._refresher.start()

    def write(self, client_id: str, secret: str) -> None:
        """The server's configuration, and everything that it serves."""
        self._write_pages()
        (self.home / "idp.xml").write_bytes(self._metadata())
        (self.home / "apache.conf").write_text(self._configuration(client_id, secret))
        (self.home / "cache").mkdir()
        if os.geteuid() == 0:  # its workers are another user's then
            _give_away(self.home)

    def logged(self) -> str:
        """What it said so far."""
        files = (self.home / "output.log", self.home / "error.log")
        return "".join(file.read_text(errors="replace") for file in files if file.exists())

    # -- inside

    def _keep_metadata(self) -> None:
        """As a scheduled job does where the party itself does not: Mellon reads the file when Apache starts."""
        known = (self.home / "idp.xml").read_bytes()
        while not self._ended.wait(_REFRESH):
            with contextlib.suppress(OSError):
                found = self._metadata()
                if found != known and self._process is not None:
                    (self.home / "idp.new").write_bytes(found)
                    (self.home / "idp.new").replace(self.home / "idp.xml")
                    known = found
                    self._process.send_signal(signal.SIGUSR1)  # reads its files anew, and finishes what is under way
                    self.reloads += 1

    def _wait(self) -> None:
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline and self._process is not None and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection((self.public.bind, self.public.port), 1):
                return
            time.sleep(0.05)
        raise ApacheFailed(self.logged())

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _write_pages(self) -> None:
        documents = self.home / "documents"
        for name in ("notes", "wiki"):
            (documents / name).mkdir(parents=True)
        shutil.copy(_PAGES / "style.css", documents)
        start = string.Template((_PAGES / "index.html").read_text())
        (documents / "index.html").write_text(start.substitute(relay=self._issuer))
        template = string.Template((_PAGES / "application.html").read_text())
        back = quote(f"{self.url}/", safe="")
        texts = {
            "notes": ("Notes", "OpenID Connect, by mod_auth_openidc", _CLAIMS, f"{self.redirect_uri}?logout={back}"),
            "wiki": ("Wiki", "SAML 2.0, by mod_auth_mellon", _ATTRIBUTES, f"{self.endpoint}/logout?ReturnTo={back}"),
        }
        for name, (title, by, variables, sign_out) in texts.items():
            text = template.substitute(title=title, by=by, rows=_rows(variables), sign_out=sign_out)
            (documents / name / "index.html").write_text(text)

    def _configuration(self, client_id: str, secret: str) -> str:
        compiled_in = subprocess.run([APACHE, "-l"], capture_output=True, text=True, check=True).stdout
        modules = [name for name in _LOADED if f"mod_{name}.c" not in compiled_in]
        lines = [
            f"ServerRoot {self.home}",
            f"PidFile {self.home}/apache.pid",
            f"DefaultRuntimeDir {self.home}",
            f"ErrorLog {self.home}/error.log",
            "LogLevel warn",
            f"ServerName {self.url}",
            "UseCanonicalName On",
            f"Listen {self.public.listen}",
            "StartServers 1",
            "ServerLimit 4",
            "ThreadsPerChild 16",
            "MinSpareThreads 8",
            "MaxSpareThreads 48",
            "MaxRequestWorkers 64",
            *(f"LoadModule {name}_module {_MODULES / f'mod_{name}.so'}" for name in modules),
            *(("User nobody", "Group nogroup") if os.geteuid() == 0 else ()),
            f"Mutex file:{self.home} default",
            f"DocumentRoot {self.home}/documents",
            "DirectoryIndex index.html",
            "TypesConfig /dev/null",
            "AddType text/css .css",
            "AddType text/html .html",
            "AddOutputFilter INCLUDES .html",
            f"<Directory {self.home}/documents>",
            "  Options +IncludesNOEXEC",
            "</Directory>",
            "SSLEngine on",
            "SSLSessionCache none",
            f"SSLCertificateFile {self.home}/cert.pem",
            f"SSLCertificateKeyFile {self.home}/key.pem",
            *self._openid_connect(client_id, secret),
            *self._saml(),
        ]
        return "\n".join(lines) + "\n"

    def _openid_connect(self, client_id: str, secret: str) -> list[str]:
        return [
            f"OIDCProviderMetadataURL {self._issuer}/.well-known/openid-configuration",
            f"OIDCClientID {client_id}",
            f'OIDCClientSecret "{secret}"',
            'OIDCScope "openid profile email groups"',
            "OIDCPKCEMethod S256",
            f"OIDCRedirectURI {self.redirect_uri}",
            f"OIDCCryptoPassphrase {secrets.token_hex(16)}",
            # sessions outlast a reload of the server, which they do not in shared memory
            "OIDCCacheType file",
            f"OIDCCacheDir {self.home}/cache",
            f"OIDCCABundlePath {self.home}/ca.pem",
            "OIDCSSLValidateServer On",
            "OIDCRemoteUserClaim sub",
            "OIDCPassClaimsAs environment",
            'OIDCClaimDelimiter ", "',
            "<Location /notes/>",
            "  AuthType openid-connect",
            "  Require valid-user",
            "</Location>",
        ]

    def _saml(self) -> list[str]:
        return [
            "<Location /wiki/>",
            "  AuthType Mellon",
            "  MellonEnable auth",
            "  Require valid-user",
            "  MellonEndpointPath /wiki/mellon",
            f"  MellonSPentityId {self.endpoint}/metadata",
            f"  MellonSPPrivateKeyFile {self.home}/saml.key",
            f"  MellonSPCertFile {self.home}/saml.pem",
            f"  MellonIdPMetadataFile {self.home}/idp.xml",
            '  MellonMergeEnvVars On ", "',
            "  MellonSecureCookie On",
            "</Location>",
        ]


def _rows(variables: dict[str, str]) -> str:
    """Rows of a table by mod_include, which escapes what it inserts; without those for which there is no value."""
    return "\n".join(
        f"<!--#if expr=\"v('{variable}') != ''\" -->"
        f'<tr><th scope="row">{name}</th><td data-claim="{name}"><!--#echo var="{variable}" --></td></tr><!--#endif -->'
        for name, variable in variables.items()
    )


def _give_away(home: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    for path in (home, *home.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
