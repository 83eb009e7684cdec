"""The relay's end of a session."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from gateway.protocol.errors import MalformedFrame, UnexpectedMessage, VersionMismatch
from gateway.protocol.events import (
    Answered,
    BegunReceived,
    CapacityChanged,
    Event,
    Opened,
    RenewalRequested,
    RequestRefused,
    StatusReceived,
)
from gateway.protocol.messages import (
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
    Hello,
    PairKey,
    Refuse,
    Renew,
    RenewalDenied,
    Renewed,
    RequestBody,
    Status,
    Welcome,
    decode_batch,
    decode_introduction,
    encode,
    to_relay_decoder,
)
from gateway.protocol.records import AGENT_TO_RELAY, RELAY_TO_AGENT, derive
from gateway.protocol.sealing import Sealer, announcement_text, new_reply_key, open_answer, pair_text, seal_secret
from gateway.protocol.session import ProtocolSession, SessionState, transcript
from gateway.protocol.trust import IdentitySigner, PeerTrust, verify_proof


class RelaySession(ProtocolSession):
    """Speaks first. Seals requests, and opens their answers under the reply keys that went with them."""

    def __init__(self, identity: IdentitySigner, trust: PeerTrust, *, now: float, ping_interval: float = 10.0) -> None:
        super().__init__(now, ping_interval)
        self.agent = ""
        self.session_id = os.urandom(12).hex()
        self.capacity = 0
        self._identity, self._trust = identity, trust
        self._sealer: Sealer | None = None
        self._reply_keys: dict[int, bytes] = {}
        self._last_request = 0
        self._hello = encode(Hello((VERSION,), identity.name, os.urandom(32), identity.certificate_der, now))
        self._raw.append(self._hello)

    # -- what the shell asks

    def send_request(self, number: int, *, begin_by: float, deadline: float, body: RequestBody) -> None:
        """Seal and send a credential check. `number` rises with every call; times are Unix seconds on our clock.

        `body.reply_key` must be fresh (see `request_body`). Raises UnexpectedMessage unless the session is open.
        """
        if self._sealer is None or self.state is not SessionState.OPEN:
            raise UnexpectedMessage("a request needs an open session")
        self._outbox.append(self._sealer.seal(number, begin_by, deadline, body))
        self._reply_keys[number] = body.reply_key
        self._last_request = number

    def cancel_request(self, number: int) -> bool:
        """Nobody waits for this answer any more; False where it has come already or the session is over."""
        if self._reply_keys.pop(number, None) is None or self.state is not SessionState.OPEN:
            return False
        self._outbox.append(Cancel(number))
        return True

    def send_renewed(self, certificate: bytes) -> None:
        """Answer a RenewalRequested with the new certificate, DER."""
        self._outbox.append(Renewed(certificate))

    def send_renewal_denied(self, reason: str) -> None:
        """Answer a RenewalRequested with the reason why not (the agent's operator reads it)."""
        self._outbox.append(RenewalDenied(reason))

    def use(self, identity: IdentitySigner) -> None:
        """Sign what comes from now on with a renewed identity of the same name; a handshake under way keeps the old one."""
        if self.state is SessionState.OPEN:  # else Hello has shown the old certificate, and Welcome must fit it
            self._identity = identity

    # -- handshake

    def _greet(self, message: Any, frame: bytes, now: float, events: list[Event]) -> None:
        if isinstance(message, Bye):
            events.append(self._end_by_peer(message))
            return
        if not isinstance(message, AgentHello):
            raise UnexpectedMessage(f"{type(message).__name__} instead of AgentHello")
        introduction = decode_introduction(message.body)
        if introduction.version != VERSION:
            raise VersionMismatch(f"agent speaks version {introduction.version}, this relay {VERSION}")
        # names, seals and the registry go by `introduction.agent`: it must be the certified one. The proof comes last:
        # it covers all that was looked at before
        peer = self._trust.verify(introduction.certificate, now)
        if peer.name != introduction.agent:
            raise MalformedFrame(f"agent calls itself {introduction.agent!r}, its certificate says {peer.name!r}")
        verify_proof(peer, message.signature, transcript(b"agent", self._hello, message.body))
        self._peer = peer
        self._accept(introduction, frame, now)
        events.append(Opened(peer, self.session_id, introduction.instance, introduction.domains, introduction.software))

    def _accept(self, introduction: AgentIntroduction, frame: bytes, now: float) -> None:
        self.agent, self.capacity = introduction.agent, introduction.capacity
        secret = os.urandom(32)
        sealed = seal_secret(secret, introduction.seal_key, info=transcript(b"secret", self._hello, frame))
        body = encode(Acceptance(self.session_id, sealed, self.ping_interval, now))
        signature = self._identity.sign(transcript(b"relay", self._hello, frame, body))
        welcome = encode(Welcome(body, signature))
        self._raw.append(welcome)
        salt = transcript(b"keys", self._hello, frame, welcome)
        self._secure(
            writer=derive(secret, salt=salt, info=RELAY_TO_AGENT), reader=derive(secret, salt=salt, info=AGENT_TO_RELAY)
        )
        self._sealer = Sealer(secret, salt=salt, relay=self._identity.name, agent=self.agent)

    # -- records

    def _decode(self, content: bytes) -> Sequence[Any]:
        return decode_batch(to_relay_decoder, content)

    def _handle(self, message: Any, now: float, events: list[Event]) -> None:
        if isinstance(message, Answer):
            self._take_answer(message, events)
        elif isinstance(message, Begun):
            if self._known(message.id):
                events.append(BegunReceived(message.id))
        elif isinstance(message, Refuse):
            if self._known(message.id):
                del self._reply_keys[message.id]
                events.append(RequestRefused(message.id, message.reason))
        elif isinstance(message, Capacity):
            self.capacity = message.requests
            events.append(CapacityChanged(message.requests))
        elif isinstance(message, Announce):
            self._pair(message)
        elif isinstance(message, Renew):
            events.append(RenewalRequested(message.csr))
        elif isinstance(message, Status):
            events.append(StatusReceived(message.directories, message.in_flight))

    def _known(self, number: int) -> bool:
        """False for a request that was given up: the word crossed our Cancel. Raises for one that was never sent."""
        if number > self._last_request:
            raise UnexpectedMessage(f"request {number} was never sent")
        return number in self._reply_keys

    def _take_answer(self, message: Answer, events: list[Event]) -> None:
        if self._known(message.id):
            reply_key = self._reply_keys.pop(message.id)
            events.append(Answered(message.id, open_answer(reply_key, message.id, self.agent, message.sealed)))

    def _pair(self, announce: Announce) -> None:
        """A new seal key: answer with a new secret, from the next request on everything is sealed under it."""
        text = announcement_text(self.agent, self.session_id, announce.seal_key)
        verify_proof(self._peer, announce.signature, text)
        secret = os.urandom(32)
        info = announcement_text(self._identity.name, self.session_id, announce.seal_key)
        sealed = seal_secret(secret, announce.seal_key, info=info)
        signature = self._identity.sign(pair_text(self._identity.name, self.agent, announce.seal_key, sealed))
        self._outbox.append(PairKey(self._identity.name, sealed, self._identity.certificate_der, signature))
        self._sealer = Sealer(secret, salt=info, relay=self._identity.name, agent=self.agent)


def request_body(operation: str, user_name: str, password: str, new_password: str, correlation_id: str) -> RequestBody:
    """A request with a fresh reply key; `operation` is `verify` or `change`. To be made anew for each agent tried."""
    return RequestBody(operation, user_name, password, new_password, correlation_id, new_reply_key())  # type: ignore[arg-type]
