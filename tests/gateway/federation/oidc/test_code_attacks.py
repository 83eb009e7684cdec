"""Codes and refresh tokens in the wrong hands, or twice: over real HTTPS."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.typing import EventDict

from gateway.federation.oidc.grant_details import grant_id_of
from gateway.federation.oidc.refresh_tokens import grant_id_in
from gateway.protocol import AccountId
from gateway.store import GrantRecord
from tests.gateway.federation.oidc.stand import (
    APP,
    BEN,
    CALLBACK,
    OTHER,
    PASSWORD,
    SECRET,
    VERIFIER,
    OidcStand,
    changed,
    oidc_stand,
)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, APP, OTHER) as made:
        yield made


def _check_refused(error: str, answer: tuple[int, dict[str, Any]]) -> None:
    status, body = answer
    assert (status, body["error"]) == (401 if error == "invalid_client" else 400, error)
    assert set(body) == {"error", "error_description"}


async def test_a_code_twice_ends_all_that_came_of_it(stand: OidcStand) -> None:
    """O02: oidcc-codereuse; the access token dies with the refresh token."""
    arrival = await stand.signed_in(stand.browser())
    status, tokens = await stand.redeem(arrival.code)
    assert status == 200
    assert (await stand.userinfo(tokens["access_token"]))[0] == 200
    _check_refused("invalid_grant", await stand.redeem(arrival.code))
    assert (await stand.userinfo(tokens["access_token"]))[0] == 401
    _check_refused("invalid_grant", await stand.refresh(tokens["refresh_token"]))


async def test_of_two_who_redeem_a_code_in_one_moment_nobody_keeps_tokens(stand: OidcStand) -> None:
    """O02: the second one may come between the first one's look and its grant."""
    for _ in range(5):
        arrival = await stand.signed_in(stand.browser())
        answers = await asyncio.gather(*(stand.redeem(arrival.code) for _ in range(4)))
        assert Counter(status for status, _ in answers)[200] <= 1
        for status, body in answers:
            if status == 200:
                assert (await stand.userinfo(body["access_token"]))[0] == 401


async def test_a_second_redemption_that_is_faster_makes_the_first_fail(stand: OidcStand) -> None:
    """O02: the mark that it leaves is in the way of the first one's grant."""
    arrival = await stand.signed_in(stand.browser())
    grants, add = stand.relay.store.grants, stand.relay.store.grants.add

    async def slow(record: GrantRecord) -> bool:
        grants.add = add  # type: ignore[method-assign]
        _check_refused("invalid_grant", await stand.redeem(arrival.code))
        return await add(record)

    grants.add = slow  # type: ignore[method-assign]
    _check_refused("invalid_grant", await stand.redeem(arrival.code))


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"client_id": "other"}, "invalid_grant"),
    ({"redirect_uri": "https://app.example.com/callback/"}, "invalid_grant"),
    ({"redirect_uri": None}, "invalid_grant"),
    ({"code_verifier": None}, "invalid_grant"),
    ({"code_verifier": "B" * 43}, "invalid_grant"),
    ({"code_verifier": "short"}, "invalid_request"),
    ({"resource": "https://other.example.com/"}, "invalid_target"),
    ({"client_secret": "wrong"}, "invalid_client"),
    ({"client_id": "unknown"}, "invalid_client"),
    ({"client_secret": None}, "invalid_client"),
    ({"grant_type": None}, "invalid_request"),
    ({"grant_type": "implicit"}, "unsupported_grant_type"),
    ({"grant_type": "password"}, "unauthorized_client"),
    ({"code": None}, "invalid_request"),
    ({"code": "invented"}, "invalid_grant"),
]


async def test_a_code_of_another_client_is_refused_for_that(stand: OidcStand, logs: list[EventDict]) -> None:
    """O02: not for what else is not there for it; the log says whose it was."""
    arrival = await stand.signed_in(stand.browser())
    _check_refused("invalid_grant", await stand.redeem(arrival.code, client_id="other"))
    assert [line["detail"] for line in logs if line["event"] == "oidc.refused"] == ["the code was issued to app"]


async def test_what_hangs_on_a_session_ends_with_its_time(tmp_path: Path) -> None:
    """A code that comes too late, and refresh tokens; those of offline_access go on (OpenID Connect Core section 11)."""
    ahead = [0.0]
    async with oidc_stand(tmp_path, clock=lambda: time.time() + ahead[0]) as stand:
        stand.relay.sessions.use(replace(stand.relay.settings.signin, session_lifetime=1000.0))
        browser = stand.browser()
        within, beyond = [await stand.tokens(browser, scope=f"openid {more}") for more in ("email", "offline_access")]
        ahead[0] = 980.0
        code = (await stand.signed_in(browser)).code
        within = (await stand.refresh(within["refresh_token"]))[1]
        ahead[0] = 1001.0
        _check_refused("invalid_grant", await stand.redeem(code))
        _check_refused("invalid_grant", await stand.refresh(within["refresh_token"]))
        assert (await stand.refresh(beyond["refresh_token"]))[0] == 200


async def test_a_code_is_bound_to_all_it_was_issued_for(stand: OidcStand) -> None:
    """O02, O03, O23: client, address, verifier, API; and the client proves itself first."""
    browser = stand.browser()
    for fields, error in WRONG:
        arrival = await stand.signed_in(browser)
        _check_refused(error, await stand.redeem(arrival.code, **fields))


async def test_the_mark_of_a_code_that_was_used_twice_is_no_grant(stand: OidcStand) -> None:
    """O02: whoever knows the code knows what the grant would have been called; there is nothing behind it."""
    arrival = await stand.signed_in(stand.browser())
    await stand.relay.store.once.clear()
    _check_refused("invalid_grant", await stand.redeem(arrival.code))
    guess = f"{grant_id_of(arrival.code)}.{'A' * 43}"
    _check_refused("invalid_grant", await stand.refresh(guess))
    _check_refused("invalid_grant", await stand.refresh(guess, client_id="other"))


async def test_a_code_is_worth_nothing_after_the_sign_out(stand: OidcStand) -> None:
    """attacks.md, OIDC: code after sign-out."""
    browser = stand.browser()
    arrival = await stand.signed_in(browser)
    for found in await stand.relay.store.sessions.of_user(anna(), 0):
        session = stand.relay.sessions.read(found)
        await stand.relay.store.participants.take(session.key)
    _check_refused("invalid_grant", await stand.redeem(arrival.code))


def anna() -> AccountId:
    return AccountId("9d1c", "3f1c" + b"anna@corp.example.com".hex())


async def test_a_refresh_token_twice_within_the_grace_time_gives_the_same_next_one(stand: OidcStand) -> None:
    """O11: an answer that got lost costs nobody the session (fastmcp#5037, better-auth#8512)."""
    tokens = await stand.tokens()
    answers = await asyncio.gather(*(stand.refresh(tokens["refresh_token"]) for _ in range(50)))
    assert {status for status, _ in answers} == {200}
    assert len({body["refresh_token"] for _, body in answers}) == 1
    assert len({body["access_token"] for _, body in answers}) == 50
    assert (await stand.refresh(answers[0][1]["refresh_token"]))[0] == 200


async def test_a_refresh_token_of_two_uses_ago_ends_the_family(stand: OidcStand) -> None:
    """O11: whoever has a copy, thief or client, loses it; the trail says so."""
    first = await stand.tokens()
    _, second = await stand.refresh(first["refresh_token"])
    _, third = await stand.refresh(second["refresh_token"])
    _check_refused("invalid_grant", await stand.refresh(first["refresh_token"]))
    _check_refused("invalid_grant", await stand.refresh(third["refresh_token"]))
    assert (await stand.userinfo(third["access_token"]))[0] == 401
    kinds = [entry.event.kind for entry in await stand.relay.store.audit.entries(kind="federation.token_reused")]
    assert kinds == ["federation.token_reused"]


async def test_an_invented_token_of_a_live_family_ends_it(stand: OidcStand) -> None:
    """O11: who knows the family and guesses is no client of ours."""
    tokens = await stand.tokens()
    guess = f"{grant_id_in(tokens['refresh_token'])}.{'A' * 43}"
    _check_refused("invalid_grant", await stand.refresh(guess))
    _check_refused("invalid_grant", await stand.refresh(tokens["refresh_token"]))


async def test_a_refresh_token_is_for_its_client_and_its_scope(stand: OidcStand) -> None:
    """O11: another client neither gets anything nor ends anything; scope and resources only become less."""
    tokens = await stand.tokens(resource="https://api.example.com/")
    token = tokens["refresh_token"]
    _check_refused("invalid_grant", await stand.refresh(token, client_id="other"))
    _check_refused("invalid_scope", await stand.refresh(token, scope="openid groups"))
    _check_refused("invalid_target", await stand.refresh(token, resource="https://files.example.com/"))
    status, less = await stand.refresh(token, scope="openid")
    assert (status, less["scope"]) == (200, "openid")
    status, all_again = await stand.refresh(less["refresh_token"])
    assert (status, all_again["scope"]) == (200, "openid profile email")


async def test_a_refresh_token_of_a_client_that_may_have_none_is_not_given(stand: OidcStand) -> None:
    """The trust's grants decide."""
    await stand.trust(changed(grants=("authorization_code",)))
    tokens = await stand.tokens(scope="openid offline_access")
    assert "refresh_token" not in tokens
    assert tokens["scope"] == "openid"


async def test_with_the_session_ends_what_hangs_on_it(stand: OidcStand) -> None:
    """Without offline_access; with it the grant outlives the session."""
    bound = await stand.tokens()
    lasting = await stand.tokens(scope="openid offline_access")
    store = stand.relay.store
    for record in await store.sessions.of_user(anna(), 0.0):
        await store.grants.end_of_session(stand.relay.sessions.read(record).key)
    _check_refused("invalid_grant", await stand.refresh(bound["refresh_token"]))
    assert (await stand.refresh(lasting["refresh_token"]))[0] == 200


async def test_a_disabled_trust_gives_nothing_any_more(stand: OidcStand) -> None:
    """Nor do its tokens count at userinfo."""
    tokens = await stand.tokens()
    await stand.trust(replace(APP, enabled=False))
    _check_refused("invalid_client", await stand.refresh(tokens["refresh_token"]))
    assert (await stand.userinfo(tokens["access_token"]))[0] == 401


async def test_the_token_endpoint_reads_nothing_from_its_address(stand: OidcStand) -> None:
    """O10: a secret in the query ends in the logs of everything on the way."""
    arrival = await stand.signed_in(stand.browser())
    form = {"grant_type": "authorization_code", "code": arrival.code, "client_id": "app", "redirect_uri": CALLBACK}
    status, body, _ = await stand.post(f"/oidc/token?client_secret={SECRET}", {**form, "code_verifier": VERIFIER})
    assert (status, body["error"]) == (400, "invalid_request")
    form_type = "application/x-www-form-urlencoded"
    for content, content_type in ((b"{}", "application/json"), (b"x" * 70_000, form_type), (b"a=%ff", form_type)):
        status, body, _ = await stand.post("/oidc/token", content, headers={"Content-Type": content_type})
        assert (status, body["error"]) == (400, "invalid_request")


async def test_another_person_gets_another_subject(stand: OidcStand) -> None:
    """And each application, where it has pairwise ones, its own."""
    browser = stand.browser()
    page = await browser.authorize(scope="openid")
    arrival = await browser.sign_in(page, BEN, PASSWORD)
    _, ben = await stand.redeem(arrival.code)
    own = await stand.tokens()
    subjects = {(await stand.userinfo(tokens["access_token"]))[1]["sub"] for tokens in (ben, own)}
    assert len(subjects) == 2


async def test_an_api_that_sees_an_access_token_cannot_end_its_grant(stand: OidcStand) -> None:
    """O11: what names the grant in an access token makes up no refresh token, spent or not."""
    tokens = await stand.tokens(scope="openid offline_access")
    claims = json.loads(base64.urlsafe_b64decode(tokens["access_token"].split(".")[1] + "=="))
    status, _ = await stand.refresh(f"{claims['grant']}.{'A' * 43}")
    assert status == 400
    assert (await stand.refresh(tokens["refresh_token"]))[0] == 200
