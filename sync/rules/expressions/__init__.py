"""The expressions of synchronisation rules, in the language of Azure AD Connect.

    text ─ grammar ─► syntax tree ─ compilation, by a dialect's functions ─► Expression ─ evaluate(bindings) ─► value
                          └── checks, against a schema ─► problems, type of the result

What belongs here: the language, its functions, its types, and the table of functions for the reference page. What does not:
what a flow does with a value, and where values come from. The grammar knows no function; a dialect is a table of functions
(`connect`), so that another one takes the same parser.
"""

from sync.rules.expressions.catalogue import Catalogued, catalogue
from sync.rules.expressions.checks import RuleSchema
from sync.rules.expressions.dialects import DIALECTS
from sync.rules.expressions.errors import (
    EvaluationFailed,
    ExpressionError,
    ExpressionProblem,
    ExpressionRefused,
    Place,
    StoppedByRule,
)
from sync.rules.expressions.expression import Expression, check, parse_expression
from sync.rules.expressions.values import (
    AuthoritativeNull,
    Bindings,
    DateTime,
    FlowResult,
    IgnoreThisFlow,
    Kind,
    Reference,
    Sentinel,
    Value,
    ValueType,
)

__all__ = [
    "DIALECTS",
    "AuthoritativeNull",
    "Bindings",
    "Catalogued",
    "DateTime",
    "EvaluationFailed",
    "Expression",
    "ExpressionError",
    "ExpressionProblem",
    "ExpressionRefused",
    "FlowResult",
    "IgnoreThisFlow",
    "Kind",
    "Place",
    "Reference",
    "RuleSchema",
    "Sentinel",
    "StoppedByRule",
    "Value",
    "ValueType",
    "catalogue",
    "check",
    "parse_expression",
]
