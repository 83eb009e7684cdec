"""A relay and an agent of which one is newer: it says one more of everything, and every sign-in still comes through.

"Newer" is made here, on the wire: a further element in every array and a further key in every map, a kind of message, an
outcome, a reason, a capability, an operation that this version has never heard of.
"""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
import pytest

from certs import MachineIdentity
from gateway.protocol import (
    AnswerBody,
    AnswerUnreadable,
    Identity,
    Outcome,
    VerifyRequest,
    bodies,
    messages,
    relay_session,
    sealing,
)
from gateway.protocol import agent_session as agent_module
from gateway.protocol.agent_session import AGENT_CAPABILITIES
from gateway.protocol.errors import CloseCode, MalformedFrame, UnexpectedMessage
from gateway.protocol.events import (
    Answered,
    BegunReceived,
    Closed,
    Opened,
    ReportReceived,
    RequestReceived,
    RequestRefused,
)
from gateway.protocol.messages import (
    AgentHello,
    Drain,
    Ping,
    decode_handshake,
    encode,
    to_agent,
    to_relay,
)
from gateway.protocol.reports import (
    DirectoriesReport,
    DirectoryState,
    ReadinessReport,
    decode_directories_report,
    decode_readiness_report,
)
from gateway.protocol.session import SessionState, transcript
from tests.gateway.protocol.test_session import NOW, Ends, World, ask, of

ANNA = Identity("3f1c", "anna", "corp", directory="9d1c")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("world"))


def grown(value: Any) -> Any:
    """The same, said by somebody newer: one more element, one more key, at every depth that is a struct of ours."""
    if isinstance(value, msgspec.Struct):
        raw = msgspec.to_builtins(value, builtin_types=(bytes,))
        fields = {name: grown(getattr(value, name)) for name in value.__struct_fields__}
        if isinstance(raw, list):
            tag = [raw[0]] if len(raw) > len(fields) else []
            return [*tag, *fields.values(), "more"]
        return {**fields, "more": {"of": ["everything"]}}
    return [grown(part) for part in value] if isinstance(value, (list, tuple)) else value


def test_what_has_grown_has_grown() -> None:
    """Arrays at their end, maps by a key, within each other too."""
    assert grown([Drain(), messages.Ping(1.0)]) == [["drain", "more"], ["ping", 1.0, "more"]]
    assert grown(AnswerBody(Outcome.SUCCESS))["more"]


class NewerEnd:
    """Puts its word in behind the session's back: whatever it encodes has grown."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self._plain = messages.encode

    def encode(self, value: Any) -> bytes:
        return self._plain(grown(value) if isinstance(value, (msgspec.Struct, list)) else value)


@pytest.fixture(params=["agent", "relay"])
def mixed(world: World, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Ends:
    """An open session; one end is newer than the other, in everything that it says."""
    newer = NewerEnd(monkeypatch)
    monkeypatch.setattr("gateway.protocol.session.encode", newer.encode)  # records of both: more of everything both ways
    module = agent_module if request.param == "agent" else relay_session
    monkeypatch.setattr(module, "encode", newer.encode)
    sealed = bodies.encode_body
    if request.param == "relay":
        monkeypatch.setattr(sealing, "encode_body", lambda body: newer.encode(body) if _is_request(body) else sealed(body))
    else:
        monkeypatch.setattr(sealing, "encode_body", lambda body: sealed(body) if _is_request(body) else newer.encode(body))
    more = {f"{request.param}_capabilities": ("verify", "change", "report", "telepathy")}
    return world.open(**more)


def _is_request(body: object) -> bool:
    return isinstance(body, bodies.SealedRequest)


def test_one_more_field_in_everything_changes_nothing(mixed: Ends) -> None:
    """Handshake, records, sealed bodies: a whole sign-in, a report, a renewal, a drain."""
    assert mixed.relay.state is mixed.agent.state is SessionState.OPEN
    assert "telepathy" in mixed.relay.peer_capabilities | mixed.agent.peer_capabilities
    ask(mixed)
    (received,) = mixed.pump()
    assert isinstance(received, RequestReceived)
    assert isinstance(received.body, VerifyRequest)
    assert received.body.password == "right"
    assert mixed.agent.begin(received.id, NOW)
    assert mixed.pump() == [BegunReceived(1)]
    mixed.agent.answer(received.id, AnswerBody(Outcome.SUCCESS, ANNA), ANNA.account)
    (answered,) = mixed.pump()
    assert isinstance(answered, Answered)
    assert answered.body.identity == ANNA
    mixed.agent.send_report("directories", 1, b"")
    mixed.agent.drain()
    mixed.relay.send_renewal_denied("no")
    mixed.relay.tick(NOW + 11)
    assert len(mixed.pump(NOW + 11)) == 4
    assert mixed.relay.state is mixed.agent.state is SessionState.OPEN


@pytest.mark.parametrize("end", ["agent", "relay"])
def test_an_optional_kind_of_message_is_ignored(world: World, end: str) -> None:
    """Alone, or between others, which are taken in order; however it is built."""
    ends = world.open()
    source, sink = (ends.relay, ends.agent) if end == "agent" else (ends.agent, ends.relay)
    source.unsent.extend([["?news", 1, {"a": [None]}, b"\0" * 300], Ping(NOW), ["?news"], Drain()])
    for frame in source.frames():
        sink.receive(frame, NOW)
    assert sink.closed is None
    assert sink.peer_draining
    assert [type(message).__name__ for message in sink.unsent] == ["Pong"]


@pytest.mark.parametrize(
    "rest",
    [b"\x81\x80\x01", b"\x81\x91\x90\x01", b"\x81\xd4\x01\x00\x01", b"\xdd\x00\x0f\x42\x40" + b"\x90" * 1_000_000],
    ids=["a map as a key", "an array of an array as a key", "an extension as a key", "a million arrays"],
)
def test_nothing_is_made_of_what_is_ignored(rest: bytes) -> None:
    """What Python cannot build ended an agent's process; what it builds slowly stopped everybody on the relay."""
    record = b"\x92" + b"\x92\xa5?news" + rest + encode(Drain())
    tracemalloc.start()
    try:
        assert [decoder.decode(record) for decoder in (to_agent, to_relay)] == [[Drain()], [Drain()]]
        assert tracemalloc.get_traced_memory()[1] < 4 * messages.MAX_FRAME
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("end", ["agent", "relay"])
@pytest.mark.parametrize(
    ("message", "code"),
    [
        (["news", 1], CloseCode.UNEXPECTED),
        ([1, "?news"], CloseCode.MALFORMED),
        ([], CloseCode.MALFORMED),
        ({"?news": 1}, CloseCode.MALFORMED),
        (["ping", "now"], CloseCode.MALFORMED),
        (["n" * 5000], CloseCode.UNEXPECTED),
    ],
    ids=["not optional", "no tag", "empty", "a map", "a known kind that is malformed", "a long tag"],
)
def test_what_is_neither_known_nor_optional_ends_the_session(world: World, end: str, message: Any, code: CloseCode) -> None:
    """It may be meant to be obeyed; what came before it in the same frame is not taken, either."""
    ends = world.open()
    source, sink = (ends.relay, ends.agent) if end == "agent" else (ends.agent, ends.relay)
    source.unsent.extend([Drain(), message, ["?news"]])
    events = [event for frame in source.frames() for event in sink.receive(frame, NOW)]
    assert [type(event) for event in events] == [Closed]
    assert sink.closed is not None
    assert sink.closed.code == code
    assert not sink.peer_draining
    assert len(sink.closed.detail) < 200


def test_an_optional_kind_that_is_known_must_be_well_formed() -> None:
    """To ignore what cannot be read would hide that it cannot."""
    with pytest.raises(MalformedFrame):
        to_relay.decode(encode([["?report", "kind", 0, b""]]))
    assert to_agent.decode(encode([["?report", "kind", 0, b""], Drain()])) == [Drain()]  # this end knows of no reports


def test_a_kind_of_the_wrong_direction_is_unknown() -> None:
    """As if it did not exist."""
    with pytest.raises(UnexpectedMessage, match="'begun'"):
        to_agent.decode(encode([["begun", "relay1", 1, bytes(16)]]))


def answered_with(world: World, content: Any) -> tuple[Ends, list[Any]]:
    """What comes of an answer with this in its seal; another request is under way meanwhile."""
    ends = world.open()
    for number in (1, 2):
        ask(ends, number)
    ends.pump()
    reply = ends.agent._open[of(1)].reply  # the newer agent's own business
    sealed = reply.seal(1, "agent1", msgspec.Raw(encode(content)))  # type: ignore[arg-type]
    ends.agent.unsent.append(messages.Answer("relay1", 1, sealed))
    return ends, ends.pump()


@pytest.mark.parametrize(
    "content",
    [
        {"outcome": "smartcard_required"},
        {"outcome": "success", "identity": {"object_guid": 5}},
        {"outcome": "success", "milliseconds": "long"},
        {},
        [],
        "success",
    ],
)
def test_an_answer_in_unknown_words_fails_alone(world: World, content: Any) -> None:
    """A newer outcome, an identity of another form: this request is over, the next one is answered."""
    ends, events = answered_with(world, content)
    (unreadable,) = events
    assert isinstance(unreadable, AnswerUnreadable)
    assert (unreadable.id, unreadable.detail) == (1, "ValidationError")
    assert not ends.relay.cancel_request(1)
    ends.agent.answer(of(2), AnswerBody(Outcome.WRONG_CREDENTIAL))
    assert ends.pump() == [Answered(2, AnswerBody(Outcome.WRONG_CREDENTIAL))]


def test_a_reason_that_is_not_known_is_a_refusal(world: World) -> None:
    """All that matters is that the agent did not begin."""
    ends = world.open()
    ask(ends)
    ends.pump()
    ends.agent.refuse(of(1), "saving-energy")
    assert ends.pump() == [RequestRefused(1, "saving-energy")]


@pytest.mark.parametrize(
    "operation", ["unlock", "reset", "recheck", "readiness"]
)  # the last is a capability, and no operation
def test_an_operation_that_the_agent_does_not_know_is_given_back(
    world: World, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its reply key, which is there whatever else is: the relay may ask another agent."""
    ends = world.open(agent_capabilities=AGENT_CAPABILITIES)  # `readiness` among them, which is no operation
    body = VerifyRequest(bytes(32), "c0ffee", user_name="anna", password="x")
    monkeypatch.setattr(VerifyRequest, "operation", operation)
    monkeypatch.setattr(
        sealing, "encode_body", lambda body: encode({"reply_key": body.reply_key, "account": ["9d1c", "3f1c"]})
    )
    ends.relay.send_request(1, begin_by=NOW + 4, deadline=NOW + 15, body=body)
    assert ends.pump() == [RequestRefused(1, "unsupported")]
    assert ends.agent.in_flight == 0


def test_an_operation_that_the_agent_does_not_state_is_given_back(world: World) -> None:
    """Known to its protocol, but not done there."""
    ends = world.open(agent_capabilities=("change",))
    assert ends.relay.peer_capabilities == {"change"}
    ask(ends)
    assert ends.pump() == [RequestRefused(1, "unsupported")]


def test_an_older_relay_takes_no_reports(world: World) -> None:
    """Nothing else is missing."""
    ends = world.open(relay_capabilities=())
    assert ends.agent.peer_capabilities == frozenset()
    ask(ends)
    ends.pump()
    assert not ends.agent.send_report("directories", 1, b"")
    ends.agent.answer(of(1), AnswerBody(Outcome.SUCCESS, ANNA), ANNA.account)
    assert ends.pump() == [Answered(1, AnswerBody(Outcome.SUCCESS, ANNA))]


def test_a_report_of_any_kind_arrives(world: World) -> None:
    """Its reader decides; the protocol does not look into it."""
    ends = world.open()
    assert ends.agent.send_report("weather", 7, b"\xc1")
    assert ends.pump() == [ReportReceived("weather", 7, b"\xc1")]


def test_the_body_of_a_directories_report_may_grow_too() -> None:
    """And is refused where it is none."""
    report = DirectoriesReport({"dc1:636": "closed"}, 3)
    assert decode_directories_report(encode(grown(report))) == report
    for wrong in (b"", b"\xc1", encode({"controllers": 5})):
        with pytest.raises(MalformedFrame):
            decode_directories_report(wrong)


def test_the_body_of_a_readiness_report_may_grow_too() -> None:
    """In each directory as well; a condition that is not known here is taken as it is."""
    corp, west = DirectoryState("corp", ("corp.example.com", "*"), "ready"), DirectoryState("west", (), "moved")
    report = ReadinessReport((corp, west))
    assert decode_readiness_report(encode(grown(report))) == report
    state = {"name": "corp", "domains": ["corp"], "condition": "ready"}
    for wrong in ({"directories": 5}, {}, *({"directories": [{**state, **bad}]} for bad in _BAD_STATES)):
        with pytest.raises(MalformedFrame):
            decode_readiness_report(encode(wrong))


_BAD_STATES: list[dict[str, Any]] = [{"domains": ["a b"]}, {"condition": "\x1b[2J"}, {"condition": ""}, {"name": "corp\n"}]


def test_the_words_on_the_wire_are_those_of_the_first_version() -> None:
    """Older ends know no others; what a newer one may say is shown as it came."""
    report = DirectoriesReport.of({"dc1": "up", "dc2": "down", "dc3": "probing"}, 0)
    assert report.controllers == {"dc1": "closed", "dc2": "open", "dc3": "half_open"}
    assert report.states == {"dc1": "up", "dc2": "down", "dc3": "probing"}
    assert DirectoriesReport({"dc1": "closed", "dc2": "asleep"}, 0).states == {"dc1": "up", "dc2": "asleep"}


def test_a_handshake_of_a_newer_agent_is_signed_as_it_was_said(world: World) -> None:
    """The signature covers the bytes, also those that are not understood: nobody in between adds or removes them."""
    ends = world.ends()
    for frame in ends.relay.frames():
        ends.agent.receive(frame, NOW)
    (frame,) = ends.agent.frames()
    hello = decode_handshake(frame)
    assert isinstance(hello, AgentHello)
    introduction = msgspec.msgpack.decode(hello.body)
    changed = encode({**introduction, "more": 1})
    (event,) = ends.relay.receive(encode(AgentHello(changed, hello.signature)), NOW)
    assert isinstance(event, Closed)
    assert event.code == CloseCode.REFUSED
    signed: MachineIdentity = world.agent
    again = world.ends()
    (greeting,) = again.relay.frames()
    signature = signed.sign(transcript(b"agent", greeting, changed))
    (opened,) = again.relay.receive(encode(AgentHello(changed, signature)), NOW)
    assert isinstance(opened, Opened)


@pytest.mark.parametrize("kinds", [messages.ToAgent, messages.ToRelay])
def test_every_message_may_grow(kinds: Any) -> None:
    """Also those that no test above sends: none of them forbids what it does not know."""
    for kind in kinds.__args__:
        assert kind.__struct_config__.array_like
        assert not kind.__struct_config__.forbid_unknown_fields
    for kind in (messages.AgentIntroduction, messages.Acceptance, *bodies._requests):
        config = getattr(kind, "__struct_config__", None)
        assert config is None or not (config.array_like or config.forbid_unknown_fields)


def test_tags_are_part_of_the_protocol() -> None:
    """Whatever the classes are called."""
    tags = {kind.__struct_config__.tag for kinds in (messages.ToAgent, messages.ToRelay) for kind in kinds.__args__}
    assert tags == {
        "request", "cancel", "pair-key", "renewed", "renewal-refused", "ping", "pong", "drain", "bye",
        "begun", "answer", "refuse", "capacity", "announce", "renew", "?report", "?allowed",
    }  # fmt: skip
