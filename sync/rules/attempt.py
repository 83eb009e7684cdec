"""One expression, tried with one object: what it gives, and of which type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from settings import load_settings
from sync.rules.expressions import (
    Bindings,
    EvaluationFailed,
    ExpressionProblem,
    ExpressionRefused,
    FlowResult,
    Kind,
    Place,
    RuleSchema,
    Value,
    ValueType,
    check,
    parse_expression,
)
from sync.rules.literals import Literals, read_literal
from sync.rules.schema import KNOWN_ATTRIBUTES, LINK, TYPES

_KINDS = {str: Kind.TEXT, int: Kind.NUMBER, bool: Kind.BOOLEAN, bytes: Kind.BYTES}


@dataclass(frozen=True, slots=True, kw_only=True)
class TriedObject:
    """What an expression reads."""

    dn: str = ""
    """Of the object."""
    values: Literals = field(default_factory=dict)
    """Its attributes."""
    imported: Literals = field(default_factory=dict)
    """What ImportedValue gives; without it, the same."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """By name, without the percent signs."""


@dataclass(frozen=True, slots=True)
class TriedExpression:
    """What came of it."""

    value: FlowResult
    type: str
    """What the expression may give."""


class ExpressionTrialFailed(Exception):
    """The expression cannot be used, or not with this object."""

    def __init__(self, problems: tuple[ExpressionProblem, ...], value: object = None) -> None:
        super().__init__(problems)
        self.problems, self.value = problems, value

    def __str__(self) -> str:
        told = "\n".join(map(str, self.problems))
        return f"{told}\nThe value in question: {self.value!r}" if self.value is not None else told


def try_expression(text: str, path: Path | None, *, now: float) -> TriedExpression:
    """path: of a file with a TriedObject; None: an object without values.

    Attributes that are not known have the type of the value that they have in the file. Raises settings.SettingsFileError
    and ExpressionTrialFailed.
    """
    tried = load_settings(path, TriedObject) if path is not None else TriedObject()
    values: dict[str, Value] = {name: read_literal(value) for name, value in tried.values.items()}
    types = {name: TYPES[word] for name, word in KNOWN_ATTRIBUTES.items() if word != LINK}
    types |= {name: _type_of(value) for name, value in values.items() if name not in types}
    imported: Mapping[str, Value] = {name: read_literal(value) for name, value in tried.imported.items()} or values
    schema = RuleSchema(
        attributes=types,
        imported={**types, **{name: _type_of(value) for name, value in imported.items() if name not in types}},
        parameters=frozenset(tried.parameters),
    )
    try:
        expression = parse_expression(text, dialect="connect", where=Place("expression"))
        found, problems = check(expression, schema)
        if problems:
            raise ExpressionTrialFailed(tuple(problems))
        bound = {name: _counted(value, types[name]) for name, value in ({"dn": tried.dn or None} | values).items()}
        bindings = Bindings(attributes=bound, imported=imported, parameters=tried.parameters, now=now)
        return TriedExpression(expression.evaluate(bindings), str(found))
    except ExpressionRefused as refused:
        raise ExpressionTrialFailed((refused.problem,)) from refused
    except EvaluationFailed as failed:
        raise ExpressionTrialFailed(
            (ExpressionProblem(failed.place, failed.problem, failed.remedy),), failed.value
        ) from failed


def _type_of(value: Value) -> ValueType:
    values = value if isinstance(value, tuple) else (value,)
    return ValueType(frozenset(_KINDS[type(one)] for one in values if type(one) in _KINDS), isinstance(value, tuple))


def _counted(value: Value, known: ValueType) -> Value:
    """What may have several values is a tuple, as it is in a run."""
    return (value,) if known.many and value is not None and not isinstance(value, tuple) else value
