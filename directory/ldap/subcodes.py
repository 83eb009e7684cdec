"""Active Directory's sub-codes of a refused bind, and what each proves about the password.

They stand in the diagnostic message of LDAP result 49 as `data 52e`, in hexadecimal Win32 error codes.

| data | Win32 error                   | outcome          | password right? |
|------|-------------------------------|------------------|-----------------|
| 525  | ERROR_NO_SUCH_USER            | wrong credential | not looked at   |
| 52e  | ERROR_LOGON_FAILURE           | wrong credential | no              |
| 52f  | ERROR_ACCOUNT_RESTRICTION     | wrong credential | not looked at: see below |
| 530  | ERROR_INVALID_LOGON_HOURS     | logon hours      | yes             |
| 531  | ERROR_INVALID_WORKSTATION     | workstation      | yes             |
| 532  | ERROR_PASSWORD_EXPIRED        | password expired | yes             |
| 533  | ERROR_ACCOUNT_DISABLED        | account disabled | yes             |
| 568  | ERROR_TOO_MANY_CONTEXT_IDS    | wrong credential | unknown: the token is too large, the sign-in cannot work |
| 569  | ERROR_LOGON_TYPE_NOT_GRANTED  | wrong credential | unknown: nothing says when the right is looked at |
| 701  | ERROR_ACCOUNT_EXPIRED         | account expired  | yes             |
| 773  | ERROR_PASSWORD_MUST_CHANGE    | must change      | yes             |
| 775  | ERROR_ACCOUNT_LOCKED_OUT      | account locked   | not looked at   |

Public descriptions of the codes agree that 530, 531, 532, 533, 701 and 773 are "returned only when presented with valid
username and password", and Samba 4.17 does so for each of them: with a wrong password all become 52e. A locked account
answers 775 to every password, a member of Protected Users 52f: NTLM, which a simple bind comes down to, is refused to them
before the password is compared. What is not looked at proves nothing: a stranger sees the same page as for 52e, and the
attempt counts. No code that is not in this table proves anything.
"""

from __future__ import annotations

import re

from directory.model import CheckOutcome

_DATA = re.compile(r"\bdata ([0-9a-f]{1,8})\b", re.IGNORECASE)

PROVEN: dict[int, CheckOutcome] = {
    0x530: CheckOutcome.LOGON_HOURS,
    0x531: CheckOutcome.WORKSTATION,
    0x532: CheckOutcome.PASSWORD_EXPIRED,
    0x533: CheckOutcome.ACCOUNT_DISABLED,
    0x701: CheckOutcome.ACCOUNT_EXPIRED,
    0x773: CheckOutcome.MUST_CHANGE,
}
UNPROVEN: dict[int, CheckOutcome] = {
    0x525: CheckOutcome.WRONG_CREDENTIAL,
    0x52E: CheckOutcome.WRONG_CREDENTIAL,
    0x52F: CheckOutcome.WRONG_CREDENTIAL,
    0x568: CheckOutcome.WRONG_CREDENTIAL,
    0x569: CheckOutcome.WRONG_CREDENTIAL,
    0x775: CheckOutcome.ACCOUNT_LOCKED,
}
_REMARKS = {0x52F: "members of Protected Users cannot sign in over LDAP, whatever the password"}
"""For the operator, where the code alone says too little."""


_WORDS: dict[CheckOutcome, str] = {
    CheckOutcome.WRONG_CREDENTIAL: "wrong password, or no such account",
    CheckOutcome.ACCOUNT_LOCKED: "the account is locked",
    CheckOutcome.ACCOUNT_DISABLED: "the account is disabled",
    CheckOutcome.ACCOUNT_EXPIRED: "the account has expired",
    CheckOutcome.PASSWORD_EXPIRED: "its password has expired",
    CheckOutcome.MUST_CHANGE: "its password must be changed first",
    CheckOutcome.LOGON_HOURS: "it may not sign in at this hour",
    CheckOutcome.WORKSTATION: "it may not sign in from this computer",
}


def explain_refusal(text: str) -> str:
    """What a bind with result 49 means for an account of ours, in words, and the directory's own code behind them."""
    outcome, _, detail = judge_refusal(text)
    return f"{_WORDS[outcome]} ({detail})"


def read_subcode(text: str) -> int | None:
    """The Win32 error in a diagnostic message, or None."""
    match = _DATA.search(text)
    return int(match.group(1), 16) if match else None


def judge_refusal(text: str) -> tuple[CheckOutcome, bool, str]:
    """(outcome, password proven, detail) of a bind with result 49; an unknown sub-code is a wrong credential."""
    code = read_subcode(text)
    if code is None:
        return CheckOutcome.WRONG_CREDENTIAL, False, "no sub-code"
    detail = f"data {code:x}"
    if code in PROVEN:
        return PROVEN[code], True, detail
    if code in _REMARKS:
        detail = f"{detail}: {_REMARKS[code]}"
    return UNPROVEN.get(code, CheckOutcome.WRONG_CREDENTIAL), False, detail
