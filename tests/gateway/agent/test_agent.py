"""The agent process: its connections, its certificate, its end; against relays on loopback."""

from __future__ import annotations

import asyncio
import errno
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

import directory
from certs import KeyStoreError, MachineIdentity
from demo.throwaway_tls import write_certificates
from gateway.agent.agent import Agent
from gateway.agent.enrolment import enrol
from gateway.agent.errors import NotEnrolled
from gateway.app import Relay, init, serving
from gateway.protocol import AgentSession, CloseCode, Outcome
from settings import Unfit
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, agent_settings, attempt, enrolled, eventually, relay, server_settings

ANNA = "anna@corp.example.com"
DAY = 86400.0


@pytest.fixture
def people() -> FakeDirectories:
    return FakeDirectories({ANNA: "right"})


@pytest.fixture
def logs() -> Iterator[list[EventDict]]:
    with structlog.testing.capture_logs() as entries:
        yield entries


def events(logs: list[EventDict], name: str) -> list[EventDict]:
    return [entry for entry in logs if entry["event"] == name]


@dataclass
class GatedDirectories(FakeDirectories):
    """Binds, and then waits until the test opens the gate."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def verify(
        self, credential: directory.Credential, *, deadline: float, before_bind: Callable[[], Awaitable[None]] | None = None
    ) -> directory.CheckResult:
        verdict = await super().verify(credential, deadline=deadline, before_bind=before_bind)
        async with asyncio.timeout(20):
            await self.gate.wait()
        return verdict


class Clock:
    """Shows the time, plus what the test adds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@asynccontextmanager
async def running_agent(
    state: Path, directories: Any, home: Path, clock: Clock | None = None, session_clock: Clock | None = None, **core: Any
) -> AsyncIterator[Agent]:
    """An agent that is told to stop at the end, whether or not it ever reached a relay."""
    settings = agent_settings(home, **{"status_interval": 0.02, "reconnect_ceiling": 0.2, **core})
    made = Agent(
        settings,
        state,
        directories,
        software="test",
        clock=clock or Clock(),
        directory_clock=time.time,
        session_clock=session_clock,
    )
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        made.stop()
        await task


# -- connections


async def test_the_state_follows_the_connections(tmp_path: Path, people: FakeDirectories) -> None:
    """Not ready before, ready with the first, idle in between."""
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        url = running.settings.public_url
        async with running_agent(state, people, tmp_path) as made:
            assert made.state.connected == {url: 0}
            assert not made.state.ready
            await eventually(lambda: made.state.connected == {url: 2})
            assert made.state.ready
            assert made.state.in_flight == 0
            assert made.state.certificate_ends == pytest.approx(time.time() + 30 * DAY, abs=60)


async def test_a_relay_that_is_not_there_is_asked_again_until_it_is(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """The relay may be away for as long as it likes."""
    settings = server_settings(tmp_path)
    init(settings, name="relay1", now=time.time())
    async with serving(settings) as first:
        state = await enrolled(tmp_path, first, "agent1")
    async with running_agent(state, people, tmp_path) as made:
        await eventually(lambda: len(events(logs, "relay.unreachable")) >= 6)
        assert not made.state.ready
        async with serving(settings) as second:
            await eventually(lambda: len(second.endpoint.connections) == 2)
            verdict = await second.authenticator.authenticate(attempt(ANNA, "right"))
    assert verdict.outcome is Outcome.SUCCESS
    assert all(entry["seconds"] <= 0.2 for entry in events(logs, "relay.retry"))
    assert {entry["relay"] for entry in events(logs, "relay.unreachable")} == {settings.public_url}


async def test_a_wrong_ca_is_told_with_the_setting_that_helps(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """A proxy that inspects TLS looks like this."""
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with running_agent(state, people, tmp_path, tls_ca_file=None) as made:
            await eventually(lambda: events(logs, "relay.unreachable"))
            assert not made.state.ready
    assert "set tls_ca_file" in events(logs, "relay.unreachable")[0]["reason"]


async def test_two_relays_are_kept_at_once(tmp_path: Path, people: FakeDirectories) -> None:
    """Each reaches AD through the agent, and the end of one is not felt at the other."""
    first_home, second_home = tmp_path / "first", tmp_path / "second"
    first_settings, second_settings = server_settings(first_home), server_settings(second_home)
    init(first_settings, name="relay1", now=time.time())
    async with serving(first_settings) as first:
        state = await enrolled(first_home, first, "agent1")
    shutil.copytree(first_settings.state_dir, second_settings.state_dir)
    both = tmp_path / "both.pem"
    both.write_bytes((first_home / "tls" / "ca.pem").read_bytes() + (second_home / "tls" / "ca.pem").read_bytes())
    urls = (first_settings.public_url, second_settings.public_url)
    async with serving(second_settings) as second:
        async with serving(first_settings) as first:
            task = running_agent(state, people, first_home, relays=urls, tls_ca_file=both)
            made = await task.__aenter__()
            await eventually(lambda: made.state.connected == dict.fromkeys(urls, 2))
            for server in (first, second):
                assert (await server.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
        await eventually(lambda: made.state.connected == {urls[0]: 0, urls[1]: 2})
        assert made.state.ready
        assert (await second.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
        await task.__aexit__(None, None, None)


async def test_a_relay_of_another_authority_gets_no_requests_through(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """Whoever takes over the relay's address still lacks its authority."""
    async with relay(tmp_path / "real") as real:
        state = await enrolled(tmp_path / "real", real, "agent1")
    async with relay(tmp_path / "impostor") as impostor:
        url = impostor.settings.public_url
        async with running_agent(state, people, tmp_path / "impostor", relays=(url,)) as made:
            await eventually(lambda: len(events(logs, "relay.retry")) >= 2)
            assert not made.state.ready
            assert impostor.endpoint.connections == []
    assert events(logs, "relay.retry")[0]["seconds"] >= 5.0
    assert events(logs, "agent.refused_by_relay") == []


# -- clocks that differ


@dataclass
class SlowDirectories(FakeDirectories):
    """Reaches its bind when the test opens the gate."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def verify(
        self, credential: directory.Credential, *, deadline: float, before_bind: Callable[[], Awaitable[None]] | None = None
    ) -> directory.CheckResult:
        self.reached.set()
        async with asyncio.timeout(20):
            await self.gate.wait()
        return await super().verify(credential, deadline=deadline, before_bind=before_bind)


SKEWS = pytest.mark.parametrize("skew", [-200.0, 0.0, 200.0])


@SKEWS
async def test_a_clock_that_is_off_keeps_nobody_from_binding_in_time(
    tmp_path: Path, people: FakeDirectories, skew: float
) -> None:
    """The relay says on its own clock until when a check may begin, and six seconds are less than machines differ by."""
    clock = Clock()
    clock.ahead = skew
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with running_agent(state, people, tmp_path, session_clock=clock):
            await eventually(lambda: len(running.endpoint.connections) == 2)
            assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
    assert people.binds == [ANNA]


@SKEWS
async def test_no_bind_begins_too_late_whatever_the_agents_clock_shows(tmp_path: Path, skew: float) -> None:
    """Eight seconds go by before the bind, six are allowed: by then the relay may have asked another agent."""
    clock, slow = Clock(), SlowDirectories({ANNA: "right"})
    clock.ahead = skew
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with running_agent(state, slow, tmp_path, session_clock=clock):
            await eventually(lambda: len(running.endpoint.connections) == 2)
            check = asyncio.create_task(signed_in(running, ANNA))
            await asyncio.wait_for(slow.reached.wait(), 10)
            clock.ahead += 8.0
            slow.gate.set()
            assert await check is Outcome.NO_AGENT
    assert slow.binds == []


# -- refused


async def test_a_revoked_agent_says_so_and_asks_rarely(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """Only an administrator can change that; the log says how."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people, reconnect_ceiling=0.2) as made:
        await running.administration.revoke("agent1", "stolen", "test")
        await eventually(lambda: len(events(logs, "relay.retry")) >= 2)
        assert not made.state.ready
    for entry in events(logs, "agent.refused_by_relay"):
        assert entry["reason"] == "revoked: stolen"
        assert "isthmus relay token" in entry["remedy"]
    assert len(events(logs, "agent.refused_by_relay")) == 2
    assert all(entry["seconds"] >= 5.0 for entry in events(logs, "relay.retry"))


async def test_an_agent_that_was_revoked_while_it_was_off_is_told_in_the_handshake(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """No session comes about."""
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        await running.administration.revoke("agent1", "stolen", "test")
        async with running_agent(state, people, tmp_path) as made:
            await eventually(lambda: len(events(logs, "agent.refused_by_relay")) == 2)
            assert running.endpoint.connections == []
            assert not made.state.ready
    assert "revoked" in events(logs, "agent.refused_by_relay")[0]["remedy"]


async def test_a_quarantined_agent_is_called_compromised(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """Enrolling it anew is not what the log advises."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        running.endpoint.close_agent("agent1", CloseCode.QUARANTINED, "quarantined")
        await eventually(lambda: events(logs, "agent.refused_by_relay"))
    remedy = events(logs, "agent.refused_by_relay")[0]["remedy"]
    assert "compromised" in remedy
    assert "enrol" not in remedy


async def test_an_agent_that_was_enrolled_anew_takes_the_new_identity(tmp_path: Path, people: FakeDirectories) -> None:
    """Without a restart, at the next refusal."""
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with agent(tmp_path, running, people, state_dir=state) as made:
            await running.registry.revoke("agent1", time.time(), "by mistake")
            token = await running.administration.create_token("agent1", "test", any_domain=True)
            renewed = await enrol(agent_settings(tmp_path), state, token.text, time.time())
            running.endpoint.close_agent("agent1", CloseCode.REVOKED, "revoked: by mistake")
            await eventually(lambda: made.identity.serial == renewed.serial)
            assert running.registry.status("agent1", renewed.serial) == "enrolled"


async def test_an_identity_that_cannot_be_read_keeps_the_old_one(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """The process lives on and says what is wrong."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people) as made:
        before = made.identity.serial
        (tmp_path / "agent1" / "identity" / "identity.pem").write_text("half a fi")
        running.endpoint.close_agent("agent1", CloseCode.REVOKED, "revoked")
        await eventually(lambda: events(logs, "identity.unusable"))
        assert made.identity.serial == before
    assert "enrol this machine anew" in events(logs, "identity.unusable")[0]["error"]


async def test_a_defect_in_one_conversation_ends_neither_the_others_nor_the_agent(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was not foreseen: it is logged, and the connection is made anew."""
    receive, left = AgentSession.receive, [2]

    def fail_twice(session: AgentSession, frame: bytes, now: float) -> Any:
        if left[0]:
            left[0] -= 1
            raise TypeError("unhashable type: 'dict'")
        return receive(session, frame, now)

    monkeypatch.setattr(AgentSession, "receive", fail_twice)
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        await eventually(lambda: len(running.endpoint.connections) == 2)
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
    assert len(events(logs, "relay.failed")) == 2


async def test_a_closed_session_that_is_no_refusal_is_tried_again_at_once(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """A relay that restarts says goodbye."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people, reconnect_ceiling=0.2) as made:
        running.endpoint.close_agent("agent1", CloseCode.GOING_AWAY, "relay is stopping")
        await eventually(lambda: len(events(logs, "relay.retry")) == 2)
        await eventually(lambda: made.state.connected == {running.settings.public_url: 2})
    assert events(logs, "agent.refused_by_relay") == []
    assert all(entry["seconds"] <= 0.2 for entry in events(logs, "relay.retry"))


async def test_an_agent_without_an_identity_was_never_enrolled(tmp_path: Path, people: FakeDirectories) -> None:
    """It says so, and how to."""
    with pytest.raises(NotEnrolled):
        Agent(agent_settings(tmp_path), tmp_path / "nobody", people, software="test")


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o770])
async def test_a_state_directory_that_others_can_enter_is_refused(
    tmp_path: Path, people: FakeDirectories, mode: int
) -> None:
    """Before anything of it is read."""
    state = tmp_path / "open"
    state.mkdir()
    state.chmod(mode)
    with pytest.raises(KeyStoreError, match="run chmod 700"):
        Agent(agent_settings(tmp_path), state, people, software="test")


# -- certificate


async def test_a_certificate_is_renewed_over_the_session_when_it_is_due(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """Asked for once; every connection is moved to the new key by itself, and sign-in continues meanwhile."""
    clock = Clock()
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with running_agent(state, people, tmp_path, clock) as made:
            await eventually(lambda: made.state.ready)
            before = made.identity
            clock.ahead = 25 * DAY
            await eventually(lambda: events(logs, "certificate.renewed"))
            after = made.identity
            assert after.serial != before.serial
            assert after.certificate.public_key() != before.certificate.public_key()
            assert running.registry.status("agent1", after.serial) == "enrolled"
            verdicts = []
            live = running.endpoint.connections
            while [connection.opened and connection.opened.peer.serial for connection in live] != [after.serial] * 2:
                verdicts.append(await running.authenticator.authenticate(attempt(ANNA, "right", throttled=False)))
            assert {verdict.outcome for verdict in verdicts} == {Outcome.SUCCESS}
        renewals = await running.administration.audit(limit=50, before=None, kind="agent.renewed", subject="")
    assert len(renewals) == 1
    assert len(events(logs, "certificate.renewal_asked")) == 1


async def test_a_session_whose_certificate_ended_is_opened_anew_without_an_alarm(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """The relay ends it by the clock; the agent has a newer certificate and needs nobody's help."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people, reconnect_ceiling=0.2) as made:
        running.endpoint.close_agent("agent1", CloseCode.EXPIRED, "certificate expired")
        await eventually(lambda: len(events(logs, "relay.retry")) == 2)
        await eventually(lambda: made.state.connected == {running.settings.public_url: 2})
    assert events(logs, "agent.refused_by_relay") == []


async def test_a_fresh_certificate_is_left_alone(tmp_path: Path, people: FakeDirectories, logs: list[EventDict]) -> None:
    """At half of its life nothing is asked for."""
    clock = Clock()
    clock.ahead = 15 * DAY
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with running_agent(state, people, tmp_path, clock):
            await eventually(lambda: running.endpoint.connections)
            connection, reports = running.endpoint.connections[0], Reports(people)
            people.health = reports.health  # type: ignore[method-assign]
            await eventually(lambda: reports.asked >= 8)
            assert not connection.session.closed
    assert events(logs, "certificate.renewal_asked") == []


class Reports:
    """Counts how often the agent looked at the directories' health."""

    def __init__(self, people: FakeDirectories) -> None:
        self.asked, self.people = 0, people

    def health(self) -> list[directory.ControllerHealth]:
        self.asked += 1
        up = directory.ControllerHealth("corp", "dc1:636", "up", 0, 0, 0.0, "", 0, 0, 0)
        return [up, replace(up, controller="dc2:636", state="down"), replace(up, controller="dc3:636", state="probing")]


async def test_a_refused_renewal_is_logged_and_the_agent_goes_on(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """The old certificate lasts a while yet."""
    clock = Clock()
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with running_agent(state, people, tmp_path, clock) as made:
            await eventually(lambda: made.state.ready)
            before = made.identity.serial
            await running.registry.revoke("agent1", time.time(), "not told to the endpoint")
            clock.ahead = 25 * DAY
            await eventually(lambda: events(logs, "certificate.renewal_refused"))
            assert made.state.ready
            assert made.identity.serial == before
    assert "this agent was revoked" in events(logs, "certificate.renewal_refused")[0]["reason"]


async def test_a_new_certificate_that_does_not_hold_is_not_installed(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """By this machine's clock it has ended already; the old one stays in place."""
    clock = Clock()
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with running_agent(state, people, tmp_path, clock) as made:
            await eventually(lambda: made.state.ready)
            before = made.identity.serial
            clock.ahead = 40 * DAY
            await eventually(lambda: events(logs, "certificate.renewal_failed"))
            assert made.identity.serial == before
    assert "expired" in events(logs, "certificate.renewal_failed")[0]["error"]


async def test_a_full_disk_at_renewal_does_not_end_the_agent(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old certificate still holds for days; the next try comes in an hour."""

    def full(*_: object, **__: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    clock = Clock()
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with running_agent(state, people, tmp_path, clock) as made:
            await eventually(lambda: made.state.ready)
            monkeypatch.setattr(MachineIdentity, "begin", full)
            clock.ahead = 25 * DAY
            await eventually(lambda: events(logs, "certificate.renewal_failed"))
            monkeypatch.undo()
            verdict = await running.authenticator.authenticate(attempt(ANNA, "right"))
            assert verdict.outcome is Outcome.SUCCESS
            clock.ahead += 3601
            await eventually(lambda: events(logs, "certificate.renewed"))
    assert "No space left" in events(logs, "certificate.renewal_failed")[0]["error"]


async def test_a_renewal_without_an_answer_is_asked_for_again_after_an_hour(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with every check the clock."""
    monkeypatch.setattr("gateway.protocol.relay_session.RENEW_AT_LEAST", 0.0)  # no hour passes at the relay
    clock = Clock()
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with running_agent(state, people, tmp_path, clock) as made:
            await eventually(lambda: made.state.ready)
            clock.ahead = 40 * DAY
            await eventually(lambda: events(logs, "certificate.renewal_failed"))
            assert len(events(logs, "certificate.renewal_asked")) == 1
            clock.ahead += 3601
            await eventually(lambda: len(events(logs, "certificate.renewal_failed")) == 2)
    assert len(events(logs, "certificate.renewal_asked")) == 2


async def test_a_renewal_can_be_asked_for_at_any_time(tmp_path: Path, people: FakeDirectories) -> None:
    """With nobody to ask it says so; with a relay a new key is in use, although the old certificate was fresh."""
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with running_agent(state, people, tmp_path) as made:
            assert not made.renew_now()
            await eventually(lambda: made.state.ready)
            before = made.identity.serial
            assert made.renew_now()
            await eventually(lambda: made.identity.serial != before)
            assert running.registry.status("agent1", made.identity.serial) == "enrolled"


async def test_a_due_renewal_waits_for_a_relay(tmp_path: Path, people: FakeDirectories, logs: list[EventDict]) -> None:
    """Nobody to ask is no reason to stop."""
    clock = Clock()
    clock.ahead = 25 * DAY
    settings = server_settings(tmp_path)
    init(settings, name="relay1", now=time.time())
    async with serving(settings) as first:
        state = await enrolled(tmp_path, first, "agent1")
    async with running_agent(state, people, tmp_path, clock):
        await eventually(lambda: len(events(logs, "relay.unreachable")) >= 4)
        assert events(logs, "certificate.renewal_asked") == []
        async with serving(settings):
            await eventually(lambda: events(logs, "certificate.renewed"))


# -- what the relay learns


async def test_the_domain_controllers_states_are_shown_at_the_relay(tmp_path: Path, people: FakeDirectories) -> None:
    """By controller, in the words of its log."""
    states = {"dc1:636": "up", "dc2:636": "down", "dc3:636": "probing"}
    people.health = Reports(people).health  # type: ignore[method-assign]
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        await eventually(lambda: running.endpoint.connections[0].status == states)
        views = await running.administration.agents()
    assert views[0].domains == ("corp.example.com", "corp")
    assert views[0].software == "test"


async def test_many_changes_at_once_are_few_reports(
    tmp_path: Path, people: FakeDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relay ends sessions that say too much; what is true in the end arrives all the same."""
    monkeypatch.setattr("gateway.agent.agent._REPORT_GAP", 0.05)
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        connections = list(running.endpoint.connections)
        await eventually(lambda: all(one.condition("corp") == "ready" for one in connections))
        for _ in range(200):
            people.become("no_controller")
            people.become("ready")
            await asyncio.sleep(0)
        people.become("service_account")
        await eventually(lambda: all(one.condition("corp") == "service_account" for one in connections))
        assert running.endpoint.connections == connections


async def test_without_domains_the_agent_answers_for_all(tmp_path: Path, people: FakeDirectories) -> None:
    """One directory and no routing."""
    people.domains = ()
    async with relay(tmp_path) as running, agent(tmp_path, running, people) as made:
        assert running.endpoint.connections[0].opened is not None
        assert running.endpoint.connections[0].opened.domains == ("*",)
        await running.authenticator.authenticate(attempt(ANNA, "right"))
        assert made.outcomes == {"success": 1}


# -- the end


async def test_stopping_drains_what_is_in_flight(tmp_path: Path, logs: list[EventDict]) -> None:
    """Both who are being checked get their answer, then the agent says goodbye."""
    gated = GatedDirectories({ANNA: "right", "bob@corp.example.com": "right"})
    async with relay(tmp_path) as running, agent(tmp_path, running, gated, drain_timeout=10.0) as made:
        checks = [asyncio.create_task(signed_in(running, user)) for user in gated.people]
        await eventually(lambda: len(gated.binds) == 2)
        made.stop()
        await eventually(lambda: events(logs, "agent.draining"))
        await eventually(lambda: not any(connection.usable for connection in running.endpoint.connections))
        late = await running.authenticator.authenticate(attempt("carl@corp.example.com", "right"))
        assert late.outcome is Outcome.NO_AGENT
        assert not any(check.done() for check in checks)
        gated.gate.set()
        assert await asyncio.gather(*checks) == [Outcome.SUCCESS, Outcome.SUCCESS]
        await eventually(lambda: events(logs, "agent.stopped"))
    assert events(logs, "agent.draining")[0]["in_flight"] == 2
    assert events(logs, "agent.drain_cut_short") == []


async def signed_in(running: Relay, user: str) -> Outcome | None:
    return (await running.authenticator.authenticate(attempt(user, "right"))).outcome


async def test_draining_ends_when_its_time_is_up(tmp_path: Path, logs: list[EventDict]) -> None:
    """A bind that never ends does not hold the process; the person is asked to try again."""
    gated = GatedDirectories({ANNA: "right"})
    async with relay(tmp_path) as running:
        async with agent(tmp_path, running, gated, drain_timeout=0.1):
            check = asyncio.create_task(signed_in(running, ANNA))
            await eventually(lambda: gated.binds)
        assert await check is Outcome.TRY_AGAIN
        gated.gate.set()
    assert events(logs, "agent.drain_cut_short")[0]["in_flight"] == 1


async def test_stopping_while_no_relay_is_there_is_quick(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """It does not wait for the next try."""
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        await running.administration.revoke("agent1", "stolen", "test")
        async with running_agent(state, people, tmp_path):
            await eventually(lambda: len(events(logs, "relay.retry")) == 2)
            started = time.monotonic()
    assert time.monotonic() - started < 4.0
    assert events(logs, "agent.stopped")


async def test_cancelling_ends_it_without_draining(tmp_path: Path, people: FakeDirectories) -> None:
    """And leaves no task behind."""
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        made = Agent(agent_settings(tmp_path), state, people, software="test")
        task = asyncio.create_task(made.run())
        await eventually(lambda: len(running.endpoint.connections) == 2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: not running.endpoint.connections)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("keep ")]


# -- settings that change meanwhile


async def test_a_replaced_ca_file_is_taken_without_being_told(
    tmp_path: Path, people: FakeDirectories, logs: list[EventDict]
) -> None:
    """The relay's certificate comes from another authority from now on: connections to come believe it."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people, status_interval=0.02):
        write_certificates(tmp_path / "tls", dns_name="localhost", address="127.0.0.1")
        await eventually(lambda: events(logs, "tls_ca_file.renewed"))
        await running.housekeeping.tidy()  # the relay takes its half
        running.endpoint.close_agent("agent1", CloseCode.GOING_AWAY, "once more")
        await eventually(lambda: not running.endpoint.connections)
        await eventually(lambda: len(running.endpoint.connections) == 2)
    assert events(logs, "relay.unreachable") == []


async def test_a_way_to_the_relays_that_cannot_be_used_is_not_taken(tmp_path: Path, people: FakeDirectories) -> None:
    """The settings that it is about are named; the way before is used."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people) as made:
        with pytest.raises(Unfit) as refused:
            await made.reload(agent_settings(tmp_path, tls_ca_file=tmp_path / "gone.pem"))
        assert refused.value.key == ("core", "tls_ca_file")
        await made.reload(agent_settings(tmp_path))
        running.endpoint.close_agent("agent1", CloseCode.GOING_AWAY, "once more")
        await eventually(lambda: not running.endpoint.connections)
        await eventually(lambda: len(running.endpoint.connections) == 2)
