"""Whether the account of somebody who has signed in still lives: asked of the agents, and what follows from the answer.

    answered ──► lives ──► checked now
       │          └──► disabled, expired, gone, must change, another password ──► ends
       └ nobody knows ──► longer than `unchecked_lifetime` since the last answer ──► ends
                     └──► before that it continues

Kind of state: none that lasts. When an account was checked stands with what hangs on it (sessions, grants); memory holds,
for seconds and bounded, whom nobody answered about.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import structlog

from gateway.protocol import AccountId
from gateway.relay import LookedUp, LookUps, PersonQuestion
from gateway.store import AuditEvent, AuditLog

log = structlog.get_logger()

SESSION_EVERY: Final = 300.0
"""Seconds: a session that is used is not checked more often."""
PATIENCE: Final = 20.0
"""Seconds for which nobody waits again for agents that did not answer, but for those who bring a refresh token."""
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


def is_due(checked_at: float, now: float, every: float) -> bool:
    """Whether it is time to ask. A check in the future was noted by a clock that was wrong, and says nothing."""
    return abs(now - checked_at) >= every


def judge(found: LookedUp, held: HeldAccount, *, now: float, lifetime: float, started: float) -> AccountVerdict:
    """Pure. lifetime: seconds for which something continues unchecked. started: when the relay was, Unix seconds."""
    if found.answered:
        ends = found.end_reason(held.password_set)
        return AccountVerdict(ends=ends, checked_at=0.0 if ends else found.at, password_set=found.password_set)
    starting = found.outage and 0 <= now - started < min(START, lifetime)
    over = is_due(held.checked_at, now, lifetime) and not starting
    return AccountVerdict(ends=UNCHECKED if over else "", outage=found.outage)


class AccountChecks:
    """lifetime: `unchecked_lifetime`, in seconds. clock: Unix seconds."""

    def __init__(self, lookups: LookUps, audit: AuditLog, clock: Callable[[], float], *, lifetime: float) -> None:
        self._lookups, self._audit, self._clock = lookups, audit, clock
        self.lifetime = lifetime
        self.started = clock()
        self._unanswered: OrderedDict[AccountId, LookedUp] = OrderedDict()

    async def check(self, held: HeldAccount, *, patience: float = 0.0, correlation_id: str = "") -> AccountVerdict:
        """Ask, unless an answer of the last seconds is there, and judge.

        patience: seconds for which nobody is asked again where nobody answered.
        """
        last = self._unanswered.get(held.account)
        if last is None or not 0 <= self._clock() - last.at < patience:
            last = await self._ask(held, correlation_id)
        return judge(last, held, now=self._clock(), lifetime=self.lifetime, started=self.started)

    async def _ask(self, held: HeldAccount, correlation_id: str) -> LookedUp:
        question = PersonQuestion(
            account=held.account,
            domain=held.domain,
            agents=(held.agent,) if held.agent else (),
            since=held.checked_at if held.checked_at <= self._clock() else 0.0,
            correlation_id=correlation_id,
        )
        found = await self._lookups.look_up(question)
        self._unanswered.pop(held.account, None)
        if found.outage:
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
