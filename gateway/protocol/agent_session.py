"""The agent's end of a session."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.protocol.accounts import AccountId
from gateway.protocol.bodies import OPERATIONS, AnswerBody, SealedRequest, decode_request
from gateway.protocol.errors import MalformedFrame, SealBroken, UnexpectedMessage, VersionMismatch
from gateway.protocol.events import (
    DomainsAllowed,
    Event,
    Ignored,
    Opened,
    RenewalAnswered,
    RequestCancelled,
    RequestId,
    RequestReceived,
)
from gateway.protocol.messages import (
    MAX_REPORT,
    VERSION,
    AgentHello,
    AgentIntroduction,
    Allowed,
    Announce,
    Answer,
    Begun,
    Bye,
    Cancel,
    Capacity,
    Hello,
    PairKey,
    Refuse,
    Renew,
    Renewed,
    Report,
    Request,
    Welcome,
    decode_acceptance,
    encode,
    to_agent,
)
from gateway.protocol.outcome import Outcome
from gateway.protocol.records import AGENT_TO_RELAY, RELAY_TO_AGENT, derive
from gateway.protocol.reports import READINESS
from gateway.protocol.sealing import (
    REKEY_AFTER,
    Opener,
    ReplySeal,
    SealKey,
    announcement_text,
    pair_text,
    seal_key_id,
    unsealable_text,
)
from gateway.protocol.session import ProtocolSession, SessionState, transcript
from gateway.protocol.trust import IdentitySigner, PeerTrust, verify_proof

AGENT_CAPABILITIES: Final = (*OPERATIONS, READINESS)
"""What an agent of this version states in its introduction."""
MAX_PAIRS: Final = 256
"""Pair keys under one seal key: nodes, and how often each may be started anew in ten minutes."""


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
    capabilities: tuple[str, ...] = AGENT_CAPABILITIES
    """The operations that it does, and whatever else it can."""


class _Open(Struct):
    reply: ReplySeal
    begin_by: float
    begun: bool = False


class AgentSession(ProtocolSession):
    """Listens first. Takes requests up to its capacity, each of them once, none after its deadline."""

    _seal_key: SealKey
    """The announced one, from the opening on; any relay node may make pair keys with it."""
    _announced_at: float

    def __init__(self, identity: IdentitySigner, trust: PeerTrust, facts: AgentFacts, *, now: float) -> None:
        super().__init__(now, ping_interval=10.0)
        self.relay = ""
        self.session_id = ""
        self.capacity = facts.capacity
        self.clock_offset = 0.0
        """The relay's clock minus ours, seconds; deadlines are the relay's."""
        self._identity, self._trust, self._facts = identity, trust, facts
        self._session_key: SealKey | None = SealKey()
        self._openers: dict[bytes, Opener] = {}
        """By the id of the pair key, the oldest first; at most two for a node."""
        self._paired: dict[bytes, str] = {}
        """Ids of the pair keys that came since the last announcement, and whose they are."""
        self._open: dict[RequestId, _Open] = {}

    @property
    def in_flight(self) -> int:
        """Requests received and not yet answered."""
        return len(self._open)

    # -- what the shell asks

    def begin(self, request_id: RequestId, now: float) -> bool:
        """Mark that the bind is about to be made; False if it is too late for that: then nothing may be bound."""
        request = self._open.get(request_id)
        if request is None or self.state is not SessionState.OPEN:
            return False
        if not request.begun:
            if now + self.clock_offset > request.begin_by:  # by then the relay may have asked another agent
                return False
            request.begun = True
            self._outbox.append(Begun(*request_id, request.reply.prove_begun()))
        return True

    def answer(self, request_id: RequestId, body: AnswerBody, account: AccountId | None = None) -> None:
        """Answer a request; one that was cancelled or whose session is over is dropped.

        account: whose name was asked about, whatever came of it; None where nobody was found, or where the answer's
        identity says it. Where the answer is larger than a peer takes, the relay is told so instead.
        """
        request = self._open.pop(request_id, None)
        if request is None or self.state is not SessionState.OPEN:
            return
        node, number = request_id
        if account is not None and body.identity is None:
            body = replace(body, account=account)
        try:
            sealed = request.reply.seal(number, self._identity.name, body)
        except MalformedFrame as error:
            body = AnswerBody(Outcome.NO_DIRECTORY, detail=error.detail, account=body.subject)
            sealed = request.reply.seal(number, self._identity.name, body)
        self._outbox.append(Answer(node, number, sealed))

    def refuse(self, request_id: RequestId, reason: str) -> None:
        """Give a request back before it has begun, so that another agent may take it. reason: see `messages.Refuse`."""
        request = self._open.pop(request_id, None)
        if request is not None and self.state is SessionState.OPEN:
            self._outbox.append(Refuse(*request_id, reason, request.reply.prove_refusal(reason)))

    def set_capacity(self, requests: int) -> None:
        """Take this many requests at once from now on."""
        if self.state is SessionState.OPEN and requests != self.capacity:
            self.capacity = requests
            self._outbox.append(Capacity(requests))

    def send_renewal(self, csr: bytes) -> None:
        """Ask for a certificate for a new key (PKCS #10, DER)."""
        self._outbox.append(Renew(csr))

    def send_report(self, kind: str, version: int, body: bytes) -> bool:
        """Tell the relay something about this agent's health; False where it does not want to know, or it is too large."""
        if self.state is not SessionState.OPEN or "report" not in self.peer_capabilities or len(body) > MAX_REPORT:
            return False
        self._outbox.append(Report(kind, version, body))
        return True

    # -- handshake

    def _greet(self, message: Any, frame: bytes, now: float, events: list[Event]) -> None:
        if isinstance(message, Bye):
            events.append(self._end_by_peer(message))
        elif isinstance(message, Hello) and self.state is SessionState.GREETING:
            self._take_hello(message, frame, now)
        elif isinstance(message, Welcome) and self.state is SessionState.PROVING:
            self._take_welcome(message, frame, now)
            events.append(Opened(self._peer, self.session_id, capabilities=self.peer_capabilities))
        else:
            raise UnexpectedMessage(f"{type(message).__name__} while {self.state.value}")

    def _take_hello(self, hello: Hello, frame: bytes, now: float) -> None:
        if VERSION not in hello.versions:
            raise VersionMismatch(f"relay speaks versions {hello.versions}, this agent {VERSION}")
        self._peer = self._trust.verify(hello.certificate, now)
        self.relay, self._hello = self._peer.name, frame
        self.peer_capabilities = frozenset(hello.capabilities)
        self.clock_offset = hello.time - now  # off by the way here; each pong makes it better
        assert self._session_key is not None  # noqa: S101 - made in __init__
        body = encode(
            AgentIntroduction(
                version=VERSION,
                instance=self._facts.instance,
                nonce=os.urandom(32),
                certificate=self._identity.certificate_der,
                seal_key=self._session_key.public,
                capacity=self.capacity,
                domains=self._facts.domains,
                software=self._facts.software,
                time=now,
                capabilities=self._facts.capabilities,
            )
        )
        self._agent_hello = encode(AgentHello(body, self._identity.sign(transcript(b"agent", frame, body))))
        self._raw.append(self._agent_hello)
        self.state = SessionState.PROVING

    def _take_welcome(self, welcome: Welcome, frame: bytes, now: float) -> None:
        said = (self._hello, self._agent_hello)
        verify_proof(self._peer, welcome.signature, transcript(b"relay", *said, welcome.body))
        acceptance = decode_acceptance(welcome.body)
        assert self._session_key is not None  # noqa: S101 - forgotten only below
        secret = self._session_key.open(acceptance.sealed_secret, info=transcript(b"secret", *said))
        self._session_key = None  # forgotten: what was recorded stays closed even to who steals this memory later
        self.session_id, self.ping_interval = acceptance.session, acceptance.ping_interval
        self._pinged = now
        salt = transcript(b"keys", *said, frame)
        self._secure(
            writer=derive(secret, salt=salt, info=AGENT_TO_RELAY), reader=derive(secret, salt=salt, info=RELAY_TO_AGENT)
        )
        self._add_opener(Opener(secret, salt=salt, relay=self.relay, agent=self._identity.name))
        self._announce(now)

    # -- records

    def _decode(self, content: bytes) -> Sequence[Any]:
        return to_agent.decode(content)

    def _handle(self, message: Any, now: float, events: list[Event]) -> None:
        if isinstance(message, Request):
            self._take_request(message, now, events)
        elif isinstance(message, Cancel):
            self._take_cancel((message.node, message.number), events)
        elif isinstance(message, PairKey):
            self._take_pair_key(message, now, events)
        elif isinstance(message, Renewed):
            events.append(RenewalAnswered(certificate=message.certificate))
        elif isinstance(message, Allowed):
            events.append(DomainsAllowed(message.domains))
        else:
            events.append(RenewalAnswered(refusal=message.reason))

    def _take_request(self, request: Request, now: float, events: list[Event]) -> None:
        relay_now = now + self.clock_offset
        opener = self._openers.get(request.key)
        if opener is None or opener.relay != request.node:
            self._refuse_unsealable(request)
            return
        try:
            content = opener.open(request, relay_now)
        except SealBroken as error:
            # Repeated or bent on its way: not a word to the relay. A refusal would be as good as one of the request
            # itself, which may have begun, and the relay would have another agent bind as well.
            events.append(Ignored(error.detail))
            return
        try:
            body = decode_request(request.operation, content)
        except MalformedFrame:
            self._refuse_unsealable(request)
            return
        self._admit(request, body, relay_now, events)

    def _admit(self, request: Request, body: SealedRequest, relay_now: float, events: list[Event]) -> None:
        request_id, reply = (request.node, request.number), ReplySeal(body.reply_key)
        reason = self._reason_to_refuse(request, relay_now)
        if reason is not None:
            self._outbox.append(Refuse(*request_id, reason, reply.prove_refusal(reason)))
            return
        self._open[request_id] = _Open(reply, request.begin_by)
        deadline = request.deadline - self.clock_offset
        events.append(RequestReceived(request_id, deadline, body))  # type: ignore[arg-type]  # of a known operation

    def _reason_to_refuse(self, request: Request, relay_now: float) -> str | None:
        if request.operation not in OPERATIONS or request.operation not in self._facts.capabilities:
            return "unsupported"
        if request.deadline <= relay_now:
            return "late"
        if self.draining:
            return "draining"
        # a node that was started anew counts from the beginning: what its number says is still under way here
        if len(self._open) >= self.capacity or (request.node, request.number) in self._open:
            return "busy"
        return None

    def _refuse_unsealable(self, request: Request) -> None:
        """There is no reply key that could prove it; bound to the pair key's id, it fits no other copy of the request."""
        if (request.node, request.number) in self._open:
            return  # a copy under another key: the one that was taken is not given back
        text = unsealable_text(self._identity.name, self.session_id, request.node, request.number, request.key)
        self._outbox.append(Refuse(request.node, request.number, "unsealable", self._identity.sign(text)))

    def _take_cancel(self, request_id: RequestId, events: list[Event]) -> None:
        """A request that has begun stays open until its bind is done: it still takes capacity."""
        request = self._open.get(request_id)
        if request is not None:
            if not request.begun:
                del self._open[request_id]
            events.append(RequestCancelled(request_id))

    def _measured(self, latency: float, clock_skew: float) -> None:
        self.clock_offset = clock_skew

    # -- pair keys

    def _tend(self, now: float) -> None:
        if now - self._announced_at >= REKEY_AFTER:
            self._announce(now)

    def _announce(self, now: float) -> None:
        """A new seal key for pair keys. Nodes that made none under the one before are forgotten."""
        self._openers = {key: opener for key, opener in self._openers.items() if opener.relay in self._paired.values()}
        self._paired = {}
        self._announced_at = now
        self._seal_key = SealKey()
        text = announcement_text(self._identity.name, self.session_id, self._seal_key.public)
        self._outbox.append(Announce(self._seal_key.public, self._identity.sign(text)))

    def _take_pair_key(self, pair: PairKey, now: float, events: list[Event]) -> None:
        seal_key = self._seal_key
        if pair.seal_key != seal_key_id(seal_key.public):
            events.append(Ignored("pair key for a seal key that is not announced (any more)"))
            return
        peer = self._trust.verify(pair.certificate, now)
        text = pair_text(peer.name, self._identity.name, seal_key.public, pair.sealed_secret)
        verify_proof(peer, pair.signature, text)
        info = announcement_text(peer.name, self.session_id, seal_key.public)
        secret = seal_key.open(pair.sealed_secret, info=info)
        opener = Opener(secret, salt=info, relay=peer.name, agent=self._identity.name)
        # a repeated one would come with an empty memory of what was opened under it: all of that could be sent again
        if opener.id in self._paired:
            events.append(Ignored(f"pair key of {peer.name} came twice"))
        elif len(self._paired) >= MAX_PAIRS:
            events.append(Ignored(f"pair key of {peer.name}, after {MAX_PAIRS} under one seal key"))
        else:
            self._add_opener(opener)

    def _add_opener(self, opener: Opener) -> None:
        """Requests under the node's key before may still be on their way; what is older goes."""
        own = [key for key, other in self._openers.items() if other.relay == opener.relay]
        for key in own[:-1]:
            del self._openers[key]
        self._openers[opener.id] = opener
        self._paired[opener.id] = opener.relay
