"""Farms observed and checked, for whoever does it: no command line, nothing printed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adfs_mgmt.operations import (
    FileUnusable,
    NotPossible,
    OperationContext,
    check_farms,
    classify_partner,
    observe_farms,
    read_partners,
    read_recording,
    refresh_partners,
    steps_of,
    write_jea_files,
)
from adfs_mgmt.remoting import HostKind, jea_role
from certs import PartnerKind, PartnerUnknown
from tests.adfs.farm.served import settings_of
from tests.adfs.operations.settings import Settings, context_of
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.simulator import ManualClock, Simulator

OTHER = "adfs2.corp.example.com"


@pytest.fixture
def simulator() -> Simulator:
    """Two servers and a proxy, all well."""
    made = Simulator(ManualClock(time.time()))
    made.farm(nodes=2, proxies=1)
    return made


@pytest.fixture
def context(simulator: Simulator, tmp_path: Path) -> Iterator[OperationContext]:
    """While the servers answer."""
    with Network(simulator) as network:
        clock = ManualClock(time.time())
        yield context_of(simulator, clock, Settings(tmp_path, (settings_of(simulator, network),)))


async def test_a_farm_is_checked(
    context: OperationContext, simulator: Simulator, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each host is told of as it is done, as often as was said before."""
    simulator.stop_service(OTHER)
    hosts: list[str] = []
    (report,) = await check_farms(context, context.farms(), on_host=hosts.append)
    assert ("service", OTHER, "fail") in {(found.name, found.where, found.status) for found in report.findings}
    assert len(hosts) == steps_of(context.farms(), external_only=False)
    assert not report.observation.blind
    assert capsys.readouterr() == ("", "")


async def test_from_outside_no_server_is_asked(context: OperationContext, simulator: Simulator) -> None:
    """Nor is a credential needed."""
    hosts: list[str] = []
    (observed,) = await observe_farms(context, context.farms(), external_only=True, on_host=hosts.append)
    assert simulator.log == []
    assert len(hosts) == steps_of(context.farms(), external_only=True)
    assert all(served.tls for served in observed.external.served)
    assert all(node.error for node in observed.farm.nodes)


async def test_a_farm_of_which_nothing_was_seen(context: OperationContext, simulator: Simulator) -> None:
    """It is said to be one."""
    for host in list(simulator.world.hosts):
        simulator.offline(host)
    (observed,) = await observe_farms(context, context.farms())
    assert observed.blind


async def test_partners_are_learnt_and_classified(context: OperationContext, simulator: Simulator) -> None:
    """The farm says who there is, a person how each learns; a partner that nobody knows is refused."""
    assert read_partners(context).partners == ()
    learnt = await refresh_partners(context)
    name = learnt.partners[0].name
    classify_partner(context, "", name, PartnerKind.MANUAL, contact="Ada")
    assert read_partners(context).partner(name).contact == "Ada"
    with pytest.raises(PartnerUnknown):
        classify_partner(context, "", "nobody", PartnerKind.MANUAL)
    simulator.offline("adfs1.corp.example.com")
    with pytest.raises(NotPossible, match="did not return its relying party trusts"):
        await refresh_partners(context)
    assert read_partners(context).partner(name).contact == "Ada"


async def test_a_recording_that_is_not_there(tmp_path: Path) -> None:
    """Or that is of something else."""
    with pytest.raises(FileUnusable, match="cannot be read"):
        await read_recording(tmp_path / "nowhere")
    other = tmp_path / "r.jsonl"
    other.write_text('{"host": "a", "command": "Get-Date", "parameters": {}, "answer": []}\n')
    with pytest.raises(FileUnusable, match="it contains no reading of a farm"):
        await read_recording(other)


def test_files_for_the_endpoint(tmp_path: Path) -> None:
    """What was written is named, and so is what stands in the way."""
    written = write_jea_files(tmp_path / "jea", "CORP\\operators", "CORP\\adfs-jea$")
    assert all(path.exists() for path in written)
    assert {path.name for path in written} >= {f"{jea_role(kind)}.pssc" for kind in HostKind}
    assert jea_role(HostKind.NODE) != jea_role(HostKind.PROXY)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileUnusable):
        write_jea_files(tmp_path / "file", "CORP\\operators")
