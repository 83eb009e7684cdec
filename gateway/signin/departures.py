"""What hangs on a session, and hears of its end: a port, for applications are federation's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from gateway.signin.sessions import Session

DepartureOutcome = Literal["told", "failed", "no way"]
"""`failed`: it did not take it, or could not be reached; `no way`: it has no address for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """What came of telling an application that a session has ended."""

    application: str
    """Its name, for people."""
    outcome: DepartureOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Farewell:
    """What came of the applications of a session that its own browser ended."""

    departures: tuple[Departure, ...] = ()
    """Of those that were told without the browser."""
    further: str = ""
    """Path of ours, from which the browser tells the others, one after the other; empty: there are none."""


class SessionDependents(Protocol):
    """Everything that hangs on sessions."""

    async def names(self, session: Session) -> list[str]:
        """Applications that were signed in to with it, for people. Raises StoreError."""
        ...

    async def end(self, sessions: Sequence[Session]) -> list[Departure]:
        """These sessions have ended: end what hangs on them, and tell applications, within seconds. Raises StoreError."""
        ...

    async def end_here(self, session: Session) -> Farewell:
        """The same for the session of the browser that asks: it can be sent to applications. Raises StoreError."""
        ...


class NoDependents:
    """Implements `SessionDependents` where there is no federation."""

    async def names(self, session: Session) -> list[str]:
        """See `SessionDependents`."""
        return []

    async def end(self, sessions: Sequence[Session]) -> list[Departure]:
        """See `SessionDependents`."""
        return []

    async def end_here(self, session: Session) -> Farewell:
        """See `SessionDependents`."""
        return Farewell()
