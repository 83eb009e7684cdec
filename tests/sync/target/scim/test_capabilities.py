"""What services say of themselves, and settings that know better."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from findings import worst
from sync.model import AccountState, ObjectKind, OperationKind, WriteOutcome
from sync.target.scim import ScimSettings
from sync.target.scim.capabilities import capabilities
from sync.target.scim.paths import ENTERPRISE_SCHEMA, GROUP_SCHEMA, USER_SCHEMA
from sync.target.scim.preflight import check_service
from sync.target.scim.resources import folded
from tests.sync.target.conformance import GROUP, USER, Directory, user
from tests.sync.target.scim.support import quirky, settings_of


def _settings(tmp_path: Path, **fields: object) -> ScimSettings:
    return settings_of("https://scim.example.com", tmp_path, **fields)


def _config(**parts: Any) -> dict[str, Any]:
    return {"/ServiceProviderConfig": folded(parts)}


def test_a_service_that_says_nothing(tmp_path: Path) -> None:
    """As RFC 7643 and 7644 say: users, groups, PATCH, filters; and preflight warns."""
    known = capabilities(_settings(tmp_path), {})
    assert (known.patch, known.filter, known.etag, known.page_size) == (True, True, False, 100)
    assert known.endpoints == {USER: "/Users", GROUP: "/Groups"}
    assert known.profile.unique == {USER: {"userPrincipalName"}, GROUP: frozenset()}
    assert known.profile.required == {USER: {"userPrincipalName"}, GROUP: {"displayName"}}
    assert known.profile.states == {USER: {AccountState.DISABLED}}
    findings = check_service("t", None, known, _settings(tmp_path))
    assert [f.name for f in findings if f.status == "warn"] == ["description"]


@pytest.mark.parametrize(("value", "expected"), [(True, True), (False, False), ("False", False), ("True", True), (7, True)])
def test_patch_and_filter(value: object, expected: bool, tmp_path: Path) -> None:
    """Booleans as text too; a setting wins, because services describe themselves wrongly."""
    told = _config(patch={"supported": value}, filter={"supported": value})
    known = capabilities(_settings(tmp_path), told)
    assert (known.patch, known.filter) == (expected, expected)
    opposite = _settings(tmp_path, patch=not expected, filter=not expected, put=True)
    known = capabilities(opposite, told)
    assert (known.patch, known.filter) == (not expected, not expected)


def test_pages_are_no_larger_than_the_service_gives(tmp_path: Path) -> None:
    """Or the rest of each would be asked for again."""
    settings = _settings(tmp_path, page_size=50)
    assert capabilities(settings, _config(filter={"maxResults": 20})).page_size == 20
    assert capabilities(settings, _config(filter={"maxResults": 200})).page_size == 50
    assert capabilities(settings, _config(filter={"maxResults": 0})).page_size == 50


def test_other_endpoints_and_no_groups(tmp_path: Path) -> None:
    """By the schema of a type, whatever it is called."""
    types = [{"name": "Person", "endpoint": "/v2/People", "schema": USER_SCHEMA.upper()}, {"name": "x"}, "y"]
    known = capabilities(_settings(tmp_path), {"/ResourceTypes": folded({"Resources": types})})
    assert known.endpoints == {USER: "/People"}
    assert set(known.profile.attributes) == {USER}
    assert known.profile.links == {USER: {"manager"}}
    findings = {f.name: f for f in check_service("t", None, known, _settings(tmp_path))}
    assert "no group" in findings["kinds"].seen


def test_schemas_decide_what_can_be_written(tmp_path: Path) -> None:
    """Attributes that are not there, or read-only; unique and required ones."""
    users = {
        "id": USER_SCHEMA,
        "attributes": [
            {"name": "userName", "required": True, "uniqueness": "server", "mutability": "readWrite"},
            {"name": "displayName", "required": True, "uniqueness": "none"},
            {"name": "title", "mutability": "readOnly"},
            {"name": "name", "mutability": "readOnly", "subAttributes": [{"name": "familyName"}]},
            {"name": "emails", "subAttributes": [{"name": "value", "required": True, "uniqueness": "server"}]},
        ],
    }
    known = capabilities(_settings(tmp_path), {"/Schemas": folded({"Resources": [users]})})
    profile = known.profile
    assert profile.attributes[USER] == {"userPrincipalName", "displayName", "mail"}
    assert profile.unique[USER] == {"userPrincipalName", "mail"}
    assert profile.required[USER] == {"userPrincipalName", "displayName"}
    assert profile.links[USER] == frozenset()
    assert {"title", "sn", "department"} <= set(known.left_out)
    findings = check_service("t", None, known, _settings(tmp_path))
    assert worst(findings) == "warn"


def test_the_enterprise_extension(tmp_path: Path) -> None:
    """With its schema, a manager can be written."""
    enterprise = {"id": ENTERPRISE_SCHEMA, "attributes": [{"name": "department"}, {"name": "manager"}]}
    schemas = [enterprise, {"id": GROUP_SCHEMA, "attributes": [{"name": "displayName"}, {"name": "members"}]}]
    known = capabilities(_settings(tmp_path), {"/Schemas": folded(schemas)})
    assert "department" in known.profile.attributes[USER]
    assert "division" not in known.profile.attributes[USER]
    assert known.profile.links == {USER: {"manager"}, GROUP: {"member"}}


async def test_contacts_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """SCIM has none."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        with pytest.raises(AssertionError, match="ReadOnlyInTarget"):
            await directory.create(1, ObjectKind.CONTACT)
        assert service.sent("POST") == []


async def test_a_disabled_person_is_made_disabled(tmp_path: Path) -> None:
    """Where the rules give `accountEnabled`, there is no moment in which the account is open."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        await directory.create(1, accountEnabled=False)
        assert service.sent("POST")[0][2]["active"] is False
        assert (await directory.read(1)).state is AccountState.DISABLED
        await directory.create(2)
        assert service.sent("POST")[1][2]["active"] is True


async def test_entries_of_others_stay(tmp_path: Path) -> None:
    """A private address that somebody put there is none of ours; neither is a street of which we write the town."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        remote = await directory.create(1, mail="old@example.com", l="Town", st="State")
        home = {"value": "home@example.org", "type": "home"}
        service.resources["Users"][remote]["emails"].append(home)
        done = await directory.change(
            OperationKind.UPDATE, 1, set={"mail": "new@example.com", "l": "City"}, clear=frozenset({"st"})
        )
        assert done.outcome is WriteOutcome.CONFIRMED, done
        resource = service.resources["Users"][remote]
        assert home in resource["emails"]
        assert {"value": "new@example.com", "type": "work", "primary": True} in resource["emails"]
        assert resource["addresses"] == [{"type": "work", "locality": "City"}]
        done = await directory.change(OperationKind.UPDATE, 1, clear=frozenset({"mail", "l"}))
        assert done.outcome is WriteOutcome.CONFIRMED, done
        assert resource["emails"] == [home]
        assert "addresses" not in resource


async def test_photos(tmp_path: Path) -> None:
    """Bytes come back as they were."""
    async with quirky(tmp_path, photos=True) as (_, target):
        directory = Directory(target)
        await directory.create(1, thumbnailPhoto=b"\xff\xd8\xff\xe0 jpeg")
        assert (await directory.read(1)).values["thumbnailPhoto"] == b"\xff\xd8\xff\xe0 jpeg"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"title": b"\x00"}, "title: it is binary"),
        ({"title": ("a", "b")}, "title: it has 2 values"),
        ({"title": 7}, "title"),
        ({"title": "\ud800"}, "surrogate"),
        ({"accountEnabled": "maybe"}, "active"),
    ],
)
async def test_values_that_cannot_be_sent(values: dict[str, Any], told: str, tmp_path: Path) -> None:
    """Refused by name before anything is sent, the value itself left out."""
    async with quirky(tmp_path) as (service, target):
        directory = Directory(target)
        await directory.create(1)
        before = len(service.sent("POST", "PATCH"))
        refused = await directory.change(OperationKind.UPDATE, 1, set=values)
        assert (refused.outcome, refused.cause) == (WriteOutcome.REFUSED, "IdentityDataValidationFailed")
        assert told in refused.detail
        assert "maybe" not in refused.detail
        with pytest.raises(AssertionError, match="IdentityDataValidationFailed"):
            await directory.create(2, **{**user(2), **values})
        assert len(service.sent("POST", "PATCH")) == before


async def test_several_values_of_one_type(tmp_path: Path) -> None:
    """An attribute with several values is several entries."""
    more = {"otherTelephone": 'phoneNumbers[type eq "other"].value'}
    async with quirky(tmp_path, user_attributes=more) as (_, target):
        directory = Directory(target)
        await directory.create(1, otherTelephone=("1", "2"), telephoneNumber="3")
        values = (await directory.read(1)).values
        assert (values["otherTelephone"], values["telephoneNumber"]) == (("1", "2"), "3")
