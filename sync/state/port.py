"""The port: what the parts of synchronisation ask of the state, whatever keeps it.

All of it is synchronous, for one thread at a time. Whatever there may be many of comes as an iterator, in the order of keys
or numbers, read a page at a time: nothing is held as a whole, and the caller may write in between. Each method that
writes is a transaction; inside `SyncState.transaction`, it is a part of that. Every write needs the lease (but for
decisions, which administrators take), and raises `LeaseLost` where it was lost; each method may raise `StateUnavailable`
and `StateDamaged`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from sync.model import (
    AccountOperation,
    Confirmation,
    ConfirmedAccount,
    GuardDecision,
    LinkFlow,
    LinkTarget,
    ObjectKind,
    Person,
    Plain,
    SourceChange,
    SourceObject,
)
from sync.state.persons import Scope
from sync.state.records import (
    AccountReference,
    AffectedPerson,
    ChangedObject,
    Deletion,
    JoinedObject,
    JournalEntry,
    LinkDifference,
    ReadingKind,
    ReadingSummary,
    SourceStatus,
    SyncFailure,
    SyncRun,
)


class ObjectPort(Protocol):
    """What sources told: see `SyncState.objects`."""

    def status(self, source: str) -> SourceStatus:
        """How far it has been read."""

    def absence_candidates(self, source: str) -> Iterator[SourceObject]:
        """Objects that the last complete reading did not have: their keys are to be asked for."""

    def rereads(self, source: str) -> Iterator[SourceObject]:
        """Objects of which more has to be known than was told: their keys are to be asked for."""

    def find(self, source: str, key: bytes) -> SourceObject | None:
        """The object, living or deleted; None where nothing was told of it."""

    def all(self, source: str, *, deleted: bool = False) -> Iterator[SourceObject]:
        """Of one source, in the order of their keys. deleted: these too."""

    def count(self, source: str) -> int:
        """Living ones."""

    def deletion(self, source: str, key: bytes) -> Deletion | None:
        """The evidence for a deleted object; None where it lives, or is not known."""

    def links_of(self, source: str, key: bytes, attribute: str) -> Iterator[LinkTarget]:
        """What an object links to, in the order of numbers; of a group's `member`, those too whose primary group it is.

        A target that no source has told of yet has the key or the name by which it was told.
        """

    def link_count(self, source: str, key: bytes, attribute: str) -> int:
        """How many objects it links to."""

    def holders_of(self, source: str, key: bytes, attribute: str) -> Iterator[SourceObject]:
        """Objects that link to this one directly: the groups that somebody is in."""


class ReadingPort(Protocol):
    """One reading of one source, under way: see `SyncState.begin_reading`."""

    def apply(self, changes: Iterable[SourceChange]) -> None:
        """In their order. Committed when it returns; where it raises, the last 1,000 of them at most are not."""

    def finish(self, *, complete: bool, cookie: bytes | None = None, exhaustive: bool = False, now: float) -> ReadingSummary:
        """The reading has ended.

        complete: what was told is all that there is to tell. Otherwise nothing goes because it was not told.
        exhaustive: an object that was not told of, or only as deleted, is not there: it becomes a candidate for absence.
        cookie: to continue with next time, kept in the same transaction; None: read in full. Of a FETCH it is not kept.
        """


class MarkPort(Protocol):
    """What has to be looked at again: see `SyncState.marks`."""

    def changed_objects(self) -> Iterator[ChangedObject]:
        """In the order of their numbers, those that are marked meanwhile included where they come later."""

    def affected_persons(self) -> Iterator[AffectedPerson]:
        """In the order of their numbers."""

    def settle_object(self, changed: ChangedObject) -> None:
        """Scope and join were looked at. Nothing happens where the object was affected again in between."""

    def settle_person(self, affected: AffectedPerson) -> None:
        """Its accounts are as they should be, or what they lack is kept as a failure. See `settle_object`."""

    def affect_everything(self, source: str | None = None) -> None:
        """All objects and persons, or those of one source, have to be looked at: the rules are others, for example."""


class PersonPort(Protocol):
    """Joined objects: see `SyncState.persons`."""

    def create(self, kind: ObjectKind) -> int:
        """A person without objects or values."""

    def find(self, person: int) -> Person | None:
        """With values and lineage, as `save` was told."""

    def all(self) -> Iterator[Person]:
        """In the order of their numbers."""

    def save(self, person: Person, now: float) -> frozenset[str]:
        """Values and lineage, as rules computed them; names of the values that changed.

        A value that is as it was, from the same object by the same rule, keeps its `since`; of the others it is `now`.
        """

    def forget(self, person: int) -> None:
        """A person without objects and without accounts. Raises PersonInUse."""

    def join(self, source: str, key: bytes, person: int, rule: str, now: float) -> None:
        """The object is this person from now on, until `unjoin`. Raises JoinRefused, ObjectUnknown.

        Two living objects of one source are never one person. A deleted one makes room: somebody who was made anew.
        """

    def unjoin(self, source: str, key: bytes) -> None:
        """The object is nobody any more. Nothing happens where it was not joined."""

    def of_object(self, source: str, key: bytes) -> int:
        """The person that the object is joined to; 0: none."""

    def objects_of(self, person: int) -> list[JoinedObject]:
        """At most one living object of each source, in the order in which sources were first read."""

    def index(self, scope: Scope, attributes: Collection[str]) -> None:
        """Find persons or accounts by these attributes from now on, and by no others. What is there is indexed."""

    def with_value(self, attribute: str, value: Plain, *, exact: bool = False) -> Iterator[int]:
        """Persons of whom one value of an indexed attribute is this. Texts are compared whatever their case, unless `exact`.

        Widths and accents are told apart: who can write a name that only looks like another must not become its person.
        """


class AccountPort(Protocol):
    """What targets confirmed: see `SyncState.accounts`."""

    def find(self, person: int, target: str) -> ConfirmedAccount | None:
        """What was confirmed; None where nothing ever was. A deleted account is there, too."""

    def of_person(self, person: int) -> list[ConfirmedAccount]:
        """One for each target."""

    def all(self, target: str) -> Iterator[ConfirmedAccount]:
        """At one target, in the order in which they came."""

    def count(self, target: str) -> int:
        """Those that are not deleted."""

    def link_count(self, target: str) -> int:
        """Links of all accounts at a target that it has confirmed."""

    def by_remote(self, target: str, remote: str) -> ConfirmedAccount | None:
        """The one that is not deleted, by the target's identifier."""

    def by_anchor(self, target: str, anchor: str) -> ConfirmedAccount | None:
        """The one that is not deleted, by its anchor."""

    def with_value(self, target: str, attribute: str, value: Plain) -> Iterator[AccountReference]:
        """Who may have a value that is to be unique at a target, by an indexed attribute.

        Whatever some service takes for the same is found: case, width, composed characters.
        """

    def confirm(self, account: ConfirmedAccount) -> None:
        """What is there, as it was read from the target: replaces what was known, links aside."""

    def confirm_links(
        self, person: int, target: str, attribute: str, *, added: Iterable[int] = (), removed: Iterable[int] = ()
    ) -> None:
        """Persons whose accounts the target has confirmed as members, or as none any more. Raises AccountUnknown."""

    def links_of(self, person: int, target: str, attribute: str) -> Iterator[int]:
        """Persons that the target has confirmed, in the order of their numbers. Raises AccountUnknown."""


class MembershipPort(Protocol):
    """Members that are missing, or too many: see `SyncState.memberships`."""

    def difference(self, person: int, target: str, flows: Sequence[LinkFlow]) -> Iterator[LinkDifference]:
        """By attribute, then by person. Attributes without a flow stay as they are. Raises AccountUnknown, ObjectUnknown.

        flows: of the account (`DesiredAccount.links`). Nothing may be written until the iteration has ended.
        """

    def settle(self, person: int, target: str, flows: Sequence[LinkFlow]) -> bool:
        """Links were confirmed: where no difference is left, what was noted of them is forgotten. Whether that is so."""


class JournalPort(Protocol):
    """Runs, operations, failures: see `SyncState.journal`."""

    def begin_run(self, kind: str, now: float) -> int:
        """Its number."""

    def end_run(
        self, run: int, outcome: str, now: float, *, detail: str = "", counts: Mapping[str, int] | None = None
    ) -> None:
        """What came of it."""

    def runs(self, *, last: int = 20) -> list[SyncRun]:
        """The youngest first. One without an end is under way, or was killed."""

    def intend(self, run: int, operations: Iterable[AccountOperation]) -> None:
        """What a run is going to do: written before the first write to a target."""

    def attempt(self, run: int, operations: Iterable[int], now: float) -> None:
        """These are being sent now: on the disk before they are. After a crash their target is asked what came of them."""

    def settle(self, run: int, operation: AccountOperation, confirmation: Confirmation, now: float) -> SyncFailure | None:
        """What a target said: entry, account and failure in one transaction. Raises AccountUnknown.

        An operation that is UNKNOWN or LATER stays open. What is not confirmed is a failure of its person at this target.
        """

    def open_operations(self) -> Iterator[JournalEntry]:
        """Of all runs, in their order: not settled. Those with an attempt may have worked, or not: their target knows."""

    def abandon(self, run: int, operations: Iterable[int], now: float) -> None:
        """These will not be done: the plan is another one by now, and where one was attempted, its target was asked."""

    def operations(self, run: int) -> Iterator[JournalEntry]:
        """Of one run, in the order of writes."""

    def of_person(self, person: int, *, last: int = 20) -> list[JournalEntry]:
        """What was done to somebody's accounts, the youngest first."""

    def fail(self, target: str, person: int, cause: str, detail: str, now: float) -> SyncFailure:
        """Once more: the next attempt is after 6, 12 and then every 24 hours; of another cause the count begins anew."""

    def forget_failure(self, target: str, person: int) -> None:
        """It works again, or nothing is wanted of it any more."""

    def failure(self, target: str, person: int) -> SyncFailure | None:
        """None where nothing failed."""

    def failures(self, *, due: float | None = None) -> Iterator[SyncFailure]:
        """By target and person. due: only those that are to be tried again at this time."""

    def failure_counts(self) -> dict[tuple[str, str], int]:
        """By target and cause."""


class DecisionPort(Protocol):
    """What people decided: see `SyncState.decisions`."""

    def decide(self, decision: GuardDecision) -> GuardDecision:
        """Keep it; with its number. Needs no lease: an administrator decides while a process runs. Raises ValueError.

        One without a cause and without a person would allow, or reject, everything that ever comes.
        """

    def all(self) -> Iterator[GuardDecision]:
        """In the order in which they were taken."""

    def withdraw(self, number: int) -> bool:
        """As if it had not been taken. Whether there was one."""


class SyncState(Protocol):
    """The state of synchronisation."""

    @property
    def objects(self) -> ObjectPort:
        """What sources told."""

    @property
    def marks(self) -> MarkPort:
        """What has to be looked at again."""

    @property
    def persons(self) -> PersonPort:
        """Joined objects."""

    @property
    def accounts(self) -> AccountPort:
        """What targets confirmed."""

    @property
    def memberships(self) -> MembershipPort:
        """Members of accounts that are missing, or too many."""

    @property
    def journal(self) -> JournalPort:
        """Runs, operations, failures."""

    @property
    def decisions(self) -> DecisionPort:
        """What people decided about what the guard had stopped."""

    def begin_reading(self, source: str, kind: ReadingKind, run: int, now: float) -> ReadingPort:
        """A reading of one source, one at a time. One that is left without `finish` is broken."""

    def transaction(self) -> AbstractContextManager[None]:
        """What is written inside is written together, or not at all."""

    def take_lease(self, holder: str, now: float, seconds: float) -> int:
        """Take it, or take it over once it has run out. Its number is larger than all before. Raises LeaseHeld."""

    def renew_lease(self, now: float, seconds: float) -> None:
        """Keep it. Raises LeaseLost."""

    def release_lease(self) -> None:
        """Another process may take it immediately. Nothing happens where it is somebody else's."""

    def verify(self) -> None:
        """Look for damage everywhere. Raises StateDamaged."""

    def export_scrubbed(self, path: Path) -> None:
        """A copy for bug reports, without names and values. Raises StateUnavailable where `path` is there already."""

    def close(self) -> None:
        """Nothing can be read or written afterwards."""
