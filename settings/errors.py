"""What can be wrong with a settings file, or with a file that it names.

UnusableFile         a file as a whole: not there, not ours alone, no text
SettingsFileError    a settings file; holds every problem of it, and of the files that it leads to
Unfit                one value, or several together: they make no sense
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from settings.positions import Key, dotted

_MOST = 50
"""Problems that are told; whoever has more has given the wrong file."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a settings file."""

    key: str
    """Dotted, with indexes: `directories[0].servers`. Empty: the file as a whole."""
    problem: str
    """Never with the value of a setting that names a secret."""
    remedy: str = ""
    line: int | None = None
    """Where it is in the file, counted from 1; for what is missing, where its table begins. None for the file as a whole
    and what is missing at its top."""
    file: Path | None = None
    """Which file it is in."""

    def __str__(self) -> str:
        where = f"{self.key} (line {self.line})" if self.line else self.key
        text = f"{where}: {self.problem}" if self.key else self.problem
        return f"{text}; {self.remedy}" if self.remedy else text


class SettingsFileError(Exception):
    """A settings file cannot be used; holds every problem, with those of files that it leads to."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        super().__init__(path, problems)
        self.path, self.problems = path, tuple(problems)

    def __str__(self) -> str:
        told = [str(problem) if problem.file == self.path else f"{problem.file}: {problem}" for problem in self.problems]
        if len(told) == 1 and not self.problems[0].key:
            return f"{self.path} cannot be used: it {told[0]}"
        more = len(told) - _MOST
        told = [*told[:_MOST], f"… and {more} more"] if more > 0 else told
        return f"{self.path} cannot be used:" + "".join(f"\n  {line}" for line in told)


class UnusableFile(Exception):
    """A file cannot be read, or should not have been readable. No text of it quotes what the file holds."""

    def __init__(self, path: Path, problem: str, remedy: str = "", *, line: int | None = None, key: str = "") -> None:
        super().__init__(path, problem, remedy)
        self.path, self.problem, self.remedy = path, problem, remedy
        self.line, self.key = line, key

    def __str__(self) -> str:
        return f"{self.path} {self.problem}" + (f"; {self.remedy}" if self.remedy else "")


class Unfit(ValueError):
    """A value makes no sense for its setting, or not together with others.

    setting: its key, where that is known: dotted (`tls.ca_file`, `directories.1.name`), or in parts where a part has dots.
    """

    def __init__(self, problem: str, remedy: str = "", *, setting: str | Key = "") -> None:
        super().__init__(problem, remedy, setting)
        self.problem, self.remedy = problem, remedy
        self.key = _parts(setting) if isinstance(setting, str) else setting

    def under(self, *table: str | int) -> Unfit:
        """The same, of a table that lies deeper in the file."""
        return Unfit(self.problem, self.remedy, setting=(*table, *self.key))

    def __str__(self) -> str:
        text = f"{self.problem}; {self.remedy}" if self.remedy else self.problem
        return f"{dotted(self.key)}: {text}" if self.key else text


def _parts(setting: str) -> Key:
    return tuple(int(part) if part.isdecimal() else part for part in setting.split(".") if part)
