"""One attempt, from the name to the answer, where something goes wrong on the way; against servers in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from directory import (
    CheckOutcome,
    CheckResult,
    Credential,
    Directories,
    DirectorySettings,
    NoDirectory,
    PasswordRequirements,
)
from tests.support.ldap_server import DN, PASSWORD, FakeLdapServer

RIGHT = Credential("anna@corp", PASSWORD.decode())
WRONG = Credential("anna@corp", "wrong")


@pytest.fixture
async def servers() -> AsyncIterator[list[FakeLdapServer]]:
    """Two that are sound."""
    async with FakeLdapServer() as first, FakeLdapServer() as second:
        yield [first, second]


Make = Callable[..., Directories]


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """A directory of given servers."""
    async with AsyncExitStack() as stack:

        def build(servers: list[FakeLdapServer], **fields: object) -> Directories:
            given = {
                "name": "corp",
                "base_dn": "DC=corp",
                "servers": tuple(server.server for server in servers),
                "send_passwords_unencrypted_over_the_network": True,
                "groups": False,
                "bind_timeout": 0.2,
                **fields,
            }
            directories = Directories([DirectorySettings(**given)])  # type: ignore[arg-type]
            stack.push_async_callback(directories.close)
            return directories

        yield build


async def verify(directories: Directories, credential: Credential, seconds: float = 10.0) -> CheckResult:
    """With a deadline from now."""
    return await directories.verify(credential, deadline=time.time() + seconds)


async def asked_first(make: Make, servers: list[FakeLdapServer]) -> tuple[FakeLdapServer, FakeLdapServer]:
    """The server that this account is checked at, and the other one."""
    assert (await verify(make(servers), RIGHT)).outcome is CheckOutcome.SUCCESS
    first, second = sorted(servers, key=lambda server: -len(server.binds))
    assert [server.binds for server in (first, second)] == [[(DN, PASSWORD)], []]
    first.binds.clear()
    return first, second


@pytest.mark.parametrize("loss", ["silent", "hang up", "garbage"])
@pytest.mark.parametrize("lockout_guard", [True, False])
async def test_a_lost_answer_to_a_bind_never_makes_a_second_bind_at_another_controller(
    make: Make, servers: list[FakeLdapServer], loss: str, lockout_guard: bool
) -> None:
    """Each of the two would count a wrong password: the answer is that nobody knows, and the healthy one is not asked."""
    first, second = await asked_first(make, servers)
    first.at_bind = loss
    result = await verify(make(servers, lockout_guard=lockout_guard), WRONG)
    assert result.outcome is (CheckOutcome.TIMED_OUT if loss == "silent" else CheckOutcome.NO_DIRECTORY)
    assert (result.bound, result.password_checked, result.password_proven) == (True, False, False)
    assert result.controller == first.name
    assert first.binds == [(DN, b"wrong")]
    assert second.binds == []


async def test_a_controller_that_is_lost_before_the_bind_is_replaced(make: Make, servers: list[FakeLdapServer]) -> None:
    """Nothing was sent there that counts: the other one checks the password, once."""
    first, second = await asked_first(make, servers)
    directories = make(servers, connect_timeout=0.3)
    await first.__aexit__(None, None, None)
    result = await verify(directories, WRONG)
    assert (result.outcome, result.controller) == (CheckOutcome.WRONG_CREDENTIAL, second.name)
    assert second.binds == [(DN, b"wrong")]


async def test_before_bind_is_asked_once_however_many_controllers_are_tried(
    make: Make, servers: list[FakeLdapServer]
) -> None:
    """The first one's connection is lost after it and before the password: the relay is told once that it begins."""
    first, second = await asked_first(make, servers)
    asked: list[int] = []

    async def lose_the_connection() -> None:
        asked.append(len(second.binds))
        await first.__aexit__(None, None, None)
        for _ in range(50):  # until this side has noticed
            await asyncio.sleep(0)

    directories = make(servers, connect_timeout=0.3)
    result = await directories.verify(WRONG, deadline=time.time() + 10, before_bind=lose_the_connection)
    assert (result.outcome, result.controller) == (CheckOutcome.WRONG_CREDENTIAL, second.name)
    assert (asked, first.binds, second.binds) == ([0], [], [(DN, b"wrong")])


async def test_what_finds_the_queue_full_says_so_and_is_not_taken_for_done(make: Make) -> None:
    """A reset that was never tried is no success, somebody who was never looked for is not nobody."""
    async with FakeLdapServer(at_bind="silent") as server:
        directories = make([server], connections=1, queue=0, bind_timeout=0.5)
        attempt = asyncio.create_task(verify(directories, RIGHT))
        await asyncio.wait_for(server.bound.wait(), 5)
        asked = server.searches
        assert (await verify(directories, RIGHT)).outcome is CheckOutcome.BUSY
        changed = await directories.change_password("anna@corp", "right", "new-one", deadline=time.time() + 5)
        assert changed.outcome is CheckOutcome.BUSY
        with pytest.raises(NoDirectory, match="too many checks wait"):
            await directories.reset_password("anna@corp", "Reset-Strait-77")
        with pytest.raises(NoDirectory, match="too many checks wait"):
            await directories.find_user("anna@corp")
        assert [(finding.name, finding.status) for finding in await directories.check()] == [("load", "warn")]
        assert server.searches == asked
        assert (await attempt).outcome is CheckOutcome.TIMED_OUT


@pytest.mark.parametrize(("policy_error", "state"), [(0, CheckOutcome.PASSWORD_EXPIRED), (2, CheckOutcome.MUST_CHANGE)])
async def test_a_new_password_is_taken_where_the_server_lets_the_person_in_for_that(
    make: Make, policy_error: int, state: CheckOutcome
) -> None:
    """With a grace login, say: what the page then offers is done."""
    async with FakeLdapServer(policy_error=policy_error) as server:
        directories = make([server], kind="ldap", login_attributes=("userPrincipalName",))
        assert (await verify(directories, RIGHT)).outcome is state
        changed = await directories.change_password("anna@corp", "right", "new-one", deadline=time.time() + 5)
        assert (changed.outcome, server.changes) == (CheckOutcome.SUCCESS, 1)
        refused = await directories.change_password("anna@corp", "wrong", "new-one", deadline=time.time() + 5)
        assert (refused.outcome, server.changes) == (CheckOutcome.WRONG_CREDENTIAL, 1)


async def test_who_signs_in_is_told_what_the_next_password_has_to_be(make: Make) -> None:
    """As the lockout guard has read it with its own policy: that costs no search. Who has a wrong password is not told."""
    expected = PasswordRequirements(least_characters=12, kinds=0, history=0)
    async with FakeLdapServer() as unreadable, FakeLdapServer(least_characters=12) as server:
        for asked, requirements in ((unreadable, None), (server, expected)):
            assert (await verify(make([asked]), RIGHT)).requirements == requirements
        assert server.searches == unreadable.searches
        assert (await verify(make([server], lockout_guard=False), RIGHT)).requirements is None
        assert (await verify(make([server]), WRONG)).requirements is None


async def cancel(task: asyncio.Task[CheckResult]) -> None:
    """Give up on an attempt, as when nobody waits for its answer any more."""
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_attempt_cancelled_during_its_bind_gives_its_reservation_back(make: Make) -> None:
    """Otherwise nobody could sign in to the account until the agent is restarted."""
    async with FakeLdapServer(threshold=2, at_bind="silent") as server:
        directories = make([server], bind_timeout=8.0)
        attempt = asyncio.create_task(verify(directories, RIGHT))
        await asyncio.wait_for(server.bound.wait(), 5)
        await cancel(attempt)
        server.at_bind = "judge"
        assert (await verify(directories, RIGHT, 2.0)).outcome is CheckOutcome.SUCCESS


async def test_an_attempt_cancelled_during_its_bind_counts_as_a_wrong_one_for_those_that_read_the_count_before(
    make: Make,
) -> None:
    """A threshold of 2 and a margin of 1 leave one attempt: the cancelled bind may have spent it."""
    async with FakeLdapServer(threshold=2, at_bind="silent") as server:
        directories = make([server], bind_timeout=8.0)
        attempt = asyncio.create_task(verify(directories, WRONG))
        await asyncio.wait_for(server.bound.wait(), 5)
        asked = server.searches
        waiting = asyncio.create_task(verify(directories, WRONG))
        async with asyncio.timeout(5):
            while server.searches == asked:  # noqa: ASYNC110 - until it has read the count too
                await asyncio.sleep(0.005)
        await asyncio.wait({waiting}, timeout=0.05)
        await cancel(attempt)
        assert (await waiting).outcome is CheckOutcome.WOULD_LOCK_OUT
        assert len(server.binds) == 1


async def test_an_attempt_cancelled_while_it_waits_for_another_costs_nothing(make: Make) -> None:
    """It holds no reservation, and who comes after it goes on as if it had never been."""
    async with FakeLdapServer(threshold=2, at_bind="silent") as server:
        directories = make([server], bind_timeout=0.5)
        attempt = asyncio.create_task(verify(directories, RIGHT))
        await asyncio.wait_for(server.bound.wait(), 5)
        waiting = asyncio.create_task(verify(directories, RIGHT))
        await asyncio.wait({waiting}, timeout=0.05)
        await cancel(waiting)
        assert (await attempt).outcome is CheckOutcome.TIMED_OUT
        server.at_bind = "judge"
        assert (await verify(directories, RIGHT, 2.0)).outcome is CheckOutcome.SUCCESS
        assert len(server.binds) == 2


async def test_a_wrong_password_counts_for_those_that_read_the_count_before(make: Make) -> None:
    """A threshold of 2 and a margin of 1 leave one attempt for two that come at once."""
    async with FakeLdapServer(threshold=2) as server:
        directories = make([server], bind_timeout=8.0)
        results = await asyncio.gather(verify(directories, WRONG), verify(directories, WRONG))
        assert {result.outcome for result in results} == {CheckOutcome.WRONG_CREDENTIAL, CheckOutcome.WOULD_LOCK_OUT}
        assert len(server.binds) == 1


async def test_a_locked_account_is_said_to_be_locked_and_not_bound(make: Make) -> None:
    """It is not one that a wrong password would lock: the person is told another thing, and nothing is spent."""
    just_now = str(int((time.time() - 60 + 11_644_473_600) * 10_000_000)).encode()
    async with FakeLdapServer(locked_at=just_now) as server:
        result = await verify(make([server]), RIGHT)
        assert result.outcome is CheckOutcome.ACCOUNT_LOCKED
        assert server.binds == []
