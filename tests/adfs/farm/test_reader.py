"""Reading a farm: all of it, whatever single hosts do. On simulated farms, over WinRM's port and from outside."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from adfs_mgmt.farm import Farm, KeyAccess, SyncRole, Use, find_inconsistencies, read_external_view, read_farm
from adfs_mgmt.farm.reader import NOT_ASKED
from adfs_mgmt.health.checks import check_farm
from adfs_mgmt.health.settings import Thresholds
from adfs_mgmt.remoting import Command, PSObject
from findings import worst
from tests.adfs.farm.served import settings_of
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ManualClock, Simulator

DAY = 86400.0


async def reading(simulator: Simulator, network: Network | None = None) -> Farm:
    settings = settings_of(simulator, network)
    return await read_farm(SimulatedShell(simulator), settings, simulator.world.clock())


@pytest.mark.parametrize("version", ["2012 R2", "2016", "2019", "2022", "2025"])
@pytest.mark.parametrize("wid", [True, False], ids=["WID", "SQL"])
async def test_every_version_is_read(simulator: Simulator, version: str, wid: bool) -> None:
    """With either database, and all is well."""
    simulator.farm(version=version, nodes=2, proxies=1, wid=wid, ssl_days=300)
    farm = await reading(simulator)
    assert [node.windows for node in farm.nodes] == [version, version]
    assert farm.properties.sql is not wid
    assert farm.properties.behaviour_level == {"2012 R2": 1, "2016": 3}.get(version, 4)
    assert [node.role for node in farm.nodes] == [SyncRole.PRIMARY, SyncRole.SECONDARY if wid else SyncRole.PRIMARY]
    assert all(not host.error for host in farm.hosts)
    checks = check_farm(farm, None, Thresholds(), simulator.world.clock())
    assert worst([check for check in checks if check.name not in {"auditing", "extranet-lockout"}]) == "pass"


async def test_certificates_that_ad_fs_made_are_read_whole(simulator: Simulator) -> None:
    """They are in no store: what arrives is their RawData inside the row, and the server's time zone plays no part."""
    made = simulator.farm(nodes=1, proxies=0, signing_days=100)
    simulator.world.nodes(made)[0].utc_offset = -8 * 3600.0
    farm = await reading(simulator)
    (row,) = [row for row in farm.nodes[0].certificates if row.use is Use.SIGNING]
    assert row.certificate.der
    assert row.certificate.not_after == pytest.approx(simulator.world.clock() + 100 * DAY, abs=2)
    assert row.certificate.self_signed
    assert farm.nodes[0].clock_skew == pytest.approx(0, abs=5)


async def test_nobody_contradicts_anybody(simulator: Simulator, network: Network) -> None:
    """What the servers say and what they serve, of a farm that is well."""
    farm = await reading(simulator, network)
    rows = farm.nodes[0].certificates
    assert all(row.certificate.der for row in rows)
    assert (
        find_inconsistencies(farm, await read_external_view(settings_of(simulator, network), simulator.world.clock())) == []
    )


async def test_a_node_that_is_off(simulator: Simulator) -> None:
    """It has an error, the others are read."""
    simulator.farm(nodes=3, proxies=1)
    simulator.offline("adfs2.corp.example.com")
    farm = await reading(simulator)
    assert [bool(node.error) for node in farm.nodes] == [False, True, False]
    assert farm.error == ""


async def test_a_primary_that_is_off(simulator: Simulator) -> None:
    """Its secondaries do not tell the configuration, and it is said."""
    simulator.farm(nodes=2, proxies=0)
    simulator.offline("adfs1.corp.example.com")
    farm = await reading(simulator)
    assert farm.error.startswith("the primary server could not be read")
    assert farm.nodes[1].bindings
    assert farm.nodes[1].error == ""
    assert worst(check_farm(farm, None, Thresholds(), simulator.world.clock())) == "fail"


async def test_a_secondary_that_answers_is_asked_for_the_farm(simulator: Simulator) -> None:
    """Where the primary does not."""
    simulator.farm(nodes=2, proxies=0)
    simulator.world.secondaries_answer = True
    simulator.offline("adfs1.corp.example.com")
    farm = await reading(simulator)
    assert farm.error == ""
    assert farm.properties.federation_name == "fs.example.com"
    assert farm.relying_parties


async def test_a_stopped_service(simulator: Simulator) -> None:
    """What Windows knows is read; what AD FS would know is an error of that node."""
    simulator.farm(nodes=2, proxies=1)
    simulator.stop_service("adfs2.corp.example.com")
    node = (await reading(simulator)).nodes[1]
    assert not node.service_running
    assert node.windows == "2019"
    assert node.stored
    checks = check_farm(await reading(simulator), None, Thresholds(), simulator.world.clock())
    assert ("service", "fail") in {(check.name, check.status) for check in checks if check.where.startswith("adfs2")}


async def test_a_connection_that_breaks(simulator: Simulator) -> None:
    """What was read before stays."""
    simulator.farm(nodes=2, proxies=0)
    simulator.drop_during("Get-AdfsSslCertificate", host="adfs2.corp.example.com")
    node = (await reading(simulator)).nodes[1]
    assert "broke" in node.error
    assert node.role is SyncRole.SECONDARY


async def test_a_primary_that_breaks_off_while_the_farm_is_read(simulator: Simulator) -> None:
    """It is asked once more; then the farm's error names it."""
    simulator.farm(nodes=1, proxies=0)
    simulator.drop_during("Get-AdfsRelyingPartyTrust", host="adfs1.corp.example.com")
    assert (await reading(simulator)).error == ""
    simulator.drop_during("Get-AdfsRelyingPartyTrust", times=2, host="adfs1.corp.example.com")
    farm = await reading(simulator)
    assert "adfs1" in farm.error
    assert farm.nodes[0].certificates


async def test_a_refused_credential(simulator: Simulator) -> None:
    """Every host says so; nothing is raised."""
    simulator.farm(nodes=2, proxies=1)
    shell = SimulatedShell(simulator, user="CORP\\nobody")
    farm = await read_farm(shell, settings_of(simulator), simulator.world.clock())
    assert all("not allowed" in host.error for host in farm.hosts)


async def test_key_access(simulator: Simulator) -> None:
    """With the JEA endpoint; without it nothing of it is known, and never that there is no key."""
    simulator.farm(nodes=2, proxies=0)
    extra = simulator.issue("extra.example.com")
    simulator.put("adfs1.corp.example.com", extra, readable=False)
    simulator.put("adfs2.corp.example.com", extra, key=False)
    simulator["adfs2.corp.example.com"].jea = False
    farm = await reading(simulator)
    seen = [next(r.key for r in n.stored if r.certificate.thumbprint == extra.thumbprint) for n in farm.nodes]
    assert seen == [KeyAccess.NOT_GRANTED, KeyAccess.UNKNOWN]
    assert {row.key for row in farm.nodes[1].stored} == {KeyAccess.UNKNOWN}
    simulator["adfs2.corp.example.com"].jea = True
    (again,) = [r.key for r in (await reading(simulator)).nodes[1].stored if r.certificate.thumbprint == extra.thumbprint]
    assert again is KeyAccess.NO_KEY


async def test_clocks(simulator: Simulator) -> None:
    """To the second."""
    simulator.farm(nodes=2, proxies=1)
    simulator.skew("adfs2.corp.example.com", 120.0)
    simulator.skew("wap1.dmz.corp.example.com", -90.0)
    farm = await reading(simulator)
    assert farm.nodes[1].clock_skew == pytest.approx(120, abs=2)
    assert farm.proxies[0].clock_skew == pytest.approx(-90, abs=2)


async def test_a_lost_proxy_trust(simulator: Simulator, clock: ManualClock) -> None:
    """A proxy that was off for too long."""
    simulator.farm(nodes=1, proxies=1)
    simulator.offline("wap1.dmz.corp.example.com")
    clock.advance(20 * DAY)
    simulator.online("wap1.dmz.corp.example.com")
    proxy = (await reading(simulator)).proxies[0]
    assert not proxy.trust_ok
    assert proxy.trust_ends is not None
    assert proxy.trust_ends < clock()


async def test_a_farm_that_is_not_to_be_asked(simulator: Simulator) -> None:
    """No command is sent."""
    simulator.farm(nodes=1, proxies=0)
    settings = replace(settings_of(simulator), winrm=False)
    farm = await read_farm(SimulatedShell(simulator), settings, simulator.world.clock())
    assert farm.error == NOT_ASKED
    assert simulator.log == []


async def test_nothing_is_changed(simulator: Simulator) -> None:
    """Every command only reads."""
    simulator.farm(nodes=2, proxies=2)
    await reading(simulator)
    assert {entry.command.partition("-")[0] for entry in simulator.log} == {"Get"}


async def test_progress(simulator: Simulator) -> None:
    """Each host once."""
    simulator.farm(nodes=2, proxies=1)
    seen: list[str] = []
    settings = settings_of(simulator)
    await read_farm(SimulatedShell(simulator), settings, simulator.world.clock(), on_host=seen.append)
    assert sorted(seen) == sorted((*settings.nodes, *settings.proxies))


async def test_hosts_are_read_at_the_same_time(simulator: Simulator) -> None:
    """Each command waits until every host is at one: forty in a row would never get there."""
    simulator.farm(nodes=30, proxies=10)
    settings = settings_of(simulator)
    inner, together = SimulatedShell(simulator), asyncio.Barrier(40)

    class Gathering:
        async def run(self, host: str, command: Command, *, timeout: float = 60.0) -> list[PSObject]:  # noqa: ASYNC109
            if command.name == "Get-Date":
                await together.wait()
            return await inner.run(host, command, timeout=timeout)

        async def close(self) -> None:
            await inner.close()

    async with asyncio.timeout(20):
        farm = await read_farm(Gathering(), settings, simulator.world.clock())
    assert not any(host.error for host in farm.hosts)
