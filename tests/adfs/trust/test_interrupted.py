"""Changes that are interrupted at every point: killed, and gone on with; undone; given up for another."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from adfs_mgmt.trust import (
    Backups,
    DomainJournals,
    NotTaken,
    Slot,
    configuration_for,
    load_backup,
    plan_federated,
    plan_managed,
)
from adfs_mgmt.trust.comparison import SigningKeys
from adfs_mgmt.trust.conversion import Converted, convert_domain, is_converting, resume_conversion
from adfs_mgmt.trust.domain_executor import DomainObservation, effect_of
from adfs_mgmt.trust.errors import FileProblem, NotConfirmed, TrustRefused
from adfs_mgmt.trust.journals import STATES
from adfs_mgmt.trust.reader import read_domain, read_tenant
from adfs_mgmt.trust.update import UPDATE, SlotChange, apply_change, plan_publish
from certs import Certificate
from foundation import procedures
from foundation.graph import (
    Conflict,
    Graph,
    MalformedAnswer,
    OutcomeUnknown,
    PermissionMissing,
    Rejected,
    SignInRefused,
    Throttled,
    Unreachable,
)
from foundation.procedures import JournalLocked, Plan, PlanOutdated, load, save
from tests.adfs.trust.conftest import FEDERATION, base64_of, federation, signing, slots
from tests.fakes.graph import FakeGraph

NOW = 1_700_000_000.0


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def journals(tmp_path: Path, tenant: FakeGraph) -> DomainJournals:
    """In a directory of their own."""
    return DomainJournals(tmp_path / "state", tenant.tenant)


class Killer:
    """Kills before and after every request that changes something, one after the other."""

    def __init__(self, graph: Graph, number: int) -> None:
        self.left = number
        self.patched, self.posted = graph.patch, graph.post
        graph.patch, graph.post = self.patch, self.post  # type: ignore[method-assign]
        self.graph = graph

    def revive(self) -> None:
        """What comes afterwards is another process."""
        self.graph.patch, self.graph.post = self.patched, self.posted  # type: ignore[method-assign]

    async def patch(self, what: str, body: Mapping[str, Any], *path: str) -> None:
        self.point()
        await self.patched(what, body, *path)
        self.point()

    async def post(self, what: str, body: Mapping[str, Any], *path: str) -> None:
        self.point()
        await self.posted(what, body, *path)
        self.point()

    def point(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise Killed


async def planned(graph: Graph, name: str, live: Certificate) -> Plan[Any]:
    """To the other kind."""
    trust = await read_tenant(graph, NOW)
    if name == "managed.example":
        keys = SigningKeys(federation_name=FEDERATION, live=live)
        return plan_federated(trust, name, configuration_for(name, keys), time.time(), keys=keys)
    return plan_managed(trust, name, NOW)


async def going_on(graph: Graph, name: str, backups: Backups, journals: DomainJournals) -> Converted:
    """As the same command does it, if it was interrupted after it had begun."""
    with journals.open(name, NOW) as journal:
        return await resume_conversion(graph, confirmation=name, backups=backups, journal=journal, now=NOW)


@pytest.mark.parametrize("name", ["example.com", "managed.example"])
async def test_a_conversion_that_is_killed_goes_on(
    name: str, graph: Graph, tenant: FakeGraph, backups: Backups, journals: DomainJournals, live: Certificate
) -> None:
    """Before the request and after it: in the end it is converted, by one request, with one backup of what there was."""
    for number in range(2):
        before = await read_domain(graph, name)
        plan, killer = await planned(graph, name, live), Killer(graph, number)
        with pytest.raises(Killed), journals.open(name, NOW) as journal:
            await convert_domain(graph, plan, confirmation=name, backups=backups, journal=journal, now=NOW)
        killer.revive()
        assert is_converting(journals.record(name), plan.kind)
        converted = await going_on(graph, name, backups, journals)
        assert converted.domain.federated is not before.federated
        assert not is_converting(journals.record(name))
        if name == "example.com":
            assert converted.backup is not None
            assert load_backup(converted.backup).configuration.slots() == (live.thumbprint, "")
        tenant.add_domain(name, federation=federation(name, live) if before.federated else None)
    assert len(backups.all()) == (2 if name == "example.com" else 0)


@pytest.mark.parametrize("name", ["example.com", "managed.example"])
async def test_a_conversion_that_is_killed_after_every_line_goes_on(
    name: str,
    graph: Graph,
    tenant: FakeGraph,
    backups: Backups,
    journals: DomainJournals,
    live: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever is on disk is enough."""
    sync = os.fsync
    for number in count():
        before = await read_domain(graph, name)
        plan = await planned(graph, name, live)
        left = iter(range(number, -1, -1))

        def sync_and_die(descriptor: int, left: Any = left) -> None:
            sync(descriptor)
            if next(left, -1) == 0:
                raise Killed

        monkeypatch.setattr(os, "fsync", sync_and_die)
        try:
            with journals.open(name, NOW) as journal:
                await convert_domain(graph, plan, confirmation=name, backups=backups, journal=journal, now=NOW)
        except Killed:
            monkeypatch.setattr(os, "fsync", sync)
            if is_converting(journals.record(name)):
                await going_on(graph, name, backups, journals)
        else:
            assert number >= 4
            break
        finally:
            monkeypatch.setattr(os, "fsync", sync)
        assert (await read_domain(graph, name)).federated is not before.federated
        tenant.add_domain(name, federation=federation(name, live) if before.federated else None)


@pytest.mark.parametrize("name", ["example.com", "managed.example"])
async def test_an_interrupted_conversion_is_undone(
    name: str, graph: Graph, tenant: FakeGraph, backups: Backups, journals: DomainJournals, live: Certificate
) -> None:
    """From before and after the request: as it was, its configuration included."""
    for number in range(2):
        before = await read_domain(graph, name)
        plan, killer = await planned(graph, name, live), Killer(graph, number)
        with pytest.raises(Killed), journals.open(name, NOW) as journal:
            await convert_domain(graph, plan, confirmation=name, backups=backups, journal=journal, now=NOW)
        killer.revive()
        with journals.open(name, NOW) as journal:
            await resume_conversion(graph, confirmation=name, backups=backups, journal=journal, now=NOW, undo=True)
        after = await read_domain(graph, name)
        assert (after.federated, after.certificates) == (before.federated, before.certificates)
        record = journals.record(name)
        assert record is not None
        assert record.outcome == "rolled back"


async def test_an_undo_that_is_killed_goes_on_as_an_undo(
    graph: Graph, tenant: FakeGraph, backups: Backups, journals: DomainJournals, live: Certificate
) -> None:
    """It is not what the command for the conversion continues."""
    plan, killer = await planned(graph, "example.com", live), Killer(graph, 1)
    with pytest.raises(Killed), journals.open("example.com", NOW) as journal:
        await convert_domain(graph, plan, confirmation="example.com", backups=backups, journal=journal, now=NOW)
    killer.left = 0
    with pytest.raises(Killed), journals.open("example.com", NOW) as journal:
        await resume_conversion(graph, confirmation="example.com", backups=backups, journal=journal, now=NOW, undo=True)
    killer.revive()
    assert not is_converting(journals.record("example.com"), plan.kind)
    assert is_converting(journals.record("example.com"))
    assert (await going_on(graph, "example.com", backups, journals)).domain.federated


async def test_a_conversion_that_somebody_else_did_otherwise(
    graph: Graph, tenant: FakeGraph, backups: Backups, journals: DomainJournals, live: Certificate
) -> None:
    """With other certificates: theirs stand, and ours is not said to be done."""
    plan, killer = await planned(graph, "managed.example", live), Killer(graph, 0)
    with pytest.raises(Killed), journals.open("managed.example", NOW) as journal:
        await convert_domain(graph, plan, confirmation="managed.example", backups=backups, journal=journal, now=NOW)
    killer.revive()
    theirs = signing("theirs")
    tenant.add_domain("managed.example", federation=federation("managed.example", theirs))
    with pytest.raises(NotTaken, match="the conversion"):
        await going_on(graph, "managed.example", backups, journals)
    assert (await read_domain(graph, "managed.example")).certificates == (theirs.thumbprint,)


@pytest.mark.parametrize(
    ("error", "effect"),
    [
        (OutcomeUnknown("x", "lost"), "unknown"),
        (MalformedAnswer("x", "no JSON"), "unknown"),
        (SignInRefused("x", "wrong secret"), "none"),
        (Unreachable("x", "no answer"), "none"),
        (Throttled("x", 60.0), "none"),
        (FileProblem(Path("x"), "full", "make room"), "none"),
        (PermissionMissing("x", "403"), "refused"),
        (Rejected("x", "400"), "refused"),
        (Conflict("x", "409"), "refused"),
    ],
)
def test_what_a_failed_change_left_behind(error: Exception, effect: str) -> None:
    """Only what surely never ran is no try; what may have run is looked after."""
    assert effect_of(error) == effect


async def test_what_is_undone_is_in_the_plan(graph: Graph, live: Certificate) -> None:
    """By the same acts."""
    plan = await planned(graph, "managed.example", live)
    assert [(step.acts, step.undo) for step in plan.steps] == [
        (("managed.example: federating managed.example",), ("managed.example: making managed.example managed",))
    ]


async def test_what_is_not_under_way_is_not_gone_on_with(
    graph: Graph, backups: Backups, journals: DomainJournals, live: Certificate
) -> None:
    """Nor without the domain's name; nor while somebody else is at it."""
    with pytest.raises(TrustRefused, match="no conversion is under way"):
        await going_on(graph, "example.com", backups, journals)
    with journals.open("example.com", NOW) as journal:
        with pytest.raises(TrustRefused, match="no conversion is under way"):
            await resume_conversion(graph, confirmation="example.com", backups=backups, journal=journal, now=NOW, undo=True)
        with pytest.raises(JournalLocked):
            journals.open("example.com", NOW)
    plan, killer = await planned(graph, "example.com", live), Killer(graph, 0)
    with pytest.raises(Killed), journals.open("example.com", NOW) as journal:
        await convert_domain(graph, plan, confirmation="example.com", backups=backups, journal=journal, now=NOW)
    killer.revive()
    for undo in (False, True):
        with pytest.raises(NotConfirmed), journals.open("example.com", NOW) as journal:
            await resume_conversion(graph, confirmation="yes", backups=backups, journal=journal, now=NOW, undo=undo)
    assert (await read_domain(graph, "example.com")).federated


async def test_a_plan_that_was_overtaken(
    graph: Graph, tenant: FakeGraph, backups: Backups, journals: DomainJournals, live: Certificate, tmp_path: Path
) -> None:
    """A conversion of a domain that is not as it was when the plan was made and saved: nothing is done."""
    path = tmp_path / "plan.json"
    save(await planned(graph, "example.com", live), path)
    tenant.add_domain("example.com", federation=federation("example.com", live, signing("theirs")))
    with pytest.raises(PlanOutdated, match="certificates: was"), journals.open("example.com", NOW) as journal:
        await convert_domain(
            graph, load(path, STATES), confirmation="example.com", backups=backups, journal=journal, now=NOW
        )
    assert (await read_domain(graph, "example.com")).federated
    assert journals.record("example.com") is None


@pytest.mark.parametrize("number", [0, 1])
async def test_an_update_that_is_killed_is_planned_anew(
    number: int,
    graph: Graph,
    tenant: FakeGraph,
    backups: Backups,
    journals: DomainJournals,
    live: Certificate,
    coming: Certificate,
    tmp_path: Path,
) -> None:
    """Before the request it is done by the next command, after it there is nothing left; a saved plan does as well."""
    change = plan_publish(await read_domain(graph, "example.com"), coming, live.thumbprint)
    assert change is not None
    path = tmp_path / "plan.json"
    observed = DomainObservation(domain=await read_domain(graph, "example.com"))
    marks = {slot.value: thumbprint for slot, thumbprint in zip(Slot, change.before, strict=True)}
    plan: Plan[SlotChange] = procedures.make(
        UPDATE, observed, subject=change.domain, title=str(change), state=change, marks=marks, now=NOW, by="ann"
    )
    save(plan, path)
    plan, killer = load(path, STATES), Killer(graph, number)
    assert plan.state == change
    with pytest.raises(Killed), journals.open("example.com", NOW) as journal:
        await apply_change(graph, plan.state, backups, NOW, journal)
    killer.revive()
    again = plan_publish(await read_domain(graph, "example.com"), coming, live.thumbprint)
    assert (again is None) is (number == 1)
    if again is not None:
        with journals.open("example.com", NOW) as journal:
            await apply_change(graph, again, backups, NOW, journal)
    assert slots(tenant, "example.com") == (base64_of(live), base64_of(coming))
    assert len(tenant.domains.all["example.com"].writes) == 1


async def test_the_last_word_about_a_domain_counts(
    graph: Graph, backups: Backups, journals: DomainJournals, live: Certificate, coming: Certificate
) -> None:
    """A conversion that was interrupted before anything happened is over when somebody updates the domain instead."""
    plan, killer = await planned(graph, "example.com", live), Killer(graph, 0)
    with pytest.raises(Killed), journals.open("example.com", NOW) as journal:
        await convert_domain(graph, plan, confirmation="example.com", backups=backups, journal=journal, now=NOW)
    killer.revive()
    change = plan_publish(await read_domain(graph, "example.com"), coming, live.thumbprint)
    assert change is not None
    with journals.open("example.com", NOW) as journal:
        await apply_change(graph, change, backups, NOW, journal)
    record = journals.record("example.com")
    assert record is not None
    assert (record.kind, record.outcome) == ("trust update", "done")
