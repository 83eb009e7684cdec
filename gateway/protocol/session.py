"""What both ends of a session have in common: states, records, pings, the end.

    relay                                   agent
    ─────                                   ─────
    Hello (nonce, certificate, capabilities)
                                ──────────►
                                ◄──────────  AgentHello (the same, seal key), signed over the transcript
    Welcome (sealed secret), signed  ─────►
    ═══════════ records: every frame encrypted and numbered ═══════════
    AccountKeys (first), Request / Cancel / PairKey / Renewed …  ►
                                ◄──────────  Announce (first), Begun / Answer / Refuse / Capacity / Renew / Report
    Ping, Pong, Drain, Bye  ◄────────────►

    state                relay moves on by       agent moves on by
    GREETING             AgentHello -> OPEN      Hello -> PROVING
    PROVING              -                       Welcome -> OPEN
    OPEN                 any record              any record
    CLOSED               nothing                 nothing

Anything else in a state, anything malformed, too large or forged, ends the session: the peer gets a code and a
public reason, the shell a `Closed` event with the detail. `receive` never raises for what a peer sent. What a newer peer
says beyond this version is no such thing: see the rules of growth in `messages`.
"""

from __future__ import annotations

import enum
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

from gateway.protocol.errors import CloseCode, MalformedFrame, ProtocolError, UnexpectedMessage
from gateway.protocol.events import Closed, Event, Measured, PeerDraining
from gateway.protocol.messages import MAX_BATCH, MAX_FRAME, Bye, Drain, Ping, Pong, decode_handshake, encode
from gateway.protocol.records import TAG, RecordReader, RecordWriter

SILENCES: Final = 3
"""Ping intervals without a word after which the peer counts as lost."""
HANDSHAKE_TIMEOUT: Final = 10.0
"""Seconds for the whole handshake."""


class SessionState(enum.Enum):
    """Where a session stands; the table above says what each state takes."""

    GREETING = "greeting"
    PROVING = "proving"
    OPEN = "open"
    CLOSED = "closed"


def transcript(label: bytes, *parts: bytes) -> bytes:
    """The text that a handshake signature covers: what both have seen, and whose turn it is.

    Each part is preceded by its length, so that no two conversations have one transcript. The label keeps a signature of
    one end from being reflected as the other's.
    """
    digest = hashlib.sha256(b"isthmus.agent.v1 transcript")
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return label + digest.digest()


class ProtocolSession(ABC):
    """One websocket's conversation, without the websocket."""

    def __init__(self, now: float, ping_interval: float) -> None:
        self.state = SessionState.GREETING
        self.closed: Closed | None = None
        self.draining = False
        """This end said Drain."""
        self.peer_draining = False
        self.ping_interval = ping_interval
        self.peer_capabilities: frozenset[str] = frozenset()
        """What the other end said that it can do."""
        self._outbox: list[Any] = []
        self._raw: list[bytes] = []
        self._writer: RecordWriter | None = None
        self._reader: RecordReader | None = None
        self._started = self._heard = self._pinged = now

    # -- in

    def receive(self, frame: bytes, now: float) -> list[Event]:
        """Take one binary frame; return what it means. After `Closed` everything is ignored."""
        if self.state is SessionState.CLOSED:
            return []
        events: list[Event] = []
        try:
            if self._reader is None:
                self._greet(decode_handshake(frame), frame, now, events)
            else:
                for message in self._decode(self._reader.open(frame)):
                    self._take(message, now, events)
        except ProtocolError as error:
            events.append(self._fail(error))  # with what the frame said before the error: that was good
        self._heard = now
        return events

    def tick(self, now: float) -> list[Event]:
        """Let time pass: pings, and giving up on a silent peer. To be called about once a second."""
        if self.state is SessionState.CLOSED:
            return []
        if self.state is not SessionState.OPEN:
            if now - self._started > HANDSHAKE_TIMEOUT:
                return [self.close(CloseCode.SILENT, "handshake took too long")]
            return []
        if now - self._heard > SILENCES * self.ping_interval:
            return [self.close(CloseCode.SILENT, "nothing heard for too long")]
        if now - self._pinged >= self.ping_interval:
            self._pinged = now
            self._outbox.append(Ping(now))
        self._tend(now)
        return []

    # -- out

    def frames(self) -> list[bytes]:
        """Return the frames to be sent now, in order; several messages share one."""
        if self._outbox and self._writer is not None:
            batch, self._outbox = self._outbox, []
            self._seal_batch(batch)
        frames, self._raw = self._raw, []
        return frames

    def drain(self) -> None:
        """Tell the peer that this end is about to leave; what is in flight is finished."""
        if self.state is SessionState.OPEN and not self.draining:
            self.draining = True
            self._outbox.append(Drain())

    def close(self, code: CloseCode, reason: str, detail: str = "") -> Closed:
        """End the session with a word to the peer. `reason` is public."""
        if self.closed is None:
            self._say_bye(Bye(int(code), reason[:256]))
            self.closed = Closed(int(code), reason, by_peer=False, detail=detail)
            self.state = SessionState.CLOSED
        return self.closed

    # -- for the two ends

    @abstractmethod
    def _greet(self, message: Any, frame: bytes, now: float, events: list[Event]) -> None:
        """Take a handshake message."""

    @abstractmethod
    def _decode(self, content: bytes) -> Sequence[Any]:
        """Read the messages of a record, of the kinds that this end takes."""

    @abstractmethod
    def _handle(self, message: Any, now: float, events: list[Event]) -> None:
        """Take a message that only this end knows."""

    def _tend(self, now: float) -> None:  # noqa: B027 - most sessions have nothing to tend
        """Regular duties of an open session."""

    def _secure(self, writer: bytes, reader: bytes) -> None:
        self._writer, self._reader = RecordWriter(writer), RecordReader(reader)
        self.state = SessionState.OPEN

    def _measured(self, latency: float, clock_skew: float) -> None:  # noqa: B027
        """A ping came back."""

    # -- common messages

    def _take(self, message: Any, now: float, events: list[Event]) -> None:
        if self.state is SessionState.CLOSED:
            return
        if isinstance(message, Ping):
            if self._outbox and isinstance(self._outbox[-1], Pong):
                del self._outbox[-1]  # who asks on and on and reads nothing must not fill the memory: the newest tells all
            self._outbox.append(Pong(message.time, now))
        elif isinstance(message, Pong):
            self._take_pong(message, now, events)
        elif isinstance(message, Drain):
            self.peer_draining = True
            events.append(PeerDraining())
        elif isinstance(message, Bye):
            events.append(self._end_by_peer(message))
        else:
            self._handle(message, now, events)

    def _take_pong(self, pong: Pong, now: float, events: list[Event]) -> None:
        # latency and clock skew come from what the peer echoes, and deadlines depend on them: an echo of a time at
        # which no ping can have been sent would shift them as the peer likes
        if not self._started <= pong.echo <= now:
            raise UnexpectedMessage("pong to a ping that was never sent")
        # the peer's clock was read half-way, if both ways take equally long (RFC 5905 section 8)
        measured = Measured(latency=now - pong.echo, clock_skew=pong.time - (pong.echo + now) / 2)
        self._measured(measured.latency, measured.clock_skew)
        events.append(measured)

    def _end_by_peer(self, bye: Bye) -> Closed:
        self.state = SessionState.CLOSED
        self.closed = Closed(bye.code, bye.reason, by_peer=True)
        return self.closed

    def _fail(self, error: ProtocolError) -> Closed:
        return self.close(error.code, error.public, error.detail)

    def _say_bye(self, bye: Bye) -> None:
        if self._writer is None:
            self._raw.append(encode(bye))
        else:
            self._outbox.append(bye)

    def _seal_batch(self, batch: list[Any]) -> None:
        assert self._writer is not None  # noqa: S101 - frames() asked
        content = encode(batch)
        # by halves, until each part is a record that the other end takes
        if len(batch) > MAX_BATCH or (len(content) > MAX_FRAME - TAG and len(batch) > 1):
            half = len(batch) // 2
            self._seal_batch(batch[:half])
            self._seal_batch(batch[half:])
            return
        if len(content) > MAX_FRAME - TAG:
            raise MalformedFrame(f"{type(batch[0]).__name__} of {len(content)} bytes is larger than a frame")
        self._raw.append(self._writer.seal(content))
