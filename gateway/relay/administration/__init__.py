"""What an administrator can do, and how the running relay is told to.

What belongs here: acts, each in the audit trail, and the control socket that carries them. What does not: commands and
pages that call them.
"""

from gateway.relay.administration.acts import API_KEY_RATE, API_KEY_RATE_MOST, API_KEY_SCOPES, Administration
from gateway.relay.administration.control import (
    ANSWER_TIMEOUT,
    SOCKET_NAME,
    Order,
    OrderHandler,
    ask_relay,
    bind_control_socket,
    control_app,
    order_handler,
)
from gateway.relay.administration.live import LiveActs
from gateway.relay.administration.people import account_of
from gateway.relay.administration.session_ends import SessionEnds
from gateway.relay.administration.views import (
    API_KEY_PREFIX,
    AgentView,
    ApiKeyView,
    AuditReportView,
    AuditView,
    AuditWanted,
    BindingView,
    DepartureView,
    KeysView,
    LockoutView,
    NodeHealthView,
    PersonView,
    RebindingView,
    RemovalView,
    SessionsEndedView,
    SignInView,
    TokenView,
    departure_detail,
    ended_detail,
    live_views,
)

__all__ = [
    "ANSWER_TIMEOUT",
    "API_KEY_PREFIX",
    "API_KEY_RATE",
    "API_KEY_RATE_MOST",
    "API_KEY_SCOPES",
    "SOCKET_NAME",
    "Administration",
    "AgentView",
    "ApiKeyView",
    "AuditReportView",
    "AuditView",
    "AuditWanted",
    "BindingView",
    "DepartureView",
    "KeysView",
    "LiveActs",
    "LockoutView",
    "NodeHealthView",
    "Order",
    "OrderHandler",
    "PersonView",
    "RebindingView",
    "RemovalView",
    "SessionEnds",
    "SessionsEndedView",
    "SignInView",
    "TokenView",
    "account_of",
    "ask_relay",
    "bind_control_socket",
    "control_app",
    "departure_detail",
    "ended_detail",
    "live_views",
    "order_handler",
]
