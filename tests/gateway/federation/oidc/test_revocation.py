"""Token revocation (RFC 7009) over real HTTPS."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.gateway.federation.oidc.stand import APP, OTHER, SECRET, OidcStand, changed, in_thread, oidc_stand


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, APP, OTHER) as made:
        yield made


async def revoke(stand: OidcStand, token: str, client: str = "app", **fields: Any) -> tuple[int, dict[str, Any]]:
    status, body, _ = await stand.post(
        "/oidc/revoke", {"client_id": client, "client_secret": SECRET, "token": token, **fields}
    )
    return status, body


@pytest.mark.parametrize("hint", ["", "refresh_token", "access_token", "nonsense"])
@pytest.mark.parametrize("kind", ["refresh_token", "access_token"])
async def test_either_token_ends_both(stand: OidcStand, kind: str, hint: str) -> None:
    """RFC 7009 section 2.1: whatever the hint says; again changes nothing; the trail has it once, without the token."""
    tokens = await stand.tokens()
    for _ in range(2):
        assert await revoke(stand, tokens[kind], token_type_hint=hint) == (200, {})
    assert (await stand.userinfo(tokens["access_token"]))[0] == 401
    assert (await stand.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"
    (entry,) = await stand.relay.store.audit.entries(kind="federation.revoked")
    assert (entry.event.actor, entry.event.detail) == ("trust:app", {"by": kind})
    assert tokens[kind] not in str(entry)


async def test_a_client_that_nobody_here_wrote_revokes(stand: OidcStand) -> None:
    """Authlib's revoke_token."""
    tokens = await stand.tokens()
    with stand.authlib(revocation_endpoint_auth_method="client_secret_post") as client:
        answer = await in_thread(
            client.revoke_token, f"{stand.issuer}/oidc/revoke", tokens["refresh_token"], token_type_hint="refresh_token"
        )
    assert answer.status_code == 200
    assert (await stand.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_nobody_revokes_what_is_anothers(stand: OidcStand) -> None:
    """O13: a token of another client, of another kind, or none at all: answered as if, nothing done, nothing told."""
    tokens = await stand.tokens()
    for token in (tokens["refresh_token"], tokens["access_token"]):
        assert await revoke(stand, token, "other") == (200, {})
    for token in (tokens["id_token"], "x", "a.b.c", "0" * 64 + "." + "A" * 43, tokens["access_token"][:-4] + "AAAA"):
        assert await revoke(stand, token) == (200, {})
    assert (await stand.userinfo(tokens["access_token"]))[0] == 200
    assert (await stand.refresh(tokens["refresh_token"]))[0] == 200
    assert not await stand.relay.store.audit.entries(kind="federation.revoked")


async def test_the_client_proves_itself_first(stand: OidcStand) -> None:
    """RFC 7009 section 2.1; and a token in the query ends in logs."""
    token = (await stand.tokens())["refresh_token"]
    assert (await revoke(stand, token, client_secret="wrong"))[1]["error"] == "invalid_client"
    assert (await stand.post(f"/oidc/revoke?token={token}", {"client_id": "app", "client_secret": SECRET}))[0] == 400
    assert (await revoke(stand, ""))[1]["error"] == "invalid_request"
    assert (await stand.refresh(token))[0] == 200


async def test_a_public_client_revokes_its_own(stand: OidcStand) -> None:
    """With its client_id alone; scripts of its origin may ask."""
    own = "https://app.example.com"
    await stand.trust(changed(application="browser", authentication="none", secrets=(), origins=(own,)))
    arrival = await stand.signed_in(stand.browser())
    _, tokens = await stand.redeem(arrival.code, client_secret=None)
    status, _, headers = await stand.post(
        "/oidc/revoke", {"client_id": "app", "token": tokens["refresh_token"]}, headers={"Origin": own}
    )
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, own)
    assert (await stand.refresh(tokens["refresh_token"], client_secret=None))[1]["error"] == "invalid_grant"


async def test_a_token_of_the_client_itself_cannot_be_revoked(stand: OidcStand) -> None:
    """RFC 7009 section 2.2.1: said, rather than pretended."""
    await stand.trust(changed(grants=("client_credentials",), scopes=("read",)))
    _, tokens = await stand.token(grant_type="client_credentials")
    assert (await revoke(stand, tokens["access_token"]))[1]["error"] == "unsupported_token_type"
