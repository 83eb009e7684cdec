"""Whether to bother a domain controller: one circuit for each.

              failure                      retry time reached: one trial only
    CLOSED ───────────────► OPEN ───────────────────────────────► HALF_OPEN
      ▲                      ▲                                        │  │
      │                      └──────────── trial failed, pause x 2 ───┘  │
      └───────────────────────────────── trial succeeded ────────────────┘

One failure opens it: callers report only what is the server's fault (refused, unreachable, silent for a whole
timeout), and another domain controller is there to be asked. While OPEN nobody waits for this one, so a server that
hangs costs one timeout. A trial that is never reported back is given up after `trial_seconds`. `now` is Unix seconds;
a clock that jumps back more than one pause makes the next try due at once rather than never.
"""

from __future__ import annotations

from typing import Literal

State = Literal["closed", "open", "half_open"]


class Circuit:
    """The state of one domain controller; not locked, the owner does that."""

    __slots__ = ("_first", "_most", "_trial", "failures", "last_error", "opened_at", "pause", "retry_at", "state")

    def __init__(self, *, first_pause: float, longest_pause: float, trial_seconds: float) -> None:
        self.state: State = "closed"
        self.failures = 0
        self.retry_at = 0.0
        self.opened_at = 0.0
        self.pause = first_pause
        self.last_error = ""
        self._first = first_pause
        self._most = longest_pause
        self._trial = trial_seconds

    def may_trial(self, now: float) -> bool:
        """True, once, when an open circuit is due for its trial; the caller must then make it and report."""
        if self.state == "closed" or (now < self.retry_at and now >= self.opened_at - self.pause):
            return False
        self.state = "half_open"
        self.retry_at = now + self._trial
        self.opened_at = now
        return True

    def succeeded(self) -> bool:
        """Closes it; True where it was not closed before."""
        changed = self.state != "closed"
        self.state = "closed"
        self.failures = 0
        self.retry_at = 0.0
        self.pause = self._first
        return changed

    def failed(self, reason: str, now: float) -> bool:
        """Opens it; True where it was closed before. Late failures of an open circuit do not lengthen the pause."""
        changed = self.state == "closed"
        self.failures += 1
        self.last_error = reason
        if self.state == "half_open":
            self.pause = min(self.pause * 2, self._most)
        if self.state != "open":
            self.state = "open"
            self.opened_at = now
            self.retry_at = now + self.pause
        return changed
