"""Other administrators, ended certificates and broken servers on the way back: what would cut an organisation off."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from adfs_mgmt.farm import Use
from adfs_mgmt.procedures.request import RolloverRequest
from adfs_mgmt.procedures.rollover import STATES, plan
from foundation.procedures import (
    Acknowledged,
    Completed,
    End,
    JournalError,
    Refused,
    StepKind,
    check_harmless,
    next_step,
    read,
    turn_forward,
)
from foundation.procedures import file_journal as journals
from tests.adfs.procedures.driving import POLICY, begin, drive, once, opened, procedure, turn
from tests.adfs.procedures.test_faults import Chaos, text_of
from tests.adfs.procedures.world import DAY, NEW, NEW_D, NEW_SSL, NOW, OLD, OLD_D, OLD_SSL, TOKEN, World, certificate

TOKENS = RolloverRequest(kind="token", uses=TOKEN)


def promote_by_hand(world: World) -> None:
    """What another administrator did on the primary, or AD FS itself while its clock ran."""
    world.config.token = {Use.SIGNING: [NEW, OLD], Use.DECRYPTING: [NEW_D, OLD_D]}


@pytest.mark.parametrize("to", ["published", "start"])
async def test_rollback_of_what_somebody_else_promoted(to: str, tmp_path: Path) -> None:
    """The new certificate signs although we never promoted it: Entra ID keeps it until the old one signs again."""
    world, path = World(nodes=("n1", "n2")), tmp_path / "j.jsonl"
    await begin(path, world, TOKENS)
    outcome = await once(path, world)
    assert outcome.end is End.WAITING
    promote_by_hand(world)
    world.event = Chaos(world, set(), set())
    turn(path, world, outcome.record, to)
    outcome = await drive(path, world, stop=lambda outcome: not outcome.record.back)
    assert world.config.token[Use.SIGNING][0] == OLD
    assert world.restarted == ["n2", "n1"]
    assert all(OLD in slots for slots in world.domains.values())
    assert (outcome.end is End.DONE) is (to == "start")


async def test_rollback_while_somebody_promotes_in_the_middle_of_it(tmp_path: Path) -> None:
    """The old one signed again, then somebody promotes the new one once more: nothing is taken from Entra ID."""
    world, path = World(nodes=("n1", "n2")), tmp_path / "j.jsonl"
    outcome = await drive(path, world, request=TOKENS, stop=lambda outcome: outcome.step.stage == "soak")
    turn(path, world, outcome.record, "start")
    outcome = await once(path, world)
    assert outcome.step.stage == "grace period"
    promote_by_hand(world)
    world.event = Chaos(world, set(), set())
    world.time += 3 * DAY
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert NEW in text_of(outcome)
    assert all(NEW in slots for slots in world.domains.values())


async def test_no_way_back_to_a_token_certificate_that_has_ended(tmp_path: Path) -> None:
    """The old one has ended meanwhile: nobody would believe it, and with it AD FS would not even start."""
    world, path = World(nodes=("n1", "n2")), tmp_path / "j.jsonl"
    outcome = await drive(path, world, request=TOKENS, stop=lambda outcome: outcome.step.stage == "soak")
    world.time = NOW + 15.5 * DAY
    with pytest.raises(Refused, match=f"{OLD}.*has expired"):
        check_harmless(procedure(outcome.record), await world.observe(), outcome.record, "published", world.time)
    turn(path, world, outcome.record, "published")
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert world.config.token[Use.SIGNING][0] == NEW
    turn(path, world, outcome.record, "")
    assert (await drive(path, world)).end is End.DONE
    assert world.config.token[Use.SIGNING] == [NEW]


async def test_no_way_back_to_an_ssl_certificate_that_has_ended(tmp_path: Path) -> None:
    """Every browser would refuse it: said before anything is bound; forward again ends where it was."""
    world = World(nodes=("n1", "n2"), proxies=("p1",), vault={NEW_SSL}, dates={OLD_SSL: certificate(OLD_SSL, NOW + DAY)})
    request, path = RolloverRequest(kind="ssl", certificate=certificate(NEW_SSL), material=True), tmp_path / "j.jsonl"
    outcome = await drive(path, world, request=request, stop=lambda outcome: "bind" in outcome.record.completed)
    record = outcome.record
    world.time = NOW + 2 * DAY
    with pytest.raises(Refused, match=f"{OLD_SSL}.*has expired"):
        check_harmless(procedure(record), await world.observe(), record, "start", world.time)
    turn(path, world, record, "start")
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert world.bindings["p1"]["fs.example.com"] == NEW_SSL
    turn(path, world, outcome.record, "")
    assert (await drive(path, world)).record.outcome == "done"


async def test_back_at_published_nobody_can_cancel(tmp_path: Path) -> None:
    """Turning forward is for a rollback that is under way."""
    world, path = World(nodes=("n1",)), tmp_path / "j.jsonl"
    outcome = await drive(path, world, request=TOKENS, stop=lambda outcome: outcome.step.stage == "soak")
    with pytest.raises(Refused, match="no rollback is in progress"):
        turn_forward(procedure(outcome.record), outcome.record)


@pytest.mark.parametrize("story", ["token", "ssl"])
async def test_rollback_starts_the_node_that_did_not_come_back(story: str, tmp_path: Path) -> None:
    """With the new certificate a node's service did not start: the way back begins with that node, and ends."""
    world, path = World(vault={NEW_SSL}, restart_seconds=1e9), tmp_path / "j.jsonl"
    request = TOKENS if story == "token" else RolloverRequest(kind="ssl", certificate=certificate(NEW_SSL), material=True)
    outcome = await drive(path, world, request=request)
    assert outcome.end is End.STOPPED
    assert world.restarted == ["n2"]
    world.restart_seconds = 0.0
    turn(path, world, outcome.record, "start")
    outcome = await drive(path, world)
    assert outcome.record.outcome == "rolled back", text_of(outcome)
    assert world.restarted == ["n2", "n2", "n3", "n1"]


async def test_a_restart_that_broke_off_half_way_is_done_again(tmp_path: Path) -> None:
    """The connection broke between stop and start: the service is down, and nobody else would start it."""
    world, path = World(), tmp_path / "j.jsonl"
    world.interrupt, world.restart_seconds = {"Restart-Service"}, 1e9
    world.event = lambda what: setattr(world, "restart_seconds", 0.0) if what == "sleep" and world.restarted else None
    outcome = await drive(path, world, request=TOKENS, stop=lambda outcome: outcome.step.stage == "soak")
    assert outcome.step.stage == "soak", text_of(outcome)
    assert world.restarted == ["n2", "n2", "n3", "n1"]


async def test_the_old_one_stays_while_a_domain_could_not_do_without(tmp_path: Path) -> None:
    """A domain that lacks the new certificate, or Entra ID out of reach: the last step with a way back is not passed."""
    world, path = World(nodes=("n1", "n2")), tmp_path / "j.jsonl"
    await drive(path, world, request=TOKENS, stop=lambda outcome: outcome.step.ask == ("retire",))
    with opened(path, world) as journal:
        journal.append(Acknowledged(name="retire"), world.time)
    world.domains["new.example"] = [OLD]
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert "domain new.example does not have" in text_of(outcome)
    world.entra_down = True
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert "Entra ID cannot be reached" in text_of(outcome)
    assert world.config.token[Use.SIGNING] == [NEW, OLD]


async def test_an_ssl_certificate_that_ended_while_the_work_rested(tmp_path: Path) -> None:
    """Whoever comes back after months does not bind what has ended meanwhile."""
    world = World(nodes=("n1", "n2"), vault={NEW_SSL}, dates={NEW_SSL: certificate(NEW_SSL, NOW + 60 * DAY)})
    request, path = RolloverRequest(kind="ssl", certificate=certificate(NEW_SSL), material=True), tmp_path / "j.jsonl"
    world.event = lambda what: world.offline.add("n2") if what == "after Grant-IsthmusKeyAccess" else None
    assert (await drive(path, world, request=request)).end is not End.DONE
    world.event, world.time = lambda what: None, NOW + 61 * DAY
    world.offline.clear()
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert "has expired" in text_of(outcome)
    assert NEW_SSL not in world.bindings["n1"].values()


async def test_a_token_certificate_that_ended_while_partners_took_their_time(tmp_path: Path) -> None:
    """It is not promoted any more."""
    world, path = World(nodes=("n1",)), tmp_path / "j.jsonl"
    world.dates = {NEW: certificate(NEW, NOW + 40 * DAY)}
    await drive(path, world, request=TOKENS, stop=lambda outcome: outcome.step.ask == ("promote",))
    world.time = NOW + 41 * DAY
    with opened(path, world) as journal:
        journal.append(Acknowledged(name="promote"), world.time)
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert "has expired" in text_of(outcome)
    assert world.config.token[Use.SIGNING][0] == OLD


@pytest.mark.parametrize("alternate", [False, True])
async def test_secondaries_that_do_not_bind_themselves(alternate: bool, tmp_path: Path) -> None:
    """One of them says PS0033: the run stops and says so; the next one lets the primary bind them, forward and back."""
    world = World(vault={NEW_SSL}, secondaries_bind=False, alternate=alternate)
    request, path = RolloverRequest(kind="ssl", certificate=certificate(NEW_SSL), material=True), tmp_path / "j.jsonl"
    outcome = await drive(path, world, request=request)
    assert outcome.end is End.STOPPED
    assert "PS0033" in text_of(outcome)
    outcome = await drive(path, world, stop=lambda outcome: "bind" in outcome.record.completed)
    assert all(set(rows.values()) == {NEW_SSL} for rows in world.bindings.values()), text_of(outcome)
    turn(path, world, outcome.record, "start")
    assert (await once(path, world)).end is End.STOPPED
    assert (await once(path, world)).record.outcome == "rolled back"
    assert all(set(rows.values()) == {OLD_SSL} for rows in world.bindings.values())


async def test_certificates_are_looked_after_again_whatever_entra_says(tmp_path: Path) -> None:
    """Entra ID will not let go of the old certificate: AutoCertificateRollover is as it was before that is asked."""
    world, path = World(nodes=("n1",)), tmp_path / "j.jsonl"
    world.event = lambda what: setattr(world, "entra_down", True) if what == "after Remove-AdfsCertificate" else None
    outcome = await drive(path, world, request=TOKENS)
    assert (outcome.end, outcome.step.stage) == (End.REFUSED, "withdraw")
    assert world.config.auto
    world.event, world.entra_down = lambda what: None, False
    assert (await drive(path, world)).record.outcome == "done"


async def test_a_disk_that_is_full_after_an_act(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not said that nothing was done; with room again the act is found done, and not done twice."""
    world, path = World(nodes=("n1",)), tmp_path / "j.jsonl"
    await begin(path, world, TOKENS)

    def full(descriptor: int, line: bytes) -> None:
        os.write(descriptor, line[:7])
        raise OSError(errno.ENOSPC, "No space left on device")

    world.event = lambda what: monkeypatch.setattr(journals, "_write_all", full) if what.startswith("after ") else None
    with pytest.raises(JournalError, match="an act was done") as caught:
        await once(path, world)
    assert "nothing was done" not in str(caught.value)
    world.event = lambda what: None
    monkeypatch.undo()
    assert (await drive(path, world)).record.outcome == "done"
    assert sum("Update-AdfsCertificate" in line for line in world.log) == 2


async def test_a_farm_of_one_node_is_told_what_a_restart_means(tmp_path: Path) -> None:
    """There is nobody else who could serve meanwhile."""
    for nodes, words in ((("n1",), "n1 is the only node"), (("n1", "n2"), "")):
        made = plan(TOKENS, await World(nodes=nodes).observe(), POLICY, NOW)
        [restart] = [step for step in made.steps if step.stage == "restart"]
        assert words in " ".join(restart.notes)
        assert bool(restart.notes) is bool(words)


@pytest.mark.parametrize("stage", ["renew", "republish"])
async def test_an_emergency_on_a_primary_that_shows_nothing(stage: str, tmp_path: Path) -> None:
    """An empty answer is not taken for a farm from which every stolen certificate is gone."""
    world, path = World(nodes=("n1",)), tmp_path / "j.jsonl"
    await begin(path, world, RolloverRequest(kind="emergency", uses=TOKEN))
    with opened(path, world) as journal:
        for each in ("automatic", "renew")[: 1 if stage == "renew" else 2]:
            journal.append(Completed(stage=each), world.time)
    world.config.token = {Use.SIGNING: [], Use.DECRYPTING: []}
    observed, record = await world.observe(), read(path, STATES)
    assert record is not None
    step = next_step(procedure(record), observed, record, world.time)
    assert (step.kind, step.stage) == (StepKind.REFUSE, stage)
    assert "n1 shows no primary Token-Signing certificate" in step.reasons[0]


async def test_an_emergency_while_entra_id_is_away(tmp_path: Path) -> None:
    """It is refused, unless somebody says that the farm's keys come first; Entra ID is told at the end, stolen key out."""
    world, path = World(nodes=("n1", "n2")), tmp_path / "j.jsonl"
    world.entra_down = True
    stolen = list(world.config.token[Use.SIGNING])
    with pytest.raises(Refused, match="--without-entra"):
        await begin(path, world, RolloverRequest(kind="emergency", uses=TOKEN))
    await begin(path, world, RolloverRequest(kind="emergency", uses=TOKEN, without_entra=True))
    with opened(path, world) as journal:
        journal.append(Acknowledged(name="without-entra"), world.time)
    outcome = await once(path, world)
    assert (outcome.end, outcome.step.ask) == (End.ASKING, ("entra-told",))
    assert not set(stolen) & set(world.config.token[Use.SIGNING])
    assert all(not set(stolen) & set(world.seen(host).token[Use.SIGNING]) for host in world.nodes)
    world.entra_down = False
    outcome = await once(path, world)
    assert outcome.step.ask == ("tokens-revoked",)
    assert all(not set(stolen) & set(slots) for slots in world.domains.values())


async def test_an_emergency_that_somebody_told_entra_id_of_by_hand(tmp_path: Path) -> None:
    """Their word ends the waiting."""
    world, path = World(nodes=("n1",)), tmp_path / "j.jsonl"
    world.entra_down = True
    await begin(path, world, RolloverRequest(kind="emergency", uses=TOKEN, without_entra=True))
    with opened(path, world) as journal:
        journal.append(Acknowledged(name="without-entra"), world.time)
    await once(path, world)
    with opened(path, world) as journal:
        journal.append(Acknowledged(name="entra-told"), world.time)
    assert (await once(path, world)).step.ask == ("tokens-revoked",)
