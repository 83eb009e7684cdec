"""Refresh tokens and sessions, and what becomes of the account behind them: over real HTTPS, with real agents."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from directory import AccountStatus, DirectoryGroup
from gateway.agent import LookUpSettings
from gateway.federation.oidc.errors import InvalidGrant
from gateway.federation.oidc.grant_details import digest_of
from gateway.federation.oidc.jose import read_unproven
from gateway.federation.oidc.refresh_tokens import grant_id_in
from gateway.federation.trusts import TrustAccess
from tests.gateway.federation.oidc.stand import ANNA, APP, PASSWORD, OidcStand, changed
from tests.support.fakes import FakeDirectories
from tests.support.nodes import TwoNodes, trusting_client
from tests.support.relay_and_agent import agent, enrolled, eventually, relay


class CheckedStand(OidcStand):
    """Its agent can be lost, and come back."""

    state: Path
    running: AsyncExitStack

    async def start_agent(self, **look_up: Any) -> None:
        self.running = AsyncExitStack()
        settings = LookUpSettings(**look_up)
        made = agent(self.home, self.relay, self.people, state_dir=self.state, look_up=settings)
        await self.running.enter_async_context(made)

    async def lose_agent(self) -> None:
        await self.running.aclose()
        await eventually(lambda: not self.relay.endpoint.connections)

    async def checked(self, tokens: dict[str, Any], seconds_ago: float) -> None:
        """Have the last answer about the account lie so far back."""
        digest = digest_of(grant_id_in(tokens["refresh_token"]))
        await self.relay.store.grants.note_check(digest, time.time() - seconds_ago)

    async def session_checked(self, seconds_ago: float) -> None:
        """The same for every session."""
        for record in await self.relay.store.sessions.unchecked(time.time() + 1, b"", 100, 0.0):
            await self.relay.store.sessions.note_check(record.digest, time.time() - seconds_ago)

    def now_in(self, *groups: str, **about: Any) -> None:
        """From now on the directory says that everybody is in these groups; nobody remembers another answer."""
        self.people.about |= {"groups": tuple(DirectoryGroup(f"S-1-5-21-1-2-3-{name}", name) for name in groups), **about}
        for node in self.relays:
            node.lookups._kept.clear()

    async def reasons(self, kind: str) -> list[str]:
        entries = await self.relay.store.audit.entries(kind=kind)
        return [dict(entry.event.detail)["reason"] for entry in entries]


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[CheckedStand]:
    people = FakeDirectories({ANNA: PASSWORD})
    async with relay(tmp_path) as running, trusting_client(tmp_path) as client:
        made = CheckedStand((running,), people, tmp_path, client)
        made.state = await enrolled(tmp_path, running, "agent1")
        running.checks.started -= 1000  # it has been there for long
        await made.trust(APP)
        await made.start_agent()
        yield made
        await made.running.aclose()


@pytest.mark.parametrize("happened", ["disabled", "expired", "must_change", "gone", "password_changed"])
async def test_a_refresh_ends_with_the_account(stand: CheckedStand, happened: str) -> None:
    """O11: offline_access or not; the access token goes with it; the trail says why."""
    tokens = await stand.tokens(scope="openid offline_access")
    if happened == "password_changed":
        stand.people.password_set += 1
    elif happened == "gone":
        del stand.people.people[ANNA]
    else:
        stand.people.status[ANNA] = AccountStatus(happened)
    status, body = await stand.refresh(tokens["refresh_token"])
    assert (status, body["error"]) == (400, "invalid_grant")
    assert body["error_description"] == InvalidGrant.description
    assert (await stand.userinfo(tokens["access_token"]))[0] == 401
    assert await stand.reasons("federation.grant_ended") == [happened]
    stand.people.status.clear()
    assert (await stand.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_a_locked_account_goes_on(stand: CheckedStand) -> None:
    """Or whoever types wrong passwords for somebody signs them out of everything. Answers are kept for seconds."""
    tokens = await stand.tokens()
    stand.people.status[ANNA] = AccountStatus.LOCKED
    for _ in range(3):
        status, tokens = await stand.refresh(tokens["refresh_token"])
        assert status == 200
    assert len(stand.people.looked_up) == 1


async def test_an_outage_ends_nothing_for_an_hour(stand: CheckedStand) -> None:
    """An agent that is lost between code and refresh: "try again", as often as it is tried; then it is as before."""
    arrival = await stand.signed_in(stand.browser())
    status, tokens = await stand.redeem(arrival.code)
    assert status == 200
    await stand.lose_agent()
    for seconds_ago in (0, 3590):
        await stand.checked(tokens, seconds_ago)
        data = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"], "client_id": "app"}
        status, body, headers = await stand.post("/oidc/token", {**data, "client_secret": "a-secret-of-256-random-bits"})
        assert (status, body["error"], headers["Retry-After"]) == (503, "temporarily_unavailable", "10")
    assert (await stand.userinfo(tokens["access_token"]))[0] == 200
    await stand.start_agent()
    status, tokens = await stand.refresh(tokens["refresh_token"])
    assert status == 200
    await stand.lose_agent()
    await stand.checked(tokens, 3601)
    stand.relay.lookups._kept.clear()
    assert (await stand.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await stand.userinfo(tokens["access_token"]))[0] == 401
    assert await stand.reasons("federation.grant_ended") == ["unchecked"]


async def test_what_was_not_used_for_days_is_asked_about_first(stand: CheckedStand) -> None:
    """And the answer counts, however old the last one is; it is noted with the rotation."""
    tokens = await stand.tokens(scope="openid offline_access")
    await stand.checked(tokens, 9 * 86400)
    status, tokens = await stand.refresh(tokens["refresh_token"])
    assert status == 200
    record = await stand.relay.store.grants.get(digest_of(grant_id_in(tokens["refresh_token"])), time.time())
    assert record is not None
    assert abs(record.checked_at - time.time()) < 60


async def test_agents_that_answer_no_look_ups_keep_a_refresh_for_an_hour(stand: CheckedStand) -> None:
    """The application notices nothing before that; then the user has to sign in again."""
    await stand.lose_agent()
    await stand.start_agent(lookups_per_minute=0)
    tokens = await stand.tokens()
    await stand.checked(tokens, 3590)
    status, tokens = await stand.refresh(tokens["refresh_token"])
    assert status == 200
    await stand.checked(tokens, 3601)
    assert (await stand.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(("seconds", "asked"), [(-600, 1), (-86400, 1), (86400, 1)])
async def test_a_clock_that_was_wrong_hides_no_disabled_account(stand: CheckedStand, seconds: float, asked: int) -> None:
    """Set back by 10 minutes or a day (checks lie in the future then), or ahead by a day: it is asked all the same."""
    browser = stand.browser()
    await stand.tokens(browser)
    stand.people.looked_up.clear()
    await stand.session_checked(seconds)
    assert (await browser.authorize()).code
    assert len(stand.people.looked_up) == asked
    stand.people.status[ANNA] = AccountStatus.DISABLED
    stand.relay.lookups._kept.clear()
    await stand.session_checked(seconds)
    assert not (await browser.authorize()).location


async def test_a_session_is_checked_when_it_is_used(stand: CheckedStand) -> None:
    """At most every 5 minutes, by applications and by the account page; with it ends what hangs on it."""
    browser = stand.browser()
    tokens = await stand.tokens(browser)
    stand.people.status[ANNA] = AccountStatus.DISABLED
    await stand.session_checked(290)
    assert (await browser.authorize()).code
    assert stand.people.looked_up == []
    await stand.session_checked(301)
    shown = await browser.open("/account")
    assert "Sign in" in shown.page
    assert len(stand.people.looked_up) == 1
    assert (await stand.userinfo(tokens["access_token"]))[0] == 401
    assert await stand.reasons("session.ended") == ["disabled"]
    assert not (await browser.authorize()).location


async def test_a_session_outlives_an_outage_of_an_hour(stand: CheckedStand) -> None:
    """Not a longer one; and a relay that has just started waits for its agents."""
    browser = stand.browser()
    await stand.tokens(browser)
    await stand.lose_agent()
    await stand.session_checked(3590)
    assert (await browser.authorize()).code
    await stand.session_checked(3601)
    stand.relay.checks.started = time.time()
    assert (await browser.authorize()).code
    stand.relay.checks.started -= 1000
    await stand.session_checked(3601)
    assert not (await browser.authorize()).location
    assert await stand.reasons("session.ended") == ["unchecked"]


GROUPS = changed(scopes=("openid", "groups", "phone", "offline_access"), claims_in_id_token=True)
ENGINEERS = replace(GROUPS, access=TrustAccess(groups=("Engineering",)))


def claims_in(tokens: dict[str, Any]) -> dict[str, Any]:
    return dict(read_unproven(tokens["id_token"]))


async def test_a_refresh_takes_over_who_the_person_is_by_now(stand: CheckedStand) -> None:
    """Groups and attributes in the ID token, at once, and at userinfo; subject and time of the sign-in stay as they were."""
    await stand.trust(GROUPS)
    stand.people.offered = ("telephoneNumber",)
    tokens = await stand.tokens(scope="openid groups phone offline_access")
    first = claims_in(tokens)
    assert (first["groups"], first.get("phone_number")) == (["Engineering"], None)
    stand.now_in("Sales", "Paris", attributes={"telephoneNumber": ("+33 1",)})
    _, tokens = await stand.refresh(tokens["refresh_token"])
    second = claims_in(tokens)
    assert (second["groups"], second["phone_number"]) == (["Sales", "Paris"], "+33 1")
    assert [second[name] for name in ("sub", "auth_time", "sid")] == [first[name] for name in ("sub", "auth_time", "sid")]
    await stand.lose_agent()
    _, told = await stand.userinfo(tokens["access_token"])
    assert (told["groups"], told["phone_number"]) == (["Sales", "Paris"], "+33 1")


@pytest.mark.parametrize(
    ("access", "groups", "reason"),
    [
        (TrustAccess(groups=("Engineering",)), ("Sales",), "group"),
        (TrustAccess(test_users=("ben@corp.example.com",)), ("Engineering",), "test users"),
        (TrustAccess(networks=("192.0.2.0/24",)), ("Engineering",), "network"),
    ],
)
@pytest.mark.parametrize("use", ["refresh", "userinfo"])
async def test_who_lost_access_gets_no_more_tokens(
    stand: CheckedStand, use: str, access: TrustAccess, groups: tuple[str, ...], reason: str
) -> None:
    """By the directory, or by a trust that was changed: what was given ends as a whole, and the trail says why."""
    tokens = await stand.tokens(scope="openid offline_access")
    await stand.trust(replace(APP, access=access))
    stand.now_in(*groups)
    if use == "refresh":
        status, body = await stand.refresh(tokens["refresh_token"])
        assert (status, body["error"], body["error_description"]) == (400, "invalid_grant", InvalidGrant.description)
    else:
        await stand.checked(tokens, 301)
        status, body = await stand.userinfo(tokens["access_token"])
        assert (status, body["error"]) == (401, "invalid_token")
    assert await stand.reasons("federation.grant_ended") == [f"access: {reason}"]
    await stand.trust(APP)
    assert (await stand.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await stand.userinfo(tokens["access_token"]))[0] == 401


async def test_what_a_policy_refuses_ends_before_the_token_is_spent(stand: CheckedStand) -> None:
    """Here too many groups: not a spent token that looks like a stolen one when the client asks again."""
    trust = replace(GROUPS, claims=replace(GROUPS.claims, groups_most=1, groups_over="refuse"))
    await stand.trust(trust)
    tokens = await stand.tokens(scope="openid groups")
    stand.now_in("Engineering", "Sales")
    assert (await stand.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"
    assert len(await stand.reasons("federation.grant_ended")) == 1
    assert await stand.reasons("federation.token_reused") == []


async def test_what_the_trust_no_longer_has_is_not_given_again(stand: CheckedStand) -> None:
    """Scopes and APIs that were taken away from the trust; where nothing is left, no token is spent."""
    await stand.trust(GROUPS)
    tokens = await stand.tokens(scope="openid groups phone", resource="https://api.example.com/")
    await stand.trust(changed(GROUPS, scopes=("openid", "phone")))
    _, tokens = await stand.refresh(tokens["refresh_token"])
    assert tokens["scope"] == "openid phone"
    assert (await stand.refresh(tokens["refresh_token"], scope="groups"))[1]["error"] == "invalid_scope"
    await stand.trust(changed(GROUPS, scopes=("email",)))
    assert (await stand.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_scope"
    await stand.trust(changed(GROUPS, resources=()))
    assert (await stand.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_target"
    await stand.trust(GROUPS)
    assert (await stand.refresh(tokens["refresh_token"]))[0] == 200


async def test_userinfo_asks_every_five_minutes(stand: CheckedStand) -> None:
    """Not each time; an outage refuses nothing, and is not waited for again; a disabled account ends it."""
    await stand.trust(GROUPS)
    tokens = await stand.tokens(scope="openid groups")
    stand.now_in("Sales")
    await stand.checked(tokens, 290)
    assert (await stand.userinfo(tokens["access_token"]))[1]["groups"] == ["Engineering"]
    assert stand.people.looked_up == []
    await stand.checked(tokens, 301)
    for _ in range(2):
        assert (await stand.userinfo(tokens["access_token"]))[1]["groups"] == ["Sales"]
    assert len(stand.people.looked_up) == 1
    await stand.lose_agent()
    await stand.checked(tokens, 3590)
    stand.relay.lookups._kept.clear()
    assert (await stand.userinfo(tokens["access_token"]))[1]["groups"] == ["Sales"]
    await stand.start_agent()
    stand.people.status[ANNA] = AccountStatus.DISABLED
    stand.relay.checks._unanswered.clear()
    assert (await stand.userinfo(tokens["access_token"]))[0] == 401
    assert await stand.reasons("federation.grant_ended") == ["disabled"]


async def test_single_sign_on_goes_by_the_groups_of_today(stand: CheckedStand) -> None:
    """A session that is used knows them within 5 minutes: for claims, for access, and when access comes back."""
    await stand.trust(ENGINEERS)
    browser = stand.browser()
    await stand.tokens(browser, scope="openid groups")
    stand.now_in("Sales")
    await stand.session_checked(290)
    assert (await browser.authorize()).code
    await stand.session_checked(301)
    assert not (await browser.authorize()).location
    assert (await browser.authorize(prompt="none")).members["error"] == "access_denied"
    stand.now_in("Engineering", "Sales")
    await stand.session_checked(301)
    tokens = await stand.tokens(browser, scope="openid groups")
    assert claims_in(tokens)["groups"] == ["Engineering", "Sales"]
    await stand.lose_agent()
    await stand.session_checked(3590)
    assert (await browser.authorize()).code


async def test_groups_stay_as_they_were_where_agents_answer_no_look_ups(stand: CheckedStand) -> None:
    """Until the sign-in is too old unchecked; the trust's rules are asked about these."""
    await stand.lose_agent()
    await stand.start_agent(lookups_per_minute=0)
    await stand.trust(ENGINEERS)
    tokens = await stand.tokens(scope="openid groups")
    stand.now_in("Sales")
    _, tokens = await stand.refresh(tokens["refresh_token"])
    assert claims_in(tokens)["groups"] == ["Engineering"]
    await stand.trust(replace(GROUPS, access=TrustAccess(groups=("Sales",))))
    assert (await stand.refresh(tokens["refresh_token"]))[1]["error"] == "invalid_grant"


@pytest.mark.postgres
async def test_both_nodes_see_that_an_account_is_disabled(two_nodes: TwoNodes) -> None:
    """Signed in at one, refreshed at the other; of both who find it out in one moment one ends the grant."""
    people = FakeDirectories({ANNA: PASSWORD})
    async with two_nodes.agent(people), trusting_client(two_nodes._home) as client:
        stand = CheckedStand(two_nodes.relays, people, two_nodes._home, client)
        await stand.trust(APP)
        for _ in range(2):  # and begun at the other node
            tokens = await stand.tokens()
            status, tokens = await stand.refresh(tokens["refresh_token"])
            assert status == 200
            people.status[ANNA] = AccountStatus.DISABLED
            for node in two_nodes.relays:
                node.lookups._kept.clear()
            answers = await asyncio.gather(*(stand.refresh(tokens["refresh_token"]) for _ in range(2)))
            assert [body["error"] for _, body in answers] == ["invalid_grant"] * 2
            people.status.clear()
            for node in two_nodes.relays:
                node.lookups._kept.clear()
            next(stand.turns)
        assert await stand.reasons("federation.grant_ended") == ["disabled"] * 2
