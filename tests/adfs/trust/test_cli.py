"""The commands, on a simulated farm that is served and a fake tenant, through the real msal."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from certs import Certificate, read_certificate
from isthmus.cli import flow
from isthmus.cli.adfs import trust
from isthmus.cli.output import Failure
from tests.adfs.farm.served import settings_of
from tests.adfs.simulator.serve import Network
from tests.adfs.simulator.simulator import ADMIN, ManualClock, Simulator
from tests.adfs.trust.conftest import EVERYTHING, base64_of, federation, settings_for, signing
from tests.fakes.graph import FakeGraph

pytestmark = pytest.mark.usefixtures("restored_logging")

Run = Callable[..., Result]


class Stage:
    """The farm, the tenant, and the settings that name both."""

    def __init__(self, simulator: Simulator, network: Network, graph: FakeGraph, directory: Path) -> None:
        self.simulator, self.network, self.graph = simulator, network, graph
        self.state = directory / "state"
        self.state.mkdir(mode=0o700)
        self.config = directory / "adfs.toml"
        farm = settings_of(simulator, network)
        entra = settings_for(graph, graph.register("Isthmus", roles=EVERYTHING), directory)
        self.federation = farm.federation_name
        self.config.write_text(
            f'state_dir = "{self.state}"\n[[farms]]\nname = "prod"\nwinrm = false\n'
            f'federation_name = "{farm.federation_name}"\n'
            f'federation_address = "{farm.federation_address}"\nnodes = {json.dumps(farm.nodes)}\n'
            f'https_port = {farm.https_port}\nhttp_port = {farm.http_port}\ntls_ca_file = "{farm.tls_ca_file}"\n'
            f'[[entra]]\ntenant = "{entra.tenant}"\nclient_id = "{entra.client_id}"\nsecret_file = "{entra.secret_file}"\n'
            f'authority = "{entra.authority}"\ngraph = "{entra.graph}"\ntls_ca_file = "{entra.tls_ca_file}"\n'
        )

    def signing(self, *, primary: bool = True) -> Certificate:
        """The farm's own certificate."""
        (node, *_) = self.simulator.world.nodes(self.simulator.world.farms[0])
        assert node.node is not None
        rows = node.node.configuration.of("Token-Signing")
        return read_certificate(next(row.certificate.der for row in rows if row.is_primary is primary))

    def federate(self, domain: str, certificate: Certificate, **more: Any) -> None:
        base = f"https://{self.federation}/adfs"
        more = {
            "passiveSignInUri": f"{base}/ls/",
            "activeSignInUri": f"{base}/x",
            "metadataExchangeUri": f"{base}/y",
            **more,
        }
        self.graph.add_domain(domain, federation=federation(domain, certificate, **more))

    def held(self, domain: str) -> dict[str, Any]:
        return self.graph.domains.all[domain].configuration or {}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    simulator = Simulator(ManualClock(time.time()))
    simulator.farm(nodes=1, proxies=0)
    with Network(simulator) as network, FakeGraph() as graph:
        made = Stage(simulator, network, graph, tmp_path)
        made.federate("example.com", made.signing())
        made.federate("example.org", made.signing())
        graph.add_domain("managed.example")
        yield made


@pytest.fixture
def run(stage: Stage) -> Run:
    def run(*arguments: str, typed: str = "") -> Result:
        first, *rest = arguments
        nested = [first, rest.pop(0)] if first == "partners" else [first]
        return CliRunner().invoke(trust.command, [*nested, "--config", str(stage.config), *rest], input=typed)

    return run


@pytest.fixture
def somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person at a terminal."""
    monkeypatch.setattr(flow, "someone_is_there", lambda: True)


def successor(stage: Stage) -> Certificate:
    """The farm makes one: two certificates in its metadata."""
    stage.simulator.invoke(ADMIN, "adfs1.corp.example.com", "Update-AdfsCertificate", {"CertificateType": "Token-Signing"})
    return stage.signing(primary=False)


def test_show(run: Run, stage: Stage) -> None:
    """Every domain, the certificates of federated ones, and what Entra ID did by itself."""
    result = run("show")
    assert result.exit_code == 0
    for text in ("example.com", "managed.example", stage.signing().thumbprint, "has not tried"):
        assert text in result.output
    domains = json.loads(run("show", "--json").stdout)["tenants"][0]["domains"]
    held = {each["name"]: each["configuration"] for each in domains}
    assert held["example.com"]["certificates"]["signingCertificate"]["thumbprint"] == stage.signing().thumbprint
    assert held["managed.example"] is None


def test_compare(run: Run, stage: Stage) -> None:
    """Green while they agree; exit code 1 when Entra ID does not know the live key."""
    assert run("compare").exit_code == 0
    stage.federate("example.org", signing("elsewhere"))
    result = run("compare", "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)["tenants"][0]["findings"]
    assert [each["domain"] for each in found if each["status"] == "fail"] == ["example.org"]


def test_update_shows_its_plan_and_waits(run: Run, stage: Stage) -> None:
    """Without a terminal and without --yes the plan is all there is."""
    coming = successor(stage)
    result = run("update")
    assert isinstance(result.exception, Failure)
    assert "--yes" in str(result.exception)
    assert coming.thumbprint in result.output
    assert "nextSigningCertificate" not in stage.held("example.com")


def test_update_publishes_to_every_domain(run: Run, stage: Stage) -> None:
    """With --yes: both domains, a backup of each, and nothing left to do."""
    live, coming = stage.signing(), successor(stage)
    result = run("update", "--yes", "--json")
    assert result.exit_code == 0
    assert [each["changed"] for each in json.loads(result.stdout)["results"]] == [True, True]
    for domain in ("example.com", "example.org"):
        assert stage.held(domain)["signingCertificate"] == base64_of(live)
        assert stage.held(domain)["nextSigningCertificate"] == base64_of(coming)
    assert len(list((stage.state / "backups").iterdir())) == 2
    again = run("update")
    assert again.exit_code == 0
    assert "nothing to do" in again.output


@pytest.mark.usefixtures("somebody")
def test_update_asks(run: Run, stage: Stage) -> None:
    """`yes` does it; anything else does not."""
    successor(stage)
    assert isinstance(run("update", typed="y\n").exception, Failure)
    assert run("update", "--domain", "example.org", typed="yes\n").exit_code == 0
    assert stage.held("example.org")["nextSigningCertificate"]
    assert "nextSigningCertificate" not in stage.held("example.com")


def test_one_domain_fails(run: Run, stage: Stage) -> None:
    """The other is done; exit code 1."""
    successor(stage)
    stage.graph.fault(400, 9, "domains/example.com/federationConfiguration/", method="PATCH")
    result = run("update", "--yes", "--json")
    assert result.exit_code == 1
    done = {each["domain"]: (each["done"], each["error"]) for each in json.loads(result.stdout)["results"]}
    assert done == {"example.com": (False, "Rejected"), "example.org": (True, "")}


def test_retiring(run: Run, stage: Stage) -> None:
    """An old certificate is taken out of both domains; the live one cannot be."""
    old = signing("old")
    for domain in ("example.com", "example.org"):
        stage.federate(domain, old, nextSigningCertificate=base64_of(stage.signing()))
    pasted = "\u200e" + " ".join(re.findall("..", old.thumbprint.lower()))
    assert run("update", "--retire", pasted, "--yes").exit_code == 0
    assert stage.held("example.com")["signingCertificate"] == base64_of(stage.signing())
    refused = run("update", "--retire", stage.signing().thumbprint, "--yes")
    assert refused.exit_code == 1
    assert "is the current token-signing certificate" in refused.output


def test_retiring_what_is_not_there(run: Run, stage: Stage) -> None:
    """A mistyped thumbprint of a stolen key must not look as if it were done."""
    result = run("update", "--retire", "AB" * 20, "--yes")
    assert isinstance(result.exception, Failure)
    assert result.exit_code == 1
    assert "does not have ABABAB" in str(result.exception)
    assert "example.com, example.org" in str(result.exception)
    stage.federate("example.com", signing("old"), nextSigningCertificate=base64_of(stage.signing()))
    old = read_certificate(base64.b64decode(stage.held("example.com")["signingCertificate"])).thumbprint
    assert run("update", "--retire", old, "--yes").exit_code == 0  # example.org does not have it
    assert run("update", "--retire", old, "--yes").exit_code == 1


def test_an_unknown_domain(run: Run) -> None:
    """A domain that is not the farm's is refused by name."""
    assert "managed.example" in str(run("update", "--domain", "managed.example").exception)


def test_convert_there_and_back(run: Run, stage: Stage) -> None:
    """To managed with its name, and back from the backup that was made on the way."""
    before = {name: value for name, value in stage.held("example.com").items() if name != "id"}
    result = run("convert", "example.com", "managed", "--yes", "--json")
    assert result.exit_code == 0
    assert not stage.held("example.com")
    file = json.loads(result.stdout)["backup"]
    assert run("convert", "example.com", "federated", "--from", file, "--yes").exit_code == 0
    assert {name: value for name, value in stage.held("example.com").items() if name != "id"} == before


def test_an_interrupted_conversion_goes_on(run: Run, stage: Stage) -> None:
    """By the same command, without its checklist, which would have it that there is nothing to convert."""
    stage.graph.fault(403, path="/v1.0/domains/example.com", method="PATCH")
    assert "lacks a permission" in str(run("convert", "example.com", "managed", "--yes").exception)
    result = run("convert", "example.com", "managed", "--yes")
    assert result.exit_code == 0, result.exception
    assert "continuing what was interrupted" in result.output
    assert not stage.held("example.com")
    assert "already managed" in run("convert", "example.com", "managed", "--yes").output


def test_convert_is_asked_for(run: Run, stage: Stage) -> None:
    """No terminal, no --yes: nothing happens; programs get the plan."""
    assert "use --yes" in str(run("convert", "example.com", "managed").exception)
    plan = json.loads(run("convert", "example.com", "managed", "--json").stdout)
    assert (plan["domain"], plan["to"], plan["continues"]) == ("example.com", "managed", False)
    assert {row["status"] for row in plan["checks"]} == {"pass", "unknown"}
    assert stage.held("example.com")


@pytest.mark.usefixtures("somebody")
@pytest.mark.parametrize("typed", ["", "yes", "example", "example.org", "example.com."])
def test_convert_needs_the_name(run: Run, stage: Stage, typed: str) -> None:
    """Nothing else counts, and nothing is sent."""
    result = run("convert", "example.com", "managed", typed=f"{typed}\n")
    assert "that is not example.com; nothing was changed" in str(result.exception)
    assert stage.held("example.com")
    assert not stage.graph.domains.all["example.com"].writes


@pytest.mark.usefixtures("somebody")
def test_convert_asks_for_the_name(run: Run, stage: Stage) -> None:
    """Typed right, the domain is federated with the farm's own certificate."""
    result = run("convert", "managed.example", "federated", typed="managed.example\n")
    assert result.exit_code == 0, result.exception
    assert stage.held("managed.example")["signingCertificate"] == base64_of(stage.signing())
    assert "UNKNOWN  the farm's claim rule" in result.output
    assert "You have to verify this yourself." in result.output


def test_convert_what_must_not_be(run: Run, stage: Stage) -> None:
    """The checklist's failing lines are shown as they are, and the confirmation is not even asked for."""
    result = run("convert", stage.graph.tenant, "federated", "--yes")
    assert isinstance(result.exception, Failure)
    assert f"FAIL     {stage.graph.tenant} is the tenant's default domain" in result.output
    mistyped = run("convert", "exmple.com", "managed", "--yes")
    assert f"FAIL     exmple.com is not a domain of {stage.graph.tenant}" in mistyped.output
    told = json.loads(run("convert", "exmple.com", "managed", "--yes", "--json").stdout)
    assert [row["status"] for row in told["checks"]] == ["fail"]
    other = run("backup", "example.org", "--json")
    file = json.loads(other.stdout)["saved"]["example.org"]
    result = run("convert", "managed.example", "federated", "--from", file, "--yes")
    assert "backup of example.org" in str(result.exception)


def test_backup_and_restore(run: Run, stage: Stage) -> None:
    """A changed address comes back, after a backup of what it was; a second time nothing differs."""
    file = json.loads(run("backup", "example.com", "--json").stdout)["saved"]["example.com"]
    stage.held("example.com")["signOutUri"] = "https://elsewhere.example/"
    plan = run("restore", file)
    assert "signOutUri will be written" in plan.output
    assert isinstance(plan.exception, Failure)
    answer = json.loads(run("restore", file, "--yes", "--json").stdout)
    assert answer["restored"] == ["signOutUri"]
    assert Path(answer["backup"]).exists()
    assert "nothing to restore" in run("restore", file).output


def test_restore_never_loses_the_live_key(run: Run, stage: Stage) -> None:
    """A backup of before the last rollover is refused."""
    stage.federate("example.com", signing("past"))
    file = json.loads(run("backup", "example.com", "--json").stdout)["saved"]["example.com"]
    assert "sign-in would break" in str(run("restore", file, "--yes").exception)


def test_backup_says_what_it_did_not_save(run: Run) -> None:
    """A managed domain has nothing to save, and that is said."""
    assert "managed.example is not federated" in str(run("backup", "managed.example").exception)


def test_a_wrong_secret_is_tried_once(run: Run, stage: Stage) -> None:
    """One command, one try, whatever the number of domains; the error names the remedy."""
    secret = next(stage.state.parent.glob("secret-*"))
    secret.write_text("wrong")
    before = stage.graph.identity.attempts
    assert "secret_file" in str(run("update", "--yes").exception)
    assert stage.graph.identity.attempts == before + 1


def test_an_outage_has_its_own_exit_code(run: Run, stage: Stage) -> None:
    """Unreachable is 3: scripts can tell it from a refusal."""
    stage.config.write_text(
        stage.config.read_text().replace(f'authority = "{stage.graph.url}"', 'authority = "https://127.0.0.1:9"')
    )
    failure = run("show").exception
    assert isinstance(failure, Failure)
    assert failure.code == 3


def test_settings_that_do_not_fit(run: Run, stage: Stage) -> None:
    """A tenant without a farm, an unknown tenant, no tenant at all."""
    assert "no tenant nowhere" in str(run("show", "--tenant", "nowhere").exception)
    text = stage.config.read_text()
    stage.config.write_text(text.replace("[[entra]]\n", '[[entra]]\nfarm = "test"\n'))
    assert "no farm 'test'" in str(run("show").exception)
    stage.config.write_text(text.partition("[[entra]]")[0])
    assert "[[entra]]" in str(run("show").exception)


def test_partners(run: Run, stage: Stage) -> None:
    """The ledger by hand: unknown to it, classified, acknowledged, listed."""
    from certs import Ledgers, Partner

    fresh = run("partners", "watch")
    assert fresh.exit_code != 0
    assert "read them from the farm first: isthmus adfs trust partners list --refresh" in str(fresh.exception)
    with Ledgers(stage.state).changing("prod") as box:
        box.ledger = type(box.ledger)(farm="prod", partners=(Partner(name="Wiki", identifiers=("urn:wiki",)),))
    assert "Wiki" in str(run("partners", "set", "Wikki", "manual").exception)
    assert run("partners", "set", "urn:wiki", "manual", "--contact", "Ada", "--every", "12").exit_code == 0
    assert run("partners", "acknowledge", "wiki", "A1" * 20).exit_code == 0
    (partner,) = json.loads(run("partners", "list", "--json").stdout)["partners"]
    assert (partner["kind"], partner["contact"], partner["refresh"]) == ("manual", "Ada", 43200.0)
    assert list(partner["acknowledged"]) == ["A1" * 20]
    assert "Ada" in run("partners", "list").output
    assert run("partners", "watch").exit_code == 0
    assert "did not return" in str(run("partners", "list", "--refresh").exception)
