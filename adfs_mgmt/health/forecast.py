"""What AD FS will do by itself, and when. Pure.

    end - 20 days   AutoCertificateRollover makes a successor          (CertificateGenerationThreshold)
          + 5 days  and promotes it                                    (CertificatePromotionThreshold)
    end -  2 days   critical: makes and promotes at once, whether or
                    not partners know of it                            (CertificateCriticalThreshold)

AD FS looks once a day (MonitoringInterval, 1,440 minutes), and acts twice a day (CertificateRolloverInterval, 720): so it
is late only a day and a half after.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from adfs_mgmt.farm import FarmCertificate, Properties
from certs import Certificate, last_to_end
from foundation.times import DAY

LATE = 1.5 * DAY


class EventKind(enum.StrEnum):
    """What AD FS does to a certificate of its own accord."""

    GENERATION = "generation"
    PROMOTION = "promotion"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that is to happen to a certificate, or that should have happened."""

    at: float
    """Unix seconds."""
    kind: EventKind
    why: str


def primary_of(rows: Sequence[FarmCertificate]) -> Certificate | None:
    """Of the rows of one use; None where there is none, or several."""
    primaries = [row.certificate for row in rows if row.is_primary]
    return primaries[0] if len(primaries) == 1 else None


def successor_of(rows: Sequence[FarmCertificate]) -> Certificate | None:
    """The secondary that ends last, if it ends after the primary."""
    primary = primary_of(rows)
    others = [row.certificate for row in rows if not row.is_primary]
    last = last_to_end(others)
    return last if last and (primary is None or last.outlasts(primary)) else None


def events(rows: Sequence[FarmCertificate], properties: Properties) -> list[Event]:
    """What AD FS will do about the primary of these rows (of one use), in order. None where it does nothing by itself."""
    primary, successor = primary_of(rows), successor_of(rows)
    if not properties.auto_rollover or primary is None or primary.not_after is None:
        return []
    found = []
    made = primary.not_after - properties.generation_threshold_days * DAY
    if successor is None:
        found.append(Event(at=made, kind=EventKind.GENERATION, why="AD FS creates its successor"))
    elif successor.not_before is not None:
        made = successor.not_before
    promoted = made + properties.promotion_threshold_days * DAY
    found.append(
        Event(at=promoted, kind=EventKind.PROMOTION, why="AD FS promotes the successor; partners must have it by then")
    )
    critical = primary.not_after - properties.critical_threshold_days * DAY
    found.append(Event(at=critical, kind=EventKind.CRITICAL, why="AD FS replaces it immediately, regardless of partners"))
    return sorted(found, key=lambda event: event.at)
