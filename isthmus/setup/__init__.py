"""Setting up a machine: questions, steps, and the machine that they change. `isthmus relay setup` and `isthmus agent setup`
are made of it.

What belongs here: what both have in common. What does not: what is asked and done for one of them (`isthmus.relay_setup`,
`isthmus.agent_setup`), and how it is shown (`isthmus.cli`).

A setup puts its questions, makes its steps from the answers and from what it has looked at, and carries them out. Deciding
does no I/O: whatever is changed goes through a `Machine`, of which the tests have one of their own.
"""

from isthmus.setup.answer_file import read_answers
from isthmus.setup.errors import AnswerRefused, AnswersMissing, NotAgreed, SetupError, StepFailed
from isthmus.setup.files import OwnedDirectory, OwnedFile, SystemUser, difference
from isthmus.setup.machine import ROOT, FileAccess, Machine, PathEntry, ProgramFailed, UnitState, UserIds
from isthmus.setup.posix import PosixMachine, read_secret_from
from isthmus.setup.questions import (
    Answers,
    Asker,
    Given,
    Interview,
    Question,
    any_text,
    file_path,
    fixed,
    items,
    one_of,
    optional_path,
    yes_or_no,
)
from isthmus.setup.service import UNIT_DIRECTORY, ServiceRuns, isthmus_command, unit_text
from isthmus.setup.settings_text import NotEditable, current_value, edited
from isthmus.setup.steps import Agree, Found, SetupStep, StepReport, carry_out, survey

__all__ = [
    "ROOT",
    "UNIT_DIRECTORY",
    "Agree",
    "AnswerRefused",
    "Answers",
    "AnswersMissing",
    "Asker",
    "FileAccess",
    "Found",
    "Given",
    "Interview",
    "Machine",
    "NotAgreed",
    "NotEditable",
    "OwnedDirectory",
    "OwnedFile",
    "PathEntry",
    "PosixMachine",
    "ProgramFailed",
    "Question",
    "ServiceRuns",
    "SetupError",
    "SetupStep",
    "StepFailed",
    "StepReport",
    "SystemUser",
    "UnitState",
    "UserIds",
    "any_text",
    "carry_out",
    "current_value",
    "difference",
    "edited",
    "file_path",
    "fixed",
    "isthmus_command",
    "items",
    "one_of",
    "optional_path",
    "read_answers",
    "read_secret_from",
    "survey",
    "unit_text",
    "yes_or_no",
]
