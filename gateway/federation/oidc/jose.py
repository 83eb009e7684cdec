"""Signatures of JSON Web Tokens (RFC 7515, 7519): the only module that knows joserfc.

Stricter than the library where RFC 8725 asks for it: a header has `alg`, `kid` and `typ` and nothing else, so nobody is led
to a key by `jku`, `x5u` or `jwk` (a client's may name its certificate, which nothing reads); the key decides the algorithm;
members stand once; numbers are finite; all is bounded.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.registry import JWS_HEADER_REGISTRY

LONGEST: Final = 8192
"""Characters of a token that somebody brings."""
ALGORITHMS: Final = ("RS256", "PS256", "ES256")
_SMALLEST_RSA = 2048
_LARGEST_RSA = 8192
"""Bits: the time that verifying takes grows with their square, and whoever publishes the key chooses them."""
_MOST_KEYS = 20
_LARGEST_DATE = 1e15
"""Seconds: JSON has integers that no float holds."""

PrivateKey: TypeAlias = RSAPrivateKey | EllipticCurvePrivateKey
PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey


class JwtRefused(Exception):
    """No token of ours, or of this client's. detail: for the log; nothing of the token is in it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return self.detail


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key and the one algorithm that it is for."""

    id: str
    algorithm: str
    public: PublicKey = field(repr=False)
    jose: RSAKey | ECKey = field(init=False, repr=False, compare=False)
    """What the library makes of it: that takes as long as verifying."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "jose", _jose_key(self.public))


class _Registry(jws.JWSRegistry):
    """Takes the three members of a header that are needed, of a size that is needed."""

    default_header_registry = {name: JWS_HEADER_REGISTRY[name] for name in ("alg", "kid", "typ")}  # noqa: RUF012 - theirs
    max_payload_length = LONGEST


class _ClientRegistry(_Registry):
    """Takes a certificate, too (RFC 7515 sections 4.1.6 to 4.1.8): msal and others send it with what they sign."""

    default_header_registry = {  # noqa: RUF012 - theirs
        name: JWS_HEADER_REGISTRY[name] for name in ("alg", "kid", "typ", "x5c", "x5t", "x5t#S256")
    }
    max_header_length = LONGEST


_REGISTRIES: Final = {algorithm: _Registry(algorithms=[algorithm]) for algorithm in ALGORITHMS}
_OF_CLIENTS: Final = {algorithm: _ClientRegistry(algorithms=[algorithm]) for algorithm in ALGORITHMS}
_ANY: Final = _Registry(algorithms=list(ALGORITHMS))
_ANY_OF_CLIENTS: Final = _ClientRegistry(algorithms=list(ALGORITHMS))
_encode = msgspec.json.Encoder().encode


class Signer:
    """Signs with keys of ours. What the library makes of a key is kept as long as the key is the same object."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[PrivateKey, RSAKey | ECKey]] = {}

    def sign(self, claims: Mapping[str, Any], *, key_id: str, algorithm: str, private: PrivateKey, typ: str) -> str:
        """A token in compact form. typ: what kind it is (RFC 8725 section 3.11)."""
        header = {"alg": algorithm, "kid": key_id, "typ": typ}
        return jws.serialize_compact(header, _encode(claims), self._key(key_id, private), registry=_REGISTRIES[algorithm])

    def _key(self, key_id: str, private: PrivateKey) -> RSAKey | ECKey:
        known = self._known.get(key_id)
        if known is not None and known[0] is private:
            return known[1]
        if len(self._known) >= _MOST_KEYS:
            self._known.clear()
        made = _jose_key(private)
        self._known[key_id] = (private, made)
        return made


def verify(
    text: str, find: Callable[[str], VerifyingKey | None], *, types: Sequence[str], certificates: bool = False
) -> dict[str, Any]:
    """The claims of a token whose signature is by the key that `find` has for its `kid` (empty: it names none).

    types: values that `typ` may have; lower case, empty for none. certificates: whether the header may name one; it is not
    read. Raises JwtRefused.
    """
    header = read_header(text, certificates=certificates)
    if _type_of(header) not in types:
        raise JwtRefused("typ of another kind of token")
    key_id = header.get("kid", "")
    if not isinstance(key_id, str):
        raise JwtRefused("kid is not text")
    key = find(key_id)
    if key is None:
        raise JwtRefused("signed by no key that is known")
    if header.get("alg") != key.algorithm:
        raise JwtRefused("alg is not that of the key")
    try:
        registry = (_OF_CLIENTS if certificates else _REGISTRIES)[key.algorithm]
        found = jws.deserialize_compact(text, key.jose, registry=registry)
    except (JoseError, ValueError) as error:
        raise JwtRefused(f"signature or header: {type(error).__name__}") from error
    return _object(found.payload or b"")


def read_header(text: str, *, certificates: bool = False) -> dict[str, Any]:
    """The header, not proven by anything. certificates: see `verify`. Raises JwtRefused."""
    header = _unproven_part(text, 0)
    try:
        (_ANY_OF_CLIENTS if certificates else _ANY).check_header(header)
    except JoseError as error:
        raise JwtRefused(f"header: {type(error).__name__}") from error
    return header


def read_unproven(text: str) -> dict[str, Any]:
    """The claims, not proven by anything: for finding the key that proves them. Raises JwtRefused."""
    return _unproven_part(text, 1)


def _unproven_part(text: str, place: int) -> dict[str, Any]:
    if len(text) > LONGEST:
        raise JwtRefused(f"longer than {LONGEST} characters")
    parts = text.split(".")
    if len(parts) != 3:
        raise JwtRefused("not three parts")
    try:
        encoded = parts[place].encode("ascii")
        return _object(base64.b64decode(encoded + b"=" * (-len(encoded) % 4), b"-_", validate=True))
    except (binascii.Error, UnicodeEncodeError) as error:
        raise JwtRefused(f"encoding: {type(error).__name__}") from error


def read_keys(text: str) -> tuple[VerifyingKey, ...]:
    """A client's JWK set (RFC 7517 section 5): its RSA and P-256 keys that sign. Raises JwtRefused."""
    document = _object(text.encode("utf-8", "surrogatepass"))
    keys = document.get("keys")
    if not isinstance(keys, list) or len(keys) > _MOST_KEYS or not all(isinstance(key, dict) for key in keys):
        raise JwtRefused("no JWK set, or one with too many keys")
    return tuple(read for key in keys for read in _read_key(key))


def _read_key(key: Mapping[str, Any]) -> tuple[VerifyingKey, ...]:
    """One for each algorithm that the key may be used with."""
    if key.get("use", "sig") != "sig" or key.get("kty") not in ("RSA", "EC"):  # any JSON may stand there: no set
        return ()
    if "d" in key:
        raise JwtRefused("a private key in a JWK set")
    try:
        made = RSAKey.import_key(dict(key)) if key["kty"] == "RSA" else ECKey.import_key(dict(key))
        public = made.public_key
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise JwtRefused(f"a key in a JWK set: {type(error).__name__}") from error
    usable = _usable(public)
    wanted = [algorithm for algorithm in usable if key.get("alg", algorithm) == algorithm]
    return tuple(VerifyingKey(str(key.get("kid", "")), algorithm, public) for algorithm in wanted)


def _usable(public: PublicKey) -> tuple[str, ...]:
    if isinstance(public, RSAPublicKey):
        return ("RS256", "PS256") if _SMALLEST_RSA <= public.key_size <= _LARGEST_RSA else ()
    return ("ES256",) if public.curve.name == "secp256r1" else ()


def _jose_key(key: PrivateKey | PublicKey) -> RSAKey | ECKey:
    if isinstance(key, RSAPrivateKey | RSAPublicKey):
        return RSAKey.import_key(key)
    return ECKey.import_key(key)


def _type_of(header: Mapping[str, Any]) -> str:
    """`typ` as it is compared (RFC 7515 section 4.1.9)."""
    typ = header.get("typ", "")
    return typ.lower().removeprefix("application/") if isinstance(typ, str) else "?"


def _object(data: bytes) -> dict[str, Any]:
    """A JSON object whose members stand once each. Raises JwtRefused."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise JwtRefused("no JSON, or a member twice, or a number that is none") from error
    if not isinstance(value, dict):
        raise JwtRefused("no JSON object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a member twice")
    return made


def _no_constant(_text: str) -> None:
    raise ValueError("NaN and Infinity are no JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("too large")
    return number


def number_of(claims: Mapping[str, Any], name: str) -> float | None:
    """A NumericDate (RFC 7519 section 2); None where there is none. Raises JwtRefused for what is not a number."""
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST_DATE:
        raise JwtRefused(f"{name} is not a number, or too large")
    return float(value)
