"""Where an answer may go: the one check that comes before every answer to an address. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gateway.federation.oidc.errors import RequestUnproven
from gateway.federation.trusts import OidcClient

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\]|localhost)(:[0-9]{1,5})?((?:/[^\\#]*)?)")


def check_redirect_uri(client: OidcClient, redirect_uri: str) -> None:
    """It is one of the trust's, character by character (RFC 9700 section 4.1.3); a native client's on loopback may have any
    port (RFC 8252 section 7.3). Raises RequestUnproven."""
    if not redirect_uri:
        raise RequestUnproven("redirect_uri is missing")
    if redirect_uri in client.redirect_uris:
        return
    if client.application == "native" and _fits_loopback(client.redirect_uris, redirect_uri):
        return
    raise RequestUnproven(f"redirect_uri is not one of the trust's: {redirect_uri[:200]!r}")


def _fits_loopback(registered: Iterable[str], redirect_uri: str) -> bool:
    asked = _without_port(redirect_uri)
    return asked is not None and any(_without_port(uri) == asked for uri in registered)


def _without_port(uri: str) -> tuple[str, str] | None:
    """Host and what follows the port; None for an address that is not on loopback."""
    found = _LOOPBACK.fullmatch(uri)
    if found is None:
        return None
    port = found[2]
    if port and not 0 < int(port[1:]) < 65536:
        return None
    return found[1], found[3]
