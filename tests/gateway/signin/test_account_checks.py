"""Whether an account still lives: the decision, how it is asked for, and what becomes of sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from gateway.protocol import AccountId, Identity, Outcome
from gateway.relay import LookedUp, PersonQuestion, PersonState, Verdict
from gateway.signin import AccountChecks, AccountVerdict, HeldAccount, Session, Sessions, SignInSettings
from gateway.signin.account_checks import _MOST, judge
from gateway.signin.cookies import digest
from tests.gateway.signin.site import ANNA, NEW, RIGHT, SESSION, Site
from tests.support.fakes import identity_of

NOW, HOUR = 1_800_000_000.0, 3600.0
ACCOUNT = AccountId("9d1c", "guid")
HELD = HeldAccount(
    account=ACCOUNT, user_name=ANNA, domain="corp.example.com", agent="agent1", password_set=100.0, checked_at=NOW - 10
)


@dataclass
class FakeLookUps:
    """Answers what it is told about everybody; records what it is asked."""

    clock: Callable[[], float] = lambda: NOW
    state: PersonState = PersonState.LIVE
    why: str = ""
    password_set: float = 100.0
    asked: list[PersonQuestion] = field(default_factory=list)

    async def look_up(self, question: PersonQuestion) -> LookedUp:
        self.asked.append(question)
        known = self.state is not PersonState.UNCHECKED
        password_set = self.password_set if known else 0.0
        return LookedUp(state=self.state, password_set=password_set, at=self.clock(), why=self.why)

    def fall_silent(self, why: str = "no_agent") -> None:
        self.state, self.why = PersonState.UNCHECKED, why


def unchecked(why: str) -> LookedUp:
    return LookedUp(state=PersonState.UNCHECKED, at=NOW, why=why)


def verdict(found: LookedUp, *, started: float = 0.0, **changes: Any) -> AccountVerdict:
    return judge(found, replace(HELD, **changes), now=NOW, lifetime=HOUR, started=started)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (PersonState.LIVE, ""),
        (PersonState.LOCKED, ""),
        (PersonState.DISABLED, "disabled"),
        (PersonState.EXPIRED, "expired"),
        (PersonState.GONE, "gone"),
        (PersonState.MUST_CHANGE, "must_change"),
    ],
)
def test_an_answer_decides_however_old_the_last_one_is(state: PersonState, reason: str) -> None:
    """Who types wrong passwords for somebody, and so locks the account, signs nobody out."""
    for checked_at in (NOW - 10, NOW - 30 * HOUR, NOW + 30 * HOUR):
        judged = verdict(LookedUp(state=state, password_set=100.0, at=NOW - 1), checked_at=checked_at)
        assert (judged.ends, judged.outage) == (reason, False)
        assert judged.checked_at == (0.0 if reason else NOW - 1)


@pytest.mark.parametrize(
    ("proved", "found", "reason"),
    [
        (100.0, 100.0, ""),
        (100.0, 100.1, "password_changed"),
        (100.0, 99.0, ""),
        (0.0, 200.0, ""),
        (100.0, 0.0, ""),
    ],
)
def test_another_password_ends_what_was_signed_in_to_with_the_old_one(proved: float, found: float, reason: str) -> None:
    """Where either moment is not known, or a controller is behind with the change, nothing ends."""
    answer = LookedUp(state=PersonState.LIVE, password_set=found, at=NOW)
    assert verdict(answer, password_set=proved).ends == reason


@pytest.mark.parametrize(
    ("age", "ends"),
    [(0, ""), (HOUR - 1, ""), (HOUR, "unchecked"), (HOUR + 1, "unchecked"), (-HOUR + 1, ""), (-HOUR, "unchecked")],
)
@pytest.mark.parametrize(
    ("why", "outage"),
    [
        ("no_agent", True),
        ("no_directory", True),
        ("timed_out", True),
        ("lost", True),
        ("busy", True),
        ("unreadable", True),
        ("not_believed", True),
        ("not_mine", False),
        ("limit", False),
        ("not_offered", False),
    ],
)
def test_where_nobody_knows_it_goes_on_for_the_time_that_is_set(age: float, ends: str, why: str, outage: bool) -> None:
    """From the last answer on. A check that a clock which ran ahead has noted prolongs nothing by more than that."""
    judged = verdict(unchecked(why), checked_at=NOW - age)
    assert (judged.ends, judged.outage, judged.checked_at) == (ends, outage, 0.0)


@pytest.mark.parametrize(
    ("since_start", "why", "ends"),
    [
        (0, "no_agent", ""),
        (299, "no_agent", ""),
        (300, "no_agent", "unchecked"),
        (299, "not_mine", "unchecked"),
        (-600, "no_agent", "unchecked"),
    ],
)
def test_a_relay_that_was_down_waits_for_its_agents(since_start: float, why: str, ends: str) -> None:
    """For some minutes, by a clock that has not gone back meanwhile; agents that are there and do not know end the wait."""
    assert verdict(unchecked(why), checked_at=NOW - 9 * HOUR, started=NOW - since_start).ends == ends


async def test_the_agent_that_checked_the_password_is_asked_first() -> None:
    """About the account, not the name; answers from before the last check do not count, unless that lies in the future."""
    lookups = FakeLookUps()
    checks = AccountChecks(lookups, None, lambda: NOW, lifetime=HOUR)  # type: ignore[arg-type] # nothing ends
    await checks.check(HELD, correlation_id="c0ffee")
    await checks.check(replace(HELD, agent="", checked_at=NOW + 5))
    first, second = lookups.asked
    assert (first.account, first.user_name, first.domain) == (ACCOUNT, "", "corp.example.com")
    assert (first.agents, first.since, first.correlation_id) == (("agent1",), NOW - 10, "c0ffee")
    assert (second.agents, second.since) == ((), 0.0)


def test_a_person_is_who_the_directory_says_now() -> None:
    """What was not asked for stays as it was; what was asked for and is not there any more is gone."""
    before = Identity(
        object_guid="3f1c",
        user_name="anna@corp.example.com",
        domain="corp.example.com",
        attributes={"Title": ("Clerk",), "l": ("Berlin",), "badge": ("7",)},
    )
    now = msgspec.structs.replace(before, display_name="Anna Berg", attributes={"l": ("Paris",)})
    found = LookedUp(state=PersonState.LIVE, identity=now, at=NOW)
    judged = judge(found, HELD, now=NOW, lifetime=HOUR, started=0.0, asked=frozenset({"l", "title"}))
    renewed = judged.renewed(before)
    assert renewed.display_name == "Anna Berg"
    assert renewed.attributes == {"l": ("Paris",), "badge": ("7",)}
    assert judge(unchecked("limit"), HELD, now=NOW, lifetime=HOUR, started=0.0).renewed(before) is before


async def test_agents_that_do_not_answer_are_not_waited_for_each_time() -> None:
    """By those who are patient; and by these no longer than they say. What is remembered of it has a bound."""
    moments = [NOW]
    lookups = FakeLookUps(lambda: moments[0])
    lookups.fall_silent()
    checks = AccountChecks(lookups, None, lambda: moments[0], lifetime=HOUR)  # type: ignore[arg-type] # nothing ends
    for patience, asked in ((20.0, 1), (20.0, 1), (0.0, 2)):
        assert (await checks.check(HELD, patience=patience)).outage
        assert len(lookups.asked) == asked
    moments[0] += 21
    await checks.check(HELD, patience=20.0)
    assert len(lookups.asked) == 3
    for number in range(_MOST + 5):
        await checks.check(replace(HELD, account=AccountId("9d1c", str(number))))
    assert len(checks._unanswered) == _MOST
    lookups.state, lookups.why = PersonState.LIVE, ""
    await checks.check(replace(HELD, account=AccountId("9d1c", str(_MOST))))
    assert len(checks._unanswered) == _MOST - 1


class Checked:
    """The pages' sessions with checks; somebody has signed in."""

    def __init__(self, site: Site, lookups: FakeLookUps) -> None:
        self.site, self.lookups = site, lookups
        checks = AccountChecks(lookups, site.store.audit, lambda: site.now, lifetime=HOUR)
        checks.started = 0.0
        self.sessions = Sessions(SignInSettings(), site.store.sessions, lambda: site.now, None, checks)

    async def session(self) -> Session | None:
        record = await self.site.store.sessions.get(digest(self.site.cookies[SESSION]), self.site.now)
        return self.sessions.read(record) if record is not None else None

    async def check(self) -> Session | None:
        session = await self.session()
        assert session is not None
        return await self.sessions.check(session)


@pytest.fixture
async def checked(site: Site) -> Checked:
    site.authenticator.next = Verdict(
        outcome=Outcome.SUCCESS, identity=identity_of(ANNA), password_proven=True, agent="agent1", password_set=100.0
    )
    await site.sign_in()
    return Checked(site, FakeLookUps(lambda: site.now))


async def test_a_session_of_a_disabled_account_ends(checked: Checked) -> None:
    """The trail says why; not again where it has ended already."""
    checked.site.now += 400
    assert await checked.check() is not None
    session = await checked.session()
    assert session is not None
    assert session.checked_at == checked.site.now
    checked.lookups.state = PersonState.DISABLED
    assert await checked.check() is None
    assert await checked.session() is None
    (entry,) = [entry.event for entry in await checked.site.store.audit.entries(kind="session.ended")]
    assert (entry.actor, entry.subject, dict(entry.detail)) == ("relay", ANNA, {"reason": "disabled"})


async def test_when_the_password_was_set_is_learned_where_it_was_not_known(checked: Checked) -> None:
    """From the first answer on another password ends the session."""
    session = await checked.session()
    assert session is not None
    await checked.sessions.after_change(session)
    session = await checked.session()
    assert session is not None
    assert session.password_set == 100.0
    checked.lookups.password_set = 200.0
    assert await checked.check() is None


async def test_who_changes_their_own_password_stays(checked: Checked) -> None:
    """Also where no agent answers right afterwards; what the session says beside it stays as it is."""
    before = await checked.session()
    assert before is not None
    checked.lookups.password_set = 300.0
    await checked.sessions.after_change(before)
    after = await checked.check()
    assert after is not None
    assert (after.password_set, after.sid, after.auth_time) == (300.0, before.sid, before.auth_time)
    checked.lookups.fall_silent()
    await checked.sessions.after_change(after)
    unknown = await checked.session()
    assert unknown is not None
    assert unknown.password_set == 0.0


async def test_a_change_on_the_account_page_is_noted(checked: Checked) -> None:
    """The page's own sessions know nothing of agents, and forget the moment that does not hold any more."""
    shown = await checked.site.open("/account/password")
    await checked.site.choose(shown, password=RIGHT, new_password=NEW, again=NEW)
    session = await checked.session()
    assert session is not None
    assert session.password_set == 0.0
