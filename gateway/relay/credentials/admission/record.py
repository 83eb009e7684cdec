"""What is remembered of a user name or an account, and how it is written.

Kind of state: counts. A record is a value: the rule makes a new one, the store keeps it.
"""

from __future__ import annotations

import msgspec


class Lease(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """An attempt under way. It counts as a failure until it is settled, and no longer than until its deadline."""

    number: bytes
    """Names the attempt; random, unique over all nodes."""
    deadline: float
    """Unix seconds; by then the dispatcher has answered, whatever happened."""


class LockRecord(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What is remembered under one key. Times are Unix seconds.

    Written as a MessagePack map with these names: fields may be added, none may be renamed, unknown ones are ignored.
    `gc=False`: it holds no cycle, and 200,000 of them are nothing that the collector should walk through.
    """

    digests: tuple[bytes, ...] = ()
    """The last wrong passwords, keyed digests, the one seen last at the end."""
    failures: int = 0
    locks: int = 0
    """Locks in a row; 0: open."""
    locked_until: float = 0.0
    touched: float = 0.0
    """When something was held against the name last."""
    repeated_at: float = 0.0
    """When a known wrong password was passed on last while probing."""
    leases: tuple[Lease, ...] = ()
    """Attempts under way."""
    account: bytes = b""
    """Of a spelling: the digest of the account that it turned out to be; empty until that is known."""
    account_key: str = ""
    """Id of the key that made `account`."""
    correlation_id: str = ""
    """Of the attempt that failed last: the event table has its name and its account."""


BLANK = LockRecord()
"""Nothing is held against anybody."""


def weight(record: LockRecord) -> int:
    """What is lost with it where there is no room: nothing that keeps anybody out, a lock, or what is under way (guesses at
    the same time would be free)."""
    if record.leases:
        return 2
    return 1 if record.locks else 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(LockRecord)


def encode(record: LockRecord) -> bytes:
    """As the store keeps it."""
    return _encoder.encode(record)


def decode(value: bytes) -> LockRecord:
    """What `encode` made, here or in another release. Raises msgspec.DecodeError."""
    return _decoder.decode(value)
