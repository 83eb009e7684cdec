"""From the wire's words to the directory's and back, one request at a time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from msgspec.structs import replace

import directory
from directory import BeforeBind, errors
from gateway.agent.validator import MAX_DETAIL, Validator
from gateway.protocol import AccountId, AnswerBody, Group, NewPasswordRules, Outcome, PasswordRequest, request_body
from gateway.protocol.bodies import decode_answer, encode_body
from tests.support.fakes import FakeDirectories

ANNA = "anna@corp.example.com"
PASSWORD = "Sommer-2026!"


async def go_on() -> None:
    """Leave to bind."""


@dataclass
class BrokenDirectories(FakeDirectories):
    """Raises instead of answering."""

    error: Exception | None = None

    async def verify(
        self, credential: directory.Credential, *, deadline: float, before_bind: BeforeBind | None = None
    ) -> directory.CheckResult:
        if self.error is not None:
            raise self.error
        return await super().verify(credential, deadline=deadline, before_bind=before_bind)


@dataclass
class ScriptedDirectories(FakeDirectories):
    """Answers with one result, and keeps the deadlines that it was given."""

    result: directory.CheckResult | None = None
    deadlines: tuple[float, ...] = ()

    async def verify(
        self, credential: directory.Credential, *, deadline: float, before_bind: BeforeBind | None = None
    ) -> directory.CheckResult:
        self.deadlines += (deadline,)
        if self.result is not None:
            return self.result
        return await super().verify(credential, deadline=deadline, before_bind=before_bind)


@pytest.fixture
def people() -> FakeDirectories:
    return FakeDirectories({ANNA: PASSWORD})


def request(user_name: str = ANNA, password: str = PASSWORD, new_password: str = "") -> PasswordRequest:
    """A change where there is a new password."""
    return request_body("change" if new_password else "verify", user_name, password, new_password, "c0ffee")


def of(directories: Any) -> Validator:
    """A fake stands in for the real directories."""
    return Validator(directories)


async def check(directories: FakeDirectories, body: PasswordRequest) -> AnswerBody:
    answer = await ask(of(directories), body)
    assert answer is not None
    return answer


async def ask(validator: Validator, body: PasswordRequest, before_bind: BeforeBind = go_on) -> AnswerBody | None:
    checked = await validator.check(body, time.time() + 15, before_bind)
    return checked.body if checked is not None else None


async def test_a_right_password_brings_the_identity_in_the_wires_words(people: FakeDirectories) -> None:
    """Every part of it arrives."""
    answer = await check(people, request())
    assert answer.outcome is Outcome.SUCCESS
    assert answer.password_proven
    assert answer.milliseconds > 0
    assert answer.identity is not None
    assert (answer.identity.user_name, answer.identity.display_name) == (ANNA, "Anna")
    assert answer.identity.groups == (Group("S-1-5-21-1-2-3-1000", "Engineering"),)


async def test_every_field_of_an_identity_is_carried_over() -> None:
    """Binary attributes in base64, text as it is; and the answer can be sent."""
    attributes = {"department": ("R&D", "Ärzte"), "thumbnailPhoto": (b"\xff\xd8",)}
    identity = directory.DirectoryIdentity(
        object_guid="3f1c",
        user_name=ANNA,
        domain="corp.example.com",
        sid="S-1-5-21-1",
        account_name="anna",
        mail="a@example.com",
        display_name="Anna Berg",
        given_name="Anna",
        surname="Berg",
        dn="CN=Anna",
        directory="9d1c",
        attributes=attributes,  # type: ignore[arg-type]  # a directory may hand out bytes
    )
    result = directory.CheckResult(directory.CheckOutcome.SUCCESS, identity, password_proven=True)
    found = (await check(ScriptedDirectories({}, result=result), request())).identity
    assert found is not None
    for name in (
        "object_guid",
        "user_name",
        "domain",
        "sid",
        "account_name",
        "mail",
        "display_name",
        "surname",
        "dn",
        "directory",
    ):
        assert getattr(found, name) == getattr(identity, name)
    assert found.given_name == "Anna"
    assert found.attributes == {"department": ("R&D", "Ärzte"), "thumbnailPhoto": ("/9g=",)}
    answer = AnswerBody(Outcome.SUCCESS, found)
    assert decode_answer(encode_body(answer)).identity == found


async def test_what_is_too_large_to_travel_is_left_out_and_the_operator_is_told() -> None:
    """In the agent's log, and in the detail that the relay's trail keeps; the sign-in succeeds."""
    identity = directory.DirectoryIdentity(
        object_guid="3f1c", user_name=ANNA, domain="corp", display_name="x" * 1_100_000, mail="a@example.com"
    )
    result = directory.CheckResult(directory.CheckOutcome.SUCCESS, identity, password_proven=True)
    with structlog.testing.capture_logs() as logs:
        answer = await check(ScriptedDirectories({}, result=result), request())
    assert answer.outcome is Outcome.SUCCESS
    assert answer.identity is not None
    assert (answer.identity.display_name, answer.identity.mail) == ("", "a@example.com")
    assert answer.detail == "left out: display_name (1100000 characters)"
    cut = next(entry for entry in logs if entry["event"] == "identity.cut")
    assert (cut["user"], cut["left_out"]) == (ANNA, ["display_name (1100000 characters)"])


async def test_whose_account_it_was_is_told_apart_from_the_answer() -> None:
    """The session makes the digest; of nobody there is none."""
    account = directory.DirectoryObject("9d1c", "3f1c")
    result = directory.CheckResult(directory.CheckOutcome.WRONG_CREDENTIAL, account=account)
    for found, told in ((result, AccountId("9d1c", "3f1c")), (replace(result, account=None), None)):
        checked = await of(ScriptedDirectories({}, result=found)).check(request(), time.time() + 15, go_on)
        assert checked is not None
        assert checked.account == told


async def test_a_wrong_password_is_an_answer(people: FakeDirectories) -> None:
    """With AD's sub-code for the operator, without an identity."""
    answer = await check(people, request(password="wrong"))
    assert answer.outcome is Outcome.WRONG_CREDENTIAL
    assert answer.identity is None
    assert not answer.password_proven
    assert answer.detail == "data 52e"


@pytest.mark.parametrize("outcome", list(directory.CheckOutcome))
async def test_every_outcome_of_the_directory_is_one_of_the_wire(outcome: directory.CheckOutcome) -> None:
    """Word for word, and counted under its name."""
    validator = of(FakeDirectories({}, outcome=outcome))
    answer = await ask(validator, request())
    assert answer is not None
    assert answer.outcome.value == outcome.value
    assert validator.outcomes == {outcome.value: 1}


@pytest.mark.parametrize(
    "error",
    [
        errors.SettingsProblem("base_dn", "is no DN"),
        errors.NoDirectory("corp.example.com", ("dc1:636",), "connection refused"),
        errors.ServiceAccountRefused("dc1:636", "svc@corp", "data 532"),
        errors.ServerRefused("dc1:636", "search", 1, "000004DC"),
        errors.Ambiguous(ANNA, ("CN=a", "CN=b")),
        errors.NotFound(ANNA),
        errors.ConnectFailed("dc1:636", "timed out"),
        errors.ServerCertificateRefused("dc1:636", "self-signed"),
        errors.ConnectionBroken("dc1:636", "reset", sent=True),
        errors.ConnectionTimedOut("dc1:636", "silent", sent=True, waited=5.0),
        errors.Malformed("dc1:636", "not LDAP"),
        errors.DirectoryError("something"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_whatever_breaks_in_the_directory_is_an_outcome(error: directory.DirectoryError) -> None:
    """Nobody judged the password; the operator reads why."""
    with structlog.testing.capture_logs() as logs:
        answer = await check(BrokenDirectories({}, error=error), request())
    assert answer.outcome is Outcome.NO_DIRECTORY
    assert answer.outcome.is_infrastructure
    assert answer.detail == str(error)
    assert [entry["event"] for entry in logs] == ["directory.failed"]
    assert PASSWORD not in str(logs)


async def test_a_long_explanation_is_cut() -> None:
    """The wire takes short details only, from verdicts as from errors."""
    failed = await check(BrokenDirectories({}, error=errors.LdapConnectionError("dc1:636", "x" * 5000)), request())
    refused = directory.CheckResult(directory.CheckOutcome.WRONG_CREDENTIAL, detail="y" * 5000)
    answered = await check(ScriptedDirectories({}, result=refused), request())
    assert len(failed.detail) == len(answered.detail) == MAX_DETAIL
    assert decode_answer(encode_body(failed)) == failed


async def test_what_comes_too_late_to_bind_has_no_answer(people: FakeDirectories) -> None:
    """The relay may have asked another agent by now: nothing is bound and nothing is counted."""

    async def forbid() -> None:
        raise directory.Abandoned("late")

    validator = of(people)
    assert await ask(validator, request(), forbid) is None
    assert people.binds == []
    assert not validator.outcomes


async def test_leave_to_bind_is_asked_before_the_bind(people: FakeDirectories) -> None:
    """Once, and while nothing has been bound."""
    seen: list[list[str]] = []

    async def look() -> None:
        seen.append(list(people.binds))

    await ask(of(people), request(), look)
    assert seen == [[]]
    assert people.binds == [ANNA]


async def test_the_deadline_reaches_the_directory() -> None:
    """As it came, on the directory's clock."""
    scripted = ScriptedDirectories({ANNA: PASSWORD})
    await of(scripted).check(request(), 1_800_000_015.0, go_on)
    assert scripted.deadlines == (1_800_000_015.0,)


async def test_a_password_is_changed_with_the_old_one(people: FakeDirectories) -> None:
    """The new one counts from then on."""
    answer = await check(people, request(new_password="Winter-2026!"))
    assert answer.outcome is Outcome.SUCCESS
    assert people.people[ANNA] == "Winter-2026!"


async def test_a_new_password_that_the_policy_refuses_is_an_answer(people: FakeDirectories) -> None:
    """The old one was right, and the person may be told so."""
    answer = await check(people, request(new_password="short"))
    assert (answer.outcome, answer.password_proven) == (Outcome.PASSWORD_REJECTED, True)
    assert people.people[ANNA] == PASSWORD


async def test_the_rule_that_refused_a_new_password_is_carried_over() -> None:
    """With its value; the answer can be sent."""
    rule = directory.PasswordRule.MIN_LENGTH
    outcome = directory.CheckOutcome.PASSWORD_REJECTED
    result = directory.CheckResult(outcome, password_proven=True, rule=rule, rule_value=12)
    answer = await check(ScriptedDirectories({}, result=result), request())
    assert (answer.rule, answer.rule_value) == ("min_length", 12)
    assert decode_answer(encode_body(answer)) == answer


@pytest.mark.parametrize(
    ("told", "carried"), [((12, 3, 24, 90), (12, 3, 24, 90)), ((-1, 0, 2**40, 2**40), (0, 0, 2**31, 2**31))]
)
async def test_the_rules_for_the_next_password_are_carried_over(told: tuple[int, ...], carried: tuple[int, ...]) -> None:
    """A policy beyond what an answer may hold costs nobody the sign-in."""
    requirements = directory.PasswordRequirements(*told)
    result = directory.CheckResult(directory.CheckOutcome.SUCCESS, password_proven=True, requirements=requirements)
    answer = decode_answer(encode_body(await check(ScriptedDirectories({}, result=result), request())))
    assert answer.new_password == NewPasswordRules(*carried)


async def test_the_answer_names_the_domain_controller() -> None:
    """Whatever came of it: an operator is told whom to ask."""
    result = directory.CheckResult(directory.CheckOutcome.WRONG_CREDENTIAL, controller="dc1.corp.example.com:636")
    answer = await check(ScriptedDirectories({}, result=result), request())
    assert decode_answer(encode_body(answer)).controller == "dc1.corp.example.com:636"


async def test_nothing_is_changed_with_a_wrong_old_password(people: FakeDirectories) -> None:
    """Nor is the new one told to anybody."""
    answer = await check(people, request(password="wrong", new_password="Winter-2026!"))
    assert answer.outcome is Outcome.WRONG_CREDENTIAL
    assert people.people[ANNA] == PASSWORD


@pytest.mark.parametrize(
    "user_name", ["", " ", "\x00", "anna\x00@corp", "*)(objectClass=*", "\\", "@", "ä" * 1024, "a\nb\r"]
)
async def test_names_of_any_shape_are_answered(people: FakeDirectories, user_name: str) -> None:
    """What a stranger types is data."""
    answer = await check(people, request(user_name))
    assert answer.outcome is Outcome.WRONG_CREDENTIAL


async def test_passwords_are_in_no_log(people: FakeDirectories) -> None:
    """The user and the outcome are, with how long it took."""
    body = request(new_password="Winter-2026!")
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        await check(people, body)
    assert logs[0]["event"] == "credential.checked"
    assert (logs[0]["user"], logs[0]["outcome"], logs[0]["correlation_id"]) == (ANNA, "success", "c0ffee")
    assert PASSWORD not in str(logs) + repr(body)
    assert "Winter-2026!" not in str(logs) + repr(body)


async def test_the_correlation_id_is_forgotten_afterwards(people: FakeDirectories) -> None:
    """It belongs to one request."""
    await check(people, request())
    assert "correlation_id" not in structlog.contextvars.get_contextvars()


async def test_outcomes_are_counted_apart(people: FakeDirectories) -> None:
    """For the agent's metrics."""
    validator = of(people)
    for password in (PASSWORD, "wrong", "wrong"):
        await ask(validator, request(password=password))
    assert validator.outcomes == {"success": 1, "wrong_credential": 2}


async def test_a_broken_directory_is_counted_too() -> None:
    """An outage that no metric shows is found by users first."""
    validator = Validator(BrokenDirectories({}, error=errors.NoDirectory("corp", (), "down")))
    await ask(validator, request())
    assert validator.outcomes == {"no_directory": 1}


async def test_an_error_that_nobody_foresaw_is_an_outcome() -> None:
    """`Validator` never raises: a request without an answer would take capacity permanently."""
    answer = await check(BrokenDirectories({}, error=RuntimeError("bug")), request())
    assert answer.outcome is Outcome.NO_DIRECTORY


async def test_the_same_request_may_come_again(people: FakeDirectories) -> None:
    """The validator keeps nothing of a request."""
    body = request()
    first, second = await check(people, body), await check(people, body)
    assert without_time(first) == without_time(second)


def without_time(answer: AnswerBody) -> tuple[object, ...]:
    return (answer.outcome, answer.identity, answer.password_proven, answer.detail)
