"""Counting by account: once an answer tells whose name that is, all its spellings have one budget."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol import Outcome
from gateway.relay.credentials.admission import (
    Admission,
    AdmissionRequest,
    AdmissionSettings,
    Admitted,
    LockRecord,
    MemoryAdmissionStore,
)
from tests.gateway.relay.credentials.direct import DirectAdmission, run

NOW = 1_800_000_000.0
SETTINGS = AdmissionSettings()
WRONG = Outcome.WRONG_CREDENTIAL
ANNA, BEN = b"anna's account..", b"ben's account..."
SPELLINGS = [
    spelling.format(user)
    for user in ("anna", "ANNA", "Anna", "\uff21nna", "an\u200bna", "anna ")
    for spelling in ("{}@corp.example.com", "CORP\\{}", "{}", "corp.example.com \\ {}")
]
"""24 that are one account to a directory that folds."""


def check(admission: DirectAdmission, user: str, password: str, now: float = NOW, **fields: Any) -> Any:
    request = AdmissionRequest(user_name=user, password=password, address="192.0.2.1", throttled=False, **fields)
    return admission.check(request, now)


def attempt(
    admission: DirectAdmission,
    user: str,
    password: str,
    now: float = NOW,
    outcome: Outcome = WRONG,
    account: bytes = ANNA,
    account_key: str = "1",
    **fields: Any,
) -> str:
    """Try; `passed`, or why not."""
    decision = check(admission, user, password, now, **fields)
    if not isinstance(decision, Admitted):
        return str(decision.reason)
    admission.settle(decision, outcome, now, account, account_key)
    return "passed"


def test_spellings_of_one_account_have_one_budget() -> None:
    """Four wrong passwords in four spellings lock all of them that were seen."""
    admission = DirectAdmission(SETTINGS)
    users = ["anna@corp.example.com", "CORP\\anna", "anna", "a.smith@example.com"]
    assert [attempt(admission, user, f"wrong {user}") for user in users] == ["passed"] * 4
    assert [attempt(admission, user, "more") for user in users] == ["locked"] * 4
    (view,) = admission.locked(NOW)
    assert (view.failures, view.locks, view.key) == (4, 1, ANNA[:15] + b"a")


def test_a_spelling_that_was_not_seen_is_learnt_with_its_first_answer() -> None:
    """And is refused from then on, also if the agent did not ask its directory."""
    admission = DirectAdmission(SETTINGS)
    for number in range(4):
        attempt(admission, "anna", f"wrong{number}")
    assert attempt(admission, "a.smith@example.com", "x", outcome=Outcome.WOULD_LOCK_OUT) == "passed"
    assert attempt(admission, "a.smith@example.com", "x") == "locked"


def test_what_is_counted_before_the_account_is_known_moves_to_it() -> None:
    """Three under the spelling, the fourth under the account: locked, for every spelling."""
    admission = DirectAdmission(SETTINGS)
    for number in range(3):
        attempt(admission, "anna", f"wrong{number}", account=b"")
    attempt(admission, "anna", "wrong3")
    assert attempt(admission, "anna", "x") == "locked"
    assert attempt(admission, "CORP\\anna", "x", outcome=Outcome.TIMED_OUT) == "passed"
    assert attempt(admission, "CORP\\anna", "x", outcome=Outcome.TIMED_OUT) == "locked"


def test_the_count_moves_with_an_answer_that_counts_for_nothing() -> None:
    """Whoever's account it is, is known from then on."""
    admission = DirectAdmission(SETTINGS)
    for number in range(3):
        attempt(admission, "anna", f"wrong{number}", account=b"")
    attempt(admission, "anna", "expired", outcome=Outcome.PASSWORD_EXPIRED)
    attempt(admission, "CORP\\anna", "wrong3")
    assert [view.key[:15] for view in admission.locked(NOW)] == [ANNA[:15]]


def test_an_answer_without_an_account_counts_where_the_name_counted_before() -> None:
    """A name that led to an account does not get a new budget by an agent that does not find it."""
    admission = DirectAdmission(SETTINGS)
    for number in range(2):
        attempt(admission, "anna", f"wrong{number}")
    for number in range(2, 4):
        attempt(admission, "anna", f"wrong{number}", account=b"")
    (view,) = admission.locked(NOW)
    assert view.key[:15] == ANNA[:15]


def test_a_success_by_any_spelling_forgets_all() -> None:
    """It is the same person; nothing is kept but who the names are, and that not for long."""
    admission = DirectAdmission(SETTINGS)
    for user in ("anna", "CORP\\anna", "a.smith"):
        attempt(admission, user, f"wrong {user}")
    assert attempt(admission, "anna@corp.example.com", "right", outcome=Outcome.SUCCESS) == "passed"
    for number in range(3):
        assert attempt(admission, "anna", f"other{number}") == "passed"
    assert admission.locked(NOW) == []
    attempt(admission, "anna", "right", outcome=Outcome.SUCCESS)
    admission.purge(NOW + 2 * SETTINGS.forget_after)
    assert admission.users == 0


def test_a_success_forgets_what_its_own_failures_left() -> None:
    """The account, its spelling, and whom its local part points to."""
    admission = DirectAdmission(SETTINGS)
    attempt(admission, "anna", "wrong")
    assert admission.users == 3
    attempt(admission, "anna", "right", outcome=Outcome.SUCCESS)
    assert admission.users == 0


def test_a_namesakes_success_hides_nobody_who_is_being_guessed_at() -> None:
    """The local part still points to the account that failed: an unknown spelling of it gets one place, not four."""
    admission = DirectAdmission(SETTINGS)
    for number in range(4):
        attempt(admission, "anna@a", f"wrong{number}")
    attempt(admission, "anna@b", "right", outcome=Outcome.SUCCESS, account=BEN)
    passed = [isinstance(check(admission, "anna@c", f"guess{number}"), Admitted) for number in range(4)]
    assert passed == [True, False, False, False]


def test_an_answer_without_an_account_counts_at_the_one_that_was_learnt_meanwhile() -> None:
    """Between its question and its answer another one told whose name it is."""
    admission = DirectAdmission(SETTINGS)
    first, second = check(admission, "anna", "wrong1"), check(admission, "anna", "wrong2")
    admission.settle(first, WRONG, NOW, ANNA)
    admission.settle(second, WRONG, NOW)
    record = dict(run(admission.store.records()))[ANNA[:15] + b"a"]
    assert (record.failures, record.leases) == (2, ())


def test_familiar_places_count_apart_by_account_too() -> None:
    """An outsider's guesses in any spelling do not keep the owner out."""
    admission = DirectAdmission(SETTINGS)
    for number in range(4):
        attempt(admission, "anna", f"wrong{number}")
    assert attempt(admission, "anna", "x") == "locked"
    assert attempt(admission, "anna", "right", outcome=Outcome.SUCCESS, familiar=True) == "passed"
    assert attempt(admission, "anna", "x") == "locked"
    for number in range(4):
        attempt(admission, "anna", f"wrong{number}", familiar=True)
    assert [(view.key, view.familiar) for view in admission.locked(NOW)] == [
        (ANNA[:15] + b"a", False),
        (ANNA[:15] + b"A", True),
    ]


def test_a_name_that_was_given_to_another_person_brings_no_count_along() -> None:
    """The directory says somebody else by the same key: the old account keeps its count, the new one begins."""
    admission = DirectAdmission(SETTINGS)
    for number in range(3):
        attempt(admission, "anna", f"wrong{number}", account=ANNA)
    attempt(admission, "anna", "wrong3", account=BEN)
    assert admission.locked(NOW) == []
    attempt(admission, "a.smith", "wrong4", account=ANNA)
    assert [view.key[:15] for view in admission.locked(NOW)] == [ANNA[:15]]


def test_an_account_whose_digest_has_a_new_key_keeps_its_count() -> None:
    """The keyring was rolled: another digest, the same person."""
    admission = DirectAdmission(SETTINGS)
    for number in range(3):
        attempt(admission, "anna", f"wrong{number}", account=ANNA, account_key="1")
    attempt(admission, "anna", "wrong3", account=BEN, account_key="2")
    (view,) = admission.locked(NOW)
    assert (view.failures, view.key[:15]) == (4, BEN[:15])


def test_names_whose_keys_are_rolled_keep_their_count() -> None:
    """What is kept under the older key moves to the newer one with the next attempt; with its account."""
    keys, store = [b"1" * 32], MemoryAdmissionStore(SETTINGS)
    admission = Admission(SETTINGS, keys=lambda: keys, store=store)

    def wrong(user: str, password: str, account: bytes) -> str:
        request = AdmissionRequest(user_name=user, password=password, address="192.0.2.1", throttled=False)
        decision = run(admission.check(request, NOW))
        if not isinstance(decision, Admitted):
            return decision.reason
        run(admission.settle(decision, WRONG, NOW, account=account, account_key="1"))
        return "passed"

    for number in range(3):
        wrong("nobody", f"wrong{number}", b"")
        wrong("anna", f"wrong{number}", ANNA)
    before = dict(run(store.records()))
    keys.insert(0, b"2" * 32)
    ticket = run(admission.check(AdmissionRequest(user_name="anna", password="y", address="", throttled=False), NOW))
    assert isinstance(ticket, Admitted)
    run(admission.abandon(ticket, NOW))
    after = dict(run(store.records()))
    pointers = [{key for key in records if records[key].account == ANNA and key[-1:] == b"s"} for records in (before, after)]
    assert len(pointers[0]) == len(pointers[1]) == 1
    assert pointers[0] != pointers[1]
    assert {record.account_key for record in after.values() if record.account == ANNA} == {"1"}
    assert [wrong(user, "wrong3", account) for user, account in (("nobody", b""), ("anna", ANNA))] == ["passed"] * 2
    assert [wrong(user, "wrong4", account) for user, account in (("nobody", b""), ("anna", ANNA))] == ["locked"] * 2
    keys.pop()
    assert [wrong(user, "wrong5", account) for user, account in (("nobody", b""), ("anna", ANNA))] == ["locked"] * 2
    assert run(admission.unlock(["anna", "nobody"]))
    assert run(admission.locked(NOW)) == []


@pytest.mark.parametrize("told", ["anna@corp.example.com", "CORP\\ANNA", "  anna ", "a.smith@example.com"])
def test_an_administrator_unlocks_by_any_spelling(told: str) -> None:
    """That failed, or that has the same local part; both kinds of place."""
    admission = DirectAdmission(SETTINGS)
    for familiar in (False, True):
        for number in range(4):
            user = "a.smith@example.com" if number == 3 else "anna@corp.example.com"
            attempt(admission, user, f"wrong{number}", familiar=familiar)
    assert len(admission.locked(NOW)) == 2
    assert admission.unlock(told)
    assert admission.locked(NOW) == []
    assert attempt(admission, "anna@corp.example.com", "wrong") == "passed"
    assert admission.unlock(told)


def test_an_administrator_unlocks_whom_the_name_itself_leads_to() -> None:
    """Although a namesake of another domain was guessed at since."""
    admission = DirectAdmission(SETTINGS)
    for number in range(4):
        attempt(admission, "anna@corp.example.com", f"wrong{number}")
    for number in range(2):
        attempt(admission, "anna@other.example.com", f"wrong{number}", account=BEN)
    assert admission.unlock("anna@corp.example.com")
    assert attempt(admission, "anna@corp.example.com", "right", outcome=Outcome.SUCCESS) == "passed"


def test_an_administrator_unlocks_by_account() -> None:
    """Under any key that its digest may have; nobody else's."""
    admission = DirectAdmission(SETTINGS)
    for number in range(4):
        attempt(admission, "anna", f"wrong{number}")
        attempt(admission, "ben", f"wrong{number}", account=BEN)
    assert not admission.unlock(accounts=(b"somebody else...",))
    assert admission.unlock(accounts=(b"somebody else...", ANNA))
    assert [view.key[:15] for view in admission.locked(NOW)] == [BEN[:15]]
    assert attempt(admission, "anna", "right", outcome=Outcome.SUCCESS) == "passed"


def test_namesakes_do_not_keep_each_other_out() -> None:
    """A lock of anna@a is none of anna@b, whose account is not known yet: one at a time passes."""
    admission = DirectAdmission(SETTINGS)
    for number in range(4):
        attempt(admission, "anna@a", f"wrong{number}")
    first = check(admission, "anna@b", "x")
    assert isinstance(first, Admitted)
    second = check(admission, "anna@b", "y")
    assert (second.reason, second.waits_for) == ("busy", (first.namesakes, ANNA[:15] + b"a"))
    admission.settle(first, Outcome.SUCCESS, NOW, BEN)
    assert attempt(admission, "anna@b", "y", account=BEN) == "passed"
    assert attempt(admission, "anna@a", "x") == "locked"


def test_parallel_guesses_in_24_spellings_are_no_more_than_the_threshold() -> None:
    """Before anybody knows that they are one account."""
    admission = DirectAdmission(SETTINGS)
    decisions = [check(admission, user, f"guess{number}") for number, user in enumerate(SPELLINGS)]
    passed = [decision for decision in decisions if isinstance(decision, Admitted)]
    assert len(passed) == SETTINGS.threshold
    for ticket in passed:
        admission.settle(ticket, WRONG, NOW, ANNA)
    under_way = [check(admission, user, "one more") for user in SPELLINGS]
    assert sum(isinstance(decision, Admitted) for decision in under_way) <= 1


@given(st.randoms(use_true_random=False))
def test_a_directory_never_sees_more_guesses_than_it_allows(chance: random.Random) -> None:
    """24 spellings in parallel, settled in any order, through agents whose guards refuse what would lock.

    Two guards do not know of each other's binds under way: each allows what it sees. AD locks at 5.
    """
    admission = DirectAdmission(SETTINGS)
    waiting = [(user, f"guess{number}") for number, user in enumerate(SPELLINGS)]
    under_way: list[tuple[Admitted, Outcome]] = []
    bad_passwords, binding = 0, [0, 0]
    agents: list[int] = []
    for _ in range(300):
        if waiting and chance.random() < 0.6:
            user, password = waiting.pop(0)
            decision = check(admission, user, password)
            if isinstance(decision, Admitted):
                agent = chance.randrange(2)
                refused = bad_passwords + binding[agent] >= 4
                binding[agent] += not refused
                under_way.append((decision, Outcome.WOULD_LOCK_OUT if refused else WRONG))
                agents.append(agent)
            elif decision.reason == "busy":
                waiting.append((user, password))
        elif under_way:
            place = chance.randrange(len(under_way))
            ticket, outcome = under_way.pop(place)
            agent = agents.pop(place)
            if outcome is WRONG:
                binding[agent] -= 1
                bad_passwords += 1
            admission.settle(ticket, outcome, NOW, ANNA)
        assert bad_passwords < 5


def test_an_alias_is_written_anew_only_when_half_of_its_time_is_over() -> None:
    """A failure changes one record, not three."""
    admission = DirectAdmission(SETTINGS)
    attempt(admission, "anna", "wrong1")
    before = dict(run(admission.store.records()))
    attempt(admission, "anna", "wrong2", NOW + 43200)
    after = dict(run(admission.store.records()))
    assert sorted(before) == sorted(after)
    assert [key for key in before if before[key] != after[key]] == [ANNA[:15] + b"a"]
    attempt(admission, "anna", "wrong3", NOW + 43201)
    last = dict(run(admission.store.records()))
    assert len([key for key in before if after[key] != last[key]]) == 3


def test_a_name_that_changes_its_account_faster_than_it_is_looked_up_is_given_up() -> None:
    """Nobody waits for ever, whatever other nodes do."""

    class Restless(MemoryAdmissionStore):
        """Every time it is asked the name is another account's."""

        asked = 0

        async def apply(self, keys: Any, rule: Any) -> Any:
            self.asked += 1
            pointer = LockRecord(account=b"%016d" % (self.asked * 10), account_key="1", touched=NOW)
            return rule(dict.fromkeys(keys[:1], pointer))[1]

    store = Restless(SETTINGS)
    admission = Admission(SETTINGS, keys=lambda: (bytes(32),), store=store)
    request = AdmissionRequest(user_name="anna", password="x", address="192.0.2.1", throttled=False)
    with pytest.raises(RuntimeError, match=r"^a name changed its account faster than it could be looked up$"):
        run(admission.check(request, NOW))
    assert store.asked == 8


# -- names that are nobody's

NAMES = ["anna@corp.example.com", "CORP\\anna", "anna", "anna@elsewhere.example"]


def refusals(exist: set[str], guesses: list[tuple[int, int, float]]) -> list[tuple[str, float]]:
    """What a stranger is told of each wrong guess, where some of these names are one account and the others nobody's."""
    admission, now, told = DirectAdmission(SETTINGS), NOW, []
    for name, password, pause in guesses:
        now += pause
        decision = check(admission, NAMES[name], f"guess{password}", now)
        if isinstance(decision, Admitted):
            known = NAMES[name] in exist
            # Active Directory may already be near its own limit: it is not asked then
            outcome = Outcome.WOULD_LOCK_OUT if known and password % 3 == 0 else WRONG
            admission.settle(decision, outcome, now, ANNA if known else b"", "1" if known else "")
            told.append(("wrong", 0.0))
        else:
            told.append(("wait", round(decision.retry_after, 3)))
    return told


@given(
    st.sets(st.sampled_from(NAMES), min_size=1),
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 9), st.sampled_from([0.0, 1.0, 30.0, 61.0, 130.0, 3700.0])), max_size=40
    ),
)
def test_refusals_do_not_tell_which_names_exist(exist: set[str], guesses: list[tuple[int, int, float]]) -> None:
    """Any of the spellings may be somebody's: 401 and 429 come as for a name that nobody has. Before, a second spelling of
    a locked account had one try, and one of nobody's four."""
    assert refusals(exist, guesses) == refusals(set(), guesses)


def test_a_second_spelling_of_nobody_has_one_try() -> None:
    """As that of an account which exists."""
    for exist in (set(NAMES), {NAMES[0]}, {NAMES[1]}, set[str]()):
        guesses = [(0, number, 0.0) for number in range(5)] + [(1, number, 0.0) for number in range(5, 9)]
        assert [word for word, _ in refusals(exist, guesses)] == ["wrong"] * 4 + ["wait", "wrong"] + ["wait"] * 3


def test_guesses_at_nobody_leave_its_namesake_a_try() -> None:
    """Somebody who is not known yet is never refused for what failed under another name."""
    admission = DirectAdmission(SETTINGS)
    for number in range(4):
        attempt(admission, "anna@elsewhere.example", f"guess{number}", account=b"", account_key="")
    assert attempt(admission, "anna@elsewhere.example", "x", account=b"", account_key="") == "locked"
    assert attempt(admission, "anna@corp.example.com", "right", outcome=Outcome.SUCCESS) == "passed"


def test_what_failed_under_nobodys_names_is_unlocked_by_any_of_them() -> None:
    """Also after one turned out to be somebody's."""
    for then in ([], ["anna@corp.example.com"]):
        admission = DirectAdmission(SETTINGS)
        for number in range(4):
            attempt(admission, "anna@elsewhere.example", f"guess{number}", account=b"", account_key="")
        for user in then:
            attempt(admission, user, "guess5")
        assert len(admission.locked(NOW)) == 1
        assert admission.unlock("anna@elsewhere.example")
        assert admission.locked(NOW) == []
        assert attempt(admission, "anna@elsewhere.example", "x", account=b"", account_key="") == "passed"


def test_an_attempt_under_a_name_of_nobodys_counts_where_its_count_has_moved_meanwhile() -> None:
    """It began while the name was nobody's, and ends after another spelling has told whose it is."""
    admission = DirectAdmission(SETTINGS)
    attempt(admission, "anna@elsewhere.example", "wrong0", account=b"")
    under_way = check(admission, "anna@elsewhere.example", "wrong1")
    assert isinstance(under_way, Admitted)
    attempt(admission, "anna@corp.example.com", "wrong2")
    admission.settle(under_way, WRONG, NOW, b"", "1")
    assert attempt(admission, "anna@corp.example.com", "wrong3") == "passed"
    assert attempt(admission, "anna@corp.example.com", "wrong4") == "locked"
    (view,) = admission.locked(NOW)
    assert (view.key[:15], view.failures) == (ANNA[:15], 4)
