"""TLS bindings in the simulator: levels, second hops, modes, proxies, published applications."""

from __future__ import annotations

import pytest

from tests.adfs.simulator.values import PsCredential, SecureText
from tests.adfs.simulator.x509 import Cert
from tests.adfs.simulator_helpers import ADMINISTRATOR, DAY, PRIMARY, SECOND, THIRD, WAP, Console

NODES = (PRIMARY, SECOND, THIRD)
NAMES = ("fs.example.com", "certauth.fs.example.com", "app1.example.com")


@pytest.fixture
def console() -> Console:
    made = Console()
    made.simulator.farm()
    return made


def _everywhere(console: Console, *names: str, hosts: tuple[str, ...] = (*NODES, WAP), **how: bool) -> Cert:
    made = console.simulator.issue(*(names or NAMES))
    for host in hosts:
        console.simulator.put(host, made, **how)
    return made


def _rows(console: Console, host: str = PRIMARY, command: str = "Get-AdfsSslCertificate") -> list[dict[str, object]]:
    """Of names: that of an address is netsh's."""
    return [row for row in console.run(host, command) if row["HostName"] != "0.0.0.0"]  # noqa: S104


def _bound(console: Console, host: str) -> set[str]:
    return {str(row["CertificateHash"]) for row in _rows(console, host)}


def test_below_level_two_it_is_ps0159() -> None:
    """A farm that was never raised, on newer servers."""
    console = Console()
    console.simulator.farm("2016", level=1)
    made = _everywhere(console)
    refusal = console.refused(PRIMARY, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint)
    assert refusal.error_id == "PS0159,Microsoft.IdentityServer.Management.Commands.SetSslCertificateCommand"
    assert "Farm Behavior Level '1'" in refusal.message


def test_2012_r2_binds_the_server_it_runs_on() -> None:
    """And that one only, secondaries included."""
    console = Console()
    console.simulator.farm("2012 R2")
    made = _everywhere(console)
    console.run(SECOND, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint)
    assert _bound(console, SECOND) == {made.thumbprint}
    assert made.thumbprint not in _bound(console, PRIMARY)


def test_the_second_hop_fails_without_delegation(console: Console) -> None:
    """The primary is bound, the others are not, and the error says so."""
    made = _everywhere(console)
    refusal = console.refused(PRIMARY, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint)
    assert refusal.message.startswith("PS0317:")
    assert refusal.message.count("PS0316:") == 2
    assert "Access is denied" in refusal.message
    assert [_bound(console, host) == {made.thumbprint} for host in NODES] == [True, False, False]


@pytest.mark.parametrize("way", ["delegation", "credential"])
def test_the_second_hop_with_delegation_or_a_credential(console: Console, way: str) -> None:
    """Then one command binds the whole farm."""
    made = _everywhere(console)
    more: dict[str, object] = {}
    if way == "delegation":
        console.simulator.world.delegated.add(ADMINISTRATOR.user)
    else:
        more = {"RemoteCredential": ADMINISTRATOR}
    console.run(PRIMARY, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint, **more)
    assert all(_bound(console, host) == {made.thumbprint} for host in NODES)


def test_a_wrong_credential_does_not_hop(console: Console) -> None:
    """-RemoteCredential is checked by the other server."""
    made = _everywhere(console)
    wrong = PsCredential(ADMINISTRATOR.user, SecureText("wrong"))
    assert console.refused(PRIMARY, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint, RemoteCredential=wrong)


def test_node_by_node_needs_no_hop(console: Console) -> None:
    """With -Member naming the server itself; without it a secondary says PS0033."""
    made = _everywhere(console)
    assert console.refused(SECOND, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint).error_id.startswith("PS0033,")
    for host in NODES:
        console.run(host, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint, Member=[host])
    assert all(_bound(console, host) == {made.thumbprint} for host in NODES)


def test_secondaries_that_refuse_even_that(console: Console) -> None:
    """Nobody has published what a secondary does with -Member: both can be tested."""
    console.simulator.world.secondaries_bind = False
    made = _everywhere(console)
    refusal = console.refused(SECOND, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint, Member=[SECOND])
    assert refusal.error_id.startswith("PS0033,")


def test_a_node_that_is_off_or_lacks_the_certificate(console: Console) -> None:
    """The others are bound all the same."""
    made = _everywhere(console, hosts=(PRIMARY, SECOND))
    console.simulator.offline(SECOND)
    refusal = console.refused(PRIMARY, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint, RemoteCredential=ADMINISTRATOR)
    assert f"AD FS Server: '{SECOND}', Error: 'Connecting to remote server" in refusal.message
    assert f"AD FS Server: '{THIRD}', Error: 'The certificate with thumbprint" in refusal.message
    assert _bound(console, PRIMARY) == {made.thumbprint}


@pytest.mark.parametrize("fault", ["name", "usage", "expired", "future", "key"])
def test_unfit_certificates(console: Console, fault: str) -> None:
    """Wrong name, no server authentication, expired, not yet valid, without its key."""
    names = ("other.example.com",) if fault == "name" else NAMES
    made = console.simulator.issue(*names, server_auth=fault != "usage", starts_in_days=2 if fault == "future" else 0)
    console.simulator.put(PRIMARY, made, key=fault != "key")
    if fault == "expired":
        console.clock.advance(400 * DAY)
    refusal = console.refused(PRIMARY, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint, Member=[PRIMARY])
    assert "PS0316: AD FS Server: 'localhost'" in refusal.message


def test_cng_keys_serve_tls(console: Console) -> None:
    """http.sys takes what AD FS's tokens do not."""
    made = _everywhere(console, cng=True)
    console.run(PRIMARY, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint, Member=["localhost"])
    assert _bound(console, PRIMARY) == {made.thumbprint}


def test_the_wrong_cmdlet_switches_the_mode() -> None:
    """Set-AdfsSslCertificate leaves the alternate binding, Set-AdfsAlternateTlsClientBinding enters it."""
    console = Console()
    console.simulator.farm(alternate_tls=True)
    made = _everywhere(console)

    def client() -> set[tuple[object, object]]:
        return {(row["HostName"], row["PortNumber"]) for row in _rows(console)} - {
            ("fs.example.com", 443),
            ("localhost", 443),
        }

    assert client() == {("certauth.fs.example.com", 443)}
    console.run(PRIMARY, "Set-AdfsSslCertificate", Thumbprint=made.thumbprint, Member=[PRIMARY])
    assert client() == {("fs.example.com", 49443)}
    console.run(PRIMARY, "Set-AdfsAlternateTlsClientBinding", Thumbprint=made.thumbprint, Member=[PRIMARY])
    assert client() == {("certauth.fs.example.com", 443)}


def test_the_alternate_binding_needs_the_name_certauth(console: Console) -> None:
    """In the words of the real one."""
    made = _everywhere(console, "fs.example.com")
    refusal = console.refused(PRIMARY, "Set-AdfsAlternateTlsClientBinding", Thumbprint=made.thumbprint, Member=[PRIMARY])
    assert "does not meet the requirements for configuring alternate Tls Client binding" in refusal.message


def test_proxies_have_bindings_and_applications_of_their_own(console: Console) -> None:
    """Neither follows the other, nor the nodes."""
    made = _everywhere(console)
    console.run(WAP, "Set-WebApplicationProxySslCertificate", Thumbprint=made.thumbprint)
    rows = _rows(console, WAP, "Get-WebApplicationProxySslCertificate")
    assert {row["CertificateHash"] for row in rows} == {made.thumbprint}
    (application,) = console.run(WAP, "Get-WebApplicationProxyApplication")
    assert application["ExternalCertificateThumbprint"] != made.thumbprint
    given = {"ID": application["ID"], "ExternalCertificateThumbprint": made.thumbprint}
    console.run(WAP, "Set-WebApplicationProxyApplication", **given)
    other = "wap2.dmz.corp.example.com"
    (same,) = console.run(other, "Get-WebApplicationProxyApplication")
    assert same["ExternalCertificateThumbprint"] == made.thumbprint
    health = {row["Component"]: row["HealthState"] for row in console.run(other, "Get-WebApplicationProxyHealth")}
    assert health == {"AD FS Proxy": "OK", "Web Application Proxy Core": "Error"}


def test_a_proxy_refuses_what_it_cannot_use(console: Console) -> None:
    """A certificate that is not there, an application that nobody published."""
    assert console.refused(WAP, "Set-WebApplicationProxySslCertificate", Thumbprint="AB" * 20)
    refusal = console.refused(
        WAP, "Set-WebApplicationProxyApplication", ID="11111111-2222-3333-4444-555555555555", Name="New"
    )
    assert refusal.category == "ObjectNotFound"
