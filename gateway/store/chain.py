"""The arithmetic of the audit trail: what is hashed, and in which order. Pure.

An entry has two parts. Its *facts* (when, what, by whom, with which outcome) stand in the chain. Its *personal* part (who,
from where, the directory's words) stands beside it, under a salt of its own, and the chain covers a digest only:

    digest(n) = SHA-256(salt(n) || personal(n))
    hash(n)   = HMAC-SHA-256(key, hash(n-1) || n || digest(n) || facts(n))      hash(0) = HMAC(key, "chain" || chain || node)
    seal      = HMAC-SHA-256(key, "head" || chain || n || hash(n))

Without salt and personal part the digest says nothing about them, so both can be removed and the chain still holds.
`chain` and `n` are 8 bytes, big-endian.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from gateway.protocol import AccountId
from gateway.store.entry_sets import EntrySet

SALT_SIZE = 16
"""Bytes. Personal parts are guessable: the salt, not the hash, is what hides one that was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One thing that happened. Stored as JSON with these names: fields may be added, none may be renamed."""

    time: float
    kind: str
    """`signin`, `password_change`, `agent.enrolled`, `agent.revoked`, `admin.unlock`, …"""
    actor: str = ""
    """Who did it: `page`, `api:<name>`, `relay`; of an administrator, as the system knows them (`foundation.actors`):
    `admin:<account>`, `admin:<login> as <account>`, `admin:root (claimed: <SUDO_UID's>)`."""
    subject: str = ""
    """To whom or what: the user name as typed, the agent's name."""
    account: AccountId | None = None
    """The person, where the directory said who it is."""
    outcome: str = ""
    """`gateway.protocol.Outcome`, or `refused_by_admission`; empty where it is no credential check."""
    address: str = ""
    """The client's IP address."""
    agent: str = ""
    """The agent that asked the directory."""
    controller: str = ""
    """host:port of the domain controller that answered."""
    correlation_id: str = ""
    """The same as in the logs of relay and agent."""
    via: str = ""
    """`page` or `api:<name of the key>`."""
    milliseconds: float = 0.0
    detail: Mapping[str, str] = field(default_factory=dict)


class Facts(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What stands in the chain."""

    time: float
    kind: str
    actor: str = ""
    outcome: str = ""
    agent: str = ""
    controller: str = ""
    correlation_id: str = ""
    via: str = ""
    milliseconds: float = 0.0
    emptied: Mapping[str, str] = {}
    """Of `audit.person_removed`: which entries lost their personal part, as `EntrySet.to_text` has it."""


class Personal(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What stands beside it, and can be removed."""

    subject: str = ""
    directory: str = ""
    object: str = ""
    address: str = ""
    detail: Mapping[str, str] = {}


_facts, _personal = msgspec.json.Decoder(Facts).decode, msgspec.json.Decoder(Personal).decode
_encode = msgspec.json.Encoder(order="deterministic").encode


class SealedEvent(msgspec.Struct, frozen=True):
    """An event as it is stored: both parts, the salt, the digest."""

    facts: bytes
    personal: bytes
    salt: bytes
    digest: bytes


def seal_event(event: AuditEvent, emptied: EntrySet | None = None) -> SealedEvent:
    """Split, encode and salt it. emptied: entries whose personal part goes with it."""
    account = event.account
    personal = _encode(
        Personal(
            subject=event.subject,
            directory=account.directory if account else "",
            object=account.object if account else "",
            address=event.address,
            detail=event.detail,
        )
    )
    facts = _encode(
        Facts(
            time=event.time,
            kind=event.kind,
            actor=event.actor,
            outcome=event.outcome,
            agent=event.agent,
            controller=event.controller,
            correlation_id=event.correlation_id,
            via=event.via,
            milliseconds=event.milliseconds,
            emptied=emptied.to_text() if emptied is not None else {},
        )
    )
    salt = secrets.token_bytes(SALT_SIZE)
    return SealedEvent(facts, personal, salt, digest_of(salt, personal))


def open_event(facts: bytes, personal: bytes | None) -> AuditEvent:
    """The event again; personal: None where it was removed."""
    known, own = _facts(facts), _personal(personal) if personal is not None else Personal()
    return AuditEvent(
        time=known.time,
        kind=known.kind,
        actor=known.actor,
        subject=own.subject,
        account=AccountId(own.directory, own.object) if own.object else None,
        outcome=known.outcome,
        address=own.address,
        agent=known.agent,
        controller=known.controller,
        correlation_id=known.correlation_id,
        via=known.via,
        milliseconds=known.milliseconds,
        detail=own.detail,
    )


def emptied_by(facts: bytes) -> EntrySet:
    """Which entries an entry says to have taken the personal part of."""
    if b'"emptied"' not in facts:  # of nearly all: spares decoding them a second time
        return EntrySet()
    return EntrySet.from_text(_facts(facts).emptied)


def digest_of(salt: bytes, personal: bytes) -> bytes:
    """What the chain covers of a personal part."""
    return hashlib.sha256(salt + personal).digest()


def anchor(key: bytes, chain: int, node: str) -> bytes:
    """The hash before the first entry."""
    return hmac.digest(key, b"chain" + chain.to_bytes(8, "big") + node.encode(), "sha256")


def link(key: bytes, before: bytes, seq: int, digest: bytes, facts: bytes) -> bytes:
    """The hash of entry number `seq`, counted from 1."""
    return hmac.digest(key, before + seq.to_bytes(8, "big") + digest + facts, "sha256")


def head_seal(key: bytes, chain: int, seq: int, entry_hash: bytes) -> bytes:
    """Proves where a chain ends."""
    return hmac.digest(key, b"head" + chain.to_bytes(8, "big") + seq.to_bytes(8, "big") + entry_hash, "sha256")


def anchor_seal(key: bytes, numbers: tuple[int, int, float], node: str, entry_hash: bytes, emptied: bytes) -> bytes:
    """Proves up to where a chain was pruned. numbers: of the chain, of the last entry that is gone, and its moment.

    The key is of another use than the chains': what is sealed here can be taken for nothing else.
    """
    chain, seq, until = numbers
    named = node.encode()
    fixed = struct.pack(">QQdI", chain, seq, until, len(named))
    return hmac.digest(key, fixed + named + entry_hash + emptied, "sha256")


def count_seal(key: bytes, chains: int) -> bytes:
    """Proves how many chains there are."""
    return hmac.digest(key, b"chains" + chains.to_bytes(8, "big"), "sha256")
