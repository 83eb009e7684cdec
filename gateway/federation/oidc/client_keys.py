"""Keys that clients sign with: of the trust itself, or fetched from its `jwks_uri` when they are needed.

    kept, and it has the key ──► that
      │ old, or the key is not in it ──► fetched, at most once a minute for a client ──► kept
      └── not reached ──► what is kept, for a day ──► then nobody knows: the client is told to try again

Kind of state: a copy of what is elsewhere, in this node's memory, bounded.
"""

from __future__ import annotations

import asyncio
import functools
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog

from foundation.http import FetchFailed
from gateway.federation.oidc.errors import InvalidClient, TemporarilyUnavailable
from gateway.federation.oidc.jose import JwtRefused, VerifyingKey, read_header, read_keys
from gateway.federation.outbound import DocumentSource
from gateway.federation.trusts import Trust

log = structlog.get_logger()

FRESH: Final = 600.0
"""Seconds for which a key set is not fetched again while it has the key that is asked for: so long a client's key that was
withdrawn is good here."""
PAUSE: Final = 60.0
"""Seconds between two fetches for a client, whatever strangers send in its name."""
LAST_GOOD: Final = 86400.0
"""Seconds for which a key set is good whose address does not answer."""
LARGEST: Final = 64 * 1024
"""Bytes of a key set."""
MOST: Final = 1024
"""Clients whose key sets are kept."""


class _KeySet:
    """What is known of one address."""

    def __init__(self) -> None:
        self.keys: tuple[VerifyingKey, ...] = ()
        self.fetched_at: float | None = None
        self.tried_at: float | None = None
        self.fetching = asyncio.Lock()


class ClientKeys:
    """documents: where key sets come from. clock: Unix seconds."""

    def __init__(self, documents: DocumentSource, clock: Callable[[], float]) -> None:
        self._documents, self._clock = documents, clock
        self._sets: OrderedDict[str, _KeySet] = OrderedDict()

    async def of(self, trust: Trust, assertion: str) -> tuple[VerifyingKey, ...]:
        """Those that may have signed an assertion. Raises InvalidClient, TemporarilyUnavailable."""
        url = trust.oidc.jwks_uri
        if not url:
            return keys_of(trust.oidc.jwks)
        kept = self._sets.setdefault(url, _KeySet())
        self._sets.move_to_end(url)
        if len(self._sets) > MOST:
            self._sets.popitem(last=False)
        key_id = _key_id(assertion)
        if self._is_wanted(kept, key_id):
            async with kept.fetching:  # who comes meanwhile waits for the same document
                if self._is_wanted(kept, key_id):
                    await self._fetch(trust, kept)
        if kept.fetched_at is None or not _is_within(kept.fetched_at, self._clock(), LAST_GOOD):
            raise TemporarilyUnavailable(f"no key set of {trust.id}")
        return kept.keys

    def _is_wanted(self, kept: _KeySet, key_id: str) -> bool:
        now = self._clock()
        if kept.tried_at is not None and _is_within(kept.tried_at, now, PAUSE):
            return False
        if kept.fetched_at is None or not _is_within(kept.fetched_at, now, FRESH):
            return True
        return bool(key_id) and all(key.id != key_id for key in kept.keys)

    async def _fetch(self, trust: Trust, kept: _KeySet) -> None:
        try:
            document = await self._documents.get(trust.oidc.jwks_uri, most=LARGEST)
            kept.keys = read_keys(document.decode())
            kept.fetched_at = self._clock()
        except (FetchFailed, JwtRefused, UnicodeDecodeError) as error:
            log.warning("oidc.key_set_not_good", trust=trust.id, problem=str(error))
        finally:
            kept.tried_at = self._clock()


def _is_within(moment: float, now: float, seconds: float) -> bool:
    """A moment in the future is of a clock that was wrong."""
    return 0 <= now - moment < seconds


def _key_id(assertion: str) -> str:
    try:
        return str(read_header(assertion, certificates=True).get("kid", ""))
    except JwtRefused:
        return ""


@functools.lru_cache(maxsize=1024)
def keys_of(jwks: str) -> tuple[VerifyingKey, ...]:
    """The keys of a trust's document, read once. Raises InvalidClient."""
    try:
        return read_keys(jwks)
    except JwtRefused as refused:
        raise InvalidClient(f"the trust's jwks: {refused.detail}") from refused
