"""The sign-in's pages: what people meet, and what attackers try."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

import pytest

from gateway.protocol import AccountId, Outcome
from gateway.relay.credentials.attempt import Verdict
from gateway.signin.browser import safe_path
from gateway.store import StoreUnavailable
from tests.gateway.signin.site import ANNA, FORM, ORIGIN, RIGHT, SESSION, STEP, ScreenReader, Shown, Site, token_in


async def test_a_person_signs_in_and_out(site: Site) -> None:
    """Name, password, account; then out again."""
    shown = await site.submit("/signin", step="user", user_name=f"  {ANNA} ")
    assert (shown.path, shown.asks_for()) == ("/signin/password", ["password"])
    assert ANNA in shown.page
    assert (await site.sign_in()).path == "/account"
    shown = await site.submit("/signout")
    assert (shown.path, "You are signed out." in shown.page) == ("/signed-out", True)
    assert SESSION not in site.cookies
    assert (await site.open("/account")).path == "/signin"
    await site.sign_in()
    assert (await site.open("/signed-out")).path == "/account"


async def test_home_and_a_second_visit_go_on_at_once(site: Site) -> None:
    """Whoever is signed in is not asked again, not even by Back."""
    assert (await site.get("/"))[2]["Location"] == "/account"
    await site.sign_in()
    assert (await site.get("/signin?return_to=/app%3Fx%3D1"))[2]["Location"] == "/app?x=1"
    assert (await site.open("/signin/password")).path == "/account"


async def test_where_somebody_wanted_to_go_comes_along(site: Site) -> None:
    """Over every step and every mistake."""
    shown = await site.submit("/signin", step="user", user_name=ANNA, return_to="/app?x=1")
    assert (shown.path, shown.field("return_to")) == ("/signin/password?return_to=/app%3Fx%3D1", "/app?x=1")
    assert (await site.sign_in("wrong", return_to="/app?x=1")).field("return_to") == "/app?x=1"
    assert (await site.submit("/signin", user_name=" ", return_to="/app?x=1")).field("return_to") == "/app?x=1"
    _, _, headers = await site.post("/signin", step="password", user_name=ANNA, password=RIGHT, return_to="/app?x=1")
    assert headers["Location"] == "/app?x=1"


# -- POST, redirect, GET


async def test_reload_and_back_send_nothing_again(site: Site) -> None:
    """What a form came to is shown by pages that can be asked for any number of times."""
    wrong = await site.sign_in("wrong")
    asked = len(site.authenticator.attempts)
    assert (wrong.status, "Incorrect user name" in wrong.error) == (200, True)
    again = await site.open(wrong.path)
    assert (again.error, again.asks_for()) == (wrong.error, ["password"])
    site.authenticator.next = Verdict(outcome=Outcome.ACCOUNT_DISABLED, password_proven=True)
    refused = await site.sign_in()
    back = await site.open("/signin/password")
    assert (refused.path, back.error, back.field("user_name")) == ("/signin/refused", "", ANNA)
    assert len(site.authenticator.attempts) == asked + 1


async def test_what_a_form_came_to_is_over_after_ten_minutes(site: Site) -> None:
    """And then the name is asked for again."""
    shown = await site.sign_in("wrong")
    site.now += 599
    assert "Incorrect" in (await site.open(shown.path)).error
    site.now += 2
    assert (await site.open(shown.path)).path == "/signin"


@pytest.mark.parametrize("path", ["/signin/password", "/signin/new-password", "/signin/refused", "/signin/changed"])
async def test_no_page_between_two_others_can_be_opened_by_itself(site: Site, path: str) -> None:
    """Nor with another step's cookie, another browser's, or a garbled one: the sign-in begins anew."""
    assert (await site.open(f"{path}?return_to=/app")).path == "/signin?return_to=/app"
    await site.sign_in("wrong")
    cookie = site.cookies[STEP]
    if path != "/signin/password":
        assert (await site.open(path)).path == "/signin"
    for changed in (cookie[:-2] + ("AA" if cookie[-2:] != "AA" else "BB"), "", "x", "x" * 3000):
        site.cookies[STEP] = changed
        assert (await site.open(path)).path == "/signin"
    site.cookies[STEP] = cookie
    site.cookies[FORM] = "another browser's"
    assert (await site.open(path)).path == "/signin"


async def test_no_cookie_and_no_address_says_who_signs_in_or_with_what(site: Site) -> None:
    """What is carried is sealed."""
    site.authenticator.next = Verdict(outcome=Outcome.PASSWORD_EXPIRED, password_proven=True)
    _, page, headers = await site.post("/signin", step="password", user_name=ANNA, password=RIGHT)
    sent = str(site.cookies) + str(headers) + page
    assert RIGHT not in sent
    assert "anna" not in sent
    assert (await site.open(headers["Location"])).path == "/signin/new-password"
    assert RIGHT not in site.seen.page


async def test_a_session_ends_what_was_carried(site: Site) -> None:
    """Nothing of a sign-in is left in the browser."""
    await site.sign_in("wrong")
    assert STEP in site.cookies
    await site.sign_in()
    assert STEP not in site.cookies


# -- sessions and forms


async def test_the_session_id_is_new_after_every_sign_in(site: Site) -> None:
    """An id planted before (fixation) or used before is worth nothing."""
    site.cookies[SESSION] = "planted-by-an-attacker"
    await site.sign_in()
    first = site.cookies[SESSION]
    assert first != "planted-by-an-attacker"
    await site.sign_in()
    second = site.cookies[SESSION]
    assert second != first
    site.cookies[SESSION] = first
    assert (await site.get("/account"))[0] == 303


async def test_the_store_knows_no_cookie(site: Site) -> None:
    """Whoever reads the database cannot impersonate anybody."""
    await site.sign_in()
    sessions = await site.store.sessions.of_user(AccountId("", f"guid-{ANNA}"), site.now)
    assert site.cookies[SESSION].encode() not in sessions[0].digest + sessions[0].identity


async def test_sessions_end_by_themselves(site: Site) -> None:
    """Idle for an hour, or twelve hours old."""
    await site.sign_in()
    site.now += 3500
    assert (await site.get("/account"))[0] == 200
    site.now += 3500
    assert (await site.get("/account"))[0] == 200
    site.now += 3700
    assert (await site.get("/account"))[0] == 303
    await site.sign_in()
    for _ in range(13):
        site.now += 3500
        status = (await site.get("/account"))[0]
    assert status == 303


@pytest.mark.parametrize(
    "attack",
    ["no token", "other cookie", "no cookie", "cross-site", "foreign origin", "json", "get"],
)
async def test_forged_forms_are_refused(site: Site, attack: str) -> None:
    """Nobody is asked, no session begins."""
    fields = {"step": "password", "user_name": ANNA, "password": RIGHT}
    fields["csrf"] = token_in((await site.get("/signin"))[1])
    if attack == "no token":
        fields["csrf"] = ""
    elif attack == "other cookie":
        site.cookies[FORM] = "attackers-own"
    elif attack == "no cookie":
        del site.cookies[FORM]
    elif attack == "cross-site":
        site.headers["Sec-Fetch-Site"] = "cross-site"
    elif attack == "foreign origin":
        del site.headers["Sec-Fetch-Site"]
        site.headers["Origin"] = "https://evil.example"
    headers: Any = {}
    if attack == "json":
        status, _, _ = await site.request("POST", "/signin", json=fields)
    elif attack == "get":
        status, _, _ = await site.get("/signout")
    else:
        status, _, headers = await site.request("POST", "/signin", data=fields)
    assert status in {403, 405, 415} or headers["Location"] in {"/signin?problem=stale", "/signin?problem=no_cookie"}
    assert site.authenticator.attempts == []
    assert SESSION not in site.cookies
    assert STEP not in site.cookies


@pytest.mark.parametrize("path", ["/signin", "/signout", "/account", "/nothing"])
async def test_another_site_does_not_take_the_form_from_under_a_person(site: Site, path: str) -> None:
    """Its form comes without cookies (SameSite) and is shown a page: that must not put new ones in the place of ours."""
    headers = {"Sec-Fetch-Site": "cross-site", "Accept": "text/html", "Cookie": ""}
    status, _, answer = await site.request("POST", path, data={"a": "b"}, headers=headers)
    assert status in {403, 404, 405}
    assert "Set-Cookie" not in answer


async def test_a_form_that_was_open_for_too_long_is_asked_for_again(site: Site) -> None:
    """By a page that can be reloaded, and that knows where the person wanted to go."""
    await site.open("/signin")
    shown = await site.submit("/signin", csrf="old", step="user", user_name=ANNA, return_to="/app")
    assert (shown.path, "no longer valid" in shown.error) == ("/signin?problem=stale&return_to=/app", True)
    assert "no longer valid" in (await site.submit("/signin", csrf="", return_to="https://evil.example")).error
    assert site.seen.path == "/signin?problem=stale"
    await site.sign_in()
    for path in ("/account/password", "/account/sign-out-others", "/account/end-session"):
        shown = await site.submit(path, csrf="old")
        assert (shown.path, "no longer valid" in shown.error) == ("/account?problem=stale", True)


async def test_a_browser_that_keeps_no_cookies_is_told_so(site: Site) -> None:
    """Trying again would lead here again."""
    for signed_in, path in ((False, "/signin?problem=no_cookie&return_to=/app"), (True, "/account?problem=no_cookie")):
        if signed_in:
            await site.sign_in()
        csrf = (await site.open("/account/password" if signed_in else "/signin")).field("csrf")
        del site.cookies[FORM]
        fields = {"step": "user", "user_name": ANNA, "return_to": "/app"}
        shown = await site.submit("/account/password" if signed_in else "/signin", csrf=csrf, **fields)
        assert shown.path.startswith(path)
        assert "Allow cookies for this site" in shown.error


@pytest.mark.parametrize("headers", [{"Origin": ORIGIN}, {"Origin": "null"}, {}])
async def test_an_old_browser_without_fetch_metadata_works(site: Site, headers: dict[str, str]) -> None:
    """Its Origin is ours, or says nothing."""
    site.headers = headers
    assert (await site.sign_in()).path == "/account"


@pytest.mark.parametrize("site_header", ["cross-site", "same-site", "nonsense"])
async def test_a_new_browser_says_more_than_its_origin(site: Site, site_header: str) -> None:
    """A sandboxed frame's `null`, or our own origin, is no way around it."""
    fields = {"step": "password", "user_name": ANNA, "password": RIGHT}
    for origin in ("null", ORIGIN):
        site.headers = {"Origin": origin, "Sec-Fetch-Site": site_header}
        assert (await site.post("/signin", **fields))[0] == 403
    site.headers = {"Origin": "null"}
    assert (await site.submit("/signin", csrf="forged", **fields)).path == "/signin?problem=stale"
    assert site.authenticator.attempts == []


@pytest.mark.parametrize(
    "evil",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/a\r\nX: y",
        "/\tx",
        "/a b",
        "/\x7f",
        "/\x9b31m",
        "",
        "x",
        "/" * 5000,
        "/" + "a" * 6000,
        "/" + "&=" * 1100,
    ],
)
async def test_nobody_is_sent_elsewhere(site: Site, evil: str) -> None:
    """After a sign-in, and from any page before it, only a path of ours is gone to."""
    assert safe_path(evil) == "/account"
    query = urlencode({"return_to": evil}, safe="/")  # a line of a request has 8190 bytes at most
    assert (await site.open(f"/signin/password?{query}")).path == "/signin"
    assert (await site.sign_in("wrong", return_to=evil)).path == "/signin/password"
    assert (await site.open(f"/signin/password?{query}")).field("return_to") == "/account"
    assert (await site.sign_in(return_to=evil)).path == "/account"
    assert (await site.open(f"/signin/changed?{query}")).path == "/account"


# -- what is told


@pytest.mark.parametrize(
    "outcome", [Outcome.WRONG_CREDENTIAL, Outcome.ACCOUNT_LOCKED, Outcome.ACCOUNT_DISABLED, Outcome.WOULD_LOCK_OUT]
)
async def test_a_stranger_learns_nothing(site: Site, outcome: Outcome) -> None:
    """Without the right password every reason looks the same, in the answer and on the page; sizes are the same, too."""

    async def answer(verdict: Verdict) -> tuple[Any, ...]:
        site.authenticator.next = verdict
        status, page, headers = await site.post("/signin", step="password", user_name=ANNA, password="x")
        size = len(site.cookies[STEP])
        shown = await site.open(headers["Location"])
        return status, page, headers["Location"], size, re.sub(r'value="[^"]*"', "", shown.page)

    expected = await answer(Verdict(outcome=Outcome.WRONG_CREDENTIAL))
    assert await answer(Verdict(outcome=outcome)) == expected
    assert "Incorrect user name or password" in expected[-1]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.ACCOUNT_DISABLED, "account is disabled"),
        (Outcome.ACCOUNT_EXPIRED, "account has expired"),
        (Outcome.LOGON_HOURS, "at this time"),
        (Outcome.WORKSTATION, "certain computers"),
        (Outcome.RESET_REQUIRED, "can no longer change it yourself"),
    ],
)
async def test_the_owner_learns_why_and_is_not_asked_again(site: Site, outcome: Outcome, words: str) -> None:
    """With the right password; typing it again changes nothing, so there is no field, but a way to another account."""
    site.authenticator.next = Verdict(outcome=outcome, password_proven=True)
    shown = await site.sign_in(return_to="/app")
    assert (shown.path, shown.asks_for()) == ("/signin/refused?return_to=/app", [])
    assert words in shown.error
    assert shown.title == "Error: You can't sign in \N{EN DASH} Isthmus"
    assert ANNA in shown.page
    assert re.search(r'href="/signin\?return_to=/app">Use another account', shown.page)


@pytest.mark.parametrize("outcome", [Outcome.NO_AGENT, Outcome.TRY_AGAIN, Outcome.BUSY])
async def test_an_outage_is_told_with_a_reference(site: Site, outcome: Outcome) -> None:
    """And that it did not count."""
    site.authenticator.next = Verdict(outcome=outcome)
    shown = await site.sign_in()
    assert (shown.path, shown.asks_for()) == ("/signin/password", ["password"])
    assert "This didn't count as a failed attempt." in shown.error
    assert "quote reference c0ffee" in re.sub(r"\s+", " ", shown.error)


async def test_who_must_wait_is_told_how_long(site: Site) -> None:
    """Rounded up."""
    site.authenticator.next = Verdict(outcome=None, retry_after=61.5)
    assert (await site.sign_in("x")).error == "Too many attempts. Try again in 65 seconds."


async def test_a_title_says_that_something_went_wrong(site: Site) -> None:
    """First, for whoever hears it; and nothing of the sort where nothing did."""
    assert (await site.open("/signin")).title == "Sign in \N{EN DASH} Isthmus"
    assert (await site.sign_in("wrong")).title == "Error: Sign in \N{EN DASH} Isthmus"
    site.authenticator.next = Verdict(outcome=Outcome.MUST_CHANGE, password_proven=True)
    assert (await site.sign_in()).title == "Choose a new password \N{EN DASH} Isthmus"


async def test_only_the_owners_browser_is_familiar(site: Site) -> None:
    """The device cookie is bound to the user who signed in."""
    await site.sign_in("wrong")
    await site.sign_in()
    await site.sign_in("wrong")
    await site.sign_in("wrong", user_name="ben@corp.example.com")
    site.cookies["__Host-isthmus-device"] = site.cookies["__Host-isthmus-device"][:-2] + "xx"
    await site.sign_in("wrong")
    assert [attempt.familiar for attempt in site.authenticator.attempts] == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ({"user_name": "   "}, "/signin?problem=missing_user", "Enter your user name"),
        ({"user_name": "a" * 1025}, "/signin?problem=too_long", "too long"),
        ({"user_name": "a\0b"}, "/signin?problem=bad_characters", "aren't allowed"),
        ({"user_name": "a\x7fb"}, "/signin?problem=bad_characters", "aren't allowed"),
        ({"user_name": "\x9b31mb"}, "/signin?problem=bad_characters", "aren't allowed"),
        ({"password": ""}, "/signin/password", "Enter your password"),
        ({"password": "x" * 1025}, "/signin/password", "too long"),
        ({"password": "a\nb"}, "/signin/password", "aren't allowed"),
    ],
)
async def test_impossible_input_asks_nobody(site: Site, fields: dict[str, str], path: str, words: str) -> None:
    """Empty, too long, control characters."""
    shown = await site.sign_in(**{"user_name": ANNA, "password": RIGHT, **fields})
    assert shown.path == path
    assert words in shown.error
    assert site.authenticator.attempts == []


async def test_a_name_has_256_characters_at_most(site: Site) -> None:
    """The trail keeps each; a password may be longer."""
    assert (await site.sign_in(user_name="a" * 256)).path == "/signin/password"
    asked = len(site.authenticator.attempts)
    for step in ("user", "password", "change"):
        shown = await site.submit("/signin", step=step, user_name="a" * 257, password="x")
        assert shown.path == "/signin?problem=too_long"
    assert len(site.authenticator.attempts) == asked
    assert "Incorrect" in (await site.sign_in("x" * 1024, user_name="\N{GRINNING FACE}" * 256)).error


@pytest.mark.parametrize("problem", ["signed_out", "EXPIRED", "<b>", "__class__", "disabled"])
async def test_an_address_makes_the_page_say_nothing_else(site: Site, problem: str) -> None:
    """Only what the first page itself can say."""
    assert (await site.open(f"/signin?{urlencode({'problem': problem})}")).error == ""


async def test_huge_and_garbled_bodies(site: Site) -> None:
    """Refused before they are read, or as they are."""
    await site.get("/signin")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await site.request("POST", "/signin", data=b"user_name=" + b"a" * 200_000, headers=headers))[0] == 413
    assert (await site.request("POST", "/signin", data=b"user_name=%ff%fe", headers=headers))[0] == 400
    assert (await site.request("POST", "/signin", data=b"\xff\xfe", headers=headers))[0] == 400
    assert (await site.request("POST", "/signin", data=b"&".join([b"a=b"] * 100), headers=headers))[0] == 400


async def test_a_form_may_come_in_pieces(site: Site) -> None:
    """TCP promises nothing else."""
    fields = {"csrf": token_in((await site.get("/signin?language=en"))[1]), "step": "password", "user_name": ANNA}
    body = urlencode({**fields, "password": RIGHT}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for half in (body[:10], body[10:]):
            yield half
            await asyncio.sleep(0.02)

    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, headers = await site.request("POST", "/signin", data=pieces(), headers=kind)
    assert (status, headers["Location"]) == (303, "/account")


@pytest.mark.parametrize("failing", ["trail", "sessions"])
async def test_where_nothing_can_be_written_people_are_told_to_come_later(
    site: Site, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """With a reference, in their language; nobody is signed in and nothing internal is told."""

    async def full(_record: Any) -> None:
        raise StoreUnavailable("/var/lib/relay.db", "database or disk is full", "make room")

    if failing == "trail":
        site.authenticator.next = Verdict(outcome=Outcome.NOT_RECORDED)
    else:
        monkeypatch.setattr(site.store.sessions, "add", full)
    shown = await site.sign_in()
    assert shown.path == "/signin/password"
    assert "Try again later." in shown.error
    assert "c0ffee" in shown.error
    assert "relay.db" not in shown.page
    monkeypatch.undo()
    assert (await site.get("/account"))[0] == 303


async def test_a_store_that_cannot_be_read_is_an_outage_with_a_reference(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """503, which says nothing internal."""
    await site.sign_in()

    async def gone(*_: Any) -> None:
        raise StoreUnavailable("/var/lib/relay.db", "unable to open", "look")

    monkeypatch.setattr(site.store.sessions, "get", gone)
    shown = await site.open("/account")
    assert (shown.status, "c0ffee" in shown.error, "relay.db" in shown.page) == (503, True, False)


# -- how the pages are made


async def test_names_are_escaped(site: Site) -> None:
    """Markup in a name stays text."""
    await site.submit("/signin", step="user", user_name='"><script>alert(1)</script>')
    page = (await site.get("/signin/password"))[1]
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


async def test_the_headers_forbid_what_the_page_does_not_need(site: Site) -> None:
    """No other's script, none in the page, no frame, no cache, no referrer."""
    for path in ("/signin", "/signin/password", "/account"):
        _, page, headers = await site.get(path)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "base-uri 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Cache-Control"] == "no-store"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "max-age" in headers["Strict-Transport-Security"]
        assert re.findall(r"\son\w+=|style=|javascript:", page) == []


async def test_the_script_is_ours_and_what_the_page_says_it_is(site: Site) -> None:
    """One, from this origin, with its digest."""
    (script,) = re.findall(r'<script src="(/static/[^"]+)" integrity="(sha384-[^"]+)" defer></script>', await _page(site))
    status, text, headers = await site.get(script[0])
    assert (status, headers["X-Content-Type-Options"]) == (200, "nosniff")
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"
    for word in ("innerHTML", "eval(", "fetch(", "localStorage", "cookie", "document.write"):
        assert word not in text


async def _page(site: Site) -> str:
    return (await site.get("/signin"))[1]


async def test_an_address_that_is_none_is_a_page_for_people_alone(site: Site) -> None:
    """Programs get the status and no page; a method that is none is met by whoever opens the sign-out's address."""
    people = {"Accept": "text/html,*/*;q=0.8"}
    status, page, headers = await site.get("/no-such-page", headers=people)
    assert status == 404
    assert "This page doesn&#39;t exist." in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    status, page, headers = await site.get("/signout", headers=people)
    assert (status, headers["Allow"]) == (405, "POST")
    assert "This page doesn&#39;t exist." in page
    assert "<html" not in (await site.get("/no-such-page"))[1]


async def test_password_managers_find_where_to_change_it(site: Site) -> None:
    """By way of the sign-in; other well-known addresses are none."""
    assert (await site.get("/.well-known/change-password"))[2]["Location"] == "/account/password"
    assert (await site.open("/.well-known/change-password")).path == "/signin?return_to=/account/password"
    nowhere = "/.well-known/resource-that-should-not-exist-whose-status-code-should-not-be-200"
    assert (await site.get(nowhere))[0] == 404


async def test_there_is_an_icon(site: Site) -> None:
    """For the tab, and for whoever asks without having read the page."""
    for path in [*re.findall(r'rel="icon" href="([^"]+)"', await _page(site)), "/favicon.ico"]:
        status, text, headers = await site.get(path)
        assert (status, headers["Content-Type"]) == (200, "image/svg+xml; charset=utf-8")
        assert ">I</text>" in text


async def test_the_language_follows_browser_and_choice(site: Site) -> None:
    """German asked for, English chosen on the page and remembered."""
    assert 'lang="de"' in (await site.get("/signin", headers={"Accept-Language": "de-AT,en;q=0.5"}))[1]
    assert '<html lang="en"' in (await site.get("/signin?language=en", headers={"Accept-Language": "de"}))[1]
    assert '<html lang="en"' in (await site.get("/signin", headers={"Accept-Language": "de"}))[1]


async def test_another_language_shows_the_same_page(site: Site) -> None:
    """With what it says, and where the person wanted to go."""
    shown = await site.sign_in("wrong", return_to="/app")
    (german,) = re.findall(r'href="(/signin/password\?language=de&return_to=/app)"', shown.page)
    assert "Benutzername oder Passwort ist falsch" in (await site.open(german)).error


async def _shown(site: Site, which: str) -> Shown:
    if which == "problem":
        return await site.submit("/signin", user_name="")
    if which == "password":
        return await site.submit("/signin", step="user", user_name=ANNA)
    if which in {"error", "expired", "refused"}:
        return await site.sign_in("wrong")
    if which == "out":
        return await site.submit("/signout")
    paths = {"user": "/signin", "account": "/account", "change": "/account/password"}
    return await site.open(paths[which])


@pytest.mark.parametrize("which", ["user", "problem", "password", "error", "expired", "refused", "account", "change", "out"])
async def test_pages_can_be_used_with_a_screen_reader(site: Site, which: str) -> None:
    """One heading, labelled fields, unique ids, descriptions that exist, no script but ours."""
    if which in {"account", "change"}:
        await site.sign_in()
    if which in {"expired", "refused"}:
        outcome = Outcome.PASSWORD_EXPIRED if which == "expired" else Outcome.ACCOUNT_DISABLED
        site.authenticator.next = Verdict(outcome=outcome, password_proven=True)
    page = ScreenReader((await _shown(site, which)).page)
    assert re.search(r'<html lang="(en|de)">', site.seen.page)
    assert page.tags.count("h1") == 1
    assert len(page.ids) == len(set(page.ids))
    assert all(str(field.get("id")) in page.labels for field in page.inputs)
    assert set(page.described) <= set(page.ids)
    assert [source for source in page.scripts if source is None or not source.startswith("/static/")] == []
