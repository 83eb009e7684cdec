"""Farms and tenants by name, and settings that contradict themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from adfs_mgmt.operations import FileUnusable, NotPossible, OperationContext, SelectionError, SettingsError
from tests.adfs.operations.settings import Settings, context_of, farm, tenant
from tests.adfs.simulator.simulator import ManualClock, Simulator

STATE = Path("state")


def context(*farms: str, **more: object) -> OperationContext:
    """Of farms with these names."""
    found = tuple(farm(name, nodes=(f"{name}1",)) for name in farms)
    return OperationContext(settings=Settings(STATE, found, **more))  # type: ignore[arg-type]


def test_a_farm_by_its_name_or_the_only_one() -> None:
    """Never one of several."""
    assert context("prod").farm().name == "prod"
    assert context("prod", "test").farm("test").name == "test"
    with pytest.raises(SelectionError, match="--farm: prod, test"):
        context("prod", "test").farm()
    with pytest.raises(SelectionError, match="no farm other in the settings; available: prod"):
        context("prod").farm("other")
    with pytest.raises(SelectionError, match=r"\[\[farms\]\]"):
        context().farm()


def test_all_farms_or_those_that_are_named() -> None:
    """Each once, in the order in which they were named."""
    found = context("a", "b", "c")
    assert [one.name for one in found.farms()] == ["a", "b", "c"]
    assert [one.name for one in found.farms(["c", "a", "c"])] == ["c", "a"]
    with pytest.raises(SelectionError, match="no farm x, y"):
        found.farms(["x", "a", "y"])


def test_a_farm_without_nodes_is_not_changed() -> None:
    """It can only be observed."""
    only_seen = OperationContext(settings=Settings(STATE, (farm(winrm=False, nodes=("a",)),)))
    assert only_seen.farm().name == "prod"
    with pytest.raises(NotPossible, match="only observed from outside"):
        only_seen.managed_farm()
    with pytest.raises(NotPossible, match="only observed from outside"):
        OperationContext(settings=Settings(STATE, (farm(),))).managed_farm()


def test_a_tenant_has_a_farm() -> None:
    """The one that its settings name, or the only one."""
    assert context("prod", entra=(tenant(),)).tenant().farm.name == "prod"
    several = context("prod", "test", entra=(tenant("a", "test"), tenant("b", "prod")))
    assert [(one.entra.tenant, one.farm.name) for one in several.tenants()] == [("a", "test"), ("b", "prod")]
    assert several.tenant("b").farm.name == "prod"
    with pytest.raises(SelectionError, match="--tenant: a, b"):
        several.tenant()
    with pytest.raises(SelectionError, match="no tenant c in the settings; available: a, b"):
        several.tenant("c")
    with pytest.raises(SelectionError, match=r"\[\[entra\]\]"):
        context("prod").tenants()


@pytest.mark.parametrize(("farms", "named", "said"), [(("a", "b"), "", "set `farm` to one of a, b"), (("a",), "c", "'c'")])
def test_a_tenant_without_its_farm(farms: tuple[str, ...], named: str, said: str) -> None:
    """Nobody guesses which farm its domains are federated with."""
    with pytest.raises(SettingsError, match=said):
        context(*farms, entra=(tenant(farm=named),)).tenants()


@pytest.mark.parametrize(
    ("farms", "said"),
    [
        ((farm("a"), farm("a")), "two farms are called a"),
        ((farm("a", nodes=("x", "X=10.0.0.1")),), "x is a node of a and a node of a"),
        ((farm("a", nodes=("x",)), farm("b", proxies=("x",))), "x is a node of a and a proxy of b"),
    ],
)
def test_farms_that_would_be_taken_for_one_another(farms: tuple[object, ...], said: str) -> None:
    """Said before anything is asked."""
    with pytest.raises(SettingsError, match=said):
        OperationContext(settings=Settings(STATE, farms))  # type: ignore[arg-type]


async def test_a_recording_that_cannot_be_written(tmp_path: Path) -> None:
    """Nothing is sent to a server then."""
    simulator = Simulator(ManualClock(0.0))
    found = context_of(simulator, ManualClock(0.0), Settings(tmp_path, (farm(),)))
    recorded = OperationContext(settings=found.settings, connect=found.connect, recording=tmp_path / "nowhere" / "r.jsonl")
    with pytest.raises(FileUnusable, match="cannot be written"):
        async with recorded.shell():
            pass
    assert simulator.log == []
