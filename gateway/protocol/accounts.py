"""Whose account a request is about: what identifies a person, and the keyed digest of it that travels with every answer.

The pair comes from the directory itself, never from a name in somebody's settings, so two agents that call one directory
differently still mean the same person. Relay nodes share the key of the digest, and an agent that was not told who signed
in elsewhere learns nothing from it.
"""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

import msgspec

DIGEST: Final = 16
"""Bytes of a digest: HMAC-SHA-256, cut (RFC 2104 section 5)."""

_encode = msgspec.msgpack.Encoder().encode


class AccountId(NamedTuple):
    """One person's account. The same pair stands in sessions, audit trail and claims."""

    directory: str
    """What the directory says of itself. AD: the domain's objectGUID; LDAP: the naming context, lower case. Empty where it
    does not say."""
    object: str
    """objectGUID or entryUUID, lower case with dashes."""


class AccountKey:
    """A key that relay nodes share and give to their agents. secret: 32 bytes; id: names it in answers, at most 64 long."""

    __slots__ = ("_mac", "id", "secret")

    def __init__(self, id: str, secret: bytes) -> None:  # noqa: A002 - what it is called on the wire
        self.id, self.secret = id, secret
        self._mac = hmac.new(secret, b"isthmus.agent.v1 account", "sha256")

    def __repr__(self) -> str:
        return f"AccountKey({self.id!r}, …)"

    def digest(self, account: AccountId) -> bytes:
        """The digest of an account, 16 bytes."""
        mac = self._mac.copy()  # the key is worked in once: half of what a digest costs
        mac.update(_encode(account))  # lengths travel with both parts: no two pairs have one text
        return mac.digest()[:DIGEST]
