"""The rollover's state machine at its edges: the very second, the very state, the very key."""

from __future__ import annotations

from dataclasses import replace

import pytest

from certs.errors import RolloverRefused
from certs.policy import (
    KeyAction,
    KeyPolicy,
    KeyRecord,
    KeyState,
    acknowledge,
    active_key,
    apply_transition,
    due_transitions,
)

NOW = 1_800_000_000.0
POLICY = KeyPolicy(create_before=2000.0, publish_for=500.0, retire_after=200.0, critical=100.0)
FAR = NOW + 1e6


def key(name: str, state: KeyState, ends: float = FAR, since: float = NOW, waiting: tuple[str, ...] = ()) -> KeyRecord:
    return KeyRecord(id=name, state=state, not_after=ends, since=since, waiting_for=frozenset(waiting))


def due_at(now: float, *keys: KeyRecord) -> list[tuple[KeyAction, str]]:
    """What is due, without the reasons; every step has one."""
    steps = due_transitions(keys, POLICY, now)
    assert all(step.why for step in steps)
    return [(step.action, step.key) for step in steps]


def applied(action: KeyAction, name: str, now: float, *keys: KeyRecord) -> list[KeyRecord]:
    (some_step,) = due_transitions([], POLICY, NOW)
    return apply_transition(keys, replace(some_step, action=action, key=name), POLICY, now)


def refused(action: KeyAction, name: str, now: float, *keys: KeyRecord) -> str:
    """The problem; key and step are named with it."""
    with pytest.raises(RolloverRefused) as caught:
        applied(action, name, now, *keys)
    assert (caught.value.key, caught.value.step) == (name, action.value)
    return caught.value.problem


def test_the_defaults_are_those_of_ad_fs() -> None:
    """20 days before the end a successor, five days to notice it, two days at either end."""
    policy = KeyPolicy()
    days = [policy.create_before, policy.publish_for, policy.retire_after, policy.critical]
    assert [seconds / 86400 for seconds in days] == [20, 5, 2, 2]


def test_a_replaced_key_is_retired_to_the_second() -> None:
    """Not sooner: what it signed is still verified."""
    keys = (key("old", KeyState.RETIRING), key("new", KeyState.ACTIVE))
    assert due_at(NOW + 199, *keys) == []
    assert due_at(NOW + 200, *keys) == [(KeyAction.RETIRE, "old")]


def test_a_successor_is_due_to_the_second() -> None:
    """`create_before` the active key's end."""
    assert due_at(FAR - 2001, key("old", KeyState.ACTIVE)) == []
    assert due_at(FAR - 2000, key("old", KeyState.ACTIVE)) == [(KeyAction.CREATE, "")]
    assert due_at(NOW) == [(KeyAction.CREATE, "")]  # where there is none


def test_a_key_is_published_before_anything_else() -> None:
    """Whatever the time."""
    for now in (NOW, FAR):
        assert due_at(now, key("old", KeyState.ACTIVE), key("new", KeyState.NEXT)) == [(KeyAction.PUBLISH, "new")]


def test_a_promotion_is_due_when_partners_had_their_time() -> None:
    """To the second; never while one is waited for."""
    keys = (key("old", KeyState.ACTIVE), key("new", KeyState.PUBLISHED))
    assert due_at(NOW + 499, *keys) == []
    assert due_at(NOW + 500, *keys) == [(KeyAction.PROMOTE, "new")]
    assert due_at(NOW + 500, keys[0], key("new", KeyState.PUBLISHED, waiting=("payroll",))) == []


def test_close_to_the_end_is_to_the_second() -> None:
    """From then on nobody is waited for: neither in what is due nor in what is allowed."""
    keys = (key("old", KeyState.ACTIVE), key("new", KeyState.PUBLISHED, since=FAR, waiting=("payroll",)))
    assert due_at(FAR - 101, *keys) == []
    assert "payroll" in refused(KeyAction.PROMOTE, "new", FAR - 101, *keys)
    assert due_at(FAR - 100, *keys) == [(KeyAction.PROMOTE, "new")]
    assert applied(KeyAction.PROMOTE, "new", FAR - 100, *keys)[1].state is KeyState.ACTIVE


def test_without_an_active_key_a_published_one_is_promoted() -> None:
    """There is nothing to protect."""
    assert due_at(NOW, key("new", KeyState.PUBLISHED, waiting=("payroll",))) == [(KeyAction.PROMOTE, "new")]


def test_every_step_writes_down_when_it_was() -> None:
    """The next window is counted from there, for the key that replaces and for the one that is replaced."""
    published = applied(KeyAction.PUBLISH, "new", NOW + 1, key("old", KeyState.ACTIVE), key("new", KeyState.NEXT))
    assert published == [key("old", KeyState.ACTIVE), key("new", KeyState.PUBLISHED, since=NOW + 1)]
    promoted = applied(KeyAction.PROMOTE, "new", NOW + 600, *published)
    assert promoted == [key("old", KeyState.RETIRING, since=NOW + 600), key("new", KeyState.ACTIVE, since=NOW + 600)]
    back = applied(KeyAction.ROLL_BACK, "old", NOW + 700, *promoted)
    assert back == [key("old", KeyState.ACTIVE, since=NOW + 700), key("new", KeyState.PUBLISHED, since=NOW + 700)]
    retired = applied(KeyAction.RETIRE, "old", NOW + 800, *promoted)
    assert retired == [key("old", KeyState.RETIRED, since=NOW + 800), promoted[1]]


def test_a_promotion_is_allowed_to_the_second() -> None:
    """And says how many seconds are missing."""
    keys = (key("old", KeyState.ACTIVE), key("new", KeyState.PUBLISHED))
    assert " 120 s " in refused(KeyAction.PROMOTE, "new", NOW + 380, *keys)
    assert applied(KeyAction.PROMOTE, "new", NOW + 500, *keys)[1].state is KeyState.ACTIVE


def test_all_partners_that_are_waited_for_are_named() -> None:
    """In order; those that acknowledged are not, and the others still are."""
    published = key("new", KeyState.PUBLISHED, waiting=("payroll", "intranet", "archive"))
    problem = refused(KeyAction.PROMOTE, "new", NOW + 500, key("old", KeyState.ACTIVE), acknowledge(published, "intranet"))
    assert problem.endswith(" archive, payroll")


@pytest.mark.parametrize(
    ("action", "state"),
    [
        (KeyAction.PUBLISH, KeyState.PUBLISHED),
        (KeyAction.PROMOTE, KeyState.NEXT),
        (KeyAction.ROLL_BACK, KeyState.PUBLISHED),
        (KeyAction.RETIRE, KeyState.PUBLISHED),
    ],
)
def test_a_step_from_another_state_is_refused(action: KeyAction, state: KeyState) -> None:
    """The refusal names the key, the step, the state that it has."""
    assert f"is {state.value}" in refused(action, "new", NOW + 900, key("old", KeyState.ACTIVE), key("new", state))


def test_a_refusal_names_key_and_step() -> None:
    """For a key that is not there, for one that only its owner makes, for two that are active."""
    assert refused(KeyAction.PUBLISH, "x", NOW)
    assert refused(KeyAction.CREATE, "a", NOW, key("a", KeyState.NEXT))
    with pytest.raises(RolloverRefused) as caught:
        active_key([key("a", KeyState.ACTIVE), key("b", KeyState.ACTIVE)])
    assert (caught.value.key, caught.value.step) == ("b", "use")
    assert caught.value.problem.startswith("a ")
