"""The functions of the dialect of Connect whose arguments are evaluated before them, by the groups of Microsoft's reference.

What belongs here: plain functions of values, each declared with its signature. What does not: conditions and variables,
which decide what is evaluated (`forms`), and what a call does with NULL, wrong types and several values (`compilation`).
"""

from sync.rules.expressions.functions.certificates import CERTIFICATES
from sync.rules.expressions.functions.conversions import CONVERSIONS
from sync.rules.expressions.functions.dates import DATES
from sync.rules.expressions.functions.lists import LISTS
from sync.rules.expressions.functions.names import NAMES
from sync.rules.expressions.functions.numbers import NUMBERS
from sync.rules.expressions.functions.predicates import PREDICATES
from sync.rules.expressions.functions.texts import TEXTS

TABLES = (CERTIFICATES, CONVERSIONS, DATES, NAMES, PREDICATES, NUMBERS, LISTS, TEXTS)

__all__ = ["TABLES"]
