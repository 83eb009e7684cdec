"""What is asked of a directory and what it answers, in Active Directory's words. Maps one to one to the wire's.

What is made for each sign-in is a Struct: frozen dataclasses take three times as long to make and to copy.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from msgspec import Struct

ControllerState = Literal["up", "down", "probing"]
"""`up`: it is used. `down`: it failed, and is left alone for a while. `probing`: one request finds out about it."""


class CheckOutcome(enum.StrEnum):
    """The result of one credential check or password change."""

    SUCCESS = "success"
    WRONG_CREDENTIAL = "wrong_credential"
    PASSWORD_EXPIRED = "password_expired"  # noqa: S105 - an outcome, not a password
    MUST_CHANGE = "must_change"
    RESET_REQUIRED = "reset_required"
    """The password has expired or must be changed, and the directory takes no new one from the person."""
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_EXPIRED = "account_expired"
    LOGON_HOURS = "logon_hours"
    WORKSTATION = "workstation"
    WOULD_LOCK_OUT = "would_lock_out"
    """Not tried: a wrong password could have locked the account."""
    PASSWORD_REJECTED = "password_rejected"  # noqa: S105
    """The directory's policy refused the new password."""
    NO_DIRECTORY = "no_directory"
    TIMED_OUT = "timed_out"
    BUSY = "busy"


class PasswordRule(enum.StrEnum):
    """The rule that refused a new password."""

    MIN_LENGTH = "min_length"
    HISTORY = "history"
    COMPLEXITY = "complexity"
    MIN_AGE = "min_age"
    NOT_PERMITTED = "not_permitted"
    """The person may not change it at all."""


class AccountStatus(enum.StrEnum):
    """What can be said of an account without its password. Of several the last one here is said."""

    LIVE = "live"
    MUST_CHANGE = "must_change"
    """An administrator wants another password before the next sign-in. One that is merely too old is `live`."""
    LOCKED = "locked"
    EXPIRED = "expired"
    DISABLED = "disabled"
    GONE = "gone"
    """No user of the directory is that object, or has that name."""


DirectoryCondition = Literal["ready", "not_checked", "no_controller", "service_account", "base_dn"]
"""Whether a directory can serve a sign-in. `not_checked`: nobody has looked yet. `no_controller`: no domain controller
answers. `service_account`: they do, and refuse our own account. `base_dn`: there is nothing where it points."""


class PasswordRequirements(NamedTuple):
    """What a new password of a person has to be; 0 where a rule does not hold."""

    least_characters: int
    kinds: int
    """Kinds of characters (upper case, lower case, digits, others) that it has at least; then no name is in it, either."""
    history: int
    """Passwords that may not be used again."""
    wait: int = 0
    """Seconds until the person may change it."""


@dataclass(frozen=True, slots=True)
class Credential:
    """What a person typed."""

    name: str
    password: str = field(repr=False)


class DirectoryObject(NamedTuple):
    """Which object of which directory, in words that no setting changes."""

    directory: str
    """AD: objectGUID of the domain; others: the naming context, lower case. Empty where the server does not say."""
    object_guid: str
    """objectGUID or entryUUID, lower case with dashes."""


class DirectoryGroup(Struct, frozen=True):
    """A group that a person is in, directly or through others."""

    sid: str
    """Security identifier, `S-1-5-…`; for kind `ldap` its entryUUID."""
    name: str


class DirectoryIdentity(Struct, frozen=True):
    """Who signed in."""

    object_guid: str
    """objectGUID or entryUUID, lower case with dashes: the one key that never changes."""
    user_name: str
    domain: str
    sid: str = ""
    account_name: str = ""
    mail: str = ""
    display_name: str = ""
    given_name: str = ""
    surname: str = ""
    dn: str = ""
    groups: tuple[DirectoryGroup, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = {}
    directory: str = ""
    """What the directory says of itself (see `DirectoryObject`); `domain` is its name in the settings."""


class PersonReference(Struct, frozen=True, kw_only=True):
    """Who is asked about: by one of objectGUID, SID and name."""

    domain: str = ""
    """Which directory is asked, by one of its UPN suffixes or domains; empty: as the name says, or the only one."""
    object_guid: str = ""
    """objectGUID or entryUUID, lower case with dashes."""
    sid: str = ""
    """`S-1-5-…`; Active Directory only."""
    user_name: str = ""

    @property
    def text(self) -> str:
        """Whichever of them it is."""
        return self.object_guid or self.sid or self.user_name


class FoundPerson(Struct, frozen=True):
    """What a directory says of somebody who did not sign in just now."""

    status: AccountStatus
    account: DirectoryObject
    """Of one who is gone, the object that was asked about."""
    identity: DirectoryIdentity | None = None
    """None of one who is gone."""
    password_set: float = 0.0
    """When the password was set, Unix seconds; 0 where the directory does not say."""
    controller: str = ""
    """host:port that answered."""
    offered: tuple[str, ...] = ()
    """The attributes that the settings let out, whether the person has them or not."""


class CheckResult(Struct, frozen=True):
    """What came of it."""

    outcome: CheckOutcome
    identity: DirectoryIdentity | None = None
    """Present on success only."""
    password_proven: bool = False
    """The directory confirmed the password. A stranger must not be told any state of an account without it."""
    bound: bool = False
    """A bind (or a change) with the user's password was sent."""
    controller: str = ""
    """host:port that answered, for logs and metrics."""
    detail: str = ""
    """For the operator's log: sub-code, count and threshold, what broke. Never a secret."""
    account: DirectoryObject | None = None
    """Whom the name belongs to, whatever the outcome; None where nobody was found, or nobody was looked for yet."""
    password_checked: bool = False
    """The directory judged the password (right or wrong): only then may a wrong one be counted against the user."""
    rule: PasswordRule | None = None
    """With PASSWORD_REJECTED, where it is known."""
    rule_value: int = 0
    """Of `min_length` its characters, of `complexity` the kinds of characters, of `history` its passwords, of `min_age` the
    seconds that are left; 0 where it is not known."""
    requirements: PasswordRequirements | None = None
    """With SUCCESS, PASSWORD_EXPIRED and MUST_CHANGE, where they are known."""
    password_set: float = 0.0
    """With SUCCESS of a check: when the password was set, Unix seconds; 0 where the directory does not say."""


@dataclass(frozen=True, slots=True)
class DirectoryReadiness:
    """Whether a directory can serve a sign-in, by what was seen of its domain controllers last."""

    directory: str
    """Its name in the settings."""
    domains: tuple[str, ...]
    """UPN suffixes and NetBIOS names that it answers for, lower case; `*` where bare names are its own."""
    condition: DirectoryCondition
    detail: str = ""
    """For the operator: what stands in the way. Never a secret."""


@dataclass(frozen=True, slots=True)
class ControllerHealth:
    """State of one domain controller, for metrics and status pages."""

    directory: str
    controller: str
    state: ControllerState
    failures: int
    """In a row."""
    in_flight: int
    retry_at: float
    """Unix seconds of the next try while it is down, else 0."""
    last_error: str
    binds: int
    """Passwords checked here since the start."""
    searches: int
    connections: int
    """Open ones, idle included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainNames:
    """A domain's own names, as it writes them."""

    base_dn: str
    """`DC=corp,DC=example,DC=com`."""
    dns_name: str
    """`corp.example.com`: always a UPN suffix of its users."""
    netbios_name: str
    """The DOMAIN of `DOMAIN\\name`."""
    upn_suffixes: tuple[str, ...]
    """Those that were added to the forest, beside the names of its domains."""
    other_domains: tuple[str, ...] = ()
    """DNS names of the forest's other domains."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """All that a user of this domain is offered after the @, its own first."""
        return (self.dns_name, *self.upn_suffixes, *self.other_domains)
