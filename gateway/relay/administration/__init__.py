"""What an administrator can do, and how the running relay is told to.

What belongs here: acts, each in the audit trail, and the control socket that carries them. What does not: commands and
pages that call them.
"""

from gateway.relay.administration.acts import API_KEY_RATE, API_KEY_RATE_MOST, API_KEY_SCOPES, Administration
from gateway.relay.administration.control import (
    SOCKET_NAME,
    Order,
    OrderHandler,
    ask_relay,
    bind_control_socket,
    control_app,
    order_handler,
)
from gateway.relay.administration.live import LiveActs
from gateway.relay.administration.views import (
    API_KEY_PREFIX,
    AgentView,
    ApiKeyView,
    AuditReportView,
    AuditView,
    AuditWanted,
    BindingView,
    KeysView,
    LockoutView,
    NodeHealthView,
    PersonView,
    RebindingView,
    RemovalView,
    SignInView,
    TokenView,
    live_views,
)

__all__ = [
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
    "KeysView",
    "LiveActs",
    "LockoutView",
    "NodeHealthView",
    "Order",
    "OrderHandler",
    "PersonView",
    "RebindingView",
    "RemovalView",
    "SignInView",
    "TokenView",
    "ask_relay",
    "bind_control_socket",
    "control_app",
    "live_views",
    "order_handler",
]
