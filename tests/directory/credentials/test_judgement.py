"""What an answer to a bind or a change says: which results prove a password, and which count against somebody."""

from __future__ import annotations

import pytest

from directory.credentials.judgement import judge_bind, judge_change, judge_loss
from directory.errors import ConnectionBroken, ConnectionTimedOut, LdapConnectionError, Malformed
from directory.ldap import codec
from directory.ldap.codec import LdapResult
from directory.model import CheckOutcome, CheckResult


def policy_control(error: int) -> bytes:
    """A password policy response control (draft-behera section 6.2) with one error number."""
    value = codec.tlv(0x30, codec.integer(error, 0x81))
    return codec.tlv(0xA0, codec.tlv(0x30, codec.octets(codec.PASSWORD_POLICY) + codec.octets(value)))


def told(result: CheckResult) -> tuple[CheckOutcome, bool, bool]:
    """(outcome, proven, checked); that a password was sent holds for every answer, and nothing else is claimed."""
    assert result.bound
    assert (result.identity, result.controller) == (None, "")
    return result.outcome, result.password_proven, result.password_checked


@pytest.mark.parametrize(
    ("answer", "outcome", "proven", "checked"),
    [
        (LdapResult(0, ""), CheckOutcome.SUCCESS, True, True),
        (LdapResult(49, "data 52e, v4563"), CheckOutcome.WRONG_CREDENTIAL, False, True),
        (LdapResult(49, "data 775, v4563"), CheckOutcome.ACCOUNT_LOCKED, False, True),
        (LdapResult(49, "data 532, v4563"), CheckOutcome.PASSWORD_EXPIRED, True, True),
        (LdapResult(49, ""), CheckOutcome.WRONG_CREDENTIAL, False, True),
        (LdapResult(53, "account is locked"), CheckOutcome.WRONG_CREDENTIAL, False, True),
        (LdapResult(51, "busy"), CheckOutcome.NO_DIRECTORY, False, False),
        (LdapResult(8, "strongerAuthRequired"), CheckOutcome.NO_DIRECTORY, False, False),
        (LdapResult(0, "", policy_control(0)), CheckOutcome.PASSWORD_EXPIRED, True, True),
        (LdapResult(49, "", policy_control(0)), CheckOutcome.PASSWORD_EXPIRED, True, True),
        (LdapResult(49, "", policy_control(1)), CheckOutcome.ACCOUNT_LOCKED, False, False),
        (LdapResult(0, "", policy_control(2)), CheckOutcome.MUST_CHANGE, True, True),
        (LdapResult(0, "", policy_control(5)), CheckOutcome.SUCCESS, True, True),
        (LdapResult(51, "busy", policy_control(0)), CheckOutcome.NO_DIRECTORY, False, False),
    ],
)
def test_answers_to_a_bind(answer: LdapResult, outcome: CheckOutcome, proven: bool, checked: bool) -> None:
    """Only a password that the server looked at may be counted; only a state behind a right one may be told."""
    assert told(judge_bind(answer)) == (outcome, proven, checked)


def test_a_bind_that_was_not_judged_says_why() -> None:
    """The code and the server's own words, for the operator."""
    assert judge_bind(LdapResult(51, "try later")).detail == "bind: LDAP result 51, try later"
    assert judge_bind(LdapResult(53, "locked for now")).detail == "locked for now"
    assert judge_bind(LdapResult(49, "data 533")).detail == "data 533"
    assert judge_bind(LdapResult(0, "", policy_control(2))).detail == "password policy error 2"
    assert judge_bind(LdapResult(0, "")).detail == ""


@pytest.mark.parametrize(
    ("answer", "outcome", "proven", "checked"),
    [
        (LdapResult(0, ""), CheckOutcome.SUCCESS, True, True),
        (LdapResult(19, "0000052D: Constraint violation"), CheckOutcome.PASSWORD_REJECTED, True, True),
        (LdapResult(19, "00000524: too young"), CheckOutcome.PASSWORD_REJECTED, True, True),
        (LdapResult(53, "comment: data 52d"), CheckOutcome.PASSWORD_REJECTED, True, True),
        (LdapResult(19, "00000056: AtrErr"), CheckOutcome.WRONG_CREDENTIAL, False, True),
        (LdapResult(49, ""), CheckOutcome.WRONG_CREDENTIAL, False, True),
        (LdapResult(19, "too short"), CheckOutcome.PASSWORD_REJECTED, False, True),
        (LdapResult(53, "old password required"), CheckOutcome.PASSWORD_REJECTED, False, True),
        (LdapResult(50, "insufficient rights"), CheckOutcome.NO_DIRECTORY, False, False),
    ],
)
def test_answers_to_a_change(answer: LdapResult, outcome: CheckOutcome, proven: bool, checked: bool) -> None:
    """Active Directory tells a weak new password from a wrong old one; others refuse both alike."""
    assert told(judge_change(answer)) == (outcome, proven, checked)


def test_a_change_that_was_not_made_says_why() -> None:
    """The code and the server's own words."""
    assert judge_change(LdapResult(50, "no rights")).detail == "change: LDAP result 50, no rights"
    for code, text in ((19, "0000052D"), (53, "no"), (49, "old one is wrong")):
        assert judge_change(LdapResult(code, text)).detail == text


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ConnectionTimedOut("dc1:636", "silent", sent=True, waited=8.0), CheckOutcome.TIMED_OUT),
        (ConnectionBroken("dc1:636", "reset", sent=True), CheckOutcome.NO_DIRECTORY),
        (Malformed("dc1:636", "not LDAP"), CheckOutcome.NO_DIRECTORY),
    ],
)
def test_a_lost_answer_was_sent_and_judged_by_nobody(error: LdapConnectionError, outcome: CheckOutcome) -> None:
    """It counts against no person, and names the domain controller that may have counted it."""
    result = judge_loss(error)
    assert (result.outcome, result.bound, result.password_checked, result.password_proven) == (outcome, True, False, False)
    assert (result.controller, result.detail) == ("dc1:636", str(error))
