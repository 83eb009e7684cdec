"""What can go wrong with an ACME server.

AcmeError
├── AcmeUnreachable   no connection to the server, or TLS was refused
├── AcmeRefused       the server said no (RFC 7807 problem), or something that is not ACME
├── ChallengeFailed   the server did not find the proof for one name
├── HookFailed        the dns-01 program failed or took too long
└── AcmeTimedOut      the whole took longer than `timeout`
"""

from __future__ import annotations

from pathlib import Path


class AcmeError(Exception):
    """Base of what can go wrong. `server` is the directory URL."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(server, reason)
        self.server, self.reason = server, reason

    def __str__(self) -> str:
        return f"{self.server}: {self.reason}"


class AcmeUnreachable(AcmeError):
    """No connection; nothing has changed."""


class AcmeRefused(AcmeError):
    """The server said no. `code` is the problem's type, such as `rateLimited`; empty where it has none."""

    def __init__(self, server: str, reason: str, code: str = "") -> None:
        super().__init__(server, reason)
        self.code = code


class ChallengeFailed(AcmeError):
    """The proof for one name was not found."""

    def __init__(self, server: str, domain: str, reason: str) -> None:
        super().__init__(server, reason)
        self.domain = domain

    def __str__(self) -> str:
        return f"{self.domain} could not be proven to {self.server}: {self.reason}"


class HookFailed(AcmeError):
    """The dns-01 program failed."""

    def __init__(self, server: str, domain: str, hook: Path, reason: str) -> None:
        super().__init__(server, reason)
        self.domain, self.hook = domain, hook

    def __str__(self) -> str:
        return f"hook {self.hook} for {self.domain}: {self.reason}"


class AcmeTimedOut(AcmeError):
    """It took longer than the settings allow."""
