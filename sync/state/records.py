"""What the state tells and is told, besides the model that all parts share. Pure data."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from msgspec import Struct

from sync.model import AccountOperation, AccountState, Confirmation, SourceObject


class ReadingKind(enum.StrEnum):
    """What is read of a source."""

    FULL = "full"
    """Everything, from no cookie. The first change of an object replaces what was known of it, whatever its kind."""
    DELTA = "delta"
    """What changed since the cookie."""
    FETCH = "fetch"
    """Objects that were asked for by key. Cookie and completeness of the source stay as they are."""


class DeletionEvidence(enum.StrEnum):
    """Why an object is taken for deleted."""

    TOMBSTONE = "tombstone"
    """Its source told so."""
    ABSENT = "absent"
    """A complete reading did not have it, and asking for its key found nothing."""
    NOT_FOUND = "not_found"
    """Asking for its key found nothing. No complete reading was without it."""


class Deletion(Struct, frozen=True):
    """What is known of an object's end."""

    evidence: DeletionEvidence
    run: int
    at: float
    """Unix seconds."""


class SourceStatus(Struct, frozen=True):
    """How far a source has been read."""

    name: str
    cookie: bytes | None = None
    """None: read in full."""
    complete: bool = False
    """The last reading came to its end. If not, what is known is a mixture: nothing should be planned on it."""
    run: int = 0
    at: float = 0.0
    """Unix seconds, of the last reading's end."""
    completed: float = 0.0
    """Unix seconds, of the last complete one; 0: never."""


class ReadingSummary(Struct, frozen=True):
    """What came of a reading."""

    told: int
    """Changes that were applied, …"""
    changed: int
    """… and objects among them that are not as they were before."""
    absent: int
    """Objects that are candidates for absence now."""


class AffectedBy(enum.Flag):
    """Why an object or a person has to be looked at again."""

    OBJECT = enum.auto()
    """Values, kind, or life and death of the object itself."""
    LINKS = enum.auto()
    """What it links to, or who is a member of its members."""
    PATH = enum.auto()
    """It, or an object above it, was moved or renamed."""
    JOIN = enum.auto()
    """An object has joined or left the person."""
    ACCOUNT = enum.auto()
    """The person's account, or that of a person it links to, has come or gone."""
    REQUEST = enum.auto()
    """It was asked for: the rules are others, or the weekly comparison is due."""


class ChangedObject(Struct, frozen=True):
    """An object whose scope and join are to be looked at."""

    object: SourceObject
    person: int
    """It is joined to; 0: none."""
    causes: AffectedBy
    mark: int
    """Changes when it is affected again: see `MarkPort.settle_object`."""


class AffectedPerson(Struct, frozen=True):
    """A person whose values and accounts are to be computed."""

    person: int
    causes: AffectedBy
    mark: int


class JoinedObject(Struct, frozen=True):
    """An object of a person."""

    object: SourceObject
    rule: str
    since: float
    """Unix seconds."""


class LinkDifference(Struct, frozen=True):
    """One member, manager or other linked person that an account should have and has not, or the other way round."""

    attribute: str
    """Of the account."""
    person: int
    added: bool
    """False: to be removed."""


class SyncRun(Struct, frozen=True):
    """One run."""

    id: int
    kind: str
    began: float
    ended: float | None = None
    outcome: str = ""
    """Empty while it lasts."""
    detail: str = ""
    counts: Mapping[str, int] = {}


class JournalEntry(Struct, frozen=True):
    """One operation of a run: meant, attempted, confirmed."""

    run: int
    operation: AccountOperation
    attempts: int = 0
    attempted: float | None = None
    """Unix seconds, of the last attempt."""
    settled: float | None = None
    confirmation: Confirmation | None = None
    """The last one; UNKNOWN and LATER do not settle an operation."""


class SyncFailure(Struct, frozen=True):
    """A person's account that a target would not take."""

    target: str
    person: int
    cause: str
    detail: str
    attempts: int
    since: float
    """Unix seconds, of the first failure in a row, …"""
    last: float
    """… and of the last."""
    due: float
    """When it is to be tried again."""


class AccountReference(Struct, frozen=True):
    """Who has a value, or a remote identifier."""

    person: int
    remote: str
    state: AccountState
