"""Who the other end must be: a certificate of the pinned authority, in its role, and a signature by its key.

`certs.verify_certificate` says whom a certificate names: one authority, one role, valid now. Three things it cannot know,
and whoever takes a certificate from the wire must see to each:

- that this very certificate is (still) wanted: `check`, which asks the relay's registry by name and serial number;
- that the other end holds its key: `verify_proof`, over a text that this end has a fresh part in;
- that the other end calls itself by the certified name: the sessions compare it.

The relay verifies agents (in the handshake), agents verify relays (in the handshake and for each new pair key).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from cryptography import x509

from certs import CertificateRefused, Role, VerifiedPeer, verify_certificate, verify_signature
from gateway.protocol.errors import PeerExpired, PeerRefused


class IdentitySigner(Protocol):
    """An identity that can sign (certs.MachineIdentity is one)."""

    @property
    def name(self) -> str:
        """The name that the authority put into the certificate."""
        ...

    @property
    def certificate_der(self) -> bytes:
        """The certificate (X.509, DER) that the other end is shown."""
        ...

    def sign(self, data: bytes) -> bytes:
        """Sign with the identity's private key."""
        ...


def accept_anyone(peer: VerifiedPeer) -> None:
    """No check beyond the certificate: right for agents, which know no list of relays."""


class PeerTrust:
    """Accepts peers of one role whose certificate the authority issued.

    authority: the pinned CA certificate. check: raises PeerRefused (or PeerRevoked) for a peer that may not come in.
    """

    def __init__(
        self, authority: x509.Certificate, role: Role, check: Callable[[VerifiedPeer], None] = accept_anyone
    ) -> None:
        self._authority, self._role, self._check = authority, role, check

    def verify(self, certificate: bytes, now: float) -> VerifiedPeer:
        """Return who the certificate names. Raises PeerRefused, PeerExpired, PeerRevoked."""
        try:
            peer = verify_certificate(certificate, authority=self._authority, role=self._role, now=now)
        except CertificateRefused as refused:
            raise (PeerExpired if refused.reason == "expired" else PeerRefused)(str(refused)) from refused
        self._check(peer)
        return peer


def verify_proof(peer: VerifiedPeer, signature: bytes, text: bytes) -> None:
    """Check that the peer signed `text`, which must hold something fresh of this end. Raises PeerRefused."""
    try:
        verify_signature(peer, signature, text)
    except CertificateRefused as refused:
        raise PeerRefused(f"signature of {peer.name} does not fit what was said") from refused
