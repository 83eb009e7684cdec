"""Client secrets: 256 random bits that are shown once; what is kept is their SHA-256.

A fast digest will do: nobody guesses 256 bits, however fast (that is what slow digests of passwords are for).
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence

from gateway.federation.trusts.model import ClientSecret

PREFIX = "isc_"
"""What a client secret starts with, so that scanners of source code recognise one."""


def make_secret(created: str) -> tuple[str, ClientSecret]:
    """A new secret, and what a trust keeps of it. created: a date, for people."""
    secret = PREFIX + secrets.token_urlsafe(32)
    return secret, ClientSecret(digest=_digest(secret), created=created)


def matching_secret(kept: Sequence[ClientSecret], presented: str) -> ClientSecret | None:
    """The one of a client's secrets that was presented. All are compared, in the same time."""
    digest, found = _digest(presented), None
    for secret in kept:
        if hmac.compare_digest(secret.digest, digest):
            found = secret
    return found


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()
