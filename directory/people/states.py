"""What an entry says of an account's state, without its password. Pure; times are Unix seconds."""

from __future__ import annotations

from typing import Final

from directory.ldap.codec import Entry
from directory.ldap.values import from_filetime, from_generalized_time, integer_of
from directory.model import AccountStatus

AD_STATE: Final = ("userAccountControl", "accountExpires", "msDS-User-Account-Control-Computed", "lockoutTime", "pwdLastSet")
LDAP_STATE: Final = ("pwdAccountLockedTime", "pwdReset", "pwdStartTime", "pwdEndTime", "nsAccountLock", "pwdChangedTime")
"""Operational attributes of password policies (draft-behera-ldap-password-policy-11 section 5.3), and of 389 Directory
Server. A server without them leaves them out: there nobody is disabled."""

_DISABLED, _NEVER_EXPIRES = 0x2, 0x10000
"""Flags of userAccountControl (MS-ADTS section 2.2.16) …"""
_LOCKED, _PASSWORD_EXPIRED = 0x10, 0x800000
"""… and of msDS-User-Account-Control-Computed (section 3.1.1.4.5.17), where the domain controller has done the sums."""
_COMPUTED = b"msds-user-account-control-computed"
_LOCKED_BY_HAND = b"00000101"
"""A pwdAccountLockedTime of the year 0: only an administrator can end it (section 5.3.3 of the draft)."""


def status_of(entry: Entry, *, active_directory: bool, now: float) -> AccountStatus | None:
    """The account's state; None where the entry does not say whether it is enabled. now: on the server's clock."""
    return _state_in_ad(entry, now) if active_directory else _state_elsewhere(entry, now)


def password_set(entry: Entry, *, active_directory: bool) -> float:
    """When the password was set; 0 where that is not known, or where it has to be changed."""
    if active_directory:
        return max(0.0, from_filetime(integer_of(entry, b"pwdlastset")))
    return _time(entry, b"pwdchangedtime") or 0.0


def _state_in_ad(entry: Entry, now: float) -> AccountStatus | None:
    if not entry.get(b"useraccountcontrol"):
        return None
    if integer_of(entry, b"useraccountcontrol") & _DISABLED:
        return AccountStatus.DISABLED
    expires = integer_of(entry, b"accountexpires")
    if expires > 0 and from_filetime(expires) <= now:  # 2**63 - 1, "never", is in the year 30828
        return AccountStatus.EXPIRED
    if _is_locked(entry):
        return AccountStatus.LOCKED
    return AccountStatus.MUST_CHANGE if _must_change(entry) else AccountStatus.LIVE


def _is_locked(entry: Entry) -> bool:
    """Without the domain controller's own sums a lock counts until somebody signs in."""
    if _has_computed(entry):
        return bool(integer_of(entry, _COMPUTED) & _LOCKED)
    return bool(integer_of(entry, b"lockouttime"))


def _must_change(entry: Entry) -> bool:
    """An administrator wants another password: pwdLastSet is 0. One that is merely too old is no obstacle."""
    if integer_of(entry, b"pwdlastset"):
        return False
    if _has_computed(entry):
        return bool(integer_of(entry, _COMPUTED) & _PASSWORD_EXPIRED)
    return bool(entry.get(b"pwdlastset")) and not integer_of(entry, b"useraccountcontrol") & _NEVER_EXPIRES


def _has_computed(entry: Entry) -> bool:
    return bool(entry.get(_COMPUTED))


def _state_elsewhere(entry: Entry, now: float) -> AccountStatus:
    locked = entry.get(b"pwdaccountlockedtime", ())
    if _is_true(entry, b"nsaccountlock") or any(value.startswith(_LOCKED_BY_HAND) for value in locked):
        return AccountStatus.DISABLED
    starts, ends = _time(entry, b"pwdstarttime"), _time(entry, b"pwdendtime")
    if (starts is not None and now < starts) or (ends is not None and ends <= now):
        return AccountStatus.EXPIRED
    if locked:
        return AccountStatus.LOCKED
    return AccountStatus.MUST_CHANGE if _is_true(entry, b"pwdreset") else AccountStatus.LIVE


def _is_true(entry: Entry, name: bytes) -> bool:
    return any(value.lower() == b"true" for value in entry.get(name, ()))


def _time(entry: Entry, name: bytes) -> float | None:
    values = entry.get(name)
    return from_generalized_time(values[0]) if values else None
