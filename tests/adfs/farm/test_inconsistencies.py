"""Where views of a farm do not go together: each kind is found, and nothing where all agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adfs_mgmt.farm import (
    Binding,
    ExternalView,
    Farm,
    FarmCertificate,
    Inconsistency,
    KeyAccess,
    Properties,
    Served,
    StoredCertificate,
    SyncRole,
    Use,
    find_inconsistencies,
)
from tests.adfs.farm import samples


def changed_served(outside: ExternalView, host: str, **changes: object) -> ExternalView:
    """The same, but for one host."""
    served = tuple(replace(each, **changes) if each.host == host else each for each in outside.served)  # type: ignore[arg-type]
    return replace(outside, served=served)


def changed_node(farm: Farm, number: int, **changes: object) -> Farm:
    """The same, but for one node."""
    nodes = list(farm.nodes)
    nodes[number] = replace(nodes[number], **changes)  # type: ignore[arg-type]
    return replace(farm, nodes=tuple(nodes))


def kinds(found: list[Inconsistency]) -> set[tuple[str, str]]:
    return {(each.kind, each.where.partition(".")[0]) for each in found}


def test_a_farm_in_which_all_agree() -> None:
    """From inside and from outside."""
    farm = samples.farm(sign_with=(samples.signing(), samples.signing(380, key=4)))
    assert find_inconsistencies(farm, samples.outside(farm)) == []


def test_a_node_serves_another_certificate_than_it_is_bound_to() -> None:
    """An IP binding that wins, or a device in between."""
    farm = samples.farm()
    outside = changed_served(samples.outside(farm), "sts2.example.com", tls=samples.tls(300, key=6).seen)
    assert kinds(find_inconsistencies(farm, outside)) == {("served-tls", "sts2")}


def test_a_host_that_was_not_read_is_compared_with_the_others() -> None:
    """From outside alone, too."""
    farm = samples.farm()
    outside = changed_served(samples.outside(farm), "wap1.example.com", tls=samples.tls(300, key=6).seen)
    empty = Farm(name="prod", read_at=0, properties=Properties(), nodes=(), error="not asked")
    assert kinds(find_inconsistencies(empty, outside)) == {("served-tls-differs", "wap1")}


def test_nodes_publish_different_metadata() -> None:
    """One has not polled yet."""
    farm = samples.farm(sign_with=(samples.signing(), samples.signing(380, key=4)))
    outside = samples.outside(farm)
    late = changed_served(outside, "sts2.example.com", signing=outside.served[0].signing[:1])
    assert kinds(find_inconsistencies(farm, late)) == {("metadata", "sts2")}


def test_metadata_lacks_a_certificate_everywhere() -> None:
    """All agree with each other, and not with the configuration."""
    farm = samples.farm(sign_with=(samples.signing(), samples.signing(380, key=4)))
    outside = samples.outside(farm)
    outside = replace(outside, served=tuple(replace(each, signing=each.signing[:1]) for each in outside.served))
    assert kinds(find_inconsistencies(farm, outside)) == {("metadata", name) for name in ("sts1", "sts2", "wap1", "fs")}


def test_metadata_signed_by_a_secondary_or_a_stranger() -> None:
    """Then its tokens are, too."""
    farm = samples.farm(sign_with=(samples.signing(), samples.signing(380, key=4)))
    outside = changed_served(
        samples.outside(farm), "sts2.example.com", signed_by=samples.signing(380, key=4).seen.thumbprint
    )
    (found,) = find_inconsistencies(farm, outside)
    assert (found.kind, found.where) == ("signer", "sts2.example.com")
    (found,) = find_inconsistencies(farm, changed_served(samples.outside(farm), "sts2.example.com", signed_by="F" * 40))
    assert "which the farm does not have" in found.other


def test_configurations_differ_between_nodes() -> None:
    """A secondary that does not know of a promotion."""
    farm = samples.farm(sign_with=(samples.signing(), samples.signing(380, key=4)))
    rows = tuple(
        replace(row, is_primary=not row.is_primary) if row.use is Use.SIGNING else row for row in farm.nodes[1].certificates
    )
    (found,) = find_inconsistencies(changed_node(farm, 1, certificates=rows))
    assert (found.kind, found.where) == ("certificates", "sts2.example.com")
    assert "(primary)" in found.one


def test_a_node_is_bound_to_an_old_certificate() -> None:
    """The remedy names the new one."""
    farm = samples.farm(nodes=3)
    old = samples.tls(20, key=7).seen.thumbprint
    stale = changed_node(farm, 2, bindings=(Binding(host_name=samples.NAME, port=443, thumbprint=old),))
    (found,) = find_inconsistencies(stale)
    assert found.where == "sts3.example.com"
    assert samples.tls().seen.thumbprint in found.remedy


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("key", range(7, 12))
def test_of_two_nodes_the_one_with_the_older_certificate_was_forgotten(number: int, key: int) -> None:
    """Whatever the thumbprints and whichever node: the remedy never binds the certificate that ends sooner."""
    farm = samples.farm(nodes=2)
    old, new = samples.tls(20, key=key).seen, samples.tls().seen
    rows = tuple(replace(row, thumbprint=old.thumbprint) for row in farm.nodes[number].bindings)
    stored = (StoredCertificate(certificate=old, key=KeyAccess.READABLE), *farm.nodes[number].stored)
    (found,) = find_inconsistencies(changed_node(farm, number, bindings=rows, stored=stored))
    assert found.where == farm.nodes[number].host
    assert new.thumbprint in found.remedy


def test_a_forgotten_proxy() -> None:
    """It has another certificate than the nodes."""
    farm = samples.farm()
    old = samples.tls(20, key=7).seen.thumbprint
    proxy = replace(farm.proxies[0], bindings=(Binding(host_name=samples.NAME, port=443, thumbprint=old),))
    assert kinds(find_inconsistencies(replace(farm, proxies=(proxy,)))) == {("bindings", "wap1")}


def test_two_primaries_of_a_farm_on_wid() -> None:
    """On SQL Server that is as it should be."""
    farm = changed_node(samples.farm(), 1, role=SyncRole.PRIMARY, primary="")
    assert kinds(find_inconsistencies(farm)) == {("primary", "prod")}
    assert find_inconsistencies(replace(farm, properties=replace(farm.properties, sql=True))) == []


def test_a_secondary_that_polls_another_primary() -> None:
    """The short name of the right one is no contradiction."""
    assert find_inconsistencies(changed_node(samples.farm(), 1, primary="STS1")) == []
    assert kinds(find_inconsistencies(changed_node(samples.farm(), 1, primary="old.example.com"))) == {("primary", "sts2")}


def test_another_farm_answers() -> None:
    """By its name, and by its metadata."""
    farm = samples.farm()
    outside = changed_served(samples.outside(farm), "sts1.example.com", entity_id="http://other/adfs/services/trust")
    assert kinds(find_inconsistencies(farm, outside)) == {("federation-name", "sts1")}
    renamed = replace(samples.outside(farm), federation_name="login.example.com")
    assert ("federation-name", "prod") in kinds(find_inconsistencies(farm, renamed))


def test_hosts_that_did_not_answer_contradict_nobody() -> None:
    """Silence is no view."""
    farm = samples.farm()
    silent = changed_node(farm, 1, certificates=(), bindings=(), role=None, primary="", error="not reached")
    outside = samples.outside(farm)
    quiet = tuple(Served(host=each.host, port=443, errors={"TLS": "no answer"}) for each in outside.served)
    assert find_inconsistencies(silent, replace(outside, served=quiet)) == []


def test_rows_of_a_certificate_are_told_apart() -> None:
    """Service-Communications is compared by itself."""
    farm = samples.farm()
    other = FarmCertificate(use=Use.SERVICE, certificate=samples.tls(300, key=6).seen, is_primary=True)
    rows = tuple(other if row.use is Use.SERVICE else row for row in farm.nodes[1].certificates)
    (found,) = find_inconsistencies(changed_node(farm, 1, certificates=rows))
    assert "Service-Communications" in found.what
