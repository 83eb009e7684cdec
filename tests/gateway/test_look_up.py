"""Who somebody is without a password, from the relay through real agents, over HTTPS and websockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import directory
from gateway.agent import LookUpSettings
from gateway.app import Relay
from gateway.protocol import AccountId, Identity, Outcome
from gateway.relay import LookedUp, PersonQuestion, PersonState
from tests.support.fakes import FakeDirectories
from tests.support.nodes import TwoNodes
from tests.support.relay_and_agent import agent, attempt, enrolled, relay

ANNA = "anna@corp.example.com"


@pytest.fixture
def people() -> FakeDirectories:
    return FakeDirectories({ANNA: "right"}, offered=("department",), about={"attributes": {"department": ("R&D",)}})


async def sign_in(running: Relay) -> Identity:
    verdict = await running.authenticator.authenticate(attempt(ANNA, "right"))
    assert verdict.outcome is Outcome.SUCCESS
    assert verdict.password_set == 1_700_000_000.0
    assert verdict.identity is not None
    return verdict.identity


async def look_up(running: Relay, identity: Identity, *agents: str, **fields: Any) -> LookedUp:
    given = {"account": identity.account, "domain": identity.domain, "agents": agents, "max_age": 0.0, **fields}
    return await running.lookups.look_up(PersonQuestion(**given))


async def test_whoever_signed_in_is_looked_up_by_account(tmp_path: Path, people: FakeDirectories) -> None:
    """The identity of the sign-in, with the wanted attributes alone; what happens to the account is seen, without a bind."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people):
        identity = await sign_in(running)
        found = await look_up(running, identity, attributes=("department", "title"))
        assert (found.state, found.identity, found.withheld) == (PersonState.LIVE, identity, ("title",))
        assert found.end_reason(1_700_000_000.0) == ""
        people.password_set += 60
        assert (await look_up(running, identity)).end_reason(1_700_000_000.0) == "password_changed"
        people.status[ANNA] = directory.AccountStatus.DISABLED
        assert (await look_up(running, identity)).end_reason(1_700_000_000.0) == "disabled"
        del people.people[ANNA]
        assert (await look_up(running, identity)).state is PersonState.GONE
    assert people.binds == [ANNA]
    lines = running.metrics_text().decode().splitlines()
    assert 'isthmus_lookups_total{outcome="live"} 2.0' in lines


async def test_the_agent_that_checked_the_password_knows_the_person_after_a_restart(
    tmp_path: Path, people: FakeDirectories
) -> None:
    """The other one does not, and is passed over; without the first one nobody knows."""
    async with relay(tmp_path) as running:
        async with agent(tmp_path, running, people, "first"):
            identity = await sign_in(running)
        state = tmp_path / "first"
        async with agent(tmp_path, running, people, "second"):
            alone = await look_up(running, identity, "first")
            async with agent(tmp_path, running, people, "first", state):
                both = await look_up(running, identity)
                named = await look_up(running, identity, "first")
    assert (alone.state, alone.why) == (PersonState.UNCHECKED, "not_mine")
    assert [(found.state, found.agent) for found in (both, named)] == [(PersonState.LIVE, "first")] * 2


async def test_an_agent_that_answers_no_look_ups_states_none(tmp_path: Path, people: FakeDirectories) -> None:
    """It is not asked; its users sign in as ever."""
    off = LookUpSettings(lookups_per_minute=0)
    async with relay(tmp_path) as running, agent(tmp_path, running, people, look_up=off):
        found = await look_up(running, await sign_in(running))
    assert (found.state, found.why) == (PersonState.UNCHECKED, "not_offered")
    assert people.looked_up == []


async def test_an_agents_limit_is_no_reason_to_end_anything(tmp_path: Path, people: FakeDirectories) -> None:
    """Beyond it nobody knows."""
    async with relay(tmp_path) as running, agent(tmp_path, running, people, look_up=LookUpSettings(lookups_per_minute=2)):
        identity = await sign_in(running)
        states = [await look_up(running, identity) for _ in range(3)]
    assert [(found.state.value, found.why) for found in states] == [("live", ""), ("live", ""), ("unchecked", "limit")]


class Liar(FakeDirectories):
    """Says of everybody that they are gone, in whatever directory it was asked about."""

    where = "9d1c"

    async def look_up(self, person: Any, **_: Any) -> directory.FoundPerson:
        return directory.FoundPerson(directory.AccountStatus.GONE, directory.DirectoryObject(self.where, person.object_guid))


async def test_an_agent_of_another_domain_ends_nobodys_session(tmp_path: Path, people: FakeDirectories) -> None:
    """However it is asked: it is not asked about people of a domain that it may not answer for, and not believed about an
    account in a directory that is bound to another domain."""
    liar = Liar({ANNA: "wrong"}, domains=("evil.example", "corp.example.com", "corp", "*"))
    anybody = LookUpSettings(any_person=True)
    async with relay(tmp_path) as running:
        theirs = await enrolled(tmp_path, running, "evil", ("evil.example",))
        async with agent(tmp_path, running, people, "ours", await enrolled(tmp_path, running, "ours", people.domains)):
            identity = await sign_in(running)
        async with agent(tmp_path, running, liar, "evil", theirs, look_up=anybody):
            honest = await look_up(running, identity, "evil")
            sent_there = await look_up(running, identity, "evil", domain="evil.example")
    assert (honest.state, honest.why) == (PersonState.UNCHECKED, "no_agent")
    assert (sent_there.state, sent_there.why) == (PersonState.UNCHECKED, "not_believed")


@pytest.mark.postgres
async def test_a_session_of_one_node_is_checked_at_the_other(two_nodes: TwoNodes, tmp_path: Path) -> None:
    """The agent is connected to both, and knows whom it has checked for either."""
    people = FakeDirectories({ANNA: "right"})
    async with two_nodes.agent(people) as _:
        identity = await sign_in(two_nodes.here)
        found = await look_up(two_nodes.there, identity)
    assert (found.state, found.identity) == (PersonState.LIVE, identity)


async def test_a_name_is_looked_up_where_any_person_may_be(tmp_path: Path, people: FakeDirectories) -> None:
    """For the preview of claims; elsewhere only whoever signed in is found by name."""
    question = PersonQuestion(user_name=ANNA, max_age=0.0)
    async with relay(tmp_path) as running:
        async with agent(tmp_path, running, people, "shy"):
            assert (await running.lookups.look_up(question)).why == "not_mine"
            await sign_in(running)
            assert (await running.lookups.look_up(question)).state is PersonState.LIVE
        async with agent(tmp_path, running, people, "open", look_up=LookUpSettings(any_person=True)):
            found = await running.lookups.look_up(question)
            nobody = await running.lookups.look_up(PersonQuestion(user_name="nobody@corp.example.com"))
    assert found.identity is not None
    assert found.identity.account == AccountId("9d1c", "3f1c" + ANNA.encode().hex())
    assert nobody.state is PersonState.GONE
