"""What can go wrong with the state of synchronisation.

StateError               base
├── StateUnavailable     locked, full, gone, unreadable: nothing was half written
├── StateDamaged         the file is damaged: nothing is written to it any more
├── StateTooNew          written by a newer version of Isthmus
├── LeaseHeld            another process works with this state
├── LeaseLost            another process has taken over: what was to be written is not
├── JoinRefused          another object of the same source is this person already
├── ObjectUnknown        no source has told of the object
├── AccountUnknown       no account of this person at this target was confirmed
└── PersonInUse          a person that has objects or accounts cannot be forgotten
"""

from __future__ import annotations

from pathlib import Path


class StateError(Exception):
    """Base of this package's errors."""


class StateUnavailable(StateError):
    """The file did not take it, or could not be opened; nothing was half written."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path, self.problem, self.remedy = path, problem, remedy

    def __str__(self) -> str:
        return f"{self.path}: {self.problem}; {self.remedy}"


class StateDamaged(StateError):
    """What is in the file cannot have been written by us."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(path, problem)
        self.path, self.problem = path, problem

    def __str__(self) -> str:
        return (
            f"{self.path} is damaged: {self.problem}. Nothing was written. Restore it from a backup, or move it elsewhere: "
            "without it, sync reads everything again and adopts the accounts that are there"
        )


class StateTooNew(StateError):
    """The schema is one that this version does not know. found, known: numbers of schemas."""

    def __init__(self, path: Path, found: int, known: int) -> None:
        super().__init__(path, found, known)
        self.path, self.found, self.known = path, found, known

    def __str__(self) -> str:
        return (
            f"{self.path} was written by a newer version of Isthmus (schema {self.found}, this version knows {self.known}); "
            "install that version. Nothing was written"
        )


class LeaseHeld(StateError):
    """Another process has the lease. until: Unix seconds."""

    def __init__(self, holder: str, until: float, now: float) -> None:
        super().__init__(holder, until, now)
        self.holder, self.until, self.now = holder, until, now

    def __str__(self) -> str:
        seconds = max(1, round(self.until - self.now))
        return f"{self.holder} works with this state; stop it, or wait: without a renewal its lease ends in {seconds} s"


class LeaseLost(StateError):
    """The lease is not, or no longer, this process's. holder: who has it, if anybody. number: ours, 0 for none."""

    def __init__(self, holder: str, number: int) -> None:
        super().__init__(holder, number)
        self.holder, self.number = holder, number

    def __str__(self) -> str:
        if not self.number:
            return "this process has not taken the lease of the state; nothing was written"
        by = f" by {self.holder}" if self.holder else ""
        return f"the state was taken over{by} after lease {self.number}; nothing was written. Only one process may run it"


class JoinRefused(StateError):
    """Two living objects of one source would be one person. key: of the object that is joined already."""

    def __init__(self, source: str, key: bytes, joined: bytes, person: int, rule: str) -> None:
        super().__init__(source, key, joined, person, rule)
        self.source, self.key, self.joined, self.person, self.rule = source, key, joined, person, rule

    def __str__(self) -> str:
        return (
            f"rule {self.rule} would join object {self.key.hex()} of {self.source} to person {self.person}, to whom object "
            f"{self.joined.hex()} of the same source is joined; change the rule, or what makes the two objects alike"
        )


class ObjectUnknown(StateError):
    """Nothing is known of this object."""

    def __init__(self, source: str, key: bytes) -> None:
        super().__init__(source, key)
        self.source, self.key = source, key

    def __str__(self) -> str:
        return f"{self.source} has not told of an object {self.key.hex()}; read the source first"


class AccountUnknown(StateError):
    """There is no such account in the state."""

    def __init__(self, person: int, target: str) -> None:
        super().__init__(person, target)
        self.person, self.target = person, target

    def __str__(self) -> str:
        return f"no account of person {self.person} at {self.target} was confirmed; create or adopt it first"


class PersonInUse(StateError):
    """what: objects or accounts that hold the person."""

    def __init__(self, person: int, what: str) -> None:
        super().__init__(person, what)
        self.person, self.what = person, what

    def __str__(self) -> str:
        return f"person {self.person} still has {self.what}; unjoin its objects and delete its accounts first"
