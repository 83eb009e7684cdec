"""Each operation from plan to probe, on a simulated farm."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from adfs_mgmt.procedures.server import Operation, Secrets
from adfs_mgmt.remoting import Secret
from foundation.procedures import End, PlanOutdated, Refused
from tests.adfs.deploy.support import NAME, NEW, PASSWORD, PRIMARY, PROXY, SECRETS, Scene, done, failed, written

EVERY_WINDOWS = ("2012 R2", "2016", "2019", "2022", "2025")


@pytest.mark.parametrize("version", EVERY_WINDOWS)
async def test_a_node_is_added_to_a_farm_of_every_windows(version: str, tmp_path: Path) -> None:
    """Role, test, join, first poll, the farm's table, and the same answers as the primary from outside."""
    scene = Scene(tmp_path, version=version)
    record = await scene.apply()
    assert record.outcome == "done"
    assert scene.new.node is not None
    assert scene.new.node.secondary
    assert scene.new.running("adfssrv")
    named = [row for row in scene.simulator[PRIMARY].bindings if row.host_name != "0.0.0.0"]  # noqa: S104 - netsh's own
    assert scene.new.bindings == named
    assert [act.split(": ")[1].split()[0] for act in scene.watch.acts] == [
        "Install-WindowsFeature",
        "Test-AdfsFarmJoin",
        "Add-AdfsFarmNode",
    ]
    assert f"-PrimaryComputerName '{PRIMARY}' -PrimaryComputerPort 80" in scene.watch.acts[2]


async def test_a_node_of_a_farm_on_sql_server_joins_by_its_connection_string(tmp_path: Path) -> None:
    """Without it the plan says what to give."""
    scene = Scene(tmp_path, wid=False)
    assert "--sql" in failed(await scene.plan())["database"]
    sql = "Data Source=sql1.corp.example.com;Initial Catalog=AdfsConfigurationV4;Integrated Security=True"
    assert (await scene.apply(sql=sql)).outcome == "done"
    assert scene.new.node is not None
    assert not scene.new.node.secondary


async def test_an_ordinary_service_account_needs_its_password(tmp_path: Path) -> None:
    """It is asked for before anything is changed, and shown nowhere."""
    scene = Scene(tmp_path, account="CORP\\adfs-svc")
    scene.simulator.world.accounts["CORP\\adfs-svc"] = "Serv1ce-Passw0rd"
    plan = await scene.plan()
    with pytest.raises(Refused, match=r"the password of CORP\\adfs-svc is missing: give --service-password-file"):
        await scene.deployment().apply(plan, SECRETS)
    assert scene.watch.acts == []
    secrets = Secrets(service_account=Secret("Serv1ce-Passw0rd"), admin=Secret(PASSWORD))
    assert done(await scene.deployment().apply(plan, secrets)).outcome == "done"
    assert "Passw0rd" not in written(tmp_path) + repr(plan) + "".join(scene.watch.acts)
    assert "-ServiceAccountCredential <CORP\\adfs-svc>" in scene.watch.acts[2]


async def test_a_plan_for_a_farm_that_has_changed_is_refused(tmp_path: Path) -> None:
    """What was reviewed is not what would be done; nothing is."""
    scene = Scene(tmp_path)
    plan = await scene.plan()
    with pytest.raises(PlanOutdated, match="primary: was adfs0"):
        await scene.deployment().apply(replace(plan, marks={**plan.marks, "primary": "adfs0"}), SECRETS)
    assert scene.watch.acts == []


async def test_a_node_is_removed_and_no_entry_of_it_stays(tmp_path: Path) -> None:
    """Role first, then the farm's table: the other way round it would write itself back."""
    scene = Scene(tmp_path)
    await scene.apply()
    record = await scene.apply(Operation.NODE_REMOVE)
    assert record.outcome == "done"
    assert scene.new.node is None
    table = scene.simulator[PRIMARY].node
    assert table is not None
    assert NEW not in table.configuration.nodes
    assert [act.split(": ")[1].split()[0] for act in scene.watch.acts[3:]] == [
        "Uninstall-WindowsFeature",
        "Set-AdfsFarmInformation",
    ]


async def test_a_node_that_is_gone_for_good_is_taken_out_of_the_table(tmp_path: Path) -> None:
    """Only when somebody says that it is: --offline."""
    scene = Scene(tmp_path)
    await scene.apply()
    scene.simulator.offline(NEW)
    assert "reachable" in failed(await scene.plan(Operation.NODE_REMOVE))
    assert (await scene.apply(Operation.NODE_REMOVE, offline=True)).outcome == "done"
    table = scene.simulator[PRIMARY].node
    assert table is not None
    assert NEW not in table.configuration.nodes


async def test_the_primary_is_not_removed(tmp_path: Path) -> None:
    """The remedy says how to make another one primary."""
    scene = Scene(tmp_path)
    plan = await scene.plan(Operation.NODE_REMOVE, host=PRIMARY)
    assert "Set-AdfsSyncProperties -Role PrimaryComputer" in failed(plan)["role"]


async def test_the_last_node_is_not_removed(tmp_path: Path) -> None:
    """Nobody could sign in."""
    scene = Scene(tmp_path, nodes=1)
    assert "no federation server is running" in failed(await scene.plan(Operation.NODE_REMOVE, host=PRIMARY))["farm"]


@pytest.mark.parametrize("version", EVERY_WINDOWS)
async def test_a_proxy_is_added_and_removed(version: str, tmp_path: Path) -> None:
    """Its trust is made with the farm, its health is good, and it serves what the farm serves."""
    scene = Scene(tmp_path, version=version)
    assert (await scene.apply(Operation.PROXY_ADD)).outcome == "done"
    assert scene.proxy.proxy is not None
    assert scene.proxy.bindings[0].thumbprint == scene.ssl.thumbprint
    assert (await scene.apply(Operation.PROXY_REMOVE)).outcome == "done"
    assert scene.proxy.proxy is None
    assert "Web-Application-Proxy" not in scene.proxy.features


async def test_a_proxy_that_cannot_find_the_farm_says_so(tmp_path: Path) -> None:
    """The federation name must lead to the primary; after that is fixed the same work continues."""
    scene = Scene(tmp_path)
    del scene.proxy.resolves[NAME]
    result = await scene.deployment().apply(await scene.plan(Operation.PROXY_ADD), SECRETS)
    assert result.end is End.STOPPED
    assert "Unable to connect to the remote server" in result.problem
    scene.proxy.resolves[NAME] = PRIMARY
    assert done(await scene.deployment().resume(PROXY, SECRETS)).outcome == "done"


async def test_a_new_farm_is_made(tmp_path: Path) -> None:
    """With a certificate of its own; the service account is tested by Windows before."""
    scene = Scene(tmp_path)
    own = scene.simulator.issue("login.example.com", "certauth.login.example.com")
    scene.simulator.put(NEW, own)
    more = {
        "federation_name": "login.example.com",
        "thumbprint": own.thumbprint,
        "service_account": "CORP\\adfs-svc$",
        "display_name": "Example",
    }
    plan = await scene.plan(Operation.FARM_NEW, **more)
    assert not plan.failed
    assert {finding.name for finding in plan.findings if finding.status == "unknown"} == {"service account"}
    record = done(await scene.deployment().apply(plan, SECRETS))
    assert record.outcome == "done"
    assert scene.new.node is not None
    assert scene.new.node.farm.name == "login.example.com"
    assert scene.new.node.farm.shared.properties["DisplayName"] == "Example"


async def test_a_farm_with_certificates_of_a_ca_does_not_renew_them_itself(tmp_path: Path) -> None:
    """Both are given, or none; a CNG key is refused before anything is changed."""
    scene = Scene(tmp_path)
    signing, decrypting = scene.simulator.issue("sign.example.com"), scene.simulator.issue("decrypt.example.com")
    more = {"service_account": "CORP\\adfs-svc$", "thumbprint": scene.ssl.thumbprint, "signing": signing.thumbprint}
    assert "neither" in failed(await scene.plan(Operation.FARM_NEW, **more))["token certificates"]
    more["decrypting"] = decrypting.thumbprint
    assert "Token-Signing certificate" in failed(await scene.plan(Operation.FARM_NEW, **more))
    scene.simulator.put(NEW, signing, cng=True)
    scene.simulator.put(NEW, decrypting)
    assert "CNG" in failed(await scene.plan(Operation.FARM_NEW, **more))["Token-Signing certificate"]
    scene.simulator.put(NEW, signing)
    assert (await scene.apply(Operation.FARM_NEW, **more)).outcome == "done"
    assert scene.new.node is not None
    assert scene.new.node.farm.shared.properties["AutoCertificateRollover"] is False
