"""What the replacement of a ring's keys remembers, and the view that its stages have. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import msgspec

from certs import KeyPolicy, KeyState, Ledger
from foundation.procedures import View
from gateway.federation.keys.model import ALGORITHMS, Ring
from gateway.federation.keys.rollover.partners import notice
from gateway.federation.settings import KeySettings
from gateway.store import SigningKeyRecord


class RingState(msgspec.Struct, frozen=True, kw_only=True):
    """Of a planned rollover."""

    ring: Ring
    why: str
    replaces: tuple[str, ...]
    """Ids of all keys that the ring had at the start."""


class RingEmergencyState(RingState, frozen=True, kw_only=True):
    """Of an emergency: the keys that it replaces are trusted no more."""


@dataclass(frozen=True, slots=True)
class ObservedRing:
    """One ring at one moment."""

    ring: Ring
    records: tuple[SigningKeyRecord, ...]
    ledger: Ledger
    settings: KeySettings

    @property
    def policy(self) -> KeyPolicy:
        """With the time that this ring's partners need."""
        needed, policy = notice(self.ledger, self.settings), self.settings.policy
        return replace(policy, publish_for=needed, create_before=max(policy.create_before, needed + policy.critical))

    def waiting(self, record: SigningKeyRecord) -> frozenset[str]:
        """Trusts that have not acknowledged it, without those that are gone meanwhile."""
        return record.waiting_for & {partner.name for partner in self.ledger.partners}


@dataclass(frozen=True, slots=True)
class RolloverStages(View[ObservedRing, RingState]):
    """A ring whose keys are replaced."""

    @property
    def ring(self) -> Ring:
        """Which one."""
        return self.state.ring

    @property
    def algorithms(self) -> tuple[str, ...]:
        """A key of each is made."""
        return ALGORITHMS[self.ring]

    @property
    def old(self) -> list[SigningKeyRecord]:
        """Keys that are replaced, as far as they are still kept."""
        return [record for record in self.observed.records if record.id in self.state.replaces]

    @property
    def new(self) -> list[SigningKeyRecord]:
        """Keys that replace them, as far as they are made."""
        return [record for record in self.observed.records if record.id not in self.state.replaces]

    @property
    def critical_at(self) -> float:
        """When the first of the keys in use is so near its end that partners are not waited for; 0 where none is in use."""
        ends = [record.not_after for record in self.old if record.state == KeyState.ACTIVE]
        return min(ends, default=0.0) - self.observed.settings.critical

    @property
    def noticed_at(self) -> float:
        """When partners have had their time."""
        return latest(self.new) + self.observed.policy.publish_for


def latest(records: Iterable[SigningKeyRecord]) -> float:
    """When the last of them came, or comes, into its state."""
    return max((record.since for record in records), default=0.0)
