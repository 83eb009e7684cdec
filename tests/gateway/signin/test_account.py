"""The account page: who somebody is here, what happened in their name, and where they are signed in."""

from __future__ import annotations

import re

import pytest

from gateway.protocol import AccountId, Group
from gateway.signin.account import is_built_in
from gateway.store import AuditEvent
from tests.gateway.signin.site import ANNA, FORM, SESSION, STEP, Site

ACCOUNT = AccountId("", f"guid-{ANNA}")


async def test_sign_ins_are_listed_failed_ones_too(site: Site) -> None:
    """With time and address; in UTC, for a script makes local times of them."""
    for outcome, address in (("success", "198.51.100.1"), ("wrong_credential", "203.0.113.9")):
        event = AuditEvent(time=site.now, kind="signin", account=ACCOUNT, address=address, via="page", outcome=outcome)
        await site.store.audit.append(event)
    page = (await site.sign_in()).page
    assert "Anna Berg" in page
    assert '<time datetime="2027-01-15T08:00:00Z">2027-01-15 08:00 UTC</time>' in page
    for address, state in (("198.51.100.1", "signed in"), ("203.0.113.9", "failed")):
        assert re.search(rf'{address} · this page</span></div>\s*<span class="state[^"]*">{state}<', page)


async def test_one_session_is_ended_and_no_other(site: Site) -> None:
    """By a name that is worth nothing elsewhere; nobody ends a session of somebody else."""
    site.authenticator.people["ben@corp.example.com"] = "Sommer-2026!"
    await site.sign_in(user_name="ben@corp.example.com")
    bens = site.cookies.pop(SESSION)
    (ben,) = await site.store.sessions.of_user(AccountId("", "guid-ben@corp.example.com"), site.now)
    secrets = []
    for _ in range(3):
        await site.sign_in()
        secrets.append(site.cookies.pop(SESSION))
    site.cookies[SESSION] = secrets[0]
    page = (await site.open("/account")).page
    names = re.findall(r'name="session" value="([0-9a-f]{32})"', page)
    assert len(names) == 2
    for record in await site.store.sessions.of_user(ACCOUNT, site.now):
        assert record.digest.hex()[:32] not in page
    for nothing in ("", "x", ben.digest.hex()[:32]):
        assert (await site.submit("/account/end-session", session=nothing)).path == "/account"
    shown = await site.submit("/account/end-session", session=names[0])
    assert "That session was ended." in shown.page
    alive = []
    for secret in [*secrets, bens]:
        site.cookies[SESSION] = secret
        alive.append((await site.get("/account"))[0] == 200)
    assert (alive[0], sorted(alive[1:3]), alive[3]) == (True, [False, True], True)


async def test_signing_out_everywhere_else(site: Site) -> None:
    """Offered only where there is somewhere else."""
    await site.sign_in()
    assert "sign-out-others" not in (await site.open("/account")).page
    other = site.cookies.pop(SESSION)
    await site.sign_in()
    assert "sign-out-others" in (await site.open("/account")).page
    shown = await site.submit("/account/sign-out-others")
    assert "You are signed out everywhere else." in shown.page
    site.cookies[SESSION] = other
    assert (await site.get("/account"))[0] == 303


NOTICES = ("Your password was changed.", "You are signed out everywhere else.", "That session was ended.", "your phone")


async def test_no_address_says_that_something_was_done(site: Site) -> None:
    """Anybody could link to it."""
    assert (await site.open("/signed-out")).path == "/signin"
    await site.sign_in()
    for name in ("changed", "others_signed_out", "session_ended"):
        page = (await site.open(f"/account?notice={name}")).page
        assert [notice for notice in NOTICES if notice in page] == []
    assert (await site.open("/signin/changed?return_to=/account/password")).path == "/account/password"


async def test_what_was_done_is_said_once_and_to_this_browser(site: Site) -> None:
    """Not where its cookie was laid into another browser, nor when it is long over, nor by a page that is no part of it."""
    await site.sign_in()
    status, _, headers = await site.post("/account/sign-out-others")
    assert (status, headers["Location"]) == (303, "/account")
    assert (await site.get("/signin/password"))[2]["Location"] == "/signin"
    step, form = site.cookies[STEP], site.cookies[FORM]
    assert NOTICES[1] in (await site.open("/account")).page
    assert NOTICES[1] not in (await site.open("/account")).page
    site.cookies |= {STEP: step, FORM: "another browser's"}
    assert NOTICES[1] not in (await site.open("/account")).page
    site.cookies |= {STEP: step, FORM: form}
    assert (await site.open("/signin/changed")).path == "/account"
    site.cookies |= {STEP: step}
    site.now += 601
    assert NOTICES[1] not in (await site.open("/account")).page


async def test_nothing_is_done_for_nobody(site: Site) -> None:
    """Whose session is over is asked to sign in."""
    for path in ("/account/end-session", "/account/sign-out-others", "/account/password"):
        assert (await site.submit(path, session="x")).path.startswith("/signin")


@pytest.mark.parametrize(
    ("sid", "built_in"),
    [
        ("S-1-5-32-545", True),
        ("S-1-5-21-1-2-3-513", True),
        ("S-1-5-21-1-2-3-999", True),
        ("S-1-5-21-1-2-3-1000", False),
        ("S-1-5-21-1-2-3-", False),
        ("3f1c0000-0000-0000-0000-000000000001", False),
        ("", False),
    ],
)
def test_built_in_groups_are_those_of_windows(sid: str, built_in: bool) -> None:
    """An LDAP directory has none."""
    assert is_built_in(Group(sid, "Users")) is built_in
