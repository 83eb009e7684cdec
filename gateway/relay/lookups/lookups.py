"""Asking the agents about a person, one after another, until one knows.

    kept for a moment? ──► those who checked the password, the last one first ──► others of the domain ──► unchecked
          │ yes                   │ answered, and believed                              │
          └─► that                └─► that                                              └─► that

An answer is believed as that to a sign-in is (`agents.bindings`), and only about the account that was asked about. "Not
mine", the agent's limit, an outage, no agent that can say it: nobody knows. `gone` is only what an agent says that may
speak for that directory.

Sign-ins come first: a look-up takes an agent's room only while half of it is free, and waits for none.

Kind of state: what is kept is a copy, for seconds, bounded; everything else is this node's, while a request lasts.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

import structlog

from gateway.protocol import AnswerBody, LookUpRequest, Outcome, VerifyRequest
from gateway.relay.agents import AgentConnection, Dispatched, Dispatcher, LookUpTask, Loss, domain_of, fold_domain
from gateway.relay.lookups.metrics import UNCHECKED, LookUpMetrics
from gateway.relay.lookups.question import LookedUp, PersonQuestion, PersonState

log = structlog.get_logger()

TIMEOUT: Final = 6.0
"""Seconds for all agents together: somebody waits for a page or a token …"""
EACH: Final = 3.0
"""… and for each of them."""
MOST_AGENTS: Final = 8
"""Agents that are asked about one person."""
MOST_KEPT: Final = 1_000
"""Answers that are kept; one with 200 groups takes about 30 kB, one with a photo 100 kB."""
KEPT_FOR: Final = 60.0
"""Seconds for which an answer is kept: nobody takes an older one, and it would only take memory."""
MOST_AT_ONCE: Final = 256
"""People who are asked about at a time; beyond that nobody knows."""

_Key = tuple[object, ...]
_STATES: Final = {state.value: state for state in PersonState if state is not PersonState.UNCHECKED}
_LOST: Final = {Loss.NOT_MINE: "not_mine", Loss.LIMIT: "limit", Loss.FULL: "busy", Loss.DOUBTED: "not_believed"}


class LookUps(Protocol):
    """Says who somebody is, and whether the account lives."""

    async def look_up(self, question: PersonQuestion) -> LookedUp:
        """Ask. Never raises: where nobody knows, that is an answer. Cancelling gives the answer up."""


class RelayLookUps:
    """Implements `LookUps` over the agents that are connected. clock: Unix seconds."""

    def __init__(self, dispatcher: Dispatcher, metrics: LookUpMetrics, clock: Callable[[], float]) -> None:
        self._dispatcher, self._metrics, self._clock = dispatcher, metrics, clock
        self._kept: OrderedDict[_Key, LookedUp] = OrderedDict()
        self._under_way: dict[_Key, asyncio.Task[LookedUp]] = {}

    async def look_up(self, question: PersonQuestion) -> LookedUp:
        """See `LookUps`."""
        key = _key(question)
        kept = self._kept.get(key)
        if kept is not None and 0 <= self._clock() - kept.at < question.max_age and kept.at >= question.since:
            self._metrics.count("cached")
            return kept
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= MOST_AT_ONCE:
                return self._tell(question, self._unchecked("busy"))
            task = asyncio.create_task(self._find_out(question, key), name=f"look-up {question.text}")
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        # whoever asks the same meanwhile has the same answer; who goes away does not take it from the others
        return await asyncio.shield(task)

    async def _find_out(self, question: PersonQuestion, key: _Key) -> LookedUp:
        try:
            found = await self._ask_agents(question)
        except Exception:
            log.exception("person.look_up_failed", person=question.text)
            found = self._unchecked("unreadable")
        if found.answered:
            self._kept[key] = found
            self._kept.move_to_end(key)
            self._trim(found.at)
        return self._tell(question, found)

    def _trim(self, now: float) -> None:
        """Those that are asked about first are at the front."""
        while len(self._kept) > MOST_KEPT or now - next(iter(self._kept.values())).at > KEPT_FOR:
            self._kept.popitem(last=False)

    def _tell(self, question: PersonQuestion, found: LookedUp) -> LookedUp:
        self._metrics.count(found.why or found.state.value)
        log.info(
            "person.looked_up",
            person=question.text,
            state=found.state.value,
            agent=found.agent,
            why=found.why,
            withheld=found.withheld,
        )
        return found

    def _unchecked(self, why: str) -> LookedUp:
        return LookedUp(state=PersonState.UNCHECKED, at=self._clock(), why=why)

    # -- asking

    async def _ask_agents(self, question: PersonQuestion) -> LookedUp:
        domain = fold_domain(question.domain) or domain_of(question.user_name)
        give_up = self._clock() + TIMEOUT
        tried: set[str] = set()
        why = "no_agent"
        while len(tried) < MOST_AGENTS and (now := self._clock()) < give_up:
            connection = self._choose(domain, question.agents, tried)
            if connection is None:
                return self._unchecked(why if tried else self._absence(domain))
            tried.add(connection.name)
            task = _task(question, min(give_up, now + EACH))
            result = await self._dispatcher.consult(connection, task, domain)
            if isinstance(result, Loss):
                why = _LOST.get(result, "lost")
                continue
            found = _judge(question, result, now)
            if isinstance(found, LookedUp):
                return found
            why = found
        return self._unchecked(why)

    def _able(self, domain: str) -> list[AgentConnection]:
        able = self._dispatcher.able(domain, LookUpRequest.operation)
        return [connection for connection in able if connection.usable]

    def _absence(self, domain: str) -> str:
        if self._able(domain):
            return "busy"
        signs_in = any(connection.usable for connection in self._dispatcher.able(domain, VerifyRequest.operation))
        return "not_offered" if signs_in else "no_agent"

    def _choose(self, domain: str, first: tuple[str, ...], tried: set[str]) -> AgentConnection | None:
        """By name those who know the person, then whoever has most room."""
        place = {name: number for number, name in enumerate(dict.fromkeys(first))}
        able = (connection for connection in self._able(domain) if connection.name not in tried and _has_room(connection))
        return min(
            able,
            key=lambda connection: (
                place.get(connection.name, len(place)),
                connection.suspect,
                connection.outstanding / connection.session.capacity,
                connection.latency,
            ),
            default=None,
        )


def _has_room(connection: AgentConnection) -> bool:
    return connection.has_room and 2 * connection.outstanding < connection.session.capacity


def _key(question: PersonQuestion) -> _Key:
    return (
        question.account,
        question.sid,
        question.user_name.casefold(),
        question.domain.casefold(),
        tuple(sorted({name.casefold() for name in question.attributes})),
    )


def _task(question: PersonQuestion, deadline: float) -> LookUpTask:
    account = question.account
    return LookUpTask(
        directory=account.directory if account is not None else "",
        object_guid=account.object if account is not None else "",
        sid=question.sid,
        user_name=question.user_name,
        domain=question.domain,
        attributes=question.attributes,
        deadline=deadline,
        correlation_id=question.correlation_id,
    )


def _judge(question: PersonQuestion, dispatched: Dispatched, at: float) -> LookedUp | str:
    """What was answered, or why that says nothing."""
    body = dispatched.body
    if body.outcome is not Outcome.SUCCESS:
        return body.outcome.value if body.outcome.value in UNCHECKED else "lost"
    state = _STATES.get(body.status)
    if state is None or (body.identity is None) != (state is PersonState.GONE):
        log.error("agent.unreadable", agent=dispatched.agent, status=body.status, remedy="update the relay")
        return "unreadable"
    if question.account is not None and body.subject != question.account:
        log.error("agent.not_believed", agent=dispatched.agent, reason="it was asked about another account")
        return "not_believed"
    return _looked_up(state, body, dispatched.agent, at)


def _looked_up(state: PersonState, body: AnswerBody, agent: str, at: float) -> LookedUp:
    return LookedUp(
        state=state,
        identity=body.identity,
        password_set=body.password_set,
        agent=agent,
        at=at,
        withheld=body.withheld,
    )
