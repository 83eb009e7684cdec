"""Kerberos between an unmodified pypsrp and simulated hosts, by the tickets of a real Active Directory (Samba).

No name resolves and no DNS server is asked: `host=address`, and the name is in the SPN.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from adfs_mgmt.remoting import AccessDenied, HostUnreachable, RemotingError, RemotingSettings, WinRm, make_command
from adfs_mgmt.remoting.errors import CredentialRefused, NoTicket
from demo.people import Person
from demo.samba import ThrowawayDomain
from tests.adfs.remoting.conftest import Hosts, Pki
from tests.adfs.remoting.realm import Realm, shift_clock
from tests.adfs.simulator.wsman import WsManServer

pytestmark = [pytest.mark.samba, pytest.mark.kerberos]

HOSTS = [f"fs{number}.corp.example.com" for number in (1, 2, 3)]
SERVICE = make_command("Get-Service", Name=("adfssrv",))
Settings = Callable[..., RemotingSettings]


@pytest.fixture(scope="module")
def joined(domain: ThrowawayDomain, tmp_path_factory: pytest.TempPathFactory) -> Realm:
    return Realm(domain, tmp_path_factory.mktemp("realm"), HOSTS)


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "tickets"


@pytest.fixture
def realm(joined: Realm, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Realm]:
    for name, value in joined.environment(cache).items():
        monkeypatch.setenv(name, value)
    yield joined
    joined.lead_to(joined.domain.address)


@pytest.fixture
def ben(realm: Realm) -> Iterator[Person]:
    """With no wrong passwords, before and after."""
    person = realm.domain.people["ben"]
    realm.domain.set_password("ben", person.password)
    yield person
    realm.domain.set_password("ben", person.password)


@pytest.fixture
def server(realm: Realm, hosts: Hosts) -> Iterator[WsManServer]:
    with WsManServer(hosts, hosts=HOSTS, users={}, keytabs=realm.keytabs) as running:
        yield running


@pytest.fixture
def settings(server: WsManServer) -> Settings:
    def build(**fields: object) -> RemotingSettings:
        chosen: dict[str, object] = {"port": server.port, "tls": False, "connect_timeout": 2.0}
        return RemotingSettings(**(chosen | fields))  # type: ignore[arg-type]

    return build


@pytest.fixture
def with_password(settings: Settings, realm: Realm, ben: Person, tmp_path: Path) -> Settings:
    """Ben's principal and password; `typed` is another one."""

    def build(typed: str = ben.password, **fields: object) -> RemotingSettings:
        file = tmp_path / "password"
        file.write_text(typed + "\n")
        file.chmod(0o600)
        return settings(**({"user": realm.principal(ben), "password_file": file} | fields))

    return build


async def ask(settings: RemotingSettings, *places: str) -> None:
    """One after the other, in one session."""
    winrm = WinRm(settings)
    try:
        for place in places:
            assert await winrm.run(place, SERVICE) == [{"Name": "adfssrv", "Status": "Running"}]
    finally:
        await winrm.close()


async def fail(settings: RemotingSettings, place: str) -> RemotingError:
    with pytest.raises(RemotingError) as caught:
        await ask(settings, place)
    return caught.value


async def test_the_ticket_of_kinit(server: WsManServer, hosts: Hosts, settings: Settings, realm: Realm, ben: Person) -> None:
    """No user in the settings: the ticket says who it is. The hosts refuse messages that are not encrypted."""
    realm.log_on(ben)
    await ask(settings(), *map(server.place, HOSTS))
    assert [(user, host) for user, host, _, _ in hosts.asked] == [(realm.principal(ben), host) for host in HOSTS]
    assert server.refused == []


async def test_the_ticket_of_kinit_for_a_named_user(
    server: WsManServer, settings: Settings, realm: Realm, ben: Person
) -> None:
    """The user's ticket is taken, and nobody else's."""
    realm.log_on(ben)
    await ask(settings(user=realm.principal(ben)), server.place(HOSTS[0]))
    said = await fail(settings(user="kim@CORP.EXAMPLE.COM"), server.place(HOSTS[0]))
    assert isinstance(said, NoTicket)
    assert "kinit kim@CORP.EXAMPLE.COM" in said.reason


@pytest.mark.parametrize("user", ["ben@CORP.EXAMPLE.COM", "ben@corp.example.com", "ben"])
async def test_user_and_password(
    server: WsManServer, hosts: Hosts, with_password: Settings, realm: Realm, ben: Person, cache: Path, user: str
) -> None:
    """As principal, userPrincipalName and bare name. No ticket is left on disk."""
    await ask(with_password(user=user), *map(server.place, HOSTS))
    assert [asked[0] for asked in hosts.asked] == [realm.principal(ben)] * 3
    assert list(cache.parent.glob("tickets*")) == []


@pytest.mark.parametrize("service", ["HOST", "HTTP"])
async def test_other_spns(server: WsManServer, settings: Settings, realm: Realm, ben: Person, service: str) -> None:
    """`spn_service` chooses among those that a host has; HTTP is one of those that HOST stands for."""
    realm.log_on(ben)
    await ask(settings(spn_service=service), server.place(HOSTS[0]))


async def test_tls_with_channel_bindings(realm: Realm, hosts: Hosts, ben: Person, tmp_path: Path) -> None:
    """The ticket is bound to the host's certificate: by way of another certificate it is refused."""
    realm.log_on(ben)
    pki = Pki(tmp_path, HOSTS)
    for certificate, right in ((pki.server, True), (pki.client, False)):
        der = certificate.public_bytes(serialization.Encoding.DER)
        with WsManServer(
            hosts, hosts=HOSTS, users={}, keytabs=realm.keytabs, tls=pki.context, tls_certificate=der
        ) as server:
            given = RemotingSettings(port=server.port, tls_ca_file=pki.ca_file)
            if right:
                await ask(given, server.place(HOSTS[0]))
            else:
                assert isinstance(await fail(given, server.place(HOSTS[0])), AccessDenied)
                assert server.refused == [HOSTS[0]]
    assert [asked[0] for asked in hosts.asked] == [realm.principal(ben)]


async def test_negotiate_prefers_kerberos(
    server: WsManServer, hosts: Hosts, with_password: Settings, realm: Realm, ben: Person
) -> None:
    """Inside SPNEGO; the host has no NTLM password that it could take."""
    await ask(with_password(auth="negotiate"), *map(server.place, HOSTS))
    assert {asked[0] for asked in hosts.asked} == {realm.principal(ben)}


async def test_negotiate_falls_back_to_ntlm(realm: Realm, hosts: Hosts, with_password: Settings, ben: Person) -> None:
    """A host without SPN, a domain controller that is off, a user that is not the domain's."""
    local = "fs9.dmz.example.com"
    users = {realm.principal(ben): ben.password, "stranger@CORP.EXAMPLE.COM": "x", f"{local}\\admin": "y"}
    with WsManServer(hosts, hosts=[local], users=users) as server:
        for user, password in users.items():
            await ask(with_password(password, user=user, auth="negotiate", port=server.port), server.place(local))
        realm.lead_to("127.9.9.9")
        await ask(with_password(auth="negotiate", port=server.port), server.place(local))
        assert len(hosts.asked) == 4
        assert server.refused == []
    assert realm.bad_passwords(ben) == 0


@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
async def test_a_wrong_password_counts_once(
    server: WsManServer, hosts: Hosts, with_password: Settings, realm: Realm, ben: Person, auth: str
) -> None:
    """Three hosts at once and again: the domain controller has counted one, no host was shown anything."""
    winrm = WinRm(with_password("wrong", auth=auth))
    for _ in range(2):
        said = await asyncio.gather(*(winrm.run(server.place(host), SERVICE) for host in HOSTS), return_exceptions=True)
        assert all(isinstance(each, AccessDenied) and "the password is wrong" in str(each) for each in said)
    await winrm.close()
    assert realm.bad_passwords(ben) == 1
    assert (server.refused, hosts.asked) == ([], [])


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ("emma", "disabled, locked"),
        ("felix", "disabled, locked"),
        ("dario", "password has expired"),
        ("nobody", "does not know this user"),
    ],
)
async def test_an_account_that_cannot_log_on(
    server: WsManServer, with_password: Settings, realm: Realm, account: str, reason: str
) -> None:
    """The domain controller says why, and no host is asked."""
    person = realm.domain.people.get(account)
    given = with_password(person.password if person else "any", user=f"{account}@CORP.EXAMPLE.COM")
    said = await fail(given, server.place(HOSTS[0]))
    assert isinstance(said, CredentialRefused)
    assert reason in said.reason


@pytest.mark.parametrize("fields", [{}, {"spn_service": "WSMEN"}])
async def test_a_name_without_spn(
    server: WsManServer, settings: Settings, realm: Realm, ben: Person, fields: dict[str, str]
) -> None:
    """The sentence has the SPN that was asked for, and where to look."""
    realm.log_on(ben)
    host = HOSTS[0] if fields else "fs9.corp.example.com"
    said = await fail(settings(**fields), f"{host}={server.addresses[HOSTS[0]]}")
    assert isinstance(said, NoTicket)
    assert f"does not know {fields.get('spn_service', 'WSMAN')}/{host}: check" in said.reason
    assert "`spn_service`" in said.reason


async def test_no_ticket(server: WsManServer, settings: Settings, realm: Realm) -> None:
    """The sentence says kinit. Once there is a ticket the same session goes on."""
    ben = realm.domain.people["ben"]
    winrm = WinRm(settings())
    with pytest.raises(NoTicket, match="there is no Kerberos ticket: run `kinit"):
        await winrm.run(server.place(HOSTS[0]), SERVICE)
    realm.log_on(ben)
    assert await winrm.run(server.place(HOSTS[0]), SERVICE)
    await winrm.close()


async def test_a_ticket_that_has_expired(
    server: WsManServer, settings: Settings, realm: Realm, ben: Person, cache: Path
) -> None:
    """Tomorrow it has."""
    realm.log_on(ben)
    shift_clock(cache, 86400)
    said = await fail(settings(), server.place(HOSTS[0]))
    assert isinstance(said, NoTicket)
    assert "has expired: run `kinit" in said.reason


@pytest.mark.parametrize("seconds", [900, -900])
async def test_clock_is_not_the_domain_controllers(
    server: WsManServer, settings: Settings, realm: Realm, ben: Person, cache: Path, seconds: int
) -> None:
    """A quarter of an hour before or behind: the KDC gives no ticket for the host."""
    realm.log_on(ben)
    shift_clock(cache, seconds)
    said = await fail(settings(), server.place(HOSTS[0]))
    assert isinstance(said, NoTicket)
    assert "the clocks are too far apart" in said.reason


async def test_clock_is_not_the_hosts(
    server: WsManServer, settings: Settings, realm: Realm, ben: Person, cache: Path
) -> None:
    """The ticket for the host is there already, and it is the host that says no."""
    realm.log_on(ben)
    await ask(settings(), server.place(HOSTS[0]))
    shift_clock(cache, 900)
    said = await fail(settings(), server.place(HOSTS[0]))
    assert "the clocks are too far apart" in said.reason
    assert server.refused == [HOSTS[0]]


@pytest.mark.parametrize("password", [True, False])
async def test_no_domain_controller(
    server: WsManServer, settings: Settings, with_password: Settings, realm: Realm, ben: Person, password: bool
) -> None:
    """Nobody answers on port 88; the password is not held against the account, and a later try is made."""
    realm.log_on(ben)
    winrm = WinRm(with_password() if password else settings())
    realm.lead_to("127.9.9.9")
    with pytest.raises(HostUnreachable, match="no domain controller answers on port 88"):
        await winrm.run(server.place(HOSTS[0]), SERVICE)
    realm.lead_to(realm.domain.address)
    assert await winrm.run(server.place(HOSTS[0]), SERVICE)
    await winrm.close()


async def test_realm_that_is_not_known(server: WsManServer, with_password: Settings) -> None:
    """It is krb5.conf that is to be fixed."""
    said = await fail(with_password(user="ben@OTHER.EXAMPLE.COM"), server.place(HOSTS[0]))
    assert isinstance(said, NoTicket)
    assert "krb5.conf" in said.reason


async def test_spn_of_another_account(server: WsManServer, settings: Settings, realm: Realm, ben: Person) -> None:
    """The farm's name is that of the service account: the server cannot read its tickets."""
    realm.add_service("svc-adfs", "HOST/fs.corp.example.com", "WSMAN/fs.corp.example.com")
    realm.log_on(ben)
    said = await fail(settings(), f"fs.corp.example.com={server.addresses[HOSTS[0]]}")
    assert isinstance(said, AccessDenied)
    assert "the server cannot decrypt the ticket for WSMAN/fs.corp.example.com" in said.reason
    assert "setspn -Q" in said.reason


async def test_a_ticket_for_another_host(server: WsManServer, settings: Settings, realm: Realm, ben: Person) -> None:
    """Addresses that are mixed up do not get through."""
    realm.log_on(ben)
    said = await fail(settings(), f"{HOSTS[1]}={server.addresses[HOSTS[0]]}")
    assert isinstance(said, AccessDenied)


@pytest.mark.parametrize("password", [True, False])
async def test_host_where_the_user_may_not_log_on(
    server: WsManServer, settings: Settings, with_password: Settings, realm: Realm, ben: Person, password: bool
) -> None:
    """It is that host's affair: it is asked once, the others are asked, too."""
    realm.log_on(ben)
    server.strangers.add(HOSTS[0])
    winrm = WinRm(with_password() if password else settings())
    for _ in range(2):
        with pytest.raises(AccessDenied, match="it refuses"):
            await winrm.run(server.place(HOSTS[0]), SERVICE)
    assert await winrm.run(server.place(HOSTS[1]), SERVICE)
    await winrm.close()
    assert server.refused == [HOSTS[0]]


def test_only_a_cache_that_is_understood_is_shifted(tmp_path: Path) -> None:
    """The tests' clock cannot go wrong in silence."""
    (tmp_path / "cache").write_bytes(struct.pack(">HH", 0x0503, 0))
    with pytest.raises(ValueError, match="version 0x503"):
        shift_clock(tmp_path / "cache", 1)
