"""What an answer to a bind, or to a change of password, says: outcome, and whether the password was judged, and right."""

from __future__ import annotations

import pytest

from directory.credentials.judgement import judge_bind, judge_change, judge_loss
from directory.errors import ConnectionBroken, ConnectionTimedOut
from directory.ldap.codec import PASSWORD_POLICY, LdapResult, integer, octets, tlv
from directory.model import CheckOutcome, CheckResult, PasswordRule

AD = "80090308: LdapErr: DSID-0C090569, comment: AcceptSecurityContext error, data {}, v4f7c"
REJECTED = "0000052D: Constraint violation - check_password_restrictions: the password was already used (in history)"


def bound(outcome: CheckOutcome, proven: bool, judged: bool, detail: str = "") -> CheckResult:
    """A result after the user's password was sent."""
    return CheckResult(outcome, password_proven=proven, bound=True, detail=detail, password_checked=judged)


def policy_control(error: int) -> bytes:
    """A password policy response control with an error and nothing else (draft-behera section 6.2)."""
    control = octets(PASSWORD_POLICY) + octets(tlv(0x30, integer(error, 0x81)))
    return tlv(0xA0, tlv(0x30, control))


# -- binds


def test_a_bind_that_succeeds() -> None:
    """The password is right; other controls say nothing."""
    expected = bound(CheckOutcome.SUCCESS, True, True)
    assert judge_bind(LdapResult(0, "")) == expected
    assert judge_bind(LdapResult(0, "", tlv(0xA0, tlv(0x30, octets(b"1.2.3"))))) == expected


@pytest.mark.parametrize(
    ("code", "outcome", "proven"),
    [
        ("52e", CheckOutcome.WRONG_CREDENTIAL, False),
        ("525", CheckOutcome.WRONG_CREDENTIAL, False),
        ("775", CheckOutcome.ACCOUNT_LOCKED, False),
        ("532", CheckOutcome.PASSWORD_EXPIRED, True),
        ("773", CheckOutcome.MUST_CHANGE, True),
        ("701", CheckOutcome.ACCOUNT_EXPIRED, True),
    ],
)
def test_a_bind_that_active_directory_refuses(code: str, outcome: CheckOutcome, proven: bool) -> None:
    """The sub-code decides, and stands in the detail."""
    assert judge_bind(LdapResult(49, AD.format(code))) == bound(outcome, proven, True, f"data {code}")


@pytest.mark.parametrize(
    ("error", "result", "outcome", "proven"),
    [
        (0, 0, CheckOutcome.PASSWORD_EXPIRED, True),
        (0, 49, CheckOutcome.RESET_REQUIRED, True),
        (1, 0, CheckOutcome.ACCOUNT_LOCKED, False),
        (1, 49, CheckOutcome.ACCOUNT_LOCKED, False),
        (2, 0, CheckOutcome.MUST_CHANGE, True),
        (2, 49, CheckOutcome.RESET_REQUIRED, True),
    ],
)
def test_the_policy_control_comes_first(result: int, error: int, outcome: CheckOutcome, proven: bool) -> None:
    """Some servers send it with a success; of a locked account nobody looked at the password. Whoever is not let in, no
    grace being left, cannot choose a new one, either: that is not promised."""
    answer = LdapResult(result, "", policy_control(error))
    assert judge_bind(answer) == bound(outcome, proven, proven, f"password policy error {error}")


@pytest.mark.parametrize("error", [3, 8])
def test_what_the_policy_control_says_of_a_new_password_is_nothing_to_a_bind(error: int) -> None:
    """The result decides."""
    assert judge_bind(LdapResult(0, "", policy_control(error))) == bound(CheckOutcome.SUCCESS, True, True)
    assert judge_bind(LdapResult(49, "", policy_control(error))).outcome is CheckOutcome.WRONG_CREDENTIAL


def test_the_policy_control_makes_no_answer_of_an_outage() -> None:
    """Only a success and a refusal are about the password."""
    for code in (1, 51, 52, 80):
        answer = LdapResult(code, "later", policy_control(1))
        assert judge_bind(answer) == bound(CheckOutcome.NO_DIRECTORY, False, False, f"bind: LDAP result {code}, later")


@pytest.mark.parametrize(
    ("code", "outcome", "name"),
    [
        (19, CheckOutcome.ACCOUNT_LOCKED, "constraintViolation"),
        (32, CheckOutcome.WRONG_CREDENTIAL, "noSuchObject"),
        (48, CheckOutcome.WRONG_CREDENTIAL, "inappropriateAuthentication"),
        (50, CheckOutcome.WRONG_CREDENTIAL, "insufficientAccessRights"),
        (53, CheckOutcome.WRONG_CREDENTIAL, "unwillingToPerform"),
    ],
)
def test_a_bind_that_is_refused_for_what_the_account_is(code: int, outcome: CheckOutcome, name: str) -> None:
    """It is no outage, nor does it prove the password, whatever a policy control says beside it."""
    expected = bound(outcome, False, True, f"bind: {name} ({code}), Account inactivated.")
    assert judge_bind(LdapResult(code, "Account inactivated.")) == expected
    assert judge_bind(LdapResult(code, "Account inactivated.", policy_control(0))) == expected
    assert judge_bind(LdapResult(code, "")).detail == f"bind: {name} ({code}), no reason given"


@pytest.mark.parametrize("code", [1, 2, 7, 8, 10, 11, 13, 34, 51, 52, 54, 80])
def test_any_other_answer_to_a_bind_is_an_outage(code: int) -> None:
    """It must not be counted against anybody; the detail says what came."""
    expected = bound(CheckOutcome.NO_DIRECTORY, False, False, f"bind: LDAP result {code}, busy")
    assert judge_bind(LdapResult(code, "busy")) == expected


# -- changes


def test_a_change_that_succeeds() -> None:
    """It proves the old password."""
    assert judge_change(LdapResult(0, "")) == bound(CheckOutcome.SUCCESS, True, True)


@pytest.mark.parametrize("code", [19, 49, 53])
@pytest.mark.parametrize("text", [REJECTED, AD.format("52d")])
def test_a_new_password_that_active_directory_rejects(code: int, text: str) -> None:
    """By its own mark, whatever the result: the old one was right."""
    assert judge_change(LdapResult(code, text)) == bound(CheckOutcome.PASSWORD_REJECTED, True, True, text)


@pytest.mark.parametrize("code", [19, 53])
def test_a_rejection_for_another_reason_proves_nothing(code: int) -> None:
    """00000524 is ERROR_USER_EXISTS: nothing says that the old password was looked at."""
    text = "00000524: UpdErr: DSID-031A11E2, problem 6005 (ENTRY_EXISTS), data 0"
    assert judge_change(LdapResult(code, text)) == bound(CheckOutcome.PASSWORD_REJECTED, False, True, text)


@pytest.mark.parametrize(("code", "text"), [(19, "00000056: AtrErr: DSID-03191083"), (49, "Invalid credentials")])
def test_a_change_whose_old_password_is_wrong(code: int, text: str) -> None:
    """ERROR_INVALID_PASSWORD, or the refusal of a bind."""
    assert judge_change(LdapResult(code, text)) == bound(CheckOutcome.WRONG_CREDENTIAL, False, True, text)


@pytest.mark.parametrize("code", [19, 53])
def test_a_new_password_that_another_server_rejects(code: int) -> None:
    """constraintViolation and unwillingToPerform do not say whether it looked at the old one."""
    assert judge_change(LdapResult(code, "weak")) == bound(CheckOutcome.PASSWORD_REJECTED, False, True, "weak")


@pytest.mark.parametrize(
    ("error", "rule"),
    [
        (3, PasswordRule.NOT_PERMITTED),
        (4, None),
        (5, PasswordRule.COMPLEXITY),
        (6, PasswordRule.MIN_LENGTH),
        (7, PasswordRule.MIN_AGE),
        (8, PasswordRule.HISTORY),
        (99, None),
    ],
)
def test_the_policy_control_says_which_rule_refused_a_new_password(error: int, rule: PasswordRule | None) -> None:
    """Draft-behera section 6.2."""
    result = judge_change(LdapResult(19, "weak", policy_control(error)))
    assert (result.outcome, result.rule) == (CheckOutcome.PASSWORD_REJECTED, rule)


@pytest.mark.parametrize(
    ("code", "text"),
    [(50, ""), (19, "00000005: AtrErr: DSID-03190F80"), (19, "error in module acl: Constraint violation")],
)
def test_who_may_not_change_a_password_is_no_outage(code: int, text: str) -> None:
    """OpenLDAP's rule or policy, AD's "User cannot change password"; the old one was not looked at."""
    result = judge_change(LdapResult(code, text))
    assert (result.outcome, result.password_proven) == (CheckOutcome.PASSWORD_REJECTED, False)
    assert result.rule is PasswordRule.NOT_PERMITTED


@pytest.mark.parametrize("code", [1, 18, 20, 48, 51, 52, 54])
def test_any_other_answer_to_a_change_is_an_outage(code: int) -> None:
    """As to a bind."""
    expected = bound(CheckOutcome.NO_DIRECTORY, False, False, f"change: LDAP result {code}, busy")
    assert judge_change(LdapResult(code, "busy")) == expected


# -- no answer


def test_a_lost_answer_is_never_a_wrong_password() -> None:
    """The password was sent; which server did not answer, and what happened, is in the result."""
    late = ConnectionTimedOut("dc1:636", "silent", sent=True)
    lost = ConnectionBroken("dc2:636", "connection reset", sent=True)
    for error, outcome in ((late, CheckOutcome.TIMED_OUT), (lost, CheckOutcome.NO_DIRECTORY)):
        expected = CheckResult(outcome, bound=True, controller=error.server, detail=str(error))
        assert judge_loss(error) == expected
        assert error.server in expected.detail
