"""A dispatcher, agents in memory at the far end of real sessions, and time that is not waited for."""

from __future__ import annotations

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from certs import Authority, MachineIdentity, Role
from gateway.protocol import (
    OPERATIONS,
    AgentFacts,
    AgentSession,
    AnswerBody,
    CloseCode,
    Outcome,
    PeerTrust,
    RelaySession,
    RequestId,
)
from gateway.protocol.events import Event, Opened, RequestCancelled, RequestReceived
from gateway.relay.agents.connection import AgentConnection, Task
from gateway.relay.agents.dispatch import Dispatched, Dispatcher
from gateway.relay.settings import RelayCoreSettings

P = ParamSpec("P")
T = TypeVar("T")
NOW = 1_800_000_000.0
TIMEOUT = 15.0
BEGIN = 4.0
SILENCE = BEGIN + 1.0
"""Seconds after which an agent that did not begin is given up: one more than it has to begin."""


# -- time


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting, moves the clock on."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("the test waits for something that will never happen")
        if not ready and timeout is not None:
            self.now += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its clock jumps to the next timer whenever there is nothing to do: hours pass in no time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def in_virtual_time(test: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, T]:
    """Run an async test on a loop of its own, where time is not waited for."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            return runner.run(test(*args, **kwargs))

    return run


# -- agents in memory


class World:
    """An authority, a relay, and agents' identities, each made once."""

    def __init__(self, home: Path) -> None:
        self._home, self._agents = home, dict[str, MachineIdentity]()
        self.authority = Authority.create(home / "ca", name="test", now=NOW)
        self.relay = self._issue("relay1", Role.RELAY)

    def agent(self, name: str) -> MachineIdentity:
        if name not in self._agents:
            self._agents[name] = self._issue(name, Role.AGENT)
        return self._agents[name]

    def _issue(self, name: str, role: Role) -> MachineIdentity:
        csr = MachineIdentity.begin(self._home / name, name=name)
        der = self.authority.issue(csr, name=name, role=role, now=NOW)
        return MachineIdentity.install(self._home / name, der, self.authority.certificate_der, name=name, role=role, now=NOW)


class Station:
    """An agent at the far end of a connection: it takes what it is sent, and does what the test says."""

    def __init__(
        self, exchange: Exchange, name: str, domains: tuple[str, ...], capacity: int, capabilities: tuple[str, ...]
    ) -> None:
        world, now = exchange.world, exchange.clock()
        trusts = [PeerTrust(world.authority.certificate, role) for role in (Role.AGENT, Role.RELAY)]
        facts = AgentFacts(instance=name, capacity=capacity, domains=domains, software="test", capabilities=capabilities)
        self._exchange = exchange
        self._near = RelaySession(world.relay, trusts[0], now=now)
        self.end = AgentSession(world.agent(name), trusts[1], facts, now=now)
        self.connection = AgentConnection(self._near, address="192.0.2.1", on_change=exchange.dispatcher.connection_changed)
        self.requests: list[RequestReceived] = []
        self.cancelled: list[RequestId] = []
        self._begun: dict[RequestId, str] = {}
        self._done: set[RequestId] = set()

    @property
    def asked(self) -> list[str]:
        """The names that this agent was ever asked about."""
        return [request.body.user_name for request in self.requests]

    @property
    def open(self) -> list[RequestId]:
        """The numbers of the requests that wait for this agent, oldest first."""
        return [request.id for request in self.requests if request.id not in self._done]

    @property
    def begun(self) -> list[str]:
        """Names of those whom this agent was about to bind."""
        return list(self._begun.values())

    def carry(self) -> bool:
        """Carry what either end has to say; False where both are silent."""
        to_agent, to_relay = self._near.frames(), self.end.frames()
        now = self._exchange.clock()
        for frame in to_agent:
            for event in self.end.receive(frame, now):
                self._hear(event)
        for frame in to_relay:
            for event in self._near.receive(frame, now):
                self.connection.take(event)
                if isinstance(event, Opened):
                    self.connection.open(event, allowed=None)
        return bool(to_agent or to_relay)

    def _hear(self, event: Event) -> None:
        if isinstance(event, RequestReceived):
            self.requests.append(event)
        elif isinstance(event, RequestCancelled):
            self.cancelled.append(event.id)
            self._done.add(event.id)

    # -- what it does, by default to the oldest request

    def _take(self, number: RequestId | None, *, done: bool = True) -> RequestId:
        number = self.open[0] if number is None else number
        if done:
            self._done.add(number)
        return number

    def begin(self, number: RequestId | None = None) -> bool:
        number = self._take(number, done=False)
        allowed = self.end.begin(number, self._exchange.clock())
        if allowed:
            self._begun[number] = next(request.body.user_name for request in self.requests if request.id == number)
        return allowed

    def answer(self, outcome: Outcome = Outcome.WRONG_CREDENTIAL, number: RequestId | None = None, **fields: Any) -> None:
        account = fields.pop("account", None)
        self.end.answer(self._take(number), AnswerBody(outcome, **fields), account)

    def refuse(self, reason: str) -> None:
        self.end.refuse(self._take(None), reason)

    def ping(self) -> None:
        """Say a word that concerns no request."""
        self.end.send_report("word", 1, b"")

    def hang_up(self) -> None:
        """The connection breaks: what the endpoint does then."""
        if self.connection in self._exchange.dispatcher.connections:
            self._exchange.dispatcher.connections.remove(self.connection)
        self._near.close(CloseCode.GOING_AWAY, "connection ended")
        self.connection.lose()
        self._exchange.dispatcher.connections_changed()


class Credulous:
    """Believes every answer; what is not believed is in `test_bindings`."""

    async def doubt(self, *_about: object) -> str:
        return ""


class Exchange:
    """A dispatcher and the agents that it knows."""

    def __init__(self, world: World, **core: Any) -> None:
        self.world, self.stations = world, list[Station]()
        settings = RelayCoreSettings(**{"begin_timeout": BEGIN, **core})
        self.dispatcher = Dispatcher(settings, Credulous(), self.clock)  # type: ignore[arg-type]

    def clock(self) -> float:
        return NOW + asyncio.get_running_loop().time()

    def agent(
        self,
        name: str = "agent1",
        *domains: str,
        capacity: int = 4,
        latency: float = 0.0,
        capabilities: tuple[str, ...] = OPERATIONS,
    ) -> Station:
        """An agent that has just connected; it answers for all unless domains are given."""
        station = Station(self, name, domains or ("*",), capacity, capabilities)
        while station.carry():
            pass
        station.connection.latency = latency
        self.stations.append(station)
        self.dispatcher.connections.append(station.connection)
        self.dispatcher.connections_changed()
        return station

    def sign_in(
        self, user: str = "anna@corp.example.com", timeout: float = TIMEOUT, operation: str = "verify"
    ) -> asyncio.Task[Dispatched]:
        return asyncio.create_task(self.dispatcher.dispatch(self.task(user, timeout, operation)), name=f"sign-in {user}")

    def task(self, user: str, timeout: float = TIMEOUT, operation: str = "verify") -> Task:
        return Task(
            operation=operation,
            user_name=user,
            password="right",
            new_password="",
            deadline=self.clock() + timeout,
            correlation_id="c0ffee",
        )

    async def settle(self) -> None:
        """Let everything happen that needs no time."""
        quiet = 0
        while quiet < 5:
            await asyncio.sleep(0)
            moved = [station.carry() for station in self.stations]
            quiet = 0 if any(moved) else quiet + 1

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, and what is due meanwhile happen."""
        await self.settle()
        until = self.clock() + seconds
        while (left := until - self.clock()) > 0:
            await asyncio.sleep(min(left, 0.5))
            await self.settle()

    async def occupy(self, station: Station, count: int) -> list[asyncio.Task[Dispatched]]:
        """Keep an agent busy with this many, who are all begun; no other agent may be there yet."""
        tasks = [self.sign_in(f"busy{number}@{_domain(station)}", timeout=1e6) for number in range(count)]
        await self.settle()
        for number in station.open:
            assert station.begin(number)
        await self.settle()
        assert station.connection.outstanding == count
        return tasks


def _domain(station: Station) -> str:
    assert station.connection.opened is not None
    return station.connection.opened.domains[0].replace("*", "other.example.com")


async def outcome(task: asyncio.Task[Dispatched]) -> tuple[Outcome, str]:
    """What came of it, which must be known by now, and from whom."""
    assert task.done()
    dispatched = await task
    return dispatched.body.outcome, dispatched.agent
