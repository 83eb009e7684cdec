"""What can be wrong with a conversation between agent and relay.

ProtocolError                 base: ends the session, has a close code
├── MalformedFrame            not a message of this protocol, or one too many bytes
├── UnexpectedMessage         a known message in a state that does not take it
├── VersionMismatch           no protocol version in common
├── PeerRefused               the other end's certificate or signature was not accepted
├── RecordForged              a frame that the peer did not write, or wrote for another place in the order
└── SealBroken                a sealed request or answer that does not open
"""

from __future__ import annotations

import enum


class CloseCode(enum.IntEnum):
    """Websocket close codes of `isthmus.agent.v1` (RFC 6455 section 7.4.2: 4000 to 4999 are for private use)."""

    NORMAL = 1000
    GOING_AWAY = 1001
    MALFORMED = 4000
    UNEXPECTED = 4001
    VERSION = 4002
    REFUSED = 4003
    FORGED = 4004
    SEAL = 4005
    REVOKED = 4006
    SILENT = 4007
    QUARANTINED = 4008
    REPLACED = 4009
    EXPIRED = 4010


class ProtocolError(Exception):
    """Base of all that ends a session. `public` goes to the peer, `detail` to our log only."""

    code = CloseCode.MALFORMED
    public = "protocol error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.public}: {self.detail}"


class MalformedFrame(ProtocolError):
    """The bytes are not a message of this protocol."""

    code = CloseCode.MALFORMED
    public = "malformed frame"


class UnexpectedMessage(ProtocolError):
    """The message is known but not in this state."""

    code = CloseCode.UNEXPECTED
    public = "unexpected message"


class VersionMismatch(ProtocolError):
    """The two ends have no protocol version in common; the older one is to be updated."""

    code = CloseCode.VERSION
    public = "no protocol version in common"


class PeerRefused(ProtocolError):
    """The other end is not who it must be: wrong authority, wrong role, unknown, or a signature that does not fit."""

    code = CloseCode.REFUSED
    public = "identity refused"


class PeerExpired(PeerRefused):
    """The other end's certificate has expired: for an agent, the remedy is to enrol anew."""

    code = CloseCode.EXPIRED
    public = "certificate expired"


class PeerRevoked(PeerRefused):
    """The other end's certificate was revoked by an administrator, or after a canary."""

    code = CloseCode.REVOKED
    public = "certificate revoked"


class RecordForged(ProtocolError):
    """A frame was changed, repeated, dropped or put in another order on its way."""

    code = CloseCode.FORGED
    public = "record refused"


class SealBroken(ProtocolError):
    """A sealed request or answer does not open under the key that it names."""

    code = CloseCode.SEAL
    public = "seal broken"
