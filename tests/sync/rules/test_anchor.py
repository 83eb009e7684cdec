"""Source anchor, sign-in name and alias."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sync.model import AccountState, ConfirmedAccount, ObjectKind
from sync.rules import NoAccount, NoAccountReason, ObjectHeld
from sync.rules.anchor import source_anchor
from sync.rules.upn import mail_nickname, user_principal_name
from tests.sync.rules.support import NOW, account_of, copying, evaluator, inbound, outbound, person_of, rules_of, user

GUID = bytes(range(16))
OWN = "mS-DS-ConsistencyGuid"
TEXT = inbound('{ to = "sn", direct = "sn" },') + copying("sn")


def based(value: bytes) -> str:
    return base64.b64encode(value).decode()


def test_anchor_of_users() -> None:
    """mS-DS-ConsistencyGuid where it has a value, else the key, in base64."""
    assert source_anchor(user(**{OWN: GUID}), OWN) == based(GUID) == "AAECAwQFBgcICQoLDA0ODw=="
    assert source_anchor(user(), OWN) == based(user().key)
    assert source_anchor(user(**{OWN: b""}), OWN) == based(user().key)
    assert source_anchor(user(**{OWN: GUID}), "") == based(user().key)
    assert source_anchor(user(employeeID="E1"), "employeeID") == "E1"


@pytest.mark.parametrize("kind", [ObjectKind.GROUP, ObjectKind.CONTACT])
def test_anchor_of_others_is_the_key(kind: ObjectKind) -> None:
    """Whatever stands in mS-DS-ConsistencyGuid."""
    assert source_anchor(user("anna", "corp", kind, **{OWN: GUID}), OWN) == based(user().key)


def test_linked_mailbox_has_no_anchor() -> None:
    """The user in the other forest has it."""
    assert source_anchor(user(msExchRecipientTypeDetails=2, **{OWN: GUID}), OWN) == ""
    merged = person_of(TEXT, user("mailbox", "corp", msExchRecipientTypeDetails=2, sn="x"), user("b", "hr"))
    assert merged.person.values["sourceAnchor"] == based(user("b").key)


def test_rules_name_the_attribute() -> None:
    """Under [anchor]."""
    text = '[anchor]\nattribute = ""\n' + TEXT
    assert person_of(text, user(**{OWN: GUID})).person.values["sourceAnchor"] == based(user().key)
    assert person_of(TEXT, user(**{OWN: GUID})).person.values["sourceAnchor"] == based(GUID)


def test_changed_anchor_holds_the_object() -> None:
    """Until the previous value is back; that objectGUID is written to the empty attribute changes nothing."""
    first = person_of(TEXT, user(sn="x")).person
    assert person_of(TEXT, user(sn="y", **{OWN: user().key}), previous=first).person.values["sn"] == "y"
    with pytest.raises(ObjectHeld, match="AnchorChanged: rule in: the source anchor of an object") as held:
        person_of(TEXT, user(sn="y", **{OWN: GUID}), previous=first)
    assert held.value.objects == (("corp", user().key),)
    assert held.value.persons == (1,)


def test_anchor_stays_when_the_object_that_gave_it_leaves() -> None:
    """The account is the same one."""
    both = person_of(TEXT, user("a", "corp"), user("b", "hr")).person
    assert both.values["sourceAnchor"] == based(user("a").key)
    left = person_of(TEXT, user("b", "hr"), previous=both).person
    assert left.values["sourceAnchor"] == based(user("a").key)
    assert left.lineage["sourceAnchor"] == both.lineage["sourceAnchor"]
    again = person_of(TEXT, user("b", "hr", **{OWN: GUID}), user("c", "corp"), previous=left).person
    assert again.values["sourceAnchor"] == based(user("a").key)


def test_rules_that_only_join_give_no_anchor() -> None:
    """A person without one has no account: it would not be found again."""
    merged = person_of(TEXT.replace('"provision"', '"sticky_join"', 1), user(sn="x"))
    assert "sourceAnchor" not in merged.person.values
    with pytest.raises(ObjectHeld, match="MandatoryMissing: the person has no source anchor"):
        account_of(TEXT, merged)


def test_account_with_another_anchor_holds_the_person() -> None:
    """It is somebody else's."""
    merged = person_of(TEXT, user(sn="x"))
    account = ConfirmedAccount(1, "cloud", ObjectKind.USER, "other", "7")
    with pytest.raises(ObjectHeld, match="AnchorChanged: the account at cloud carries another source anchor"):
        account_of(TEXT, merged, account=account)
    deleted = ConfirmedAccount(1, "cloud", ObjectKind.USER, "other", "7", state=AccountState.DELETED)
    assert account_of(TEXT, merged, account=deleted).values == {"sn": "x"}


# -- sign-in name and alias


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {
                "mailNickname": "nick",
                "proxyAddresses": ("smtp:second@x", "SMTP:first@x"),
                "mail": "mail@x",
                "userPrincipalName": "upn@x",
            },
            "nick",
        ),
        ({"proxyAddresses": ("smtp:second@x", "SMTP:first@x"), "mail": "mail@x", "userPrincipalName": "upn@x"}, "first"),
        ({"proxyAddresses": ("smtp:second@x",), "mail": "mail@x", "userPrincipalName": "upn@x"}, "mail"),
        ({"proxyAddresses": "smtp:second@x", "userPrincipalName": "upn@x"}, "upn"),
        ({"proxyAddresses": ("X500:/o=x", "smtp:second@x")}, "second"),
        ({"proxyAddresses": ("X500:/o=x",)}, None),
        ({}, None),
    ],
)
def test_mail_nickname(values: dict[str, Any], expected: str | None) -> None:
    """In Entra's order: alias, primary address, mail, UPN, another address."""
    assert mail_nickname(values) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"userPrincipalName": "anna@EXAMPLE.com"}, "anna@EXAMPLE.com"),
        ({"userPrincipalName": "anna@corp.local", "mailNickname": "an"}, "an@example.onmicrosoft.com"),
        ({"userPrincipalName": "anna@corp.local"}, "anna@example.onmicrosoft.com"),
        ({"userPrincipalName": "anna@x@corp.local", "mail": "a@x"}, "a@example.onmicrosoft.com"),
        ({"mail": "a@x"}, "a@example.onmicrosoft.com"),
        ({}, None),
    ],
)
def test_user_principal_name(values: dict[str, Any], expected: str | None) -> None:
    """A suffix that the target does not take is replaced, and with it the name."""
    assert user_principal_name(values, frozenset({"example.com"}), "example.onmicrosoft.com") == expected


def test_all_suffixes_are_taken_where_none_are_named() -> None:
    """The name is as it is in the source."""
    assert user_principal_name({"userPrincipalName": "anna@corp.local"}, frozenset(), "") == "anna@corp.local"
    assert user_principal_name({}, frozenset(), "") is None


def test_domains_are_those_of_the_target() -> None:
    """Each target has its own."""
    names = '{ to = "userPrincipalName", direct = "userPrincipalName" }, { to = "mailNickname", direct = "mailNickname" },'
    computed = '{ to = "userPrincipalName", compute = "user_principal_name" }, { to = "alias", compute = "mail_nickname" },'
    domains = '[targets.cloud]\nverified_domains = ["Example.com"]\ninitial_domain = "x.onmicrosoft.com"\n'
    rules = rules_of(domains + inbound(names) + outbound(computed))
    merged = person_of(rules, user(userPrincipalName="anna@corp.local", mailNickname="an"))
    assert account_of(rules, merged).values == {"userPrincipalName": "an@x.onmicrosoft.com", "alias": "an"}
    assert account_of(rules, merged, "other").values["userPrincipalName"] == "anna@corp.local"
    inside = person_of(rules, user(userPrincipalName="anna@example.COM"))
    assert account_of(rules, inside).values == {"userPrincipalName": "anna@example.COM", "alias": "anna"}


# -- who has an account


def test_person_whom_nobody_keeps_has_no_account() -> None:
    """Join contributes only; provision and sticky join keep."""
    for link, kept in (("provision", True), ("sticky_join", True), ("join", False)):
        text = TEXT.replace('"provision"', f'"{link}"', 1)
        merged = person_of(text, user(sn="x"))
        assert bool(merged.kept_by) is kept
    desired = evaluator(rules_of(text)).account(merged, "cloud", None, now=NOW)
    assert desired == NoAccount(1, "cloud", NoAccountReason.NOT_KEPT)


def test_person_without_objects_has_no_account() -> None:
    """It stays what it was, until somebody decides about its accounts."""
    first = person_of(TEXT, user(sn="x")).person
    merged = person_of(TEXT, previous=first)
    assert merged.person.kind is ObjectKind.USER
    assert merged.person.values == {"sourceAnchor": first.values["sourceAnchor"]}
    assert isinstance(evaluator(rules_of(TEXT)).account(merged, "cloud", None, now=NOW), NoAccount)


def test_no_account_names_the_condition_that_excludes() -> None:
    """Or that no rule is for the target."""
    scoped = outbound(
        '{ to = "sn", direct = "sn" },',
        scope='[[{ attribute = "sn", operator = "EQUAL", value = "y" }]]',
        more='targets = ["cloud"]',
    )
    text = inbound('{ to = "sn", direct = "sn" },') + scoped
    engine, merged = evaluator(rules_of(text)), person_of(text, user(sn="x"))
    found = engine.account(merged, "cloud", None, now=NOW)
    assert isinstance(found, NoAccount)
    assert (found.reason, [str(one) for one in found.failed]) == (NoAccountReason.OUT_OF_SCOPE, ["out: sn EQUAL y"])
    elsewhere = engine.account(merged, "other", None, now=NOW)
    assert elsewhere == NoAccount(1, "other", NoAccountReason.NO_RULE)


def test_outbound_links() -> None:
    """Provision makes an account, join does not, sticky join keeps one that is there."""
    for link, without, there in (("provision", True, True), ("join", False, False), ("sticky_join", False, True)):
        text = inbound('{ to = "sn", direct = "sn" },') + outbound('{ to = "sn", direct = "sn" },', link=link)
        engine, merged = evaluator(rules_of(text)), person_of(text, user(sn="x"))
        anchor = str(merged.person.values["sourceAnchor"])
        account = ConfirmedAccount(1, "cloud", ObjectKind.USER, anchor, "7")
        gone = ConfirmedAccount(1, "cloud", ObjectKind.USER, anchor, "7", state=AccountState.DELETED)
        assert isinstance(engine.account(merged, "cloud", None, now=NOW), NoAccount) is not without
        assert isinstance(engine.account(merged, "cloud", account, now=NOW), NoAccount) is not there
        assert isinstance(engine.account(merged, "cloud", gone, now=NOW), NoAccount) is not without


def test_account_is_disabled_where_the_person_is() -> None:
    """By the attribute accountEnabled; without it, the account is enabled."""
    flow = "{ to = \"accountEnabled\", expression = 'BitAnd([userAccountControl], 2) = 0' },"
    text = inbound(flow + '{ to = "sn", direct = "sn" },') + copying("sn")
    assert not account_of(text, person_of(text, user(userAccountControl=514))).enabled
    assert account_of(text, person_of(text, user(userAccountControl=512))).enabled
    assert account_of(TEXT, person_of(TEXT, user(userAccountControl=514))).enabled


def test_match_is_that_of_the_rules_in_scope() -> None:
    """In the order of precedence, each once."""
    text = (
        inbound('{ to = "sn", direct = "sn" }, { to = "mail", direct = "mail" },')
        + outbound('{ to = "mail", direct = "mail" },', rule="o1", precedence=1, more='match = ["mail"]')
        + outbound('{ to = "sn", direct = "sn" },', rule="o2", precedence=2, link="join", more='match = ["sn", "mail"]')
    )
    assert account_of(text, person_of(text, user(sn="x"))).match == ("mail", "sn")
