"""Tells other nodes which agents are connected here, and learns which domains agents have ever claimed.

A node writes when somebody came or went, once a second at most, and every `CONFIRM` seconds that it still lives; what a
node that died has told is not believed any longer than `FRESH`. No connection and no sign-in waits for any of it.

Kind of state: lasting, in the store; the dispatcher has a copy of the claims, by the generation `domains`.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from gateway.housekeeping import Housekeeping, Sleep
from gateway.relay.agents.dispatch import Dispatcher
from gateway.store import PresenceStore, StoreError

log = structlog.get_logger()

_POLL = 1.0
"""Seconds between two looks at who is connected."""
CONFIRM = 20.0
"""Seconds after which a node says that nothing has changed."""
FRESH = 60.0
"""Seconds for which a node's word counts."""


class PresenceReporter:
    """node: this node's name. shared: other nodes want to know that this one lives. clock: Unix seconds."""

    def __init__(
        self, node: str, store: PresenceStore, dispatcher: Dispatcher, clock: Callable[[], float], *, shared: bool
    ) -> None:
        self._node, self._store, self._dispatcher, self._clock = node, store, dispatcher, clock
        self._shared = shared
        self._told: dict[str, tuple[str, ...]] | None = None
        """What the store knows of this node; None: not known."""
        self._told_at = 0.0
        self._failed = False

    def add_jobs(self, housekeeping: Housekeeping, sleep: Sleep) -> None:
        """Report for as long as the relay serves."""

        async def keep_reporting() -> None:
            while True:
                await sleep(_POLL)
                await self.report()

        housekeeping.beside("relay-presence", keep_reporting)

    async def load(self) -> None:
        """Read which domains were claimed, here before this start or elsewhere. Raises StoreError."""
        self._dispatcher.keep_claims(await self._store.claimed())

    async def report(self) -> None:
        """Write who is connected, if the store does not know, or has not heard of this node lately."""
        present: dict[str, set[str]] = {}
        for connection in self._dispatcher.connections:
            present.setdefault(connection.name, set()).update(connection.domains)
        await self._tell({name: tuple(sorted(domains)) for name, domains in present.items()})

    async def leave(self) -> None:
        """Nobody is connected here any more."""
        await self._tell({})

    async def _tell(self, present: dict[str, tuple[str, ...]]) -> None:
        now = self._clock()
        try:
            if present != self._told:
                self._told = None  # a commit that nobody has seen may have been made
                await self._store.report(self._node, list(present.items()), now)
            elif self._shared and not 0 <= now - self._told_at < CONFIRM:
                await self._store.confirm(self._node, now)
            else:
                return
        except StoreError as error:
            if not self._failed:
                log.warning("presence.not_reported", error=str(error))
            self._failed = True
        else:
            self._told, self._told_at, self._failed = present, now, False
