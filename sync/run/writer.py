"""From a plan to the targets, by the journal: meant, attempted, confirmed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Final

from msgspec import Struct, structs

from sync.causes import REFERENCE_UNRESOLVED, TARGET_UNREACHABLE
from sync.model import AccountOperation, AccountState, Confirmation, OperationKind, WriteOutcome
from sync.plan import PlanEntry, PlanPhase
from sync.state import JournalEntry, SyncState
from sync.target import Target, confirm

AT_ONCE: Final = 16
"""Operations that are under way at the same time, unless their order counts."""
_NEW: Final = frozenset({OperationKind.CREATE, OperationKind.ADOPT})


class Written(Struct):
    """What came of the operations of a run."""

    confirmed: int = 0
    refused: int = 0
    later: int = 0
    unknown: int = 0

    def count(self, outcome: WriteOutcome) -> None:
        """One more."""
        setattr(self, outcome.value, getattr(self, outcome.value) + 1)

    def add(self, other: Written) -> None:
        """Those of another pass, too."""
        for name, number in structs.asdict(other).items():
            setattr(self, name, getattr(self, name) + number)


class Writer:
    """Writes to targets. clock: Unix seconds."""

    def __init__(self, state: SyncState, targets: Mapping[str, Target], clock: Callable[[], float]) -> None:
        self._state, self._targets, self._clock = state, targets, clock

    async def write(self, run: int, entries: Callable[[], Iterable[PlanEntry]]) -> Written:
        """All operations, phase by phase; nothing is sent before the journal has it. entries: gives them, each time anew."""
        written = Written()
        self._state.journal.intend(run, (entry.operation for entry in entries()))
        for phase, found in groupby(entries(), key=lambda entry: entry.phase):
            size = 1 if phase is PlanPhase.MOVES else AT_ONCE
            for portion in _portions((entry.operation for entry in found), size):
                self._state.journal.attempt(run, [operation.id for operation in portion], self._clock())
                outcomes = await asyncio.gather(*(self._send(operation) for operation in portion))
                for operation, confirmation in outcomes:
                    self._state.journal.settle(run, operation, confirmation, self._clock())
                    written.count(confirmation.outcome)
        return written

    async def recover(self) -> Written:
        """What earlier runs left open: whether it was done, only its target knows. What was not is planned anew."""
        written = Written()
        for entry in [*self._state.journal.open_operations()]:
            confirmation = await self._asked(entry)
            if confirmation is not None and confirmation.outcome is WriteOutcome.CONFIRMED:
                self._state.journal.settle(entry.run, entry.operation, confirmation, self._clock())
                written.confirmed += 1
            elif confirmation is not None and confirmation.outcome is WriteOutcome.UNKNOWN:
                written.unknown += 1  # stays open: it is asked for again before anything is planned for its person
            else:
                self._state.journal.abandon(entry.run, [entry.operation.id], self._clock())
        return written

    async def _asked(self, entry: JournalEntry) -> Confirmation | None:
        """None: it was never sent."""
        if entry.attempted is None or entry.operation.target not in self._targets:
            return None
        return await confirm(self._targets[entry.operation.target], self._addressed(entry.operation))

    async def _send(self, operation: AccountOperation) -> tuple[AccountOperation, Confirmation]:
        target = self._targets[operation.target]
        addressed = self._addressed(operation)
        if not addressed.remote and operation.kind not in _NEW:
            detail = "its account was not made: see what came of that"
            return operation, Confirmation(WriteOutcome.LATER, cause=REFERENCE_UNRESOLVED, detail=detail)
        confirmation = await target.apply(addressed, lambda persons: self._remotes(operation.target, persons))
        if confirmation.outcome is WriteOutcome.UNKNOWN:
            confirmation = await confirm(target, addressed)
            if confirmation.outcome is WriteOutcome.LATER and not confirmation.cause:
                confirmation = structs.replace(confirmation, cause=TARGET_UNREACHABLE, detail="no answer, and not done")
        return addressed, confirmation

    def _addressed(self, operation: AccountOperation) -> AccountOperation:
        """With the identifier of an account that was made in this run."""
        if operation.remote or operation.kind in _NEW:
            return operation
        account = self._state.accounts.find(operation.person, operation.target)
        return structs.replace(operation, remote=account.remote) if account is not None else operation

    def _remotes(self, target: str, persons: Sequence[int]) -> Mapping[int, str]:
        found = {}
        for person in persons:
            account = self._state.accounts.find(person, target)
            if account is not None and account.state is not AccountState.DELETED:
                found[person] = account.remote
        return found


def _portions(operations: Iterable[AccountOperation], size: int) -> Iterator[list[AccountOperation]]:
    """In their order. Two operations of one account are never under way at the same time."""
    portion: list[AccountOperation] = []
    accounts: set[tuple[str, int]] = set()
    for operation in operations:
        account = (operation.target, operation.person)
        if len(portion) >= size or account in accounts:
            yield portion
            portion, accounts = [], set()
        portion.append(operation)
        accounts.add(account)
    if portion:
        yield portion
