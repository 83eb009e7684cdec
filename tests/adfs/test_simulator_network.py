"""What simulated servers show to the network is of the same state; the in-process shell speaks the errors of the port."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from adfs_mgmt.farm import FarmSettings, Served, read_external_view
from adfs_mgmt.remoting import (
    AccessDenied,
    Command,
    CommandFailed,
    HostUnreachable,
    Interrupted,
    PSCredential,
    Secret,
    Value,
)
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ADMIN, ManualClock, Simulator
from tests.adfs.simulator.state import Farm
from tests.adfs.simulator_helpers import DAY, PRIMARY, SECOND, WAP


class Shown:
    """A farm with its network."""

    def __init__(self, simulator: Simulator, farm: Farm, network: Network) -> None:
        self.simulator, self.farm, self.network = simulator, farm, network
        self.settings = FarmSettings(
            name="prod",
            federation_name=farm.name,
            federation_address=network.federation_address(farm),
            nodes=network.nodes(farm),
            proxies=network.proxies(farm),
            https_port=network.https_port,
            http_port=network.http_port,
            tls_ca_file=network.ca_file,
        )

    async def look(self) -> dict[str, Served]:
        return {each.host.partition("=")[0]: each for each in (await read_external_view(self.settings, time.time())).served}


@pytest.fixture
def shown() -> Iterator[Shown]:
    simulator = Simulator(ManualClock(time.time()))
    farm = simulator.farm(nodes=2, proxies=1)
    with Network(simulator) as network:
        yield Shown(simulator, farm, network)


async def test_both_views_agree(shown: Shown) -> None:
    """Thumbprints of TLS and metadata are those that the cmdlets tell; the signature holds."""
    shell = SimulatedShell(shown.simulator)
    (signing,) = await shell.run(PRIMARY, Command("Get-AdfsCertificate", {"CertificateType": ("Token-Signing",)}))
    bound = {row["CertificateHash"] for row in await shell.run(PRIMARY, Command("Get-AdfsSslCertificate"))}
    for served in (await shown.look()).values():
        assert served.error == ""
        assert served.signing == (signing["Thumbprint"],)
        assert served.signed_by == signing["Thumbprint"]
        assert served.tls is not None
        assert {served.tls.thumbprint} == bound
        assert served.probe_ok


async def test_a_secondary_shows_the_old_until_it_polls(shown: Shown) -> None:
    """The metadata of each node is that of its own database."""
    shell = SimulatedShell(shown.simulator)
    await shell.run(PRIMARY, Command("Update-AdfsCertificate", {"CertificateType": "Token-Signing"}))
    seen = await shown.look()
    assert (len(seen[PRIMARY].signing), len(seen[SECOND].signing)) == (2, 1)
    clock = shown.simulator.world.clock
    assert isinstance(clock, ManualClock)
    clock.advance(301)
    seen = await shown.look()
    assert seen[PRIMARY].signing == seen[SECOND].signing
    assert seen[SECOND].signed_by == seen[SECOND].signing[0]


async def test_off_stopped_and_without_a_farm(shown: Shown) -> None:
    """Nothing at all; TLS alone; no metadata from a proxy without a farm behind it."""
    shown.simulator.offline(SECOND)
    shown.simulator.stop_service(PRIMARY)
    seen = await shown.look()
    assert seen[SECOND].tls is None
    assert "TLS" in seen[SECOND].error
    assert seen[PRIMARY].tls is not None
    assert not seen[PRIMARY].probe_ok
    assert "503" in seen[PRIMARY].error
    assert seen[WAP].signing == ()


async def test_a_key_that_the_service_cannot_read_signs_nothing(shown: Shown) -> None:
    """The node is up and its metadata is not."""
    made = shown.simulator.issue(shown.farm.name)
    for host in (PRIMARY, SECOND):
        shown.simulator.put(host, made)
    shell = SimulatedShell(shown.simulator)
    await shell.run(PRIMARY, Command("Set-AdfsProperties", {"AutoCertificateRollover": False}))
    await shell.run(
        PRIMARY,
        Command(
            "Add-AdfsCertificate", {"CertificateType": "Token-Signing", "Thumbprint": made.thumbprint, "IsPrimary": True}
        ),
    )
    assert (await shown.look())[PRIMARY].signed_by == made.thumbprint
    shown.simulator[PRIMARY].store[made.thumbprint].readers.clear()
    assert (await shown.look())[PRIMARY].signing == ()


async def test_a_certificate_that_left_the_store_serves_no_tls(shown: Shown) -> None:
    """A binding is a name for a certificate, not a copy of it."""
    shown.simulator[WAP].store.clear()
    assert (await shown.look())[WAP].tls is None


async def test_a_host_that_came_later(shown: Shown) -> None:
    """It has an address of its own, and nothing bound."""
    host = shown.simulator.host("new.corp.example.com")
    shown.network.attach(host)
    assert shown.network.address(host.fqdn) not in {shown.network.address(each) for each in (PRIMARY, SECOND, WAP)}


# -- the shell


@pytest.fixture
def simulator() -> Simulator:
    made = Simulator(ManualClock(time.time()))
    made.farm(nodes=2, proxies=1)
    return made


async def test_the_shell_speaks_the_errors_of_the_port(simulator: Simulator) -> None:
    """One for each way to fail, with the host as it was given."""
    shell = SimulatedShell(simulator)
    with pytest.raises(CommandFailed) as failed:
        await shell.run(f"{SECOND}=127.0.0.1", Command("Get-AdfsProperties"))
    assert failed.value.host == f"{SECOND}=127.0.0.1"
    assert failed.value.error_id.startswith("PS0033,")
    assert failed.value.category == "OpenError"
    simulator.drop_during("Get-Date")
    with pytest.raises(Interrupted):
        await shell.run(PRIMARY, Command("Get-Date"))
    simulator.offline(PRIMARY)
    with pytest.raises(HostUnreachable):
        await shell.run(PRIMARY, Command("Get-Date"))
    with pytest.raises(AccessDenied):
        await SimulatedShell(simulator, "CORP\\nobody").run(SECOND, Command("Get-Date"))
    await shell.close()


async def test_slow_hosts(simulator: Simulator) -> None:
    """Slower than the time that is given: interrupted, and the effect is there."""
    simulator.slow(PRIMARY, 90)
    shell = SimulatedShell(simulator)
    with pytest.raises(Interrupted):
        await shell.run(PRIMARY, Command("Set-AdfsProperties", {"AutoCertificateRollover": False}), timeout=60)
    simulator.slow(PRIMARY, 0.001)
    (answer,) = await shell.run(PRIMARY, Command("Get-AdfsProperties"))
    assert answer["AutoCertificateRollover"] is False


async def test_values_there_and_back(simulator: Simulator) -> None:
    """Secrets, credentials, bytes and lists go in; enumerations and nested objects come out as text."""
    shell = SimulatedShell(simulator)
    made = simulator.issue("fs.example.com")
    parameters: dict[str, Value] = {"Pfx": made.pfx("secret"), "Password": Secret("secret")}
    (imported,) = await shell.run(PRIMARY, Command("Import-IsthmusCertificate", parameters))
    assert imported["Thumbprint"] == made.thumbprint
    (service,) = await shell.run(PRIMARY, Command("Get-Service", {"Name": ("adfssrv",)}))
    assert service["Status"] == "Running"
    (properties,) = await shell.run(PRIMARY, Command("Get-AdfsProperties"))
    assert properties["Identifier"] == "http://fs.example.com/adfs/services/trust"
    credential = PSCredential(ADMIN, Secret("Adm1n-Passw0rd"))
    with pytest.raises(CommandFailed, match="PS0317"):
        await shell.run(
            PRIMARY, Command("Set-AdfsSslCertificate", {"Thumbprint": made.thumbprint, "RemoteCredential": credential})
        )


async def test_simulated_time_is_not_real_time(simulator: Simulator) -> None:
    """A year passes in a moment, and every certificate that should have rolled has."""
    clock = simulator.world.clock
    assert isinstance(clock, ManualClock)
    shell = SimulatedShell(simulator)
    (before,) = await shell.run(PRIMARY, Command("Get-AdfsCertificate", {"CertificateType": ("Token-Signing",)}))
    clock.advance(365 * DAY)
    after = await shell.run(PRIMARY, Command("Get-AdfsCertificate", {"CertificateType": ("Token-Signing",)}))
    assert before["Thumbprint"] not in {row["Thumbprint"] for row in after}
