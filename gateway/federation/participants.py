"""Who hangs on a session: applications that were signed in to with it, and what they were given.

    Sessions.end… ──► session gone ──► grants ended ──► participants taken ──► each told by its protocol's channel, at once
                                                        (of two who end a session, one gets them)

A session is named by `Session.key`, which stays when the person proves themselves again; applications know it by an index of
their own. Where the person's browser is at hand, those that only it can reach are told by it afterwards (`BrowserChannel`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from gateway.federation.applications import TrustsById
from gateway.federation.keys import NO_TRIAL, Trial
from gateway.federation.trusts import Trust
from gateway.signin import Departure, DepartureOutcome, Farewell, Session, session_key
from gateway.store import GrantStore, ParticipantRecord, ParticipantStore, SessionStore

log = structlog.get_logger()

TIME_LIMIT: Final = 5.0
"""Seconds until an application must have been told: a person waits for the page."""
AT_ONCE: Final = 256
"""Messages that are on their way at a time. Waiting for a place takes nothing of an application's time."""
MOST_SILENCES: Final = 3
"""An application that did not answer so often is not told again in the same batch: it would hold the places of others."""


class SessionOver(Exception):
    """The session ended while an application was being signed in to with it."""


class LogoutChannel(Protocol):
    """How a protocol tells an application, without a browser, that a session has ended."""

    async def tell(self, record: ParticipantRecord, trust: Trust) -> DepartureOutcome:
        """Tell it. Never raises for what the application does or does not; may be cancelled when its time is over."""
        ...


@dataclass(frozen=True, slots=True)
class _Batch:
    """What those share who are told at one time."""

    places: asyncio.Semaphore
    silent: Counter[str] = field(default_factory=Counter)
    """How often an application has not answered in time, by its trust."""


@dataclass(frozen=True, slots=True)
class Participant:
    """An application in a session, and its trust as it is now."""

    record: ParticipantRecord
    trust: Trust


class BrowserChannel(Protocol):
    """How a protocol tells applications by the person's browser, one after the other."""

    def needs(self, participant: Participant) -> bool:
        """Whether this application wants to be told so."""
        ...

    async def begin(
        self, participants: Sequence[Participant], departures: Sequence[Departure], *, return_to: str, application: str
    ) -> str:
        """Path of ours from which the browser tells them. departures: what came of others, for the page at the end.

        return_to: checked address to which the person is sent then, of the `application` with that name. Raises StoreError.
        """
        ...


class Participants:
    """Implements `gateway.signin.SessionDependents`. channels: by protocol. clock: Unix seconds."""

    def __init__(
        self,
        store: ParticipantStore,
        sessions: SessionStore,
        grants: GrantStore,
        trusts: TrustsById,
        channels: Mapping[str, LogoutChannel],
        clock: Callable[[], float],
        *,
        browser: BrowserChannel | None = None,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._store, self._sessions, self._grants, self._trusts, self._channels = store, sessions, grants, trusts, channels
        self._clock, self._browser, self._time_limit = clock, browser, time_limit

    async def joined(
        self,
        session: Session,
        trust: Trust,
        details: bytes,
        *,
        subject: str = "",
        until: float = 0.0,
        trial: Trial = NO_TRIAL,
    ) -> str:
        """An application was signed in to; what it calls the session. Again replaces what was known of it.

        details: what its channel needs. subject: what it calls the person. until: Unix seconds up to which it has to be told
        of the end; 0: for as long as the session may last. trial: of the browser, with this trust.

        Raises StoreError; SessionOver where the session has ended meanwhile: whoever ends it takes its applications
        afterwards, so one that came before that is told, and one that came later is refused here.
        """
        index = session.index(trust.id)
        record = ParticipantRecord(
            session=session.key,
            trust=trust.id,
            index=index,
            subject=subject,
            details=details,
            since=self._clock(),
            expires_at=until or session.ends_at,
            tried_key=trial.key,
            tried_until=trial.until,
        )
        await self._store.add(record)
        if not await self._lives(session):
            await self._store.remove(trust.id, index)
            raise SessionOver
        return index

    async def _lives(self, session: Session) -> bool:
        """Whether it is there, perhaps under another id: the person has signed in again meanwhile."""
        now = self._clock()
        if await self._sessions.get(session.record.digest, now) is not None:
            return True
        own = await self._sessions.of_user(session.record.account, now)
        return any(session_key(record) == session.key for record in own)

    async def take(self, key: bytes) -> list[Participant]:
        """End all grants of a session, and get its applications: whoever takes them has to tell them. Raises StoreError."""
        await self._grants.end_of_session(key)
        return self._known(await self._store.take(key))

    async def names(self, session: Session) -> list[str]:
        """See `SessionDependents`."""
        return [participant.trust.name for participant in self._known(await self._store.of_session(session.key))]

    async def end(self, sessions: Sequence[Session]) -> list[Departure]:
        """See `SessionDependents`."""
        taken = [participant for session in sessions for participant in await self.take(session.key)]
        return await self.tell(taken)

    async def end_here(self, session: Session) -> Farewell:
        """See `SessionDependents`."""
        return await self.leave(await self.take(session.key))

    async def leave(
        self, participants: Sequence[Participant], *, but: str = "", return_to: str = "", application: str = ""
    ) -> Farewell:
        """Tell them, where the person's browser is at hand. but: see `tell`; return_to, application: see `BrowserChannel`.

        Those two count only where the browser is needed. Raises StoreError.
        """
        direct, by_browser = self.by_way([participant for participant in participants if participant.trust.id != but])
        departures = await self.tell(direct)
        if not by_browser or self._browser is None:
            return Farewell(departures=tuple(departures))
        further = await self._browser.begin(by_browser, departures, return_to=return_to, application=application)
        return Farewell(departures=tuple(departures), further=further)

    def by_way(self, participants: Sequence[Participant]) -> tuple[list[Participant], list[Participant]]:
        """Those that are told from here, and those that a browser tells."""
        by_browser = [
            participant for participant in participants if self._browser is not None and self._browser.needs(participant)
        ]
        return [participant for participant in participants if participant not in by_browser], by_browser

    async def tell(self, participants: Sequence[Participant], *, but: str = "") -> list[Departure]:
        """Tell them, in parallel, each within its time. but: id of the trust that asked for it, and knows already."""
        batch = _Batch(asyncio.Semaphore(AT_ONCE))
        asked = [participant for participant in participants if participant.trust.id != but]
        outcomes = await asyncio.gather(*(self._tell(participant, batch) for participant in asked))
        return [
            Departure(application=participant.trust.name, outcome=outcome)
            for participant, outcome in zip(asked, outcomes, strict=True)
        ]

    async def _tell(self, participant: Participant, batch: _Batch) -> DepartureOutcome:
        channel, trust = self._channels.get(participant.trust.protocol), participant.trust
        outcome: DepartureOutcome = "no way"
        if channel is not None:
            async with batch.places:
                is_silent = batch.silent[trust.id] >= MOST_SILENCES
                outcome = "failed" if is_silent else await self._tell_by(channel, participant, batch)
        log.info("logout.told", trust=trust.id, outcome=outcome, **self._tried(participant))
        return outcome

    async def _tell_by(self, channel: LogoutChannel, participant: Participant, batch: _Batch) -> DepartureOutcome:
        try:
            async with asyncio.timeout(self._time_limit):
                return await channel.tell(participant.record, participant.trust)
        except TimeoutError:
            batch.silent[participant.trust.id] += 1
            return "failed"

    def _tried(self, participant: Participant) -> dict[str, str]:
        tried = participant.record.tried_at(self._clock())
        return {"tried_key": tried} if tried else {}

    def _known(self, records: Sequence[ParticipantRecord]) -> list[Participant]:
        """Without those whose trust is gone, or signs nobody in: nobody knows how to tell them."""
        found = ((record, self._trusts.get(record.trust)) for record in records)
        return [Participant(record, trust) for record, trust in found if trust is not None]
