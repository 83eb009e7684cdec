"""What a value must be to make sense, named beside the setting's type: `threshold: Annotated[int, Bounds(least=1)]`.

A check takes a value of the setting's type, and raises Unfit for one that makes no sense. Whoever reads a settings file and
whoever starts with settings from elsewhere ask the same checks (`settings.sense`), so that what is checked also starts.
Nothing here asks the machine: whether a file is there, or an address is free, is another question.

Two rules need no annotation: numbers are above zero and at most `LARGEST`, and no text has control characters in it.
"""

from __future__ import annotations

import ipaddress
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from settings.errors import Unfit

Check = Callable[[Any], None]
"""Raises Unfit."""

LARGEST = 1_000_000_000
"""Of a number without bounds of its own: thirty years in seconds, and more than any count here."""

_LONGEST_SHOWN = 60
_LABEL = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?")
"""Letters, digits, hyphens (RFC 952, RFC 1123 section 2.1); and underscores, which names in DNS have."""

_JOINERS = "\u200c\u200d"
"""Words of Persian and of languages of India are spelled with them, and emoji (Unicode 15.0, section 23.2)."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """A number in a range. least: None for above zero; zero: whether 0 has a meaning of its own, such as "off"."""

    least: float | None = None
    most: float = LARGEST
    zero: bool = False

    def __call__(self, value: float) -> None:
        """Raises Unfit outside it."""
        if value == 0 and self.zero:
            return
        least, or_zero = self._least(value), ", or 0" if self.zero else ""
        if value < least or value <= 0:
            wanted = f"at least {_plain(least)}" if least else "more than 0"
            raise Unfit(f"{_plain(value)} is too small", f"give {wanted}{or_zero}")
        if value > self.most:
            raise Unfit(f"{_plain(value)} is too large", f"give at most {_plain(self.most)}{or_zero}")

    def _least(self, value: float) -> float:
        """0 where any number above zero will do, which for a whole number is 1."""
        return self.least or (1 if isinstance(value, int) else 0)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text of a form. expected: the form in words, with an example."""

    regex: str
    expected: str

    def __call__(self, value: str) -> None:
        """Raises Unfit for any other."""
        if not re.fullmatch(self.regex, value):
            raise Unfit(f"{shown(value)} is not {self.expected}")


@dataclass(frozen=True, slots=True)
class OrEmpty:
    """As another check, but for the empty text, which means that there is none."""

    check: Check

    def __call__(self, value: str) -> None:
        """Raises Unfit where the other one does."""
        if value:
            self.check(value)


def not_empty(value: Sequence[Any]) -> None:
    """A text with something to read in it, or a list with an item."""
    if not (value.strip() if isinstance(value, str) else value):
        raise Unfit("is empty")


def distinct(values: Sequence[str]) -> None:
    """A list in which nothing is there twice, whatever its case."""
    seen: set[str] = set()
    for value in values:
        if value.casefold() in seen:
            raise Unfit(f"has {shown(value)} twice", "name it once")
        seen.add(value.casefold())


def no_controls(value: str | Path) -> None:
    """Line ends and the like are what TOML makes of a backslash in double quotes: `"CORP\\new"` has two lines."""
    text = str(value)
    if "\0" in text:
        raise Unfit("has a NUL character")
    if any(ord(character) < 32 or 127 <= ord(character) < 160 for character in text):
        raise Unfit(
            "has a control character, as a backslash in double quotes makes one",
            "put a text with a backslash into 'single quotes'",
        )


def is_readable(character: str) -> bool:
    """Whether it is seen, or is a blank or a joiner: not a control, a line end, or what turns the direction of a text."""
    return character.isprintable() or character in _JOINERS or unicodedata.category(character) == "Zs"


def readable(value: str) -> None:
    """A text that is shown to people: what it hides could make it look like another one."""
    if hidden := next((character for character in value if not is_readable(character)), ""):
        raise Unfit(f"has the character U+{ord(hidden):04X}, which cannot be seen", "leave it out")


def several_lines(value: str) -> None:
    """A text that may have lines, such as PEM; of control characters it has no others. Takes the place of `no_controls`."""
    no_controls(value.replace("\r\n", " ").replace("\n", " "))


def host_name(value: str) -> None:
    """A host by name or address, without scheme and port."""
    if not _is_host(value):
        raise Unfit(f"{shown(value)} is not the name of a host", "write it as in relay.example.com, without scheme and port")


def origin(value: str) -> None:
    """`https://host[:port]`, and nothing after it."""
    expected = "write it as in https://signin.example.com or https://signin.example.com:8443"
    parts = _split(value)
    if parts is not None and parts.scheme == "http":
        raise Unfit(f"{shown(value)} is not encrypted, and passwords go there", expected)
    if parts is None or parts.scheme != "https":
        raise Unfit(f"{shown(value)} is not an https:// address", expected)
    if parts.username is not None or parts.password is not None:
        raise Unfit("holds a user name or a password", expected)
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise Unfit(f"{shown(value)} has something after the host", expected)


def web_address(value: str) -> None:
    """`https://…`, path included."""
    parts = _split(value)
    if parts is None or parts.scheme != "https":
        raise Unfit(f"{shown(value)} is not an https:// address", "write it as in https://example.com/help")


def link(value: str) -> None:
    """What a page may link to: `https://…`, `mailto:…` or `tel:…`; never a script."""
    expected = "write it as in https://help.example.com, mailto:help@example.com or tel:+4930123456"
    scheme, _, rest = value.partition(":")
    if scheme.lower() == "mailto" and re.fullmatch(r"[^@\s<>\"]+@[^@\s<>\"]+", rest):
        return
    if scheme.lower() == "tel" and re.fullmatch(r"\+?[0-9().;=a-z-]{2,}", rest):
        return
    parts = _split(value)
    if parts is None or parts.scheme != "https" or re.search(r"[\s<>\"]", value):
        raise Unfit(f"{shown(value)} is not a link that the page can have", expected)


def proxy_address(value: str) -> None:
    """`http://host:port`, or `none`."""
    if value == "none":
        return
    parts = _split(value)
    if parts is None or parts.scheme not in {"http", "https"} or parts.path.strip("/") or parts.query:
        raise Unfit(f"{shown(value)} is not a proxy's address", "write it as in http://proxy.example.com:3128, or none")
    if parts.password is not None:
        raise Unfit("holds a password, which everybody who reads this file sees", "put it into a file: proxy_password_file")


def listen_address(value: str) -> None:
    """`host:port`; IPv6 in brackets, no host for every address."""
    split_address(value)


def network(value: str) -> None:
    """A network or an address, but not everybody's."""
    expected = "write it as in 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32"
    try:
        parsed = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise Unfit(f"{shown(value)} is not a network", expected) from None
    if parsed.prefixlen == 0:
        raise Unfit(f"{shown(value)} is every address there is", expected)


def split_address(address: str) -> tuple[str, int]:
    """`host:port` to its parts, brackets of IPv6 removed. Raises Unfit."""
    expected = "write it as in 127.0.0.1:8443, [::1]:8443 or relay.example.com:8443"
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or int(port) > 65535:
        raise Unfit(f"{shown(address)} is not host:port", expected)
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if (host and not _is_host(bare)) or (bare == host and ":" in host):
        raise Unfit(f"{shown(address)} is not host:port", expected)
    return bare, int(port)


def shown(text: str) -> str:
    """A text as an error repeats it: not all of a long one, and no address that may hold a password."""
    if "@" in text and "://" in text:
        return "an address with a user name in it"
    return repr(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…")


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else f"{number:g}"


def _split(url: str) -> SplitResult | None:
    """The parts of a URL with a host; None where it is none."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - parsed on access
    except ValueError:
        return None
    return parts if parts.hostname and _is_host(parts.hostname) and not re.search(r"\s", url) else None


def _is_host(text: str) -> bool:
    if _HOST.fullmatch(text):
        return True
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
