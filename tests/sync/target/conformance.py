"""What every target has to do, whatever it is: subclass `TargetConformance`, with a `target` that nobody has written to."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pytest

from findings import worst
from sync.causes import (
    AMBIGUOUS_JOIN,
    ATTRIBUTE_VALUE_MUST_BE_UNIQUE,
    CAUSES,
    GONE_IN_TARGET,
    INVALID_SOFT_MATCH,
    MANDATORY_MISSING,
    READ_ONLY_IN_TARGET,
    REFERENCE_UNRESOLVED,
)
from sync.model import (
    AccountOperation,
    AccountState,
    Confirmation,
    DesiredAccount,
    ObjectKind,
    OperationKind,
    Plain,
    Values,
    WriteOutcome,
)
from sync.target import ANCHOR, RemoteAccount, Target, confirm

USER, GROUP = ObjectKind.USER, ObjectKind.GROUP
NAME = "userPrincipalName"

_numbers = itertools.count(1)


class Directory:
    """Writes to a target as whoever has the journal would. accounts: identifiers by person."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.accounts: dict[int, str] = {}

    def look_up(self, persons: Sequence[int]) -> Mapping[int, str]:
        return {person: self.accounts[person] for person in persons if person in self.accounts}

    async def apply(self, operation: AccountOperation) -> Confirmation:
        confirmation = await self.target.apply(operation, self.look_up)
        assert not confirmation.cause or confirmation.cause in CAUSES
        return confirmation

    async def create(self, person: int, kind: ObjectKind = USER, **values: Plain | tuple[Plain, ...]) -> str:
        given = {**(user(person) if kind is USER else group(person)), **values}
        confirmation = await self.apply(operation(OperationKind.CREATE, person, kind, set=given))
        assert confirmation.outcome is WriteOutcome.CONFIRMED, confirmation
        self.accounts[person] = confirmation.remote
        return confirmation.remote

    async def change(self, kind: OperationKind, person: int, of: ObjectKind = USER, **fields: object) -> Confirmation:
        return await self.apply(operation(kind, person, of, remote=self.accounts[person], **fields))

    async def read(self, person: int, kind: ObjectKind = USER) -> RemoteAccount:
        account = await self.target.read(kind, self.accounts[person])
        assert account is not None
        return account

    async def links(self, person: int, kind: ObjectKind, attribute: str) -> set[int]:
        people = {remote: person for person, remote in self.accounts.items()}
        return {people[remote] async for remote in self.target.links_of(kind, self.accounts[person], attribute)}


def operation(kind: OperationKind, person: int, of: ObjectKind = USER, **fields: object) -> AccountOperation:
    given: dict[str, object] = {"target": "t", "person": person, "object": of, "anchor": anchor(person), **fields}
    return AccountOperation(next(_numbers), kind, **given)  # type: ignore[arg-type]


def anchor(person: int) -> str:
    return f"anchor+{person:04}/=="


def user(person: int) -> dict[str, Plain | tuple[Plain, ...]]:
    return {NAME: f"person{person}@example.com", "displayName": f"Person {person}"}


def group(person: int) -> dict[str, Plain | tuple[Plain, ...]]:
    return {"displayName": f"Group {person}"}


def desired(person: int, values: Values | None = None, match: tuple[str, ...] = (NAME,)) -> DesiredAccount:
    return DesiredAccount(person, "t", USER, anchor(person), user(person) if values is None else values, match=match)


class TargetConformance:
    """The suite. `foreign_account` gives the target an account that was not made by us."""

    @pytest.fixture
    def directory(self, target: Target) -> Directory:
        """Who writes."""
        return Directory(target)

    async def foreign_account(self, target: Target, values: Values, anchor: str) -> str:
        """An account, by other means than the target's adapter where that would not let it be made. Its identifier."""
        raise NotImplementedError

    async def test_the_profile_is_whole(self, target: Target) -> None:
        """What is unique or required can be written; links are no values."""
        profile = await target.profile()
        assert {USER, GROUP} <= profile.attributes.keys()
        for kind, attributes in profile.attributes.items():
            assert profile.unique.get(kind, frozenset()) <= attributes
            assert profile.required.get(kind, frozenset()) <= attributes
            assert not profile.links.get(kind, frozenset()) & attributes
        assert profile.single_links <= {name for links in profile.links.values() for name in links}
        assert profile.links_a_request >= 1

    async def test_preflight_finds_nothing(self, target: Target) -> None:
        """A target that works passes its own checks."""
        findings = await target.check()
        assert findings
        assert worst(findings) == "pass", findings

    async def test_a_created_account_is_read_back(self, directory: Directory) -> None:
        """By its identifier, with its anchor and its values."""
        remote = await directory.create(1, givenName="Zoë", sn='O\'Neil "von" \\ 李', title="Head, <R&D>")
        account = await directory.read(1)
        assert (account.remote, account.anchor, account.state) == (remote, anchor(1), AccountState.ACTIVE)
        expected = {**user(1), "givenName": "Zoë", "sn": 'O\'Neil "von" \\ 李', "title": "Head, <R&D>"}
        assert {name: account.values[name] for name in expected} == expected

    async def test_values_come_and_go(self, directory: Directory) -> None:
        """What is set, set anew or cleared; the rest stays."""
        await directory.create(1, title="Clerk", department="Sales", mail="a@example.com", telephoneNumber="1")
        done = await directory.change(
            OperationKind.UPDATE,
            1,
            set={"title": "Manager", "mail": "b@corp.local", "givenName": "Anna"},
            clear=frozenset({"department", "telephoneNumber"}),
        )
        assert done.outcome is WriteOutcome.CONFIRMED, done
        assert done.values == {"title": "Manager", "mail": "b@corp.local", "givenName": "Anna"}
        values = (await directory.read(1)).values
        assert values.keys() & {"department", "telephoneNumber"} == set()
        assert (values["title"], values["mail"], values["displayName"]) == ("Manager", "b@corp.local", "Person 1")

    async def test_an_operation_may_be_repeated(self, directory: Directory) -> None:
        """After an answer that was lost: nothing is there twice."""
        remote = await directory.create(1)
        again = await directory.apply(operation(OperationKind.CREATE, 1, set={**user(1), "title": "Clerk"}))
        assert (again.outcome, again.remote) == (WriteOutcome.CONFIRMED, remote)
        assert [account.remote async for account in directory.target.list(USER)] == [remote]
        for _ in range(2):
            assert (await directory.change(OperationKind.DELETE, 1)).outcome is WriteOutcome.CONFIRMED
        assert [account async for account in directory.target.list(USER)] == []

    async def test_who_is_not_there(self, directory: Directory) -> None:
        """None for reading; a named refusal for a change."""
        await directory.create(1)
        await directory.change(OperationKind.DELETE, 1)
        assert await directory.target.read(USER, directory.accounts[1]) is None
        gone = await directory.change(OperationKind.UPDATE, 1, set={"title": "Clerk"})
        assert (gone.outcome, gone.cause) == (WriteOutcome.REFUSED, GONE_IN_TARGET)

    async def test_found_by_the_anchor(self, directory: Directory) -> None:
        """Whatever the account is called by now."""
        remote = await directory.create(1)
        await directory.create(2)
        found = await directory.target.find(desired(1, {NAME: "person2@example.com"}))
        assert found.account is not None
        assert (found.account.remote, found.attribute, found.cause) == (remote, ANCHOR, "")

    async def test_found_by_an_attribute(self, directory: Directory) -> None:
        """Without an anchor, an account is adopted by what the rules name, in their order, whatever its case."""
        remote = await self.foreign_account(directory.target, {NAME: "Person1@Example.com", "mail": "m@example.com"}, "")
        found = await directory.target.find(desired(1, {**user(1), "mail": "nobody@example.com"}, ("mail", NAME)))
        assert found.account is not None
        assert (found.account.remote, found.account.anchor, found.attribute) == (remote, "", NAME)
        adopted = await directory.apply(operation(OperationKind.ADOPT, 1, remote=remote, set=user(1)))
        assert adopted.outcome is WriteOutcome.CONFIRMED, adopted
        found = await directory.target.find(desired(1, {}, ()))
        assert found.account is not None
        assert (found.account.remote, found.attribute) == (remote, ANCHOR)

    async def test_nobody_is_found(self, directory: Directory) -> None:
        """Neither by values that nearly are the person's, nor by ones that mean something to a search."""
        await directory.create(1)
        for name in ("person1@example.co", '" or userName pr or userName eq "', "*", "\\", "person1@example.com\\", ""):
            found = await directory.target.find(desired(9, {NAME: name}))
            assert (found.accounts, found.cause) == ((), ""), name

    async def test_an_account_with_another_anchor_is_not_adopted(self, directory: Directory) -> None:
        """Two persons would share it: an error that names both."""
        remote = await directory.create(1)
        found = await directory.target.find(desired(2, user(1)))
        assert (found.account, found.cause, found.attribute) == (None, INVALID_SOFT_MATCH, NAME)
        assert remote in found.detail
        assert anchor(1) in found.detail
        refused = await directory.apply(operation(OperationKind.ADOPT, 2, remote=remote, set={"title": "Clerk"}))
        assert (refused.outcome, refused.cause) == (WriteOutcome.REFUSED, INVALID_SOFT_MATCH)
        assert (await directory.read(1)).anchor == anchor(1)

    async def test_several_are_an_error(self, directory: Directory) -> None:
        """Never a guess."""
        for person in (1, 2):
            await self.foreign_account(directory.target, {**user(person), "title": "Clerk"}, "")
        found = await directory.target.find(desired(3, {"title": "Clerk"}, ("title",)))
        assert (found.account, found.cause, len(found.accounts)) == (None, AMBIGUOUS_JOIN, 2)

    async def test_a_unique_value_is_not_given_twice(self, directory: Directory) -> None:
        """The refusal names who has it."""
        remote = await directory.create(1)
        await directory.create(2)
        taken = {NAME: "person1@example.com"}
        for refused in (
            await directory.apply(operation(OperationKind.CREATE, 3, set=taken)),
            await directory.change(OperationKind.UPDATE, 2, set=taken),
        ):
            assert refused.outcome is WriteOutcome.REFUSED
            assert refused.cause in {ATTRIBUTE_VALUE_MUST_BE_UNIQUE, INVALID_SOFT_MATCH}
            assert remote in refused.detail
        assert len([account async for account in directory.target.list(USER)]) == 2

    async def test_what_the_profile_lacks_is_refused(self, directory: Directory) -> None:
        """Before anything is written."""
        await directory.create(1)
        refused = await directory.change(OperationKind.UPDATE, 1, set={"title": "Clerk", "shoeSize": 44})
        assert (refused.outcome, refused.cause) == (WriteOutcome.REFUSED, READ_ONLY_IN_TARGET)
        assert "shoeSize" in refused.detail
        assert "title" not in (await directory.read(1)).values
        refused = await directory.change(OperationKind.UPDATE, 1, clear=frozenset({NAME}))
        assert (refused.outcome, refused.cause) == (WriteOutcome.REFUSED, MANDATORY_MISSING)
        refused = await directory.apply(operation(OperationKind.CREATE, 2, set={"title": "Clerk"}))
        assert (refused.outcome, refused.cause) == (WriteOutcome.REFUSED, MANDATORY_MISSING)

    async def test_states(self, directory: Directory) -> None:
        """Those of the profile; a group that cannot be disabled is refused by name."""
        await directory.create(1)
        await directory.create(2, GROUP)
        profile = await directory.target.profile()
        if AccountState.DISABLED in profile.states.get(USER, frozenset()):
            assert (await directory.change(OperationKind.DISABLE, 1)).outcome is WriteOutcome.CONFIRMED
            assert (await directory.read(1)).state is AccountState.DISABLED
            assert (await directory.change(OperationKind.ENABLE, 1)).outcome is WriteOutcome.CONFIRMED
            assert (await directory.read(1)).state is AccountState.ACTIVE
        if AccountState.DISABLED not in profile.states.get(GROUP, frozenset()):
            refused = await directory.change(OperationKind.DISABLE, 2, GROUP)
            assert (refused.outcome, refused.cause) == (WriteOutcome.REFUSED, READ_ONLY_IN_TARGET)

    async def test_members_come_and_go(self, directory: Directory) -> None:
        """As differences: those that are not named stay."""
        for person in (1, 2, 3):
            await directory.create(person)
        await directory.create(10, GROUP)
        await directory.create(11, GROUP)
        done = await directory.change(OperationKind.LINK, 10, GROUP, added={"member": (1, 2, 11)})
        assert done.outcome is WriteOutcome.CONFIRMED, done
        assert await directory.links(10, GROUP, "member") == {1, 2, 11}
        for _ in range(2):  # a member that is there already, or is gone already, is no error
            done = await directory.change(OperationKind.LINK, 10, GROUP, added={"member": (3,)}, removed={"member": (1, 11)})
            assert done.outcome is WriteOutcome.CONFIRMED, done
            assert await directory.links(10, GROUP, "member") == {2, 3}

    async def test_no_member_named_no_member_gone(self, directory: Directory) -> None:
        """Removing nobody, or somebody without an account, leaves all."""
        await directory.create(1)
        await directory.create(10, GROUP)
        await directory.change(OperationKind.LINK, 10, GROUP, added={"member": (1,)})
        for removed in ((), (77,)):
            done = await directory.change(OperationKind.LINK, 10, GROUP, removed={"member": removed})
            assert done.outcome is WriteOutcome.CONFIRMED, done
        assert await directory.links(10, GROUP, "member") == {1}

    async def test_members_in_pieces(self, directory: Directory) -> None:
        """More than one request takes."""
        number = (await directory.target.profile()).links_a_request + 3
        if number > 110:
            pytest.skip("one request takes more than a test should make")
        people = tuple(range(100, 100 + number))
        for person in people:
            await directory.create(person)
        await directory.create(10, GROUP)
        await directory.change(OperationKind.LINK, 10, GROUP, added={"member": people})
        assert await directory.links(10, GROUP, "member") == set(people)
        await directory.change(OperationKind.LINK, 10, GROUP, removed={"member": people[1:]})
        assert await directory.links(10, GROUP, "member") == {people[0]}

    async def test_a_member_without_an_account_waits(self, directory: Directory) -> None:
        """The others do not wait for it, and it is named."""
        await directory.create(1)
        await directory.create(10, GROUP)
        done = await directory.change(OperationKind.LINK, 10, GROUP, added={"member": (77, 1)})
        assert (done.outcome, done.cause) == (WriteOutcome.LATER, REFERENCE_UNRESOLVED)
        assert await directory.links(10, GROUP, "member") == {1}

    async def test_a_manager_is_one(self, directory: Directory) -> None:
        """A new one takes the place of the old one; removing the old one afterwards leaves the new one."""
        for person in (1, 2, 3):
            await directory.create(person)
        await directory.change(OperationKind.LINK, 1, added={"manager": (2,)})
        done = await directory.change(OperationKind.LINK, 1, added={"manager": (3,)}, removed={"manager": (2,)})
        assert done.outcome is WriteOutcome.CONFIRMED, done
        assert await directory.links(1, USER, "manager") == {3}
        await directory.change(OperationKind.LINK, 1, removed={"manager": (2,)})
        assert await directory.links(1, USER, "manager") == {3}
        await directory.change(OperationKind.LINK, 1, removed={"manager": (3,)})
        assert await directory.links(1, USER, "manager") == set()

    async def test_a_new_name_keeps_the_members(self, directory: Directory) -> None:
        """Values and links are apart."""
        await directory.create(1)
        await directory.create(10, GROUP)
        await directory.change(OperationKind.LINK, 10, GROUP, added={"member": (1,)})
        done = await directory.change(OperationKind.UPDATE, 10, GROUP, set={"displayName": "Renamed"})
        assert done.outcome is WriteOutcome.CONFIRMED, done
        assert (await directory.read(10, GROUP)).values["displayName"] == "Renamed"
        assert await directory.links(10, GROUP, "member") == {1}

    async def test_two_names_are_exchanged(self, directory: Directory) -> None:
        """With one of them set aside for a moment."""
        await directory.create(1)
        await directory.create(2)
        one, two = user(1)[NAME], user(2)[NAME]
        for person, name, aside in ((1, "aside@example.com", True), (2, one, False), (1, two, False)):
            done = await directory.change(OperationKind.UPDATE, person, set={NAME: name}, temporary=aside)
            assert done.outcome is WriteOutcome.CONFIRMED, done
        assert ((await directory.read(1)).values[NAME], (await directory.read(2)).values[NAME]) == (two, one)

    async def test_the_list_is_whole(self, directory: Directory) -> None:
        """Every account once, over as many pages as it takes, each kind apart."""
        people = {await directory.create(person) for person in range(1, 26)}
        await directory.create(100, GROUP)
        listed = [account async for account in directory.target.list(USER)]
        assert len(listed) == 25
        assert {account.remote for account in listed} == people
        assert listed[0].values[NAME]
        assert [account.kind async for account in directory.target.list(GROUP)] == [GROUP]

    async def test_what_became_of_an_operation(self, directory: Directory) -> None:
        """Asked, not repeated: done or not."""
        create = operation(OperationKind.CREATE, 1, set=user(1))
        assert (await confirm(directory.target, create)).outcome is WriteOutcome.LATER
        remote = await directory.create(1)
        done = await confirm(directory.target, create)
        assert (done.outcome, done.remote, done.values) == (WriteOutcome.CONFIRMED, remote, user(1))
        update = operation(OperationKind.UPDATE, 1, remote=remote, set={"title": "Clerk"})
        assert (await confirm(directory.target, update)).outcome is WriteOutcome.LATER
        await directory.apply(update)
        assert (await confirm(directory.target, update)).outcome is WriteOutcome.CONFIRMED
        if AccountState.DISABLED in (await directory.target.profile()).states.get(USER, frozenset()):
            disable = operation(OperationKind.DISABLE, 1, remote=remote)
            assert (await confirm(directory.target, disable)).outcome is WriteOutcome.LATER
            await directory.apply(disable)
            assert (await confirm(directory.target, disable)).outcome is WriteOutcome.CONFIRMED
        delete = operation(OperationKind.DELETE, 1, remote=remote)
        assert (await confirm(directory.target, delete)).outcome is WriteOutcome.LATER
        await directory.apply(delete)
        assert (await confirm(directory.target, delete)).outcome is WriteOutcome.CONFIRMED
        gone = await confirm(directory.target, update)
        assert (gone.outcome, gone.cause) == (WriteOutcome.REFUSED, GONE_IN_TARGET)
