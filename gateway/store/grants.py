"""Grants: what a client was given for a person, and the family of refresh tokens that hangs on it. Kind of state: lasting.

A grant is kept under the digest of its id, which is in every token of it: who reads the database can use none.

    code redeemed ─► live ──rotate──► live (generation + 1) …          each refresh token once, but for the grace time
                      │   └── a token of an earlier generation ──► ended
                      └── revoked, session ended, code used twice, account gone ──► ended
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from gateway.protocol import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRecord:
    """One grant."""

    digest: bytes = field(repr=False)
    """SHA-256 of its id."""
    trust: str
    account: AccountId
    session: bytes = field(default=b"", repr=False)
    """Digest of the session that it hangs on; empty for one that outlives it (offline access)."""
    details: bytes = field(repr=False)
    """Whatever federation keeps: scope, resources, times of the sign-in, claims wanted."""
    created_at: float
    expires_at: float
    """The family's absolute end."""
    idle_at: float
    """When it ends unused."""
    generation: int = 0
    """Of the refresh token that is good now; 0: there is none."""
    current: bytes = field(default=b"", repr=False)
    """Digest of that token."""
    previous: bytes = field(default=b"", repr=False)
    """Digest of the one before."""
    rotated_at: float = 0.0
    sealed: bytes = field(default=b"", repr=False)
    """The current token, encrypted under a key that is derived from the previous one."""
    checked_at: float = 0.0
    """When an agent last said that the account lives."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """The token that was shown is spent; the new one is good now."""

    grant: GrantRecord


@dataclass(frozen=True, slots=True)
class Repeated:
    """The previous token was shown again within the grace time."""

    grant: GrantRecord
    """`sealed` holds the token that was given for it."""


@dataclass(frozen=True, slots=True)
class Reused:
    """A spent token was shown: the grant has ended."""

    grant: GrantRecord


class GrantStore(Protocol):
    """Grants of all clients."""

    async def add(self, record: GrantRecord) -> bool:
        """False where its digest is there already: then the code that made it was used twice."""
        ...

    async def get(self, digest: bytes, now: float) -> GrantRecord | None:
        """None where it has ended, or expired."""
        ...

    async def rotate(
        self, digest: bytes, shown: bytes, new: bytes, sealed: bytes, *, now: float, idle_at: float, grace: float
    ) -> Rotated | Repeated | Reused | None:
        """Spend the refresh token with digest `shown` for that with digest `new`: of many at once one gets Rotated.

        None where the grant is none that lives. Raises StoreUnavailable.
        """
        ...

    async def note_check(self, digest: bytes, now: float) -> None:
        """An agent said that the account lives."""
        ...

    async def end(self, digest: bytes) -> GrantRecord | None:
        """End it, all its tokens with it; what it was, for whoever is the one that ended it."""
        ...

    async def end_of_session(self, session: bytes) -> list[GrantRecord]:
        """End those that hang on a session; what they were."""
        ...

    async def end_of_account(self, account: AccountId) -> list[GrantRecord]:
        """End all of one person."""
        ...

    async def of_account(self, account: AccountId, now: float) -> list[GrantRecord]:
        """Live ones of one person, newest first."""
        ...

    async def end_of_trust(self, trust: str) -> int:
        """End all of one application; how many."""
        ...

    async def unchecked(self, before: float, after: bytes, limit: int, now: float) -> list[GrantRecord]:
        """Live ones whose account was last checked before a moment, by digest, from behind `after` on: for the sweep."""
        ...

    async def purge(self, now: float) -> int:
        """Forget what is over."""
        ...
