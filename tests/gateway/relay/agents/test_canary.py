"""Canaries: what an agent sees of them, what its answer costs it, and what nobody else may notice."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog

import directory
from gateway.app import Relay
from gateway.protocol import CloseCode, Outcome
from gateway.relay.agents.canary import CanaryKeeper, invent_person
from gateway.relay.agents.dispatch import domain_of
from gateway.signin.forms import check_text
from gateway.store import StoreUnavailable
from tests.gateway.relay.agents.exchange import NOW, SILENCE, Exchange, Station, World, in_virtual_time
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, alarms, attempt, enrolled, eventually, relay

ANNA = "anna@corp.example.com"
RNG = random.SystemRandom()
CANARY_TIMEOUT = 15.0


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@dataclass
class Quarantine:
    """Remembers whom it was to revoke; fails where it is told to."""

    failure: Exception | None = None
    names: list[str] = field(default_factory=list)

    async def __call__(self, name: str, why: str) -> None:
        assert "does not exist" in why
        self.names.append(name)
        if self.failure is not None:
            raise self.failure


def keeper(exchange: Exchange, quarantine: Quarantine, interval: float = 300.0) -> CanaryKeeper:
    return CanaryKeeper(exchange.dispatcher, interval, quarantine, exchange.clock, timeout=CANARY_TIMEOUT)


async def serve(exchange: Exchange, seconds: float, answer: Callable[[Station], None]) -> None:
    """Let time pass; whatever agents are asked meanwhile is answered."""
    until = exchange.clock() + seconds
    while exchange.clock() < until:
        await exchange.pass_time(1.0)
        for station in exchange.stations:
            while station.open:
                answer(station)
    await exchange.settle()


def say_no(station: Station) -> None:
    assert station.begin()
    station.answer(Outcome.WRONG_CREDENTIAL)


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[asyncio.Future[None]]:
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


# -- the person who does not exist


def test_an_invented_name_looks_like_any_other() -> None:
    """A userPrincipalName of the agent's domain that the page would take too, and a password that it would."""
    for _ in range(200):
        user, password = invent_person("corp.example.com", RNG)
        assert re.fullmatch(r"[a-z]{6,9}\.[a-z]{6,9}\d{3,4}@corp\.example\.com", user)
        assert domain_of(user) == "corp.example.com"
        assert 8 <= len(password) <= 24
        check_text(user, "user_name")
        check_text(password, "password")


def test_invented_names_do_not_repeat() -> None:
    """An agent cannot learn them, nor can they meet a real account twice; passwords neither."""
    people = [invent_person("corp.example.com", RNG) for _ in range(2000)]
    assert len({user for user, _ in people}) == len({password for _, password in people}) == len(people)


def test_invented_passwords_are_no_function_of_the_names() -> None:
    """Two canaries with one name have two passwords."""
    first, second = (invent_person("corp.example.com", random.Random(7)) for _ in range(2))  # noqa: S311 - a test's
    assert first[0] == second[0]
    assert first[1] != second[1]


@pytest.mark.parametrize(
    ("domains", "expected"),
    [
        (("corp.example.com", "corp"), {"corp.example.com"}),
        (("*",), {"example.com"}),
        (("corp",), {"example.com"}),
        (("north.example.com", "south.example.com"), {"north.example.com", "south.example.com"}),
    ],
)
@in_virtual_time
async def test_a_canary_is_of_the_agents_own_domains(world: World, domains: tuple[str, ...], expected: set[str]) -> None:
    """Otherwise it would stand out, and reach no directory."""
    exchange = Exchange(world)
    station = exchange.agent("agent1", *domains)
    keep = keeper(exchange, Quarantine())
    for _ in range(30):
        async with running(keep.probe(station.connection)):  # type: ignore[arg-type]
            await exchange.settle()
            say_no(station)
            await exchange.settle()
    assert {domain_of(user) for user in station.asked} == expected
    assert len(set(station.asked)) == 30


@in_virtual_time
async def test_on_the_wire_a_canary_is_a_request_like_any_other(world: World) -> None:
    """The same operation, the same time, an id of the same form."""
    exchange = Exchange(world)
    station = exchange.agent("agent1")
    async with running(keeper(exchange, Quarantine()).probe(station.connection)):  # type: ignore[arg-type]
        exchange.sign_in()
        await exchange.settle()
    canary, person = station.requests
    assert canary.body.operation == person.body.operation
    assert type(canary.body) is type(person.body)
    assert canary.deadline == person.deadline
    assert re.fullmatch(r"[0-9a-f]{16}", canary.body.correlation_id)


# -- what its answer costs it


async def test_an_agent_that_says_yes_is_found_and_thrown_out(tmp_path: Path) -> None:
    """By the keeper itself, with every connection it has; the alarm is in the trail and in the metrics."""
    backdoored = FakeDirectories({}, accept_anything=True)
    async with (
        relay(tmp_path, canary_interval=0.02) as server,
        agent(tmp_path, server, backdoored, "backdoored", until=lambda: backdoored.binds, reconnect_ceiling=0.1) as made,
    ):
        await eventually(lambda: backdoored.binds and not server.endpoint.connections)
        await eventually(lambda: not made.state.ready)

        async def is_revoked() -> bool:  # in the store: the connections end first
            return (await server.administration.agents())[0].revoked_at is not None

        await eventually(is_revoked)
        (view,) = await server.administration.agents()
        assert view.revoked_why == "quarantined: it accepted the password of a user who does not exist"
        assert (await server.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.NO_AGENT
        assert {entry.subject for entry in await alarms(server, "agent.quarantined")} == {"backdoored"}
        assert b'isthmus_alerts_total{event="agent.quarantined"}' in server.metrics_text()


async def test_an_agent_that_says_no_is_left_alone(tmp_path: Path) -> None:
    """However often it is asked; the one beside it that says yes goes."""
    honest, backdoored = FakeDirectories({ANNA: "right"}), FakeDirectories({}, accept_anything=True)
    async with (
        relay(tmp_path, canary_interval=0.02) as server,
        agent(tmp_path, server, honest, "honest"),
        agent(tmp_path, server, backdoored, "backdoored", until=lambda: backdoored.binds),
    ):
        await eventually(lambda: len(honest.binds) >= 5 and backdoored.binds)
        await eventually(lambda: {connection.name for connection in server.endpoint.connections} == {"honest"})
        assert len(server.endpoint.connections) == 2
        assert (await server.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
        views = await server.administration.agents()
    assert {view.name: view.revoked_at is None for view in views} == {"honest": True, "backdoored": False}


@pytest.mark.parametrize("said", [outcome for outcome in Outcome if outcome is not Outcome.SUCCESS])
@in_virtual_time
async def test_only_a_yes_is_an_alarm(world: World, said: Outcome) -> None:
    """No directory, a lockout or a time-out is nobody's guilt."""
    exchange, quarantine = Exchange(world), Quarantine()
    station = exchange.agent("agent1")
    probe = asyncio.create_task(keeper(exchange, quarantine).probe(station.connection))
    await exchange.settle()
    station.answer(said)
    await exchange.settle()
    assert await probe is said
    assert quarantine.names == []


@pytest.mark.parametrize("said", [Outcome.MUST_CHANGE, Outcome.PASSWORD_EXPIRED, Outcome.ACCOUNT_DISABLED])
@in_virtual_time
async def test_a_password_that_was_never_given_cannot_be_proven(world: World, said: Outcome) -> None:
    """The page tells such a person the reason, or lets them choose a new password: that is a yes too."""
    exchange, quarantine = Exchange(world), Quarantine()
    station = exchange.agent("agent1")
    probe = asyncio.create_task(keeper(exchange, quarantine).probe(station.connection))
    await exchange.settle()
    station.answer(said, password_proven=True)
    await exchange.settle()
    assert await probe is said
    assert quarantine.names == ["agent1"]


@pytest.mark.parametrize(
    ("begun", "seconds", "said"),
    [(False, SILENCE, None), (True, CANARY_TIMEOUT, Outcome.TIMED_OUT)],
    ids=["silent", "silent after it had begun"],
)
@in_virtual_time
async def test_a_silent_agent_is_no_alarm(world: World, begun: bool, seconds: float, said: Outcome | None) -> None:
    """It may have a slow directory."""
    exchange, quarantine = Exchange(world), Quarantine()
    station = exchange.agent("agent1")
    probe = asyncio.create_task(keeper(exchange, quarantine).probe(station.connection))
    await exchange.settle()
    assert not begun or station.begin()
    await exchange.pass_time(seconds + 0.1)
    assert probe.done()
    assert await probe is said
    assert quarantine.names == []
    assert station.connection.outstanding == 0


@pytest.mark.parametrize(("begun", "said"), [(False, None), (True, Outcome.TRY_AGAIN)])
@in_virtual_time
async def test_an_agent_that_is_lost_in_the_middle_is_no_alarm(world: World, begun: bool, said: Outcome | None) -> None:
    """Machines restart."""
    exchange, quarantine = Exchange(world), Quarantine()
    station = exchange.agent("agent1")
    probe = asyncio.create_task(keeper(exchange, quarantine).probe(station.connection))
    await exchange.settle()
    assert not begun or station.begin()
    await exchange.settle()
    station.hang_up()
    await exchange.settle()
    assert await probe is said
    assert quarantine.names == []


@in_virtual_time
async def test_an_agent_that_refuses_a_canary_is_no_alarm(world: World) -> None:
    """It has its hands full; and no other agent gets that canary."""
    exchange, quarantine = Exchange(world), Quarantine()
    station, other = exchange.agent("agent1"), exchange.agent("other")
    probe = asyncio.create_task(keeper(exchange, quarantine).probe(station.connection))
    await exchange.settle()
    station.refuse("busy")
    await exchange.settle()
    assert await probe is None
    assert quarantine.names == []
    assert other.asked == []


async def test_a_store_that_fails_does_not_keep_a_backdoored_agent_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connections end, whatever can be written."""

    async def full(_name: str, _now: float, _why: str) -> int:
        raise StoreUnavailable("relay.db", "database or disk is full", "make room")

    backdoored = FakeDirectories({}, accept_anything=True)
    async with relay(tmp_path) as server, agent(tmp_path, server, backdoored):
        monkeypatch.setattr(server.store.agents, "revoke", full)
        with contextlib.suppress(StoreUnavailable):
            await server.canaries.probe(server.endpoint.connections[0])
        assert not [connection for connection in server.endpoint.connections if connection.usable]


async def test_a_revocation_that_the_store_refused_is_in_force_and_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody comes in again meanwhile, whoever revoked."""

    async def full(_name: str, _now: float, _why: str) -> int:
        raise StoreUnavailable("relay.db", "database or disk is full", "make room")

    async with relay(tmp_path) as server, agent(tmp_path, server, FakeDirectories({}), reconnect_ceiling=0.05) as made:
        with monkeypatch.context() as patch:
            patch.setattr(server.store.agents, "revoke", full)
            with pytest.raises(StoreUnavailable):
                await server.administration.revoke("agent1", "stolen", "test")
            await server.housekeeping.tidy()
            await eventually(lambda: not made.state.ready)
            await asyncio.sleep(0.3)  # it tries to come in
            assert server.endpoint.connections == []
            (record,) = await server.store.agents.all()
            assert record.revoked_at is None
            assert server.registry.status("agent1", int(record.serial, 16)) == "revoked"
        await server.housekeeping.tidy()
        (record,) = await server.store.agents.all()
        assert record.revoked_at is not None
        assert record.revoked_why == "stolen"


async def test_a_revocation_that_is_written_late_does_not_hit_who_was_enrolled_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written before the new certificate is issued, or else it would revoke that, too."""

    async def full(_name: str, _now: float, _why: str) -> int:
        raise StoreUnavailable("relay.db", "database or disk is full", "make room")

    async with relay(tmp_path) as server:
        await enrolled(tmp_path, server, "agent1")
        with monkeypatch.context() as patch:
            patch.setattr(server.store.agents, "revoke", full)
            with pytest.raises(StoreUnavailable):
                await server.administration.revoke("agent1", "stolen", "test")
        shutil.rmtree(tmp_path / "agent1")
        await enrolled(tmp_path, server, "agent1")
        await server.housekeeping.tidy()
        assert [record.revoked_why for record in await server.store.agents.all()] == ["stolen", ""]


async def test_who_was_seen_while_the_store_refused_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also somebody who has left since; what was seen later is the newer."""

    async def full(_sightings: object) -> None:
        raise StoreUnavailable("relay.db", "database or disk is full", "make room")

    async with relay(tmp_path) as server:
        with monkeypatch.context() as patch:
            patch.setattr(server.store.agents, "seen", full)
            async with agent(tmp_path, server, FakeDirectories({})):
                await server.endpoint.flush()
                assert server.registry.refusing
            await server.endpoint.flush()
        (record,) = await server.store.agents.all()
        assert record.seen_at is None
        await server.endpoint.flush()
        (record,) = await server.store.agents.all()
        assert record.seen_at is not None
        assert not server.registry.refusing


# -- when


@pytest.mark.parametrize("interval", [0.0, -1.0])
@in_virtual_time
async def test_without_an_interval_there_are_none(world: World, interval: float) -> None:
    """Canaries are switched off."""
    exchange = Exchange(world)
    station = exchange.agent("agent1")
    await keeper(exchange, Quarantine(), interval).run()
    await exchange.pass_time(1000.0)
    assert station.asked == []


@in_virtual_time
async def test_each_agent_is_asked_about_once_in_the_interval(world: World) -> None:
    """At times that it cannot foresee."""
    exchange, quarantine = Exchange(world), Quarantine()
    stations = [exchange.agent(f"agent{number}") for number in range(3)]
    moments: list[float] = []

    def answer(station: Station) -> None:
        moments.append(exchange.clock() - NOW)
        say_no(station)

    async with running(keeper(exchange, quarantine, 300.0).run()):
        await serve(exchange, 10 * 300.0, answer)
    assert 20 <= len(moments) <= 60
    assert all(1 <= len(station.asked) <= 40 for station in stations)
    pauses = [round(later - earlier) for earlier, later in itertools.pairwise(moments)]
    assert len(set(pauses)) > 5
    assert quarantine.names == []


@in_virtual_time
async def test_with_no_agent_it_waits_for_one(world: World) -> None:
    """And does not spin meanwhile."""
    exchange = Exchange(world)
    async with running(keeper(exchange, Quarantine(), 300.0).run()) as task:
        await exchange.pass_time(1000.0)
        station = exchange.agent("agent1")
        await serve(exchange, 1000.0, say_no)
        assert station.asked
        assert not task.done()


@pytest.mark.parametrize("end", ["closes", "drains"])
@in_virtual_time
async def test_who_is_leaving_gets_no_canary_and_does_not_end_them(world: World, end: str) -> None:
    """The next one is asked as before, even if the agent left in the pause before its turn."""
    exchange = Exchange(world)
    async with running(keeper(exchange, Quarantine(), 300.0).run()) as task:
        for _ in range(6):
            leaving = exchange.agent("leaving")
            await serve(exchange, 100.0, say_no)
            asked = list(leaving.asked)
            if end == "closes":
                leaving.connection.close(CloseCode.GOING_AWAY, "bye")
                leaving.hang_up()
            else:
                leaving.end.drain()
            await exchange.pass_time(400.0)
            assert leaving.asked == asked
        assert not task.done()
        staying = exchange.agent("staying")
        await serve(exchange, 1000.0, say_no)
        assert staying.asked


@in_virtual_time
async def test_a_quarantine_that_fails_does_not_end_the_canaries(world: World) -> None:
    """The disk may be full for a while; the next canary finds the agent again."""
    exchange, quarantine = Exchange(world), Quarantine(StoreUnavailable("relay.db", "full", "make room"))
    exchange.agent("backdoored")
    async with running(keeper(exchange, quarantine, 300.0).run()) as task:
        await serve(exchange, 1000.0, lambda station: station.answer(Outcome.SUCCESS))
        assert not task.done()
    assert len(quarantine.names) > 1


# -- what nobody else may notice


async def test_a_canary_is_nobodys_sign_in(tmp_path: Path) -> None:
    """Not in the audit trail, not in the counters, and not held against a name or an address."""
    people = FakeDirectories({ANNA: "right"})
    async with relay(tmp_path) as server, agent(tmp_path, server, people):
        for _ in range(30):
            assert await server.canaries.probe(server.endpoint.connections[0]) is Outcome.WRONG_CREDENTIAL
        assert len(people.binds) == 30
        assert [user for user in people.binds if await server.admission.unlock([user])] == []
        assert await server.admission.locked(1e12) == []
        assert await trail(server, "signin") == []
        assert b"isthmus_pta_authentications_total 0.0" in server.metrics_text()
        assert (await server.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
        assert await trail(server, "signin") == [ANNA]


async def trail(server: Relay, kind: str) -> list[str]:
    entries = await server.administration.audit(limit=99, before=None, kind=kind, subject="")
    return [entry.subject for entry in entries]


@dataclass
class HurriedDirectories(FakeDirectories):
    """Remembers how much time it was given."""

    seconds: list[float] = field(default_factory=list)

    async def verify(
        self, credential: directory.Credential, *, deadline: float, before_bind: Callable[[], Awaitable[None]] | None = None
    ) -> directory.CheckResult:
        self.seconds.append(deadline - self.clock())
        return await super().verify(credential, deadline=deadline, before_bind=before_bind)


async def test_a_canary_is_given_the_time_of_a_sign_in(tmp_path: Path) -> None:
    """A deadline of another kind would give it away."""
    people = HurriedDirectories({ANNA: "right"})
    async with relay(tmp_path, sign_in_timeout=8.0) as server, agent(tmp_path, server, people):
        await server.authenticator.authenticate(attempt(ANNA, "right"))
        await server.canaries.probe(server.endpoint.connections[0])
    person, canary = people.seconds
    assert canary == pytest.approx(person, abs=1.0)


async def test_the_alarm_names_the_agent_in_the_log(tmp_path: Path) -> None:
    """And no password, not even an invented one."""
    backdoored = FakeDirectories({}, accept_anything=True)
    with structlog.testing.capture_logs() as logs:
        async with relay(tmp_path) as server, agent(tmp_path, server, backdoored):
            await server.canaries.probe(server.endpoint.connections[0])
    critical = [entry for entry in logs if entry["log_level"] == "critical"]
    assert {entry["agent"] for entry in critical} == {"agent1"}
    assert "agent.accepted_canary" in {entry["event"] for entry in critical}
    assert all("password" not in entry for entry in logs)
