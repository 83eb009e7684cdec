"""What an administrator can do with sessions, whether the relay runs or not. Every end is in the audit trail."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Callable

from gateway.federation.sessions.end import SessionEnding
from gateway.federation.sessions.errors import SelectionUnclear, UnknownSession
from gateway.federation.sessions.views import SessionListView, SessionSelection, session_view
from gateway.federation.trusts import UnknownTrust
from gateway.protocol import AccountId
from gateway.relay import SessionsEndedView, account_of, ended_detail
from gateway.signin import Session, Sessions
from gateway.store import AuditEvent, Store

_PAGE = 500
"""Sessions that are read at a time."""
MOST_SHOWN = 10_000


class SessionActs:
    """The acts. clock: Unix seconds. Every act raises StoreError."""

    def __init__(self, store: Store, sessions: Sessions, ending: SessionEnding, clock: Callable[[], float]) -> None:
        self._store, self._sessions, self._ending, self._clock = store, sessions, ending, clock

    async def sessions(self, selection: SessionSelection, limit: int) -> SessionListView:
        """Those that are meant; up to `limit` in full. Raises SelectionUnclear, UnknownPerson, AmbiguousPerson."""
        total, people, newest = 0, set[AccountId](), list[tuple[float, str, Session]]()
        limit = max(1, min(limit, MOST_SHOWN))
        async for session in self._meant(selection):
            total += 1
            people.add(session.record.account)
            entry = (session.record.seen_at, session.name, session)
            if len(newest) < limit:
                heapq.heappush(newest, entry)
            else:
                heapq.heappushpop(newest, entry)
        shown = [session for _, _, session in sorted(newest, reverse=True)]
        views = [session_view(session, await self._sessions.applications(session)) for session in shown]
        return SessionListView(total=total, people=len(people), sessions=views)

    async def revoke(self, selection: SessionSelection, actor: str, *, everybody: bool = False) -> SessionsEndedView:
        """End them, and all that hangs on them; of a user, an application or everybody also grants that outlive sessions.

        everybody: all there are, for a selection that names nothing. Raises SelectionUnclear, UnknownPerson,
        AmbiguousPerson, UnknownSession, UnknownTrust.
        """
        if selection.named + everybody != 1:
            raise SelectionUnclear
        if everybody:
            ended, subject, of = await self._ending.of_everybody(), "everybody", "everybody"
        elif selection.user:
            account = await account_of(self._store.audit, selection.user)
            ended, subject, of = await self._ending.of_account(account), account.object, "user"
        elif selection.trust:
            ended, subject, of = await self._end_of_trust(selection), selection.trust, "application"
        else:
            meant = [session async for session in self._meant(selection)]
            if not meant:
                raise UnknownSession(selection.session)
            ended, subject, of = await self._ending.of_sessions(meant), meant[0].record.account.object, "session"
        await self._record(actor, subject, of, ended)
        return ended

    async def _end_of_trust(self, selection: SessionSelection) -> SessionsEndedView:
        if await self._store.trusts.get(selection.trust) is None:
            raise UnknownTrust(selection.trust)
        ended = await self._ending.of_sessions([session async for session in self._meant(selection)])
        ended.grants += await self._store.grants.end_of_trust(selection.trust)
        return ended

    async def _meant(self, selection: SessionSelection) -> AsyncIterator[Session]:
        """Raises SelectionUnclear, UnknownPerson, AmbiguousPerson."""
        if selection.named > 1:
            raise SelectionUnclear
        if selection.user:
            for session in await self._sessions.of_account(await account_of(self._store.audit, selection.user)):
                yield session
            return
        keys = await self._store.participants.sessions_of(selection.trust) if selection.trust else set[bytes]()
        async for session in self._all():
            if selection.named == 0 or session.name == selection.session or session.key in keys:
                yield session

    async def _all(self) -> AsyncIterator[Session]:
        behind = b""
        while records := await self._store.sessions.behind(behind, _PAGE, self._clock()):
            for session in self._sessions.readable(records):
                yield session
            behind = records[-1].digest

    async def _record(self, actor: str, subject: str, of: str, ended: SessionsEndedView) -> None:
        detail = {"of": of, **ended_detail(ended)}
        event = AuditEvent(time=self._clock(), kind="admin.sessions_revoked", actor=actor, subject=subject, detail=detail)
        await self._store.audit.append(event)
