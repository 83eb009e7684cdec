"""Signing keys in rings, and their rollover.

    model          which key of a ring signs at a moment, which are published
    material jwk   keys made and read; their public halves
    first_keys     what a new relay starts with
    signing_keys   the rings in memory
    errors

What belongs here: which key signs, which are published, when the next one takes over. What does not: what is signed.
"""

from gateway.federation.keys.errors import NoSigningKey, SigningKeyDamaged, SigningKeyError
from gateway.federation.keys.model import PrivateKey, Ring, SigningKey
from gateway.federation.keys.signing_keys import SigningKeys
from gateway.federation.settings import KeySettings

__all__ = [
    "KeySettings",
    "NoSigningKey",
    "PrivateKey",
    "Ring",
    "SigningKey",
    "SigningKeyDamaged",
    "SigningKeyError",
    "SigningKeys",
]
