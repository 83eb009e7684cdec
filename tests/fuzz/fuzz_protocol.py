"""Fuzz target: both ends of `gateway.protocol`, attacked before, during and after the handshake.

    python -m tests.fuzz.fuzz_protocol -max_total_time=60 [corpus directory]      (needs atheris)

The first byte of an input chooses a stage, the rest is what the attacker does in it:

    outsider    no key at all: raw frames to a session in any state
    handshake   the key of an enrolled machine: handshake messages that are signed rightly and say what they like
    insider     the same, after the handshake: records that are encrypted rightly around anything, seals that open to
                anything, messages that fit and such that do not, in between whatever the session's own shell does

Whatever comes, a session gives events or ends with a close code. An exception that escapes is a finding, and so is an
event that no honest conversation explains.
"""

from __future__ import annotations

import inspect
import struct
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec

from certs import Authority, MachineIdentity, Role
from gateway.protocol import (
    AccountId,
    AgentFacts,
    AgentSession,
    AnswerBody,
    CloseCode,
    Identity,
    Outcome,
    PeerTrust,
    ProtocolSession,
    RelaySession,
    SessionState,
)
from gateway.protocol import request_body as make_request_body
from gateway.protocol.bodies import decode_request, encode_body
from gateway.protocol.errors import SealBroken
from gateway.protocol.events import (
    Answered,
    AnswerUnreadable,
    BegunReceived,
    Closed,
    Event,
    RequestReceived,
    RequestRefused,
)
from gateway.protocol.messages import (
    MAX_FRAME,
    VERSION,
    Acceptance,
    AgentHello,
    AgentIntroduction,
    Announce,
    Answer,
    Begun,
    Bye,
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
    Renewed,
    Report,
    Request,
    Welcome,
    decode_acceptance,
    decode_handshake,
    decode_introduction,
    encode,
    to_agent,
    to_relay,
)
from gateway.protocol.records import AGENT_TO_RELAY, RELAY_TO_AGENT, RecordReader, RecordWriter, derive
from gateway.protocol.sealing import (
    REKEY_AFTER,
    Opener,
    ReplySeal,
    Sealer,
    SealKey,
    announcement_text,
    pair_text,
    seal_key_id,
    seal_secret,
    unsealable_text,
)
from gateway.protocol.session import transcript

T = TypeVar("T")

NOW = 1_800_000_000.0
STEPS = 16
"""Things that an insider does at most."""


class Finding(AssertionError):
    """The session did what it must not do."""


# -- what the input says


class Source:
    """Reads decisions from the input; at its end every decision is the first choice."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def __bool__(self) -> bool:
        return self._at < len(self._data)

    def take(self, count: int) -> bytes:
        """The next bytes, or as many as there are."""
        taken = self._data[self._at : self._at + count]
        self._at += count
        return taken

    def byte(self) -> int:
        return (self.take(1) or b"\0")[0]

    def below(self, limit: int) -> int:
        """A number from 0 up to, not including, `limit`."""
        return int.from_bytes(self.take(2 if limit > 256 else 1), "big") % max(limit, 1)

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def blob(self) -> bytes:
        """Up to 249 bytes with their length before them, or all the rest."""
        length = self.byte()
        return self.take(length if length < 250 else len(self._data))

    def text(self) -> str:
        return self.blob().decode("utf-8", "replace")

    def number(self) -> int:
        """A request's number: mostly one that is in use."""
        return self.pick((1, 2, 3, 4, 5, 0, -1, 2**62, 2**63, int.from_bytes(self.take(4), "big")))

    def moment(self, now: float) -> float:
        strange = (now, now + 4, now + 15, now - 1, 0.0, 2.0**40, 2.0**41, -1.0, float("inf"), float("nan"))
        (any_at_all,) = struct.unpack(">d", self.take(8).ljust(8, b"\0")) if self.below(8) == 7 else (now,)
        chosen: float = self.pick((*strange, any_at_all))
        return chosen

    def bent(self, whole: bytes) -> bytes:
        """Mostly as it is; now and then with something changed, cut off or put in."""
        deed, at = self.byte(), self.below(len(whole) + 1)
        if deed < 192:
            return whole
        put_in = self.blob()
        return whole[:at] + put_in + {0: whole[at + len(put_in) :], 1: b"", 2: whole[at:]}[deed % 3]


# -- who is there


class World:
    """An authority, and one honest identity of each role."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as home:
            self.authority = Authority.create(Path(home) / "ca", name="fuzz", now=NOW)
            self.relay = self._issue(Path(home), "relay1", Role.RELAY)
            self.agent = self._issue(Path(home), "agent1", Role.AGENT)
        self.agents = PeerTrust(self.authority.certificate, Role.AGENT)
        self.relays = PeerTrust(self.authority.certificate, Role.RELAY)

    def _issue(self, home: Path, name: str, role: Role) -> MachineIdentity:
        csr = MachineIdentity.begin(home / name, name=name)
        der = self.authority.issue(csr, name=name, role=role, now=NOW)
        return MachineIdentity.install(home / name, der, self.authority.certificate_der, name=name, role=role, now=NOW)


@cache
def world() -> World:
    """Made once: keys take time, and no finding depends on them."""
    return World()


class Target:
    """A session under attack; every word it says and every event is checked."""

    def __init__(self, session: ProtocolSession) -> None:
        self.session, self.now = session, NOW
        self.events: list[Event] = []
        self.sent: set[int] = set()
        """Requests that a relay's shell sent and nobody answered yet."""

    @property
    def open(self) -> bool:
        return self.session.state is SessionState.OPEN

    def feed(self, frame: bytes) -> None:
        self._check(self.session.receive(frame, self.now))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self._check(self.session.tick(self.now))

    def frames(self) -> list[bytes]:
        """What the session says; also what it would say to a peer."""
        frames = self.session.frames()
        if not all(isinstance(frame, bytes) and len(frame) <= MAX_FRAME for frame in frames):
            raise Finding(f"frames that no peer takes: {[len(frame) for frame in frames]}")
        return frames

    def _check(self, events: list[Event]) -> None:
        self.events += events
        for number, event in enumerate(events):
            if not isinstance(event, get_args(Event)):
                raise Finding(f"no event: {event!r}")
            if isinstance(event, Closed) and number != len(events) - 1:
                raise Finding(f"events after the end: {events!r}")
            done = isinstance(event, (Answered, AnswerUnreadable, RequestRefused))
            if (done or isinstance(event, BegunReceived)) and event.id not in self.sent:
                raise Finding(f"nobody waits for this: {event!r}")
            if done:
                self.sent.discard(event.id)
            if isinstance(event, RequestReceived) and event.deadline < self.now:
                raise Finding(f"past its deadline: {event!r}")
        self._check_end(events)

    def _check_end(self, events: list[Event]) -> None:
        closed = self.session.closed
        if (closed is not None) is not (self.session.state is SessionState.CLOSED):
            raise Finding(f"{self.session.state} and {closed!r}")
        if closed is not None and not closed.by_peer:
            CloseCode(closed.code)
        if any(isinstance(event, Closed) for event in events) and (
            events[-1] != closed or self.session.receive(b"more", self.now) != []
        ):
            raise Finding("it ended, and went on")


class BentSealer(Sealer):
    """Seals what is no request body."""

    def seal_content(self, number: int, operation: str, begin_by: float, deadline: float, content: bytes) -> Request:
        binding = self._binding(number, operation, begin_by, deadline)
        sealed = self._aead.encrypt(number.to_bytes(12, "big"), content, binding)
        return Request(self.relay, number, self.id, operation, begin_by, deadline, sealed)


KEY_IDS = ("2", "1", "3", "")
NODES = ("relay1", "relay1", "relay1", "relay2", "")


class RogueAgent:
    """Has an enrolled agent's key, and says what it likes to a relay."""

    def __init__(self) -> None:
        self._me = world().agent
        self.session = RelaySession(world().relay, world().agents, now=NOW)
        self.target = Target(self.session)
        (self.hello,) = self.target.frames()
        self._seal_key = SealKey()
        self._requests: dict[int, ReplySeal] = {}
        self._pair_ids: dict[int, bytes] = {}
        self._asked = 0

    def introduction(self, **changes: Any) -> bytes:
        """What it says of itself, with some of it changed."""
        fields: dict[str, Any] = {
            "version": VERSION,
            "instance": "i1",
            "nonce": bytes(32),
            "certificate": self._me.certificate_der,
            "seal_key": self._seal_key.public,
            "capacity": 8,
            "domains": ("corp",),
            "software": "fuzz",
            "time": NOW,
            "capabilities": ("verify",),
        }
        return encode(AgentIntroduction(**{**fields, **changes}))

    def signed(self, body: bytes) -> bytes:
        """A hello with this body, signed rightly."""
        return encode(AgentHello(body, self._me.sign(transcript(b"agent", self.hello, body))))

    def finish_handshake(self) -> None:
        """Both ends open; from here on it can make records."""
        frame = self.signed(self.introduction())
        self.target.feed(frame)
        answer, *records = self.target.frames()
        welcome = decode_handshake(answer)
        assert isinstance(welcome, Welcome)
        acceptance = decode_acceptance(welcome.body)
        secret = self._seal_key.open(acceptance.sealed_secret, info=transcript(b"secret", self.hello, frame))
        salt = transcript(b"keys", self.hello, frame, answer)
        self._session_id = acceptance.session
        self._writer = RecordWriter(derive(secret, salt=salt, info=AGENT_TO_RELAY))
        self._reader = RecordReader(derive(secret, salt=salt, info=RELAY_TO_AGENT))
        self._opener = Opener(secret, salt=salt, relay=world().relay.name, agent=self._me.name)
        for record in records:
            self._read(self._reader.open(record))

    def step(self, source: Source) -> None:
        """Do one thing; or have the relay's shell do one."""
        deeds: tuple[Callable[[Source], None], ...] = (
            self._say_message,
            self._say_message,
            self._say_anything,
            self._be_asked,
            self._be_asked,
            self._use_shell,
            self._let_time_pass,
        )
        source.pick(deeds)(source)
        for record in self.target.frames():
            self._read(self._reader.open(record))

    def _read(self, content: bytes) -> None:
        for message in to_agent.decode(content):
            with suppress(SealBroken):  # sealed to a key that was bent, or replaced since
                self._understand(message)

    def _understand(self, message: object) -> None:
        if isinstance(message, Request):
            body = decode_request(message.operation, self._opener.open(message, NOW))
            self._requests[message.number] = ReplySeal(body.reply_key)
            self._pair_ids[message.number] = message.key
        elif isinstance(message, PairKey):
            info = announcement_text(world().relay.name, self._session_id, self._seal_key.public)
            secret = self._seal_key.open(message.sealed_secret, info=info)
            self._opener = Opener(secret, salt=info, relay=world().relay.name, agent=self._me.name)

    def _say_anything(self, source: Source) -> None:
        frame = source.blob()
        self.target.feed(self._writer.seal(frame) if source.below(4) else frame)

    def _say_message(self, source: Source) -> None:
        batch = [self._message(source) for _ in range(1 + source.below(3))]
        self.target.feed(self._writer.seal(source.bent(encode(batch))))

    def _message(self, source: Source) -> Any:
        now = self.target.now
        kinds: tuple[Callable[[], Any], ...] = (
            lambda: self._begun(source),
            lambda: self._answer(source),
            lambda: self._refuse(source),
            lambda: Capacity(source.pick((1, 0, -1, 100_000, 2**64 - 1))),
            lambda: self._announce(source),
            lambda: Renew(source.blob()),
            lambda: Report(source.text(), source.number(), source.blob()),
            lambda: [source.pick(("?new", "new", "?report", "begun")), source.number(), source.text()],
            lambda: Ping(source.moment(now)),
            lambda: Pong(source.moment(now), source.moment(now)),
            Drain,
            lambda: Bye(source.number(), source.text()),
            lambda: Cancel("relay1", source.number()),
        )
        return source.pick(kinds)()

    def _reply(self, number: int) -> ReplySeal:
        return self._requests.get(number, ReplySeal(bytes(32)))

    def _begun(self, source: Source) -> Begun:
        number = source.number()
        return Begun(source.pick(NODES), number, source.bent(self._reply(number).prove_begun()))

    def _refuse(self, source: Source) -> Refuse:
        number, reason = source.number(), source.pick(("busy", "late", "draining", "?", "unsealable"))
        proof = self._reply(number).prove_refusal(reason)
        if reason == "unsealable":
            text = unsealable_text(self._me.name, self._session_id, "relay1", number, self._pair_ids.get(number, b""))
            proof = self._me.sign(text)
        return Refuse(source.pick(NODES), number, reason, source.bent(proof))

    def _answer(self, source: Source) -> Answer:
        number = source.number()
        identity = source.pick((None, Identity("3f1c", "anna", "corp", directory="9d1c")))
        account = source.pick((None, AccountId("9d1c", "3f1c"), AccountId("", source.text())))
        honest = AnswerBody(source.pick(tuple(Outcome)), identity, detail="dc1", account=account)
        content = msgspec.Raw(source.bent(encode_body(honest)))
        sealed = self._reply(number).seal(number, self._me.name, content)  # type: ignore[arg-type]
        return Answer(source.pick(NODES), number, source.bent(sealed))

    def _announce(self, source: Source) -> Announce:
        self._seal_key = SealKey()
        key = source.bent(self._seal_key.public).ljust(1216, b"\0")[:1216]
        text = announcement_text(self._me.name, self._session_id, key)
        if key != self._seal_key.public:
            self._session_id = ""  # what is paired with a bent key cannot be read here: say no more of this session
        return Announce(key, source.bent(self._me.sign(text)))

    def _be_asked(self, source: Source) -> None:
        if self.target.open:
            self._asked += 1
            number = self._asked
            body = make_request_body("verify", "anna@corp", "right", "", "c0ffee")
            self.session.send_request(number, begin_by=self.target.now + 4, deadline=self.target.now + 15, body=body)
            self.target.sent.add(number)

    def _cancel(self, number: int) -> None:
        if self.session.cancel_request(number):
            self.target.sent.discard(number)

    def _use_shell(self, source: Source) -> None:
        number = source.number()
        shell: tuple[Callable[[], Any], ...] = (
            lambda: self._cancel(number),
            lambda: self.session.send_renewed(b"certificate"),
            lambda: self.session.send_renewal_denied("no"),
            self.session.drain,
            lambda: self.session.use(world().relay),
            lambda: self.session.close(CloseCode.GOING_AWAY, "bye"),
        )
        source.pick(shell)()

    def _let_time_pass(self, source: Source) -> None:
        self.target.pass_time(source.pick((0.1, 11.0, 31.0, 3600.0, -5.0)))


class RogueRelay:
    """Has a relay's key, and says what it likes to an agent."""

    def __init__(self) -> None:
        self._me = world().relay
        facts = AgentFacts(instance="i1", capacity=3, domains=("corp",), software="fuzz")
        self.session = AgentSession(world().agent, world().relays, facts, now=NOW)
        self.target = Target(self.session)
        self.hello = self.hello_with()
        self.answer = b""
        self._announced = b""
        self._number = 0

    def hello_with(self, **changes: Any) -> bytes:
        """The first word, with some of it changed."""
        fields: dict[str, Any] = {
            "versions": (VERSION,),
            "nonce": bytes(32),
            "certificate": self._me.certificate_der,
            "time": NOW,
        }
        return encode(Hello(**{**fields, **changes}))

    def greet(self) -> None:
        """As far as the agent's own hello."""
        self.target.feed(self.hello)
        (self.answer,) = self.target.frames()

    def acceptance(self, secret: bytes = bytes(32), **changes: Any) -> bytes:
        """What it grants, with some of it changed."""
        hello = decode_handshake(self.answer)
        assert isinstance(hello, AgentHello)
        seal_key = decode_introduction(hello.body).seal_key
        sealed = seal_secret(secret, seal_key, info=transcript(b"secret", self.hello, self.answer))
        fields: dict[str, Any] = {"session": "s1", "sealed_secret": sealed, "ping_interval": 10.0, "time": NOW}
        return encode(Acceptance(**{**fields, **changes}))

    def signed(self, body: bytes) -> bytes:
        """A welcome with this body, signed rightly."""
        return encode(Welcome(body, self._me.sign(transcript(b"relay", self.hello, self.answer, body))))

    def finish_handshake(self) -> None:
        """Both ends open; from here on it can make records."""
        self.greet()
        welcome = self.signed(self.acceptance())
        self.target.feed(welcome)
        salt = transcript(b"keys", self.hello, self.answer, welcome)
        self._writer = RecordWriter(derive(bytes(32), salt=salt, info=RELAY_TO_AGENT))
        self._reader = RecordReader(derive(bytes(32), salt=salt, info=AGENT_TO_RELAY))
        self._sealer = BentSealer(bytes(32), salt=salt, relay=self._me.name, agent=world().agent.name)

    def step(self, source: Source) -> None:
        """Do one thing; or have the agent's shell do one."""
        deeds: tuple[Callable[[Source], None], ...] = (
            self._say_message,
            self._say_message,
            self._say_message,
            self._say_anything,
            self._use_shell,
            self._use_shell,
            self._let_time_pass,
        )
        source.pick(deeds)(source)
        for record in self.target.frames():
            for message in to_relay.decode(self._reader.open(record)):
                if isinstance(message, Announce):
                    self._announced = message.seal_key

    def _say_anything(self, source: Source) -> None:
        frame = source.blob()
        self.target.feed(self._writer.seal(frame) if source.below(4) else frame)

    def _say_message(self, source: Source) -> None:
        batch = [self._message(source) for _ in range(1 + source.below(3))]
        self.target.feed(self._writer.seal(source.bent(encode(batch))))

    def _message(self, source: Source) -> Any:
        now = self.target.now
        kinds: tuple[Callable[[], Any], ...] = (
            lambda: self._request(source),
            lambda: self._request(source),
            lambda: Cancel(source.pick(NODES), source.number()),
            lambda: [source.pick(("?new", "new", "request")), source.number(), source.text()],
            lambda: self._pair_key(source),
            lambda: Renewed(source.blob()),
            lambda: RenewalDenied(source.text()),
            lambda: Ping(source.moment(now)),
            lambda: Pong(source.moment(now), source.moment(now)),
            Drain,
            lambda: Bye(source.number(), source.text()),
            lambda: Begun("relay1", source.number(), bytes(16)),
        )
        return source.pick(kinds)()

    def _request(self, source: Source) -> Request:
        self._number += 1
        now = self.target.now
        begin_by, deadline = source.moment(now + 4), source.moment(now + 15)
        operation = source.pick(("verify", "verify", "change", "whatever"))
        content = source.bent(encode_body(make_request_body("verify", "anna@corp", "right", "", "c0ffee")))
        sealed = self._sealer.seal_content(self._number, operation, begin_by, deadline, content)
        changes: tuple[dict[str, Any], ...] = (
            {},
            {},
            {"number": source.number()},
            {"node": source.pick(NODES)},
            {"key": source.blob()},
            {"operation": source.text()},
            {"deadline": now},
        )
        return msgspec.structs.replace(sealed, **source.pick(changes))

    def _pair_key(self, source: Source) -> PairKey:
        agent, secret = world().agent.name, source.pick((bytes(32), bytes(32), b"", bytes(1000)))
        info = announcement_text(self._me.name, "s1", self._announced)
        sealed = seal_secret(secret, self._announced, info=info) if self._announced else bytes(32)
        sealed = source.bent(sealed)
        signature = source.bent(self._me.sign(pair_text(self._me.name, agent, self._announced, sealed)))
        if self._announced and sealed:
            self._number = 0
            self._sealer = BentSealer(secret, salt=info, relay=self._me.name, agent=agent)
        named = source.bent(seal_key_id(self._announced))
        return PairKey(named, sealed, source.bent(self._me.certificate_der), signature)

    def _use_shell(self, source: Source) -> None:
        number = source.pick(NODES), source.number()
        shell: tuple[Callable[[], Any], ...] = (
            lambda: self.session.begin(number, self.target.now),
            lambda: self.session.answer(
                number, AnswerBody(Outcome.SUCCESS, detail=source.text()), source.pick((None, AccountId("9d1c", "3f1c")))
            ),
            lambda: self.session.refuse(number, "late"),
            lambda: self.session.set_capacity(source.below(4)),
            lambda: self.session.send_report("directories", 1, source.blob()),
            lambda: self.session.send_renewal(b"csr"),
            self.session.drain,
            lambda: self.session.close(CloseCode.GOING_AWAY, "bye"),
        )
        source.pick(shell)()

    def _let_time_pass(self, source: Source) -> None:
        """Ten minutes with a ping at their end: the agent announces a new seal key."""
        seconds = source.pick((REKEY_AFTER + 1, 0.1, 11.0, 31.0, -5.0))
        if seconds > REKEY_AFTER:
            self.target.now += seconds
            self.target.feed(self._writer.seal(encode([Ping(self.target.now)])))
            seconds = 0.0
        self.target.pass_time(seconds)


# -- stages

ROGUES: tuple[type[RogueAgent | RogueRelay], ...] = (RogueAgent, RogueRelay)


def outsider(source: Source) -> list[Event]:
    """Raw frames, to either end, in any state."""
    rogue = source.pick(ROGUES)()
    progress = source.below(3)
    if progress == 1 and isinstance(rogue, RogueRelay):
        rogue.greet()
    elif progress == 2:
        rogue.finish_handshake()
    while source:
        rogue.target.feed(source.blob())
        rogue.target.frames()
    return rogue.target.events


def introduce(source: Source) -> list[Event]:
    """A signed AgentHello: anything at all, or an introduction of which something is changed."""
    rogue = RogueAgent()
    changes: tuple[Callable[[], dict[str, Any]], ...] = (
        dict,
        lambda: {"version": source.number()},
        lambda: {"capabilities": (source.text(),)},
        lambda: {"certificate": source.bent(world().agent.certificate_der)},
        lambda: {"certificate": source.pick((world().relay, world().agent)).certificate_der},
        lambda: {"seal_key": source.bent(SealKey().public)},
        lambda: {"seal_key": source.blob().ljust(1216, b"\0")},
        lambda: {"seal_key": SealKey().public[:1184] + source.blob().ljust(32, b"\0")[:32]},
        lambda: {"capacity": source.number()},
        lambda: {"domains": (source.text(), source.text())},
        lambda: {"time": source.moment(NOW)},
    )
    body = rogue.introduction(**source.pick(changes)())
    body = source.blob() if source.below(4) == 3 else source.bent(body)
    rogue.target.feed(source.bent(rogue.signed(body)))
    rogue.target.frames()
    return rogue.target.events


def welcome(source: Source) -> list[Event]:
    """A Hello, and a signed Welcome: anything at all, or an acceptance of which something is changed."""
    rogue = RogueRelay()
    first: tuple[Callable[[], dict[str, Any]], ...] = (
        dict,
        dict,
        lambda: {"versions": (source.number(), source.number())},
        lambda: {"capabilities": (source.text(),)},
        lambda: {"certificate": source.bent(world().relay.certificate_der)},
        lambda: {"time": source.moment(NOW)},
    )
    rogue.hello = source.bent(rogue.hello_with(**source.pick(first)()))
    rogue.target.feed(rogue.hello)
    frames = rogue.target.frames()
    if rogue.session.state is not SessionState.PROVING:
        return rogue.target.events
    (rogue.answer,) = frames
    then: tuple[Callable[[], dict[str, Any]], ...] = (
        dict,
        lambda: {"secret": source.blob()},
        lambda: {"session": source.text()},
        lambda: {"sealed_secret": source.blob()},
        lambda: {"sealed_secret": source.blob().ljust(1120 + 32 + 16, b"\0")},
        lambda: {"ping_interval": source.moment(0.1)},
        lambda: {"time": source.moment(NOW)},
    )
    body = rogue.acceptance(**source.pick(then)())
    body = source.blob() if source.below(4) == 3 else source.bent(body)
    rogue.target.feed(source.bent(rogue.signed(body)))
    rogue.target.pass_time(1.0)
    rogue.target.frames()
    return rogue.target.events


def insider(source: Source) -> list[Event]:
    """An open session, and somebody at its other end who does not keep to anything."""
    rogue = source.pick(ROGUES)()
    rogue.finish_handshake()
    for _ in range(STEPS):
        if not source:
            break
        rogue.step(source)
    return rogue.target.events


STAGES = (insider, insider, introduce, welcome, outsider)


def fuzz_one(data: bytes) -> list[Event]:
    """Run one input; returns what the session made of it. Raises Finding, or whatever escaped from the session."""
    source = Source(data)
    return source.pick(STAGES)(source)


# -- atheris


def instrument(atheris: Any, packages: tuple[str, ...]) -> None:
    """Measure the coverage of what is attacked, and of nothing else."""
    for name, module in list(sys.modules.items()):
        if not name.startswith(packages):
            continue
        for member in vars(module).values():
            for attribute in vars(member).values() if inspect.isclass(member) else (member,):
                function = getattr(attribute, "__func__", attribute)  # of a class method
                if inspect.isfunction(function) and function.__module__ == name:
                    atheris.instrument_func(function)


def main() -> None:
    """Fuzz until libFuzzer's options say otherwise."""
    try:
        import atheris
    except ImportError:
        raise SystemExit("atheris is not installed: pip install 'isthmus[fuzz]'") from None

    instrument(atheris, ("gateway.protocol", "certs"))

    def run(data: bytes) -> None:
        fuzz_one(data)

    atheris.Setup(sys.argv, run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
