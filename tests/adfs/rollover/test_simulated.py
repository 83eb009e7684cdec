"""Whole rollovers against the simulator, which refuses what AD FS refuses, over the real reading of farms."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from adfs_mgmt.rollover import beginning, plan
from adfs_mgmt.rollover.beginning import Request
from adfs_mgmt.rollover.journal import Journal
from adfs_mgmt.rollover.run import End, Outcome, Rollover, apply
from adfs_mgmt.rollover.tokens import primary_of
from certs.sources import checked
from tests.adfs.rollover.farms import Site, site
from tests.adfs.rollover.world import TOKEN
from tests.adfs.simulator.simulator import ManualClock

WORK = Rollover()


async def drive(at: Site, path: Path, request: Request, *, stop: str = "") -> Outcome:
    """To the end, or to the stage `stop`."""
    facts = beginning.facts(request, await at.look(), WORK.policy, at.now())
    with Journal(path, now=at.now(), who="ann@ws1") as journal:
        if journal.record is None or not journal.record.open:
            journal.start("r1", request.kind, "prod", facts, now=at.now())
        return await go_on(at, journal, stop)


async def go_on(at: Site, journal: Journal, stop: str = "") -> Outcome:
    """As an administrator who answers and comes back."""
    for _ in range(20):
        outcome = await apply(WORK, at.hands(), journal, clock=at)
        if outcome.end not in {End.WAITING, End.ASKING} or outcome.step.stage == stop:
            return outcome
        for name in outcome.step.ask:
            journal.acknowledge(name, now=at.now())
        at.time = max(at.time, outcome.step.until)
    raise AssertionError(outcome)


async def signing(at: Site) -> Any:
    """The certificate that signs, with its DER."""
    snapshot = await at.look()
    found = snapshot.certificate(primary_of(snapshot.farm.primary, TOKEN[0]))
    assert found is not None
    return found


@pytest.mark.parametrize("version", ["2012 R2", "2016", "2019", "2025"])
async def test_token_rollover_of_each_windows(version: str, tmp_path: Path) -> None:
    """AD FS makes the certificates, partners get their time, the old ones go, and the farm is as it was, with new keys."""
    with site(ManualClock(time.time()), tmp_path, version=version, nodes=2, proxies=1, signing_days=30.0) as at:
        before = await signing(at)
        at.trust.slots = {"a.example": [before], "b.example": [before]}
        outcome = await drive(at, tmp_path / "j.jsonl", Request(kind="token", uses=TOKEN))
        assert outcome.end is End.DONE, outcome
        after = await signing(at)
        assert after.thumbprint != before.thumbprint
        assert [[each.thumbprint for each in slots] for slots in at.trust.slots.values()] == [[after.thumbprint]] * 2
        snapshot = await at.look()
        assert snapshot.farm.properties.auto_rollover
        assert snapshot.outside is not None
        nodes = [row for row in snapshot.outside.served if row.host in at.settings.nodes]
        assert {row.signed_by for row in nodes} == {after.thumbprint}


async def test_rollback_and_on_again(tmp_path: Path) -> None:
    """After a rollback to `published` the old certificate signs on every node; the new one can come into use again."""
    with site(ManualClock(time.time()), tmp_path, signing_days=30.0) as at:
        before = await signing(at)
        at.trust.slots = {"a.example": [before]}
        path = tmp_path / "j.jsonl"
        assert (await drive(at, path, Request(kind="token", uses=TOKEN), stop="soak")).step.stage == "soak"
        new = await signing(at)
        assert new != before
        with Journal(path, now=at.now()) as journal:
            assert journal.record is not None
            journal.turn("published", now=at.now(), forget=plan.turn_back(journal.record, "published"))
            outcome = await apply(WORK, at.hands(), journal, clock=at)
            assert outcome.step.stage == "approve", outcome
            assert await signing(at) == before
            outcome = await go_on(at, journal)
            assert outcome.end is End.DONE, outcome
        assert (await signing(at)).thumbprint == new.thumbprint


async def test_supplied_certificate_without_auto_rollover(tmp_path: Path) -> None:
    """A certificate of a CA is imported into every node's store, granted, added, and AD FS is not left to replace it."""
    with site(ManualClock(time.time()), tmp_path, managed=False, auto_rollover=False, signing_days=30.0) as at:
        before = await signing(at)
        at.trust.slots = {"a.example": [before]}
        request = supplied(at, "token", "signing.example.com")
        outcome = await drive(at, tmp_path / "j.jsonl", request)
        assert outcome.end is End.DONE, outcome
        assert request.certificate is not None
        assert (await signing(at)).thumbprint == request.certificate.thumbprint
        assert not (await at.look()).farm.properties.auto_rollover


@pytest.mark.parametrize(("version", "alternate"), [("2012 R2", False), ("2019", False), ("2019", True)])
async def test_ssl_everywhere_and_back(version: str, alternate: bool, tmp_path: Path) -> None:
    """Nodes, proxies, applications and Service-Communications get the new certificate, and the old one again afterwards."""
    with site(ManualClock(time.time()), tmp_path, version=version, alternate_tls=alternate, nodes=2, proxies=1) as at:
        names = sorted({*beginning.names_bound((await at.look()).farm), "app1.example.com"})
        request = supplied(at, "ssl", *names)
        before = await at.look()
        path = tmp_path / "j.jsonl"
        outcome = await drive(at, path, request)
        assert outcome.end is End.DONE, outcome
        assert request.certificate is not None
        assert tls_of(await at.look()) == {request.certificate.thumbprint}
        with Journal(path, now=at.now()) as journal:
            record = outcome.record
            journal.start("undo", "ssl", "prod", record.facts, now=at.now())
            journal.turn("start", now=at.now(), forget=plan.turn_back(record, "start"))
            outcome = await go_on(at, journal)
        assert outcome.end is End.DONE, outcome
        assert tls_of(await at.look()) == tls_of(before)


async def test_emergency(tmp_path: Path) -> None:
    """Nothing of what was there is left, in the farm or at Entra ID."""
    with site(ManualClock(time.time()), tmp_path) as at:
        before = await signing(at)
        at.trust.slots = {"a.example": [before]}
        outcome = await drive(at, tmp_path / "j.jsonl", Request(kind="emergency", uses=TOKEN))
        assert outcome.end is End.DONE, outcome
        after = await signing(at)
        assert after.thumbprint != before.thumbprint
        assert before.thumbprint not in {each.thumbprint for each in at.trust.slots["a.example"]}
        assert after.thumbprint in {each.thumbprint for each in at.trust.slots["a.example"]}


def supplied(at: Site, kind: Any, *names: str) -> Request:
    """A certificate of the simulated CA, its key in the vault."""
    issued = at.simulator.issue(*names, days=365.0)
    material = checked("test", issued.key, issued.parsed, ())
    at.vault.put(material)
    return Request(kind=kind, uses=TOKEN[:1], certificate=material.model, material=True)


def tls_of(snapshot: Any) -> set[str]:
    """What is served."""
    return {row.tls.thumbprint for row in snapshot.outside.served if row.tls}
