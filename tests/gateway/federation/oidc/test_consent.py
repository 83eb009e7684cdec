"""Consent: asked for as the trust says, given by the person alone."""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from gateway.federation.claims import ClaimsPolicy
from gateway.federation.oidc.pending_request import PendingRequest, write_pending
from gateway.federation.oidc.person_claims import PersonClaims
from gateway.federation.transactions import Transaction
from gateway.protocol import Identity
from gateway.signin import Session
from tests.gateway.federation.oidc.stand import (
    ANNA,
    BEN,
    AppBrowser,
    Arrival,
    OidcStand,
    authorize_parameters,
    changed,
    oidc_stand,
)


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, changed(consent="once")) as made:
        yield made


async def _answer(browser: AppBrowser, page: Arrival, answer: str, **changes: str) -> Arrival:
    fields = dict(re.findall(r'name="(csrf|transaction)" value="([^"]*)"', page.page))
    return await browser.request("POST", "/oidc/consent", data={**fields, "answer": answer, **changes})


async def test_what_was_agreed_to_once_is_not_asked_for_again(stand: OidcStand) -> None:
    """A wider scope is; the trail has it."""
    browser = stand.browser()
    page = await stand.signed_in(browser, scope="openid email")
    page = page if page.page else await browser.authorize(scope="openid email")
    assert "Your email address" in page.page
    arrival = await _answer(browser, page, "allow")
    assert (await stand.redeem(arrival.code))[0] == 200
    assert "code" in (await browser.authorize(scope="openid email", prompt="none")).members
    assert (await browser.authorize(scope="openid email groups", prompt="none")).members["error"] == "consent_required"
    assert "Your groups" in (await browser.authorize(scope="openid email groups")).page
    entries = await stand.relay.store.audit.entries(kind="federation.consent_given")
    assert [entry.event.detail["scope"] for entry in entries] == ["openid email"]


async def test_whoever_does_not_agree_tells_the_application_so(stand: OidcStand) -> None:
    """And is asked again the next time."""
    browser = stand.browser()
    page = await stand.signed_in(browser)
    arrival = await _answer(browser, page, "deny")
    assert arrival.members["error"] == "access_denied"
    assert not (await browser.authorize()).location


async def test_a_trust_may_ask_each_time(stand: OidcStand) -> None:
    """`always`: yes counts for this request."""
    await stand.trust(changed(consent="always"))
    browser = stand.browser()
    page = await stand.signed_in(browser)
    assert "code" in (await _answer(browser, page, "allow")).members
    assert not (await browser.authorize()).location


async def test_what_is_asked_for_claim_by_claim_is_agreed_to_as_well(stand: OidcStand) -> None:
    """The `claims` parameter leads round no question: whoever agreed to openid alone is asked about mail and groups."""
    browser = stand.browser()
    arrival = await _answer(browser, await stand.signed_in(browser, scope="openid"), "allow")
    assert (await stand.redeem(arrival.code))[0] == 200
    for place, claim, shown in (("userinfo", "email", "Your email address"), ("id_token", "groups", "Your groups")):
        single = json.dumps({place: {claim: None}})
        assert (await browser.authorize(scope="openid", claims=single, prompt="none")).members["error"] == "consent_required"
        page = await browser.authorize(scope="openid", claims=single)
        assert shown in page.page
        assert "code" in (await _answer(browser, page, "allow")).members
        assert "code" in (await browser.authorize(scope="openid", claims=single, prompt="none")).members


async def test_a_policy_that_changes_while_the_person_is_asked(stand: OidcStand) -> None:
    """It has no name for them any more: the application is told so, and nothing is agreed to."""
    browser = stand.browser()
    page = await stand.signed_in(browser)
    await stand.trust(replace(changed(consent="once"), claims=ClaimsPolicy(subject="mail")))
    assert (await _answer(browser, page, "allow")).members["error"] == "access_denied"
    assert await stand.relay.store.audit.entries(kind="federation.consent_given") == []


async def test_what_one_person_has_agreed_to_is_nobody_elses_yes(stand: OidcStand) -> None:
    """O20: the address that carries the answer on, opened by somebody else, asks again; who gave it is let pass."""
    anna, ben = stand.browser(), stand.browser()
    await stand.signed_in(anna)
    await ben.sign_in(await ben.authorize(), BEN)
    session = next(one for one in await _sessions(stand) if one.identity.user_name == ANNA)
    subject = _subject(stand, session.identity)
    query = urlencode(authorize_parameters(scope="openid email"))
    answered = PendingRequest(query=query, answer="allow", scope=("openid", "email"), subject=subject)
    transaction = Transaction(protocol="oidc", trust="app", request=write_pending(answered))
    path = await stand.relay.federation.transactions.url(transaction)
    assert "Your email address" in (await ben.open(path)).page
    assert "code" in (await anna.open(path)).members


async def _sessions(stand: OidcStand) -> list[Session]:
    found = await stand.relay.store.sessions.behind(b"", 10, time.time())
    return [stand.relay.sessions.read(record) for record in found]


def _subject(stand: OidcStand, identity: Identity) -> str:
    return PersonClaims(stand.relay.federation._secret).subject(changed(consent="once"), identity, "127.0.0.1")


async def test_nobody_else_makes_a_person_agree(stand: OidcStand) -> None:
    """O20: without this browser's token, from another site, or with what somebody else was asked."""
    anna, ben = stand.browser(), stand.browser()
    page, other = await stand.signed_in(anna), await ben.sign_in(await ben.authorize(), BEN)
    transaction = re.findall(r'name="transaction" value="([^"]*)"', page.page)[0]
    for changes in ({"csrf": "forged"}, {"transaction": "/continue/forged"}, {"transaction": "https://evil.example/"}):
        arrival = await _answer(anna, page, "allow", **changes)
        assert "code=" not in arrival.location
    fields = dict(re.findall(r'name="(csrf)" value="([^"]*)"', page.page))
    forged = await anna.request(
        "POST",
        "/oidc/consent",
        data={**fields, "transaction": transaction, "answer": "allow"},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert (forged.status, forged.location) == (403, "")
    arrival = await _answer(ben, other, "allow", transaction=transaction)
    assert "code=" not in arrival.location
    assert not (await anna.authorize()).location
    consents = stand.relay.store.consents
    for name in (ANNA, BEN):
        for account in await stand.relay.store.audit.accounts_named(name):
            assert await consents.of_account(account) == []
