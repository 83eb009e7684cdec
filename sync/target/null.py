"""Targets in this process, which nobody else uses: for tests, simulation and measurement.

`NullTarget` is a complete target: it keeps accounts and links, holds to unique and required attributes, may rewrite what it
is given, can be told to fail in every way in which targets do, and its accounts can be changed behind our back.
`DiscardingTarget` confirms everything and keeps nothing, so that a measurement measures what is before it.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

from msgspec.structs import replace

from findings import Finding, failed, passed
from sync.causes import (
    ANSWER_UNUSABLE,
    ATTRIBUTE_VALUE_MUST_BE_UNIQUE,
    GONE_IN_TARGET,
    INVALID_SOFT_MATCH,
    NOT_DONE,
    REFERENCE_UNRESOLVED,
    REFUSED_403,
    TARGET_BUSY,
    TARGET_UNREACHABLE,
)
from sync.model import (
    AccountOperation,
    AccountState,
    Confirmation,
    DesiredAccount,
    ObjectKind,
    OperationKind,
    Plain,
    Values,
    WriteOutcome,
    state_after,
)
from sync.target.bounds import refuse_impossible, refused
from sync.target.errors import TargetUnavailable, UnusableAnswer
from sync.target.port import ANCHOR, Accounts, FindResult, Profile, RemoteAccount, judge_candidates

Rewrite = Callable[[str, Plain | tuple[Plain, ...]], Plain | tuple[Plain, ...]]
"""Attribute and value as given, to the value that is kept."""


class WriteFault(enum.Enum):
    """How one write fails."""

    BUSY = "busy"
    """429: not done; LATER, with `retry_after`."""
    FORBIDDEN = "forbidden"
    """403: not done; REFUSED."""
    LOST = "lost"
    """The connection broke, or 500, before it was done: UNKNOWN."""
    DONE_BUT_LOST = "done but lost"
    """The connection broke, or 500, after it was done: UNKNOWN."""
    GARBAGE = "garbage"
    """Done, and answered with HTML, nothing or half of an answer: UNKNOWN."""
    HALF = "half"
    """Half of the links, or of the values, then the connection broke: UNKNOWN."""
    IGNORED = "ignored"
    """Answered as done, and not done. What comes back shows it, so that it is REFUSED; but of links nothing comes back."""


_USERS = frozenset({"userPrincipalName", "displayName", "givenName", "sn", "mail", "title", "department", "telephoneNumber"})
_GROUPS = frozenset({"displayName", "description", "mail"})

NULL_PROFILE = Profile(
    attributes={ObjectKind.USER: _USERS, ObjectKind.GROUP: _GROUPS, ObjectKind.CONTACT: _USERS},
    unique={ObjectKind.USER: frozenset({"userPrincipalName"}), ObjectKind.GROUP: frozenset({"displayName"})},
    required={ObjectKind.USER: frozenset({"userPrincipalName"}), ObjectKind.GROUP: frozenset({"displayName"})},
    links={
        ObjectKind.USER: frozenset({"manager"}),
        ObjectKind.GROUP: frozenset({"member"}),
        ObjectKind.CONTACT: frozenset({"manager"}),
    },
    single_links=frozenset({"manager"}),
    states={
        ObjectKind.USER: frozenset({AccountState.DISABLED, AccountState.SOFT_DELETED}),
        ObjectKind.CONTACT: frozenset({AccountState.DISABLED}),
    },
)


class _Kept:
    """Accounts by identifier, and by what they are looked for: without the indexes, 20,000 of them would take minutes."""

    def __init__(self, unique: Mapping[ObjectKind, frozenset[str]]) -> None:
        self._unique = unique
        self._accounts: dict[str, RemoteAccount] = {}
        self._index: defaultdict[tuple[object, ...], dict[str, None]] = defaultdict(dict)

    def get(self, remote: str) -> RemoteAccount | None:
        return self._accounts.get(remote)

    def put(self, account: RemoteAccount) -> None:
        if account.remote in self._accounts:
            self._forget(self._accounts[account.remote])
        self._accounts[account.remote] = account
        for key in self._keys(account):
            self._index[key][account.remote] = None

    def remove(self, remote: str) -> None:
        self._forget(self._accounts.pop(remote))

    def of(self, kind: ObjectKind) -> list[RemoteAccount]:
        return [account for account in self._accounts.values() if account.kind is kind]

    def with_anchor(self, kind: ObjectKind, anchor: str) -> list[RemoteAccount]:
        return [self._accounts[remote] for remote in self._index.get((kind, ANCHOR, anchor), ())] if anchor else []

    def with_value(self, kind: ObjectKind, attribute: str, value: Plain | tuple[Plain, ...]) -> list[RemoteAccount]:
        if attribute in self._unique.get(kind, frozenset()):
            return [self._accounts[remote] for remote in self._index.get((kind, attribute, _folded(value)), ())]
        return [account for account in self.of(kind) if _folded(account.values.get(attribute)) == _folded(value)]

    def _forget(self, account: RemoteAccount) -> None:
        for key in self._keys(account):
            self._index[key].pop(account.remote, None)
            if not self._index[key]:
                del self._index[key]

    def _keys(self, account: RemoteAccount) -> Iterator[tuple[object, ...]]:
        yield account.kind, ANCHOR, account.anchor
        for attribute in self._unique.get(account.kind, frozenset()):
            yield account.kind, attribute, _folded(account.values.get(attribute))


class NullTarget:
    """A target in memory. rewrite: of values; fault: how an operation fails, None where it does not.

    `down`: nothing can be reached. `list_ends_after`: so many accounts are listed, then the answer breaks off.
    """

    def __init__(
        self,
        name: str = "null",
        *,
        profile: Profile = NULL_PROFILE,
        rewrite: Rewrite | None = None,
        fault: Callable[[AccountOperation], WriteFault | None] | None = None,
        retry_after: float = 30.0,
    ) -> None:
        self.name = name
        self._profile, self._rewrite, self._retry_after = profile, rewrite, retry_after
        self.fault = fault
        self.down = False
        self.list_ends_after: int | None = None
        self.writes: list[AccountOperation] = []
        """Operations that were begun, whatever came of them."""
        self._accounts = _Kept(profile.unique)
        self._links: dict[tuple[str, str], dict[str, None]] = {}
        self._created = 0

    async def profile(self) -> Profile:
        """As it was given."""
        return self._profile

    async def find(self, desired: DesiredAccount) -> FindResult:
        """By anchor, then by the person's `match`."""
        self._reach()
        result = judge_candidates(desired, ANCHOR, self._accounts.with_anchor(desired.kind, desired.anchor))
        for attribute in desired.match:
            value = desired.values.get(attribute)
            if not result.accounts and value is not None:
                result = judge_candidates(desired, attribute, self._accounts.with_value(desired.kind, attribute, value))
        return result

    async def read(self, kind: ObjectKind, remote: str) -> RemoteAccount | None:
        """As it is kept."""
        self._reach()
        account = self._accounts.get(remote)
        return account if account is not None and account.kind is kind else None

    async def list(self, kind: ObjectKind) -> AsyncIterator[RemoteAccount]:
        """In the order in which they were made."""
        self._reach()
        for number, account in enumerate(self._accounts.of(kind)):
            if number == self.list_ends_after:
                raise UnusableAnswer(self.name, f"the list ended after {number} accounts")
            yield account

    async def links_of(self, kind: ObjectKind, remote: str, attribute: str) -> AsyncIterator[str]:
        """In the order in which they came."""
        self._reach()
        for linked in tuple(self._links.get((remote, attribute), ())):
            yield linked

    async def apply(self, operation: AccountOperation, accounts: Accounts) -> Confirmation:
        """As the fault wants it, else as a good target does."""
        if self.down:
            return Confirmation(WriteOutcome.LATER, operation.remote, cause=TARGET_UNREACHABLE, detail="it is down")
        self.writes.append(operation)
        fault = self.fault(operation) if self.fault is not None else None
        if fault is None:
            return self._write(operation, accounts)
        return self._fail(fault, operation, accounts)

    async def check(self) -> Sequence[Finding]:
        """Whether it is down."""
        if self.down:
            return (failed("reachable", self.name, "it is down", "set down to False"),)
        return (passed("reachable", self.name, "in this process"),)

    async def close(self) -> None:
        """Nothing is open."""

    def change(self, remote: str, **values: Plain | tuple[Plain, ...]) -> None:
        """Behind our back."""
        account = self._known(remote)
        self._accounts.put(replace(account, values={**account.values, **values}))

    def protect(self, remote: str) -> None:
        """Give it an administrator's role, behind our back."""
        self._accounts.put(replace(self._known(remote), protected=True))

    def remove(self, remote: str) -> None:
        """An account with all links from and to it: behind our back, or for an operation."""
        self._accounts.remove(remote)
        for (owner, attribute), linked in list(self._links.items()):
            if owner == remote:
                del self._links[owner, attribute]
            else:
                linked.pop(remote, None)

    def put(self, kind: ObjectKind, values: Values, anchor: str = "") -> str:
        """An account that was there before us; its identifier."""
        self._created += 1
        remote = f"{kind.value}-{self._created}"
        self._accounts.put(RemoteAccount(kind, remote, anchor, dict(values)))
        return remote

    def _known(self, remote: str) -> RemoteAccount:
        account = self._accounts.get(remote)
        if account is None:
            raise KeyError(remote)
        return account

    def _reach(self) -> None:
        if self.down:
            raise TargetUnavailable(self.name, "it is down")

    def _fail(self, fault: WriteFault, operation: AccountOperation, accounts: Accounts) -> Confirmation:
        remote = operation.remote
        if fault is WriteFault.BUSY:
            return Confirmation(WriteOutcome.LATER, remote, cause=TARGET_BUSY, retry_after=self._retry_after)
        if fault is WriteFault.FORBIDDEN:
            return Confirmation(WriteOutcome.REFUSED, remote, cause=REFUSED_403, detail="no permission to write")
        if fault is WriteFault.IGNORED:
            if operation.kind is OperationKind.LINK:
                return Confirmation(WriteOutcome.CONFIRMED, remote)
            return Confirmation(WriteOutcome.REFUSED, remote, cause=NOT_DONE, detail="nothing has changed")
        if fault is WriteFault.HALF:
            self._write(_half(operation), accounts)
        elif fault is not WriteFault.LOST:
            self._write(operation, accounts)
        cause = ANSWER_UNUSABLE if fault is WriteFault.GARBAGE else TARGET_UNREACHABLE
        return Confirmation(WriteOutcome.UNKNOWN, remote, cause=cause, detail=fault.value)

    def _write(self, operation: AccountOperation, accounts: Accounts) -> Confirmation:
        if refusal := refuse_impossible(self._profile, operation):
            return refusal
        if operation.kind is OperationKind.CREATE:
            return self._create(operation)
        account = self._accounts.get(operation.remote)
        if operation.kind is OperationKind.DELETE:
            if account is not None:
                self.remove(operation.remote)
            return Confirmation(WriteOutcome.CONFIRMED, operation.remote)
        if account is None:
            return refused(operation, GONE_IN_TARGET, "the account is not there")
        if operation.kind is OperationKind.LINK:
            return self._link(operation, accounts)
        if operation.kind is OperationKind.ADOPT:
            if account.anchor not in {"", operation.anchor}:
                detail = f"account {account.remote} has the anchor {account.anchor}"
                return refused(operation, INVALID_SOFT_MATCH, detail)
            account = replace(account, anchor=operation.anchor)
        return self._set(operation, replace(account, state=state_after(operation) or account.state))

    def _create(self, operation: AccountOperation) -> Confirmation:
        """One that was made before, by an attempt whose answer was lost, is taken."""
        for account in self._accounts.with_anchor(operation.object, operation.anchor):
            return self._set(operation, replace(account, state=state_after(operation) or account.state))
        remote = f"{operation.object.value}-{self._created + 1}"
        confirmation = self._set(
            operation,
            RemoteAccount(operation.object, remote, operation.anchor, state=state_after(operation) or AccountState.ACTIVE),
        )
        self._created += confirmation.outcome is WriteOutcome.CONFIRMED
        return confirmation

    def _set(self, operation: AccountOperation, account: RemoteAccount) -> Confirmation:
        for attribute in self._profile.unique.get(account.kind, frozenset()) & operation.set.keys():
            for other in self._accounts.with_value(account.kind, attribute, operation.set[attribute]):
                if other.remote != account.remote:
                    detail = f"{attribute} belongs to account {other.remote}"
                    return refused(operation, ATTRIBUTE_VALUE_MUST_BE_UNIQUE, detail)
        given = {name: self._rewrite(name, v) if self._rewrite else v for name, v in operation.set.items()}
        kept = {name: value for name, value in account.values.items() if name not in operation.clear}
        self._accounts.put(replace(account, values={**kept, **given}))
        return Confirmation(WriteOutcome.CONFIRMED, account.remote, given)

    def _link(self, operation: AccountOperation, accounts: Accounts) -> Confirmation:
        unresolved = []
        for attribute in {**operation.added, **operation.removed}:
            links = self._links.setdefault((operation.remote, attribute), {})
            for remote in accounts(operation.removed.get(attribute, ())).values():
                links.pop(remote, None)
            added = operation.added.get(attribute, ())
            found = {person: remote for person, remote in accounts(added).items() if self._accounts.get(remote)}
            unresolved += [person for person in added if person not in found]
            if attribute in self._profile.single_links and found:
                links.clear()
            links.update(dict.fromkeys(found.values()))
        if unresolved:
            detail = f"no account of {len(unresolved)} persons"
            return Confirmation(WriteOutcome.LATER, operation.remote, cause=REFERENCE_UNRESOLVED, detail=detail)
        return Confirmation(WriteOutcome.CONFIRMED, operation.remote)


class DiscardingTarget:
    """Confirms everything, keeps nothing: memory does not grow with what is written to it."""

    def __init__(self, name: str = "null", *, profile: Profile = NULL_PROFILE) -> None:
        self.name = name
        self._profile = profile
        self.written = 0

    async def profile(self) -> Profile:
        """As it was given."""
        return self._profile

    async def find(self, desired: DesiredAccount) -> FindResult:
        """Nobody."""
        return FindResult()

    async def read(self, kind: ObjectKind, remote: str) -> RemoteAccount | None:
        """Nobody."""
        return None

    async def list(self, kind: ObjectKind) -> AsyncIterator[RemoteAccount]:
        """Nobody."""
        nobody: tuple[RemoteAccount, ...] = ()
        for account in nobody:
            yield account

    async def links_of(self, kind: ObjectKind, remote: str, attribute: str) -> AsyncIterator[str]:
        """None."""
        nobody: tuple[str, ...] = ()
        for linked in nobody:
            yield linked

    async def apply(self, operation: AccountOperation, accounts: Accounts) -> Confirmation:
        """Done, so to speak. Persons are looked up, because every target does that."""
        for persons in (*operation.added.values(), *operation.removed.values()):
            accounts(persons)
        self.written += 1
        return Confirmation(
            WriteOutcome.CONFIRMED, operation.remote or f"{operation.object.value}-{self.written}", operation.set
        )

    async def check(self) -> Sequence[Finding]:
        """There is nothing to be wrong."""
        return (passed("reachable", self.name, "in this process"),)

    async def close(self) -> None:
        """Nothing is open."""


def _half(operation: AccountOperation) -> AccountOperation:
    """What of it is done before the connection breaks."""
    added = {name: persons[: len(persons) // 2] for name, persons in operation.added.items()}
    half = replace(operation, added=added, removed={}, clear=frozenset())
    if operation.kind is OperationKind.CREATE:
        return half
    return replace(half, set=dict(list(operation.set.items())[: len(operation.set) // 2]))


def _folded(value: Plain | tuple[Plain, ...] | None) -> Plain | tuple[Plain, ...] | None:
    """As targets compare: without case."""
    return value.casefold() if isinstance(value, str) else value
