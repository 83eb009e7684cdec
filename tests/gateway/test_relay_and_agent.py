"""Relay and agent over real HTTPS and websockets, in front of a fake directory."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import structlog

import directory
from certs import MachineIdentity
from gateway.app import Relay, init, serving
from gateway.protocol import AccountId, AgentFacts, AnswerBody, CloseCode, Outcome
from gateway.relay.agents import Task
from gateway.store import StoreUnavailable
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, alarms, attempt, enrolled, eventually, relay, server_settings

ANNA = "anna@corp.example.com"


@pytest.fixture
def people() -> FakeDirectories:
    return FakeDirectories({ANNA: "right"})


async def test_a_right_password_signs_in_and_brings_the_identity(tmp_path: Path, people: FakeDirectories) -> None:
    """The whole way and back."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        verdict = await running.authenticator.authenticate(attempt(ANNA, "right"))
    assert verdict.outcome is Outcome.SUCCESS
    assert verdict.identity is not None
    assert verdict.identity.user_name == ANNA
    assert verdict.identity.groups[0].name == "Engineering"
    assert verdict.agent == "agent1"


async def test_an_entry_of_any_size_signs_in_and_costs_nobody_the_agent(tmp_path: Path, people: FakeDirectories) -> None:
    """A name of 1.1 MB, a photo of 2: the identity comes without them, the trail says so, the connection stays."""
    people.about = {"display_name": "x" * 1_100_000, "attributes": {"jpegPhoto": (b"\xff" * 2_000_000,), "l": ("Oslo",)}}
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        verdicts = [await running.authenticator.authenticate(attempt(ANNA, "right")) for _ in range(3)]
        entries = await running.administration.audit(limit=3, before=None, kind="signin", subject="")
    assert [verdict.outcome for verdict in verdicts] == [Outcome.SUCCESS] * 3
    identity = verdicts[2].identity
    assert identity is not None
    assert (identity.display_name, identity.attributes) == ("", {"l": ("Oslo",)})
    assert "jpegPhoto" in str(entries)


async def test_a_wrong_password_is_refused(tmp_path: Path, people: FakeDirectories) -> None:
    """A refused credential is a result."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        verdict = await running.authenticator.authenticate(attempt(ANNA, "wrong"))
    assert verdict.outcome is Outcome.WRONG_CREDENTIAL
    assert verdict.identity is None


async def test_an_empty_password_asks_nobody(tmp_path: Path, people: FakeDirectories) -> None:
    """AD would take it for an anonymous bind."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        verdict = await running.authenticator.authenticate(attempt(ANNA, ""))
    assert verdict.outcome is Outcome.WRONG_CREDENTIAL
    assert people.binds == []


async def test_without_an_agent_nobody_is_blamed(tmp_path: Path) -> None:
    """No agent is an outage, and no attempt is counted."""
    async with relay(tmp_path) as running:
        for _ in range(20):
            verdict = await running.authenticator.authenticate(attempt(ANNA, "right"))
            assert verdict.outcome is Outcome.NO_AGENT


async def test_agents_answer_for_their_own_domains_only(tmp_path: Path, people: FakeDirectories) -> None:
    """A name of another forest finds no agent."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        verdict = await running.authenticator.authenticate(attempt("anna@other.example.com", "right"))
    assert verdict.outcome is Outcome.NO_AGENT


async def test_an_agent_answers_only_for_the_domains_of_its_token(tmp_path: Path, people: FakeDirectories) -> None:
    """An agent of another forest that claims ours, and everything else, is not asked: nor after its renewal."""
    people.domains = ("corp.example.com", "corp", "*")
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1", ("Other.example.com",))
        with structlog.testing.capture_logs() as logs:
            async with agent(tmp_path, running, people, state_dir=state):
                pass
        told = [line["domains"] for line in logs if line["event"] == "agent.claims_too_much"]
        assert set(map(tuple, told)) == {("corp", "corp.example.com")}  # `*` says nothing: an agent cannot help claiming it
        async with agent(tmp_path, running, people, state_dir=state) as made:
            for name in (ANNA, "CORP\\anna", "anna"):
                verdict = await running.authenticator.authenticate(attempt(name, "right"))
                assert verdict.outcome is Outcome.NO_AGENT
            assert people.binds == []
            people.domains = ("other.example.com",)
            before = made.identity.serial
            assert made.renew_now()
            await eventually(lambda: made.identity.serial != before)
            assert running.registry.allowed("agent1", made.identity.serial) == ("other.example.com",)


async def test_a_stopping_agent_finishes_what_is_in_flight(tmp_path: Path, people: FakeDirectories) -> None:
    """SIGTERM drains."""
    people.delay = 0.3
    async with relay(tmp_path) as running:
        async with agent(tmp_path, running, people):
            pending = asyncio.create_task(running.authenticator.authenticate(attempt(ANNA, "right")))
            await eventually(lambda: people.binds)
        assert (await pending).outcome is Outcome.SUCCESS


async def test_an_agent_without_directory_hands_over_to_another(tmp_path: Path, people: FakeDirectories) -> None:
    """Nothing was bound, so another agent may try."""
    cut_off = FakeDirectories({}, outcome=directory.CheckOutcome.NO_DIRECTORY)
    async with (
        relay(tmp_path) as running,
        agent(tmp_path, running, cut_off, "cut-off"),
        agent(tmp_path, running, people, "well-placed"),
    ):
        verdicts = [await running.authenticator.authenticate(attempt(ANNA, "right")) for _ in range(6)]
    assert {verdict.outcome for verdict in verdicts} == {Outcome.SUCCESS}
    assert len(people.binds) == 6


async def test_a_revoked_agent_is_cut_off_at_once_and_stays_out(tmp_path: Path, people: FakeDirectories) -> None:
    """Revocation counts for live sessions and for new ones."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people, reconnect_ceiling=0.2):
        ended = await running.administration.revoke("agent1", "stolen", "test")
        assert ended == 2
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.NO_AGENT
        await asyncio.sleep(0.5)
        assert running.endpoint.connections == []


async def test_a_renewal_that_cannot_be_written_is_refused_and_the_agent_stays(
    tmp_path: Path, people: FakeDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks again later; the certificate that it has is good for days."""

    def full(*_row: Any, **_rows: Any) -> None:
        raise StoreUnavailable("relay.db", "database or disk is full", "make room")

    with structlog.testing.capture_logs() as logs:
        async with relay(tmp_path) as running, agent(tmp_path, running, people) as made:
            await eventually(lambda: sum(made.state.connected.values()) == 2)
            monkeypatch.setattr("gateway.store.unit.add_agent", full)
            before = made.identity.serial
            assert made.renew_now()
            await eventually(lambda: [entry for entry in logs if entry["event"] == "certificate.renewal_refused"])
            assert made.identity.serial == before
            assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
            assert len(running.endpoint.connections) == 2


async def test_why_an_agent_left_is_in_the_log(tmp_path: Path, people: FakeDirectories) -> None:
    """Code and reason of whoever ended it."""
    with structlog.testing.capture_logs() as logs:
        async with relay(tmp_path) as running:
            async with agent(tmp_path, running, people, "leaving") as made:
                await eventually(lambda: sum(made.state.connected.values()) == 2)
            async with agent(tmp_path, running, people, "revoked", reconnect_ceiling=0.2):
                await running.administration.revoke("revoked", "stolen", "test")
                await eventually(lambda: not running.endpoint.connections)
    told = {
        (entry["agent"], entry["code"], entry["reason"], entry["by_agent"])
        for entry in logs
        if entry["event"] == "agent.disconnected"
    }
    assert told == {
        ("leaving", CloseCode.GOING_AWAY, "agent is stopping", True),
        ("revoked", CloseCode.REVOKED, "revoked: stolen", False),
    }


async def test_a_backdoored_agent_is_quarantined_by_a_canary(tmp_path: Path) -> None:
    """It says yes to a person who does not exist."""
    backdoored = FakeDirectories({}, accept_anything=True)
    async with relay(tmp_path) as running, agent(tmp_path, running, backdoored):
        outcome = await running.canaries.probe(running.endpoint.connections[0])
        assert outcome is Outcome.SUCCESS
        await eventually(lambda: not running.endpoint.connections)
        views = await running.administration.agents()
        assert views[0].revoked_at is not None
        assert "quarantined" in views[0].revoked_why
        assert await alarms(running, "agent.quarantined")


async def test_an_honest_agent_survives_its_canary(tmp_path: Path, people: FakeDirectories) -> None:
    """It says no, and stays."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        assert await running.canaries.probe(running.endpoint.connections[0]) is Outcome.WRONG_CREDENTIAL
        assert len(running.endpoint.connections) == 2


async def test_a_cloned_identity_raises_an_alert(tmp_path: Path, people: FakeDirectories) -> None:
    """Two live processes under one name."""
    async with relay(tmp_path) as running:
        state = await enrolled(tmp_path, running, "agent1")
        async with agent(tmp_path, running, people, state_dir=state), agent(tmp_path, running, people, state_dir=state):
            assert {entry.subject for entry in await alarms(running, "agent.cloned")} == {"agent1"}


async def test_the_connections_of_one_process_are_no_clones(tmp_path: Path, people: FakeDirectories) -> None:
    """Each agent has two."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        assert len(running.endpoint.connections) == 2
        assert await running.administration.audit(limit=50, before=None, kind="alert.agent.cloned", subject="") == []


async def test_a_renewed_certificate_replaces_the_old_one(tmp_path: Path, people: FakeDirectories) -> None:
    """Renewal goes over the session, with a new key."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people) as made:
        before = made.identity.serial
        assert made.renew_now()
        await eventually(lambda: made.identity.serial != before)
        assert running.registry.status("agent1", made.identity.serial) == "enrolled"


async def test_a_relay_renews_its_own_certificate_while_it_runs(tmp_path: Path) -> None:
    """Two thirds of thirty days after its start, and the next handshake shows the new one."""
    settings = server_settings(tmp_path)
    init(settings, name="relay1", now=time.time())
    ahead = 0.0
    async with serving(settings, clock=lambda: time.time() + ahead) as running:
        before = MachineIdentity.load(tmp_path / "relay" / "identity")
        await running.housekeeping.tidy()
        assert running.endpoint.identity.certificate_der == before.certificate_der
        ahead = 25 * 86400.0
        await running.housekeeping.tidy()
        after = MachineIdentity.load(tmp_path / "relay" / "identity")
        assert after.not_after > before.not_after
        assert running.endpoint.identity.certificate_der == after.certificate_der


async def test_an_enrolment_token_is_good_for_once(tmp_path: Path) -> None:
    """The second redemption is refused."""
    from gateway.agent import EnrolmentFailed, enrol
    from tests.support.relay_and_agent import agent_settings

    async with relay(tmp_path) as running:
        token = await running.administration.create_token("agent1", "test", any_domain=True)
        await enrol(agent_settings(tmp_path), tmp_path / "first", token.text, time.time())
        with pytest.raises(EnrolmentFailed, match="used"):
            await enrol(agent_settings(tmp_path), tmp_path / "second", token.text, time.time())


async def test_many_at_once_are_all_answered(tmp_path: Path, people: FakeDirectories) -> None:
    """More than the agent's capacity: the rest waits and is served."""
    users = {f"user{number}@corp.example.com": "right" for number in range(100)}
    people.people |= users
    async with relay(tmp_path) as running, agent(tmp_path, running, people, capacity=4):
        verdicts = await asyncio.gather(
            *(running.authenticator.authenticate(attempt(user, "right", throttled=False)) for user in users)
        )
    assert {verdict.outcome for verdict in verdicts} == {Outcome.SUCCESS}


# -- what costs one request, and what one connection


async def test_an_answer_that_is_too_large_costs_one_sign_in(tmp_path: Path, people: FakeDirectories) -> None:
    """The agent says so, nobody is asked twice, and the connection stays."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        connections = list(running.endpoint.connections)
        people.about = {"domain": "x" * 1_100_000}  # what the agent itself has no bound for
        verdict = await running.authenticator.authenticate(attempt(ANNA, "right"))
        assert verdict.outcome is Outcome.NO_DIRECTORY
        assert people.binds == [ANNA]
        people.about = {}
        verdict = await running.authenticator.authenticate(attempt(ANNA, "right"))
        assert verdict.outcome is Outcome.SUCCESS
        assert running.endpoint.connections == connections


async def test_agent_and_relay_of_different_age_work_together(
    tmp_path: Path, people: FakeDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each says what the other never heard of: a message, a report, a capability, an outcome. It costs one sign-in."""
    monkeypatch.setattr("gateway.agent.agent.AgentFacts", partial(AgentFacts, capabilities=("verify", "telepathy")))
    async with relay(tmp_path) as running, agent(tmp_path, running, people) as made:
        connections = list(running.endpoint.connections)
        for connection in connections:
            assert connection.capabilities == {"verify", "telepathy"}
            connection.session._outbox.append(["?news", {"of": "the relay"}])
            connection.wake.set()
        for live in made._live:
            assert live.session is not None
            live.session.send_report("weather", 9, b"rain")
            live.session._outbox.append(["?news", {"of": "the agent"}])
            live.poke()
        with monkeypatch.context() as newer:
            newer.setattr("gateway.agent.validator._answer", lambda *_: AnswerBody("smartcard_required"))  # type: ignore[arg-type]
            verdict = await running.authenticator.authenticate(attempt(ANNA, "right"))
        assert verdict.outcome is Outcome.TRY_AGAIN
        assert (await running.authenticator.authenticate(attempt(ANNA, "right"))).outcome is Outcome.SUCCESS
        changed = await running.authenticator.change_password(attempt(ANNA, "right"), "Winter-2026!")
        assert changed.outcome is Outcome.NO_AGENT  # none states that operation
        assert running.endpoint.connections == connections


def fail_to_write(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on this end has nothing that it could send."""

    def fail() -> list[bytes]:
        raise RuntimeError("a defect")

    monkeypatch.setattr(session, "frames", fail)


@pytest.mark.parametrize("end", ["relay", "agent"])
async def test_a_writer_that_fails_ends_its_connection_immediately(
    tmp_path: Path, people: FakeDirectories, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Both ends know within a moment, not after 30 s of silence; the agent comes back, and the next sign-in works."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people) as made:
        (connection, *_) = running.endpoint.connections
        if end == "relay":
            fail_to_write(connection.session, monkeypatch)
            connection.wake.set()
        else:
            (live,) = [live for live in made._live if live.session.session_id == connection.session.session_id]  # type: ignore[union-attr]
            fail_to_write(live.session, monkeypatch)
            live.poke()
        async with asyncio.timeout(3):
            await eventually(lambda: connection not in running.endpoint.connections)
            assert connection.session.closed is not None
            await eventually(lambda: len(running.endpoint.connections) == 2)
        verdict = await running.authenticator.authenticate(attempt(ANNA, "right"))
        assert verdict.outcome is Outcome.SUCCESS


async def test_what_an_agent_that_cannot_write_had_not_begun_goes_to_another(
    tmp_path: Path, people: FakeDirectories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may not bind either: its `begun` never went out."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people) as made:
        for live in made._live:
            fail_to_write(live.session, monkeypatch)
        async with agent(tmp_path, running, FakeDirectories({ANNA: "right"}), "other"):
            async with asyncio.timeout(5):
                verdicts = [await running.authenticator.authenticate(attempt(ANNA, "right")) for _ in range(3)]
        assert [verdict.outcome for verdict in verdicts] == [Outcome.SUCCESS] * 3
        assert [verdict.agent for verdict in verdicts] == ["other"] * 3
        assert people.binds == []


# -- accounts


def a_task(running: Relay, password: str) -> Task:
    return Task("verify", ANNA, password, "", time.time() + 10, "c0ffee")


async def test_every_answer_says_whose_account_it_is_about(tmp_path: Path, people: FakeDirectories) -> None:
    """Refusals included."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        for password in ("right", "wrong"):
            body = (await running.dispatcher.dispatch(a_task(running, password))).body
            assert body.subject == AccountId("9d1c", "3f1c" + ANNA.encode().hex())
