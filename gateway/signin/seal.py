"""Seals what a browser carries for us from one request to the next: nobody reads it, changes it or makes it but the relay.

AES-256-GCM. Each seal has a key of its own, HMAC-SHA256 of the relay's key over 128 random bits, so that no number of seals
brings two nonces of one key together.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import struct
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.store import Keyring

_SALT = 16
_NONCE = bytes(12)
"""The key is used once."""
_END = struct.Struct(">d")
_LONGEST = 16 * 1024


class Seal:
    """use: the key's, in the keyring; no two things share one. clock: Unix seconds. Kind of state: carried."""

    def __init__(self, keyring: Keyring, use: str, clock: Callable[[], float]) -> None:
        self._keyring, self._use, self.clock = keyring, use, clock

    def close(self, value: bytes, *, bound: str, until: float) -> str:
        """Base64url. bound: what has to be there again when it is opened, such as the browser's own random cookie."""
        salt = secrets.token_bytes(_SALT)
        key = _key(self._keyring.current(self._use).secret, salt)
        sealed = AESGCM(key).encrypt(_NONCE, _END.pack(until) + value, bound.encode("utf-8", "surrogatepass"))
        return base64.urlsafe_b64encode(salt + sealed).decode().rstrip("=")

    def open(self, text: str, *, bound: str) -> bytes | None:
        """What was sealed; None for what is not ours, was bound to something else, or is over."""
        if len(text) > _LONGEST:
            return None
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        for key in self._keyring.valid(self._use):
            try:
                opened = AESGCM(_key(key.secret, data[:_SALT])).decrypt(
                    _NONCE, data[_SALT:], bound.encode("utf-8", "surrogatepass")
                )
            except (InvalidTag, ValueError):  # ValueError: too short to hold a tag
                continue
            (end,) = _END.unpack(opened[: _END.size])
            return opened[_END.size :] if self.clock() < end else None
        return None


def _key(secret: bytes, salt: bytes) -> bytes:
    return hmac.digest(secret, salt, "sha256")
