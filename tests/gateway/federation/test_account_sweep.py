"""Accounts behind what nobody uses: asked about in portions, by one node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from gateway.federation.account_sweep import AT_ONCE, ROUND, AccountSweep
from gateway.federation.oidc import GrantChecks
from gateway.federation.oidc.grant_details import GrantDetails, write_details
from gateway.federation.settings import FederationSettings
from gateway.housekeeping import Housekeeping
from gateway.protocol import AccountId, Identity
from gateway.relay import LookedUp, PersonQuestion, PersonState
from gateway.signin import AccountChecks, Sessions, SignInSettings
from gateway.store import GrantRecord, SessionRecord, Store, StoreUnavailable, open_store

NOW, HOUR = 1_800_000_000.0, 3600.0


class Agents:
    """Implements `LookUps`: knows of some that they are disabled, and may know nothing of anybody."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.disabled: set[str] = set()
        self.silent = self.fails = False
        self.takes = 0.0
        self.asked: list[str] = []
        self.most_at_once = self._at_once = 0

    async def look_up(self, question: PersonQuestion) -> LookedUp:
        if self.fails:
            raise StoreUnavailable("relay.db", "no answer", "see")
        assert question.account is not None
        name = question.account.object
        self.asked.append(name)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0)
        self._at_once -= 1
        self.stand.now += self.takes
        if self.silent:
            return LookedUp(state=PersonState.UNCHECKED, at=self.stand.now, why="no_agent")
        state = PersonState.DISABLED if name in self.disabled else PersonState.LIVE
        return LookedUp(state=state, password_set=5.0, at=self.stand.now)


@dataclass
class Stand:
    """A store with sessions and grants, and sweeps of one or more nodes over it."""

    store: Store
    now: float = NOW

    def __post_init__(self) -> None:
        self.agents = Agents(self)
        self.checks = AccountChecks(self.agents, self.store.audit, lambda: self.now, lifetime=HOUR)
        self.checks.started = 0.0
        self.sessions = Sessions(SignInSettings(), self.store.sessions, lambda: self.now, None, self.checks)

    def sweep(self, *, lifetime: float = HOUR, per_minute: int = 300) -> AccountSweep:
        grants = GrantChecks(self.store.grants, self.checks)
        clock = lambda: self.now  # noqa: E731 - for this call alone
        return AccountSweep(self.store, self.sessions, grants, clock, lifetime=lifetime, per_minute=per_minute)

    async def session(self, name: str, checked_at: float) -> None:
        record = SessionRecord(
            digest=name.encode(),
            account=AccountId("9d1c", name),
            identity=msgspec.msgpack.encode(Identity(object_guid=name, user_name=name, domain="d")),
            created_at=checked_at,
            seen_at=checked_at,
            expires_at=NOW + 9 * HOUR,
            checked_at=checked_at,
        )
        await self.store.sessions.add(record)

    async def grant(self, name: str, checked_at: float, details: bytes | None = None) -> None:
        identity = Identity(object_guid=name, user_name=name, domain="d")
        given = GrantDetails(scope=("openid",), subject=name, auth_time=NOW, identity=identity, password_set=5.0)
        record = GrantRecord(
            digest=name.encode(),
            trust="app",
            account=AccountId("9d1c", name),
            details=write_details(given) if details is None else details,
            created_at=NOW,
            expires_at=NOW + 9 * HOUR,
            idle_at=NOW + 9 * HOUR,
            checked_at=checked_at,
        )
        assert await self.store.grants.add(record)

    async def left(self) -> list[str]:
        """Digests of what is there still."""
        sessions = await self.store.sessions.unchecked(NOW * 2, b"", 1000, self.now)
        grants = await self.store.grants.unchecked(NOW * 2, b"", 1000, self.now)
        return sorted(digest.decode() for digest in [*(held.digest for held in sessions), *(held.digest for held in grants)])


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    store = open_store(f"sqlite:///{tmp_path / 'relay.db'}", secret=b"k" * 32, node="relay1")
    yield Stand(store)
    await store.close()


async def test_whoever_is_disabled_is_found_without_coming_back(stand: Stand) -> None:
    """Sessions and grants; what was checked a moment ago is not asked about; what lives is checked as of now."""
    old = NOW - HOUR / 2
    for name in ("anna", "ben"):
        await stand.session(f"{name}-session", old)
        await stand.grant(f"{name}-grant", old)
    await stand.session("fresh-session", NOW - 60)
    stand.agents.disabled = {"ben-session", "ben-grant", "fresh-session"}
    await stand.sweep().run()
    assert await stand.left() == ["anna-grant", "anna-session", "fresh-session"]
    assert sorted(stand.agents.asked) == ["anna-grant", "anna-session", "ben-grant", "ben-session"]
    await stand.sweep().run()
    assert len(stand.agents.asked) == 4
    kinds = [entry.event.kind for entry in await stand.store.audit.entries()]
    assert sorted(kinds) == ["federation.grant_ended", "session.ended"]


async def test_without_an_answer_all_ends_after_the_time_that_is_set(stand: Stand) -> None:
    """Not before."""
    stand.agents.silent = True
    await stand.session("new-session", NOW - HOUR + 1)
    await stand.session("old-session", NOW - HOUR)
    await stand.grant("new-grant", NOW - HOUR + 1)
    await stand.grant("old-grant", NOW - HOUR)
    await stand.sweep().run()
    assert await stand.left() == ["new-grant", "new-session"]


async def test_a_round_asks_so_much_and_the_next_one_continues(stand: Stand) -> None:
    """Half of it for each kind, a few at a time. Those of whom nobody knows come again after all others."""
    for number in range(25):
        await stand.session(f"s{number:02}", NOW - HOUR / 2)
    stand.agents.silent = True
    sweep = stand.sweep(per_minute=20)
    for _ in range(3):
        stand.now += 30
        await sweep.run()
    assert stand.agents.asked == [f"s{number:02}" for number in range(25)]
    assert stand.agents.most_at_once == AT_ONCE
    stand.now += 30
    await sweep.run()
    assert stand.agents.asked[25:] == [f"s{number:02}" for number in range(10)]


async def test_a_round_ends_where_agents_are_slow(stand: Stand) -> None:
    """Before another node could take the duty."""
    for number in range(40):
        await stand.session(f"s{number:02}", NOW - HOUR / 2)
    stand.agents.takes = ROUND / AT_ONCE / 2
    await stand.sweep().run()
    assert len(stand.agents.asked) == 2 * AT_ONCE


async def test_one_node_sweeps(stand: Stand) -> None:
    """While another one holds the duty, nothing is asked; it is given up after each round, also one that fails."""
    await stand.session("anna", NOW - HOUR / 2)
    lease = await stand.store.duties.take("account checks", "other", now=NOW, until=NOW + 60)
    assert lease is not None
    await stand.sweep().run()
    assert stand.agents.asked == []
    await stand.store.duties.give_up(lease)
    stand.agents.fails = True
    with pytest.raises(StoreUnavailable):
        await stand.sweep().run()
    stand.agents.fails = False
    await stand.sweep().run()
    assert stand.agents.asked == ["anna"]


async def test_what_cannot_be_read_is_left_to_its_end(stand: Stand) -> None:
    """A mark of a code that was used twice, a session of another version; the others are checked."""
    await stand.grant("mark", NOW - HOUR / 2, details=b"")
    await stand.session("broken", NOW - HOUR / 2)
    await stand.store.sessions.note_check(b"broken", NOW - HOUR / 2, b"\xff")
    await stand.grant("sound", NOW - HOUR / 2)
    await stand.sweep().run()
    assert stand.agents.asked == ["sound"]
    assert len(await stand.left()) == 3


async def test_it_looks_at_its_own_pace(stand: Stand) -> None:
    """Once a minute, more often where the time is short; a store that fails once does not end it."""
    assert (stand.sweep().pace, stand.sweep(lifetime=60.0).pace) == (60.0, 15.0)
    assert FederationSettings().checks_per_minute < 600
    sweep, slept, rounds = stand.sweep(), list[float](), list[float]()

    async def run() -> None:
        rounds.append(stand.now)
        raise StoreUnavailable("relay.db", "no answer", "see")

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 3:
            await asyncio.get_running_loop().create_future()

    sweep.run = run  # type: ignore[method-assign]
    housekeeping = Housekeeping(sleep)
    sweep.add_jobs(housekeeping, sleep)
    loops = dict(housekeeping._loops)
    task = asyncio.create_task(loops["relay-account-checks"]())
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (slept[:3], len(rounds)) == ([60.0] * 3, 3)
