"""What a session tells its shell. Structs, since frozen dataclasses take three times as long to make."""

from __future__ import annotations

from msgspec import Struct

from certs import VerifiedPeer
from gateway.protocol.bodies import AnswerBody, RequestBody
from gateway.protocol.messages import Answer, Begun, Refuse


class Opened(Struct, frozen=True):
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


class RequestReceived(Struct, frozen=True):
    """Agent: do what this asks before `deadline` (Unix seconds on the agent's own clock)."""

    id: RequestId
    deadline: float
    body: RequestBody


class RequestCancelled(Struct, frozen=True):
    """Agent: nobody waits any more. The bind of a request that has begun is finished and its answer dropped."""

    id: RequestId


class BegunReceived(Struct, frozen=True):
    """Relay: the agent is about to bind; from here on the request must not go to anybody else."""

    id: int


class Answered(Struct, frozen=True):
    """Relay: a request was answered; the answer opened under its reply key."""

    id: int
    body: AnswerBody


class AnswerUnreadable(Struct, frozen=True):
    """Relay: the agent answered, in words that are not known here (it may be newer), or that contradict each other."""

    id: int
    detail: str


class RequestRefused(Struct, frozen=True):
    """Relay: the agent did not begin and will not."""

    id: int
    reason: str


class CapacityChanged(Struct, frozen=True):
    """Relay: the agent takes this many requests at once."""

    requests: int


class DomainsAllowed(Struct, frozen=True):
    """Agent: it would be let in, and may answer for these domains; None for any that it claims."""

    domains: tuple[str, ...] | None


class PeerDraining(Struct, frozen=True):
    """The other end takes (agent) or sends (relay) nothing new."""


class RenewalRequested(Struct, frozen=True):
    """Relay: the agent asks for a certificate for this request (PKCS #10, DER)."""

    csr: bytes


class RenewalAnswered(Struct, frozen=True):
    """Agent: the new certificate (DER), or why not."""

    certificate: bytes = b""
    refusal: str = ""


class ReportReceived(Struct, frozen=True):
    """Relay: something about the agent's health; `kind` and `version` say how `body` is read."""

    kind: str
    version: int
    body: bytes


class Announcement(Struct, frozen=True):
    """Relay: the agent's seal key, verified; with it any relay node may make a pair key (see `requests.make_pair`)."""

    agent: str
    session: str
    seal_key: bytes


class CarriedReceived(Struct, frozen=True):
    """Relay: a word on a request of another node, for that node to verify and understand."""

    node: str
    message: Begun | Answer | Refuse


class Ignored(Struct, frozen=True):
    """Something was left alone that an honest peer need not say: for the log."""

    detail: str


class Measured(Struct, frozen=True):
    """A ping came back: seconds there and back, and the peer's clock minus ours in seconds."""

    latency: float
    clock_skew: float


class Closed(Struct, frozen=True):
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
    | DomainsAllowed
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
