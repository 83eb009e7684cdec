"""`isthmus adfs trust issuer` against a farm that is read over WinRM, and a tenant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from isthmus.cli.output import Failure
from tests.adfs.health.test_recordings import run
from tests.adfs.simulator.simulator import Simulator
from tests.adfs.trust.conftest import EVERYTHING, federation, settings_for, signing
from tests.fakes.graph import FakeGraph

pytestmark = pytest.mark.usefixtures("restored_logging")
OWN = "http://sts.old.example/adfs/services/trust"


@pytest.fixture
def graph(config: Path, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGraph]:
    """A farm that was renamed, with one federated domain."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    with FakeGraph() as tenant:
        entra = settings_for(tenant, tenant.register("Isthmus", roles=EVERYTHING), tmp_path)
        with config.open("a") as file:
            file.write(
                f'[[entra]]\ntenant = "{entra.tenant}"\nclient_id = "{entra.client_id}"\n'
                f'secret_file = "{entra.secret_file}"\n'
                f'authority = "{entra.authority}"\ngraph = "{entra.graph}"\ntls_ca_file = "{entra.tls_ca_file}"\n'
            )
        for host in simulator.world.nodes(simulator.world.farms[0]):
            assert host.node is not None
            now = host.node.configuration
            now.properties["Identifier"] = OWN
            now.relying_parties = [replace(party, rules="") for party in now.relying_parties]
        written = "http://fs.example.com/adfs/services/trust"
        values = federation("example.com", signing(), issuerUri=written, passiveSignInUri="https://fs.example.com/adfs/ls/")
        tenant.add_domain("example.com", federation=values)
        yield tenant


def test_the_issuer_is_corrected(config: Path, graph: FakeGraph, capsys: pytest.CaptureFixture[str]) -> None:
    """What the farm issues is written, and nothing else, after a copy; then there is nothing to do."""
    run("adfs", "trust", "issuer", "--yes", "--config", config)
    out = capsys.readouterr().out
    assert f"example.com: issuerUri becomes {OWN}" in out
    assert graph.domains.all["example.com"].writes == [{"issuerUri": OWN}]
    assert "backup: " in out
    run("adfs", "trust", "issuer", "--config", config)
    assert "every issuerUri is correct" in capsys.readouterr().out


def test_one_issuer_for_several_domains(config: Path, graph: FakeGraph) -> None:
    """Entra ID takes each once: nothing is written, the claim rule is the remedy; one of them can have it."""
    values = federation("example.org", signing(), issuerUri="urn:org", passiveSignInUri="https://fs.example.com/adfs/ls/")
    graph.add_domain("example.org", federation=values)
    with pytest.raises(Failure, match=r"for example\.com and example\.org: add this claim rule to"):
        run("adfs", "trust", "issuer", "--yes", "--config", config)
    assert [domain.writes for domain in graph.domains.all.values()] == [[]] * len(graph.domains.all)
    run("adfs", "trust", "issuer", "--domain", "example.org", "--yes", "--config", config)
    assert graph.domains.all["example.org"].writes == [{"issuerUri": OWN}]


def test_what_is_not_known_is_not_written(config: Path, graph: FakeGraph, simulator: Simulator) -> None:
    """Without the farm's word nothing is guessed."""
    simulator.drop_during("Get-AdfsRelyingPartyTrust", times=9)
    with pytest.raises(Failure, match="is not known"):
        run("adfs", "trust", "issuer", "--yes", "--config", config)
    assert graph.domains.all["example.com"].writes == []
