"""The agent's end of a session."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.protocol.errors import MalformedFrame, ProtocolError, UnexpectedMessage, VersionMismatch
from gateway.protocol.events import (
    Event,
    Opened,
    RenewalAnswered,
    RequestCancelled,
    RequestReceived,
)
from gateway.protocol.messages import (
    VERSION,
    AgentHello,
    AgentIntroduction,
    Announce,
    Answer,
    AnswerBody,
    Begun,
    Bye,
    Cancel,
    Capacity,
    Hello,
    PairKey,
    Refuse,
    Renew,
    Renewed,
    Request,
    Status,
    Welcome,
    decode_acceptance,
    decode_batch,
    encode,
    to_agent_decoder,
)
from gateway.protocol.records import AGENT_TO_RELAY, RELAY_TO_AGENT, derive
from gateway.protocol.sealing import REKEY_AFTER, Opener, SealKey, announcement_text, pair_text, seal_answer
from gateway.protocol.session import ProtocolSession, SessionState, transcript
from gateway.protocol.trust import IdentitySigner, PeerTrust, verify_proof


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    """What an agent says of itself in every session."""

    instance: str
    """Random, one for each process."""
    capacity: int
    """Requests taken at once on one connection."""
    domains: tuple[str, ...]
    """UPN suffixes and NetBIOS names it answers for, lower case; `*` for all."""
    software: str


@dataclass(slots=True)
class _Open:
    reply_key: bytes
    begin_by: float
    begun: bool = False


class AgentSession(ProtocolSession):
    """Listens first. Takes requests up to its capacity, each of them once, none after its deadline."""

    def __init__(self, identity: IdentitySigner, trust: PeerTrust, facts: AgentFacts, *, now: float) -> None:
        super().__init__(now, ping_interval=10.0)
        self.relay = ""
        self.session_id = ""
        self.capacity = facts.capacity
        self.clock_offset = 0.0
        """The relay's clock minus ours, seconds; deadlines are the relay's."""
        self._identity, self._trust, self._facts = identity, trust, facts
        self._seal_key: SealKey | None = SealKey()
        self._announced_at = now
        self._openers: list[Opener] = []
        self._open: dict[int, _Open] = {}

    @property
    def in_flight(self) -> int:
        """Requests received and not yet answered."""
        return len(self._open)

    # -- what the shell asks

    def begin(self, number: int, now: float) -> bool:
        """Mark that the bind is about to be made; False if it is too late for that: then nothing may be bound."""
        request = self._open.get(number)
        if request is None or self.state is not SessionState.OPEN:
            return False
        if not request.begun:
            if now + self.clock_offset > request.begin_by:  # by then the relay may have asked another agent
                return False
            request.begun = True
            self._outbox.append(Begun(number))
        return True

    def answer(self, number: int, body: AnswerBody) -> None:
        """Answer a request; one that was cancelled or whose session is over is dropped."""
        request = self._open.pop(number, None)
        if request is not None and self.state is SessionState.OPEN:
            self._outbox.append(Answer(number, seal_answer(request.reply_key, number, self._identity.name, body)))

    def refuse(self, number: int, reason: Literal["busy", "draining", "late", "unsealable", "cancelled"]) -> None:
        """Give a request back before it has begun, so that another agent may take it."""
        if self._open.pop(number, None) is not None and self.state is SessionState.OPEN:
            self._outbox.append(Refuse(number, reason))

    def set_capacity(self, requests: int) -> None:
        """Take this many requests at once from now on."""
        if self.state is SessionState.OPEN and requests != self.capacity:
            self.capacity = requests
            self._outbox.append(Capacity(requests))

    def send_renewal(self, csr: bytes) -> None:
        """Ask for a certificate for a new key (PKCS #10, DER)."""
        self._outbox.append(Renew(csr))

    def send_status(self, directories: dict[str, str]) -> None:
        """Tell the operator how the directories are, by domain controller."""
        if self.state is SessionState.OPEN:
            self._outbox.append(Status(directories, self.in_flight))

    # -- handshake

    def _greet(self, message: Any, frame: bytes, now: float, events: list[Event]) -> None:
        if isinstance(message, Bye):
            events.append(self._end_by_peer(message))
        elif isinstance(message, Hello) and self.state is SessionState.GREETING:
            self._take_hello(message, frame, now)
        elif isinstance(message, Welcome) and self.state is SessionState.PROVING:
            self._take_welcome(message, frame, now)
            events.append(Opened(self._peer, self.session_id))
        else:
            raise UnexpectedMessage(f"{type(message).__name__} while {self.state.value}")

    def _take_hello(self, hello: Hello, frame: bytes, now: float) -> None:
        if VERSION not in hello.versions:
            raise VersionMismatch(f"relay speaks versions {hello.versions}, this agent {VERSION}")
        self._peer = self._trust.verify(hello.certificate, now)
        if self._peer.name != hello.relay:
            raise MalformedFrame(f"relay calls itself {hello.relay!r}, its certificate says {self._peer.name!r}")
        self.relay, self._hello = hello.relay, frame
        self.clock_offset = hello.time - now  # off by the way here; each pong makes it better
        assert self._seal_key is not None  # noqa: S101 - made in __init__
        body = encode(
            AgentIntroduction(
                VERSION,
                self._identity.name,
                self._facts.instance,
                os.urandom(32),
                self._identity.certificate_der,
                self._seal_key.public,
                self.capacity,
                self._facts.domains,
                self._facts.software,
                now,
            )
        )
        self._agent_hello = encode(AgentHello(body, self._identity.sign(transcript(b"agent", frame, body))))
        self._raw.append(self._agent_hello)
        self.state = SessionState.PROVING

    def _take_welcome(self, welcome: Welcome, frame: bytes, now: float) -> None:
        said = (self._hello, self._agent_hello)
        verify_proof(self._peer, welcome.signature, transcript(b"relay", *said, welcome.body))
        acceptance = decode_acceptance(welcome.body)
        assert self._seal_key is not None  # noqa: S101 - forgotten only below
        secret = self._seal_key.open(acceptance.sealed_secret, info=transcript(b"secret", *said))
        self._seal_key = None  # forgotten: what was recorded stays closed even to who steals this memory later
        self.session_id, self.ping_interval = acceptance.session, acceptance.ping_interval
        self._announced_at = self._pinged = now
        salt = transcript(b"keys", *said, frame)
        self._secure(
            writer=derive(secret, salt=salt, info=AGENT_TO_RELAY), reader=derive(secret, salt=salt, info=RELAY_TO_AGENT)
        )
        self._openers = [Opener(secret, salt=salt, relay=self.relay, agent=self._identity.name)]

    # -- records

    def _decode(self, content: bytes) -> Sequence[Any]:
        return decode_batch(to_agent_decoder, content)

    def _handle(self, message: Any, now: float, events: list[Event]) -> None:
        if isinstance(message, Request):
            self._take_request(message, now, events)
        elif isinstance(message, Cancel):
            self._take_cancel(message.id, events)
        elif isinstance(message, PairKey):
            self._take_pair_key(message, now)
        elif isinstance(message, Renewed):
            events.append(RenewalAnswered(certificate=message.certificate))
        else:
            events.append(RenewalAnswered(refusal=message.reason))

    def _take_request(self, request: Request, now: float, events: list[Event]) -> None:
        relay_now = now + self.clock_offset
        reason = self._reason_to_refuse(request, relay_now)
        if reason is not None:
            self._outbox.append(Refuse(request.id, reason))
            return
        try:
            opener = next(opener for opener in self._openers if opener.id == request.key)
            body = opener.open(request, relay_now)
        except (StopIteration, ProtocolError):
            self._outbox.append(Refuse(request.id, "unsealable"))
            return
        self._open[request.id] = _Open(body.reply_key, request.begin_by)
        events.append(RequestReceived(request.id, request.deadline - self.clock_offset, body))

    def _reason_to_refuse(self, request: Request, relay_now: float) -> Literal["busy", "draining", "late"] | None:
        if request.deadline <= relay_now:
            return "late"
        if self.draining:
            return "draining"
        if len(self._open) >= self.capacity:
            return "busy"
        return None

    def _take_cancel(self, number: int, events: list[Event]) -> None:
        """A request that has begun stays open until its bind is done: it still takes capacity."""
        request = self._open.get(number)
        if request is not None:
            if not request.begun:
                del self._open[number]
            events.append(RequestCancelled(number))

    def _measured(self, latency: float, clock_skew: float) -> None:
        self.clock_offset = clock_skew

    # -- new seal keys

    def _tend(self, now: float) -> None:
        if now - self._announced_at >= REKEY_AFTER and self._seal_key is None:
            self._announced_at = now
            self._seal_key = SealKey()
            text = announcement_text(self._identity.name, self.session_id, self._seal_key.public)
            self._outbox.append(Announce(self._seal_key.public, self._identity.sign(text)))

    def _take_pair_key(self, pair: PairKey, now: float) -> None:
        if self._seal_key is None:
            raise UnexpectedMessage("pair key without an announced seal key")
        peer = self._trust.verify(pair.certificate, now)
        if peer.name != pair.relay:
            raise MalformedFrame(f"pair key of {pair.relay!r} under the certificate of {peer.name!r}")
        seal_key = self._seal_key.public
        verify_proof(peer, pair.signature, pair_text(pair.relay, self._identity.name, seal_key, pair.sealed_secret))
        info = announcement_text(pair.relay, self.session_id, seal_key)
        secret = self._seal_key.open(pair.sealed_secret, info=info)
        self._seal_key = None
        opener = Opener(secret, salt=info, relay=pair.relay, agent=self._identity.name)
        self._openers = [opener, *self._openers[:1]]  # requests under the key before may still be on their way
