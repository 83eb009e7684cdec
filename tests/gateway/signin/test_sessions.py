"""What is known of a sign-in for as long as its session lasts."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from gateway.protocol import AccountId, Outcome
from gateway.relay import Verdict
from gateway.signin import Session, Sessions, SignInSettings
from gateway.signin.cookies import digest
from gateway.signin.sessions import SKEW
from gateway.store import SessionRecord
from tests.gateway.signin.site import ANNA, NEW, RIGHT, SESSION, Site, serve, token_in
from tests.support.fakes import identity_of

BEN = "ben@corp.example.com"


@pytest.fixture
def kept_before() -> SessionRecord:
    """As the version before this one kept it."""
    identity = msgspec.msgpack.encode({"object_guid": "g", "user_name": ANNA, "domain": "corp.example.com"})
    account = AccountId("", "g")
    return SessionRecord(digest=b"d", account=account, identity=identity, created_at=100.0, seen_at=100.0, expires_at=200.0)


def sessions_of(site: Site) -> Sessions:
    return Sessions(SignInSettings(), site.store.sessions, lambda: site.now)


async def session_of(site: Site) -> Session:
    record = await site.store.sessions.get(digest(site.cookies[SESSION]), site.now)
    assert record is not None
    return sessions_of(site).read(record)


async def test_it_says_when_by_what_and_by_whom_somebody_was_checked(site: Site) -> None:
    """And when it ends, however much it is used."""
    site.authenticator.next = Verdict(
        outcome=Outcome.SUCCESS, identity=identity_of(ANNA), password_proven=True, agent="agent7", password_set=12.5
    )
    await site.sign_in()
    session = await session_of(site)
    assert (session.auth_time, session.checked_at, session.amr, session.agent) == (site.now, site.now, ("pwd",), "agent7")
    assert (session.password_set, session.ends_at) == (12.5, site.now + 12 * 3600)


async def test_a_sign_in_that_lies_ahead_is_no_recent_one(site: Site) -> None:
    """A clock that was a day ahead, and is right again: who wants a fresh sign-in gets one."""
    site.now += 86400
    await site.sign_in()
    site.now -= 86400
    session = await session_of(site)
    assert session.auth_time == 0
    assert not session.is_since(site.now - 3600)
    site.now += 86400 - SKEW
    assert (await session_of(site)).auth_time == site.now + SKEW


async def test_its_name_for_applications_stays_while_one_person_signs_in_again(site: Site) -> None:
    """The id does not; somebody else's sign-in, or one in another browser, has a name of its own."""
    site.authenticator.people[BEN] = RIGHT
    await site.sign_in()
    first = await session_of(site)
    site.now += 10
    await site.sign_in()
    second = await session_of(site)
    assert (second.sid, second.auth_time) == (first.sid, site.now)
    assert second.record.digest != first.record.digest
    await site.sign_in(user_name=BEN)
    third = await session_of(site)
    site.cookies.pop(SESSION)
    await site.sign_in()
    assert len({first.sid, third.sid, (await session_of(site)).sid}) == 3


async def test_no_two_applications_have_one_name_for_it(site: Site) -> None:
    """Nor can either make of it what the store finds it by."""
    await site.sign_in()
    session = await session_of(site)
    indexes = {session.index("wiki"), session.index("shop")}
    assert len(indexes) == 2
    assert all(index.startswith("_") and len(index) == 41 for index in indexes)  # a SessionIndex may be an XML NCName
    assert session.sid not in repr(session)
    assert session.key.hex()[:40] not in str(indexes)


def test_what_an_older_version_kept_is_a_session_too(kept_before: SessionRecord) -> None:
    """Its name comes of what the store finds it by."""
    settings = SignInSettings()
    session = Sessions(settings, None, lambda: 200.0).read(kept_before)  # type: ignore[arg-type] # nothing is asked
    assert (session.auth_time, session.checked_at, session.sid) == (100.0, 100.0, session.name)
    assert session.identity.user_name == ANNA


def test_how_old_a_sign_in_is_goes_by_its_own_time(kept_before: SessionRecord) -> None:
    """But for a session that began after the question, by a clock that may be behind."""
    session = Sessions(SignInSettings(), None, lambda: 200.0).read(kept_before)  # type: ignore[arg-type] # nothing is asked
    assert session.is_since(100.0, other_than=session.name)
    assert not session.is_since(100.1, other_than=session.name)
    assert session.is_since(100.0 + SKEW)
    assert not session.is_since(100.1 + SKEW)


# -- "Keep me signed in"

MONTH = 30 * 86400.0


async def cookie_age(site: Site, **fields: str) -> str:
    """Of the session's cookie after a sign-in; empty for one that ends with the browser."""
    csrf = token_in((await site.get("/signin?language=en&return_to=/"))[1])
    typed = {"step": "password", "user_name": ANNA, "password": RIGHT, "csrf": csrf, **fields}
    _, _, headers = await site.request("POST", "/signin", data=typed)
    (cookie,) = [value for value in headers.getall("Set-Cookie") if value.startswith(f"{SESSION}=")]
    found = re.search(r"Max-Age=(\d+)", cookie)
    return found[1] if found else ""


async def test_it_is_not_offered_unless_it_is_set(site: Site) -> None:
    """And not given to whoever asks for it all the same."""
    assert 'name="keep"' not in (await site.submit("/signin", user_name=ANNA)).page
    assert await cookie_age(site, keep="yes") == ""
    assert (await session_of(site)).kept is False


async def test_whoever_wants_stays_signed_in(tmp_path: Path) -> None:
    """For as long as the setting says, used or not, and no longer; a shorter setting ends it from the next use on."""
    async with serve(tmp_path, session_kept=MONTH) as site:
        assert 'name="keep"' in (await site.submit("/signin", user_name=ANNA)).page
        assert await cookie_age(site) == ""
        assert await cookie_age(site, keep="yes") == str(int(MONTH))
        begun, sessions = site.now, Sessions(SignInSettings(session_kept=MONTH), site.store.sessions, lambda: site.now)
        record = await site.store.sessions.get(digest(site.cookies[SESSION]), site.now)
        assert record is not None
        assert (record.expires_at, sessions.read(record).ends_at) == (begun + MONTH, begun + MONTH)
        site.now += MONTH - 60
        assert (await site.open("/account")).path == "/account"
        site.now = begun + MONTH + 1
        assert (await site.open("/account")).path.startswith("/signin")


async def test_the_wish_outlives_a_forced_change_of_password(tmp_path: Path) -> None:
    """And a wrong password, after which the box is still ticked; not where it was not."""
    async with serve(tmp_path, session_kept=MONTH) as site:
        for wish, kept in (("yes", True), ("", False)):
            site.authenticator.people[ANNA] = RIGHT
            shown = await site.sign_in(password="wrong", keep=wish)
            assert ('value="yes" checked' in shown.page) is kept
            site.authenticator.next = Verdict(outcome=Outcome.PASSWORD_EXPIRED, password_proven=True)
            shown = await site.sign_in(keep=wish)
            shown = await site.choose(shown, new_password="short", again="short")
            await site.choose(shown, new_password=NEW, again=NEW)
            assert (await session_of(site)).kept is kept


async def test_signing_in_again_keeps_the_wish(tmp_path: Path) -> None:
    """Of the same person only: the next person at this browser has not said so."""
    async with serve(tmp_path, session_kept=MONTH) as site:
        site.authenticator.people[BEN] = RIGHT
        await cookie_age(site, keep="yes")
        assert await cookie_age(site) == str(int(MONTH))
        assert await cookie_age(site, user_name=BEN) == ""


async def test_where_it_is_no_longer_offered_it_is_a_session_like_others(site: Site) -> None:
    """From its next use on: idle and absolute end are those of the settings."""
    await site.sign_in()
    session = await session_of(site)
    kept = msgspec.msgpack.decode(session.record.identity) | {"kept": True}
    record = replace(session.record, identity=msgspec.msgpack.encode(kept), digest=digest("x"), expires_at=site.now + MONTH)
    await site.store.sessions.add(record)
    site.cookies[SESSION], site.now = "x", site.now + 61
    assert (await site.open("/account")).path == "/account"
    assert (await session_of(site)).record.expires_at == site.now + 3600
    assert (await session_of(site)).ends_at == record.created_at + 12 * 3600
