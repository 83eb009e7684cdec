"""What can go wrong with what must last.

StoreError                base
├── StoreUnavailable      locked, full, gone, unreadable: nothing was written
├── StoreTooNew           written by a newer version of Isthmus
├── AuditBroken           the audit trail was tampered with or damaged
└── TokenSpent            an enrolment token that is unknown, used or expired
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of this package's errors."""


class StoreUnavailable(StoreError):
    """The database did not take it; nothing was half written."""

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(where, problem, remedy)
        self.where, self.problem, self.remedy = where, problem, remedy

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}; {self.remedy}"


class StoreTooNew(StoreError):
    """The database has a schema that this version does not know."""

    def __init__(self, where: str, found: str) -> None:
        super().__init__(where, found)
        self.where, self.found = where, found

    def __str__(self) -> str:
        return f"{self.where} was written by a newer version of Isthmus (schema {self.found}); install that version"


class AuditBroken(StoreError):
    """The chain of the audit trail does not hold. `seq` is the first entry that cannot be trusted."""

    def __init__(self, seq: int, problem: str) -> None:
        super().__init__(seq, problem)
        self.seq, self.problem = seq, problem

    def __str__(self) -> str:
        return f"audit trail is broken at entry {self.seq}: {self.problem}. Keep the database as evidence"


class TokenSpent(StoreError):
    """A token cannot be redeemed. `reason` is `unknown`, `used` or `expired`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the enrolment token is {self.reason}"
