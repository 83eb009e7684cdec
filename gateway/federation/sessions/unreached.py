"""What hangs on sessions where no relay runs: it ends, and applications are not told, for nobody is there who could."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.signin import Departure, Farewell, Session
from gateway.store import GrantStore, ParticipantStore


class UnreachedApplications:
    """Implements `gateway.signin.SessionDependents`. Applications go by the ids of their trusts."""

    def __init__(self, participants: ParticipantStore, grants: GrantStore) -> None:
        self._participants, self._grants = participants, grants

    async def names(self, session: Session) -> list[str]:
        """See `SessionDependents`."""
        return [record.trust for record in await self._participants.of_session(session.key)]

    async def end(self, sessions: Sequence[Session]) -> list[Departure]:
        """See `SessionDependents`."""
        departures: list[Departure] = []
        for session in sessions:
            await self._grants.end_of_session(session.key)
            records = await self._participants.take(session.key)
            departures += [Departure(application=record.trust, outcome="failed") for record in records]
        return departures

    async def end_here(self, session: Session) -> Farewell:
        """See `SessionDependents`."""
        return Farewell(departures=tuple(await self.end([session])))
