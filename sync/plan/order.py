"""The order of writes within one run. Pure.

    restore ─► disable ─► moves ─► accounts ─► enable ─► unlink ─► link ─► soft-delete ─► delete

Accounts come before links, because a member has to be there; links go before others come, so that two groups can change
places inside each other; deletions come last, so that a run that is broken off has lost nothing. Whoever leaves is disabled
early for the same reason.

A unique value that one account gives up and another gets is a *move*. All operations of moves are one sequence: whoever
gives up a value comes before whoever gets it, a deletion too. Where that goes round in a circle (two names swapped), one of
them first puts its values aside: a text gets a temporary one, what has several values or no text is cleared.

Values are remembered as 64-bit hashes, in arrays of 16 bytes for each. Two values of one hash are taken for a move that is
none, which costs a write at most; what `duplicates` finds is compared by the caller.
"""

from __future__ import annotations

import hashlib
from array import array
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec import Struct, structs

from sync.model import AccountOperation, OperationKind, Plain, Values
from sync.plan.entries import PlanPhase
from sync.plan.values import members

UniqueAttributes: TypeAlias = Mapping[str, Mapping[str, str]]
"""By target: each attribute whose values only one account may have, and the name of what it shares them with: `mail` and
`proxyAddresses` both `address`."""

_BUCKETS: Final = 64
_PHASES: Final = {
    OperationKind.RESTORE: PlanPhase.RESTORE,
    OperationKind.DISABLE: PlanPhase.DISABLE,
    OperationKind.CREATE: PlanPhase.ACCOUNTS,
    OperationKind.ADOPT: PlanPhase.ACCOUNTS,
    OperationKind.UPDATE: PlanPhase.ACCOUNTS,
    OperationKind.ENABLE: PlanPhase.ENABLE,
    OperationKind.SOFT_DELETE: PlanPhase.SOFT_DELETE,
    OperationKind.DELETE: PlanPhase.DELETE,
}
_CHANGES_VALUES: Final = frozenset(
    {
        OperationKind.CREATE,
        OperationKind.ADOPT,
        OperationKind.UPDATE,
        OperationKind.SOFT_DELETE,
        OperationKind.DELETE,
    }
)
"""A disabled account keeps its name."""


def phase_of(operation: AccountOperation) -> PlanPhase:
    """Where it belongs, if no unique value moves by it."""
    if operation.kind is OperationKind.LINK:
        return PlanPhase.UNLINK if operation.removed else PlanPhase.LINK
    return _PHASES[operation.kind]


class UniqueChange(Struct, frozen=True):
    """What an operation does with unique values, as hashes."""

    released: frozenset[int] = frozenset()
    acquired: frozenset[int] = frozenset()


def unique_change(operation: AccountOperation, unique: UniqueAttributes) -> UniqueChange:
    """Of one operation. A value that the account has before and after is neither. Where a target keeps the values of
    accounts that it has soft-deleted, whoever is to get one is refused."""
    attributes = unique.get(operation.target, {})
    if not attributes or operation.kind not in _CHANGES_VALUES:
        return UniqueChange()
    before = _hashes(operation, operation.before, attributes)
    after = _hashes(operation, operation.set, attributes)
    return UniqueChange(before - after, after - before)


class MoveFinder:
    """Finds, among any number of operations, those by which unique values move."""

    def __init__(self, unique: UniqueAttributes) -> None:
        self._unique = unique
        self._released = [_Uses() for _ in range(_BUCKETS)]
        self._acquired = [_Uses() for _ in range(_BUCKETS)]

    def note(self, index: int, operation: AccountOperation) -> None:
        """One operation. index: a number by which the caller finds it again, each different."""
        change = unique_change(operation, self._unique)
        for value in change.released:
            self._released[value % _BUCKETS].add(value, index)
        for value in change.acquired:
            self._acquired[value % _BUCKETS].add(value, index)

    def moves(self) -> frozenset[int]:
        """Indexes of all operations that give up what another gets, or get it."""
        found: set[int] = set()
        for released, acquired in zip(self._released, self._acquired, strict=True):
            common = set(released.values) & set(acquired.values)
            if common:
                for uses in (released, acquired):
                    found.update(index for value, index in uses if value in common)
        return frozenset(found)

    def duplicates(self) -> Mapping[int, int]:
        """Operations that are to set a value that another is to set as well: index, and index of one of the others."""
        found: dict[int, int] = {}
        for acquired in self._acquired:
            first: dict[int, int] = {}
            for value, index in acquired:
                other = first.setdefault(value, index)
                if other != index:
                    found[index] = other
                    found.setdefault(other, index)
        return found


def ordered_moves(operations: Sequence[AccountOperation], unique: UniqueAttributes) -> list[AccountOperation]:
    """In an order in which no value is given to one account while another has it, with temporary values where there is no
    such order."""
    graph = _MoveGraph([unique_change(operation, unique) for operation in operations])
    ordered: list[AccountOperation] = []
    while (ready := graph.next_ready()) is not None or graph.waiting:
        if ready is not None:
            ordered.append(operations[ready])
            graph.release(ready)
        else:
            at = graph.in_circle()
            ordered.append(set_aside(operations[at], unique))
            graph.release(at)
    return ordered


class _MoveGraph:
    """Who waits for which value, and who has it. Operations are known by their place in the list."""

    def __init__(self, changes: Sequence[UniqueChange]) -> None:
        self._released = [change.released for change in changes]
        self._holders: dict[int, set[int]] = defaultdict(set)
        for at, change in enumerate(changes):
            for value in change.released:
                self._holders[value].add(at)
        self._waits = [{value for value in change.acquired if value in self._holders} for change in changes]
        self._waiters: dict[int, set[int]] = defaultdict(set)
        for at, values in enumerate(self._waits):
            for value in values:
                self._waiters[value].add(at)
        self.waiting = dict.fromkeys(at for at, values in enumerate(self._waits) if values)
        self._ready = deque(at for at, values in enumerate(self._waits) if not values)

    def next_ready(self) -> int | None:
        """One that waits for nothing any more."""
        return self._ready.popleft() if self._ready else None

    def release(self, at: int) -> None:
        """Its old values are free now. Called again, when they were set aside before: nothing is left to free."""
        for value in self._released[at]:
            self._holders[value].discard(at)
            if not self._holders[value]:
                for waiter in sorted(self._waiters.pop(value, ())):
                    self._waits[waiter].discard(value)
                    if not self._waits[waiter]:
                        del self.waiting[waiter]
                        self._ready.append(waiter)
        self._released[at] = frozenset()

    def in_circle(self) -> int:
        """When all that are left wait: from one to one that it waits for, until one comes again."""
        met: set[int] = set()
        at: int = next(iter(self.waiting))
        while at not in met:
            met.add(at)
            at = min(self._holders[min(self._waits[at])])
        return at


def set_aside(operation: AccountOperation, unique: UniqueAttributes) -> AccountOperation:
    """Frees the unique values that an update gives up, before the update itself."""
    put: dict[str, Plain | tuple[Plain, ...]] = {}
    clear = set()
    released = unique_change(operation, unique).released
    attributes = unique[operation.target]
    for name, value in operation.before.items():
        if name not in attributes:
            continue
        kept = tuple(
            single for single in members(value) if _hash(operation.target, attributes[name], single) not in released
        )
        if kept == members(value):
            continue
        if kept:
            put[name] = kept
        elif isinstance(value, str):
            put[name] = _temporary(operation, value)
        else:
            clear.add(name)
    before = {name: operation.before[name] for name in (*put, *clear)}
    return structs.replace(operation, set=put, clear=frozenset(clear), before=before, temporary=True)


def in_order(
    operations: Iterable[AccountOperation], unique: UniqueAttributes
) -> Iterator[tuple[PlanPhase, AccountOperation]]:
    """All of them, as they are to be written. For as many as memory holds; a plan in a file is put in order as it is
    written."""
    listed = list(operations)
    finder = MoveFinder(unique)
    for index, operation in enumerate(listed):
        finder.note(index, operation)
    moving = finder.moves()
    for phase in PlanPhase:
        if phase is PlanPhase.MOVES:
            for operation in ordered_moves([listed[index] for index in sorted(moving)], unique):
                yield phase, operation
        for index, operation in enumerate(listed):
            if index not in moving and phase_of(operation) is phase:
                yield phase, operation


class _Uses:
    """Pairs of a value's hash and an operation's index."""

    def __init__(self) -> None:
        self.values = array("Q")
        self._indexes = array("Q")

    def add(self, value: int, index: int) -> None:
        self.values.append(value)
        self._indexes.append(index)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.values, self._indexes, strict=True)


def _hashes(operation: AccountOperation, values: Values, attributes: Mapping[str, str]) -> frozenset[int]:
    return frozenset(
        _hash(operation.target, attributes[name], single)
        for name, value in values.items()
        if name in attributes
        for single in members(value)
    )


def _hash(target: str, shared: str, value: Plain) -> int:
    """Targets compare names and addresses without case (RFC 7643, section 4.1.1: userName)."""
    text = value.casefold() if isinstance(value, str) else repr(value)
    data = "\0".join((target, shared, type(value).__name__, text)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest())


def _temporary(operation: AccountOperation, value: str) -> str:
    """Nobody's: made of anchor and value. In the same domain, because targets check domains."""
    name = hashlib.blake2b(f"{operation.anchor}\0{value}".encode("utf-8", "surrogatepass"), digest_size=10).hexdigest()
    _, at, domain = value.rpartition("@")
    return f"isthmus-{name}{at}{domain if at else ''}"
