"""The suite for real farms, run on the simulated one: it passes there, and it can fail."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adfs_mgmt.farm import Use
from tests.adfs.health.stand import stand
from tests.adfs.simulator.cmdlets import CMDLETS
from tests.adfs.simulator.simulator import Simulator


def suite(config: Path, results: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """As `make test-live` runs it."""
    results.mkdir(exist_ok=True)
    settings = {"ISTHMUS_LIVE": str(config), "ISTHMUS_LIVE_RESULTS": str(results), **more}
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/adfs/live"]
    return subprocess.run(words, env={**os.environ, **settings}, capture_output=True, text=True, check=False)


def farm(*, poll: float = 300.0) -> Simulator:
    """Two nodes and a proxy."""
    simulator = Simulator(time.time)
    made = simulator.farm(nodes=2, proxies=1)
    made.shared.poll = poll
    for host in simulator.world.nodes(made):
        assert host.node is not None
        host.node.configuration.poll = poll
    return simulator


def test_it_passes_on_the_simulated_farm(tmp_path: Path) -> None:
    """Reading alone: nothing is changed, and the recording is there to be sent."""
    simulator = farm()
    with stand(simulator, tmp_path) as config:
        done = suite(config, tmp_path / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" in done.stdout  # the test that changes something
    assert {each.command.split("-")[0] for each in simulator.log} == {"Get"}
    [recording] = (tmp_path / "results").iterdir()
    assert "corp.example.com" not in recording.read_text()


def test_it_rolls_over_and_back_where_it_may(tmp_path: Path) -> None:
    """With the farm named twice; afterwards it has its old certificates."""
    simulator = farm(poll=1.0)
    before = [row.certificate.thumbprint for row in simulator.world.farms[0].shared.certificates]
    with stand(simulator, tmp_path) as config:
        done = suite(config, tmp_path / "results", ISTHMUS_LIVE_CHANGE="prod")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout
    changed = [each.parameters for each in simulator.log if each.command == "Set-AdfsCertificate"]
    assert {parameters["CertificateType"] for parameters in changed} == {Use.SIGNING, Use.DECRYPTING}
    assert [row.certificate.thumbprint for row in simulator.world.farms[0].shared.certificates] == before


def test_it_fails_where_a_farm_is_not_as_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A property that real AD FS does not have is named."""
    original = CMDLETS["get-adfssslcertificate"]
    monkeypatch.setitem(
        CMDLETS,
        "get-adfssslcertificate",
        lambda call: [{name: value for name, value in row.items() if name != "CtlStoreName"} for row in original(call)],
    )
    with stand(farm(), tmp_path) as config:
        done = suite(config, tmp_path / "results")
    assert done.returncode == 1
    assert "node Get-AdfsSslCertificate: CtlStoreName is missing" in done.stdout


def test_a_wrong_password_ends_it_after_one_try(tmp_path: Path) -> None:
    """No account is locked by a suite that tries again for each test."""
    simulator = farm()
    with stand(simulator, tmp_path) as config:
        (tmp_path / "password").write_text("wrong")
        done = suite(config, tmp_path / "results")
    assert done.returncode == 2, done.stdout + done.stderr
    assert simulator.log == []


def test_it_is_not_collected_unasked() -> None:
    """Nobody's farm is touched by `make test`."""
    words = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:cacheprovider", "tests/adfs/live"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ISTHMUS_LIVE")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert "test_reading" not in done.stdout
