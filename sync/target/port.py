"""What synchronisation asks of a target, whatever it is. One suite holds for all of them: `tests.sync.target.conformance`.

    find(desired)  ──►  none, one or several accounts that could be this person's; nothing is written
    apply(operation)  ──►  Confirmation: CONFIRMED, REFUSED, LATER, or UNKNOWN: then `confirmation.confirm` asks
    list, links_of  ──►  everything that is there, one by one, for the full comparison

Nothing here retries for longer than a few seconds: when an operation is tried again is decided by whoever has the journal.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from findings import Finding
from sync.causes import AMBIGUOUS_JOIN, EXISTING_ADMIN_ROLE_CONFLICT, INVALID_SOFT_MATCH
from sync.model import AccountOperation, AccountState, Confirmation, DesiredAccount, ObjectKind, Values

ANCHOR: Final = "anchor"
"""In `FindResult.attribute`: found by the anchor, not by an attribute."""

Accounts: TypeAlias = Callable[[Sequence[int]], Mapping[int, str]]
"""Identifiers at this target of the accounts of these persons; those without an account are left out."""


class Profile(Struct, frozen=True):
    """What a target can do: a plan contains nothing else."""

    attributes: Mapping[ObjectKind, frozenset[str]]
    """That can be written, by kind; a kind that is not here cannot be provisioned."""
    unique: Mapping[ObjectKind, frozenset[str]] = {}
    """Of these attributes, those that no two accounts may share."""
    required: Mapping[ObjectKind, frozenset[str]] = {}
    """Without these no account can be created."""
    links: Mapping[ObjectKind, frozenset[str]] = {}
    """Attributes that name other accounts."""
    single_links: frozenset[str] = frozenset()
    """Of these attributes, those that name at most one account."""
    states: Mapping[ObjectKind, frozenset[AccountState]] = {}
    """Besides ACTIVE and DELETED. Without DISABLED, there is nothing between an account and its deletion."""
    links_a_request: int = 1000
    """Of one LINK operation more are sent in pieces."""


class RemoteAccount(Struct, frozen=True):
    """An account as the target has it now."""

    kind: ObjectKind
    remote: str
    anchor: str = ""
    """Empty: it was not made by us, or by nobody who gave it one."""
    values: Values = {}
    """Of the attributes that can be written, without links."""
    state: AccountState = AccountState.ACTIVE
    protected: bool = False
    """It has an administrator's role: never adopted by an attribute."""


class FindResult(Struct, frozen=True):
    """Which accounts could be a person's already. Without a cause: none, or the one to adopt."""

    accounts: tuple[RemoteAccount, ...] = ()
    attribute: str = ""
    """By which they were found: `ANCHOR`, or one of the person's `match`."""
    cause: str = ""
    """Name in `sync.causes`: why none of them may be adopted."""
    detail: str = ""

    @property
    def account(self) -> RemoteAccount | None:
        """The one to adopt; None where there is none, or a cause says why not."""
        return self.accounts[0] if self.accounts and not self.cause else None


class Target(Protocol):
    """A place where accounts are kept. For several tasks at once. Cancelling `apply` leaves the outcome unknown."""

    @property
    def name(self) -> str:
        """In the settings."""

    async def profile(self) -> Profile:
        """Capabilities. Raises TargetError."""

    async def find(self, desired: DesiredAccount) -> FindResult:
        """By the anchor, then by each attribute of `desired.match` in order, until one finds something. Raises TargetError.

        Values are compared here, too, whatever the target's search says, and a search that could be incomplete raises
        UnusableAnswer: none means that there is none.
        """

    async def read(self, kind: ObjectKind, remote: str) -> RemoteAccount | None:
        """As it is now; None: it is not there. Raises TargetError."""

    def list(self, kind: ObjectKind) -> AsyncIterator[RemoteAccount]:
        """Every account of a kind, one by one. Raises TargetError, also where not all of them came.

        It is no snapshot: an account that is missing in it is asked for by `read` before anything follows from that.
        """

    def links_of(self, kind: ObjectKind, remote: str, attribute: str) -> AsyncIterator[str]:
        """Identifiers of the accounts that an account links to, one by one. Raises TargetError."""

    async def apply(self, operation: AccountOperation, accounts: Accounts) -> Confirmation:
        """Write. It never raises for what the target or the network does; see `sync.model.WriteOutcome`.

        Everything may be repeated: an account that has the anchor of a CREATE already is taken. Where persons of `added`
        have no account, the others are written, and the outcome is LATER with the cause ReferenceUnresolved.
        """

    async def check(self) -> Sequence[Finding]:
        """Preflight: credentials and capabilities, each with its remedy. It writes nothing, and never raises TargetError."""

    async def close(self) -> None:
        """Let go of connections."""


def judge_candidates(desired: DesiredAccount, attribute: str, found: Sequence[RemoteAccount]) -> FindResult:
    """Whether what was found by an attribute (or `ANCHOR`) may be adopted; the one rule for all targets.

    By an attribute: never one that has another anchor, nor one with an administrator's role: whoever may write a mail
    address in the source must not be able to take over an account with it.
    """
    accounts = tuple(found)
    if not accounts:
        return FindResult()
    if len(accounts) > 1:
        named = ", ".join(account.remote for account in accounts[:5]) + (", …" if len(accounts) > 5 else "")
        detail = f"{len(accounts)} accounts have the same {attribute}: {named}"
        return FindResult(accounts, attribute, AMBIGUOUS_JOIN, detail)
    account = accounts[0]
    if attribute != ANCHOR and account.anchor not in {"", desired.anchor}:
        detail = f"{attribute} belongs to account {account.remote} with the anchor {account.anchor}, not {desired.anchor}"
        return FindResult(accounts, attribute, INVALID_SOFT_MATCH, detail)
    if attribute != ANCHOR and account.protected:
        detail = f"{attribute} belongs to account {account.remote}, which has an administrator's role"
        return FindResult(accounts, attribute, EXISTING_ADMIN_ROLE_CONFLICT, detail)
    return FindResult(accounts, attribute)
