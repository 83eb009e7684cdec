"""The pure parts: names, lockout guard, circuit, reservations, sub-codes, identities."""

from __future__ import annotations

import asyncio
import math
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.credentials.guard import (
    Counters,
    LockoutPolicy,
    decide,
    effective_count,
    from_filetime,
    from_interval,
    is_locked,
)
from directory.credentials.reservations import Reservations
from directory.errors import Ambiguous
from directory.ldap.circuit import Circuit
from directory.ldap.subcodes import PROVEN, UNPROVEN, judge_refusal
from directory.model import Outcome
from directory.people.accounts import Account, Accounts, format_sid
from directory.people.groups import Cache
from directory.people.names import LONGEST, parse_name, password_is_possible
from directory.settings import DirectorySettings

POLICY = LockoutPolicy(threshold=5, window=1800.0, duration=1800.0)
NOW = 1_800_000_000.0


# -- names


@pytest.mark.parametrize(
    ("text", "user", "suffix", "netbios"),
    [
        ("anna@Example.COM", "anna", "example.com", ""),
        ("CORP\\anna", "anna", "", "corp"),
        ("anna", "anna", "", ""),
        ("  anna  ", "anna", "", ""),
        ("a@b@example.com", "a@b", "example.com", ""),
        ("CORP\\a@b", "a@b", "", "corp"),
        ("😀@example.com", "😀", "example.com", ""),
    ],
)
def test_names_are_taken_apart(text: str, user: str, suffix: str, netbios: str) -> None:
    """UPN, DOMAIN\\name, bare."""
    name = parse_name(text)
    assert name is not None
    assert (name.user, name.suffix, name.netbios) == (user, suffix, netbios)


@pytest.mark.parametrize(
    "text",
    ["", "   ", "a" * (LONGEST + 1), "a\0b", "a\nb", "\u202eanna", "\ud800", "@example.com", "anna@", "\\anna", "CORP\\"],
)
def test_what_can_be_nobodys_name_is_none(text: str) -> None:
    """Empty, endless, control and direction characters, half names."""
    assert parse_name(text) is None


@given(st.text(max_size=2000))
def test_any_text_is_a_name_or_none(text: str) -> None:
    """It never raises, and what it lets through can be sent."""
    name = parse_name(text)
    assert name is None or name.text.encode()


@pytest.mark.parametrize("password", ["", "a\0b", "x" * (LONGEST + 1), "\ud800"])
def test_passwords_that_must_never_be_bound_with(password: str) -> None:
    """The empty one above all: it makes an anonymous bind that succeeds."""
    assert not password_is_possible(password)
    assert password_is_possible("pässwörd 😀")


# -- guard


def counters(bad: int = 0, at: float = NOW - 10, locked: float = 0.0, computed: int | None = None) -> Counters:
    """Of a domain controller."""
    return Counters(bad, at, locked, computed)


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 5))
def test_the_guard_never_lets_the_last_attempts_be_spent(bad: int, threshold: int, margin: int) -> None:
    """After all that it allows were wrong, at least `margin` wrong passwords are left before the lock."""
    decision = decide(counters(bad), LockoutPolicy(threshold, 1800.0, 1800.0), margin, NOW)
    assert decision.allowance is not None
    assert decision.allowance == 0 or bad + decision.allowance <= threshold - margin


def test_an_old_count_does_not_count_and_a_lock_ends() -> None:
    """After the observation window AD starts at one again; after the lockout duration the account is open."""
    assert effective_count(counters(4, NOW - 1800), POLICY, NOW) == 0
    assert effective_count(counters(4, NOW - 1799), POLICY, NOW) == 4
    assert is_locked(counters(locked=NOW - 1799), POLICY, NOW)
    assert not is_locked(counters(locked=NOW - 1801), POLICY, NOW)
    assert is_locked(counters(locked=NOW - 1e9), LockoutPolicy(5, 1800.0, math.inf), NOW)


def test_the_servers_own_word_on_a_lock_wins() -> None:
    """msDS-User-Account-Control-Computed."""
    assert is_locked(counters(computed=0x10), POLICY, NOW)
    assert not is_locked(counters(locked=NOW, computed=0), POLICY, NOW)


def test_no_threshold_no_limit_and_locked_means_locked() -> None:
    """A threshold of 0 never locks."""
    assert decide(counters(100), LockoutPolicy(0, 0.0, 0.0), 1, NOW).allowance is None
    assert decide(counters(locked=NOW), POLICY, 1, NOW).locked


def test_times_of_active_directory() -> None:
    """FILETIME and negative intervals; the smallest integer is for ever."""
    assert from_filetime(0) == 0.0
    assert from_filetime(116444736000000000) == 0.0
    assert from_filetime(116444736010000000) == 1.0
    assert from_interval(-18000000000) == 1800.0
    assert from_interval(-(2**63)) == math.inf


# -- circuit


def test_a_circuit_opens_at_once_tries_once_and_closes() -> None:
    """CLOSED, OPEN, one trial, CLOSED."""
    circuit = Circuit(first_pause=2, longest_pause=8, trial_seconds=10)
    assert circuit.failed("refused", NOW)
    assert not circuit.may_trial(NOW + 1.9)
    assert circuit.may_trial(NOW + 2)
    assert not circuit.may_trial(NOW + 2.1)
    assert circuit.succeeded()
    assert (circuit.state, circuit.failures) == ("closed", 0)
    assert not circuit.succeeded()


def test_the_pause_doubles_up_to_its_ceiling() -> None:
    """2, 4, 8, 8 …; a late failure of an open circuit changes nothing."""
    circuit = Circuit(first_pause=2, longest_pause=8, trial_seconds=10)
    now, pauses = NOW, []
    circuit.failed("x", now)
    for _ in range(4):
        pauses.append(circuit.pause)
        circuit.failed("late", now)
        now = circuit.retry_at
        assert circuit.may_trial(now)
        circuit.failed("x", now)
    assert pauses == [2, 4, 8, 8]


def test_a_clock_that_jumps_back_makes_the_next_try_due_at_once() -> None:
    """Rather than never."""
    circuit = Circuit(first_pause=2, longest_pause=8, trial_seconds=10)
    circuit.failed("x", NOW)
    assert circuit.may_trial(NOW - 3600)


def test_a_trial_that_is_never_reported_is_given_up() -> None:
    """After `trial_seconds` somebody else may try."""
    circuit = Circuit(first_pause=2, longest_pause=8, trial_seconds=10)
    circuit.failed("x", NOW)
    assert circuit.may_trial(NOW + 2)
    assert not circuit.may_trial(NOW + 11.9)
    assert circuit.may_trial(NOW + 12)


# -- reservations


async def test_two_attempts_never_share_the_last_allowed_one() -> None:
    """The second waits; the first was wrong, so the second is refused."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=0)
    read_at = time.monotonic()
    second = asyncio.create_task(reservations.take(b"anna", 1, read_at=read_at, give_up=time.monotonic() + 10))
    await asyncio.sleep(0)
    reservations.give_back(b"anna", refused=True)
    assert not await second


async def test_who_waits_behind_a_right_password_goes_on() -> None:
    """It cost nothing."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=0)
    second = asyncio.create_task(reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=time.monotonic() + 10))
    await asyncio.sleep(0)
    reservations.give_back(b"anna", refused=False)
    assert await second


async def test_nobody_waits_past_the_deadline() -> None:
    """While somebody else's attempt hangs."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=0.0, give_up=0)
    assert not await reservations.take(b"anna", 1, read_at=0.0, give_up=time.monotonic() + 0.01)
    assert await reservations.take(b"ben", 1, read_at=0.0, give_up=0)


async def test_an_attempt_cancelled_while_it_waits_leaves_nothing_behind() -> None:
    """It takes no attempt from who comes next, and is not waited for: the account is forgotten when it is idle."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=0)
    read_at = time.monotonic()
    waiting = asyncio.create_task(reservations.take(b"anna", 1, read_at=read_at, give_up=time.monotonic() + 10))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    reservations.give_back(b"anna", refused=False)
    assert len(reservations) == 0
    assert await reservations.take(b"anna", 1, read_at=read_at, give_up=0)
    assert len(reservations) == 1


async def test_a_cancelled_attempt_does_not_take_the_turn_of_one_that_still_waits() -> None:
    """Two wait, the first of them is cancelled just as the attempt that they wait for ends: the second goes on."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=0)
    give_up = time.monotonic() + 10
    first, second = (
        asyncio.create_task(reservations.take(b"anna", 1, read_at=time.monotonic(), give_up=give_up)) for _ in range(2)
    )
    await asyncio.sleep(0)
    first.cancel()
    reservations.give_back(b"anna", refused=False)
    assert await second
    assert first.cancelled()
    reservations.give_back(b"anna", refused=False)
    assert len(reservations) == 0


async def test_spent_attempts_older_than_the_count_are_in_the_count() -> None:
    """They are not counted twice."""
    reservations = Reservations()
    assert await reservations.take(b"anna", 1, read_at=0.0, give_up=0)
    reservations.give_back(b"anna", refused=True)
    assert not await reservations.take(b"anna", 1, read_at=0.0, give_up=0)
    assert await reservations.take(b"anna", 1, read_at=time.monotonic() + 1, give_up=0)


async def test_memory_is_bounded() -> None:
    """Accounts that are idle make room."""
    reservations = Reservations(most_accounts=2)
    for number in range(10):
        key = str(number).encode()
        assert await reservations.take(key, 1, read_at=0.0, give_up=0)
        reservations.give_back(key, refused=False)
    assert await reservations.take(b"x", 1, read_at=0.0, give_up=0)


# -- sub-codes


@pytest.mark.parametrize("code", sorted(PROVEN))
def test_states_that_prove_the_password(code: int) -> None:
    """Their own outcome, and proven."""
    text = f"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {code:x}, v4563"
    assert judge_refusal(text) == (PROVEN[code], True, f"data {code:x}")


@pytest.mark.parametrize("text", [*(f"data {code:x}," for code in UNPROVEN), "data ffffffff", "data", "", "nonsense"])
def test_what_proves_nothing_is_not_told(text: str) -> None:
    """Unknown sub-codes are a wrong credential."""
    outcome, proven, _ = judge_refusal(text)
    assert outcome in {Outcome.WRONG_CREDENTIAL, Outcome.ACCOUNT_LOCKED}
    assert not proven


# -- identities


def settings(**fields: object) -> DirectorySettings:
    """Of an AD directory."""
    given = {"name": "corp.example.com", "base_dn": "DC=corp", **fields}
    return DirectorySettings(**given)  # type: ignore[arg-type]


def test_a_sid_and_a_guid_are_written_as_everybody_writes_them() -> None:
    """MS-DTYP 2.4.2; a GUID's first three fields are little-endian."""
    raw = bytes([1, 5, 0, 0, 0, 0, 0, 5]) + b"".join(n.to_bytes(4, "little") for n in (21, 1, 2, 3, 1104))
    assert format_sid(raw) == "S-1-5-21-1-2-3-1104"
    guid = uuid.uuid4()
    account = Account("CN=a", {b"objectguid": [guid.bytes_le], b"objectsid": [raw], b"samaccountname": [b"anna"]})
    identity = Accounts(settings()).identity(account, ())
    assert (identity.object_guid, identity.sid) == (str(guid), "S-1-5-21-1-2-3-1104")
    assert identity.user_name == "anna@corp.example.com"


def test_chosen_attributes_travel_and_binary_ones_in_base64() -> None:
    """Text as text."""
    entry = {b"objectguid": [b"0" * 16], b"department": [b"Sales"], b"photo": [b"\xff\x00"], b"bell": [b"a\x07"]}
    accounts = Accounts(settings(attributes=("department", "photo", "bell", "absent")))
    found = accounts.identity(Account("CN=a", entry), ()).attributes
    assert found == {"department": ("Sales",), "photo": ("/wA=",), "bell": ("YQc=",)}


def test_an_explicit_name_comes_before_an_implied_one() -> None:
    """MS-ADTS 5.1.1.1.1: userPrincipalName first; two that are called so are an error, never a guess."""
    accounts = Accounts(settings())
    name = parse_name("anna@corp.example.com")
    assert name is not None
    implied = Account("CN=a", {b"samaccountname": [b"anna"]})
    explicit = Account("CN=b", {b"samaccountname": [b"other"], b"userprincipalname": [b"Anna@corp.example.com"]})
    assert accounts.choose(name, [implied, explicit]) is explicit
    for pair in ([implied, implied], [explicit, explicit]):
        with pytest.raises(Ambiguous, match="CN="):
            accounts.choose(name, pair)


def test_a_cache_forgets_the_oldest_and_what_is_too_old() -> None:
    """Bounded in entries and in time; 0 seconds keep nothing."""
    cache: Cache[int] = Cache(2, 100.0)
    for number in range(3):
        cache.put(str(number).encode(), number)
    assert [cache.get(key) for key in (b"0", b"1", b"2")] == [None, 1, 2]
    cache.drop(b"1")
    assert cache.get(b"1") is None
    never: Cache[int] = Cache(2, 0.0)
    never.put(b"a", 1)
    assert never.get(b"a") is None
