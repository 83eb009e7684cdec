"""Translates between the wire's words and the directory's, one request at a time."""

from __future__ import annotations

import functools
import time
import traceback
from collections import Counter

import structlog
from msgspec import Struct

import directory
from gateway.agent.identities import bounded_identity
from gateway.agent.lookups import GivenBack, PersonLookUps
from gateway.agent.ports import CredentialDirectories
from gateway.protocol import (
    AccountId,
    AnswerBody,
    ChangeRequest,
    LookUpRequest,
    NewPasswordRules,
    Outcome,
    PasswordRequest,
)

log = structlog.get_logger()

MAX_DETAIL = 200
_OUTCOMES = {outcome: Outcome(outcome.value) for outcome in directory.CheckOutcome}


class Checked(Struct, frozen=True):
    """What the relay is told, and whose account it was about (None: nobody's)."""

    body: AnswerBody
    account: AccountId | None = None


class Validator:
    """Asks the directories, and never raises: whatever goes wrong there is an outcome.

    lookups: say who somebody is without a password; None: nobody is told about.
    """

    def __init__(self, directories: CredentialDirectories, lookups: PersonLookUps | None = None) -> None:
        self._directories, self._lookups = directories, lookups
        self.outcomes: Counter[str] = Counter()
        """What came of the checks so far."""

    async def check(self, body: PasswordRequest, deadline: float, before_bind: directory.BeforeBind) -> Checked | None:
        """Do what a request asks before `deadline` (Unix seconds on the directories' clock).

        `before_bind` is awaited right before the first bind. Returns None where it forbade the bind.
        Cancelling does not undo a bind.
        """
        started = time.perf_counter()
        bound = structlog.contextvars.bind_contextvars(correlation_id=body.correlation_id)
        try:
            result = await self._ask(body, deadline, before_bind)
        except directory.Abandoned:
            return None
        except directory.DirectoryError as error:
            log.warning("directory.failed", user=body.user_name, error=str(error))
            return self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - a request without an answer would take capacity permanently
            # The kind alone: what somebody else's error quotes may be the password
            log.error("check.failed", user=body.user_name, kind=type(error).__name__, at=_where(error))  # noqa: TRY400
            return self._failed(f"the agent failed ({type(error).__name__})")
        else:
            outcome = _OUTCOMES[result.outcome]
            self.outcomes[outcome] += 1
            milliseconds = (time.perf_counter() - started) * 1000
            log.info(
                "credential.checked",
                user=body.user_name,
                outcome=str(outcome),
                detail=result.detail,
                milliseconds=round(milliseconds, 1),
            )
        finally:
            structlog.contextvars.reset_contextvars(**bound)
        account = AccountId(*result.account) if result.account is not None else None
        if self._lookups is not None and account is not None and outcome is Outcome.SUCCESS:
            self._lookups.note(account)
        return Checked(_answer(result, outcome, milliseconds, body.user_name), account)

    def _failed(self, detail: str) -> Checked:
        self.outcomes[Outcome.NO_DIRECTORY.value] += 1
        return Checked(AnswerBody(Outcome.NO_DIRECTORY, detail=detail[:MAX_DETAIL]))

    async def look_up(self, body: LookUpRequest, deadline: float) -> Checked | GivenBack:
        """Say who somebody is before `deadline` (as in `check`), as far as this agent does."""
        if self._lookups is None:
            return GivenBack("unsupported")
        with structlog.contextvars.bound_contextvars(correlation_id=body.correlation_id):
            try:
                answer = await self._lookups.answer(body, deadline)
            except TimeoutError:
                answer = AnswerBody(Outcome.TIMED_OUT)
            except directory.DirectoryError as error:
                log.warning("directory.failed", person=body.person, error=str(error))
                answer = AnswerBody(Outcome.NO_DIRECTORY, detail=str(error)[:MAX_DETAIL])
            except Exception as error:  # noqa: BLE001 - a request without an answer would take capacity permanently
                log.error("check.failed", person=body.person, kind=type(error).__name__, at=_where(error))  # noqa: TRY400
                answer = AnswerBody(Outcome.NO_DIRECTORY, detail=f"the agent failed ({type(error).__name__})")
        if isinstance(answer, GivenBack):
            return answer
        if answer.outcome is not Outcome.SUCCESS:
            self._lookups.count_failure()
        return Checked(answer)

    async def _ask(self, body: PasswordRequest, deadline: float, before_bind: directory.BeforeBind) -> directory.CheckResult:
        if isinstance(body, ChangeRequest):
            return await self._directories.change_password(
                body.user_name, body.password, body.new_password, deadline=deadline, before_bind=before_bind
            )
        credential = directory.Credential(body.user_name, body.password)
        return await self._directories.verify(credential, deadline=deadline, before_bind=before_bind)


def _answer(result: directory.CheckResult, outcome: Outcome, milliseconds: float, user_name: str) -> AnswerBody:
    identity, detail = None, result.detail
    if result.identity is not None:
        identity, left_out = bounded_identity(result.identity)
        if left_out:
            log.warning("identity.cut", user=user_name, left_out=left_out)
            detail = f"left out: {', '.join(left_out)}; {detail}".rstrip("; ")
    return AnswerBody(
        outcome,
        identity,
        result.password_proven,
        detail[:MAX_DETAIL],
        milliseconds,
        rule=result.rule or "",
        rule_value=result.rule_value,
        controller=result.controller,
        password_set=min(result.password_set, 2.0**40),
        new_password=_rules(result.requirements) if result.requirements is not None else None,
    )


@functools.lru_cache(maxsize=256)  # the same for nearly everybody whose password may be changed today
def _rules(requirements: directory.PasswordRequirements) -> NewPasswordRules:
    """Within what an answer may hold: a policy that makes no sense must not cost the sign-in."""
    return NewPasswordRules(*(max(0, min(number, 2**31)) for number in requirements))


def _where(error: Exception) -> str:
    """The innermost line of ours or others', without any value of it."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{last.filename}:{last.lineno}"
