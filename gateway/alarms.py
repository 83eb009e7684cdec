"""Alarms: what an operator must see at once, in the log, in the metrics and in the audit trail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import structlog
from prometheus_client import CollectorRegistry, Counter

from gateway.store import AuditEvent, AuditLog, StoreError

log = structlog.get_logger()

ALERTS = (
    "agent.cloned",
    "agent.quarantined",
    "agent.spoke_for_others",
    "audit.broken",
    "audit.prune_postponed",
    "audit.rolled_back",
    "https_certificate.not_renewed",
    "https_certificate.unusable",
    "metadata.aged",
    "metadata.expired",
    "metadata.refused",
    "signing_keys.not_acknowledged",
    "signing_keys.not_replaced",
    "signing_keys.stopped",
)
"""Every event that an alarm is raised for."""


class Alarms:
    """Raises alarms. clock: Unix seconds."""

    def __init__(self, audit: AuditLog, registry: CollectorRegistry, clock: Callable[[], float]) -> None:
        self._audit, self._clock = audit, clock
        self._counter = self.counter(registry)
        self._writing: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly

    @staticmethod
    def counter(registry: CollectorRegistry) -> Counter:
        """How many there were, by event; 0 from the start, or a monitor would not see the first one as an increase."""
        counter = Counter("isthmus_alerts", "Alerts raised, by event.", ("event",), registry=registry)
        for event in ALERTS:
            counter.labels(event)
        return counter

    def raise_alarm(self, event: str, fields: dict[str, str]) -> None:
        """Returns at once: whoever notices an intruder must not wait for the store. `fields` go into log and trail.

        The entry's kind is `alert.<event>`, its subject `fields["agent"]`.
        """
        log.critical(event, **fields)
        self._counter.labels(event).inc()
        entry = AuditEvent(
            time=self._clock(), kind=f"alert.{event}", actor="relay", subject=fields.get("agent", ""), detail=fields
        )
        task = asyncio.create_task(self._write(entry), name=f"alarm-{event}")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, entry: AuditEvent) -> None:
        with contextlib.suppress(StoreError):  # the trail logs it, and the alarm itself is in the log
            await self._audit.append(entry)
