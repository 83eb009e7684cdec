"""New servers in the simulator: preconditions of the real cmdlets, and what a failure leaves behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.adfs.simulator.simulator import Simulator
from tests.adfs.simulator.state import RelyingParty
from tests.adfs.simulator.values import PsCredential, SecureText
from tests.adfs.simulator_helpers import ADMINISTRATOR, PRIMARY, SECOND, Console

NEW = "adfs4.corp.example.com"
GMSA = "CORP\\adfs-svc$"


@pytest.fixture
def console() -> Console:
    made = Console()
    made.simulator.farm(proxies=0)
    made.simulator.host(NEW)
    return made


def _ssl(simulator: Simulator, host: str = PRIMARY) -> str:
    return simulator[host].bindings[0].thumbprint


def _prepare(console: Console) -> dict[str, object]:
    """Everything in order, and the parameters to join with."""
    simulator = console.simulator
    console.run(NEW, "Install-WindowsFeature", Name=["ADFS-Federation"], IncludeManagementTools=True)
    entry = simulator[PRIMARY].store[_ssl(simulator)]
    simulator.put(NEW, entry.certificate, readable=False)
    simulator.world.farms[0].gmsa_hosts.add(NEW)
    return {
        "CertificateThumbprint": entry.certificate.thumbprint,
        "GroupServiceAccountIdentifier": GMSA,
        "PrimaryComputerName": PRIMARY,
        "PrimaryComputerPort": 80,
        "Credential": ADMINISTRATOR,
    }


def test_join(console: Console) -> None:
    """In order: it is a secondary, in step, running, bound, in the table, and grants itself the key."""
    given = _prepare(console)
    assert console.run(NEW, "Test-AdfsFarmJoin", **given)[-1]["Status"] == "Success"
    assert console.one(NEW, "Add-AdfsFarmNode", **given)["Status"] == "Success"
    assert console.one(NEW, "Get-AdfsSyncProperties")["PrimaryComputerName"] == PRIMARY
    assert {row["CertificateHash"] for row in console.run(NEW, "Get-AdfsSslCertificate")} == {_ssl(console.simulator)}
    console.clock.advance(301)
    nodes = console.one(PRIMARY, "Get-AdfsFarmInformation")["FarmNodes"]
    assert isinstance(nodes, list)
    assert NEW in nodes
    console.run(NEW, "Restart-Service", Name=["adfssrv"])


def _short(console: Console, given: dict[str, object]) -> None:
    given["PrimaryComputerName"] = "adfs1"


def _default_port(console: Console, given: dict[str, object]) -> None:
    del given["PrimaryComputerPort"]


def _secondary(console: Console, given: dict[str, object]) -> None:
    given["PrimaryComputerName"] = SECOND


def _off(console: Console, given: dict[str, object]) -> None:
    console.simulator.offline(PRIMARY)


def _no_certificate(console: Console, given: dict[str, object]) -> None:
    console.simulator[NEW].store.clear()


def _no_key(console: Console, given: dict[str, object]) -> None:
    console.simulator[NEW].store[str(given["CertificateThumbprint"])].has_key = False


def _other_certificate(console: Console, given: dict[str, object]) -> None:
    made = console.simulator.issue("fs.example.com")
    console.simulator.put(NEW, made)
    given["CertificateThumbprint"] = made.thumbprint


def _no_gmsa(console: Console, given: dict[str, object]) -> None:
    console.simulator.world.farms[0].gmsa_hosts.discard(NEW)


def _other_account(console: Console, given: dict[str, object]) -> None:
    given["GroupServiceAccountIdentifier"] = "CORP\\other$"


def _no_hop(console: Console, given: dict[str, object]) -> None:
    del given["Credential"]


def _workgroup(console: Console, given: dict[str, object]) -> None:
    console.simulator[NEW].domain = ""


def _too_old(console: Console, given: dict[str, object]) -> None:
    console.simulator[NEW].version = "2016"


def _too_many(console: Console, given: dict[str, object]) -> None:
    node = console.simulator[PRIMARY].node
    assert node is not None
    node.configuration.relying_parties = [RelyingParty(name=str(i), identifiers=(str(i),)) for i in range(101)]
    row = next(iter(node.configuration.nodes.values()))
    node.configuration.nodes.update({f"old{i}.corp.example.com": row for i in range(3)})


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (_short, "not a fully qualified domain name"),
        (_default_port, f"http://{PRIMARY}:443/"),
        (_secondary, "is not the primary server"),
        (_off, "Unable to retrieve configuration"),
        (_no_certificate, "was not found"),
        (_no_key, "does not have a private key"),
        (_other_certificate, "is not the SSL certificate"),
        (_no_gmsa, "principals that are allowed to retrieve"),
        (_other_account, "not the one that the federation server farm uses"),
        (_no_hop, "credentials of this session"),
        (_workgroup, "must be joined"),
        (_too_old, "behavior level 4"),
        (_too_many, "at most 5 servers"),
    ],
)
def test_join_is_refused(console: Console, spoil: Callable[[Console, dict[str, object]], None], reason: str) -> None:
    """Both by the test and by the deed, for the same reason, and nothing is left behind."""
    given = _prepare(console)
    spoil(console, given)
    rows = console.run(NEW, "Test-AdfsFarmJoin", **given)
    assert rows[-1]["Status"] == "Error"
    assert any(reason in str(row["Message"]) for row in rows)
    assert reason in console.refused(NEW, "Add-AdfsFarmNode", **given).message
    assert console.simulator[NEW].node is None


def test_join_without_the_role(console: Console) -> None:
    """The cmdlets come with it."""
    assert console.refused(NEW, "Add-AdfsFarmNode", PrimaryComputerName=PRIMARY).error_id == "CommandNotFoundException"


def test_a_half_made_node_and_its_clean_up() -> None:
    """Token keys of a CA that are not here: the service does not start, the row in the table stays until it is removed."""
    console = Console()
    console.simulator.farm(proxies=0, managed=False, auto_rollover=False)
    console.simulator.host(NEW)
    given = _prepare(console)
    assert "could not be started" in console.refused(NEW, "Add-AdfsFarmNode", **given).message
    assert "existing AD FS configuration" in console.refused(NEW, "Add-AdfsFarmNode", **given).message
    console.run(NEW, "Uninstall-WindowsFeature", Name=["ADFS-Federation"])
    assert NEW in console.one(PRIMARY, "Get-AdfsFarmInformation")["FarmNodes"]  # type: ignore[operator]
    console.run(PRIMARY, "Set-AdfsFarmInformation", RemoveNode=[NEW])
    assert NEW not in console.one(PRIMARY, "Get-AdfsFarmInformation")["FarmNodes"]  # type: ignore[operator]
    assert console.refused(PRIMARY, "Set-AdfsFarmInformation", RemoveNode=[NEW])


def test_a_node_that_lives_comes_back_into_the_table(console: Console) -> None:
    """Taking away its row is not taking away the node."""
    console.run(PRIMARY, "Set-AdfsFarmInformation", RemoveNode=[SECOND])
    console.clock.advance(301)
    assert SECOND in console.one(PRIMARY, "Get-AdfsFarmInformation")["FarmNodes"]  # type: ignore[operator]


def test_join_a_farm_on_sql_server() -> None:
    """By the connection string; there is no primary to name."""
    console = Console()
    farm = console.simulator.farm(proxies=0, wid=False)
    console.simulator.host(NEW)
    given = _prepare(console)
    del given["PrimaryComputerName"], given["PrimaryComputerPort"]
    wrong = {**given, "SQLConnectionString": "Data Source=elsewhere"}
    assert "could not be reached" in console.refused(NEW, "Add-AdfsFarmNode", **wrong).message
    given["SQLConnectionString"] = farm.shared.properties["ArtifactDbConnection"]
    console.run(NEW, "Add-AdfsFarmNode", **given)
    assert console.one(NEW, "Get-AdfsSyncProperties") == {"Role": "PrimaryComputer"}


def test_remove_farm_node_is_deprecated(console: Console) -> None:
    """As its page says."""
    assert "deprecated" in console.refused(SECOND, "Remove-AdfsFarmNode", GroupServiceAccountIdentifier=GMSA).message


@pytest.mark.parametrize("alternate", [True, False])
def test_a_new_farm(alternate: bool) -> None:
    """With certauth among the names the client binding is on 443; the token certificates are AD FS's own."""
    console = Console()
    console.simulator.host(NEW)
    names = ("sts.example.com", "certauth.sts.example.com") if alternate else ("sts.example.com",)
    made = console.simulator.issue(*names)
    console.simulator.put(NEW, made, readable=False)
    console.run(NEW, "Install-WindowsFeature", Name=["ADFS-Federation"])
    given = {
        "CertificateThumbprint": made.thumbprint,
        "FederationServiceName": "sts.example.com",
        "GroupServiceAccountIdentifier": GMSA,
        "Credential": ADMINISTRATOR,
    }
    assert "principals" in console.refused(NEW, "Install-AdfsFarm", **given).message
    console.simulator.world.gmsa_hosts.add(NEW)
    assert console.run(NEW, "Test-AdfsFarmInstallation", **given)[-1]["Status"] == "Success"
    console.run(NEW, "Install-AdfsFarm", **given)
    assert console.one(NEW, "Get-AdfsProperties")["HostName"] == "sts.example.com"
    types = [row["CertificateType"] for row in console.run(NEW, "Get-AdfsCertificate")]
    assert sorted(map(str, types)) == ["Service-Communications", "Token-Decrypting", "Token-Signing"]
    ports = {row["PortNumber"] for row in console.run(NEW, "Get-AdfsSslCertificate")}
    assert ports == ({443} if alternate else {443, 49443})
    refusal = console.refused(NEW, "Install-AdfsFarm", **given)
    assert refusal.category == "ResourceExists"


def test_a_new_farm_with_certificates_of_a_ca() -> None:
    """AutoCertificateRollover is off then; a CNG key is refused."""
    console = Console()
    console.simulator.host(NEW)
    console.simulator.world.gmsa_hosts.add(NEW)
    made, cng = console.simulator.issue("sts.example.com"), console.simulator.issue("cng")
    console.simulator.put(NEW, made)
    console.simulator.put(NEW, cng, cng=True)
    console.run(NEW, "Install-WindowsFeature", Name=["ADFS-Federation"])
    given: dict[str, object] = {
        "CertificateThumbprint": made.thumbprint,
        "FederationServiceName": "sts.example.com",
        "GroupServiceAccountIdentifier": GMSA,
        "Credential": ADMINISTRATOR,
        "SigningCertificateThumbprint": cng.thumbprint,
        "DecryptionCertificateThumbprint": made.thumbprint,
    }
    assert "CNG" in console.refused(NEW, "Install-AdfsFarm", **given).message
    given["SigningCertificateThumbprint"] = made.thumbprint
    console.run(NEW, "Install-AdfsFarm", **given)
    assert console.one(NEW, "Get-AdfsProperties")["AutoCertificateRollover"] is False


def test_a_new_proxy() -> None:
    """Certificate, a name that leads to the primary, an administrator's credential; then it publishes what the others do."""
    console = Console()
    console.simulator.farm(proxies=0)
    host = console.simulator.host("wap9.dmz.example.com", domain="")
    console.run(host.fqdn, "Install-WindowsFeature", Name=["Web-Application-Proxy"], IncludeManagementTools=True)
    entry = console.simulator[PRIMARY].store[_ssl(console.simulator)]
    given: dict[str, object] = {
        "FederationServiceName": "fs.example.com",
        "FederationServiceTrustCredential": PsCredential(ADMINISTRATOR.user, SecureText("wrong")),
        "CertificateThumbprint": entry.certificate.thumbprint,
    }
    assert "was not found" in console.refused(host.fqdn, "Install-WebApplicationProxy", **given).message
    console.simulator.put(host.fqdn, entry.certificate)
    assert "Unable to connect" in console.refused(host.fqdn, "Install-WebApplicationProxy", **given).message
    host.resolves["fs.example.com"] = SECOND
    assert "primary" in console.refused(host.fqdn, "Install-WebApplicationProxy", **given).message
    host.resolves["fs.example.com"] = PRIMARY
    assert "Unauthorized" in console.refused(host.fqdn, "Install-WebApplicationProxy", **given).message
    assert "not configured" in console.refused(host.fqdn, "Get-WebApplicationProxyHealth").message
    given["FederationServiceTrustCredential"] = ADMINISTRATOR
    console.run(host.fqdn, "Install-WebApplicationProxy", **given)
    rows = console.run(host.fqdn, "Get-WebApplicationProxyHealth")
    assert {row["HealthState"] for row in rows} == {"OK"}
    assert console.run(host.fqdn, "Get-WebApplicationProxyApplication")
    trusts = [entry.certificate.subject for entry in host.store.values() if "ProxyTrust" in entry.certificate.subject]
    assert trusts == ["CN=ADFS ProxyTrust - WAP9"]


def test_features(console: Console) -> None:
    """Installed or not, unknown names, nothing to do; services come with the role, stopped."""
    assert console.one(NEW, "Get-WindowsFeature", Name=["ADFS-Federation"])["Installed"] is False
    assert console.refused(NEW, "Get-Service", Name=["adfssrv"]).category == "ObjectNotFound"
    assert console.one(NEW, "Install-WindowsFeature", Name=["ADFS-Federation"])["Success"] is True
    assert console.one(NEW, "Install-WindowsFeature", Name=["ADFS-Federation"])["FeatureResult"] == []
    assert console.one(NEW, "Get-WindowsFeature", Name=["ADFS-Federation"])["Installed"] is True
    assert console.one(NEW, "Get-Service", Name=["adfssrv"])["Status"] == "Stopped"
    assert console.refused(NEW, "Install-WindowsFeature", Name=["Coffee"]).error_id.startswith("NameDoesNotExist,")
    assert console.refused(NEW, "Restart-Service", Name=["adfssrv"]).error_id.startswith("StartServiceFailed,")
