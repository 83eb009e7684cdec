"""Sessions as an administrator sees and ends them, with all that hangs on them.

What belongs here: which sessions are meant, their end, what the administrator is told. What does not: the sessions
themselves (signin), how an application is told (each protocol).
"""

from gateway.federation.sessions.acts import SessionActs
from gateway.federation.sessions.end import SessionEnding
from gateway.federation.sessions.orders import session_orders
from gateway.federation.sessions.unreached import UnreachedApplications
from gateway.federation.sessions.views import BrowserSessionView, SessionListView, SessionSelection

__all__ = [
    "BrowserSessionView",
    "SessionActs",
    "SessionEnding",
    "SessionListView",
    "SessionSelection",
    "UnreachedApplications",
    "session_orders",
]
