"""Active Directory's sub-codes of a refused bind, and what each proves about the password.

They stand in the diagnostic message of LDAP result 49 as `data 52e`, in hexadecimal Win32 error codes.

| data | Win32 error                   | outcome          | password right? |
|------|-------------------------------|------------------|-----------------|
| 525  | ERROR_NO_SUCH_USER            | wrong credential | not looked at   |
| 52e  | ERROR_LOGON_FAILURE           | wrong credential | no              |
| 52f  | ERROR_ACCOUNT_RESTRICTION     | account disabled | yes: a restriction that is judged after it      |
| 530  | ERROR_INVALID_LOGON_HOURS     | logon hours      | yes             |
| 531  | ERROR_INVALID_WORKSTATION     | workstation      | yes             |
| 532  | ERROR_PASSWORD_EXPIRED        | password expired | yes             |
| 533  | ERROR_ACCOUNT_DISABLED        | disabled         | yes on Samba and as documented for LDAP; see below |
| 568  | ERROR_TOO_MANY_CONTEXT_IDS    | wrong credential | unknown: the token is too large, the sign-in cannot work |
| 569  | ERROR_LOGON_TYPE_NOT_GRANTED  | account disabled | yes             |
| 701  | ERROR_ACCOUNT_EXPIRED         | account expired  | yes             |
| 773  | ERROR_PASSWORD_MUST_CHANGE    | must change      | yes             |
| 775  | ERROR_ACCOUNT_LOCKED_OUT      | account locked   | not looked at   |

Public descriptions of the codes agree that 530, 531, 532, 533, 701 and 773 are "returned only when presented with valid
username and password", and Samba 4.17 was seen to do so for each of them: with a wrong password all become 52e. A locked
account answers 775 to every password. What is not looked at proves nothing: a stranger sees the same page as for 52e.
"""

from __future__ import annotations

import re

from directory.model import Outcome

_DATA = re.compile(r"\bdata ([0-9a-f]{1,8})\b", re.IGNORECASE)

PROVEN: dict[int, Outcome] = {
    0x52F: Outcome.ACCOUNT_DISABLED,
    0x530: Outcome.LOGON_HOURS,
    0x531: Outcome.WORKSTATION,
    0x532: Outcome.PASSWORD_EXPIRED,
    0x533: Outcome.ACCOUNT_DISABLED,
    0x569: Outcome.ACCOUNT_DISABLED,
    0x701: Outcome.ACCOUNT_EXPIRED,
    0x773: Outcome.MUST_CHANGE,
}
UNPROVEN: dict[int, Outcome] = {
    0x525: Outcome.WRONG_CREDENTIAL,
    0x52E: Outcome.WRONG_CREDENTIAL,
    0x568: Outcome.WRONG_CREDENTIAL,
    0x775: Outcome.ACCOUNT_LOCKED,
}


def read_subcode(text: str) -> int | None:
    """The Win32 error in a diagnostic message, or None."""
    match = _DATA.search(text)
    return int(match.group(1), 16) if match else None


def judge_refusal(text: str) -> tuple[Outcome, bool, str]:
    """(outcome, password proven, detail) of a bind with result 49; an unknown sub-code is a wrong credential."""
    code = read_subcode(text)
    if code is None:
        return Outcome.WRONG_CREDENTIAL, False, "no sub-code"
    if code in PROVEN:
        return PROVEN[code], True, f"data {code:x}"
    return UNPROVEN.get(code, Outcome.WRONG_CREDENTIAL), False, f"data {code:x}"
