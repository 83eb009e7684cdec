"""Changes that are interrupted at every point: killed, and gone on with; undone; given up for another."""

from __future__ import annotations

import os
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from adfs_mgmt.trust import (
    Backups,
    DomainJournals,
    FederatedDomain,
    NotTaken,
    Slot,
    configuration_for,
    load_backup,
    plan_federated,
    plan_managed,
)
from adfs_mgmt.trust.comparison import FarmKeys
from adfs_mgmt.trust.conversion import Converted, convert_domain, is_converting, resume_conversion
from adfs_mgmt.trust.domain_executor import DomainObservation, effect_of
from adfs_mgmt.trust.errors import FileProblem, TrustRefused
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


@dataclass
class Administrator:
    """Somebody who changes domains, and whose process may be killed."""

    graph: Graph
    tenant: FakeGraph
    backups: Backups
    journals: DomainJournals
    live: Certificate
    """The certificate that signs now."""

    async def planned(self, name: str) -> Plan[Any]:
        """To the other kind."""
        trust, record = await read_tenant(self.graph, NOW), self.journals.record(name)
        if name == "managed.example":
            keys = FarmKeys(federation_name=FEDERATION, live=self.live)
            return plan_federated(trust, name, configuration_for(name, keys), time.time(), keys=keys, previous=record)
        return plan_managed(trust, name, NOW, previous=record)

    async def convert(self, plan: Plan[Any]) -> Converted:
        """By this plan."""
        name = plan.state.domain
        with self.journals.open(name, NOW) as journal:
            return await convert_domain(self.graph, plan, backups=self.backups, journal=journal, now=NOW)

    async def go_on(self, name: str, *, undo: bool = False) -> Converted:
        """As the same command does it, if it was interrupted after it had begun."""
        with self.journals.open(name, NOW) as journal:
            return await resume_conversion(
                self.graph,
                backups=self.backups,
                journal=journal,
                now=NOW,
                undo=undo,
            )

    async def update(self, change: SlotChange) -> None:
        """One slot."""
        with self.journals.open(change.domain, NOW) as journal:
            await apply_change(self.graph, change, self.backups, NOW, journal)

    async def is_killed(self, work: Coroutine[Any, Any, object], number: int) -> None:
        """Before (0) or after (1) the first request of this work that changes something; so on for more of them."""
        killer = Killer(self.graph, number)
        with pytest.raises(Killed):
            await work
        killer.revive()

    async def read(self, name: str) -> FederatedDomain:
        """A domain, now."""
        return await read_domain(self.graph, name)

    def restore(self, before: FederatedDomain) -> None:
        """As it was, by the tenant's own hand."""
        self.tenant.add_domain(before.name, federation=federation(before.name, self.live) if before.federated else None)

    def outcome(self, name: str) -> tuple[str, str]:
        """Of what was done about a domain last: its kind, and what it came to."""
        record = self.journals.record(name)
        assert record is not None
        return record.kind, record.outcome


@pytest.fixture
def admin(graph: Graph, tenant: FakeGraph, backups: Backups, journals: DomainJournals, live: Certificate) -> Administrator:
    """On the tenant that every test of trusts has."""
    return Administrator(graph, tenant, backups, journals, live)


@pytest.mark.parametrize("name", ["example.com", "managed.example"])
async def test_a_conversion_that_is_killed_goes_on(name: str, admin: Administrator) -> None:
    """Before the request and after it: in the end it is converted, by one request, with one backup of what there was."""
    for number in range(2):
        before = await admin.read(name)
        plan = await admin.planned(name)
        await admin.is_killed(admin.convert(plan), number)
        assert is_converting(admin.journals.record(name), plan.kind)
        converted = await admin.go_on(name)
        assert converted.domain.federated is not before.federated
        assert not is_converting(admin.journals.record(name))
        if name == "example.com":
            assert converted.backup is not None
            assert load_backup(converted.backup).configuration.slots() == (admin.live.thumbprint, "")
        admin.restore(before)
    assert len(admin.backups.all()) == (2 if name == "example.com" else 0)


@pytest.mark.parametrize("name", ["example.com", "managed.example"])
async def test_a_conversion_that_is_killed_after_every_line_goes_on(
    name: str, admin: Administrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is on disk is enough."""
    sync = os.fsync
    for number in count():
        before = await admin.read(name)
        plan = await admin.planned(name)
        left = iter(range(number, -1, -1))

        def sync_and_die(descriptor: int, left: Any = left) -> None:
            sync(descriptor)
            if next(left, -1) == 0:
                raise Killed

        monkeypatch.setattr(os, "fsync", sync_and_die)
        try:
            await admin.convert(plan)
        except Killed:
            monkeypatch.setattr(os, "fsync", sync)
            if is_converting(admin.journals.record(name)):
                await admin.go_on(name)
        else:
            assert number >= 4
            break
        finally:
            monkeypatch.setattr(os, "fsync", sync)
        assert (await admin.read(name)).federated is not before.federated
        admin.restore(before)


@pytest.mark.parametrize("name", ["example.com", "managed.example"])
async def test_an_interrupted_conversion_is_undone(name: str, admin: Administrator) -> None:
    """From before and after the request: as it was, its configuration included."""
    for number in range(2):
        before = await admin.read(name)
        await admin.is_killed(admin.convert(await admin.planned(name)), number)
        await admin.go_on(name, undo=True)
        after = await admin.read(name)
        assert (after.federated, after.certificates) == (before.federated, before.certificates)
        assert admin.outcome(name)[1] == "rolled back"


async def test_an_undo_that_is_killed_goes_on_as_an_undo(admin: Administrator) -> None:
    """It is not what the command for the conversion continues."""
    plan = await admin.planned("example.com")
    await admin.is_killed(admin.convert(plan), 1)
    await admin.is_killed(admin.go_on("example.com", undo=True), 0)
    assert not is_converting(admin.journals.record("example.com"), plan.kind)
    assert is_converting(admin.journals.record("example.com"))
    assert (await admin.go_on("example.com")).domain.federated


async def test_a_conversion_that_somebody_else_did_otherwise(admin: Administrator) -> None:
    """With other certificates: theirs stand, and ours is not said to be done."""
    await admin.is_killed(admin.convert(await admin.planned("managed.example")), 0)
    theirs = signing("theirs")
    admin.tenant.add_domain("managed.example", federation=federation("managed.example", theirs))
    with pytest.raises(NotTaken, match="the conversion"):
        await admin.go_on("managed.example")
    assert (await admin.read("managed.example")).certificates == (theirs.thumbprint,)


@pytest.mark.parametrize(
    ("error", "effect"),
    [
        (OutcomeUnknown("x", "lost"), "unknown"),
        (MalformedAnswer("x", "no JSON"), "unknown"),
        (SignInRefused("x", "wrong secret"), "none"),
        (Unreachable("x", "no answer"), "none"),
        (Throttled("x", 60.0), "none"),
        (FileProblem(Path("x"), "full", "free disk space"), "none"),
        (PermissionMissing("x", "403"), "refused"),
        (Rejected("x", "400"), "refused"),
        (Conflict("x", "409"), "refused"),
    ],
)
def test_what_a_failed_change_left_behind(error: Exception, effect: str) -> None:
    """Only what surely never ran is no try; what may have run is looked after."""
    assert effect_of(error) == effect


async def test_what_is_undone_is_in_the_plan(admin: Administrator) -> None:
    """By the same acts."""
    plan = await admin.planned("managed.example")
    assert [(step.acts, step.undo) for step in plan.steps] == [
        (("managed.example: federating managed.example",), ("managed.example: making managed.example managed",))
    ]


async def test_what_is_not_under_way_is_not_gone_on_with(admin: Administrator) -> None:
    """Nor while somebody else is at it."""
    for undo in (False, True):
        with pytest.raises(TrustRefused, match="no conversion of this domain"):
            await admin.go_on("example.com", undo=undo)
    with admin.journals.open("example.com", NOW), pytest.raises(JournalLocked):
        admin.journals.open("example.com", NOW)


async def test_a_plan_that_was_overtaken(admin: Administrator, tmp_path: Path) -> None:
    """A conversion of a domain that is not as it was when the plan was made and saved: nothing is done."""
    path = tmp_path / "plan.json"
    save(await admin.planned("example.com"), path)
    admin.tenant.add_domain("example.com", federation=federation("example.com", admin.live, signing("theirs")))
    with pytest.raises(PlanOutdated, match="certificates: was"):
        await admin.convert(load(path, STATES))
    assert (await admin.read("example.com")).federated
    assert admin.journals.record("example.com") is None


@pytest.mark.parametrize("number", [0, 1])
async def test_an_update_that_is_killed_is_planned_anew(
    number: int, admin: Administrator, coming: Certificate, tmp_path: Path
) -> None:
    """Before the request it is done by the next command, after it there is nothing left; a saved plan does as well."""
    domain = await admin.read("example.com")
    change = plan_publish(domain, coming, admin.live.thumbprint)
    assert change is not None
    path = tmp_path / "plan.json"
    marks = {slot.value: thumbprint for slot, thumbprint in zip(Slot, change.before, strict=True)}
    plan: Plan[SlotChange] = procedures.make(
        UPDATE,
        DomainObservation(domain=domain),
        subject=change.domain,
        title=str(change),
        state=change,
        marks=marks,
        now=NOW,
        by="ann",
    )
    save(plan, path)
    plan = load(path, STATES)
    assert plan.state == change
    await admin.is_killed(admin.update(plan.state), number)
    again = plan_publish(await admin.read("example.com"), coming, admin.live.thumbprint)
    assert (again is None) is (number == 1)
    if again is not None:
        await admin.update(again)
    assert slots(admin.tenant, "example.com") == (base64_of(admin.live), base64_of(coming))
    assert len(admin.tenant.domains.all["example.com"].writes) == 1


async def test_the_last_word_about_a_domain_counts(admin: Administrator, coming: Certificate) -> None:
    """A conversion that was interrupted before anything happened is over when somebody updates the domain instead."""
    await admin.is_killed(admin.convert(await admin.planned("example.com")), 0)
    change = plan_publish(await admin.read("example.com"), coming, admin.live.thumbprint)
    assert change is not None
    await admin.update(change)
    assert admin.outcome("example.com") == ("trust update", "done")


async def test_a_request_that_comes_late_comes_before_the_next_work(
    admin: Administrator, coming: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was given up is waited for: the plan says so, and the copy that is made has what came of it."""
    change = plan_publish(await admin.read("example.com"), coming, admin.live.thumbprint)
    assert change is not None
    await admin.is_killed(admin.update(change), 0)
    plan = await admin.planned("example.com")
    assert "may still take effect until" in plan.summary[-1]
    both = federation("example.com", admin.live, coming)
    arrives(admin, both, monkeypatch)
    converted = await admin.convert(plan)
    assert converted.backup is not None
    assert load_backup(converted.backup).configuration.slots() == (admin.live.thumbprint, coming.thumbprint)


async def test_an_update_that_a_late_request_overtakes(
    admin: Administrator, coming: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was planned for other slots: theirs stand."""
    change = plan_publish(await admin.read("example.com"), coming, admin.live.thumbprint)
    assert change is not None
    await admin.is_killed(admin.update(change), 0)
    theirs = signing("theirs")
    arrives(admin, federation("example.com", admin.live, theirs), monkeypatch)
    with pytest.raises(TrustRefused, match="its certificates were"):
        await admin.update(change)
    assert slots(admin.tenant, "example.com") == (base64_of(admin.live), base64_of(theirs))


def arrives(admin: Administrator, late: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that was lost takes effect while it is waited for."""
    nap = admin.graph.sleep

    async def sleep(seconds: float) -> None:
        admin.tenant.add_domain("example.com", federation=late)
        await nap(seconds)

    monkeypatch.setattr(admin.graph, "sleep", sleep)
