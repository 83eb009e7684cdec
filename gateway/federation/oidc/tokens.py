"""Tokens: what is in each kind, and whether one that comes back is ours.

An ID token is a JWT; an access token one of type `at+jwt` (RFC 9068), or opaque: the same content, sealed. No kind is taken
for another: the types differ, and so do the audiences.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from gateway.federation.oidc.jose import JwtRefused, Signer, VerifyingKey, number_of, verify
from gateway.federation.oidc.ports import OwnKey, SigningKeySource
from gateway.signin import Seal

SKEW = 5.0
"""Seconds that clocks of nodes, and of clients that sign, may differ."""
_FAR = 1e15
_MOST_KEYS = 20
_MOST_ISSUED = 1000
"""Access tokens whose claims are remembered: about 1 kB each."""
_msgpack = msgspec.msgpack.Encoder().encode


class AccessToken(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What an access token says."""

    id: str
    """`jti`."""
    subject: str
    client_id: str
    audience: tuple[str, ...]
    scope: tuple[str, ...]
    issued_at: float
    expires_at: float
    auth_time: float = 0.0
    """0 where nobody signed in."""
    acr: str = ""
    grant: str = ""
    """Digest of the grant that it hangs on, hex; empty where it hangs on none. Not the id, which every API would see:
    with it a refresh token can be made up that looks like a spent one, and ends the grant."""

    def __repr__(self) -> str:
        return f"AccessToken(client_id={self.client_id!r}, …)"


_opaque = msgspec.msgpack.Decoder(AccessToken).decode


class Tokens:
    """Makes and reads tokens of one issuer. seal: of opaque access tokens, of a use of its own."""

    def __init__(self, issuer: str, keys: SigningKeySource, seal: Seal) -> None:
        self._issuer, self._keys, self._seal, self._signer = issuer, keys, seal, Signer()
        self._verifying: dict[str, tuple[OwnKey, VerifyingKey]] = {}
        """What was made of keys of ours. Whether one counts is asked each time."""
        self._issued: OrderedDict[bytes, tuple[str, Mapping[str, Any]]] = OrderedDict()
        """Digest of an access token that was signed here -> id of its key, its claims. Most come back at once, at userinfo:
        they need not be verified."""

    def key(self, algorithm: str, tried: str = "") -> OwnKey:
        """The one that signs now; tried: id of the one that is tried. Raises gateway.federation.keys.NoSigningKey."""
        return self._keys.active("oidc", algorithm, tried)

    def sign(self, claims: Mapping[str, Any], *, algorithm: str, typ: str, key: OwnKey | None = None) -> str:
        """A JWT of this issuer. key: the one that signs now, unless given. Raises gateway.federation.keys.NoSigningKey."""
        key = key or self.key(algorithm)
        whole = {"iss": self._issuer, **claims}
        return self._signer.sign(whole, key_id=key.id, algorithm=key.algorithm, private=key.private, typ=typ)

    def access_token(
        self, token: AccessToken, form: Literal["jwt", "opaque"], *, algorithm: str, key: OwnKey | None = None
    ) -> str:
        """An access token as text. key: see `sign`."""
        if form == "opaque":
            return self._seal.close(_msgpack(token), bound="", until=token.expires_at)
        claims: dict[str, Any] = {
            "sub": token.subject,
            "aud": token.audience[0] if len(token.audience) == 1 else token.audience,
            "client_id": token.client_id,
            "scope": " ".join(token.scope),
            "iat": int(token.issued_at),
            "exp": math.ceil(token.expires_at),
            "jti": token.id,
        }
        if token.grant:  # a client itself has none
            claims["grant"] = token.grant
        if token.auth_time:
            claims |= {"auth_time": int(token.auth_time), "acr": token.acr}
        key = key or self.key(algorithm)
        text = self.sign(claims, algorithm=algorithm, typ="at+jwt", key=key)
        self._issued[_digest(text)] = key.id, claims
        if len(self._issued) > _MOST_ISSUED:
            self._issued.popitem(last=False)
        return text

    def read_access_token(self, text: str, now: float) -> AccessToken:
        """One that was made here and has not expired; whether its grant lives is another question. Raises JwtRefused."""
        if text.count(".") == 2:
            key_id, issued = self._issued.get(_digest(text), ("", None))
            if issued is None or self._find(key_id) is None:  # a key may have been withdrawn since
                issued = self._verified(text, ("at+jwt",))
            token = _from_claims(issued)
        else:
            opened = self._seal.open(text, bound="")
            if opened is None:
                raise JwtRefused("no access token of ours, or one that has expired")
            token = _opaque(opened)
        if token.expires_at <= now:
            raise JwtRefused("expired")
        return token

    def read_id_token_hint(self, text: str, client_id: str) -> Mapping[str, Any]:
        """The claims of an ID token that was given to this client, expired or not. Raises JwtRefused."""
        claims = self.read_id_token(text)
        if claims["aud"] != client_id:
            raise JwtRefused("the ID token is another client's")
        return claims

    def read_id_token(self, text: str) -> Mapping[str, Any]:
        """The claims of an ID token that was given to any client, expired or not. Raises JwtRefused."""
        claims = self._verified(text, ("jwt",))
        if not isinstance(claims.get("aud"), str) or not isinstance(claims.get("sub"), str):
            raise JwtRefused("the ID token has no audience, or no subject")
        return claims

    def _verified(self, text: str, types: tuple[str, ...]) -> dict[str, Any]:
        claims = verify(text, self._find, types=types)
        if claims.get("iss") != self._issuer:
            raise JwtRefused("of another issuer")
        return claims

    def _find(self, key_id: str) -> VerifyingKey | None:
        key = self._keys.find(key_id)
        if key is None or key.ring != "oidc":
            return None
        known = self._verifying.get(key_id)
        if known is None or known[0] is not key:
            if len(self._verifying) >= _MOST_KEYS:
                self._verifying.clear()
            known = self._verifying[key_id] = key, VerifyingKey(key.id, key.algorithm, key.private.public_key())
        return known[1]


def _digest(text: str) -> bytes:
    """Of a token; what is no ASCII is none of ours."""
    return hashlib.sha256(text.encode("ascii", "replace")).digest()


def _from_claims(claims: Mapping[str, Any]) -> AccessToken:
    """Of a JWT that is ours: what is missing or odd was never issued. Raises JwtRefused."""
    audience = claims.get("aud")
    try:
        return msgspec.convert(
            {
                "id": claims.get("jti"),
                "subject": claims.get("sub"),
                "client_id": claims.get("client_id"),
                "audience": (audience,) if isinstance(audience, str) else audience,
                "scope": tuple(str(claims.get("scope", "")).split()),
                "issued_at": number_of(claims, "iat"),
                "expires_at": number_of(claims, "exp"),
                "auth_time": number_of(claims, "auth_time") or 0.0,
                "acr": claims.get("acr", ""),
                "grant": claims.get("grant", ""),
            },
            AccessToken,
        )
    except msgspec.ValidationError as error:
        raise JwtRefused("no access token of ours") from error


def left_half(text: str) -> str:
    """`at_hash` (OpenID Connect Core section 3.1.3.6): the left half of the SHA-256, base64url."""
    half = hashlib.sha256(text.encode()).digest()[:16]
    return base64.urlsafe_b64encode(half).rstrip(b"=").decode()


def check_times(claims: Mapping[str, Any], now: float, longest: float) -> float:
    """`exp` is there, ahead, and no further than `longest` seconds; `nbf` and `iat` are not ahead. When it ends.

    Raises JwtRefused.
    """
    expires = number_of(claims, "exp")
    if expires is None:
        raise JwtRefused("exp is missing")
    if expires <= now - SKEW:
        raise JwtRefused("expired")
    if expires > now + longest + SKEW:
        raise JwtRefused(f"exp is more than {longest:g} s ahead")
    for name in ("nbf", "iat"):
        if (number_of(claims, name) or 0.0) > now + SKEW:
            raise JwtRefused(f"{name} is ahead")
    if (number_of(claims, "iat") or _FAR) < now - longest - SKEW:
        raise JwtRefused(f"iat is more than {longest:g} s ago")
    return expires
