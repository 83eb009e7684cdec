"""What passes between sources, state, rules, plan and targets. Pure data.

    source ── SourceChange ──► state ── SourceObject ──► rules ── Person, DesiredAccount ──► plan ── Operation ──► target
                                 ▲                                                                                │
                                 └───────────────────────────── Confirmation ◄────────────────────────────────────┘

Values are those of expressions (`sync.rules.expressions.Value`) without `Reference`: what names another object is a link,
and links are kept apart from values everywhere. A group may have 250,000 of them: they are never held as one value, but
told, stored, compared and sent one by one.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TypeAlias

from msgspec import Struct

Plain: TypeAlias = str | int | bool | bytes
Values: TypeAlias = Mapping[str, Plain | tuple[Plain, ...]]
"""By name, as the schema spells it. Several values are a tuple; an attribute without a value is not there."""


class ObjectKind(enum.StrEnum):
    """What an object, a person or an account is. A person may be any of them: the word stands for the joined object."""

    USER = "user"
    GROUP = "group"
    CONTACT = "contact"
    OTHER = "other"
    """Kept because others refer to it (an OU, a foreign security principal); never provisioned."""


class ChangeKind(enum.StrEnum):
    """What the absence of an attribute in a change means: see `directory.changes.RecordKind`."""

    WHOLE = "whole"
    CHANGED = "changed"
    PRESENT = "present"
    DELETED = "deleted"


class LinkTarget(Struct, frozen=True):
    """Whom a link names: by key where the source tells it, else by its DN or another name that the source resolves later."""

    key: bytes = b""
    name: str = ""


class LinkChange(Struct, frozen=True):
    """What became of one linked attribute. `all` replaces what was known; None: only `added` and `removed` are told."""

    all: tuple[LinkTarget, ...] | None = None
    added: tuple[LinkTarget, ...] = ()
    removed: tuple[LinkTarget, ...] = ()


class SourceChange(Struct, frozen=True):
    """What a source said about one object."""

    kind: ChangeKind
    key: bytes
    """objectGUID, entryUUID, nsUniqueId or the declared key of a file or table: never a name or a DN."""
    object: ObjectKind = ObjectKind.OTHER
    """Counts where `kind` is WHOLE, or the source told it."""
    dn: str = ""
    """Empty where a source has none."""
    parent: bytes = b""
    """Key of the object above; empty where it was not told."""
    values: Values = {}
    cleared: frozenset[str] = frozenset()
    """Attributes without a value now, links too."""
    links: Mapping[str, LinkChange] = {}
    restored: bool = False
    """A deleted object lives again: it has to be read by its key, a delta does not tell what it holds."""
    invalid: Mapping[str, str] = {}
    """Attributes of which a value was left out, because it does not fit their type; and why."""


class SourceObject(Struct, frozen=True):
    """An object as it is known now: what rules read. Its links are asked for apart (`SyncState.objects`)."""

    source: str
    """Name in the settings."""
    key: bytes
    kind: ObjectKind
    dn: str = ""
    path: tuple[bytes, ...] = ()
    """Keys of the objects above it, nearest first: OUs are told apart by key, so that a rename changes nothing."""
    values: Values = {}
    deleted: bool = False
    """A tombstone was seen, or a complete reading did not have it and asking for its key found nothing."""


class Lineage(Struct, frozen=True):
    """Where a value comes from."""

    source: str
    key: bytes
    """Of the object."""
    rule: str
    """Id of the rule."""
    since: float
    """Unix seconds, when it became this value."""


class Person(Struct, frozen=True):
    """The joined object (Connect: metaverse object)."""

    id: int
    kind: ObjectKind
    values: Values = {}
    lineage: Mapping[str, tuple[Lineage, ...]] = {}
    """By attribute; several where values were merged."""


class LinkFlow(Struct, frozen=True):
    """A linked attribute of an account: it names the accounts of those persons whose objects these objects link to."""

    attribute: str
    """Of the account."""
    object: tuple[str, bytes]
    """Source and key of the object whose links flow."""
    links: str
    """Attribute of that object."""
    nested: bool = False
    """Members of member groups, too, flattened; cycles end."""
    rule: str = ""


class DesiredAccount(Struct, frozen=True):
    """What an account at one target should be."""

    person: int
    target: str
    kind: ObjectKind
    anchor: str
    """What the account is found by again (SCIM externalId, ImmutableID): base64, never changes."""
    values: Values = {}
    links: tuple[LinkFlow, ...] = ()
    enabled: bool = True
    match: tuple[str, ...] = ()
    """Attributes by which an account that is there already is adopted, in this order, after the anchor."""
    keep: frozenset[str] = frozenset()
    """Attributes that stay as they are at the target (IgnoreThisFlow, apply once after the first time)."""


class AccountState(enum.StrEnum):
    """Where an account is on its way out. Each step has its own grace; a return restores the same account."""

    ACTIVE = "active"
    DISABLED = "disabled"
    SOFT_DELETED = "soft_deleted"
    DELETED = "deleted"


class ConfirmedAccount(Struct, frozen=True):
    """What a target has confirmed. Its links are asked for apart."""

    person: int
    target: str
    kind: ObjectKind
    anchor: str
    remote: str
    """Identifier at the target."""
    values: Values = {}
    """As the target gave them back, …"""
    sent: Values = {}
    """… and as they were sent last: where these differ, the target rewrites."""
    state: AccountState = AccountState.ACTIVE
    since: float = 0.0
    """Unix seconds, of `state`."""


class OperationKind(enum.StrEnum):
    """What is done to one account. Links are operations of their own, after all accounts are there."""

    CREATE = "create"
    ADOPT = "adopt"
    """An account that is there already becomes this person's, and gets the person's values."""
    UPDATE = "update"
    """Values; renames and moves too."""
    DISABLE = "disable"
    ENABLE = "enable"
    SOFT_DELETE = "soft_delete"
    RESTORE = "restore"
    DELETE = "delete"
    LINK = "link"
    """Members, managers: single values of linked attributes come and go."""


class AccountOperation(Struct, frozen=True, omit_defaults=True):
    """One write to a target, as it stands in plan and journal."""

    id: int
    """In its plan: the order of writes."""
    kind: OperationKind
    target: str
    person: int
    object: ObjectKind
    anchor: str
    remote: str = ""
    """Empty until the account is there."""
    set: Values = {}
    clear: frozenset[str] = frozenset()
    added: Mapping[str, tuple[int, ...]] = {}
    """By linked attribute: persons, whose accounts are looked up when it is written."""
    removed: Mapping[str, tuple[int, ...]] = {}
    before: Values = {}
    """What was confirmed for what is set or cleared: for people, and for undo."""
    enabled: bool = True
    """Of CREATE, ADOPT and RESTORE: whether the account is enabled by it. A disabled person's account never is, and one that
    is restored only after its values are right, by an operation of its own."""
    temporary: bool = False
    """Sets a unique value aside, so that two can be exchanged; another operation gives the right one."""


def state_after(operation: AccountOperation) -> AccountState | None:
    """What an account is once the operation is done; None: what it was before."""
    if operation.kind in {OperationKind.CREATE, OperationKind.ADOPT, OperationKind.RESTORE}:
        return AccountState.ACTIVE if operation.enabled else AccountState.DISABLED
    return _STATE_AFTER.get(operation.kind)


_STATE_AFTER = {
    OperationKind.DISABLE: AccountState.DISABLED,
    OperationKind.ENABLE: AccountState.ACTIVE,
    OperationKind.SOFT_DELETE: AccountState.SOFT_DELETED,
    OperationKind.DELETE: AccountState.DELETED,
}


class WriteOutcome(enum.StrEnum):
    """What came of an operation."""

    CONFIRMED = "confirmed"
    """It is done; also where it had been done before."""
    REFUSED = "refused"
    """It was not done, and will not be as it is: `cause` names why."""
    LATER = "later"
    """It was not done; the target may take it later (busy, rate, down)."""
    UNKNOWN = "unknown"
    """Sent, but how it ended is not known: the target has to be asked before anything is repeated."""


class Confirmation(Struct, frozen=True, omit_defaults=True):
    """What a target says to one operation."""

    outcome: WriteOutcome
    remote: str = ""
    values: Values = {}
    """Of CONFIRMED: what was set, as the target gave it back."""
    cause: str = ""
    """Name in the table of causes (`sync.causes`)."""
    detail: str = ""
    """For the operator; never a secret."""
    retry_after: float = 0.0
    """Seconds that the target wants to be left alone."""


class GuardDecision(Struct, frozen=True, omit_defaults=True):
    """What somebody decided about what the guard holds or stops: about a person (`person` and `kind`), or about a cause or a
    stop (`cause`). It lasts."""

    allow: bool
    by: str
    why: str
    at: float
    """Unix seconds."""
    target: str = ""
    """Empty: every target."""
    person: int | None = None
    kind: OperationKind | None = None
    """Who may be disabled may not for that be deleted."""
    cause: str = ""
    """Key of a cause (`sync.plan.ChangeCause`) or of a stop (`sync.plan.GuardStop`)."""
    id: int = 0
    """Given by the state."""
