"""What an application may have done by its logout request (OpenID Connect RP-Initiated Logout 1.0). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from gateway.federation.oidc.errors import InvalidRequest
from gateway.federation.oidc.parameters import Parameters
from gateway.federation.trusts import Trust


@dataclass(frozen=True, slots=True, kw_only=True)
class EndSessionRequest:
    """What an application asks for (section 2)."""

    id_token_hint: str = field(default="", repr=False)
    client_id: str = ""
    post_logout_redirect_uri: str = ""
    state: str = field(default="", repr=False)
    ui_locales: tuple[str, ...] = ()


def read_logout_request(parameters: Parameters) -> EndSessionRequest:
    """Raises InvalidRequest."""
    parameters.check_unique()
    return EndSessionRequest(
        id_token_hint=parameters.one("id_token_hint"),
        client_id=parameters.one("client_id"),
        post_logout_redirect_uri=parameters.one("post_logout_redirect_uri"),
        state=parameters.one("state"),
        ui_locales=parameters.words("ui_locales")[:20],
    )


def check_hinted_client(asked: EndSessionRequest, hint: Mapping[str, Any]) -> None:
    """Where both are there, they name the same client (section 2). Raises InvalidRequest."""
    if hint and asked.client_id not in {"", hint.get("aud")}:
        raise InvalidRequest("is not whom the ID token was given to", parameter="client_id")


def checked_return(asked: EndSessionRequest, trust: Trust) -> str:
    """Where the person goes afterwards, with `state`; empty where the application does not say (section 3).

    Compared character by character. Raises InvalidRequest.
    """
    uri = asked.post_logout_redirect_uri
    if not uri:
        return ""
    if uri not in trust.oidc.post_logout_redirect_uris:
        raise InvalidRequest("is not one of the trust's", parameter="post_logout_redirect_uri")
    if not asked.state:
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}{urlencode({'state': asked.state})}"
