"""Convert a domain to managed or federated."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adfs_mgmt.trust import (
    Backups,
    EntraTrust,
    FederatedDomain,
    NotTaken,
    configuration_for,
    load_backup,
    plan_federated,
    plan_managed,
)
from adfs_mgmt.trust.backup import properties_of
from adfs_mgmt.trust.checklist import check_federate, check_manage
from adfs_mgmt.trust.comparison import ISSUER_RULE, FarmKeys
from adfs_mgmt.trust.conversion import Converted, convert_domain
from adfs_mgmt.trust.errors import TrustRefused
from adfs_mgmt.trust.reader import read_domain, read_tenant
from certs import Certificate
from foundation.graph import Graph, Rejected
from foundation.procedures import MemoryJournal
from tests.adfs.trust.conftest import FEDERATION, Naps, federation, signing
from tests.fakes.graph import FakeGraph


def _keys(live: Certificate | None, *coming: Certificate, known: bool | None = True) -> FarmKeys:
    identifier = f"http://{FEDERATION}/adfs/services/trust"
    return FarmKeys(federation_name=FEDERATION, live=live, coming=coming, knows_microsoft=known, identifier=identifier)


async def _federate(graph: Graph, name: str, values: dict[str, Any], *, keys: FarmKeys | None = None) -> FederatedDomain:
    plan = plan_federated(await read_tenant(graph, 0), name, values, time.time(), keys=keys)
    unused = Backups(Path("unused"), graph.tenant)
    return (await convert_domain(graph, plan, backups=unused, journal=MemoryJournal(), now=time.time())).domain


async def _manage(graph: Graph, name: str, backups: Backups, **more: Any) -> Converted:
    plan = plan_managed(await read_tenant(graph, 0), name, time.time(), **more)
    return await convert_domain(graph, plan, backups=backups, journal=MemoryJournal(), now=time.time())


def _failing(trust: EntraTrust, name: str, values: dict[str, Any]) -> list[str]:
    return [line.seen for line in check_federate(trust, name, values, time.time()) if line.status == "fail"]


async def test_a_managed_domain_is_federated(
    graph: Graph, tenant: FakeGraph, live: Certificate, coming: Certificate
) -> None:
    """The configuration is created whole, both certificates in it, without an MFA behaviour that nobody asked for."""
    values = configuration_for("managed.example", _keys(live, coming))
    checks = check_federate(await read_tenant(graph, 0), "managed.example", values, time.time(), _keys(live))
    assert not [line for line in checks if line.status == "fail"]
    domain = await _federate(graph, "managed.example", values, keys=_keys(live))
    assert domain.federated
    assert domain.configuration is not None
    assert domain.configuration.slots() == (live.thumbprint, coming.thumbprint)
    assert domain.configuration.host() == FEDERATION
    assert "federatedIdpMfaBehavior" not in tenant.domains.all["managed.example"].writes[0]


def test_a_farm_on_another_port(live: Certificate) -> None:
    """The addresses that Entra ID sends people to have it; the issuer, which is a name, has not."""
    values = configuration_for("managed.example", replace(_keys(live), port=444))
    addresses = [values[name] for name in ("passiveSignInUri", "activeSignInUri", "metadataExchangeUri", "signOutUri")]
    assert all(address.startswith(f"https://{FEDERATION}:444/adfs/") for address in addresses)
    assert values["issuerUri"] == "http://managed.example/adfs/services/trust/"
    assert configuration_for("m.example", replace(_keys(live), port=443))["signOutUri"] == f"https://{FEDERATION}/adfs/ls/"


async def test_what_cannot_be_federated(graph: Graph, tenant: FakeGraph, live: Certificate) -> None:
    """Default, initial, unverified, sub- and federated domains, each by its own line."""
    tenant.add_domain("new.example", is_verified=False)
    tenant.add_domain("eu.managed.example", is_root=False)
    trust = await read_tenant(graph, 0)
    values = configuration_for("x.example", _keys(live))
    assert _failing(trust, tenant.tenant, values) == [
        f"{tenant.tenant} is an onmicrosoft.com domain",
        f"{tenant.tenant} is the tenant's default domain",
    ]
    assert _failing(trust, "new.example", values) == ["new.example is not verified"]
    assert _failing(trust, "eu.managed.example", values) == ["eu.managed.example is a subdomain"]
    assert _failing(trust, "example.com", values) == ["example.com is already federated"]
    assert _failing(trust, "nowhere.example", values) == [f"nowhere.example is not a domain of {tenant.tenant}"]


async def test_a_checklist_that_fails_stops_it(graph: Graph, tenant: FakeGraph, live: Certificate) -> None:
    """Whoever asks for it."""
    values = configuration_for(tenant.tenant, _keys(live))
    with pytest.raises(TrustRefused, match="default"):
        await _federate(graph, tenant.tenant, values)
    assert ("POST", f"/v1.0/domains/{tenant.tenant}/federationConfiguration") not in tenant.requests


async def test_certificates_are_looked_at(graph: Graph, tenant: FakeGraph, live: Certificate) -> None:
    """Ended, not yet begun, missing and unreadable ones are found before Graph is asked."""
    trust = await read_tenant(graph, 0)

    def failing(values: dict[str, Any]) -> str:
        return "; ".join(_failing(trust, "managed.example", values))

    good = configuration_for("managed.example", _keys(live))
    assert "is not valid now" in failing(configuration_for("managed.example", _keys(signing(ends=-86400.0))))
    assert "is not valid now" in failing(configuration_for("managed.example", _keys(signing(begins=86400.0))))
    assert "there is no signing certificate" in failing({key: good[key] for key in good if key != "signingCertificate"})
    assert "a certificate cannot be read" in failing({**good, "nextSigningCertificate": "AAAA"})
    with pytest.raises(TrustRefused, match="not known"):
        configuration_for("managed.example", _keys(None))


async def test_the_issuer_is_unique(graph: Graph, tenant: FakeGraph, live: Certificate) -> None:
    """Two domains with the farm's own identifier: Graph would answer 409."""
    one = configuration_for("example.com", _keys(live), only_domain=True)
    tenant.add_domain("example.com", federation=one)
    two = configuration_for("managed.example", _keys(live), only_domain=True)
    assert "example.com has the issuer" in _failing(await read_tenant(graph, 0), "managed.example", two)[0]


async def test_the_issuer_of_a_farm_that_was_renamed(graph: Graph, tenant: FakeGraph, live: Certificate) -> None:
    """Its Identifier is what tokens have, not its name; and where nobody knows it, nothing is guessed."""
    renamed = replace(_keys(live), identifier="http://sts.old.example/adfs/services/trust", rules="")
    values = configuration_for("managed.example", renamed, only_domain=True)
    assert values["issuerUri"] == "http://sts.old.example/adfs/services/trust"
    with pytest.raises(TrustRefused, match="identifier is not known"):
        configuration_for("managed.example", replace(renamed, identifier=""), only_domain=True)
    trust = await read_tenant(graph, 0)
    seen = [line.seen for line in check_federate(trust, "managed.example", values, time.time(), renamed)]
    assert "the farm issues http://sts.old.example/adfs/services/trust for its users" in seen
    own = configuration_for("managed.example", renamed)
    found = check_federate(trust, "managed.example", own, time.time(), renamed)
    assert any(line.status == "fail" and "not http://managed.example/adfs/services/trust/" in line.seen for line in found)
    ruled = replace(renamed, rules=ISSUER_RULE)
    assert configuration_for("managed.example", ruled)["issuerUri"] == "http://managed.example/adfs/services/trust/"


async def test_what_only_a_person_knows_is_asked(graph: Graph, tenant: FakeGraph, live: Certificate) -> None:
    """The MFA default, the claim rule and the subdomains are questions, not green lines."""
    tenant.add_domain("eu.managed.example", is_root=False)
    trust = await read_tenant(graph, 0)
    values = configuration_for("managed.example", _keys(live))
    asked = [line.seen for line in check_federate(trust, "managed.example", values, 0) if line.status == "unknown"]
    assert len(asked) == 3
    assert "eu.managed.example" in asked[2]
    explicit = configuration_for("managed.example", _keys(live), mfa="rejectMfaByFederatedIdp")
    asked = [line.seen for line in check_federate(trust, "managed.example", explicit, 0) if line.status == "unknown"]
    assert len(asked) == 2


async def test_the_farm_needs_its_relying_party(graph: Graph, live: Certificate) -> None:
    """A farm that does not know Microsoft Online cannot sign anybody in there."""
    values = configuration_for("managed.example", _keys(live))
    checks = check_federate(await read_tenant(graph, 0), "managed.example", values, time.time(), _keys(live, known=False))
    assert any(line.status == "fail" and "Microsoft Online" in line.seen for line in checks)


async def test_to_managed_and_back_as_it_was(graph: Graph, tenant: FakeGraph, live: Certificate, backups: Backups) -> None:
    """The backup that is made on the way federates the domain again, its MFA behaviour included."""
    values = federation("example.com", live, federatedIdpMfaBehavior="rejectMfaByFederatedIdp")
    tenant.add_domain("example.com", federation=values)
    converted = await _manage(graph, "example.com", backups)
    assert not converted.domain.federated
    assert converted.backup is not None
    again = properties_of(load_backup(converted.backup).configuration)
    await _federate(graph, "example.com", again)
    restored = tenant.domains.all["example.com"].configuration
    assert restored is not None
    assert {name: restored[name] for name in values} == values


async def test_what_cannot_be_made_managed(graph: Graph, tenant: FakeGraph, backups: Backups) -> None:
    """A managed one, and one that is not there; passwords in the cloud are asked for."""
    trust = await read_tenant(graph, 0)
    for name in ("managed.example", "nowhere.example"):
        with pytest.raises(TrustRefused):
            await _manage(graph, name, backups)
    assert any("password hash sync" in line.seen for line in check_manage(trust, "example.com"))


async def test_no_backup_no_conversion(graph: Graph, tenant: FakeGraph, backups: Backups) -> None:
    """A domain whose configuration Graph cannot show is converted only where that is accepted; that is its rebuilding."""
    tenant.add_domain("broken.example", broken=True)
    with pytest.raises(TrustRefused, match="backed up"):
        await _manage(graph, "broken.example", backups)
    converted = await _manage(graph, "broken.example", backups, without_backup=True)
    assert (converted.domain.federated, converted.backup) == (False, None)


@pytest.mark.parametrize("more", [{"status": 503}, {"drop": True}])
async def test_a_lost_answer_to_the_conversion(
    graph: Graph, tenant: FakeGraph, live: Certificate, more: dict[str, object]
) -> None:
    """The domain is looked at, not federated twice."""
    tenant.fault(path="managed.example/federationConfiguration", method="POST", after_effect=True, **more)  # type: ignore[arg-type]
    values = configuration_for("managed.example", _keys(live))
    assert (await _federate(graph, "managed.example", values)).federated
    assert len(tenant.domains.all["managed.example"].writes) == 1


async def test_a_conversion_that_is_not_taken(graph: Graph, tenant: FakeGraph, backups: Backups, naps: Naps) -> None:
    """Answers that get lost before any effect: it is looked for a while, and not claimed."""
    tenant.fault(503, 9, path="/v1.0/domains/example.com", method="PATCH")
    with pytest.raises(NotTaken, match="the conversion"):
        await _manage(graph, "example.com", backups)
    assert (await read_domain(graph, "example.com")).federated
    assert sum(naps.taken) >= 15


async def test_a_conversion_that_cannot_be_seen(graph: Graph, tenant: FakeGraph, live: Certificate) -> None:
    """A federation that Graph made and cannot show is an error, not a success."""
    values = configuration_for("managed.example", _keys(live))
    tenant.fault(400, 99, "managed.example/federationConfiguration", method="GET")
    with pytest.raises(Rejected):
        await _federate(graph, "managed.example", values)


async def test_graph_does_not_federate_by_authentication_type(graph: Graph, tenant: FakeGraph) -> None:
    """The way that we do not take: Graph refuses it, in its own words."""
    with pytest.raises(Rejected, match="currently not supported"):
        await graph.patch("federating", {"authenticationType": "Federated"}, "domains", "managed.example")
    assert not (await read_domain(graph, "managed.example")).federated
