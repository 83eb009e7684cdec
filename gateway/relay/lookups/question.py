"""What is asked about a person, and what came of it. Pure."""

from __future__ import annotations

import enum

from msgspec import Struct

from gateway.protocol import AccountId, Identity


class PersonState(enum.StrEnum):
    """What is known of an account."""

    LIVE = "live"
    MUST_CHANGE = "must_change"
    LOCKED = "locked"
    EXPIRED = "expired"
    DISABLED = "disabled"
    GONE = "gone"
    """The directory that it belongs to says that there is no such user."""
    UNCHECKED = "unchecked"
    """Nobody knows: no agent could or would say. It is never a reason to end anything before its time."""


_PERMANENT = frozenset({"not_mine", "limit", "not_offered"})
"""Why nobody knows where asking again soon would not help: agents are there."""
_ENDS = frozenset({PersonState.MUST_CHANGE, PersonState.EXPIRED, PersonState.DISABLED, PersonState.GONE})
"""Not `locked`: whoever types wrong passwords for somebody must not be able to sign them out."""


class PersonQuestion(Struct, frozen=True, kw_only=True):
    """Who is asked about: by exactly one of account, SID and name."""

    account: AccountId | None = None
    sid: str = ""
    user_name: str = ""
    domain: str = ""
    """The directory, by a domain of it (`Identity.domain`); empty: that of the name."""
    attributes: tuple[str, ...] = ()
    """Wanted beside the fields of an identity."""
    agents: tuple[str, ...] = ()
    """Who checked this person's password, the last one first: others may not know the person."""
    max_age: float = 10.0
    """Seconds that an answer may be old; 0: the agents are asked."""
    since: float = 0.0
    """Unix seconds: an answer from before that moment does not count."""
    correlation_id: str = ""

    @property
    def text(self) -> str:
        """Who it is, for the log."""
        return self.account.object if self.account is not None else self.sid or self.user_name


class LookedUp(Struct, frozen=True, kw_only=True):
    """What came of it."""

    state: PersonState
    identity: Identity | None = None
    """Present unless gone or unchecked."""
    password_set: float = 0.0
    """When the password was set, Unix seconds; 0 where that is not known."""
    agent: str = ""
    """Who said so; empty: nobody."""
    at: float
    """When it was asked, Unix seconds."""
    why: str = ""
    """Of `unchecked`: the reason, for the operator."""
    withheld: tuple[str, ...] = ()
    """Wanted attributes that the agent's settings do not let out."""

    @property
    def answered(self) -> bool:
        """Some agent knew."""
        return self.state is not PersonState.UNCHECKED

    @property
    def outage(self) -> bool:
        """Nobody knows at the moment; an agent could say, if it answered."""
        return not self.answered and self.why not in _PERMANENT

    def end_reason(self, password_set: float) -> str:
        """Why what this person has signed in to ends; empty where it continues, also where nobody knows.

        password_set: when the password was set that they signed in with, Unix seconds; 0 where that is not known.
        """
        if self.state in _ENDS:
            return self.state.value
        return "password_changed" if 0 < password_set < self.password_set else ""
