"""What mutmut printed, and whether it may stand. Pure."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass

MOST_LISTED = 30
_KILLED = frozenset({"killed", "timeout", "caught by type check"})
_RESULT = re.compile(r"^ +(\S+): (.+)$", re.MULTILINE)
_PROGRESS = re.compile(r"(\d+)/(\d+) .*🎉 (\d+).*⏰ (\d+).*🙁 (\d+)")
_MANGLED = re.compile(r"^(?P<module>.+)\.x(?:_|ǁ(?P<cls>\w+)ǁ)(?P<function>\w+)__mutmut_\d+$")
_SENTENCE = re.compile(r'(?<![\w"])"(?:[^"\\]|\\.)* (?:[^"\\]|\\.)*"')
"""A string literal of several words, but not one of bytes: text for people."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one function, and what the tests said to it, in mutmut's words."""

    name: str
    """mutmut's own, with a number that changes whenever the function does."""
    status: str

    @property
    def module(self) -> str:
        """Dotted."""
        return self._parts()[0]

    @property
    def function(self) -> str:
        """Dotted, with module and class."""
        return ".".join(part for part in self._parts() if part)

    def _parts(self) -> tuple[str, str, str]:
        match = _MANGLED.match(self.name)
        if match is None:
            raise ValueError(f"not the name of a mutant: {self.name}")
        return match["module"], match["cls"] or "", match["function"]


@dataclass(frozen=True, slots=True)
class Change:
    """What identifies a mutation whatever else moves: the function, its lines before and after."""

    function: str
    code: str
    mutant: str


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutant that no test noticed."""

    mutant: Mutant
    change: Change

    @property
    def is_wording(self) -> bool:
        """Only a sentence for people changed: that is no decision."""
        code, mutant = self.change.code, self.change.mutant
        return _SENTENCE.search(code) is not None and _SENTENCE.sub('""', code) == _SENTENCE.sub('""', mutant)


@dataclass(frozen=True, slots=True)
class Report:
    """Every mutant, sorted into what is well and what is not."""

    mutants: list[Mutant]
    wording: list[Survivor]
    listed: list[Survivor]
    unlisted: list[Survivor]
    stale: list[Change]
    """Listed more often than it survives."""
    too_many: int
    """Listed beyond MOST_LISTED."""

    def table(self) -> str:
        """A line for each module."""
        columns = ("mutants", "killed", "timed out", "wording", "listed", "not listed")
        counts = {column: Counter[str]() for column in columns}
        for mutant in self.mutants:
            counts["mutants"][mutant.module] += 1
            if is_killed(mutant):
                counts["timed out" if mutant.status == "timeout" else "killed"][mutant.module] += 1
        for column, found in (("wording", self.wording), ("listed", self.listed), ("not listed", self.unlisted)):
            counts[column].update(survivor.mutant.module for survivor in found)
        modules = sorted(counts["mutants"])
        width = max(len(name) for name in [*modules, "module"])
        head = f"{'module':{width}}" + "".join(f"{column:>12}" for column in columns)
        rows = [f"{name:{width}}" + "".join(f"{counts[column][name]:12}" for column in columns) for name in modules]
        total = f"{'together':{width}}" + "".join(f"{counts[column].total():12}" for column in columns)
        return "\n".join([head, *rows, total])

    def problems(self) -> list[str]:
        """What has to be done before it passes; empty where it passes."""
        found = [
            f"No test notices this ({survivor.mutant.status}):\n{_entry(survivor.change)}" for survivor in self.unlisted
        ]
        found += [f"Listed, but it does not survive or is not there any more:\n{_entry(change)}" for change in self.stale]
        if self.too_many:
            found.append(f"{self.too_many} survivors too many are listed: write tests, at most {MOST_LISTED} may stay")
        return found


def is_killed(mutant: Mutant) -> bool:
    """A test failed, or never came back."""
    return mutant.status in _KILLED


def judge(mutants: list[Mutant], survivors: list[Survivor], listed: list[Change]) -> Report:
    """Compare what survived with the list. The same line may stand twice in a function: then each is listed for itself."""
    wording = [survivor for survivor in survivors if survivor.is_wording]
    left, known, unknown = Counter(listed), [], []
    for survivor in survivors:
        if survivor.is_wording:
            continue
        if left[survivor.change]:
            left[survivor.change] -= 1
            known.append(survivor)
        else:
            unknown.append(survivor)
    return Report(mutants, wording, known, unknown, list(left.elements()), max(0, len(listed) - MOST_LISTED))


def read_listed(text: str) -> list[Change]:
    """Each survivor that is listed. Raises ValueError where one is listed without a reason."""
    listed = []
    for entry in tomllib.loads(text).get("survivor", []):
        change = Change(entry["function"], entry["code"], entry["mutant"])
        if not entry.get("reason", "").strip():
            raise ValueError(f"listed without a reason:\n{_entry(change)}")
        listed.append(change)
    return listed


def parse_results(text: str) -> list[Mutant]:
    """Of `mutmut results --all true`."""
    return [Mutant(name, status) for name, status in _RESULT.findall(text)]


def parse_show(mutant: Mutant, text: str) -> Survivor:
    """Of `mutmut show`, a unified diff of the function."""
    lines = [line for line in text.splitlines() if not line.startswith(("---", "+++"))]
    code = " ".join(line[1:].strip() for line in lines if line.startswith("-"))
    changed = " ".join(line[1:].strip() for line in lines if line.startswith("+"))
    return Survivor(mutant, Change(mutant.function, code, changed))


def parse_progress(line: str) -> str | None:
    """A line of `mutmut run` that counts, in words; None for any other."""
    match = _PROGRESS.search(line)
    if match is None:
        return None
    done, total, killed, timeouts, survived = match.groups()
    return f"{done} of {total} mutants: {killed} killed, {timeouts} timed out, {survived} survived"


def _entry(change: Change) -> str:
    """As it would stand in the list."""
    fields = (("function", change.function), ("code", change.code), ("mutant", change.mutant), ("reason", ""))
    return "[[survivor]]\n" + "\n".join(f"{name} = {_quoted(value)}" for name, value in fields)


def _quoted(text: str) -> str:
    if "'" not in text:
        return f"'{text}'"
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
