"""Refresh tokens: `<id of the grant>.<256 random bits>`; the store knows digests of both.

Each is spent by its use (RFC 9700 section 4.14.2). The one that is given for it is kept, encrypted under a key that only the
spent one yields: whoever repeats a request that got lost is given the same, whoever reads the database nothing.
"""

from __future__ import annotations

import hmac
import re
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.federation.oidc.errors import InvalidGrant

GRACE: Final = 30.0
"""Seconds within which a spent token may be repeated."""
_FORM = re.compile(r"([0-9a-f]{64})\.[A-Za-z0-9_-]{43}")
_NONCE = 12


def new_refresh_token(grant_id: str) -> str:
    """One more of a family."""
    return f"{grant_id}.{secrets.token_urlsafe(32)}"


def grant_id_in(token: str) -> str:
    """Which family it says that it is of. Raises InvalidGrant for what is no refresh token."""
    found = _FORM.fullmatch(token)
    if found is None:
        raise InvalidGrant("no refresh token")
    return found[1]


def seal_next(spent: str, following: str) -> bytes:
    """The token that is given for another one, for the store."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(_key(spent)).encrypt(nonce, following.encode(), None)


def open_next(spent: str, sealed: bytes) -> str:
    """The token that was given for it. Raises InvalidGrant where it was another one that was sealed."""
    try:
        return AESGCM(_key(spent)).decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()
    except (InvalidTag, ValueError) as error:
        raise InvalidGrant("the token that was given for this one cannot be read") from error


def _key(spent: str) -> bytes:
    return hmac.digest(spent.encode(), b"isthmus next refresh token", "sha256")
