"""Who hangs on a browser session: the applications that were signed in to with it. Kind of state: lasting."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ParticipantRecord:
    """One application in one session."""

    session: bytes = field(repr=False)
    """Digest of the session (`SessionRecord.digest`)."""
    trust: str
    index: str
    """What the application calls it: SAML SessionIndex, OpenID Connect `sid`; unique for each trust."""
    details: bytes = field(repr=False)
    """Whatever the protocol needs to tell it of the end: NameID, subject."""
    since: float
    expires_at: float
    """When nobody need be told any more."""


class ParticipantStore(Protocol):
    """Participants of sessions."""

    async def add(self, record: ParticipantRecord) -> None:
        """It takes part; again replaces what was known."""
        ...

    async def of_session(self, session: bytes) -> list[ParticipantRecord]:
        """All of them, by when they came."""
        ...

    async def find(self, trust: str, index: str) -> ParticipantRecord | None:
        """Which session an application means."""
        ...

    async def take(self, session: bytes) -> list[ParticipantRecord]:
        """All of them, and forget them: of two who end a session one has to tell them."""
        ...

    async def remove(self, trust: str, index: str) -> bool:
        """It has left by itself."""
        ...

    async def purge(self, now: float) -> int:
        """Forget what is over."""
        ...
