"""The rollover's state machine."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.errors import RolloverRefused
from certs.policy import (
    KeyAction,
    KeyPolicy,
    KeyRecord,
    KeyState,
    KeyTransition,
    acknowledge,
    active_key,
    apply_transition,
    due_transitions,
)

NOW = 1_800_000_000.0
DAY = 86400.0
POLICY = KeyPolicy()


def key(
    name: str, state: KeyState, ends: float = 365 * DAY, since: float = 0.0, waiting: frozenset[str] = frozenset()
) -> KeyRecord:
    return KeyRecord(id=name, state=state, not_after=NOW + ends, since=NOW + since, waiting_for=waiting)


def step(action: KeyAction, name: str) -> KeyTransition:
    return KeyTransition(action=action, key=name, why="test")


def test_the_first_key_is_made_published_and_promoted() -> None:
    """Without waiting: there is nothing to protect yet."""
    assert [each.action for each in due_transitions([], POLICY, NOW)] == [KeyAction.CREATE]
    keys = [key("a", KeyState.NEXT)]
    for expected in (KeyAction.PUBLISH, KeyAction.PROMOTE):
        steps = due_transitions(keys, POLICY, NOW)
        assert [each.action for each in steps] == [expected]
        keys = apply_transition(keys, steps[0], POLICY, NOW)
    assert active_key(keys) == replace(keys[0], state=KeyState.ACTIVE)
    assert due_transitions(keys, POLICY, NOW) == []


def test_a_promotion_waits_for_partners() -> None:
    """For the time they need, and for those who must acknowledge."""
    keys = [key("old", KeyState.ACTIVE, ends=15 * DAY), key("new", KeyState.PUBLISHED, waiting=frozenset({"payroll"}))]
    assert due_transitions(keys, POLICY, NOW + 6 * DAY) == []
    with pytest.raises(RolloverRefused, match="payroll"):
        apply_transition(keys, step(KeyAction.PROMOTE, "new"), POLICY, NOW + 6 * DAY)
    keys[1] = acknowledge(keys[1], "payroll")
    with pytest.raises(RolloverRefused, match="more to pick"):
        apply_transition(keys, step(KeyAction.PROMOTE, "new"), POLICY, NOW + DAY)
    keys = apply_transition(keys, due_transitions(keys, POLICY, NOW + 6 * DAY)[0], POLICY, NOW + 6 * DAY)
    assert [each.state for each in keys] == [KeyState.RETIRING, KeyState.ACTIVE]


def test_close_to_the_end_partners_are_not_waited_for() -> None:
    """An outage of one is better than of all."""
    keys = [key("old", KeyState.ACTIVE, ends=DAY), key("new", KeyState.PUBLISHED, waiting=frozenset({"payroll"}))]
    assert [each.action for each in due_transitions(keys, POLICY, NOW)] == [KeyAction.PROMOTE]
    assert apply_transition(keys, step(KeyAction.PROMOTE, "new"), POLICY, NOW)[1].state is KeyState.ACTIVE


def test_a_rollback_is_possible_until_retirement() -> None:
    """Afterwards it is not."""
    keys = [key("old", KeyState.RETIRING), key("new", KeyState.ACTIVE)]
    back = apply_transition(keys, step(KeyAction.ROLL_BACK, "old"), POLICY, NOW)
    assert [each.state for each in back] == [KeyState.ACTIVE, KeyState.PUBLISHED]
    retired = apply_transition(keys, due_transitions(keys, POLICY, NOW + 3 * DAY)[0], POLICY, NOW + 3 * DAY)
    assert retired[0].state is KeyState.RETIRED
    with pytest.raises(RolloverRefused, match="it is retired"):
        apply_transition(retired, step(KeyAction.ROLL_BACK, "old"), POLICY, NOW)


def test_a_successor_is_made_in_time() -> None:
    """Twenty days before the end, and only one."""
    keys = [key("old", KeyState.ACTIVE, ends=19 * DAY)]
    assert [each.action for each in due_transitions(keys, POLICY, NOW)] == [KeyAction.CREATE]
    assert [each.action for each in due_transitions([*keys, key("new", KeyState.NEXT)], POLICY, NOW)] == [KeyAction.PUBLISH]


def test_contradictory_data_is_never_guessed_at() -> None:
    """Two active keys, an unknown one, a step that is not the policy's."""
    both = [key("a", KeyState.ACTIVE), key("b", KeyState.ACTIVE)]
    with pytest.raises(RolloverRefused, match="active too"):
        due_transitions(both, POLICY, NOW)
    with pytest.raises(RolloverRefused, match="no such key"):
        apply_transition([], step(KeyAction.PUBLISH, "x"), POLICY, NOW)
    with pytest.raises(RolloverRefused, match="by its owner"):
        apply_transition([key("a", KeyState.NEXT)], step(KeyAction.CREATE, "a"), POLICY, NOW)


@given(st.lists(st.tuples(st.floats(-2 * DAY, 40 * DAY), st.booleans()), max_size=60))
def test_there_is_never_no_active_key_and_never_two(moves: list[tuple[float, bool]]) -> None:
    """Whatever the clock does, however often it is interrupted or rolled back; retired is final."""
    keys: list[KeyRecord] = []
    now, made, had_active = NOW, 0, False
    retired: set[str] = set()
    for jump, roll_back in moves:
        now += jump
        for each in due_transitions(keys, POLICY, now):
            if each.action is KeyAction.CREATE:
                made += 1
                keys = [*keys, KeyRecord(id=str(made), state=KeyState.NEXT, not_after=now + 365 * DAY, since=now)]
            else:
                keys = apply_transition(keys, each, POLICY, now)
        retiring = [each for each in keys if each.state is KeyState.RETIRING]
        if roll_back and retiring:
            keys = apply_transition(keys, step(KeyAction.ROLL_BACK, retiring[-1].id), POLICY, now)
        active = active_key(keys)
        had_active = had_active or active is not None
        assert active is not None or not had_active
        assert retired <= {each.id for each in keys if each.state is KeyState.RETIRED}
        retired = {each.id for each in keys if each.state is KeyState.RETIRED}
