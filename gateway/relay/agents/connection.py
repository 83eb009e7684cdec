"""One live agent connection: a protocol session, the requests on it, and what is known of the agent.

A connection knows nothing of websockets: its shell (see `endpoint`) feeds it frames and takes frames from it.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable
from typing import Any

import structlog
from msgspec import Struct

from gateway.protocol import (
    DIRECTORIES_REPORT,
    READINESS,
    READINESS_REPORT,
    READY,
    AnswerBody,
    Answered,
    AnswerUnreadable,
    BegunReceived,
    CapacityChanged,
    CloseCode,
    Closed,
    Event,
    MalformedFrame,
    Measured,
    Opened,
    PeerDraining,
    RelaySession,
    ReportReceived,
    RequestBody,
    RequestRefused,
    decode_directories_report,
    decode_readiness_report,
    look_up_body,
    request_body,
)

log = structlog.get_logger()


class Loss(enum.Enum):
    """Why there is no answer; it decides whether another agent may be asked (see `dispatch`)."""

    NOT_BEGUN = "not begun"
    """Nothing was bound: another agent may try."""
    FULL = "full"
    """The same, because it takes no more for now."""
    BEGUN = "begun"
    """A bind may have been made: nobody may try again on the person's behalf."""
    UNREADABLE = "unreadable"
    """It answered, in words that are not known here: it may have bound, and may be newer than this relay."""
    NOT_MINE = "not mine"
    """Of a look-up: the agent does not know the person."""
    LIMIT = "limit"
    """Of a look-up: the agent has answered as many as it may."""
    DOUBTED = "doubted"
    """Of a look-up: it spoke of an account that it may not speak of."""
    LATE = "late"
    """The deadline passed."""


class Task(Struct, frozen=True):
    """One credential check, whoever does it. Times are Unix seconds."""

    operation: str
    user_name: str
    password: str
    new_password: str
    deadline: float
    correlation_id: str

    def body(self) -> RequestBody:
        """The request, with a reply key that is fresh each time."""
        return request_body(self.operation, self.user_name, self.password, self.new_password, self.correlation_id)

    def __repr__(self) -> str:
        return f"Task({self.operation!r}, {self.user_name!r}, …)"

    def __rich_repr__(self) -> Any:
        yield "operation", self.operation
        yield "user_name", self.user_name


class LookUpTask(Struct, frozen=True, kw_only=True):
    """One question who somebody is; see `protocol.LookUpRequest`. Times are Unix seconds."""

    directory: str = ""
    object_guid: str = ""
    sid: str = ""
    user_name: str = ""
    domain: str = ""
    attributes: tuple[str, ...] = ()
    deadline: float
    correlation_id: str = ""

    def body(self) -> RequestBody:
        """The request, with a reply key that is fresh each time."""
        return look_up_body(
            self.correlation_id,
            directory=self.directory,
            object_guid=self.object_guid,
            sid=self.sid,
            user_name=self.user_name,
            domain=self.domain,
            attributes=self.attributes,
        )


class _Pending(Struct):
    future: asyncio.Future[AnswerBody | Loss]
    timer: asyncio.TimerHandle | None = None
    begun: bool = False


_REFUSED = {"busy": Loss.FULL, "not_mine": Loss.NOT_MINE, "limit": Loss.LIMIT}


class Reply(Struct, frozen=True):
    """What came of asking one agent: its answer, or why there is none."""

    result: AnswerBody | Loss
    begun: bool
    """A bind may have been made: nobody else may be asked."""


class AgentConnection:
    """An agent connection as the dispatcher sees it. on_change: its room or its usability may have changed."""

    def __init__(self, session: RelaySession, *, address: str, on_change: Callable[[AgentConnection], None]) -> None:
        self.session = session
        self.address = address
        self.opened: Opened | None = None
        self.allowed: tuple[str, ...] | None = ()
        """The domains that an administrator lets it answer for; None: any that it claims."""
        self.domains: tuple[str, ...] = ()
        """UPN suffixes and NetBIOS names that it claims and may answer for; `*` for names that no agent claims."""
        self.spoke_for_others = False
        """It named an account, or a person, that is none of its domains': an alarm was raised."""
        self.latency = 0.0
        self.clock_skew = 0.0
        self.status: dict[str, str] = {}
        """`up`, `down` or `probing`, by domain controller, as the agent reported."""
        self._conditions: dict[str, str] | None = None
        """Of the directory of each domain, as the agent reported: `ready`, or what stands in the way."""
        self.suspect = False
        """It let a begin deadline pass without a word: asked last until it speaks again."""
        self.reserved = 0
        """Room kept for requests that are about to be sent."""
        self.connected_at = 0.0
        self.wake = asyncio.Event()
        """Set when the session has frames to send."""
        self._on_change = on_change
        self._pending: dict[int, _Pending] = {}

    @property
    def name(self) -> str:
        """The agent's name, as certified."""
        return self.session.agent

    @property
    def outstanding(self) -> int:
        """Requests that were sent and have neither an answer nor been given up."""
        return len(self._pending)

    @property
    def has_room(self) -> bool:
        """It would take one more request now."""
        return self.outstanding + self.reserved < self.session.capacity

    @property
    def usable(self) -> bool:
        """Open, and neither end is leaving."""
        session = self.session
        return self.opened is not None and session.closed is None and not session.peer_draining and not session.draining

    def open(self, opened: Opened, allowed: tuple[str, ...] | None) -> None:
        """It has proved who it is. allowed: see there."""
        self.opened, self.allowed = opened, allowed
        self.domains = tuple(domain for domain in opened.domains if allowed is None or domain in allowed)

    @property
    def capabilities(self) -> frozenset[str]:
        """What the agent says that it can do, its operations among them."""
        return self.opened.capabilities if self.opened is not None else frozenset()

    def condition(self, domain: str) -> str:
        """What a sign-in of one of its domains can expect through this agent: `ready`, or what stands in the way.

        An agent of a version that does not report it is taken to be ready unless all its domain controllers are down.
        """
        if self._conditions is not None:
            return self._conditions.get(domain, "not_checked")
        if READINESS in self.capabilities:
            return "not_checked"
        return "no_controller" if self.status and "up" not in self.status.values() else READY

    # -- asking

    async def ask(self, number: int, task: Task | LookUpTask, begin_timeout: float, clock: Callable[[], float]) -> Reply:
        """Send a check or a look-up and wait for what comes of it, until the task's deadline at the latest.

        Cancelling tells the agent that nobody waits.
        """
        loop = asyncio.get_running_loop()
        now = clock()
        body = task.body()
        begin_by = min(now + begin_timeout, task.deadline)
        # may raise (a body larger than a frame, a session just closed): before it, nothing of ours is to be undone
        self.session.send_request(number, begin_by=begin_by, deadline=task.deadline, body=body)
        self._pending[number] = pending = _Pending(loop.create_future())
        self.wake.set()
        limit = loop.time() + max(task.deadline - now, 0.0)
        # one second more for clocks and the network: an agent never begins after begin_by on the relay's clock
        look = loop.time() + begin_by - now + 1.0
        pending.timer = loop.call_at(min(look, limit), self._look_after, number, limit)
        try:
            return Reply(await pending.future, pending.begun)
        finally:
            pending.timer.cancel()
            del self._pending[number]
            if self.session.cancel_request(number):  # True: no answer came. What had not begun is dropped there
                self.wake.set()
            self._on_change(self)

    def _look_after(self, number: int, limit: float) -> None:
        """A second after it must have begun, or at its deadline. limit: that, on the loop's clock."""
        pending, loop = self._pending.get(number), asyncio.get_running_loop()
        if pending is None:
            return
        if loop.time() >= limit:
            self._settle(number, Loss.LATE)
        elif pending.begun:
            pending.timer = loop.call_at(limit, self._settle, number, Loss.LATE)
        else:
            self.suspect = True
            log.warning("agent.silent", agent=self.name)
            self._settle(number, Loss.NOT_BEGUN)

    def _settle(self, number: int, result: AnswerBody | Loss) -> None:
        pending = self._pending.get(number)
        if pending is not None and not pending.future.done():
            pending.future.set_result(result)

    # -- what the session tells

    def take(self, event: Event) -> None:
        """Take an event that concerns requests or the agent's state; the endpoint takes the others."""
        self.suspect = False  # whatever it says: it is alive
        match event:
            case Answered(number, body):
                self._settle(number, body)
            case AnswerUnreadable(number, detail):
                log.error(
                    "agent.unreadable", agent=self.name, detail=detail, remedy="update the relay, or look at the agent"
                )
                self._settle(number, Loss.UNREADABLE)
            case BegunReceived(number):
                if number in self._pending:  # else it was given up while the word was on its way
                    self._pending[number].begun = True
            case RequestRefused(number, reason):
                log.info("agent.refused", agent=self.name, reason=reason)
                self._settle(number, _REFUSED.get(reason, Loss.NOT_BEGUN))
            case Closed():
                self.lose()
            case _:
                self._take_state(event)

    def _take_state(self, event: Event) -> None:
        match event:
            case Measured(latency, clock_skew):
                self.latency, self.clock_skew = latency, clock_skew
            case ReportReceived():
                self._take_report(event)
            case CapacityChanged() | PeerDraining():
                self._on_change(self)
            case _:
                pass  # the hub's

    def _take_report(self, report: ReportReceived) -> None:
        """Of a kind or version that is not known here, nothing; nor of one that cannot be read: it costs nobody anything."""
        try:
            if (report.kind, report.version) == DIRECTORIES_REPORT:
                self.status = decode_directories_report(report.body).states
            elif (report.kind, report.version) == READINESS_REPORT:
                found = decode_readiness_report(report.body).directories
                self._conditions = {domain: state.condition for state in found for domain in state.domains}
        except MalformedFrame as error:
            log.warning("agent.report_unreadable", agent=self.name, kind=report.kind, detail=str(error))

    def lose(self) -> None:
        """The connection is gone: what had not begun goes elsewhere, what had is lost."""
        for number, pending in self._pending.items():
            self._settle(number, Loss.BEGUN if pending.begun else Loss.NOT_BEGUN)
        self._on_change(self)

    def close(self, code: CloseCode, reason: str) -> None:
        """End the session with a word to the agent (`reason` is public); requests under way are lost at once."""
        self.session.close(code, reason)
        self.lose()
        self.wake.set()
