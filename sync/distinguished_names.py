"""Distinguished names as names of objects: written in one way, so that two spellings are one. Pure (RFC 4514).

What belongs here: what sources and the state have to agree on, since a link names by DN what another object is found by.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_RARE = re.compile(r'[\\"+;]')
"""Without these, each comma is a separator."""
_RDN_END = ",;+"
_HEX = re.compile(r"\\([0-9A-Fa-f]{2})")
_SPECIAL = re.compile(r'[,+"\\<>;=]')


def normal_dn(dn: str) -> str:
    """Whatever the case, the blanks around separators, and the way in which special characters are escaped.

    What is no DN comes back as text of its own that equals no DN's.
    """
    if not _RARE.search(dn):
        parts = (rdn.partition("=") for rdn in dn.split(","))
        return ",".join(f"{name.strip()}={value.strip()}" for name, _, value in parts).casefold()
    return "".join(_normal_parts(dn)).casefold()


def _normal_parts(dn: str) -> Iterator[str]:
    for text, end in _split(dn):
        name, _, value = text.partition("=")
        yield f"{name.strip()}={_escape(_unescape(value))}{',' if end == ';' else end}"


def _split(dn: str) -> Iterator[tuple[str, str]]:
    """Each attribute and value, with the separator after it."""
    begin, at, quoted = 0, 0, False
    while at < len(dn):
        if dn[at] == "\\":
            at += 1
        elif dn[at] == '"':
            quoted = not quoted
        elif dn[at] in _RDN_END and not quoted:
            yield dn[begin:at], dn[at]
            begin = at + 1
        at += 1
    yield dn[begin:], ""


def _unescape(value: str) -> str:
    """Of one value; blanks around it do not count unless they are escaped."""
    value = value.lstrip(" ")
    kept = len(value)
    while kept and value[kept - 1] == " " and not value[: kept - 1].endswith("\\"):
        kept -= 1
    value = value[:kept]
    if len(value) > 1 and value[0] == value[-1] == '"':  # RFC 2253 section 4
        value = value[1:-1]
    if "\\" not in value:
        return value
    octets = bytearray()
    at = 0
    while at < len(value):
        if value[at] == "\\" and at + 1 < len(value):
            pair = _HEX.match(value, at)
            octets += bytes((int(pair[1], 16),)) if pair else value[at + 1].encode("utf-8", "surrogatepass")
            at += 3 if pair else 2
        else:
            octets += value[at].encode("utf-8", "surrogatepass")
            at += 1
    return octets.decode("utf-8", "replace")


def _escape(value: str) -> str:
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", value)
