"""Whose account a request is about: what identifies a person, and the keyed digest of it that travels with every answer.

The pair comes from the directory itself, never from a name in somebody's settings, so two agents that call one directory
differently still mean the same person. Relay nodes share the key of the digest, and an agent that was not told who signed
in elsewhere learns nothing from it.
"""

from __future__ import annotations

import hashlib
from typing import Final, NamedTuple

import msgspec

DIGEST: Final = 16
"""Bytes of a digest: HMAC-SHA-256, cut (RFC 2104 section 5)."""

_LABEL: Final = b"isthmus.agent.v1 account"
_encode = msgspec.msgpack.Encoder().encode


class AccountId(NamedTuple):
    """One person's account. The same pair stands in sessions, audit trail and claims."""

    directory: str
    """What the directory says of itself. AD: the domain's objectGUID; LDAP: the naming context, lower case. Empty where it
    does not say."""
    object: str
    """objectGUID or entryUUID, lower case with dashes."""


class AccountKey:
    """A key that relay nodes share and give to their agents. id: up to 64 characters, in answers; secret: 32 bytes."""

    __slots__ = ("_inner", "_outer", "id", "secret")

    def __init__(self, id: str, secret: bytes) -> None:  # noqa: A002 - what it is called on the wire
        self.id, self.secret = id, secret
        # HMAC by hand (RFC 2104 section 2), with the key worked in once: `hmac` takes 1 to 3 µs more for each digest, and
        # both ends of a sign-in make one
        block = secret.ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block) + _LABEL)
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def __repr__(self) -> str:
        return f"AccountKey({self.id!r}, …)"

    def digest(self, account: AccountId) -> bytes:
        """HMAC-SHA-256(secret, label ‖ MessagePack [directory, object]), cut to 16 bytes."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(_encode(account))  # lengths travel with both parts: no two pairs have one text
        outer.update(inner.digest())
        return outer.digest()[:DIGEST]
