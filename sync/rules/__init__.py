"""Rules of synchronisation: from the objects of sources to what a person should be in each target. Pure.

What belongs here: what rules say, how they are read, and what follows from them for given objects. What does not: reading
sources, keeping state, writing to targets, and the clock. So far there are the expressions that rules contain.
"""

from sync.rules.expressions import (
    DIALECTS,
    AuthoritativeNull,
    Bindings,
    Catalogued,
    DateTime,
    EvaluationFailed,
    Expression,
    ExpressionError,
    ExpressionProblem,
    ExpressionRefused,
    FlowResult,
    IgnoreThisFlow,
    Kind,
    Place,
    Reference,
    RuleSchema,
    Sentinel,
    StoppedByRule,
    Value,
    ValueType,
    catalogue,
    check,
    parse_expression,
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
