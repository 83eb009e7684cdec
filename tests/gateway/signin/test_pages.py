"""The pages, in front of a fake authenticator: what people meet, and what attackers try."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from msgspec.structs import replace

from gateway.protocol import AccountId, Outcome
from gateway.relay.credentials.attempt import Verdict
from gateway.relay.request import CLIENT_ADDRESS, CORRELATION_ID
from gateway.signin import ChangePermit, CookieSigner, DeviceCookie, FormToken, Pages, Sessions, SignInPages, SignInSettings
from gateway.signin.branding import contrast, darken, load_logo, parse_colour, readable_on, stylesheet
from gateway.signin.browser import safe_path
from gateway.signin.catalogue import choose_language
from gateway.signin.errors import BadBranding
from gateway.store import AuditEvent, Store, StoreUnavailable, open_store
from tests.support.fakes import FakeAuthenticator, identity_of

ANNA, RIGHT = "anna@corp.example.com", "Sommer-2026!"
ORIGIN = "https://signin.example.com"


class Site:
    """A browser and the site that it looks at. Cookies are kept by hand: the test server has no TLS."""

    def __init__(self, client: TestClient[Any, Any], authenticator: FakeAuthenticator, store: Store) -> None:
        self.client, self.authenticator, self.store = client, authenticator, store
        self.cookies: dict[str, str] = {}
        self.headers: dict[str, str] = {"Sec-Fetch-Site": "same-origin"}
        self.now = 1_800_000_000.0

    async def request(self, method: str, path: str, **options: Any) -> tuple[int, str, Any]:
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        headers = {**self.headers, "Cookie": cookie, **options.pop("headers", {})}
        response = await self.client.request(method, path, headers=headers, allow_redirects=False, **options)
        for name, morsel in response.cookies.items():
            if morsel["max-age"] == "0" or not morsel.value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value
                assert morsel["secure"]
                assert morsel["httponly"]
                assert morsel["samesite"] == "Lax"
                assert morsel["path"] == "/"
                assert not morsel["domain"]
        return response.status, await response.text(), response.headers

    async def get(self, path: str, **options: Any) -> tuple[int, str, Any]:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **fields: str) -> tuple[int, str, Any]:
        if "csrf" not in fields:
            fields["csrf"] = token_in((await self.get("/signin?language=en"))[1])
        return await self.request("POST", path, data=fields)

    async def sign_in(self, password: str = RIGHT, user_name: str = ANNA, **fields: str) -> tuple[int, str, Any]:
        return await self.post("/signin", step="password", user_name=user_name, password=password, **fields)


def permit_in(page: str) -> str:
    found = re.search(r'name="permit" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def token_in(page: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', page)
    assert found is not None
    return found[1]


@pytest.fixture
async def site(tmp_path: Path, aiohttp_site: Callable[..., Awaitable[Site]]) -> Site:
    return await aiohttp_site()


@pytest.fixture
async def aiohttp_site(tmp_path: Path) -> AsyncIterator[Callable[..., Awaitable[Site]]]:
    opened: list[tuple[TestClient[Any, Any], Store]] = []

    async def make(**settings: Any) -> Site:
        chosen = SignInSettings(**settings)
        store = open_store(f"sqlite:///{tmp_path}/signin{len(opened)}.db", secret=b"k" * 32, node="relay1")
        authenticator = FakeAuthenticator()
        form_token = FormToken(CookieSigner(store.keyring, "forms"))
        site_holder: list[Site] = []
        sessions = Sessions(chosen, store.sessions, lambda: site_holder[0].now)
        pages = SignInPages(
            chosen,
            Pages(chosen, form_token),
            sessions,
            authenticator,
            store.audit,
            form_token,
            DeviceCookie(CookieSigner(store.keyring, "devices"), chosen.device_lifetime, lambda: site_holder[0].now),
            ChangePermit(CookieSigner(store.keyring, "changes"), lambda: site_holder[0].now),
            origin=ORIGIN,
        )

        @web.middleware
        async def identify(request: web.Request, handler: Any) -> web.StreamResponse:
            request[CLIENT_ADDRESS], request[CORRELATION_ID] = "192.0.2.7", "c0ffee"
            response: web.StreamResponse = await handler(request)
            return response

        app = web.Application(middlewares=[identify])
        pages.add_routes(app)
        client = TestClient(TestServer(app))
        await client.start_server()
        site_holder.append(Site(client, authenticator, store))
        opened.append((client, store))
        return site_holder[0]

    yield make
    for client, store in opened:
        await client.close()
        await store.close()


async def test_a_person_signs_in_and_sees_their_account(site: Site) -> None:
    """Name, password, account; then out again."""
    status, page, _ = await site.post("/signin", step="user", user_name=f"  {ANNA} ")
    assert status == 200
    assert 'autocomplete="current-password"' in page
    assert ANNA in page
    status, _, headers = await site.sign_in()
    assert (status, headers["Location"]) == (303, "/account")
    event = AuditEvent(
        time=site.now, kind="signin", account=AccountId("", f"guid-{ANNA}"), address="198.51.100.1", via="page"
    )
    await site.store.audit.append(event)
    status, page, _ = await site.get("/account")
    assert status == 200
    assert "Anna Berg" in page
    assert "198.51.100.1" in page
    status, page, _ = await site.post("/signout")
    assert "You are signed out" in page
    assert "__Host-isthmus" not in site.cookies
    assert (await site.get("/account"))[0] == 303


async def test_home_and_a_second_visit_go_on_at_once(site: Site) -> None:
    """Whoever is signed in is not asked again."""
    assert (await site.get("/"))[2]["Location"] == "/account"
    await site.sign_in()
    assert (await site.get("/signin?return_to=/app%3Fx%3D1"))[2]["Location"] == "/app?x=1"


async def test_the_session_id_is_new_after_every_sign_in(site: Site) -> None:
    """An id planted before (fixation) or used before is worth nothing."""
    site.cookies["__Host-isthmus"] = "planted-by-an-attacker"
    await site.sign_in()
    first = site.cookies["__Host-isthmus"]
    assert first != "planted-by-an-attacker"
    await site.sign_in()
    second = site.cookies["__Host-isthmus"]
    assert second != first
    site.cookies["__Host-isthmus"] = first
    assert (await site.get("/account"))[0] == 303


async def test_the_store_knows_no_cookie(site: Site) -> None:
    """Whoever reads the database cannot impersonate anybody."""
    await site.sign_in()
    sessions = await site.store.sessions.of_user(AccountId("", f"guid-{ANNA}"), site.now)
    assert site.cookies["__Host-isthmus"].encode() not in sessions[0].digest + sessions[0].identity


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
        site.cookies["__Host-isthmus-form"] = "attackers-own"
    elif attack == "no cookie":
        del site.cookies["__Host-isthmus-form"]
    elif attack == "cross-site":
        site.headers["Sec-Fetch-Site"] = "cross-site"
    elif attack == "foreign origin":
        del site.headers["Sec-Fetch-Site"]
        site.headers["Origin"] = "https://evil.example"
    if attack == "json":
        status, _, _ = await site.request("POST", "/signin", json=fields)
    elif attack == "get":
        status, _, _ = await site.get("/signout")
    else:
        status, _, _ = await site.request("POST", "/signin", data=fields)
    assert status in {403, 405, 415}
    assert site.authenticator.attempts == []
    assert "__Host-isthmus" not in site.cookies


@pytest.mark.parametrize("headers", [{"Origin": ORIGIN}, {"Origin": "null"}, {}])
async def test_an_old_browser_without_fetch_metadata_works(site: Site, headers: dict[str, str]) -> None:
    """Its Origin is ours, or says nothing."""
    site.headers = headers
    assert (await site.sign_in())[0] == 303


@pytest.mark.parametrize("site_header", ["cross-site", "same-site", "nonsense"])
async def test_a_new_browser_says_more_than_its_origin(site: Site, site_header: str) -> None:
    """A sandboxed frame's `null`, or our own origin, is no way around it."""
    for origin in ("null", ORIGIN):
        site.headers = {"Origin": origin, "Sec-Fetch-Site": site_header}
        assert (await site.sign_in())[0] == 403
    site.headers = {"Origin": "null"}
    assert (await site.post("/signin", csrf="forged", step="password", user_name=ANNA, password=RIGHT))[0] == 403
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
    ],
)
async def test_nobody_is_sent_elsewhere(site: Site, evil: str) -> None:
    """After a sign-in only a path of ours is gone to."""
    assert safe_path(evil) == "/account"
    assert (await site.sign_in(return_to=evil))[2]["Location"] == "/account"


@pytest.mark.parametrize(
    "outcome", [Outcome.WRONG_CREDENTIAL, Outcome.ACCOUNT_LOCKED, Outcome.ACCOUNT_DISABLED, Outcome.WOULD_LOCK_OUT]
)
async def test_a_stranger_learns_nothing(site: Site, outcome: Outcome) -> None:
    """Without the right password every reason looks the same."""
    site.authenticator.next = Verdict(outcome=Outcome.WRONG_CREDENTIAL)
    expected = re.sub(r'value="[^"]*"', "", (await site.sign_in("x"))[1])
    site.authenticator.next = Verdict(outcome=outcome)
    status, page, _ = await site.sign_in("x")
    assert status == 401
    assert re.sub(r'value="[^"]*"', "", page) == expected


@pytest.mark.parametrize(
    ("outcome", "status", "words"),
    [
        (Outcome.ACCOUNT_DISABLED, 403, "account is disabled"),
        (Outcome.ACCOUNT_EXPIRED, 403, "account has expired"),
        (Outcome.LOGON_HOURS, 403, "at this time"),
        (Outcome.WORKSTATION, 403, "certain computers"),
        (Outcome.NO_AGENT, 503, "problem on our side"),
        (Outcome.TRY_AGAIN, 503, "c0ffee"),
    ],
)
async def test_the_owner_learns_why(site: Site, outcome: Outcome, status: int, words: str) -> None:
    """With the right password, or where nobody could look."""
    site.authenticator.next = Verdict(outcome=outcome, password_proven=not outcome.is_infrastructure)
    got, page, _ = await site.sign_in()
    assert got == status
    assert words in page
    assert 'role="alert"' in page
    title = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    assert title is not None
    assert len(title[1]) > 30


@pytest.mark.parametrize(
    ("rule", "value", "words"),
    [
        ("min_length", 12, "at least 12 characters"),
        ("min_length", 0, "This new password is too short."),
        ("complexity", 3, "at least 3 of these"),
        ("complexity", 0, "too simple. Choose a longer one"),
        ("history", 24, "used this password before"),
        ("min_age", 72_000, "change it again in 20 hours"),
        ("min_age", 0, "can&#39;t change it again yet"),
        ("not_permitted", 0, "allowed to change it yourself"),
        ("something new", 5, "too short, too simple, or one that you used before"),
        ("", 0, "too short, too simple, or one that you used before"),
    ],
)
async def test_a_new_password_that_was_refused_is_told_why(site: Site, rule: str, value: int, words: str) -> None:
    """In either language; nobody who does not know the old one."""
    await site.sign_in()
    fields = {"password": RIGHT, "new_password": "Brand-New-7", "again": "Brand-New-7"}
    refused = Verdict(outcome=Outcome.PASSWORD_REJECTED, password_proven=True, rule=rule, rule_value=value)
    site.authenticator.next = refused
    status, page, _ = await site.post("/account/password", **fields)
    assert (status, words in page) == (403, True)
    site.authenticator.next = replace(refused, password_proven=False)
    status, page, _ = await site.post("/account/password", **fields)
    assert (status, words in page, "Incorrect user name or password" in page) == (401, False, True)


async def test_who_must_wait_is_told_how_long(site: Site) -> None:
    """429 with Retry-After, rounded up."""
    site.authenticator.next = Verdict(outcome=None, retry_after=61.5)
    status, page, headers = await site.sign_in("x")
    assert (status, headers["Retry-After"]) == (429, "62")
    assert "65 seconds" in page


async def test_an_expired_password_is_changed_right_there(site: Site) -> None:
    """Differing, refused, then good; every older session ends, in other browsers too."""
    await site.sign_in()
    old = site.cookies.pop("__Host-isthmus")
    site.authenticator.next = Verdict(outcome=Outcome.PASSWORD_EXPIRED, password_proven=True)
    status, page, _ = await site.sign_in()
    assert "has expired" in page
    fields = {"step": "change", "user_name": ANNA, "password": RIGHT, "permit": permit_in(page)}
    assert "don&#39;t match" in (await site.post("/signin", **fields, new_password="aaaaaaaaa", again="b"))[1]
    assert "allowed" in (await site.post("/signin", **fields, new_password="short", again="short"))[1]
    status, _, headers = await site.post("/signin", **fields, new_password="Herbst-2026!", again="Herbst-2026!")
    assert (status, headers["Location"]) == (303, "/account")
    site.cookies["__Host-isthmus"] = old
    assert (await site.get("/account"))[0] == 303


async def test_an_unproven_expiry_offers_no_change(site: Site) -> None:
    """A stranger must not learn that the account exists."""
    site.authenticator.next = Verdict(outcome=Outcome.PASSWORD_EXPIRED)
    status, page, _ = await site.sign_in()
    assert status == 401
    assert "new_password" not in page


async def test_a_name_has_256_characters_at_most(site: Site) -> None:
    """The trail keeps each; a password may be longer."""
    assert (await site.sign_in(user_name="a" * 256))[0] == 401
    asked = len(site.authenticator.attempts)
    for step in ("user", "password", "change"):
        status, page, _ = await site.post("/signin", step=step, user_name="a" * 257, password="x")
        assert (status, 'role="alert"' in page) == (400, True)
    assert len(site.authenticator.attempts) == asked
    assert (await site.sign_in("x" * 1024))[0] == 401


@pytest.mark.parametrize("permit", ["", "none", "another's", "old", "later", "garbled"])
async def test_a_stranger_cannot_send_the_form_of_an_expired_password(site: Site, permit: str) -> None:
    """Only who was told that the password has to be changed is asked for a new one: nobody is asked otherwise."""
    site.authenticator.next = Verdict(outcome=Outcome.MUST_CHANGE, password_proven=True)
    given = permit_in((await site.sign_in())[1])
    asked = len(site.authenticator.attempts)
    fields = {
        "step": "change",
        "user_name": ANNA,
        "password": RIGHT,
        "new_password": "Herbst-2026!",
        "again": "Herbst-2026!",
    }
    end, _, signature = given.partition(".")
    if permit == "another's":
        fields["user_name"] = "ben@corp.example.com"
    elif permit == "old":
        site.now += 601
    chosen = {"": "", "none": ".", "later": f"{int(end) + 1}.{signature}", "garbled": f"x.{signature}"}
    status, page, _ = await site.post("/signin", **fields, permit=chosen.get(permit, given))
    assert status == 403
    assert "new_password" not in page
    assert "open for too long" in page
    assert len(site.authenticator.attempts) == asked
    if permit == "old":
        site.now -= 2
        assert (await site.post("/signin", **fields, permit=given))[0] == 303


async def test_changing_the_password_ends_other_sessions(site: Site) -> None:
    """This one stays."""
    await site.sign_in()
    other = site.cookies.pop("__Host-isthmus")
    await site.sign_in()
    assert "New password" in (await site.get("/account/password"))[1]
    fields = {"password": RIGHT, "new_password": "Herbst-2026!", "again": "Herbst-2026!"}
    assert "couldn&#39;t check" in (await _outage(site, fields))[1]
    _, _, headers = await site.post("/account/password", **fields)
    assert headers["Location"] == "/account?notice=changed"
    assert "was changed" in (await site.get("/account?notice=changed"))[1]
    site.cookies["__Host-isthmus"] = other
    assert (await site.get("/account"))[0] == 303
    assert (await site.get("/account/password"))[0] == 303
    assert (await site.post("/account/password", **fields))[0] == 303


async def test_the_account_page_asks_with_a_name_that_agents_take(site: Site) -> None:
    """Whatever the person is called: of several directories a bare name has no home, nor has a suffix that none lists."""
    await site.sign_in()
    page = (await site.get("/account/password"))[1]
    assert f'value="{ANNA}"' in page
    await site.post("/account/password", password=RIGHT, new_password="Herbst-2026!", again="Herbst-2026!")
    asked = site.authenticator.attempts[-1]
    person = identity_of(ANNA)
    assert (asked.user_name, asked.account) == ("corp.example.com\\anna", person.account)


async def _outage(site: Site, fields: dict[str, str]) -> tuple[int, str, Any]:
    site.authenticator.next = Verdict(outcome=Outcome.NO_DIRECTORY)
    return await site.post("/account/password", **fields)


async def test_signing_out_everywhere_else(site: Site) -> None:
    """Offered only where there is somewhere else."""
    await site.sign_in()
    assert "sign-out-others" not in (await site.get("/account"))[1]
    other = site.cookies.pop("__Host-isthmus")
    await site.sign_in()
    assert "sign-out-others" in (await site.get("/account"))[1]
    await site.post("/account/sign-out-others")
    assert (await site.get("/account"))[0] == 200
    site.cookies["__Host-isthmus"] = other
    assert (await site.get("/account"))[0] == 303


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
    ("fields", "words"),
    [
        ({"user_name": "   "}, "Enter your user name"),
        ({"password": ""}, "Enter your password"),
        ({"password": "x" * 1025}, "too long"),
        ({"user_name": "a" * 1025}, "too long"),
        ({"user_name": "a\0b"}, "aren&#39;t allowed"),
        ({"password": "a\nb"}, "aren&#39;t allowed"),
        ({"user_name": "a\x7fb"}, "aren&#39;t allowed"),
        ({"user_name": "\x9b31mb"}, "aren&#39;t allowed"),
    ],
)
async def test_impossible_input_asks_nobody(site: Site, fields: dict[str, str], words: str) -> None:
    """Empty, too long, control characters."""
    given = {"step": "password", "user_name": ANNA, "password": RIGHT, **fields}
    status, page, _ = await site.post("/signin", **given)
    assert status == 400
    assert words in page
    assert site.authenticator.attempts == []


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
    """503 with a reference, in their language; nobody is signed in and nothing internal is told."""

    async def full(_record: Any) -> None:
        raise StoreUnavailable("/var/lib/relay.db", "database or disk is full", "make room")

    if failing == "trail":
        site.authenticator.next = Verdict(outcome=Outcome.NOT_RECORDED)
    else:
        monkeypatch.setattr(site.store.sessions, "add", full)
    status, page, _ = await site.sign_in()
    assert status == 503
    assert "Try again later." in page
    assert "c0ffee" in page
    assert "relay.db" not in page
    monkeypatch.undo()
    assert (await site.get("/account"))[0] == 303


async def test_names_are_escaped(site: Site) -> None:
    """Markup in a name stays text."""
    page = (await site.post("/signin", step="user", user_name='"><script>alert(1)</script>'))[1]
    assert "<script" not in page


async def test_the_headers_forbid_what_the_page_does_not_need(site: Site) -> None:
    """No script, no frame, no cache, no referrer."""
    _, _, headers = await site.get("/signin")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "max-age" in headers["Strict-Transport-Security"]


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


async def test_the_language_follows_browser_and_choice(site: Site) -> None:
    """German asked for, English chosen on the page and remembered."""
    assert 'lang="de"' in (await site.get("/signin", headers={"Accept-Language": "de-AT,en;q=0.5"}))[1]
    assert 'lang="en"' in (await site.get("/signin?language=en", headers={"Accept-Language": "de"}))[1]
    assert 'lang="en"' in (await site.get("/signin", headers={"Accept-Language": "de"}))[1]
    assert choose_language(None, "fr;q=x,,;q=", "de") == "de"
    assert choose_language("xx", "fr", "en") == "en"


class Audit(HTMLParser):
    """What a screen reader needs."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.labels: set[str] = set()
        self.inputs: list[dict[str, str | None]] = []
        self.tags: list[str] = []
        self.described: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "label":
            self.labels.add(str(values["for"]))
        if tag == "input" and values.get("type") != "hidden" and values.get("aria-hidden") != "true":
            self.inputs.append(values)
        self.described += str(values.get("aria-describedby") or "").split()


@pytest.mark.parametrize("which", ["user", "password", "error", "change", "account"])
async def test_pages_can_be_used_with_a_screen_reader(site: Site, which: str) -> None:
    """One heading, labelled fields, unique ids, descriptions that exist, no script."""
    if which == "user":
        page = (await site.get("/signin"))[1]
    elif which == "password":
        page = (await site.post("/signin", step="user", user_name=ANNA))[1]
    elif which == "error":
        page = (await site.sign_in("wrong"))[1]
    else:
        await site.sign_in()
        page = (await site.get("/account/password" if which == "change" else "/account"))[1]
    audit = Audit()
    audit.feed(page)
    assert re.search(r'<html lang="(en|de)">', page)
    assert audit.tags.count("h1") == 1
    assert len(audit.ids) == len(set(audit.ids))
    assert all(str(field.get("id")) in audit.labels for field in audit.inputs)
    assert set(audit.described) <= set(audit.ids)
    assert "script" not in audit.tags


async def test_branding(aiohttp_site: Callable[..., Awaitable[Site]], tmp_path: Path) -> None:
    """Name, logo, colour, help; served so that browsers may keep them."""
    logo = tmp_path / "logo.svg"
    logo.write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    site = await aiohttp_site(
        organisation="Acme & Söhne",
        logo_file=logo,
        colour="#ffcc00",
        support="Call 4711",
        support_url="https://help.example",
    )
    _, page, _ = await site.get("/signin")
    assert "Acme &amp; Söhne" in page
    assert "Call 4711" in page
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        status, _, headers = await site.get(path)
        assert status == 200
        assert "immutable" in headers["Cache-Control"]
    assert (await site.get("/static/0000/signin.css"))[0] == 404


def test_colours_can_be_read() -> None:
    """Whatever the organisation chooses, text on it reaches 4.5 to 1, in dark mode too."""
    for colour in ("#000000", "#ffffff", "#ffcc00", "#0b5c6b", "#777777", "#ff0000"):
        text = readable_on(parse_colour(colour))
        assert contrast(parse_colour(colour), parse_colour(text)) >= 4.5
        assert contrast(darken(parse_colour(colour)), parse_colour("#f2f5f6")) >= 4.5
        assert b"@" not in stylesheet(SignInSettings(colour=colour)).content.replace(b"@media", b"")


@pytest.mark.parametrize("bad", ["logo.gif", "missing.svg", "huge.png"])
def test_bad_branding_is_said_so(tmp_path: Path, bad: str) -> None:
    """At the start, not at the first visit."""
    (tmp_path / "logo.gif").touch()
    (tmp_path / "huge.png").write_bytes(bytes(300_000))
    with pytest.raises(BadBranding):
        load_logo(tmp_path / bad)
    with pytest.raises(BadBranding):
        parse_colour("red")
