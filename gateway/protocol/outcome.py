"""What can come of a sign-in, in the words of the wire. The agent translates the directory's words into these."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Annotated

import msgspec

from gateway.protocol.accounts import AccountId, Part


class Outcome(enum.StrEnum):
    """The result of one credential check; neither a refused credential nor a broken directory is an error."""

    SUCCESS = "success"
    WRONG_CREDENTIAL = "wrong_credential"
    PASSWORD_EXPIRED = "password_expired"  # noqa: S105 - an outcome, not a password
    MUST_CHANGE = "must_change"
    RESET_REQUIRED = "reset_required"
    """The password is right but too old, and the directory takes no new one from the person: an administrator has to."""
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_LOCKED = "account_locked"
    ACCOUNT_EXPIRED = "account_expired"
    LOGON_HOURS = "logon_hours"
    WORKSTATION = "workstation"
    WOULD_LOCK_OUT = "would_lock_out"
    """Not tried: the next wrong password could lock the account in AD."""
    PASSWORD_REJECTED = "password_rejected"  # noqa: S105
    """Password change only: the directory's policy (length, history, age) refused the new password."""
    NO_DIRECTORY = "no_directory"
    TIMED_OUT = "timed_out"
    BUSY = "busy"
    NO_AGENT = "no_agent"
    TRY_AGAIN = "try_again"
    """The agent was lost after it had begun: a second bind could cost a bad-password count, so none was made."""
    NOT_RECORDED = "not_recorded"
    """The relay could not write its audit trail: a sign-in that cannot be recorded is not given."""

    @property
    def is_infrastructure(self) -> bool:
        """True where nobody judged the credential: never counted against a user."""
        return self in _INFRASTRUCTURE


_INFRASTRUCTURE = frozenset(
    {
        Outcome.NO_DIRECTORY,
        Outcome.TIMED_OUT,
        Outcome.BUSY,
        Outcome.NO_AGENT,
        Outcome.TRY_AGAIN,
        Outcome.NOT_RECORDED,
    }
)


class Group(msgspec.Struct, frozen=True, array_like=True):
    """A group the person is in, nested ones included."""

    sid: str
    """Security identifier, `S-1-5-…`; for an LDAP directory its entryUUID."""
    name: str


_Count = Annotated[int, msgspec.Meta(ge=0, le=2**31)]


class NewPasswordRules(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a new password of a person has to be; 0 where a rule does not hold. Unknown fields are ignored."""

    least_characters: _Count = 0
    kinds: _Count = 0
    """Kinds of characters that it has at least; then no part of the name is in it, either."""
    history: _Count = 0
    """Passwords before it that may not be used again."""
    wait: _Count = 0
    """Seconds until the person may change it."""

    @property
    def restricts(self) -> bool:
        """Whether any rule holds for the password itself."""
        return bool(self.least_characters or self.kinds or self.history)


class Identity(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who signed in, as the directory says. Unknown fields are ignored. Kept in browser sessions too: none is renamed."""

    object_guid: Part
    """Lower-case UUID of the object (AD objectGUID, LDAP entryUUID): the one key that never changes."""
    user_name: str
    """userPrincipalName, or the login attribute where there is none."""
    domain: str
    """The directory's name in the agent's settings (DNS domain name for AD)."""
    sid: str = ""
    account_name: str = ""
    """sAMAccountName or uid."""
    mail: str = ""
    display_name: str = ""
    given_name: str = ""
    surname: str = ""
    dn: str = ""
    groups: tuple[Group, ...] = ()
    attributes: Mapping[str, tuple[str, ...]] = {}
    """The attributes chosen in the agent's settings; binary values in base64."""
    directory: Part = ""
    """What the directory says of itself (see `AccountId`); `domain` is a name that somebody chose."""

    @property
    def qualified_name(self) -> str:
        """`DOMAIN\\name`: a name under which the agents of that directory take the person, whatever `user_name` is. A bare
        one has no home where an agent has several directories, and not every suffix is one that is signed in."""
        return f"{self.domain}\\{self.account_name or self.user_name}"

    @property
    def account(self) -> AccountId:
        """What identifies the person everywhere."""
        return AccountId(self.directory, self.object_guid)
