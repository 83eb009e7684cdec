"""What counts at an address, attempts under way included: the rule by itself."""

from __future__ import annotations

import pytest

from gateway.relay.credentials.admission import AdmissionSettings, throttle
from gateway.relay.credentials.admission.throttle import AddressRecord

NOW = 1_800_000_000.0
SETTINGS = AdmissionSettings(address_failures=2)


def test_a_name_that_counts_already_takes_no_more_room() -> None:
    """Whoever mistyped, or has another attempt under way, waits for nobody else; one more name does."""
    record = AddressRecord()
    throttle.begin(record, b"failed", NOW)
    throttle.end(record, b"failed")
    throttle.fail(record, b"failed", NOW)
    throttle.begin(record, b"under way", NOW)
    assert not throttle.is_crowded(record, b"failed", SETTINGS, NOW)
    assert not throttle.is_crowded(record, b"under way", SETTINGS, NOW)
    assert throttle.is_crowded(record, b"another", SETTINGS, NOW)


def test_a_name_is_under_way_until_the_last_of_its_attempts_is_settled() -> None:
    """Two at once, one of which is done; settled twice, it is as if once."""
    record = AddressRecord()
    for user in (b"anna", b"anna", b"ben"):
        throttle.begin(record, user, NOW)
    throttle.end(record, b"anna")
    assert throttle.is_crowded(record, b"another", SETTINGS, NOW)
    throttle.end(record, b"anna")
    throttle.end(record, b"anna")
    assert not throttle.is_crowded(record, b"another", SETTINGS, NOW)
    assert record.under_way == {b"ben": 1}


def test_what_lies_ahead_after_a_clock_was_set_back_does_not_count() -> None:
    """It would for as long as the clock was wrong."""
    record, settings = AddressRecord(), AdmissionSettings(address_failures=2, address_rate=2)
    for user in (b"anna", b"ben"):
        throttle.begin(record, user, NOW + 3600)
        throttle.end(record, user)
        throttle.fail(record, user, NOW + 3600)
    assert throttle.refusal(record, settings, NOW + 3601) > 0
    assert throttle.refusal(record, settings, NOW) == 0.0
    assert not throttle.is_crowded(record, b"another", settings, NOW)


def test_what_was_not_passed_on_counts_for_nothing() -> None:
    """Neither as an attempt nor as a name; those beside it do."""
    record = AddressRecord()
    throttle.begin(record, b"anna", NOW)
    throttle.begin(record, b"ben", NOW + 1)
    throttle.withdraw(record, b"ben", NOW + 1)
    assert list(record.attempts) == [NOW]
    assert record.under_way == {b"anna": 1}


def test_one_address_enrols_so_many_in_a_window() -> None:
    """What is refused does not count; each that was counted is forgotten a window after it."""
    record, settings = AddressRecord(), AdmissionSettings(address_enrolments=2, address_window=60)
    assert throttle.enrol(record, settings, NOW) == 0.0
    assert throttle.enrol(record, settings, NOW + 20) == 0.0
    assert record.seen == NOW + 20
    assert throttle.enrol(record, settings, NOW + 59.5) == pytest.approx(0.5)
    assert list(record.enrolments) == [NOW, NOW + 20]
    assert record.seen == NOW + 20
    assert throttle.enrol(record, settings, NOW + 60) == 0.0
    assert list(record.enrolments) == [NOW + 20, NOW + 60]
    assert not record.attempts


def test_a_longest_lock_is_no_shorter_than_the_first() -> None:
    """As long as the first is as short as it may be."""
    assert list(AdmissionSettings(lock_seconds=60, lock_ceiling=60).contradictions()) == []
    (unfit,) = AdmissionSettings(lock_seconds=60.5, lock_ceiling=60).contradictions()
    assert unfit.key == ("lock_ceiling",)
    assert unfit.problem == "60 is shorter than the first lock (lock_seconds, 60.5)"
    assert unfit.remedy == "give at least as much"
