"""What people have agreed that an application may know. Kind of state: lasting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.protocol import AccountId


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentRecord:
    """One person's word to one application."""

    account: AccountId
    trust: str
    scopes: frozenset[str]
    at: float


class ConsentStore(Protocol):
    """Consents of people, by trust."""

    async def get(self, account: AccountId, trust: str) -> ConsentRecord | None:
        """What was agreed."""
        ...

    async def put(self, record: ConsentRecord) -> None:
        """Agreed, in place of what was before."""
        ...

    async def of_account(self, account: AccountId) -> list[ConsentRecord]:
        """All of one person, by trust."""
        ...

    async def remove(self, account: AccountId, trust: str) -> bool:
        """Taken back."""
        ...

    async def remove_of_trust(self, trust: str) -> int:
        """The application is gone."""
        ...
