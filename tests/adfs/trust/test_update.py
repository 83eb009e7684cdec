"""Publishing and retiring: only the free slot, read back, undone where the live key is lost."""

from __future__ import annotations

import json
import stat
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from adfs_mgmt.trust import (
    Backups,
    DomainResult,
    Entra,
    FederatedDomain,
    LiveKeyLost,
    NotTaken,
    Slot,
    SlotChange,
    load_backup,
    plan_updates,
)
from adfs_mgmt.trust.comparison import FarmKeys
from adfs_mgmt.trust.errors import FileProblem, TrustChanged, TrustRefused
from adfs_mgmt.trust.reader import read_domain, read_tenant
from adfs_mgmt.trust.update import apply_change, apply_changes, plan_publish, plan_retire
from certs import Certificate
from foundation.graph import Graph, GraphError, NotThere, SignInRefused, Unreachable
from foundation.procedures import MemoryJournal
from tests.adfs.trust.conftest import FEDERATION, Naps, base64_of, federation, settings_for, signing, slots
from tests.fakes.graph import FakeGraph

NOW = 1_700_000_000.0
CONFIGURATION = "/v1.0/domains/example.com/federationConfiguration/"


def _in_memory(domain: str, now: float) -> AbstractContextManager[MemoryJournal]:
    return nullcontext(MemoryJournal())


async def publish(
    graph: Graph, domain: FederatedDomain, certificate: Certificate, *, live: str, backups: Backups, now: float
) -> DomainResult:
    """Into the free slot of one domain."""
    return await _done(graph, plan_publish(domain, certificate, live), backups)


async def retire(
    graph: Graph, domain: FederatedDomain, old: str, *, live: str, backups: Backups, now: float
) -> DomainResult:
    """Out of one domain."""
    return await _done(graph, plan_retire(domain, old, live), backups)


async def _done(graph: Graph, change: SlotChange | None, backups: Backups) -> DomainResult:
    if change is not None:
        await apply_change(graph, change, backups, NOW)
    return DomainResult(domain="", done=True, changed=change is not None)


async def _publish(graph: Graph, backups: Backups, live: Certificate, coming: Certificate) -> DomainResult:
    domain = await read_domain(graph, "example.com")
    return await publish(graph, domain, coming, live=live.thumbprint, backups=backups, now=NOW)


async def test_the_free_slot_alone_is_written(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """One PATCH with one property; the live key's slot and the MFA behaviour are not in it."""
    result = await _publish(graph, backups, live, coming)
    assert (result.done, result.changed) == (True, True)
    assert tenant.domains.all["example.com"].writes == [{"nextSigningCertificate": base64_of(coming)}]
    assert slots(tenant, "example.com") == (base64_of(live), base64_of(coming))


async def test_the_other_slot_is_free_where_the_live_key_is_next(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """After a rollover the live key sits in nextSigningCertificate: then signingCertificate is the free one."""
    tenant.add_domain("example.com", federation=federation("example.com", signing("old"), live))
    await _publish(graph, backups, live, coming)
    assert slots(tenant, "example.com") == (base64_of(coming), base64_of(live))


async def test_publishing_twice_does_nothing(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """What is there is not written again."""
    await _publish(graph, backups, live, coming)
    again = await _publish(graph, backups, live, coming)
    assert (again.done, again.changed) == (True, False)
    assert len(tenant.domains.all["example.com"].writes) == 1


async def test_a_backup_is_there_before_the_change(
    graph: Graph, backups: Backups, live: Certificate, coming: Certificate, tmp_path: Path
) -> None:
    """One file, mode 0600, in a directory 0700, with what was there before."""
    await _publish(graph, backups, live, coming)
    (path,) = backups.all()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path.parent == tmp_path / "state" / "backups"
    backup = load_backup(path)
    assert backup.configuration.slots() == (live.thumbprint, "")
    assert (backup.domain, backup.taken_at) == ("example.com", NOW)
    assert json.loads(path.read_text())["why"].startswith("before example.com")


async def test_no_backup_no_change(
    graph: Graph, tenant: FakeGraph, live: Certificate, coming: Certificate, tmp_path: Path
) -> None:
    """Where the backup cannot be written nothing is changed."""
    state = tmp_path / "state2"
    state.mkdir(mode=0o700)
    (state / "backups").write_text("in the way")
    with pytest.raises(FileProblem):
        await _publish(graph, Backups(state, tenant.tenant), live, coming)
    assert tenant.domains.all["example.com"].writes == []


async def test_a_lost_slot_is_put_back(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """PATCH of one slot clears the other: the live key is written back, and the error says so."""
    tenant.faults.lose_other_slot = True
    with pytest.raises(LiveKeyLost, match="has been restored") as caught:
        await _publish(graph, backups, live, coming)
    assert caught.value.restored
    assert slots(tenant, "example.com")[0] == base64_of(live)


async def test_a_lost_slot_that_cannot_be_put_back_is_shouted(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """Where the way back fails as well, the error names the backup."""
    tenant.faults.lose_other_slot = True
    tenant.add_domain("example.com", federation=federation("example.com", live, signing("third")))
    change = plan_publish(await read_domain(graph, "example.com"), coming, live.thumbprint)
    assert change is not None

    async def nap(seconds: float) -> None:
        tenant.faults.ignore_patches = True

    graph.sleep = nap
    with pytest.raises(LiveKeyLost, match="COULD NOT BE RESTORED") as caught:
        await apply_change(graph, change, backups, NOW)
    assert caught.value.backup is not None
    assert str(caught.value.backup) in str(caught.value)


async def test_a_way_back_that_graph_refuses(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """Not only no effect, but an error: the loss is reported all the same, and it is the loss that is reported."""
    tenant.faults.lose_other_slot = True
    graph_naps: list[float] = []

    async def nap(seconds: float) -> None:
        graph_naps.append(seconds)
        if len(graph_naps) == 1:
            tenant.fault(403, 99, CONFIGURATION, method="PATCH")

    graph.sleep = nap
    with pytest.raises(LiveKeyLost) as caught:
        await _publish(graph, backups, live, coming)
    assert not caught.value.restored


async def test_an_ignored_patch_is_noticed(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """200 without effect is an error; the live key is where it was."""
    tenant.faults.ignore_patches = True
    with pytest.raises(NotTaken, match=coming.thumbprint):
        await _publish(graph, backups, live, coming)
    assert slots(tenant, "example.com") == (base64_of(live), None)


async def test_a_replica_that_lags_is_waited_for(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate, naps: Naps
) -> None:
    """Reads that show the old state for a while are no failure."""
    tenant.faults.stale_reads = 4
    assert (await _publish(graph, backups, live, coming)).changed
    assert naps.taken == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("more", [{"status": 500}, {"status": 503}, {"drop": True}])
async def test_a_lost_answer_is_looked_after(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate, more: dict[str, object]
) -> None:
    """5xx or a broken connection after the effect: the reading back finds it done; the PATCH is not sent again."""
    tenant.fault(path=CONFIGURATION, method="PATCH", after_effect=True, **{"status": 500, **more})  # type: ignore[arg-type]
    assert (await _publish(graph, backups, live, coming)).changed
    assert len(tenant.domains.all["example.com"].writes) == 1


@pytest.mark.parametrize("more", [{"status": 500}, {"status": 503}, {"drop": True}])
async def test_a_change_that_got_lost(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate, more: dict[str, object]
) -> None:
    """5xx or broken connections before any effect: it is not claimed to be done, and nothing is lost."""
    tenant.fault(path=CONFIGURATION, method="PATCH", times=9, **{"status": 500, **more})  # type: ignore[arg-type]
    with pytest.raises(NotTaken):
        await _publish(graph, backups, live, coming)
    assert slots(tenant, "example.com") == (base64_of(live), None)


async def test_a_change_is_sent_once(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate, naps: Naps
) -> None:
    """Where its answer got lost and it does not show, Graph's own words are shown. A person decides whether to repeat it."""
    fault = tenant.fault(503, 9, path=CONFIGURATION, method="PATCH")
    with pytest.raises(NotTaken, match=r"not yet visible.* Graph answered: .*503.*\[request-id .+\]") as caught:
        await _publish(graph, backups, live, coming)
    assert (fault.times, caught.value.missing) == (8, coming.thumbprint)
    assert sum(naps.taken) >= 120


OLDER, OLDEST = signing("older", ends=20 * 86400), signing("oldest", ends=10 * 86400)


@pytest.mark.parametrize("fault", [None, {"status": 500}, {"status": 500, "drop": True}])
@pytest.mark.parametrize("late", [4, 9], ids=["after 15 s", "after 65 s"])
async def test_a_repair_that_shows_late(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, fault: dict[str, Any] | None, late: int
) -> None:
    """Entra ID does not know the live key: it is published over an old one, and waited for, never taken back."""
    tenant.add_domain("example.com", federation=federation("example.com", OLDER, OLDEST))
    if fault is not None:
        tenant.fault(path=CONFIGURATION, method="PATCH", after_effect=True, **fault)
    change = plan_publish(await read_domain(graph, "example.com"), live, live.thumbprint)
    assert change is not None
    tenant.faults.stale_reads = late + 1  # one of them before the change
    await apply_change(graph, change, backups, NOW)
    assert slots(tenant, "example.com") == (base64_of(OLDER), base64_of(live))
    assert len(tenant.domains.all["example.com"].writes) == 1


async def test_a_repair_that_does_not_show(graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate) -> None:
    """It is said not to be visible yet, and not that anything was lost; it stays where it was written."""
    tenant.add_domain("example.com", federation=federation("example.com", OLDER, OLDEST))
    change = plan_publish(await read_domain(graph, "example.com"), live, live.thumbprint)
    assert change is not None
    tenant.faults.stale_reads = 10_000
    with pytest.raises(NotTaken, match=f"{live.thumbprint} is not yet visible"):
        await apply_change(graph, change, backups, NOW)
    assert slots(tenant, "example.com") == (base64_of(OLDER), base64_of(live))
    assert len(tenant.domains.all["example.com"].writes) == 1


async def test_a_replica_that_is_older_than_the_last_change(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """It shows neither the change nor the live key, which was published a moment ago: no proof that anything was lost."""

    async def nap(seconds: float) -> None:
        tenant.domains.all["example.com"].before = {"id": configuration_id, **federation("example.com", OLDER, OLDEST)}

    domain = await read_domain(graph, "example.com")
    assert domain.configuration is not None
    configuration_id, graph.sleep = domain.configuration.id, nap
    change = plan_publish(domain, coming, live.thumbprint)
    assert change is not None
    tenant.faults.stale_reads = 10_000
    with pytest.raises(NotTaken):
        await apply_change(graph, change, backups, NOW)
    assert slots(tenant, "example.com") == (base64_of(live), base64_of(coming))
    assert len(tenant.domains.all["example.com"].writes) == 1


async def test_two_administrators(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """What changed between plan and change is not overwritten."""
    change = plan_publish(await read_domain(graph, "example.com"), coming, live.thumbprint)
    assert change is not None
    theirs = signing("theirs")
    held = tenant.domains.all["example.com"].configuration
    assert held is not None
    held["nextSigningCertificate"] = base64_of(theirs)
    with pytest.raises(TrustChanged, match=theirs.thumbprint):
        await apply_change(graph, change, backups, NOW)
    assert slots(tenant, "example.com") == (base64_of(live), base64_of(theirs))


async def test_slots_that_changed_places(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """The same two certificates the other way round: the planned slot holds the live key now, and is not written."""
    old = signing("old")
    tenant.add_domain("example.com", federation=federation("example.com", live, old))
    change = plan_publish(await read_domain(graph, "example.com"), coming, live.thumbprint)
    assert change is not None
    tenant.add_domain("example.com", federation=federation("example.com", old, live))
    with pytest.raises(TrustChanged):
        await apply_change(graph, change, backups, NOW)


async def test_an_unknown_live_key_refuses_the_next_one(
    graph: Graph, tenant: FakeGraph, backups: Backups, coming: Certificate
) -> None:
    """Publishing a successor while Entra ID does not know the live key hides that sign-in is broken."""
    with pytest.raises(TrustRefused, match="already broken"):
        await _publish(graph, backups, signing("elsewhere"), coming)


async def test_a_lost_trust_is_rebuilt(graph: Graph, tenant: FakeGraph, backups: Backups, coming: Certificate) -> None:
    """Where Entra ID knows neither, the live key itself goes over the certificate that ends sooner."""
    ending, later = signing("ending", ends=86400), signing("later")
    tenant.add_domain("example.com", federation=federation("example.com", ending, later))
    result = await _publish(graph, backups, coming, coming)
    assert result.changed
    assert slots(tenant, "example.com") == (base64_of(coming), base64_of(later))


async def test_every_domain_by_itself(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """One domain that fails does not stop the other, and each has its result."""
    tenant.fault(400, 9, CONFIGURATION, method="PATCH")
    domains = (await read_tenant(graph, NOW)).federated_with(FEDERATION)
    keys = FarmKeys(federation_name=FEDERATION, live=live, coming=(coming,))
    changes, problems = plan_updates(domains, keys, live)
    assert problems == []
    results = {result.domain: result for result in await apply_changes(graph, changes, backups, NOW, _in_memory)}
    assert not results["example.com"].done
    assert isinstance(results["example.com"].error, GraphError)
    assert results["example.org"].changed
    assert slots(tenant, "example.org") == (base64_of(live), base64_of(coming))
    assert len(tenant.domains.all["partner.example"].writes) == 0


async def test_a_refused_sign_in_stops_all(tenant: FakeGraph, tmp_path: Path, graph: Graph, backups: Backups) -> None:
    """A credential that is refused is not tried for each domain."""
    domains = (await read_tenant(graph, NOW)).federated_with(FEDERATION)
    settings = settings_for(tenant, tenant.register("app"), tmp_path)
    assert settings.secret_file is not None
    settings.secret_file.write_text("wrong")
    before = tenant.identity.attempts
    async with Graph(settings) as refused:
        changes = [plan_publish(domain, signing("x"), domain_live(domain)) for domain in domains]
        with pytest.raises(SignInRefused):
            await apply_changes(refused, [change for change in changes if change], backups, NOW, _in_memory)
    assert tenant.identity.attempts == before + 1


def domain_live(domain: FederatedDomain) -> str:
    assert domain.configuration is not None
    return domain.configuration.certificates[Slot.SIGNING].thumbprint


async def test_retiring_puts_the_live_key_into_both_slots(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate
) -> None:
    """The old one is gone, the live one is there, and its own slot was not written."""
    old = signing("old")
    tenant.add_domain("example.com", federation=federation("example.com", old, live))
    domain = await read_domain(graph, "example.com")
    await retire(graph, domain, old.thumbprint, live=live.thumbprint, backups=backups, now=NOW)
    assert tenant.domains.all["example.com"].writes == [{"signingCertificate": base64_of(live)}]
    again = await retire(
        graph, await read_domain(graph, "example.com"), old.thumbprint, live=live.thumbprint, backups=backups, now=NOW
    )
    assert (again.done, again.changed) == (True, False)


async def test_the_next_rollover_after_retiring(
    graph: Graph, tenant: FakeGraph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """With the live key in both slots one of them is free."""
    tenant.add_domain("example.com", federation=federation("example.com", live, live))
    await _publish(graph, backups, live, coming)
    assert slots(tenant, "example.com") == (base64_of(live), base64_of(coming))


async def test_the_live_key_is_never_retired(graph: Graph, backups: Backups, live: Certificate) -> None:
    """Neither the live key itself, nor anything while Entra ID does not know the live key."""
    domain = await read_domain(graph, "example.com")
    with pytest.raises(TrustRefused, match="is the current token-signing certificate"):
        await retire(graph, domain, live.thumbprint.lower(), live=live.thumbprint, backups=backups, now=NOW)
    with pytest.raises(TrustRefused, match="Publish it first"):
        await retire(graph, domain, live.thumbprint, live="A" * 40, backups=backups, now=NOW)


async def test_the_port_of_the_rollover(
    graph: Graph, tenant: FakeGraph, live: Certificate, coming: Certificate, tmp_path: Path
) -> None:
    """List, publish, read back, withdraw: by names and thumbprints, as the journal has them."""
    state = tmp_path / "state3"
    state.mkdir(mode=0o700)
    entra = Entra([graph], FEDERATION, state)
    text = await entra.publish("example.com", coming, live.thumbprint, NOW)
    assert coming.thumbprint in text
    found = {each.name: each for each in await entra.domains(NOW)}
    assert set(found) == {"example.com", "example.org"}
    assert found["example.com"].configuration is not None
    assert found["example.com"].configuration.slots() == (live.thumbprint, coming.thumbprint)
    await entra.withdraw("example.com", live.thumbprint, coming.thumbprint, NOW)
    assert slots(tenant, "example.com") == (base64_of(coming), base64_of(coming))
    with pytest.raises(NotThere, match=r"partner\.example"):
        await entra.publish("partner.example", coming, "", NOW)


async def test_the_port_after_a_theft(graph: Graph, tenant: FakeGraph, coming: Certificate, tmp_path: Path) -> None:
    """With nothing to keep, the first new certificate goes over one of the stolen ones, the second over the other."""
    state = tmp_path / "state3"
    state.mkdir(mode=0o700)
    tenant.add_domain("example.com", federation=federation("example.com", signing("stolen"), signing("stolen too")))
    entra, second = Entra([graph], FEDERATION, state), signing("second")
    await entra.publish("example.com", coming, "", NOW)
    await entra.publish("example.com", second, coming.thumbprint, NOW)
    assert set(slots(tenant, "example.com")) == {base64_of(coming), base64_of(second)}


async def test_a_farm_without_answer_changes_nothing(
    tenant: FakeGraph, settings: object, naps: Naps, graph: Graph, backups: Backups, live: Certificate, coming: Certificate
) -> None:
    """No connection for the PATCH: Unreachable, after the bounded number of tries."""
    domain = await read_domain(graph, "example.com")
    await tenant.stop()
    with pytest.raises(Unreachable):
        await publish(graph, domain, coming, live=live.thumbprint, backups=backups, now=NOW)
    assert len(naps.taken) == 3
