"""The relay's end of a session."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, Final

from gateway.protocol.bodies import RequestBody
from gateway.protocol.errors import UnexpectedMessage, VersionMismatch
from gateway.protocol.events import (
    Announcement,
    CapacityChanged,
    CarriedReceived,
    Event,
    Opened,
    RenewalRequested,
    ReportReceived,
)
from gateway.protocol.messages import (
    PROBE,
    VERSION,
    Acceptance,
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
    RenewalDenied,
    Renewed,
    Report,
    Request,
    Welcome,
    decode_introduction,
    encode,
    to_relay,
)
from gateway.protocol.records import AGENT_TO_RELAY, RELAY_TO_AGENT, derive
from gateway.protocol.requests import RelayRequests, make_pair
from gateway.protocol.sealing import REKEY_AT_LEAST, Sealer, announcement_text, seal_secret
from gateway.protocol.session import ProtocolSession, SessionState, transcript
from gateway.protocol.trust import IdentitySigner, PeerTrust, verify_proof

RELAY_CAPABILITIES: Final = ("report", PROBE)
"""What a relay of this version states in its hello."""


RENEW_AT_LEAST: Final = 60.0
"""Seconds between two requests for a certificate: each costs a signature, and a line of the log. Agents wait an hour."""
UNASKED_AT_ONCE: Final = 64
"""Messages that an agent may say unasked in a row; of pings, reports and the like it sends some in ten seconds."""
UNASKED_A_SECOND: Final = 2.0


class RelaySession(ProtocolSession):
    """Speaks first. Seals requests, and takes what is said on them as far as the agent proves it."""

    def __init__(
        self,
        identity: IdentitySigner,
        trust: PeerTrust,
        *,
        now: float,
        ping_interval: float = 10.0,
        capabilities: Sequence[str] = RELAY_CAPABILITIES,
    ) -> None:
        super().__init__(now, ping_interval)
        self.agent = ""
        self.session_id = os.urandom(12).hex()
        self.capacity = 0
        self._identity, self._trust = identity, trust
        self._requests: RelayRequests | None = None
        self._announced_at = self._renewal_asked_at = -math.inf
        self._unasked, self._unasked_at = float(UNASKED_AT_ONCE), now
        """How many more messages are taken unasked, and when that was."""
        self._hello = encode(Hello((VERSION,), os.urandom(32), identity.certificate_der, now, tuple(capabilities)))
        self._raw.append(self._hello)

    # -- what the shell asks

    def send_request(self, number: int, *, begin_by: float, deadline: float, body: RequestBody) -> None:
        """Seal and send a request. `number` rises with every call; times are Unix seconds on our clock.

        `body.reply_key` must be fresh (see `request_body`). Raises UnexpectedMessage unless the session is open.
        """
        if self._requests is None or self.state is not SessionState.OPEN:
            raise UnexpectedMessage("a request needs an open session")
        self._outbox.append(self._requests.seal(number, begin_by=begin_by, deadline=deadline, body=body))

    def cancel_request(self, number: int) -> bool:
        """Nobody waits for this answer any more; False where it has come already or the session is over."""
        cancel = self._requests.give_up(number) if self._requests is not None else None
        if cancel is None or self.state is not SessionState.OPEN:
            return False
        self._outbox.append(cancel)
        return True

    def carry(self, message: Request | Cancel | PairKey) -> None:
        """Send what another node has to say to the agent. Raises UnexpectedMessage unless the session is open."""
        if self.state is not SessionState.OPEN:
            raise UnexpectedMessage("carrying needs an open session")
        self._outbox.append(message)

    def send_renewed(self, certificate: bytes) -> None:
        """Answer a RenewalRequested with the new certificate, DER."""
        self._outbox.append(Renewed(certificate))

    def send_renewal_denied(self, reason: str) -> None:
        """Answer a RenewalRequested with the reason why not (the agent's operator reads it)."""
        self._outbox.append(RenewalDenied(reason))

    def send_allowed(self, domains: tuple[str, ...] | None) -> None:
        """Answer an agent that only asks: the domains that it may answer for, None for any that it claims."""
        self._outbox.append(Allowed(domains))

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
        # the agent is whom its certificate names. The proof comes last: it covers all that was looked at before
        peer = self._trust.verify(introduction.certificate, now)
        verify_proof(peer, message.signature, transcript(b"agent", self._hello, message.body))
        self._peer, self.agent = peer, peer.name
        self.peer_capabilities = frozenset(introduction.capabilities)
        self._accept(introduction, frame, now)
        opened = Opened(
            peer,
            self.session_id,
            introduction.instance,
            introduction.domains,
            introduction.software,
            self.peer_capabilities,
        )
        events.append(opened)

    def _accept(self, introduction: AgentIntroduction, frame: bytes, now: float) -> None:
        self.capacity = introduction.capacity
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
        sealer = Sealer(secret, salt=salt, relay=self._identity.name, agent=self.agent)
        self._requests = RelayRequests(sealer, self.session_id, self._peer)

    # -- records

    def _decode(self, content: bytes) -> Sequence[Any]:
        return to_relay.decode(content)

    def _take(self, message: Any, now: float, events: list[Event]) -> None:
        if not isinstance(message, (Begun, Answer, Refuse)):  # those are bounded by what was asked
            self._check_unasked(now)
        super()._take(message, now, events)

    def _check_unasked(self, now: float) -> None:
        """Who is enrolled may still be an enemy, or broken: each message costs the loop that serves everybody."""
        each_second = UNASKED_A_SECOND + 4.0 / self.ping_interval  # a ping and a pong each way, and room
        came_back = max(now - self._unasked_at, 0.0) * each_second
        self._unasked, self._unasked_at = min(self._unasked + came_back, UNASKED_AT_ONCE) - 1.0, now
        if self._unasked < 0.0:
            raise UnexpectedMessage("more messages than anybody asked for")

    def _handle(self, message: Any, now: float, events: list[Event]) -> None:
        if isinstance(message, (Begun, Answer, Refuse)):
            self._take_word(message, events)
        elif isinstance(message, Capacity):
            self.capacity = message.requests
            events.append(CapacityChanged(message.requests))
        elif isinstance(message, Announce):
            self._take_announcement(message, now, events)
        elif isinstance(message, Renew):
            if now - self._renewal_asked_at < RENEW_AT_LEAST:
                raise UnexpectedMessage("certificates asked for too soon after each other")
            self._renewal_asked_at = now
            events.append(RenewalRequested(message.csr))
        elif isinstance(message, Report):
            events.append(ReportReceived(message.kind, message.version, message.body))

    def _take_word(self, message: Begun | Answer | Refuse, events: list[Event]) -> None:
        assert self._requests is not None  # noqa: S101 - records come after the handshake
        if message.node == self._identity.name:
            events += self._requests.take(message)
        else:
            events.append(CarriedReceived(message.node, message))

    def _take_announcement(self, announce: Announce, now: float, events: list[Event]) -> None:
        """A new seal key: from the next request on everything is sealed under a new secret of ours."""
        assert self._requests is not None  # noqa: S101 - records come after the handshake
        if now - self._announced_at < REKEY_AT_LEAST:  # each costs this end a signature and two key exchanges
            raise UnexpectedMessage("seal keys announced too soon after each other")
        self._announced_at = now
        announced = Announcement(self.agent, self.session_id, announce.seal_key)
        verify_proof(self._peer, announce.signature, announcement_text(self.agent, self.session_id, announce.seal_key))
        pair, self._requests.sealer = make_pair(self._identity, announced)
        self._outbox.append(pair)
        events.append(announced)
