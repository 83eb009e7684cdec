"""Whole runs: from a source in memory to a target in memory, with a real state in between."""

from __future__ import annotations

import asyncio
import base64

import pytest
from msgspec import structs

from sync.model import AccountOperation, AccountState, Confirmation, ObjectKind, OperationKind, Plain
from sync.plan import GuardLimits, PlanFile, WorldMoved
from sync.rules import read_rules
from sync.run import GuardStopped, SourceUnread
from sync.target import NULL_PROFILE, Accounts, NullTarget, RemoteAccount, WriteFault
from tests.sync.run.conftest import World, gone, group, user

_RULE = """
[[inbound]]
id = "in"
name = "People"
kind = "user"
precedence = 1
link = "provision"
PARTS
copy = ["userPrincipalName", "displayName", "employeeID"]

[[outbound]]
id = "out"
name = "People"
kind = "user"
precedence = 1
link = "provision"
copy = ["userPrincipalName", "displayName"]
"""
_JOINED = _RULE.replace("PARTS", 'join = [[{ object = "employeeID", person = "employeeID" }]]')
_CHOSEN = "CN=chosen,OU=groups,DC=example,DC=com"
_MEMBERS = _RULE.replace("PARTS", f'scope = [[{{ operator = "ISMEMBEROF", value = "{_CHOSEN}", nested = NESTED }}]]')


async def test_a_first_run_makes_accounts_and_their_members(world: World) -> None:
    """Groups in groups and managers, too, although members can only be written once their accounts are there."""
    world.source.put(user("anna", manager="bert"), user("bert"), group("staff", "anna", "bert"), group("all", "staff"))
    report = await world.sync().run(world.folder)
    assert world.accounts() == {"Anna": "active", "Bert": "active"}
    assert world.members("staff") == {"Anna", "Bert"}
    assert world.members("all") == {"staff"}
    assert (report.written.refused, report.written.later, report.written.unknown) == (0, 0, 0)


async def test_a_second_run_on_an_unchanged_world_does_nothing(world: World) -> None:
    """By a delta, and by a full reading."""
    world.source.put(user("anna", manager="bert"), user("bert"), group("staff", "anna"))
    await world.sync().run(world.folder)
    writes = len(world.target.writes)
    for full in (False, True):
        report = await world.sync().run(world.folder, full=full)
        assert len(report.plans) == 1
        assert report.plans[0].total == 0
    assert len(world.target.writes) == writes
    assert not list(world.state.marks.affected_persons())


async def test_a_plan_writes_nothing_and_can_be_made_again(world: World) -> None:
    """What was looked at stays marked until a target has confirmed it."""
    world.source.put(user("anna"))
    sync = world.sync()
    await sync.read(world.state.journal.begin_run("plan", world.now))
    for name in ("one", "two"):
        header = await sync.plan(world.folder / name)
        assert header.operations == {"null": {"create": 1}}
    assert world.accounts() == {}


async def test_what_changed_is_written_and_nothing_else(world: World) -> None:
    """One value, one member."""
    world.source.put(user("anna"), user("bert"), group("staff", "anna"))
    await world.sync().run(world.folder)
    writes = len(world.target.writes)
    world.source.put(user("anna", title="Boss"), group("staff", "anna", "bert"))
    await world.sync().run(world.folder)
    told = [(one.kind.value, dict(one.set), dict(one.removed)) for one in world.target.writes[writes:]]
    assert told == [("update", {"title": "Boss"}, {}), ("link", {}, {})]
    assert world.members("staff") == {"Anna", "Bert"}


async def test_who_is_deleted_is_disabled_and_leaves_every_group(world: World) -> None:
    """Which the source does not say of the group."""
    world.source.put(user("anna"), user("bert"), group("staff", "anna", "bert"))
    await world.sync().run(world.folder)
    world.source.put(gone("anna"))
    await world.sync().run(world.folder)
    assert world.accounts() == {"Anna": "disabled", "Bert": "active"}
    assert world.members("staff") == {"Bert"}


async def test_each_step_of_a_deletion_waits_for_its_grace(world: World) -> None:
    """Thirty days between disabled and soft-deleted."""
    world.source.put(user("anna"), user("bert"))
    await world.sync().run(world.folder)
    world.source.put(gone("anna"))
    await world.sync().run(world.folder)
    world.now += 29 * 86400
    await world.sync().run(world.folder)
    assert world.accounts() == {"Anna": "disabled", "Bert": "active"}
    world.now += 2 * 86400
    await world.sync().run(world.folder)
    assert world.accounts() == {"Anna": "soft_deleted", "Bert": "active"}


async def test_who_returns_gets_the_same_account(world: World) -> None:
    """Within the grace."""
    world.source.put(user("anna"), user("bert"))
    await world.sync().run(world.folder)
    remote = _users(world)[0].remote
    world.source.put(gone("anna"))
    await world.sync().run(world.folder)
    world.source.put(user("anna"))
    await world.sync().run(world.folder)
    found = world.target._accounts.get(remote)
    assert found is not None
    assert found.state is AccountState.ACTIVE
    assert len(world.accounts()) == 2


async def test_a_reading_that_breaks_off_lets_nobody_go(world: World) -> None:
    """Nothing is planned on half of a directory; the next complete reading goes on."""
    world.source.put(user("anna"), user("bert"), user("carl"))
    await world.sync().run(world.folder)
    writes = len(world.target.writes)
    world.source.fails = "the connection broke"
    with pytest.raises(SourceUnread):
        await world.sync().run(world.folder, full=True)
    assert len(world.target.writes) == writes
    world.source.fails = ""
    await world.sync().run(world.folder, full=True)
    assert len(world.target.writes) == writes


async def test_who_is_missing_from_a_complete_reading_is_asked_for(world: World) -> None:
    """And then has left: nothing found is evidence."""
    world.source.put(user("anna"), user("bert"))
    await world.sync().run(world.folder)
    del world.source.objects[user("anna").key]
    await world.sync().run(world.folder, full=True)
    assert world.accounts() == {"Anna": "disabled", "Bert": "active"}


async def test_who_leaves_scope_is_disabled_by_which_rule(world: World) -> None:
    """The plan names the rule and its condition."""
    world.source.put(user("anna"))
    await world.sync().run(world.folder)
    world.source.put(user("anna", isCriticalSystemObject=True))
    sync = world.sync()
    await sync.read(world.state.journal.begin_run("plan", world.now))
    await sync.plan(world.folder / "plan")
    with PlanFile(world.folder / "plan") as plan:
        (entry,) = plan.entries()
    assert entry.operation.kind.value == "disable"
    assert entry.evidence[0].rule == "in-user"
    assert "isCriticalSystemObject" in entry.evidence[0].attribute


async def test_the_guard_stops_before_the_first_write(world: World) -> None:
    """Three of ten people, where two may go."""
    world.limits = GuardLimits(disables=2, small=0)
    names = [f"user{number}" for number in range(10)]
    world.source.put(*(user(name) for name in names))
    await world.sync().run(world.folder)
    writes = len(world.target.writes)
    world.source.put(*(gone(name) for name in names[:3]))
    with pytest.raises(GuardStopped):
        await world.sync().run(world.folder)
    assert len(world.target.writes) == writes


async def test_a_source_that_is_empty_stops_everything(world: World) -> None:
    """Again and again, until somebody has seen to it: not only in the run that read it."""
    world.limits = GuardLimits(disables=100, disables_percent=100.0)
    world.source.put(user("anna"), user("bert"))
    await world.sync().run(world.folder)
    world.source.put(gone("anna"), gone("bert"))
    for _ in range(2):
        with pytest.raises(GuardStopped, match="corp"):
            await world.sync().run(world.folder)
    assert world.accounts() == {"Anna": "active", "Bert": "active"}
    world.source.put(user("anna"))
    await world.sync().run(world.folder)
    assert world.accounts() == {"Anna": "active", "Bert": "disabled"}


async def test_lost_members_are_held_against_all_that_there_are(world: World) -> None:
    """Eleven of eighty are less than the limit of a fifth; forty are not."""
    world.limits = GuardLimits(lost_links_percent=20.0)
    names = [f"user{number}" for number in range(40)]
    world.source.put(*(user(name) for name in names), group("one", *names), group("two", *names))
    await world.sync().run(world.folder)
    world.source.put(group("one", *names[11:]))
    await world.sync().run(world.folder)
    assert len(world.members("one")) == 29
    world.source.put(group("two"))
    with pytest.raises(GuardStopped):
        await world.sync().run(world.folder)
    assert len(world.members("two")) == 40


async def test_a_plan_is_refused_once_the_world_has_moved(world: World) -> None:
    """It names where."""
    world.source.put(user("anna"), user("bert"))
    sync = world.sync()
    run = world.state.journal.begin_run("apply", world.now)
    await sync.read(run)
    await sync.plan(world.folder / "plan")
    world.source.put(user("anna", title="Boss"))
    await sync.read(run)
    with pytest.raises(WorldMoved, match="anna"):
        await sync.apply(run, world.folder / "plan")
    assert world.target.writes == []


@pytest.mark.parametrize("fault", list(WriteFault))
async def test_a_target_that_fails_ends_right_all_the_same(world: World, fault: WriteFault) -> None:
    """Nothing is doubled: the target is asked before anything is repeated."""
    world.source.put(user("anna"), user("bert"), group("staff", "anna", "bert"))
    failing = iter([fault] * 3)
    world.target.fault = lambda _operation: next(failing, None)
    for _ in range(6):
        await world.sync().run(world.folder)
        world.now += 86400
    assert world.accounts() == {"Anna": "active", "Bert": "active"}
    if fault is not WriteFault.IGNORED:  # links that were not written are found by comparing only
        assert world.members("staff") == {"Anna", "Bert"}


async def test_after_a_kill_the_target_is_asked(world: World) -> None:
    """Sent, and killed before the answer was kept: the account is there once."""
    world.source.put(user("anna"))
    sync = world.sync()
    run = world.state.journal.begin_run("apply", world.now)
    await sync.read(run)
    await sync.plan(world.folder / "plan")
    with PlanFile(world.folder / "plan") as plan:
        (entry,) = plan.entries()
        world.state.journal.intend(run, [entry.operation])
        world.state.journal.attempt(run, [entry.operation.id], world.now)
        await world.target.apply(entry.operation, lambda _: {})
    report = await world.sync().run(world.folder)
    assert world.accounts() == {"Anna": "active"}
    assert report.written.refused == 0
    assert not list(world.state.journal.open_operations())


async def test_what_a_target_refused_is_tried_again_after_six_hours(world: World) -> None:
    """Not in every run."""
    world.source.put(user("anna"))
    world.target.fault = lambda _operation: WriteFault.FORBIDDEN
    await world.sync().run(world.folder)
    writes = len(world.target.writes)
    world.now += 5 * 3600
    await world.sync().run(world.folder)
    assert len(world.target.writes) == writes
    world.target.fault = None
    world.now += 2 * 3600
    await world.sync().run(world.folder)
    assert world.accounts() == {"Anna": "active"}


async def test_a_kind_that_a_target_does_not_take_is_left_alone(world: World) -> None:
    """It has users only."""
    world.profile = structs.replace(NULL_PROFILE, attributes={ObjectKind.USER: NULL_PROFILE.attributes[ObjectKind.USER]})
    world.source.put(user("anna"), group("staff", "anna"))
    report = await world.sync().run(world.folder)
    assert report.plans[0].problems == 0
    assert world.accounts() == {"Anna": "active"}
    assert world.accounts(ObjectKind.GROUP) == {}


async def test_who_lacks_what_a_target_demands_is_a_problem_and_no_request(world: World) -> None:
    """The others go on."""
    users = NULL_PROFILE.required[ObjectKind.USER] | {"mail"}
    world.profile = structs.replace(NULL_PROFILE, required={ObjectKind.USER: users})
    world.source.put(user("anna"), user("bert", mail="bert@example.com"))
    report = await world.sync().run(world.folder)
    assert report.plans[0].problems == 1
    assert world.accounts() == {"Bert": "active"}
    assert len(world.target.writes) == 1


async def test_an_account_of_somebody_else_is_not_taken_over(world: World) -> None:
    """It has the same sign-in name, and another anchor: a problem, named, and no second account."""
    other = AccountOperation(1, OperationKind.CREATE, "null", 99, ObjectKind.USER, "another anchor", set=_values("anna"))
    await world.target.apply(other, lambda _: {})
    world.source.put(user("anna"))
    report = await world.sync().run(world.folder)
    assert report.plans[0].problems == 1
    assert len(world.target.writes) == 1


async def test_an_account_that_is_nobodys_is_adopted(world: World) -> None:
    """By its sign-in name: it is not made a second time."""
    stranger = AccountOperation(1, OperationKind.CREATE, "null", 99, ObjectKind.USER, "", set=_values("anna"))
    await world.target.apply(stranger, lambda _: {})
    world.source.put(user("anna", title="Boss"))
    await world.sync().run(world.folder)
    (account,) = world.target._accounts.of(ObjectKind.USER)
    assert account.anchor == base64.b64encode(user("anna").key).decode()
    assert account.values["title"] == "Boss"


async def test_two_names_are_exchanged_in_one_run(world: World) -> None:
    """The target refuses a name that another account has at that moment."""
    world.source.put(user("anna"), user("bert"))
    await world.sync().run(world.folder)
    world.source.put(user("anna", userPrincipalName="bert@example.com"), user("bert", userPrincipalName="anna@example.com"))
    report = await world.sync().run(world.folder)
    assert report.written.refused == 0
    names = {account.values["displayName"]: account.values["userPrincipalName"] for account in _users(world)}
    assert names == {"Anna": "bert@example.com", "Bert": "anna@example.com"}


async def test_a_cookie_that_is_refused_leads_to_a_full_reading(world: World) -> None:
    """In the same run, and to the same end."""
    world.source.put(user("anna"))
    await world.sync().run(world.folder)
    world.source.put(user("bert"))
    world.source.refuses_cookies = True
    report = await world.sync().run(world.folder)
    assert report.read[0].full
    assert world.accounts() == {"Anna": "active", "Bert": "active"}


async def test_an_answer_that_was_lost_is_asked_for_in_the_same_run(world: World) -> None:
    """It was done: nothing is sent again, and nothing failed."""
    world.source.put(user("anna"))
    world.target.fault = lambda _operation: WriteFault.DONE_BUT_LOST
    report = await world.sync().run(world.folder)
    assert (report.written.confirmed, report.written.unknown) == (1, 0)
    assert len(world.target.writes) == 1


async def test_who_was_made_anew_takes_the_place_of_who_was_deleted(world: World) -> None:
    """Another object with the same mail address, joined by it: no second person of one source while the first one lives."""
    rules = world.folder / "rules.toml"
    rules.write_text(_JOINED)
    world.rules = read_rules(rules)
    world.source.put(user("anna", employeeID="7"))
    await world.sync().run(world.folder)
    world.source.put(gone("anna"), user("anna2", employeeID="7"))
    await world.sync().run(world.folder)
    assert world.accounts() == {"Anna2": "active"}


@pytest.mark.parametrize(("nested", "accounts"), [("true", {"Anna", "Bert"}), ("false", {"Bert"})])
async def test_members_of_groups_are_in_scope(world: World, nested: str, accounts: set[str]) -> None:
    """Directly, or by a group in the group, where the rule says so."""
    rules = world.folder / "rules.toml"
    rules.write_text(_MEMBERS.replace("NESTED", nested))
    world.rules = read_rules(rules)
    world.source.put(user("anna"), user("bert"), user("carl"), group("inner", "anna"), group("chosen", "inner", "bert"))
    await world.sync().run(world.folder)
    assert set(world.accounts()) == accounts


async def test_who_is_disabled_gets_a_disabled_account(world: World) -> None:
    """Enabled when the directory enables it, and not before."""
    world.source.put(user("anna", userAccountControl=514))
    for _ in range(2):
        report = await world.sync().run(world.folder)
        assert world.accounts() == {"Anna": "disabled"}
    assert report.plans[0].total == 0
    world.source.put(user("anna"))
    await world.sync().run(world.folder)
    assert world.accounts() == {"Anna": "active"}


class SlowTarget(NullTarget):
    """Notes which operations are under way together."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way: list[AccountOperation] = []
        self.together: list[list[AccountOperation]] = []

    async def apply(self, operation: AccountOperation, accounts: Accounts) -> Confirmation:
        self.under_way.append(operation)
        self.together.append([*self.under_way])
        await asyncio.sleep(0.001)
        self.under_way.remove(operation)
        return await super().apply(operation, accounts)


async def test_operations_are_under_way_together_unless_their_order_counts(world: World) -> None:
    """Never two of one account, and moves of unique values one after the other."""
    target = world.target = SlowTarget()
    names = ("anna", "bert", "carl", "dora")
    world.source.put(*(user(name) for name in names))
    await world.sync().run(world.folder)
    assert max(len(found) for found in target.together) == len(names)
    target.together.clear()
    upns = [f"{name}@example.com" for name in (*names[1:], names[0])]
    world.source.put(*(user(name, userPrincipalName=upn) for name, upn in zip(names, upns, strict=True)))
    await world.sync().run(world.folder)
    assert max(len(found) for found in target.together) == 1
    target.together.clear()
    world.profile = structs.replace(NULL_PROFILE, links_a_request=1)
    world.source.put(group("one", *names), group("two", *names))
    await world.sync().run(world.folder)
    links = [found for found in target.together if found[0].kind is OperationKind.LINK]
    assert max(len(found) for found in links) > 1
    assert all(len({operation.person for operation in found}) == len(found) for found in links)


def _values(name: str) -> dict[str, Plain | tuple[Plain, ...]]:
    return {"userPrincipalName": f"{name}@example.com", "displayName": name.title()}


def _users(world: World) -> list[RemoteAccount]:
    return world.target._accounts.of(ObjectKind.USER)
