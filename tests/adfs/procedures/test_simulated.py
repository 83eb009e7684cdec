"""Whole rollovers against the simulator, which refuses what AD FS refuses, over the real reading of farms."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from adfs_mgmt.procedures.bindings import names_bound
from adfs_mgmt.procedures.request import RolloverRequest, initial_state
from adfs_mgmt.procedures.rollover import STATES, procedure_of
from adfs_mgmt.procedures.token.certificates import primary_of
from certs.sources import checked
from foundation.procedures import Acknowledged, End, FileJournal, RunResult, run, start, turn_back
from tests.adfs.procedures.driving import POLICY, procedure
from tests.adfs.procedures.farms import Site, site
from tests.adfs.procedures.world import TOKEN
from tests.adfs.simulator.simulator import ManualClock


async def drive(at: Site, path: Path, request: RolloverRequest, *, stop: str = "") -> RunResult:
    """To the end, or to the stage `stop`."""
    state = initial_state(request, await at.observe(), POLICY, at.now())
    with FileJournal(path, STATES, now=at.now(), who="ann@ws1") as journal:
        for event in start(procedure_of(request.kind, POLICY), journal.record, "r1", "prod", state):
            journal.append(event, at.now())
        return await go_on(at, journal, stop)


async def go_on(at: Site, journal: FileJournal, stop: str = "") -> RunResult:
    """As an administrator who answers and comes back."""
    for _ in range(20):
        assert journal.record is not None
        outcome = await run(procedure(journal.record), at.executor(), journal, clock=at)
        if outcome.end not in {End.WAITING, End.ASKING} or outcome.step.stage == stop:
            return outcome
        for name in outcome.step.ask:
            journal.append(Acknowledged(name=name), at.now())
        at.time = max(at.time, outcome.step.until)
    raise AssertionError(outcome)


async def signing(at: Site) -> Any:
    """The certificate that signs, with its DER."""
    observed = await at.observe()
    found = observed.certificate(primary_of(observed.farm.primary, TOKEN[0]))
    assert found is not None
    return found


@pytest.mark.parametrize("version", ["2012 R2", "2016", "2019", "2025"])
async def test_token_rollover_of_each_windows(version: str, tmp_path: Path) -> None:
    """AD FS creates the certificates, partners get their time, the old ones go, and the farm is as it was, with new keys."""
    with site(ManualClock(time.time()), tmp_path, version=version, nodes=2, proxies=1, signing_days=30.0) as at:
        before = await signing(at)
        at.trust.slots = {"a.example": [before], "b.example": [before]}
        outcome = await drive(at, tmp_path / "j.jsonl", RolloverRequest(kind="token", uses=TOKEN))
        assert outcome.end is End.DONE, outcome
        after = await signing(at)
        assert after.thumbprint != before.thumbprint
        assert [[each.thumbprint for each in slots] for slots in at.trust.slots.values()] == [[after.thumbprint]] * 2
        observed = await at.observe()
        assert observed.farm.properties.auto_rollover
        assert observed.outside is not None
        nodes = [row for row in observed.outside.served if row.host in at.settings.nodes]
        assert {row.signed_by for row in nodes} == {after.thumbprint}


async def test_rollback_and_on_again(tmp_path: Path) -> None:
    """After a rollback to `published` the old certificate signs on every node; the new one can come into use again."""
    with site(ManualClock(time.time()), tmp_path, signing_days=30.0) as at:
        before = await signing(at)
        at.trust.slots = {"a.example": [before]}
        path = tmp_path / "j.jsonl"
        assert (await drive(at, path, RolloverRequest(kind="token", uses=TOKEN), stop="soak")).step.stage == "soak"
        new = await signing(at)
        assert new != before
        with FileJournal(path, STATES, now=at.now()) as journal:
            assert journal.record is not None
            table = procedure(journal.record)
            journal.append(turn_back(table, journal.record, "published"), at.now())
            outcome = await run(table, at.executor(), journal, clock=at)
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
        assert not (await at.observe()).farm.properties.auto_rollover


@pytest.mark.parametrize(("version", "alternate"), [("2012 R2", False), ("2019", False), ("2019", True)])
async def test_ssl_everywhere_and_back(version: str, alternate: bool, tmp_path: Path) -> None:
    """Nodes, proxies, applications and Service-Communications get the new certificate, and the old one again afterwards."""
    with site(ManualClock(time.time()), tmp_path, version=version, alternate_tls=alternate, nodes=2, proxies=1) as at:
        names = sorted({*names_bound((await at.observe()).farm), "app1.example.com"})
        request = supplied(at, "ssl", *names)
        before = await at.observe()
        path = tmp_path / "j.jsonl"
        outcome = await drive(at, path, request)
        assert outcome.end is End.DONE, outcome
        assert request.certificate is not None
        assert tls_of(await at.observe()) == {request.certificate.thumbprint}
        with FileJournal(path, STATES, now=at.now()) as journal:
            table = procedure(outcome.record)
            for event in start(table, journal.record, "undo", "prod", outcome.record.state):
                journal.append(event, at.now())
            journal.append(turn_back(table, outcome.record, "start"), at.now())
            outcome = await go_on(at, journal)
        assert outcome.end is End.DONE, outcome
        assert tls_of(await at.observe()) == tls_of(before)


async def test_emergency(tmp_path: Path) -> None:
    """Nothing of what was there is left, in the farm or at Entra ID."""
    with site(ManualClock(time.time()), tmp_path) as at:
        before = await signing(at)
        at.trust.slots = {"a.example": [before]}
        outcome = await drive(at, tmp_path / "j.jsonl", RolloverRequest(kind="emergency", uses=TOKEN))
        assert outcome.end is End.DONE, outcome
        after = await signing(at)
        assert after.thumbprint != before.thumbprint
        assert before.thumbprint not in {each.thumbprint for each in at.trust.slots["a.example"]}
        assert after.thumbprint in {each.thumbprint for each in at.trust.slots["a.example"]}


def supplied(at: Site, kind: Any, *names: str) -> RolloverRequest:
    """A certificate of the simulated CA, its key in the vault."""
    issued = at.simulator.issue(*names, days=365.0)
    material = checked("test", issued.key, issued.parsed, ())
    at.vault.put(material)
    return RolloverRequest(kind=kind, uses=TOKEN[:1], certificate=material.model, material=True)


def tls_of(observed: Any) -> set[str]:
    """What is served."""
    return {row.tls.thumbprint for row in observed.outside.served if row.tls}
