"""Smart lockout and throttling at their edges: the very second, the very attempt, the record that has to go."""

from __future__ import annotations

import secrets
from collections import deque
from typing import Any

import pytest

from gateway.protocol import Outcome
from gateway.relay.credentials.admission import (
    Admission,
    AdmissionRequest,
    AdmissionSettings,
    Admitted,
    LockView,
    lockout,
    throttle,
)
from gateway.relay.credentials.admission.lockout import LockRecord
from gateway.relay.credentials.admission.throttle import AddressRecord, address_key

NOW = 1_800_000_000.0
SETTINGS = AdmissionSettings()
WRONG = Outcome.WRONG_CREDENTIAL


def request(user: str = "anna", password: str = "x", address: str = "192.0.2.1", **fields: Any) -> AdmissionRequest:
    return AdmissionRequest(user_name=user, password=password, address=address, **fields)


def admitted(admission: Admission, user: str = "anna", password: str = "x", now: float = NOW, **fields: Any) -> Admitted:
    decision = admission.check(request(user, password, **fields), now)
    assert isinstance(decision, Admitted)
    return decision


def refusal(admission: Admission, user: str = "anna", now: float = NOW, **fields: Any) -> tuple[float, str]:
    """Seconds to wait, and why."""
    decision = admission.check(request(user, **fields), now)
    assert not isinstance(decision, Admitted)
    return decision.retry_after, decision.reason


def fail(admission: Admission, user: str = "anna", password: str = "x", now: float = NOW, **fields: Any) -> bool:
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


def test_a_locked_name_waits_for_the_rest_of_the_lock() -> None:
    """To the second, and is open in the second in which it ends; one at a time from then on."""
    record = LockRecord(locked_until=NOW + 60, locks=1, failures=4)
    assert lockout.refusal(record, SETTINGS, NOW + 59) == 1.0
    assert lockout.refusal(record, SETTINGS, NOW + 60) == 0.0
    lockout.begin(record, NOW + 60)
    assert lockout.refusal(record, SETTINGS, NOW + 60) == 1.0


def test_while_probing_one_goes_on_whatever_was_counted() -> None:
    """The threshold says nothing any more."""
    assert lockout.refusal(LockRecord(locks=1, failures=0, in_flight=1), SETTINGS, NOW) == 1.0
    assert lockout.refusal(LockRecord(locks=1, failures=0, in_flight=0), SETTINGS, NOW) == 0.0


@pytest.mark.parametrize(("failures", "in_flight", "passes"), [(0, 3, True), (0, 4, False), (3, 0, True), (3, 1, False)])
def test_what_failed_and_what_is_under_way_are_counted_together(failures: int, in_flight: int, passes: bool) -> None:
    """Up to the threshold of four."""
    wait = lockout.refusal(LockRecord(failures=failures, in_flight=in_flight), SETTINGS, NOW)
    assert wait == (0.0 if passes else 1.0)


def test_an_attempt_begins_and_ends_once() -> None:
    """Ending more often than beginning leaves none under way, never fewer."""
    record = LockRecord()
    lockout.begin(record, NOW)
    lockout.begin(record, NOW + 1)
    assert (record.in_flight, record.touched) == (2, NOW + 1)
    lockout.end(record)
    assert record.in_flight == 1
    lockout.end(record)
    lockout.end(record)
    assert record.in_flight == 0


def test_a_success_forgets_everything() -> None:
    """But what is still under way."""
    record = LockRecord(deque([b"a"]), failures=3, in_flight=2, locks=2, locked_until=NOW, touched=NOW)
    lockout.succeed(record)
    assert record == LockRecord(deque(), failures=0, in_flight=2, locks=0, locked_until=0.0, touched=NOW)


def test_only_the_failure_at_the_threshold_says_that_it_locks() -> None:
    """The fourth different one; a repeated one never."""
    record = LockRecord()
    said = [lockout.fail(record, digest, SETTINGS, NOW) for digest in (b"1", b"1", b"2", b"3", b"3", b"4")]
    assert said == [False, False, False, False, False, True]
    assert (record.failures, record.locks, record.locked_until) == (4, 1, NOW + 60)


def test_the_last_three_wrong_passwords_are_remembered() -> None:
    """Not two and not four: the fourth last counts again."""
    record = LockRecord()
    settings = AdmissionSettings(threshold=100)
    for digest in (b"1", b"2", b"3", b"4"):
        lockout.fail(record, digest, settings, NOW)
    assert list(record.digests) == [b"2", b"3", b"4"]
    lockout.fail(record, b"2", settings, NOW)
    assert record.failures == 4
    lockout.fail(record, b"1", settings, NOW)
    assert record.failures == 5


def test_locks_double_up_to_the_ceiling_and_are_counted_up_to_thirty() -> None:
    """2**30 minutes are longer than any ceiling; more would only make the number large."""
    record = LockRecord(locks=29)
    assert lockout.fail(record, b"1", SETTINGS, NOW)
    assert (record.locks, record.locked_until) == (30, NOW + 3600)
    assert lockout.fail(record, b"2", SETTINGS, NOW)
    assert record.locks == 30


@pytest.mark.parametrize(
    ("record", "stale"),
    [
        (LockRecord(touched=NOW - 86400), False),
        (LockRecord(touched=NOW - 86401), True),
        (LockRecord(touched=NOW - 86401, in_flight=1), False),
        (LockRecord(touched=NOW - 86401, locked_until=NOW + 1), False),
        (LockRecord(touched=NOW - 86401, locked_until=NOW), True),
        (LockRecord(touched=NOW), False),
    ],
)
def test_a_record_is_stale_when_nothing_of_it_matters(record: LockRecord, stale: bool) -> None:
    """A day without a wrong password, no lock, nothing under way."""
    assert lockout.is_stale(record, SETTINGS, NOW) is stale


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
    record = AddressRecord(failed={"anna": NOW + 20, "ben": NOW})
    assert throttle.refusal(record, settings, NOW + 59) == 1.0
    assert throttle.refusal(record, settings, NOW + 60) == 0.0
    assert record.failed == {"anna": NOW + 20}


def test_an_address_is_stale_after_its_window() -> None:
    """To the second."""
    assert not throttle.is_stale(AddressRecord(seen=NOW - 60), SETTINGS, NOW)
    assert throttle.is_stale(AddressRecord(seen=NOW - 61), SETTINGS, NOW)


# -- both together


def test_each_refusal_says_why_and_for_how_long() -> None:
    """`locked`, `busy`, `address`: for the operator; a fraction of a second is a wait too."""
    admission = Admission(AdmissionSettings(threshold=1, address_rate=2))
    assert fail(admission, "anna", now=NOW)
    assert refusal(admission, "anna", NOW + 59.5, throttled=False) == (0.5, "locked")
    admitted(admission, "ben", now=NOW + 1)
    assert refusal(admission, "ben", NOW + 2, throttled=False) == (1.0, "busy")
    assert refusal(admission, "carl", NOW + 59.5) == (0.5, "address")


def test_in_the_second_in_which_a_lock_ends_a_name_is_busy_and_no_longer_locked() -> None:
    """Somebody else's attempt is under way: waiting a moment is all it takes."""
    admission = Admission(AdmissionSettings(threshold=1))
    fail(admission)
    admitted(admission, now=NOW + 60)
    assert refusal(admission, now=NOW + 60) == (1.0, "busy")


def test_the_key_of_the_digests_has_256_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as SHA-256 gives; each process has its own."""
    asked: list[int] = []

    def token_bytes(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    monkeypatch.setattr(secrets, "token_bytes", token_bytes)
    Admission(SETTINGS)
    Admission(SETTINGS, key=bytes(range(32)))
    assert asked == [32]


def test_what_a_ticket_holds() -> None:
    """Half a digest; the address only where it is counted."""
    ticket = admitted(Admission(SETTINGS), " Anna ", address="2001:db8::1")
    assert (ticket.user, ticket.key, len(ticket.digest), ticket.address) == ("anna", ("anna", False), 16, "2001:db8::/64")
    assert admitted(Admission(SETTINGS), throttled=False).address == ""


def test_a_trusted_back_end_is_never_throttled() -> None:
    """It stands for many people: nothing is counted against its address, and nothing is held against it."""
    admission = Admission(AdmissionSettings(address_rate=1, address_failures=1))
    for name in ("anna", "ben"):
        fail(admission, name, throttled=False)
    assert admission.addresses == 0
    fail(admission, "carl")
    assert refusal(admission, "dora")[1] == "address"
    fail(admission, "dora", throttled=False)


def test_any_password_can_be_counted() -> None:
    """One that is no Unicode text too."""
    fail(Admission(SETTINGS), password="\ud800")


def test_settling_says_whether_the_name_is_locked() -> None:
    """Not for a success, an outage, a ticket that was settled with the last success."""
    admission = Admission(AdmissionSettings(threshold=1))
    ticket = admitted(admission)
    assert admission.settle(ticket, Outcome.SUCCESS, NOW) is False
    assert admission.settle(ticket, WRONG, NOW) is False
    assert admission.settle(admitted(admission), Outcome.TIMED_OUT, NOW) is False
    assert admission.settle(admitted(admission), Outcome.PASSWORD_EXPIRED, NOW) is False
    assert admission.settle(admitted(admission), Outcome.ACCOUNT_LOCKED, NOW) is True


def test_exactly_two_outcomes_count_and_one_clears() -> None:
    """A wrong password, and a locked account, of which nobody looked at the password; a success. All others do neither."""
    counted, cleared = set(), set()
    for outcome in Outcome:
        admission = Admission(AdmissionSettings(threshold=2))
        fail(admission, password="first")
        if admission.settle(admitted(admission, password="second"), outcome, NOW):
            counted.add(outcome)
        if admission.users == 0:
            cleared.add(outcome)
    assert counted == {Outcome.WRONG_CREDENTIAL, Outcome.ACCOUNT_LOCKED}
    assert cleared == {Outcome.SUCCESS}


def test_unlocking_says_whether_anything_was_counted() -> None:
    """One wrong password is something, an outage is nothing; familiar places too."""
    admission = Admission(SETTINGS)
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
    """With the kind of place, the end, the locks in a row."""
    admission = Admission(AdmissionSettings(threshold=1))
    fail(admission, familiar=True)
    fail(admission, familiar=True, now=NOW + 61)
    assert admission.locked(NOW + 180) == [LockView("anna", True, NOW + 181, 2)]
    assert admission.locked(NOW + 181) == []


# -- memory


def test_a_name_that_never_failed_is_stale_in_time() -> None:
    """After an outage nothing but the time of the attempt is remembered of it."""
    admission = Admission(SETTINGS)
    admission.settle(admitted(admission, "anna"), Outcome.TIMED_OUT, NOW)
    admission.settle(admitted(admission, "ben", now=NOW + 86400), Outcome.TIMED_OUT, NOW + 86400)
    assert admission.users == 2
    admitted(admission, "carl", now=NOW + 86401)
    assert admission.users == 2


def test_an_address_that_is_stale_makes_room_before_there_is_need() -> None:
    """One goes with each that comes."""
    admission = Admission(SETTINGS)
    admitted(admission, "anna", address="192.0.2.1")
    admitted(admission, "ben", address="192.0.2.2", now=NOW + 60)
    assert admission.addresses == 2
    admitted(admission, "carl", address="192.0.2.3", now=NOW + 61)
    assert admission.addresses == 2


def test_an_address_with_failures_outlives_one_without() -> None:
    """A flood from many addresses does not free the one that sprays."""
    admission = Admission(AdmissionSettings(records=2, address_failures=1))
    fail(admission, "anna", address="192.0.2.1")
    for number in range(2, 5):
        admission.settle(admitted(admission, "ben", address=f"192.0.2.{number}"), Outcome.SUCCESS, NOW)
    assert refusal(admission, "carl", address="192.0.2.1")[1] == "address"


def test_a_name_with_an_attempt_under_way_outlives_one_without() -> None:
    """Its failure must find something to be counted in."""
    admission = Admission(AdmissionSettings(records=2, threshold=1))
    ticket = admitted(admission, "anna")
    for name in ("ben", "carl"):
        admission.settle(admitted(admission, name), Outcome.TIMED_OUT, NOW)
    assert admission.settle(ticket, WRONG, NOW) is True


def test_an_address_that_was_pushed_out_comes_back_with_its_failure() -> None:
    """As if seen now: it can be pushed out again."""
    admission = Admission(AdmissionSettings(records=1, address_failures=1))
    first = admitted(admission, "anna", address="192.0.2.1")
    second = admitted(admission, "anna", address="192.0.2.2")
    admission.settle(first, WRONG, NOW)
    assert refusal(admission, "anna", address="192.0.2.1", throttled=True)[1] == "address"
    admission.settle(second, WRONG, NOW)
    assert admission.addresses == 1
    assert refusal(admission, "anna", address="192.0.2.2", throttled=True)[1] == "address"
