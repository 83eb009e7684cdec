"""The default rules: what of Active Directory becomes an account, and with which values."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from sync.model import ObjectKind, SourceObject
from sync.rules import Evaluator, ObjectHeld, OutOfScope, RuleSet, SourceDescription, read_rules
from sync.rules.trial import TrialDirectory
from tests.sync.rules.support import NOW, account_of, given, named, user

USER = {"sAMAccountName": "anna", "userPrincipalName": "anna@example.com", "userAccountControl": 512, "name": "Anna"}


@cache
def rules() -> RuleSet:
    return read_rules(None)


def engine() -> Evaluator:
    return Evaluator(rules(), [SourceDescription(name="corp", parameters={"Domain.FQDN": "corp.example"})], TrialDirectory())


def account(found: SourceObject) -> Any:
    merged = engine().person(1, [given(engine(), found)], previous=None, now=NOW)
    return account_of(rules(), merged)


def synchronised(found: SourceObject) -> bool:
    return not isinstance(engine().contribute(found, now=NOW), OutOfScope)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"userAccountControl": 514}, True),
        ({"isCriticalSystemObject": False}, True),
        ({"isCriticalSystemObject": True}, False),
        ({"sAMAccountName": ""}, False),
        ({"sAMAccountName": "AAD_0123456789ab"}, False),
        ({"sAMAccountName": "MSOL_0123456789ab"}, False),
        ({"sAMAccountName": "xMSOL_"}, True),
        ({"sAMAccountName": "SUPPORT_388945a0"}, False),
        ({"sAMAccountName": "SUPPORT_388945a1"}, True),
        ({"sAMAccountName": "SystemMailbox{1f05a927}"}, False),
        ({"mailNickname": "SystemMailbox{1f05a927}"}, False),
        ({"sAMAccountName": "CAS_{1f05a927}"}, False),
        ({"mailNickname": "CAS_{1f05a927}"}, False),
        ({"sAMAccountName": "CAS_1"}, True),
        ({"dn": r"CN=Anna\0ACNF:1f05a927-7c33-4a8e-a3a6-a5d3a0a8e6a9,DC=example"}, False),
    ],
)
def test_users(changes: dict[str, Any], expected: bool) -> None:
    """Without those of the system, of synchronisation, of Exchange, and the losers of conflicts."""
    assert synchronised(user(**(USER | changes))) is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"isCriticalSystemObject": True}, False),
        ({"sAMAccountName": ""}, False),
        ({"msExchRecipientTypeDetails": 0x40000000}, False),
        ({"msExchRecipientTypeDetails": 1}, True),
        ({"dn": r"CN=G\0ACNF:1f05a927-7c33-4a8e-a3a6-a5d3a0a8e6a9,DC=example"}, False),
    ],
)
def test_groups(changes: dict[str, Any], expected: bool) -> None:
    """Without those of the system, role groups of Exchange, and the losers of conflicts."""
    assert synchronised(user("anna", "corp", ObjectKind.GROUP, **({"sAMAccountName": "staff"} | changes))) is expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, True),
        ({"mail": ""}, False),
        ({"isCriticalSystemObject": True}, False),
        ({"dn": r"CN=C\0ACNF:1f05a927-7c33-4a8e-a3a6-a5d3a0a8e6a9,DC=example"}, False),
    ],
)
def test_contacts(changes: dict[str, Any], expected: bool) -> None:
    """Only those with mail."""
    assert synchronised(user("anna", "corp", ObjectKind.CONTACT, **({"mail": "c@example.com"} | changes))) is expected


def test_account_of_a_user() -> None:
    """Names as in the directory, alias computed, description of its only value, manager as a link."""
    found = account(
        user(**USER, displayName="Anna A.", mail=" anna@example.com ", proxyAddresses="SMTP:an@example.com", description="x")
    )
    assert found.values == {
        "sAMAccountName": "anna",
        "userPrincipalName": "anna@example.com",
        "displayName": "Anna A.",
        "mail": "anna@example.com",
        "proxyAddresses": ("SMTP:an@example.com",),
        "mailNickname": "an",
        "description": "x",
    }
    assert found.enabled
    assert found.match == ("userPrincipalName",)
    assert named(found.links) == [("manager", "corp")]
    assert not account(user(**(USER | {"userAccountControl": 514}))).enabled


def test_names_that_are_missing() -> None:
    """The display name is that of the object, the sign-in name is made of the account's name and the domain."""
    found = account(user(**(USER | {"userPrincipalName": ""})))
    assert found.values["displayName"] == "Anna"
    assert found.values["userPrincipalName"] == "anna@corp.example"


def test_user_whose_state_cannot_be_read_is_held() -> None:
    """It is neither disabled nor enabled by guess."""
    with pytest.raises(ObjectHeld) as held:
        engine().contribute(user(sAMAccountName="anna"), now=NOW)
    assert held.value.value == "userAccountControl is missing"


def test_account_of_a_group() -> None:
    """With its members, and the name of the account where there is no display name."""
    found = account(user("anna", "corp", ObjectKind.GROUP, sAMAccountName="staff", mail="staff@example.com"))
    assert found.values == {"sAMAccountName": "staff", "displayName": "staff", "mail": "staff@example.com"}
    assert named(found.links) == [("member", "corp"), ("managedBy", "corp")]


def test_account_of_a_contact() -> None:
    """Without a sign-in name."""
    found = account(user("anna", "corp", ObjectKind.CONTACT, name="C", mail="c@example.com"))
    assert found.values == {"displayName": "C", "mail": "c@example.com", "mailNickname": "c"}
    assert found.kind is ObjectKind.CONTACT


def test_everything_reaches_an_account() -> None:
    """No attribute is read for nothing, and all have a known type."""
    assert rules().unused == ()
    assert rules().reads_parameters
