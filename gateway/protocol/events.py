"""What a session tells its shell."""

from __future__ import annotations

from dataclasses import dataclass

from certs import VerifiedPeer
from gateway.protocol.messages import AnswerBody, RequestBody


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


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """Agent: check this credential before `deadline` (Unix seconds on the agent's own clock)."""

    id: int
    deadline: float
    body: RequestBody


@dataclass(frozen=True, slots=True)
class RequestCancelled:
    """Agent: nobody waits any more. The bind of a request that has begun is finished and its answer dropped."""

    id: int


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
class StatusReceived:
    """Relay: the agent's view of its directories."""

    directories: dict[str, str]
    in_flight: int


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
    | RequestRefused
    | CapacityChanged
    | PeerDraining
    | RenewalRequested
    | RenewalAnswered
    | StatusReceived
    | Measured
    | Closed
)
