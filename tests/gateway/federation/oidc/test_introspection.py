"""Token introspection (RFC 7662) and client credentials (RFC 6749 section 4.4) over real HTTPS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.federation.trusts import Trust
from tests.gateway.federation.oidc.stand import APP, OTHER, SECRET, OidcStand, changed, in_thread, oidc_stand

API = "https://api.example.com/"
SERVER = replace(
    changed(OTHER, introspects=True, resources=(API,), grants=("client_credentials",), redirect_uris=()),
    id="api",
    name="API",
)
MACHINE = replace(changed(grants=("client_credentials",), scopes=("openid", "groups", "read", "write")), id="machine")


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, APP, OTHER, SERVER, MACHINE) as made:
        yield made


async def ask(stand: OidcStand, token: str, client: str = "app", **fields: Any) -> tuple[int, dict[str, Any]]:
    data = {"client_id": client, "client_secret": SECRET, "token": token, **fields}
    status, body, _ = await stand.post(
        "/oidc/introspect", {name: value for name, value in data.items() if value is not None}
    )
    return status, body


@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_a_client_asks_about_its_own_tokens(stand: OidcStand, form: Any) -> None:
    """What each says, as long as it is good; the spent refresh token is not, and asking about it ends nothing."""
    await stand.trust(changed(access_token=form))
    tokens = await stand.tokens(scope="openid email")
    status, told = await ask(stand, tokens["access_token"])
    assert status == 200
    assert (told["active"], told["scope"], told["client_id"], told["aud"]) == (True, "openid email", "app", stand.issuer)
    assert told["exp"] - told["iat"] in {600, 601}
    _, refresh = await ask(stand, tokens["refresh_token"], token_type_hint="access_token")
    assert (refresh["active"], refresh["sub"], refresh["scope"]) == (True, told["sub"], "openid email")
    assert "token_type" not in refresh
    _, following = await stand.refresh(tokens["refresh_token"])
    assert await ask(stand, tokens["refresh_token"]) == (200, {"active": False})
    assert (await ask(stand, following["refresh_token"]))[1]["active"]
    await stand.post("/oidc/revoke", {"client_id": "app", "client_secret": SECRET, "token": following["refresh_token"]})
    for token in (tokens["access_token"], following["access_token"], following["refresh_token"]):
        assert await ask(stand, token) == (200, {"active": False})


async def test_a_client_id_that_moves_to_another_trust_takes_no_tokens_along(stand: OidcStand) -> None:
    """O13: what the one before was given is neither the next one's to ask about nor to give back, and good nowhere."""
    tokens = await stand.tokens()
    await stand.trust(changed(client_id="before"))
    await stand.trust(changed(OTHER, client_id="app"))
    assert await ask(stand, tokens["access_token"]) == (200, {"active": False})
    assert (await stand.userinfo(tokens["access_token"]))[0] == 401
    await stand.post("/oidc/revoke", {"client_id": "app", "client_secret": SECRET, "token": tokens["access_token"]})
    assert (await stand.refresh(tokens["refresh_token"], client_id="before"))[0] == 200


async def test_a_client_that_nobody_here_wrote_asks(stand: OidcStand) -> None:
    """Authlib's introspect_token."""
    tokens = await stand.tokens()
    with stand.authlib() as client:
        url = f"{stand.issuer}/oidc/introspect"
        answer = await in_thread(client.introspect_token, url, tokens["access_token"], token_type_hint="access_token")
    assert answer.json()["active"] is True


async def test_a_resource_server_asks_about_tokens_that_are_for_it(stand: OidcStand) -> None:
    """RFC 7662 section 4: by its address in the audience, and no others; never about refresh tokens."""
    tokens = await stand.tokens(resource=API)
    _, told = await ask(stand, tokens["access_token"], "api")
    assert (told["active"], told["aud"], told["client_id"]) == (True, API, "app")
    assert await ask(stand, tokens["refresh_token"], "api") == (200, {"active": False})
    for resource in ("https://files.example.com/", None):
        other = await stand.tokens(resource=resource)
        assert await ask(stand, other["access_token"], "api") == (200, {"active": False})
    await stand.trust(replace(SERVER, oidc=replace(SERVER.oidc, introspects=False)))
    assert await ask(stand, tokens["access_token"], "api") == (200, {"active": False})


async def test_nothing_is_told_of_what_is_anothers(stand: OidcStand) -> None:
    """O13: another client's tokens, tokens of another kind, damaged ones, those of a disabled trust: all one answer."""
    tokens = await stand.tokens()
    for token in (tokens["access_token"], tokens["refresh_token"]):
        assert await ask(stand, token, "other") == (200, {"active": False})
    forged = tokens["refresh_token"][:-8] + "AAAAAAAA"
    for token in (tokens["id_token"], "x", "a.b.c", forged, tokens["access_token"][:-4] + "AAAA"):
        assert await ask(stand, token) == (200, {"active": False})
    assert (await stand.refresh(tokens["refresh_token"]))[0] == 200


async def test_only_who_proves_itself_may_ask(stand: OidcStand) -> None:
    """RFC 7662 section 2.1: a public client could try tokens out."""
    token = (await stand.tokens())["access_token"]
    assert (await ask(stand, token, client_secret="wrong"))[0] == 401
    await stand.trust(changed(application="native", authentication="none", secrets=()))
    status, body = await ask(stand, token, client_secret=None)
    assert (status, body["error"]) == (401, "invalid_client")


async def machine(stand: OidcStand, **fields: Any) -> tuple[int, dict[str, Any]]:
    return await stand.token(grant_type="client_credentials", client_id="machine", **fields)


@pytest.mark.parametrize("form", ["jwt", "opaque"])
async def test_a_client_gets_a_token_for_itself(stand: OidcStand, form: Any) -> None:
    """RFC 6749 section 4.4.3, RFC 9068 section 2.2: about the client, for the API, without a refresh token."""
    await stand.trust(replace(MACHINE, oidc=replace(MACHINE.oidc, access_token=form)))
    status, tokens = await machine(stand, scope="read", resource=API)
    assert status == 200
    assert set(tokens) == {"access_token", "token_type", "expires_in", "scope"}
    _, told = await ask(stand, tokens["access_token"], "api")
    assert (told["active"], told["sub"], told["client_id"], told["scope"]) == (True, "machine", "machine", "read")
    assert "auth_time" not in told
    assert (await machine(stand))[1]["scope"] == "read write"
    (_, entry) = await stand.relay.store.audit.entries(kind="federation.issued")
    assert (entry.event.actor, entry.event.subject) == ("trust:machine", "machine")


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"scope": "read admin"}, "invalid_scope"),
        ({"scope": "openid"}, "invalid_scope"),
        ({"scope": "groups"}, "invalid_scope"),
        ({"resource": "https://other.example.com/"}, "invalid_target"),
        ({"client_id": "app"}, "unauthorized_client"),
        ({"client_secret": "wrong"}, "invalid_client"),
    ],
)
async def test_what_a_client_cannot_get_for_itself(stand: OidcStand, fields: dict[str, str], error: str) -> None:
    """O23: an API or a scope that is not its trust's; what needs a person; without proof; without the grant."""
    _, body = await stand.token(**{"grant_type": "client_credentials", "client_id": "machine", **fields})
    assert body["error"] == error


async def test_a_token_without_a_person_is_no_persons(stand: OidcStand) -> None:
    """Userinfo has nothing to say of it; nor is it good when its trust is disabled."""
    _, tokens = await machine(stand)
    assert (await stand.userinfo(tokens["access_token"]))[0] == 403
    assert (await ask(stand, tokens["access_token"], "machine"))[1]["active"]
    await stand.trust(_disabled(MACHINE))
    assert await ask(stand, tokens["access_token"], "app") == (200, {"active": False})


def _disabled(trust: Trust) -> Trust:
    return replace(trust, enabled=False)
