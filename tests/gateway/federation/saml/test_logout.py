"""Single logout: a party wants it, or the person does; each party is told, and who was not is named."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import unescape
from typing import Any
from unittest.mock import AsyncMock
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from foundation.saml import (
    LogoutRequest,
    LogoutResponse,
    posted,
    read_logout_request,
    read_logout_response,
    read_posted,
    read_redirect,
    sign_element,
    sign_redirect,
    verify_enveloped,
    verify_redirect,
    write_envelope,
)
from foundation.saml.requests import LOGOUT_REQUEST
from gateway.federation.saml.endpoints import refusals
from gateway.federation.saml.logout.messages import LIFETIME
from gateway.federation.trusts import AssertionConsumer, SamlParty, Trust
from gateway.store import StoreUnavailable
from tests.foundation.saml.parties import Party, party
from tests.gateway.federation.saml.conftest import Provider
from tests.gateway.federation.saml.service_provider import (
    ENTITY,
    IDP,
    NAMES,
    ORIGIN,
    Form,
    answer_in,
    authn_request,
    by_redirect,
    instant,
    own_keys,
    pem,
)
from tests.gateway.signin.site import RIGHT, SESSION, Site

SLO = f"{ORIGIN}/saml/slo"
WIKI_SLO, SHOP_SLO = "https://wiki.example.com/saml/slo", "https://shop.example.com/slo?tenant=1"
SHOP = "https://shop.example.com/saml"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
PARTIAL = "urn:oasis:names:tc:SAML:2.0:status:PartialLogout"
BEN = "ben@corp.example.com"


@dataclass(frozen=True)
class Known:
    """What a party was told of a session."""

    name: str
    index: str


def shop_trust(**fields: Any) -> Trust:
    said = SamlParty(
        entity_id=SHOP,
        consumers=(AssertionConsumer(url="https://shop.example.com/acs", default=True),),
        certificates=(pem(party("shop")),),
        logout_url=SHOP_SLO,
    )
    return Trust(id="shop", name="Shop & Söhne", protocol="saml", saml=replace(said, **fields))


async def join(site: Site, entity: str = ENTITY, request_id: str = "_a") -> Known:
    """A person who is signed in opens the application."""
    path = by_redirect(authn_request(site.now, "", entity, ID=request_id, AssertionConsumerServiceURL=None))
    answer = answer_in((await site.get(path))[1])
    return Known(answer.text("//a:NameID"), answer.text("//a:AuthnStatement/@SessionIndex"))


async def both(site: Site, provider: Provider, **shop: Any) -> tuple[Known, Known]:
    """Signed in to both."""
    await provider.change(logout_url=WIKI_SLO)
    await provider.trusted(shop_trust(**shop))
    await site.sign_in()
    return await join(site), await join(site, SHOP, "_b")


def logout(now: float, known: Known, /, *more: str, issuer: str = ENTITY, **attributes: str | None) -> bytes:
    """A LogoutRequest with these attributes (`None` leaves one out); `more`: further indexes."""
    named: dict[str, str | None] = {
        "ID": "_logout1",
        "Version": "2.0",
        "IssueInstant": instant(now),
        "Destination": SLO,
        **attributes,
    }
    written = " ".join(f'{name}="{value}"' for name, value in named.items() if value is not None)
    indexes = "".join(f"<p:SessionIndex>{index}</p:SessionIndex>" for index in (known.index, *more) if index)
    return (
        f'<p:LogoutRequest xmlns:p="{NAMES["p"]}" xmlns:a="{NAMES["a"]}" {written}>'
        f"<a:Issuer>{issuer}</a:Issuer><a:NameID>{known.name}</a:NameID>{indexes}</p:LogoutRequest>"
    ).encode()


def response(now: float, asked: str, issuer: str = SHOP, status: str = SUCCESS, destination: str = SLO) -> bytes:
    return (
        f'<p:LogoutResponse xmlns:p="{NAMES["p"]}" xmlns:a="{NAMES["a"]}" ID="_answer" Version="2.0"'
        f' IssueInstant="{instant(now)}" Destination="{destination}" InResponseTo="{asked}">'
        f'<a:Issuer>{issuer}</a:Issuer><p:Status><p:StatusCode Value="{status}"/></p:Status></p:LogoutResponse>'
    ).encode()


def sent(document: bytes, keys: Party | None, relay_state: str = "") -> str:
    """The path that a browser is sent to; signed with `keys`."""
    name: Any = "SAMLResponse" if b"LogoutResponse" in document else "SAMLRequest"
    query = sign_redirect(name, document, relay_state, (keys or own_keys()).key)
    return f"/saml/slo?{query if keys is not None else query.partition('&SigAlg=')[0]}"


def request_in(provider: Provider, url: str) -> LogoutRequest:
    """What a party is asked by redirect; signed by us."""
    message = read_redirect(urlsplit(url).query)
    verify_redirect(message, [provider.context._key()[1]])
    return read_logout_request(message.document)


def response_in(provider: Provider, url: str) -> tuple[LogoutResponse, str]:
    """What a party is answered by redirect, with RelayState; signed by us."""
    message = read_redirect(urlsplit(url).query)
    verify_redirect(message, [provider.context._key()[1]])
    return read_logout_response(message.document), message.relay_state


async def followed(site: Site, path: str) -> tuple[int, str, Any]:
    """Along redirects of ours."""
    status, page, headers = await site.get(path)
    while headers.get("Location", "").startswith("/"):
        status, page, headers = await site.get(headers["Location"])
    return status, page, headers


def further(page: str) -> str:
    """Where the page leads by itself."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', page)
    assert found is not None, page
    return unescape(found[1])


def skip(page: str) -> str:
    found = re.search(r'<a href="(/saml/logout/[^"]+)"(?: data-wait="15.0")?>Continue without', page)
    assert found is not None, page
    return unescape(found[1])


async def signed_in(site: Site) -> bool:
    return (await site.get("/account"))[0] == 200


async def test_a_party_ends_the_session_and_the_other_is_told(site: Site, provider: Provider) -> None:
    """Request, request to the other, its answer, answer (saml-profiles-2.0-os section 4.4.3): all by redirect."""
    wiki, shop = await both(site, provider)
    _, page, headers = await followed(site, sent(logout(site.now, wiki), own_keys(), "where/from"))
    assert not await signed_in(site)
    assert re.search(r"Shop & Söhne</bdi></strong></div>\s*<span class=\"state\">signing out…", unescape(page))
    assert headers["Referrer-Policy"] == "no-referrer"
    asked = request_in(provider, further(page))
    assert further(page).startswith(f"{SHOP_SLO}&SAMLRequest=")
    assert (asked.issuer, asked.destination, asked.session_indexes) == (IDP, SHOP_SLO, (shop.index,))
    assert asked.name_id is not None
    assert (asked.name_id.value, asked.name_id.sp_qualifier) == (shop.name, SHOP)
    assert asked.expires == int(site.now) + LIFETIME
    _, _, headers = await followed(site, sent(response(site.now, asked.id), party("shop")))
    told, relay_state = response_in(provider, headers["Location"])
    assert headers["Location"].startswith(f"{WIKI_SLO}?SAMLResponse=")
    assert (told.succeeded, told.in_response_to, told.destination) == (True, "_logout1", WIKI_SLO)
    assert relay_state == "where/from"


async def test_a_request_needs_no_cookie(site: Site, provider: Provider) -> None:
    """Another site's post brings none, and the person may sit at another browser: the session is found by its index."""
    wiki, _ = await both(site, provider)
    kept = dict(site.cookies)
    site.cookies.clear()
    await followed(site, sent(logout(site.now, wiki), own_keys()))
    site.cookies.update(kept)
    assert not await signed_in(site)


@pytest.mark.parametrize(
    "shop", [{}, {"logout_binding": "soap", "logout_url": "https://127.0.0.1:1/"}], ids=["redirect", "soap"]
)
async def test_a_party_that_goes_on_by_itself_learns_nothing_of_others(
    site: Site, provider: Provider, shop: dict[str, str]
) -> None:
    """S28: neither the name under which the other application knows the person, nor that there is one. The session ends."""
    wiki, other = await both(site, provider, **shop)
    kept = dict(site.cookies)
    site.cookies.clear()
    _, page, headers = await followed(site, sent(logout(site.now, wiki), own_keys(), "back"))
    told, relay_state = response_in(provider, headers["Location"])
    assert (told.status, relay_state) == ((SUCCESS, PARTIAL), "back")
    assert other.name not in page
    assert "Shop" not in unescape(page)
    site.cookies.update(kept)
    assert not await signed_in(site)


async def test_a_party_that_answers_by_itself_is_not_led_on(site: Site, provider: Provider) -> None:
    """S28: what its own server gets in place of the browser ends there."""
    await both(site, provider)
    _, _, headers = await site.post("/signout")
    _, page, _ = await followed(site, headers["Location"])
    site.cookies.clear()
    status, page, _ = await followed(site, sent(response(site.now, request_in(provider, further(page)).id), party("shop")))
    assert (status, "Wiki" in page, "SAMLRequest" in page) == (400, False, False)


async def test_a_form_of_another_site_brings_no_cookie_and_the_redirect_after_it_does(
    site: Site, provider: Provider
) -> None:
    """SameSite=Lax: the browser is known by the second request (RFC 6265bis section 5.2)."""
    wiki, _ = await both(site, provider, logout_binding="soap", logout_url="https://127.0.0.1:1/")
    kept = dict(site.cookies)
    site.cookies.clear()
    signed = sign_element(logout(site.now, wiki), "_logout1", own_keys().key, None)
    _, _, headers = await site.request("POST", "/saml/slo", data={"SAMLRequest": posted(signed)})
    site.cookies.update(kept)
    _, page, _ = await followed(site, headers["Location"])
    assert "Shop & Söhne" in unescape(page)
    assert "not reached" in page


async def test_long_ids_that_begin_alike_are_two_requests(site: Site, provider: Provider) -> None:
    """Each ends its session; the second time neither is answered."""
    await provider.change(logout_url=WIKI_SLO)
    for number in range(2):
        await site.sign_in()
        wiki = await join(site, ENTITY, f"_{number}")
        await followed(site, sent(logout(site.now, wiki, ID="_" + "a" * 200 + str(number)), own_keys()))
        assert not await signed_in(site)


async def test_the_person_signs_out_here(site: Site, provider: Provider) -> None:
    """Both are told, one after the other; the page at the end says so. No form leads to another site by itself."""
    await both(site, provider)
    status, _, headers = await site.post("/signout")
    assert (status, SESSION in site.cookies) == (303, False)
    _, page, _ = await followed(site, headers["Location"])
    for issuer, keys in ((SHOP, party("shop")), (ENTITY, own_keys())):
        asked = request_in(provider, further(page))
        _, page, headers = await followed(site, sent(response(site.now, asked.id, issuer), keys))
    assert page.count('<span class="state">signed out</span>') == 2
    assert "may still be signed in" not in page


async def test_a_party_that_takes_posts_is_posted_to(site: Site, provider: Provider) -> None:
    """Signed in the message itself (saml-bindings-2.0-os section 3.5.5.2); so is the answer to one that asked."""
    wiki, shop = await both(site, provider, logout_binding="post")
    _, page, _ = await followed(site, sent(logout(site.now, wiki), own_keys()))
    form = Form(page)
    assert (form.action, "sends-itself" in page) == (SHOP_SLO, True)
    document = read_posted(form.fields["SAMLRequest"])
    certificate = provider.context._key()[1]
    asked = read_logout_request(verify_enveloped(document, [certificate], "r", root_tags=(LOGOUT_REQUEST,)).document)
    assert asked.session_indexes == (shop.index,)
    answer = sign_element(response(site.now, asked.id), "_answer", party("shop").key, None)
    status, _, headers = await site.request("POST", "/saml/slo", data={"SAMLResponse": posted(answer)})
    _, _, headers = await followed(site, headers["Location"])
    assert response_in(provider, headers["Location"])[0].succeeded
    # and now the other way round
    await site.sign_in()
    shop = await join(site, SHOP, "_c")
    asking = logout(site.now, shop, issuer=SHOP, ID="_logout2")
    signed = sign_element(asking, "_logout2", party("shop").key, None)
    fields = {"SAMLRequest": posted(signed), "RelayState": "<\"'&>"}
    status, page, _ = await site.request("POST", "/saml/slo", data=fields)
    form = Form(page)
    assert (status, form.action, form.fields["RelayState"]) == (200, SHOP_SLO, "<\"'&>")
    assert read_logout_response(read_posted(form.fields["SAMLResponse"])).succeeded


BAD_ANSWERS: dict[str, Callable[[float, str], str]] = {
    "no success": lambda now, asked: sent(response(now, asked, status="urn:oasis:no"), party("shop")),
    "S20 not signed": lambda now, asked: sent(response(now, asked), None),
    "S20 another's key": lambda now, asked: sent(response(now, asked), own_keys()),
    "S20 another party": lambda now, asked: sent(response(now, asked, ENTITY), own_keys()),
    "S24 Issuer": lambda now, asked: sent(response(now, asked, ENTITY), party("shop")),
    "S24 Destination": lambda now, asked: sent(response(now, asked, destination=f"{SLO}/x"), party("shop")),
}


@pytest.mark.parametrize("made", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
async def test_whoever_answers_badly_is_not_believed_and_stops_nobody(
    site: Site, provider: Provider, made: Callable[[float, str], str]
) -> None:
    """The page names who was not reached, and then the party that asked hears that it was not everybody."""
    wiki, _ = await both(site, provider)
    _, page, _ = await followed(site, sent(logout(site.now, wiki), own_keys()))
    _, page, _ = await followed(site, made(site.now, request_in(provider, further(page)).id))
    assert "not reached" in page
    assert "close all browser windows" in page
    await partial(site, provider, page)


async def partial(site: Site, provider: Provider, page: str) -> None:
    """From the page to the party that asked."""
    back = re.search(r'class="button" href="(/saml/logout/[^"]+)">Back to Wiki', page)
    assert back is not None, page
    _, _, headers = await site.get(back[1])
    assert response_in(provider, headers["Location"])[0].status == (SUCCESS, PARTIAL)


async def test_a_party_that_never_answers_is_left_behind(site: Site, provider: Provider) -> None:
    """The page goes on after a while. Loaded again, as by Back from the party's own page, it waits for the person.

    It would send them there for ever; its button still does, with the same request.
    """
    wiki, _ = await both(site, provider)
    _, _, headers = await site.get(sent(logout(site.now, wiki), own_keys()))
    _, page, _ = await site.get(headers["Location"])
    _, again, _ = await site.get(headers["Location"])
    assert ("data-wait" in page, "data-wait" in again, "refresh" in again) == (True, False, False)
    found = re.search(r'<a class="button" href="([^"]+)"', again)
    assert found is not None
    assert request_in(provider, further(page)).id == request_in(provider, unescape(found[1])).id
    _, page, _ = await followed(site, skip(again))
    assert "not reached" in page
    await partial(site, provider, page)


async def test_an_answer_counts_once_and_in_its_time(site: Site, provider: Provider) -> None:
    """S23: whoever comes with it again, or late, gets a page; nothing is sent anywhere."""
    wiki, _ = await both(site, provider)
    _, page, _ = await followed(site, sent(logout(site.now, wiki), own_keys()))
    answer = sent(response(site.now, request_in(provider, further(page)).id), party("shop"))
    site.now += LIFETIME + 1
    assert (await site.get(answer))[0] == 400
    site.now -= LIFETIME + 1
    assert (await followed(site, sent(response(site.now, "_unknown"), party("shop"))))[0] == 400
    _, page, _ = await followed(site, skip(page))
    assert "not reached" in page


@pytest.mark.parametrize("sealed", ["x", "/continue/"])
async def test_an_address_that_is_none_of_ours_leads_nowhere(site: Site, provider: Provider, sealed: str) -> None:
    """Neither one that was made up, nor one of a sign-in in progress."""
    if sealed != "x":
        shown = await site.open(by_redirect(authn_request(site.now)))
        sealed = shown.field("return_to").removeprefix("/continue/")
    status, page, _ = await site.get(f"/saml/logout/{sealed}")
    assert (status, "no longer valid" in page) == (400, True)


UNPROVEN: dict[str, tuple[Callable[[float, Known], str], str]] = {
    "S28 not signed": (lambda now, wiki: sent(logout(now, wiki), None), "has to be signed"),
    "S20 another's key": (lambda now, wiki: sent(logout(now, wiki), party("shop")), "does not hold"),
    "S20 another's name": (lambda now, wiki: sent(logout(now, wiki, issuer=SHOP), own_keys()), "does not hold"),
    "S20 RelayState changed": (
        lambda now, wiki: sent(logout(now, wiki), own_keys(), "a").replace("RelayState=a", "RelayState=b"),
        "does not hold",
    ),
    "S20 signature taken away": (
        lambda now, wiki: sent(logout(now, wiki), own_keys()).partition("&Signature")[0],
        "SigAlg or Signature",
    ),
    "S21 twice": (lambda now, wiki: sent(logout(now, wiki), own_keys()) + "&SAMLRequest=x", "there twice"),
    "S24 Destination": (
        lambda now, wiki: sent(logout(now, wiki, Destination=f"{ORIGIN}/saml/sso"), own_keys()),
        "meant for",
    ),
    "S24 no Destination": (lambda now, wiki: sent(logout(now, wiki, Destination=None), own_keys()), "meant for nobody"),
    "a request to sign in": (lambda now, _: by_redirect(authn_request(now)).replace("/sso", "/slo"), "root is AuthnRequest"),
}


@pytest.mark.parametrize(("made", "reason"), UNPROVEN.values(), ids=UNPROVEN)
async def test_a_request_that_is_not_proven_ends_nothing(
    site: Site, provider: Provider, made: Callable[[float, Known], str], reason: str
) -> None:
    """A page, whether the trust wants signed requests to sign in or not; the log says why."""
    wiki, _ = await both(site, provider)
    with capture_logs() as logs:
        status, page, _ = await site.get(made(site.now, wiki))
    assert (status, "SAMLResponse" in page, reason in page) == (400, False, False)
    assert reason in next(entry["reason"] for entry in logs if entry["event"] == "saml.unproven")
    assert await signed_in(site)


async def test_a_signature_over_something_else_is_not_one(site: Site, provider: Provider) -> None:
    """S01: the signed request stands inside another one."""
    wiki, _ = await both(site, provider)
    signed = sign_element(logout(site.now, wiki), "_logout1", own_keys().key, None)
    evil = logout(site.now, wiki, ID="_evil").replace(
        b"</a:Issuer>", b"</a:Issuer><p:Extensions>" + signed + b"</p:Extensions>"
    )
    status, _, _ = await site.request("POST", "/saml/slo", data={"SAMLRequest": posted(evil)})
    assert (status, await signed_in(site)) == (400, True)


NOBODY: dict[str, Callable[[Known, Known], Known]] = {
    "S28 another party's index": lambda wiki, shop: Known(wiki.name, shop.index),
    "S28 another party's person": lambda _, shop: shop,
    "S28 another party's name": lambda _, shop: Known(shop.name, ""),
    "S28 an index that was guessed": lambda wiki, _: Known(wiki.name, "_0"),
    "S28 another name": lambda wiki, _: Known(f"{wiki.name}x", wiki.index),
    "S28 no such person": lambda wiki, _: Known(wiki.name.upper(), ""),
    "S28 an attribute in the name": lambda wiki, _: Known("%", wiki.index),
}


@pytest.mark.parametrize("made", NOBODY.values(), ids=NOBODY)
async def test_a_party_ends_only_its_own_sessions(
    site: Site, provider: Provider, made: Callable[[Known, Known], Known]
) -> None:
    """What it does not know of, it does not end, and does not learn of: the answer is that of a session that has ended."""
    wiki, shop = await both(site, provider)
    _, _, headers = await site.get(sent(logout(site.now, made(wiki, shop)), own_keys()))
    assert response_in(provider, headers["Location"])[0].succeeded
    assert await signed_in(site)


async def test_a_thousand_indexes_are_too_many(site: Site, provider: Provider) -> None:
    """S28: refused before anything is looked up; a hundred are looked up."""
    wiki, _ = await both(site, provider)
    many = logout(site.now, wiki, *(f"_{number}" for number in range(1000)))
    status, _, _ = await site.get(sent(many, own_keys()))
    assert (status, await signed_in(site)) == (400, True)
    some = logout(site.now, wiki, *(f"_{number}" for number in range(99)))
    await site.get(sent(some, own_keys()))
    assert not await signed_in(site)


async def test_without_an_index_all_sessions_of_the_person_are_meant(site: Site, provider: Provider) -> None:
    """In every browser, and nobody else's (saml-core-2.0-os section 3.7.1)."""
    site.authenticator.people[BEN] = RIGHT
    wiki, _ = await both(site, provider)
    browsers = [dict(site.cookies)]
    for user_name, request_id in (("anna@corp.example.com", "_c"), (BEN, "_d")):
        site.cookies.clear()
        await site.sign_in(user_name=user_name)
        await join(site, request_id=request_id)
        browsers.append(dict(site.cookies))
    await followed(site, sent(logout(site.now, Known(wiki.name, "")), own_keys()))
    signed = []
    for cookies in browsers:
        site.cookies = cookies
        signed.append(await signed_in(site))
    assert signed == [False, False, True]


REFUSED: dict[str, tuple[float, dict[str, str], str]] = {
    "S23 old": (-601, {}, "RequestDenied"),
    "S23 ahead": (121, {}, "RequestDenied"),
    "S24 NotOnOrAfter": (0, {"NotOnOrAfter": "2020-01-01T00:00:00Z"}, "RequestDenied"),
}


@pytest.mark.parametrize(("moved", "attributes", "status"), REFUSED.values(), ids=REFUSED)
async def test_a_request_of_another_time_ends_nothing(
    site: Site, provider: Provider, moved: float, attributes: dict[str, str], status: str
) -> None:
    """The party is told so, signed."""
    wiki, _ = await both(site, provider)
    _, _, headers = await site.get(sent(logout(site.now + moved, wiki, **attributes), own_keys()))
    assert response_in(provider, headers["Location"])[0].status[1].endswith(status)
    assert await signed_in(site)


async def test_a_request_counts_once(site: Site, provider: Provider) -> None:
    """S23: whoever has kept it signs nobody out later."""
    wiki, _ = await both(site, provider)
    path = sent(logout(site.now, Known(wiki.name, "")), own_keys())
    await followed(site, path)
    await site.sign_in()
    await join(site, request_id="_c")
    _, _, headers = await site.get(path)
    assert response_in(provider, headers["Location"])[0].status[1].endswith("RequestDenied")
    assert await signed_in(site)


async def test_a_party_whose_trust_went_is_not_waited_for(site: Site, provider: Provider) -> None:
    """It is on the way, and then has no address for it any more. The party that asked hears that it was not everybody."""
    wiki, _ = await both(site, provider)
    _, _, headers = await site.get(sent(logout(site.now, wiki), own_keys()))
    await provider.trusted(shop_trust(logout_url=""))
    _, _, headers = await followed(site, headers["Location"])
    assert response_in(provider, headers["Location"])[0].status == (SUCCESS, PARTIAL)


async def test_the_metadata_lists_the_logout(site: Site, provider: Provider) -> None:
    """saml-metadata-2.0-os section 2.4.2: one address for all three bindings."""
    _, page, _ = await site.get("/saml/metadata")
    found = re.findall(r'SingleLogoutService Binding="[^"]+:([\w-]+)" Location="([^"]+)"', page)
    assert sorted(found) == [("HTTP-POST", SLO), ("HTTP-Redirect", SLO), ("SOAP", SLO)]


async def test_a_chain_that_is_too_long_for_an_address_is_kept(site: Site, provider: Provider) -> None:
    """Thirty parties: each is asked in its turn, and the address stays short."""
    await provider.change(logout_url=WIKI_SLO)
    await site.sign_in()
    for number in range(30):
        entity = f"https://party{number}.example.com/saml"
        trust = shop_trust(entity_id=entity, logout_url=f"https://party{number}.example.com/slo")
        await provider.trusted(replace(trust, id=f"party{number}", name=f"Party {number}"))
        site.now += 1
        await join(site, entity, f"_{number}")
    _, _, headers = await site.post("/signout")
    for number in range(30):
        assert len(headers["Location"]) < 3100
        _, page, _ = await site.get(headers["Location"])
        asked = request_in(provider, further(page))
        assert asked.destination == f"https://party{number}.example.com/slo"
        answer = response(site.now, asked.id, f"https://party{number}.example.com/saml")
        _, _, headers = await site.get(sent(answer, party("shop")))
    _, page, _ = await followed(site, headers["Location"])
    assert page.count('<span class="state">signed out</span>') == 30


async def outcomes(site: Site) -> list[str]:
    """Of parties that the browser told; in no order."""
    entries = await site.store.audit.entries(kind="federation.logout_told")
    assert all(entry.event.account is not None for entry in entries)
    return sorted(f"{entry.event.actor} {entry.event.detail['outcome']}" for entry in entries)


async def test_the_trail_says_who_wanted_it_and_who_was_told(site: Site, provider: Provider) -> None:
    """Party by party; a page that is loaded again asks nobody again."""
    wiki, _ = await both(site, provider)
    path = sent(logout(site.now, wiki), own_keys())
    _, _, headers = await site.get(path)
    _, page, _ = await site.get(headers["Location"])
    await site.get(headers["Location"])
    (entry,) = await site.store.audit.entries(kind="federation.logout_requested")
    assert (entry.event.actor, entry.event.detail) == ("trust:wiki", {"sessions": "1"})
    assert entry.event.account is not None
    assert await outcomes(site) == ["trust:shop asked"]
    await followed(site, sent(response(site.now, request_in(provider, further(page)).id), party("shop")))
    assert await outcomes(site) == ["trust:shop asked", "trust:shop told"]


@pytest.mark.parametrize("made", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
async def test_a_bad_answer_is_in_the_trail(site: Site, provider: Provider, made: Callable[[float, str], str]) -> None:
    """As one that was not told."""
    wiki, _ = await both(site, provider)
    _, page, _ = await followed(site, sent(logout(site.now, wiki), own_keys()))
    await followed(site, made(site.now, request_in(provider, further(page)).id))
    assert await outcomes(site) == ["trust:shop asked", "trust:shop failed"]


async def test_a_party_that_did_not_answer_is_in_the_trail_once(site: Site, provider: Provider) -> None:
    """The person went on without it, and loads that page again; an answer that comes after that is none."""
    wiki, _ = await both(site, provider)
    _, page, _ = await followed(site, sent(logout(site.now, wiki), own_keys()))
    for _ in range(2):
        await followed(site, skip(page))
    assert await outcomes(site) == ["trust:shop asked", "trust:shop not answered"]
    late = sent(response(site.now, request_in(provider, further(page)).id), party("shop"))
    assert (await site.get(late))[0] == 400


async def test_a_trail_that_fails_keeps_nobody_signed_in(
    site: Site, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The session has ended before, and the other party is told."""
    wiki, _ = await both(site, provider)
    failing = AsyncMock(side_effect=StoreUnavailable("store", "disk full", ""))
    monkeypatch.setattr(site.store.audit, "append", failing)
    _, page, _ = await followed(site, sent(logout(site.now, wiki), own_keys()))
    assert request_in(provider, further(page)).destination == SHOP_SLO
    assert not await signed_in(site)


@pytest.mark.parametrize(
    ("keys", "moved", "trust", "reason"), [(None, 0, "", "unproven"), (own_keys(), -601, "wiki", "RequestDenied")]
)
@pytest.mark.parametrize("by_soap", [False, True], ids=["browser", "SOAP"])
async def test_refusals_are_noted(
    site: Site,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    keys: Party | None,
    moved: float,
    trust: str,
    reason: str,
    by_soap: bool,
) -> None:
    """For metrics and trail; see `refused_requests`."""
    wiki, _ = await both(site, provider)
    noted: list[tuple[str, str]] = []
    monkeypatch.setattr(refusals, "note_refusal", lambda _request, **said: noted.append((said["trust"], said["reason"])))
    document = logout(site.now + moved, wiki)
    if by_soap:
        signed = sign_element(document, "_logout1", keys.key, None) if keys is not None else document
        headers = {"Content-Type": "text/xml; charset=utf-8"}
        await site.request("POST", "/saml/slo", data=write_envelope(signed), headers=headers)
    else:
        await site.get(sent(document, keys))
    assert noted == [(trust, reason)]
