"""A peer that has proved who it is and then does too much: what it can make the other end keep, compute and store."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certs import Role
from gateway.protocol import AgentFacts, CloseCode, PeerTrust
from gateway.protocol.messages import Announce, Drain, PairKey, Ping, Pong
from gateway.protocol.sealing import REKEY_AT_LEAST, SealKey, announcement_text
from tests.gateway.protocol.test_session import NOW, AgentEnd, Ends, World, closed


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


@pytest.mark.parametrize("end", ["relay", "agent"])
def test_who_asks_on_and_on_and_reads_nothing_fills_no_memory(world: World, end: str) -> None:
    """One pong waits, the newest: it says all that a pong can say. Other words keep their place before it."""
    ends = world.open()
    source, target = (ends.agent, ends.relay) if end == "relay" else (ends.relay, ends.agent)
    for number in range(50):
        source.unsent.extend(Ping(NOW + number + part / 256) for part in range(256))
        for frame in source.frames():
            target.receive(frame, NOW + number)
    assert target.unsent == [Pong(NOW + 49 + 255 / 256, NOW + 49)]
    target.drain()
    source.unsent.append(Ping(NOW + 60))
    for frame in source.frames():
        target.receive(frame, NOW + 60)
    assert target.unsent == [Pong(NOW + 49 + 255 / 256, NOW + 49), Drain(), Pong(NOW + 60, NOW + 60)]


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
