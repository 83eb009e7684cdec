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
from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from gateway.protocol import AnswerBody, Outcome
from gateway.relay.link import Link, Loss, Task
from gateway.relay.settings import RelayCoreSettings

log = structlog.get_logger()

_SAMPLE = 16
"""Links that are compared where there are more."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What came of a task, and which agent said so (empty: none)."""

    body: AnswerBody
    agent: str = ""
    begun: bool = False


def domain_of(user_name: str) -> str:
    """The routing part of a user name, lower case: UPN suffix or NetBIOS name; empty for a bare name."""
    netbios, backslash, _ = user_name.partition("\\")
    if backslash:
        return netbios.lower()
    _, at, suffix = user_name.rpartition("@")
    return suffix.lower() if at else ""


class Dispatcher:
    """Chooses among the live links."""

    def __init__(self, settings: RelayCoreSettings, clock: Callable[[], float]) -> None:
        self.links: list[Link] = []
        self._settings, self._clock = settings, clock
        self._numbers = itertools.count(1)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._by_domain: dict[str, list[Link]] | None = None

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
        domain = domain_of(task.user_name)
        tried: set[Link] = set()
        reply: AnswerBody | None = None
        while True:
            pool = self._pool(domain)
            link = self._least_loaded(pool, tried)
            if link is None:
                if not any(each.usable and each not in tried for each in pool):
                    return Dispatched(reply or AnswerBody(Outcome.NO_AGENT))
                if not await self._room(task.deadline):
                    return Dispatched(AnswerBody(Outcome.BUSY))
                continue
            tried.add(link)
            result = await self.ask(link, task)
            if isinstance(result, Dispatched):
                if not _worth_another(result):
                    return result
                reply = result.body

    async def ask(self, link: Link, task: Task) -> Dispatched | Loss:
        """Have a task done by this agent; NOT_BEGUN means that another may be asked."""
        reply = await link.ask(next(self._numbers), task, self._settings.begin_timeout, self._clock)
        if isinstance(reply.result, AnswerBody):
            return Dispatched(reply.result, link.name, reply.begun)
        if reply.result is Loss.NOT_BEGUN:
            log.info("dispatch.handed_over", agent=link.name)
            return reply.result
        outcome = Outcome.TRY_AGAIN if reply.result is Loss.BEGUN else Outcome.TIMED_OUT
        return Dispatched(AnswerBody(outcome), link.name, reply.begun)

    def room_made(self) -> None:
        """Some link may take one more: wake who waits longest."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def links_changed(self) -> None:
        """Links came or went (`links` was changed): let everybody who waits look again."""
        self._by_domain = None
        while self._waiting:
            self.room_made()

    def _pool(self, domain: str) -> Sequence[Link]:
        """The links that answer for a domain by name, or else those that answer for all; usable or not."""
        if self._by_domain is None:
            self._by_domain = defaultdict(list)
            for link in self.links:
                for each in link.domains:
                    self._by_domain[each].append(link)
        named = self._by_domain.get(domain, ())
        return named if any(link.usable for link in named) else self._by_domain.get("*", ())

    def _least_loaded(self, pool: Sequence[Link], tried: set[Link]) -> Link | None:
        """Of many links a sample is nearly as good as all of them, and costs the same for ten agents and for thousands."""
        if len(pool) > _SAMPLE:
            link = min(filter(_free(tried), random.sample(pool, _SAMPLE)), key=_load, default=None)
            if link is not None and not link.suspect:
                return link
        return min(filter(_free(tried), pool), key=_load, default=None)

    async def _room(self, deadline: float) -> bool:
        if len(self._waiting) >= self._settings.queue_limit:
            return False
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        # an answer in time needs some of the time left
        patience = (deadline - self._clock()) - self._settings.begin_timeout
        try:
            await asyncio.wait_for(waiter, max(patience, 0.0))
        except TimeoutError:
            return False
        return True


def _free(tried: set[Link]) -> Callable[[Link], bool]:
    return lambda link: link.usable and link.has_room and link not in tried


def _load(link: Link) -> tuple[bool, float, float]:
    return link.suspect, link.outstanding / link.session.capacity, link.latency


def _worth_another(dispatched: Dispatched) -> bool:
    """An agent that reached no domain controller has bound nothing; another one may be better placed."""
    return dispatched.body.outcome is Outcome.NO_DIRECTORY and not dispatched.begun
