"""Agents, tokens, API keys, sessions, and the unit of work that joins them."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.protocol import AccountId
from gateway.store import (
    AgentRecord,
    AgentRevoked,
    ApiKeyRecord,
    AuditEvent,
    DutyLost,
    SessionRecord,
    Sighting,
    Store,
    StoreUnavailable,
    TokenRecord,
    TokenSpent,
)
from tests.gateway.store.conftest import NOW

ANNA = AccountId("d", "g")
KEY = b"k" * 32


def session(name: bytes, account: AccountId = ANNA, seconds: float = 60.0) -> SessionRecord:
    return SessionRecord(digest=name, account=account, identity=b"i", created_at=NOW, seen_at=NOW, expires_at=NOW + seconds)


def agent(serial: str, name: str = "agent1") -> AgentRecord:
    return AgentRecord(name=name, serial=serial, not_after=NOW + 1, issued_at=NOW, allowed=("corp", "*"))


def token(name: str = "t", seconds: float = 900.0) -> TokenRecord:
    return TokenRecord(id=name, key=KEY, name="agent1", allowed=("corp",), expires_at=NOW + seconds)


async def test_a_token_is_redeemed_by_exactly_one(pair: tuple[Store, Store]) -> None:
    """Twenty try at once, on two nodes."""
    await pair[0].tokens.add(token())
    tries = (store.tokens.redeem("t", NOW) for _ in range(10) for store in pair)
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert [result for result in results if isinstance(result, TokenRecord)] == [token()]
    assert {str(result) for result in results if isinstance(result, Exception)} == {"the enrolment token is used"}


async def test_tokens_end_and_must_be_known(store: Store) -> None:
    """The reasons are told apart; a look does not spend it."""
    await store.tokens.add(token(seconds=0.0))
    assert await store.tokens.peek("t", NOW) == await store.tokens.peek("t", NOW) == token(seconds=0.0)
    for act in (store.tokens.redeem, store.tokens.peek):
        with pytest.raises(TokenSpent, match="expired"):
            await act("t", NOW + 1)
        with pytest.raises(TokenSpent, match="unknown"):
            await act("u", NOW)
    await store.tokens.redeem("t", NOW)
    with pytest.raises(TokenSpent, match="used"):
        await store.tokens.peek("t", NOW)


async def test_agents_are_revoked_with_all_their_certificates(store: Store) -> None:
    """Old serial numbers too; each change is told by the generation."""
    for serial in ("aa", "bb"):
        await store.agents.add(agent(serial))
    assert (await store.generations.numbers())["agents"] == 2
    sighting = Sighting(name="agent1", serial="bb", time=NOW + 5, software="1.0", domains=("corp", "*"), address="192.0.2.1")
    await store.agents.seen([sighting])
    assert await store.agents.revoke("agent1", NOW + 9, "stolen") == 2
    assert await store.agents.revoke("agent1", NOW + 9, "again") == 0
    assert (await store.generations.numbers())["agents"] == 4
    first, second = await store.agents.all()
    assert first.revoked_at == second.revoked_at == NOW + 9
    assert (second.domains, second.allowed, second.seen_at) == (("corp", "*"), ("corp", "*"), NOW + 5)


async def test_a_certificate_is_renewed_or_revoked_whichever_node_is_first(pair: tuple[Store, Store]) -> None:
    """In the same moment at two nodes: the new one is not there, or it is revoked with the old one."""

    async def renew(name: str) -> None:
        unit = pair[0].unit()
        unit.add_agent(agent(f"{name}-new", name), renewed=f"{name}-old")
        await unit.commit()

    for number in range(20):
        name = f"agent{number}"
        await pair[0].agents.add(agent(f"{name}-old", name))
        acts = [renew(name), pair[1].agents.revoke(name, NOW, "stolen")]
        renewed, revoked = await asyncio.gather(*acts, return_exceptions=True)
        assert (renewed, revoked) == (None, 2) or (isinstance(renewed, AgentRevoked), revoked) == (True, 1)
    assert all(record.revoked_at == NOW for record in await pair[0].agents.all())


async def test_nobody_renews_what_is_not_theirs(store: Store) -> None:
    """A certificate of another name, a revoked one, or none: nothing is added."""
    await store.agents.add(agent("aa"))
    await store.agents.add(agent("bb", "agent2"))
    await store.agents.revoke("agent2", NOW, "stolen")
    for name, renewed in (("agent1", "bb"), ("agent2", "bb"), ("agent1", "cc"), ("agent2", "aa")):
        unit = store.unit()
        unit.add_agent(agent("new", name), renewed=renewed)
        with pytest.raises(AgentRevoked, match=f"the agent {name} was revoked"):
            await unit.commit()
    assert [record.serial for record in await store.agents.all()] == ["aa", "bb"]


async def test_two_nodes_see_the_same_agents_at_once(pair: tuple[Store, Store]) -> None:
    """In opposite order: rows are locked in one order all the same."""
    names = [f"agent{number}" for number in range(20)]
    for name in names:
        await pair[0].agents.add(agent(name, name))
    seen = [Sighting(name=name, serial=name, time=NOW, software="", domains=(), address="") for name in names]
    await asyncio.gather(*(act for _ in range(10) for act in (pair[0].agents.seen(seen), pair[1].agents.seen(seen[::-1]))))
    assert {record.seen_at for record in await pair[0].agents.all()} == {NOW}


async def test_api_keys(store: Store) -> None:
    """Made, found, revoked once; a revocation is told by the generation."""
    record = ApiKeyRecord(
        id="k", digest=b"d", name="shop", scopes=("check",), networks=("192.0.2.0/24",), rate=60.0, created_at=NOW
    )
    await store.api_keys.add(record)
    found = await store.api_keys.get("k")
    assert found == record
    assert "digest" not in repr(found)
    assert await store.api_keys.revoke("k", NOW)
    assert not await store.api_keys.revoke("k", NOW)
    assert (await store.api_keys.all())[0].revoked_at == NOW
    assert await store.api_keys.get("x") is None
    assert (await store.generations.numbers())["api_keys"] > 0


async def test_sessions_end(store: Store) -> None:
    """By time, by sign-out, everywhere at once; another directory's person of that id keeps theirs."""
    for name in (b"a", b"b", b"c"):
        await store.sessions.add(session(name))
    assert await store.sessions.get(b"a", NOW + 61) is None
    assert await store.sessions.get(b"a", NOW) == session(b"a")
    await store.sessions.touch(b"a", NOW + 50, NOW + 110)
    assert await store.sessions.get(b"a", NOW + 61) is not None
    assert await store.sessions.purge(NOW + 61) == 2
    await store.sessions.delete(b"a")
    assert await store.sessions.of_user(ANNA, NOW) == []
    for name in (b"a", b"b", b"c"):
        await store.sessions.add(session(name))
    await store.sessions.add(session(b"z", AccountId("e", "g")))
    assert [record.digest for record in await store.sessions.of_user(AccountId("e", "g"), NOW)] == [b"z"]
    assert sorted(record.digest for record in await store.sessions.take_of_user(ANNA)) == [b"a", b"b", b"c"]
    assert await store.sessions.take_of_user(ANNA) == []
    assert await store.sessions.get(b"z", NOW) is not None


async def test_a_session_says_when_its_account_was_checked(store: Store) -> None:
    """The sweep sees those that were not checked lately, in portions, by digest; what is over is left out."""
    for number in range(6):
        await store.sessions.add(replace(session(b"%d" % number), checked_at=NOW - number))
    await store.sessions.add(session(b"over", seconds=0.0))
    await store.sessions.note_check(b"4", NOW + 5)
    await store.sessions.note_check(b"0", NOW - 9, b"other")
    seen: list[bytes] = []
    while portion := await store.sessions.unchecked(NOW - 2, seen[-1] if seen else b"", 2, NOW):
        assert len(portion) <= 2
        seen += [record.digest for record in portion]
    assert seen == [b"0", b"3", b"5"]
    kept = {record.digest: (record.checked_at, record.identity) for record in await store.sessions.of_user(ANNA, NOW)}
    assert (kept[b"0"], kept[b"4"]) == ((NOW - 9, b"other"), (NOW + 5, b"i"))


async def test_sessions_are_read_in_pages(store: Store) -> None:
    """Each live one once, by digest; one that is over is in none."""
    for name in (b"c", b"a", b"b"):
        await store.sessions.add(session(name))
    await store.sessions.add(session(b"d", seconds=1.0))
    first = await store.sessions.behind(b"", 2, NOW + 2)
    rest = await store.sessions.behind(first[-1].digest, 2, NOW + 2)
    assert [record.digest for record in (*first, *rest)] == [b"a", b"b", b"c"]


async def test_of_two_who_end_all_sessions_one_gets_each(pair: tuple[Store, Store]) -> None:
    """Of one directory, then of everybody; whoever gets a session tells its applications, and nobody else does."""
    for number in range(20):
        await pair[0].sessions.add(session(bytes([number])))
    other = session(b"z", AccountId("e", "g"))
    await pair[0].sessions.add(other)
    taken = await asyncio.gather(*(store.sessions.take(ANNA.directory, 30) for store in pair * 3))
    assert sorted(record.digest[0] for records in taken for record in records) == list(range(20))
    assert await pair[0].sessions.take(None, 30) == [other]
    assert await pair[1].sessions.take(None, 30) == []


async def test_a_purge_of_many_gives_way(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign-in's entry is committed in the middle of it."""
    for number in range(200):
        await store.sessions.add(session(number.to_bytes(2), seconds=1.0))
    await store.audit.append(AuditEvent(time=NOW, kind="signin"))
    monkeypatch.setattr("gateway.store.database.PORTION", 1)
    purge = asyncio.create_task(store.sessions.purge(NOW + 2))
    await asyncio.sleep(0)
    await store.audit.append(AuditEvent(time=NOW, kind="signin"))
    assert not purge.done()
    assert await purge == 200


async def test_an_enrolment_is_one_transaction(store: Store) -> None:
    """Token, certificate and entry; of two who redeem one token the second leaves nothing."""
    await store.tokens.add(token())

    async def enrol(serial: str) -> None:
        unit = store.unit()
        unit.redeem_token("t", NOW)
        unit.add_agent(agent(serial))
        unit.record(AuditEvent(time=NOW, kind="agent.enrolled", subject=serial))
        await unit.commit()

    results = await asyncio.gather(enrol("aa"), enrol("bb"), return_exceptions=True)
    (lost,) = [result for result in results if result is not None]
    assert isinstance(lost, TokenSpent)
    (record,) = await store.agents.all()
    (entry,) = await store.audit.entries()
    assert entry.event.subject == record.serial
    assert (await store.audit.verify()).entries == 1


@pytest.mark.parametrize("table", ["audit_entries", "agents", "tokens"])
async def test_a_unit_that_fails_leaves_nothing(store: Store, edit: object, table: str) -> None:
    """Whichever part of it cannot be written: the token is good, nobody is enrolled, nothing is recorded."""
    await store.tokens.add(token())
    await store.audit.append(AuditEvent(time=NOW, kind="before"))
    edit(f"ALTER TABLE {table} RENAME TO elsewhere")  # type: ignore[operator]
    unit = store.unit()
    unit.redeem_token("t", NOW)
    unit.add_agent(agent("aa"))
    unit.record(AuditEvent(time=NOW, kind="agent.enrolled"))
    with pytest.raises(StoreUnavailable):
        await unit.commit()
    edit(f"ALTER TABLE elsewhere RENAME TO {table}")  # type: ignore[operator]
    assert await store.tokens.peek("t", NOW) == token()
    assert await store.agents.all() == []
    await store.audit.append(AuditEvent(time=NOW, kind="after"))
    assert (await store.audit.verify()).entries == 2


async def test_units_and_single_entries_share_a_chain(store: Store) -> None:
    """At once, and it verifies."""

    async def unit(number: int) -> None:
        made = store.unit()
        made.add_agent(agent(str(number)))
        made.record(AuditEvent(time=NOW, kind="agent.enrolled"))
        await made.commit()

    await asyncio.gather(
        *(unit(number) for number in range(20)), *(store.audit.append(AuditEvent(time=NOW, kind="x")) for _ in range(50))
    )
    assert (await store.audit.verify()).entries == 70


async def test_a_write_in_the_name_of_a_lost_duty_fails(pair: tuple[Store, Store]) -> None:
    """A node sleeps past its lease, another one takes over, the first one wakes up."""
    first = await pair[0].duties.take("rollover", "a", now=NOW, until=NOW + 10)
    assert first is not None

    async def act(store: Store, lease: object, serial: str) -> None:
        unit = store.unit()
        unit.hold(lease)  # type: ignore[arg-type]
        unit.add_agent(agent(serial))
        await unit.commit()

    await act(pair[0], first, "aa")
    second = await pair[1].duties.take("rollover", "b", now=NOW + 11, until=NOW + 20)
    with pytest.raises(DutyLost, match=f"no longer held under number {first.number}"):
        await act(pair[0], first, "bb")
    await act(pair[1], second, "cc")
    assert [record.serial for record in await pair[0].agents.all()] == ["aa", "cc"]
