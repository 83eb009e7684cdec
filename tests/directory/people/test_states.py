"""What an entry says of an account's state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.ldap.codec import Entry
from directory.model import AccountStatus
from directory.people.states import AD_STATE, LDAP_STATE, password_set, status_of

NOW = 1_800_000_000.0
"""2027-01-15T08:00:00Z"""


def filetime(seconds: float) -> bytes:
    """As AD writes a moment."""
    return str(int((seconds + 11_644_473_600) * 10_000_000)).encode()


def ad(**values: object) -> Entry:
    """An enabled account, with other values where the test wants; None leaves an attribute out."""
    given = {"useraccountcontrol": 512, "accountexpires": 0, "pwdlastset": filetime(NOW - 86_400).decode(), **values}
    names = {"computed": "msds-user-account-control-computed"}
    return {names.get(name, name).encode(): [str(value).encode()] for name, value in given.items() if value is not None}


def in_ad(**values: object) -> AccountStatus | None:
    return status_of(ad(**values), active_directory=True, now=NOW)


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({}, AccountStatus.LIVE),
        ({"useraccountcontrol": 514}, AccountStatus.DISABLED),
        ({"useraccountcontrol": 66050, "computed": 16, "accountexpires": 1}, AccountStatus.DISABLED),
        ({"accountexpires": filetime(NOW).decode()}, AccountStatus.EXPIRED),
        ({"accountexpires": filetime(NOW + 1).decode()}, AccountStatus.LIVE),
        ({"accountexpires": 2**63 - 1}, AccountStatus.LIVE),
        ({"accountexpires": filetime(NOW).decode(), "computed": 16}, AccountStatus.EXPIRED),
        ({"computed": 16}, AccountStatus.LOCKED),
        ({"computed": 0, "lockouttime": filetime(NOW - 86_400).decode()}, AccountStatus.LIVE),  # the lock has ended
        ({"lockouttime": filetime(NOW - 60).decode()}, AccountStatus.LOCKED),
        ({"lockouttime": 0}, AccountStatus.LIVE),
        ({"accountexpires": 1}, AccountStatus.EXPIRED),
        ({"computed": 0x800000, "pwdlastset": 0}, AccountStatus.MUST_CHANGE),
        ({"computed": 0x800000}, AccountStatus.LIVE),  # merely too old
        ({"pwdlastset": 0, "computed": 16}, AccountStatus.LOCKED),
        ({"pwdlastset": 0}, AccountStatus.MUST_CHANGE),
        ({"pwdlastset": 0, "useraccountcontrol": 0x10200}, AccountStatus.LIVE),  # it never expires
        ({"pwdlastset": None}, AccountStatus.LIVE),  # not readable
        ({"computed": 0, "pwdlastset": 0}, AccountStatus.LIVE),
    ],
)
def test_states_of_active_directory(values: dict[str, object], state: AccountStatus) -> None:
    """The gravest one is said; locks and old passwords go by the domain controller's own sums where it tells them."""
    assert in_ad(**values) is state


def test_what_cannot_be_read_is_not_taken_for_enabled() -> None:
    """A service account without the right to read userAccountControl would call everybody live."""
    assert in_ad(useraccountcontrol=None) is None


def elsewhere(**values: bytes) -> AccountStatus | None:
    entry = {name.lower().encode(): [value] for name, value in values.items()}
    return status_of(entry, active_directory=False, now=NOW)


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ({}, AccountStatus.LIVE),
        ({"pwdAccountLockedTime": b"000001010000Z"}, AccountStatus.DISABLED),
        ({"pwdAccountLockedTime": b"00000101000000Z"}, AccountStatus.DISABLED),
        ({"pwdAccountLockedTime": b"20270115075900Z"}, AccountStatus.LOCKED),
        ({"nsAccountLock": b"TRUE", "pwdReset": b"TRUE"}, AccountStatus.DISABLED),
        ({"nsAccountLock": b"false"}, AccountStatus.LIVE),
        ({"pwdEndTime": b"20270115080000Z"}, AccountStatus.EXPIRED),
        ({"pwdEndTime": b"20270115080001Z"}, AccountStatus.LIVE),
        ({"pwdStartTime": b"20270115080001Z"}, AccountStatus.EXPIRED),
        ({"pwdStartTime": b"20270115080000Z"}, AccountStatus.LIVE),
        ({"pwdReset": b"TRUE"}, AccountStatus.MUST_CHANGE),
        ({"pwdReset": b"TRUE", "pwdAccountLockedTime": b"20270115075900Z"}, AccountStatus.LOCKED),
        ({"pwdEndTime": b"whenever"}, AccountStatus.LIVE),
    ],
)
def test_states_of_other_directories(values: dict[str, bytes], state: AccountStatus) -> None:
    """By the password policy's operational attributes, and 389 Directory Server's lock."""
    assert elsewhere(**values) is state


def test_when_a_password_was_set() -> None:
    """To the second; 0 where it is not known, or an administrator wants another one."""
    assert password_set(ad(), active_directory=True) == NOW - 86_400
    assert password_set(ad(pwdlastset=0), active_directory=True) == 0.0
    assert password_set(ad(pwdlastset=None), active_directory=True) == 0.0
    assert password_set(ad(pwdlastset=1), active_directory=True) == 0.0  # 1601
    assert password_set({b"pwdchangedtime": [b"20270115080000Z"]}, active_directory=False) == NOW
    assert password_set({b"pwdchangedtime": [b"x"]}, active_directory=False) == 0.0
    assert password_set({}, active_directory=False) == 0.0


NAMES = [name.lower().encode() for name in (*AD_STATE, *LDAP_STATE)]


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.binary(max_size=30), max_size=3)), st.booleans())
def test_any_entry_has_a_state(entry: Entry, active_directory: bool) -> None:
    """Whatever a directory holds there, nothing raises, and no password was set before 1970."""
    status_of(entry, active_directory=active_directory, now=NOW)
    assert password_set(entry, active_directory=active_directory) >= 0.0
