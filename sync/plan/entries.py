"""What stands in a plan: operations with their reasons, problems, and values that a target rewrites. Pure data."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

from sync.model import AccountOperation, Plain


class CauseKind(enum.StrEnum):
    """Why an operation is in the plan."""

    NEW = "new"
    """The source has an object that it did not have."""
    RETURNED = "returned"
    """The person had left, and is there again."""
    ATTRIBUTE = "attribute"
    """An attribute of a source's object has changed."""
    RULE = "rule"
    """A rule was edited."""
    OU = "ou"
    """The object was moved, or an OU above it."""
    LINKS = "links"
    """Members or a manager came or went."""
    DELETED = "deleted"
    """The source deleted the object."""
    ABSENT = "absent"
    """The source no longer has the object, and says nothing of a deletion."""
    TARGET = "target"
    """Neither sources nor rules have changed: the account was changed at the target."""
    UNDO = "undo"
    """A run is undone."""
    UNKNOWN = "unknown"
    """Nothing was told. The guard lets nobody go for this."""


class ChangeCause(Struct, frozen=True, omit_defaults=True):
    """One cause, the same for all operations that it made."""

    kind: CauseKind
    name: str = ""
    """Attribute, rule, OU, source or run."""
    edition: str = ""
    """Which edit of the rule, which reading of the source: a decision about one is none about the next."""

    @property
    def key(self) -> str:
        """By which decisions name it."""
        return f"{self.kind}:{self.name}" + (f"@{self.edition}" if self.edition else "")


class EvidenceKind(enum.StrEnum):
    """What shows that a person has left, or is disabled."""

    TOMBSTONE = "tombstone"
    LEFT_SCOPE = "left_scope"
    ABSENT = "absent"
    DISABLED = "disabled"
    """The object is there, and says that it is disabled."""
    UNDO = "undo"


class DepartureEvidence(Struct, frozen=True, omit_defaults=True):
    """What one source showed of one object. It is kept until the person returns: later steps of a deletion need it, too."""

    kind: EvidenceKind
    source: str = ""
    key: bytes = b""
    reading: str = ""
    """In which reading of the source it was seen. Of ABSENT: the complete one that did not have the object."""
    asked: float = 0.0
    """Of ABSENT: when the source was asked for the key and had no such object. Unix seconds."""
    rule: str = ""
    """Of LEFT_SCOPE: the rule whose scope was left. Of DISABLED: the rule that says so."""
    edition: str = ""
    """Of that rule, where it was edited since the object was in scope."""
    attribute: str = ""
    """Of the object, where its change made the difference."""
    moved: tuple[str, str] | None = None
    """DN of the container before and now, where the move made the difference."""
    run: str = ""
    """Of UNDO: the run that is undone."""


class PersonChange(Struct, frozen=True, omit_defaults=True):
    """What has happened to a person since the target last confirmed: told by state and rules."""

    reading: str = ""
    """In which it was seen first."""
    new: bool = False
    returned: bool = False
    attributes: frozenset[str] = frozenset()
    """`source.attribute` of the joined objects, links too."""
    moved: tuple[str, str] | None = None
    """DN of the container before and now."""
    rules: Mapping[str, str] = {}
    """Edited rules by id, with their edition. Those that have nothing to do with this person, too."""
    evidence: tuple[DepartureEvidence, ...] = ()


class Fingerprint(Struct, frozen=True, omit_defaults=True):
    """Of the world that an operation was computed from: hashes, of which only that they differ can be told."""

    desired: str = ""
    """What sources and rules want. Empty where they want no account."""
    account: str = ""
    """What the target has confirmed. Empty where there is no account."""
    links: str = ""
    """Of an operation on links: what it adds and removes."""


class PlanPhase(enum.StrEnum):
    """Phases are written one after the other, in this order; within one the order counts in MOVES only."""

    RESTORE = "restore"
    DISABLE = "disable"
    MOVES = "moves"
    """Unique values pass from one account to another: strictly one after the other."""
    ACCOUNTS = "accounts"
    ENABLE = "enable"
    UNLINK = "unlink"
    LINK = "link"
    SOFT_DELETE = "soft_delete"
    DELETE = "delete"
    HELD = "held"
    """Not written: `held` says why."""


class PlanEntry(Struct, frozen=True, omit_defaults=True, tag_field="line", tag="operation"):
    """An operation, and why."""

    operation: AccountOperation
    name: str = ""
    """For people."""
    causes: tuple[ChangeCause, ...] = ()
    objects: tuple[tuple[str, bytes], ...] = ()
    """Source and key of what the account was made of: for a deletion or disabling, each needs evidence."""
    evidence: tuple[DepartureEvidence, ...] = ()
    protected: str = ""
    """What makes it protected: a group of the settings, a role of an administrator."""
    links: int = 0
    """Of a deletion: links that the account has and that go with it."""
    fingerprint: Fingerprint = Fingerprint()
    phase: PlanPhase = PlanPhase.ACCOUNTS
    held: str = ""
    """Why it is not written."""


class AccountProblem(Struct, frozen=True, omit_defaults=True, tag_field="line", tag="problem"):
    """An account about which nothing is done, because something contradicts."""

    target: str
    person: int
    cause: str
    """Name in the table of causes."""
    detail: str
    name: str = ""


class RewrittenValue(Struct, frozen=True, omit_defaults=True, tag_field="line", tag="rewritten"):
    """A target keeps something else than it is given. It is shown, and not written again."""

    target: str
    person: int
    attribute: str
    sent: Plain | tuple[Plain, ...]
    kept: Plain | tuple[Plain, ...] | None
    name: str = ""


PlanLine: TypeAlias = PlanEntry | AccountProblem | RewrittenValue
