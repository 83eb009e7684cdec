"""What a real farm shows, and whether the simulation says the same. Changes nothing."""

from __future__ import annotations

import asyncio
import time

import pytest

from adfs_mgmt.farm import SyncRole, Use, find_inconsistencies
from adfs_mgmt.procedures.observation import FarmObservation
from adfs_mgmt.procedures.request import RolloverRequest
from adfs_mgmt.procedures.rollover import plan
from adfs_mgmt.procedures.view import RolloverPolicy
from adfs_mgmt.remoting import Command, CommandFailed, HostKind
from tests.adfs.live.conftest import REFUSALS, Answer, Seen, readings
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ManualClock, Simulator

_SECONDARY = "PS0033"


def test_every_server_was_read(seen: Seen) -> None:
    """No command that we need failed."""
    assert {host.host: host.error for host in seen.farm.hosts if host.error} == {}
    assert seen.farm.error == ""


def test_every_node_is_known(seen: Seen) -> None:
    """Windows, name, role, account, service: whatever judgement needs."""
    for node in seen.farm.nodes:
        assert node.windows in {"2012 R2", "2016", "2019", "2022", "2025"}, node.host
        assert node.fqdn, node.host
        assert node.role in set(SyncRole), node.host
        assert node.service_account, node.host
        assert node.service_running, node.host
        assert node.bindings, node.host


def test_every_certificate_is_known_whole(seen: Seen) -> None:
    """Each with its DER, one primary for each use; so the text of a certificate was not needed."""
    primary = seen.farm.primary
    assert primary is not None
    for use in (Use.SIGNING, Use.DECRYPTING):
        rows = [row for row in primary.certificates if row.use is use]
        assert sum(row.is_primary for row in rows) == 1, use
        assert all(row.certificate.der for row in rows if row.is_primary), use


def test_inside_and_outside_agree(seen: Seen) -> None:
    """A healthy farm contradicts itself nowhere: neither does our reading of it."""
    found = find_inconsistencies(seen.farm, seen.outside)
    assert [f"{each.where}: {each.what} ({each.one}; {each.other})" for each in found] == []
    assert [each.host for each in seen.outside.served if not each.probe_ok or not each.signed_by] == []


def test_a_rollover_can_be_planned(seen: Seen) -> None:
    """With AutoCertificateRollover, which the planner does not refuse on a healthy farm."""
    if not seen.farm.properties.auto_rollover:
        pytest.skip("AutoCertificateRollover is off: a plan needs a certificate")
    observed = FarmObservation(farm=seen.farm, outside=seen.outside)
    made = plan(RolloverRequest(kind="token"), observed, RolloverPolicy(), time.time())
    assert made.steps


@pytest.mark.parametrize("kind", list(HostKind))
def test_answers_have_what_the_simulation_says(seen: Seen, kind: HostKind) -> None:
    """Each property that the simulation gives an object is there on the real one, of the same type."""
    hosts = seen.chosen.nodes if kind is HostKind.NODE else seen.chosen.proxies
    missing = []
    for host in hosts:
        simulated = asyncio.run(_simulated(seen, host, kind))
        for name in readings(kind):
            missing += [f"{kind} {name}: {each}" for each in _differences(seen.answers[host][name], simulated[name])]
    assert sorted(set(missing)) == []


def test_refusals_are_those_of_the_simulation(seen: Seen) -> None:
    """Errors have the same identifiers, by which we tell them apart."""
    simulated = [_failure(each) for each in asyncio.run(_refused(seen))]
    for host in seen.chosen.nodes:
        assert [_failure(each) for each in seen.refusals[host]] == simulated, host


def test_the_endpoint_lets_nothing_else_through(seen: Seen) -> None:
    """With a JEA endpoint of ours a command outside the catalogue is refused, and our functions are there."""
    if seen.settings.remoting.configuration == "Microsoft.PowerShell":
        assert all(isinstance(answers["Get-IsthmusKeyAccess"], CommandFailed) for answers in seen.answers.values())
        return
    for host, answers in seen.answers.items():
        assert isinstance(answers["Get-IsthmusKeyAccess"], list), f"{host}: {answers['Get-IsthmusKeyAccess']}"
    assert all(isinstance(answer, CommandFailed) for answers in seen.refusals.values() for answer in answers)


def _failure(answer: Answer) -> tuple[str, str]:
    """What stands behind the identifier's comma is the cmdlet's class, or the name of JEA's proxy of it."""
    if isinstance(answer, CommandFailed):
        return answer.error_id.partition(",")[0], answer.category
    return "", "no error"


def _differences(real: Answer, simulated: Answer) -> list[str]:
    """Of the first object of each: the others are like it."""
    if isinstance(real, CommandFailed) or isinstance(simulated, CommandFailed):
        both = {_failure(real)[0], _failure(simulated)[0]}
        return [] if both == {_SECONDARY} or len(both) == 1 else [f"error {' against '.join(sorted(both))}"]
    if not real or not simulated:
        return []
    first, model = real[0], simulated[0]
    absent = [f"{name} is missing" for name in model if name not in first]
    other = [
        f"{name} is {type(first[name]).__name__}, not {type(value).__name__}"
        for name, value in model.items()
        if name in first and value is not None and first[name] is not None and type(first[name]) is not type(value)
    ]
    return absent + other


async def _simulated(seen: Seen, host: str, kind: HostKind) -> dict[str, Answer]:
    """The same commands on a simulated server of the same role and Windows."""
    node = next((each for each in seen.farm.nodes if each.host == host), seen.farm.nodes[0])
    simulator = Simulator(ManualClock(time.time()))
    jea = seen.settings.remoting.configuration != "Microsoft.PowerShell"
    farm = simulator.farm(node.windows, 2, 1, wid=not seen.farm.properties.sql, jea=jea)
    nodes = simulator.world.nodes(farm)
    place = nodes[node.role is SyncRole.SECONDARY] if kind is HostKind.NODE else simulator.world.proxies(farm)[0]
    shell = SimulatedShell(simulator)
    return {name: await _one(shell, place.fqdn, command) for name, command in readings(kind).items()}


async def _refused(seen: Seen) -> list[Answer]:
    simulator = Simulator(ManualClock(time.time()))
    farm = simulator.farm(seen.farm.nodes[0].windows, 1, 0)
    return [await _one(SimulatedShell(simulator), simulator.world.nodes(farm)[0].fqdn, command) for command in REFUSALS]


async def _one(shell: SimulatedShell, host: str, command: Command) -> Answer:
    try:
        return await shell.run(host, command)
    except CommandFailed as error:
        return error
