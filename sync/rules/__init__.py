"""Rules of synchronisation: from the objects of sources to what a person should be in each target. Pure.

    file ─ read_rules ─► Evaluator ─ contribute ─► Contributions ─ join, person ─► MergedPerson ─ account ─► DesiredAccount

What belongs here: what rules say, how they are read, and what follows from them for given objects. What does not: reading
sources, keeping state, writing to targets, and the clock. What rules have to ask of the state, it answers by
`ObjectDirectory` and `PersonSearch`.
"""

from sync.rules.attempt import ExpressionTrialFailed, TriedExpression, try_expression
from sync.rules.cases import Case, CaseResult, read_cases, run_cases
from sync.rules.compiled import (
    Evaluator,
    FailedScope,
    NoAccount,
    NoAccountReason,
    OutOfScope,
    SourceDescription,
)
from sync.rules.errors import ObjectHeld, RuleProblem, RulesError, RulesRefused
from sync.rules.expressions import Catalogued, catalogue
from sync.rules.flows import Contributions, Contributor, FlowVerdict
from sync.rules.joins import Join, JoinDecision, PersonSearch
from sync.rules.literals import write_literal
from sync.rules.persons import MergedPerson
from sync.rules.reader import DEFAULT_FILES, TargetSchema, read_rules
from sync.rules.ruleset import Needs, RuleSet
from sync.rules.scope import ObjectDirectory

__all__ = [
    "DEFAULT_FILES",
    "Case",
    "CaseResult",
    "Catalogued",
    "Contributions",
    "Contributor",
    "Evaluator",
    "ExpressionTrialFailed",
    "FailedScope",
    "FlowVerdict",
    "Join",
    "JoinDecision",
    "MergedPerson",
    "Needs",
    "NoAccount",
    "NoAccountReason",
    "ObjectDirectory",
    "ObjectHeld",
    "OutOfScope",
    "PersonSearch",
    "RuleProblem",
    "RuleSet",
    "RulesError",
    "RulesRefused",
    "SourceDescription",
    "TargetSchema",
    "TriedExpression",
    "catalogue",
    "read_cases",
    "read_rules",
    "run_cases",
    "try_expression",
    "write_literal",
]
