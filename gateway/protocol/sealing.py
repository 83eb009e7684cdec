"""Sealing: a credential is readable by one agent only, and its answer by the relay node that asked.

The records (see `records`) end where the websocket ends. Seals reach further: from the relay node that shows the
sign-in page to the agent process, whatever broker or other relay node carries them.

    agent      announces an HPKE public key (ML-KEM-768 + X25519), signed by its identity
    relay node seals 32 random bytes to it, signed by its identity            -> both derive a pair key
    request    AES-256-GCM under the pair key, nonce = request id,
               bound to (key id, request id, relay node, agent, both deadlines);
               holds user, password and a fresh reply key
    answer     AES-256-GCM under the reply key, used once, bound to (request id, agent)

The agent announces a new key every `REKEY_AFTER` seconds and forgets the old one, so recorded traffic stays closed
even to somebody who steals the agent's memory later. HPKE is RFC 9180 single-shot (section 6.1) base mode (section 5.1.1);
authentication comes from the signatures.
"""

from __future__ import annotations

import os
from collections import deque
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM768PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import (
    AEAD,
    KDF,
    KEM,
    MLKEM768X25519PrivateKey,
    MLKEM768X25519PublicKey,
    Suite,
)

from gateway.protocol.errors import MalformedFrame, SealBroken
from gateway.protocol.messages import (
    AnswerBody,
    Request,
    RequestBody,
    decode_answer_body,
    decode_request_body,
    encode,
)
from gateway.protocol.records import derive

REKEY_AFTER: Final = 600.0
"""Seconds after which an agent announces a new seal key."""
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_MLKEM: Final = 1184  # bytes of an ML-KEM-768 encapsulation key (FIPS 203); the X25519 key follows
_ONCE: Final = bytes(12)  # nonce of a key that is used once


class SealKey:
    """The agent's HPKE key pair: made in memory, never written, forgotten after use."""

    def __init__(self) -> None:
        mlkem, x25519 = MLKEM768PrivateKey.generate(), X25519PrivateKey.generate()
        self._private = MLKEM768X25519PrivateKey(mlkem, x25519)
        self.public = mlkem.public_key().public_bytes_raw() + x25519.public_key().public_bytes_raw()

    def open(self, sealed: bytes, *, info: bytes) -> bytes:
        """Open what was sealed to this key. Raises SealBroken."""
        try:
            return _SUITE.decrypt(sealed, self._private, info)
        except (InvalidTag, ValueError):
            raise SealBroken("secret does not open under the announced key") from None


def seal_secret(secret: bytes, seal_key: bytes, *, info: bytes) -> bytes:
    """Seal to an announced key. Raises MalformedFrame where that is no key of the suite."""
    try:
        mlkem = MLKEM768PublicKey.from_public_bytes(seal_key[:_MLKEM])
        x25519 = X25519PublicKey.from_public_bytes(seal_key[_MLKEM:])
        return _SUITE.encrypt(secret, MLKEM768X25519PublicKey(mlkem, x25519), info)
    except ValueError:
        raise MalformedFrame("announced seal key is not an ML-KEM-768 + X25519 public key") from None


def announcement_text(agent: str, session: str, seal_key: bytes) -> bytes:
    """What an agent signs when it announces a seal key within a session."""
    return encode(["isthmus.agent.v1 announce", agent, session, seal_key])


def pair_text(relay: str, agent: str, seal_key: bytes, sealed_secret: bytes) -> bytes:
    """What a relay node signs when it seals a pair secret."""
    return encode(["isthmus.agent.v1 pair", relay, agent, seal_key, sealed_secret])


class _Pair:
    """The key that one relay node and one agent share for a while."""

    def __init__(self, secret: bytes, *, salt: bytes, relay: str, agent: str) -> None:
        self.id = derive(secret, salt=salt, info=b"isthmus.agent.v1 pair id", length=8)
        self._aead = AESGCM(derive(secret, salt=salt, info=b"isthmus.agent.v1 pair key"))
        self._relay, self._agent = relay, agent

    def _binding(self, request: int, begin_by: float, deadline: float) -> bytes:
        return encode([self.id, request, self._relay, self._agent, begin_by, deadline])


class Sealer(_Pair):
    """Relay's half: seals requests for one agent."""

    _last = 0

    def seal(self, request: int, begin_by: float, deadline: float, body: RequestBody) -> Request:
        """Seal `body` as request number `request`; numbers must rise, since each is a nonce. Raises ValueError."""
        if request <= self._last:
            raise ValueError(f"request number {request} was used before: a nonce must never repeat")
        self._last = request
        # the numbers rise, so no nonce is used twice under a pair key (NIST SP 800-38D section 8)
        binding = self._binding(request, begin_by, deadline)
        sealed = self._aead.encrypt(request.to_bytes(12, "big"), encode(body), binding)
        return Request(id=request, key=self.id, begin_by=begin_by, deadline=deadline, sealed=sealed)


class Opener(_Pair):
    """Agent's half: opens each request once."""

    def __init__(self, secret: bytes, *, salt: bytes, relay: str, agent: str) -> None:
        super().__init__(secret, salt=salt, relay=relay, agent=agent)
        self._seen: set[int] = set()
        self._order: deque[tuple[float, int]] = deque()

    def open(self, request: Request, now: float) -> RequestBody:
        """Open a request. `now` is Unix seconds on the relay's clock. Raises SealBroken, also for a repeated one."""
        if request.id in self._seen:
            raise SealBroken(f"request {request.id} came twice")
        binding = self._binding(request.id, request.begin_by, request.deadline)
        try:
            content = self._aead.decrypt(request.id.to_bytes(12, "big"), request.sealed, binding)
        except InvalidTag:
            raise SealBroken(f"request {request.id} does not open") from None
        self._remember(request, now)
        return decode_request_body(content)

    def _remember(self, request: Request, now: float) -> None:
        """A request past its deadline is refused anyway, so its number need not be kept."""
        self._seen.add(request.id)
        self._order.append((request.deadline, request.id))
        while self._order and self._order[0][0] < now:
            self._seen.discard(self._order.popleft()[1])


def new_reply_key() -> bytes:
    """A key for one answer (AES-256): since it is used once, its nonce may be zero."""
    return os.urandom(32)


def seal_answer(reply_key: bytes, request: int, agent: str, body: AnswerBody) -> bytes:
    """Seal an answer; the key is never used again."""
    return AESGCM(reply_key).encrypt(_ONCE, encode(body), encode([request, agent]))


def open_answer(reply_key: bytes, request: int, agent: str, sealed: bytes) -> AnswerBody:
    """Open an answer. Raises SealBroken, MalformedFrame."""
    try:
        content = AESGCM(reply_key).decrypt(_ONCE, sealed, encode([request, agent]))
    except InvalidTag:
        raise SealBroken(f"answer to request {request} does not open") from None
    return decode_answer_body(content)
