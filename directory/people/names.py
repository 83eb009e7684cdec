"""What people type to say who they are: `anna@example.com`, `CORP\\anna`, `anna`."""

from __future__ import annotations

import functools
from typing import NamedTuple

LONGEST = 1024
"""Characters; userPrincipalName's own bound (its rangeUpper is 1024)."""


class LoginName(NamedTuple):
    """A name taken apart; comparison parts are lower case."""

    text: str
    """As typed, without the spaces around it."""
    user: str
    """Before the @ or after the backslash; everything where there is neither."""
    suffix: str
    """After the last @, lower case, else empty."""
    netbios: str
    """Before the backslash, lower case, else empty."""


@functools.lru_cache(maxsize=1024)  # routing and the check itself each take a name apart
def parse_name(text: str) -> LoginName | None:
    """Takes a name apart, or answers None for what can be nobody's name: empty, too long, control characters."""
    text = text.strip()
    if not text or len(text) > LONGEST or not text.isprintable():
        return None
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        return None
    domain, backslash, user = text.partition("\\")
    if backslash:
        return LoginName(text, user, "", domain.lower()) if user and domain else None
    user, at, suffix = text.rpartition("@")
    if at:
        return LoginName(text, user, suffix.lower(), "") if user and suffix else None
    return LoginName(text, text, "", "")
