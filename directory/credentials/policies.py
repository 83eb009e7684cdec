"""Reads lockout and password policies, the domain's and the fine-grained ones, now and then."""

from __future__ import annotations

import time

import structlog

from directory.credentials.lockout_policy import LockoutPolicy, assumed_policy, read_policy
from directory.credentials.password_policy import PasswordPolicy, read_new_password_policy
from directory.ldap import Entry, LdapConnection, codec
from directory.ldap.naming_contexts import domain_root
from directory.settings import DirectorySettings

log = structlog.get_logger()

_DOMAIN_NAMES = ("lockoutThreshold", "lockOutObservationWindow", "lockoutDuration")
_FINE_NAMES = ("msDS-LockoutThreshold", "msDS-LockoutObservationWindow", "msDS-LockoutDuration")
_DOMAIN_KEYS = tuple(name.lower().encode() for name in _DOMAIN_NAMES)
_FINE_KEYS = tuple(name.lower().encode() for name in _FINE_NAMES)
_NEW_PASSWORD_NAMES = ("minPwdLength", "pwdHistoryLength", "pwdProperties", "minPwdAge")
_FINE_NEW_PASSWORD_NAMES = (
    "msDS-MinimumPasswordLength",
    "msDS-PasswordHistoryLength",
    "msDS-PasswordComplexityEnabled",
    "msDS-MinimumPasswordAge",
)
_DOMAIN = codec.attribute_list((*_DOMAIN_NAMES, *_NEW_PASSWORD_NAMES))
_FINE = codec.attribute_list((*_FINE_NAMES, *_FINE_NEW_PASSWORD_NAMES))
_COUNTED = codec.all_of((codec.equals(b"objectCategory", b"person"), codec.present(b"badPwdCount")))
_NOTHING = codec.attribute_list(("1.1",))  # RFC 4511 section 4.5.1.8: no attributes


class PolicyReader:
    """Reads through whichever connection is at hand, and keeps what it read for `policy_cache_seconds`."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._root = domain_root(settings.base_dn).encode()
        self._known: dict[bytes, tuple[float, LockoutPolicy, PasswordPolicy | None]] = {}
        """By DN of a fine-grained policy, empty for the domain's: until when it is not asked again, and what was read."""
        self._counted: tuple[float, bool] = (0.0, False)
        """Until when it is known whether counts can be read, and whether they can."""

    async def policy(self, connection: LdapConnection, resultant: bytes | None) -> LockoutPolicy:
        """Of an account; `resultant` is its msDS-ResultantPSO. Raises LdapConnectionError, ServerRefused."""
        key = resultant or b""
        known = self._known.get(key)
        now = time.monotonic()
        if known is not None and known[0] > now:
            return known[1]
        policy, new_password = await self._read(connection, resultant)
        self._known[key] = (now + self._settings.policy_cache_seconds, policy, new_password)
        return policy

    async def _read(
        self, connection: LdapConnection, resultant: bytes | None
    ) -> tuple[LockoutPolicy, PasswordPolicy | None]:
        base, wanted, keys = (self._root, _DOMAIN, _DOMAIN_KEYS) if resultant is None else (resultant, _FINE, _FINE_KEYS)
        timeout = self._settings.search_timeout
        found = await connection.search(base, codec.SCOPE_BASE, codec.ANYTHING, wanted, limit=1, timeout=timeout)
        new_password = _new_password_policy(found[0][1], resultant) if found else None
        if found and keys[0] in found[0][1]:
            return read_policy(found[0][1], keys), new_password
        # fine-grained policies can be read by administrators only, unless somebody granted it
        assumed = assumed_policy(self._settings.unreadable_policy_threshold)
        log.warning(
            "lockout_policy.unreadable",
            policy=base.decode(errors="replace"),
            assumed_threshold=assumed.threshold,
            remedy="let the service account read it; see docs/operators/service-account.md",
        )
        return assumed, new_password

    async def new_password_policy(self, connection: LdapConnection, resultant: bytes | None) -> PasswordPolicy | None:
        """What a new password has to be, now; None where the service account may not read it.

        Raises LdapConnectionError, ServerRefused.
        """
        names = _NEW_PASSWORD_NAMES if resultant is None else _FINE_NEW_PASSWORD_NAMES
        base, wanted = self._root if resultant is None else resultant, codec.attribute_list(names)
        timeout = self._settings.search_timeout
        found = await connection.search(base, codec.SCOPE_BASE, codec.ANYTHING, wanted, limit=1, timeout=timeout)
        return _new_password_policy(found[0][1], resultant) if found else None

    def known_new_password_policy(self, resultant: bytes | None) -> PasswordPolicy | None:
        """The same as of when `policy` was read last, without asking."""
        known = self._known.get(resultant or b"")
        return known[2] if known is not None else None

    async def counts_are_readable(self, connection: LdapConnection, *, seen: bool) -> bool:
        """Whether the service account sees `badPwdCount`; `seen` where an account came with one. One without says little:
        on a domain controller where its password never was wrong it has none, either.

        Raises LdapConnectionError, ServerRefused.
        """
        until, readable = self._counted
        now = time.monotonic()
        if seen:
            readable = True
        elif until > now:
            return readable
        else:
            timeout = self._settings.search_timeout
            found = await connection.search(self._root, codec.SCOPE_SUBTREE, _COUNTED, _NOTHING, limit=2, timeout=timeout)
            readable = len(found) > 1  # its own it reads in any case
            if not readable:
                log.error(
                    "lockout_guard.blind",
                    problem="the service account reads nobody's badPwdCount; few attempts are let through",
                    remedy="let it read that attribute; see docs/operators/service-account.md",
                )
        self._counted = now + self._settings.policy_cache_seconds, readable
        return readable


def _new_password_policy(entry: Entry, resultant: bytes | None) -> PasswordPolicy | None:
    names = _NEW_PASSWORD_NAMES if resultant is None else _FINE_NEW_PASSWORD_NAMES
    name = "the domain's policy" if resultant is None else f"the policy {resultant.decode(errors='replace')}"
    return read_new_password_policy(entry, [name.lower().encode() for name in names], name)
