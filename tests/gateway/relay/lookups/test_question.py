"""What follows from what was looked up."""

from __future__ import annotations

import pytest

from gateway.protocol import AccountId
from gateway.relay.lookups import LookedUp, PersonQuestion, PersonState

SET = 1_700_000_000.0


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (PersonState.LIVE, ""),
        (PersonState.MUST_CHANGE, "must_change"),
        (PersonState.LOCKED, ""),  # whoever types wrong passwords signs nobody out
        (PersonState.EXPIRED, "expired"),
        (PersonState.DISABLED, "disabled"),
        (PersonState.GONE, "gone"),
        (PersonState.UNCHECKED, ""),  # an outage signs nobody out
    ],
)
def test_what_ends_with_the_account(state: PersonState, reason: str) -> None:
    """Each state, whatever is known of the password."""
    for since in (0.0, SET):
        assert LookedUp(state=state, password_set=SET, at=SET).end_reason(since) == reason


@pytest.mark.parametrize(
    ("then", "now", "ends"),
    [(SET, SET, False), (SET, SET + 0.1, True), (SET, SET - 1, False), (0.0, SET, False), (SET, 0.0, False)],
)
def test_a_password_that_was_set_since_ends_what_hangs_on_the_old_one(then: float, now: float, ends: bool) -> None:
    """Where both moments are known; a domain controller that lags behind ends nothing."""
    found = LookedUp(state=PersonState.LIVE, password_set=now, at=now)
    assert (found.end_reason(then) == "password_changed") is ends


def test_who_is_meant_is_said_for_the_log() -> None:
    """By whichever key."""
    assert PersonQuestion(account=AccountId("9d1c", "3f1c")).text == "3f1c"
    assert PersonQuestion(sid="S-1-5-21-1").text == "S-1-5-21-1"
    assert PersonQuestion(user_name="anna").text == "anna"
