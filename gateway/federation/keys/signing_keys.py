"""The rings in memory. Kind of state: a copy, by the generation `signing_keys`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from certs import KeyState
from gateway.federation.keys.errors import NoSigningKey, SigningKeyDamaged
from gateway.federation.keys.first_keys import make_first_keys
from gateway.federation.keys.jwk import public_jwk
from gateway.federation.keys.material import read_key
from gateway.federation.keys.model import PUBLISHED, Ring, SigningKey, may_be_tried, signing_at
from gateway.federation.settings import KeySettings
from gateway.housekeeping import Sleep
from gateway.store import SigningKeyRecord, Store

log = structlog.get_logger()


class SigningKeys:
    """Which key signs, and which are published: answered from memory, without waiting.

    host: of the relay's public address, for certificates. clock: Unix seconds. sleep: waits while another node makes the
    first keys.
    """

    def __init__(
        self,
        store: Store,
        settings: KeySettings,
        *,
        host: str,
        clock: Callable[[], float],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._store, self.settings, self._host, self._clock, self._sleep = store, settings, host, clock, sleep
        self._keys: dict[str, SigningKey] = {}
        self._by_algorithm: dict[tuple[str, str], tuple[SigningKey, ...]] = {}
        self._loading = asyncio.Lock()  # of two readings the one that began later is taken last
        store.generations.watch("signing_keys", self.load)

    def active(self, ring: Ring, algorithm: str, tried: str = "") -> SigningKey:
        """The key that signs now; of the ring `decrypting` the one that partners should encrypt for. Raises NoSigningKey.

        tried: id of the key that is tried (`Trial`); for as long as it may be, that one.
        """
        if tried and (tried_key := self._keys.get(tried)) is not None and may_be_tried(tried_key, ring, algorithm):
            return tried_key
        key = signing_at(self._by_algorithm.get((ring, algorithm), ()), self._clock())
        if key is None:
            raise NoSigningKey(ring, algorithm)
        return key

    def published(self, ring: Ring) -> Sequence[SigningKey]:
        """The keys that partners are shown: first those that sign, then those that will, then those that did.

        A key in the state `next` is not among them: it is known to nobody yet.
        """
        now = self._clock()
        signing = {key.id for keys in self._by_algorithm.values() if (key := signing_at(keys, now)) is not None}
        shown = [key for key in self._keys.values() if key.ring == ring and key.state in PUBLISHED]
        return sorted(shown, key=lambda key: (key.id not in signing, PUBLISHED.index(key.state), -key.since, key.id))

    def encryptable(self) -> Sequence[SigningKey]:
        """The keys that partners may encrypt for from now on: a retiring one still opens, but is shown to nobody new.

        All that are published open what comes.
        """
        now = self._clock()
        return [key for key in self.published("decrypting") if key.state is not KeyState.RETIRING or key.since > now]

    def find(self, key: str) -> SigningKey | None:
        """By `kid` or thumbprint, one that is published: what any other key has signed is not accepted."""
        found = self._keys.get(key)
        return found if found is not None and found.state in PUBLISHED else None

    def jwks(self) -> dict[str, Any]:
        """The key set of OpenID Connect (RFC 7517 section 5), for JSON. It may be cached for `settings.max_age` seconds."""
        return {"keys": [_public(key) for key in self.published("oidc")]}

    async def begin(self) -> None:
        """Make the first keys where there are none, and load. Raises StoreError, NoSigningKey."""
        await make_first_keys(self._store, self.settings, host=self._host, clock=self._clock, sleep=self._sleep)
        await self.load()

    async def load(self) -> None:
        """Read what changed. A key that is damaged is left out and logged. Raises StoreError."""
        async with self._loading:
            records = await self._store.signing_keys.all()
            keys = await asyncio.to_thread(_read, records, self._keys)
        by_algorithm: dict[tuple[str, str], tuple[SigningKey, ...]] = {}
        for key in keys:
            by_algorithm[key.ring, key.algorithm] = (*by_algorithm.get((key.ring, key.algorithm), ()), key)
        self._keys, self._by_algorithm = {key.id: key for key in keys}, by_algorithm


def _public(key: SigningKey) -> dict[str, str]:
    return public_jwk(key.private.public_key(), id_=key.id, algorithm=key.algorithm)


def _read(records: Sequence[SigningKeyRecord], known: dict[str, SigningKey]) -> list[SigningKey]:
    """Checking a private key takes a while; one that has not changed is not checked again."""
    keys = []
    for record in records:
        before = known.get(record.id)
        if before is not None and before.record == record:
            keys.append(before)
            continue
        try:
            keys.append(read_key(record))
        except SigningKeyDamaged as error:
            log.error("signing_key.damaged", key_id=record.id, ring=record.ring, error=str(error))  # noqa: TRY400 - it says all
    return keys
