"""Whether the account of somebody who has signed in still lives: asked of the agents, and what follows from the answer.

    answered ──► lives ──► checked now
       │          └──► disabled, expired, gone, must change, another password ──► ends
       └ nobody knows ──► longer than `unchecked_lifetime` since the last answer ──► ends
                     └──► before that it continues

An answer also says who the person is by now, groups and attributes: what hangs on the account continues with that.

Kind of state: none that lasts. When an account was checked stands with what hangs on it (sessions, grants); memory holds,
for seconds and bounded, whom nobody answered about.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog
from msgspec.structs import replace

from gateway.protocol import AccountId, Identity
from gateway.relay import LookedUp, LookUps, PersonQuestion
from gateway.store import AuditEvent, AuditLog

log = structlog.get_logger()

USED_EVERY: Final = 300.0
"""Seconds: a session, or what an application was given, is not checked more often when it is used."""
PATIENCE: Final = 20.0
"""Seconds for which agents that did not answer are not asked again, but for those who bring a refresh token."""
START: Final = 300.0
"""Seconds after a relay's start in which its agents come back: meanwhile nothing ends for want of an answer."""
UNCHECKED: Final = "unchecked"
"""Why something ends of which nobody could say for too long whether the account lives."""
_MOST: Final = 1_000
"""Accounts of which is remembered that nobody answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldAccount:
    """What is known of the account that something hangs on."""

    account: AccountId
    user_name: str
    domain: str
    agent: str = ""
    """Who checked the password; empty where that is not known."""
    password_set: float = 0.0
    """When the password was set that was proved, Unix seconds; 0 where that is not known."""
    checked_at: float
    """When an agent last said that it lives, Unix seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountVerdict:
    """What follows for what hangs on it."""

    ends: str = ""
    """Why it ends; empty where it continues."""
    checked_at: float = 0.0
    """When an agent said that the account lives; 0: none has."""
    password_set: float = 0.0
    """When its password was set, as the agent said; 0 where that is not known."""
    outage: bool = False
    """Nobody answered, and perhaps somebody will soon."""
    identity: Identity | None = None
    """Who it is by now; None where nobody said."""
    asked: frozenset[str] = frozenset()
    """Attributes that were asked for, in lower case."""

    def renewed(self, before: Identity) -> Identity:
        """The person as the directory says now; as before, where nobody said. An attribute that was not asked for stays."""
        if self.identity is None:
            return before
        kept = {name: values for name, values in before.attributes.items() if name.lower() not in self.asked}
        return replace(self.identity, attributes={**kept, **self.identity.attributes}) if kept else self.identity


def is_due(checked_at: float, now: float, every: float) -> bool:
    """Whether it is time to ask. A check in the future was noted by a clock that was wrong, and says nothing."""
    return abs(now - checked_at) >= every


def judge(
    found: LookedUp,
    held: HeldAccount,
    *,
    now: float,
    lifetime: float,
    started: float,
    asked: frozenset[str] = frozenset(),
) -> AccountVerdict:
    """Pure. lifetime: seconds for which something continues unchecked. started: when the relay was, Unix seconds.

    asked: attributes that were asked for, in lower case.
    """
    if found.answered:
        ends = found.end_reason(held.password_set)
        if ends:
            return AccountVerdict(ends=ends)
        return AccountVerdict(checked_at=found.at, password_set=found.password_set, identity=found.identity, asked=asked)
    starting = found.outage and 0 <= now - started < min(START, lifetime)
    over = is_due(held.checked_at, now, lifetime) and not starting
    return AccountVerdict(ends=UNCHECKED if over else "", outage=found.outage)


class AccountChecks:
    """lifetime: `unchecked_lifetime`, in seconds. attributes: names of those that applications are told of. clock: Unix
    seconds."""

    def __init__(
        self,
        lookups: LookUps,
        audit: AuditLog,
        clock: Callable[[], float],
        *,
        lifetime: float,
        attributes: Callable[[], tuple[str, ...]] = tuple,
    ) -> None:
        self._lookups, self._audit, self._clock, self._attributes = lookups, audit, clock, attributes
        self.lifetime = lifetime
        self.started = clock()
        self._unanswered: OrderedDict[AccountId, LookedUp] = OrderedDict()

    def is_due(self, checked_at: float) -> bool:
        """Whether something that is used is asked about again."""
        return is_due(checked_at, self._clock(), USED_EVERY)

    async def check(self, held: HeldAccount, *, patience: float = 0.0, correlation_id: str = "") -> AccountVerdict:
        """Ask, unless an answer of the last seconds is there, and judge.

        patience: seconds for which nobody is asked again where nobody answered.
        """
        last, attributes = self._unanswered.get(held.account), self._attributes()
        if last is None or not 0 <= self._clock() - last.at < patience:
            last = await self._ask(held, attributes, correlation_id)
        asked = frozenset(name.lower() for name in attributes)
        return judge(last, held, now=self._clock(), lifetime=self.lifetime, started=self.started, asked=asked)

    async def _ask(self, held: HeldAccount, attributes: tuple[str, ...], correlation_id: str) -> LookedUp:
        question = PersonQuestion(
            account=held.account,
            domain=held.domain,
            attributes=attributes,
            agents=(held.agent,) if held.agent else (),
            since=held.checked_at if held.checked_at <= self._clock() else 0.0,
            correlation_id=correlation_id,
        )
        found = await self._lookups.look_up(question)
        self._unanswered.pop(held.account, None)
        if not found.answered:
            self._unanswered[held.account] = found
            if len(self._unanswered) > _MOST:
                self._unanswered.popitem(last=False)
        return found

    async def tell_end(self, kind: str, held: HeldAccount, reason: str, *, trust: str = "") -> None:
        """Into the log and the trail: what ended, and why. kind: of the audit event. Raises StoreUnavailable."""
        log.info("account.check_ended", kind=kind, account=held.account.object, reason=reason, trust=trust)
        event = AuditEvent(
            time=self._clock(),
            kind=kind,
            actor="relay",
            subject=held.user_name,
            account=held.account,
            detail={"reason": reason, "trust": trust} if trust else {"reason": reason},
        )
        await self._audit.append(event)
