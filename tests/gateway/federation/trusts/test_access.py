"""Who may sign in to an application."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.federation.claims import ClaimsSubject
from gateway.federation.settings import LifetimeSettings
from gateway.federation.trusts import AccessRefusal, Lifetimes, TrustAccess, check_access, effective_lifetimes
from gateway.protocol import Group
from tests.gateway.federation.trusts.samples import OIDC, person, read

ADDRESS = "10.1.2.3"


def refused(access: TrustAccess, subject: ClaimsSubject | None = None, address: str = ADDRESS) -> str:
    """Why; empty where the person may."""
    refusal = check_access(replace(read(OIDC), access=access), subject or person(), address)
    return refusal.reason if refusal else ""


def test_a_user_who_only_looks_like_a_test_user_is_none() -> None:
    """Whatever the case; but letters that only Python takes for others are others."""
    access = TrustAccess(test_users=("kim.strasse@corp.example.com",))
    assert refused(access, person(user_name="Kim.Strasse@corp.example.com")) == ""
    for name in (
        "kim.stra\u00dfe@corp.example.com",
        "\u212aim.strasse@corp.example.com",
        "kim.\u017ftrasse@corp.example.com",
    ):
        assert refused(access, person(user_name=name)) == "test users"


def test_without_rules_everybody_may() -> None:
    """An account is enough."""
    assert check_access(read(OIDC), person(groups=()), "unknown") is None


@pytest.mark.parametrize("group", ["S-1-5-21-1-2-3-1002", "wiki users", "corp\\STAFF", "s-1-5-21-1-2-3-1001"])
def test_one_group_is_enough(group: str) -> None:
    """By SID, name or DOMAIN\\name, whatever the case."""
    assert refused(TrustAccess(groups=("Nobody", group))) == ""


@pytest.mark.parametrize("group", ["Wiki", "Wiki Users ", "OTHER\\Staff", "S-1-5-21-1-2-3-100", "", "CORP\\"])
def test_a_group_that_the_person_is_not_in(group: str) -> None:
    """Nothing is compared by its beginning, and no name of another domain."""
    assert refused(TrustAccess(groups=(group,))) == "group"


def test_empty_names_match_nobody() -> None:
    """A directory that sends no name of a group opens nothing."""
    nameless = person(groups=(Group("", ""),), user_name="", object_guid="")
    assert refused(TrustAccess(groups=("",)), nameless) == "group"
    assert refused(TrustAccess(test_users=("",)), nameless) == "test users"


@pytest.mark.parametrize(("address", "reason"), [
    ("10.1.2.3", ""),
    ("::ffff:10.1.2.3", ""),
    ("2001:db8::7", ""),
    ("11.1.2.3", "network"),
    ("", "network"),
    ("10.1.2.3.example", "network"),
])  # fmt: skip
def test_networks(address: str, reason: str) -> None:
    """What is no address lies in none."""
    assert refused(TrustAccess(networks=("10.0.0.0/8", "2001:db8::/32")), address=address) == reason


@pytest.mark.parametrize("user", ["ADA@corp.example.com", "9F2C1B7E-0D3A-4C58-8E61-2B7D5A90C4F3", "corp\\Ada"])
def test_test_users(user: str) -> None:
    """By user name, GUID or DOMAIN\\name."""
    assert refused(TrustAccess(test_users=(user,))) == ""


@pytest.mark.parametrize("user", ["ada", "bob@corp.example.com", "OTHER\\ada"])
def test_before_it_is_live_nobody_else_may(user: str) -> None:
    """A bare account name could be anybody's of another domain."""
    assert refused(TrustAccess(test_users=(user,), groups=("Staff",))) == "test users"


def test_all_rules_hold_together() -> None:
    """A test user has to be in the group and in the network, too; whom to ask is told."""
    access = TrustAccess(
        test_users=("ada@corp.example.com",), groups=("Admins",), networks=("10.0.0.0/8",), ask="the wiki team"
    )
    trust = replace(read(OIDC), access=access)
    assert check_access(trust, person(user_name="bob"), ADDRESS) == AccessRefusal("test users", "the wiki team")
    assert check_access(trust, person(), "192.0.2.1") == AccessRefusal("network", "the wiki team")
    assert check_access(trust, person(), ADDRESS) == AccessRefusal("group", "the wiki team")


def test_lifetimes_of_a_trust_come_before_the_relays() -> None:
    """What a trust does not say is the relay's; only a re-authentication is nobody's unless the trust wants it."""
    found = effective_lifetimes(Lifetimes(code=10), LifetimeSettings(access_token=60))
    assert (found.code, found.access_token, found.assertion, found.reauthenticate) == (10, 60, 300, 0)


def test_a_group_that_is_named_like_a_sid_opens_nothing() -> None:
    """Whoever may make a group could call it by the identifier of another."""
    sid = "S-1-5-21-1-2-3-512"
    assert refused(TrustAccess(groups=(sid,)), person(groups=(Group("S-1-5-21-1-2-3-9999", sid),))) == "group"
    assert refused(TrustAccess(groups=(sid,)), person(groups=(Group(sid, "Domain Admins"),))) == ""
