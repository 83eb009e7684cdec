"""What an answer to a bind or to a change of password says about the credential. Pure."""

from __future__ import annotations

from directory.errors import ConnectionTimedOut, LdapConnectionError
from directory.ldap.codec import LdapResult, read_password_policy
from directory.ldap.subcodes import judge_refusal
from directory.model import CheckOutcome, CheckResult, PasswordRule

_REJECTED = ("0000052D", "data 52d")  # ERROR_PASSWORD_RESTRICTION: length, history, age, complexity
_STATES = {  # RFC 4511 appendix A.2
    19: (CheckOutcome.ACCOUNT_LOCKED, "constraintViolation"),  # 389's "Exceed password retry limit"
    32: (CheckOutcome.WRONG_CREDENTIAL, "noSuchObject"),  # deleted since it was found
    48: (CheckOutcome.WRONG_CREDENTIAL, "inappropriateAuthentication"),  # 389: it has no password
    50: (CheckOutcome.WRONG_CREDENTIAL, "insufficientAccessRights"),  # a rule of the server keeps it out
    53: (CheckOutcome.WRONG_CREDENTIAL, "unwillingToPerform"),  # 389's "Account inactivated", OpenLDAP's as well
}
"""Results of a bind that are about this one account: it cannot sign in, whatever is typed. They prove no password. All
others but success and invalidCredentials are about the server."""
_POLICY_ERRORS = {
    0: (CheckOutcome.PASSWORD_EXPIRED, True),
    1: (CheckOutcome.ACCOUNT_LOCKED, False),
    2: (CheckOutcome.MUST_CHANGE, True),
}
"""Of the password policy control (draft-behera section 6.2): outcome, and whether the password was found right."""
_POLICY_RULES: dict[int | None, PasswordRule] = {
    3: PasswordRule.NOT_PERMITTED,
    5: PasswordRule.COMPLEXITY,
    6: PasswordRule.MIN_LENGTH,
    7: PasswordRule.MIN_AGE,
    8: PasswordRule.HISTORY,
}
"""Of the same control, in the answer to a change."""
_DENIED = ("00000005", "in module acl")
"""ERROR_ACCESS_DENIED, and what Samba says instead: "User cannot change password". AD looks at that before the old one."""


def judge_bind(answer: LdapResult) -> CheckResult:
    """Of a simple bind. The policy control comes first: some servers send it with a success."""
    policy = read_password_policy(answer.controls)
    if policy in _POLICY_ERRORS and answer.code in {0, 49}:
        outcome, proven = _POLICY_ERRORS[policy]
        if proven and answer.code != 0:  # whoever cannot bind cannot change it, either: no grace is left
            outcome = CheckOutcome.RESET_REQUIRED
        detail = f"password policy error {policy}"
        return CheckResult(outcome, password_proven=proven, bound=True, detail=detail, password_checked=proven)
    if answer.code == 0:
        return CheckResult(CheckOutcome.SUCCESS, password_proven=True, bound=True, password_checked=True)
    if answer.code == 49:  # invalidCredentials
        outcome, proven, detail = judge_refusal(answer.text)
        return CheckResult(outcome, password_proven=proven, bound=True, detail=detail, password_checked=True)
    if answer.code in _STATES:
        outcome, name = _STATES[answer.code]
        detail = f"bind: {name} ({answer.code}), {answer.text or 'no reason given'}"
        return CheckResult(outcome, bound=True, detail=detail, password_checked=True)
    return CheckResult(CheckOutcome.NO_DIRECTORY, bound=True, detail=f"bind: LDAP result {answer.code}, {answer.text}")


def judge_change(answer: LdapResult) -> CheckResult:
    """Of a change of password, which the old one has to prove (MS-ADTS section 3.1.1.3.1.5, RFC 3062)."""
    if answer.code == 0:
        return CheckResult(CheckOutcome.SUCCESS, password_proven=True, bound=True, password_checked=True)
    if any(mark in answer.text for mark in _REJECTED):
        return _rejected(answer, proven=True)
    if "00000056" in answer.text or answer.code == 49:  # ERROR_INVALID_PASSWORD: the old one is wrong
        return CheckResult(CheckOutcome.WRONG_CREDENTIAL, bound=True, detail=answer.text, password_checked=True)
    if answer.code in {19, 50, 53}:  # constraintViolation, insufficientAccessRights, unwillingToPerform
        return _rejected(answer, proven=False)
    return CheckResult(CheckOutcome.NO_DIRECTORY, bound=True, detail=f"change: LDAP result {answer.code}, {answer.text}")


def judge_loss(error: LdapConnectionError) -> CheckResult:
    """The password was sent and nobody knows what came of it: a second bind could cost a bad-password count."""
    outcome = CheckOutcome.TIMED_OUT if isinstance(error, ConnectionTimedOut) else CheckOutcome.NO_DIRECTORY
    return CheckResult(outcome, bound=True, controller=error.server, detail=str(error))


def _rejected(answer: LdapResult, *, proven: bool) -> CheckResult:
    denied = not proven and (answer.code == 50 or any(mark in answer.text for mark in _DENIED))
    return CheckResult(
        CheckOutcome.PASSWORD_REJECTED,
        password_proven=proven,
        bound=True,
        detail=answer.text,
        password_checked=True,
        rule=PasswordRule.NOT_PERMITTED if denied else _POLICY_RULES.get(read_password_policy(answer.controls)),
    )
