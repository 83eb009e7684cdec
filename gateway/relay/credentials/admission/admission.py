"""Both guards together, over bounded memory."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from gateway.protocol import Outcome
from gateway.relay.credentials.admission import lockout, throttle
from gateway.relay.credentials.admission.lockout import LockRecord
from gateway.relay.credentials.admission.settings import AdmissionSettings
from gateway.relay.credentials.admission.throttle import AddressRecord, address_key

R = TypeVar("R")

_COUNTED = frozenset({Outcome.WRONG_CREDENTIAL, Outcome.ACCOUNT_LOCKED})
"""AD was asked and the password was wrong, or may have been."""
_RIGHT = frozenset({Outcome.SUCCESS})


@dataclass(frozen=True, slots=True, kw_only=True)
class AdmissionRequest:
    """What admission must know of an attempt."""

    user_name: str
    password: str = field(repr=False)
    address: str
    familiar: bool = False
    throttled: bool = True
    """False where the address is that of a trusted back end: it stands for many people."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """It may go on; hand this back to `settle` or `abandon`."""

    user: str
    key: tuple[str, bool]
    digest: bytes = field(repr=False)
    address: str


@dataclass(frozen=True, slots=True)
class AttemptRefused:
    """It may not. `retry_after` is seconds; `reason` is for the operator only: `locked`, `address`, or `busy` where as
    many attempts for this name are under way as may still fail."""

    retry_after: float
    reason: str


@dataclass(frozen=True, slots=True)
class LockView:
    """A user name that is locked, from familiar or unfamiliar places, until a Unix time; `locks` in a row."""

    user: str
    familiar: bool
    until: float
    locks: int


class Admission:
    """Smart lockout and throttling. Times are Unix seconds, parameters of each call."""

    def __init__(self, settings: AdmissionSettings, *, key: bytes | None = None) -> None:
        self._settings = settings
        self._key = key or secrets.token_bytes(32)
        self._users: OrderedDict[tuple[str, bool], LockRecord] = OrderedDict()
        self._addresses: OrderedDict[str, AddressRecord] = OrderedDict()

    @property
    def users(self) -> int:
        """User names that are remembered, familiar and unfamiliar places apart."""
        return len(self._users)

    @property
    def addresses(self) -> int:
        """Client addresses that are remembered."""
        return len(self._addresses)

    def check(self, request: AdmissionRequest, now: float) -> Admitted | AttemptRefused:
        """Decide. An Admitted must be settled or abandoned."""
        user = normalise(request.user_name)
        address = address_key(request.address)
        if request.throttled:
            record = self._addresses.get(address)
            wait = throttle.refusal(record, self._settings, now) if record is not None else 0.0
            if wait > 0:
                return AttemptRefused(wait, "address")
        digest = hmac.digest(self._key, request.password.encode("utf-8", "surrogatepass"), hashlib.sha256)[:16]
        key = (user, request.familiar)
        lock = self._users.get(key)
        if lock is None:
            self._make_room(self._users, lambda record: lockout.is_stale(record, self._settings, now), _is_expendable)
            lock = self._users[key] = LockRecord()
        wait = lockout.refusal(lock, self._settings, now)
        if wait > 0:
            return AttemptRefused(wait, "locked" if now < lock.locked_until else "busy")
        lockout.begin(lock, now)
        self._users.move_to_end(key)
        if request.throttled:
            throttle.attempt(self._address(address, now), now)
        return Admitted(user, key, digest, address if request.throttled else "")

    def settle(self, ticket: Admitted, outcome: Outcome, now: float) -> bool:
        """Say what came of it; True if the name is locked now."""
        record = self._users.get(ticket.key)
        if record is None:
            return False
        lockout.end(record)
        if outcome in _RIGHT:
            lockout.succeed(record)
            if not record.in_flight:  # else the others under way would be counted on no record, and not at all
                del self._users[ticket.key]
            return False
        if outcome not in _COUNTED:
            return False
        if ticket.address:
            throttle.fail(self._address(ticket.address, now), ticket.user, now)
        return lockout.fail(record, ticket.digest, self._settings, now)

    def abandon(self, ticket: Admitted, now: float) -> None:
        """Nothing came of it: the caller was cancelled or failed. Counts for nothing."""
        record = self._users.get(ticket.key)
        if record is not None:
            lockout.end(record)

    def unlock(self, user_name: str) -> bool:
        """Forget what is counted against a user name; False where nothing was."""
        user = normalise(user_name)
        found = False
        for familiar in (False, True):
            record = self._users.get((user, familiar))
            if record is not None:
                found = found or record.failures > 0
                lockout.succeed(record)
        return found

    def locked(self, now: float) -> list[LockView]:
        """The user names that are locked now."""
        return [
            LockView(user, familiar, record.locked_until, record.locks)
            for (user, familiar), record in self._users.items()
            if record.locked_until > now
        ]

    def _address(self, address: str, now: float) -> AddressRecord:
        record = self._addresses.get(address)
        if record is None:
            self._make_room(
                self._addresses,
                lambda record: throttle.is_stale(record, self._settings, now),
                lambda record: not record.failed,
            )
            record = self._addresses[address] = AddressRecord(seen=now)
        self._addresses.move_to_end(address)
        return record

    def _make_room(
        self,
        records: OrderedDict[tuple[str, bool], R] | OrderedDict[str, R],
        stale: Callable[[R], bool],
        expendable: Callable[[R], bool],
    ) -> None:
        """Before one is added: stale records go first, then the oldest that hold nothing against anybody, then any.

        Flooding with invented names cannot push out a locked one while there are others.
        """
        oldest = next(iter(records), None)
        if oldest is not None and stale(records[oldest]):  # type: ignore[index]  # one of the two kinds of key, as in records
            del records[oldest]  # type: ignore[arg-type]
        while len(records) >= self._settings.records:
            victims = (key for key, record in list(records.items())[:64] if expendable(record))
            del records[next(victims, next(iter(records)))]  # type: ignore[arg-type]


def _is_expendable(record: LockRecord) -> bool:
    return not record.in_flight and not record.locks


def normalise(user_name: str) -> str:
    """The name as it is counted: case and surrounding space do not matter to AD, so they must not matter here."""
    return user_name.strip().casefold()
