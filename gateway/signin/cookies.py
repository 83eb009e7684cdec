"""Cookies and the secrets in them.

All carry the `__Host-` prefix (RFC 6265bis section 4.1.3.2): Secure, Path=/, no Domain, so that no neighbour can set them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterator

from aiohttp import web

from gateway.store import Keyring

SESSION = "__Host-isthmus"
DEVICE = "__Host-isthmus-device"
FORM = "__Host-isthmus-form"
LANGUAGE = "__Host-isthmus-language"
STEP = "__Host-isthmus-step"
VISIT = "__Host-isthmus-visit"
"""Names the sign-ins of one person in a row (`Session.sid`); it lets nobody in, and stays when the session has ended."""


def read_cookie(request: web.Request, name: str) -> str:
    """A cookie's value; empty where the browser sent none, or more than one of that name.

    Every header is split at `;` and nowhere else, and the name is compared exactly (RFC 6265 section 5.4; RFC 9113 section
    8.2.3 for several headers). More lenient parsers find ours within the value of a neighbour's cookie, or behind white
    space that browsers do not take for such when they guard `__Host-`. One too many is an attack, or looks like one.
    """
    found = [value for key, value in _pairs(request) if key == name]
    return found[0] if len(found) == 1 else ""


def cookie_names(request: web.Request, start: str) -> set[str]:
    """Names of the cookies that are `start`, or that and a dash and more."""
    return {name for name, _ in _pairs(request) if name == start or name.startswith(f"{start}-")}


def _pairs(request: web.Request) -> Iterator[tuple[str, str]]:
    for header in request.headers.getall("Cookie", ()):
        for pair in header.split(";"):
            name, sign, value = pair.strip(" \t").partition("=")
            if sign:
                yield name, value


def set_cookie(response: web.StreamResponse, name: str, value: str, max_age: float | None = None) -> None:
    """Set a cookie that scripts cannot read and other sites' forms do not send."""
    age = int(max_age) if max_age is not None else None
    response.set_cookie(name, value, max_age=age, path="/", secure=True, httponly=True, samesite="Lax")


def delete_cookie(response: web.StreamResponse, name: str) -> None:
    """Have the browser drop a cookie; with the same attributes, or browsers keep the `__Host-` one."""
    response.del_cookie(name, path="/", secure=True, httponly=True, samesite="Lax")


def new_secret() -> str:
    """256 random bits, base64url."""
    return secrets.token_urlsafe(32)


def digest(value: str) -> bytes:
    """What is kept of a cookie's secret: SHA-256."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).digest()


class CookieSigner:
    """HMAC-SHA256 under a key that the relay's nodes share. use: the key's, in the keyring; no two things share one."""

    def __init__(self, keyring: Keyring, use: str) -> None:
        self._keyring, self._use = keyring, use

    def sign(self, *values: str) -> str:
        """The signature over all of them, each by itself; base64url."""
        return _signature(self._keyring.current(self._use).secret, values)

    def fits(self, signature: str, *values: str) -> bool:
        """Whether the signature is ours, by a key that is valid; in constant time for each key."""
        given = signature.encode("utf-8", "surrogatepass")
        valid = self._keyring.valid(self._use)
        return any(hmac.compare_digest(_signature(key.secret, values).encode(), given) for key in valid)


def _signature(key: bytes, values: tuple[str, ...]) -> str:
    parts = [value.encode("utf-8", "surrogatepass") for value in values]
    # each with its length before it: two lists whose texts are the same in a row have two signatures
    mac = hmac.digest(key, b"".join(len(part).to_bytes(8, "big") + part for part in parts), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


class DeviceCookie:
    """Says that a user signed in from this browser before: `<Unix second>.<random>.<signature over those and the user>`.

    It proves nothing but that; it only keeps an outsider's guesses from locking the person out here. lifetime: seconds,
    held here too, for a stolen cookie has left the browser that would drop it. clock: Unix seconds.
    """

    def __init__(self, signer: CookieSigner, lifetime: float, clock: Callable[[], float]) -> None:
        self._signer, self._lifetime, self._clock = signer, lifetime, clock

    def use(self, lifetime: float) -> None:
        """Settings were read anew; cookies that are there last as long as these say."""
        self._lifetime = lifetime

    def make(self, user: str) -> str:
        """A cookie for this user."""
        made, nonce = str(int(self._clock())), secrets.token_urlsafe(12)
        return f"{made}.{nonce}.{self._signer.sign(made, nonce, user.lower())}"

    def knows(self, cookie: str, user: str) -> bool:
        """Whether it was made for this user, not too long ago."""
        made, _, rest = cookie.partition(".")
        nonce, _, signature = rest.partition(".")
        # signed, so it is a number; it may lie ahead by what another node's clock does
        return self._signer.fits(signature, made, nonce, user.lower()) and self._clock() <= int(made) + self._lifetime


class FormToken:
    """Against forged forms: the page carries a signature over a random cookie, another site can neither read nor set it."""

    def __init__(self, signer: CookieSigner) -> None:
        self._signer = signer

    def token(self, cookie: str) -> str:
        """What goes into the form."""
        return self._signer.sign(cookie)

    def fits(self, cookie: str, token: str) -> bool:
        """Whether form and cookie belong together."""
        return bool(cookie) and self._signer.fits(token, cookie)
