"""A key is tried by one browser with one application, over HTTPS; and what does not come of an address that was stolen."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from certs import KeyState
from gateway.federation.keys.material import make_key
from gateway.federation.trials import TrialAddressView
from gateway.federation.trials.carriage import ADDRESS_LIFETIME, COOKIE, TRIAL_LIFETIME
from gateway.federation.trusts import AssertionConsumer, SamlParty, Trust
from gateway.relay import ActRefused
from gateway.store import AuditEvent, SigningKeyRecord
from isthmus.application_explanation import explain_application
from tests.gateway.federation.oidc.application_server import application_server
from tests.gateway.federation.oidc.stand import ANNA, APP, BEN, OTHER, AppBrowser, Arrival, OidcStand, changed, oidc_stand
from tests.gateway.federation.saml.service_provider import answer_in
from tests.support.fakes import FakeDirectories
from tests.support.nodes import TwoNodes, trusting_client

WIKI = Trust(
    id="wiki",
    name="Wiki",
    protocol="saml",
    saml=SamlParty(
        entity_id="https://wiki.example.com/",
        consumers=(AssertionConsumer(url="https://wiki.example.com/acs", default=True),),
        idp_initiated=True,
    ),
)
ADMIN = "admin:ann"


class Clock:
    """The real time, and what a test lets pass."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def stand(tmp_path: Path, clock: Clock) -> AsyncIterator[OidcStand]:
    async with oidc_stand(tmp_path, APP, OTHER, WIKI, clock=clock) as made:
        yield made


@pytest.fixture(scope="module")
def next_keys() -> dict[str, SigningKeyRecord]:
    """By ring; made once, because making them takes time."""
    now = time.time()
    return {
        ring: make_key(ring, algorithm, host="h", state=KeyState.PUBLISHED, now=now, lifetime=1e6)  # type: ignore[arg-type]
        for ring, algorithm in (("oidc", "ES256"), ("saml", "RSA"))
    }


async def publish(stand: OidcStand, record: SigningKeyRecord) -> str:
    """A key, in whichever state; every node knows it. Its id."""
    unit = stand.relay.store.unit()
    unit.put_signing_key(record)
    await unit.commit()
    await known(stand)
    return record.id


async def known(stand: OidcStand) -> None:
    for node in stand.relays:
        await node.store.generations.look()


async def order(stand: OidcStand, key: str, trust: str = "app") -> str:
    """What an administrator gets: the path of the address."""
    view = await stand.relay.federation.trial_acts.try_key(key, trust, ADMIN)
    assert isinstance(view, TrialAddressView)
    return view.url.removeprefix(stand.issuer)


async def press(browser: AppBrowser, page: Arrival, path: str = "/key-trial/start") -> Arrival:
    """The button of a page."""
    fields = dict(re.findall(r'name="(csrf|session|offer)" value="([^"]*)"', page.page))
    return await browser.request("POST", path, data=fields)


async def started(stand: OidcStand, key: str, browser: AppBrowser, trust: str = "app") -> Arrival:
    """The page of a trial that has begun, by a browser in which somebody is signed in."""
    return await press(browser, await browser.open(await order(stand, key, trust)))


async def signed_in(stand: OidcStand, user: str = ANNA) -> AppBrowser:
    browser = stand.browser()
    await browser.sign_in(await browser.open("/signin"), user)
    return browser


def kid(token: str) -> str:
    """Of a JWT, which key it says that it is signed with."""
    header = token.partition(".")[0]
    return str(json.loads(base64.urlsafe_b64decode(header + "=" * (-len(header) % 4)))["kid"])


def kids(tokens: dict[str, Any]) -> set[str]:
    return {kid(tokens["access_token"]), kid(tokens["id_token"])}


def in_use(stand: OidcStand) -> str:
    return stand.relay.federation.keys.active("oidc", "ES256").id


async def events(stand: OidcStand, start: str) -> list[AuditEvent]:
    """Oldest first."""
    return [entry.event for entry in reversed(await stand.relay.store.audit.entries()) if entry.event.kind.startswith(start)]


# -- what works


async def _walk_through(stand: OidcStand, new: str) -> None:
    """Opened before anybody is signed in: password, page, start, sign-in at the application, refresh, end."""
    old, browser = in_use(stand), stand.browser()
    page = await browser.sign_in(await browser.open(await order(stand, new)))
    assert "Try a signing key?" in page.page
    assert new in page.page
    assert kids(await stand.tokens(browser)) == {old}  # nothing has been started yet
    running = await press(browser, page)
    assert "You are trying a signing key" in running.page
    assert 'href="https://app.example.com/"' in running.page
    tokens = await stand.tokens(browser)
    assert kids(tokens) == {new}
    assert (await stand.userinfo(tokens["access_token"]))[0] == 200
    assert kids((await stand.refresh(tokens["refresh_token"]))[1]) == {new}
    again = await stand.tokens(browser, prompt="login")  # the same person: the session goes on
    assert kids(again) == {new}
    ended = await press(browser, await browser.open("/key-trial"), "/key-trial/end")
    assert "No signing key is being tried" in ended.page
    assert kids((await stand.refresh(again["refresh_token"]))[1]) == {old}
    assert kids(await stand.tokens(browser)) == {old}


async def test_a_key_is_tried_before_it_is_used_for_anybody_else(
    stand: OidcStand, next_keys: dict[str, SigningKeyRecord]
) -> None:
    """By a session that begins only after the address was opened; the trail says who ordered, who began, what was signed."""
    new = await publish(stand, next_keys["oidc"])
    await _walk_through(stand, new)
    ordered, began, ended = await events(stand, "signing_key.trial")
    assert (ordered.kind, ordered.actor, ordered.subject, ordered.detail) == (
        "signing_key.trial_ordered",
        ADMIN,
        new,
        {"trust": "app"},
    )
    assert (began.kind, began.subject, began.address) == ("signing_key.trial_started", ANNA, "127.0.0.1")
    assert began.detail == ended.detail == {"trust": "app", "key": new, "ordered_by": ADMIN}
    assert ended.kind == "signing_key.trial_ended"
    told = [
        explain_application(entry) for entry in await stand.relay.administration.audit(kind="federation.issued", limit=9)
    ]
    assert [one.key for one in told[-2:]] == [f"{new} (tried: `isthmus certs try`)", in_use(stand)]
    issued = [event.detail for event in await events(stand, "federation.issued")]
    assert [(entry["key"] == new, entry.get("trial", "")) for entry in issued] == [
        (False, ""),
        (True, "yes"),
        (True, "yes"),
        (True, "yes"),
        (False, ""),
        (False, ""),
    ]


@pytest.mark.postgres
async def test_each_step_may_reach_the_other_node(two_nodes: TwoNodes, next_keys: dict[str, SigningKeyRecord]) -> None:
    """Ordered at one, opened, started and signed at either."""
    people = FakeDirectories({ANNA: "right"})
    async with two_nodes.agent(people), trusting_client(two_nodes._home) as client:
        stand = OidcStand(two_nodes.relays, people, two_nodes._home, client)
        await stand.trust(APP)
        await _walk_through(stand, await publish(stand, next_keys["oidc"]))


async def test_nobody_else_and_no_other_application_notices(
    stand: OidcStand, next_keys: dict[str, SigningKeyRecord]
) -> None:
    """Another person, the same person elsewhere, another application in the same session; key set and metadata stay."""
    new, old = await publish(stand, next_keys["oidc"]), in_use(stand)
    browser, elsewhere = await signed_in(stand), await signed_in(stand)
    await started(stand, new, browser)
    for other in (await signed_in(stand, BEN), elsewhere):
        other.cookies[COOKIE] = browser.cookies[COOKIE]  # even with the cookie
        assert kids(await stand.tokens(other)) == {old}
    arrival = await browser.authorize(client_id="other", redirect_uri=OTHER.oidc.redirect_uris[0])
    status, tokens = await stand.redeem(arrival.code, client_id="other", redirect_uri=OTHER.oidc.redirect_uris[0])
    assert (status, kids(tokens)) == (200, {old})
    assert in_use(stand) == old
    assert kids(await stand.tokens(browser)) == {new}


async def test_a_logout_token_is_signed_with_it_too(stand: OidcStand, next_keys: dict[str, SigningKeyRecord]) -> None:
    """The application that is told of the end must accept the key there as well; the one beside it is told as before."""
    new, old = await publish(stand, next_keys["oidc"]), in_use(stand)
    async with application_server() as server, application_server() as beside:
        await stand.trust(changed(APP, backchannel_logout_uri=server.url), changed(OTHER, backchannel_logout_uri=beside.url))
        browser = await signed_in(stand)
        await started(stand, new, browser)
        await stand.tokens(browser)
        await browser.authorize(client_id="other", redirect_uri=OTHER.oidc.redirect_uris[0])
        await press(browser, await browser.open("/account"), "/signout")
    assert ([kid(token) for token in server.tokens], [kid(token) for token in beside.tokens]) == ([new], [old])


async def test_a_saml_response_is_signed_with_it(stand: OidcStand, next_keys: dict[str, SigningKeyRecord]) -> None:
    """Started from here (IdP-initiated), to which the page leads; afterwards with the key in use again."""
    keys, browser = stand.relay.federation.keys, await signed_in(stand)
    new, old = await publish(stand, next_keys["saml"]), keys.active("saml", "RSA")
    page = await started(stand, new, browser, "wiki")
    assert 'href="/saml/start/wiki"' in page.page
    answer = answer_in((await browser.open("/saml/start/wiki")).page)
    tried = keys.find(new)
    assert tried is not None
    assert answer.signed_ids(tried.certificate)
    issued = (await events(stand, "federation.issued"))[-1].detail
    assert (issued["key"], issued["trial"]) == (new, "yes")
    await press(browser, await browser.open("/key-trial"), "/key-trial/end")
    answer = answer_in((await browser.open("/saml/start/wiki")).page)
    assert answer.signed_ids(old.certificate)


# -- what does not


async def test_an_address_starts_one_trial(stand: OidcStand, next_keys: dict[str, SigningKeyRecord]) -> None:
    """Of two browsers that start at once one gets it; whoever only opens it takes nothing away."""
    new, old = await publish(stand, next_keys["oidc"]), in_use(stand)
    address = await order(stand, new)
    browsers = [await signed_in(stand), await signed_in(stand, BEN)]
    pages = [await browser.open(address) for browser in browsers for _ in range(2)]
    assert all("Try a signing key?" in page.page for page in pages)
    tries = [press(browser, page) for browser, page in zip(browsers, pages[::2], strict=True)]
    assert sorted(page.status for page in await asyncio.gather(*tries)) == [200, 400]
    signed = [kids(await stand.tokens(browser)) for browser in browsers]
    assert sorted(signed, key=lambda one: one == {new}) == [{old}, {new}]
    again = await press(browsers[0], pages[0])
    assert (again.status, "no longer valid" in again.page) == (400, True)
    assert len(await events(stand, "signing_key.trial_started")) == 1


async def test_a_link_or_another_sites_form_starts_nothing(stand: OidcStand, next_keys: dict[str, SigningKeyRecord]) -> None:
    """Without the page's own form there is no trial, and a page from before somebody else signed in is shown anew."""
    new, old, browser = await publish(stand, next_keys["oidc"]), in_use(stand), await signed_in(stand)
    address = await order(stand, new)
    page = await browser.open(address)
    fields = dict(re.findall(r'name="(session|offer)" value="([^"]*)"', page.page))
    forged = await browser.request("POST", "/key-trial/start", data={**fields, "csrf": "x"})
    foreign = await browser.request(
        "POST", "/key-trial/start", data=fields, headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    )
    assert "trying" not in forged.page + foreign.page
    assert foreign.status == 403
    await browser.sign_in(await browser.authorize(prompt="login"), BEN)
    shown = await press(browser, page)  # of Anna's session
    assert (shown.status, "Try a signing key?" in shown.page, BEN.partition("@")[0] in shown.page.lower()) == (
        200,
        True,
        True,
    )
    assert kids(await stand.tokens(browser)) == {old}
    for sealed in ("x", address.removeprefix("/key-trial/")[:-4] + "AAAA"):
        assert (await browser.open(f"/key-trial/{sealed}")).status == 400
    assert not await events(stand, "signing_key.trial_started")


async def test_an_address_and_a_trial_end_by_themselves(
    stand: OidcStand, clock: Clock, next_keys: dict[str, SigningKeyRecord]
) -> None:
    """Five minutes to open it, and fifteen to try."""
    new, old, browser = await publish(stand, next_keys["oidc"]), in_use(stand), await signed_in(stand)
    late = await order(stand, new)
    page = await browser.open(late)
    clock.ahead += ADDRESS_LIFETIME + 1
    assert "no longer valid" in (await press(browser, page)).page
    assert "no longer valid" in (await browser.open(late)).page
    await started(stand, new, browser)
    tokens = await stand.tokens(browser)
    assert kids(tokens) == {new}
    clock.ahead += TRIAL_LIFETIME + 1
    assert kids((await stand.refresh(tokens["refresh_token"]))[1]) == {old}
    assert kids(await stand.tokens(browser)) == {old}
    assert "No signing key is being tried" in (await browser.open("/key-trial")).page


async def test_a_trial_ends_with_its_session(stand: OidcStand, next_keys: dict[str, SigningKeyRecord]) -> None:
    """The same person in the same browser, signed in anew, tries nothing; nor does another person there."""
    new, old, browser = await publish(stand, next_keys["oidc"]), in_use(stand), await signed_in(stand)
    await started(stand, new, browser)
    offline = await stand.tokens(browser, scope="openid offline_access")
    assert kids(offline) == {new}
    page = await browser.open("/account")
    await press(browser, page, "/signout")
    assert kids((await stand.refresh(offline["refresh_token"]))[1]) == {old}  # it outlives the session, the trial does not
    for user in (ANNA, BEN):
        shown = await browser.authorize(prompt="login")
        status, tokens = await stand.redeem((await browser.sign_in(shown, user)).code)
        assert (status, kids(tokens)) == (200, {old})


@pytest.mark.parametrize("end", ["replaced", "deleted"])
async def test_a_key_that_may_not_sign_any_more_signs_for_nobody(
    stand: OidcStand, next_keys: dict[str, SigningKeyRecord], end: str
) -> None:
    """It was rolled back and deleted, or replaced in an emergency: the key in use signs, and no new trial begins."""
    new, old, browser = await publish(stand, next_keys["oidc"]), in_use(stand), await signed_in(stand)
    waiting = await browser.open(await order(stand, new))
    opened = await order(stand, new)
    await started(stand, new, browser)
    tokens = await stand.tokens(browser)
    assert kids(tokens) == {new}
    unit = stand.relay.store.unit()
    if end == "deleted":
        unit.forget_signing_key(new)
    else:
        unit.put_signing_key(replace(next_keys["oidc"], state=KeyState.RETIRING.value, version=2))
    await unit.commit()
    await known(stand)
    assert kids((await stand.refresh(tokens["refresh_token"]))[1]) == {old}
    assert kids(await stand.tokens(browser)) == {old}
    assert "No signing key is being tried" in (await browser.open("/key-trial")).page
    for page in (await press(browser, waiting), await browser.open(opened)):
        assert (page.status, "can't be tried any more" in page.page) == (400, True)
    with pytest.raises(ActRefused):
        await order(stand, new)


async def test_a_trust_that_was_disabled_is_tried_by_nobody(
    stand: OidcStand, next_keys: dict[str, SigningKeyRecord]
) -> None:
    """Neither ordered, nor opened, nor started."""
    new, browser = await publish(stand, next_keys["oidc"]), await signed_in(stand)
    address = await order(stand, new)
    page = await browser.open(address)
    await stand.trust(replace(APP, enabled=False))
    for refused in (await browser.open(address), await press(browser, page)):
        assert (refused.status, "can't be tried any more" in refused.page) == (400, True)
    with pytest.raises(ActRefused, match="disabled"):
        await order(stand, new)


async def test_keys_of_another_kind_are_refused_by_name(stand: OidcStand, next_keys: dict[str, SigningKeyRecord]) -> None:
    """Another ring, another algorithm, one in use, none at all; the message names those that would do."""
    new, saml = await publish(stand, next_keys["oidc"]), await publish(stand, next_keys["saml"])
    for key, trust, reason in (
        (saml, "app", f"ring saml.*can be tried with it: {new}"),
        (new, "wiki", f"ring oidc.*can be tried with it: {saml}"),
        (in_use(stand), "app", "in use"),
        (stand.relay.federation.keys.active("oidc", "RS256").id, "app", "RS256"),
        ("nobody's", "app", "no such key"),
        (new, "nobody", "no such trust"),
    ):
        with pytest.raises(ActRefused, match=reason):
            await order(stand, key, trust)
    assert not await events(stand, "signing_key.trial")
