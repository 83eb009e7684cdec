"""What can go wrong when a target is asked. What comes of a write is a `sync.model.Confirmation` instead, whatever it is.

TargetError
    TargetUnavailable      it cannot be reached, or has no time: the same question may be answered later
    CredentialsRefused     it does not know us, or does not let us: somebody has to do something first
    UnusableAnswer         it answered, but not with what its protocol says
"""

from __future__ import annotations

from sync.causes import ANSWER_UNUSABLE, CREDENTIALS_REFUSED, REFUSED_403, TARGET_BUSY, TARGET_UNREACHABLE


class TargetError(Exception):
    """A target did not answer a question. `target` is its name in the settings; `problem` what was seen, without secrets."""

    cause = ANSWER_UNUSABLE

    def __init__(self, target: str, problem: str) -> None:
        super().__init__(target, problem)
        self.target, self.problem = target, problem

    def __str__(self) -> str:
        return f"target {self.target}: {self.problem}"


class TargetUnavailable(TargetError):
    """Not reachable or busy. retry_after: seconds that it wants to be left alone, 0 where it did not say."""

    def __init__(self, target: str, problem: str, *, busy: bool = False, retry_after: float = 0.0) -> None:
        super().__init__(target, problem)
        self.cause = TARGET_BUSY if busy else TARGET_UNREACHABLE
        self.retry_after = retry_after


class CredentialsRefused(TargetError):
    """Our credential is not taken; forbidden: it is, but does not permit this."""

    def __init__(self, target: str, problem: str, *, forbidden: bool = False) -> None:
        super().__init__(target, problem)
        self.cause = REFUSED_403 if forbidden else CREDENTIALS_REFUSED


class UnusableAnswer(TargetError):
    """HTML, nothing, half an answer, too much of it, or what the question did not ask for."""
