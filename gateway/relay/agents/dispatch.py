"""Which agent is asked, and who is asked next.

pick ──► ask ──► answer ─────────────────────────────────► done
 ▲        │
 │        ├──► lost, not begun / refused / no directory ──► pick another
 │        ├──► lost, begun ──► TRY_AGAIN   (a second bind could cost a bad-password count)
 │        └──► deadline    ──► TIMED_OUT
 └── all busy: wait for room until the deadline, then BUSY; nobody there: NO_AGENT
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from gateway.protocol import AnswerBody, Outcome
from gateway.relay.agents.connection import Link, Loss, Task
from gateway.relay.settings import RelayCoreSettings

log = structlog.get_logger()

_SAMPLE = 16
"""Links that are compared where there are more."""
_STICKY_SECONDS = 60.0
_STICKY_NAMES = 10_000


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What came of a task, and which agent said so (empty: none)."""

    body: AnswerBody
    agent: str = ""
    begun: bool = False


def account_of(user_name: str) -> str:
    """The part of a user name that all its spellings share: `CORP\\anna`, `anna@corp.example.com`, `anna`."""
    user = user_name.rpartition("\\")[2]
    return (user.rpartition("@")[0] or user).casefold()


def domain_of(user_name: str) -> str:
    """The routing part of a user name, lower case: UPN suffix or NetBIOS name; empty for a bare name."""
    netbios, backslash, _ = user_name.partition("\\")
    if backslash:
        return netbios.lower()
    _, at, suffix = user_name.rpartition("@")
    return suffix.lower() if at else ""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    domain: str
    tried: set[Link]
    link: asyncio.Future[Link | None]
    """The link with room, None where nobody is left to be asked."""


class Dispatcher:
    """Chooses among the live links."""

    def __init__(self, settings: RelayCoreSettings, clock: Callable[[], float]) -> None:
        self.links: list[Link] = []
        self._settings, self._clock = settings, clock
        self._numbers = itertools.count(1)
        self._waiting: deque[_Waiter] = deque()
        self._by_domain: dict[str, list[Link]] | None = None
        self._claimed: set[str] = set()
        """Domains that some agent ever answered for by name: they are never handed to those that take all."""
        self._asked_last: OrderedDict[str, tuple[float, Link]] = OrderedDict()
        """By account: one agent counts its wrong passwords better than two that do not know of each other."""

    @property
    def outstanding(self) -> int:
        """Requests under way on all links."""
        return sum(link.outstanding for link in self.links)

    @property
    def waiting(self) -> int:
        """Requests that wait for an agent with room."""
        return len(self._waiting)

    async def dispatch(self, task: Task) -> Dispatched:
        """Have a task done by some agent. Never raises for what an agent does; cancelling gives the task up."""
        domain, account = domain_of(task.user_name), account_of(task.user_name)
        tried: set[Link] = set()
        reply: AnswerBody | None = None
        waited = False
        while True:
            link = self._same_as_before(account, domain, tried) or self._least_loaded(domain, tried)
            if link is None:
                link = await self._wait_for_room(domain, tried, task.deadline, first=waited)
                waited = True
            if link is None:
                nobody = not self._somebody(domain, tried)
                return Dispatched((reply or AnswerBody(Outcome.NO_AGENT)) if nobody else AnswerBody(Outcome.BUSY))
            if not link.usable:  # gone between the two moments
                continue
            tried.add(link)
            self._remember(account, link)
            result = await self.ask(link, task)
            if isinstance(result, Dispatched):
                if not _worth_another(result):
                    return result
                reply = result.body
            elif result is Loss.FULL:
                reply = reply or AnswerBody(Outcome.BUSY)

    async def ask(self, link: Link, task: Task) -> Dispatched | Loss:
        """Have a task done by this agent; NOT_BEGUN and FULL mean that another may be asked."""
        reply = await link.ask(next(self._numbers), task, self._settings.begin_timeout, self._clock)
        if isinstance(reply.result, AnswerBody):
            return Dispatched(reply.result, link.name, reply.begun)
        if reply.result in (Loss.NOT_BEGUN, Loss.FULL):
            log.info("dispatch.handed_over", agent=link.name)
            return reply.result
        outcome = Outcome.TRY_AGAIN if reply.result is Loss.BEGUN else Outcome.TIMED_OUT
        return Dispatched(AnswerBody(outcome), link.name, reply.begun)

    def link_changed(self, link: Link) -> None:
        """A link may take more: give its room to those who wait longest and can use it. Or it takes nothing more."""
        self._give_room(link)
        if not link.usable:
            self._send_away()

    def _give_room(self, link: Link) -> None:
        while self._waiting and link.usable and link.has_room:
            waiter = next((each for each in self._waiting if self._may_ask(link, each)), None)
            if waiter is None:
                return
            self._waiting.remove(waiter)
            link.reserved += 1
            waiter.link.set_result(link)

    def links_changed(self) -> None:
        """Links came or went (`links` was changed): let everybody who waits look again."""
        self._by_domain = None
        for link in self.links:
            self._give_room(link)
        self._send_away()

    def _send_away(self) -> None:
        """Whoever waits for nobody need not wait."""
        for waiter in list(self._waiting):
            if not self._somebody(waiter.domain, waiter.tried):
                self._waiting.remove(waiter)
                waiter.link.set_result(None)

    # -- choosing

    def _pool(self, domain: str) -> Sequence[Link]:
        """The links that answer for a domain by name, or else those that answer for all; usable or not."""
        if self._by_domain is None:
            self._by_domain = defaultdict(list)
            for link in self.links:
                for each in link.domains:
                    self._by_domain[each].append(link)
            self._claimed.update(self._by_domain)
        return self._by_domain.get(domain if domain in self._claimed else "*", ())

    def _somebody(self, domain: str, tried: set[Link]) -> bool:
        return any(link.usable and link not in tried for link in self._pool(domain))

    def _may_ask(self, link: Link, waiter: _Waiter) -> bool:
        return not waiter.link.done() and link not in waiter.tried and link in self._pool(waiter.domain)

    def _same_as_before(self, account: str, domain: str, tried: set[Link]) -> Link | None:
        since, link = self._asked_last.get(account, (0.0, None))
        if link is None or link in tried or not link.usable or not link.has_room or link.suspect:
            return None
        return link if self._clock() - since <= _STICKY_SECONDS and link in self._pool(domain) else None

    def _remember(self, account: str, link: Link) -> None:
        self._asked_last[account] = self._clock(), link
        self._asked_last.move_to_end(account)
        if len(self._asked_last) > _STICKY_NAMES:
            self._asked_last.popitem(last=False)

    def _least_loaded(self, domain: str, tried: set[Link]) -> Link | None:
        """Of many links a sample is nearly as good as all of them, and costs the same for ten agents and for thousands."""
        pool = self._pool(domain)
        if len(pool) > _SAMPLE:
            link = min(filter(_free(tried), random.sample(pool, _SAMPLE)), key=_load, default=None)
            if link is not None and not link.suspect:
                return link
        return min(filter(_free(tried), pool), key=_load, default=None)

    async def _wait_for_room(self, domain: str, tried: set[Link], deadline: float, *, first: bool) -> Link | None:
        """A link with room, though it may be gone meanwhile; None where there is nobody, or no room in time.

        first: take the head of the queue, for somebody who has waited already.
        """
        if len(self._waiting) >= self._settings.queue_limit or not self._somebody(domain, tried):
            return None
        waiter = _Waiter(domain, tried, asyncio.get_running_loop().create_future())
        (self._waiting.appendleft if first else self._waiting.append)(waiter)
        # an answer in time needs some of the time left
        patience = (deadline - self._clock()) - self._settings.begin_timeout
        try:
            await asyncio.wait((waiter.link,), timeout=max(patience, 0.0))
        except asyncio.CancelledError:
            link = self._leave(waiter)
            if link is not None:
                self._give_room(link)
            raise
        return self._leave(waiter)

    def _leave(self, waiter: _Waiter) -> Link | None:
        """Wait no more; the room that was kept for this one, if any, is free again."""
        if not waiter.link.done():
            self._waiting.remove(waiter)
            return None
        link = waiter.link.result()
        if link is not None:
            link.reserved -= 1
        return link


def _free(tried: set[Link]) -> Callable[[Link], bool]:
    return lambda link: link.usable and link.has_room and link not in tried


def _load(link: Link) -> tuple[bool, float, float]:
    return link.suspect, link.outstanding / link.session.capacity, link.latency


def _worth_another(dispatched: Dispatched) -> bool:
    """An agent that reached no domain controller has bound nothing; another one may be better placed."""
    return dispatched.body.outcome is Outcome.NO_DIRECTORY and not dispatched.begun
