"""Reading a tenant, through the real msal."""

from __future__ import annotations

import time
from typing import Any

import pytest

from adfs_mgmt.trust import Slot
from adfs_mgmt.trust.model import Authentication, UpdateStatus
from adfs_mgmt.trust.reader import read_domain, read_tenant
from adfs_mgmt.trust.update_status import explain_update
from certs import Certificate
from foundation.graph import Graph, MalformedAnswer, NotThere, PermissionMissing
from tests.adfs.trust.conftest import FEDERATION, Naps, base64_of, federation, settings_for, signing
from tests.fakes.graph import FakeGraph


async def test_a_tenant_is_read_whole(graph: Graph, live: Certificate) -> None:
    """Every domain is there, federated ones with their certificates, others without."""
    trust = await read_tenant(graph, 5.0)
    found = trust.domain("EXAMPLE.com")
    assert found is not None
    assert found.configuration is not None
    assert found.configuration.certificates[Slot.SIGNING].thumbprint == live.thumbprint
    assert found.configuration.thumbprints() == (live.thumbprint,)
    managed = trust.domain("managed.example")
    assert managed is not None
    assert (managed.authentication, managed.configuration, managed.error) == (Authentication.MANAGED, None, "")
    assert trust.read_at == 5.0


async def test_only_the_farms_domains_count(graph: Graph) -> None:
    """A domain that is federated with another identity provider is none of the farm's."""
    trust = await read_tenant(graph, 0)
    assert [each.name for each in trust.federated_with(FEDERATION.upper())] == ["example.com", "example.org"]


async def test_pages_are_followed(graph: Graph, tenant: FakeGraph) -> None:
    """A list that comes in pages is complete."""
    tenant.domains.page_size = 2
    assert len((await read_tenant(graph, 0)).domains) == 5


async def test_a_page_on_another_server_is_not_fetched(graph: Graph, tenant: FakeGraph) -> None:
    """The token never goes to another origin, whoever wrote the link."""
    body = b'{"value": [], "@odata.nextLink": "https://127.0.0.2:1/v1.0/domains"}'
    tenant.fault(path="/v1.0/domains", body=body)
    with pytest.raises(MalformedAnswer, match="another server"):
        await read_tenant(graph, 0)


async def test_a_subdomain_follows_its_root(graph: Graph, tenant: FakeGraph) -> None:
    """A federated subdomain without a configuration of its own is no error."""
    tenant.add_domain("eu.example.com", is_root=False)
    found = (await read_tenant(graph, 0)).domain("eu.example.com")
    assert found is not None
    assert (found.federated, found.configuration, found.error) == (True, None, "")


async def test_a_broken_federation_is_that_domains_error(graph: Graph, tenant: FakeGraph) -> None:
    """A configuration that Graph cannot show is an error of its domain, and does not hide the others."""
    tenant.add_domain("broken.example", broken=True)
    trust = await read_tenant(graph, 0)
    broken, other = trust.domain("broken.example"), trust.domain("example.com")
    assert broken is not None
    assert other is not None
    assert "500" in broken.error
    assert other.configuration is not None
    assert broken in trust.federated_with(FEDERATION)


async def test_an_unreadable_certificate_is_a_problem(graph: Graph, tenant: FakeGraph) -> None:
    """Rubbish in one slot is named, and the other slot is read all the same."""
    held = tenant.domains.all["example.com"].configuration
    assert held is not None
    held["nextSigningCertificate"] = "AAAA"
    found = await read_domain(graph, "example.com")
    assert found.configuration is not None
    assert found.configuration.problems == ("nextSigningCertificate: not an X.509 certificate in DER",)
    assert Slot.SIGNING in found.configuration.certificates


async def test_a_missing_domain_is_named(graph: Graph) -> None:
    """A domain that is not in the tenant is an error with its name."""
    with pytest.raises(NotThere, match=r"nowhere\.example"):
        await read_domain(graph, "nowhere.example")


async def test_without_a_permission_the_remedy_names_it(tenant: FakeGraph, tmp_path: Any, naps: Naps) -> None:
    """403 says which permission to give."""
    settings = settings_for(tenant, tenant.register("weak", roles={"User.Read.All"}), tmp_path)
    async with Graph(settings, sleep=naps) as graph:
        with pytest.raises(PermissionMissing, match=r"Domain\.Read\.All") as caught:
            await read_tenant(graph, 0)
    assert caught.value.code == "Authorization_RequestDenied"
    assert caught.value.request_id


async def test_both_slots_and_the_update_status_are_read(graph: Graph, tenant: FakeGraph) -> None:
    """Two certificates stay apart, in order; the time of the last update has seven decimals."""
    one, two = signing("one"), signing("two")
    domain = tenant.add_domain("two.example", federation=federation("two.example", one, two))
    assert domain.configuration is not None
    domain.configuration["signingCertificateUpdateStatus"] = {
        "certificateUpdateResult": "CouldNotAccessRemoteHost",
        "lastRunDateTime": "2021-08-25T07:44:46.2616778Z",
    }
    found = (await read_domain(graph, "two.example")).configuration
    assert found is not None
    assert found.slots() == (one.thumbprint, two.thumbprint)
    assert found.update is not None
    assert int(found.update.at or 0) == 1629877486
    assert "cannot reach" in explain_update(found.update)
    assert "2021-08-25" in explain_update(found.update)


DOCUMENTED = (
    "success unknownError internalServerError noValidExistingCertFound noStsAuthUrlFound noFederationProtocolFound "
    "noNewCertificateFound couldNotAccessRemoteHost connectionError xmlParsingError badRequest unauthorized forbidden "
    "notFound providerError"
)


@pytest.mark.parametrize("result", DOCUMENTED.split())
def test_every_documented_result_is_explained(result: str) -> None:
    """signingCertificateUpdateStatus: each value of the documentation has words of its own."""
    text = explain_update(UpdateStatus(result=result, at=time.time()))
    assert "not documented" not in text
    assert len(text) > 30


def test_results_that_nobody_documented_are_shown() -> None:
    """A new value is not swallowed."""
    assert "'martian'" in explain_update(UpdateStatus(result="martian", at=0))
    assert "has not tried" in explain_update(None)


def test_base64_round_trip(live: Certificate) -> None:
    """What Graph is sent is the DER, on one line."""
    from adfs_mgmt.trust.reader import encode

    assert encode(live) == base64_of(live)
