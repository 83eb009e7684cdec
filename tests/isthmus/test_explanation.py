"""Outcomes in words: every cause that the packages name has its meaning, and what the user saw is what the page says."""

from __future__ import annotations

import re

import msgspec
import pytest

from gateway.federation.saml.logout.messages import LIFETIME
from gateway.protocol import Outcome
from gateway.relay import AuditView
from gateway.signin import Message
from isthmus.application_explanation import ANSWER_TIME, explain_application, logout_outcome
from isthmus.cli.relay.explain import _show
from isthmus.explanation import api_status, explain, page_text, reference_of
from isthmus.outcomes import REFUSED_BY_ADMISSION, cause_of, causes


def entry(
    outcome: str, said: str = "", *, kind: str = "signin", via: str = "page", agent: str = "a", **more: str
) -> AuditView:
    return AuditView(
        id="1-1",
        hash="",
        time=1.0,
        kind=kind,
        actor=via,
        subject="anna",
        directory="9d1c",
        object_guid="3f1c",
        outcome=outcome,
        address="192.0.2.7",
        agent=agent,
        controller="dc1:636",
        correlation_id="0a202933cc1a983d",
        via=via,
        milliseconds=41.0,
        detail={**({"detail": said} if said else {}), **more},
    )


def test_every_outcome_has_its_causes() -> None:
    """And the last one of each fits whatever an entry says."""
    assert set(causes()) == {*Outcome, REFUSED_BY_ADMISSION}
    for outcome, known in causes().items():
        assert known[-1].said == "", outcome
        assert all(cause.said for cause in known[:-1]), outcome
        assert all(cause.meaning.endswith(".") for cause in known)


def test_what_the_page_shows_fits_its_cause() -> None:
    """The example of each cause is one of it, and of no other one before it."""
    for outcome, known in causes().items():
        for cause in known:
            assert all(cause_of(outcome, shown) is cause for shown in cause.shown), (outcome, cause)
            assert "{" not in cause.next


@pytest.mark.parametrize(
    ("outcome", "said", "meaning"),
    [
        (Outcome.WRONG_CREDENTIAL, "data 52e", "password was wrong"),
        (Outcome.WRONG_CREDENTIAL, "no such account", "No account has this name"),
        (Outcome.WRONG_CREDENTIAL, "data 52f: members of Protected Users cannot", "Protected Users"),
        (Outcome.WRONG_CREDENTIAL, "'mail' anna is the name of several accounts: x, y", "Several accounts"),
        (Outcome.WRONG_CREDENTIAL, "something new", "refused the user name and password"),
        (Outcome.WOULD_LOCK_OUT, "4 of 5 wrong, margin 1", "almost as many wrong passwords"),
        (Outcome.BUSY, "too many open requests", "too many open requests of this address"),
        (REFUSED_BY_ADMISSION, "repeated", "same wrong password"),
        ("from_a_newer_version", "", "does not recognise this outcome"),
    ],
)
def test_the_more_special_cause_counts(outcome: str, said: str, meaning: str) -> None:
    """By what the directory, the agent or admission said."""
    assert meaning in cause_of(outcome, said).meaning


def test_reasons_of_admission_are_known() -> None:
    """Each word that stands in the trail for one has a cause of its own."""
    assert {cause_of(REFUSED_BY_ADMISSION, said) for said in ("locked", "repeated", "address", "rate", "busy")} == set(
        causes()[REFUSED_BY_ADMISSION]
    )


# -- what the user saw


def test_what_the_user_saw_is_what_the_page_says() -> None:
    """Who did not prove the password saw nothing of the account; an API was told a status."""
    assert explain(entry(Outcome.ACCOUNT_DISABLED, "data 533")).shown == Message.DISABLED
    assert explain(entry(Outcome.ACCOUNT_LOCKED, "data 775")).shown == Message.WRONG
    assert explain(entry(Outcome.NO_AGENT, agent="")).shown == Message.UNAVAILABLE
    assert explain(entry(Outcome.NOT_RECORDED, agent="")).shown == Message.LATER
    assert explain(entry(REFUSED_BY_ADMISSION, "locked", agent="")).shown == "Too many attempts. Try again in \u2026."
    assert explain(entry(Outcome.SUCCESS)).shown == "nothing: the user was signed in"
    assert explain(entry(Outcome.ACCOUNT_DISABLED, via="api:crm")).shown == "HTTP 200, outcome account_disabled"
    assert explain(entry(REFUSED_BY_ADMISSION, "rate", via="api:crm", agent="")).shown == "HTTP 429"
    assert explain(entry(Outcome.TIMED_OUT, via="api:crm")).shown == "HTTP 503"
    tried = explain(entry(Outcome.ACCOUNT_DISABLED, via="admin:root"))
    assert tried.shown == "nothing: an administrator tried it"


def test_a_new_password_that_was_refused() -> None:
    """The rule, with its value; the generic error where the old password was wrong or not looked at."""
    change = {"kind": "password_change"}
    rejected = Outcome.PASSWORD_REJECTED
    told = explain(entry(rejected, "minimum length 12, of the domain's policy: 0000052D", rule="min_length 12", **change))
    assert told.shown == "This new password is too short. It must have at least 12 characters."
    assert "shorter than the password policy" in told.meaning
    assert explain(entry(rejected, rule="history", **change)).shown == Message.USED_BEFORE
    assert explain(entry(rejected, rule="unknown", **change)).shown == Message.REJECTED
    assert explain(entry(rejected, rule="history", password="not proven", **change)).shown == Message.WRONG
    done = explain(entry(Outcome.SUCCESS, **change))
    assert (done.shown, done.meaning) == (Message.CHANGED, "The password was changed.")


def test_who_was_asked_and_who_was_not() -> None:
    """Admission stands before the agents, and what stands before admission is not its word."""
    assert explain(entry(Outcome.WRONG_CREDENTIAL, "data 52e")).admission == "let it through"
    refused = explain(entry(REFUSED_BY_ADMISSION, "locked", agent="", times="17"))
    assert refused.admission == "refused it (locked); this entry stands for 17 refusals"
    assert explain(entry(Outcome.BUSY, "too many open requests", agent="")).admission == "was not asked"
    assert explain(entry(Outcome.NOT_RECORDED, agent="")).admission == "was not asked"
    assert explain(entry(Outcome.BUSY, agent="")).admission == "let it through"


def test_every_text_of_the_page_is_filled_in() -> None:
    """No placeholder is left, of any outcome."""
    for outcome in causes():
        assert not re.search(r"[{}]", page_text(outcome))
        assert api_status(outcome) in {200, 429, 503}


@pytest.mark.parametrize("text", ["0a202933cc1a983d", " 0A20 2933 CC1A 983D\n", "0a20-2933-cc1a-983d"])
def test_a_reference_as_it_is_read_out(text: str) -> None:
    """On the telephone, or pasted with what stands around it."""
    assert reference_of(text) == "0a202933cc1a983d"


@pytest.mark.parametrize("text", ["", "0a202933cc1a983", "0a202933cc1a983dd", "anna@corp.example.com", "0a202933cc1a983g"])
def test_what_is_no_reference(text: str) -> None:
    """Is told what one looks like."""
    with pytest.raises(ValueError, match="expected 16 hexadecimal digits"):
        reference_of(text)


def test_an_agent_that_did_not_answer_is_not_called_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    """Of a check that several agents could not do the trail names none."""
    _show(explain(entry(Outcome.NO_DIRECTORY, "none is due for another try", agent="")))
    _show(explain(entry(REFUSED_BY_ADMISSION, "locked", agent="")))
    agents = [line.split(maxsplit=1)[1] for line in capsys.readouterr().out.splitlines() if line.startswith("Agent ")]
    assert agents == ["none answered", "nobody was asked"]


# -- what came of applications at a logout


def _told(outcome: str, at: float, trust: str = "wiki") -> AuditView:
    return AuditView(
        **{
            **msgspec.structs.asdict(entry("", kind="federation.logout_told", via="saml")),
            "time": at,
            "actor": f"trust:{trust}",
            "detail": {"outcome": outcome},
        }
    )


def test_an_application_that_keeps_the_browser_did_not_answer() -> None:
    """No entry says so: it is missing after the time for which the request was good. Another one's answer is none."""
    assert ANSWER_TIME == LIFETIME
    asked = _told("asked", 1000.0)
    assert logout_outcome(asked, [asked], 1000.0 + ANSWER_TIME) == "asked"
    assert logout_outcome(asked, [asked], 1001.0 + ANSWER_TIME) == "did not answer"
    assert logout_outcome(asked, [asked, _told("told", 1002.0, "shop")], 1400.0) == "did not answer"
    assert logout_outcome(asked, [_told("told", 1001.0 + ANSWER_TIME), _told("told", 999.0)], 1400.0) == "did not answer"
    assert logout_outcome(asked, [_told("failed", 1005.0), asked], 1400.0) == "failed"
    assert logout_outcome(_told("told", 1000.0), [], 1400.0) == "told"
    told = explain_application(asked, logout="did not answer")
    assert (told.answer, told.trust) == ("did not answer", "wiki")
    assert "may still be signed in" in told.meaning
    assert told.next.endswith("isthmus relay trust show wiki")
    assert explain_application(_told("told", 1.0)).next == ""


def test_a_logout_that_an_application_wanted_says_whom_it_reached() -> None:
    """Party by party."""
    view = entry("", kind="federation.logout_requested", via="saml", sessions="2", **{"to Shop": "told", "to CRM": "failed"})
    assert explain_application(view).checks == "its signature and name; 2 sessions ended; Shop told; CRM failed"


@pytest.mark.parametrize(
    ("grant", "request_", "checks"),
    [
        ("refresh_token", "refresh", "client, refresh token, account, access, claims policy"),
        ("client_credentials", "client credentials", "client, scope"),
        ("authorization_code", "code", "request, sign-in, access, claims policy"),
    ],
)
def test_what_was_checked_depends_on_the_grant(grant: str, request_: str, checks: str) -> None:
    """Nobody signs in for client credentials, nor at a refresh."""
    told = explain_application(
        entry("", kind="federation.issued", via="oidc", grant=grant, scope="api", claims="email name")
    )
    assert told.request == f"OpenID Connect {request_} scope api"
    assert (told.checks, told.claims) == (f"all passed: {checks}", "email name")
