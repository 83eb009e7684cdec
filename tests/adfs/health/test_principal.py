"""The service principal name: read on one node, and judged."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adfs_mgmt.farm import Farm, ServicePrincipal, read_farm
from adfs_mgmt.health.checks import check_farm
from adfs_mgmt.health.settings import Thresholds
from findings import Finding
from tests.adfs.farm import samples
from tests.adfs.farm.samples import NAME, NOW, principal
from tests.adfs.farm.served import settings_of
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ManualClock, Simulator

OWN, OTHER = "EXAMPLE\\adfs$", "EXAMPLE\\WEB1$"
COMMAND = "Get-IsthmusServicePrincipal"


def judged(farm: Farm) -> list[Finding]:
    return [each for each in check_farm(farm, None, Thresholds(), NOW) if each.name == "service-principal-name"]


@pytest.mark.parametrize(
    ("seen", "status", "words", "remedy"),
    [
        (principal((OWN, f"host/{NAME}")), "pass", "no other account", ""),
        (principal((OWN, f"HOST/{NAME.upper()}", f"http/{NAME}")), "pass", "no other account", ""),
        (principal(), "fail", "no account has", f"setspn -S host/{NAME} {OWN}."),
        (principal((OTHER, f"host/{NAME}")), "fail", "wrong account", f"setspn -D host/{NAME} {OTHER}; setspn -S host/"),
        (principal((OWN, f"host/{NAME}"), (OTHER, f"host/{NAME}")), "fail", OTHER, f"setspn -D host/{NAME} {OTHER}."),
        (principal((OWN, f"host/{NAME}"), (OTHER, f"HTTP/{NAME}")), "fail", OTHER, f"setspn -D HTTP/{NAME} {OTHER}."),
        (principal((OWN, f"http/{NAME}")), "warn", "other than browsers", f"setspn -S host/{NAME} {OWN}."),
        (principal(error="no global catalog"), "warn", "no global catalog", f"setspn -F -Q host/{NAME}"),
    ],
    ids=["good", "both kinds", "none", "another's", "doubled", "http elsewhere", "http only", "not asked"],
)
def test_who_has_it(seen: ServicePrincipal, status: str, words: str, remedy: str) -> None:
    """Exactly AD FS's own account is right; else the command that fixes it is named."""
    (check,) = judged(replace(samples.farm(), principal=seen))
    assert (check.status, check.where) == (status, NAME)
    assert words in check.seen
    assert remedy in check.remedy
    assert bool(check.remedy) is (status != "pass")


def test_no_check_where_nobody_could_be_asked() -> None:
    """Not a pass either."""
    assert judged(replace(samples.farm(), principal=None)) == []


# -- read on a simulated farm


@pytest.fixture
def simulator() -> Simulator:
    made = Simulator(ManualClock(NOW))
    made.farm(nodes=3, proxies=1)
    return made


async def reading(simulator: Simulator) -> Farm:
    return await read_farm(SimulatedShell(simulator), settings_of(simulator), simulator.world.clock())


def asked(simulator: Simulator) -> list[str]:
    return [each.host for each in simulator.log if each.command == COMMAND]


async def test_one_node_is_asked(simulator: Simulator) -> None:
    """The primary: it is the directory that answers."""
    farm = await reading(simulator)
    assert asked(simulator) == ["adfs1.corp.example.com"]
    assert [each.status for each in judged(farm)] == ["pass"]
    assert farm.principal is not None
    assert farm.principal.service_account == "CORP\\adfs-svc$"


async def test_another_node_is_asked_where_the_primary_is_gone(simulator: Simulator) -> None:
    """Off, or cut off in the middle of it."""
    simulator.offline("adfs1.corp.example.com")
    simulator.drop_during(COMMAND, host="adfs2.corp.example.com")
    assert [each.status for each in judged(await reading(simulator))] == ["pass"]
    assert asked(simulator) == ["adfs2.corp.example.com", "adfs3.corp.example.com"]


async def test_what_the_directory_says_is_judged(simulator: Simulator) -> None:
    """Missing, and with an account too many."""
    simulator.world.principals.clear()
    (check,) = judged(await reading(simulator))
    assert (check.status, check.remedy) == ("fail", "setspn -S host/fs.example.com CORP\\adfs-svc$.")
    simulator.world.principals = {"CORP\\adfs-svc$": ["HOST/fs.example.com"], "SUB\\old": ["http/FS.example.com", "x/y"]}
    (check,) = judged(await reading(simulator))
    assert (check.status, check.remedy) == ("fail", "setspn -D http/FS.example.com SUB\\old.")


async def test_without_the_endpoint_there_is_no_check(simulator: Simulator) -> None:
    """Which is not an error of the node, either."""
    for host in simulator.world.hosts.values():
        host.jea = False
    farm = await reading(simulator)
    assert farm.principal is None
    assert judged(farm) == []
    assert not any(node.error for node in farm.nodes)


async def test_a_directory_that_does_not_answer_is_said(simulator: Simulator) -> None:
    """A warning: nothing is known."""
    simulator.world.global_catalog = False
    (check,) = judged(await reading(simulator))
    assert check.status == "warn"
    assert "cannot be contacted" in check.seen


async def test_a_name_that_is_none(simulator: Simulator) -> None:
    """It reaches no host."""
    settings = replace(settings_of(simulator), federation_name="fs.example.com)(cn=*")
    farm = await read_farm(SimulatedShell(simulator), settings, simulator.world.clock())
    assert farm.principal is not None
    assert "not a host name" in farm.principal.error
    assert asked(simulator) == []
