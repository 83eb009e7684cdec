"""What hangs on a session ends with it, whoever ends it; and each application is told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.federation.participants import AT_ONCE, Participant, SessionOver
from gateway.federation.trusts import Trust
from gateway.protocol import AccountId, Outcome
from gateway.relay import Verdict
from gateway.signin import Departure, DepartureOutcome, Farewell
from gateway.store import GrantRecord, ParticipantRecord
from tests.gateway.federation.applications import OLD, SHOP, WIKI, Wiki, session_of
from tests.gateway.signin.site import ANNA, NEW, RIGHT, SESSION, STEP, Site, serve

BEN = "ben@corp.example.com"
ACCOUNT = AccountId("", f"guid-{ANNA}")


@pytest.fixture
def wiki() -> Wiki:
    return Wiki()


@pytest.fixture
async def site(tmp_path: Path, wiki: Wiki) -> AsyncIterator[Site]:
    async with serve(tmp_path, wiki) as made:
        made.authenticator.people[BEN] = RIGHT
        yield made


async def join(site: Site, wiki: Wiki) -> str:
    """Sign in to the wiki; what that calls the session."""
    await site.sign_in(return_to=(await site.open("/wiki")).field("return_to"))
    return (await session_of(site)).index("wiki")


async def grant(site: Site, name: bytes, session: bytes) -> None:
    """A grant that hangs on a session."""
    assert await site.store.grants.add(
        GrantRecord(
            digest=name,
            trust="wiki",
            account=ACCOUNT,
            session=session,
            details=b"",
            created_at=site.now,
            expires_at=site.now + 9000,
            idle_at=site.now + 9000,
        )
    )


async def test_who_signs_out_leaves_the_applications_too(site: Site, wiki: Wiki) -> None:
    """Each is told once, by its own name for the session; the page says so; grants of that session are gone, others not."""
    index = await join(site, wiki)
    session = await session_of(site)
    await grant(site, b"a" * 32, session.key)
    await grant(site, b"b" * 32, b"")
    shown = await site.submit("/signout")
    assert (shown.path, wiki.told) == ("/signed-out", [f"wiki {index} details"])
    assert re.search(r"Wiki & \{more\}</bdi></strong></div>\s*<span class=\"state\">signed out", shown.page)
    assert "may still be signed in" not in shown.page
    assert await site.store.grants.get(b"a" * 32, site.now) is None
    assert await site.store.grants.get(b"b" * 32, site.now) is not None
    assert await site.store.participants.of_session(session.key) == []


@pytest.mark.parametrize(("silent", "outcome"), [(True, "told"), (False, "failed")])
async def test_an_application_that_is_not_reached_keeps_nobody_in(
    site: Site, wiki: Wiki, silent: bool, outcome: str
) -> None:
    """The person is out all the same, is told where not, and what to do; the log names the trust."""
    await join(site, wiki)
    wiki.silent, wiki.outcome = silent, "failed" if outcome == "failed" else "told"
    with capture_logs() as logs:
        shown = await site.submit("/signout")
    assert "not reached" in shown.page
    assert "close all browser windows" in shown.page
    assert SESSION not in site.cookies
    assert [(entry["trust"], entry["outcome"]) for entry in logs if entry["event"] == "logout.told"] == [("wiki", "failed")]


class Redirects:
    """A `BrowserChannel` for some of the applications."""

    def __init__(self, *trusts: str) -> None:
        self._trusts = trusts
        self.begun: list[tuple[list[str], list[str], str]] = []

    def needs(self, participant: Participant) -> bool:
        return participant.trust.id in self._trusts

    async def begin(
        self, participants: Sequence[Participant], departures: Sequence[Departure], *, return_to: str, application: str
    ) -> str:
        ahead = [participant.trust.id for participant in participants]
        self.begun.append((ahead, [departure.application for departure in departures], return_to))
        return "/wiki/leave"


async def test_the_browser_tells_those_that_only_it_reaches(site: Site, wiki: Wiki) -> None:
    """Who signs out is sent there; where a session ends from elsewhere, there is no browser to send."""
    wiki.browser = redirects = Redirects("old")
    await join(site, wiki)
    await wiki.participants.joined(await session_of(site), OLD, b"")
    _, _, headers = await site.post("/signout")
    assert (headers["Location"], redirects.begun) == ("/wiki/leave", [(["old"], ["Wiki & {more}"], "")])
    await join(site, wiki)
    session = await session_of(site)
    await wiki.participants.joined(session, OLD, b"")
    assert [departure.outcome for departure in await wiki.participants.end([session])] == ["no way", "told"]
    assert len(redirects.begun) == 1


async def test_an_application_that_asked_is_told_by_neither_way(site: Site, wiki: Wiki) -> None:
    """And where the person goes on to is handed to whoever tells the others."""
    wiki.browser = redirects = Redirects("old", "shop")
    await join(site, wiki)
    session = await session_of(site)
    await wiki.participants.joined(session, OLD, b"")
    await wiki.participants.joined(session, SHOP, b"")
    taken = await wiki.participants.take(session.key)
    farewell = await wiki.participants.leave(taken, but="old", return_to="https://old.example.com/bye", application="Old")
    assert farewell == Farewell(departures=(Departure(application="Wiki & {more}", outcome="told"),), further="/wiki/leave")
    assert redirects.begun == [(["shop"], ["Wiki & {more}"], "https://old.example.com/bye")]


async def test_an_application_without_a_way_is_named(site: Site, wiki: Wiki) -> None:
    """Nobody believes that it was told; one whose trust is gone is left out."""
    await join(site, wiki)
    session = await session_of(site)
    await wiki.participants.joined(session, OLD, b"")
    await wiki.participants.joined(session, SHOP, b"")
    gone = await wiki.participants.joined(session, Trust(id="gone", name="Gone", protocol="oidc"), b"")
    assert await wiki.participants.names(session) == ["Old", "Shop", "Wiki & {more}"]
    shown = await site.submit("/signout")
    assert "sign out there yourself" in shown.page
    assert "Gone" not in shown.page
    assert gone not in str(wiki.told)
    assert [told.partition(" ")[0] for told in wiki.told] == ["shop", "wiki"]


async def test_the_application_that_asked_is_not_told(site: Site, wiki: Wiki) -> None:
    """It knows; of two who end one session, one tells the others."""
    await join(site, wiki)
    session = await session_of(site)
    await wiki.participants.joined(session, SHOP, b"")
    taken = await wiki.participants.take(session.key)
    assert await wiki.participants.take(session.key) == []
    assert await wiki.participants.tell(taken, but="wiki") == [Departure(application="Shop", outcome="told")]


async def test_a_new_proof_by_the_same_person_signs_out_of_nothing(site: Site, wiki: Wiki) -> None:
    """And the sign-out later reaches who came before it."""
    index = await join(site, wiki)
    await grant(site, b"a" * 32, (await session_of(site)).key)
    await site.sign_in()
    assert wiki.told == []
    assert await site.store.grants.get(b"a" * 32, site.now) is not None
    await site.submit("/signout")
    assert wiki.told == [f"wiki {index} details"]


async def test_somebody_else_who_signs_in_ends_what_was_there(site: Site, wiki: Wiki) -> None:
    """At the same browser: applications forget the first."""
    index = await join(site, wiki)
    await site.sign_in(user_name=BEN)
    assert wiki.told == [f"wiki {index} details"]


@pytest.mark.parametrize("way", ["one", "others", "password", "expired password"])
async def test_a_session_that_is_ended_from_elsewhere_takes_everything_along(site: Site, wiki: Wiki, way: str) -> None:
    """By its owner, from another browser; that one keeps its own."""
    index = await join(site, wiki)
    theirs = await session_of(site)
    await grant(site, b"a" * 32, theirs.key)
    site.cookies.pop(SESSION)
    if way != "expired password":
        await join(site, wiki)
    if way == "one":
        await site.submit("/account/end-session", session=theirs.name)
    elif way == "others":
        await site.submit("/account/sign-out-others")
    elif way == "password":
        fields = {"password": RIGHT, "new_password": NEW, "again": NEW}
        await site.submit("/account/password", step="change", user_name=ANNA, **fields)
    else:
        site.authenticator.next = Verdict(outcome=Outcome.PASSWORD_EXPIRED, password_proven=True)
        await site.choose(await site.sign_in(), new_password=NEW, again=NEW)
    assert wiki.told == [f"wiki {index} details"]
    assert await site.store.grants.get(b"a" * 32, site.now) is None
    if way != "expired password":
        own = (await session_of(site)).key
        assert [record.trust for record in await site.store.participants.of_session(own)] == ["wiki"]


async def test_silent_applications_take_nothing_of_the_time_of_others(
    wiki: Wiki, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """O17: however many there are, and in however many sessions; none of them is tried for ever."""
    tried: list[str] = []

    async def tell(_record: ParticipantRecord, trust: Trust) -> DepartureOutcome:
        tried.append(trust.id)
        if trust.id.startswith("silent"):
            await asyncio.Event().wait()
        return "told"

    monkeypatch.setattr(wiki, "tell", tell)
    record = ParticipantRecord(session=b"s", trust="", index="", details=b"", since=0.0, expires_at=0.0)
    silent = [Trust(id=f"silent{number}", name="S", protocol="oidc") for number in range(AT_ONCE + 20)]
    told = await wiki.participants.tell([Participant(record, trust) for trust in (*silent, SHOP)])
    assert (told[-1].outcome, {one.outcome for one in told[:-1]}) == ("told", {"failed"})
    tried.clear()
    told = await wiki.participants.tell([Participant(record, trust) for trust in (*silent[:1] * 3 * AT_ONCE, SHOP)])
    assert told[-1].outcome == "told"
    assert tried.count("silent0") == AT_ONCE


async def test_no_application_joins_a_session_that_has_ended(site: Site, wiki: Wiki) -> None:
    """Its request was on the way when the session was ended, by whoever: nobody would ever tell it."""
    index = await join(site, wiki)
    session = await session_of(site)
    await site.store.sessions.delete(session.record.digest)
    await wiki.participants.end([session])
    with pytest.raises(SessionOver):
        await wiki.participants.joined(session, WIKI, b"")
    assert await site.store.participants.find("wiki", index) is None


async def test_a_session_that_goes_on_under_a_new_id_is_joined(site: Site, wiki: Wiki) -> None:
    """The person has signed in again in another tab, while this one's request was on the way."""
    await join(site, wiki)
    before = await session_of(site)
    await site.sign_in()
    assert (await session_of(site)).name != before.name
    assert await wiki.participants.joined(before, SHOP, b"") == before.index("shop")


async def test_the_account_page_says_where_each_session_was_used(site: Site, wiki: Wiki) -> None:
    """As text."""
    await join(site, wiki)
    shown = await site.open("/account")
    assert re.search(
        r'aria-label="Applications that you are signed in to"><li><bdi>Wiki & \{more\}</bdi></li></ul>', shown.page
    )


async def test_what_a_cookie_cannot_hold_is_left_out(site: Site, wiki: Wiki) -> None:
    """Those that the person has to look after stand first; the browser takes the cookie."""
    await join(site, wiki)
    session = await session_of(site)
    for number in range(150):
        trust = Trust(id=f"t{number}", name=f"Application {number}", protocol="saml" if number > 140 else "oidc")
        wiki.more[trust.id] = trust
        await wiki.participants.joined(session, trust, b"")
    status, _, headers = await site.post("/signout")
    assert (status, headers["Location"]) == (303, "/signed-out")
    assert len(site.cookies[STEP]) < 3000
    shown = await site.open("/signed-out")
    assert shown.page.count("sign out there yourself") == 9
    assert 10 < shown.page.count('class="state">signed out') < 150
