"""What can go wrong with what must last.

StoreError                base
├── StoreUnavailable      locked, full, gone, silent, unreadable: nothing was half written
├── StoreTooNew           written by a version of Isthmus that this one cannot work beside
├── StoreEmptied          the database is empty, although a relay has written to it
├── StoreFull             a table that is bounded takes no more
├── AuditBroken           the audit trail was tampered with or damaged
├── ExportBroken          an export of the audit trail is not what a relay wrote
├── NothingToAccept       the audit trail holds what was noted of it
├── AgentRevoked          a certificate was asked for with one that was revoked meanwhile
├── TrustOutdated         a trust is not in the version that was to be changed
├── SigningKeyOutdated    the same of a signing key
├── TokenSpent            an enrolment token that is unknown, used or expired
├── KeysUnreadable        the keyring is there, but sealed with another secret than this node's
├── KeyTooFresh           the keyring was rolled moments ago: its newest key is not in use yet
└── DutyLost              somebody else has the duty by now: what was done in its name is not written
"""

from __future__ import annotations


class StoreError(Exception):
    """Base of this package's errors."""


class StoreUnavailable(StoreError):
    """The database did not take it, or did not say so in time; nothing was half written."""

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(where, problem, remedy)
        self.where, self.problem, self.remedy = where, problem, remedy

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}; {self.remedy}"


class StoreTooNew(StoreError):
    """The database has a schema that this version cannot work with. readable_from: the oldest release that can."""

    def __init__(self, where: str, found: str, readable_from: str = "") -> None:
        super().__init__(where, found, readable_from)
        self.where, self.found, self.readable_from = where, found, readable_from

    def __str__(self) -> str:
        remedy = f"install {self.readable_from} or later" if self.readable_from else "install that version"
        return f"{self.where} was written by a newer version of Isthmus (schema {self.found}); {remedy}"


class StoreEmptied(StoreError):
    """There is nothing in the database, and this node remembers a trail. witness: where."""

    def __init__(self, where: str, witness: str) -> None:
        super().__init__(where, witness)
        self.where, self.witness = where, witness

    def __str__(self) -> str:
        return (
            f"{self.where} is empty, and {self.witness} says that it was not: a copy of the state directory without "
            "relay.db-wal looks like that, and a database that was removed. Restore the backup: isthmus relay restore FILE "
            f"--replace. To begin with an empty one on purpose, move {self.witness} elsewhere"
        )


class StoreFull(StoreError):
    """A bounded table is full of what has not expired yet."""

    def __init__(self, what: str, limit: int) -> None:
        super().__init__(what, limit)
        self.what, self.limit = what, limit

    def __str__(self) -> str:
        return f"{self.what}: {self.limit} are kept already; try again once some have expired"


class AuditBroken(StoreError):
    """The audit trail does not hold. chain, seq: the first entry that cannot be trusted; chain 0: the list of chains."""

    def __init__(self, chain: int, seq: int, problem: str) -> None:
        super().__init__(chain, seq, problem)
        self.chain, self.seq, self.problem = chain, seq, problem

    def __str__(self) -> str:
        return f"audit trail is broken at entry {self.chain}-{self.seq}: {self.problem}. Keep the database as evidence"


class ExportBroken(StoreError):
    """An export that was changed, or is none. line: the first that cannot be trusted, from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(line, problem)
        self.line, self.problem = line, problem

    def __str__(self) -> str:
        return f"the export is invalid at line {self.line}: {self.problem}"


class NothingToAccept(StoreError):
    """The trail holds what its witness says."""

    def __init__(self, witness: str) -> None:
        super().__init__(witness)
        self.witness = witness

    def __str__(self) -> str:
        return f"there is nothing to accept: the audit trail contains everything that {self.witness} records"


class AgentRevoked(StoreError):
    """The certificate that asked for another one was revoked: none was added."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name

    def __str__(self) -> str:
        return f"the agent {self.name} was revoked"


class TokenSpent(StoreError):
    """A token cannot be redeemed. `reason` is `unknown`, `used` or `expired`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

    def __str__(self) -> str:
        return f"the enrolment token is {self.reason}"


class TrustOutdated(StoreError):
    """Somebody else has changed, added or removed it. version: the one that was expected; 0: none."""

    def __init__(self, trust: str, version: int) -> None:
        super().__init__(trust, version)
        self.trust, self.version = trust, version

    def __str__(self) -> str:
        if self.version == 0:
            return f"the trust {self.trust} exists already"
        return f"the trust {self.trust} is not in version {self.version} any more; look at it, and change it again"


class SigningKeyOutdated(StoreError):
    """Somebody else has changed, added or forgotten it. version: the one that was expected; 0: none."""

    def __init__(self, key_id: str, version: int) -> None:
        super().__init__(key_id, version)
        self.key_id, self.version = key_id, version

    def __str__(self) -> str:
        if self.version == 0:
            return f"the signing key {self.key_id} exists already"
        return f"the signing key {self.key_id} is not in version {self.version} any more"


class KeysUnreadable(StoreError):
    """No key of the keyring opens with this node's secret."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where

    def __str__(self) -> str:
        return f"{self.where}: its keys were sealed with another secret.key; restore secret.key and database from one backup"


class KeyTooFresh(StoreError):
    """Rolled again before the last roll was in use: the key in use now would end immediately. active_from: Unix seconds."""

    def __init__(self, active_from: float, now: float) -> None:
        super().__init__(active_from, now)
        self.active_from, self.now = active_from, now

    def __str__(self) -> str:
        return f"the keys were rolled moments ago; try again in {max(1.0, self.active_from - self.now):.0f} s"


class DutyLost(StoreError):
    """The lease ran out and somebody else took the duty."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(name, number)
        self.name, self.number = name, number

    def __str__(self) -> str:
        return f"the duty {self.name} is no longer held under number {self.number}; nothing was written"
