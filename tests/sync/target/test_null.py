"""The target in memory: it passes the suite of all targets, and fails as it is told."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from findings import worst
from sync.causes import (
    ANSWER_UNUSABLE,
    EXISTING_ADMIN_ROLE_CONFLICT,
    NOT_DONE,
    REFUSED_403,
    TARGET_BUSY,
    TARGET_UNREACHABLE,
)
from sync.model import AccountOperation, OperationKind, Values, WriteOutcome
from sync.target import (
    NULL_PROFILE,
    DiscardingTarget,
    NullTarget,
    Target,
    TargetUnavailable,
    UnusableAnswer,
    WriteFault,
    confirm,
)
from tests.sync.target.conformance import GROUP, NAME, USER, Directory, TargetConformance, desired, operation, user


class TestConformance(TargetConformance):
    """The suite."""

    @pytest.fixture
    def target(self) -> Target:
        return NullTarget(profile=replace(NULL_PROFILE, links_a_request=4))

    async def foreign_account(self, target: Target, values: Values, anchor: str) -> str:
        assert isinstance(target, NullTarget)
        return target.put(USER, values, anchor)


_CREATE = operation(OperationKind.CREATE, 1, set=user(1))


@pytest.mark.parametrize(
    ("fault", "outcome", "cause", "done"),
    [
        (WriteFault.BUSY, WriteOutcome.LATER, TARGET_BUSY, False),
        (WriteFault.FORBIDDEN, WriteOutcome.REFUSED, REFUSED_403, False),
        (WriteFault.LOST, WriteOutcome.UNKNOWN, TARGET_UNREACHABLE, False),
        (WriteFault.DONE_BUT_LOST, WriteOutcome.UNKNOWN, TARGET_UNREACHABLE, True),
        (WriteFault.GARBAGE, WriteOutcome.UNKNOWN, ANSWER_UNUSABLE, True),
        (WriteFault.IGNORED, WriteOutcome.REFUSED, NOT_DONE, False),
    ],
)
async def test_faults(fault: WriteFault, outcome: WriteOutcome, cause: str, done: bool) -> None:
    """Each as targets fail; whether it was done is found by asking, and then doing it again makes one account."""
    target = NullTarget(fault=lambda _: fault)
    confirmation = await Directory(target).apply(_CREATE)
    assert (confirmation.outcome, confirmation.cause) == (outcome, cause)
    assert (confirmation.retry_after > 0) == (fault is WriteFault.BUSY)
    assert (await confirm(target, _CREATE)).outcome is (WriteOutcome.CONFIRMED if done else WriteOutcome.LATER)
    target.fault = None
    assert (await Directory(target).apply(_CREATE)).outcome is WriteOutcome.CONFIRMED
    assert len([account async for account in target.list(USER)]) == 1
    assert target.writes == [_CREATE, _CREATE]


async def test_half_of_it_is_done() -> None:
    """Of links and of values; what is repeated is whole."""
    target = NullTarget()
    directory = Directory(target)
    for person in (1, 2):
        await directory.create(person)
    await directory.create(10, GROUP)
    target.fault = lambda _: WriteFault.HALF
    linked = await directory.change(OperationKind.LINK, 10, GROUP, added={"member": (1, 2)})
    set_two = await directory.change(OperationKind.UPDATE, 1, set={"title": "Clerk", "mail": "a@example.com"})
    assert {linked.outcome, set_two.outcome} == {WriteOutcome.UNKNOWN}
    assert await directory.links(10, GROUP, "member") == {1}
    assert (await directory.read(1)).values.keys() & {"title", "mail"} == {"title"}
    target.fault = None
    await directory.change(OperationKind.LINK, 10, GROUP, added={"member": (1, 2)})
    assert await directory.links(10, GROUP, "member") == {1, 2}


async def test_links_that_are_ignored_look_done() -> None:
    """Of links, nothing comes back: only the full comparison sees it."""
    target = NullTarget()
    directory = Directory(target)
    await directory.create(1)
    await directory.create(10, GROUP)
    target.fault = lambda _: WriteFault.IGNORED
    done = await directory.change(OperationKind.LINK, 10, GROUP, added={"member": (1,)})
    assert done.outcome is WriteOutcome.CONFIRMED
    assert await directory.links(10, GROUP, "member") == set()


async def test_it_is_down() -> None:
    """Nothing is answered, and nothing is written."""
    target = NullTarget()
    remote = await Directory(target).create(1)
    target.down = True
    update = operation(OperationKind.UPDATE, 1, remote=remote, set={"title": "Clerk"})
    confirmation = await Directory(target).apply(update)
    assert (confirmation.outcome, confirmation.cause) == (WriteOutcome.LATER, TARGET_UNREACHABLE)
    assert update not in target.writes
    assert (await confirm(target, update)).outcome is WriteOutcome.UNKNOWN
    for question in (target.find(desired(1)), target.read(USER, remote)):
        with pytest.raises(TargetUnavailable):
            await question
    with pytest.raises(TargetUnavailable):
        [account async for account in target.list(USER)]
    with pytest.raises(TargetUnavailable):
        [linked async for linked in target.links_of(USER, remote, "manager")]
    assert worst(await target.check()) == "fail"


async def test_values_are_rewritten() -> None:
    """What comes back is what is kept, not what was given."""
    target = NullTarget(rewrite=lambda name, value: str(value).lower() if name == NAME else value)
    directory = Directory(target)
    done = await directory.apply(operation(OperationKind.CREATE, 1, set={NAME: "Anna@Example.com", "title": "Clerk"}))
    assert done.values == {NAME: "anna@example.com", "title": "Clerk"}


async def test_behind_our_back() -> None:
    """Accounts are changed, removed with their links, or get a role, which keeps them from being adopted."""
    target = NullTarget()
    directory = Directory(target)
    remote = await directory.create(1)
    await directory.create(10, GROUP)
    await directory.change(OperationKind.LINK, 10, GROUP, added={"member": (1,)})
    target.change(remote, title="Boss")
    assert (await directory.read(1)).values["title"] == "Boss"
    target.remove(remote)
    assert await directory.links(10, GROUP, "member") == set()
    admin = target.put(USER, user(2))
    target.protect(admin)
    found = await target.find(desired(2))
    assert (found.account, found.cause) == (None, EXISTING_ADMIN_ROLE_CONFLICT)


async def test_a_list_that_breaks_off_is_an_error() -> None:
    """Or accounts that did not come would seem to be gone."""
    target = NullTarget()
    for person in (1, 2, 3):
        await Directory(target).create(person)
    target.list_ends_after = 2
    with pytest.raises(UnusableAnswer, match="2 accounts"):
        [account async for account in target.list(USER)]


async def test_soft_deletion() -> None:
    """The same account comes back."""
    target = NullTarget()
    directory = Directory(target)
    await directory.create(1)
    for kind in (OperationKind.SOFT_DELETE, OperationKind.RESTORE):
        change = operation(kind, 1, remote=directory.accounts[1])
        assert (await confirm(target, change)).outcome is WriteOutcome.LATER or kind is OperationKind.RESTORE
        assert (await directory.apply(change)).outcome is WriteOutcome.CONFIRMED
        assert (await confirm(target, change)).outcome is WriteOutcome.CONFIRMED
        found = await target.find(desired(1))
        assert found.account is not None


async def test_the_discarding_target_keeps_nothing() -> None:
    """It confirms each operation with an identifier of its own."""
    target = DiscardingTarget()
    created = [await target.apply(_with_anchor(person), lambda persons: {}) for person in (1, 2)]
    assert [confirmation.outcome for confirmation in created] == [WriteOutcome.CONFIRMED] * 2
    assert created[0].remote != created[1].remote
    assert await target.read(USER, created[0].remote) is None
    assert (await target.find(desired(1))).accounts == ()
    assert [account async for account in target.list(USER)] == []
    assert [linked async for linked in target.links_of(USER, "1", "manager")] == []
    assert target.written == 2


def _with_anchor(person: int) -> AccountOperation:
    return operation(OperationKind.CREATE, person, set=user(person))
