"""Applications, as sign-in and account page know them: ports, for the applications themselves are federation's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.protocol import AccountId, Identity
from gateway.signin.browser import CONTROLS
from gateway.signin.forms import MAX_NAME
from gateway.signin.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application that waits for somebody to sign in."""

    name: str
    """Stands on the page."""
    logo: str = ""
    """Path of its picture on this relay; empty: none."""
    hint: str = ""
    """The user name that it expects, as a stranger wrote it."""
    languages: tuple[str, ...] = ()
    """Tags (BCP 47) that it asks for, most wanted first."""
    fresh_since: float = 0.0
    """Unix seconds: whoever signed in before that is asked again."""
    session: str = ""
    """Name of the session that the browser had then."""

    @property
    def user_name(self) -> str:
        """What the first field holds at the start: the hint, where it could be a name."""
        hint = self.hint.strip()
        return hint if len(hint) <= MAX_NAME and not CONTROLS.search(hint) else ""

    def accepts(self, session: Session) -> bool:
        """Whether somebody who is signed in continues without being asked."""
        return session.is_since(self.fresh_since, other_than=self.session)


class Applications(Protocol):
    """Which application a sign-in is for."""

    def waiting(self, return_to: str) -> Application | None:
        """By where the person continues afterwards, a path of ours; None where that is no application's, or is over."""
        ...


class NoApplications:
    """Implements `Applications` where there is no federation."""

    def waiting(self, return_to: str) -> Application | None:
        """See `Applications`."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationLink:
    """An application that people may start from here."""

    name: str
    url: str
    logo: str = ""
    """Path of its picture on this relay; empty: none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LastingAccess:
    """What lets an application in while the person is not signed in: of a device, or from one sign-in."""

    name: str
    """What forms call it: nothing that the store finds it by."""
    since: float
    last_used: float = 0.0
    """Unix seconds; 0: not since then."""
    address: str = ""
    """Of the device, or of the browser at the sign-in."""
    is_device: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LetIn:
    """An application that a person has agreed to, or that has access while the person is not signed in."""

    trust: str
    name: str
    since: float
    """Unix seconds."""
    scopes: tuple[str, ...] = ()
    """What the person agreed that it may know."""
    lasting: tuple[LastingAccess, ...] = ()
    """Newest first."""


class PersonApplications(Protocol):
    """What one person has to do with applications."""

    def startable(self, identity: Identity, address: str) -> list[ApplicationLink]:
        """Those that may be started from here, by name. address: the browser's, for trusts that depend on it."""
        ...

    async def let_in(self, account: AccountId) -> list[LetIn]:
        """Those that were let in for longer than a session, by name. Raises StoreError."""
        ...

    async def shut_out(self, session: Session, trust: str, address: str) -> None:
        """The person takes that back; what it was given for the person ends. Raises StoreError."""
        ...

    async def end_access(self, session: Session, name: str, address: str) -> None:
        """One `LastingAccess` of the person ends, with all its tokens; nobody else's is found. Raises StoreError."""
        ...


class NoPersonApplications:
    """Implements `PersonApplications` where there is no federation."""

    def startable(self, identity: Identity, address: str) -> list[ApplicationLink]:
        """See `PersonApplications`."""
        return []

    async def let_in(self, account: AccountId) -> list[LetIn]:
        """See `PersonApplications`."""
        return []

    async def shut_out(self, session: Session, trust: str, address: str) -> None:
        """See `PersonApplications`."""

    async def end_access(self, session: Session, name: str, address: str) -> None:
        """See `PersonApplications`."""
