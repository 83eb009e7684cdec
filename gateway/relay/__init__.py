"""Cloud side: everything between "somebody typed a password" and "an agent answered".

    credentials/      may this attempt go on, who checks it, what came of it
    agents/           endpoint, connection, dispatch, registry, enrolment, canary
    refusals/         after which delay a refusal is answered, how many wait for it, what the trail keeps of them
    administration/   acts, control socket

What belongs here is told by each. What does not: pages (signin), what applications speak (federation), how things are
kept (store). administration and credentials know agents, never each other.
"""

from gateway.relay.administration import (
    API_KEY_PREFIX,
    API_KEY_RATE,
    API_KEY_RATE_MOST,
    API_KEY_SCOPES,
    SOCKET_NAME,
    Administration,
    AgentView,
    ApiKeyView,
    AuditReportView,
    AuditView,
    AuditWanted,
    BindingView,
    KeysView,
    LiveActs,
    LockoutView,
    NodeHealthView,
    PersonView,
    RebindingView,
    RemovalView,
    SignInView,
    TokenView,
    ask_relay,
    bind_control_socket,
    control_app,
    live_views,
)
from gateway.relay.agents import (
    AgentEndpoint,
    AgentGauges,
    AgentRegistry,
    CanaryKeeper,
    DirectoryBindings,
    Dispatcher,
    Enrolment,
    PresenceReporter,
)
from gateway.relay.credentials import (
    REFUSED,
    Admission,
    AdmissionSettings,
    Attempt,
    Authenticator,
    Lockouts,
    RelayAuthenticator,
    SignInMetrics,
    Verdict,
)
from gateway.relay.errors import ActUnavailable, NotPermitted, RelayAbsent, RelayError, RelayUnresponsive
from gateway.relay.refusals import RefusalGauges, Refusals
from gateway.relay.request import CLIENT_ADDRESS, CORRELATION_ID, header_text, identify_requests, read_body
from gateway.relay.settings import RelayCoreSettings

__all__ = [
    "API_KEY_PREFIX",
    "API_KEY_RATE",
    "API_KEY_RATE_MOST",
    "API_KEY_SCOPES",
    "CLIENT_ADDRESS",
    "CORRELATION_ID",
    "REFUSED",
    "SOCKET_NAME",
    "ActUnavailable",
    "Administration",
    "Admission",
    "AdmissionSettings",
    "AgentEndpoint",
    "AgentGauges",
    "AgentRegistry",
    "AgentView",
    "ApiKeyView",
    "Attempt",
    "AuditReportView",
    "AuditView",
    "AuditWanted",
    "Authenticator",
    "BindingView",
    "CanaryKeeper",
    "DirectoryBindings",
    "Dispatcher",
    "Enrolment",
    "KeysView",
    "LiveActs",
    "LockoutView",
    "Lockouts",
    "NodeHealthView",
    "NotPermitted",
    "PersonView",
    "PresenceReporter",
    "RebindingView",
    "RefusalGauges",
    "Refusals",
    "RelayAbsent",
    "RelayAuthenticator",
    "RelayCoreSettings",
    "RelayError",
    "RelayUnresponsive",
    "RemovalView",
    "SignInMetrics",
    "SignInView",
    "TokenView",
    "Verdict",
    "ask_relay",
    "bind_control_socket",
    "control_app",
    "header_text",
    "identify_requests",
    "live_views",
    "read_body",
]
