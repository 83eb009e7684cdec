"""Agent <-> relay protocol, sans-I/O: messages, session states, sealing. Shared vocabulary.

Bytes in, events out, bytes to send. No clock, socket or event loop is read here: `now` is a parameter.
What belongs here: what both ends must agree on. What does not: who is asked (relay), how AD is asked (agent).
"""

from gateway.protocol.agent_session import AgentFacts, AgentSession
from gateway.protocol.errors import CloseCode, PeerRefused, PeerRevoked, ProtocolError
from gateway.protocol.messages import MAX_FRAME, SUBPROTOCOL, AnswerBody, RequestBody
from gateway.protocol.outcome import Group, Identity, Outcome
from gateway.protocol.relay_session import RelaySession, request_body
from gateway.protocol.session import Session, State
from gateway.protocol.trust import Signer, Trust

__all__ = [
    "MAX_FRAME",
    "SUBPROTOCOL",
    "AgentFacts",
    "AgentSession",
    "AnswerBody",
    "CloseCode",
    "Group",
    "Identity",
    "Outcome",
    "PeerRefused",
    "PeerRevoked",
    "ProtocolError",
    "RelaySession",
    "RequestBody",
    "Session",
    "Signer",
    "State",
    "Trust",
    "request_body",
]
