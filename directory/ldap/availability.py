"""Whether a domain controller is used: up, down or probing.

           failure                   retry time reached: one probe only
    UP ───────────────► DOWN ───────────────────────────────────► PROBING
    ▲                     ▲                                        │   │
    │                     └──────────── probe failed, pause x 2 ───┘   │
    └──────────────────────────────── probe succeeded ─────────────────┘

One failure is enough: callers report only what is the server's fault (refused, unreachable, silent for a whole timeout),
and another domain controller is there to be asked. While DOWN nobody waits for this one, so a server that hangs costs
one timeout. A probe that is never reported back is given up after `probe_seconds`. Whoever looks at servers while nobody
signs in (`watch`) probes without waiting for the retry time. `now` is Unix seconds; a clock that jumps back more than one
pause makes the next try due immediately rather than never.
"""

from __future__ import annotations

from directory.model import ControllerState


class Availability:
    """The state of one domain controller; not locked, the owner does that."""

    __slots__ = ("_first", "_most", "_probe", "down_since", "failures", "last_error", "pause", "retry_at", "state")

    def __init__(self, *, first_pause: float, longest_pause: float, probe_seconds: float) -> None:
        self.state: ControllerState = "up"
        self.failures = 0
        self.retry_at = 0.0
        self.down_since = 0.0
        """Or since when it is probed."""
        self.pause = first_pause
        self.last_error = ""
        self._first = first_pause
        self._most = longest_pause
        self._probe = probe_seconds

    def may_probe(self, now: float) -> bool:
        """True, once, when a server that is down is due for a probe; the caller must then make it and report."""
        if self.state == "up" or (now < self.retry_at and now >= self.down_since - self.pause):
            return False
        self.begin_probe(now)
        return True

    def begin_probe(self, now: float) -> None:
        """Whoever calls finds out about a server that is down, due or not, and reports; nothing of one that is up."""
        if self.state != "up":
            self.state = "probing"
            self.retry_at = now + self._probe
            self.down_since = now

    def succeeded(self) -> bool:
        """It is up; True where it was not before."""
        changed = self.state != "up"
        self.state = "up"
        self.failures = 0
        self.retry_at = 0.0
        self.pause = self._first
        return changed

    def failed(self, reason: str, now: float) -> bool:
        """It is down; True where it was up before. Late failures of one that is down do not lengthen the pause."""
        changed = self.state == "up"
        self.failures += 1
        self.last_error = reason
        if self.state == "probing":
            self.pause = min(self.pause * 2, self._most)
        if self.state != "down":
            self.state = "down"
            self.down_since = now
            self.retry_at = now + self.pause
        return changed
