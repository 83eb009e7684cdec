"""The wheel and its locked packages on a bare Debian 12, without an index: as the documentation says to install them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.install.machine import ROOT, BareMachine, bare_machine
from tests.install.packages import build_wheel, downloaded
from tests.structure.source import PACKAGES

pytestmark = [pytest.mark.install, pytest.mark.long]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def install(machine: BareMachine, wheel: Path, process: str) -> None:
    """As the documentation says, with the packages beside it instead of an index, and no network at all."""
    carried = machine.path("/root/packages")
    carried.mkdir()
    for path in (*downloaded(process).iterdir(), wheel):
        (carried / path.name).write_bytes(path.read_bytes())
    machine.must("python3", "-m", "venv", "/opt/isthmus")
    pip = ("/opt/isthmus/bin/pip", "install", "--quiet", "--no-index")
    locked = ("--require-hashes", "--find-links", "/root/packages", "--requirement", f"/root/packages/{process}.txt")
    machine.must(*pip, *locked, network=False)
    machine.must(*pip, "--no-deps", f"/root/packages/{wheel.name}", network=False)
    machine.must("ln", "-s", "/opt/isthmus/bin/isthmus", "/usr/local/bin/isthmus")


@pytest.fixture(scope="module")
def relay_machine(wheel: Path) -> Iterator[BareMachine]:
    with bare_machine("relay") as machine:
        install(machine, wheel, "relay")
        yield machine


@pytest.fixture(scope="module")
def agent_machine(wheel: Path) -> Iterator[BareMachine]:
    with bare_machine("agent") as machine:
        install(machine, wheel, "agent")
        yield machine


def test_the_wheel_holds_every_file_of_the_packages(wheel: Path) -> None:
    """Templates, styles, texts and migrations included; neither tests nor the demo."""
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if not name.partition("/")[0].endswith(".dist-info")}
    files = {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == files


def test_the_licence_comes_with_it(wheel: Path) -> None:
    """Its text, and its name as an expression (PEP 639)."""
    archive = zipfile.ZipFile(wheel)
    [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    assert "License-Expression: Apache-2.0" in archive.read(metadata).decode().splitlines()
    [licence] = [name for name in archive.namelist() if name.endswith("/licenses/LICENSE")]
    assert archive.read(licence) == (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize("process", ["relay", "agent"])
def test_each_process_has_all_that_it_needs(process: str, request: pytest.FixtureRequest) -> None:
    """Nothing is missing and nothing conflicts; its commands start."""
    machine: BareMachine = request.getfixturevalue(f"{process}_machine")
    machine.must("/opt/isthmus/bin/pip", "check", network=False)
    assert "Usage: isthmus" in machine.must("isthmus", "--help")
    machine.must("isthmus", process, "run", "--help")
    assert "state_dir" in machine.must("isthmus", "config", "example", process)
