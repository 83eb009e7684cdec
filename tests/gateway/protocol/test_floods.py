"""A peer that has proved who it is and then does too much: what it can make the other end keep, compute and store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from certs import Role
from gateway.protocol import AgentFacts, CloseCode, PeerTrust
from gateway.protocol.events import Closed, Event, RenewalRequested
from gateway.protocol.messages import Announce, Capacity, Drain, PairKey, Ping, Pong, Report
from gateway.protocol.relay_session import RENEW_AT_LEAST, UNASKED_A_SECOND, UNASKED_AT_ONCE
from gateway.protocol.sealing import REKEY_AT_LEAST, SealKey, announcement_text
from tests.gateway.protocol.test_session import NOW, AgentEnd, Ends, World, closed


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("end", ["relay", "agent"])
def test_who_asks_on_and_on_and_reads_nothing_fills_no_memory(world: World, end: str) -> None:
    """One pong waits, the newest: it says all that a pong can say. Other words keep their place before it."""
    ends = world.open()
    source, target, at_once = (ends.agent, ends.relay, 2) if end == "relay" else (ends.relay, ends.agent, 256)
    for number in range(50):
        source.unsent.extend(Ping(NOW + number + part / at_once) for part in range(at_once))
        for frame in source.frames():
            target.receive(frame, NOW + number)
    assert target.unsent == [Pong(NOW + 49 + (at_once - 1) / at_once, NOW + 49)]
    target.drain()
    source.unsent.append(Ping(NOW + 60))
    for frame in source.frames():
        target.receive(frame, NOW + 60)
    assert target.unsent == [Pong(NOW + 49 + (at_once - 1) / at_once, NOW + 49), Drain(), Pong(NOW + 60, NOW + 60)]


UNASKED: dict[str, Callable[[int], object]] = {
    "pings": lambda number: Ping(NOW + number),
    "pongs": lambda _: Pong(NOW, NOW),
    "reports": lambda _: Report("directories", 1, b""),
    "capacities": lambda number: Capacity(number),
    "drains": lambda _: Drain(),
}


@pytest.mark.parametrize("kind", UNASKED)
def test_an_agent_that_says_too_much_is_ended(world: World, kind: str) -> None:
    """In one frame or in many; what an honest one says is far below."""

    def say(number: int, now: float) -> None:
        ends.agent.unsent.extend(UNASKED[kind](counted) for counted in range(number))
        for frame in ends.agent.frames():
            ends.relay.receive(frame, now)

    ends = world.open()
    left = int(ends.relay._unasked)
    say(left, NOW)
    assert ends.relay.closed is None
    for second in range(1, 3600):
        say(2, NOW + second)
    assert ends.relay.closed is None
    say(UNASKED_AT_ONCE, NOW + 7200)
    assert ends.relay.closed is None
    say(1, NOW + 7200)
    assert closed(ends).code == CloseCode.UNEXPECTED
    assert closed(ends).detail == "more messages than anybody asked for"


def test_a_clock_that_is_set_back_gives_no_more_and_takes_nothing(world: World) -> None:
    """The budget comes back with the time that passes from then on."""
    ends = world.open()
    ends.relay._check_unasked(NOW - 1000)
    before = ends.relay._unasked
    ends.relay._check_unasked(NOW - 1000)
    assert ends.relay._unasked == before - 1
    ends.relay._check_unasked(NOW - 990)
    assert ends.relay._unasked == UNASKED_AT_ONCE - 1


def test_who_is_pinged_more_often_may_say_more(world: World) -> None:
    """Four words for each interval of the pings, beside what anybody may say in a second."""
    ends = world.open()
    ends.relay.ping_interval = 0.5
    ends.relay._check_unasked(NOW)
    ends.relay._unasked = 1.0
    ends.relay._check_unasked(NOW + 1)
    assert ends.relay._unasked == UNASKED_A_SECOND + 8.0


def test_certificates_one_after_the_other_end_the_session(world: World) -> None:
    """Each costs the relay a signature, refused or not."""

    def renew(now: float) -> list[Event]:
        ends.agent.send_renewal(b"csr")
        return [event for frame in ends.agent.frames() for event in ends.relay.receive(frame, now)]

    ends = world.open()
    assert renew(NOW) == [RenewalRequested(b"csr")]
    assert renew(NOW + RENEW_AT_LEAST) == [RenewalRequested(b"csr")]
    (ended,) = renew(NOW + 2 * RENEW_AT_LEAST - 0.1)
    assert isinstance(ended, Closed)
    assert (ended.code, ended.detail) == (CloseCode.UNEXPECTED, "certificates asked for too soon after each other")


def announce(ends: Ends, world: World, now: float) -> bool:
    """A further seal key, as an agent signs it; whether the relay made a pair key of it."""
    key = SealKey().public
    text = announcement_text("agent1", ends.relay.session_id, key)
    ends.agent.unsent.append(Announce(key, world.agent.sign(text)))
    for frame in ends.agent.frames():
        ends.relay.receive(frame, now)
    return any(isinstance(message, PairKey) for message in ends.relay.unsent)


def test_seal_keys_one_after_the_other_end_the_session(world: World) -> None:
    """Each costs the relay a signature and two key exchanges, on the loop that serves everybody."""
    ends = world.open()
    assert not announce(ends, world, NOW + REKEY_AT_LEAST - 0.1)
    assert closed(ends).code == CloseCode.UNEXPECTED
    ends = world.open()
    assert announce(ends, world, NOW + REKEY_AT_LEAST)
    assert announce(ends, world, NOW + 2 * REKEY_AT_LEAST)
    assert ends.relay.closed is None
    announce(ends, world, NOW + 2 * REKEY_AT_LEAST + 1)
    assert closed(ends).code == CloseCode.UNEXPECTED
    assert closed(ends).detail == "seal keys announced too soon after each other"


@pytest.mark.parametrize(
    "said",
    [{"software": "1\0"}, {"software": "1\x1b[2J"}, {"domains": ("corp", "a\0b")}, {"domains": ("\x9b",)}],
)
def test_an_agent_says_nothing_of_itself_that_cannot_be_stored_or_shown(world: World, said: dict[str, object]) -> None:
    """One NUL, and no relay could write who is connected any more: PostgreSQL does not take it."""
    facts = replace(AgentFacts(instance="i1", capacity=8, domains=("corp",), software="1"), **said)  # type: ignore[arg-type]
    ends = world.ends()
    ends.agent = AgentEnd(world.agent, PeerTrust(world.authority.certificate, Role.RELAY), facts, now=NOW)
    ends.pump()
    assert closed(ends).code == CloseCode.MALFORMED
