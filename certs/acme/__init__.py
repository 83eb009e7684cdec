"""Certificates from an ACME server (RFC 8555), such as Let's Encrypt or an enterprise's own.

The library `acme` is loaded when a certificate is asked for, not with the settings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from certs.acme.errors import (
    AcmeError,
    AcmeRefused,
    AcmeTimedOut,
    AcmeUnreachable,
    ChallengeFailed,
    HookFailed,
)
from certs.acme.settings import AcmeSettings

if TYPE_CHECKING:
    from certs.acme.client import obtain

__all__ = [
    "AcmeError",
    "AcmeRefused",
    "AcmeSettings",
    "AcmeTimedOut",
    "AcmeUnreachable",
    "ChallengeFailed",
    "HookFailed",
    "obtain",
]


if not TYPE_CHECKING:  # for mypy every name would be one

    def __getattr__(name: str) -> object:
        if name == "obtain":
            from certs.acme.client import obtain

            return obtain
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
