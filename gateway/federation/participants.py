"""Who hangs on a session: applications that were signed in to with it, and what they were given.

    Sessions.end… ──► session gone ──► grants ended ──► participants taken ──► each told by its protocol's channel, at once
                                                        (of two who end a session, one gets them)

A session is named by `Session.key`, which stays when the person proves themselves again; applications know it by an index of
their own. Where the person's browser is at hand, those that only it can reach are told by it afterwards (`BrowserChannel`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from gateway.federation.applications import TrustsById
from gateway.federation.trusts import Trust
from gateway.signin import Departure, DepartureOutcome, Farewell, Session
from gateway.store import GrantStore, ParticipantRecord, ParticipantStore

log = structlog.get_logger()

TIME_LIMIT: Final = 5.0
"""Seconds until an application must have been told: a person waits for the page."""
AT_ONCE: Final = 64
"""Applications that one session's end tells at a time."""


class LogoutChannel(Protocol):
    """How a protocol tells an application, without a browser, that a session has ended."""

    async def tell(self, record: ParticipantRecord, trust: Trust) -> DepartureOutcome:
        """Tell it. Never raises for what the application does or does not; may be cancelled when its time is over."""
        ...


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
        grants: GrantStore,
        trusts: TrustsById,
        channels: Mapping[str, LogoutChannel],
        clock: Callable[[], float],
        *,
        browser: BrowserChannel | None = None,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._store, self._grants, self._trusts, self._channels = store, grants, trusts, channels
        self._clock, self._browser, self._time_limit = clock, browser, time_limit

    async def joined(self, session: Session, trust: Trust, details: bytes, *, subject: str = "", until: float = 0.0) -> str:
        """An application was signed in to; what it calls the session. Again replaces what was known of it.

        details: what its channel needs. subject: what it calls the person. until: Unix seconds up to which it has to be told
        of the end; 0: for as long as the session may last. Raises StoreError.
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
        )
        await self._store.add(record)
        return index

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
        slots = asyncio.Semaphore(AT_ONCE)
        asked = [participant for participant in participants if participant.trust.id != but]
        outcomes = await asyncio.gather(*(self._tell(participant, slots) for participant in asked))
        return [
            Departure(application=participant.trust.name, outcome=outcome)
            for participant, outcome in zip(asked, outcomes, strict=True)
        ]

    async def _tell(self, participant: Participant, slots: asyncio.Semaphore) -> DepartureOutcome:
        channel = self._channels.get(participant.trust.protocol)
        outcome: DepartureOutcome = "no way"
        if channel is not None:
            try:
                async with asyncio.timeout(self._time_limit), slots:
                    outcome = await channel.tell(participant.record, participant.trust)
            except TimeoutError:
                outcome = "failed"
        log.info("logout.told", trust=participant.trust.id, outcome=outcome)
        return outcome

    def _known(self, records: Sequence[ParticipantRecord]) -> list[Participant]:
        """Without those whose trust is gone, or signs nobody in: nobody knows how to tell them."""
        found = ((record, self._trusts.get(record.trust)) for record in records)
        return [Participant(record, trust) for record, trust in found if trust is not None]
