"""Active Directory's sub-codes: what each proves."""

from __future__ import annotations

import pytest

from directory.ldap.subcodes import PROVEN, UNPROVEN, explain_refusal, judge_refusal
from directory.model import CheckOutcome

REFUSAL = "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error, data {:x}, v4563"
LOOKED_AT = {
    0x530: CheckOutcome.LOGON_HOURS,
    0x531: CheckOutcome.WORKSTATION,
    0x532: CheckOutcome.PASSWORD_EXPIRED,
    0x533: CheckOutcome.ACCOUNT_DISABLED,
    0x701: CheckOutcome.ACCOUNT_EXPIRED,
    0x773: CheckOutcome.MUST_CHANGE,
}
"""Given to the right password alone: seen so, for each, in `tests/directory/test_samba.py`."""


def test_no_code_but_those_of_the_table_proves_a_password() -> None:
    """Not 52f either, which members of Protected Users get for any, nor 569, of which nobody says when it is given."""
    for code in range(0x500, 0x800):
        outcome, proven, detail = judge_refusal(REFUSAL.format(code))
        assert (code, proven) == (code, code in LOOKED_AT)
        unproven = CheckOutcome.ACCOUNT_LOCKED if code == 0x775 else CheckOutcome.WRONG_CREDENTIAL
        assert outcome is LOOKED_AT.get(code, unproven)
        assert detail.startswith(f"data {code:x}")


def test_the_operator_is_told_of_protected_users() -> None:
    """The person cannot sign in at all, and the number alone would say nothing."""
    assert "Protected Users" in judge_refusal(REFUSAL.format(0x52F))[2]


def test_the_two_tables_have_no_code_in_common() -> None:
    """What proves and what does not."""
    assert not PROVEN.keys() & UNPROVEN.keys()
    assert PROVEN == LOOKED_AT


@pytest.mark.parametrize("text", ["data ffffffff", "data", "", "nonsense"])
def test_what_proves_nothing_is_not_told(text: str) -> None:
    """Unknown sub-codes are a wrong credential."""
    outcome, proven, _ = judge_refusal(text)
    assert outcome is CheckOutcome.WRONG_CREDENTIAL
    assert not proven


@pytest.mark.parametrize("code", [*PROVEN, *UNPROVEN, 0xFFF])
def test_every_refusal_has_words(code: int) -> None:
    """With the directory's own code behind them; without one it is said that there was none."""
    words, _, behind = explain_refusal(REFUSAL.format(code)).partition(" (")
    assert words in {explain_refusal(REFUSAL.format(known)).partition(" (")[0] for known in (*PROVEN, *UNPROVEN)}
    assert behind.startswith(f"data {code:x}")
    assert explain_refusal("") == "wrong password, or no such account (no sub-code)"
