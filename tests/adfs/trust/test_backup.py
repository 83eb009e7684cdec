"""Backups and the way back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from adfs_mgmt.trust import Backups, NotTaken, load_backup, plan_restore
from adfs_mgmt.trust.backup import Backup, restore_domain
from adfs_mgmt.trust.errors import FileProblem, TrustRefused
from adfs_mgmt.trust.reader import read_domain
from certs import Certificate
from foundation.graph import Graph
from tests.adfs.trust.conftest import Naps, base64_of, federation, signing, slots
from tests.fakes.graph import FakeGraph

NOW = 1_700_000_000.0


async def _taken(graph: Graph, backups: Backups) -> Backup:
    domain = await read_domain(graph, "example.com")
    assert domain.configuration is not None
    return load_backup(backups.save("example.com", domain.configuration, "by hand", NOW))


async def test_only_what_differs_is_restored(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """One property changed since: one property is written."""
    backup = await _taken(graph, backups)
    held = tenant.domains.all["example.com"].configuration
    assert held is not None
    held["signOutUri"] = "https://elsewhere.example/"
    domain = await read_domain(graph, "example.com")
    values = plan_restore(backup, domain, live=live.thumbprint)
    assert list(values) == ["signOutUri"]
    await restore_domain(graph, domain, values)
    assert tenant.domains.all["example.com"].writes == [values]
    assert plan_restore(backup, await read_domain(graph, "example.com")) == {}


async def test_the_mfa_behaviour_is_left_alone(graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate) -> None:
    """A restore touches federatedIdpMfaBehavior only where that is asked for."""
    tenant.add_domain(
        "example.com", federation=federation("example.com", live, federatedIdpMfaBehavior="rejectMfaByFederatedIdp")
    )
    backup = await _taken(graph, backups)
    held = tenant.domains.all["example.com"].configuration
    assert held is not None
    held["federatedIdpMfaBehavior"] = "acceptIfMfaDoneByFederatedIdp"
    domain = await read_domain(graph, "example.com")
    assert plan_restore(backup, domain) == {}
    assert plan_restore(backup, domain, with_mfa=True) == {"federatedIdpMfaBehavior": "rejectMfaByFederatedIdp"}


async def test_a_backup_without_the_live_key_is_refused(graph: Graph, backups: Backups) -> None:
    """An old backup would take the key away that signs now."""
    backup = await _taken(graph, backups)
    with pytest.raises(TrustRefused, match="sign-in would break"):
        plan_restore(backup, await read_domain(graph, "example.com"), live=signing("new").thumbprint)


async def test_a_managed_domain_is_not_restored_but_converted(graph: Graph, tenant: FakeGraph, backups: Backups) -> None:
    """The refusal names the command for it."""
    backup = await _taken(graph, backups)
    tenant.domains.all["example.com"].configuration = None
    with pytest.raises(TrustRefused, match="trust convert"):
        plan_restore(backup, await read_domain(graph, "example.com"))


async def test_a_restore_that_is_not_taken(graph: Graph, tenant: FakeGraph, backups: Backups, coming: Certificate) -> None:
    """Success without effect is an error here as well."""
    backup = await _taken(graph, backups)
    tenant.add_domain("example.com", federation=federation("example.com", coming))
    tenant.faults.ignore_patches = True
    domain = await read_domain(graph, "example.com")
    with pytest.raises(NotTaken, match="signingCertificate"):
        await restore_domain(graph, domain, plan_restore(backup, domain))


async def test_a_restore_that_shows_late(
    graph: Graph, tenant: FakeGraph, backups: Backups, coming: Certificate, naps: Naps
) -> None:
    """It is waited for; where Graph's answer got lost and it does not show, Graph's own words are in the error."""
    backup = await _taken(graph, backups)
    tenant.add_domain("example.com", federation=federation("example.com", coming))
    tenant.fault(500, path="/federationConfiguration/", method="PATCH", after_effect=True)
    domain = await read_domain(graph, "example.com")
    tenant.faults.stale_reads = 9
    await restore_domain(graph, domain, plan_restore(backup, domain))
    assert sum(naps.taken) > 25
    tenant.add_domain("example.com", federation=federation("example.com", coming))
    tenant.fault(500, path="/federationConfiguration/", method="PATCH")
    domain = await read_domain(graph, "example.com")
    with pytest.raises(NotTaken, match=r"not yet visible.*\[request-id .+\]"):
        await restore_domain(graph, domain, plan_restore(backup, domain))


async def test_a_lost_trust_comes_back(graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate) -> None:
    """Both slots overwritten by somebody: the backup brings the live key back."""
    backup = await _taken(graph, backups)
    tenant.add_domain("example.com", federation=federation("example.com", signing("x"), signing("y")))
    domain = await read_domain(graph, "example.com")
    await restore_domain(graph, domain, plan_restore(backup, domain, live=live.thumbprint))
    assert slots(tenant, "example.com")[0] == base64_of(live)


async def test_two_in_one_second(graph: Graph, backups: Backups) -> None:
    """No backup is ever overwritten."""
    one, two = await _taken(graph, backups), await _taken(graph, backups)
    assert one.path != two.path
    assert len(backups.all()) == 2


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "null", '{"version": 2}', '{"version": 1}', '{"version": 1, "tenant": 7, "domain": "a"}', "[" * 50_000],
)
def test_damaged_files(tmp_path: Path, content: str) -> None:
    """A file that is none of ours, of another version, or damaged is named."""
    path = tmp_path / "backup.json"
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(FileProblem, match=r"backup\.json"):
        load_backup(path)


async def test_files_that_are_missing_or_open(graph: Graph, backups: Backups, tmp_path: Path) -> None:
    """Not there, or readable by others: whoever can write it decides who signs in, so it is not used."""
    with pytest.raises(FileProblem, match="no such file"):
        load_backup(tmp_path / "none.json")
    backup = await _taken(graph, backups)
    backup.path.chmod(0o644)
    with pytest.raises(FileProblem, match="chmod 600"):
        load_backup(backup.path)


async def test_a_strange_name_stays_in_the_directory(graph: Graph, tenant: FakeGraph, tmp_path: Path) -> None:
    """Neither tenant nor domain can lead the file elsewhere."""
    domain = await read_domain(graph, "example.com")
    assert domain.configuration is not None
    path = Backups(tmp_path, "../../etc").save("../../../x", domain.configuration, "", NOW)
    assert path.parent == tmp_path / "backups"
    assert json.loads(path.read_text())["domain"] == "../../../x"
