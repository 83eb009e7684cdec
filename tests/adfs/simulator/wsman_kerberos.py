"""A host's side of Kerberos: GSS-API's acceptor on the host's own keytab (RFC 4121), bare or inside SPNEGO (RFC 4178).

Like a Windows host it reads only tickets for its own account, and its messages are sealed by MS-WSMV 2.2.9.1.1: the header
of the wrap token first, what is encrypted after it. Needs the package `gssapi`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gssapi
from gssapi import raw

from tests.adfs.simulator.wsman_auth import TicketRejected


class KerberosAcceptor:
    """One security context, with the methods of pyspnego's."""

    def __init__(self, keytab: Path, bindings: bytes | None) -> None:
        """`bindings` is the application data of the channel bindings, where there is TLS."""
        self._context = _accept(keytab, bindings)
        self._context.__DEFER_STEP_ERRORS__ = False  # or an error's token could not be told from one that goes on

    @property
    def complete(self) -> bool:
        return bool(self._context.complete)

    @property
    def client_principal(self) -> str:
        """name@REALM."""
        return str(self._context.initiator_name)

    def step(self, token: bytes) -> bytes:
        try:
            return bytes(self._context.step(token) or b"")
        except raw.GSSError as error:
            raise TicketRejected(bytes(getattr(error, "token", None) or b"")) from error

    def wrap_winrm(self, data: bytes) -> tuple[bytes, bytes, int]:
        """Header, what is encrypted, and how much longer that is."""
        kind = raw.IOVBufferType
        message = raw.IOV(kind.header, data, kind.padding, std_layout=False)
        raw.wrap_iov(self._context, message, confidential=True)
        header, sealed, padding = (bytes(part.value or b"") for part in message)
        return header, sealed + padding, len(padding)

    def unwrap_winrm(self, header: bytes, data: bytes) -> bytes:
        """Raises ValueError for what was not encrypted."""
        kind = raw.IOVBufferType
        parts = ((kind.header, header), (kind.data, data), (kind.data, b""))
        message = raw.IOV(*(raw.IOVBuffer(which, False, value or None) for which, value in parts), std_layout=False)
        if not raw.unwrap_iov(self._context, message).encrypted:
            raise ValueError("signed, but not encrypted")
        return bytes(message[1].value or b"")


def _accept(keytab: Path, bindings: bytes | None) -> Any:
    credentials = gssapi.Credentials(usage="accept", store={"keytab": f"FILE:{keytab}"})
    channel = None if bindings is None else raw.ChannelBindings(application_data=bindings)
    return gssapi.SecurityContext(creds=credentials, usage="accept", channel_bindings=channel)
