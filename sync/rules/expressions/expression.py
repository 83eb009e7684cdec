"""An expression that is ready to be evaluated for many objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sync.rules.expressions.checks import UNKNOWN, Checker, RuleSchema
from sync.rules.expressions.compilation import Compiler
from sync.rules.expressions.dialects import DIALECTS, Dialect
from sync.rules.expressions.errors import EvaluationFailed, ExpressionProblem, Place
from sync.rules.expressions.grammar import parse
from sync.rules.expressions.syntax import Node, position
from sync.rules.expressions.values import Bindings, DateTime, FlowResult, Kind, ValueType


@dataclass(frozen=True, slots=True)
class Expression:
    """Made by parse_expression. It has no state: one may be evaluated by several threads."""

    text: str
    where: Place
    """Of the first character."""
    dialect: Dialect = field(repr=False, compare=False)
    tree: Node = field(repr=False, compare=False)
    attributes: frozenset[str]
    """Names of the attributes that it reads; without them in its bindings it sees NULL."""
    imported: frozenset[str]
    """Names of the attributes that it reads by ImportedValue."""
    parameters: frozenset[str]
    """Names of the parameters that it reads."""
    _run: Callable[[Bindings, tuple[Any, ...]], Any] = field(repr=False, compare=False)

    def evaluate(self, bindings: Bindings) -> FlowResult:
        """The value for one object; a tuple where the attribute has several, None for NULL. Raises EvaluationFailed."""
        value: FlowResult = self._run(bindings, ())
        if value.__class__ is str or value is None:
            return value
        if value == ():  # of an attribute that is bound so
            return None
        if value.__class__ is not DateTime:
            return value
        raise EvaluationFailed(self.where.inside(*position(self.tree)), _DATE, _DATE_REMEDY, value)


_DATE: Final = "the result is a date, which no attribute has"
_DATE_REMEDY: Final = 'Make it a text by FormatDateTime(..., "yyyyMMddHHmmss.0Z"), or a number by NumFromDate'


def parse_expression(text: str, *, dialect: Literal["connect"], where: Place) -> Expression:
    """Reads and compiles an expression; `check` then says whether its types fit a schema.

    where: the place of its first character, for errors. Raises ExpressionRefused.
    """
    tree = parse(text, where)
    compiler = Compiler(DIALECTS[dialect], where)
    run = compiler.compile(tree)
    return Expression(
        text=text,
        where=where,
        dialect=compiler.dialect,
        tree=tree,
        attributes=frozenset(compiler.attributes),
        imported=frozenset(compiler.imported),
        parameters=frozenset(compiler.parameters),
        _run=run,
    )


def check(expression: Expression, schema: RuleSchema) -> tuple[ValueType, list[ExpressionProblem]]:
    """The type of its result, and everything that is wrong with it; the type counts only if nothing is."""
    checker = Checker(expression.dialect, expression.where, schema)
    result = checker.type_of(expression.tree)
    if Kind.DATE in result.kinds and result is not UNKNOWN:
        checker.report(position(expression.tree), _DATE, _DATE_REMEDY)
    return result, checker.problems
