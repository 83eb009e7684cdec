"""Messages of a party that are taken, or answered, once: by the party and the message's ID, on whatever node."""

from __future__ import annotations

import hashlib

from gateway.federation.saml.context import SamlContext
from gateway.federation.saml.parties import Party


async def was_seen(context: SamlContext, kind: str, party: Party, message_id: str) -> bool:
    """Whether `note_seen` was called for it. Raises StoreError."""
    return await context.store.seen.has(kind, _key(party, message_id), context.clock())


async def note_seen(context: SamlContext, kind: str, party: Party, message_id: str, *, remembered: float) -> bool:
    """Whether it is the first call: of several at once one is. remembered: seconds. Raises StoreError."""
    now = context.clock()
    return await context.store.seen.add(kind, _key(party, message_id), until=now + remembered, now=now)


def _key(party: Party, message_id: str) -> str:
    """A digest: two long ids that begin alike are two."""
    return hashlib.sha256(f"{party.trust.id} {message_id}".encode()).hexdigest()  # a trust's id has no blanks
