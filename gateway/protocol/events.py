"""What a session tells its shell."""

from __future__ import annotations

from dataclasses import dataclass

from certs import VerifiedPeer
from gateway.protocol.bodies import AnswerBody, RequestBody
from gateway.protocol.messages import Answer, Begun, Refuse


@dataclass(frozen=True, slots=True)
class Opened:
    """The handshake is done: both ends are who they say."""

    peer: VerifiedPeer
    session: str
    instance: str = ""
    """Relay side only: the agent process."""
    domains: tuple[str, ...] = ()
    """Relay side only: what the agent answers for; `*` for all."""
    software: str = ""
    capabilities: frozenset[str] = frozenset()
    """What the other end said that it can do."""


RequestId = tuple[str, int]
"""The relay node that asks, and its number for the request."""


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """Agent: do what this asks before `deadline` (Unix seconds on the agent's own clock)."""

    id: RequestId
    deadline: float
    body: RequestBody


@dataclass(frozen=True, slots=True)
class RequestCancelled:
    """Agent: nobody waits any more. The bind of a request that has begun is finished and its answer dropped."""

    id: RequestId


@dataclass(frozen=True, slots=True)
class BegunReceived:
    """Relay: the agent is about to bind; from here on the request must not go to anybody else."""

    id: int


@dataclass(frozen=True, slots=True)
class Answered:
    """Relay: a request was answered; the answer opened under its reply key."""

    id: int
    body: AnswerBody


@dataclass(frozen=True, slots=True)
class AnswerUnreadable:
    """Relay: the agent answered, in words that are not known here (it may be newer), or that contradict each other."""

    id: int
    detail: str


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """Relay: the agent did not begin and will not."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class CapacityChanged:
    """Relay: the agent takes this many requests at once."""

    requests: int


@dataclass(frozen=True, slots=True)
class PeerDraining:
    """The other end takes (agent) or sends (relay) nothing new."""


@dataclass(frozen=True, slots=True)
class RenewalRequested:
    """Relay: the agent asks for a certificate for this request (PKCS #10, DER)."""

    csr: bytes


@dataclass(frozen=True, slots=True)
class RenewalAnswered:
    """Agent: the new certificate (DER), or why not."""

    certificate: bytes = b""
    refusal: str = ""


@dataclass(frozen=True, slots=True)
class ReportReceived:
    """Relay: something about the agent's health; `kind` and `version` say how `body` is read."""

    kind: str
    version: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Announcement:
    """Relay: the agent's seal key, verified; with it any relay node may make a pair key (see `requests.make_pair`)."""

    agent: str
    session: str
    seal_key: bytes


@dataclass(frozen=True, slots=True)
class CarriedReceived:
    """Relay: a word on a request of another node, for that node to verify and understand."""

    node: str
    message: Begun | Answer | Refuse


@dataclass(frozen=True, slots=True)
class Ignored:
    """Something was left alone that an honest peer need not say: for the log."""

    detail: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A ping came back: seconds there and back, and the peer's clock minus ours in seconds."""

    latency: float
    clock_skew: float


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over. `code` is a CloseCode; `by_peer` tells who ended it; `detail` is for our log only."""

    code: int
    reason: str
    by_peer: bool
    detail: str = ""


Event = (
    Opened
    | RequestReceived
    | RequestCancelled
    | BegunReceived
    | Answered
    | AnswerUnreadable
    | RequestRefused
    | CapacityChanged
    | PeerDraining
    | RenewalRequested
    | RenewalAnswered
    | ReportReceived
    | Announcement
    | CarriedReceived
    | Ignored
    | Measured
    | Closed
)
