"""What the sign-in is for: a port, for the applications themselves are federation's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gateway.signin.browser import CONTROLS
from gateway.signin.forms import MAX_NAME
from gateway.signin.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application that waits for somebody to sign in."""

    name: str
    """Stands on the page."""
    logo: str = ""
    """Address of the relay's own copy; empty where there is none."""
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
