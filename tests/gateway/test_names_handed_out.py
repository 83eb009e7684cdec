"""A name that is handed out is one that is taken: of an agent with two real directories, a domain and an OpenLDAP server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest

from demo.samba import ThrowawayDomain
from demo.slapd import BASE_DN, ThrowawaySlapd
from directory import Directories, DirectorySettings
from gateway.agent.validator import Validator
from gateway.protocol import AnswerBody, Identity, Outcome, request_body
from gateway.relay.agents.dispatch import domain_of
from tests.support.slapd import settings_of

pytestmark = [pytest.mark.samba, pytest.mark.slapd]


@pytest.fixture(scope="module")
def slapd() -> Iterator[ThrowawaySlapd]:
    """A server with ten people."""
    with ThrowawaySlapd() as running:
        yield running


@pytest.fixture
async def directories(ad_settings: DirectorySettings, slapd: ThrowawaySlapd) -> AsyncIterator[Directories]:
    """Both in one agent."""
    ldap = settings_of(slapd)
    made = Directories([ad_settings, ldap])
    yield made
    await made.close()


async def ask(directories: Directories, operation: str, name: str, password: str, new: str = "") -> AnswerBody:
    """What the agent answers."""

    async def begin() -> None:
        pass

    checked = await Validator(directories).check(request_body(operation, name, password, new, "c"), time.time() + 10, begin)
    assert checked is not None
    return checked.body


async def sign_in(directories: Directories, name: str, password: str) -> Identity:
    """Who it is."""
    identity = (await ask(directories, "verify", name, password)).identity
    assert identity is not None
    return identity


async def change(directories: Directories, person: Identity, password: str, new: str) -> Outcome:
    """As the account page does: by the name that the relay has. An agent that is asked for its domain is there."""
    assert domain_of(person.qualified_name) in directories.domains
    return (await ask(directories, "change", person.qualified_name, password, new)).outcome


async def test_a_person_of_a_domain_whose_suffix_nobody_lists(domain: ThrowawayDomain, directories: Directories) -> None:
    """Signed in by the account name; the userPrincipalName that the identity has belongs to no directory of the settings."""
    anna = domain.people["anna"]
    domain.set_attributes("anna", userPrincipalName="anna@unlisted.example")
    try:
        person = await sign_in(directories, "CORP\\anna", anna.password)
        assert (person.user_name, directories.directory_of(person.user_name)) == ("anna@unlisted.example", None)
        assert await change(directories, person, anna.password, "Handed-Out-Strait-7") is Outcome.SUCCESS
    finally:
        domain.set_attributes("anna", userPrincipalName=anna.upn)
        domain.set_password("anna", anna.password)


async def test_a_person_of_a_directory_whose_names_have_no_suffix(slapd: ThrowawaySlapd, directories: Directories) -> None:
    """A uid alone has no home where an agent has two directories."""
    person = await sign_in(directories, slapd.upn(3), slapd.password(3))
    assert (person.user_name, directories.directory_of(person.user_name)) == ("person3", None)
    assert await change(directories, person, slapd.password(3), "Brand-New-Quay") is Outcome.SUCCESS


async def test_a_person_without_an_account_name(slapd: ThrowawaySlapd, directories: Directories) -> None:
    """Is called as they sign in, in that directory."""
    dn = f"cn=Nils Holm,{BASE_DN}"
    entry = (
        f"dn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\nsn: Holm\nmail: nils@{slapd.name}\nuserPassword: Quay-11\n"
    )
    slapd.modify(entry)
    person = await sign_in(directories, f"nils@{slapd.name}", "Quay-11")
    assert (person.user_name, person.account_name) == (f"nils@{slapd.name}", "")
    assert await change(directories, person, "Quay-11", "Brand-New-Quay") is Outcome.SUCCESS
    slapd.modify(f"dn: {dn}\nchangetype: delete\n")
