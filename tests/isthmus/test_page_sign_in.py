"""One sign-in at a relay's real page, for whoever wants to see that all of it works."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.agent import Route, proxy_of, tls_context
from gateway.app import Relay
from isthmus.page_sign_in import read_page, sign_in_at_page
from tests.support.fakes import FakeDirectories
from tests.support.relay_and_agent import agent, agent_settings, relay

ANNA, RIGHT = "anna@corp.example.com", "Harbour-Strait-9"


def way_to(home: Path, running: Relay) -> Route:
    settings = agent_settings(home)
    return Route(running.settings.public_url, tls_context(settings), proxy_of(settings))


async def test_a_sign_in_goes_all_the_way_and_leaves_no_session(tmp_path: Path) -> None:
    """The right password, a wrong one, one that has expired; without an agent; without a relay."""
    directories = FakeDirectories({ANNA: RIGHT, "ben@corp.example.com": "old"}, expired={"ben@corp.example.com"})
    async with relay(tmp_path) as running:
        route = way_to(tmp_path, running)
        async with agent(tmp_path, running, directories):
            right = await sign_in_at_page(route, ANNA, RIGHT)
            wrong = await sign_in_at_page(route, ANNA, "wrong")
            expired = await sign_in_at_page(route, "ben@corp.example.com", "old")
        nobody = await sign_in_at_page(route, ANNA, RIGHT)
        trail = await running.administration.audit(limit=50, before=None, kind="signin", subject=ANNA)
        left = await running.store.sessions.delete_all()
    gone = await sign_in_at_page(route, ANNA, RIGHT)
    statuses = [finding.status for finding in (right, wrong, expired, nobody, gone)]
    assert statuses == ["pass", "fail", "pass", "fail", "fail"]
    assert directories.binds.count(ANNA) == 2
    assert "new password" in expired.seen
    assert gone.seen == "connection refused"
    assert not [finding for finding in (right, wrong, expired, nobody) if RIGHT in finding.seen]
    assert len(trail) == 3
    assert left == 0


@pytest.mark.parametrize(
    ("action", "expected"),
    [("/signin", "https://relay/signin"), ("", "https://relay/a/b"), ("https://other/x", "https://other/x")],
)
def test_a_page_is_read_by_its_forms(action: str, expected: str) -> None:
    """Fields by their names, addresses as a browser makes them; inputs outside a form belong to none."""
    text = (
        f'<input name="stray"><form method="post" action="{action}"><input type="hidden" name="csrf" value="a&amp;b">'
        '<input name="password"><button>Go</button></form><input name="late">'
        '<div class="x" role="alert">Incorrect <div>user</div> name<br>or password</div><p>after</p>'
    )
    page = read_page("https://relay/a/b", 401, text)
    (form,) = page.forms
    assert (form.action, form.fields) == (expected, {"csrf": "a&b", "password": ""})
    assert page.form_with("password") is form
    assert page.form_with("late") is None
    assert page.alert == "Incorrect user name or password"


async def test_a_page_that_leads_elsewhere_gets_no_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a form says: what is typed goes to the relay, or nowhere."""
    real = read_page

    def elsewhere(url: str, status: int, text: str) -> object:
        page = real(url, status, text)
        for form in page.forms:
            form.action = "https://other.example/"
        return page

    monkeypatch.setattr("isthmus.page_sign_in.read_page", elsewhere)
    async with relay(tmp_path) as running:
        finding = await sign_in_at_page(way_to(tmp_path, running), ANNA, RIGHT)
    assert (finding.status, finding.seen) == ("fail", "the page leads to another server, other.example")
