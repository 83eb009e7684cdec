"""Each check before anything is changed, on a simulated farm with one thing wrong; and plans that are saved."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from adfs_mgmt.farm import Farm, Node, ObservedServer, Properties, SyncRole
from adfs_mgmt.procedures.deployment import SERVER_STATES, plan_server
from adfs_mgmt.procedures.preflight import preflight
from adfs_mgmt.procedures.server import Operation, ServerObservation
from findings import explain
from foundation.procedures import End, Plan, PlanOutdated, PlanUnusable, Refused, load, save
from tests.adfs.deploy.support import DOMAIN, NAME, NEW, PRIMARY, SECRETS, Scene, done, failed
from tests.adfs.simulator.state import RelyingParty


def remove_certificate(scene: Scene) -> None:
    scene.new.store.clear()


def put_without_key(scene: Scene) -> None:
    scene.simulator.put(NEW, scene.ssl, key=False)


def leave_domain(scene: Scene) -> None:
    scene.new.domain = ""


def clock_ahead(scene: Scene) -> None:
    scene.simulator.skew(NEW, 400.0)


def old_windows(scene: Scene) -> None:
    scene.new.version = "2016"


def stop_primary(scene: Scene) -> None:
    scene.simulator.offline(PRIMARY)


def stop_service_of_primary(scene: Scene) -> None:
    scene.simulator.stop_service(PRIMARY)


def many_trusts(scene: Scene) -> None:
    node = scene.simulator[PRIMARY].node
    assert node is not None
    node.configuration.relying_parties = [RelyingParty(name=f"P{n}", identifiers=(f"urn:{n}",)) for n in range(101)]


def off(scene: Scene) -> None:
    scene.simulator.offline(NEW)


@pytest.mark.parametrize(
    ("break_it", "name", "said"),
    [
        (remove_certificate, "SSL certificate", "is not in LocalMachine\\My; import it with its private key on adfs9"),
        (put_without_key, "SSL certificate", "is in LocalMachine\\My without its private key; remove it, then import it"),
        (leave_domain, "domain", "in a workgroup; join it to the domain"),
        (clock_ahead, "clock", "its clock is +400 s off; on the server, run w32tm /resync"),
        (old_windows, "windows", "Windows Server 2016 cannot serve a farm of behaviour level 4; use Windows Server 2019"),
        (stop_primary, "primary", "no primary server answers"),
        (stop_service_of_primary, "primary", "fix it first"),
        (many_trusts, "WID", "101 trusts; WID supports 100; move the configuration to SQL Server"),
        (off, "reachable", "does not answer over WinRM (no connection); on the server, run Enable-PSRemoting"),
    ],
)
async def test_what_is_wrong_is_named_with_its_remedy(
    break_it: Callable[[Scene], None], name: str, said: str, tmp_path: Path
) -> None:
    """And nothing can be applied."""
    scene = Scene(tmp_path)
    break_it(scene)
    plan = await scene.plan()
    assert said in failed(plan)[name]
    with pytest.raises(Refused):
        await scene.deployment().apply(plan, SECRETS)
    assert scene.watch.acts == []


async def test_short_names_are_refused(tmp_path: Path) -> None:
    """Before anybody is asked."""
    scene = Scene(tmp_path)
    assert "give the fully qualified name" in failed(await scene.plan(host="adfs9"))["name"]


async def test_a_gmsa_that_the_host_may_not_use_is_found_by_windows_own_test(tmp_path: Path) -> None:
    """As a failed check if the role is there already, as a failed step before the join otherwise; with the remedy."""
    scene = Scene(tmp_path)
    scene.farm.gmsa_hosts.discard(NEW)
    plan = await scene.plan()
    (later,) = [finding for finding in plan.findings if finding.status == "unknown"]
    assert "PrincipalsAllowedToRetrieveManagedPassword" in later.remedy
    result = await scene.deployment().apply(plan, SECRETS)
    assert result.end is End.STOPPED
    assert "not among the principals" in result.problem
    assert scene.new.node is None
    assert done(await scene.deployment().resume(NEW, SECRETS, undo=True)).outcome == "cleaned up"
    scene.new.features.add("ADFS-Federation")
    (text, *_) = [explain(finding) for finding in (await scene.plan()).failed if "principals" in finding.seen]
    assert "Set-ADServiceAccount adfs-svc$ -PrincipalsAllowedToRetrieveManagedPassword" in text


async def test_a_node_that_is_there_is_not_added_again(tmp_path: Path) -> None:
    """Nor a proxy."""
    scene = Scene(tmp_path)
    await scene.apply()
    await scene.apply(Operation.PROXY_ADD)
    assert "already belongs to a farm" in failed(await scene.plan())["new"]
    assert "is already a proxy" in failed(await scene.plan(Operation.PROXY_ADD))["new"]


async def test_what_is_no_member_is_not_removed(tmp_path: Path) -> None:
    """Neither node nor proxy."""
    scene = Scene(tmp_path)
    assert "is not a node of the farm" in failed(await scene.plan(Operation.NODE_REMOVE))["member"]
    assert "is not a proxy" in failed(await scene.plan(Operation.PROXY_REMOVE))["member"]


async def test_a_federation_name_that_is_the_servers_own_is_refused(tmp_path: Path) -> None:
    """Kerberos would fail for everybody."""
    scene = Scene(tmp_path)
    plan = await scene.plan(Operation.FARM_NEW, federation_name=NEW)
    assert "is the server's own name" in failed(plan)["name"]


async def test_a_password_in_a_connection_string_is_refused(tmp_path: Path) -> None:
    """It would stand in plan and journal."""
    scene = Scene(tmp_path, wid=False)
    plan = await scene.plan(sql="Data Source=sql1;User ID=sa;Password=Secret1")
    assert "Integrated Security" in failed(plan)["database"]


# -- plans on disk


async def test_a_saved_plan_is_applied_by_somebody_else(tmp_path: Path) -> None:
    """It says who made it, what is sent to whom, and what would undo it; it holds no secret."""
    scene = Scene(tmp_path)
    save(await scene.plan(), tmp_path / "plan.json")
    text = (tmp_path / "plan.json").read_text()
    assert "Passw0rd" not in text
    read = json.loads(text)
    assert read["made_by"] == "ann@ws1"
    assert any("Add-AdfsFarmNode" in command for step in read["steps"] for command in step["acts"])
    assert any("Set-AdfsFarmInformation" in command for step in read["steps"] for command in step["undo"])
    bob = scene.deployment()
    bob.who = "bob@ws2"
    record = done(await bob.apply(load(tmp_path / "plan.json", SERVER_STATES), SECRETS))
    assert (record.outcome, record.by) == ("done", "bob@ws2")


async def test_a_plan_is_not_applied_to_a_farm_that_changed(tmp_path: Path) -> None:
    """Every difference is told; nothing is done."""
    scene = Scene(tmp_path)
    plan = await scene.plan()
    scene.settings = dataclasses.replace(scene.settings, nodes=scene.settings.nodes[:1])
    scene.new.version = "2022"
    with pytest.raises(PlanOutdated) as changed:
        await scene.deployment().apply(plan, SECRETS)
    assert f"{NEW}: Windows: was 2019, is 2022" in str(changed.value)
    assert f"nodes: was adfs1.{DOMAIN}=127.0.0.1, adfs2" in str(changed.value)
    assert scene.watch.acts == []
    assert scene.deployment().record(NEW) is None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text.replace(NEW, f"adfs8.{DOMAIN}"), "was changed after it was made"),
        (lambda text: text[:200], "is not a plan"),
        (lambda _: "[" * 100_000, "is not a plan"),
        (lambda _: "{}", "is a plan of version None"),
        (lambda text: text.replace('"version": 3', '"version": 4'), "is a plan of version 4; this Isthmus knows 3"),
    ],
)
async def test_a_plan_that_was_spoilt_is_not_applied(spoil: Callable[[str], str], said: str, tmp_path: Path) -> None:
    """Edited after the review, cut off, hostile, of another version."""
    path = tmp_path / "plan.json"
    save(await Scene(tmp_path).plan(), path)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(PlanUnusable, match=said):
        load(path, SERVER_STATES)


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    """With its path."""
    with pytest.raises(PlanUnusable, match=r"plan\.json: cannot be read"):
        load(tmp_path / "plan.json", SERVER_STATES)


# -- size


def test_a_plan_for_a_farm_of_a_thousand_nodes_takes_less_than_a_second(tmp_path: Path) -> None:
    """A pure function of what was seen."""
    nodes = tuple(
        Node(
            host=f"adfs{number}.{DOMAIN}",
            fqdn=f"adfs{number}.{DOMAIN}",
            role=SyncRole.SECONDARY if number else SyncRole.PRIMARY,
            service_running=True,
        )
        for number in range(1000)
    )
    farm = Farm(name="prod", read_at=0.0, properties=Properties(federation_name=NAME, sql=True), nodes=nodes)
    seen = ServerObservation(now=1.0, farm=farm, host=ObservedServer(host=NEW, windows="2019", domain=DOMAIN))
    begun = time.process_time()
    plan = plan_server(Scene(tmp_path).spec(), seen, by="ann")
    assert time.process_time() - begun < 1
    assert isinstance(plan, Plan)
    assert plan.marks["nodes"].count(",") == 999


def test_thirty_nodes_are_the_most_with_wid(tmp_path: Path) -> None:
    """The thirty-first is refused."""
    nodes = tuple(Node(host=f"adfs{n}.{DOMAIN}", role=SyncRole.SECONDARY if n else SyncRole.PRIMARY) for n in range(30))
    farm = Farm(name="prod", read_at=0.0, properties=Properties(federation_name=NAME), nodes=nodes)
    seen = ServerObservation(now=1.0, farm=farm, host=ObservedServer(host=NEW, windows="2019", domain=DOMAIN))
    texts = [explain(finding) for finding in preflight(Scene(tmp_path).spec(), seen)]
    assert any("it would be node 31 of 30" in text for text in texts)
