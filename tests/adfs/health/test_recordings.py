"""`isthmus adfs --record`, on a simulated farm behind real WSMan, and what a recording shows afterwards."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from adfs_mgmt.farm import FarmSettings, SyncRole, read_farm
from adfs_mgmt.remoting import Replay
from certs import covers
from isthmus.cli import cli
from isthmus.cli.output import Failure
from tests.adfs.simulator.simulator import Simulator


def run(*words: object) -> None:
    """As typed."""
    cli.main([str(word) for word in words], standalone_mode=False)


def recorded(config: Path, path: Path) -> Path:
    """A recording of a whole status."""
    run("adfs", "--record", path, "status", "--config", config)
    return path


@pytest.mark.usefixtures("restored_logging")
def test_a_status_is_recorded_and_shown_without_the_farm(
    config: Path, simulator: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recording has the same servers, roles, counts and ends, and names nobody."""
    path = recorded(config, tmp_path / "status.jsonl")
    original = capsys.readouterr().out
    run("adfs", "recording", path)
    shown = capsys.readouterr().out
    text = path.read_text().casefold()
    for name in ("corp.example.com", "fs.example.com", "adfs1", "wap1", "adfs-svc", "partner", "adm1n"):
        assert name not in text
        assert name not in shown.casefold()
    for row in simulator.world.farms[0].shared.certificates:
        assert row.certificate.thumbprint.casefold() not in text
    for line in (
        "behaviour level 4, WID, AutoCertificateRollover on (20/5/2 days)",
        "8 of 11 are enabled, 6 through proxies",
    ):
        assert line in original
        assert line in shown
    farm, _, errors = shown.partition("Errors\n")
    assert farm.count("secondary") == original.count("secondary") == 1
    assert farm.count("in 300 days") == original.count("in 300 days")
    assert "PS0033: This cmdlet cannot be executed from a secondary server" in errors


@pytest.mark.usefixtures("restored_logging")
async def test_a_recording_is_read_as_the_farm_was(config: Path, tmp_path: Path) -> None:
    """As test data: the reader finds the same farm in it, without any network."""
    import asyncio

    path = await asyncio.to_thread(recorded, config, tmp_path / "status.jsonl")
    replay = Replay(path)
    nodes = tuple(host for host, commands in replay.hosts.items() if "Get-AdfsSyncProperties" in commands)
    proxies = tuple(host for host in replay.hosts if host not in nodes)
    settings = FarmSettings(name="r", federation_name="", nodes=nodes, proxies=proxies)
    farm = await read_farm(replay, settings, time.time())
    assert [host.error for host in farm.hosts] == ["", "", ""]
    assert sorted(str(node.role) for node in farm.nodes) == [SyncRole.PRIMARY, SyncRole.SECONDARY]
    assert len(farm.relying_parties) == 2
    primary = farm.primary
    assert primary is not None
    assert all(row.certificate.not_after and not row.certificate.ended(time.time()) for row in primary.certificates)
    (stored,) = {row.certificate for node in farm.nodes for row in node.stored}
    assert {binding.thumbprint for node in farm.nodes for binding in node.bindings} == {stored.thumbprint}
    assert covers(stored, farm.properties.federation_name)


@pytest.mark.usefixtures("restored_logging")
def test_errors_of_a_recording_are_shown(
    config: Path, simulator: Simulator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are what a bug report is about."""
    simulator["wap1.dmz.corp.example.com"].services["appproxysvc"].running = False
    simulator["wap1.dmz.corp.example.com"].features.clear()
    path = recorded(config, tmp_path / "status.jsonl")
    capsys.readouterr()
    run("adfs", "recording", path, "--json")
    said = json.loads(capsys.readouterr().out)
    assert any("Get-WebApplicationProxySslCertificate" in failure for failure in said["failures"])


def test_a_recording_overwrites_nothing(config: Path, tmp_path: Path) -> None:
    """What was recorded before stays."""
    (tmp_path / "old.jsonl").write_text("precious")
    with pytest.raises(Failure, match="already exists"):
        recorded(config, tmp_path / "old.jsonl")
    assert (tmp_path / "old.jsonl").read_text() == "precious"


def test_a_recording_that_cannot_be_written_is_refused_first(config: Path, tmp_path: Path, simulator: Simulator) -> None:
    """Before any server is asked."""
    with pytest.raises(Failure, match="cannot be written"):
        recorded(config, tmp_path / "nowhere" / "status.jsonl")
    assert simulator.log == []


def test_a_file_without_a_farm_is_said_to_be_one(tmp_path: Path) -> None:
    """Instead of an empty table."""
    path = tmp_path / "r.jsonl"
    path.write_text('{"host": "a", "command": "Get-Date", "parameters": {}, "answer": []}\n')
    with pytest.raises(Failure, match="it contains no reading of a farm"):
        run("adfs", "recording", path)
