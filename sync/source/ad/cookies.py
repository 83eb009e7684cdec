"""One cookie of several domains: by name, each as its domain controller gave it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

_VERSION = 1


class CookieUnusable(Exception):
    """Nothing can be told from this cookie; the text says why."""


def seal(cookies: Mapping[str, bytes]) -> bytes:
    """As it is kept between two readings."""
    return msgspec.msgpack.encode([_VERSION, dict(cookies)])


def unseal(cookie: bytes, domains: Iterable[str]) -> dict[str, bytes]:
    """The cookie of each domain. Raises CookieUnusable: a domain that came or went takes a full reading."""
    try:
        version, cookies = msgspec.msgpack.decode(cookie, type=tuple[int, dict[str, bytes]])
    except (msgspec.MsgspecError, ValueError) as error:
        raise CookieUnusable("the cookie is damaged, or of another kind of source") from error
    if version != _VERSION:
        raise CookieUnusable("the cookie is from another version of this program")
    if cookies.keys() != set(domains):
        changed = ", ".join(sorted(cookies.keys() ^ set(domains)))
        raise CookieUnusable(f"the domains of the source are others than at the last reading: {changed}")
    return cookies
