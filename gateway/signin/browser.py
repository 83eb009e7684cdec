"""What is known of the browser that asks: its origin, and where it wants to go."""

from __future__ import annotations

import re
from urllib.parse import quote

from aiohttp import web

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")
"""Control characters, C1 (ECMA-48) among them: terminals obey them, and no name or path of anybody holds one."""
_LONGEST = 6000
"""Characters of a path within an address: servers take lines of 8190, and of what stands beside it there is more."""
_NOT_IN_HTML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def safe_path(return_to: str | None) -> str:
    """Where to go after the sign-in: a path on this very origin, or the account page.

    Browsers take `//host`, `/\\host` and paths with control characters for other hosts, so none of these passes; nor one
    that, quoted, no line of a request would hold.
    """
    if not return_to or len(quote(return_to, errors="replace")) > _LONGEST or not return_to.startswith("/"):
        return "/account"
    if return_to.startswith("//") or "\\" in return_to or " " in return_to or CONTROLS.search(return_to):
        return "/account"
    return return_to


def without_controls(value: object) -> object:
    """A text as a page may hold it (HTML section 13.2.3.5 takes no other control characters than tabs and line ends)."""
    return _NOT_IN_HTML.sub("\ufffd", value) if type(value) is str else value


def is_cross_site(request: web.Request, origin: str) -> bool:
    """Whether another site made the browser send this (Fetch Metadata; the Origin header where that is missing).

    `Origin: null` says nothing: browsers send it from any page that lets no referrer out (Fetch section 3.2). The form's
    token, which no other site can read, decides then.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in {"same-origin", "none"}
    sent = request.headers.get("Origin")
    return sent not in {None, "null", origin}
