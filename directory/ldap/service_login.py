"""The service account: its password is tried gently, so that a wrong one does not get the account locked.

unproven ── one bind at a time ──► proven: any number of binds at once
    │  ▲                              │
    │  └── another password, ◄────────┤
    ▼      or the pause is over       │ refused
refused: nothing is bound  ◄──────────┘
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import time
from collections.abc import AsyncIterator

from directory.errors import ServiceAccountRefused
from directory.ldap.codec import LdapResult
from directory.ldap.subcodes import judge_refusal
from directory.model import CheckOutcome
from directory.settings import DirectorySettings

INVALID_CREDENTIALS = 49
REFUSALS = frozenset({19, 32, 34, 48, INVALID_CREDENTIALS, 50, 53})
"""Results of a bind that are about the account, or about its name in the settings (34, invalidDNSyntax), not about the
server (RFC 4511 appendix A.2): another domain controller would say the same."""
WRONG_PASSWORD_PAUSE = 900.0
"""Seconds without another try of a password that was wrong: two in an observation window of 30 minutes."""


class ServiceLogin:
    """One for a directory, shared by its domain controllers. Times are `time.monotonic()` seconds."""

    def __init__(self, settings: DirectorySettings) -> None:
        self.user = settings.service_user
        self._settings = settings
        self._turn = asyncio.Lock()
        self._proven = b""
        """Digest of the password that worked last."""
        self._refused = b""
        self._reason = ""
        self._retry_at = 0.0

    @contextlib.asynccontextmanager
    async def password(self, server: str) -> AsyncIterator[str]:
        """The password to bind with; say what came of it before leaving. Raises ServiceAccountRefused, SettingsProblem."""
        text = self._settings.service_password()
        if self._proven and self._proven == _digest(text):
            yield text
            return
        async with self._turn:
            text = self._settings.service_password()
            left = self._retry_at - time.monotonic()
            if left > 0 and self._refused == _digest(text):
                raise ServiceAccountRefused(server, self.user, f"{self._reason}; not tried again for {left:.0f} s")
            yield text

    def accepted(self, password: str) -> None:
        """It signed in."""
        self._proven, self._refused = _digest(password), b""

    def refused(self, password: str, result: LdapResult) -> str:
        """It was refused, with one of `REFUSALS`: a wrong password counts against the account, a state does not.

        Returns what the server said.
        """
        said = f"LDAP result {result.code}, {result.text or 'no reason given'}"
        wrong, self._reason = False, said
        if result.code == INVALID_CREDENTIALS:
            outcome, _, self._reason = judge_refusal(result.text)
            wrong = outcome is CheckOutcome.WRONG_CREDENTIAL
        pause = WRONG_PASSWORD_PAUSE if wrong else self._settings.retry_seconds_most
        self._proven, self._refused, self._retry_at = b"", _digest(password), time.monotonic() + pause
        return said


def _digest(password: str) -> bytes:
    """Tells one password from the next, without keeping either."""
    return hashlib.sha256(password.encode()).digest()
