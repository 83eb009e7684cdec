"""Which tokens a client may ask about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.federation.oidc.checks.introspection import check_confidential, may_ask_about
from gateway.federation.oidc.errors import InvalidClient
from gateway.federation.trusts import OidcClient, Trust

API = "https://api.example.com/"
APP = Trust(id="app", name="App", protocol="oidc")
SERVER = Trust(id="server", name="Server", protocol="oidc", oidc=OidcClient(introspects=True, resources=(API,)))
NOT_ALLOWED = replace(SERVER, oidc=replace(SERVER.oidc, introspects=False))


@pytest.mark.parametrize(
    ("asking", "audience", "answered"),
    [
        (APP, (), True),
        (APP, (API,), True),
        (SERVER, (API,), True),
        (SERVER, ("other", API), True),
        (SERVER, ("server",), True),
        (SERVER, ("app",), False),
        (SERVER, (), False),
        (NOT_ALLOWED, (API,), False),
        (NOT_ALLOWED, ("server",), False),
    ],
)
def test_whose_tokens_a_client_may_ask_about(asking: Trust, audience: tuple[str, ...], answered: bool) -> None:
    """Its own, and of the application's those that are for it, if its trust says so (RFC 7662 section 4)."""
    assert may_ask_about(asking, APP, audience) is answered


def test_a_client_that_proves_nothing_asks_nothing() -> None:
    """RFC 7662 section 2.1."""
    check_confidential(APP)
    with pytest.raises(InvalidClient) as refusal:
        check_confidential(replace(APP, oidc=replace(APP.oidc, authentication="none")))
    assert refusal.value.detail == "a client without authentication cannot ask about tokens"
