"""Which agent is asked, and who is asked next.

pick ──► ask ──► answer ─────────────────────────────────► done
 ▲        │
 │        ├──► lost, not begun / refused / no directory ──► pick another
 │        ├──► lost, begun ──► TRY_AGAIN   (a second bind could cost a bad-password count)
 │        └──► deadline    ──► TIMED_OUT
 └── all busy: wait for room until the deadline, then BUSY; nobody there: NO_AGENT

The order of choice, and why:

1. Only agents that do the operation (a capability), and answer for the domain by name; those that take all (`*`) get what
   nobody ever claimed. A forest whose agents are away is not handed to the agents of another forest, which would say
   "unknown user".
2. The agent that was asked about this account last, for a minute, unless the password was right: its lock-out guard has seen
   the wrong passwords. Where there were none any agent is as good, and one that comes back has its share at once. Accounts
   are told apart by what their answers say, whatever is typed; before there was one, by what spellings share.
3. Who let no request lie, then the fewest requests for its capacity, then the nearest.
4. No agent twice for one request: what it refused once it would refuse again, and the person waits.

An answer about an account that the agent may not speak of (see `bindings`) is none: it counts for nobody.

Everything here runs on one event loop. Between two `await` nothing changes; after each, a connection may be gone.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import unicodedata
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import structlog
from msgspec import Struct

from gateway.protocol import READY, AccountId, AnswerBody, Outcome, VerifyRequest
from gateway.relay.agents.bindings import DirectoryBindings
from gateway.relay.agents.connection import AgentConnection, LookUpTask, Loss, Task
from gateway.relay.settings import RelayCoreSettings

log = structlog.get_logger()

NO_AGENT = "no_agent"
"""The condition of a domain none of whose agents is connected."""
_SAMPLE = 16
"""Connections that are compared where there are more."""
_STICKY_SECONDS = 60.0
"""For how long an account is asked about at the same agent."""
_STICKY_NAMES = 10_000
"""Accounts for which that is remembered; beyond that the one asked about longest ago is forgotten."""


class Dispatched(Struct, frozen=True):
    """What came of a task, and which agent said so (empty: none)."""

    body: AnswerBody
    agent: str = ""
    begun: bool = False


def account_of(user_name: str) -> str:
    """The part of a user name that all its spellings share: `CORP\\anna`, `anna@corp.example.com`, `anna`.

    For stickiness only: which names are equal, the directory decides.
    """
    user = unicodedata.normalize("NFKC", _without_invisible(user_name)).rpartition("\\")[2]
    return (user.rpartition("@")[0] or user).strip().casefold()


def domain_of(user_name: str) -> str:
    """The routing part of a user name, lower case: UPN suffix or NetBIOS name; empty for a bare name. Agents, too, leave
    out what nobody sees, and blanks around it."""
    user_name = _without_invisible(user_name)
    netbios, backslash, _ = user_name.partition("\\")
    if backslash:
        return netbios.strip().lower()
    _, at, suffix = user_name.rpartition("@")
    return suffix.strip().lower() if at else ""


def _without_invisible(text: str) -> str:
    """Without format characters (RFC 4518 section 2.2), which come along where a name was pasted."""
    return text if text.isascii() else "".join(letter for letter in text if unicodedata.category(letter) != "Cf")


_Name = str | AccountId
"""An account, or what its spellings share as long as no answer has told which one it is."""
_Wanted = tuple[str, str]
"""Domain and operation: what an agent must answer for and be able to do."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    wanted: _Wanted
    tried: set[AgentConnection]
    connection: asyncio.Future[AgentConnection | None]
    """The connection with room, None where nobody is left to be asked."""


class _Asked(Struct):
    """Who was asked about an account."""

    connection: AgentConnection
    since: float = 0.0
    under_way: int = 0
    """Requests for it that are not answered there yet."""


class Dispatcher:
    """Chooses among the live connections. bindings: say which answers are believed. clock: Unix seconds."""

    def __init__(self, settings: RelayCoreSettings, bindings: DirectoryBindings, clock: Callable[[], float]) -> None:
        self.connections: list[AgentConnection] = []
        self._settings, self._bindings, self._clock = settings, bindings, clock
        self._numbers = itertools.count(1)
        self._waiting: deque[_Waiter] = deque()
        self._by_wanted: dict[_Wanted, list[AgentConnection]] | None = None
        self._claimed: set[str] = set()
        """Domains that some agent ever answered for by name: they are never handed to those that take all."""
        self._accounts = OrderedDict[str, AccountId]()
        """Accounts by user name, as the answers told."""
        self._asked_last: OrderedDict[_Name, _Asked] = OrderedDict()
        """By account: one agent counts its wrong passwords better than two that do not know of each other."""

    @property
    def outstanding(self) -> int:
        """Requests under way on all connections."""
        return sum(connection.outstanding for connection in self.connections)

    @property
    def waiting(self) -> int:
        """Requests that wait for an agent with room."""
        return len(self._waiting)

    async def dispatch(self, task: Task) -> Dispatched:
        """Have a task done by some agent, within its deadline. Never raises for what an agent does.

        Cancelling gives the task up; a bind that has begun still ends at its agent.
        """
        wanted, name = (domain_of(task.user_name), task.operation), task.user_name.casefold()
        account = self._accounts.get(name) or account_of(name)
        tried: set[AgentConnection] = set()
        reply: AnswerBody | None = None
        waited = False
        while True:
            connection = self._same_as_before(account, wanted, tried) or self._least_loaded(wanted, tried)
            if connection is None:
                # who waited and was then told "busy" waits again at the head: others came later
                connection = await self._wait_for_room(wanted, tried, task.deadline, first=waited)
                waited = True
            if connection is None:
                nobody = not self._somebody(wanted, tried)
                return Dispatched((reply or AnswerBody(Outcome.NO_AGENT)) if nobody else AnswerBody(Outcome.BUSY))
            if not connection.usable:  # gone between being promised and this task's turn on the loop
                continue
            tried.add(connection)
            asked = self._remember(account, connection)
            asked.under_way += 1
            try:
                result = await self.ask(connection, task)
            finally:
                asked.under_way -= 1
            if isinstance(result, Dispatched):
                result = await self._believed(connection, wanted[0], result)
                self._learn(name, result.body, connection)
                if not _worth_another(result):
                    if result.body.outcome is Outcome.SUCCESS and not asked.under_way:
                        self._forget(account, asked)
                    return result
                reply = result.body  # told if nobody else is there: "no directory" says more than "no agent"
            elif result is Loss.FULL:
                reply = reply or AnswerBody(Outcome.BUSY)

    def able(self, domain: str, operation: str) -> Sequence[AgentConnection]:
        """The connections that answer for a domain and do an operation; usable or not."""
        return self._pool((domain, operation))

    async def consult(self, connection: AgentConnection, task: LookUpTask, domain: str) -> Dispatched | Loss:
        """Ask this agent about somebody of a domain; DOUBTED where it may not speak of that account."""
        result = await self.ask(connection, task)
        if isinstance(result, Dispatched) and await self._doubt(connection, domain, result.body):
            return Loss.DOUBTED
        return result

    async def ask(self, connection: AgentConnection, task: Task | LookUpTask) -> Dispatched | Loss:
        """Have a task done by this agent; a Loss means that another may be asked."""
        reply = await connection.ask(next(self._numbers), task, self._settings.begin_timeout, self._clock)
        if isinstance(reply.result, AnswerBody):
            return Dispatched(reply.result, connection.name, reply.begun)
        if reply.result not in _LOST:
            log.info("dispatch.handed_over", agent=connection.name)
            return reply.result
        return Dispatched(_LOST[reply.result], connection.name, reply.begun)

    async def _believed(self, connection: AgentConnection, domain: str, dispatched: Dispatched) -> Dispatched:
        """The answer, or what stands in its place where the agent may not speak of that account."""
        doubt = await self._doubt(connection, domain, dispatched.body)
        if not doubt:
            return dispatched
        body = AnswerBody(Outcome.NO_DIRECTORY, detail=f"the agent's answer was not believed: {doubt}")
        return Dispatched(body, dispatched.agent, dispatched.begun)

    async def _doubt(self, connection: AgentConnection, domain: str, body: AnswerBody) -> str:
        doubt = await self._bindings.doubt(connection, domain, body, self._claimed)
        if doubt:
            log.error("agent.not_believed", agent=connection.name, reason=doubt)
        return doubt

    def conditions(self) -> dict[str, str]:
        """What a sign-in can expect, by domain that some agent ever claimed: `ready`, or what stands in the way.

        `no_agent`: no agent of the domain is connected. The others are what agents report.
        """
        self._pool(("", ""))  # so that all that is claimed is known
        return {domain: self._condition(domain) for domain in sorted(self._claimed)}

    def _condition(self, domain: str) -> str:
        pool = self._pool((domain, VerifyRequest.operation))
        found = set()
        for connection in pool:
            if connection.usable:
                found.add(condition := connection.condition(domain))
                if condition == READY:
                    return READY
        # of several obstacles the one that says most: an agent that has just come has not looked yet
        return min(found, key=lambda condition: (condition == "not_checked", condition), default=NO_AGENT)

    def connection_changed(self, connection: AgentConnection) -> None:
        """A connection may take more: give its room to those who wait longest and can use it. Or it takes nothing more."""
        self._give_room(connection)
        if not connection.usable:
            self._send_away()

    def keep_claims(self, domains: Iterable[str]) -> None:
        """All that agents have ever answered for by name, at other nodes too; what those here claim comes on top."""
        self._claimed = set(domains)
        self.connections_changed()

    def _give_room(self, connection: AgentConnection) -> None:
        while self._waiting and connection.usable and connection.has_room:
            waiter = next((waiter for waiter in self._waiting if self._may_ask(connection, waiter)), None)
            if waiter is None:
                return
            self._waiting.remove(waiter)
            connection.reserved += 1  # until the waiter's turn on the loop: nobody may overtake it there
            waiter.connection.set_result(connection)

    def connections_changed(self) -> None:
        """Links came or went (`connections` was changed): let everybody who waits look again."""
        self._by_wanted = None
        for connection in self.connections:
            self._give_room(connection)
        self._send_away()

    def _send_away(self) -> None:
        """Whoever waits for nobody need not wait."""
        for waiter in list(self._waiting):
            if not self._somebody(waiter.wanted, waiter.tried):
                self._waiting.remove(waiter)
                waiter.connection.set_result(None)

    # -- choosing

    def _pool(self, wanted: _Wanted) -> Sequence[AgentConnection]:
        """The connections that answer for a domain by name, or else those that answer for all, as far as they can do what is
        wanted; usable or not.

        Computed once for each change of connections: with thousands of agents it is too much for each sign-in.
        """
        if self._by_wanted is None:
            self._by_wanted = defaultdict(list)
            for connection in self.connections:
                self._claimed.update(connection.domains)
                for capability in itertools.product(connection.domains, connection.capabilities):
                    self._by_wanted[capability].append(connection)
        domain, operation = wanted
        return self._by_wanted.get((domain if domain in self._claimed else "*", operation), ())

    def _somebody(self, wanted: _Wanted, tried: set[AgentConnection]) -> bool:
        return any(connection.usable and connection not in tried for connection in self._pool(wanted))

    def _may_ask(self, connection: AgentConnection, waiter: _Waiter) -> bool:
        return not waiter.connection.done() and connection not in waiter.tried and connection in self._pool(waiter.wanted)

    def _same_as_before(self, account: _Name, wanted: _Wanted, tried: set[AgentConnection]) -> AgentConnection | None:
        asked = self._asked_last.get(account)
        if asked is None:
            return None
        connection = asked.connection
        if connection in tried or not connection.usable or not connection.has_room or connection.suspect:
            return None
        return connection if self._clock() - asked.since <= _STICKY_SECONDS and connection in self._pool(wanted) else None

    def _remember(self, account: _Name, connection: AgentConnection) -> _Asked:
        asked = self._asked_last.get(account)
        if asked is None or asked.connection is not connection:
            asked = self._asked_last[account] = _Asked(connection)
        asked.since = self._clock()
        self._asked_last.move_to_end(account)
        if len(self._asked_last) > _STICKY_NAMES:
            self._asked_last.popitem(last=False)
        return asked

    def _forget(self, account: _Name, asked: _Asked) -> None:
        """The password was right, and nothing else is under way there: any agent is as good."""
        if self._asked_last.get(account) is asked:
            del self._asked_last[account]

    def _learn(self, name: str, body: AnswerBody, connection: AgentConnection) -> None:
        """An answer told whose name that is: from now on it goes where the account's other names go."""
        account = body.subject
        if account is None or self._accounts.get(name) == account:
            return
        self._accounts[name] = account
        if len(self._accounts) > _STICKY_NAMES:
            self._accounts.popitem(last=False)
        asked = self._asked_last.get(account)
        if body.outcome is not Outcome.SUCCESS and (asked is None or self._clock() - asked.since > _STICKY_SECONDS):
            self._remember(account, connection)

    def _least_loaded(self, wanted: _Wanted, tried: set[AgentConnection]) -> AgentConnection | None:
        """Of many connections a sample is nearly as good as all, and costs the same for ten agents and for thousands."""
        pool = self._pool(wanted)
        if len(pool) > _SAMPLE:
            connection = min(filter(_free(tried), random.sample(pool, _SAMPLE)), key=_load, default=None)
            if connection is not None and not connection.suspect:
                return connection
        return min(filter(_free(tried), pool), key=_load, default=None)

    async def _wait_for_room(
        self, wanted: _Wanted, tried: set[AgentConnection], deadline: float, *, first: bool
    ) -> AgentConnection | None:
        """A connection with room, though it may be gone meanwhile; None where there is nobody, or no room in time.

        first: take the head of the queue, for somebody who has waited already.
        """
        if len(self._waiting) >= self._settings.queue_limit or not self._somebody(wanted, tried):
            return None
        waiter = _Waiter(wanted, tried, asyncio.get_running_loop().create_future())
        (self._waiting.appendleft if first else self._waiting.append)(waiter)
        # an answer in time needs some of the time left
        patience = (deadline - self._clock()) - self._settings.begin_timeout
        try:
            # not wait_for: a promise that comes in the moment of the time-out must not be cancelled, but used
            await asyncio.wait((waiter.connection,), timeout=max(patience, 0.0))
        except asyncio.CancelledError:
            connection = self._leave(waiter)
            if connection is not None:
                self._give_room(connection)
            raise
        return self._leave(waiter)

    def _leave(self, waiter: _Waiter) -> AgentConnection | None:
        """Wait no more; the room that was kept for this one, if any, is free again."""
        if not waiter.connection.done():
            self._waiting.remove(waiter)
            return None
        connection = waiter.connection.result()
        if connection is not None:
            connection.reserved -= 1
        return connection


_LOST = {
    Loss.BEGUN: AnswerBody(Outcome.TRY_AGAIN),
    Loss.UNREADABLE: AnswerBody(Outcome.TRY_AGAIN, detail="the agent's answer could not be read here"),
    Loss.LATE: AnswerBody(Outcome.TIMED_OUT),
}


def _free(tried: set[AgentConnection]) -> Callable[[AgentConnection], bool]:
    return lambda connection: connection.usable and connection.has_room and connection not in tried


def _load(connection: AgentConnection) -> tuple[bool, float, float]:
    return connection.suspect, connection.outstanding / connection.session.capacity, connection.latency


def _worth_another(dispatched: Dispatched) -> bool:
    """An agent that reached no domain controller has bound nothing; another one may be better placed."""
    return dispatched.body.outcome is Outcome.NO_DIRECTORY and not dispatched.begun
