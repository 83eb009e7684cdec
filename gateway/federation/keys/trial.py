"""A key that is tried: it signs for one trust in one session, before it signs for anybody else. Pure.

    address (opened once, 5 minutes) ──► trial (one session, one trust, 15 minutes) ──► the key in use again

A trial changes nothing about the key. It is over by its time, with its session, by a button, and as soon as the key may not
sign any more.
"""

from __future__ import annotations

import msgspec

from certs import KeyState
from gateway.federation.keys.model import Ring
from gateway.federation.trusts import Trust
from gateway.store import SigningKeyRecord

_STATES = {
    KeyState.NEXT: "it is not published yet, so no application can know it",
    KeyState.ACTIVE: "it is in use, or about to be, for everybody",
    KeyState.RETIRING: "it has been replaced",
    KeyState.RETIRED: "it has been replaced",
}


class Trial(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Of one browser, in whose cookie it is sealed. Unknown fields are allowed: another version may have written it."""

    trust: str = ""
    """Id of the trust; empty where there is no trial."""
    key: str = ""
    """Id of the key."""
    until: float = 0.0
    """Unix seconds."""
    by: str = ""
    """The administrator who ordered it."""

    def key_at(self, now: float) -> str:
        """Id of the key that is tried at that moment, if any."""
        return self.key if now < self.until else ""


NO_TRIAL = Trial()


def signs_with(trust: Trust) -> tuple[Ring, str]:
    """Ring and algorithm of the keys that a trust is told with."""
    return ("oidc", trust.oidc.signing_algorithm) if trust.protocol == "oidc" else ("saml", "RSA")


def signed_with(key: str, tried: str) -> dict[str, str]:
    """What an entry of the trail says of the key of what was issued. tried: id of the key that the session tries."""
    return {"key": key, "trial": "yes"} if key == tried else {"key": key}


def trial_refusal(key: SigningKeyRecord | None, trust: Trust | None) -> str:
    """Why a key cannot be tried with a trust; empty where it can. None: there is no such key, or no enabled trust."""
    if trust is None:
        return "there is no such trust, or it is disabled; see `isthmus relay trust list`"
    if key is None:
        return "there is no such key; see `isthmus certs list`"
    ring, algorithm = signs_with(trust)
    if key.ring != ring:
        return f"it is a key of ring {key.ring}, and {trust.id} is told with keys of ring {ring}"
    if key.algorithm != algorithm:
        return f"it is a key for {key.algorithm}, and {trust.id} is told with {algorithm}"
    return _STATES.get(KeyState(key.state), "")
