"""Orders about sessions over the control socket."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.federation.sessions.acts import SessionActs
from gateway.federation.sessions.views import SessionSelection
from gateway.relay import Order, OrderHandler, order_handler


class AboutSessions(Order):
    """See `SessionSelection`."""

    user: str = ""
    session: str = ""
    trust: str = ""

    @property
    def selection(self) -> SessionSelection:
        """As the acts take it."""
        return SessionSelection(user=self.user, session=self.session, trust=self.trust)


class ListSessions(AboutSessions, kw_only=True):
    """limit: sessions that are shown in full."""

    limit: int


class RevokeSessions(AboutSessions, kw_only=True):
    """everybody: all of them; then nothing else is named."""

    everybody: bool


def session_orders(acts: SessionActs) -> Mapping[str, OrderHandler]:
    """The acts by name, as `control_app` takes them."""
    return {
        "sessions": order_handler(ListSessions, lambda order, _actor: acts.sessions(order.selection, order.limit)),
        "revoke_sessions": order_handler(
            RevokeSessions, lambda order, actor: acts.revoke(order.selection, actor, everybody=order.everybody)
        ),
    }
