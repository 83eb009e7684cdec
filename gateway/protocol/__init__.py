"""Agent <-> relay protocol, sans-I/O: messages, session states, sealing. Shared vocabulary.

Bytes in, events out, bytes to send. No clock, socket or event loop is read here: `now` is a parameter.
What belongs here: what both ends must agree on. What does not: who is asked (relay), how AD is asked (agent).
"""

from gateway.protocol.accounts import AccountId
from gateway.protocol.agent_session import AgentFacts, AgentSession
from gateway.protocol.errors import CloseCode, PeerRefused, PeerRevoked, ProtocolError
from gateway.protocol.events import (
    Answered,
    BegunReceived,
    CapacityChanged,
    Closed,
    Event,
    Measured,
    Opened,
    PeerDraining,
    RenewalAnswered,
    RenewalRequested,
    RequestCancelled,
    RequestReceived,
    RequestRefused,
    StatusReceived,
)
from gateway.protocol.messages import MAX_FRAME, SUBPROTOCOL, AnswerBody, RequestBody
from gateway.protocol.outcome import Group, Identity, Outcome
from gateway.protocol.relay_session import RelaySession, request_body
from gateway.protocol.session import ProtocolSession, SessionState
from gateway.protocol.trust import IdentitySigner, PeerTrust

__all__ = [
    "MAX_FRAME",
    "SUBPROTOCOL",
    "AccountId",
    "AgentFacts",
    "AgentSession",
    "AnswerBody",
    "Answered",
    "BegunReceived",
    "CapacityChanged",
    "CloseCode",
    "Closed",
    "Event",
    "Group",
    "Identity",
    "IdentitySigner",
    "Measured",
    "Opened",
    "Outcome",
    "PeerDraining",
    "PeerRefused",
    "PeerRevoked",
    "PeerTrust",
    "ProtocolError",
    "ProtocolSession",
    "RelaySession",
    "RenewalAnswered",
    "RenewalRequested",
    "RequestBody",
    "RequestCancelled",
    "RequestReceived",
    "RequestRefused",
    "SessionState",
    "StatusReceived",
    "request_body",
]
