"""A file as lines of text: encoding, byte order mark, line ends, the last line.

Bytes that are no text in the encoding become lone surrogates (PEP 383), which no text holds, so that whoever reads the
columns can say in which of them they are.
"""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator

from sync.source.csv.problems import CsvProblem

LONGEST = 1024 * 1024
"""Characters of one line: a photograph takes 140,000. What is longer has lost its line breaks, and may be the whole file."""

_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""UTF-32 first: its mark begins with that of UTF-16."""


def encoding_of(start: bytes, declared: str, file: str) -> str:
    """What to decode by. start: the first bytes of the file. Raises CsvProblem where the mark contradicts the settings."""
    name = codecs.lookup(declared).name
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            family = encoding.removesuffix("-sig")
            if not name.startswith(family):
                problem = f"it begins with the byte order mark of {family}, and the settings say {declared}"
                raise CsvProblem(file, problem, f'set `encoding = "{family}"`, or save it without the mark')
            return encoding
    return declared


class LineSource:
    """An iterator of lines with their ends, for a reader of columns.

    last: whether the last line is kept back, as `last_line`. Raises CsvProblem.
    """

    def __init__(self, stream: io.BufferedReader[io.FileIO], declared: str, file: str, *, last: bool) -> None:
        encoding = encoding_of(stream.peek(4)[:4], declared, file)
        self._text = io.TextIOWrapper(stream, encoding, "surrogateescape", newline="")
        self._file, self._encoding, self._last = file, encoding, last
        self.number = 0
        """Lines that were read."""
        self.last_line = ""
        self.ended_by_break = True
        """Whether the last line has an end."""

    def __iter__(self) -> Iterator[str]:
        held: str | None = None
        while line := self._next():
            self.ended_by_break = line[-1] in "\r\n"
            if not self._last:
                yield line
            elif held is not None:
                yield held
            held = line
        self.last_line = held or ""

    def _next(self) -> str:
        try:
            line = self._text.readline(LONGEST + 1)
        except UnicodeError:
            problem = f"the bytes are not {self._encoding}"
            raise CsvProblem(self._file, problem, "correct `encoding`, or the file", line=self.number + 1) from None
        except OSError as error:
            reason = f"it cannot be read any further ({error.strerror})"
            raise CsvProblem(self._file, reason, "see that its disk or server is there", line=self.number + 1) from error
        self.number += bool(line)
        if len(line) > LONGEST:
            problem = f"the line has more than {LONGEST} characters"
            remedy = "check that the file has line breaks, and that it is text"
            raise CsvProblem(self._file, problem, remedy, line=self.number)
        return line
