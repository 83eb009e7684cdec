"""Lockout policies: the domain's and the fine-grained ones, read now and then."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import replace

import structlog

from directory.credentials.guard import LockoutPolicy, from_interval
from directory.ldap import codec
from directory.ldap.codec import Entry
from directory.ldap.connection import Link
from directory.settings import DirectorySettings

log = structlog.get_logger()

_DOMAIN_NAMES = ("lockoutThreshold", "lockOutObservationWindow", "lockoutDuration")
_FINE_NAMES = ("msDS-LockoutThreshold", "msDS-LockoutObservationWindow", "msDS-LockoutDuration")
_DOMAIN, _FINE = codec.attribute_list(_DOMAIN_NAMES), codec.attribute_list(_FINE_NAMES)
_DOMAIN_KEYS = tuple(name.lower().encode() for name in _DOMAIN_NAMES)
_FINE_KEYS = tuple(name.lower().encode() for name in _FINE_NAMES)
_NEVER = LockoutPolicy(threshold=0, window=0.0, duration=0.0)
_DOMAIN_ROOT = re.compile(r"(?:^|(?<!\\),)\s*(dc=[^,]+(?:,\s*dc=[^,]+)*)$", re.IGNORECASE)
_COUNTED = codec.all_of((codec.equals(b"objectCategory", b"person"), codec.present(b"badPwdCount")))
_NOTHING = codec.attribute_list(("1.1",))  # RFC 4511 section 4.5.1.8: no attributes


def domain_root(base_dn: str) -> str:
    """The domain that a DN of Active Directory lies in: its last `DC=` parts. The DN itself where it has none."""
    found = _DOMAIN_ROOT.search(base_dn)
    return found[1] if found else base_dn


class Policies:
    """Reads policies through whichever link is at hand, and keeps them for `policy_cache_seconds`."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._root = domain_root(settings.base_dn).encode()
        self._known: dict[bytes, tuple[float, LockoutPolicy]] = {}
        self._counted: tuple[float, bool] = (0.0, False)

    async def of(self, link: Link, resultant: bytes | None) -> LockoutPolicy:
        """The policy of an account; `resultant` is its msDS-ResultantPSO. Raises LinkError, ServerRefused."""
        key = resultant or b""
        known = self._known.get(key)
        now = time.monotonic()
        if known is not None and known[0] > now:
            return known[1]
        policy = await self._read(link, resultant)
        self._known[key] = (now + self._settings.policy_cache_seconds, policy)
        return policy

    async def _read(self, link: Link, resultant: bytes | None) -> LockoutPolicy:
        base = resultant if resultant is not None else self._root
        wanted = _FINE if resultant is not None else _DOMAIN
        timeout = self._settings.search_timeout
        found = await link.search(base, codec.SCOPE_BASE, codec.ANYTHING, wanted, limit=1, timeout=timeout)
        names = _DOMAIN_KEYS if resultant is None else _FINE_KEYS
        if found and names[0] in found[0][1]:
            return _policy(found[0][1], names)
        # fine-grained policies can be read by administrators only, unless somebody granted it
        assumed = self._assumed()
        log.warning(
            "lockout_policy.unreadable",
            policy=base.decode(errors="replace"),
            assumed_threshold=assumed.threshold,
            remedy="let the service account read it; see docs/operators/service-account.md",
        )
        return assumed

    async def counts_are_readable(self, link: Link, *, seen: bool) -> bool:
        """Whether the service account sees `badPwdCount`; `seen` where an account came with one. One without says little:
        on a domain controller where its password never was wrong it has none, either. Raises LinkError, ServerRefused."""
        until, readable = self._counted
        now = time.monotonic()
        if seen:
            readable = True
        elif until > now:
            return readable
        else:
            timeout = self._settings.search_timeout
            found = await link.search(self._root, codec.SCOPE_SUBTREE, _COUNTED, _NOTHING, limit=2, timeout=timeout)
            readable = len(found) > 1  # its own it reads in any case
            if not readable:
                log.error(
                    "lockout_guard.blind",
                    problem="the service account reads nobody's badPwdCount; few attempts are let through",
                    remedy="let it read that attribute; see docs/operators/service-account.md",
                )
        self._counted = now + self._settings.policy_cache_seconds, readable
        return readable

    def blind(self, policy: LockoutPolicy) -> LockoutPolicy:
        """What to go by where AD's count cannot be seen, only our own: some of it may be spent already."""
        if policy.threshold <= 0:
            return policy
        return replace(policy, threshold=min(policy.threshold, self._settings.unreadable_policy_threshold))

    def _assumed(self) -> LockoutPolicy:
        return LockoutPolicy(threshold=self._settings.unreadable_policy_threshold, window=1800.0, duration=1800.0)


def _policy(entry: Entry, names: Sequence[bytes]) -> LockoutPolicy:
    threshold, window, duration = (integer_of(entry, name) for name in names)
    if threshold <= 0:
        return _NEVER
    return LockoutPolicy(threshold=threshold, window=from_interval(window), duration=from_interval(duration))


def integer_of(entry: Entry, name: bytes) -> int:
    """A single integer value; 0 where there is none or it is none."""
    values = entry.get(name)
    try:
        return int(values[0]) if values else 0
    except ValueError:
        return 0
