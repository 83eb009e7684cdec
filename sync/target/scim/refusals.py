"""What an answer that is no success means for the operation that was written. Pure.

| answer | outcome |
|---|---|
| 429, 503 with Retry-After; no connection was made | LATER |
| 401 | LATER, because every operation would be refused |
| 400, 403, 404, 409, 412, 413, 501 and the like | REFUSED or LATER, by name |
| 500, 502, 503, 504, a broken connection, no answer in time | UNKNOWN: it may have worked |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sync.causes import (
    ANSWER_UNUSABLE,
    ATTRIBUTE_VALUE_MUST_BE_UNIQUE,
    CREDENTIALS_REFUSED,
    EXCEEDED_ALLOWED_LENGTH,
    GONE_IN_TARGET,
    IDENTITY_DATA_VALIDATION_FAILED,
    READ_ONLY_IN_TARGET,
    REFUSED_403,
    TARGET_BUSY,
    TARGET_UNREACHABLE,
)
from sync.model import AccountOperation, Confirmation, WriteOutcome
from sync.target.errors import TargetError, TargetUnavailable
from sync.target.scim.client import ServiceAnswer

_BY_STATUS: Final[Mapping[int, str]] = {
    400: IDENTITY_DATA_VALIDATION_FAILED,
    403: REFUSED_403,
    404: GONE_IN_TARGET,
    405: READ_ONLY_IN_TARGET,
    409: ATTRIBUTE_VALUE_MUST_BE_UNIQUE,
    410: GONE_IN_TARGET,
    413: EXCEEDED_ALLOWED_LENGTH,
    422: IDENTITY_DATA_VALIDATION_FAILED,
    501: READ_ONLY_IN_TARGET,
}
_BY_TYPE: Final[Mapping[str, str]] = {
    "uniqueness": ATTRIBUTE_VALUE_MUST_BE_UNIQUE,
    "mutability": READ_ONLY_IN_TARGET,
    "invalidpath": READ_ONLY_IN_TARGET,
    "toomany": EXCEEDED_ALLOWED_LENGTH,
}
"""scimType of RFC 7644 table 9, in lower case."""


def refusal(operation: AccountOperation, answer: ServiceAnswer, remote: str, timeout: float) -> Confirmation:
    """Of an answer that is no success. timeout: seconds until what was sent has surely ended."""
    detail = answer.explain()
    if not answer.begun:
        cause = TARGET_BUSY if answer.status else TARGET_UNREACHABLE
        return Confirmation(WriteOutcome.LATER, remote, cause=cause, detail=detail, retry_after=answer.retry_after)
    if answer.status == 401:
        return Confirmation(WriteOutcome.LATER, remote, cause=CREDENTIALS_REFUSED, detail=detail)
    if answer.status == 412:
        return Confirmation(
            WriteOutcome.LATER, remote, cause=TARGET_BUSY, detail=f"somebody else changed it meanwhile ({detail})"
        )
    if answer.status == 0 or (answer.status >= 500 and answer.status != 501):
        cause = TARGET_BUSY if answer.status else TARGET_UNREACHABLE
        wait = answer.retry_after or timeout
        return Confirmation(WriteOutcome.UNKNOWN, remote, cause=cause, detail=detail, retry_after=wait)
    cause = _BY_TYPE.get(answer.scim_type()) or _BY_STATUS.get(answer.status, ANSWER_UNUSABLE)
    if cause == GONE_IN_TARGET and (not operation.remote or not answer.absent):
        cause = ANSWER_UNUSABLE  # the address for new accounts is not there, or no SCIM service is
    return Confirmation(WriteOutcome.REFUSED, remote, cause=cause, detail=detail)


def unanswered(operation: AccountOperation, error: TargetError, outcome: WriteOutcome) -> Confirmation:
    """Of a question that went wrong around a write: before it (LATER), or after it (UNKNOWN)."""
    wait = error.retry_after if isinstance(error, TargetUnavailable) else 0.0
    return Confirmation(outcome, operation.remote, cause=error.cause, detail=error.problem, retry_after=wait)
