"""The end of sessions with all that hangs on them: sessions first, then grants, then each application is told.

sessions gone ──► grants gone ──► applications told, some sessions at a time
   └── from here on nobody is signed in, however long an application takes to answer
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.protocol import AccountId
from gateway.relay import DepartureView, SessionsEndedView
from gateway.signin import Departure, Session, SessionDependents, Sessions
from gateway.store import SessionRecord, Store

PORTION = 500
"""Sessions that are taken, or whose applications are told, at a time: an application that does not answer must not use up
the time of all others."""


class SessionEnding:
    """Implements `gateway.relay.SessionEnds`. dependents: what hangs on sessions. Every method raises StoreError."""

    def __init__(self, store: Store, sessions: Sessions, dependents: SessionDependents) -> None:
        self._store, self._sessions, self._dependents = store, sessions, dependents

    async def of_account(self, account: AccountId) -> SessionsEndedView:
        """See `SessionEnds`."""
        records = await self._store.sessions.take_of_user(account)
        grants = len(await self._store.grants.end_of_account(account))
        return await self._told(records, grants)

    async def of_directory(self, directory: str) -> SessionsEndedView:
        """See `SessionEnds`."""
        records = await self._take(directory)
        return await self._told(records, await self._store.grants.end_of_directory(directory))

    async def of_everybody(self) -> SessionsEndedView:
        """All sessions and grants of this relay."""
        records = await self._take(None)
        return await self._told(records, await self._store.grants.end_all())

    async def of_sessions(self, sessions: Sequence[Session]) -> SessionsEndedView:
        """These, and the grants that hang on them."""
        for session in sessions:
            await self._store.sessions.delete(session.record.digest)
        grants = 0
        for session in sessions:
            grants += len(await self._store.grants.end_of_session(session.key))
        return await self._told([session.record for session in sessions], grants)

    async def _take(self, directory: str | None) -> list[SessionRecord]:
        taken: list[SessionRecord] = []
        while portion := await self._store.sessions.take(directory, PORTION):
            taken += portion
            if len(portion) < PORTION:  # what begins meanwhile begins after the act
                break
        return taken

    async def _told(self, records: Sequence[SessionRecord], grants: int) -> SessionsEndedView:
        departures: list[Departure] = []
        for start in range(0, len(records), PORTION):
            portion = self._sessions.readable(records[start : start + PORTION])
            departures += await self._dependents.end(portion)
        return SessionsEndedView(sessions=len(records), grants=grants, departures=summary(departures))


def summary(departures: Iterable[Departure]) -> list[DepartureView]:
    """By application, in the order of their names."""
    views: dict[str, DepartureView] = {}
    for departure in departures:
        view = views.setdefault(departure.application, DepartureView(application=departure.application))
        if departure.outcome == "told":
            view.told += 1
        elif departure.outcome == "failed":
            view.failed += 1
        else:
            view.no_way += 1
    return [views[name] for name in sorted(views)]
