"""Whether the replacement of a ring's keys goes as it should: what is due, and what holds it up. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from certs import CertsError, KeyAction, KeyState, due_transitions
from findings import Finding, failed, passed, warned
from foundation.procedures import Record
from foundation.times import day, minute
from gateway.federation.keys.model import ALGORITHMS, Ring
from gateway.federation.keys.rollover.acts import policy_record
from gateway.federation.keys.rollover.stages import KIND
from gateway.federation.keys.rollover.state import ObservedRing, RolloverStages

_CHECK: Final = "signing keys"
_SLACK: Final = 3600.0
"""Seconds after the moment at which something is due: it is looked at each minute, and a database may be away meanwhile."""
ALERTS: Final = ("signing_keys.not_acknowledged", "signing_keys.stopped", "signing_keys.not_replaced")
LOOKS: Final = 3
"""At so many looks in a row has a replacement been stopped before somebody is told: once may be a database that is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyProblem:
    """Something that an operator must see to."""

    kind: str
    """Of the alert's entry in the audit trail."""
    ring: Ring
    seen: str
    remedy: str

    @property
    def alert(self) -> str:
        """Its event."""
        return self.kind.removeprefix("alert.")

    @property
    def finding(self) -> Finding:
        """For checks. One application that nobody has seen to does not mean that nobody signs in."""
        judge = warned if self.alert == "signing_keys.not_acknowledged" else failed
        return judge(_CHECK, self.ring, self.seen, self.remedy)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingHealth:
    """How a ring stands."""

    ring: Ring
    ends: float
    """When the first of its keys in use ends, Unix seconds; 0 without any."""
    stage: str
    """Of the replacement that is in progress; empty without one."""
    problems: tuple[KeyProblem, ...]

    @property
    def findings(self) -> list[Finding]:
        """For `isthmus relay check`; none of a relay that has no keys yet."""
        if self.problems or not self.ends:
            return [problem.finding for problem in self.problems]
        progress = "a replacement is in progress, " if self.stage else ""
        return [passed(_CHECK, self.ring, f"{progress}the first key in use ends {day(self.ends)}")]


def due(ring: ObservedRing, now: float) -> str:
    """Why the keys of a ring are to be replaced now; empty where they are not. Raises certs.RolloverRefused."""
    if not ring.records:
        return ""  # the first keys are made when the first application needs them
    reasons = []
    for algorithm in ALGORITHMS[ring.ring]:  # all of them: one that contradicts itself is an error whatever the others say
        keys = [policy_record(ring, record) for record in ring.records if record.algorithm == algorithm]
        transitions = due_transitions(keys, ring.policy, now)
        reasons += [f"{algorithm}: {found.why}" for found in transitions if found.action is KeyAction.CREATE]
    return "; ".join(reasons)


def health(ring: ObservedRing, record: Record[Any] | None, now: float, *, stage: str, looks: int) -> RingHealth:
    """record: of the last replacement; stage: its, where it is in progress; looks: at how many in a row it was stopped."""
    ends = min((key.not_after for key in ring.records if key.state == KeyState.ACTIVE), default=0.0)
    return RingHealth(ring=ring.ring, ends=ends, stage=stage, problems=tuple(_problems(ring, record, now, looks)))


def stopped(ring: Ring, why: str) -> KeyProblem:
    """The replacement does not continue by itself."""
    remedy = "See the relay's log. When what is wrong is fixed, the relay continues within a minute."
    return KeyProblem(
        kind="alert.signing_keys.stopped", ring=ring, seen=f"the replacement has stopped: {why}", remedy=remedy
    )


def _problems(ring: ObservedRing, record: Record[Any] | None, now: float, looks: int) -> Iterator[KeyProblem]:
    under_way = record if record is not None and record.open else None
    try:
        due(ring, now)
    except CertsError as error:
        yield stopped(ring.ring, str(error))
    if under_way is not None:
        if under_way.problem and looks >= LOOKS:
            yield stopped(ring.ring, under_way.problem)
        yield from _not_acknowledged(ring, under_way, now)
    yield from _not_replaced(ring, now, in_progress=under_way is not None)


def _not_acknowledged(ring: ObservedRing, record: Record[Any], now: float) -> Iterator[KeyProblem]:
    view = RolloverStages(ring, record, now)
    if record.kind != KIND or record.back or not view.noticed_at <= now < view.critical_at:
        return
    published = [key for key in view.new if key.state == KeyState.PUBLISHED]
    if names := sorted({name for key in published for name in ring.waiting(key)}):
        yield KeyProblem(
            kind="alert.signing_keys.not_acknowledged",
            ring=ring.ring,
            seen=f"{', '.join(names)} not acknowledged, although the time for it was over {minute(view.noticed_at)}; "
            f"the new keys sign anyway from {minute(view.critical_at)} on",
            remedy="Install the new certificate or keys there, then: "
            f"isthmus certs acknowledge {ring.ring} --trust {names[0]}",
        )


def _not_replaced(ring: ObservedRing, now: float, *, in_progress: bool) -> Iterator[KeyProblem]:
    within = ring.policy.critical if in_progress else ring.policy.create_before
    late = [
        key
        for key in ring.records
        if key.state == KeyState.ACTIVE and now >= key.not_after - within + min(_SLACK, within / 10)
    ]
    if late:
        first = min(late, key=lambda key: key.not_after)
        progress = "its replacement is not ready" if in_progress else "no replacement is in progress"
        yield KeyProblem(
            kind="alert.signing_keys.not_replaced",
            ring=ring.ring,
            seen=f"the {first.algorithm} key in use ends {minute(first.not_after)}, and {progress}",
            remedy="See the relay's log for signing_keys.rollover_failed and signing_keys.rollover_postponed; "
            f"then: isthmus certs rollover {ring.ring}",
        )
