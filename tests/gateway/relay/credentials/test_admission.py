"""Smart lockout and throttling: what a guesser can do, and what the owner of an account meets."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foundation.addresses import address_key
from gateway.protocol import Outcome
from gateway.relay.credentials.admission import AdmissionRequest, AdmissionSettings, Admitted, AttemptRefused
from gateway.relay.credentials.admission.admission import place_of
from gateway.store import StoreUnavailable
from tests.gateway.relay.credentials.direct import DirectAdmission

NOW = 1_800_000_000.0
SETTINGS = AdmissionSettings()


def request(password: str = "x", **fields: Any) -> AdmissionRequest:
    given = {"user_name": "anna@corp", "password": password, "address": "192.0.2.7", "throttled": False}
    return AdmissionRequest(**{**given, **fields})


def attempt(
    admission: DirectAdmission, password: str, now: float, outcome: Outcome = Outcome.WRONG_CREDENTIAL, **fields: Any
) -> bool:
    """Try; True if it went on to AD."""
    decision = admission.check(request(password, **fields), now)
    if isinstance(decision, AttemptRefused):
        assert decision.retry_after > 0
        return False
    admission.settle(decision, outcome, now)
    return True


def lock(admission: DirectAdmission, now: float = NOW) -> None:
    for number in range(SETTINGS.threshold):
        assert attempt(admission, f"wrong{number}", now)


def test_different_wrong_passwords_lock() -> None:
    """At the threshold, for a minute, whoever asks."""
    admission = DirectAdmission(SETTINGS)
    lock(admission)
    assert not attempt(admission, "right", NOW + 59, Outcome.SUCCESS)
    assert len(admission.locked(NOW)) == 1
    assert attempt(admission, "right", NOW + 61, Outcome.SUCCESS)
    assert attempt(admission, "wrong", NOW + 62)


def test_the_first_failure_after_a_lock_locks_again_and_longer() -> None:
    """Twice as long each time, up to a ceiling."""
    admission = DirectAdmission(SETTINGS)
    lock(admission)
    now, waits = NOW, []
    for number in range(9):
        (view,) = admission.locked(now)
        waits.append(view.until - now)
        now = view.until + 1
        assert attempt(admission, f"guess{number}", now)
    assert waits[:3] == [60, 120, 240]
    assert waits[-1] == SETTINGS.lock_ceiling


def test_the_same_wrong_password_counts_once() -> None:
    """A phone with an old password does not lock its owner out."""
    admission = DirectAdmission(SETTINGS)
    for _ in range(100):
        assert attempt(admission, "old password", NOW)
    assert attempt(admission, "right", NOW, Outcome.SUCCESS)


def test_strangers_do_not_lock_out_the_owner() -> None:
    """Familiar and unfamiliar places count apart."""
    admission = DirectAdmission(SETTINGS)
    lock(admission)
    assert not attempt(admission, "guess", NOW)
    assert attempt(admission, "right", NOW, Outcome.SUCCESS, familiar=True)


def test_case_and_space_make_no_second_account() -> None:
    """AD does not care, so a guesser must not profit."""
    admission = DirectAdmission(SETTINGS)
    for number in range(SETTINGS.threshold):
        attempt(admission, f"wrong{number}", NOW, user_name=("anna@corp", "ANNA@corp", " anna@CORP ")[number % 3])
    assert not attempt(admission, "guess", NOW)


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome.is_infrastructure])
def test_an_outage_never_counts(outcome: Outcome) -> None:
    """However long it lasts."""
    admission = DirectAdmission(SETTINGS)
    for number in range(100):
        assert attempt(admission, f"p{number}", NOW, outcome)


@pytest.mark.parametrize("outcome", [Outcome.PASSWORD_EXPIRED, Outcome.MUST_CHANGE, Outcome.ACCOUNT_DISABLED])
def test_what_says_nothing_against_the_password_does_not_count(outcome: Outcome) -> None:
    """It was right."""
    admission = DirectAdmission(SETTINGS)
    for number in range(100):
        assert attempt(admission, f"p{number}", NOW, outcome)


def test_a_thousand_parallel_guesses_are_no_more_than_the_threshold() -> None:
    """What is under way counts until it is settled."""
    admission = DirectAdmission(SETTINGS)
    decisions = [admission.check(request(f"guess{number}"), NOW) for number in range(1000)]
    admitted = [decision for decision in decisions if isinstance(decision, Admitted)]
    assert len(admitted) == SETTINGS.threshold
    assert {decision.reason for decision in decisions if isinstance(decision, AttemptRefused)} == {"busy"}
    for ticket in admitted:
        admission.settle(ticket, Outcome.WRONG_CREDENTIAL, NOW)
    assert not attempt(admission, "one more", NOW)


def test_failures_under_way_after_a_success_still_count() -> None:
    """The owner signs in while somebody guesses: that clears what was counted, not what is still to be."""
    admission = DirectAdmission(SETTINGS)
    tickets = [admission.check(request(password), NOW) for password in ("right", "guess1", "guess2", "guess3")]
    assert all(isinstance(ticket, Admitted) for ticket in tickets)
    owner, *guesses = [ticket for ticket in tickets if isinstance(ticket, Admitted)]
    admission.settle(owner, Outcome.SUCCESS, NOW)
    last = admission.check(request("guess4"), NOW)
    assert isinstance(last, Admitted)
    assert isinstance(admission.check(request("guess5"), NOW), AttemptRefused)  # four are under way: as many as may fail
    for ticket in guesses:
        assert not admission.settle(ticket, Outcome.WRONG_CREDENTIAL, NOW)
    assert admission.settle(last, Outcome.WRONG_CREDENTIAL, NOW)
    assert len(admission.locked(NOW)) == 1


def test_a_name_is_forgotten_with_its_last_success() -> None:
    """Where nothing is under way, nothing is kept of somebody against whom nothing is held."""
    admission = DirectAdmission(SETTINGS)
    assert attempt(admission, "wrong", NOW)
    assert attempt(admission, "right", NOW, Outcome.SUCCESS)
    assert admission.users == 0


def test_a_known_wrong_password_while_probing_neither_counts_nor_locks() -> None:
    """A phone that repeats what was wrong before somebody else's lock does not lock its owner out again."""
    admission = DirectAdmission(SETTINGS)
    lock(admission)
    known = f"wrong{SETTINGS.threshold - 1}"
    assert attempt(admission, known, NOW + 61)
    assert admission.locked(NOW + 61) == []
    assert attempt(admission, "right", NOW + 62, Outcome.SUCCESS)


def test_a_known_wrong_password_while_probing_is_checked_once_in_a_while() -> None:
    """Once in `lock_seconds`; further ones are refused and nobody is asked. A day of it does not lock."""
    admission = DirectAdmission(SETTINGS)
    lock(admission)
    known, passed = f"wrong{SETTINGS.threshold - 1}", 0
    for second in range(61, 3661, 5):
        decision = admission.check(request(known), NOW + second)
        if isinstance(decision, AttemptRefused):
            assert decision.reason == "repeated"
            assert 0 < decision.retry_after <= SETTINGS.lock_seconds
            continue
        passed += 1
        admission.settle(decision, Outcome.WRONG_CREDENTIAL, NOW + second)
    assert passed == 60
    assert admission.locked(NOW + 3661) == []
    assert attempt(admission, "right", NOW + 3661, Outcome.SUCCESS)


def test_a_known_wrong_password_may_be_right_by_now() -> None:
    """It was set back to what the phone has: that opens again."""
    admission = DirectAdmission(SETTINGS)
    lock(admission)
    assert attempt(admission, f"wrong{SETTINGS.threshold - 1}", NOW + 61, Outcome.SUCCESS)
    for number in range(SETTINGS.threshold):
        assert attempt(admission, f"other{number}", NOW + 62)


def test_a_new_wrong_password_while_probing_locks_again_though_a_known_one_was_checked() -> None:
    """The known one gives a guesser nothing."""
    admission = DirectAdmission(SETTINGS)
    lock(admission)
    assert attempt(admission, f"wrong{SETTINGS.threshold - 1}", NOW + 61)
    assert attempt(admission, "new", NOW + 62)
    (view,) = admission.locked(NOW + 62)
    assert view.until - (NOW + 62) == 2 * SETTINGS.lock_seconds


def test_while_probing_one_attempt_is_under_way_at_a_time() -> None:
    """A known wrong password gets no place of its own beside it."""
    admission = DirectAdmission(SETTINGS)
    lock(admission)
    assert isinstance(admission.check(request("guess"), NOW + 61), Admitted)
    for password in ("another", f"wrong{SETTINGS.threshold - 1}"):
        decision = admission.check(request(password), NOW + 61)
        assert isinstance(decision, AttemptRefused)
        assert decision.reason == "busy"


def test_what_is_abandoned_frees_its_place() -> None:
    """A browser that went away blocks nobody."""
    admission = DirectAdmission(SETTINGS)
    for number in range(50):
        decision = admission.check(request(f"p{number}"), NOW)
        assert isinstance(decision, Admitted)
        admission.abandon(decision, NOW)


def test_an_administrator_unlocks() -> None:
    """Both kinds of place; and learns whether there was anything."""
    admission = DirectAdmission(SETTINGS)
    assert not admission.unlock("anna@corp")
    lock(admission)
    assert admission.unlock("Anna@CORP")
    assert attempt(admission, "right", NOW, Outcome.SUCCESS)


def test_spraying_one_password_over_many_people_is_throttled() -> None:
    """Each of them fails once; the address shows."""
    admission = DirectAdmission(SETTINGS)
    passed = sum(attempt(admission, "Winter2026", NOW, user_name=f"user{n}@corp", throttled=True) for n in range(500))
    assert passed == SETTINGS.address_failures
    assert attempt(admission, "x", NOW, user_name="other@corp", address="198.51.100.9", throttled=True)
    assert attempt(admission, "x", NOW + 61, user_name="later@corp", throttled=True)


def under_way(admission: DirectAdmission, number: int, now: float = NOW, **fields: Any) -> Admitted:
    """An attempt from the one address, for a name of its own, that is not settled."""
    decision = admission.check(request(user_name=f"user{number}@corp", throttled=True, **fields), now)
    assert isinstance(decision, Admitted)
    return decision


def test_a_burst_waits_where_all_that_is_under_way_may_still_fail() -> None:
    """One more name waits for the address; a name that is under way there, and another address, wait for nobody."""
    admission = DirectAdmission(SETTINGS)
    tickets = [under_way(admission, number) for number in range(SETTINGS.address_failures)]
    one_more = request(user_name="other@corp", throttled=True)
    assert admission.check(one_more, NOW) == AttemptRefused(1.0, "busy", (place_of("192.0.2.7"),))
    under_way(admission, 0)
    under_way(admission, 1000, address="198.51.100.9")
    admission.abandon(tickets[1], NOW)
    assert isinstance(admission.check(one_more, NOW), Admitted)


def test_places_are_those_of_an_address() -> None:
    """Whoever wakes them names them alike (RelayAuthenticator), and none is the key of a name."""
    assert place_of("192.0.2.7") == b"@192.0.2.7"


def test_names_that_failed_long_ago_crowd_nobody_out() -> None:
    """Together with those that are under way they fill the address until their window is over."""
    admission = DirectAdmission(SETTINGS)
    for number in range(SETTINGS.address_failures - 1):
        admission.settle(under_way(admission, number), Outcome.WRONG_CREDENTIAL, NOW)
    under_way(admission, 100)
    one_more = request(user_name="other@corp", throttled=True)
    assert isinstance(admission.check(one_more, NOW + 1), AttemptRefused)
    assert isinstance(admission.check(one_more, NOW + 61), Admitted)


def test_what_lockout_refuses_takes_no_room_at_the_address() -> None:
    """A locked name that is tried on and on leaves the address its rate and its names."""
    settings = replace(SETTINGS, address_failures=1)
    admission = DirectAdmission(settings)
    lock(admission)
    for _ in range(3 * settings.address_rate):
        decision = admission.check(request("another", throttled=True), NOW)
        assert isinstance(decision, AttemptRefused)
        assert decision.reason != "address"
    assert isinstance(admission.check(request(user_name="other@corp", throttled=True), NOW), Admitted)


def test_what_is_passed_on_counts_at_the_address() -> None:
    """Until it is settled; were it withdrawn, a burst of names would pass as a whole."""
    settings = replace(SETTINGS, address_rate=2)
    admission = DirectAdmission(settings)
    for number in range(2):
        under_way(admission, number)
    refused = admission.check(request(user_name="other@corp", throttled=True), NOW)
    assert isinstance(refused, AttemptRefused)
    assert refused.reason == "address"


def test_what_the_store_did_not_take_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An outage fills no address with names that nobody was asked about."""
    admission = DirectAdmission(replace(SETTINGS, address_rate=1, address_failures=1))

    async def fail(*_: object) -> None:
        raise StoreUnavailable("relay.db", "disk full", "free some")

    with monkeypatch.context() as broken:
        broken.setattr(admission.store, "apply", fail)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                admission.check(request(throttled=True), NOW)
    under_way(admission, 1)


def test_attempts_of_a_trusted_back_end_are_not_counted_at_its_address() -> None:
    """It stands for many people: no record of the empty address keeps them out."""
    admission = DirectAdmission(replace(SETTINGS, address_rate=1))
    for number in range(3):
        assert isinstance(admission.check(request(user_name=f"user{number}@corp", throttled=False), NOW), Admitted)
    assert admission.addresses == 0


def test_settings_that_were_read_anew_judge_what_is_counted() -> None:
    """Here and in the store."""
    admission = DirectAdmission(SETTINGS)
    lock(admission)
    admission.admission.use(replace(SETTINGS, threshold=50))
    admission.store.use(replace(SETTINGS, records=1))
    assert attempt(admission, "another", NOW + 61)
    under_way(admission, 1)
    assert admission.users <= 2


def test_the_throttle_forgets_a_name_after_its_window_and_no_sooner() -> None:
    """Names that failed long ago neither keep an address out nor let it spray anew without limit."""
    admission = DirectAdmission(SETTINGS)
    half = SETTINGS.address_failures // 2

    def spray(tag: str, now: float, tries: int = 100) -> int:
        return sum(attempt(admission, "x", now, user_name=f"{tag}{n}@corp", throttled=True) for n in range(tries))

    assert spray("early", NOW, half) == half
    assert spray("late", NOW + 40) == half
    refused = admission.check(request(user_name="next@corp", throttled=True), NOW + 50)
    assert isinstance(refused, AttemptRefused)
    assert refused.retry_after == pytest.approx(10)
    assert spray("after", NOW + 61) == half  # the late ones still count
    assert spray("again", NOW + 101) == half


def test_one_address_has_a_rate() -> None:
    """Successes count too."""
    admission = DirectAdmission(SETTINGS)
    passed = sum(
        attempt(admission, "x", NOW, Outcome.SUCCESS, user_name=f"user{n}@corp", throttled=True) for n in range(500)
    )
    assert passed == SETTINGS.address_rate


@pytest.mark.parametrize("back", [1.0, 86400.0])
def test_a_clock_that_is_set_back_keeps_no_address_out(back: float) -> None:
    """What was counted by the wrong clock would count until that time comes again."""
    for names, tries in ((1, SETTINGS.address_rate), (SETTINGS.address_failures, SETTINGS.address_failures)):
        admission = DirectAdmission(SETTINGS)
        for number in range(tries):
            user = f"user{number % names}"
            outcome = Outcome.WRONG_CREDENTIAL if names > 1 else Outcome.NO_DIRECTORY
            assert attempt(admission, "x", NOW, outcome, user_name=user, throttled=True)
        assert not attempt(admission, "x", NOW, user_name="another", throttled=True)
        assert attempt(admission, "x", NOW - back, user_name="another", throttled=True)


def test_an_ipv6_client_is_its_network() -> None:
    """It has 2^64 addresses; IPv4 in IPv6 clothes is IPv4."""
    assert address_key("2001:db8::1") == address_key("2001:db8::ffff:1") != address_key("2001:db8:0:1::1")
    assert address_key("::ffff:192.0.2.7") == "192.0.2.7"
    assert address_key("nonsense") == "nonsense"


def test_memory_is_bounded_and_a_flood_does_not_unlock() -> None:
    """Invented names push out invented names, and what a name is known to be: that is learnt with one more guess."""
    admission = DirectAdmission(AdmissionSettings(records=50))
    lock(admission)
    for number in range(500):
        attempt(
            admission,
            "x",
            NOW,
            user_name=f"invented{number}",
            address=f"10.0.{number // 250}.{number % 250}",
            throttled=True,
        )
    assert admission.users <= 50
    assert admission.addresses <= 50
    assert [attempt(admission, f"guess{number}", NOW) for number in range(3)] == [True, False, False]


def test_records_are_forgotten_in_time() -> None:
    """A wrong password a month ago says nothing."""
    admission = DirectAdmission(SETTINGS)
    attempt(admission, "wrong", NOW)
    attempt(admission, "x", NOW + 2 * 86400, Outcome.SUCCESS, user_name="other")
    attempt(admission, "y", NOW + 2 * 86400, user_name="third")
    admission.purge(NOW + 2 * 86400)
    assert admission.users == 3


def test_no_password_is_kept_and_no_name() -> None:
    """Keyed digests only, and no repr tells a password."""
    admission = DirectAdmission(SETTINGS)
    attempt(admission, "Correct-Horse", NOW, throttled=True)
    assert (admission.users, admission.addresses) == (3, 1)
    remembered = pickle.dumps((admission.store, admission.admission._addresses))  # all of it
    assert b"Correct-Horse" not in remembered
    assert b"anna" not in remembered
    assert "Correct-Horse" not in repr(request("Correct-Horse"))


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 40), st.booleans()), max_size=150))
def test_between_two_successes_a_guesser_gets_no_more_than_the_policy_allows(moves: list[tuple[int, float, bool]]) -> None:
    """Distinct wrong passwords that reach AD: the threshold, then one for each lock that has passed."""
    admission, now, passed = DirectAdmission(SETTINGS), NOW, set()
    for number, pause, outage in moves:
        now += pause
        outcome = Outcome.TIMED_OUT if outage else Outcome.WRONG_CREDENTIAL
        if attempt(admission, f"guess{number}", now, outcome) and not outage:
            passed.add((number, now))
    distinct_first = {number for number, _ in passed}
    elapsed = now - NOW
    locks_possible = 0
    while elapsed >= SETTINGS.lock_seconds * (2 ** (locks_possible + 1) - 1):
        locks_possible += 1
    repeats = SETTINGS.remembered_passwords
    assert len(distinct_first) <= SETTINGS.threshold + locks_possible + repeats
