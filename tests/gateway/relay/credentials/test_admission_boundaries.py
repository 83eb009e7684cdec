"""Smart lockout and throttling at their edges: the very second, the very attempt, the record that has to go."""

from __future__ import annotations

import secrets
from collections import deque
from dataclasses import replace as with_settings
from typing import Any

import msgspec
import pytest

from foundation.addresses import address_key
from gateway.protocol import Outcome
from gateway.relay.credentials.admission import (
    Admission,
    AdmissionRequest,
    AdmissionSettings,
    Admitted,
    LockView,
    MemoryAdmissionStore,
    lockout,
    throttle,
)
from gateway.relay.credentials.admission.lockout import Guess, Refusal
from gateway.relay.credentials.admission.record import BLANK, Lease, LockRecord, decode, encode, weight
from gateway.relay.credentials.admission.throttle import AddressRecord
from tests.gateway.relay.credentials.direct import DirectAdmission, run

NOW = 1_800_000_000.0
SETTINGS = AdmissionSettings()
WRONG = Outcome.WRONG_CREDENTIAL


def request(user: str = "anna", password: str = "x", address: str = "192.0.2.1", **fields: Any) -> AdmissionRequest:
    return AdmissionRequest(user_name=user, password=password, address=address, **fields)


def admitted(
    admission: DirectAdmission, user: str = "anna", password: str = "x", now: float = NOW, **fields: Any
) -> Admitted:
    decision = admission.check(request(user, password, **fields), now)
    assert isinstance(decision, Admitted)
    return decision


def refusal(admission: DirectAdmission, user: str = "anna", now: float = NOW, **fields: Any) -> tuple[float, str]:
    """Seconds to wait, and why."""
    decision = admission.check(request(user, **fields), now)
    assert not isinstance(decision, Admitted)
    return decision.retry_after, decision.reason


def fail(admission: DirectAdmission, user: str = "anna", password: str = "x", now: float = NOW, **fields: Any) -> bool:
    """One wrong password; whether that locked."""
    return admission.settle(admitted(admission, user, password, now, **fields), WRONG, now)


# -- the lock of a user name


def test_the_defaults_are_microsofts_where_there_are_any() -> None:
    """And the others are those that the documentation names."""
    assert (
        AdmissionSettings(
            threshold=4,
            lock_seconds=60.0,
            lock_ceiling=3600.0,
            forget_after=86400.0,
            remembered_passwords=3,
            address_failures=30,
            address_rate=120,
            address_window=60.0,
            records=200_000,
        )
        == SETTINGS
    )


def guess(digest: bytes = b"x", number: bytes = b"#", deadline: float = NOW + 30) -> Guess:
    return Guess(number, digest, deadline)


def leases(count: int, deadline: float = NOW + 30) -> tuple[Lease, ...]:
    return tuple(Lease(b"%d" % number, deadline) for number in range(count))


def refused(record: LockRecord, now: float = NOW, digest: bytes = b"x", beside: LockRecord = BLANK) -> Refusal | None:
    return lockout.decide(record, guess(digest, deadline=now + 30), SETTINGS, now, beside)[1]


def test_a_locked_name_waits_for_the_rest_of_the_lock() -> None:
    """To the second, and is open in the second in which it ends; one at a time from then on."""
    record = LockRecord(locked_until=NOW + 60, locks=1, failures=4, touched=NOW)
    assert lockout.decide(record, guess(), SETTINGS, NOW + 59) == (record, Refusal("locked", 1.0))
    after, refusal = lockout.decide(record, guess(deadline=NOW + 90), SETTINGS, NOW + 60)
    assert refusal is None
    assert after == LockRecord(locked_until=NOW + 60, locks=1, failures=4, touched=NOW, leases=(Lease(b"#", NOW + 90),))
    assert lockout.decide(after, guess(b"y"), SETTINGS, NOW + 60) == (after, Refusal("busy", 1.0))


def test_while_probing_one_goes_on_whatever_was_counted() -> None:
    """The threshold says nothing any more."""
    assert refused(LockRecord(locks=1, leases=leases(1), touched=NOW)) == Refusal("busy", 1.0)
    assert refused(LockRecord(locks=1, touched=NOW)) is None


@pytest.mark.parametrize(("failures", "in_flight", "passes"), [(0, 3, True), (0, 4, False), (3, 0, True), (3, 1, False)])
def test_what_failed_and_what_is_under_way_are_counted_together(failures: int, in_flight: int, passes: bool) -> None:
    """Up to the threshold of four."""
    refusal = refused(LockRecord(failures=failures, leases=leases(in_flight), touched=NOW))
    assert refusal == (None if passes else Refusal("busy", 1.0))


@pytest.mark.parametrize(
    ("failures", "in_flight", "beside", "passes"),
    [
        (0, 1, LockRecord(leases=leases(2)), True),
        (0, 1, LockRecord(leases=leases(3)), False),
        (0, 1, LockRecord(leases=leases(3, NOW)), True),  # ended in this moment
        (0, 1, LockRecord(leases=leases(3, NOW + 0.5)), False),
        (0, 0, LockRecord(failures=3), True),
        (0, 1, LockRecord(failures=3), False),
        (2, 1, LockRecord(failures=2), True),  # the same failures, perhaps: the larger number counts
        (2, 2, LockRecord(failures=1), False),
        (0, 0, LockRecord(failures=9, locks=1, locked_until=NOW + 60), True),  # never none
        (0, 1, LockRecord(failures=9, locks=1, locked_until=NOW + 60), False),
    ],
)
def test_what_may_be_the_same_account_leaves_less_room(
    failures: int, in_flight: int, beside: LockRecord, passes: bool
) -> None:
    """But always for one: a namesake's lock keeps nobody out."""
    refusal = refused(LockRecord(failures=failures, leases=leases(in_flight), touched=NOW), beside=beside)
    assert refusal == (None if passes else Refusal("busy", 1.0))


def test_a_threshold_of_nought_lets_one_pass() -> None:
    """Settings are not checked here; nobody is kept out by them."""
    settings = AdmissionSettings(threshold=0)
    assert lockout.decide(BLANK, guess(), settings, NOW)[1] is None


def test_what_goes_first_where_there_is_no_room() -> None:
    """What keeps nobody out, then a lock, then what is under way: guesses at the same time would be free."""
    under_way = (Lease(b"1", 9.0),)
    records = [
        BLANK,
        LockRecord(failures=3, touched=1.0),
        LockRecord(locks=1),
        LockRecord(leases=under_way),
        LockRecord(leases=under_way, locks=1),
    ]
    assert [weight(record) for record in records] == [0, 0, 1, 2, 2]


def test_a_lease_ends_with_its_deadline() -> None:
    """To the second; what is settled afterwards finds none to end."""
    record = LockRecord(leases=(*leases(3), Lease(b"late", NOW + 60)), failures=0, touched=NOW)
    assert refused(record, NOW + 29.9) == Refusal("busy", 1.0)
    after, refusal = lockout.decide(record, guess(deadline=NOW + 60), SETTINGS, NOW + 30)
    assert refusal is None
    assert after.leases == (Lease(b"late", NOW + 60), Lease(b"#", NOW + 60))
    assert lockout.release(after, b"0") == after


def test_an_attempt_begins_and_ends_once() -> None:
    """Only its own lease ends, and ending it again ends no other."""
    first, _ = lockout.decide(BLANK, guess(number=b"1"), SETTINGS, NOW)
    both, _ = lockout.decide(first, guess(number=b"2"), SETTINGS, NOW)
    one = lockout.release(both, b"1")
    assert one.leases == (Lease(b"2", NOW + 30),)
    assert lockout.release(one, b"1") == one
    assert lockout.release(one, b"2") == BLANK


def test_a_success_forgets_everything() -> None:
    """But what is still under way."""
    record = LockRecord(
        (b"a",), failures=3, leases=leases(2), locks=2, locked_until=NOW, touched=NOW, repeated_at=NOW, account=b"a"
    )
    assert lockout.succeed(record) == LockRecord(leases=leases(2))


def test_only_the_failure_at_the_threshold_locks() -> None:
    """The fourth different one; a repeated one never."""
    record, said = BLANK, []
    for digest in (b"1", b"1", b"2", b"3", b"3", b"4"):
        record = lockout.fail(record, digest, SETTINGS, NOW)
        said.append(record.locked_until > NOW)
    assert said == [False, False, False, False, False, True]
    assert (record.failures, record.locks, record.locked_until) == (4, 1, NOW + 60)


def test_a_failure_is_noted_with_its_time_and_its_correlation_id() -> None:
    """The last one's: the event table has the rest."""
    record = lockout.fail(BLANK, b"1", SETTINGS, NOW, "first")
    assert (record.touched, record.correlation_id) == (NOW, "first")
    record = lockout.fail(record, b"1", SETTINGS, NOW + 1, "second")
    assert (record.touched, record.correlation_id, record.failures) == (NOW + 1, "second", 1)


def test_the_last_three_wrong_passwords_are_remembered() -> None:
    """Not two and not four: the fourth last counts again."""
    record = BLANK
    settings = AdmissionSettings(threshold=100)
    for digest in (b"1", b"2", b"3", b"4"):
        record = lockout.fail(record, digest, settings, NOW)
    assert record.digests == (b"2", b"3", b"4")
    record = lockout.fail(record, b"2", settings, NOW)
    assert record.failures == 4
    record = lockout.fail(record, b"1", settings, NOW)
    assert record.failures == 5


def test_a_password_that_is_repeated_is_remembered_anew() -> None:
    """Others' guesses do not push out what a phone keeps saying."""
    record = BLANK
    for digest in (b"phone", b"2", b"3", b"phone", b"4"):
        record = lockout.fail(record, digest, AdmissionSettings(threshold=100), NOW)
    assert record.digests == (b"3", b"phone", b"4")
    record = BLANK
    for digest in (b"phone", b"phone", b"2"):
        record = lockout.fail(record, digest, AdmissionSettings(threshold=100), NOW)
    assert (record.digests, record.correlation_id) == ((b"phone", b"2"), "")


@pytest.mark.parametrize(("remembered", "digests"), [(0, ()), (1, (b"2",)), (5, (b"1", b"2"))])
def test_as_many_are_remembered_as_the_settings_say(remembered: int, digests: tuple[bytes, ...]) -> None:
    """None, too."""
    settings = AdmissionSettings(remembered_passwords=remembered)
    record = lockout.fail(lockout.fail(BLANK, b"1", settings, NOW), b"2", settings, NOW)
    assert record.digests == digests


def test_locks_double_up_to_the_ceiling_and_are_counted_up_to_thirty() -> None:
    """2**30 minutes are longer than any ceiling; more would only make the number large."""
    record = lockout.fail(LockRecord(locks=29), b"1", SETTINGS, NOW)
    assert (record.locks, record.locked_until) == (30, NOW + 3600)
    record = lockout.fail(record, b"2", SETTINGS, NOW)
    assert (record.locks, record.locked_until) == (30, NOW + 3600)
    assert [lockout.lock_length(locks, SETTINGS) for locks in (1, 2, 3, 6, 7)] == [60, 120, 240, 1920, 3600]


@pytest.mark.parametrize(
    ("record", "stale"),
    [
        (LockRecord(touched=NOW - 86400), False),
        (LockRecord(touched=NOW - 86401), True),
        (LockRecord(touched=NOW - 86401, leases=leases(1)), False),
        (LockRecord(touched=NOW - 86401, leases=leases(1, NOW)), True),
        (LockRecord(touched=NOW - 86401, locked_until=NOW + 1), False),
        (LockRecord(touched=NOW - 86401, locked_until=NOW), True),
        (LockRecord(touched=NOW), False),
    ],
)
def test_a_record_is_stale_when_nothing_of_it_matters(record: LockRecord, stale: bool) -> None:
    """A day without a wrong password, no lock, nothing under way."""
    assert lockout.is_stale(record, SETTINGS, NOW) is stale


def test_what_is_stale_is_forgotten_when_it_is_looked_at() -> None:
    """Whether or not somebody has swept meanwhile."""
    record = LockRecord((b"1", b"2", b"3"), failures=3, touched=NOW)
    assert lockout.current(record, SETTINGS, NOW + 86400) == record
    assert lockout.current(record, SETTINGS, NOW + 86401) == BLANK
    pointer = LockRecord(account=b"a", touched=NOW)
    assert lockout.current(pointer, SETTINGS, NOW + 86401) == pointer


def test_when_a_record_may_be_forgotten() -> None:
    """A day after the last wrong password; with its lock, if that is longer."""
    assert lockout.expiry(LockRecord(touched=NOW, locked_until=NOW + 60), SETTINGS) == NOW + 86400
    assert lockout.expiry(LockRecord(touched=NOW, locked_until=NOW + 90000), SETTINGS) == NOW + 90000


# -- a known wrong password while probing


PROBING = LockRecord((b"old",), failures=4, locks=1, locked_until=NOW, touched=NOW - 60)


def test_a_known_wrong_password_passes_once_in_the_length_of_a_lock() -> None:
    """To the second; that it passed is remembered before anybody is asked."""
    after, refusal = lockout.decide(PROBING, guess(b"old"), SETTINGS, NOW + 5)
    assert (refusal, after.repeated_at, len(after.leases)) == (None, NOW + 5, 1)
    after = lockout.release(after, b"#")
    assert lockout.decide(after, guess(b"old"), SETTINGS, NOW + 64) == (after, Refusal("repeated", 1.0))
    assert refused(after, NOW + 65, b"old") is None


def test_a_new_password_is_no_repetition() -> None:
    """It passes while a known one would not, and is not remembered as one."""
    record = LockRecord((b"old",), failures=4, locks=1, touched=NOW, repeated_at=NOW)
    after, refusal = lockout.decide(record, guess(b"new"), SETTINGS, NOW + 1)
    assert (refusal, after.repeated_at) == (None, NOW)


def test_before_a_lock_a_known_wrong_password_passes_as_often_as_it_comes() -> None:
    """Nothing is decided by it."""
    record = LockRecord((b"old",), failures=1, touched=NOW)
    after, refusal = lockout.decide(record, guess(b"old"), SETTINGS, NOW)
    assert (refusal, after.repeated_at) == (None, 0.0)


def test_a_known_wrong_password_that_was_wrong_leaves_the_state_as_it_is() -> None:
    """Probing, with as many locks and failures as before."""
    after = lockout.fail(PROBING, b"old", SETTINGS, NOW + 5)
    assert (after.locks, after.failures, after.locked_until) == (1, 4, NOW)


# -- a clock that was set back


def test_a_lock_is_never_longer_than_it_was_made() -> None:
    """What lies further ahead is brought back, and stays there."""
    record = LockRecord(locked_until=NOW + 60, locks=1, failures=4, touched=NOW)
    hour_ago = NOW - 3600
    after, refusal = lockout.decide(record, guess(), SETTINGS, hour_ago)
    assert refusal == Refusal("locked", 60.0)
    assert after.locked_until == hour_ago + 60
    assert refused(after, hour_ago + 60) is None


def test_what_is_under_way_blocks_nobody_for_long() -> None:
    """No lease lies further ahead than the longest, wherever the clock went."""
    record = LockRecord(leases=(Lease(b"1", NOW + 30), Lease(b"2", NOW - 3600 + 300)))
    after = lockout.current(record, SETTINGS, NOW - 3600)
    assert after.leases == (Lease(b"1", NOW - 3300), Lease(b"2", NOW - 3300))
    assert lockout.current(record, SETTINGS, NOW + 29.9).leases == (Lease(b"1", NOW + 30),)


def test_a_repetition_in_the_future_was_just_now() -> None:
    """One length of a lock later another one may pass."""
    record = LockRecord((b"old",), failures=4, locks=1, touched=NOW - 7200, repeated_at=NOW)
    after, refusal = lockout.decide(record, guess(b"old"), SETTINGS, NOW - 3600)
    assert refusal == Refusal("repeated", 60.0)
    assert after.repeated_at == NOW - 3600


# -- two records that are the same account's


def test_what_was_counted_moves() -> None:
    """Failures are added, the last passwords of both remembered, those of the account as the newer."""
    account = LockRecord((b"1",), failures=1, touched=NOW, correlation_id="a", leases=leases(1))
    spelling = LockRecord((b"2",), failures=2, touched=NOW - 1, correlation_id="b", leases=leases(2), repeated_at=7.0)
    assert lockout.merge(account, spelling, SETTINGS) == LockRecord(
        (b"2", b"1"), failures=3, touched=NOW, correlation_id="a", leases=leases(1), repeated_at=7.0
    )
    tied = LockRecord((b"2",), failures=1, touched=NOW, correlation_id="b")
    assert lockout.merge(account, tied, SETTINGS).correlation_id == "a"
    later = with_settings(SETTINGS, remembered_passwords=1)
    assert lockout.merge(account, spelling, later).digests == (b"1",)


def test_a_password_that_was_wrong_in_both_counts_once() -> None:
    """It is the same one."""
    account = LockRecord((b"1", b"2"), failures=2, touched=NOW)
    spelling = LockRecord((b"2", b"3"), failures=2, touched=NOW + 1, correlation_id="b")
    merged = lockout.merge(account, spelling, SETTINGS)
    assert (merged.failures, merged.digests) == (3, (b"3", b"1", b"2"))
    assert (merged.touched, merged.correlation_id) == (NOW + 1, "b")
    assert lockout.merge(account, LockRecord((b"2",), failures=0), SETTINGS).failures == 2


def test_together_they_may_have_reached_the_threshold() -> None:
    """Then the account is locked from the last failure on, as if all had been its own."""
    merged = lockout.merge(LockRecord(failures=2, touched=NOW), LockRecord(failures=2, touched=NOW + 9), SETTINGS)
    assert (merged.failures, merged.locks, merged.locked_until) == (4, 1, NOW + 69)
    merged = lockout.merge(LockRecord(failures=2, touched=NOW), LockRecord(failures=1, touched=NOW), SETTINGS)
    assert (merged.locks, merged.locked_until) == (0, 0.0)


@pytest.mark.parametrize("swapped", [False, True])
def test_the_stricter_lock_remains(swapped: bool) -> None:
    """Whichever of the two has it."""
    strict, lax = LockRecord(failures=6, locks=3, locked_until=NOW + 240), LockRecord(failures=1)
    merged = lockout.merge(*((lax, strict) if swapped else (strict, lax)), SETTINGS)
    assert (merged.failures, merged.locks, merged.locked_until) == (7, 3, NOW + 240)


@pytest.mark.parametrize(
    ("record", "held"),
    [
        (BLANK, False),
        (LockRecord(leases=leases(1), account=b"a", touched=NOW), False),
        (LockRecord(failures=1), True),
        (LockRecord(locks=1), True),
    ],
)
def test_what_is_held_against_somebody(record: LockRecord, held: bool) -> None:
    """A wrong password or a lock; not that somebody tried."""
    assert lockout.is_held(record) is held


# -- the throttle of an address


def test_an_ipv6_network_is_64_bits() -> None:
    """Not one more: half of a customer's addresses would be another customer."""
    assert address_key("2001:db8::1") == address_key("2001:db8:0:0:ffff:ffff:ffff:ffff") == "2001:db8::/64"
    assert address_key("2001:db8:0:1::") == "2001:db8:0:1::/64"


def test_attempts_leave_the_window_to_the_second() -> None:
    """And who is refused waits until the oldest has left it."""
    settings = AdmissionSettings(address_rate=2)
    record = AddressRecord(attempts=deque([NOW, NOW + 20]))
    assert throttle.refusal(record, settings, NOW + 59) == 1.0
    assert list(record.attempts) == [NOW, NOW + 20]
    assert throttle.refusal(record, settings, NOW + 60) == 0.0
    assert list(record.attempts) == [NOW + 20]


def test_failed_names_leave_the_window_to_the_second() -> None:
    """And who is refused waits until the one that failed first has left it."""
    settings = AdmissionSettings(address_failures=2)
    record = AddressRecord(failed={b"anna": NOW + 20, b"ben": NOW})
    assert throttle.refusal(record, settings, NOW + 59) == 1.0
    assert throttle.refusal(record, settings, NOW + 60) == 0.0
    assert record.failed == {b"anna": NOW + 20}


def test_an_address_is_stale_after_its_window() -> None:
    """To the second."""
    assert not throttle.is_stale(AddressRecord(seen=NOW - 60), SETTINGS, NOW)
    assert throttle.is_stale(AddressRecord(seen=NOW - 61), SETTINGS, NOW)


# -- both together


def test_each_refusal_says_why_and_for_how_long() -> None:
    """`locked`, `busy`, `address`: for the operator; a fraction of a second is a wait too."""
    admission = DirectAdmission(AdmissionSettings(threshold=1, address_rate=2))
    assert fail(admission, "anna", now=NOW)
    assert refusal(admission, "anna", NOW + 59.5, throttled=False) == (0.5, "locked")
    admitted(admission, "ben", now=NOW + 1)
    assert refusal(admission, "ben", NOW + 2, throttled=False) == (1.0, "busy")
    assert refusal(admission, "carl", NOW + 59.5) == (0.5, "address")


def test_enrolments_are_counted_by_address() -> None:
    """A network of IPv6 (/64) is one address, as for attempts, and has nothing to do with those of others."""
    admission = DirectAdmission(AdmissionSettings(address_enrolments=1, address_window=60)).admission
    assert admission.enrol("2001:db8::1", NOW) == 0.0
    assert admission.enrol("2001:db8::2", NOW + 15) == 45.0
    assert admission.enrol("2001:db8:0:1::1", NOW + 15) == 0.0
    assert admission.enrol("192.0.2.1", NOW + 15) == 0.0
    assert admission.enrol("2001:db8::2", NOW + 60) == 0.0


def test_only_who_is_busy_waits_for_anything() -> None:
    """For the attempts of its namesakes, and for those of the account that they are known to be."""
    admission = DirectAdmission(AdmissionSettings(threshold=1))
    ticket = admitted(admission, "anna")
    busy = admission.check(request("anna", "y"), NOW)
    assert not isinstance(busy, Admitted)
    assert busy.waits_for == (ticket.namesakes, b"")
    assert admission.settle(ticket, WRONG, NOW) is True
    for decision in (admission.check(request("anna", "y"), NOW), admission.check(request("anna", "x"), NOW)):
        assert not isinstance(decision, Admitted)
        assert decision.waits_for == ()


def test_in_the_second_in_which_a_lock_ends_a_name_is_busy_and_no_longer_locked() -> None:
    """Somebody else's attempt is under way: waiting a moment is all it takes."""
    admission = DirectAdmission(AdmissionSettings(threshold=1))
    fail(admission)
    admitted(admission, password="y", now=NOW + 60)
    assert refusal(admission, password="z", now=NOW + 60) == (1.0, "busy")


def test_the_key_of_the_digests_has_256_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as SHA-256 gives; each process has its own."""
    asked: list[int] = []

    def token_bytes(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    monkeypatch.setattr(secrets, "token_bytes", token_bytes)
    Admission(SETTINGS)
    Admission(SETTINGS, keys=lambda: (bytes(range(32)),))
    assert isinstance(run(Admission(SETTINGS).check(request(), NOW)), Admitted)
    assert asked[:3] == [32, 8, 8]  # a key where none was given; what tells the attempts of two nodes apart


def test_what_a_ticket_holds() -> None:
    """Keys and a digest, no name and no password; the address only where it is counted."""
    ticket = admitted(DirectAdmission(SETTINGS), " Anna ", address="2001:db8::1", correlation_id="c1", deadline=NOW + 9)
    assert (len(ticket.number), ticket.deadline, ticket.correlation_id) == (16, NOW + 9, "c1")
    assert [len(part) for part in (ticket.spelling, ticket.namesakes, ticket.digest)] == [16, 16, 16]
    assert (ticket.lease, ticket.address) == (ticket.namesakes, "2001:db8::/64")
    assert b"anna" not in ticket.spelling + ticket.namesakes
    other = admitted(DirectAdmission(SETTINGS), throttled=False)
    assert (other.address, other.deadline) == ("", NOW + 300)
    assert other.spelling == ticket.spelling


def test_every_ticket_has_a_number_of_its_own() -> None:
    """On all nodes."""
    admission, elsewhere = DirectAdmission(SETTINGS), DirectAdmission(SETTINGS)
    numbers = {admitted(node).number for node in (admission, admission, elsewhere, elsewhere)}
    assert len(numbers) == 4


def test_keys_keep_apart_what_is_apart() -> None:
    """Spelling and local part of the same text, familiar and unfamiliar places, people, passwords, keys."""
    admission = DirectAdmission(SETTINGS)
    tickets = [admitted(admission, user, familiar=familiar) for user in ("anna", "ben") for familiar in (False, True)]
    assert len({key for ticket in tickets for key in (ticket.spelling, ticket.namesakes)}) == 8
    assert len({ticket.digest for ticket in tickets}) == 2  # of two people; familiar or not is the same password
    assert admitted(admission, "anna", "y").digest not in {ticket.digest for ticket in tickets}
    other = Admission(SETTINGS, keys=lambda: (bytes(32),))
    ticket = run(other.check(request("anna"), NOW))
    assert isinstance(ticket, Admitted)
    assert ticket.spelling[:15] != tickets[0].spelling[:15]
    assert ticket.digest != tickets[0].digest


def test_a_trusted_back_end_is_never_throttled() -> None:
    """It stands for many people: nothing is counted against its address, and nothing is held against it."""
    admission = DirectAdmission(AdmissionSettings(address_rate=1, address_failures=1))
    for name in ("anna", "ben"):
        fail(admission, name, throttled=False)
    assert admission.addresses == 0
    fail(admission, "carl")
    assert refusal(admission, "dora")[1] == "address"
    fail(admission, "dora", throttled=False)


def test_any_password_can_be_counted() -> None:
    """One that is no Unicode text too."""
    fail(DirectAdmission(SETTINGS), password="\ud800")


def test_settling_says_whether_the_name_is_locked() -> None:
    """Not for a success, an outage, a failure while it is locked anyway; yes for one whose lease has ended meanwhile."""
    admission = DirectAdmission(AdmissionSettings(threshold=1))
    assert admission.settle(admitted(admission), Outcome.SUCCESS, NOW) is False
    late = admitted(admission, "ben", deadline=NOW + 5)
    other = admitted(admission, "ben", now=NOW + 5)
    assert admission.settle(late, WRONG, NOW + 6) is True
    assert admission.settle(other, WRONG, NOW + 6) is False
    assert admission.settle(admitted(admission), Outcome.TIMED_OUT, NOW) is False
    assert admission.settle(admitted(admission), Outcome.PASSWORD_EXPIRED, NOW) is False
    assert admission.settle(admitted(admission), Outcome.ACCOUNT_LOCKED, NOW) is True


def test_exactly_three_outcomes_count_and_one_clears() -> None:
    """A wrong password; a locked account and one that would be locked, of which nobody looked at the password; a success.
    All others do neither."""
    counted, cleared = set(), set()
    for outcome in Outcome:
        admission = DirectAdmission(AdmissionSettings(threshold=2))
        fail(admission, password="first")
        if admission.settle(admitted(admission, password="second"), outcome, NOW):
            counted.add(outcome)
        if admission.users == 0:
            cleared.add(outcome)
    assert counted == {Outcome.WRONG_CREDENTIAL, Outcome.ACCOUNT_LOCKED, Outcome.WOULD_LOCK_OUT}
    assert cleared == {Outcome.SUCCESS}


def test_unlocking_says_whether_anything_was_counted() -> None:
    """One wrong password is something, an outage is nothing; familiar places too."""
    admission = DirectAdmission(SETTINGS)
    assert admission.unlock("anna") is False
    admission.settle(admitted(admission), Outcome.TIMED_OUT, NOW)
    assert admission.unlock("anna") is False
    fail(admission)
    assert admission.unlock("anna") is True
    assert admission.unlock("anna") is False
    fail(admission, familiar=True)
    assert admission.unlock("anna") is True
    assert admission.unlock("anna") is False


def test_who_is_locked_is_listed_until_the_lock_ends() -> None:
    """With the kind of place, the end, the locks in a row, what failed last."""
    admission = DirectAdmission(AdmissionSettings(threshold=1))
    fail(admission, familiar=True, correlation_id="c1")
    fail(admission, familiar=True, password="y", now=NOW + 61, correlation_id="c2")
    key = admitted(DirectAdmission(SETTINGS), familiar=True).namesakes[:15] + b"A"
    assert admission.locked(NOW + 180) == [LockView(key, True, NOW + 181, 2, 2, "c2")]
    assert admission.locked(NOW + 181) == []
    fail(admission)
    assert [view.familiar for view in admission.locked(NOW)] == [True, False]


# -- memory


def test_of_a_name_that_never_failed_nothing_is_kept() -> None:
    """Neither after an outage nor after a success; not even after one that was given up."""
    admission = DirectAdmission(SETTINGS)
    for outcome in (Outcome.TIMED_OUT, Outcome.SUCCESS, Outcome.PASSWORD_EXPIRED):
        admission.settle(admitted(admission, "anna"), outcome, NOW, account=b"a" * 16)
        assert admission.users == 0
    admission.abandon(admitted(admission, "anna"), NOW)
    assert admission.users == 0


def test_what_is_stale_is_swept_the_oldest_first() -> None:
    """Up to the first that is not; a thousand at a time."""
    admission = DirectAdmission(SETTINGS)
    for number in range(334):
        fail(admission, f"user{number}", address=f"10.0.{number // 250}.{number % 250}")
    fail(admission, "late", now=NOW + 10)
    assert admission.purge(NOW + 86400) == 0
    assert admission.purge(NOW + 86401) == 1000
    assert admission.purge(NOW + 86401) == 2
    assert admission.users == 3


def test_an_address_that_is_stale_makes_room_before_there_is_need() -> None:
    """One goes with each that comes."""
    admission = DirectAdmission(SETTINGS)
    admitted(admission, "anna", address="192.0.2.1")
    admitted(admission, "ben", address="192.0.2.2", now=NOW + 60)
    assert admission.addresses == 2
    admitted(admission, "carl", address="192.0.2.3", now=NOW + 61)
    assert admission.addresses == 2


def test_an_address_with_failures_outlives_one_without() -> None:
    """A flood from many addresses does not free the one that sprays."""
    admission = DirectAdmission(AdmissionSettings(records=2, address_failures=1))
    fail(admission, "anna", address="192.0.2.1")
    for number in range(2, 5):
        admission.settle(admitted(admission, "ben", address=f"192.0.2.{number}"), Outcome.SUCCESS, NOW)
    assert refusal(admission, "carl", address="192.0.2.1")[1] == "address"


def test_a_name_with_an_attempt_under_way_outlives_one_without() -> None:
    """Its failure must find something to be counted in."""
    admission = DirectAdmission(AdmissionSettings(records=2, threshold=1))
    ticket = admitted(admission, "anna")
    for name in ("ben", "carl"):
        admission.settle(admitted(admission, name), Outcome.TIMED_OUT, NOW)
    assert admission.settle(ticket, WRONG, NOW) is True


def test_an_address_that_was_pushed_out_comes_back_with_its_failure() -> None:
    """As if seen now: it can be pushed out again."""
    admission = DirectAdmission(AdmissionSettings(records=1, address_failures=1))
    first = admitted(admission, "anna", address="192.0.2.1")
    second = admitted(admission, "anna", address="192.0.2.2")
    admission.settle(first, WRONG, NOW)
    assert refusal(admission, "anna", address="192.0.2.1", throttled=True)[1] == "address"
    admission.settle(second, WRONG, NOW)
    assert admission.addresses == 1
    assert refusal(admission, "anna", address="192.0.2.2", throttled=True)[1] == "address"


def test_nearly_everybody_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered and the password is right: the rule is not even asked."""
    admission = DirectAdmission(SETTINGS)
    monkeypatch.setattr(Admission, "_decide", None)
    monkeypatch.setattr(Admission, "_settle", None)
    admission.settle(admitted(admission), Outcome.SUCCESS, NOW, account=b"a" * 16)
    assert admission.users == 0


# -- what is written


def test_a_record_is_written_by_name_and_read_again() -> None:
    """What is blank is left out, so that most records are short; unknown fields do not matter."""
    record = LockRecord((b"1", b"2"), failures=2, touched=NOW, leases=leases(1), account=b"a" * 16, account_key="k")
    assert decode(encode(record)) == record
    assert encode(BLANK) == b"\x80"
    assert encode(LockRecord(failures=1)) == b"\x81\xa8failures\x01"
    assert decode(b"\x82\xa8failures\x01\xa5later\x01") == LockRecord(failures=1)
    with pytest.raises(msgspec.ValidationError):
        decode(b"\x81\xa8failures\xa1x")


# -- memory of records


def stored(store: MemoryAdmissionStore, key: bytes, record: LockRecord | None) -> None:
    run(store.apply((key,), lambda _: ({key: record}, None)))


def kept(store: MemoryAdmissionStore) -> list[bytes]:
    return [key for key, _ in run(store.records())]


def test_what_was_changed_last_goes_last() -> None:
    """Room is made at the other end."""
    store = MemoryAdmissionStore(AdmissionSettings(records=2))
    for key in (b"1", b"2", b"1", b"3"):
        stored(store, key, LockRecord(failures=1))
    assert kept(store) == [b"1", b"3"]
    stored(store, b"1", None)
    stored(store, b"1", None)
    assert kept(store) == [b"3"]


def test_a_rule_sees_what_is_there_and_nothing_else() -> None:
    """A key without a record is missing; the result is handed on."""
    store = MemoryAdmissionStore(SETTINGS)
    stored(store, b"1", LockRecord(failures=1))
    seen = run(store.apply((b"1", b"2"), lambda records: ({}, dict(records))))
    assert seen == {b"1": LockRecord(failures=1)}


def test_room_is_made_by_what_holds_nothing_then_by_the_oldest() -> None:
    """Locked or under way goes only where all the oldest are; what is being written never does."""
    store = MemoryAdmissionStore(AdmissionSettings(records=3))
    for key, record in ((b"1", LockRecord(locks=1)), (b"2", LockRecord(leases=leases(1))), (b"3", LockRecord(failures=3))):
        stored(store, key, record)
    stored(store, b"4", LockRecord(locks=1))
    assert kept(store) == [b"1", b"2", b"4"]
    stored(store, b"5", LockRecord(locks=1))
    assert kept(store) == [b"2", b"4", b"5"]
    both = {b"6": LockRecord(locks=1), b"2": LockRecord(locks=1)}
    run(store.apply((b"2", b"6"), lambda _: (both, None)))
    assert kept(store) == [b"5", b"6", b"2"]


def test_where_everything_is_being_written_nothing_goes() -> None:
    """A rule that writes more than there is room for is written."""
    store = MemoryAdmissionStore(AdmissionSettings(records=1))
    both: dict[bytes, LockRecord | None] = {b"1": LockRecord(locks=1), b"2": LockRecord(locks=1)}
    run(store.apply((b"1", b"2"), lambda _: (both, None)))
    assert kept(store) == [b"1", b"2"]


def test_every_change_is_told() -> None:
    """What was before and what is after: for whoever writes it down."""
    told: list[tuple[bytes, LockRecord | None, LockRecord | None]] = []

    class Told(MemoryAdmissionStore):
        def changed(self, key: bytes, before: LockRecord | None, after: LockRecord | None) -> None:
            told.append((key, before, after))

    one, two = LockRecord(failures=1, touched=NOW), LockRecord(failures=2, touched=NOW)
    store = Told(AdmissionSettings(records=1))
    stored(store, b"1", one)
    stored(store, b"1", two)
    stored(store, b"2", one)
    stored(store, b"2", None)
    stored(store, b"3", one)
    run(store.purge(NOW + 86401))
    assert told == [
        (b"1", None, one),
        (b"1", one, two),
        (b"1", two, None),
        (b"2", None, one),
        (b"2", one, None),
        (b"3", None, one),
        (b"3", one, None),
    ]
    told.clear()
    store.load({b"4": one, b"5": LockRecord(failures=1, touched=NOW - 1), b"6": LockRecord(locks=1)})
    assert told == [(b"5", LockRecord(failures=1, touched=NOW - 1), None), (b"4", one, None)]
    assert kept(store) == [b"6"]


def test_what_is_loaded_stands_in_the_order_of_its_age() -> None:
    """The next to go is the oldest, as before the restart."""
    store = MemoryAdmissionStore(AdmissionSettings(records=2))
    store.load({b"1": LockRecord(locks=1, touched=NOW), b"2": LockRecord(failures=1, touched=NOW - 1)})
    assert kept(store) == [b"2", b"1"]
    assert (store.get(b"2"), store.get(b"3")) == (LockRecord(failures=1, touched=NOW - 1), None)


def test_what_is_settled_is_under_way_nowhere() -> None:
    """Each attempt is noted in one place: what nobody ends would keep others waiting until its deadline."""
    admission = DirectAdmission(SETTINGS)
    tickets = [admitted(admission, password=password) for password in ("1", "2")]
    for ticket in tickets:
        admission.settle(ticket, Outcome.TIMED_OUT, NOW)
    assert admission.users == 0


def test_an_answer_about_nobody_finds_where_a_name_has_moved_to() -> None:
    """The name was nobody's, what failed under it counts against an account since, and now nobody could be asked."""
    admission = DirectAdmission(SETTINGS)
    fail(admission, "anna", "1")
    admission.settle(admitted(admission, "anna@corp.example.com", "2"), WRONG, NOW, account=b"b" * 16)
    assert not admission.settle(admitted(admission, "anna", "3"), Outcome.TIMED_OUT, NOW)
    for password in ("4", "5"):
        locked = admission.settle(admitted(admission, "anna", password), WRONG, NOW, account=b"b" * 16)
    assert locked
