"""Agent <-> relay protocol, sans-I/O: messages, session states, sealing. Shared vocabulary.

Bytes in, events out, bytes to send. No clock, socket or event loop is read here: `now` is a parameter.
What belongs here: what both ends must agree on. What does not: who is asked (relay), how AD is asked (agent).
"""

from gateway.protocol.accounts import AccountId
from gateway.protocol.agent_session import AgentFacts, AgentSession
from gateway.protocol.bodies import OPERATIONS, AnswerBody, ChangeRequest, LookUpRequest, RequestBody, VerifyRequest
from gateway.protocol.errors import CloseCode, MalformedFrame, PeerRefused, PeerRevoked, ProtocolError
from gateway.protocol.events import (
    Announcement,
    Answered,
    AnswerUnreadable,
    BegunReceived,
    CapacityChanged,
    CarriedReceived,
    Closed,
    DomainsAllowed,
    Event,
    Ignored,
    Measured,
    Opened,
    PeerDraining,
    RenewalAnswered,
    RenewalRequested,
    ReportReceived,
    RequestCancelled,
    RequestId,
    RequestReceived,
    RequestRefused,
)
from gateway.protocol.messages import (
    MAX_FRAME,
    MAX_HANDSHAKE,
    PROBE,
    SUBPROTOCOL,
    encode,
)
from gateway.protocol.outcome import Group, Identity, NewPasswordRules, Outcome
from gateway.protocol.relay_session import RelaySession
from gateway.protocol.reports import (
    DIRECTORIES_REPORT,
    READINESS,
    READINESS_REPORT,
    READY,
    DirectoriesReport,
    DirectoryState,
    ReadinessReport,
    decode_directories_report,
    decode_readiness_report,
)
from gateway.protocol.requests import PasswordRequest, RelayRequests, look_up_body, make_pair, request_body
from gateway.protocol.session import ProtocolSession, SessionState
from gateway.protocol.trust import IdentitySigner, PeerTrust

__all__ = [
    "DIRECTORIES_REPORT",
    "MAX_FRAME",
    "MAX_HANDSHAKE",
    "OPERATIONS",
    "PROBE",
    "READINESS",
    "READINESS_REPORT",
    "READY",
    "SUBPROTOCOL",
    "AccountId",
    "AgentFacts",
    "AgentSession",
    "Announcement",
    "AnswerBody",
    "AnswerUnreadable",
    "Answered",
    "BegunReceived",
    "CapacityChanged",
    "CarriedReceived",
    "ChangeRequest",
    "CloseCode",
    "Closed",
    "DirectoriesReport",
    "DirectoryState",
    "DomainsAllowed",
    "Event",
    "Group",
    "Identity",
    "IdentitySigner",
    "Ignored",
    "LookUpRequest",
    "MalformedFrame",
    "Measured",
    "NewPasswordRules",
    "Opened",
    "Outcome",
    "PasswordRequest",
    "PeerDraining",
    "PeerRefused",
    "PeerRevoked",
    "PeerTrust",
    "ProtocolError",
    "ProtocolSession",
    "ReadinessReport",
    "RelayRequests",
    "RelaySession",
    "RenewalAnswered",
    "RenewalRequested",
    "ReportReceived",
    "RequestBody",
    "RequestCancelled",
    "RequestId",
    "RequestReceived",
    "RequestRefused",
    "SessionState",
    "VerifyRequest",
    "decode_directories_report",
    "decode_readiness_report",
    "encode",
    "look_up_body",
    "make_pair",
    "request_body",
]
