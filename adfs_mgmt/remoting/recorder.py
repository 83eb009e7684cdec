"""A session as a file: for bug reports, and as test data. One JSON line for each command with its answer.

Nothing that names an organisation goes into the file. Texts are cut into words; a word stays only if it is known to be
AD FS's or Windows's own, every other becomes a pseudonym, the same one wherever the word appears (so that a thumbprint in
one answer still fits the thumbprint in another, and `certauth.fs.corp.example` still ends in `fs.corp.example`). In the text
of an error ordinary words stay, too, unless they look like a name or were met as part of one before: read those lines before
you send the file to anybody. Secrets are left out, and so are bytes (PFX files are keys). Of a certificate there is what it
says (X509Certificate2's own properties, names as pseudonyms) instead of its RawData, which names its owner.

The pseudonyms come from a key that exists as long as the Recorder does: nobody can try names against the file later.
"""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import json
import os
import secrets
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import structlog

from adfs_mgmt.remoting.catalogue import CATALOGUE
from adfs_mgmt.remoting.command import Command, PSCredential, PSObject, Secret
from adfs_mgmt.remoting.errors import AccessDenied, CommandFailed, HostUnreachable, Interrupted, NoTicket, RemotingError
from adfs_mgmt.remoting.shell import Shell
from certs import CertificateUnreadable, read_certificate, thumbprint_of
from foundation.pseudonyms import Pseudonyms, words_of

log = structlog.get_logger(__name__)

_KNOWN = frozenset(
    words_of(
        """
    http https net tcp adfs services trust proxytrust probe ls mex oauth2 wstrust saml metadata federationmetadata
    2005 2007 windowstransport usernamemixed certificatemixed certificatetransport kerberosmixed
    issuedtokenmixedasymmetric idpinitiatedsignon urn federation microsoftonline login com certauth enterpriseregistration
    www host name cn ou st dc nt service authority builtin system network local localhost administrators cert localmachine my
    primarycomputer secondarycomputer running stopped startpending stoppending paused automatic manual disabled none basic
    verbose full true false ok error warning healthy unknown installed available installpending removed
    windows server standard datacenter evaluation microsoft r2 sha1 sha256 sha512 rsa adfssrv appproxysvc appproxyctrl mssql
    wid localdb sqlserver cng csp role success failure not ad fs tls ssl winrm wsman ntlm kerberos x509 ca id spn dns sql
    subject issuer serial number before after thumbprint signing encryption am pm office 365 identity platform federation
    services enhanced cryptographic provider and aes software key storage
    """
    )
)
_CODES = r"(?:PS|MSIS|WMI|ADMIN)[0-9]{2,5}"
"""Numbers of AD FS's messages."""
_CATALOGUED = frozenset(
    word.casefold()
    for cmdlet in CATALOGUE.values()
    for text in (cmdlet.name, *cmdlet.parameters, *(choice for p in cmdlet.parameters.values() for choice in p.choices))
    for word in words_of(text)
)


class Recorder:
    """A Shell that writes down what another one does. The file is only its owner's to read.

    Where it cannot be written any more (a full disk), recording ends with a warning, and the work continues.
    """

    def __init__(self, shell: Shell, path: Path, *, key: bytes | None = None) -> None:
        """`key` makes the pseudonyms; a fresh one where none is given. Raises OSError."""
        self._shell = shell
        self._scrub = Pseudonyms(key or secrets.token_bytes(32), _KNOWN | _CATALOGUED, _CODES)
        self._file: BinaryIO | None = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")

    async def run(self, host: str, command: Command, *, timeout: float = 60.0) -> list[PSObject]:  # noqa: ASYNC109
        """See Shell."""
        try:
            answer = await self._shell.run(host, command, timeout=timeout)
        except RemotingError as error:
            self._write(host, command, {"error": self._error(error)})
            raise
        self._write(host, command, {"answer": self._scrubbed(answer)})
        return answer

    async def close(self) -> None:
        """See Shell."""
        self._stop()
        await self._shell.close()

    def _stop(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):  # what could not be written is written again by closing
                self._file.close()
            self._file = None

    def _write(self, host: str, command: Command, outcome: dict[str, Any]) -> None:
        if self._file is None:
            return
        line = {
            "host": self._scrub.text(host.partition("=")[0]),
            "command": command.name,
            "parameters": self._scrubbed(dict(command.parameters)),
            **outcome,
        }
        try:
            self._file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            self._file.flush()
        except OSError as error:  # the command has taken effect: what it answered counts, not what is written of it
            log.warning("remoting.recording_stopped", reason=error.strerror)
            self._stop()

    def _scrubbed(self, value: Any) -> Any:
        """As JSON. Bytes and secrets keep their kind only."""
        return _encoded(value, self._scrub.text, self._scrub.identifier)

    def _error(self, error: RemotingError) -> dict[str, str]:
        said = {"kind": type(error).__name__, "reason": self._scrub.prose(error.reason)}
        if isinstance(error, CommandFailed):
            said |= {"error_id": error.error_id, "category": error.category}
        return said


class RecordingDamaged(ValueError):
    """A line of a recording cannot be read."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(path, line, reason)
        self.path, self.line, self.reason = path, line, reason

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.reason}"


class Replay:
    """A Shell that answers as a recording did: the same command to the same host in the recorded order, then the last."""

    def __init__(self, path: Path) -> None:
        """Raises OSError, RecordingDamaged."""
        self._answers: dict[str, deque[dict[str, Any]]] = defaultdict(deque)
        self.hosts: dict[str, set[str]] = {}
        """Hosts of the recording, as they are called in it, each with the commands that it was sent."""
        self.failures: list[RemotingError] = []
        """What went wrong in it, in order."""
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            try:
                line = json.loads(text)
                key = _key(line["host"], line["command"], line["parameters"])
            except (ValueError, KeyError, TypeError) as error:
                raise RecordingDamaged(path, number, f"not a line of a recording ({error!r})") from error
            self._answers[key].append(line)
            self.hosts.setdefault(line["host"], set()).add(line["command"])
            if "error" in line:
                self.failures.append(_error(line["host"], line["command"], line["error"]))

    async def run(self, host: str, command: Command, *, timeout: float = 60.0) -> list[PSObject]:  # noqa: ASYNC109
        """See Shell. What was not recorded fails as CommandFailed."""
        lines = self._answers.get(_key(host.partition("=")[0], command.name, _encoded(command.parameters)))
        if not lines:
            raise CommandFailed(host, command.name, f"the recording has no such command: {command}")
        line = lines.popleft() if len(lines) > 1 else lines[0]
        if "error" in line:
            raise _error(host, command.name, line["error"])
        return [_thing(row) for row in line["answer"]]

    async def close(self) -> None:
        """See Shell."""


def _key(host: str, command: str, parameters: Any) -> str:
    return json.dumps([host, command, parameters], sort_keys=True)


def _encoded(value: Any, text: Callable[[str], str] = str, name: Callable[[str], str] = str) -> Any:
    """A value as JSON, with what `text` makes of its texts and `name` of the names of its properties."""
    if isinstance(value, Secret):
        return {"$secret": ""}
    if isinstance(value, PSCredential):
        return {"$credential": text(value.user)}
    if isinstance(value, bytes):
        return {"$bytes": ""}
    if isinstance(value, dt.datetime):
        return {"$time": value.astimezone(dt.UTC).isoformat()}
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        value = _with_certificate(value)
        return {name(key): _encoded(inner, text, name) for key, inner in value.items()}
    return [_encoded(inner, text, name) for inner in value] if isinstance(value, Sequence) else value


def _with_certificate(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same object, with what the certificate says whose RawData it has."""
    raw = value.get("RawData")
    if not isinstance(raw, bytes) or not raw:
        return value
    try:
        found = read_certificate(raw)
    except CertificateUnreadable:
        return {"Thumbprint": thumbprint_of(raw), **value}
    return {
        "Thumbprint": found.thumbprint,
        "Subject": found.subject,
        "Issuer": found.issuer,
        "NotBefore": _moment(found.not_before),
        "NotAfter": _moment(found.not_after),
        "DnsNameList": found.names,
        "ServerAuthentication": found.server_auth,
        **value,
    }


def _moment(seconds: float | None) -> dt.datetime | None:
    return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)


def _thing(value: Any) -> Any:
    if isinstance(value, list):
        return [_thing(item) for item in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"$time"}:
        return dt.datetime.fromisoformat(value["$time"])
    if set(value) == {"$bytes"}:
        return base64.b64decode(value["$bytes"])
    return {name: _thing(inner) for name, inner in value.items()}


_KINDS: dict[str, type[RemotingError]] = {
    "AccessDenied": AccessDenied,
    "CredentialRefused": AccessDenied,  # nobody shows a replay a credential
    "HostUnreachable": HostUnreachable,
    "Interrupted": Interrupted,
    "NoTicket": NoTicket,
}


def _error(host: str, command: str, said: Mapping[str, str]) -> RemotingError:
    reason = said["reason"]
    if said["kind"] == "CommandFailed":
        return CommandFailed(host, command, reason, error_id=said["error_id"], category=said["category"])
    return _KINDS.get(said["kind"], RemotingError)(host, reason)
