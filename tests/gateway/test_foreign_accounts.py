"""An enrolled agent that speaks of people who are none of its domains', over real HTTPS and websockets."""

from __future__ import annotations

import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import directory
from gateway.app import Relay, ServerSettings, serving
from gateway.protocol import AccountId, Outcome
from gateway.relay import Verdict
from gateway.store import GrantRecord, SessionRecord
from tests.support.fakes import FakeDirectories
from tests.support.nodes import TwoNodes
from tests.support.relay_and_agent import agent, alarms, attempt, enrolled, eventually, relay

ANNA, MALLORY = "anna@corp.example.com", "mallory@evil.example"
CORP, GUID = "9d1c", "3f1c" + ANNA.encode().hex()
"""The corporation's directory as it says of itself, and Anna in it: both are readable to many."""
OWN = "e71l"
"""The impostor's own directory."""
_numbers = itertools.count()


@dataclass
class Impostor(FakeDirectories):
    """Claims every domain, and answers what it is told to."""

    domains: tuple[str, ...] = ("evil.example", "corp.example.com", "corp", "*")
    result: directory.CheckResult | None = None

    async def verify(
        self, credential: directory.Credential, *, deadline: float, before_bind: Any = None
    ) -> directory.CheckResult:
        await before_bind()
        assert self.result is not None
        return self.result

    async def change_password(self, name: str, old: str, new: str, *, deadline: float, before_bind: Any = None) -> Any:
        return await self.verify(directory.Credential(name, old), deadline=deadline, before_bind=before_bind)

    def say(self, outcome: directory.CheckOutcome, where: str = CORP, user_name: str = "", **more: Any) -> None:
        """Answer with this from now on, about Anna's object in a directory; with an identity where a name is given."""
        account = directory.DirectoryObject(where, GUID)
        identity = None
        if user_name:
            identity = directory.DirectoryIdentity(GUID, user_name, more.pop("domain", "evil.example"), directory=where)
        self.result = directory.CheckResult(outcome, identity, password_proven=True, account=account)


async def knock(running: Relay, user: str, password: str = "right") -> Verdict:
    asked = attempt(user, password, correlation_id=f"c{next(_numbers)}", throttled=False)
    return await running.authenticator.authenticate(asked)


async def fail(running: Relay, user: str, count: int = 4) -> list[Outcome | None]:
    return [(await knock(running, user, f"wrong{number}")).outcome for number in range(count)]


@pytest.fixture
def people() -> FakeDirectories:
    return FakeDirectories({ANNA: "right"})


@pytest.fixture
def impostor() -> Impostor:
    return Impostor({})


@asynccontextmanager
async def both(home: Path, running: Relay, people: FakeDirectories, impostor: Impostor, **core: Any) -> AsyncIterator[None]:
    """The corporation's agent and the impostor's, each enrolled for its own domains."""
    own = await enrolled(home, running, "corp", ("corp.example.com", "corp"))
    theirs = await enrolled(home, running, "impostor", ("evil.example",))
    async with (
        agent(home, running, people, "corp", own, connections=1, **core),
        agent(home, running, impostor, "impostor", theirs, connections=1, **core),
    ):
        yield


@pytest.fixture
async def attacked(tmp_path: Path, people: FakeDirectories, impostor: Impostor) -> AsyncIterator[Relay]:
    """A relay at which Anna has signed in once."""
    async with relay(tmp_path) as running, both(tmp_path, running, people, impostor):
        assert (await knock(running, ANNA)).outcome is Outcome.SUCCESS
        yield running


SUCCESS, WRONG = directory.CheckOutcome.SUCCESS, directory.CheckOutcome.WRONG_CREDENTIAL


@pytest.mark.parametrize(
    ("where", "user_name", "domain"),
    [
        (CORP, MALLORY, "evil.example"),
        (CORP, ANNA, "corp.example.com"),
        (OWN, ANNA, "evil.example"),
        (OWN, "CORP\\anna", "evil.example"),
        (OWN, MALLORY, "corp.example.com"),
        (OWN, "anna@corp.example.com ", "evil.example"),
    ],
)
async def test_nobody_signs_in_as_somebody_of_another_domain(
    attacked: Relay, impostor: Impostor, where: str, user_name: str, domain: str
) -> None:
    """By the account, or by a name that applications may go by. The operator is told once, the trail says why."""
    impostor.say(SUCCESS, where, user_name, domain=domain)
    for _ in range(2):
        verdict = await knock(attacked, MALLORY)
        assert (verdict.outcome, verdict.identity, verdict.password_proven) == (Outcome.NO_DIRECTORY, None, False)
        changed = await attacked.authenticator.change_password(attempt(MALLORY, "right"), "Longer-2026!")
        assert (changed.outcome, changed.identity) == (Outcome.NO_DIRECTORY, None)
    (alarm,) = await alarms(attacked, "agent.spoke_for_others")
    assert alarm.subject == "impostor"
    (entry, *_) = await attacked.administration.audit(limit=1, before=None, kind="signin", subject=MALLORY)
    assert "not believed" in entry.detail["detail"]
    assert entry.object_guid == ""


async def test_nobody_is_locked_out_by_an_agent_of_another_domain(attacked: Relay, impostor: Impostor) -> None:
    """Its refusals are counted against nobody but the names that were typed."""
    impostor.say(WRONG)
    await fail(attacked, MALLORY, 8)
    assert await attacked.administration.locks() == []
    assert (await knock(attacked, ANNA)).outcome is Outcome.SUCCESS


@pytest.mark.parametrize("outcome", [SUCCESS, directory.CheckOutcome.PASSWORD_EXPIRED])
async def test_nobody_is_unlocked_by_an_agent_of_another_domain(
    attacked: Relay, impostor: Impostor, outcome: directory.CheckOutcome
) -> None:
    """Whatever it says came of it."""
    await fail(attacked, ANNA)
    impostor.say(outcome, CORP, MALLORY if outcome is SUCCESS else "")
    await knock(attacked, MALLORY)
    assert (await knock(attacked, ANNA)).outcome is None
    assert len(await attacked.administration.locks()) == 1


async def test_its_own_people_sign_in(attacked: Relay, impostor: Impostor) -> None:
    """An object that happens to have the same id in another directory is another person."""
    impostor.say(SUCCESS, OWN, MALLORY)
    verdict = await knock(attacked, MALLORY)
    assert verdict.identity is not None
    assert verdict.identity.account == AccountId(OWN, GUID)
    assert [(view.domain, view.directory, view.bound_by) for view in await attacked.administration.bindings()] == [
        ("corp.example.com", CORP, "corp"),
        ("evil.example", OWN, "impostor"),
    ]


async def test_an_attacker_who_comes_first_is_found_and_put_right(
    tmp_path: Path, people: FakeDirectories, impostor: Impostor
) -> None:
    """The directory is bound to the attacker's domain: nobody of the corporation signs in until an administrator has put it
    right, and then every session and grant ends that was made in its name."""
    async with relay(tmp_path) as running, both(tmp_path, running, people, impostor):
        impostor.say(SUCCESS, CORP, MALLORY)
        assert (await knock(running, MALLORY)).identity is not None
        assert (await knock(running, ANNA)).outcome is Outcome.NO_DIRECTORY
        (alarm,) = await alarms(running, "agent.spoke_for_others")
        assert (alarm.subject, "belongs to evil.example" in alarm.detail["detail"]) == ("corp", True)
        now, anna = time.time(), AccountId(CORP, GUID)
        session = SessionRecord(digest=b"d", account=anna, identity=b"", created_at=now, seen_at=now, expires_at=now + 60)
        await running.store.sessions.add(session)
        grant = GrantRecord(
            digest=b"g", trust="wiki", account=anna, details=b"", created_at=now, expires_at=now + 60, idle_at=now + 60
        )
        await running.store.grants.add(grant)
        await running.administration.revoke("impostor", "stolen", "test")
        view = await running.administration.unbind("Evil.Example ", "admin:root")
        assert (view.domain, view.before, view.sessions, view.grants) == ("evil.example", CORP, 1, 1)
        assert await running.store.grants.of_account(anna, now) == []
        assert (await knock(running, ANNA)).outcome is Outcome.SUCCESS
        assert [view.domain for view in await running.administration.bindings()] == ["corp.example.com"]
        (entry,) = await running.administration.audit(limit=9, before=None, kind="admin.directory_unbound", subject="")
        assert (entry.subject, entry.actor, entry.detail) == (
            "evil.example",
            "admin:root",
            {"detail": CORP, "sessions": "1", "grants": "1"},
        )


async def test_a_domain_that_is_bound_beforehand_leaves_nothing_to_come_first_for(
    tmp_path: Path, people: FakeDirectories, impostor: Impostor
) -> None:
    """Before the first agent has answered; a domain that was made anew is bound anew."""
    async with relay(tmp_path) as running, both(tmp_path, running, people, impostor):
        await running.administration.bind("corp.example.com", CORP, "admin:root")
        impostor.say(SUCCESS, CORP, MALLORY)
        assert (await knock(running, MALLORY)).identity is None
        assert (await knock(running, ANNA)).outcome is Outcome.SUCCESS
        view = await running.administration.bind("corp.example.com", "anew", "admin:root")
        assert (view.directory, view.before) == ("anew", CORP)
        assert (await knock(running, ANNA)).outcome is Outcome.NO_DIRECTORY
        people.about = {"directory": "anew"}
        assert (await knock(running, ANNA)).outcome is Outcome.SUCCESS


async def test_bindings_survive_a_restart(settings: ServerSettings, tmp_path: Path, people: FakeDirectories) -> None:
    """And their agents' revocation: whoever is enrolled for the domain later names the same directory."""
    async with serving(settings) as running, agent(tmp_path, running, people):
        await knock(running, ANNA)
        await running.administration.revoke("agent1", "stolen", "test")
    async with serving(settings) as running:
        state = await enrolled(tmp_path, running, "second", ("corp.example.com",))
        other = FakeDirectories({ANNA: "right"}, about={"directory": "another"})
        async with agent(tmp_path, running, other, "second", state):
            assert (await knock(running, ANNA)).outcome is Outcome.NO_DIRECTORY


@pytest.mark.postgres
async def test_what_one_node_has_bound_is_refused_by_the_other_at_once(
    two_nodes: TwoNodes, tmp_path: Path, people: FakeDirectories, impostor: Impostor
) -> None:
    """Before it has read anything anew; what an administrator changes at one counts at the other within two seconds."""
    here, there = two_nodes.relays
    own = await enrolled(tmp_path, here, "corp", ("corp.example.com", "corp"))
    theirs = await enrolled(tmp_path, here, "impostor", ("evil.example",))
    impostor.say(SUCCESS, CORP, MALLORY)
    async with (
        two_nodes.agent(people, "corp", state_dir=own),
        two_nodes.agent(impostor, "impostor", at=(there,), state_dir=theirs),
    ):
        assert (await knock(here, ANNA)).outcome is Outcome.SUCCESS
        assert (await knock(there, MALLORY)).identity is None
        await here.administration.bind("corp.example.com", "anew", "admin:root")

        async def is_refused() -> bool:
            return (await knock(there, ANNA)).outcome is Outcome.NO_DIRECTORY

        await eventually(is_refused, 3)


async def test_agents_that_may_answer_for_any_domain_are_marked(tmp_path: Path, people: FakeDirectories) -> None:
    """Whether or not they are connected."""
    async with relay(tmp_path) as running:
        await enrolled(tmp_path, running, "away")
        state = await enrolled(tmp_path, running, "corp", ("corp.example.com",))
        async with agent(tmp_path, running, people, "any"), agent(tmp_path, running, people, "corp", state):
            views = await running.administration.agents()
    assert [(view.name, view.any_domain) for view in views] == [("any", True), ("away", True), ("corp", False)]
