"""Which tokens a client may ask about (RFC 7662 section 4). Pure."""

from __future__ import annotations

from collections.abc import Collection

from gateway.federation.oidc.errors import InvalidClient
from gateway.federation.trusts import Trust


def check_confidential(trust: Trust) -> None:
    """Whoever asks has proved who it is: others could try tokens out (RFC 7662 section 2.1). Raises InvalidClient."""
    if trust.oidc.authentication == "none":
        raise InvalidClient("a client without authentication cannot ask about tokens")


def may_ask_about(asking: Trust, owner: Trust, audience: Collection[str]) -> bool:
    """Its own tokens; of others access tokens that are for it, where its trust says that it is a resource server.

    audience: of an access token; empty for a refresh token, which is for nobody but its owner.
    """
    if asking.id == owner.id:
        return True
    return asking.oidc.introspects and not {asking.client_id, *asking.oidc.resources}.isdisjoint(audience)
