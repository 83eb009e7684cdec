"""What happens to an account whose person has left."""

from __future__ import annotations

import pytest

from foundation.times import DAY
from sync.model import AccountState, OperationKind
from sync.plan import DeletionPolicy, due_step, next_step
from tests.sync.plan.samples import account

DISABLE, SOFT, DELETE = OperationKind.DISABLE, OperationKind.SOFT_DELETE, OperationKind.DELETE
ALL = frozenset({DISABLE, SOFT, DELETE})
POLICY = DeletionPolicy(disable_after=DAY, soft_delete_after=30 * DAY, delete=True, delete_after=60 * DAY)
LEFT = 1_000 * DAY


@pytest.mark.parametrize(
    ("state", "since", "step", "due"),
    [
        (AccountState.ACTIVE, 0, DISABLE, 1_001),
        (AccountState.DISABLED, 1_001, SOFT, 1_031),
        (AccountState.SOFT_DELETED, 1_031, DELETE, 1_091),
        (AccountState.DISABLED, 5, SOFT, 1_030),  # disabled long before the person left
        (AccountState.SOFT_DELETED, 5, DELETE, 1_060),
    ],
)
def test_each_step_has_its_own_grace(state: AccountState, since: float, step: OperationKind, due: float) -> None:
    """It begins with the step before, but never before the person left."""
    known = account(state=state, since=since * DAY)
    found = next_step(POLICY, known, LEFT, supported=ALL)
    assert found is not None
    assert (found.kind, found.due) == (step, due * DAY)
    assert due_step(POLICY, known, LEFT, due * DAY - 1, supported=ALL) is None
    assert due_step(POLICY, known, LEFT, due * DAY, supported=ALL) is step


@pytest.mark.parametrize(
    ("policy", "supported", "state", "step", "due"),
    [
        (POLICY, ALL - {DISABLE}, AccountState.ACTIVE, SOFT, 1_031),
        (POLICY, frozenset({DELETE}), AccountState.ACTIVE, DELETE, 1_091),
        (POLICY, ALL - {SOFT}, AccountState.DISABLED, DELETE, 1_090),
        (DeletionPolicy(disable=False, soft_delete_after=DAY), ALL, AccountState.ACTIVE, SOFT, 1_001),
        (DeletionPolicy(), ALL, AccountState.ACTIVE, DISABLE, 1_000),
    ],
)
def test_the_grace_of_a_step_that_a_target_lacks_is_waited_out(
    policy: DeletionPolicy, supported: frozenset[OperationKind], state: AccountState, step: OperationKind, due: float
) -> None:
    """The grace of a step that nobody wants is not."""
    found = next_step(policy, account(state=state), LEFT, supported=supported)
    assert found is not None
    assert (found.kind, found.due) == (step, due * DAY)


@pytest.mark.parametrize(
    ("policy", "supported", "state"),
    [
        (POLICY, ALL, AccountState.DELETED),
        (POLICY, frozenset(), AccountState.ACTIVE),
        (DeletionPolicy(), ALL, AccountState.SOFT_DELETED),  # nothing is deleted for good by default
        (DeletionPolicy(soft_delete=False), ALL, AccountState.DISABLED),
    ],
)
def test_an_account_may_stay_as_it_is(
    policy: DeletionPolicy, supported: frozenset[OperationKind], state: AccountState
) -> None:
    """Where no step is wanted, or the target has none."""
    known = account(state=state)
    assert next_step(policy, known, LEFT, supported=supported) is None
    assert due_step(policy, known, LEFT, 1e12, supported=supported) is None


def test_a_clock_that_jumps_takes_one_step_only() -> None:
    """The next grace begins when the step is confirmed."""
    far = LEFT + 10_000 * DAY
    assert due_step(POLICY, account(), LEFT, far, supported=ALL) is DISABLE
    assert due_step(POLICY, account(state=AccountState.DISABLED, since=far), LEFT, far, supported=ALL) is None
    assert due_step(POLICY, account(), LEFT, 0, supported=ALL) is None
