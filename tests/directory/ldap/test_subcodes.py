"""Active Directory's sub-codes: what each proves."""

from __future__ import annotations

import pytest

from directory.ldap.subcodes import PROVEN, UNPROVEN, judge_refusal
from directory.model import CheckOutcome


@pytest.mark.parametrize("code", sorted(PROVEN))
def test_states_that_prove_the_password(code: int) -> None:
    """Their own outcome, and proven."""
    text = f"80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {code:x}, v4563"
    assert judge_refusal(text) == (PROVEN[code], True, f"data {code:x}")


@pytest.mark.parametrize("text", [*(f"data {code:x}," for code in UNPROVEN), "data ffffffff", "data", "", "nonsense"])
def test_what_proves_nothing_is_not_told(text: str) -> None:
    """Unknown sub-codes are a wrong credential."""
    outcome, proven, _ = judge_refusal(text)
    assert outcome in {CheckOutcome.WRONG_CREDENTIAL, CheckOutcome.ACCOUNT_LOCKED}
    assert not proven
