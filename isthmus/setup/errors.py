"""Why a setup ends early.

SetupError
├── AnswerRefused     an answer that cannot be used: which one, and why
├── AnswersMissing    nobody is there to be asked, and these flags were not given
├── StepFailed        a step could not be done: which one, why, what to do
└── NotAgreed         what is there differs from the answers, and nobody agreed to change it
"""

from __future__ import annotations

from collections.abc import Sequence


class SetupError(Exception):
    """Base. What was done until then stays; the same command again continues."""


class AnswerRefused(SetupError):
    """`where`: the flag, or the key and its file."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(where, reason)
        self.where, self.reason = where, reason

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}"


class AnswersMissing(SetupError):
    """`wanted`: of each question, its flag and its text."""

    def __init__(self, wanted: Sequence[tuple[str, str]]) -> None:
        super().__init__(wanted)
        self.wanted = tuple(wanted)

    def __str__(self) -> str:
        lines = "".join(f"\n  {flag}  {text}" for flag, text in self.wanted)
        return (
            "standard input is not a terminal, and these answers are missing:"
            f"{lines}\nGive them as options, or in a file with --answers."
        )


class StepFailed(SetupError):
    """`title`: of the step."""

    def __init__(self, title: str, problem: str, remedy: str = "") -> None:
        super().__init__(title, problem, remedy)
        self.title, self.problem, self.remedy = title, problem, remedy

    def __str__(self) -> str:
        text = f"{self.title}: {self.problem}"
        return f"{text}. {self.remedy}" if self.remedy else text


class NotAgreed(SetupError):
    """`title`: of the step that would have changed something that somebody else wrote."""

    def __init__(self, title: str) -> None:
        super().__init__(title)
        self.title = title

    def __str__(self) -> str:
        return (
            f"{self.title}: it was left as it is, and setup ends here. Change it yourself, agree to the difference, "
            "or repeat the command with --replace"
        )
