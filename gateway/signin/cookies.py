"""Cookies and the secrets in them.

All carry the `__Host-` prefix (RFC 6265bis section 4.1.3.2): Secure, Path=/, no Domain, so that no neighbour can set them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from aiohttp import web

from gateway.store import Keyring

SESSION = "__Host-isthmus"
DEVICE = "__Host-isthmus-device"
FORM = "__Host-isthmus-form"
LANGUAGE = "__Host-isthmus-language"


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
    return hashlib.sha256(value.encode("utf-8", "replace")).digest()


class CookieSigner:
    """HMAC-SHA256 under a key that the relay's nodes share. use: the key's, in the keyring; no two things share one."""

    def __init__(self, keyring: Keyring, use: str) -> None:
        self._keyring, self._use = keyring, use

    def sign(self, value: str) -> str:
        """The signature, base64url."""
        return _signature(self._keyring.current(self._use).secret, value)

    def fits(self, value: str, signature: str) -> bool:
        """Whether the signature is ours, by a key that is valid; in constant time for each key."""
        given = signature.encode("utf-8", "replace")
        valid = self._keyring.valid(self._use)
        return any(hmac.compare_digest(_signature(key.secret, value).encode(), given) for key in valid)


def _signature(key: bytes, value: str) -> str:
    mac = hmac.digest(key, value.encode("utf-8", "replace"), hashlib.sha256)
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


class DeviceCookie:
    """Says that a user signed in from this browser before: `<random>.<signature over random and user>`.

    It proves nothing but that; it only keeps an outsider's guesses from locking the person out here.
    """

    def __init__(self, signer: CookieSigner) -> None:
        self._signer = signer

    def make(self, user: str) -> str:
        """A cookie for this user."""
        nonce = secrets.token_urlsafe(12)
        return f"{nonce}.{self._signer.sign(nonce + user.casefold())}"

    def knows(self, cookie: str, user: str) -> bool:
        """Whether it was made for this user."""
        nonce, _, signature = cookie.partition(".")
        return self._signer.fits(nonce + user.casefold(), signature)


class FormToken:
    """Against forged forms: the page carries a signature over a random cookie, another site can neither read nor set it."""

    def __init__(self, signer: CookieSigner) -> None:
        self._signer = signer

    def token(self, cookie: str) -> str:
        """What goes into the form."""
        return self._signer.sign(cookie)

    def fits(self, cookie: str, token: str) -> bool:
        """Whether form and cookie belong together."""
        return bool(cookie) and self._signer.fits(cookie, token)
