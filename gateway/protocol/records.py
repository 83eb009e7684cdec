"""The record layer: each frame after the handshake is encrypted and has its place in the order.

TLS outside may end at a load balancer or an inspecting proxy. The records make the conversation inside private and
ordered all the same: AES-256-GCM, the nonce is the record's number (the deterministic construction of NIST SP 800-38D
section 8.2.1; it does not travel, as in RFC 8446 section 5.3), one key for each direction. A frame that was
changed, repeated, dropped, reordered or reflected does not open. The key moves on (one-way) every `RATCHET` records,
so a key stolen from memory does not open what was recorded long before.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.protocol.errors import MalformedFrame, RecordForged
from gateway.protocol.messages import MAX_FRAME

RATCHET: Final = 4096
"""Records under one key."""
TAG: Final = 16
"""Bytes that a record is longer than its content."""

AGENT_TO_RELAY: Final = b"isthmus.agent.v1 agent to relay"
RELAY_TO_AGENT: Final = b"isthmus.agent.v1 relay to agent"


def derive(secret: bytes, *, salt: bytes, info: bytes, length: int = 32) -> bytes:
    """HKDF-SHA256 (RFC 5869), extract and expand; `info` keeps the uses of one secret apart."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


class _Direction:
    """One key and one counter."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._aead = AESGCM(key)
        self._number = 0

    def _next_nonce(self) -> bytes:
        # both ends count the same records, so both move on at the same one without a word
        if self._number and self._number % RATCHET == 0:
            self._key = hmac.digest(self._key, b"isthmus.agent.v1 ratchet", hashlib.sha256)
            self._aead = AESGCM(self._key)
        self._number += 1
        return self._number.to_bytes(12, "big")


class RecordWriter(_Direction):
    """Seals records; what it sealed must be sent in this order, all of it."""

    def seal(self, content: bytes) -> bytes:
        """Return the next record. Raises MalformedFrame if it would be larger than a peer takes."""
        if len(content) > MAX_FRAME - TAG:
            raise MalformedFrame(f"record of {len(content)} bytes, at most {MAX_FRAME - TAG} are sent")
        return self._aead.encrypt(self._next_nonce(), content, None)


class RecordReader(_Direction):
    """Opens records in the order in which they were sealed; after one that does not open it is of no more use."""

    def open(self, record: bytes) -> bytes:
        """Return the content of the next record. Raises RecordForged, MalformedFrame."""
        if len(record) > MAX_FRAME:
            raise MalformedFrame(f"record of {len(record)} bytes, at most {MAX_FRAME} are taken")
        try:
            return self._aead.decrypt(self._next_nonce(), record, None)
        except InvalidTag:
            raise RecordForged(f"record {self._number} does not open") from None
