"""The kind `ldap` against a real OpenLDAP server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from demo.slapd import BASE_DN, PASSWORD, ThrowawaySlapd
from directory import CheckOutcome, CheckResult, Credential, Directories, PasswordRule
from directory.errors import NotFound, ServerRefused
from tests.support.relay_and_agent import eventually
from tests.support.slapd import settings_of

pytestmark = pytest.mark.slapd


@pytest.fixture(scope="module")
def slapd() -> Iterator[ThrowawaySlapd]:
    """A server with ten people."""
    with ThrowawaySlapd() as running:
        yield running


@pytest.fixture
async def people(slapd: ThrowawaySlapd) -> AsyncIterator[Directories]:
    """The directory in front of it."""
    made = Directories([settings_of(slapd, attributes=("cn",))])
    yield made
    await made.close()


async def verify(people: Directories, name: str, password: str) -> CheckResult:
    """With a deadline from now."""
    return await people.verify(Credential(name, password), deadline=time.time() + 10)


async def test_people_sign_in_by_uid_and_by_mail(slapd: ThrowawaySlapd, people: Directories) -> None:
    """entryUUID, names and nested groups come along."""
    for name in ("person1", slapd.upn(1)):
        identity = (await verify(people, name, slapd.password(1))).identity
        assert identity is not None
        assert (identity.display_name, identity.account_name, len(identity.object_guid)) == ("Person 1", "person1", 36)
        assert {group.name for group in identity.groups} == {"crew0", "fleet"}
        assert identity.attributes == {"cn": ("Person 1",)}


async def test_every_answer_tells_whose_account_it_is_about(slapd: ThrowawaySlapd, people: Directories) -> None:
    """By the server's own naming context and entryUUID, whatever was typed and whatever came of it."""
    right, wrong, other = [
        await verify(people, *credential)
        for credential in (("person1", slapd.password(1)), (slapd.upn(1), "wrong"), ("person2", "wrong"))
    ]
    assert right.identity is not None
    assert right.account == wrong.account == (BASE_DN.lower(), right.identity.object_guid)
    assert right.identity.directory == BASE_DN.lower()
    assert other.account is not None
    assert other.account != right.account
    assert (await verify(people, "nobody", "wrong")).account is None


async def test_a_name_has_few_spellings_whatever_the_server_takes_for_equal(slapd: ThrowawaySlapd) -> None:
    """Of a telephone number OpenLDAP skips every blank and hyphen, wherever they stand: endless spellings, thus guesses."""
    change = "dn: {}\nchangetype: modify\nadd: telephoneNumber\ntelephoneNumber: +49 30-1234\n"
    slapd.modify(change.format(slapd.dn(4)))
    made = Directories([settings_of(slapd, login_attributes=("telephoneNumber",))])
    for name in ("+49 30-1234", "+49  30-1234", "+49301234"):
        assert (await verify(made, name, slapd.password(4))).outcome is CheckOutcome.SUCCESS
    for name in ("+4-9301234", "+ 4 9 3 0 1 2 3 4", "+49 30--1234"):
        result = await verify(made, name, slapd.password(4))
        assert (result.outcome, result.account) == (CheckOutcome.WRONG_CREDENTIAL, None)
    await made.close()


ALIASES = """\
dn: {0}
changetype: modify
replace: mail
mail: person1
mail: person1@people.example.org
mail: PEOPLE\\person1

"""


async def test_nobody_gets_in_the_way_by_writing_anothers_name_into_their_own_entry(slapd: ThrowawaySlapd) -> None:
    """Three do, which is as many as one search for a name asks for: who has it as uid is meant, in each of its forms."""
    for number in (7, 8, 9):
        slapd.modify(ALIASES.format(slapd.dn(number)))
    made = Directories([replace(settings_of(slapd), netbios_name="PEOPLE")])
    for name in ("person1", slapd.upn(1), "PEOPLE\\person1"):
        result = await verify(made, name, slapd.password(1))
        assert (result.outcome, result.identity and result.identity.account_name) == (CheckOutcome.SUCCESS, "person1")
        assert (await verify(made, name, slapd.password(7))).outcome is CheckOutcome.WRONG_CREDENTIAL
    for number in (7, 8, 9):
        slapd.modify(f"dn: {slapd.dn(number)}\nchangetype: modify\nreplace: mail\nmail: {slapd.upn(number)}\n\n")
    await made.close()


SHARED = """\
dn: cn=Contact,{base}
changetype: add
objectClass: {kind}
objectClass: extensibleObject
cn: Contact
mail: shared@example.net
{more}

dn: {dn}
changetype: modify
replace: mail
mail: shared@example.net

"""


@pytest.mark.parametrize(
    ("kind", "more", "user_filter"),
    [("groupOfNames", "member: cn=x", ""), ("inetOrgPerson", "sn: Contact", "(&(objectClass=person)(uid=*))")],
)
async def test_an_address_that_a_list_or_a_contact_has_too_is_still_a_persons(
    slapd: ThrowawaySlapd, kind: str, more: str, user_filter: str
) -> None:
    """A list is no user; a contact of the same class needs a filter, and without one the answer says which entries."""
    slapd.modify(SHARED.format(base=BASE_DN, kind=kind, more=more, dn=slapd.dn(5)))
    made = Directories([settings_of(slapd, user_filter=user_filter)])
    assert (await verify(made, "shared@example.net", slapd.password(5))).outcome is CheckOutcome.SUCCESS
    await made.close()
    if user_filter:
        without = Directories([settings_of(slapd)])
        result = await verify(without, "shared@example.net", slapd.password(5))
        assert (result.outcome, result.identity, result.account) == (CheckOutcome.WRONG_CREDENTIAL, None, None)
        assert "shared@example.net is the name of several accounts: " in result.detail
        assert "cn=Contact" in result.detail
        assert without.health()[0].binds == 1  # as long as any other refusal
        await without.close()
    slapd.modify(f"dn: cn=Contact,{BASE_DN}\nchangetype: delete\n\n")
    slapd.modify(f"dn: {slapd.dn(5)}\nchangetype: modify\nreplace: mail\nmail: {slapd.upn(5)}\n\n")


@pytest.mark.parametrize("change", [False, True])
async def test_an_unknown_person_costs_a_bind_like_a_known_one(people: Directories, change: bool) -> None:
    """For a change of password too, where the bind proves the old one."""
    binds, begun = [people.health()[0].binds], []

    async def before_bind() -> None:
        begun.append(True)

    for name in ("person1", "nobody"):
        deadline = time.time() + 10
        if change:
            ask = people.change_password(name, "wrong", "New-Quay-7!", deadline=deadline, before_bind=before_bind)
        else:
            ask = people.verify(Credential(name, "wrong"), deadline=deadline, before_bind=before_bind)
        result = await ask
        assert (result.outcome, result.password_checked) == (CheckOutcome.WRONG_CREDENTIAL, True)
        binds.append(people.health()[0].binds)
    assert binds == [binds[0], binds[0] + 1, binds[0] + 2]
    assert begun == [True, True]


async def test_a_name_that_moved_means_its_new_owner_at_once(slapd: ThrowawaySlapd) -> None:
    """Although the old one was found by it a moment ago."""
    change, name = "dn: {}\nchangetype: modify\nreplace: mail\nmail: {}\n", "desk@else.example"
    made = Directories([settings_of(slapd, login_attributes=("mail",))])
    slapd.modify(change.format(slapd.dn(7), name))
    before = await verify(made, name, slapd.password(7))
    slapd.modify(change.format(slapd.dn(7), slapd.upn(7)))
    between = await verify(made, name, slapd.password(7))
    slapd.modify(change.format(slapd.dn(8), name))
    after = await verify(made, name, slapd.password(8))
    slapd.modify(change.format(slapd.dn(8), slapd.upn(8)))
    await made.close()
    assert [result.outcome for result in (before, between, after)] == ["success", "wrong_credential", "success"]
    assert between.account is None
    assert before.account != after.account


@pytest.mark.parametrize("name", ["person1", "nobody", "*", "person*", "person1)(uid=*", "person1,dc=people"])
async def test_wrong_passwords_and_strange_names_are_refused_alike(people: Directories, name: str) -> None:
    """Metacharacters are only characters."""
    result = await verify(people, name, "wrong")
    assert (result.outcome, result.password_checked, result.identity) == (CheckOutcome.WRONG_CREDENTIAL, True, None)


async def test_a_password_that_was_reset_must_be_changed_and_can_be(slapd: ThrowawaySlapd, people: Directories) -> None:
    """The password policy control's changeAfterReset; a stranger is not told of it."""
    slapd.modify(f"dn: {slapd.dn(2)}\nchangetype: modify\nreplace: pwdReset\npwdReset: TRUE\n\n")
    assert (await verify(people, "person2", "wrong")).outcome is CheckOutcome.WRONG_CREDENTIAL
    result = await verify(people, "person2", slapd.password(2))
    assert (result.outcome, result.password_proven) == (CheckOutcome.MUST_CHANGE, True)
    deadline = time.time() + 10
    changed = await people.change_password("person2", slapd.password(2), "Brand-New-Quay", deadline=deadline)
    assert changed.outcome is CheckOutcome.SUCCESS
    assert (await verify(people, "person2", "Brand-New-Quay")).outcome is CheckOutcome.SUCCESS


async def test_an_expired_password_is_told_to_who_knows_it(people: Directories) -> None:
    """passwordExpired comes with a refused bind, after the password was found right. No grace is left, so nobody is told to
    choose a new one: that would be refused for ever."""
    result = await verify(people, "lapsed", PASSWORD)
    assert (result.outcome, result.password_proven) == (CheckOutcome.RESET_REQUIRED, True)
    changed = await people.change_password("lapsed", PASSWORD, "Brand-New-Quay", deadline=time.time() + 10)
    assert (changed.outcome, changed.password_proven) == (CheckOutcome.RESET_REQUIRED, True)
    assert (await verify(people, "lapsed", "wrong")).outcome is CheckOutcome.WRONG_CREDENTIAL


async def test_a_locked_account_is_refused_whatever_is_typed(slapd: ThrowawaySlapd, people: Directories) -> None:
    """It proves nothing about the password."""
    slapd.modify(
        f"dn: {slapd.dn(3)}\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n\n"
    )
    for password in (slapd.password(3), "wrong"):
        result = await verify(people, "person3", password)
        assert (result.outcome, result.password_proven) == (CheckOutcome.ACCOUNT_LOCKED, False)


async def test_a_password_is_changed_and_reset(slapd: ThrowawaySlapd, people: Directories) -> None:
    """RFC 3062, with the old one and by the service account; the policy's refusal is told."""
    deadline = time.time() + 10
    short = await people.change_password("person4", slapd.password(4), "x", deadline=deadline)
    wrong = await people.change_password("person4", "wrong", "Brand-New-Quay", deadline=deadline)
    assert (short.outcome, short.password_proven) == (CheckOutcome.PASSWORD_REJECTED, True)
    assert (wrong.outcome, wrong.password_proven) == (CheckOutcome.WRONG_CREDENTIAL, False)
    await people.reset_password("person5", "Reset-Quay-5")
    assert (await verify(people, "person5", "Reset-Quay-5")).password_proven
    with pytest.raises(NotFound):
        await people.reset_password("nobody", "Reset-Quay-5")
    with pytest.raises(ServerRefused):
        await people.reset_password("person5", "")


@pytest.mark.parametrize("base_dn", [f"ou=nowhere,{BASE_DN}", "dc=elsewhere", "people"])
async def test_a_base_dn_that_is_not_there_is_not_everybodys_wrong_password(slapd: ThrowawaySlapd, base_dn: str) -> None:
    """Nobody is asked and nothing is counted: the answer names the setting, and so does the troubleshooter."""
    made = Directories([replace(settings_of(slapd), base_dn=base_dn)])
    result = await verify(made, "person1", slapd.password(1))
    assert (result.outcome, result.bound, result.password_checked) == (CheckOutcome.NO_DIRECTORY, False, False)
    assert "`base_dn`" in result.detail
    assert [finding.name for finding in await made.check() if finding.status == "fail"] == ["base_dn"]
    assert made.health()[0].state == "up"
    await made.close()


@pytest.mark.parametrize("service_user", ["reader@people.example.org", f"cn=reader,ou=nowhere,{BASE_DN}"])
async def test_a_service_user_that_the_server_cannot_bind_is_no_outage_of_the_server(
    slapd: ThrowawaySlapd, service_user: str
) -> None:
    """Not a DN (result 34), or nobody's: the setting is named, and no domain controller is given up for it."""
    made = Directories([replace(settings_of(slapd), service_user=service_user)])
    result = await verify(made, "person1", slapd.password(1))
    assert (result.outcome, result.bound) == (CheckOutcome.NO_DIRECTORY, False)
    assert "`service_user`" in result.detail
    assert made.health()[0].state == "up"
    await made.close()


RULES = """\
dn: cn=policy,{base}
changetype: modify
replace: {name}
{name}: {value}

"""


async def test_the_server_says_which_rule_refused_a_new_password(slapd: ThrowawaySlapd, people: Directories) -> None:
    """Length, history, minimum age, and that people may not change theirs; the old one was right each time."""

    async def change(old: str, new: str) -> CheckResult:
        return await people.change_password("person9", old, new, deadline=time.time() + 10)

    def set_rule(name: str, value: str) -> None:
        slapd.modify(RULES.format(base=BASE_DN, name=name, value=value))

    first, second = slapd.password(9), "Brand-New-Quay"
    set_rule("pwdInHistory", "3")
    results = [await change(first, "x"), await change(first, first)]
    assert (await change(first, second)).outcome is CheckOutcome.SUCCESS
    results.append(await change(second, first))
    set_rule("pwdMinAge", "600")
    results.append(await change(second, "Another-New-Quay"))
    set_rule("pwdMinAge", "0")
    set_rule("pwdAllowUserChange", "FALSE")
    results.append(await change(second, "Another-New-Quay"))
    set_rule("pwdAllowUserChange", "TRUE")
    set_rule("pwdInHistory", "0")
    assert {(result.outcome, result.password_proven) for result in results} == {(CheckOutcome.PASSWORD_REJECTED, True)}
    rules = PasswordRule
    assert [result.rule for result in results] == [
        rules.MIN_LENGTH,
        rules.HISTORY,
        rules.HISTORY,
        rules.MIN_AGE,
        rules.NOT_PERMITTED,
    ]


async def test_the_troubleshooter_looks_at_it_too(people: Directories) -> None:
    """Trust and the service account."""
    checks = await people.check()
    assert {check.status for check in checks} <= {"pass", "warn"}, checks


@pytest.mark.parametrize(
    ("fields", "status", "said"),
    [
        ({"login_attributes": ("uid", "mial")}, "fail", "mial in `login_attributes`: no user is found"),
        ({"user_filter": "(&(objectClass=person)(!(emploeeType=robot)))"}, "fail", "emploeeType in `user_filter`"),
        ({"attributes": ("departmentNummer",)}, "warn", "departmentNummer in `attributes`"),
        (
            {"login_attributes": ("UserID", "MAIL;lang-en", "2.5.4.20"), "attributes": ("telephonenumber",)},
            "pass",
            "schema has",
        ),
    ],
)
async def test_the_troubleshooter_finds_attributes_that_the_schema_lacks(
    slapd: ThrowawaySlapd, fields: dict[str, Any], status: str, said: str
) -> None:
    """They match nobody, without an error. Aliases, options and OIDs are names as well."""
    made = Directories([settings_of(slapd, **fields)])
    (finding,) = [finding for finding in await made.check() if finding.name == "attributes"]
    assert (finding.status, said in finding.seen) == (status, True), finding
    await made.close()


async def test_the_troubleshooter_finds_a_login_attribute_that_nobody_has(slapd: ThrowawaySlapd) -> None:
    """Or that the service account may not read, which looks the same."""
    made = Directories([settings_of(slapd, login_attributes=("uid", "employeeNumber"))])
    (finding,) = [finding for finding in await made.check() if finding.name == "rights"]
    assert (finding.status, "readable employeeNumber" in finding.seen) == ("warn", True), finding
    await made.close()


async def test_a_server_that_restarts_is_found_again(slapd: ThrowawaySlapd, people: Directories) -> None:
    """Connections from before are not used."""
    assert (await verify(people, "person6", slapd.password(6))).outcome is CheckOutcome.SUCCESS
    slapd.stop()
    assert (await verify(people, "person6", slapd.password(6))).outcome is CheckOutcome.NO_DIRECTORY
    slapd.start()
    async with asyncio.timeout(10):
        while (await verify(people, "person6", slapd.password(6))).outcome is not CheckOutcome.SUCCESS:  # noqa: ASYNC110 - a server has no event
            await asyncio.sleep(0.02)
    assert people.health()[0].state == "up"


@pytest.mark.parametrize(("fields", "condition"), [({}, "ready"), ({"base_dn": f"ou=nowhere,{BASE_DN}"}, "base_dn")])
async def test_readiness_is_seen_without_a_sign_in(slapd: ThrowawaySlapd, fields: dict[str, Any], condition: str) -> None:
    """By what is at `base_dn`, and no person is asked about."""
    watched = Directories([replace(settings_of(slapd), **fields)])
    watching = asyncio.create_task(watched.watch(lambda: None))
    await eventually(lambda: watched.readiness()[0].condition != "not_checked")
    assert watched.readiness()[0].condition == condition
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    await watched.close()
