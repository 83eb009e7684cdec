"""Which agent is asked and who is asked next: real connections and sessions in memory, and time that is not waited for."""

from __future__ import annotations

import asyncio
import random

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.protocol import (
    DIRECTORIES_REPORT,
    OPERATIONS,
    READINESS,
    READINESS_REPORT,
    AccountId,
    AnswerBody,
    CloseCode,
    DirectoriesReport,
    DirectoryState,
    Outcome,
    ReadinessReport,
    encode,
)
from gateway.relay.agents import dispatch
from gateway.relay.agents.dispatch import Dispatched, account_of, domain_of
from tests.gateway.relay.agents.exchange import (
    BEGIN,
    SILENCE,
    TIMEOUT,
    Exchange,
    Station,
    VirtualTimeLoop,
    World,
    in_virtual_time,
    outcome,
)
from tests.support.examples import examples


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture
def exchange(world: World) -> Exchange:
    """Without an agent yet."""
    return Exchange(world)


# -- whose it is


@pytest.mark.parametrize(
    ("user", "domain"),
    [
        ("anna@corp.example.com", "corp.example.com"),
        ("Anna@CORP.Example.COM", "corp.example.com"),
        ("CORP\\anna", "corp"),
        ("CORP\\anna@elsewhere.example.com", "corp"),
        ("anna", ""),
        ("", ""),
        ("@", ""),
        ("anna@", ""),
        ("@corp", "corp"),
        ("\\", ""),
        ("\\anna@corp", ""),
        ("CORP\\", "corp"),
        ("corp\\sub\\anna", "corp"),
        ("anna@first@second", "second"),
        ("anna@*", "*"),
        ("STRASSE@GRÜN.example", "grün.example"),
        ("anna@ corp ", "corp"),
        ("CORP \\ anna", "corp"),
        ("\u200eCORP\\anna", "corp"),  # pasted
        ("anna@corp.example.com\u200b", "corp.example.com"),
        ("\ufeffanna@corp\u00a0", "corp"),
    ],
)
def test_the_domain_of_a_name(user: str, domain: str) -> None:
    """UPN suffix, NetBIOS name, or none."""
    assert domain_of(user) == domain


@given(st.text())
def test_any_name_has_a_domain_or_none(user: str) -> None:
    """Whatever a stranger types, it is lower case, and a bare name has none."""
    domain = domain_of(user)
    assert domain == domain.lower()
    if "@" not in user and "\\" not in user:
        assert domain == ""


VISIBLE = st.text(st.characters(exclude_categories=["Cf", "Cs"]))


@given(st.text(), VISIBLE.filter(lambda text: "@" not in text and "\\" not in text))
def test_a_upn_belongs_to_its_last_suffix(local: str, suffix: str) -> None:
    """Nothing that is written before the last @ changes that."""
    assert domain_of(f"{local.replace(chr(92), '')}@{suffix}") == suffix.strip().lower()


@given(VISIBLE.filter(lambda text: "\\" not in text), st.text())
def test_a_netbios_name_stands_before_the_first_backslash(netbios: str, rest: str) -> None:
    """Nothing that is written behind it changes that."""
    assert domain_of(f"{netbios}\\{rest}") == netbios.strip().lower()


# -- who is asked


@in_virtual_time
async def test_nobody_there_is_told_at_once(exchange: Exchange) -> None:
    """It is not waited for somebody who may never come."""
    pending = exchange.sign_in()
    await exchange.settle()
    assert await outcome(pending) == (Outcome.NO_AGENT, "")
    assert exchange.dispatcher.outstanding == exchange.dispatcher.waiting == 0


@in_virtual_time
async def test_the_answer_comes_back_with_the_agents_name(exchange: Exchange) -> None:
    """And whether it had begun."""
    station = exchange.agent("agent1")
    pending = exchange.sign_in()
    await exchange.settle()
    assert exchange.dispatcher.outstanding == 1
    assert station.begin()
    station.answer(Outcome.SUCCESS, detail="dc1")
    await exchange.settle()
    assert (await pending) == Dispatched(AnswerBody(Outcome.SUCCESS, detail="dc1"), "agent1", begun=True)
    assert exchange.dispatcher.outstanding == 0


@in_virtual_time
async def test_the_least_loaded_for_its_capacity_is_asked(exchange: Exchange) -> None:
    """Three of ten are less than one of two."""
    large = exchange.agent("large", capacity=10)
    await exchange.occupy(large, 3)
    small = exchange.agent("small", capacity=2)
    for user in ("first", "second"):
        exchange.sign_in(user)
        await exchange.settle()
    assert small.asked == ["first"]
    assert large.asked[3:] == ["second"]


@in_virtual_time
async def test_the_load_is_spread_evenly(exchange: Exchange) -> None:
    """By capacity, to the last place."""
    stations = [exchange.agent(f"agent{capacity}", capacity=capacity) for capacity in (2, 4, 6)]
    for number in range(6):
        exchange.sign_in(f"user{number}")
        await exchange.settle()
    assert [len(station.asked) for station in stations] == [1, 2, 3]
    for number in range(6):
        exchange.sign_in(f"more{number}")
        await exchange.settle()
    assert [len(station.asked) for station in stations] == [2, 4, 6]


@in_virtual_time
async def test_the_nearer_of_two_equals_is_asked(exchange: Exchange) -> None:
    """Latency breaks the tie, and only the tie."""
    far, near = exchange.agent("far", latency=0.2), exchange.agent("near", latency=0.01)
    for user in ("first", "second"):
        exchange.sign_in(user)
        await exchange.settle()
    assert near.asked == ["first"]
    assert far.asked == ["second"]


@in_virtual_time
async def test_who_let_a_request_lie_is_asked_last(exchange: Exchange) -> None:
    """However idle it is, until it says a word."""
    silent, busy = exchange.agent("silent", latency=0.01), exchange.agent("busy", latency=0.9)
    exchange.sign_in("first")
    await exchange.pass_time(SILENCE + 0.01)
    assert (silent.asked, busy.asked) == (["first"], ["first"])
    for user in ("second", "third"):
        exchange.sign_in(user)
        await exchange.settle()
    assert busy.asked == ["first", "second", "third"]
    silent.ping()
    await exchange.settle()
    exchange.sign_in("fourth")
    await exchange.settle()
    assert silent.asked == ["first", "fourth"]


@in_virtual_time
async def test_a_suspect_is_better_than_nobody(exchange: Exchange) -> None:
    """It is asked where there is no other."""
    silent = exchange.agent("silent")
    exchange.sign_in("first")
    await exchange.pass_time(SILENCE + 0.01)
    pending = exchange.sign_in("second")
    await exchange.settle()
    silent.answer(Outcome.SUCCESS)
    await exchange.settle()
    assert await outcome(pending) == (Outcome.SUCCESS, "silent")


@in_virtual_time
async def test_who_claims_a_domain_comes_before_who_takes_all(exchange: Exchange) -> None:
    """Even where the others are idle and nearer; case does not matter."""
    everybodys = exchange.agent("everybodys", "*", latency=0.001)
    named = exchange.agent("named", "corp.example.com", "corp", latency=0.5)
    for user in ("anna@corp.example.com", "CORP\\ben", "clara@Corp.Example.Com"):
        exchange.sign_in(user)
        await exchange.settle()
    assert everybodys.asked == []
    for user in ("dora", "emil@other.example.com", "OTHER\\felix", "greta@sub.corp.example.com"):
        exchange.sign_in(user)
        await exchange.settle()
    assert everybodys.asked == ["dora", "emil@other.example.com", "OTHER\\felix", "greta@sub.corp.example.com"]
    assert named.asked == ["anna@corp.example.com", "CORP\\ben", "clara@Corp.Example.Com"]


@in_virtual_time
async def test_one_agent_is_asked_about_one_account_however_it_is_spelt(exchange: Exchange) -> None:
    """Two that do not know of each other's attempts could spend more of them than either would."""
    names = ("corp.example.com", "corp", "*")
    stations = [exchange.agent(f"agent{number}", *names, capacity=8) for number in range(3)]
    for _ in range(2):
        for user in ("ben@corp.example.com", "CORP\\ben", "Ben"):
            exchange.sign_in(user)
            await exchange.settle()
    assert sorted(len(station.asked) for station in stations) == [0, 0, 6]


@in_virtual_time
async def test_an_account_is_tied_to_an_agent_for_a_minute(exchange: Exchange) -> None:
    """One agent counts its wrong passwords best; but who was busy once is not asked permanently."""
    first = exchange.agent("agent1")
    await exchange.occupy(first, 1)
    exchange.sign_in()
    await exchange.settle()
    first.answer(number=first.open[-1])
    await exchange.settle()
    second = exchange.agent("agent2")
    asked = len(first.asked)
    await exchange.pass_time(59.0)
    exchange.sign_in()
    await exchange.settle()
    assert (len(first.asked), len(second.asked)) == (asked + 1, 0)
    first.answer(number=first.open[-1])
    await exchange.pass_time(61.0)
    exchange.sign_in()
    await exchange.settle()
    assert (len(first.asked), len(second.asked)) == (asked + 1, 1)


@in_virtual_time
async def test_an_account_is_not_tied_to_an_agent_that_let_a_request_lie(exchange: Exchange) -> None:
    """Whoever was asked there a moment ago does not wait for it again."""
    silent, other = exchange.agent("silent", latency=0.01), exchange.agent("other", latency=0.9)
    exchange.sign_in("anna")
    await exchange.settle()
    silent.answer()
    await exchange.settle()
    exchange.sign_in("ben")
    await exchange.pass_time(SILENCE + 0.01)
    assert (silent.asked, other.asked) == (["anna", "ben"], ["ben"])
    exchange.sign_in("anna")
    await exchange.settle()
    assert other.asked == ["ben", "anna"]


@in_virtual_time
async def test_an_agent_without_room_is_not_asked_for_the_sake_of_an_account(exchange: Exchange) -> None:
    """It would refuse, and the account would have waited for that."""
    first, second = exchange.agent("first", capacity=1), exchange.agent("second", capacity=1, latency=1.0)
    with structlog.testing.capture_logs() as logs:
        for _ in range(2):
            exchange.sign_in("anna")
            await exchange.settle()
    assert len(first.asked) == len(second.asked) == 1
    assert logs == []


@in_virtual_time
async def test_a_promised_agent_that_begins_to_leave_is_not_asked(exchange: Exchange) -> None:
    """Its room became free for somebody who waits, and in the same moment it said that it drains."""
    station = exchange.agent("agent1", capacity=1)
    await exchange.occupy(station, 1)
    waiting = exchange.sign_in("first")
    await exchange.settle()
    with structlog.testing.capture_logs() as logs:
        station.answer()
        station.carry()
        await asyncio.sleep(0)  # the busy one has its answer, and the first in the queue is woken
        station.end.drain()
        station.carry()
        await exchange.settle()
    assert station.asked == ["busy0@other.example.com"]
    assert await outcome(waiting) == (Outcome.NO_AGENT, "")
    assert logs == []  # no request was refused there


@in_virtual_time
async def test_an_answer_about_nobody_does_not_forget_whose_name_it_is(exchange: Exchange) -> None:
    """An outage, or an agent that found nobody this time."""
    first, second = exchange.agent("first"), exchange.agent("second", latency=1.0)
    anna = AccountId("9d1c", "anna")
    for account in (anna, None):
        exchange.sign_in("4711")
        await exchange.settle()
        first.answer(account=account)
        await exchange.settle()
    first.connection.latency = 2.0
    exchange.sign_in("4711")
    await exchange.settle()
    assert (len(first.asked), second.asked) == (3, [])
    assert exchange.dispatcher._accounts["4711"]


@in_virtual_time
async def test_an_account_is_not_tied_to_an_agent_that_cannot(exchange: Exchange) -> None:
    """Busy, silent or gone: another one is asked, at once."""
    first, second = exchange.agent("first", "corp", capacity=1), exchange.agent("second", "corp", capacity=1)
    exchange.sign_in("anna@corp")
    await exchange.settle()
    exchange.sign_in("anna@corp")
    await exchange.settle()
    assert len(first.asked) == len(second.asked) == 1


@in_virtual_time
async def test_a_name_that_nobody_claims_is_nobodys(exchange: Exchange) -> None:
    """An agent with domains of its own is asked about no others, nor about bare names."""
    station = exchange.agent("agent1", "corp.example.com", "corp")
    users = ("anna@other.example.com", "anna", "", "@", "\\", "OTHER\\anna@corp.example.com", "a@corp.example.com@x")
    for user in users:
        pending = exchange.sign_in(user)
        await exchange.settle()
        assert await outcome(pending) == (Outcome.NO_AGENT, "")
    assert station.asked == []


@in_virtual_time
async def test_what_an_administrator_does_not_let_an_agent_answer_for_is_not_asked_of_it(exchange: Exchange) -> None:
    """However much it claims, `*` included."""
    greedy = exchange.agent("greedy", "corp", "other", "*")
    assert greedy.connection.opened is not None
    greedy.connection.open(greedy.connection.opened, allowed=("corp", "third"))
    exchange.dispatcher.connections_changed()
    for user in ("anna@corp", "anna@other", "anna@third", "anna"):
        exchange.sign_in(user)
        await exchange.settle()
    assert greedy.asked == ["anna@corp"]


@in_virtual_time
async def test_a_star_in_a_name_is_no_way_to_everybodys_agent(exchange: Exchange) -> None:
    """`anna@*` is a name like any other: it is asked where unclaimed names are."""
    named, everybodys = exchange.agent("named", "corp"), exchange.agent("everybodys", "*")
    exchange.sign_in("anna@*")
    await exchange.settle()
    assert (named.asked, everybodys.asked) == ([], ["anna@*"])


@pytest.mark.parametrize("end", ["agent drains", "relay drains", "agent closes", "relay closes", "connection breaks"])
@in_virtual_time
async def test_who_is_leaving_is_never_asked(exchange: Exchange, end: str) -> None:
    """Neither end's goodbye is overheard."""
    leaving, staying = exchange.agent("leaving"), exchange.agent("staying", latency=1.0)
    {
        "agent drains": leaving.end.drain,
        "relay drains": leaving.connection.session.drain,
        "agent closes": lambda: leaving.end.close(CloseCode.GOING_AWAY, "bye"),
        "relay closes": lambda: leaving.connection.close(CloseCode.GOING_AWAY, "bye"),
        "connection breaks": leaving.hang_up,
    }[end]()
    await exchange.settle()
    for number in range(6):
        exchange.sign_in(f"user{number}")
        await exchange.settle()
    assert leaving.asked == []
    assert len(staying.asked) == 4
    assert exchange.dispatcher.waiting == 2


@in_virtual_time
async def test_where_all_are_leaving_there_is_nobody(exchange: Exchange) -> None:
    """A person is told so at once."""
    exchange.agent("agent1").end.drain()
    await exchange.settle()
    pending = exchange.sign_in()
    await exchange.settle()
    assert await outcome(pending) == (Outcome.NO_AGENT, "")


@in_virtual_time
async def test_a_draining_agent_finishes_what_it_has(exchange: Exchange) -> None:
    """Its answer still counts."""
    station = exchange.agent("agent1")
    pending = exchange.sign_in()
    await exchange.settle()
    station.end.drain()
    await exchange.settle()
    assert station.begin()
    station.answer(Outcome.SUCCESS)
    await exchange.settle()
    assert await outcome(pending) == (Outcome.SUCCESS, "agent1")


@in_virtual_time
async def test_among_many_the_one_that_can_is_found(exchange: Exchange) -> None:
    """However few are compared: the full, the leaving, the suspect and those of other domains are not asked."""
    for number in range(25):
        exchange.agent(f"full{number % 5}", "corp", capacity=1)
        exchange.agent(f"leaving{number % 5}", "corp").connection.session.drain()
        exchange.agent(f"foreign{number % 5}", "other")
        exchange.agent(f"suspect{number % 5}", "corp").connection.suspect = True
    full = [station for station in exchange.stations if station.connection.name.startswith("full")]
    for number in range(len(full)):
        exchange.sign_in(f"busy{number}@corp")
        await exchange.settle()
    assert [len(station.asked) for station in full] == [1] * len(full)
    able = exchange.agent("able", "corp", latency=1.0)
    for number in range(4):
        exchange.sign_in(f"user{number}@corp")
        await exchange.settle()
    assert able.asked == [f"user{number}@corp" for number in range(4)]


# -- who is asked next


@pytest.mark.parametrize("loss", ["hang up", "busy", "draining", "late", "unsealable", "no directory"])
@in_virtual_time
async def test_what_was_not_begun_is_handed_over(exchange: Exchange, loss: str) -> None:
    """To each of the others once, the nearest first; the person notices nothing."""
    stations = [exchange.agent(f"agent{number}", latency=number / 100) for number in range(3)]
    pending = exchange.sign_in()
    for station in stations[:2]:
        await exchange.settle()
        assert station.asked == ["anna@corp.example.com"]
        if loss == "hang up":
            station.hang_up()
        elif loss == "no directory":
            station.answer(Outcome.NO_DIRECTORY)
        else:
            station.refuse(loss)
    await exchange.settle()
    stations[2].answer(Outcome.SUCCESS)
    await exchange.settle()
    assert await outcome(pending) == (Outcome.SUCCESS, "agent2")
    assert [len(station.asked) for station in stations] == [1, 1, 1]
    assert exchange.dispatcher.outstanding == 0


@in_virtual_time
async def test_a_directory_out_of_reach_of_all_is_said_so(exchange: Exchange) -> None:
    """Nobody is asked twice for it."""
    stations = [exchange.agent(f"agent{number}") for number in range(2)]
    pending = exchange.sign_in()
    for _ in stations:
        await exchange.settle()
        next(station for station in stations if station.open).answer(Outcome.NO_DIRECTORY)
    await exchange.settle()
    assert (await outcome(pending))[0] is Outcome.NO_DIRECTORY
    assert [len(station.asked) for station in stations] == [1, 1]


@in_virtual_time
async def test_no_directory_after_a_bind_has_begun_is_final(exchange: Exchange) -> None:
    """The bind may have reached one all the same."""
    first, second = exchange.agent("first"), exchange.agent("second", latency=1.0)
    pending = exchange.sign_in()
    await exchange.settle()
    assert first.begin()
    first.answer(Outcome.NO_DIRECTORY)
    await exchange.settle()
    assert await outcome(pending) == (Outcome.NO_DIRECTORY, "first")
    assert second.asked == []


@pytest.mark.parametrize("said", [outcome for outcome in Outcome if outcome is not Outcome.NO_DIRECTORY])
@in_virtual_time
async def test_what_a_directory_said_is_final(exchange: Exchange, said: Outcome) -> None:
    """Nobody else is asked for a second opinion."""
    first, second = exchange.agent("first"), exchange.agent("second", latency=1.0)
    pending = exchange.sign_in()
    await exchange.settle()
    first.answer(said)
    await exchange.settle()
    assert await outcome(pending) == (said, "first")
    assert second.asked == []


@pytest.mark.parametrize("end", ["hang up", "agent closes", "relay closes"])
@in_virtual_time
async def test_an_agent_lost_after_it_had_begun_ends_the_attempt(exchange: Exchange, end: str) -> None:
    """A second bind could cost a bad-password count."""
    first, second = exchange.agent("first"), exchange.agent("second", latency=1.0)
    pending = exchange.sign_in()
    await exchange.settle()
    assert first.begin()
    await exchange.settle()
    if end == "hang up":
        first.hang_up()
    elif end == "agent closes":
        first.end.close(CloseCode.GOING_AWAY, "bye")
    else:
        first.connection.close(CloseCode.REVOKED, "revoked")
    await exchange.settle()
    assert await outcome(pending) == (Outcome.TRY_AGAIN, "first")
    assert (await pending).begun
    assert second.asked == []
    assert exchange.dispatcher.outstanding == 0


@in_virtual_time
async def test_a_silent_agents_request_goes_elsewhere_and_it_may_not_begin_it_any_more(exchange: Exchange) -> None:
    """So nobody is bound twice."""
    silent, other = exchange.agent("silent"), exchange.agent("other", latency=1.0)
    pending = exchange.sign_in()
    await exchange.pass_time(BEGIN)
    assert other.asked == []
    await exchange.pass_time(SILENCE - BEGIN + 0.01)
    assert other.asked == ["anna@corp.example.com"]
    assert silent.cancelled == [silent.requests[0].id]
    assert not silent.begin(silent.requests[0].id)
    assert other.begin()
    other.answer(Outcome.SUCCESS)
    await exchange.settle()
    assert await outcome(pending) == (Outcome.SUCCESS, "other")


@in_virtual_time
async def test_begun_in_time_is_waited_for_until_the_deadline(exchange: Exchange) -> None:
    """A slow directory is no reason to ask anybody else."""
    slow, other = exchange.agent("slow"), exchange.agent("other", latency=1.0)
    pending = exchange.sign_in()
    await exchange.pass_time(BEGIN - 0.1)
    assert slow.begin()
    await exchange.pass_time(TIMEOUT - BEGIN)
    assert not pending.done()
    slow.answer(Outcome.SUCCESS)
    await exchange.settle()
    assert await outcome(pending) == (Outcome.SUCCESS, "slow")
    assert other.asked == []


@in_virtual_time
async def test_the_deadline_ends_it(exchange: Exchange) -> None:
    """The agent is told; what it answers later is dropped and does no harm."""
    slow = exchange.agent("slow")
    pending = exchange.sign_in()
    await exchange.settle()
    assert slow.begin()
    await exchange.pass_time(TIMEOUT - 0.1)
    assert not pending.done()
    await exchange.pass_time(0.2)
    assert await outcome(pending) == (Outcome.TIMED_OUT, "slow")
    number = slow.requests[0].id
    assert slow.cancelled == [number]
    assert exchange.dispatcher.outstanding == 0
    slow.answer(Outcome.SUCCESS, number)
    await exchange.settle()
    assert slow.connection.usable


@in_virtual_time
async def test_a_deadline_before_the_agent_must_begin_counts_too(exchange: Exchange) -> None:
    """Whoever has little time left does not get more by silence."""
    exchange.agent("silent")
    pending = exchange.sign_in(timeout=2.0)
    await exchange.pass_time(2.01)
    assert await outcome(pending) == (Outcome.TIMED_OUT, "silent")


@in_virtual_time
async def test_one_after_the_other_is_silent_within_one_deadline(exchange: Exchange) -> None:
    """Hand-over does not begin the time anew."""
    stations = [exchange.agent(f"agent{number}") for number in range(5)]
    pending = exchange.sign_in(timeout=TIMEOUT - 1)
    await exchange.pass_time(TIMEOUT - 0.99)
    assert (await outcome(pending))[0] is Outcome.TIMED_OUT
    assert sum(len(station.asked) for station in stations) == 3


@in_virtual_time
async def test_an_agent_that_says_it_is_busy_is_not_nobody(exchange: Exchange) -> None:
    """Binds that were given up still take its capacity: the person is told to wait, the operator not to look for it."""
    station = exchange.agent("agent1", capacity=1)
    exchange.sign_in("slow", timeout=5.0)
    await exchange.settle()
    assert station.begin()
    await exchange.pass_time(5.01)
    pending = exchange.sign_in("next")
    await exchange.pass_time(TIMEOUT)
    assert (await outcome(pending))[0] is Outcome.BUSY


# -- all are busy


@in_virtual_time
async def test_who_waits_is_served_in_order(exchange: Exchange) -> None:
    """As places come free, one by one."""
    station = exchange.agent("agent1", capacity=2)
    users = [f"user{number}" for number in range(8)]
    tasks = [exchange.sign_in(user) for user in users]
    await exchange.settle()
    assert exchange.dispatcher.waiting == 6
    while station.open:
        assert station.connection.outstanding <= 2
        station.answer()
        await exchange.settle()
    assert station.asked == users
    assert {(await outcome(task))[0] for task in tasks} == {Outcome.WRONG_CREDENTIAL}
    assert exchange.dispatcher.waiting == exchange.dispatcher.outstanding == 0


@in_virtual_time
async def test_who_comes_later_does_not_overtake(exchange: Exchange) -> None:
    """Not even in the very moment in which a place comes free."""
    station = exchange.agent("agent1", capacity=1)
    await exchange.occupy(station, 1)
    for user in ("first", "second"):
        exchange.sign_in(user)
        await exchange.settle()
    for late in range(3):
        station.answer()
        station.carry()
        exchange.sign_in(f"late{late}")
        await exchange.settle()
    assert station.asked[1:4] == ["first", "second", "late0"]


@in_virtual_time
async def test_nobody_waits_beyond_the_time_that_an_answer_needs(exchange: Exchange) -> None:
    """An agent that were asked later could not begin in time any more."""
    await exchange.occupy(exchange.agent("agent1", capacity=1), 1)
    pending = exchange.sign_in()
    await exchange.pass_time(TIMEOUT - BEGIN - 0.1)
    assert not pending.done()
    await exchange.pass_time(0.2)
    assert await outcome(pending) == (Outcome.BUSY, "")


@in_virtual_time
async def test_who_was_told_busy_waits_no_more(world: World) -> None:
    """And takes nobody's place in the queue."""
    exchange = Exchange(world, queue_limit=2)
    station = exchange.agent("agent1", capacity=1)
    await exchange.occupy(station, 1)
    first = [exchange.sign_in(f"first{number}") for number in range(2)]
    await exchange.pass_time(TIMEOUT)
    assert {await outcome(task) for task in first} == {(Outcome.BUSY, "")}
    assert exchange.dispatcher.waiting == 0
    exchange.sign_in("second")
    await exchange.settle()
    assert exchange.dispatcher.waiting == 1
    station.answer()
    await exchange.settle()
    assert station.asked[1:] == ["second"]


@in_virtual_time
async def test_a_flood_is_told_busy_at_once(world: World) -> None:
    """Only so many may wait."""
    exchange = Exchange(world, queue_limit=3)
    station = exchange.agent("agent1", capacity=1)
    await exchange.occupy(station, 1)
    tasks = [exchange.sign_in(f"user{number}") for number in range(10)]
    await exchange.settle()
    assert exchange.dispatcher.waiting == 3
    assert [await outcome(task) for task in tasks[3:]] == [(Outcome.BUSY, "")] * 7
    for _ in range(4):
        station.answer()
        await exchange.settle()
    assert station.asked[1:] == ["user0", "user1", "user2"]


@in_virtual_time
async def test_without_a_queue_nobody_waits(world: World) -> None:
    """A limit of zero is one."""
    exchange = Exchange(world, queue_limit=0)
    await exchange.occupy(exchange.agent("agent1", capacity=1), 1)
    pending = exchange.sign_in()
    await exchange.settle()
    assert await outcome(pending) == (Outcome.BUSY, "")


@in_virtual_time
async def test_an_agent_that_comes_serves_those_who_wait(exchange: Exchange) -> None:
    """As many as it has room for, in their order."""
    await exchange.occupy(exchange.agent("agent1", capacity=1), 1)
    for number in range(4):
        exchange.sign_in(f"user{number}")
    await exchange.settle()
    helper = exchange.agent("helper", capacity=3)
    await exchange.settle()
    assert helper.asked == ["user0", "user1", "user2"]
    assert exchange.dispatcher.waiting == 1


@in_virtual_time
async def test_an_agent_that_takes_more_serves_those_who_wait(exchange: Exchange) -> None:
    """It said so itself."""
    station = exchange.agent("agent1", capacity=1)
    await exchange.occupy(station, 1)
    for number in range(3):
        exchange.sign_in(f"user{number}")
    await exchange.settle()
    station.end.set_capacity(4)
    await exchange.settle()
    assert station.asked[1:] == ["user0", "user1", "user2"]
    assert exchange.dispatcher.waiting == 0


@in_virtual_time
async def test_an_agent_that_takes_nothing_for_now_is_waited_for(exchange: Exchange) -> None:
    """Capacity zero is no goodbye."""
    station = exchange.agent("agent1", capacity=2)
    station.end.set_capacity(0)
    await exchange.settle()
    pending = exchange.sign_in()
    await exchange.settle()
    assert station.asked == []
    station.end.set_capacity(1)
    await exchange.settle()
    station.answer(Outcome.SUCCESS)
    await exchange.settle()
    assert await outcome(pending) == (Outcome.SUCCESS, "agent1")


@in_virtual_time
async def test_when_the_last_agent_goes_nobody_waits_on(exchange: Exchange) -> None:
    """Those who wait are told at once."""
    station = exchange.agent("agent1", capacity=1)
    await exchange.occupy(station, 1)
    tasks = [exchange.sign_in(f"user{number}") for number in range(3)]
    await exchange.settle()
    station.hang_up()
    await exchange.settle()
    assert [await outcome(task) for task in tasks] == [(Outcome.NO_AGENT, "")] * 3
    assert exchange.dispatcher.waiting == 0


@pytest.mark.parametrize("end", ["drains", "hangs up"])
@in_virtual_time
async def test_a_domain_whose_agents_are_away_is_not_handed_to_those_that_take_all(exchange: Exchange, end: str) -> None:
    """They may be another forest's: its passwords are none of their business, and who waits is told at once."""
    named = exchange.agent("named", "corp", capacity=1)
    await exchange.occupy(named, 1)
    everybodys = exchange.agent("everybodys", "*")
    pending = exchange.sign_in("anna@corp")
    await exchange.settle()
    assert everybodys.asked == []
    if end == "drains":
        named.end.drain()
    else:
        named.hang_up()
    await exchange.settle()
    assert everybodys.asked == []
    assert await outcome(pending) == (Outcome.NO_AGENT, "")


@in_virtual_time
async def test_room_for_one_domain_is_not_lost_on_another(exchange: Exchange) -> None:
    """Who waits longest may have no use for it."""
    north = exchange.agent("north", "north", capacity=1)
    await exchange.occupy(north, 1)
    south = exchange.agent("south", "south", capacity=1)
    await exchange.occupy(south, 1)
    for user in ("anna@north", "ben@south"):
        exchange.sign_in(user)
        await exchange.settle()
    south.answer()
    await exchange.settle()
    assert south.asked[1:] == ["ben@south"]
    north.answer()
    await exchange.settle()
    assert north.asked[1:] == ["anna@north"]


@in_virtual_time
async def test_room_that_is_of_no_use_keeps_ones_place_in_the_queue(exchange: Exchange) -> None:
    """Looking in vain does not send anybody to the end."""
    north = exchange.agent("north", "north", capacity=1)
    await exchange.occupy(north, 1)
    south = exchange.agent("south", "south", capacity=1)
    await exchange.occupy(south, 1)
    for user in ("anna@north", "ben@north"):
        exchange.sign_in(user)
        await exchange.settle()
    south.answer()
    await exchange.settle()
    for _ in range(2):
        north.answer()
        await exchange.settle()
    assert north.asked[1:] == ["anna@north", "ben@north"]


# -- giving up


@pytest.mark.parametrize("begun", [False, True])
@in_virtual_time
async def test_who_is_cancelled_while_being_checked_leaves_nothing_behind(exchange: Exchange, begun: bool) -> None:
    """The agent is told that nobody waits, and the place is free."""
    station = exchange.agent("agent1", capacity=1)
    pending = exchange.sign_in()
    await exchange.settle()
    assert not begun or station.begin()
    await exchange.settle()
    pending.cancel()
    await exchange.settle()
    assert pending.cancelled()
    assert exchange.dispatcher.outstanding == exchange.dispatcher.waiting == 0
    assert station.cancelled == [station.requests[0].id]
    assert station.connection.has_room


@in_virtual_time
async def test_who_is_cancelled_while_waiting_leaves_nothing_behind(world: World) -> None:
    """And takes nobody's place in the queue."""
    exchange = Exchange(world, queue_limit=1)
    station = exchange.agent("agent1", capacity=1)
    await exchange.occupy(station, 1)
    for number in range(3):
        pending = exchange.sign_in(f"user{number}")
        await exchange.settle()
        assert exchange.dispatcher.waiting == 1
        pending.cancel()
        await exchange.settle()
        assert pending.cancelled()
        assert exchange.dispatcher.waiting == 0
    station.answer()
    await exchange.settle()
    assert station.asked == ["busy0@other.example.com"]
    assert exchange.dispatcher.outstanding == 0


@in_virtual_time
async def test_who_is_cancelled_in_the_moment_of_being_served_passes_the_place_on(exchange: Exchange) -> None:
    """The next one gets it, and nobody is checked for whom nobody waits."""
    station = exchange.agent("agent1", capacity=1)
    await exchange.occupy(station, 1)
    first, second = exchange.sign_in("first"), exchange.sign_in("second")
    await exchange.settle()
    station.answer()
    station.carry()
    await asyncio.sleep(0)  # the busy one has its answer, and the first in the queue is woken
    first.cancel()
    await exchange.settle()
    assert first.cancelled()
    assert station.asked[1:] == ["second"]
    station.answer(Outcome.SUCCESS)
    await exchange.settle()
    assert await outcome(second) == (Outcome.SUCCESS, "agent1")
    assert exchange.dispatcher.outstanding == exchange.dispatcher.waiting == 0


@in_virtual_time
async def test_what_cannot_be_sent_leaves_nothing_behind(exchange: Exchange) -> None:
    """A lone surrogate has no UTF-8; it must not cost the agent a place for good."""
    station = exchange.agent("agent1", capacity=1)
    pending = exchange.sign_in("anna\ud800@corp.example.com")
    await exchange.settle()
    assert pending.done()
    pending.exception()
    assert exchange.dispatcher.outstanding == 0
    exchange.sign_in("ben")
    await exchange.settle()
    assert station.asked == ["ben"]


@in_virtual_time
async def test_a_name_that_no_agent_can_read_harms_nobody(exchange: Exchange) -> None:
    """The agent refuses it unread, and stays."""
    station = exchange.agent("agent1")
    pending = exchange.sign_in("a" * 1025)
    await exchange.settle()
    assert (await outcome(pending))[0].is_infrastructure
    assert station.asked == []
    assert station.connection.usable
    assert exchange.dispatcher.outstanding == 0


# -- operations and accounts


@in_virtual_time
async def test_only_agents_that_do_the_operation_are_asked(exchange: Exchange) -> None:
    """An older one is passed over, however near it is; for what it does it is as good as any."""
    older = exchange.agent("older", capabilities=("verify", "telepathy"))
    newer = exchange.agent("newer", latency=1.0)
    change = exchange.sign_in("anna", operation="change")
    await exchange.settle()
    assert (older.asked, newer.asked) == ([], ["anna"])
    newer.answer(Outcome.SUCCESS)
    exchange.sign_in("ben")
    await exchange.settle()
    assert await outcome(change) == (Outcome.SUCCESS, "newer")
    assert older.asked == ["ben"]


@in_virtual_time
async def test_an_operation_that_no_agent_does_waits_for_nobody(exchange: Exchange) -> None:
    """Nor does it wait for room at one that does not do it, and its domain goes to nobody else."""
    older = exchange.agent("older", "north", capacity=1, capabilities=("verify",))
    exchange.agent("other")
    pending = exchange.sign_in("anna@north", operation="change")
    await exchange.settle()
    assert await outcome(pending) == (Outcome.NO_AGENT, "")
    await exchange.occupy(older, 1)
    pending = exchange.sign_in("anna@north", operation="change")
    await exchange.settle()
    assert await outcome(pending) == (Outcome.NO_AGENT, "")


@in_virtual_time
async def test_an_answer_in_unknown_words_is_no_answer(exchange: Exchange) -> None:
    """The person may try again; nobody else is asked, since a bind may have been made, and the agent stays."""
    newer, other = exchange.agent("newer"), exchange.agent("other", latency=1.0)
    pending = exchange.sign_in()
    await exchange.settle()
    newer.answer("smartcard_required")  # type: ignore[arg-type]
    await exchange.settle()
    assert await outcome(pending) == (Outcome.TRY_AGAIN, "newer")
    assert "could not be read" in (await pending).body.detail
    assert other.asked == []
    assert newer.connection.usable
    assert newer.connection.outstanding == 0


@in_virtual_time
async def test_all_names_of_an_account_go_to_the_agent_that_counts_its_wrong_passwords(exchange: Exchange) -> None:
    """Once an answer told whose they are; also such that share no letter."""
    first, second = exchange.agent("first"), exchange.agent("second", latency=1.0)
    anna, ben = AccountId("9d1c", "anna"), AccountId("9d1c", "ben")
    for name, account in (("anna@corp", anna), ("4711", anna), ("ben", ben)):
        exchange.sign_in(name)
        await exchange.settle()
        first.answer(account=account)
        await exchange.settle()
    assert first.asked == ["anna@corp", "4711", "ben"]
    first.connection.latency, second.connection.latency = 2.0, 0.0  # who comes anew goes to the second from now on
    for name, at in (("4711", first), ("ANNA@corp", first), ("carla", second)):
        exchange.sign_in(name)
        await exchange.settle()
        assert at.asked[-1] == name
        at.answer(account=anna if at is first else None)
        await exchange.settle()


@pytest.mark.parametrize("times", [1, 2])
@in_virtual_time
async def test_who_signed_in_is_tied_to_nobody(exchange: Exchange, times: int) -> None:
    """An agent that comes back after a restart has its share at once: nothing was counted that another one would not see."""
    first = exchange.agent("first")
    anna = AccountId("9d1c", "anna")
    for _ in range(times):  # the second time by the digest that the first answer told
        exchange.sign_in("anna")
        await exchange.settle()
        first.answer(Outcome.SUCCESS, account=anna)
        await exchange.settle()
    first.connection.latency = 1.0
    back = exchange.agent("back")
    exchange.sign_in("anna")
    await exchange.settle()
    assert (len(first.asked), back.asked) == (times, ["anna"])


@in_virtual_time
async def test_whose_other_attempt_is_under_way_goes_to_the_same_agent(exchange: Exchange) -> None:
    """Only there it is known that one more password may be wrong."""
    first = exchange.agent("first", capacity=3)
    wrong, right = exchange.sign_in("anna"), exchange.sign_in("anna")
    await exchange.settle()
    exchange.agent("second", capacity=1000)
    first.answer(Outcome.SUCCESS)
    await exchange.settle()
    assert wrong.done() != right.done()
    exchange.sign_in("anna")
    await exchange.settle()
    assert first.asked == ["anna", "anna", "anna"]


@in_virtual_time
async def test_a_new_name_does_not_move_its_account_to_another_agent(exchange: Exchange) -> None:
    """It was asked elsewhere, once, and from then on goes where the others go."""
    first, second = exchange.agent("first"), exchange.agent("second", latency=1.0)
    anna = AccountId("9d1c", "anna")
    exchange.sign_in("anna")
    await exchange.settle()
    first.answer(account=anna)
    await exchange.settle()
    first.connection.latency = 2.0
    exchange.sign_in("4711")
    await exchange.settle()
    second.answer(account=anna)
    await exchange.settle()
    exchange.sign_in("4711")
    await exchange.settle()
    assert (first.asked, second.asked) == (["anna", "4711"], ["4711"])


@in_virtual_time
async def test_names_are_remembered_up_to_a_bound(exchange: Exchange, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name that was learned first is forgotten."""
    monkeypatch.setattr(dispatch, "_STICKY_NAMES", 2)
    station = exchange.agent()
    for number in range(4):
        exchange.sign_in(f"user{number}")
        await exchange.settle()
        station.answer(account=AccountId("9d1c", str(number)))
        await exchange.settle()
    assert list(exchange.dispatcher._accounts) == ["user2", "user3"]
    assert len(exchange.dispatcher._asked_last) == 2


@pytest.mark.parametrize(
    "name",
    [
        "CORP\\anna",
        "anna@corp.example.com",
        " anna ",
        "\uff21\uff2e\uff2e\uff21",
        "corp \\ anna",
        "anna @corp",
        "an\u200bna",
    ],
)
def test_spellings_have_a_part_in_common(name: str) -> None:
    """Widths, case and blanks are no other person; for stickiness, before an answer told."""
    assert account_of(name) == "anna"


# -- reports


@in_virtual_time
async def test_the_report_on_directories_is_kept_and_others_are_left_alone(exchange: Exchange) -> None:
    """So is one that cannot be read: it costs a line in the log."""
    station = exchange.agent()
    body, other = (encode(DirectoriesReport.of({name: "up"}, 0)) for name in ("dc1:636", "dc9:636"))
    for kind, version, content in (
        ("directories", 1, body),
        ("directories", 2, other),
        ("weather", 1, other),
        ("weather", 1, b"\xc1"),
        ("directories", 1, b"\xc1"),
    ):
        station.end.send_report(kind, version, content)
        with structlog.testing.capture_logs() as logs:
            await exchange.settle()
    assert [entry["event"] for entry in logs] == ["agent.report_unreadable"]
    assert station.connection.status == {"dc1:636": "up"}
    assert station.connection.usable


# -- which domains users can sign in to


def report(station: Station, **conditions: str) -> None:
    """The agent says so of the directories of its domains."""
    states = tuple(DirectoryState(domain, (domain,), condition) for domain, condition in conditions.items())
    station.end.send_report(*READINESS_REPORT, encode(ReadinessReport(states)))


REPORTING = (*OPERATIONS, READINESS)


@in_virtual_time
async def test_a_domain_is_ready_where_an_agent_says_so(exchange: Exchange) -> None:
    """One that has just come has not said it yet; one that is ready is enough."""
    first = exchange.agent("first", "north", "south", capabilities=REPORTING)
    assert exchange.dispatcher.conditions() == {"north": "not_checked", "south": "not_checked"}
    report(first, north="no_controller", south="ready")
    await exchange.settle()
    assert exchange.dispatcher.conditions() == {"north": "no_controller", "south": "ready"}
    second = exchange.agent("second", "north", capabilities=REPORTING)
    assert exchange.dispatcher.conditions()["north"] == "no_controller"  # that says more than that nobody has looked
    report(second, north="ready")
    await exchange.settle()
    assert exchange.dispatcher.conditions() == {"north": "ready", "south": "ready"}
    report(first, north="ready")
    await exchange.settle()
    assert exchange.dispatcher.conditions()["south"] == "not_checked"  # it says nothing of that domain any more


@in_virtual_time
async def test_a_domain_without_its_agents_is_not_ready(exchange: Exchange) -> None:
    """Whether they are away, leaving, or cannot check passwords; other domains' agents do not help."""
    first = exchange.agent("first", "north", capabilities=REPORTING)
    everybody = exchange.agent("everybody", "*", capabilities=REPORTING)
    report(first, north="ready")
    everybody.end.send_report(*READINESS_REPORT, encode(ReadinessReport((DirectoryState("x", ("*",), "ready"),))))
    changing = exchange.agent("changing", "south", capabilities=("change", READINESS))
    report(changing, south="ready")
    await exchange.settle()
    assert exchange.dispatcher.conditions() == {"*": "ready", "north": "ready", "south": "no_agent"}
    first.end.drain()
    await exchange.settle()
    assert exchange.dispatcher.conditions()["north"] == "no_agent"
    first.hang_up()
    assert exchange.dispatcher.conditions()["north"] == "no_agent"


@in_virtual_time
async def test_an_agent_of_the_first_version_is_ready_while_one_controller_is_up(exchange: Exchange) -> None:
    """It does not report readiness, and of its controllers not which directory they belong to."""
    older = exchange.agent("older", "north")
    assert exchange.dispatcher.conditions() == {"north": "ready"}
    for states, condition in (({"dc1": "down", "dc2": "up"}, "ready"), ({"dc1": "down", "dc2": "probing"}, "no_controller")):
        older.end.send_report(*DIRECTORIES_REPORT, encode(DirectoriesReport.of(states, 0)))
        await exchange.settle()
        assert exchange.dispatcher.conditions() == {"north": condition}


# -- all of it together


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rng=st.randoms(use_true_random=True), queue_limit=st.sampled_from([0, 3, 100]))
def test_whatever_agents_do_everybody_is_answered_in_time_and_nobody_bound_twice(
    world: World, rng: random.Random, queue_limit: int
) -> None:
    """Agents answer, refuse, fall silent, leave and come back; people give up."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(_live_a_life(world, rng, queue_limit))


async def _live_a_life(world: World, rng: random.Random, queue_limit: int) -> None:
    exchange = Exchange(world, queue_limit=queue_limit)
    people: dict[str, tuple[asyncio.Task[Dispatched], float]] = {}
    for step in range(60):
        if rng.random() < 0.15 or not exchange.dispatcher.connections:
            domains = rng.choice([("*",), ("north",), ("south",), ("north", "south")])
            exchange.agent(f"agent{rng.randrange(4)}", *domains, capacity=rng.randrange(1, 4))
        for number in range(rng.randrange(4)):
            user = f"user{step}-{number}@{rng.choice(['north', 'south', 'west'])}"
            people[user] = exchange.sign_in(user), exchange.clock()
        await exchange.settle()
        for station in exchange.stations:
            if station.connection.session.closed is None:
                _do_something(station, rng)
        if people and rng.random() < 0.1:
            rng.choice(list(people.values()))[0].cancel()
        await exchange.pass_time(rng.choice([0.0, 0.0, 0.1, 1.0, 3.0]))
        for task, since in people.values():
            assert task.done() or exchange.clock() <= since + TIMEOUT + 0.01
    await exchange.pass_time(TIMEOUT + 0.01)
    assert all(task.done() for task, _ in people.values())
    assert exchange.dispatcher.outstanding == exchange.dispatcher.waiting == 0
    begun = [user for station in exchange.stations for user in station.begun]
    assert len(begun) == len(set(begun))


def _do_something(station: Station, rng: random.Random) -> None:
    deed = rng.random()
    if deed < 0.03:
        station.hang_up()
        return
    if deed < 0.05:
        station.end.drain()
    elif deed < 0.1:
        station.end.set_capacity(rng.randrange(4))
    for number in station.open:
        deed = rng.random()
        if deed < 0.5:
            if station.begin(number) and rng.random() < 0.8:
                station.answer(rng.choice([Outcome.SUCCESS, Outcome.WRONG_CREDENTIAL, Outcome.NO_DIRECTORY]), number)
        elif deed < 0.6:
            station.answer(Outcome.NO_DIRECTORY, number)
