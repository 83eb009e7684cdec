"""Who speaks on one HTTP connection, and the encryption of its messages: MS-WSMV 3.1.4.1 and 2.2.9.1.

Basic (RFC 7617), Negotiate with NTLM inside SPNEGO or bare (MS-NTHT, MS-NLMP) and CredSSP over NTLM (MS-CSSP) by pyspnego's
acceptors, Kerberos by `wsman_kerberos` where the host has a keytab, and client certificates. pyspnego finds NTLM passwords
in a file named by NTLM_USER_FILE.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import ssl
import struct
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import spnego
import spnego.channel_bindings
from cryptography import x509
from spnego.exceptions import SpnegoError

MUTUAL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_BOUNDARY = b"--Encrypted Boundary\r\n"
_END = b"--Encrypted Boundary--\r\n"


_KERBEROS = bytes.fromhex("06092a864886f712010202")
"""1.2.840.113554.1.2.2 in DER, as it stands in a token of Kerberos, or one of SPNEGO that offers it."""
_RECORD = 16384


class Refused(Exception):
    """HTTP 401; `token` continues a conversation that is not at its end."""

    def __init__(self, token: bytes = b"", *, failed: bool = False) -> None:
        super().__init__()
        self.token, self.failed = token, failed


class TicketRejected(Exception):
    """Of Kerberos; `token` is the KRB-ERROR (RFC 4120 section 5.9.1) that tells why, or empty."""

    def __init__(self, token: bytes) -> None:
        super().__init__()
        self.token = token


class Login:
    """State of one connection. `user` is empty until it is known."""

    def __init__(
        self,
        users: Mapping[str, str],
        certificates: Mapping[str, str],
        *,
        tls: ssl.SSLSocket | None,
        server: bytes,
        keytab: Path | None = None,
        credssp: bool = False,
    ):
        self._users, self._certificates = users, certificates
        self._tls, self._keytab, self._credssp = tls, keytab, credssp
        self._bindings = _bindings(server) if tls is not None and server else None
        self._context: Any = None
        """Ours or pyspnego's: what step, wrap_winrm and unwrap_winrm are called on."""
        self._protocol = b"SPNEGO"
        self.user = ""
        self.delegated: tuple[str, str] | None = None
        """User and password that CredSSP handed over."""
        self.stranger = False
        """Nobody is known here."""

    @property
    def encrypts(self) -> bool:
        """Whether this connection's messages can be encrypted."""
        return self._context is not None and self._context.complete

    def step(self, header: str) -> bytes:
        """One Authorization header; what to answer with success. Raises Refused."""
        scheme, _, value = header.partition(" ")
        if not header:
            if self.user and self._context is not None:
                return b""  # the connection is authenticated, not the request (MS-NTHT 3.2)
            raise Refused
        if scheme.casefold() == "basic":
            return self._basic(value)
        if header == MUTUAL:
            return self._certificate()
        if scheme.casefold() in {"negotiate", "ntlm"}:
            return self._negotiate(base64.b64decode(value))
        if scheme.casefold() == "credssp" and self._credssp:
            return self._delegate(base64.b64decode(value))
        raise Refused

    def _basic(self, value: str) -> bytes:
        user, _, password = base64.b64decode(value).decode().partition(":")
        if self.stranger or self._users.get(user) != password:
            raise Refused(failed=True)
        self.user = user
        return b""

    def _certificate(self) -> bytes:
        der = self._tls.getpeercert(binary_form=True) if self._tls is not None else None
        user = self._certificates.get(hashlib.sha256(der).hexdigest(), "") if der else ""
        if not user:
            raise Refused(failed=True)
        self.user = user
        return b""

    def _negotiate(self, token: bytes) -> bytes:
        if self._context is None or self._context.complete:
            self.user, self._protocol = "", b"SPNEGO"
            self._context = self._accept(token)
        answer = self._step(token)
        if not self._context.complete:
            raise Refused(answer)
        if self.stranger:
            raise Refused(failed=True)
        self.user = self._context.client_principal or ""
        return answer

    def _accept(self, token: bytes) -> Any:
        if self._keytab is not None and _KERBEROS in token:
            from tests.adfs.simulator.wsman_kerberos import KerberosAcceptor

            return KerberosAcceptor(self._keytab, self._bindings.application_data if self._bindings else None)
        return spnego.server(
            protocol="ntlm" if token.startswith(b"NTLMSSP\0") else "negotiate",
            channel_bindings=self._bindings,
            options=spnego.NegotiateOptions.wrapping_winrm,
        )

    def _step(self, token: bytes) -> bytes:
        try:
            return bytes(self._context.step(token) or b"")
        except TicketRejected as error:
            self._context = None
            raise Refused(error.token, failed=True) from error
        except SpnegoError as error:
            self._context = None
            raise Refused(failed=True) from error

    def _delegate(self, token: bytes) -> bytes:
        """MS-CSSP 3.1.5: TLS, NTLM inside it, the server's key bound to that, and then the password."""
        if self._context is None or self._context.complete:
            self.user, self._protocol = "", b"CredSSP"
            self._context = spnego.server(protocol="credssp", credssp_negotiate_context=spnego.server(protocol="ntlm"))
        answer: bytes = self._step(token)
        if not self._context.complete:
            failed = self._context.get_extra_info("auth_stage") == "Authentication failure"
            raise Refused(answer, failed=failed)
        if self.stranger:
            raise Refused(failed=True)
        given = self._context.get_extra_info("client_credential")
        self.user = self._context.client_principal or ""
        self.delegated = f"{given.domain_name}\\{given.username}", given.password
        return answer

    def decrypt(self, body: bytes) -> bytes:
        """A multipart/encrypted message, or several in multipart/x-multi-encrypted. Raises ValueError."""
        if self._context is None or not body.startswith(_BOUNDARY) or not body.endswith(_END):
            raise ValueError("not an encrypted message")
        parts = body[len(_BOUNDARY) : -len(_END)].split(_BOUNDARY)
        return b"".join(self._open(head, payload) for head, payload in zip(parts[::2], parts[1::2], strict=True))

    def _open(self, head: bytes, payload: bytes) -> bytes:
        length = re.search(rb"Length=(\d+)", head)
        sealed = payload.removeprefix(b"\tContent-Type: application/octet-stream\r\n")
        size = struct.unpack("<i", sealed[:4])[0]
        plain: bytes = self._context.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :])
        if length is None or int(length.group(1)) != len(plain) or self._named not in head:
            raise ValueError("the length or the protocol is wrong")
        return plain

    def encrypt(self, body: bytes) -> tuple[str, bytes]:
        """Content-Type and message. CredSSP takes at most 16 KiB, TLS's record, at once."""
        if self._context is None:
            raise ValueError("nobody to encrypt for")
        size = _RECORD if self._protocol == b"CredSSP" else len(body)
        pieces = [self._close(body[start : start + size]) for start in range(0, len(body), size)]
        kind = "multipart/encrypted" if len(pieces) == 1 else "multipart/x-multi-encrypted"
        named = f'{kind};protocol="{self._named.decode()}";boundary="Encrypted Boundary"'
        return named, b"".join(pieces) + _END

    def _close(self, body: bytes) -> bytes:
        header, sealed, padding = self._context.wrap_winrm(body)
        message: bytes = (
            _BOUNDARY
            + b"\tContent-Type: %s\r\n" % self._named
            + b"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length=%d\r\n" % (len(body) + padding)
            + _BOUNDARY
            + b"\tContent-Type: application/octet-stream\r\n"
            + struct.pack("<i", len(header))
            + header
            + sealed
        )
        return message

    @property
    def _named(self) -> bytes:
        return b"application/HTTP-%s-session-encrypted" % self._protocol


def _bindings(certificate: bytes) -> spnego.channel_bindings.GssChannelBindings:
    """tls-server-end-point of RFC 5929 section 4."""
    algorithm = x509.load_der_x509_certificate(certificate).signature_hash_algorithm
    name = "sha256" if algorithm is None or algorithm.name in {"md5", "sha1"} else algorithm.name
    digest = hashlib.new(name, certificate).digest()
    return spnego.channel_bindings.GssChannelBindings(application_data=b"tls-server-end-point:" + digest)


class Passwords:
    """The acceptor's file of NTLM passwords, for all servers of this process that are up."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: list[Mapping[str, str]] = []
        self._before: str | None = None
        self._path = Path()

    def add(self, users: Mapping[str, str]) -> None:
        with self._lock:
            if not self._given:
                self._before = os.environ.get("NTLM_USER_FILE")
                handle, name = tempfile.mkstemp(prefix="ntlm-users-")
                os.close(handle)
                self._path = Path(name)
                os.environ["NTLM_USER_FILE"] = name
            self._given.append(users)
            self._write()

    def remove(self, users: Mapping[str, str]) -> None:
        with self._lock:
            self._given.remove(users)
            self._write()
            if self._given:
                return
            self._path.unlink()
            del os.environ["NTLM_USER_FILE"]
            if self._before is not None:
                os.environ["NTLM_USER_FILE"] = self._before

    def _write(self) -> None:
        lines = []
        for users in self._given:
            for user, password in users.items():
                domain, _, name = user.rpartition("\\")
                lines.append(f"{domain}:{name}:{password}\n")
        self._path.write_text("".join(lines))


PASSWORDS = Passwords()
