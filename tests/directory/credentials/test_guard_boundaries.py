"""The lockout guard at its edges: the very second, the very attempt; the tables of Active Directory's answers."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator

import pytest

from directory.credentials.guard import Counters, Decision, decide, effective_count, is_locked
from directory.credentials.lockout_policy import LockoutPolicy
from directory.credentials.reservations import Reservations
from directory.ldap.subcodes import PROVEN, UNPROVEN, judge_refusal, read_subcode
from directory.ldap.values import from_filetime, from_generalized_time, from_interval
from directory.model import CheckOutcome

NOW = 1_800_000_000.0
POLICY = LockoutPolicy(threshold=5, window=1800.0, duration=900.0)


def counters(bad: int = 0, at: float = NOW - 10, locked: float = 0.0, computed: int | None = None) -> Counters:
    return Counters(bad, at, locked, computed)


# -- guard


def test_a_lock_ends_to_the_second() -> None:
    """With the policy's duration; one without an end, and one that only an administrator ends, last."""
    assert is_locked(counters(locked=NOW - 899), POLICY, NOW)
    assert not is_locked(counters(locked=NOW - 900), POLICY, NOW)
    assert is_locked(counters(locked=NOW - 1e6), LockoutPolicy(5, 1800.0, 0.0), NOW)
    assert not is_locked(counters(locked=NOW - 2), LockoutPolicy(5, 1800.0, 1.0), NOW)


def test_a_lock_is_anything_after_the_epoch() -> None:
    """0 is none, one second is one."""
    forever = LockoutPolicy(5, 1800.0, math.inf)
    assert is_locked(counters(locked=1.0), forever, NOW)
    assert not is_locked(counters(locked=0.0), forever, NOW)
    assert not is_locked(counters(locked=-1.0), forever, NOW)


def test_a_window_ends_to_the_second() -> None:
    """AD forgets wrong passwords when it has gone by."""
    assert effective_count(counters(3, NOW - 1799), POLICY, NOW) == 3
    assert effective_count(counters(3, NOW - 1800), POLICY, NOW) == 0


def test_what_the_guard_says() -> None:
    """Whether it is locked, how many may be spent, and why none may."""
    assert decide(counters(locked=NOW), POLICY, 1, NOW)[:2] == (True, 0)
    assert decide(counters(locked=NOW), POLICY, 1, NOW).detail
    assert decide(counters(3), LockoutPolicy(0, 0.0, 0.0), 1, NOW) == Decision(False, None, "")
    assert decide(counters(0), POLICY, 1, NOW) == Decision(False, 4, "")
    assert decide(counters(3), POLICY, 1, NOW) == Decision(False, 1, "")
    for bad in (4, 5, 50):
        decision = decide(counters(bad), POLICY, 1, NOW)
        assert decision[:2] == (False, 0)
        assert f"{bad} of 5" in decision.detail


def test_locked_is_false_and_not_merely_nothing() -> None:
    """It is written to logs and metrics as it is."""
    assert decide(counters(), POLICY, 1, NOW).locked is False
    assert decide(counters(), LockoutPolicy(0, 0.0, 0.0), 1, NOW).locked is False


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is not UTC."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("new_york")
def test_a_generalized_time_is_utc() -> None:
    """Whatever the machine's zone; fractions are cut off, nonsense is None."""
    assert from_generalized_time(b"20270115080000Z") == NOW
    assert from_generalized_time(b"20270115080000.999999Z") == NOW
    assert from_generalized_time(b"20271231235958Z") == NOW + 30_297_598
    for nonsense in (b"", b"2027", b"20271315080000Z", b"\xff" * 14):
        assert from_generalized_time(nonsense) is None


def test_the_smallest_filetime_is_a_time() -> None:
    """Only 0 and less mean never."""
    assert from_filetime(1) == pytest.approx(-11_644_473_600.0)
    assert from_filetime(0) == from_filetime(-1) == 0.0
    assert from_interval(-(2**63) + 1) == pytest.approx(922_337_203_685.4776)


# -- sub-codes


def test_the_tables_of_sub_codes() -> None:
    """What each proves, as Microsoft documents it and as Samba does it."""
    assert {code: outcome.value for code, outcome in PROVEN.items()} == {
        0x530: "logon_hours",
        0x531: "workstation",
        0x532: "password_expired",
        0x533: "account_disabled",
        0x701: "account_expired",
        0x773: "must_change",
    }
    assert {code: outcome.value for code, outcome in UNPROVEN.items()} == {
        0x525: "wrong_credential",
        0x52E: "wrong_credential",
        0x52F: "wrong_credential",
        0x568: "wrong_credential",
        0x569: "wrong_credential",
        0x775: "account_locked",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data 775, v4f7c", "account_locked"),
        ("80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data 52e, v4f7c", "wrong_credential"),
        ("80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, DATA 775, v4f7c", "account_locked"),
        ("data 999", "wrong_credential"),
    ],
)
def test_a_refusal_that_proves_nothing(text: str, expected: str) -> None:
    """The outcome is exact, nothing is proven, the detail has the code."""
    outcome, proven, detail = judge_refusal(text)
    assert (outcome.value, proven, detail) == (expected, False, f"data {read_subcode(text):x}")


def test_a_refusal_without_a_sub_code() -> None:
    """Of other servers: a wrong credential."""
    outcome, proven, detail = judge_refusal("Invalid credentials")
    assert (outcome, proven) == (CheckOutcome.WRONG_CREDENTIAL, False)
    assert detail
    assert read_subcode("data 123456789") is None


# -- reservations


class Clock:
    """Monotonic seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def spend(reservations: Reservations, key: bytes, *, refused: bool) -> None:
    """One attempt from its beginning to its end, whatever was before."""
    assert await reservations.take(key, 1_000, read_at=math.inf, give_up=0)
    reservations.give_back(key, refused=refused)


async def free(reservations: Reservations, key: bytes, allowance: int, read_at: float = 0.0) -> bool:
    """Whether one more attempt is free now."""
    taken = await reservations.take(key, allowance, read_at=read_at, give_up=0)
    if taken:
        reservations.give_back(key, refused=False)
    return taken


async def test_each_attempt_under_way_and_each_refused_one_counts_once(clock: Clock) -> None:
    """Of an allowance of three."""
    reservations = Reservations(clock=clock)
    await spend(reservations, b"anna", refused=True)
    assert await reservations.take(b"anna", 3, read_at=0.0, give_up=0)
    assert await reservations.take(b"anna", 3, read_at=0.0, give_up=0)
    assert not await reservations.take(b"anna", 3, read_at=0.0, give_up=0)
    reservations.give_back(b"anna", refused=False)
    assert await reservations.take(b"anna", 3, read_at=0.0, give_up=0)
    assert not await reservations.take(b"anna", 3, read_at=0.0, give_up=0)


async def test_what_was_refused_in_the_very_moment_of_reading_counts(clock: Clock) -> None:
    """The count that was read may not have it yet."""
    reservations = Reservations(clock=clock)
    await spend(reservations, b"anna", refused=True)
    assert not await free(reservations, b"anna", 1, read_at=clock.now)
    assert await free(reservations, b"anna", 1, read_at=clock.now + 0.001)


async def settled(task: asyncio.Task[bool], patience: float = 0.0) -> bool:
    """Whether a task ends by itself, within real seconds."""
    await asyncio.wait({task}, timeout=patience)
    for _ in range(10):
        await asyncio.sleep(0)
    return task.done()


async def test_nobody_waits_for_what_is_spent(clock: Clock) -> None:
    """Waiting would bring nothing back."""
    reservations = Reservations(clock=clock)
    await spend(reservations, b"anna", refused=True)
    task = asyncio.create_task(reservations.take(b"anna", 1, read_at=0.0, give_up=clock.now + 10))
    assert await settled(task)
    assert task.result() is False


async def test_past_the_deadline_nobody_waits_at_all(clock: Clock) -> None:
    """Not even a second."""
    reservations = Reservations(clock=clock)
    assert await reservations.take(b"anna", 1, read_at=0.0, give_up=0)
    task = asyncio.create_task(reservations.take(b"anna", 1, read_at=0.0, give_up=clock.now - 1))
    assert await settled(task, 0.5)
    assert task.result() is False


async def test_at_most_64_refused_attempts_are_remembered_of_an_account(clock: Clock) -> None:
    """No policy allows as many; somebody who guesses for a day costs no memory."""
    reservations = Reservations(clock=clock)
    for _ in range(100):
        await spend(reservations, b"anna", refused=True)
    assert not await free(reservations, b"anna", 64)
    assert await free(reservations, b"anna", 65)


async def test_an_account_without_anything_against_it_is_forgotten_at_once(clock: Clock) -> None:
    """One with a refused attempt, or an attempt under way, is not."""
    reservations = Reservations(clock=clock)
    await spend(reservations, b"anna", refused=False)
    assert len(reservations) == 0
    await spend(reservations, b"anna", refused=True)
    assert len(reservations) == 1
    for _ in range(2):
        assert await reservations.take(b"ben", 2, read_at=0.0, give_up=0)
    reservations.give_back(b"ben", refused=False)
    assert len(reservations) == 2


async def test_memory_makes_room_when_it_is_full_and_no_sooner(clock: Clock) -> None:
    """Of those that were refused longer ago than AD's usual window; the others stay, however many they are."""
    reservations = Reservations(most_accounts=3, clock=clock)
    await spend(reservations, b"long ago", refused=True)
    clock.now += 1
    await spend(reservations, b"at the edge", refused=True)
    clock.now += 1800
    assert await reservations.take(b"third", 9, read_at=0.0, give_up=0)
    assert len(reservations) == 3
    assert await reservations.take(b"fourth", 9, read_at=0.0, give_up=0)
    assert len(reservations) == 3
    assert await free(reservations, b"long ago", 1)
    assert not await free(reservations, b"at the edge", 1)
    assert await reservations.take(b"fifth", 9, read_at=0.0, give_up=0)
    assert len(reservations) == 4


async def test_only_the_last_refusal_says_how_old_an_account_is(clock: Clock) -> None:
    """One that was refused again a moment ago stays."""
    reservations = Reservations(most_accounts=1, clock=clock)
    for pause in (0, 3600, 3600):
        clock.now += pause
        await spend(reservations, b"anna", refused=True)
    await spend(reservations, b"ben", refused=False)
    assert not await free(reservations, b"anna", 1, read_at=clock.now)


async def test_who_is_under_way_or_waits_is_never_forgotten(clock: Clock) -> None:
    """However old the last refusal is: their reservation would be lost."""
    reservations = Reservations(most_accounts=2, clock=clock)
    for key in (b"under way", b"waiting"):
        await spend(reservations, key, refused=True)
    clock.now += 3600
    for key in (b"under way", b"waiting"):
        assert await reservations.take(key, 1, read_at=clock.now, give_up=0)
    task = asyncio.create_task(reservations.take(b"waiting", 1, read_at=clock.now, give_up=clock.now + 10))
    await asyncio.sleep(0)
    await spend(reservations, b"new", refused=False)
    assert not await reservations.take(b"under way", 1, read_at=clock.now, give_up=0)
    reservations.give_back(b"under way", refused=False)
    reservations.give_back(b"waiting", refused=False)
    await spend(reservations, b"newer", refused=False)  # makes room while one waits whose turn has come
    assert await task
    reservations.give_back(b"waiting", refused=False)


async def test_what_a_cancelled_attempt_left_behind_makes_room(clock: Clock) -> None:
    """Its turn came, and it was cancelled in the same moment: nothing is held against the account."""
    reservations = Reservations(most_accounts=1, clock=clock)
    assert await reservations.take(b"anna", 1, read_at=0.0, give_up=0)
    task = asyncio.create_task(reservations.take(b"anna", 1, read_at=0.0, give_up=clock.now + 10))
    await asyncio.sleep(0)
    reservations.give_back(b"anna", refused=False)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await reservations.take(b"ben", 1, read_at=0.0, give_up=0)
    assert len(reservations) == 1
