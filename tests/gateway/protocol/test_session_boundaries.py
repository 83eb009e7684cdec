"""The sessions' states at their edges: the very second, the very byte, a message in a state that does not take it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from msgspec.structs import replace

from certs import Role
from gateway.protocol import AnswerBody, ChangeRequest, CloseCode, Outcome, request_body
from gateway.protocol.errors import MalformedFrame, UnexpectedMessage
from gateway.protocol.events import (
    Answered,
    BegunReceived,
    CapacityChanged,
    Closed,
    Event,
    Measured,
    Opened,
    PeerDraining,
    RenewalAnswered,
    ReportReceived,
    RequestReceived,
)
from gateway.protocol.messages import (
    MAX_FRAME,
    MAX_REPORT,
    AgentHello,
    Announce,
    Begun,
    Cancel,
    Capacity,
    Drain,
    Hello,
    PairKey,
    Ping,
    Pong,
    Refuse,
    Renew,
    RenewalDenied,
    Report,
    Welcome,
    decode_acceptance,
    decode_handshake,
    decode_introduction,
    encode,
)
from gateway.protocol.records import TAG
from gateway.protocol.session import transcript
from tests.gateway.protocol.test_session import NOW, AgentEnd, Ends, RelayEnd, World, ask, of, open_with_skew

SEALED_SECRET = 1088 + 32 + 32 + 16
"""ML-KEM-768 ciphertext, X25519 key, 32 bytes of secret, tag of AES-GCM."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def sent(frames: list[bytes]) -> list[Any]:
    """The handshake messages in frames."""
    return [decode_handshake(frame) for frame in frames]


def carry(source: AgentEnd | RelayEnd, sink: AgentEnd | RelayEnd, now: float = NOW) -> list[Event]:
    """What is waiting in one end, to the other, and not back."""
    return [event for frame in source.frames() for event in sink.receive(frame, now)]


def the_end(events: list[Event], code: CloseCode, detail: str) -> Closed:
    """The only event: this end gives up, with this detail, which the public reason does not show."""
    (event,) = events
    assert isinstance(event, Closed)
    assert (event.code, event.by_peer) == (code, False)
    assert detail in event.detail
    assert event.reason
    assert detail not in event.reason
    return event


# -- before anything was said


def test_both_ends_begin_with_nothing(world: World) -> None:
    """No names, no capacity, nobody leaves; the relay's session has its id of 96 random bits from the start."""
    ends = world.ends()
    assert (ends.relay.agent, ends.relay.capacity, len(ends.relay.session_id)) == ("", 0, 24)
    assert (ends.agent.relay, ends.agent.session_id, ends.agent.clock_offset, ends.agent.capacity) == ("", "", 0.0, 8)
    for end in (ends.relay, ends.agent):
        assert end.closed is None
        assert (end.draining, end.peer_draining, end.ping_interval) == (False, False, 10.0)
        assert end.peer_capabilities == frozenset()
        assert end.draining is False
        assert end.peer_draining is False


def test_what_needs_an_open_session_is_nothing_before(world: World) -> None:
    """Draining, a new capacity, a status: nothing happens, nothing waits to be sent."""
    ends = world.ends()
    for end in (ends.relay, ends.agent):
        end.drain()
        assert end.draining is False
        assert end.unsent == []
    ends.agent.set_capacity(3)
    ends.agent.send_report("word", 1, b"")
    assert ends.agent.capacity == 8
    assert ends.agent.unsent == []
    with pytest.raises(UnexpectedMessage, match="open session"):
        ask(ends)


def test_what_needs_an_open_session_is_nothing_after(world: World) -> None:
    """A request, an answer, a refusal; what was in flight is forgotten all the same."""
    ends = world.open()
    ask(ends, 1)
    ask(ends, 2)
    ends.pump()
    for end in (ends.relay, ends.agent):
        end.close(CloseCode.GOING_AWAY, "bye")
    with pytest.raises(UnexpectedMessage, match="open session"):
        ask(ends, 3)
    words = [*ends.agent.unsent]
    assert not ends.agent.begin(of(1), NOW)
    ends.agent.answer(of(1), AnswerBody(Outcome.SUCCESS))
    ends.agent.refuse(of(2), "cancelled")
    ends.agent.set_capacity(3)
    assert ends.agent.unsent == words
    assert (ends.agent.in_flight, ends.agent.capacity) == (0, 8)
    assert not ends.relay.cancel_request(1)


# -- handshake


def test_the_transcript_is_the_documented_one() -> None:
    """Label, then SHA-256 over a fixed text and every part behind its length in eight bytes: part of the protocol."""
    said = b"isthmus.agent.v1 transcript" + b"\0\0\0\0\0\0\0\2ab" + b"\0\0\0\0\0\0\0\0" + b"\0\0\0\0\0\0\1\0" + bytes(256)
    assert transcript(b"label", b"ab", b"", bytes(256)) == b"label" + hashlib.sha256(said).digest()


def test_both_ends_are_told_who_the_other_is(world: World) -> None:
    """The relay what the agent says of itself, the agent the relay's id of the session."""
    ends = world.ends()
    (hello,) = sent(frames := ends.relay.frames())
    assert isinstance(hello, Hello)
    assert (hello.versions, hello.certificate, hello.time) == ((1,), world.relay.certificate_der, NOW)
    assert hello.capabilities == ("report", "probe")
    assert ends.agent.receive(frames[0], NOW + 2) == []
    assert ends.agent.clock_offset == -2
    (answer,) = sent(frames := ends.agent.frames())
    assert isinstance(answer, AgentHello)
    introduction = decode_introduction(answer.body)
    assert (introduction.certificate, introduction.instance, introduction.capacity) == (world.agent.certificate_der, "i1", 8)
    assert introduction.capabilities == ("verify", "change", "look_up")
    assert (introduction.domains, introduction.software, introduction.time) == (("corp",), "1", NOW + 2)
    (opened,) = ends.relay.receive(frames[0], NOW)
    assert isinstance(opened, Opened)
    assert opened == Opened(
        opened.peer, ends.relay.session_id, "i1", ("corp",), "1", frozenset(("verify", "change", "look_up"))
    )
    assert ends.relay.peer_capabilities == {"verify", "change", "look_up"}
    assert (opened.peer.name, opened.peer.serial) == ("agent1", world.agent.serial)
    assert (ends.relay.agent, ends.relay.capacity) == ("agent1", 8)
    (welcome,) = sent(frames := ends.relay.frames())
    assert isinstance(welcome, Welcome)
    acceptance = decode_acceptance(welcome.body)
    assert (acceptance.session, acceptance.ping_interval, acceptance.time) == (ends.relay.session_id, 10.0, NOW)
    assert len(acceptance.sealed_secret) == SEALED_SECRET
    (opened,) = ends.agent.receive(frames[0], NOW)
    assert isinstance(opened, Opened)
    assert opened == Opened(opened.peer, ends.relay.session_id, capabilities=frozenset(("probe", "report")))
    assert ends.agent.peer_capabilities == {"probe", "report"}
    assert (opened.peer.name, ends.agent.relay, ends.agent.session_id) == ("relay1", "relay1", ends.relay.session_id)


def test_a_handshake_message_out_of_turn_is_named(world: World) -> None:
    """In the detail, for our log; the peer learns no more than that it was unexpected."""
    seen = world.open().seen
    hello, welcome = seen[0], seen[2]
    first, second = world.ends(), world.ends()
    the_end(first.agent.receive(welcome, NOW), CloseCode.UNEXPECTED, "Welcome while greeting")
    carry(second.relay, second.agent)
    end = the_end(second.agent.receive(hello, NOW), CloseCode.UNEXPECTED, "Hello while proving")
    assert end.reason == "unexpected message"
    the_end(world.ends().relay.receive(hello, NOW), CloseCode.UNEXPECTED, "Hello instead of AgentHello")


def test_the_peer_is_told_the_public_reason_only(world: World) -> None:
    """The detail stays here."""
    ends = world.ends()
    ends.agent.receive(world.open().seen[2], NOW)
    (event,) = carry(ends.agent, ends.relay)
    assert event == Closed(CloseCode.UNEXPECTED, "unexpected message", by_peer=True)


def test_versions_are_named(world: World) -> None:
    """Those of both ends, whichever is the older one."""
    frame = encode(Hello((98, 99), bytes(32), world.relay.certificate_der, NOW))
    the_end(world.ends().agent.receive(frame, NOW), CloseCode.VERSION, "(98, 99), this agent 1")
    ends = world.ends()
    carry(ends.relay, ends.agent)
    (hello,) = sent(ends.agent.frames())
    introduction = encode(replace(decode_introduction(hello.body), version=2))
    frame = encode(AgentHello(introduction, world.agent.sign(b"whatever")))
    the_end(ends.relay.receive(frame, NOW), CloseCode.VERSION, "version 2, this relay 1")


def test_a_handshake_may_take_ten_seconds_and_no_more(world: World) -> None:
    """Both ends."""
    ends = world.ends()
    for end in (ends.relay, ends.agent):
        assert end.tick(NOW + 10) == []
        (event,) = end.tick(NOW + 10.001)
        assert isinstance(event, Closed)
        assert (event.code, event.by_peer, event.detail) == (CloseCode.SILENT, False, "")
        assert event.reason
        assert end.tick(NOW + 11) == []


# -- time


def test_a_ping_is_due_every_interval(world: World) -> None:
    """Counted from the opening, then from the last one; not a moment sooner."""
    ends = world.open()
    for end in (ends.relay, ends.agent):
        for now, pings in ((9.999, 0), (10, 1), (10.5, 1), (19.999, 1), (20, 2)):
            assert end.tick(NOW + now) == []
            assert len(end.unsent) == pings
        assert end.unsent == [Ping(NOW + 10), Ping(NOW + 20)]


def test_a_peer_may_be_silent_for_three_intervals_and_no_longer(world: World) -> None:
    """Counted from its last word."""
    ends = world.open()
    for end in (ends.relay, ends.agent):
        assert end.tick(NOW + 30) == []
        (event,) = end.tick(NOW + 30.001)
        assert isinstance(event, Closed)
        assert (event.code, event.by_peer, event.detail) == (CloseCode.SILENT, False, "")


@pytest.mark.parametrize("end", ["agent", "relay"])
def test_a_pong_measures_from_the_first_moment_to_this_one(world: World, end: str) -> None:
    """Both are times at which a ping can have been sent; the clock's skew is what the middle of the way shows."""
    ends = world.open()
    source, sink = (ends.relay, ends.agent) if end == "agent" else (ends.agent, ends.relay)
    source.unsent.extend([Pong(NOW, NOW + 8), Pong(NOW + 4, NOW + 4)])
    assert carry(source, sink, NOW + 4) == [Measured(latency=4, clock_skew=6), Measured(latency=0, clock_skew=0)]


def test_a_pong_that_measures_nothing_is_named(world: World) -> None:
    """In the detail."""
    ends = world.open()
    ends.agent.unsent.append(Pong(NOW - 0.001, NOW))
    the_end(carry(ends.agent, ends.relay), CloseCode.UNEXPECTED, "never sent")


def test_the_agent_reads_deadlines_by_what_its_last_ping_measured(world: World) -> None:
    """A relay whose clock turns out to be three seconds ahead: begin-by comes three seconds sooner."""
    ends = world.open()
    ends.relay.unsent.append(Pong(NOW, NOW + 3))
    carry(ends.relay, ends.agent)
    assert ends.agent.clock_offset == 3
    ask(ends, begin_by=NOW + 4)
    carry(ends.relay, ends.agent)
    assert not ends.agent.begin(of(1), NOW + 1.001)
    assert ends.agent.begin(of(1), NOW + 1)


# -- requests


def test_a_request_is_late_from_its_deadline_on(world: World) -> None:
    """At the very second it is."""
    ends = world.open()
    ask(ends, 1, deadline=NOW + 5)
    ask(ends, 2, deadline=NOW + 5.001)
    events = carry(ends.relay, ends.agent, NOW + 5)
    assert [event.id for event in events if isinstance(event, RequestReceived)] == [of(2)]
    (refusal,) = ends.agent.unsent
    assert (refusal.node, refusal.number, refusal.reason) == ("relay1", 1, "late")


@pytest.mark.parametrize("skew", [-250.0, 250.0])
def test_a_deadline_is_told_on_the_agents_own_clock(world: World, skew: float) -> None:
    """To the second: it says how long the directory may take."""
    ends = open_with_skew(world, skew)
    ask(ends, 1, deadline=NOW + 15)
    (event,) = carry(ends.relay, ends.agent, NOW + skew)
    assert isinstance(event, RequestReceived)
    assert event.deadline == NOW + skew + 15


def test_a_bind_may_begin_at_begin_by(world: World) -> None:
    """And is announced once."""
    ends = world.open()
    ask(ends, begin_by=NOW + 4)
    carry(ends.relay, ends.agent)
    assert ends.agent.begin(of(1), NOW + 4)
    assert ends.agent.begin(of(1), NOW + 5)
    (begun,) = ends.agent.unsent
    assert (type(begun), begun.node, begun.number) == (Begun, "relay1", 1)


def test_a_refused_request_is_given_back(world: World) -> None:
    """It takes no capacity any more, can no longer begin or be answered, and is refused once."""
    ends = world.open(capacity=1)
    ask(ends)
    carry(ends.relay, ends.agent)
    for _ in range(2):
        ends.agent.refuse(of(1), "cancelled")
    (refusal,) = ends.agent.unsent
    assert (refusal.node, refusal.number, refusal.reason, ends.agent.in_flight) == ("relay1", 1, "cancelled", 0)
    assert not ends.agent.begin(of(1), NOW)


def test_an_answer_to_a_request_that_was_taken_back_is_nothing(world: World) -> None:
    """Nor is a second one, or one to what was never asked; and nobody may take back what was never sent."""
    ends = world.open()
    ask(ends)
    ends.pump()
    for number in (1, 1, 7):
        ends.agent.answer(of(number), AnswerBody(Outcome.SUCCESS))
        ends.agent.refuse(of(number), "late")
    assert len(ends.agent.unsent) == 1
    assert not world.ends().relay.cancel_request(1)


def test_a_request_that_has_begun_keeps_its_place_when_it_is_cancelled(world: World) -> None:
    """Until its bind is done; one that has not begun frees it."""
    ends = world.open()
    for number in (1, 2):
        ask(ends, number)
    carry(ends.relay, ends.agent)
    ends.agent.begin(of(1), NOW)
    for number in (1, 2):
        ends.relay.cancel_request(number)
    assert ends.relay.unsent == [Cancel(*of(1)), Cancel(*of(2))]
    assert len(carry(ends.relay, ends.agent)) == 2
    assert ends.agent.in_flight == 1
    ends.agent.answer(of(1), AnswerBody(Outcome.SUCCESS))
    assert carry(ends.agent, ends.relay) == []  # nobody waits for it
    assert ends.agent.in_flight == 0


PROOF = bytes(16)


@pytest.mark.parametrize(
    "message", [Begun("relay1", 1, PROOF), Refuse("relay1", 1, "busy", PROOF), Refuse("relay1", 2**62, "busy", PROOF)]
)
def test_a_word_on_a_request_that_was_never_sent_ends_the_session(world: World, message: Any) -> None:
    """From the first number on."""
    ends = world.open()
    ends.agent.unsent.append(message)
    the_end(carry(ends.agent, ends.relay), CloseCode.UNEXPECTED, f"request {message.number} was never sent")


def test_a_word_on_a_request_that_was_given_up_is_nothing(world: World) -> None:
    """It crossed the cancellation."""
    ends = world.open()
    ask(ends)
    ends.relay.cancel_request(1)
    ends.agent.unsent.extend([Begun("relay1", 1, PROOF), Refuse("relay1", 1, "busy", PROOF)])
    assert carry(ends.agent, ends.relay) == []
    assert ends.relay.closed is None


def test_capacity_is_what_the_agent_said_last(world: World) -> None:
    """On both ends; saying it again is no message."""
    ends = world.open()
    ends.agent.set_capacity(3)
    ends.agent.set_capacity(3)
    assert ends.agent.unsent == [Capacity(3)]
    assert carry(ends.agent, ends.relay) == [CapacityChanged(3)]
    assert (ends.agent.capacity, ends.relay.capacity) == (3, 3)


def test_draining_is_said_once_and_seen_on_both_ends(world: World) -> None:
    """Who drains still talks."""
    ends = world.open()
    for _ in range(2):
        ends.agent.drain()
    assert ends.agent.unsent == [Drain()]
    assert carry(ends.agent, ends.relay) == [PeerDraining()]
    assert (ends.agent.draining, ends.agent.peer_draining) == (True, False)
    assert ends.relay.draining is False
    assert ends.relay.peer_draining is True


def test_a_report_is_sent_where_it_is_wanted_and_fits(world: World) -> None:
    """To a relay that states that it takes them; up to 256 KiB, to the byte."""
    ends = world.open()
    assert ends.agent.send_report("directories", 1, bytes(MAX_REPORT))
    assert ends.agent.unsent == [Report("directories", 1, bytes(MAX_REPORT))]
    assert carry(ends.agent, ends.relay) == [ReportReceived("directories", 1, bytes(MAX_REPORT))]
    assert not ends.agent.send_report("directories", 1, bytes(MAX_REPORT + 1))
    assert ends.agent.unsent == []
    ends = world.open(relay_capabilities=())
    assert not ends.agent.send_report("directories", 1, b"")
    assert ends.agent.unsent == []


# -- the end


def test_closing_says_the_first_256_characters(world: World) -> None:
    """More would be no message to the peer; here the whole reason is kept, and the first one counts."""
    ends = world.open()
    mine = ends.agent.close(CloseCode.GOING_AWAY, "r" * 300, "why")
    assert mine == Closed(CloseCode.GOING_AWAY, "r" * 300, by_peer=False, detail="why")
    assert ends.agent.close(CloseCode.NORMAL, "again") is mine
    assert ends.agent.closed is mine
    assert carry(ends.agent, ends.relay) == [Closed(CloseCode.GOING_AWAY, "r" * 256, by_peer=True)]
    assert world.open().relay.close(CloseCode.NORMAL, "bye") == Closed(CloseCode.NORMAL, "bye", by_peer=False, detail="")


# -- batches


@pytest.mark.parametrize(("messages", "frames"), [(1, 1), (256, 1), (257, 2), (512, 2), (1024, 4)])
def test_a_record_holds_at_most_256_messages(world: World, messages: int, frames: int) -> None:
    """More are halved, and arrive in order."""
    ends = world.open()
    ends.relay.frames()
    ends.relay.unsent.extend(RenewalDenied(str(number)) for number in range(messages))
    batches = ends.relay.frames()
    assert len(batches) == frames
    events = [event for frame in batches for event in ends.agent.receive(frame, NOW)]
    assert events == [RenewalAnswered(refusal=str(number)) for number in range(messages)]


def renewals(number: int, content: int) -> list[Renew]:
    """Messages that make a batch of so many bytes."""
    first = [Renew(bytes(300_000)) for _ in range(number - 1)]
    last = content - len(encode([*first, Renew(bytes(300_000))])) + 300_000
    found = [*first, Renew(bytes(last))]
    assert len(encode(found)) == content
    return found


@pytest.mark.parametrize(("more", "frames"), [(0, 1), (1, 2)])
def test_a_record_is_at_most_a_frame_with_its_tag(world: World, more: int, frames: int) -> None:
    """To the byte; two messages that are larger together go apart."""
    ends = world.open()
    ends.agent.unsent.extend(renewals(2, MAX_FRAME - TAG + more))
    made = ends.agent.frames()
    assert len(made) == frames
    assert max(len(frame) for frame in made) <= MAX_FRAME
    assert (frames == 1) == (len(made[0]) == MAX_FRAME)


def test_one_message_may_fill_a_frame_and_not_more(world: World) -> None:
    """What is larger is our own error, with its kind and size."""
    ends = world.open()
    ends.agent.unsent.extend(renewals(1, MAX_FRAME - TAG))
    assert [len(frame) for frame in ends.agent.frames()] == [MAX_FRAME]
    ends.agent.unsent.extend(renewals(1, MAX_FRAME - TAG + 1))
    with pytest.raises(MalformedFrame, match=f"Renew of {MAX_FRAME - TAG + 1} bytes"):
        ends.agent.frames()


# -- new seal keys


def announced(ends: Ends, now: float) -> bool:
    """Whether the agent has a new seal key in this second."""
    ends.agent.tick(now)
    return any(isinstance(message, Announce) for message in ends.agent.unsent)


def test_the_key_of_the_sessions_secret_is_forgotten_with_the_opening(world: World) -> None:
    """From then on not even the agent's memory opens what was recorded of the handshake."""
    ends = world.ends()
    assert ends.agent._session_key is not None
    ends.pump()
    assert ends.agent._session_key is None


def test_a_seal_key_is_renewed_every_ten_minutes(world: World) -> None:
    """To the second, counted from the opening and then from the last one."""
    ends = world.open()
    for start in (NOW, NOW + 600):
        ends.exchange_words(start + 599)
        assert not announced(ends, start + 1)
        assert not announced(ends, start + 599.999)
        ends.pump(start + 599.999)
        assert announced(ends, start + 600)
        carry(ends.agent, ends.relay, start + 600)
        pairs = [message for message in ends.relay.unsent if isinstance(message, PairKey)]
        assert [len(pair.sealed_secret) for pair in pairs] == [SEALED_SECRET]
        ends.pump(start + 600)


def test_a_seal_key_that_nobody_answered_is_replaced_all_the_same(world: World) -> None:
    """However long a relay says nothing: what was sealed to it before opens no more."""
    ends = world.open()
    ends.exchange_words(NOW + 600)
    assert announced(ends, NOW + 600)
    first = ends.agent.unsent[-1]
    ends.agent.frames()
    ends.agent.receive(_status_free_word(ends), NOW + 1200)
    assert announced(ends, NOW + 1200)
    assert ends.agent.unsent[-1].seal_key != first.seal_key


def _status_free_word(ends: Ends) -> bytes:
    """A record of the relay's that means nothing to time."""
    ends.relay.send_renewal_denied("not yet")
    (frame,) = ends.relay.frames()
    return frame


def test_a_request_sealed_under_the_last_key_still_opens_and_an_older_one_does_not(world: World) -> None:
    """It was under way while the keys changed; two changes later it is refused, and another agent may take it."""
    ends = world.open()
    ask(ends, 1, begin_by=NOW + 4, deadline=NOW + 5000)
    ask(ends, 2, begin_by=NOW + 4, deadline=NOW + 5000)
    first, second = ends.relay.unsent[:]
    del ends.relay.unsent[:]
    for start, request, taken in ((NOW + 600, first, True), (NOW + 1200, second, False)):
        ends.exchange_words(start)
        assert announced(ends, start)
        ends.pump(start)
        ends.relay.unsent.append(request)
        received = [event for event in carry(ends.relay, ends.agent, start) if isinstance(event, RequestReceived)]
        assert bool(received) is taken
    (refusal,) = [message for message in ends.agent.unsent if isinstance(message, Refuse)]
    assert (refusal.node, refusal.number, refusal.reason) == ("relay1", 2, "unsealable")


def test_only_an_open_session_takes_a_renewed_identity(world: World) -> None:
    """A handshake under way is finished under the name and key with which it began."""
    ends = world.ends()
    renewed = world.identity("relay1", Role.RELAY)
    ends.relay.use(renewed)
    ends.pump()
    assert ends.relay.closed is ends.agent.closed is None
    ends.exchange_words(NOW + 600)
    assert announced(ends, NOW + 600)
    carry(ends.agent, ends.relay, NOW + 600)
    (pair,) = [message for message in ends.relay.unsent if isinstance(message, PairKey)]
    assert pair.certificate == world.relay.certificate_der


def test_a_request_body_is_made_anew_each_time() -> None:
    """With a reply key of its own."""
    first, second = (request_body("change", "anna", "old", "new", "c0ffee") for _ in range(2))
    assert first.reply_key != second.reply_key
    assert isinstance(first, ChangeRequest)
    assert (first.operation, first.user_name, first.password, first.new_password, first.correlation_id) == (
        "change",
        "anna",
        "old",
        "new",
        "c0ffee",
    )


def test_an_answer_reaches_who_asked(world: World) -> None:
    """With what the directory said, after the word that it has begun."""
    ends = world.open()
    ask(ends)
    carry(ends.relay, ends.agent)
    ends.agent.begin(of(1), NOW)
    body = AnswerBody(Outcome.SUCCESS, password_proven=True, detail="dc1", milliseconds=3.0)
    ends.agent.answer(of(1), body)
    assert carry(ends.agent, ends.relay) == [BegunReceived(1), Answered(1, body)]
