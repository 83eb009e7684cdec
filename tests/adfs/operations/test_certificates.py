"""A token rollover from plan to retirement, as a program drives it: no command line, nothing printed, no time passes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest

from adfs_mgmt.farm import Use
from adfs_mgmt.operations import (
    CertificateOperation,
    CertificateSource,
    NotPossible,
    RolloverRequest,
    acknowledge_certificate,
    certificate_operation,
    check_farms,
    classify_partner,
    refresh_partners,
)
from adfs_mgmt.procedures import RolloverPolicy
from adfs_mgmt.procedures import plan as plan_rollover
from adfs_mgmt.remoting import Command, CommandFailed, PSObject, RemotingSettings, Shell
from certs import PartnerKind
from foundation.procedures import End, JournalLocked, PlanOutdated, PlanUnusable, Refused, save
from isthmus.cli.procedure_data import plan_data, result_data, standing_data
from tests.adfs.operations.settings import Settings, context_of
from tests.adfs.procedures.farms import Site, site
from tests.adfs.simulator.shell import SimulatedShell
from tests.adfs.simulator.simulator import ManualClock, Simulator

OFFICE = "Microsoft Office 365 Identity Platform"
SIGNING = (Use.SIGNING,)


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Site]:
    """One node, whose certificate AD FS replaces."""
    with site(ManualClock(time.time()), tmp_path, nodes=1, proxies=0, signing_days=30.0) as made:
        yield made


@pytest.fixture
def work(at: Site, tmp_path: Path) -> CertificateOperation:
    """On its token certificates."""
    context = context_of(at.simulator, at.clock, Settings(tmp_path / "state", (at.settings,)))
    return certificate_operation(context, "", "token")


async def request(work: CertificateOperation) -> RolloverRequest:
    """For signing, with no time for anybody."""
    return await work.request(CertificateSource(), uses=SIGNING, publish_for=0.0, retire_after=0.0)


async def test_from_plan_to_retirement(work: CertificateOperation, capsys: pytest.CaptureFixture[str]) -> None:
    """It stops at each gate until somebody opens it."""
    assert await work.standing() is None
    assert standing_data(None, "farm") == {"record": None, "step": None}
    seen: list[str] = []
    plan = await work.plan(await request(work))
    asked = await work.apply(plan, progress=lambda progress: seen.append(progress.event))
    assert (asked.end, asked.step.ask) == (End.ASKING, (OFFICE,))
    assert {"act", "completed"} <= set(seen)
    with pytest.raises(NotPossible, match="promote is not the next step"):
        await work.check_gate("promote")
    await work.check_gate("promote", [OFFICE])
    promoted = await work.apply(acknowledged=(OFFICE, "promote"))
    assert promoted.step.ask == ("retire",)
    done = await work.apply(acknowledged=("retire",))
    assert (done.end, done.record.outcome) == (End.DONE, "done")
    assert work.under_way is None
    assert capsys.readouterr() == ("", "")


async def test_what_programs_are_told_is_flat(work: CertificateOperation) -> None:
    """The facts of a plan and of a record by name, as texts."""
    plan = await work.plan(await request(work))
    facts = plan_data(plan, "farm")["facts"]
    assert facts["uses"] == "Token-Signing"
    assert len(facts["old/Token-Signing"]) == 40
    result = result_data(await work.apply(plan), "farm")
    assert result["record"]["facts"]["old/Token-Signing"] == facts["old/Token-Signing"]
    assert set(facts.values()) <= {value for value in facts.values() if isinstance(value, str)}
    standing = standing_data(await work.standing(), "farm")
    assert standing["record"]["held"].keys() == result["record"]["held"].keys()


async def test_back_to_the_start(work: CertificateOperation) -> None:
    """Where nothing was begun there is nothing to roll back."""
    with pytest.raises(NotPossible, match="no rollover of farm prod is in progress"):
        await work.check_way_back("start")
    await work.apply(await work.plan(await request(work)))
    with pytest.raises(Refused, match="only to"):
        await work.check_way_back("nowhere")
    back = await work.roll_back("start")
    assert (back.end, back.record.outcome) == (End.DONE, "rolled back")


async def test_words_are_noted_of_those_who_were_asked(work: CertificateOperation) -> None:
    """Gates have operations of their own."""
    with pytest.raises(NotPossible, match="is in progress"):
        await work.acknowledge([OFFICE])
    await work.apply(await work.plan(await request(work)))
    with pytest.raises(NotPossible, match="their own commands"):
        await work.acknowledge(["promote"])
    with pytest.raises(NotPossible, match="unknown: Offise; to be acknowledged"):
        await work.acknowledge(["Offise"])
    await work.acknowledge([OFFICE])
    assert work.under_way is not None
    assert list(work.under_way.acknowledged) == [OFFICE]


async def test_a_saved_plan_is_for_this_farm_as_it_was(work: CertificateOperation, at: Site, tmp_path: Path) -> None:
    """And of this kind of work."""
    path = tmp_path / "plan.json"
    save(await work.plan(await request(work)), path)
    assert (await work.load(path)).kind == "token"
    ssl = certificate_operation(work.context, "", "ssl")
    with pytest.raises(PlanUnusable, match="isthmus adfs rollover apply"):
        await ssl.load(path)
    node = at.settings.nodes[0].partition("=")[0]
    at.simulator.invoke("CORP\\admin", node, "Set-AdfsProperties", {"AutoCertificateRollover": False})
    with pytest.raises(PlanOutdated, match="properties"):
        await work.load(path)


async def test_one_at_a_time(work: CertificateOperation) -> None:
    """A second plan is refused while there is work, and so is a second process."""
    plan = await work.plan(await request(work))
    await work.apply(plan)
    with pytest.raises(Refused, match="is in progress"):
        await work.apply(plan)
    first, second = await asyncio.gather(work.apply(), work.apply(), return_exceptions=True)
    assert not isinstance(first, BaseException)
    assert isinstance(second, JournalLocked)


async def test_a_certificate_that_no_server_has(work: CertificateOperation) -> None:
    """Its thumbprint alone is not enough; and two sources are one too many."""
    with pytest.raises(NotPossible, match=r"no server of prod has A{40}"):
        await work.request(CertificateSource(thumbprint="A" * 40))
    with pytest.raises(NotPossible, match="not both"):
        work.supply(CertificateSource(pfx=Path("a"), answer=Path("b")))
    assert work.supply(CertificateSource()) is None


async def test_when_the_first_certificate_ends(work: CertificateOperation, at: Site) -> None:
    """For timers."""
    assert 29 < (await work.first_end(SIGNING) - at.clock.now) / 86400 < 31


async def test_a_plan_of_another_farm_or_kind(work: CertificateOperation, tmp_path: Path) -> None:
    """Whoever holds several plans cannot mix them up; the journal is untouched."""
    plan = await work.plan(await request(work))
    with pytest.raises(NotPossible, match="of farm test, not for prod"):
        await work.apply(replace(plan, subject="test"))
    ssl = certificate_operation(work.context, "", "ssl")
    with pytest.raises(NotPossible, match="is for token of farm prod"):
        await ssl.apply(plan)
    assert (work.record, ssl.record) == (None, None)


async def test_a_journal_of_another_farm(work: CertificateOperation) -> None:
    """Copied, or of a name that becomes the same file: nothing is done on its account."""
    await work.apply(await work.plan(await request(work)))
    (journal,) = (work.context.state_dir / "rollover").glob("*.jsonl")
    other = replace(work, farm=replace(work.farm, name="copy"))
    copied = journal.with_name("copy-token.jsonl")
    copied.write_bytes(journal.read_bytes())
    copied.chmod(0o600)
    with pytest.raises(NotPossible, match="is the journal of farm prod, not of copy"):
        await other.apply()
    assert copied.read_bytes() == journal.read_bytes()


async def test_work_that_moved_on_is_not_turned_round(work: CertificateOperation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else finished it while the farm was looked at: there was a way back then, and is none now."""
    await work.apply(await work.plan(await request(work)))
    observe = CertificateOperation.observe

    async def slow(self: CertificateOperation) -> object:
        monkeypatch.undo()
        await work.apply(acknowledged=(OFFICE, "promote", "retire"))
        return await observe(self)

    monkeypatch.setattr(CertificateOperation, "observe", slow)
    with pytest.raises(NotPossible, match="has made progress in the meantime"):
        await work.roll_back("start")
    assert work.record is not None
    assert work.record.outcome == "done"


class Killed(BaseException):
    """The process is gone."""


@dataclass
class LateCommand:
    """One command whose administrator is killed, and which takes effect 150 s after it was sent."""

    simulator: Simulator
    clock: ManualClock
    name: str
    due: float = 0.0
    sent: list[str] = field(default_factory=list)
    """What changed something, in order."""
    _effect: Callable[[], Awaitable[object]] | None = None

    def connect(self, settings: RemotingSettings) -> Shell:
        return LateShell(self)

    def now(self) -> float:
        return self.clock.now

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        if self._effect is not None and self.clock.now >= self.due:
            effect, self._effect = self._effect, None
            self.sent.append(f"late {self.name}")
            with suppress(CommandFailed):
                await effect()

    def lose(self, effect: Callable[[], Awaitable[object]]) -> None:
        """Kill whoever sent it."""
        self.due, self._effect = self.clock.now + 150.0, effect
        raise Killed(self.name)


class LateShell(SimulatedShell):
    """The way to the simulator, on which that command is lost."""

    def __init__(self, late: LateCommand) -> None:
        super().__init__(late.simulator)
        self.late = late

    async def run(self, host: str, command: Command, *, timeout: float = 60.0) -> list[PSObject]:  # noqa: ASYNC109
        if command.name == self.late.name and not self.late.due:
            self.late.lose(lambda: super(LateShell, self).run(host, command, timeout=timeout))
        if not command.name.startswith(("Get-", "Test-")):
            self.late.sent.append(command.name)
        return await super().run(host, command, timeout=timeout)


@pytest.mark.parametrize("name", ["Set-AdfsProperties", "Set-AdfsCertificate"])
async def test_an_emergency_waits_for_an_act_of_what_it_ends(
    name: str, work: CertificateOperation, at: Site, tmp_path: Path
) -> None:
    """Its plan says which; nothing is done before that has settled, so that it cannot come afterwards."""
    late = LateCommand(at.simulator, at.clock, name)
    work = replace(work, context=replace(work.context, connect=late.connect, clock=late))
    with pytest.raises(Killed):
        await work.apply(await work.plan(await request(work)), acknowledged=(OFFICE, "promote"))
    late.sent.clear()
    plan = await work.plan(RolloverRequest(kind="emergency", uses=SIGNING))
    assert name in plan.summary[-2]
    assert "may still take effect until" in plan.summary[-1]
    done = await work.apply(plan)
    assert late.sent[0] == f"late {name}"
    assert "Update-AdfsCertificate" in late.sent
    assert (done.end, done.step.stage) == (End.ASKING, "revoke")
    result = await work.apply(acknowledged=done.step.ask)
    assert (result.end, result.record.outcome) == (End.DONE, "done")
    primary = (await work.observe()).farm.primary
    assert primary is not None
    there = {row.certificate.thumbprint for row in primary.certificates if row.use is Use.SIGNING}
    assert there
    assert not there & set(plan.state.known[Use.SIGNING])
    assert at.farm.shared.properties["AutoCertificateRollover"] is True


async def test_an_emergency_replaces_what_was_about_to_come(work: CertificateOperation) -> None:
    """The certificate of the rollover that it ends, which an act that was open may yet add."""
    await work.apply(await work.plan(await request(work)))
    record = work.under_way
    assert record is not None
    coming = {Use.SIGNING: "A" * 40}
    state = msgspec.structs.replace(record.state, new=coming)
    wanted = RolloverRequest(kind="emergency", uses=SIGNING)
    planned = plan_rollover(wanted, await work.observe(), RolloverPolicy(), 0.0, previous=replace(record, state=state))
    assert planned.state.known[Use.SIGNING][-1] == "A" * 40


async def test_a_plan_that_was_kept_is_checked_when_it_is_applied(work: CertificateOperation, at: Site) -> None:
    """By whoever kept it: nothing is started where the farm is not as it was."""
    plan = await work.plan(await request(work))
    node = at.settings.nodes[0].partition("=")[0]
    at.simulator.invoke("CORP\\admin", node, "Set-AdfsProperties", {"AutoCertificateRollover": False})
    with pytest.raises(PlanOutdated, match="properties"):
        await work.apply(plan)
    assert work.record is None


async def test_no_way_back_to_a_certificate_that_has_ended(work: CertificateOperation, at: Site) -> None:
    """It is refused before the journal says that the work goes back."""
    await work.apply(await work.plan(await request(work)))
    await work.apply(acknowledged=(OFFICE, "promote"))
    before = work.record
    at.clock.now += 31 * 86400
    with pytest.raises(Refused, match="has expired"):
        await work.roll_back("published")
    assert work.record == before


def promoted_by_adfs(at: Site) -> tuple[str, str]:
    """What signed before AD FS promoted its own successor, 20 days before the end and five more; and what signs now."""
    (before,) = (row.certificate.thumbprint for row in at.farm.shared.of("Token-Signing"))
    for days in (11, 6):
        at.clock.advance(days * 86400)
        at.simulator.settle()
    primary = at.farm.shared.primary("Token-Signing")
    assert primary is not None
    return before, primary.certificate.thumbprint


async def test_back_from_what_ad_fs_promoted_by_itself(work: CertificateOperation, at: Site) -> None:
    """The certificate before signs again, though no work of ours brought the new one; partners are told, and it goes on."""
    before, now = promoted_by_adfs(at)
    assert before != now
    wanted = await work.request(CertificateSource(thumbprint=before), uses=SIGNING)
    with pytest.raises(Refused, match=r"AD FS holds its private key: to return to .* isthmus adfs rollover rollback"):
        await work.plan(wanted)
    with pytest.raises(Refused, match="To return to the previous one: isthmus adfs rollover rollback"):
        await work.plan(await request(work))
    back = await work.roll_back("published")
    assert (back.end, back.step.ask) == (End.ASKING, (OFFICE,))
    primary = at.farm.shared.primary("Token-Signing")
    assert primary is not None
    assert primary.certificate.thumbprint == before
    assert at.farm.shared.properties["AutoCertificateRollover"] is False
    assert {row.certificate.thumbprint for row in at.farm.shared.of("Token-Signing")} == {before, now}
    at.clock.advance(5 * 86400)
    forward = await work.apply(acknowledged=(OFFICE, "promote"))
    assert forward.step.stage == "soak"
    primary = at.farm.shared.primary("Token-Signing")
    assert primary is not None
    assert primary.certificate.thumbprint == now
    at.clock.advance(3 * 86400)
    assert (await work.apply(acknowledged=("retire",))).end is End.DONE
    assert at.farm.shared.properties["AutoCertificateRollover"] is True


async def test_no_way_back_from_what_ad_fs_promoted_after_the_end(work: CertificateOperation, at: Site) -> None:
    """The certificate before would stop sign-in; nothing is written down."""
    promoted_by_adfs(at)
    node = at.settings.nodes[0].partition("=")[0]
    at.simulator.invoke("CORP\\admin", node, "Set-AdfsProperties", {"AutoCertificateRollover": False})
    at.clock.advance(14 * 86400)
    with pytest.raises(Refused, match="has expired"):
        await work.roll_back("published")
    assert work.record is None


async def test_partners_that_lack_what_ad_fs_promoted_are_named(work: CertificateOperation, at: Site) -> None:
    """By `check`, with the way back: nobody was asked. One that was told is not, nor anybody once the change is known."""

    async def partners() -> list[tuple[str, str, str]]:
        (report,) = await check_farms(work.context, [at.settings])
        return [(found.status, found.seen, found.remedy) for found in report.findings if found.name == "partners"]

    await refresh_partners(work.context)
    classify_partner(work.context, "", "Partner 2", PartnerKind.MANUAL)
    assert [status for status, _, _ in await partners()] == ["pass"]
    _, now = promoted_by_adfs(at)
    ((status, seen, remedy),) = await partners()
    assert status == "warn"
    assert seen.endswith(f"{now[:12]}, which signs now: {OFFICE}, Partner 2")
    assert f"acknowledge NAME {now}" in remedy
    assert "isthmus adfs rollover rollback" in remedy
    acknowledge_certificate(work.context, "", "Partner 2", now, "ann")
    ((status, seen, _),) = await partners()
    assert seen.endswith(f": {OFFICE}")
    acknowledge_certificate(work.context, "", OFFICE, now, "ann")
    assert [status for status, _, _ in await partners()] == ["pass"]


async def test_partners_that_were_told_in_a_rollover_are_not_named(work: CertificateOperation, at: Site) -> None:
    """Its journal knows it, after its end too."""
    await work.apply(await work.plan(await request(work)), acknowledged=(OFFICE, "promote"))
    (report,) = await check_farms(work.context, [at.settings])
    assert [found.status for found in report.findings if found.name == "partners"] == ["pass"]
