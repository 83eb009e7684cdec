"""When everything is read and compared, whether or not a change is known."""

from __future__ import annotations

import pytest

from sync.run import comparison_due, note_comparison
from tests.sync.run.conftest import NOW, World, user

WEEK = 7 * 86400


def test_it_is_due_at_first_and_then_a_week_later(world: World) -> None:
    """To the second; and where the clock was put back, since nobody knows how long it was."""
    assert comparison_due(world.state, "a", NOW)
    note_comparison(world.state, "a", NOW)
    assert not comparison_due(world.state, "a", NOW)
    assert not comparison_due(world.state, "a", NOW + WEEK - 1)
    assert comparison_due(world.state, "a", NOW + WEEK)
    assert comparison_due(world.state, "a", NOW - 1)


def test_it_is_due_when_rules_or_settings_are_others(world: World) -> None:
    """Also where they become again what they were before the last one."""
    note_comparison(world.state, "a", NOW)
    assert comparison_due(world.state, "b", NOW)
    note_comparison(world.state, "b", NOW)
    assert comparison_due(world.state, "a", NOW)


@pytest.mark.parametrize("runs", [99, 100, 101, 1001])
def test_the_last_one_is_found_behind_many_runs(world: World, runs: int) -> None:
    """A loop makes hundreds a day."""
    note_comparison(world.state, "a", NOW)
    with world.state.transaction():
        for _ in range(runs):
            world.state.journal.end_run(world.state.journal.begin_run("run", NOW), "done", NOW)
    assert not comparison_due(world.state, "a", NOW)


async def test_it_looks_at_everybody(world: World) -> None:
    """Although nothing has changed since the last run."""
    world.source.put(user("anna"))
    await world.sync().run(world.folder)
    assert not list(world.state.marks.affected_persons())
    note_comparison(world.state, "a", NOW)
    assert list(world.state.marks.affected_persons())


async def test_passes_of_a_run_end_and_count_their_own_operations(world: World) -> None:
    """None looks as if it were still under way."""
    world.source.put(user("anna", manager="bert"), user("bert"))
    await world.sync().run(world.folder)
    runs = world.state.journal.runs()
    assert all(run.ended is not None and run.outcome == "done" for run in runs)
    assert [run.counts.get("confirmed") for run in runs] == [1, 2]  # the manager, then the accounts; the youngest first
