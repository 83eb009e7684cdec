"""What a reading brings: records, and how it ended. Attribute names are lower case, values are bytes as they travelled."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from msgspec import Struct

from directory.ldap.codec import Entry


class RecordKind(enum.StrEnum):
    """What the absence of an attribute in a record means."""

    WHOLE = "whole"
    """The object does not have it."""
    CHANGED = "changed"
    """It is as before."""
    PRESENT = "present"
    """The object is there, and as before; the record holds its key only."""
    DELETED = "deleted"
    """The object is gone; of a tombstone, some attributes may be left."""


class DirectoryRecord(Struct, frozen=True):
    """What was said about one object."""

    kind: RecordKind
    key: bytes
    """objectGUID as Active Directory stores it, or entryUUID (RFC 4530): 16 bytes."""
    dn: str = ""
    """As it is now; of Active Directory's tombstones, below Deleted Objects. Empty where only the key is known."""
    attributes: Entry = {}
    """Values as they are now, all of each attribute."""
    cleared: tuple[bytes, ...] = ()
    """Attributes that were there, or may have been, and have no value now."""
    added: Entry = {}
    """Single values that were added to linked attributes, …"""
    removed: Entry = {}
    """… and removed from them. A value that was added and removed in between is removed."""

    @property
    def restored(self) -> bool:
        """Whether this is a tombstone that lives again: what it holds now has to be read, a delta does not tell it."""
        return b"isdeleted" in self.cleared


class ReadOutcome(enum.StrEnum):
    """How a reading ended."""

    COMPLETE = "complete"
    """All that there is, or all that changed, was told."""
    PARTIAL = "partial"
    """Some of it was told, all of it true; what is missing must not be taken for absent."""
    FAILED = "failed"
    """Nothing was told."""
    COOKIE_REFUSED = "cookie_refused"
    """From this cookie the directory cannot tell what changed: read in full."""


class ReadResult(Struct, frozen=True):
    """What the records of a reading are worth."""

    outcome: ReadOutcome
    reason: str = ""
    """What stood in the way, for the operator. Never a secret."""
    cookie: bytes | None = None
    """What to continue with next time; None: read in full. `read_full` and `wait_for_change` give none."""
    exhaustive: bool = False
    """Whether an object without a record (or with one of a kind other than `deleted`) is not there."""
    records: int = 0
    controller: str = ""
    """host:port that answered."""
    code: int = 0
    """LDAP result with which the server refused (RFC 4511 section 4.1.9); 0 where it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLimits:
    """How much a reading may take. Times are seconds, sizes are bytes."""

    largest_message: int = 256 * 1024 * 1024
    """Of one answer. Samba sends a group of 250,000 members as one, of about 25 MB."""
    silence: float = 120.0
    """Without a byte from the server: Active Directory ends a search itself after 120 s (MaxQueryDuration)."""
    seconds: float = 6 * 3600.0
    """Of a whole reading, so that a server that drips ends, too: a million users take less than an hour."""
    page_size: int = 1000
    """Entries of a page (RFC 2696): as many as Active Directory gives (MaxPageSize)."""
