"""What only a running relay can do for an administrator: there is no doing it on the store."""

from __future__ import annotations

from typing import Protocol

from gateway.relay.administration.views import NodeHealthView, SignInView


class LiveActs(Protocol):
    """The relay's process has them."""

    async def health(self) -> NodeHealthView:
        """How this node is, now."""
        ...

    async def sign_in(self, user: str, password: str, actor: str) -> SignInView:
        """Sign a user in, through an agent and the directory; it counts, and is in the trail, as any sign-in.

        actor: who does it. Raises ValueError for what can be no user name or password.
        """
        ...
