"""Which agents are asked about a person, whose answer is taken, and what is never taken for `gone`."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from gateway.protocol import AccountId, Group, Identity, LookUpRequest, Outcome
from gateway.relay.lookups import LookedUp, LookUpMetrics, PersonQuestion, PersonState, RelayLookUps, lookups
from tests.gateway.relay.agents.exchange import Exchange, Station, World, in_virtual_time

GUID = "3f1c5a0e-0000-4000-8000-000000000001"
ANNA = AccountId("9d1c", GUID)
IDENTITY = Identity(
    object_guid=GUID,
    user_name="anna@corp.example.com",
    domain="corp.example.com",
    directory="9d1c",
    groups=(Group("S-1", "Engineering"),),
)
CORP = "corp.example.com"
OTHER = Identity(object_guid="other", user_name="anna", domain=CORP, directory="9d1c")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


class Asking(Exchange):
    """Agents in memory, and somebody who asks about people."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.registry = CollectorRegistry()
        self.lookups = RelayLookUps(self.dispatcher, LookUpMetrics(self.registry), self.clock)

    def ask(self, *agents: str, **fields: Any) -> asyncio.Task[LookedUp]:
        given = {"account": ANNA, "domain": CORP, "agents": agents, "correlation_id": "c0ffee", **fields}
        return asyncio.create_task(self.lookups.look_up(PersonQuestion(**given)))

    def counted(self) -> dict[str, float]:
        """Look-ups by outcome."""
        found = {}
        for line in generate_latest(self.registry).decode().splitlines():
            if line.startswith("isthmus_lookups_total{"):
                outcome, count = line.split('"')[1], float(line.rpartition(" ")[2])
                if count:
                    found[outcome] = count
        return found


@pytest.fixture
def asking(world: World) -> Asking:
    """Without an agent yet."""
    return Asking(world)


def say(station: Station, status: str = "live", **fields: Any) -> None:
    """Answer the oldest request."""
    given = {"identity": IDENTITY, "status": status, "password_set": 12.5, **fields}
    station.answer(Outcome.SUCCESS, **given)


async def result(asking: Asking, task: asyncio.Task[LookedUp]) -> LookedUp:
    await asking.settle()
    assert task.done()
    return await task


@in_virtual_time
async def test_an_answer_says_who_it_is(asking: Asking) -> None:
    """With the agent and the moment; the request says whom, what, and for whom."""
    agent = asking.agent("agent1", CORP)
    pending = asking.ask(attributes=("department",))
    await asking.settle()
    body = agent.requests[0].body
    assert isinstance(body, LookUpRequest)
    assert (body.directory, body.object_guid, body.domain) == ("9d1c", GUID, CORP)
    assert (body.attributes, body.correlation_id) == (("department",), "c0ffee")
    say(agent, withheld=("department",))
    found = await result(asking, pending)
    assert (found.state, found.identity, found.password_set) == (PersonState.LIVE, IDENTITY, 12.5)
    assert (found.agent, found.at, found.withheld) == ("agent1", asking.clock(), ("department",))
    assert asking.counted() == {"live": 1}


@in_virtual_time
async def test_those_who_checked_the_password_are_asked_first_and_in_order(asking: Asking) -> None:
    """Who does not know the person gives the question back, and the next one gets it; each agent once."""
    for number, name in enumerate(("a", "b", "c", "d")):
        asking.agent(name, CORP, latency=number)
    asking.agent("c", CORP)  # a second connection of the same agent
    pending = asking.ask("c", "gone-agent", "b", "c")
    asked = []
    for _ in range(3):
        await asking.settle()
        station = next(station for station in asking.stations if station.open)
        asked.append(station.connection.name)
        if asked[-1] == "a":
            say(station)
        else:
            station.refuse("not_mine")
    assert asked == ["c", "b", "a"]
    assert (await result(asking, pending)).agent == "a"


@pytest.mark.parametrize(
    ("reason", "why"), [("not_mine", "not_mine"), ("limit", "limit"), ("busy", "busy"), ("late", "lost")]
)
def test_a_refusal_is_never_taken_for_gone(asking: Asking, reason: str, why: str) -> None:
    """Nobody knows, and the operator is told why."""

    @in_virtual_time
    async def run() -> None:
        agent = asking.agent("agent1", CORP)
        pending = asking.ask()
        await asking.settle()
        agent.refuse(reason)
        found = await result(asking, pending)
        assert (found.state, found.why, found.identity) == (PersonState.UNCHECKED, why, None)
        assert asking.counted() == {why: 1}

    run()


@pytest.mark.parametrize(
    ("outcome", "fields", "why"),
    [
        (Outcome.NO_DIRECTORY, {}, "no_directory"),
        (Outcome.TIMED_OUT, {}, "timed_out"),
        (Outcome.WRONG_CREDENTIAL, {"status": "gone"}, "lost"),
        (Outcome.SUCCESS, {"status": "on_leave", "identity": IDENTITY}, "unreadable"),
        (Outcome.SUCCESS, {"status": "unchecked", "identity": IDENTITY}, "unreadable"),
        (Outcome.SUCCESS, {"status": "", "identity": IDENTITY}, "unreadable"),
        (Outcome.SUCCESS, {"status": "live", "account": ANNA}, "unreadable"),
        (Outcome.SUCCESS, {"status": "gone", "identity": IDENTITY}, "unreadable"),
        (Outcome.SUCCESS, {"status": "gone", "account": AccountId("9d1c", "other")}, "not_believed"),
        (Outcome.SUCCESS, {"status": "gone", "account": AccountId("e71l", GUID)}, "not_believed"),
        (Outcome.SUCCESS, {"status": "gone"}, "not_believed"),
        (
            Outcome.SUCCESS,
            {
                "status": "disabled",
                "identity": Identity(object_guid="other", user_name="anna", domain=CORP, directory="9d1c"),
            },
            "not_believed",
        ),
    ],
)
def test_what_says_nothing_about_that_account_is_no_answer(
    asking: Asking, outcome: Outcome, fields: dict[str, Any], why: str
) -> None:
    """An outage, a word that is not known, half an answer, an answer about somebody else: nothing ends by it, or is kept."""

    @in_virtual_time
    async def run() -> None:
        agent = asking.agent("agent1", CORP)
        for _ in range(2):
            pending = asking.ask()
            await asking.settle()
            agent.answer(outcome, **fields)
            found = await result(asking, pending)
            assert (found.state, found.why) == (PersonState.UNCHECKED, why)
        assert asking.counted() == {why: 2}

    run()


@in_virtual_time
async def test_gone_is_what_the_directorys_own_agent_says(asking: Asking) -> None:
    """About exactly that account."""
    agent = asking.agent("agent1", CORP)
    pending = asking.ask()
    await asking.settle()
    say(agent, "gone", identity=None, account=ANNA)
    found = await result(asking, pending)
    assert (found.state, found.agent, found.identity) == (PersonState.GONE, "agent1", None)


@in_virtual_time
async def test_nobody_to_ask_is_told_at_once(asking: Asking) -> None:
    """No agent at all, only others' agents though they are named, or agents of before: nobody knows."""
    found = await result(asking, asking.ask())
    assert (found.why, found.outage) == ("no_agent", True)
    asking.agent("evil", "evil.example")
    asking.agent("older", CORP, capabilities=("verify", "change"))
    found = await result(asking, asking.ask("evil", "older"))
    assert (found.state, found.why, found.outage) == (PersonState.UNCHECKED, "not_offered", False)
    assert all(station.requests == [] for station in asking.stations)


class Doubting:
    """Believes nothing that is said of Anna."""

    async def doubt(self, *_about: object) -> str:
        return "it names directory 9d1c, but evil.example is bound to e71l"


@in_virtual_time
async def test_an_agent_that_may_not_speak_of_the_account_ends_nobodys_session(asking: Asking) -> None:
    """What a sign-in's answer would not be believed, a look-up's is not either."""
    asking.dispatcher._bindings = Doubting()  # type: ignore[assignment]
    agent = asking.agent("agent1", CORP)
    pending = asking.ask()
    await asking.settle()
    with structlog.testing.capture_logs() as logs:
        say(agent, "gone", identity=None, account=ANNA)
        found = await result(asking, pending)
    assert (found.state, found.why) == (PersonState.UNCHECKED, "not_believed")
    assert "agent.not_believed" in [entry["event"] for entry in logs]


@in_virtual_time
async def test_an_agent_that_is_silent_costs_three_seconds_and_two_of_them_six(asking: Asking) -> None:
    """The next one is asked, and somebody waits for a page meanwhile."""
    asking.agent("a", CORP)
    second = asking.agent("b", CORP, latency=1.0)
    pending = asking.ask()
    await asking.pass_time(3.1)
    assert len(second.requests) == 1
    say(second)
    assert (await result(asking, pending)).agent == "b"
    pending = asking.ask(max_age=0.0)
    await asking.pass_time(6.2)
    found = await result(asking, pending)
    assert (found.state, found.why) == (PersonState.UNCHECKED, "timed_out")


@in_virtual_time
async def test_a_connection_that_is_lost_is_an_outage(asking: Asking) -> None:
    """Not an account that is gone."""
    agent = asking.agent("agent1", CORP)
    pending = asking.ask()
    await asking.settle()
    agent.hang_up()
    assert (await result(asking, pending)).why == "lost"


@in_virtual_time
async def test_no_more_agents_are_asked_than_are_worth_it(asking: Asking) -> None:
    """In a forest with fifty agents nobody waits for all of them."""
    for number in range(12):
        asking.agent(f"agent{number}", CORP)
    pending = asking.ask()
    for _ in range(12):
        await asking.settle()
        for station in asking.stations:
            if station.open:
                station.refuse("not_mine")
    assert (await result(asking, pending)).why == "not_mine"
    assert sum(len(station.requests) for station in asking.stations) == lookups.MOST_AGENTS


@in_virtual_time
async def test_sign_ins_come_first(asking: Asking) -> None:
    """Half of an agent's room is theirs: look-ups take none of it, and wait for nobody."""
    agent = asking.agent("agent1", CORP, capacity=4)
    signing_in = await asking.occupy(agent, 2)
    assert (await result(asking, asking.ask())).why == "busy"
    assert len(agent.requests) == 2
    for task in signing_in:
        task.cancel()


@in_virtual_time
async def test_an_answer_is_kept_for_a_moment(asking: Asking) -> None:
    """As long as whoever asks lets it be old; other attributes are another question."""
    agent = asking.agent("agent1", CORP)
    pending = asking.ask()
    await asking.settle()
    say(agent)
    first = await result(asking, pending)
    await asking.pass_time(9.0)
    assert await result(asking, asking.ask()) is first
    assert len(agent.requests) == 1
    for fields in ({"attributes": ("title",)}, {"max_age": 5.0}, {"max_age": 0.0}):
        pending = asking.ask(**fields)
        await asking.settle()
        say(agent)
        await result(asking, pending)
    assert len(agent.requests) == 4
    await asking.pass_time(11.0)
    pending = asking.ask()
    await asking.settle()
    assert len(agent.requests) == 5
    say(agent, "disabled")
    assert (await result(asking, pending)).state is PersonState.DISABLED
    assert asking.counted() == {"live": 4, "cached": 1, "disabled": 1}


@in_virtual_time
async def test_what_is_kept_is_bounded(asking: Asking) -> None:
    """Whoever was asked about longest ago goes first."""
    agent = asking.agent("agent1", CORP)
    for number in range(lookups.MOST_KEPT + 10):
        account = AccountId("9d1c", f"guid{number}")
        pending = asking.ask(account=account)
        await asyncio.sleep(0)
        while not agent.open:
            agent.carry()
            await asyncio.sleep(0)
        say(agent, "gone", identity=None, account=account)
        while not pending.done():
            agent.carry()
            await asyncio.sleep(0)
    assert len(asking.lookups._kept) == lookups.MOST_KEPT
    assert asking.lookups._under_way == {}


@in_virtual_time
async def test_nothing_is_kept_that_nobody_wants_any_more(asking: Asking) -> None:
    """With photos in them a thousand answers are 100 MB: those of the last minute stay, with the next one the others go."""
    agent = asking.agent("agent1", CORP)
    for title, kept in (("a", 1), ("b", 2), ("c", 1)):
        pending = asking.ask(attributes=(title,))
        await asking.settle()
        say(agent)
        await result(asking, pending)
        assert len(asking.lookups._kept) == kept
        await asking.pass_time(lookups.KEPT_FOR - 1 if title == "a" else lookups.KEPT_FOR + 1)


@in_virtual_time
async def test_many_who_ask_the_same_are_one_question(asking: Asking) -> None:
    """A hundred refreshes at once take one of the agent's look-ups; who goes away takes it from nobody."""
    agent = asking.agent("agent1", CORP)
    pending = [asking.ask() for _ in range(100)]
    await asking.settle()
    assert len(agent.requests) == 1
    pending[0].cancel()
    await asking.settle()
    say(agent)
    await asking.settle()
    assert [task.result().state for task in pending[1:]] == [PersonState.LIVE] * 99


@in_virtual_time
async def test_so_many_at_once_and_no_more(asking: Asking) -> None:
    """A flood of questions takes no memory without end."""
    asking.agent("agent1", CORP, capacity=2_000)
    pending = [asking.ask(account=AccountId("9d1c", f"guid{number}")) for number in range(lookups.MOST_AT_ONCE + 5)]
    await asking.settle()
    busy = [task for task in pending if task.done()]
    assert [task.result().why for task in busy] == ["busy"] * 5
    for task in pending:
        task.cancel()


@in_virtual_time
async def test_a_name_is_asked_of_its_domains_agents(asking: Asking) -> None:
    """Whatever account it turns out to be; nobody by that name is gone in that directory."""
    asking.agent("other", "other.example")
    agent = asking.agent("agent1", CORP)
    pending = asking.ask(account=None, domain="", user_name="Anna@CORP.example.com")
    await asking.settle()
    say(agent)
    assert (await result(asking, pending)).identity == IDENTITY
    pending = asking.ask(account=None, domain="", user_name="nobody@corp.example.com")
    await asking.settle()
    say(agent, "gone", identity=None, account=AccountId("9d1c", ""))
    assert (await result(asking, pending)).state is PersonState.GONE
