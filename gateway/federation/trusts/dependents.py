"""What hangs on a trust: grants of its client, and what people agreed that it may know.

It is ended after the trust, for until then more of it may be made; and once more before a trust of that id is added anew,
should the relay have stopped between the two.
"""

from __future__ import annotations

import structlog

from gateway.store import Store

log = structlog.get_logger()


async def end_dependents(store: Store, trust: str) -> None:
    """A trust is gone, or signs nobody in any more. Raises StoreError; then it can be done again."""
    grants = await store.grants.end_of_trust(trust)
    consents = await store.consents.remove_of_trust(trust)
    if grants or consents:
        log.info("trust.dependents_ended", trust=trust, grants=grants, consents=consents)
