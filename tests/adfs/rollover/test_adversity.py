"""Other administrators, ended certificates and broken servers on the way back: what would cut an organisation off."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from adfs_mgmt.farm.model import Use
from adfs_mgmt.rollover import plan
from adfs_mgmt.rollover.beginning import Request
from adfs_mgmt.rollover.run import End, Outcome
from tests.adfs.rollover.driving import begin, drive, once, opened
from tests.adfs.rollover.test_faults import Chaos, text_of
from tests.adfs.rollover.world import DAY, NEW, NEW_D, NEW_SSL, NOW, OLD, OLD_D, OLD_SSL, TOKEN, World, certificate

TOKENS = Request(kind="token", uses=TOKEN)


def turn(path: Path, world: World, outcome: Outcome, to: str) -> None:
    """An administrator says: go back."""
    with opened(path, world) as journal:
        journal.turn(to, now=world.time, forget=plan.turn_back(outcome.record, to))


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
    turn(path, world, outcome, to)
    outcome = await drive(path, world, stop=lambda outcome: not outcome.record.back)
    assert world.config.token[Use.SIGNING][0] == OLD
    assert world.restarted == ["n2", "n1"]
    assert all(OLD in slots for slots in world.domains.values())
    assert (outcome.end is End.DONE) is (to == "start")


async def test_rollback_while_somebody_promotes_in_the_middle_of_it(tmp_path: Path) -> None:
    """The old one signed again, then somebody promotes the new one once more: nothing is taken from Entra ID."""
    world, path = World(nodes=("n1", "n2")), tmp_path / "j.jsonl"
    outcome = await drive(path, world, request=TOKENS, stop=lambda outcome: outcome.step.stage == "soak")
    turn(path, world, outcome, "start")
    outcome = await once(path, world)
    assert outcome.step.stage == "linger"
    promote_by_hand(world)
    world.event = Chaos(world, set(), set())
    world.time += 3 * DAY
    outcome = await once(path, world)
    assert outcome.end is End.REFUSED
    assert NEW in text_of(outcome)
    assert all(NEW in slots for slots in world.domains.values())
