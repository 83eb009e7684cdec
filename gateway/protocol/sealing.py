"""Sealing: a credential is readable by one agent only, and its answer by the relay node that asked.

The records (see `records`) end where the websocket ends. Seals reach further: from the relay node that shows the
sign-in page to the agent process, whatever broker or other relay node carries them.

    agent      announces an HPKE public key (ML-KEM-768 + X25519), signed by its identity
    relay node seals 32 random bytes to it, signed by its identity            -> both derive a pair key
    request    AES-256-GCM under the pair key, nonce = the node's request number,
               bound to (key id, number, relay node, agent, operation, both deadlines);
               holds user, password and a fresh reply key
    reply      AES-256-GCM under the reply key: the answer, and the proofs of `begun` and `refuse`

Every relay node may make a pair key with the announced one, whether or not it has a session with the agent. The agent
announces a new one every `REKEY_AFTER` seconds and forgets the one before, so recorded traffic stays closed even to somebody
who steals the agent's memory later. HPKE is RFC 9180 single-shot (section 6.1) base mode (section 5.1.1);
authentication comes from the signatures.
"""

from __future__ import annotations

import hashlib
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

from gateway.protocol.bodies import AnswerBody, RequestBody, decode_answer, encode_body
from gateway.protocol.errors import MalformedFrame, SealBroken
from gateway.protocol.messages import MAX_SEALED, Request, encode
from gateway.protocol.records import derive

REKEY_AFTER: Final = 600.0
"""Seconds after which an agent announces a new seal key."""
REKEY_AT_LEAST: Final = 60.0
"""Seconds between two announcements in which a relay takes both."""
_SUITE: Final = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_MLKEM: Final = 1184  # bytes of an ML-KEM-768 encapsulation key (FIPS 203); the X25519 key follows
_ANSWER, _BEGUN, _REFUSED = (number.to_bytes(12, "big") for number in range(3))  # nonces: each once under a reply key
_TAG: Final = 16


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


def seal_key_id(seal_key: bytes) -> bytes:
    """Names an announced seal key, 8 bytes."""
    return hashlib.sha256(b"isthmus.agent.v1 seal key" + seal_key).digest()[:8]


def unsealable_text(agent: str, session: str, node: str, number: int, key: bytes) -> bytes:
    """What an agent signs when it cannot open a request: it has no reply key. key: id of the pair key that was named.

    Another session of the same agent does not know that key, and says so truly: hence the session's id.
    """
    return encode(["isthmus.agent.v1 unsealable", agent, session, node, number, key])


def pair_text(relay: str, agent: str, seal_key: bytes, sealed_secret: bytes) -> bytes:
    """What a relay node signs when it seals a pair secret."""
    return encode(["isthmus.agent.v1 pair", relay, agent, seal_key, sealed_secret])


class _Pair:
    """The key that one relay node and one agent share for a while."""

    def __init__(self, secret: bytes, *, salt: bytes, relay: str, agent: str) -> None:
        self.id = derive(secret, salt=salt, info=b"isthmus.agent.v1 pair id", length=8)
        self.relay = relay
        self._aead = AESGCM(derive(secret, salt=salt, info=b"isthmus.agent.v1 pair key"))
        self._agent = agent

    def _binding(self, number: int, operation: str, begin_by: float, deadline: float) -> bytes:
        return encode((self.id, number, self.relay, self._agent, operation, begin_by, deadline))


class Sealer(_Pair):
    """A relay node's half: seals requests for one agent."""

    _last = 0

    def seal(self, number: int, begin_by: float, deadline: float, body: RequestBody) -> Request:
        """Seal `body` as request `number`; numbers must rise, since each is a nonce. Raises ValueError."""
        if number <= self._last:
            raise ValueError(f"request number {number} was used before: a nonce must never repeat")
        self._last = number
        # the numbers rise, so no nonce is used twice under a pair key (NIST SP 800-38D section 8)
        binding = self._binding(number, body.operation, begin_by, deadline)
        sealed = self._aead.encrypt(number.to_bytes(12, "big"), encode_body(body), binding)
        return Request(self.relay, number, self.id, body.operation, begin_by, deadline, sealed)


class Opener(_Pair):
    """Agent's half: opens each request once."""

    def __init__(self, secret: bytes, *, salt: bytes, relay: str, agent: str) -> None:
        super().__init__(secret, salt=salt, relay=relay, agent=agent)
        self._seen: set[int] = set()
        self._order: deque[tuple[float, int]] = deque()

    def open(self, request: Request, now: float) -> bytes:
        """What the request holds. `now` is Unix seconds on the relay's clock. Raises SealBroken, also for a repeated one."""
        if request.number in self._seen:
            raise SealBroken(f"request {request.number} of {request.node} came twice")
        binding = self._binding(request.number, request.operation, request.begin_by, request.deadline)
        try:
            content = self._aead.decrypt(request.number.to_bytes(12, "big"), request.sealed, binding)
        except InvalidTag:
            raise SealBroken(f"request {request.number} of {request.node} does not open") from None
        self._remember(request, now)
        return content

    def _remember(self, request: Request, now: float) -> None:
        """A request past its deadline is refused anyway, so its number need not be kept."""
        self._seen.add(request.number)
        self._order.append((request.deadline, request.number))
        while self._order and self._order[0][0] < now:
            self._seen.discard(self._order.popleft()[1])


def new_reply_key() -> bytes:
    """A key for what the agent says on one request (AES-256)."""
    return os.urandom(32)


class ReplySeal:
    """What an agent says on one request, under the request's reply key: nobody who carries it reads, invents or moves it.

    The key is as fresh as the request, so its nonces are fixed: one for each thing that may be said, each said once.
    """

    __slots__ = ("_aead",)

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def prove_begun(self) -> bytes:
        """The proof of `begun`."""
        return self._aead.encrypt(_BEGUN, b"", None)

    def verify_begun(self, proof: bytes) -> None:
        """Raises SealBroken."""
        self._verify(_BEGUN, proof, None)

    def prove_refusal(self, reason: str) -> bytes:
        """The proof of `refuse`."""
        return self._aead.encrypt(_REFUSED, b"", reason.encode())

    def verify_refusal(self, reason: str, proof: bytes) -> None:
        """Raises SealBroken."""
        self._verify(_REFUSED, proof, reason.encode())

    def _verify(self, nonce: bytes, proof: bytes, data: bytes | None) -> None:
        try:
            self._aead.decrypt(nonce, proof, data)
        except InvalidTag:
            raise SealBroken("proof does not fit the request") from None

    def seal(self, number: int, agent: str, body: AnswerBody) -> bytes:
        """Seal the answer. Raises MalformedFrame, before anything is sealed, if it is larger than a peer takes."""
        content = encode_body(body)
        if len(content) > MAX_SEALED - _TAG:
            raise MalformedFrame(f"answer of {len(content)} bytes, at most {MAX_SEALED - _TAG} can be sent")
        return self._aead.encrypt(_ANSWER, content, encode((number, agent)))

    def open(self, number: int, agent: str, sealed: bytes) -> AnswerBody:
        """Open the answer. Raises SealBroken; MalformedFrame where the agent sealed what cannot be read here."""
        try:
            content = self._aead.decrypt(_ANSWER, sealed, encode((number, agent)))
        except InvalidTag:
            raise SealBroken(f"answer to request {number} does not open") from None
        return decode_answer(content)
