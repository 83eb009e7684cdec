"""PKCS #12 as AD FS needs it: with the name of a legacy CSP on the key, so that Windows does not import it into CNG.

`cryptography` writes PFX files (RFC 7292) but no attributes on key bags; the one that Windows reads
(szOID_PKCS_12_KEY_PROVIDER_NAME_ATTR, 1.3.6.1.4.1.311.17.1) is put in here, and the MAC is computed anew. The old
algorithms (3DES, SHA-1) are those that every Windows from 2012 R2 on reads; the password is random and lives for one import,
inside an encrypted connection.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

PROVIDER = "Microsoft Enhanced RSA and AES Cryptographic Provider"
"""A CSP (type PROV_RSA_AES) that signs with SHA-256, which the older ones do not."""
_ROUNDS = 10_000
_KEY_BAG = bytes.fromhex("060b2a864886f70d010c0a0102")  # pkcs8ShroudedKeyBag, 1.2.840.113549.1.12.10.1.2
_DATA = bytes.fromhex("06092a864886f70d010701")  # id-data, 1.2.840.113549.1.7.1
_PROVIDER_NAME = bytes.fromhex("06092b0601040182371101")  # 1.3.6.1.4.1.311.17.1
_SEQUENCE, _SET, _OCTETS, _BMP, _CONTEXT = 0x30, 0x31, 0x04, 0x1E, 0xA0
_MAC_ID = 3


@dataclass(frozen=True, slots=True)
class Pfx:
    """A PKCS #12 file and the password that it was made with, for one import."""

    content: bytes = field(repr=False)
    password: str = field(repr=False)


def make_pfx(key: rsa.RSAPrivateKey, certificate: x509.Certificate, chain: Sequence[x509.Certificate]) -> Pfx:
    """With a new random password. CPU only, some 10 ms."""
    password = secrets.token_urlsafe(24)
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - what 2012 R2 checks; see above
        .build(password.encode())
    )
    plain = pkcs12.serialize_key_and_certificates(None, key, certificate, list(chain) or None, encryption)
    return Pfx(_with_provider(plain, password), password)


def _with_provider(pfx: bytes, password: str) -> bytes:
    version, authenticated, mac = _items(pfx)
    kind, wrapped = _items(authenticated)
    safes = [_named(safe) for safe in _items(_inside(_inside(wrapped)))]
    content = _tlv(_SEQUENCE, b"".join(safes))
    digest_info, salt, iterations = _items(mac)
    algorithm, _ = _items(digest_info)
    derived = _derive(password, _inside(salt), int.from_bytes(_inside(iterations), "big"))
    digest = _tlv(_OCTETS, hmac.new(derived, content, hashlib.sha1).digest())
    new_mac = _tlv(_SEQUENCE, _tlv(_SEQUENCE, algorithm + digest) + salt + iterations)
    new_safe = _tlv(_SEQUENCE, kind + _tlv(_CONTEXT, _tlv(_OCTETS, content)))
    return _tlv(_SEQUENCE, version + new_safe + new_mac)


def _named(safe: bytes) -> bytes:
    """A ContentInfo, whose key bag (if it is the one with it) has the provider's name."""
    kind, wrapped = _items(safe)
    if kind != _DATA:
        return safe
    bags = [_named_bag(bag) for bag in _items(_inside(_inside(wrapped)))]
    return _tlv(_SEQUENCE, kind + _tlv(_CONTEXT, _tlv(_OCTETS, _tlv(_SEQUENCE, b"".join(bags)))))


def _named_bag(bag: bytes) -> bytes:
    kind, value, *attributes = _items(bag)
    if kind != _KEY_BAG:
        return bag
    name = _tlv(_SEQUENCE, _PROVIDER_NAME + _tlv(_SET, _tlv(_BMP, PROVIDER.encode("utf-16-be"))))
    present = _items(attributes[0]) if attributes else []
    return _tlv(_SEQUENCE, kind + value + _tlv(_SET, b"".join(sorted([*present, name]))))


def _derive(password: str, salt: bytes, iterations: int) -> bytes:
    """Key for the MAC (RFC 7292 appendix B.2), for SHA-1, of which one round gives all the bytes that are needed."""
    block = 64
    text = (password + "\0").encode("utf-16-be")
    data = bytes([_MAC_ID]) * block + _filled(salt, block) + _filled(text, block)
    for _ in range(iterations):
        data = hashlib.sha1(data).digest()  # noqa: S324 - as the format says
    return data


def _filled(value: bytes, block: int) -> bytes:
    length = -(-len(value) // block) * block
    return (value * (length // max(len(value), 1) + 1))[:length]


# -- DER (X.690), as much as is needed


def _tlv(tag: int, value: bytes) -> bytes:
    if len(value) < 0x80:
        return bytes([tag, len(value)]) + value
    length = len(value).to_bytes((len(value).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + value


def _header(data: bytes) -> tuple[int, int]:
    """Where the first element's value begins and ends."""
    first = data[1]
    if first < 0x80:
        return 2, 2 + first
    start = 2 + (first & 0x7F)
    return start, start + int.from_bytes(data[2:start], "big")


def _inside(data: bytes) -> bytes:
    start, end = _header(data)
    return data[start:end]


def _items(data: bytes) -> list[bytes]:
    """The elements inside a constructed one."""
    rest, found = _inside(data), []
    while rest:
        _, end = _header(rest)
        found.append(rest[:end])
        rest = rest[end:]
    return found
