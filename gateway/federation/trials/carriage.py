"""What carries a trial: the address that an administrator gets, and the cookie of the browser in which it was opened.

Kinds of state: both are carried, sealed. That an address is opened once is the store's to say (happens once). The cookie is
bound to the session: another one, in this browser or elsewhere, gains nothing by it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import msgspec
from aiohttp import web

from gateway.federation.keys import NO_TRIAL, Trial
from gateway.signin import Seal, Session, delete_cookie, read_cookie, set_cookie
from gateway.store import Keyring, OnceStore

KEY_TRIAL: Final = "/key-trial"
COOKIE: Final = "__Host-isthmus-key-trial"
ADDRESS_LIFETIME: Final = 300.0
"""Seconds in which an address must be opened: it is copied from a terminal to a browser."""
TRIAL_LIFETIME: Final = 900.0
"""Seconds: several sign-ins, and what an administrator changes in between."""
_KIND: Final = "key trial"
_OFFER: Final = "offer"


class TrialOffer(msgspec.Struct, frozen=True, kw_only=True):
    """What an address stands for."""

    id: str
    """Random."""
    trust: str
    """Id of the trust."""
    key: str
    """Id of the key."""
    by: str
    """The administrator who ordered it."""


_encode = msgspec.msgpack.Encoder().encode
_offer = msgspec.msgpack.Decoder(TrialOffer).decode
_trial = msgspec.msgpack.Decoder(Trial).decode


class Trials:
    """clock: Unix seconds."""

    def __init__(self, keyring: Keyring, once: OnceStore, clock: Callable[[], float]) -> None:
        self._offers = Seal(keyring, "key trial addresses", clock)
        self._cookies = Seal(keyring, "key trials", clock)
        self._once, self._clock = once, clock

    # -- the address

    async def offer(self, trust: str, key: str, by: str) -> str:
        """The path that starts a trial, once, within `ADDRESS_LIFETIME`. Raises StoreError."""
        offer = TrialOffer(id=secrets.token_urlsafe(16), trust=trust, key=key, by=by)
        now = self._clock()
        until = now + ADDRESS_LIFETIME
        await self._once.put(_KIND, offer.id, b"", until=until, now=now)
        return f"{KEY_TRIAL}/{self._offers.close(_encode(offer), bound=_OFFER, until=until)}"

    def read(self, sealed: str) -> TrialOffer | None:
        """What an address stands for; None where it is over, or none of ours."""
        opened = self._offers.open(sealed, bound=_OFFER)
        try:
            return _offer(opened) if opened is not None else None
        except msgspec.DecodeError:  # another node's, of another version
            return None

    async def take(self, offer: TrialOffer) -> bool:
        """Whether this is the first that starts it. Raises StoreError."""
        return await self._once.take(_KIND, offer.id, self._clock()) is not None

    # -- the browser

    def begin(self, response: web.StreamResponse, session: Session, offer: TrialOffer) -> Trial:
        """From now on this browser tries the key, for as long as this session lasts. A trial before this one is over."""
        trial = Trial(trust=offer.trust, key=offer.key, until=self._clock() + TRIAL_LIFETIME, by=offer.by)
        sealed = self._cookies.close(_encode(trial), bound=_bound(session), until=trial.until)
        set_cookie(response, COOKIE, sealed, TRIAL_LIFETIME)
        return trial

    def end(self, response: web.StreamResponse) -> None:
        """It tries none."""
        delete_cookie(response, COOKIE)

    def running(self, request: web.Request, session: Session) -> Trial:
        """What this browser tries in this session; `NO_TRIAL` where it tries nothing."""
        sealed = read_cookie(request, COOKIE)
        opened = self._cookies.open(sealed, bound=_bound(session)) if sealed else None
        try:
            return _trial(opened) if opened is not None else NO_TRIAL
        except msgspec.DecodeError:
            return NO_TRIAL

    def of(self, request: web.Request, session: Session, trust: str) -> Trial:
        """What it tries with this trust."""
        trial = self.running(request, session)
        return trial if trial.trust == trust else NO_TRIAL


def _bound(session: Session) -> str:
    return f"session {session.key.hex()}"
