"""Lockout policies: the domain's and the fine-grained ones, read now and then."""

from __future__ import annotations

import threading
import time

from directory import wire
from directory.guard import LockoutPolicy, from_interval
from directory.link import Link
from directory.settings import DirectorySettings
from directory.wire import Entry

_DOMAIN = wire.attribute_list(("lockoutThreshold", "lockOutObservationWindow", "lockoutDuration"))
_FINE_NAMES = ("msDS-LockoutThreshold", "msDS-LockoutObservationWindow", "msDS-LockoutDuration")
_FINE = wire.attribute_list(_FINE_NAMES)
_NEVER = LockoutPolicy(threshold=0, window=0.0, duration=0.0)


class Policies:
    """Reads policies through whichever link is at hand, and keeps them for `policy_cache_seconds`."""

    def __init__(self, settings: DirectorySettings) -> None:
        self._settings = settings
        self._known: dict[bytes, tuple[float, LockoutPolicy]] = {}
        self._lock = threading.Lock()

    def of(self, link: Link, resultant: bytes | None) -> LockoutPolicy:
        """The policy of an account; `resultant` is its msDS-ResultantPSO. Raises LinkError, ServerRefused."""
        key = resultant or b""
        with self._lock:
            known = self._known.get(key)
        now = time.monotonic()
        if known is not None and known[0] > now:
            return known[1]
        policy = self._read(link, resultant)
        with self._lock:
            self._known[key] = (now + self._settings.policy_cache_seconds, policy)
        return policy

    def _read(self, link: Link, resultant: bytes | None) -> LockoutPolicy:
        base = resultant if resultant is not None else self._settings.base_dn.encode()
        wanted = _FINE if resultant is not None else _DOMAIN
        found = link.search(base, wire.SCOPE_BASE, wire.ANYTHING, wanted, limit=1, timeout=self._settings.search_timeout)
        if resultant is None:
            names = (b"lockoutthreshold", b"lockoutobservationwindow", b"lockoutduration")
            return _policy(found[0][1], names) if found else self._assumed()
        first, second, third = (name.lower().encode() for name in _FINE_NAMES)
        # fine-grained policies can be read by administrators only, unless somebody granted it
        return _policy(found[0][1], (first, second, third)) if found and first in found[0][1] else self._assumed()

    def _assumed(self) -> LockoutPolicy:
        return LockoutPolicy(threshold=self._settings.unreadable_policy_threshold, window=1800.0, duration=1800.0)


def _policy(entry: Entry, names: tuple[bytes, ...]) -> LockoutPolicy:
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
