"""Steps: each looks first, then does what is missing, so that a setup that was killed anywhere is continued by the same
command, and one that is complete changes nothing.

What a step finds is a function of its own fields and of what it looked at; whatever is changed goes through the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from isthmus.setup.errors import NotAgreed, StepFailed
from isthmus.setup.machine import Machine, ProgramFailed


@dataclass(frozen=True, slots=True)
class Found:
    """What a step has found. text: what is so already, or what will be done, as a sentence without its subject's title."""

    done: bool
    text: str
    difference: str = ""
    """Lines of what would be changed of what somebody else wrote: they have to be agreed to."""
    check: bool = False
    """Of one that is done: whether it was a check, and `text` is what it came to."""
    wrong: str = ""
    """Why it cannot be done as things are; empty where it can."""
    remedy: str = ""


class SetupStep(Protocol):
    """One thing that has to be so in the end."""

    @property
    def title(self) -> str:
        """What it is about: `user isthmus-relay`."""
        ...

    def find(self, machine: Machine) -> Found:
        """Look, and change nothing. What an earlier step is going to make counts as missing until it is there."""
        ...

    def apply(self, machine: Machine) -> str:
        """Do what is missing, after `find` said that it is; what was done, as a past participle: `made`."""
        ...


Result = Literal["already", "checked", "done"]


@dataclass(frozen=True, slots=True)
class StepReport:
    """What came of a step."""

    title: str
    result: Result
    text: str

    def __str__(self) -> str:
        return f"{self.title}: already so ({self.text})" if self.result == "already" else f"{self.title}: {self.text}"


Agree = Callable[[str, str], bool]
"""Asks whether a difference may be changed: the step's title, and the difference. False: leave it, and end."""


def survey(steps: Sequence[SetupStep], machine: Machine) -> list[tuple[SetupStep, Found]]:
    """What each step finds now, before anything is changed."""
    return [(step, _find(step, machine)) for step in steps]


def carry_out(
    steps: Sequence[SetupStep],
    machine: Machine,
    *,
    tell: Callable[[StepReport], None],
    agree: Agree,
) -> list[StepReport]:
    """Take the steps in order. Raises StepFailed, NotAgreed; what was done until then stays, and is found the next time."""
    reports = []
    for step in steps:
        report = _take(step, machine, agree)
        tell(report)
        reports.append(report)
    return reports


def _take(step: SetupStep, machine: Machine, agree: Agree) -> StepReport:
    found = _find(step, machine)
    if found.done:
        return StepReport(step.title, "checked" if found.check else "already", found.text)
    if found.wrong:
        raise StepFailed(step.title, found.wrong, found.remedy)
    if found.difference and not agree(step.title, found.difference):
        raise NotAgreed(step.title)
    try:
        text = step.apply(machine)
    except (OSError, ProgramFailed) as error:
        raise StepFailed(step.title, str(error)) from error
    after = _find(step, machine)
    if not after.done:
        raise StepFailed(step.title, f"{text}, and yet not so: {after.wrong or after.text}", after.remedy)
    return StepReport(step.title, "done", text)


def _find(step: SetupStep, machine: Machine) -> Found:
    try:
        return step.find(machine)
    except (OSError, ProgramFailed) as error:
        raise StepFailed(step.title, str(error)) from error
