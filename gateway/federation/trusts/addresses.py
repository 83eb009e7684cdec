"""Addresses of applications: which of them a trust may name. Pure.

Answers of the relay go to them, with codes and assertions: over HTTPS, or to this machine itself, where nobody listens.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from urllib.parse import SplitResult, urlsplit

from settings import Unfit, shown

_EXPECTED = "write it as in https://app.example.com/path; http:// is for loopback only (http://127.0.0.1:8080/path)"
_UNSAFE = re.compile(r"[\s\\<>\"`{}|^\x00-\x20\x7f-\x9f]")
"""Never in a URI (RFC 3986), and read differently by different browsers."""
_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:/[^/].*|[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+:/?", re.IGNORECASE)
"""`com.example.app:/path`: a name in reverse that the application's maker has (RFC 8252 section 7.1)."""
_LOOPBACK_NAMES = ("localhost",)


def application_url(value: str) -> None:
    """`https://host/path`, or `http://` on loopback; no user information, no fragment. Raises Unfit."""
    parts = _split(value)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise Unfit(f"{shown(value)} is not an address of an application", _EXPECTED)
    if "@" in parts.netloc:
        raise Unfit("holds a user name or a password", _EXPECTED)
    if "#" in value:
        raise Unfit(f"{shown(value)} has a fragment", "leave out what begins with #")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise Unfit(f"{shown(value)} is not encrypted", _EXPECTED)


def redirect_address(value: str, *, native: bool) -> None:
    """As `application_url`; of a native application also a scheme of its own. No wildcards. Raises Unfit."""
    if "*" in value:
        remedy = "list every address: they are compared as they are (RFC 9700 section 2.1)"
        raise Unfit(f"{shown(value)} has a wildcard", remedy)
    if native and _PRIVATE_SCHEME.fullmatch(value) and not _UNSAFE.search(value) and "#" not in value:
        return
    application_url(value)


def browser_origin(value: str) -> None:
    """`https://host[:port]` as browsers send it (RFC 6454), or `http://` on loopback. Raises Unfit."""
    application_url(value)
    parts = urlsplit(value)
    if value != f"{parts.scheme}://{parts.netloc}".lower():
        raise Unfit(
            f"{shown(value)} is not an origin", "write it in lower case with nothing after the host: https://app.example.com"
        )


def absolute_uri(value: str) -> None:
    """Any URI with a scheme and without a fragment (RFC 8707 section 2). Raises Unfit."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:.+", value) or "#" in value or _UNSAFE.search(value):
        raise Unfit(f"{shown(value)} is not an absolute URI", "write it as in https://api.example.com or urn:example:api")


def is_loopback(host: str) -> bool:
    """Whether a host of an address is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() in _LOOPBACK_NAMES


def _split(value: str) -> SplitResult | None:
    """None for what two readers could take apart in two ways."""
    if _UNSAFE.search(value):
        return None
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - parsed on access
    except ValueError:
        return None
    host = parts.hostname or ""
    # `127。0。0。1` and `①27.0.0.1` are 127.0.0.1 to whoever maps them (UTS 46 section 4), and a name to everybody else
    return parts if unicodedata.normalize("NFKC", host) == host and "\u3002" not in host else None
