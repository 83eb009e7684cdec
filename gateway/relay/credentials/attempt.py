"""The vocabulary of a credential check, as those who ask for one see it."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from gateway.protocol import AccountId, Identity, NewPasswordRules, Outcome


class Attempt(Struct, frozen=True, kw_only=True):
    """A user name, a password, and where they came from."""

    user_name: str
    """As typed, white space stripped: userPrincipalName, DOMAIN\\name or an alternate login."""
    password: str
    signed_in_as: str = ""
    """The person's name where a session says it: for the trail, since `user_name` may be one that nobody typed."""
    account: AccountId | None = None
    """Whose it is, where a session says so: the name alone may be one that was never typed at a sign-in."""
    address: str
    """The client's IP address, after trusted proxies."""
    familiar: bool = False
    """The browser proved (signed device cookie) that this user signed in from it before."""
    throttled: bool = True
    """False where `address` is a trusted back end's own: it stands for many people."""
    correlation_id: str
    """One id from the browser's request to the LDAP bind."""
    via: str = "page"
    """Who asked: `page`, `api:<key name>`, later `oidc`, `saml`, …; goes into the audit trail."""
    caller: str = ""
    """Id of the API key that asked, whose rate counts; empty for the page."""
    caller_rate: float = 0.0
    """Attempts a minute that it may make."""

    @property
    def known_as(self) -> str:
        """What the trail and the log call the person."""
        return self.signed_in_as or self.user_name

    def __repr__(self) -> str:
        return f"Attempt({self.user_name!r}, …)"

    def __rich_repr__(self) -> Any:
        yield "user_name", self.user_name


class Verdict(Struct, frozen=True, kw_only=True):
    """What came of an attempt: the agent's outcome, or admission's refusal."""

    outcome: Outcome | None
    """None: admission refused the attempt (smart lockout or throttle), nobody was asked."""
    identity: Identity | None = None
    password_proven: bool = False
    """The directory says the password was right although it refused the sign-in (expired, disabled, …). Only then may
    the page name the reason; whoever does not know the password must not learn it."""
    retry_after: float = 0.0
    """Seconds until admission would let another attempt pass; only where outcome is None."""
    rule: str = ""
    """The rule that refused a new password, and its value; see `AnswerBody`."""
    rule_value: int = 0
    new_password: NewPasswordRules | None = None
    """What the next password has to be, where the password was right and that is known."""
    password_set: float = 0.0
    """With success of a check: when the password was set, Unix seconds; 0 where the directory does not say."""
    agent: str = ""
    milliseconds: float = 0.0

    @property
    def succeeded(self) -> bool:
        """The directory accepted the password and the sign-in."""
        return self.outcome is Outcome.SUCCESS


class Authenticator(Protocol):
    """The one way to a credential check: admission, dispatch to an agent, audit."""

    async def authenticate(self, attempt: Attempt) -> Verdict:
        """Check a credential. Never raises for a refused credential or a broken directory.

        Cancelling gives up the answer; a bind that has begun still ends at the agent.
        """
        ...

    async def change_password(self, attempt: Attempt, new_password: str) -> Verdict:
        """Change the password, proving the old one (`attempt.password`); works for expired and must-change accounts.

        SUCCESS: changed. PASSWORD_REJECTED: the directory's policy refused the new one. Others as in `authenticate`.
        """
        ...
