"""Long simulations of rollovers: killed more than once, and a farm that is looked after for ten years."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from adfs_mgmt.procedures.request import RolloverRequest
from foundation.procedures import End
from tests.adfs.procedures.driving import Fuse, drive, end_state
from tests.adfs.procedures.farms import site
from tests.adfs.procedures.test_kill import STORIES, once_each, without_names
from tests.adfs.procedures.test_simulated import drive as drive_simulated
from tests.adfs.procedures.test_simulated import signing
from tests.adfs.procedures.world import DAY, TOKEN
from tests.adfs.simulator.simulator import ManualClock
from tests.foundation.procedures.lamps import Killed

pytestmark = pytest.mark.long

GAPS = (1, 2, 3, 4, 5, 8, 13, 21, 34)
"""Events between two kills."""
YEARS = 10


class TwoFuses(Fuse):
    """Kills at one event, and again some events later, while the second process finds its place."""

    def __init__(self, at: int, gap: int) -> None:
        super().__init__(at)
        self._again = at + gap

    def __call__(self, what: str) -> None:
        super().__call__(what)
        if self.count - 1 == self._again:
            self.where += f", then {what}"
            raise Killed(what)


@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("story", STORIES)
async def test_killed_again_while_it_resumes(story: str, gap: int, tmp_path: Path) -> None:
    """At every point, and a second time so many events after it: the end is that of a run that nothing disturbed."""
    clean, request = STORIES[story]()
    counting = Fuse()
    await drive(tmp_path / "clean.jsonl", clean, request=request, fuse=counting)
    for at in range(counting.count):
        world, request = STORIES[story]()
        fuse = TwoFuses(at, gap)
        outcome = await drive(tmp_path / f"{at}.jsonl", world, request=request, fuse=fuse)
        assert outcome.end is End.DONE, (at, fuse.where, outcome)
        assert without_names(end_state(world)) == without_names(end_state(clean)), (at, fuse.where)
        assert once_each(world), (at, fuse.where, world.log)


@pytest.mark.parametrize("version", ["2012 R2", "2016", "2019", "2022", "2025"])
async def test_ten_years_of_rollovers(version: str, tmp_path: Path) -> None:
    """One a year, a month before the end, by one journal: never a day without a certificate that Entra ID knows."""
    with site(ManualClock(time.time()), tmp_path, version=version, nodes=2, proxies=1, signing_days=30.0) as at:
        at.trust.slots = {"a.example": [await signing(at)], "b.example": [await signing(at)]}
        seen = set()
        for year in range(YEARS):
            before = await signing(at)
            assert [[slot.thumbprint for slot in slots] for slots in at.trust.slots.values()] == [[before.thumbprint]] * 2
            outcome = await drive_simulated(at, tmp_path / "j.jsonl", RolloverRequest(kind="token", uses=TOKEN))
            assert outcome.end is End.DONE, (year, outcome)
            after = await signing(at)
            assert after.thumbprint not in seen
            assert at.time < before.not_after < after.not_after
            seen |= {before.thumbprint, after.thumbprint}
            at.time = after.not_after - 30 * DAY
        assert len(seen) == YEARS + 1
