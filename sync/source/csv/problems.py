"""What can be wrong with a file."""

from __future__ import annotations


class CsvProblem(Exception):
    """The file cannot be read, or not from here on. It names file, line and column as far as there are any."""

    def __init__(self, file: str, problem: str, remedy: str = "", *, line: int = 0, column: str = "") -> None:
        super().__init__(file, problem, remedy, line, column)
        self.file, self.problem, self.remedy, self.line, self.column = file, problem, remedy, line, column

    def __str__(self) -> str:
        where = [
            self.file,
            *([f"line {self.line}"] if self.line else []),
            *([f"column {self.column}"] if self.column else []),
        ]
        return f"{', '.join(where)}: {self.problem}" + (f"; {self.remedy}" if self.remedy else "")
