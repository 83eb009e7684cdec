"""The container: age's format, version 1 (C2SP, age-encryption.org/v1), so that the tool `age` opens a backup, too.

    age-encryption.org/v1
    -> X25519 SHARE              or    -> scrypt SALT LOGN       who can open it: for each key a stanza, or one for the
    FILE KEY, ENCRYPTED                FILE KEY, ENCRYPTED       passphrase and no other
    --- MAC                                                      of all that, under the file key
    nonce, chunks of 64 KiB                                      ChaCha20-Poly1305; the nonce counts, and marks the last one

Of the kinds of recipients there are two here, X25519 and scrypt. No chunk is given out before it was authenticated, and
the end only where the last one says that it is the last.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gateway.backup.bech32 import decode_bech32, encode_bech32

MAGIC: Final = b"age-encryption.org/"
"""What every version of the format begins with."""
_VERSION: Final = MAGIC + b"v1\n"
WORK: Final = 17
"""scrypt's work factor, the logarithm of N: 128 MiB and about half a second for each guess (OWASP's least)."""
_WORK_MOST: Final = 20
"""A header must not make us work for minutes, nor take the memory that a relay beside us needs: 1 GiB and some seconds. The
tool `age` makes 18."""
_CHUNK: Final = 64 * 1024
_TAG: Final = 16
_STANZAS: Final = 100
"""That a header may have: each costs a try."""
_LONGEST: Final = 1024
"""Bytes of a header's line."""
_NO_NONCE: Final = bytes(12)
_X25519: Final = b"age-encryption.org/v1/X25519"
_SCRYPT: Final = b"age-encryption.org/v1/scrypt"


class NotAge(ValueError):
    """No whole file of this format. The text says why; it may be told to anybody."""


class NewerAge(NotAge):
    """The format, but of another version or for another kind of recipient."""


class NotOurs(Exception):
    """A file that is whole as far as one can see, for somebody else."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Whom a file is encrypted to: `age1…`."""

    raw: bytes

    def __str__(self) -> str:
        return encode_bech32("age", self.raw)

    @classmethod
    def parse(cls, text: str) -> PublicKey:
        """Raises ValueError."""
        return cls(_parsed(text, "age"))

    def _wrap(self, file_key: bytes) -> bytes:
        own = X25519PrivateKey.generate()
        share = own.public_key().public_bytes_raw()
        key = _derive(own.exchange(X25519PublicKey.from_public_bytes(self.raw)), share + self.raw, _X25519)
        return _stanza([b"X25519", _encode(share)], ChaCha20Poly1305(key).encrypt(_NO_NONCE, file_key, None))


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """What opens it: `AGE-SECRET-KEY-1…`."""

    raw: bytes = field(repr=False)

    @classmethod
    def generate(cls) -> PrivateKey:
        """A new one."""
        return cls(X25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> PrivateKey:
        """Raises ValueError."""
        return cls(_parsed(text, "age-secret-key-"))

    @property
    def text(self) -> str:
        """As it stands in its file."""
        return encode_bech32("age-secret-key-", self.raw).upper()

    @property
    def public(self) -> PublicKey:
        """The other half."""
        return PublicKey(X25519PrivateKey.from_private_bytes(self.raw).public_key().public_bytes_raw())

    def _unwrap(self, stanza: _Stanza) -> bytes | None:
        if stanza.words[0] != b"X25519" or len(stanza.words) != 2:
            return None
        share, own = _decode(stanza.words[1]), X25519PrivateKey.from_private_bytes(self.raw)
        try:
            shared = own.exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError:
            raise NotAge("its header names no key") from None
        return _opened(_derive(shared, share + self.public.raw, _X25519), stanza.body)


@dataclass(frozen=True, slots=True)
class Passphrase:
    """Both: who knows it can open what was encrypted to it. work: of scrypt, where something is encrypted."""

    text: str = field(repr=False)
    work: int = WORK

    def _wrap(self, file_key: bytes) -> bytes:
        salt = os.urandom(16)
        key = self._key(salt, self.work)
        words = [b"scrypt", _encode(salt), b"%d" % self.work]
        return _stanza(words, ChaCha20Poly1305(key).encrypt(_NO_NONCE, file_key, None))

    def _unwrap(self, stanza: _Stanza) -> bytes | None:
        if stanza.words[0] != b"scrypt" or len(stanza.words) != 3:
            return None
        work = int(stanza.words[2]) if re.fullmatch(rb"[1-9][0-9]?", stanza.words[2]) else 0
        if not 0 < work <= _WORK_MOST:
            raise NotAge(f"its header asks for more work than 2^{_WORK_MOST}")
        try:
            key = self._key(_decode(stanza.words[1]), work)
        except MemoryError:
            raise NotAge(f"its passphrase needs {1 << work >> 10} MiB of memory, which this machine has not free") from None
        return _opened(key, stanza.body)

    def _key(self, salt: bytes, work: int) -> bytes:
        return Scrypt(salt=_SCRYPT + salt, length=32, n=1 << work, r=8, p=1).derive(self.text.encode())


Lock = Passphrase | Sequence[PublicKey]
"""What a file is encrypted to."""
Opener = Passphrase | Sequence[PrivateKey]
"""What it is opened with."""


@dataclass(frozen=True, slots=True)
class _Stanza:
    words: list[bytes]
    body: bytes


class EncryptingWriter:
    """Takes bytes as a file would and writes them encrypted. `close` ends it; without that nobody takes it for whole.

    Raises what the file raises.
    """

    def __init__(self, file: BinaryIO, lock: Lock) -> None:
        self.file_key = os.urandom(16)
        """Opens this one file: to read back what was written, with no private key at hand."""
        recipients = [lock] if isinstance(lock, Passphrase) else lock
        header = _VERSION + b"".join(recipient._wrap(self.file_key) for recipient in recipients) + b"---"
        nonce = os.urandom(16)
        file.write(header + b" " + _encode(_mac(self.file_key, header)) + b"\n" + nonce)
        self._file, self._cipher = file, ChaCha20Poly1305(_derive(self.file_key, nonce, b"payload"))
        self._held = bytearray()
        self._number = 0

    def write(self, data: bytes) -> int:
        """All of it."""
        self._held += data
        while len(self._held) > _CHUNK:  # not `>=`: the last chunk may be a full one, and has to be marked
            self._put(self._held[:_CHUNK], last=False)
            del self._held[:_CHUNK]
        return len(data)

    def close(self) -> None:
        """Write the last chunk; the file stays open."""
        self._put(self._held, last=True)

    def _put(self, chunk: bytearray, *, last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, last), bytes(chunk), None))
        self._number += 1


class DecryptingReader:
    """The content, as a file that is read from the front. Raises NotAge, NewerAge, NotOurs; OSError of the file's.

    opener: what opens it, or the file key.
    """

    def __init__(self, file: BinaryIO, opener: Opener | bytes) -> None:
        stanzas, header, mac = _read_header(file)
        self.file_key = opener if isinstance(opener, bytes) else _find_key(stanzas, opener)
        if not hmac.compare_digest(_mac(self.file_key, header), mac):
            raise NotAge("its header was changed")
        nonce = file.read(16)
        if len(nonce) < 16:
            raise NotAge("it ends in the middle")
        cipher = ChaCha20Poly1305(_derive(self.file_key, nonce, b"payload"))
        self._chunks = _read_chunks(file, cipher.decrypt)
        self._held = b""

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes, all there is for a negative number; none at the end."""
        parts: list[bytes] = []
        wanted = size if size >= 0 else None
        while wanted is None or wanted > 0:
            if not self._held:
                self._held = next(self._chunks, b"")
                if not self._held:
                    break
            part, self._held = (self._held, b"") if wanted is None else (self._held[:wanted], self._held[wanted:])
            parts.append(part)
            wanted = None if wanted is None else wanted - len(part)
        return b"".join(parts)


def _read_header(file: BinaryIO) -> tuple[list[_Stanza], bytes, bytes]:
    """Stanzas, the header as far as the MAC covers it, the MAC."""
    header = file.readline(_LONGEST)
    if header != _VERSION:
        if header.startswith(MAGIC):
            raise NewerAge("it has a newer format")
        raise NotAge("it does not begin like a backup")
    stanzas: list[_Stanza] = []
    while (line := _header_line(file)).startswith(b"-> "):
        words, body = line[3:].split(b" "), b""
        header += line + b"\n"
        while True:
            part = _header_line(file)
            header += part + b"\n"
            body += part
            if len(part) < 64:
                break
        stanzas.append(_Stanza(words, _decode(body)))
        if len(stanzas) > _STANZAS:
            raise NotAge("its header is too long")
    if not line.startswith(b"--- ") or not stanzas:
        raise NotAge("its header is damaged")
    return stanzas, header + b"---", _decode(line[4:])


def _header_line(file: BinaryIO) -> bytes:
    line = file.readline(_LONGEST)
    if not line.endswith(b"\n"):
        raise NotAge("its header is damaged, or it ends in the middle")
    return line[:-1]


def _find_key(stanzas: list[_Stanza], opener: Opener) -> bytes:
    kinds = {stanza.words[0] for stanza in stanzas}
    if b"scrypt" in kinds and len(stanzas) > 1:
        raise NotAge("its header has another key beside the passphrase")
    if not kinds & {b"scrypt", b"X25519"}:
        raise NewerAge("it is encrypted to a kind of key that this version does not know")
    identities = [opener] if isinstance(opener, Passphrase) else opener
    for stanza in stanzas:
        for identity in identities:
            if (key := identity._unwrap(stanza)) is not None:
                return key
    raise NotOurs("a passphrase" if b"scrypt" in kinds else "keys")


def _read_chunks(file: BinaryIO, decrypt: Callable[[bytes, bytes, None], bytes]) -> Iterator[bytes]:
    number, chunk = 0, file.read(_CHUNK + _TAG)
    while True:
        following = file.read(_CHUNK + _TAG)
        last = not following
        try:
            plain = decrypt(_nonce(number, last), chunk, None)
        except InvalidTag:
            raise NotAge("it was changed, or ends in the middle") from None
        if last and number and not plain:
            raise NotAge("its last part is empty")
        yield plain
        if last:
            return
        number, chunk = number + 1, following


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11, "big") + bytes([last])


def _mac(file_key: bytes, header: bytes) -> bytes:
    return hmac.digest(_derive(file_key, b"", b"header"), header, "sha256")


def _derive(secret: bytes, salt: bytes, info: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=salt, info=info).derive(secret)


def _opened(key: bytes, body: bytes) -> bytes | None:
    if len(body) != 32:  # of other lengths one body could be made for several keys
        raise NotAge("its header is damaged")
    try:
        return ChaCha20Poly1305(key).decrypt(_NO_NONCE, body, None)
    except InvalidTag:
        return None


def _stanza(words: list[bytes], body: bytes) -> bytes:
    return b"-> " + b" ".join(words) + b"\n" + _encode(body) + b"\n"  # 32 bytes: one line, shorter than 64 characters


def _encode(data: bytes) -> bytes:
    return base64.b64encode(data).rstrip(b"=")


def _decode(text: bytes) -> bytes:
    try:
        data = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise NotAge("its header is damaged") from None
    if _encode(data) != text:
        raise NotAge("its header is damaged")
    return data


def _parsed(text: str, expected: str) -> bytes:
    prefix, raw = decode_bech32(text)
    if prefix != expected or len(raw) != 32:
        raise ValueError(f"it does not begin with {expected}1")
    return raw
