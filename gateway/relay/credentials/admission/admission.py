"""Both guards together: which records an attempt concerns, what is asked of each, and where its failure counts.

    spelling  ──(account known)──►  account      the rule's record, shared by all spellings
        │
        └──(not yet)──►  the spelling's own record, and beside it its namesakes': what is under way for any spelling with
                         the same local part, since all of them may turn out to be the same account

An answer says whose account it was about. Where something is held against that account, its spelling remembers it, and
what was counted against the spelling moves there.

A name that is nobody's is treated as if it were somebody's: what fails under it counts against an account that all names
with this local part share, and moves on to a real one as soon as one of them turns out to be that. Otherwise a stranger
would learn who exists from how many guesses a second spelling has.
"""

from __future__ import annotations

import hashlib
import secrets
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from foundation.addresses import address_key
from gateway.protocol import Outcome
from gateway.relay.credentials.admission import failures, lockout, throttle
from gateway.relay.credentials.admission.callers import RECORDS, CallerRates
from gateway.relay.credentials.admission.lockout import Guess
from gateway.relay.credentials.admission.memory import MemoryAdmissionStore
from gateway.relay.credentials.admission.names import fold_name, local_part
from gateway.relay.credentials.admission.port import AdmissionStore
from gateway.relay.credentials.admission.record import BLANK, Lease, LockRecord
from gateway.relay.credentials.admission.settings import LONGEST_LEASE, AdmissionSettings
from gateway.relay.credentials.admission.throttle import AddressRecord

T = TypeVar("T")
Records = Mapping[bytes, LockRecord]
Changes = dict[bytes, LockRecord | None]

_COUNTED = frozenset({Outcome.WRONG_CREDENTIAL, Outcome.ACCOUNT_LOCKED, Outcome.WOULD_LOCK_OUT})
"""The password was wrong, or may have been. Were one of these free, its account would answer on where a name that is
nobody's is locked: a stranger would learn that it exists."""
_RIGHT = frozenset({Outcome.SUCCESS})

_ROUNDS = 8
"""How often a rule may find that it needs one more record: twice, and once more for each node that changes a name just
then."""

_SPELLING, _NAMESAKES, _ACCOUNT = b"sS", b"nN", b"aA"
"""Last byte of a key: of what it is the key, for unfamiliar places and for familiar ones."""
_FAMILIAR = b"SNA"
_FAILURES = failures.KIND * 2
"""The same of what is no account."""


class AdmissionRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What admission must know of an attempt."""

    user_name: str
    password: str
    address: str
    familiar: bool = False
    throttled: bool = True
    """False where the address is that of a trusted back end: it stands for many people."""
    deadline: float = 0.0
    """Unix seconds by which it is settled or lost; 0: `LONGEST_LEASE` from now."""
    correlation_id: str = ""

    def __repr__(self) -> str:  # without the password
        return f"AdmissionRequest({self.user_name!r}, address={self.address!r})"


class Admitted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """It may go on; hand this back to `settle` or `abandon`."""

    number: bytes
    deadline: float
    """Of its lease."""
    familiar: bool
    spelling: bytes
    """Key of its spelling's record."""
    namesakes: bytes
    """Key of the record of its local part."""
    lease: bytes
    """Key of the record that holds its lease."""
    digest: bytes
    """Of its password, keyed."""
    address: str
    """As it is counted; empty where it is not."""
    correlation_id: str


@dataclass(frozen=True, slots=True)
class AttemptRefused:
    """It may not. `retry_after` is seconds; `reason` is for the operator only: `address`, or those of `lockout.Refusal`."""

    retry_after: float
    reason: str
    waits_for: tuple[bytes, ...] = ()
    """Where it is busy: keys of the records whose leases are in its way."""


@dataclass(frozen=True, slots=True)
class LockView:
    """What is locked, for familiar or unfamiliar places, until a Unix time; `locks` in a row."""

    key: bytes
    """Of the account, or of the spelling where that is not known. Names are not remembered."""
    familiar: bool
    until: float
    locks: int
    failures: int
    correlation_id: str
    """Of the attempt that failed last."""


class _Answer(msgspec.Struct, frozen=True, gc=False):
    """What an agent said of an attempt."""

    outcome: Outcome
    account: bytes
    account_key: str
    key: bytes
    """Of the account's record."""


@dataclass(frozen=True, slots=True)
class _Missing:
    """The rule needs another record before it can decide."""

    key: bytes


class Admission:
    """Smart lockout and throttling. Times are Unix seconds, parameters of each call.

    keys: of the digests of names and passwords, the same on all nodes and after a restart; the one in use first, then those
    that names may still be kept under. Without: a random one. Of a password that was wrong under an older key nothing is
    known any more: it counts again, once.
    store: without one, this process's memory. Where the store is down, every coroutine raises the store's error: nothing
    was decided, so nobody may be asked.
    """

    def __init__(
        self,
        settings: AdmissionSettings,
        *,
        keys: Callable[[], Sequence[bytes]] | None = None,
        store: AdmissionStore | None = None,
    ) -> None:
        self._settings = settings
        random = (secrets.token_bytes(32),) if keys is None else ()
        self._keys = keys or (lambda: random)
        self._store = store if store is not None else MemoryAdmissionStore(settings)
        self._addresses: OrderedDict[str, AddressRecord] = OrderedDict()
        self._rates = CallerRates()
        self._failures: OrderedDict[str, LockRecord] = OrderedDict()
        """As this node knows them."""
        self._node, self._numbers = secrets.token_bytes(8), 0

    def use(self, settings: AdmissionSettings) -> None:
        """Settings were read anew; what is counted stays, and is judged by them. The store has its own."""
        self._settings = settings

    @property
    def addresses(self) -> int:
        """Client addresses that are remembered."""
        return len(self._addresses)

    async def check(self, request: AdmissionRequest, now: float) -> Admitted | AttemptRefused:
        """Decide. An Admitted must be settled or abandoned."""
        address = address_key(request.address) if request.throttled else ""
        counted = self._addresses.get(address) if address else None
        if counted is not None and (wait := throttle.refusal(counted, self._settings, now)) > 0:
            return AttemptRefused(wait, "address")
        folded = fold_name(request.user_name)
        namesake = local_part(folded)
        key, *older = self._keys()
        spelling = _name_key(key, _SPELLING, folded, request.familiar)
        namesakes = _name_key(key, _NAMESAKES, namesake, request.familiar)
        digest = _password_digest(key, namesake, request.password)
        guess = Guess(self._next_number(), digest, request.deadline or now + LONGEST_LEASE)
        earlier = [_name_key(other, _SPELLING, folded, request.familiar) for other in older]

        def rule(records: Records) -> tuple[Records, bytes | AttemptRefused | _Missing]:
            renamed = self._rename(records, earlier, spelling) if earlier else records
            after, result = self._decide(renamed, guess, request.familiar, spelling, namesakes, now)
            return {**renamed, **after}, result

        def unknown(records: Records) -> tuple[Changes, bytes] | None:
            """Nothing is remembered, as for nearly everybody: what the rule would say, in a tenth of the time."""
            if records:
                return None
            return {namesakes: LockRecord(leases=(Lease(guess.number, guess.deadline),))}, namesakes

        if counted is not None and throttle.is_crowded(counted, spelling, self._settings, now):
            return AttemptRefused(1.0, "busy", (place_of(address),))
        if address:
            counted = self._address(address, now)
            throttle.begin(counted, spelling, now)
        admitted = False
        try:
            lease: bytes | AttemptRefused = await self._apply((spelling, namesakes, *earlier), rule, unknown)
            admitted = not isinstance(lease, AttemptRefused)
        finally:  # cancelled, or the store failed, too
            if counted is not None and not admitted:
                throttle.withdraw(counted, spelling, now)
        if isinstance(lease, AttemptRefused):
            return lease
        return Admitted(
            number=guess.number,
            deadline=guess.deadline,
            familiar=request.familiar,
            spelling=spelling,
            namesakes=namesakes,
            lease=lease,
            digest=guess.digest,
            address=address,
            correlation_id=request.correlation_id,
        )

    def _rename(self, records: Records, earlier: Sequence[bytes], spelling: bytes) -> Records:
        """What is kept under keys of names that were in use before moves to the one that is now."""
        renamed = dict(records)
        for key in earlier:
            record = renamed[key]
            if record != BLANK:
                merged = lockout.merge(renamed[spelling], record, self._settings)
                renamed[spelling] = replace(merged, account=record.account, account_key=record.account_key)
                renamed[key] = BLANK
        return renamed

    def _decide(
        self, records: Records, guess: Guess, familiar: bool, spelling: bytes, namesakes: bytes, now: float
    ) -> tuple[Records, bytes | AttemptRefused | _Missing]:
        """What the attempt concerns, and the rule on it: the key of the record that holds its lease now, or why not."""
        own, near = records[spelling], records[namesakes]
        known = own.account or near.account
        key = _end_of(records, _account(known, familiar), familiar) if known else b""
        if isinstance(key, _Missing):
            return records, key
        account = records[key] if key else BLANK
        after: Records
        if own.account:
            decided, refusal = lockout.decide(account, guess, self._settings, now, near)
            after, lease = {key: decided}, key
        else:  # one lease for whatever spelling of that name: each may turn out to be the account that near points to
            decided, refusal = lockout.decide(replace(own, leases=near.leases), guess, self._settings, now, account)
            after = {spelling: replace(decided, leases=()), namesakes: replace(near, leases=decided.leases)}
            lease = namesakes
        if refusal is None:
            return after, lease
        return after, AttemptRefused(
            refusal.retry_after, refusal.reason, (namesakes, key) if refusal.reason == "busy" else ()
        )

    async def settle(self, ticket: Admitted, outcome: Outcome, now: float, *, account: bytes, account_key: str) -> bool:
        """Say what came of it, and whose account the answer was about; True if that locks it.

        account: its keyed digest, empty where nobody was found; account_key: the id of the digest's key.
        """
        self._end_at_address(ticket)
        if outcome in _COUNTED and ticket.address:
            throttle.fail(self._address(ticket.address, now), ticket.spelling, now)
        answer = _Answer(outcome, account, account_key, _account(account, ticket.familiar))

        def rule(records: Records) -> tuple[Records, bool | _Missing]:
            return self._settle(records, ticket, answer, now)

        def unknown(records: Records) -> tuple[Changes, bool] | None:
            """The password was right, and nothing is remembered but this attempt."""
            if outcome not in _RIGHT or len(records) != 1 or records.get(ticket.lease) != alone:
                return None
            return {ticket.lease: None}, False

        alone = LockRecord(leases=(Lease(ticket.number, ticket.deadline),))
        keys = {ticket.spelling, ticket.namesakes, ticket.lease}
        if account:
            keys.add(answer.key)
        return await self._apply(tuple(keys), rule, unknown)

    def _settle(self, records: Records, ticket: Admitted, answer: _Answer, now: float) -> tuple[Records, bool | _Missing]:
        """The lease ends; what was counted moves to the account, if that is new; then the outcome counts there."""
        own, near = records[ticket.spelling], records[ticket.namesakes]
        own_key = _account(own.account, ticket.familiar) if own.account else ticket.spelling
        nobodys = _account(near.account, ticket.familiar) if _is_nobodys(near) else own_key
        real = bool(answer.account)
        attributed: _Answer | _Missing = answer
        if not real and answer.outcome in _COUNTED and (not own.account or _is_nobodys(own)):
            attributed = self._attribute(records, ticket, answer)
        for found in (attributed, *(_end_of(records, key, ticket.familiar) for key in (own_key, nobodys))):
            if isinstance(found, _Missing):
                return records, found
        assert isinstance(attributed, _Answer)  # noqa: S101 - nothing is missing
        answer = attributed
        after = {key: lockout.current(record, self._settings, now) for key, record in records.items()}
        after[ticket.lease] = lockout.release(after[ticket.lease], ticket.number)
        subject = answer.key if answer.account else _found(_end_of(records, own_key, ticket.familiar))
        if real:
            self._move(after, own, own_key, answer, now)
            if answer.outcome in _COUNTED and nobodys != own_key:
                self._absorb(after, nobodys, answer, now)
        held = after[subject]
        if answer.outcome in _RIGHT:
            after[subject] = lockout.succeed(held)
            self._forgive(after, ticket, own, own_key, answer)
        elif answer.outcome in _COUNTED:
            after[subject] = lockout.fail(held, ticket.digest, self._settings, now, ticket.correlation_id)
        if answer.account and lockout.is_held(after[subject]):
            for key in (ticket.spelling, ticket.namesakes):
                after[key] = self._pointing(after[key], answer, now)
        return after, after[subject].locked_until > max(held.locked_until, now)

    def _attribute(self, records: Records, ticket: Admitted, answer: _Answer) -> _Answer | _Missing:
        """Of a name that is nobody's: against which account it counts, as if the answer had said so."""
        own, near = records[ticket.spelling], records[ticket.namesakes]
        pointer = next((record for record in (own, near) if record.account), LockRecord(account=ticket.namesakes[:15]))
        key = _account(pointer.account, ticket.familiar)
        if key not in records:
            return _Missing(key)
        if records[key].account:  # it has moved on
            pointer = records[key]
            key = _account(pointer.account, ticket.familiar)
            if key not in records:
                return _Missing(key)
        return _Answer(answer.outcome, pointer.account, pointer.account_key, key)

    def _move(self, after: dict[bytes, LockRecord], own: LockRecord, own_key: bytes, answer: _Answer, now: float) -> None:
        """What was counted under the name so far counts against the account that it is."""
        if _is_nobodys(own):
            self._absorb(after, own_key, answer, now)
        elif answer.key != own_key and not (own.account and own.account_key == answer.account_key):
            # not where the same key made both: then the spelling is another person's now, who did nothing yet
            after[answer.key] = lockout.merge(after[answer.key], after[own_key], self._settings)
            after[own_key] = lockout.succeed(after[own_key])

    def _absorb(self, after: dict[bytes, LockRecord], nobodys: bytes, answer: _Answer, now: float) -> None:
        """What failed under names of nobody's counts against the account that one of them is, and keeps counting there."""
        record = after[nobodys]
        if not record.account:
            after[answer.key] = lockout.merge(after[answer.key], record, self._settings)
            after[nobodys] = self._pointing(LockRecord(leases=record.leases), answer, now)

    def _forgive(
        self, after: dict[bytes, LockRecord], ticket: Admitted, own: LockRecord, own_key: bytes, answer: _Answer
    ) -> None:
        after[ticket.spelling] = lockout.succeed(after[ticket.spelling])
        if _is_nobodys(own):
            after[own_key] = lockout.succeed(after[own_key])
        if after[ticket.namesakes].account in {answer.account, own.account}:
            # else it points to a namesake who is being guessed at
            after[ticket.namesakes] = lockout.succeed(after[ticket.namesakes])

    def _pointing(self, record: LockRecord, answer: _Answer, now: float) -> LockRecord:
        """A spelling's record that points to its account. Not written anew for each failure."""
        fresh = now - record.touched <= self._settings.forget_after / 2
        if (record.account, record.account_key) == (answer.account, answer.account_key) and fresh:
            return record
        # one string for all that point: it is a key's id, and there are two keys
        return replace(record, account=answer.account, account_key=sys.intern(answer.account_key), touched=now)

    async def abandon(self, ticket: Admitted, now: float) -> None:
        """Nothing came of it: the caller was cancelled or failed. Counts for nothing."""

        def rule(records: Records) -> tuple[Records, None]:
            return {ticket.lease: lockout.release(records[ticket.lease], ticket.number)}, None

        self._end_at_address(ticket)
        await self._apply((ticket.lease,), rule)

    def enrol(self, address: str, now: float) -> float:
        """Count an enrolment that somebody asks for: 0, or seconds until one more from this address may be."""
        return throttle.enrol(self._address(address_key(address), now), self._settings, now)

    def draw(self, whose: str, rate: float, now: float) -> float:
        """Count a request of whoever it is, `rate` a minute: 0, or seconds until one more may be."""
        return self._rates.draw(whose, rate, now)

    def failing(self, whose: str, most: int, now: float) -> float:
        """Seconds until whoever has failed `most` times within a minute may try again; 0 for others, as this node knows."""
        return failures.wait(self._failures.get(whose, BLANK), most, now)

    def fail_here(self, whose: Sequence[str], now: float) -> None:
        """Count a failure of each on this node alone, without a look at the store."""
        for name in whose:
            self._note_failures(name, failures.fail(self._failures.get(name, BLANK), now))

    async def fail(self, whose: Sequence[str], now: float) -> None:
        """Count a failure of each, here before anything is awaited, then for all nodes; see `failures`."""
        keys = {name: _name_key(self._keys()[0], _FAILURES, name, familiar=False) for name in whose}
        self.fail_here(whose, now)

        def rule(records: Records) -> tuple[Records, Records]:
            after = {key: failures.fail(record, now) for key, record in records.items()}
            return after, after

        shared = await self._apply(tuple(keys.values()), rule)
        for name, key in keys.items():
            if shared[key].failures > self._failures.get(name, BLANK).failures:
                self._note_failures(name, shared[key])

    def _note_failures(self, name: str, record: LockRecord) -> None:
        self._failures[name] = record
        self._failures.move_to_end(name)
        if len(self._failures) > RECORDS:
            self._failures.popitem(last=False)

    async def unlock(self, user_names: Sequence[str], accounts: Sequence[bytes] = ()) -> bool:
        """Forget what is counted against an account: any of its spellings, or its digests. False where nothing was."""
        found = False
        for familiar in (False, True):
            keys = [_account(account, familiar) for account in accounts]
            for user_name in user_names:
                folded = fold_name(user_name)
                for key in self._keys():
                    keys.append(_name_key(key, _SPELLING, folded, familiar))
                    keys.append(_name_key(key, _NAMESAKES, local_part(folded), familiar))

            def rule(records: Records, familiar: bool = familiar) -> tuple[Records, bool | _Missing]:
                for record in records.values():
                    if record.account and (key := _account(record.account, familiar)) not in records:
                        return records, _Missing(key)
                # whose name it is stays known: the next one may need it, too
                cleared = {key: record if record.account else lockout.succeed(record) for key, record in records.items()}
                return cleared, any(lockout.is_held(record) for record in records.values())

            found = await self._apply(tuple(keys), rule) or found
        return found

    async def locked(self, now: float) -> list[LockView]:
        """What is locked now."""
        return [
            LockView(key, key[-1] in _FAMILIAR, record.locked_until, record.locks, record.failures, record.correlation_id)
            for key, record in await self._store.records()
            if record.locked_until > now
        ]

    async def purge(self, now: float) -> int:
        """Forget what nobody needs any more; returns how many records."""
        return await self._store.purge(now)

    async def _apply(
        self,
        keys: Sequence[bytes],
        rule: Callable[[Records], tuple[Records, T | _Missing]],
        shortcut: Callable[[Records], tuple[Changes, T] | None] = lambda _: None,
    ) -> T:
        """Apply a rule that sees a blank record where there is none, and may find that it needs one more.

        shortcut: the same as the rule, where it says anything.
        """
        for _ in range(_ROUNDS):
            wanted = keys

            def complete(records: Records, wanted: Sequence[bytes] = wanted) -> tuple[Changes, T | _Missing]:
                known = shortcut(records)
                if known is not None:
                    return known
                before = {key: records.get(key, BLANK) for key in wanted}
                after, result = rule(before)
                changed = {key: record for key, record in after.items() if record != before[key]}
                return {key: None if record == BLANK else record for key, record in changed.items()}, result

            result = await self._store.apply(keys, complete)
            if not isinstance(result, _Missing):
                return result
            keys = (*keys, result.key)
        raise RuntimeError("a name changed its account faster than it could be looked up")

    def _next_number(self) -> bytes:
        self._numbers += 1
        return self._node + self._numbers.to_bytes(8)

    def _end_at_address(self, ticket: Admitted) -> None:
        record = self._addresses.get(ticket.address)
        if record is not None:
            throttle.end(record, ticket.spelling)

    def _address(self, address: str, now: float) -> AddressRecord:
        record = self._addresses.get(address)
        if record is None:
            self._make_room(now)
            record = self._addresses[address] = AddressRecord(seen=now)
        self._addresses.move_to_end(address)
        return record

    def _make_room(self, now: float) -> None:
        """Before an address is added: the oldest goes if it is stale. Then the oldest without a failure, then any."""
        records = self._addresses
        oldest = next(iter(records), None)
        if oldest is not None and throttle.is_stale(records[oldest], self._settings, now):
            del records[oldest]
        while len(records) >= self._settings.records:
            victims = (address for address, record in list(records.items())[:64] if not record.failed)
            del records[next(victims, next(iter(records)))]


def place_of(address: str) -> bytes:
    """What attempts from an address wait for where as many names are under way there as may still fail."""
    return b"@" + address.encode()


def _is_nobodys(record: LockRecord) -> bool:
    """Whether it points to the account that stands for all names of nobody's with one local part: no agent's key made it."""
    return bool(record.account) and not record.account_key


def _end_of(records: Records, key: bytes, familiar: bool) -> bytes | _Missing:
    """The key of an account, or of the one that it has moved on to."""
    if key not in records:
        return _Missing(key)
    if not records[key].account:
        return key
    end = _account(records[key].account, familiar)
    return end if end in records else _Missing(end)


def _found(key: bytes | _Missing) -> bytes:
    assert isinstance(key, bytes)  # noqa: S101 - it was looked for before
    return key


def _account(account: bytes, familiar: bool) -> bytes:
    """Key of an account's record: its digest is keyed already."""
    return account[:15] + _ACCOUNT[familiar : familiar + 1]


def _name_key(key: bytes, kind: bytes, name: str, familiar: bool) -> bytes:
    kind = kind[familiar : familiar + 1]
    return hashlib.blake2b(kind + name.encode(), digest_size=15, key=key).digest() + kind


def _password_digest(key: bytes, namesake: str, password: str) -> bytes:
    """Of the same password of two people: not the same, so that stored digests tell nothing by themselves."""
    text = f"password\0{namesake}\0{password}".encode(errors="surrogatepass")
    return hashlib.blake2b(text, digest_size=16, key=key).digest()
