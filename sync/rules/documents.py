"""A file of rules: its model, its expressions, and where everything stands in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from settings import Key, SettingsFileError, UnusableFile, dotted, lines_of, load_settings, parse_toml, places_of, read_toml
from sync.rules.errors import RuleProblem
from sync.rules.expressions import Expression, ExpressionProblem, ExpressionRefused, Place, parse_expression
from sync.rules.model import RulesFile


@dataclass(slots=True)
class RuleDocument:
    """One file, and what is wrong in it so far."""

    path: str
    """As it is told in errors."""
    model: RulesFile | None
    """None: it cannot be read; the problems say why."""
    expressions: Mapping[Key, Expression]
    lines: Mapping[Key, int]
    places: Mapping[Key, tuple[int, int]]
    problems: list[RuleProblem] = field(default_factory=list)

    def report(self, key: Key, problem: str, remedy: str, rule: str = "") -> None:
        """Adds a problem of what stands under a key."""
        line, column = self.place(key)
        self.problems.append(RuleProblem(self.path, line, column, dotted(key), problem, remedy, rule))

    def report_expression(self, key: Key, found: ExpressionProblem, rule: str = "") -> None:
        """Adds a problem inside an expression."""
        place = found.place
        self.problems.append(
            RuleProblem(self.path, place.line, place.column, dotted(key), found.problem, found.remedy, rule)
        )

    def place(self, key: Key) -> tuple[int, int]:
        """Line and column of what stands under a key, or the line of the innermost table around what is missing."""
        if key in self.places:
            return self.places[key]
        return next((self.lines[key[:length]] for length in range(len(key), 0, -1) if key[:length] in self.lines), 0), 0


def read_document(path: Path, content: bytes | None = None) -> RuleDocument:
    """Never raises for what the file holds. content: what is to be in it, instead of what is there."""
    try:
        file = read_toml(path) if content is None else parse_toml(path, content)
    except UnusableFile as error:
        problem = RuleProblem(str(path), error.line or 0, 0, error.key, error.problem, error.remedy)
        return RuleDocument(str(path), None, {}, {}, {}, [problem])
    document = RuleDocument(str(path), None, {}, lines_of(file.text), places_of(file.text))
    document.expressions = dict(_expressions(document, file.data, ()))
    try:
        document.model = load_settings(path, RulesFile, file.text.encode())
    except SettingsFileError as error:
        document.problems += [
            RuleProblem(str(path), found.line or 0, 0, found.key, found.problem, found.remedy) for found in error.problems
        ]
    return document


def _expressions(document: RuleDocument, value: Any, key: Key) -> Iterator[tuple[Key, Expression]]:
    """Of everything that is called so, also where its rule has another mistake: all of them are told at once."""
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _expressions(document, inner, (*key, name))
    elif key and key[-1] == "expression" and isinstance(value, str) and value:
        try:
            yield key, parse_expression(value, dialect="connect", where=Place(document.path, *document.place(key)))
        except ExpressionRefused as refused:
            document.report_expression(key, refused.problem)
