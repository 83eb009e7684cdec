"""What an administrator is shown of sessions; over the control socket as JSON, with these names."""

from __future__ import annotations

import msgspec

from gateway.signin import Session


class SessionSelection(msgspec.Struct, frozen=True, kw_only=True):
    """Which sessions: one of these, or none of them for all."""

    user: str = ""
    """A user name exactly as it was typed at a sign-in that succeeded, or an objectGUID or entryUUID."""
    session: str = ""
    """Its `id`, as the list has it."""
    trust: str = ""
    """Those with which this application was signed in to."""

    @property
    def named(self) -> int:
        """How many of them."""
        return sum(bool(name) for name in (self.user, self.session, self.trust))


class BrowserSessionView(msgspec.Struct, kw_only=True):
    """A person who is signed in with a browser, without what proves it. Times are Unix seconds."""

    id: str
    user: str
    """User name as the directory has it."""
    account: str
    """objectGUID or entryUUID."""
    directory: str
    signed_in_at: float
    """When the person last proved who they are."""
    seen_at: float
    expires_at: float
    """When it ends unless it is used before."""
    address: str
    user_agent: str
    agent: str
    """That checked the password; empty where that is not known."""
    applications: list[str]
    """Names of those that were signed in to with it."""


class SessionListView(msgspec.Struct, kw_only=True):
    """Sessions that are meant."""

    total: int
    people: int
    """Whose they are."""
    sessions: list[BrowserSessionView]
    """Those that were used last, newest first, up to the number asked for."""


def session_view(session: Session, applications: list[str]) -> BrowserSessionView:
    """One session, and the applications in it."""
    record = session.record
    return BrowserSessionView(
        id=session.name,
        user=session.identity.user_name,
        account=record.account.object,
        directory=record.account.directory,
        signed_in_at=session.auth_time,
        seen_at=record.seen_at,
        expires_at=record.expires_at,
        address=record.address,
        user_agent=record.user_agent,
        agent=session.agent,
        applications=applications,
    )
