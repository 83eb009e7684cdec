"""The first keys of a relay: made once, by whichever node holds the duty."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Iterable
from typing import get_args

import structlog

from certs import KeyState
from gateway.federation.keys.errors import NoSigningKey
from gateway.federation.keys.material import make_key
from gateway.federation.keys.model import ALGORITHMS, Ring
from gateway.federation.settings import KeySettings
from gateway.housekeeping import Sleep
from gateway.store import AuditEvent, DutyLease, DutyLost, SigningKeyRecord, Store

log = structlog.get_logger()

DUTY = "signing keys"
"""Held by whoever changes a ring."""
LEASE = 50.0
"""Seconds: more than making the keys takes, less than the minute after which the next look at them is due."""
_TRIES = 2 * int(LEASE)
"""Seconds that another node is waited for, that may have died while it held the duty."""


async def make_first_keys(
    store: Store, settings: KeySettings, *, host: str, clock: Callable[[], float], sleep: Sleep
) -> None:
    """Make an active key for each ring and algorithm that has none, or wait until another node has.

    Raises StoreError; NoSigningKey where the other node does not finish.
    """
    holder = f"{store.node}-{secrets.token_hex(4)}"
    for _ in range(_TRIES):
        if not lacking(await store.signing_keys.all()):
            return
        now = clock()
        lease = await store.duties.take(DUTY, holder, now=now, until=now + LEASE)
        if lease is None:
            await sleep(1.0)
            continue
        with contextlib.suppress(DutyLost):  # this node slept for long: another one has made them, or is about to
            await _make(store, settings, lease, host, now)
            await store.duties.give_up(lease)
    for ring, algorithm in lacking(await store.signing_keys.all()):
        raise NoSigningKey(ring, algorithm)


def lacking(records: Iterable[SigningKeyRecord]) -> list[tuple[Ring, str]]:
    """Rings and algorithms without an active key. Pure.

    A key that is there and cannot be used counts: another one in its place would hide the damage from whoever trusts it.
    """
    active = {(record.ring, record.algorithm) for record in records if record.state == KeyState.ACTIVE}
    rings: tuple[Ring, ...] = get_args(Ring)
    return [(ring, name) for ring in rings for name in ALGORITHMS[ring] if (ring, name) not in active]


async def _make(store: Store, settings: KeySettings, lease: DutyLease, host: str, now: float) -> None:
    unit = store.unit()
    unit.hold(lease)
    # asked again under the duty: another node may have made them between the look and the lease
    for ring, algorithm in lacking(await store.signing_keys.all()):
        lifetime = settings.lifetime(ring)
        record = await asyncio.to_thread(
            make_key, ring, algorithm, host=host, state=KeyState.ACTIVE, now=now, lifetime=lifetime
        )
        unit.put_signing_key(record)
        detail = {"ring": ring, "algorithm": algorithm, "why": "the first key"}
        unit.record(AuditEvent(time=now, kind="signing_key.made", actor="relay", subject=record.id, detail=detail))
        log.info("signing_key.made", key_id=record.id, ring=ring, algorithm=algorithm)
    await unit.commit()
