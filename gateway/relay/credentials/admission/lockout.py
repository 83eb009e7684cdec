"""Smart lockout: the rule, over one record for each account (or spelling, until its account is known) and familiarity.

                    wrong password (a new one), failures < threshold
                         ┌───────┐
                         ▼       │
     success ──►  ┌──────────────┴─┐  failures = threshold   ┌────────┐
    ┌───────────► │      OPEN      │ ──────────────────────► │ LOCKED │ ──► every attempt is refused, nobody is asked
    │             └────────────────┘                         └─┬────▲─┘
    │                                             the lock ends │    │ a new wrong password: locked again,
    │             ┌────────────────┐ ◄──────────────────────────┘    │ twice as long
    └──────────── │    PROBING     │ ────────────────────────────────┘
     success      └──────────────┬─┘   (an administrator's unlock: back to OPEN with nothing counted)
                         ▲       │
                         └───────┘
                    wrong password (a known one): checked, for it may be right by now; neither counts nor locks.
                    One such attempt in `lock_seconds`; further ones are refused without asking anybody.

- Only *different* wrong passwords count: the last few are kept as keyed digests, so that a phone with an old password
  does not lock its owner out, neither the first time nor after somebody else did.
- Familiar and unfamiliar places count apart: an outsider's guesses do not lock out the person at their own desk.
- An attempt under way counts as a failure until it is settled: a thousand parallel guesses pass no more than the
  threshold allows. It is a lease: nobody waits for a settlement that never comes for longer than until its deadline.
- Outcomes of the infrastructure count for nothing. Neither do those for which the password was right (expired, must
  change, …). WOULD_LOCK_OUT counts as the guess that it was: AD was not asked, but for a name that is nobody's it would be.
- A clock that is set back makes nobody wait longer: what lies too far ahead is brought back when it is next looked at.

Everything here is pure: a record and a time go in, a record comes out.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from gateway.relay.credentials.admission.record import BLANK, Lease, LockRecord
from gateway.relay.credentials.admission.settings import LONGEST_LEASE, AdmissionSettings


class Guess(msgspec.Struct, frozen=True, gc=False):
    """An attempt, as far as the rule must know it."""

    number: bytes
    """Its lease's."""
    digest: bytes
    """Of the password, keyed."""
    deadline: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """The attempt may not go on. Why: `locked`, `repeated` (a known wrong password while probing, and one was checked
    just before), or `busy` (as many are under way as may still fail). retry_after: seconds."""

    reason: str
    retry_after: float


def decide(
    record: LockRecord, guess: Guess, settings: AdmissionSettings, now: float, beside: LockRecord = BLANK
) -> tuple[LockRecord, Refusal | None]:
    """May this attempt go on? The record with its lease, and None; or why not, and the record as it is now.

    beside: a record of what may turn out to be the same account. What failed and what is under way there leaves less
    room here, though never none: a namesake's failures must not keep anybody out.
    """
    record = current(record, settings, now)
    if now < record.locked_until:
        return record, Refusal("locked", record.locked_until - now)
    repeated = bool(record.locks) and guess.digest in record.digests
    if repeated and now < record.repeated_at + settings.lock_seconds:
        return record, Refusal("repeated", record.repeated_at + settings.lock_seconds - now)
    allowed = 1 if record.locks else max(settings.threshold - max(record.failures, beside.failures), 1)
    if len(record.leases) + sum(lease.deadline > now for lease in beside.leases) >= allowed:
        return record, Refusal("busy", 1.0)  # the others are about to be settled
    leases = (*record.leases, Lease(guess.number, guess.deadline))
    if repeated:
        return replace(record, leases=leases, repeated_at=now), None
    return replace(record, leases=leases), None


def release(record: LockRecord, number: bytes) -> LockRecord:
    """An attempt is settled or given up: it is no longer under way. Nothing changes where its lease has ended."""
    return replace(record, leases=tuple(lease for lease in record.leases if lease.number != number))


def succeed(record: LockRecord) -> LockRecord:
    """The password was right, or an administrator unlocks: forget everything but what is under way."""
    return LockRecord(leases=record.leases)


def fail(record: LockRecord, digest: bytes, settings: AdmissionSettings, now: float, correlation_id: str = "") -> LockRecord:
    """The password was wrong."""
    known = digest in record.digests
    others = tuple(other for other in record.digests if other != digest)
    record = replace(
        record,
        digests=_last((*others, digest), settings),
        touched=now,
        correlation_id=correlation_id,
    )
    if known:
        return record
    failures = record.failures + 1
    if failures < settings.threshold and not record.locks:
        return replace(record, failures=failures)
    locks = min(record.locks + 1, 30)
    return replace(record, failures=failures, locks=locks, locked_until=now + lock_length(locks, settings))


def _last(digests: tuple[bytes, ...], settings: AdmissionSettings) -> tuple[bytes, ...]:
    return digests[max(len(digests) - settings.remembered_passwords, 0) :]


def lock_length(locks: int, settings: AdmissionSettings) -> float:
    """Seconds of the lock that is the `locks`th in a row."""
    return min(settings.lock_seconds * 2.0 ** (locks - 1), settings.lock_ceiling)


def merge(account: LockRecord, spelling: LockRecord, settings: AdmissionSettings) -> LockRecord:
    """The account of a spelling is known: what was held against the spelling is held against the account from now on.

    What the two have in common (a password that was wrong in both) counts once; the stricter lock remains. Leases stay
    where they are: who holds one ends it there.
    """
    common = sum(digest in account.digests for digest in spelling.digests)
    others = tuple(digest for digest in spelling.digests if digest not in account.digests)
    newer = account if account.touched >= spelling.touched else spelling
    failures = account.failures + max(spelling.failures - common, 0)
    locks = max(account.locks, spelling.locks)
    locked_until = max(account.locked_until, spelling.locked_until)
    if not locks and failures >= settings.threshold:  # neither had reached it alone
        locks, locked_until = 1, newer.touched + lock_length(1, settings)
    return replace(
        account,
        digests=_last((*others, *account.digests), settings),
        failures=failures,
        locks=locks,
        locked_until=locked_until,
        repeated_at=max(account.repeated_at, spelling.repeated_at),
        touched=newer.touched,
        correlation_id=newer.correlation_id,
    )


def current(record: LockRecord, settings: AdmissionSettings, now: float) -> LockRecord:
    """The record as it is by now: without leases that have ended, blank if it is stale; what a clock that was set back
    left too far ahead is brought back."""
    if any(not now < lease.deadline <= now + LONGEST_LEASE for lease in record.leases):
        ahead = now + LONGEST_LEASE
        leases = tuple(Lease(lease.number, min(lease.deadline, ahead)) for lease in record.leases if now < lease.deadline)
        record = replace(record, leases=leases)
    if is_stale(record, settings, now):
        return succeed(record) if is_held(record) else record
    latest = now + lock_length(record.locks, settings)
    if record.locked_until > latest or record.repeated_at > now:
        return replace(record, locked_until=min(record.locked_until, latest), repeated_at=min(record.repeated_at, now))
    return record


def is_held(record: LockRecord) -> bool:
    """Whether anything is held against the name: a wrong password, a lock."""
    return record.failures > 0 or record.locks > 0


def expiry(record: LockRecord, settings: AdmissionSettings) -> float:
    """Unix time after which it may be forgotten, but for what is under way: no lock, the last wrong password long ago."""
    return max(record.touched + settings.forget_after, record.locked_until)


def is_stale(record: LockRecord, settings: AdmissionSettings, now: float) -> bool:
    """Whether it may be forgotten: nothing under way, no lock, and the last wrong password long ago."""
    return (
        now >= record.locked_until
        and now - record.touched > settings.forget_after
        and all(lease.deadline <= now for lease in record.leases)
    )
