"""Signing keys in rings, and their rollover.

    model          which key of a ring signs at a moment, which are published
    material jwk   keys made and read; their public halves
    first_keys     what a new relay starts with
    signing_keys   the rings in memory
    trial          a key that signs for one session before it signs for everybody
    errors

What belongs here: which key signs, which are published, when the next one takes over. What does not: what is signed.
"""

from gateway.federation.keys.errors import NoSigningKey, SigningKeyDamaged, SigningKeyError
from gateway.federation.keys.model import PrivateKey, Ring, SigningKey, may_be_tried
from gateway.federation.keys.signing_keys import SigningKeys
from gateway.federation.keys.trial import NO_TRIAL, Trial, signed_with, signs_with, trial_refusal
from gateway.federation.settings import KeySettings

__all__ = [
    "NO_TRIAL",
    "KeySettings",
    "NoSigningKey",
    "PrivateKey",
    "Ring",
    "SigningKey",
    "SigningKeyDamaged",
    "SigningKeyError",
    "SigningKeys",
    "Trial",
    "may_be_tried",
    "signed_with",
    "signs_with",
    "trial_refusal",
]
