"""The directory package against a real Active Directory."""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ldap3
import pytest

from demo.people import Person
from demo.samba import ServiceAccount, ThrowawayDomain
from directory import (
    Abandoned,
    CheckOutcome,
    CheckResult,
    ConnectFailed,
    Credential,
    Directories,
    DirectoryObject,
    DirectorySettings,
    DomainNames,
    NoDirectory,
    PasswordRequirements,
    PasswordRule,
    ServerCertificateRefused,
    ServiceAccountRefused,
    ShownCertificate,
    TlsSettings,
    published_authorities,
    read_chain,
    read_domain,
    root_of,
    verify_trust,
)
from directory.errors import Ambiguous, NotFound, ServerRefused
from directory.ldap import LdapConnection
from findings import Finding
from tests.support.forwarder import Forwarder
from tests.support.relay_and_agent import eventually

pytestmark = pytest.mark.samba

Make = Callable[..., Directories]


@pytest.fixture
async def make(ad_settings: DirectorySettings) -> AsyncIterator[Make]:
    """The domain's directory, with other settings where the test wants."""
    made: list[Directories] = []

    def build(**fields: object) -> Directories:
        made.append(Directories([replace(ad_settings, **fields)]))  # type: ignore[arg-type]
        return made[-1]

    yield build
    for directories in made:
        await directories.close()


@pytest.fixture
def forwarders(domain: ThrowawayDomain) -> Iterator[list[Forwarder]]:
    """Two ways to the domain controller; what goes wrong on the way, goes wrong there."""
    with (
        Forwarder(domain.address, (domain.address, 636)) as first,
        Forwarder(domain.address, (domain.address, 636)) as second,
    ):
        yield [first, second]


def first_and_second(forwarders: list[Forwarder]) -> tuple[Forwarder, Forwarder]:
    """The one that is asked first, and the other: which it is depends on the account alone."""
    first, second = sorted(forwarders, key=lambda forwarder: -forwarder.accepted)
    assert first.accepted > second.accepted
    return first, second


def states(directories: Directories) -> dict[str, str]:
    """Of each domain controller."""
    return {controller.controller: controller.state for controller in directories.health()}


async def verify(directories: Directories, name: str, password: str, seconds: float = 10.0, **how: object) -> CheckResult:
    """With a deadline from now."""
    return await directories.verify(Credential(name, password), deadline=time.time() + seconds, **how)  # type: ignore[arg-type]


async def bad_passwords(directories: Directories, name: str) -> int:
    """badPwdCount, as the domain controller has it."""
    person = await directories.find_user(name)
    assert person is not None
    return int(person.attributes.get("badPwdCount", ("0",))[0])


async def test_every_way_to_say_who_one_is(make: Make, domain: ThrowawayDomain) -> None:
    """UPN in any case, DOMAIN\\name, bare name, implicit UPN, pasted with what nobody sees; the identity is the same."""
    directories, anna = make(), domain.people["anna"]
    guids = set()
    for name in (
        anna.upn,
        anna.upn.upper(),
        "CORP\\anna",
        "corp\\ANNA",
        "anna",
        " anna ",
        "anna@CORP",  # as the domain controller takes it
        "corp.example.com\\anna",
        f"\u200e{anna.upn}\u200b",  # pasted
        "\ufeffCORP\\anna",
        "anna @corp.example.com",
        "CORP \\ anna",
    ):
        result = await verify(directories, name, anna.password)
        assert result.outcome is CheckOutcome.SUCCESS
        assert result.identity is not None
        guids.add(result.identity.object_guid)
    assert len(guids) == 1


async def test_every_answer_tells_whose_account_it_is_about(make: Make, domain: ThrowawayDomain) -> None:
    """By objectGUID of domain and account, whatever was typed, whatever came of it, whatever the settings call it."""
    anna, found = domain.people["anna"], set[DirectoryObject]()
    for directories in (make(), make(name="elsewhere.example.net", netbios_name="ELSEWHERE")):
        for password in (anna.password, "wrong"):
            result = await verify(directories, anna.upn, password)
            assert result.account is not None
            found.add(result.account)
    account = (await verify(make(), "CORP\\anna", "wrong")).account
    assert account is not None
    assert found == {account}
    assert [len(part) for part in account] == [36, 36]
    identity = (await verify(make(), "anna", anna.password)).identity
    assert identity is not None
    assert (identity.directory, identity.object_guid) == account
    assert (await verify(make(), "nobody", "wrong")).account is None


async def test_what_the_domain_says_of_itself_is_its_object_guid(
    make: Make, domain: ThrowawayDomain, ad_settings: DirectorySettings
) -> None:
    """As another client reads it."""
    result = await verify(make(), "anna", domain.people["anna"].password)
    server = ldap3.Server(ad_settings.servers[0], use_ssl=True)
    with ldap3.Connection(server, ad_settings.service_user, ad_settings.service_password()) as connection:
        connection.search(ad_settings.base_dn, "(objectClass=domainDNS)", ldap3.BASE, attributes=["objectGUID"])
        (entry,) = connection.entries
    assert result.account is not None
    assert f"{{{result.account.directory}}}" == str(entry.objectGUID)


async def test_an_identity_has_everything_nested_groups_too(make: Make, domain: ThrowawayDomain) -> None:
    """Direct, nested and primary groups; names, SID, mail, chosen attributes."""
    result = await verify(make(attributes=("sAMAccountName", "objectSid")), "anna", domain.people["anna"].password)
    identity = result.identity
    assert identity is not None
    assert {"Engineering", "Staff", "Everybody", "Printers", "Domain Users"} <= {group.name for group in identity.groups}
    assert identity.sid.startswith(domain.domain_sid)
    assert (identity.mail, identity.surname, identity.user_name) == (
        "anna.berg@example.com",
        "Berg",
        "anna@corp.example.com",
    )
    assert identity.attributes["sAMAccountName"] == ("anna",)
    assert (await verify(make(groups=False), "anna", domain.people["anna"].password)).identity.groups == ()  # type: ignore[union-attr]


async def test_groups_that_take_several_searches_are_all_named(
    make: Make, domain: ThrowawayDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever they are in the domain, those of CN=Builtin and outside base_dn as well."""
    monkeypatch.setattr("directory.people.groups._BATCH", 2)
    result = await verify(make(base_dn=domain.people_dn), "anna", domain.people["anna"].password)
    assert result.identity is not None
    names = {group.name for group in result.identity.groups}
    assert names == {"Engineering", "Staff", "Everybody", "Printers", "Domain Users", "Users"}


async def test_a_change_of_memberships_is_seen_at_once(make: Make, domain: ThrowawayDomain) -> None:
    """Direct ones, although nested ones are kept for a minute."""
    directories, zoe = make(), domain.people["zoe"]
    first = await verify(directories, zoe.upn, zoe.password)
    group = f"CN=Engineering,{domain.people_dn}"
    member = f"CN={zoe.display_name},{domain.people_dn}"
    others = [f"CN={p.display_name},{domain.people_dn}" for p in domain.people.values() if "Engineering" in p.groups]
    domain.edit([{"modify": {"dn": group, "member": [*others, member]}}])
    second = await verify(directories, zoe.upn, zoe.password)
    domain.edit([{"modify": {"dn": group, "member": others}}])
    assert "Engineering" not in {g.name for g in first.identity.groups}  # type: ignore[union-attr]
    assert {"Engineering", "Staff", "Everybody"} <= {g.name for g in second.identity.groups}  # type: ignore[union-attr]


async def test_a_login_attribute_of_ones_own(make: Make, domain: ThrowawayDomain) -> None:
    """Such as mail; metacharacters in it are only characters."""
    anna = domain.people["anna"]
    directories = make(login_attributes=("mail",))
    assert (await verify(directories, "anna.berg@example.com", anna.password)).outcome is CheckOutcome.SUCCESS
    for name in ("anna.*@example.com", "*", "anna.berg@example.com)(cn=*", "anna.berg\\2a@example.com"):
        assert (await verify(directories, name, anna.password)).outcome is CheckOutcome.WRONG_CREDENTIAL


async def test_an_unknown_person_costs_a_bind_like_a_known_one(make: Make) -> None:
    """So that a stranger's clock learns nothing."""
    directories = make()
    before = directories.health()[0].binds
    result = await verify(directories, "nobody@corp.example.com", "x")
    assert (result.outcome, result.password_checked) == (CheckOutcome.WRONG_CREDENTIAL, True)
    assert directories.health()[0].binds == before + 1


async def test_a_change_for_an_unknown_person_costs_what_a_refused_one_costs(
    make: Make, domain: ThrowawayDomain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The domain controller is asked for the change, once, and nothing else tells the two apart."""
    modify, asked, begun = LdapConnection.modify, [], []

    async def noting(connection: LdapConnection, dn: bytes, *rest: Any) -> Any:
        asked.append(dn)
        return await modify(connection, dn, *rest)

    async def before_bind() -> None:
        begun.append(len(asked))

    monkeypatch.setattr(LdapConnection, "modify", noting)
    directories, anna, results = make(), domain.people["anna"], []
    for name in (anna.upn, "nobody@corp.example.com"):
        results.append(
            await directories.change_password(
                name, "not-the-password", "New-Strait-2027!", deadline=time.time() + 10, before_bind=before_bind
            )
        )
    known, unknown = results
    assert (known.outcome, unknown.outcome) == (CheckOutcome.WRONG_CREDENTIAL, CheckOutcome.WRONG_CREDENTIAL)
    assert (known.password_proven, unknown.password_proven) == (False, False)
    assert (begun, len(asked)) == ([0, 1], 2)
    assert asked[1].endswith(domain.base_dn.encode())
    domain.set_password("anna", anna.password)


async def test_the_guard_stops_before_active_directory_locks(make: Make, domain: ThrowawayDomain) -> None:
    """A threshold of 5 and a margin of 2: three wrong ones are tried, however many come at once; then none."""
    directories, ben = make(lockout_margin=2, attributes=("badPwdCount",)), domain.people["ben"]
    domain.set_password("ben", ben.password)
    results = await asyncio.gather(*(verify(directories, ben.upn, f"wrong-{number}") for number in range(12)))
    outcomes = sorted(result.outcome for result in results)
    assert outcomes == [CheckOutcome.WOULD_LOCK_OUT] * 9 + [CheckOutcome.WRONG_CREDENTIAL] * 3
    assert await bad_passwords(directories, ben.upn) == 3
    assert (await verify(directories, ben.upn, ben.password)).outcome is CheckOutcome.WOULD_LOCK_OUT
    domain.set_password("ben", ben.password)
    assert (await verify(directories, ben.upn, ben.password)).outcome is CheckOutcome.SUCCESS


@pytest.fixture
def ben(domain: ThrowawayDomain) -> Iterator[Person]:
    """With no wrong passwords, before and after."""
    person = domain.people["ben"]
    domain.set_password("ben", person.password)
    yield person
    domain.set_password("ben", person.password)


async def spend(directories: Directories, person: Person, *, ahead: float = 0.0) -> list[CheckOutcome]:
    """Six wrong passwords, one after another."""
    return [(await verify(directories, person.upn, f"wrong-{number}", seconds=10 + ahead)).outcome for number in range(6)]


async def test_the_domains_policy_holds_below_a_unit_too(make: Make, domain: ThrowawayDomain, ben: Person) -> None:
    """A base_dn that is a unit has no lockoutThreshold of its own; that does not mean that nobody is ever locked."""
    outcomes = await spend(make(base_dn=domain.people_dn), ben)
    assert outcomes == [CheckOutcome.WRONG_CREDENTIAL] * 4 + [CheckOutcome.WOULD_LOCK_OUT] * 2


async def test_the_guard_goes_by_the_domain_controllers_clock(ad_settings: DirectorySettings, ben: Person) -> None:
    """Ours is an hour ahead: what was counted a moment ago is not forgotten."""
    directories = Directories([ad_settings], clock=lambda: time.time() + 3600)
    outcomes = await spend(directories, ben, ahead=3600)
    await directories.close()
    assert outcomes == [CheckOutcome.WRONG_CREDENTIAL] * 4 + [CheckOutcome.WOULD_LOCK_OUT] * 2


@pytest.fixture
def unreadable_counts(domain: ThrowawayDomain) -> Iterator[None]:
    """A hardened domain: ordinary accounts do not read everything of everybody."""
    group = f"CN=Pre-Windows 2000 Compatible Access,CN=Builtin,{domain.base_dn}"
    everybody = f"CN=S-1-5-11,CN=ForeignSecurityPrincipals,{domain.base_dn}"
    domain.edit([{"modify": {"dn": group, "member": []}}])
    yield
    domain.edit([{"modify": {"dn": group, "member": [everybody]}}])


@pytest.mark.usefixtures("unreadable_counts")
async def test_a_count_that_cannot_be_read_is_not_taken_for_zero(make: Make, ben: Person) -> None:
    """A threshold of 3 is assumed, and our own wrong attempts are counted; the troubleshooter says why."""
    directories = make()
    assert await spend(directories, ben) == [CheckOutcome.WRONG_CREDENTIAL] * 2 + [CheckOutcome.WOULD_LOCK_OUT] * 4
    rights = next(finding for finding in await directories.check() if finding.name == "rights")
    assert (rights.status, "badPwdCount" in rights.seen) == ("fail", True)


async def test_right_passwords_at_once_are_all_let_in(make: Make, domain: ThrowawayDomain) -> None:
    """The guard's reservations cost a person with many devices nothing."""
    anna = domain.people["anna"]
    directories = make()
    results = await asyncio.gather(*(verify(directories, anna.upn, anna.password) for _ in range(24)))
    assert {result.outcome for result in results} == {CheckOutcome.SUCCESS}


FINE_POLICY = {
    "objectClass": "msDS-PasswordSettings",
    "msDS-PasswordSettingsPrecedence": "1",
    "msDS-PasswordReversibleEncryptionEnabled": "FALSE",
    "msDS-PasswordHistoryLength": "0",
    "msDS-PasswordComplexityEnabled": "FALSE",
    "msDS-MinimumPasswordLength": "1",
    "msDS-MinimumPasswordAge": "0",
    "msDS-MaximumPasswordAge": str(-(2**63)),
    "msDS-LockoutThreshold": "2",
    "msDS-LockoutObservationWindow": str(-30 * 60 * 10_000_000),
    "msDS-LockoutDuration": str(-30 * 60 * 10_000_000),
}
"""A password settings object; whom it applies to, and its name, are the test's."""


async def test_a_fine_grained_policy_counts_for_whom_it_applies_to(make: Make, domain: ThrowawayDomain) -> None:
    """A password settings object with a threshold of 2 and a margin of 1 leaves one attempt."""
    zoe = domain.people["zoe"]
    container = f"CN=Password Settings Container,CN=System,{domain.base_dn}"
    policy = FINE_POLICY | {
        "dn": f"CN=strict,{container}",
        "msDS-PSOAppliesTo": f"CN={zoe.display_name},{domain.people_dn}",
    }
    domain.edit([{"add": policy}])
    try:
        directories = make()
        assert (await verify(directories, zoe.upn, "wrong-1")).outcome is CheckOutcome.WRONG_CREDENTIAL
        assert (await verify(directories, zoe.upn, "wrong-2")).outcome is CheckOutcome.WOULD_LOCK_OUT
    finally:
        domain.edit([{"modify": {"dn": policy["dn"], "msDS-PSOAppliesTo": []}}])
        domain.set_password("zoe", zoe.password)


async def test_a_password_is_changed_with_the_old_one(make: Make, domain: ThrowawayDomain) -> None:
    """Too weak: rejected, and the old one was proven; wrong old one: refused."""
    directories, anna = make(), domain.people["anna"]
    deadline = time.time() + 20
    weak = await directories.change_password(anna.upn, anna.password, "abc", deadline=deadline)
    wrong = await directories.change_password(anna.upn, "not-it", "Brand-New-Strait-7", deadline=deadline)
    right = await directories.change_password(anna.upn, anna.password, "Brand-New-Strait-7", deadline=deadline)
    assert [result.outcome for result in (weak, wrong, right)] == [
        CheckOutcome.PASSWORD_REJECTED,
        CheckOutcome.WRONG_CREDENTIAL,
        CheckOutcome.SUCCESS,
    ]
    assert weak.password_proven
    assert not wrong.password_proven
    assert (await verify(directories, anna.upn, "Brand-New-Strait-7")).outcome is CheckOutcome.SUCCESS
    domain.set_password("anna", anna.password)


async def test_the_rule_that_refused_a_new_password_is_named(make: Make, domain: ThrowawayDomain) -> None:
    """Samba's own words say the same. Of the domain's policy first, then of a fine-grained one; only to who knows the old
    password."""
    anna, unit = domain.people["anna"], domain.people_dn
    directories, minutes = make(), 60 * 10_000_000

    async def change(new: str, old: str = anna.password) -> CheckResult:
        return await directories.change_password(anna.upn, old, new, deadline=time.time() + 20)

    weak = [await change(new) for new in ("Ab1!", "all-small-letters", anna.password)]
    domain.edit([{"modify": {"dn": domain.base_dn, "minPwdAge": str(-10 * minutes)}}])
    weak.append(await change("Brand-New-Strait-7"))
    domain.edit([{"modify": {"dn": domain.base_dn, "minPwdAge": "0"}}])
    policy = FINE_POLICY | {
        "dn": f"CN=long,CN=Password Settings Container,CN=System,{domain.base_dn}",
        "msDS-MinimumPasswordLength": "20",
        "msDS-PSOAppliesTo": f"CN={anna.display_name},{unit}",
    }
    domain.edit([{"add": policy}])
    weak.append(await change("Brand-New-Strait-7"))
    domain.edit([{"modify": {"dn": policy["dn"], "msDS-PSOAppliesTo": []}}])
    unproven = await change("x", old="wrong")
    domain.set_password("anna", anna.password)
    assert {(result.outcome, result.password_proven) for result in weak} == {(CheckOutcome.PASSWORD_REJECTED, True)}
    rules = PasswordRule
    assert [(result.rule, result.rule_value) for result in weak if result.rule is not rules.MIN_AGE] == [
        (rules.MIN_LENGTH, 7),
        (rules.COMPLEXITY, 3),
        (rules.HISTORY, 3),
        (rules.MIN_LENGTH, 20),
    ]
    assert weak[3].rule is rules.MIN_AGE
    assert 0 < weak[3].rule_value <= 600
    for result, said in zip(weak, ("short", "complexity", "already used", "too young", "short"), strict=True):
        assert said in result.detail
    assert ["the domain's policy" in result.detail for result in weak] == [True, True, True, True, False]
    assert policy["dn"] in weak[4].detail
    assert (unproven.outcome, unproven.rule) == (CheckOutcome.WRONG_CREDENTIAL, None)


async def test_what_a_new_password_has_to_be_is_told_before_it_is_typed(make: Make, domain: ThrowawayDomain) -> None:
    """Of the policy that holds for the person, to who knows the password that has expired or must be changed."""
    dario, directories = domain.people["dario"], make()
    must_change = await verify(directories, dario.upn, dario.password)
    policy = FINE_POLICY | {
        "dn": f"CN=longer,CN=Password Settings Container,CN=System,{domain.base_dn}",
        "msDS-MinimumPasswordLength": "20",
        "msDS-PasswordHistoryLength": "5",
        "msDS-PasswordComplexityEnabled": "FALSE",
        "msDS-PSOAppliesTo": f"CN={dario.display_name},{domain.people_dn}",
    }
    domain.edit([{"add": policy}])
    finer = await verify(make(), dario.upn, dario.password)
    domain.edit([{"modify": {"dn": policy["dn"], "msDS-PSOAppliesTo": []}}])
    unproven = await verify(make(), dario.upn, "wrong")
    assert must_change.outcome is finer.outcome is CheckOutcome.MUST_CHANGE
    assert must_change.requirements == PasswordRequirements(least_characters=7, kinds=3, history=3)
    assert finer.requirements == PasswordRequirements(least_characters=20, kinds=0, history=5)
    anna = domain.people["anna"]
    signed_in = await verify(make(), anna.upn, anna.password)
    assert signed_in.requirements == must_change.requirements
    assert unproven.requirements is None


async def test_who_may_not_change_a_password_is_told_so_if_it_is_right(make: Make, domain: ThrowawayDomain) -> None:
    """AD refuses before it looks at the old one: a bind finds out, and counts a wrong one, once."""
    emil = {
        "dn": f"CN=Emil,{domain.people_dn}",
        "objectClass": "user",
        "sAMAccountName": "emil",
        "password": "Lagoon-Strait-73",
    }
    change_password = "ab721a53-1e2f-11d0-9819-00aa0040529b"
    denied = [f"(OD;;CR;{change_password};;WD)", f"(OD;;CR;{change_password};;PS)"]
    domain.edit(
        [{"add": {**emil, "userAccountControl": "512"}}, {"grant": {"dn": emil["dn"], "to": "emil", "aces": denied}}]
    )
    directories = make(attributes=("badPwdCount",))
    deadline = time.time() + 20
    right = await directories.change_password("emil", emil["password"], "Brand-New-Strait-7", deadline=deadline)
    assert (right.outcome, right.password_proven) == (CheckOutcome.PASSWORD_REJECTED, True)
    assert right.rule is PasswordRule.NOT_PERMITTED
    wrong = await directories.change_password("emil", "not-it", "Brand-New-Strait-7", deadline=deadline)
    assert (wrong.outcome, wrong.password_proven, wrong.rule) == (CheckOutcome.WRONG_CREDENTIAL, False, None)
    assert await bad_passwords(directories, "emil") == 1


async def test_a_password_is_reset_by_the_service_account(
    make: Make, domain: ThrowawayDomain, service: ServiceAccount
) -> None:
    """Where it has the right; with must-change or without. Nobody and a policy's refusal are told apart."""
    directories, zoe = make(), domain.people["zoe"]
    await directories.reset_password(zoe.upn, "Reset-Strait-77", must_change=False)
    assert (await verify(directories, zoe.upn, "Reset-Strait-77")).outcome is CheckOutcome.SUCCESS
    await directories.reset_password(zoe.upn, "Reset-Strait-78")
    assert (await verify(directories, zoe.upn, "Reset-Strait-78")).outcome is CheckOutcome.MUST_CHANGE
    with pytest.raises(NotFound):
        await directories.reset_password("nobody@corp.example.com", "Reset-Strait-79")
    with pytest.raises(ServerRefused, match="reset a password") as caught:
        await directories.reset_password(zoe.upn, "x")
    assert service.password_file.read_text() not in str(caught.value)
    domain.set_password("zoe", zoe.password)
    domain.set_attributes("zoe", pwdLastSet=-1)


async def test_a_name_of_two_accounts_is_an_error_never_a_guess(make: Make, domain: ThrowawayDomain) -> None:
    """Mail addresses, say, are not unique in AD."""
    unit = domain.people_dn
    twin = {"objectClass": "user", "mail": "twin@example.com", "password": "Lagoon-Strait-71"}
    domain.edit(
        [
            {"add": {"dn": f"CN=Twin A,{unit}", "sAMAccountName": "twina", "userAccountControl": "512", **twin}},
            {"add": {"dn": f"CN=Twin B,{unit}", "sAMAccountName": "twinb", "userAccountControl": "512", **twin}},
        ]
    )
    by_mail = make(login_attributes=("mail",))
    with pytest.raises(Ambiguous, match="Twin A"):
        await by_mail.find_user("twin@example.com")
    result = await verify(by_mail, "twin@example.com", "Lagoon-Strait-71")
    assert (result.outcome, result.identity) == (CheckOutcome.WRONG_CREDENTIAL, None)  # `try again` would help nobody
    assert "Twin A" in result.detail


async def test_an_address_that_others_have_too_is_still_a_persons(make: Make, domain: ThrowawayDomain) -> None:
    """A contact and a mailing list are no users; of two accounts the one is meant whose userPrincipalName it is; a filter
    of one's own leaves out the others."""
    unit, zoe = domain.people_dn, domain.people["zoe"]
    mail = {"mail": zoe.upn}
    domain.edit(
        [
            {"add": {"dn": f"CN=Contact,{unit}", "objectClass": "contact", **mail}},
            {"add": {"dn": f"CN=List,{unit}", "objectClass": "group", "sAMAccountName": "List", **mail}},
            {"add": {"dn": f"CN=Zoe at home,{unit}", "objectClass": "contact", "mail": "zoe@example.net"}},
        ]
    )
    domain.set_attributes("zoe", mail="zoe@example.net")
    by_either = make(login_attributes=("userPrincipalName", "mail"))
    for name in (zoe.upn, "zoe@example.net"):
        assert (await verify(by_either, name, zoe.password)).outcome is CheckOutcome.SUCCESS
    second = {"sAMAccountName": "adm-zoe", "userAccountControl": "512", "password": "Lagoon-Strait-72"}
    domain.edit([{"add": {"dn": f"CN=adm-zoe,{unit}", "objectClass": "user", **second, **mail}}])
    assert (await verify(by_either, zoe.upn, zoe.password)).outcome is CheckOutcome.SUCCESS
    domain.set_attributes("zoe", userPrincipalName="other@corp.example.com", mail=zoe.upn)
    try:
        by_mail = {"login_attributes": ("mail",)}
        filtered = make(**by_mail, user_filter="(&(objectClass=user)(!(sAMAccountName=adm-*)))")
        assert (await verify(make(**by_mail), zoe.upn, zoe.password)).outcome is CheckOutcome.WRONG_CREDENTIAL
        assert (await verify(filtered, zoe.upn, zoe.password)).outcome is CheckOutcome.SUCCESS
    finally:
        domain.set_attributes("zoe", userPrincipalName=zoe.upn, mail="zoe.ukasz@example.com")


async def test_an_account_that_was_renamed_is_not_found_under_its_old_name(make: Make, domain: ThrowawayDomain) -> None:
    """What is remembered about a name is checked each time."""
    directories, zoe = make(), domain.people["zoe"]
    assert await directories.find_user(zoe.upn) is not None
    domain.set_attributes("zoe", userPrincipalName="zora@corp.example.com")
    try:
        domain.set_attributes("zoe", sAMAccountName="zora")
        assert await directories.find_user(zoe.upn) is None
        assert await directories.find_user("zora@corp.example.com") is not None
    finally:
        domain.set_attributes("zoe", userPrincipalName=zoe.upn)
        domain.set_attributes("zoe", sAMAccountName="zoe")


@pytest.fixture(scope="module")
def lookalikes(domain: ThrowawayDomain) -> dict[str, str]:
    """Passwords by account name: two pairs, each equal by full case folding; four accounts to the domain."""
    passwords = {
        name: f"Lagoon-Strait-7{number}" for number, name in enumerate(("smith", "\u017fmith", "strasse", "stra\u00dfe"))
    }
    steps: list[dict[str, object]] = []
    for number, (name, password) in enumerate(passwords.items()):
        entry: dict[str, object] = {"dn": f"CN=Lookalike {number},{domain.people_dn}", "objectClass": "user"}
        entry.update(sAMAccountName=name, userPrincipalName=f"{name}@{domain.dns_domain}", userAccountControl="512")
        steps.append({"add": {**entry, "password": password}})
    domain.edit(steps)
    return passwords


@pytest.mark.parametrize("pattern", ["CORP\\{}", "{}@corp.example.com"])
@pytest.mark.parametrize("pair", [("smith", "\u017fmith"), ("strasse", "stra\u00dfe")])
async def test_two_names_are_two_people_where_the_directory_says_so(
    make: Make, lookalikes: dict[str, str], pair: tuple[str, str], pattern: str
) -> None:
    """Whoever of them was found first: neither signs in as the other, nor spends the other's wrong passwords."""
    for order in (pair, pair[::-1]):
        directories = make()
        for _ in range(2):
            results = [await verify(directories, pattern.format(name), lookalikes[name]) for name in order]
            assert [result.outcome for result in results] == [CheckOutcome.SUCCESS] * 2
            assert [result.identity.account_name for result in results if result.identity] == list(order)
        for name, other in (order, order[::-1]):
            result = await verify(directories, pattern.format(name), lookalikes[other])
            assert result.outcome is CheckOutcome.WRONG_CREDENTIAL


@pytest.fixture
def borrowed_upns(domain: ThrowawayDomain) -> Iterator[Callable[[str, str], None]]:
    """What gives anna and zoe other userPrincipalNames; both have their own again in the end."""
    people = [domain.people["anna"], domain.people["zoe"]]

    def give(*upns: str) -> None:
        for person, upn in zip(people, upns, strict=True):
            domain.set_attributes(person.account_name, userPrincipalName=upn)

    yield give
    give(*(person.upn for person in people))


@pytest.mark.parametrize("typed", ["anna@partner.example", "ANNA@partner.example"])
async def test_a_name_that_moved_means_its_new_owner_at_once(
    make: Make, domain: ThrowawayDomain, borrowed_upns: Callable[[str, str], None], typed: str
) -> None:
    """Although the old one was found by it a moment ago, and still has the account name that it is made of."""
    directories, anna, zoe = make(), domain.people["anna"], domain.people["zoe"]
    borrowed_upns("anna@partner.example", zoe.upn)
    assert (await verify(directories, typed, anna.password)).outcome is CheckOutcome.SUCCESS
    borrowed_upns(anna.upn, "anna@partner.example")
    result = await verify(directories, typed, zoe.password)
    assert result.outcome is CheckOutcome.SUCCESS
    assert result.identity is not None
    assert result.identity.account_name == "zoe"
    assert (await verify(directories, typed, anna.password)).account == result.account
    assert (await verify(directories, "CORP\\anna", anna.password)).outcome is CheckOutcome.SUCCESS


async def test_a_suffix_of_somebody_elses_is_not_ones_own(
    make: Make, domain: ThrowawayDomain, borrowed_upns: Callable[[str, str], None]
) -> None:
    """The account name is right, the userPrincipalName was, and is no more."""
    directories, anna, zoe = make(), domain.people["anna"], domain.people["zoe"]
    borrowed_upns("anna@partner.example", zoe.upn)
    assert (await verify(directories, "anna@partner.example", anna.password)).outcome is CheckOutcome.SUCCESS
    borrowed_upns(anna.upn, zoe.upn)
    result = await verify(directories, "anna@partner.example", anna.password)
    assert (result.outcome, result.account) == (CheckOutcome.WRONG_CREDENTIAL, None)


async def test_before_bind_is_asked_once_and_can_forbid(make: Make, domain: ThrowawayDomain) -> None:
    """No password is sent after a no."""
    directories, anna, asked = make(), domain.people["anna"], []

    async def allow() -> None:
        asked.append(1)

    assert (await verify(directories, anna.upn, anna.password, before_bind=allow)).outcome is CheckOutcome.SUCCESS
    assert asked == [1]

    async def forbid() -> None:
        raise Abandoned("late")

    before = directories.health()[0].binds
    with pytest.raises(Abandoned):
        await verify(directories, anna.upn, "wrong", before_bind=forbid)
    assert await bad_passwords(make(attributes=("badPwdCount",)), anna.upn) == 0
    assert directories.health()[0].binds <= before + 1


STATES = {
    "clara": CheckOutcome.PASSWORD_EXPIRED,
    "dario": CheckOutcome.MUST_CHANGE,
    "emma": CheckOutcome.ACCOUNT_DISABLED,
    "greta": CheckOutcome.ACCOUNT_EXPIRED,
    "hugo": CheckOutcome.LOGON_HOURS,
    "ida": CheckOutcome.WORKSTATION,
}
"""Who shows each sub-code that proves a password."""


@pytest.mark.parametrize("who", STATES)
async def test_the_state_of_an_account_is_told_to_whoever_knows_its_password(
    make: Make, domain: ThrowawayDomain, who: str
) -> None:
    """To nobody else: a wrong one is a wrong one, and counts."""
    directories, person = make(lockout_guard=False), domain.people[who]
    right = await verify(directories, person.upn, person.password)
    wrong = await verify(directories, person.upn, "wrong")
    assert (right.outcome, right.password_proven) == (STATES[who], True)
    assert (wrong.outcome, wrong.password_proven) == (CheckOutcome.WRONG_CREDENTIAL, False)


async def test_a_locked_account_answers_alike_to_every_password(make: Make, domain: ThrowawayDomain) -> None:
    """775 proves nothing."""
    directories, felix = make(lockout_guard=False), domain.people["felix"]
    for password in (felix.password, "wrong"):
        result = await verify(directories, felix.upn, password)
        assert (result.outcome, result.password_proven) == (CheckOutcome.ACCOUNT_LOCKED, False)


async def test_a_member_of_protected_users_is_told_nothing(make: Make, domain: ThrowawayDomain) -> None:
    """The domain controller says 52f to the right and to a wrong password: who is an administrator must not show."""
    directories, zoe = make(), domain.people["zoe"]
    group = f"CN=Protected Users,CN=Users,{domain.base_dn}"
    domain.edit([{"modify": {"dn": group, "member": f"CN={zoe.display_name},{domain.people_dn}"}}])
    try:
        for password in (zoe.password, "wrong"):
            result = await verify(directories, zoe.upn, password)
            assert (result.outcome, result.password_proven) == (CheckOutcome.WRONG_CREDENTIAL, False)
            assert result.detail.startswith("data 52f: members of Protected Users")
    finally:
        domain.edit([{"modify": {"dn": group, "member": []}}])


async def test_a_new_password_that_is_too_weak_says_nothing_to_whoever_does_not_know_the_old_one(
    make: Make, domain: ThrowawayDomain
) -> None:
    """The domain controller looks at the old one first: a refusal of the new one proves it."""
    directories, anna = make(), domain.people["anna"]
    result = await directories.change_password(anna.upn, "wrong", "abc", deadline=time.time() + 20)
    assert (result.outcome, result.password_proven) == (CheckOutcome.WRONG_CREDENTIAL, False)
    domain.set_password("anna", anna.password)


async def test_the_second_way_is_taken_at_once_where_the_first_is_down(
    make: Make, domain: ThrowawayDomain, forwarders: list[Forwarder]
) -> None:
    """Every sign-in succeeds; the first one comes back when it is due."""
    anna = domain.people["anna"]
    directories = make(
        servers=tuple(forwarder.server for forwarder in forwarders), retry_seconds=0.05, retry_seconds_most=0.05
    )
    assert (await verify(directories, anna.upn, anna.password)).outcome is CheckOutcome.SUCCESS
    first, second = first_and_second(forwarders)
    accepted = first.accepted
    first.refuse()
    for _ in range(6):
        assert (await verify(directories, anna.upn, anna.password)).outcome is CheckOutcome.SUCCESS
    assert states(directories) == {first.server: "down", second.server: "up"}
    first.listen_again()
    async with asyncio.timeout(10):
        while set(states(directories).values()) != {"up"}:
            assert (await verify(directories, anna.upn, anna.password)).outcome is CheckOutcome.SUCCESS
    assert first.accepted > accepted


async def test_connections_that_were_cut_while_idle_cost_nobody_anything(
    make: Make, domain: ThrowawayDomain, forwarders: list[Forwarder]
) -> None:
    """A firewall that forgets: the next sign-in opens a new one."""
    anna = domain.people["anna"]
    directories = make(servers=(forwarders[0].server,))
    assert (await verify(directories, anna.upn, anna.password)).outcome is CheckOutcome.SUCCESS
    forwarders[0].cut()
    assert (await verify(directories, anna.upn, anna.password)).outcome is CheckOutcome.SUCCESS


async def test_a_hanging_domain_controller_costs_one_timeout(
    make: Make, domain: ThrowawayDomain, forwarders: list[Forwarder]
) -> None:
    """Not one for each request."""
    anna = domain.people["anna"]
    directories = make(servers=tuple(forwarder.server for forwarder in forwarders), search_timeout=1.0, connect_timeout=1.0)
    assert (await verify(directories, anna.upn, anna.password)).outcome is CheckOutcome.SUCCESS
    first, second = first_and_second(forwarders)
    first.silent = True
    started = time.monotonic()
    for _ in range(8):
        assert (await verify(directories, anna.upn, anna.password)).outcome is CheckOutcome.SUCCESS
    assert time.monotonic() - started < 4.0
    assert states(directories) == {first.server: "down", second.server: "up"}


async def test_a_bind_whose_answer_is_lost_is_never_repeated(
    make: Make, domain: ThrowawayDomain, forwarders: list[Forwarder]
) -> None:
    """The wrong password was counted once; the answer is `try again`, not `wrong`."""
    ben = domain.people["ben"]
    domain.set_password("ben", ben.password)
    plain = make(attributes=("badPwdCount",))
    directories = make(servers=tuple(forwarder.server for forwarder in forwarders))

    async def silence() -> None:
        for forwarder in forwarders:
            forwarder.silent = True

    result = await verify(directories, ben.upn, "wrong", seconds=1.5, before_bind=silence)
    assert result.outcome in {CheckOutcome.TIMED_OUT, CheckOutcome.NO_DIRECTORY}
    assert result.bound
    assert not result.password_checked
    assert await bad_passwords(plain, ben.upn) == 1
    domain.set_password("ben", ben.password)


async def test_a_lost_answer_costs_one_wrong_password_although_another_controller_is_sound(
    make: Make, ben: Person, forwarders: list[Forwarder]
) -> None:
    """A second bind there would make it two, as the real domain controller counts them."""
    plain = make(attributes=("badPwdCount",))
    servers = tuple(forwarder.server for forwarder in forwarders)
    assert (await verify(make(servers=servers), ben.upn, ben.password)).outcome is CheckOutcome.SUCCESS
    first, second = first_and_second(forwarders)

    async def swallow_the_answer() -> None:
        first.silent = True

    directories = make(servers=servers, bind_timeout=1.5)
    result = await verify(directories, ben.upn, "wrong", before_bind=swallow_the_answer)
    assert (result.outcome, result.controller) == (CheckOutcome.TIMED_OUT, first.server)
    assert (result.bound, result.password_checked) == (True, False)
    assert await bad_passwords(plain, ben.upn) == 1
    first.silent = False
    again = await verify(make(servers=(second.server,)), ben.upn, "wrong")
    assert again.outcome is CheckOutcome.WRONG_CREDENTIAL
    assert await bad_passwords(plain, ben.upn) == 2


async def test_a_deadline_is_kept(make: Make, domain: ThrowawayDomain, forwarders: list[Forwarder]) -> None:
    """One that has passed binds nothing; a silent server cannot hold an answer back beyond it."""
    directories = make(servers=(forwarders[0].server,))
    result = await verify(directories, "anna", "x", seconds=-1.0)
    assert (result.outcome, result.bound) == (CheckOutcome.TIMED_OUT, False)


async def test_a_wrong_authority_is_no_directory(make: Make, domain: ThrowawayDomain, tmp_path: Path) -> None:
    """No password leaves; the reason names the setting."""
    directories = make(tls=TlsSettings())
    result = await verify(directories, "anna", domain.people["anna"].password)
    assert (result.outcome, result.bound) == (CheckOutcome.NO_DIRECTORY, False)
    assert "tls.ca_file" in result.detail


async def test_a_refused_service_account_is_no_directory(make: Make, tmp_path: Path) -> None:
    """Told with the setting's name, without the password; no domain controller counts as down for it."""
    (tmp_path / "password").write_text("not-the-service-password")
    (tmp_path / "password").chmod(0o600)
    directories = make(service_password_file=tmp_path / "password")
    result = await verify(directories, "anna", "x")
    assert (result.outcome, result.bound) == (CheckOutcome.NO_DIRECTORY, False)
    assert "service_password_file" in result.detail
    assert "not-the-service-password" not in result.detail


async def test_a_wrong_service_password_is_tried_once_and_not_by_each_check(
    make: Make, service: ServiceAccount, tmp_path: Path, domain: ThrowawayDomain
) -> None:
    """Otherwise sign-ins would lock the service account. A password file that changes is tried at once."""
    file = tmp_path / "password"
    file.write_text("not-the-service-password")
    file.chmod(0o600)
    plain = make(attributes=("badPwdCount",))
    before = await bad_passwords(plain, service.name)
    directories, anna = make(service_password_file=file), domain.people["anna"]
    for _ in range(2):
        results = await asyncio.gather(*(verify(directories, anna.upn, anna.password) for _ in range(8)))
        assert {result.outcome for result in results} == {CheckOutcome.NO_DIRECTORY}
    assert "not tried again" in results[-1].detail
    assert await bad_passwords(plain, service.name) == before + 1
    file.write_text(service.password_file.read_text())
    assert (await verify(directories, anna.upn, anna.password)).outcome is CheckOutcome.SUCCESS


@pytest.mark.parametrize("base_dn", ["OU=Nowhere,DC=corp,DC=example,DC=com", "DC=corp,DC=exmaple,DC=com", "corp"])
async def test_a_base_dn_that_is_not_there_is_not_everybodys_wrong_password(
    make: Make, domain: ThrowawayDomain, base_dn: str
) -> None:
    """Nobody is asked and nothing is counted: the answer names the setting, and so does the troubleshooter."""
    directories = make(base_dn=base_dn)
    result = await verify(directories, "anna", domain.people["anna"].password)
    assert (result.outcome, result.bound, result.password_checked) == (CheckOutcome.NO_DIRECTORY, False, False)
    assert "`base_dn`" in result.detail
    assert statuses(await directories.check())["base_dn"] == "fail"
    assert states(directories) == {f"{domain.address}:636": "up"}


def statuses(findings: list[Finding]) -> dict[str, str]:
    """By name of the check."""
    return {finding.name: finding.status for finding in findings}


async def test_the_troubleshooter_passes_a_sound_directory(make: Make) -> None:
    """All but the throwaway certificate's short life."""
    found = statuses(await make().check())
    assert found.pop("TLS") in {"pass", "warn"}
    passes = ("service account", "clock", "names", "lockout policy", "rights", "attributes")
    assert found == dict.fromkeys(passes, "pass")


async def test_the_troubleshooter_names_what_is_wrong(make: Make, domain: ThrowawayDomain, tmp_path: Path) -> None:
    """Trust, the service account, a margin that leaves nothing."""
    (tmp_path / "password").write_text("wrong")
    (tmp_path / "password").chmod(0o600)
    assert statuses(await make(tls=TlsSettings()).check()) == {"TLS": "fail"}
    assert statuses(await make(service_password_file=tmp_path / "password").check())["service account"] == "fail"
    assert statuses(await make(lockout_margin=4).check())["lockout policy"] == "fail"
    assert statuses(await make(login_attributes=("mial",)).check())["attributes"] == "fail"
    assert statuses(await make(attributes=("departmentNummer",)).check())["attributes"] == "warn"
    assert statuses(await make(servers=("127.0.0.1:9",), connect_timeout=0.2).check()) == {"TLS": "fail"}


async def test_the_troubleshooter_reads_the_domains_own_names(make: Make, domain: ThrowawayDomain) -> None:
    """Of the domain from its crossRef, of the forest from its suffixes; what nobody has, it looks for among the users."""
    assert statuses(await make(name="crop.example.com").check())["domain name"] == "fail"
    assert statuses(await make(netbios_name="CROP").check())["NetBIOS name"] == "fail"
    assert statuses(await make(upn_suffixes=("exmaple.com",)).check())["UPN suffix"] == "fail"
    assert statuses(await make(base_dn="corp.example.com").check())["base_dn"] == "fail"
    assert statuses(await make(base_dn="DC=corp,DC=example,DC=net").check())["base_dn"] == "fail"
    partitions, zoe = f"CN=Partitions,CN=Configuration,{domain.base_dn}", domain.people["zoe"]
    domain.edit([{"modify": {"dn": partitions, "uPNSuffixes": ["example.org", "unused.example"]}}])
    try:
        assert statuses(await make().check())["names"] == "pass"
        domain.set_attributes("zoe", userPrincipalName="zoe@example.org")
        assert statuses(await make().check())["UPN suffix"] == "warn"
        assert statuses(await make(upn_suffixes=("example.org", "unused.example")).check())["names"] == "pass"
        domain.edit([{"modify": {"dn": partitions, "uPNSuffixes": []}}])
        assert statuses(await make(upn_suffixes=("example.org",)).check())["names"] == "pass"
    finally:
        domain.set_attributes("zoe", userPrincipalName=zoe.upn)


async def test_the_troubleshooter_finds_policies_that_lock_sooner(make: Make, domain: ThrowawayDomain) -> None:
    """Readable ones by their threshold; where the account may not list them, by whom they apply to."""
    zoe, container = domain.people["zoe"], f"CN=Password Settings Container,CN=System,{domain.base_dn}"
    applied = {"dn": f"CN=sooner,{container}", "msDS-PSOAppliesTo": f"CN={zoe.display_name},{domain.people_dn}"}
    plain = domain.create_service_account("svc-plain", may_list_policies=False)
    domain.edit([{"add": FINE_POLICY | applied}])
    try:
        (seen,) = [finding for finding in await make().check() if finding.name == "fine-grained policy"]
        other = make(service_user=plain.upn, service_password_file=plain.password_file)
        (unseen,) = [finding for finding in await other.check() if finding.name == "fine-grained policy"]
    finally:
        domain.edit([{"modify": {"dn": applied["dn"], "msDS-PSOAppliesTo": []}}])
    assert "fine-grained policy" not in statuses(await make().check())  # those that apply to nobody
    assert (seen.status, "sooner: threshold 2" in seen.seen) == ("fail", True)
    assert (unseen.status, "sooner cannot be read" in unseen.seen) == ("warn", True)


async def test_readiness_is_seen_without_a_sign_in(make: Make, domain: ThrowawayDomain) -> None:
    """Samba answers whatever many entries are under the base; one that is not there is told."""
    there, nowhere = make(), make(base_dn=f"OU=nowhere,{domain.base_dn}")
    watching = [asyncio.create_task(watched.watch(lambda: None)) for watched in (there, nowhere)]
    await eventually(lambda: all(watched.readiness()[0].condition != "not_checked" for watched in (there, nowhere)))
    assert [watched.readiness()[0].condition for watched in (there, nowhere)] == ["ready", "base_dn"]
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)


async def test_what_a_new_agent_finds_out_about_a_domain(domain: ThrowawayDomain, ad_settings: DirectorySettings) -> None:
    """The authority before anything is trusted; the names, with settings that know neither base nor name yet."""
    server, ca = ad_settings.servers[0], ssl.PEM_cert_to_DER_cert(domain.ca_file.read_text())
    shown, password = await read_chain(server), ad_settings.service_password()
    assert shown.root == ShownCertificate(ca)
    unnamed = replace(ad_settings, name="", base_dn="", netbios_name="")
    reading = await read_domain(unnamed, (server,), password, ("Corp.Example.com", "exmaple.com"))
    assert reading.names == DomainNames(
        base_dn=domain.base_dn, dns_name=domain.dns_domain, netbios_name=domain.netbios_name, upn_suffixes=()
    )
    assert reading.in_use == {"corp.example.com": True, "exmaple.com": False}
    await verify_trust(unnamed, (server,))
    with pytest.raises(ServerCertificateRefused):
        await verify_trust(replace(unnamed, tls=TlsSettings()), (server,))
    with pytest.raises(ServiceAccountRefused, match="52e"):
        await read_domain(unnamed, (server,), "wrong")
    with pytest.raises(NoDirectory, match="connection refused"):
        await read_domain(unnamed, ("127.0.0.1:9",), password)
    with pytest.raises(ConnectFailed, match="connection refused"):
        await read_chain("127.0.0.1:9")


async def test_the_authorities_that_a_forest_publishes_complete_a_chain(
    domain: ThrowawayDomain, ad_settings: DirectorySettings
) -> None:
    """As Windows does: its domain controllers do not send the root. One certificate of theirs is pinned until then."""
    server, ca = ad_settings.servers[0], ssl.PEM_cert_to_DER_cert(domain.ca_file.read_text())
    services = f"CN=Public Key Services,CN=Services,CN=Configuration,{domain.base_dn}"
    entry = {"objectClass": "certificationAuthority", "cACertificate": {"base64": base64.b64encode(ca).decode()}}
    lists = {"certificateRevocationList": "x", "authorityRevocationList": "x"}  # the class must have them
    domain.edit([{"add": {"dn": f"CN=Root,CN=Certification Authorities,{services}", **entry, **lists}}])
    own = (await read_chain(server)).certificates[0]
    pinned = replace(ad_settings, tls=TlsSettings(pinned_sha256=(own.fingerprint,)))
    published = await published_authorities(pinned, (server,), pinned.service_password())
    assert published == (ca,)
    assert root_of([own.der], published) == ShownCertificate(ca)
