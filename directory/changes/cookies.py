"""What a reading continues from: the server's own cookie, with whose it is and what was asked. Pure.

    8 bytes of SHA-256 │ MessagePack: version, kind, database, question, usn, the server's cookie

Bound, because a server takes what it should not: a domain controller reads another one's cookie by the up-to-dateness vector
in it (another version of Windows may not), one that was put back to yesterday takes today's and leaves out what is written
until it has caught up, and each takes a cookie for more attributes than it was made for and tells only what changed since.
"""

from __future__ import annotations

import hashlib
from typing import Literal

import msgspec

_VERSION = 1
_DIGEST = 8


class CookieRefused(Exception):
    """Nothing can be told from this cookie; the text says why."""


class OfAnotherServer(CookieRefused):
    """Another server of the same directory may take it."""


class ReadCookie(msgspec.Struct, frozen=True, array_like=True):
    """Where a reading of one database has come to."""

    kind: Literal["dirsync", "syncrepl"]
    database: bytes
    """invocationId of the domain controller (of its nTDSDSA object, MS-ADTS), entryUUID of the base elsewhere."""
    question: bytes
    """Digest of base, attributes and flags."""
    opaque: bytes
    """The server's own."""
    usn: int = 0
    """highestCommittedUSN as the reading began: the database has it behind it. Active Directory only."""
    version: int = _VERSION

    def seal(self) -> bytes:
        """As it is kept between two readings."""
        packed = msgspec.msgpack.encode(self)
        return hashlib.sha256(packed).digest()[:_DIGEST] + packed


def open_cookie(data: bytes, kind: Literal["dirsync", "syncrepl"], question: bytes | None) -> ReadCookie:
    """Raises CookieRefused where it is damaged, or the answer to another question. question: None where any will do."""
    packed = data[_DIGEST:]
    if hashlib.sha256(packed).digest()[:_DIGEST] != data[:_DIGEST]:
        raise CookieRefused("the cookie is damaged")
    try:
        cookie = msgspec.msgpack.decode(packed, type=ReadCookie)
    except msgspec.MsgspecError as error:
        raise CookieRefused("the cookie is from another version of this program") from error
    if cookie.version != _VERSION:
        raise CookieRefused("the cookie is from another version of this program")
    if cookie.kind != kind or question not in (None, cookie.question):
        raise CookieRefused("the cookie is from a reading of other attributes, or of another base or filter")
    return cookie


def digest(base: str, attributes: tuple[str, ...], *more: str | bytes | int) -> bytes:
    """Tells one question from another: a cookie is an answer to one of them only."""
    wanted = sorted({name.lower() for name in attributes})
    return hashlib.sha256(msgspec.msgpack.encode([base.lower(), wanted, *more])).digest()[:16]


def check_database(cookie: ReadCookie, database: bytes, usn: int = 0) -> None:
    """That the cookie was given by this database, which has not been put back since. Raises CookieRefused."""
    if cookie.database != database:
        raise OfAnotherServer(f"the cookie is from another database ({cookie.database.hex()}) than this ({database.hex()})")
    if usn < cookie.usn:
        raise CookieRefused(
            f"the database was put back to an earlier state: its highestCommittedUSN is {usn}, and was {cookie.usn}"
        )
