"""A sign-in for an application: several at once, back, reload, hours later, with a sign-in that is too old."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest
from structlog.testing import capture_logs

from gateway.federation.transactions import CONTINUE, LARGEST, LIFETIME, LONGEST, RequestTooLong, Transaction
from gateway.protocol import Outcome
from gateway.relay import Verdict
from gateway.signin import Seal
from gateway.signin.pages import entities
from gateway.signin.steps import MOST, TOGETHER
from tests.gateway.federation.applications import Wiki, session_of
from tests.gateway.signin.site import ANNA, NEW, RIGHT, SESSION, STEP, Site, refresh_of, serve

BEN = "ben@corp.example.com"


@pytest.fixture
def wiki() -> Wiki:
    return Wiki()


@pytest.fixture
async def site(tmp_path: Path, wiki: Wiki) -> AsyncIterator[Site]:
    async with serve(tmp_path, wiki) as made:
        made.authenticator.people[BEN] = RIGHT
        yield made


async def test_a_person_signs_in_and_comes_back_to_the_application(site: Site, wiki: Wiki) -> None:
    """The page says to which; the second time nobody is asked."""
    shown = await site.open("/wiki?page=1")
    assert shown.path.startswith("/signin?return_to=/continue/")
    assert "Sign in to <bdi>Wiki & {more}</bdi></h1>" in shown.page
    shown = await site.submit("/signin", step="user", user_name=ANNA, return_to=shown.field("return_to"))
    assert "Sign in to <bdi>Wiki & {more}</bdi></h1>" in shown.page
    shown = await site.sign_in(return_to=shown.field("return_to"))
    assert (shown.status, wiki.answers) == (200, [f"{ANNA} page=1"])
    await site.open("/wiki?page=2")
    assert wiki.answers[1:] == [f"{ANNA} page=2"]


async def test_several_tabs_end_each_where_it_began(site: Site, wiki: Wiki) -> None:
    """In any order, over mistakes; the one that was signed in to second asks nobody."""
    first = (await site.open("/wiki?page=1")).field("return_to")
    second = (await site.open("/wiki?page=2")).field("return_to")
    await site.sign_in("wrong", return_to=first)
    await site.sign_in(return_to=second)
    assert (await site.open(f"/signin?return_to={first}")).status == 200
    assert wiki.answers == [f"{ANNA} page=2", f"{ANNA} page=1"]


async def test_a_page_of_a_clock_that_was_ahead_is_over(site: Site, wiki: Wiki) -> None:
    """No sign-in of today would be fresh enough for it: the person begins again at the application, not for ever here."""
    wiki.fresh_for = 0.0
    site.now += 86400
    return_to = (await site.open("/wiki")).field("return_to")
    site.now -= 86400
    shown = await site.sign_in(return_to=return_to)
    assert (shown.status, wiki.answers) == (400, [])


async def test_what_one_tab_came_to_no_other_shows(site: Site, wiki: Wiki) -> None:
    """Each has its own name, its own mistakes, and goes to its own application, after a reload too."""
    tabs = {name: (await site.open(f"/wiki?page={name}")).field("return_to") for name in (ANNA, BEN)}
    for name, path in tabs.items():
        await site.submit("/signin", step="user", user_name=name, return_to=path)
    await site.sign_in("wrong", user_name=BEN, return_to=tabs[BEN])
    pages = {name: await site.open(f"/signin/password?return_to={path}") for name, path in tabs.items()}
    assert {name: shown.field("user_name") for name, shown in pages.items()} == {ANNA: ANNA, BEN: BEN}
    assert [bool(shown.error) for shown in pages.values()] == [False, True]
    await site.sign_in(user_name=BEN, return_to=tabs[BEN])
    assert (await site.open(f"/signin/password?return_to={tabs[ANNA]}")).field("user_name") == ANNA
    await site.sign_in(return_to=tabs[ANNA])
    assert wiki.answers == [f"{BEN} page={BEN}", f"{ANNA} page={ANNA}"]
    assert [name for name in site.cookies if name.startswith(STEP)] == []


async def test_an_expired_password_is_changed_in_one_tab_while_another_waits(site: Site, wiki: Wiki) -> None:
    """What was typed in one is in no form of the other."""
    first, second = [(await site.open(f"/wiki?page={number}")).field("return_to") for number in (1, 2)]
    site.authenticator.next = Verdict(outcome=Outcome.PASSWORD_EXPIRED, password_proven=True)
    await site.sign_in(return_to=first)
    await site.sign_in("wrong", user_name=BEN, return_to=second)
    assert (await site.open(f"/signin/new-password?return_to={second}")).path.startswith("/signin?return_to=")
    shown = await site.open(f"/signin/new-password?return_to={first}")
    assert (shown.field("user_name"), bool(shown.field("kept"))) == (ANNA, True)
    done = await site.choose(shown, new_password=NEW, again=NEW)
    assert (done.path, done.page.count("Your password was changed.") > 0) == (f"/signin/changed?return_to={first}", True)


@pytest.mark.parametrize("long", [False, True])
async def test_sign_ins_in_progress_are_few(site: Site, wiki: Wiki, long: bool) -> None:
    """The header with all cookies stays far below what servers take; the newest tabs keep theirs."""
    site.authenticator.people[ANNA] = "x" * 900
    paths = [(await site.open(f"/wiki?page={number}")).field("return_to") for number in range(2 * MOST)]
    for path in paths:
        site.now += 1
        if long:
            site.authenticator.next = Verdict(outcome=Outcome.PASSWORD_EXPIRED, password_proven=True)
        await site.sign_in("x" * 900, return_to=path) if long else await site.sign_in("wrong", return_to=path)
        steps = {name: value for name, value in site.cookies.items() if name.startswith(STEP)}
        assert len(steps) <= MOST
        assert sum(map(len, steps.values())) <= TOGETHER
    assert len(steps) == (2 if long else MOST)
    page = "new-password" if long else "password"
    assert [(await site.open(f"/signin/{page}?return_to={path}")).status for path in paths[-2:]] == [200, 200]
    assert (await site.open(f"/signin/{page}?return_to={paths[0]}")).path == f"/signin?return_to={paths[0]}"


async def test_what_is_no_step_goes_first(site: Site, wiki: Wiki) -> None:
    """However new it looks."""
    site.cookies |= {f"{STEP}-{number}": "x" for number in range(3)}
    await site.sign_in("wrong", return_to=(await site.open("/wiki")).field("return_to"))
    assert len([name for name in site.cookies if name.startswith(STEP)]) == 1


async def test_a_form_leads_to_an_application_by_a_page_of_ours(site: Site, wiki: Wiki) -> None:
    """Chromium holds redirects after a form against `form-action`; that page does not wait, and works without JavaScript."""
    path = (await site.open("/wiki")).field("return_to")
    _, _, headers = await site.post("/signin", step="password", user_name=ANNA, password=RIGHT, return_to=path)
    assert headers["Location"] == f"/signin/done?return_to={path}"
    status, page, headers = await site.get(headers["Location"])
    assert (status, refresh_of(page)) == (200, path)
    assert f'href="{path}"' in page
    assert headers["Cross-Origin-Opener-Policy"] == "unsafe-none"
    for other in ("/account", "//evil.example", f"{path}x"):
        status, _, headers = await site.get(f"/signin/done?return_to={quote(other)}")
        assert (status, headers["Location"]) == (303, "/account" if "evil" in other else other)


async def test_back_and_reload_answer_the_application_again(site: Site, wiki: Wiki) -> None:
    """For as long as the transaction holds: nothing of it was used up."""
    path = (await site.open("/wiki?page=1")).field("return_to")
    await site.sign_in(return_to=path)
    for _ in range(2):
        assert (await site.open(path)).status == 200
    assert wiki.answers == [f"{ANNA} page=1"] * 3


async def test_whoever_is_no_longer_signed_in_is_asked_again(site: Site, wiki: Wiki) -> None:
    """And then comes back all the same."""
    path = (await site.open("/wiki?page=1")).field("return_to")
    await site.sign_in(return_to=path)
    site.cookies.pop(SESSION)
    shown = await site.open(path)
    assert (shown.path, shown.field("return_to")) == (f"/signin?return_to={path}", path)


async def test_after_an_hour_it_is_over(site: Site, wiki: Wiki) -> None:
    """A page says what to do; the session is there, and the application is not answered."""
    path = (await site.open("/wiki?page=1")).field("return_to")
    site.now += LIFETIME - 1
    await site.sign_in(return_to=path)
    site.now += 2
    shown = await site.open(path)
    assert (shown.status, "Go back to the application and start again." in shown.error) == (400, True)
    assert len(wiki.answers) == 1


@pytest.mark.parametrize("change", ["cut", "grown", "turned", "empty", "long", "other use", "other version"])
async def test_nobody_else_makes_an_address(site: Site, wiki: Wiki, change: str) -> None:
    """Nor changes one, nor brings what was sealed for something else; the log says so, the page nothing more."""
    await site.sign_in()
    path = await wiki.transactions.url(Transaction(protocol="oidc", trust="wiki", request=b"x"))
    sealed = path.removeprefix(CONTINUE)
    forged = {
        "cut": sealed[:-4],
        "grown": sealed + "AAAA",
        "turned": sealed[:20] + ("A" if sealed[20] != "A" else "B") + sealed[21:],
        "empty": "x",
        "long": "A" * 20_000,
        "other use": Seal(site.store.keyring, "steps", wiki.clock).close(b"", bound="transaction", until=site.now + 60),
        "other version": Seal(site.store.keyring, "transactions", wiki.clock).close(
            b"\x81\xa8protocol\x01", bound="transaction", until=site.now + 60
        ),
    }[change]
    if change == "long":
        assert wiki.transactions.peek(CONTINUE + forged) is None
        return
    with capture_logs() as logs:
        shown = await site.open(CONTINUE + forged)
    assert (shown.status, wiki.answers) == (400, [])
    assert [entry["event"] for entry in logs] == ["transaction.stale"]
    assert (await site.open(f"/signin?language=en&return_to={CONTINUE}{forged}")).page.count("Wiki") == 0


async def test_a_protocol_that_this_node_does_not_know_is_not_answered(site: Site, wiki: Wiki) -> None:
    """As during an upgrade."""
    await site.sign_in()
    path = await wiki.transactions.url(Transaction(protocol="wsfed", trust="wiki", request=b"x"))
    assert (await site.open(path)).status == 400


async def test_an_application_that_is_gone_is_not_named(site: Site, wiki: Wiki) -> None:
    """The sign-in goes on; its protocol says the rest."""
    path = await wiki.transactions.url(Transaction(protocol="oidc", trust="gone", request=b"x"))
    assert "Sign in to <bdi>Isthmus</bdi></h1>" in (await site.open(f"/signin?return_to={path}")).page


# -- a sign-in that is too old


async def test_whoever_signed_in_too_long_ago_proves_it_again(site: Site, wiki: Wiki) -> None:
    """Although there is a session; its owner's name is there already, and what hangs on the session stays."""
    await site.sign_in()
    before = await session_of(site)
    wiki.fresh_for = 0.0
    site.now += 60
    shown = await site.open("/wiki?page=1")
    assert (shown.path.partition("?")[0], shown.field("user_name")) == ("/signin", "")
    assert f'value="{ANNA}"' in shown.page
    assert wiki.answers == []
    shown = await site.sign_in(return_to=shown.field("return_to"))
    assert wiki.answers == [f"{ANNA} page=1"]
    after = await session_of(site)
    assert (after.sid, after.key, after.index("wiki")) == (before.sid, before.key, before.index("wiki"))
    assert (after.name != before.name, after.auth_time) == (True, site.now)


async def test_no_way_round_the_page_makes_an_old_session_new(site: Site, wiki: Wiki) -> None:
    """Neither the address itself nor that of the page, with whatever is said beside it."""
    await site.sign_in()
    wiki.fresh_for = 0.0
    site.now += 1
    path = (await site.open("/wiki")).field("return_to")
    for way in (
        path,
        f"/signin?return_to={path}",
        f"/signin/password?return_to={path}",
        f"/signin/changed?return_to={path}",
    ):
        assert (await site.open(way)).path.startswith("/signin?return_to=/continue/")
    assert wiki.answers == []


async def test_the_clock_of_another_node_asks_nobody_twice(site: Site, wiki: Wiki) -> None:
    """It may be seconds behind; but the session that was there before counts by its own time alone."""
    wiki.fresh_for = 0.0
    path = (await site.open("/wiki?page=1")).field("return_to")
    site.now -= 3
    await site.sign_in(return_to=path)
    assert wiki.answers == [f"{ANNA} page=1"]
    site.now += 3
    path = (await site.open("/wiki?page=2")).field("return_to")
    assert (await site.open(path)).path.startswith("/signin")
    site.now -= 5
    assert (await site.sign_in(return_to=path)).status == 400
    assert wiki.answers == [f"{ANNA} page=1"]


async def test_somebody_else_at_the_same_browser_gets_nothing_of_the_first(site: Site, wiki: Wiki) -> None:
    """Another account, another session in every name."""
    await site.sign_in()
    before = await session_of(site)
    wiki.fresh_for = 0.0
    site.now += 1
    path = (await site.open("/wiki")).field("return_to")
    await site.sign_in(user_name=BEN, return_to=path)
    after = await session_of(site)
    assert wiki.answers == [f"{BEN} "]
    assert after.sid != before.sid
    assert after.key != before.key


# -- what the application asks of the page


async def test_the_expected_name_is_there_already(site: Site, wiki: Wiki) -> None:
    """As text; what could be no name is not."""
    wiki.hint = 'anna"><script>'
    assert 'value="anna&#34;&gt;&lt;script&gt;"' in (await site.get((await site.get("/wiki"))[2]["Location"]))[1]
    for hint in ("a" * 257, "a\x00b", "a\x9bb"):
        wiki.hint = hint
        assert 'id="user_name" name="user_name" type="text" value=""' in (await site.open("/wiki")).page


async def test_the_page_speaks_the_language_that_the_application_asks_for(site: Site, wiki: Wiki) -> None:
    """Unless the person chose one; before what the browser prefers."""
    site.headers["Accept-Language"] = "fr"
    wiki.languages = ("xx", "de-AT", "nl")
    assert (await site.open("/wiki")).title.startswith("Anmelden")
    await site.get("/signin?language=es")
    assert (await site.open("/wiki")).title.startswith("Iniciar")


# -- requests that no address holds


async def test_a_long_request_lies_in_the_store(site: Site, wiki: Wiki) -> None:
    """The address stays short, and can be gone back to."""
    page = "p" * 5000
    path = (await site.open(f"/wiki?page={page}")).field("return_to")
    assert len(path) < 500
    await site.sign_in(return_to=path)
    assert (await site.open(path)).status == 200
    assert wiki.answers == [f"{ANNA} page={page}"] * 2
    site.now += LIFETIME + 1
    assert (await site.open(path)).status == 400
    path = (await site.open(f"/wiki?page={page}")).field("return_to")
    await site.sign_in(return_to=path)
    await site.store.once.clear()
    assert (await site.open(path)).status == 400


async def test_what_is_too_large_for_the_store_is_not_taken(site: Site, wiki: Wiki) -> None:
    """An address has `LONGEST` characters at most, a request `LARGEST` bytes."""
    with pytest.raises(RequestTooLong):
        await wiki.transactions.url(Transaction(protocol="oidc", trust="wiki", request=b"x" * (LARGEST + 1)))
    for size in range(2000, 2400, 50):
        assert len(await wiki.transactions.url(Transaction(protocol="oidc", trust="wiki", request=b"x" * size))) <= LONGEST


def test_no_text_of_a_transaction_tells_what_is_in_it() -> None:
    """Requests hold what other applications could use."""
    assert "secret" not in repr(Transaction(protocol="oidc", trust="wiki", request=b"secret", hint="secret"))


async def test_a_form_for_an_application_has_named_entities_only(site: Site, wiki: Wiki) -> None:
    """There are parties that decode no others; no header keeps the form from going where it has to, or says where it was."""
    await site.sign_in()
    wiki.post = True
    _, page, headers = await site.get("/wiki?page=1")
    assert 'action="https://wiki.example.com/acs?a=1&amp;b=2"' in page
    assert 'name="RelayState" value="anna@corp.example.com ' in page
    assert "form-action" not in headers["Content-Security-Policy"]
    assert "script-src 'self'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "<button" in page


@pytest.mark.parametrize(
    ("text", "escaped"), [('<a b="c">&\'\N{EURO SIGN}', "&lt;a b=&quot;c&quot;&gt;&amp;'\N{EURO SIGN}")]
)
def test_what_stands_between_double_quotes_stays_there(text: str, escaped: str) -> None:
    """Whatever it is."""
    assert entities(text) == escaped


async def test_an_application_that_asks_anew_keeps_nobody_signed_in(tmp_path: Path, wiki: Wiki) -> None:
    """Its page does not offer it, and a form that asks for it all the same is not heeded."""
    async with serve(tmp_path, wiki, session_kept=86400.0) as site:
        for fresh_for, offered in ((None, True), (600.0, False)):
            site.cookies.clear()
            wiki.fresh_for = fresh_for
            return_to = (await site.open("/wiki")).field("return_to")
            shown = await site.submit("/signin", step="user", user_name=ANNA, return_to=return_to)
            assert ('name="keep"' in shown.page) is offered
            await site.sign_in(return_to=return_to, keep="yes")
            assert (await session_of(site)).kept is offered
