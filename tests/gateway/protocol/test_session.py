"""The conversation between agent and relay, without a network: what an attacker between them can do, and cannot."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from certs import Authority, MachineIdentity, Role, VerifiedPeer
from gateway.protocol import (
    OPERATIONS,
    AgentFacts,
    AgentSession,
    AnswerBody,
    CloseCode,
    Group,
    Identity,
    Outcome,
    PeerRevoked,
    PeerTrust,
    RelaySession,
    RequestBody,
    RequestId,
    SessionState,
    VerifyRequest,
    request_body,
)
from gateway.protocol.errors import PeerRefused
from gateway.protocol.events import (
    Answered,
    BegunReceived,
    CapacityChanged,
    Closed,
    DomainsAllowed,
    Event,
    Ignored,
    Measured,
    Opened,
    PeerDraining,
    RenewalAnswered,
    RenewalRequested,
    ReportReceived,
    RequestCancelled,
    RequestReceived,
    RequestRefused,
)
from gateway.protocol.messages import MAX_FRAME, MAX_HANDSHAKE, Answer, Bye, Hello, PairKey, Pong, encode
from gateway.protocol.relay_session import RELAY_CAPABILITIES
from gateway.protocol.trust import IdentitySigner, accept_anyone
from tests.support.examples import examples

NOW = 1_800_000_000.0


class RelayEnd(RelaySession):
    """A relay's end whose records can be forged: `unsent` is what the next one holds."""

    @property
    def unsent(self) -> list[Any]:
        return self._outbox


class AgentEnd(AgentSession):
    """An agent's end whose records can be forged: `unsent` is what the next one holds."""

    @property
    def unsent(self) -> list[Any]:
        return self._outbox


@dataclass
class Impostor:
    """Signs with its own key under its own certificate, and calls itself something else."""

    identity: MachineIdentity
    name: str

    @property
    def certificate_der(self) -> bytes:
        return self.identity.certificate_der

    def sign(self, data: bytes) -> bytes:
        return self.identity.sign(data)


@dataclass
class Ends:
    relay: RelayEnd
    agent: AgentEnd
    seen: list[bytes]

    def exchange_words(self, now: float) -> None:
        """Each end hears from the other, so that none takes the other for lost."""
        self.agent.send_report("word", 1, b"")
        self.relay.send_renewal_denied("not yet")
        self.pump(now)

    def pump(self, now: float = NOW, tamper: Callable[[bytes], bytes] = lambda frame: frame) -> list[Event]:
        """Carry frames until both ends are silent, which takes a few rounds; what came of it."""
        events: list[Event] = []
        for _ in range(100):
            to_agent, to_relay = self.relay.frames(), self.agent.frames()
            if not to_agent and not to_relay:
                return events
            self.seen += to_agent + to_relay
            for frame in to_agent:
                events += self.agent.receive(tamper(frame), now)
            for frame in to_relay:
                events += self.relay.receive(tamper(frame), now)
        raise AssertionError("two ends that never fall silent")


class World:
    def __init__(self, home: Path) -> None:
        self.home = home
        self.authority = Authority.create(home / "ca", name="test", now=NOW - 100 * 86400)
        self.relay = self.identity("relay1", Role.RELAY)
        self.agent = self.identity("agent1", Role.AGENT)

    def identity(self, name: str, role: Role, authority: Authority | None = None, now: float = NOW) -> MachineIdentity:
        issuer = authority or self.authority
        directory = self.home / f"{name}-{len(list(self.home.iterdir()))}"
        csr = MachineIdentity.begin(directory, name=name)
        der = issuer.issue(csr, name=name, role=role, now=now)
        return MachineIdentity.install(directory, der, issuer.certificate_der, name=name, role=role, now=now)

    def ends(
        self,
        relay: IdentitySigner | None = None,
        agent: IdentitySigner | None = None,
        capacity: int = 8,
        now: float = NOW,
        check: Callable[[VerifiedPeer], None] = accept_anyone,
        relay_capabilities: Sequence[str] = RELAY_CAPABILITIES,
        agent_capabilities: tuple[str, ...] = OPERATIONS,
    ) -> Ends:
        trust_agents, trust_relays = (
            PeerTrust(self.authority.certificate, Role.AGENT, check),
            PeerTrust(self.authority.certificate, Role.RELAY),
        )
        facts = AgentFacts(
            instance="i1", capacity=capacity, domains=("corp",), software="1", capabilities=agent_capabilities
        )
        return Ends(
            RelayEnd(relay or self.relay, trust_agents, now=now, capabilities=relay_capabilities),
            AgentEnd(agent or self.agent, trust_relays, facts, now=now),
            [],
        )

    def open(self, **kinds: Any) -> Ends:
        ends = self.ends(**kinds)
        ends.pump()
        assert ends.relay.state is ends.agent.state is SessionState.OPEN
        return ends


def _is_right(body: RequestBody) -> bool:
    return isinstance(body, VerifyRequest) and body.password == "right"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def ask(ends: Ends, number: int = 1, password: str = "right", begin_by: float = NOW + 4, deadline: float = NOW + 15) -> None:
    body = request_body("verify", "anna@corp", password, "", "c0ffee")
    ends.relay.send_request(number, begin_by=begin_by, deadline=deadline, body=body)


def of(number: int) -> RequestId:
    """What the agent calls the relay's request of this number."""
    return "relay1", number


def closed(ends: Ends) -> Closed:
    found = ends.relay.closed or ends.agent.closed
    assert found is not None
    return found


def test_both_ends_open_and_know_each_other(world: World) -> None:
    """Three frames, mutual authentication; then a seal key is announced and answered."""
    ends = world.ends()
    opened = [event for event in ends.pump() if isinstance(event, Opened)]
    assert {event.peer.name for event in opened} == {"relay1", "agent1"}
    assert len(ends.seen) == 5


def test_a_request_is_begun_and_answered(world: World) -> None:
    """The life of one credential check."""
    ends = world.open()
    ask(ends)
    received = next(event for event in ends.pump() if isinstance(event, RequestReceived))
    assert isinstance(received.body, VerifyRequest)
    assert received.body.password == "right"
    assert ends.agent.begin(received.id, NOW)
    assert BegunReceived(1) in ends.pump()
    ends.agent.answer(received.id, AnswerBody(Outcome.SUCCESS, detail="ok"))
    assert Answered(1, AnswerBody(Outcome.SUCCESS, detail="ok")) in ends.pump()
    assert ends.agent.in_flight == 0


def test_nobody_in_between_reads_a_password(world: World) -> None:
    """Not in any frame, nor in what a broker would carry."""
    ends = world.open()
    ask(ends, password="Correct-Horse-77")
    ends.pump()
    assert not any(b"Correct-Horse-77" in frame or b"anna" in frame for frame in ends.seen)


def test_secrets_are_in_no_repr(world: World) -> None:
    """An event that is logged tells no password."""
    ends = world.open()
    ask(ends, password="Correct-Horse-77")
    assert "Correct-Horse-77" not in repr(ends.pump())


@settings(deadline=None, max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_ends_the_session_and_nothing_else(world: World, data: st.DataObject) -> None:
    """Whatever bit of whatever frame an attacker flips, no end raises and no changed message is taken."""
    ends = world.ends()
    victim = data.draw(st.integers(0, 4))
    count = 0

    def tamper(frame: bytes) -> bytes:
        nonlocal count
        count += 1
        if count - 1 != victim:
            return frame
        bit = data.draw(st.integers(0, len(frame) * 8 - 1))
        changed = bytearray(frame)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    events = ends.pump(tamper=tamper)
    if ends.relay.state is SessionState.OPEN and ends.agent.state is SessionState.OPEN:
        ask(ends)
        events += ends.pump(tamper=tamper)
    if count > victim:
        assert ends.relay.state is SessionState.CLOSED or ends.agent.state is SessionState.CLOSED or victim == 0
    assert not any(isinstance(event, RequestReceived) and not _is_right(event.body) for event in events)


@settings(deadline=None, max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(frame=st.binary(max_size=2000))
def test_garbage_never_raises(world: World, frame: bytes) -> None:
    """Both ends, before and after the handshake."""
    for ends in (world.ends(), world.open()):
        for end in (ends.relay, ends.agent):
            events = end.receive(frame, NOW)
            assert all(isinstance(event, (Closed, Opened)) for event in events)


@pytest.mark.parametrize("reorder", ["replay", "drop", "swap", "reflect"])
def test_records_hold_their_order(world: World, reorder: str) -> None:
    """A frame that is repeated, missing, early or sent back is refused."""
    ends = world.open()
    ask(ends, 1)
    first = ends.relay.frames()
    ask(ends, 2)
    second = ends.relay.frames()
    frames = {"replay": first + first, "drop": second, "swap": second + first, "reflect": []}[reorder]
    events = [event for frame in frames for event in ends.agent.receive(frame, NOW)]
    if reorder == "reflect":
        events = ends.relay.receive(first[0], NOW)
    assert isinstance(events[-1], Closed)
    assert events[-1].code == CloseCode.FORGED


def test_a_frame_that_is_too_large_is_refused(world: World) -> None:
    """Before anything of it is read."""
    ends = world.open()
    assert ends.agent.receive(bytes(MAX_FRAME + 1), NOW)[0].code == CloseCode.MALFORMED  # type: ignore[union-attr]
    ends = world.ends()
    assert ends.relay.receive(bytes(MAX_HANDSHAKE + 1), NOW)[0].code == CloseCode.MALFORMED  # type: ignore[union-attr]


def test_another_authority_is_refused_by_both_ends(world: World, tmp_path: Path) -> None:
    """A man in the middle with a certificate of his own gets nowhere."""
    foreign = Authority.create(tmp_path / "ca", name="evil", now=NOW)
    ends = world.ends(relay=world.identity("relay1", Role.RELAY, foreign))
    ends.pump()
    assert closed(ends).code == CloseCode.REFUSED
    ends = world.ends(agent=world.identity("agent1", Role.AGENT, foreign))
    ends.pump()
    assert closed(ends).code == CloseCode.REFUSED


def test_an_agent_cannot_play_the_relay(world: World) -> None:
    """The role is in the certificate."""
    ends = world.ends(relay=world.identity("relay1", Role.AGENT))
    ends.pump()
    assert closed(ends).code == CloseCode.REFUSED


def test_an_expired_certificate_is_told_as_such(world: World) -> None:
    """So that the agent can name the remedy."""
    ends = world.ends(agent=world.identity("agent1", Role.AGENT, now=NOW - 40 * 86400))
    ends.pump()
    assert closed(ends).code == CloseCode.EXPIRED


def test_a_revoked_agent_is_told_as_such(world: World) -> None:
    """Its certificate is good, its name is not."""

    def check(_peer: object) -> None:
        raise PeerRevoked("stolen")

    ends = world.ends(check=check)
    ends.pump()
    assert closed(ends).code == CloseCode.REVOKED


def test_a_certificate_that_the_relay_does_not_know_opens_nothing(world: World) -> None:
    """That the authority issued it is not enough: the relay's own check decides, by name and serial number."""
    asked: list[VerifiedPeer] = []

    def check(peer: VerifiedPeer) -> None:
        asked.append(peer)
        raise PeerRefused("never enrolled here")

    ends = world.ends(check=check)
    assert not any(isinstance(event, Opened) for event in ends.pump())
    assert closed(ends).code == CloseCode.REFUSED
    assert [(peer.name, peer.serial) for peer in asked] == [("agent1", world.agent.serial)]


def test_a_name_is_the_certificates(world: World) -> None:
    """Whatever a machine calls itself: it has no word for it, and what it seals or opens under another name is nothing."""
    ends = world.ends(agent=Impostor(world.agent, "another"))
    assert {event.peer.name for event in ends.pump() if isinstance(event, Opened)} == {"relay1", "agent1"}
    assert ends.relay.agent == "agent1"
    assert closed(ends).code == CloseCode.REFUSED  # its announcement is signed in another name
    ends = world.ends(relay=Impostor(world.relay, "another"))
    ends.pump()
    assert ends.agent.relay == "relay1"
    assert closed(ends).code == CloseCode.REFUSED  # its pair key is


def test_somebody_elses_certificate_is_of_no_use_without_its_key(world: World) -> None:
    """A copied certificate cannot sign the transcript."""
    thief = world.identity("thief", Role.AGENT)
    thief.certificate = world.agent.certificate
    ends = world.ends(agent=thief)
    ends.pump()
    assert closed(ends).code == CloseCode.REFUSED


def test_a_recorded_handshake_cannot_be_replayed(world: World) -> None:
    """The relay's nonce is fresh each time."""
    ends = world.open()
    hello = ends.seen[1]
    again = world.ends()
    again.relay.frames()
    events = again.relay.receive(hello, NOW)
    assert isinstance(events[0], Closed)
    assert events[0].code == CloseCode.REFUSED


def test_no_common_version_is_said_so(world: World) -> None:
    """The older end is to be updated."""
    ends = world.ends()
    frame = encode(Hello((99,), bytes(32), world.relay.certificate_der, NOW))
    events = ends.agent.receive(frame, NOW)
    assert isinstance(events[0], Closed)
    assert events[0].code == CloseCode.VERSION


def test_a_message_out_of_turn_ends_the_session(world: World) -> None:
    """An answer to a request that was never sent."""
    ends = world.open()
    ends.agent.unsent.append(Answer("relay1", 7, bytes(32)))
    ends.pump()
    assert closed(ends).code == CloseCode.UNEXPECTED


def test_a_peers_goodbye_in_the_handshake_is_understood(world: World) -> None:
    """A relay that is full says so before anything else."""
    for end in (world.ends().agent, world.ends().relay):
        events = end.receive(encode(Bye(CloseCode.GOING_AWAY, "full")), NOW)
        assert events == [Closed(CloseCode.GOING_AWAY, "full", by_peer=True)]


def test_an_agent_refuses_what_it_must_not_begin(world: World) -> None:
    """Late, draining, and more than its capacity."""
    ends = world.open(capacity=1)
    ask(ends, 1, deadline=NOW - 1)
    assert RequestRefused(1, "late") in ends.pump()
    ask(ends, 2)
    ask(ends, 3)
    assert RequestRefused(3, "busy") in ends.pump()
    ends.agent.answer(of(2), AnswerBody(Outcome.SUCCESS))
    ends.agent.drain()
    ask(ends, 4)
    assert RequestRefused(4, "draining") in ends.pump()


def test_no_bind_begins_after_begin_by(world: World) -> None:
    """The relay may have asked another agent by then."""
    ends = world.open()
    ask(ends, begin_by=NOW + 4)
    ends.pump()
    assert not ends.agent.begin(of(1), NOW + 4.5)
    assert ends.agent.begin(of(1), NOW + 3.5)
    assert ends.agent.begin(of(1), NOW + 9)  # begun is begun


@pytest.mark.parametrize("skew", [-250.0, 250.0])
def test_begin_by_is_the_relays_even_if_the_agents_clock_is_off(world: World, skew: float) -> None:
    """A slow agent may not begin what the relay has given to somebody else; a fast one need not give up in time."""
    ends = open_with_skew(world, skew)
    for number in (1, 2):
        ask(ends, number, begin_by=NOW + 4)
    for frame in ends.relay.frames():
        ends.agent.receive(frame, NOW + skew)
    assert ends.agent.begin(of(1), NOW + 3.5 + skew)
    assert not ends.agent.begin(of(2), NOW + 4.5 + skew)


@pytest.mark.parametrize("skew", [-250.0, 250.0])
def test_a_request_past_its_deadline_is_refused_even_if_the_agents_clock_is_off(world: World, skew: float) -> None:
    """Late is what the relay calls late."""
    ends = open_with_skew(world, skew)
    ask(ends, 1, deadline=NOW + 15)
    ask(ends, 2, deadline=NOW + 17)
    events = [event for frame in ends.relay.frames() for event in ends.agent.receive(frame, NOW + 16 + skew)]
    assert [event.id for event in events if isinstance(event, RequestReceived)] == [of(2)]


def open_with_skew(world: World, skew: float) -> Ends:
    """Both ends open; the agent's clock is ahead by `skew` seconds."""
    ends = world.ends(now=NOW)
    for frame in ends.relay.frames():
        ends.agent.receive(frame, NOW + skew)
    for frame in ends.agent.frames():
        ends.relay.receive(frame, NOW)
    for frame in ends.relay.frames():
        ends.agent.receive(frame, NOW + skew)
    return ends


def test_deadlines_are_the_relays_even_if_the_agents_clock_is_off(world: World) -> None:
    """Ten minutes slow, and still in time."""
    ends = open_with_skew(world, -250)
    ask(ends)
    events = [event for frame in ends.relay.frames() for event in ends.agent.receive(frame, NOW - 250)]
    assert isinstance(events[0], RequestReceived)
    assert events[0].deadline == pytest.approx(NOW + 15 - 250)


def test_a_cancelled_request_is_not_begun(world: World) -> None:
    """And its number is forgotten."""
    ends = world.open()
    ask(ends)
    ends.pump()
    assert ends.relay.cancel_request(1)
    assert RequestCancelled(of(1)) in ends.pump()
    assert not ends.agent.begin(of(1), NOW)
    assert not ends.relay.cancel_request(1)


def test_a_sealed_request_opens_once(world: World) -> None:
    """A broker that repeats it inside a good record gets no word: the first may have begun, and a refusal would be its."""
    ends = world.open()
    ask(ends)
    ends.relay.unsent.append(ends.relay.unsent[0])
    events = ends.pump()
    assert sum(isinstance(event, RequestReceived) for event in events) == 1
    assert not any(isinstance(event, RequestRefused) for event in events)
    assert [event.detail for event in events if isinstance(event, Ignored)] == ["request 1 of relay1 came twice"]
    assert ends.agent.begin(of(1), NOW)


@pytest.mark.parametrize(
    "bent",
    [{"deadline": NOW + 999}, {"begin_by": NOW + 999}, {"operation": "change"}, {"number": 2}],
    ids=",".join,
)
def test_a_seal_is_bound_to_its_envelope(world: World, bent: dict[str, Any]) -> None:
    """Nobody in between can give an old request more time, or make another of it; nor refuse it in the agent's name."""
    ends = world.open()
    ask(ends)
    ends.relay.unsent[0] = replace(ends.relay.unsent[0], **bent)
    events = ends.pump()
    assert [type(event) for event in events] == [Ignored]
    assert "does not open" in events[0].detail  # type: ignore[union-attr]


def test_a_request_number_is_never_used_twice(world: World) -> None:
    """It is a nonce."""
    ends = world.open()
    ask(ends, 5)
    with pytest.raises(ValueError, match="never repeat"):
        ask(ends, 5)


def test_seal_keys_are_renewed_and_old_ones_forgotten(world: World) -> None:
    """Every ten minutes, without an interruption."""
    ends = world.open()
    later = NOW + 601
    before = sealing_key(ends, 1, NOW)
    ends.exchange_words(later)
    renew_seal_key(ends, later)
    assert sealing_key(ends, 2, later) != before
    ask(ends, 9, begin_by=later + 4, deadline=later + 15)
    assert any(isinstance(event, RequestReceived) for event in ends.pump(later))


def sealing_key(ends: Ends, number: int, now: float) -> bytes:
    """The id of the key under which the relay seals."""
    ask(ends, number, begin_by=now + 4, deadline=now + 15)
    key: bytes = ends.relay.unsent[-1].key
    ends.pump(now)
    return key


def renew_seal_key(ends: Ends, now: float) -> PairKey:
    """The agent announces a key and the relay answers; that answer."""
    ends.agent.tick(now)
    for frame in ends.agent.frames():
        ends.relay.receive(frame, now)
    pair = next(message for message in ends.relay.unsent if isinstance(message, PairKey))
    ends.pump(now)
    return pair


def test_a_relay_renews_its_identity_under_an_open_session(world: World) -> None:
    """Long after the first certificate ended, new seal keys are still agreed on."""
    ends = world.open()
    later = world.relay.not_after + 60
    renewed = world.identity("relay1", Role.RELAY, now=later)
    ends.relay.use(renewed)
    ends.exchange_words(later)
    pair = renew_seal_key(ends, later)
    assert pair.certificate == renewed.certificate_der
    assert ends.relay.state is ends.agent.state is SessionState.OPEN
    ask(ends, 9, begin_by=later + 4, deadline=later + 15)
    assert any(isinstance(event, RequestReceived) for event in ends.pump(later))


def test_keys_move_on_with_the_records(world: World) -> None:
    """Thousands of records through both ratchets."""
    ends = world.open()
    for number in range(1, 4200):
        ends.relay.cancel_request(number)
        ask(ends, number, begin_by=NOW + 1)
        for frame in ends.relay.frames():
            ends.agent.receive(frame, NOW)
        ends.agent.refuse(of(number), "cancelled")
        for frame in ends.agent.frames():
            ends.relay.receive(frame, NOW)
    assert ends.relay.state is ends.agent.state is SessionState.OPEN


def test_pings_measure_latency_and_clock_skew(world: World) -> None:
    """Both ends ping."""
    ends = world.open()
    ends.relay.tick(NOW + 11)
    measured = [event for event in ends.pump(NOW + 11) if isinstance(event, Measured)]
    assert measured[0].latency == pytest.approx(0)
    assert measured[0].clock_skew == pytest.approx(0)


@pytest.mark.parametrize("echo", [NOW - 1, NOW + 12])
@pytest.mark.parametrize("end", ["agent", "relay"])
def test_a_pong_without_a_ping_ends_the_session(world: World, end: str, echo: float) -> None:
    """It echoes a time before the session or one that is yet to come: it would measure whatever the peer likes."""
    ends = world.open()
    (ends.agent if end == "agent" else ends.relay).unsent.append(Pong(echo, NOW))
    events = ends.pump(NOW + 11)
    assert not any(isinstance(event, Measured) for event in events)
    assert closed(ends).code == CloseCode.UNEXPECTED


def test_a_silent_peer_is_given_up(world: World) -> None:
    """Three intervals without a word, or a handshake that does not end."""
    ends = world.open()
    assert ends.relay.tick(NOW + 31)[0].code == CloseCode.SILENT  # type: ignore[union-attr]
    assert world.ends().agent.tick(NOW + 11)[0].code == CloseCode.SILENT  # type: ignore[union-attr]
    assert world.ends().agent.tick(NOW + 1) == []


def test_draining_capacity_status_and_renewal_travel(world: World) -> None:
    """The rest of the vocabulary."""
    ends = world.open()
    ends.agent.set_capacity(3)
    assert ends.agent.send_report("directories", 1, b"whatever")
    ends.agent.send_renewal(b"csr")
    ends.agent.drain()
    events = ends.pump()
    assert CapacityChanged(3) in events
    assert ReportReceived("directories", 1, b"whatever") in events
    assert RenewalRequested(b"csr") in events
    assert PeerDraining() in events
    ends.relay.send_renewed(b"certificate")
    ends.relay.send_renewal_denied("no")
    ends.relay.send_allowed(("corp", "*"))
    ends.relay.send_allowed(None)
    ends.relay.close(CloseCode.GOING_AWAY, "bye")
    events = ends.pump()
    assert RenewalAnswered(certificate=b"certificate") in events
    assert RenewalAnswered(refusal="no") in events
    assert [event for event in events if isinstance(event, DomainsAllowed)] == [
        DomainsAllowed(("corp", "*")),
        DomainsAllowed(None),
    ]
    assert Closed(CloseCode.GOING_AWAY, "bye", by_peer=True) in events
    assert ends.agent.receive(b"more", NOW) == []


def test_a_large_answer_travels_and_a_larger_one_fails_alone(world: World) -> None:
    """AD's most groups fit; of what does not the relay is told, and everything else goes on."""
    ends = world.open()
    for number in (1, 2):
        ask(ends, number)
    ends.pump()
    groups = tuple(Group(f"S-1-5-21-1-2-3-{number}", "g" * 60) for number in range(1015))
    ends.agent.answer(of(1), AnswerBody(Outcome.SUCCESS, Identity("g", "anna", "corp", groups=groups)))
    assert any(isinstance(event, Answered) for event in ends.pump())
    huge = tuple(Group("S", "g" * 1000) for _ in range(1200))
    ends.agent.answer(of(2), AnswerBody(Outcome.SUCCESS, Identity("g", "anna", "corp", groups=huge)))
    (answered,) = ends.pump()
    assert isinstance(answered, Answered)
    assert answered.body.outcome is Outcome.NO_DIRECTORY
    assert "at most 1047536 can be sent" in answered.body.detail
    assert ends.relay.state is ends.agent.state is SessionState.OPEN
