"""Members go as differences, in pieces, each by its name; whatever is asked, nothing takes all of them from a group."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from sync.causes import GONE_IN_TARGET, GROUP_TOO_LARGE, READ_ONLY_IN_TARGET, REFERENCE_UNRESOLVED
from sync.model import OperationKind, WriteOutcome
from sync.target.scim.guard import UnsafeRequest, check_patch, check_put
from sync.target.scim.paths import GROUP_SCHEMA
from tests.sync.target.conformance import GROUP, Directory
from tests.sync.target.scim.quirks import Canned
from tests.sync.target.scim.support import quirky

LINK = OperationKind.LINK
_ALL = frozenset(range(1, 8))


async def _group(directory: Directory, people: frozenset[int] = _ALL) -> None:
    for person in sorted(people):
        await directory.create(person)
    await directory.create(10, GROUP)


async def test_aws_takes_a_hundred(tmp_path: Path) -> None:
    """With the setting, no request has more; without it, a piece that is refused is sent in halves."""
    for size in (3, 500):
        async with quirky(tmp_path, members_a_request=size) as (service, target):
            service.most_members = 3
            directory = Directory(target)
            await _group(directory)
            done = await directory.change(LINK, 10, GROUP, added={"member": tuple(_ALL)})
            assert done.outcome is WriteOutcome.CONFIRMED, done
            assert await directory.links(10, GROUP, "member") == _ALL
            done = await directory.change(LINK, 10, GROUP, removed={"member": (1, 2, 3, 4, 5)})
            assert done.outcome is WriteOutcome.CONFIRMED, done
            assert await directory.links(10, GROUP, "member") == {6, 7}


async def test_one_member_more_is_one_small_request(tmp_path: Path) -> None:
    """However many there are; and the service need not tell them in its answer."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        await _group(directory)
        await directory.change(LINK, 10, GROUP, added={"member": (1, 2, 3, 4, 5, 6)})
        before = len(service.requests)
        await directory.change(LINK, 10, GROUP, added={"member": (7,)})
        ((method, _, query, body),) = service.requests[before:]
        assert (method, query) == ("PATCH", {"excludedAttributes": "members"})
        assert body["Operations"] == [{"op": "add", "path": "members", "value": [{"value": directory.accounts[7]}]}]


async def test_as_entra_removes(tmp_path: Path) -> None:
    """Services that know no filters in paths take a list, which is never empty."""
    async with quirky(tmp_path, member_removal="values") as (service, target):
        directory = Directory(target)
        await _group(directory)
        await directory.change(LINK, 10, GROUP, added={"member": tuple(_ALL)})
        await directory.change(LINK, 10, GROUP, removed={"member": (1, 2)})
        assert await directory.links(10, GROUP, "member") == _ALL - {1, 2}
        (removal,) = service.sent("PATCH")[-1][2]["Operations"]
        assert removal == {"op": "remove", "path": "members", "value": [{"value": "r1"}, {"value": "r2"}]}


async def test_one_that_is_gone_holds_nobody_up(tmp_path: Path) -> None:
    """Not there any more, so that it cannot be added; not in the group any more, so that it need not be removed."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        await _group(directory)
        del service.resources["Users"][directory.accounts[4]]
        done = await directory.change(LINK, 10, GROUP, added={"member": tuple(_ALL)})
        assert (done.outcome, done.cause) == (WriteOutcome.LATER, REFERENCE_UNRESOLVED)
        assert directory.accounts[4] in done.detail
        assert await directory.links(10, GROUP, "member") == _ALL - {4}
        done = await directory.change(LINK, 10, GROUP, removed={"member": (3, 4, 5)})
        assert done.outcome is WriteOutcome.CONFIRMED
        assert await directory.links(10, GROUP, "member") == {1, 2, 6, 7}


async def test_a_group_that_is_gone(tmp_path: Path) -> None:
    """Is named, after one look; its members are not tried one by one."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        await _group(directory)
        service.resources["Groups"].clear()
        before = len(service.requests)
        done = await directory.change(LINK, 10, GROUP, added={"member": tuple(_ALL)})
        assert (done.outcome, done.cause) == (WriteOutcome.REFUSED, GONE_IN_TARGET)
        assert len(service.requests) - before <= 3


async def test_a_group_that_is_full(tmp_path: Path) -> None:
    """One member more, and the service refuses it."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        await _group(directory)
        service.most_members = 0
        done = await directory.change(LINK, 10, GROUP, added={"member": (1,)})
        assert (done.outcome, done.cause) == (WriteOutcome.REFUSED, GROUP_TOO_LARGE)


async def test_a_piece_whose_answer_is_lost(tmp_path: Path) -> None:
    """What was sent before it stays; all of it may be sent again."""
    async with quirky(tmp_path, members_a_request=3) as (service, target):
        directory = Directory(target)
        await _group(directory)
        service.canned.extend([Canned(204, do=True), Canned(drop=True, do=True)])
        done = await directory.change(LINK, 10, GROUP, added={"member": tuple(_ALL)})
        assert done.outcome is WriteOutcome.UNKNOWN
        assert len(await directory.links(10, GROUP, "member")) == 6
        done = await directory.change(LINK, 10, GROUP, added={"member": tuple(_ALL)})
        assert done.outcome is WriteOutcome.CONFIRMED
        assert await directory.links(10, GROUP, "member") == _ALL


async def test_without_patch(tmp_path: Path) -> None:
    """Refused, unless the settings allow whole resources; those keep every member, whatever is changed."""
    async with quirky(tmp_path, patch=False) as (service, target):
        directory = Directory(target)
        await _group(directory)
        for change in (
            await directory.change(LINK, 10, GROUP, added={"member": (1,)}),
            await directory.change(LINK, 1, added={"manager": (2,)}),
            await directory.change(OperationKind.UPDATE, 1, set={"title": "Clerk"}),
        ):
            assert (change.outcome, change.cause) == (WriteOutcome.REFUSED, READ_ONLY_IN_TARGET)
            assert "put = true" in change.detail
        assert service.sent("PUT", "PATCH") == []
    async with quirky(tmp_path, patch=False, put=True) as (service, target):
        directory = Directory(target)
        await _group(directory)
        await directory.change(LINK, 10, GROUP, added={"member": (1, 2)})
        await directory.change(OperationKind.UPDATE, 10, GROUP, set={"displayName": "Renamed"})
        assert await directory.links(10, GROUP, "member") == {1, 2}
        assert service.sent("PATCH") == []


@given(
    steps=st.lists(
        st.tuples(st.sets(st.integers(1, 12)), st.sets(st.integers(1, 12)), st.sampled_from(["", "x", "filter", "values"])),
        max_size=6,
    )
)
@settings(max_examples=25)
async def test_whatever_comes_and_goes(
    steps: list[tuple[set[int], set[int], str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Persons with accounts, without, and with strange identifiers: only those that are named leave."""
    directory_path = tmp_path_factory.mktemp("members")
    removal = next((style for _, _, style in steps if style in {"filter", "values"}), "filter")
    async with quirky(directory_path, members_a_request=2, member_removal=removal) as (service, target):
        directory = Directory(target)
        for person in range(1, 9):
            directory.accounts[person] = service.put("Users", id=f'{person}"] or \\ /', userName=f"u{person}")
        await directory.create(20, GROUP)
        expected: set[int] = set()
        for added, removed, _ in steps:
            both = {"added": {"member": tuple(added - removed)}, "removed": {"member": tuple(removed)}}
            await directory.change(LINK, 20, GROUP, **both)
            expected = (expected - removed) | (added - removed)
            assert await directory.links(20, GROUP, "member") == expected & set(directory.accounts)
        for _, _, body in service.sent("PATCH"):
            check_patch(body)


UNSAFE: list[dict[str, Any]] = [
    {"op": "remove", "path": "members"},
    {"op": "remove", "path": "Members"},
    {"op": "remove", "path": " members "},
    {"op": "remove", "path": f"{GROUP_SCHEMA}:members"},
    {"op": "remove", "path": f"{GROUP_SCHEMA.upper()}:MEMBERS"},
    {"op": "remove", "path": "members", "value": []},
    {"op": "remove", "path": "members", "value": None},
    {"op": "remove", "path": "members", "value": [{}]},
    {"op": "remove", "path": "members", "value": [{"value": "1"}, {"value": ""}]},
    {"op": "remove", "path": "members", "value": [{"value": "1"}, {"value": None}]},
    {"op": "remove", "path": "members[]"},
    {"op": "remove", "path": 'members[value eq ""]'},
    {"op": "remove", "path": 'members[value eq "1" or value pr]'},
    {"op": "remove", "path": 'members[value ne "1"]'},
    {"op": "remove", "path": "members[value pr]"},
    {"op": "remove", "path": 'members[type eq "User"]'},
    {"op": "remove", "path": "members.value"},
    {"op": "remove"},
    {"op": "remove", "path": ""},
    {"op": "replace", "path": "members", "value": [{"value": "1"}]},
    {"op": "replace", "path": "members", "value": []},
    {"op": "replace", "value": {"members": []}},
    {"op": "add", "value": {"members": [{"value": "1"}]}},
    {"op": "Remove", "path": "members", "value": [{"value": "1"}]},
    {"op": "add", "path": "members", "value": []},
]


@pytest.mark.parametrize("operation", UNSAFE, ids=str)
def test_what_is_never_sent(operation: dict[str, Any]) -> None:
    """Whatever made it: nothing goes out that takes more members than it names."""
    harmless = {"op": "replace", "path": "displayName", "value": "x"}
    with pytest.raises(UnsafeRequest):
        check_patch({"Operations": [harmless, operation]})


@pytest.mark.parametrize("body", [{"op": "remove", "path": "members"}, {"op": "replace", "path": "members", "value": []}])
async def test_the_client_itself_refuses_it(body: dict[str, Any], tmp_path: Path) -> None:
    """Not only those who make requests: a request that is wrongly made does not leave."""
    async with quirky(tmp_path) as (service, target):
        client, group = target._client, service.put("Groups", displayName="g", members=[{"value": "1"}])
        address = client.address("/Groups", group)
        with pytest.raises(UnsafeRequest):
            await client.write("PATCH", address, {"Operations": [body]})
        with pytest.raises(UnsafeRequest):
            await client.write("PUT", address, {"schemas": [GROUP_SCHEMA], "displayName": "g"})
        assert service.requests == []


def test_a_group_is_put_with_its_members() -> None:
    """Even if there are none; users have none to lose."""
    for body in ({"schemas": [GROUP_SCHEMA]}, {"schemas": [GROUP_SCHEMA], "members": None}):
        with pytest.raises(UnsafeRequest):
            check_put(body)
    check_put({"schemas": [GROUP_SCHEMA], "members": []})
    check_put({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"]})
