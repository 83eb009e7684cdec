"""What ends people's sessions with all that hangs on them: a port, for sessions and applications are other packages'."""

from __future__ import annotations

from typing import Protocol

from gateway.protocol import AccountId
from gateway.relay.administration.views import SessionsEndedView


class SessionEnds(Protocol):
    """Ends sessions and grants, and has applications told. Raises StoreError: then something may be left."""

    async def of_account(self, account: AccountId) -> SessionsEndedView:
        """Of one person, grants that outlive sessions among them."""
        ...

    async def of_directory(self, directory: str) -> SessionsEndedView:
        """Of all people of a directory; as with one."""
        ...
