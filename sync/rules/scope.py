"""Whether a rule is for an object: groups of conditions, all of one of which are true. Compiled once.

Comparisons are of texts, without case, as the directory compares them; where attribute and value are numbers, of numbers:
`memberCount LESSTHAN 50000` makes sense only so. An operator with NOT is true exactly where the one without it is not, also
for an attribute that is absent: `isCriticalSystemObject NOTEQUAL TRUE` is how Connect's rules let ordinary objects in. Of
several values, one that fits is enough.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeAlias
from uuid import UUID

from sync.model import SourceObject
from sync.rules.expressions import Bindings, EvaluationFailed, Expression
from sync.rules.model import BITS, LOCATION, MEMBERSHIP, ScopeCondition


class ObjectDirectory(Protocol):
    """What rules ask about objects beyond the one at hand. The state implements it."""

    def key_of(self, name: str) -> bytes | None:
        """Key of the object with this DN, in any source; None where there is none. Asked once for each name in the rules."""

    def is_member(self, source: str, member: bytes, group: bytes, *, nested: bool) -> bool:
        """Whether an object is a member of a group; nested: or of a group that is one, however deep."""

    def has_links(self, source: str, key: bytes, attribute: str) -> bool:
        """Whether a linked attribute of an object names anybody. Asked only where several objects could give it."""


@dataclass(frozen=True, slots=True)
class ScopeContext:
    """What conditions see beside the values."""

    directory: ObjectDirectory
    keys: Mapping[str, bytes]
    """By the DNs that stand in the rules."""


Test: TypeAlias = Callable[[Bindings, SourceObject | None, ScopeContext], bool]

_NEGATIVE: Final = {
    "NOTEQUAL": "EQUAL",
    "NOTCONTAINS": "CONTAINS",
    "NOTSTARTSWITH": "STARTSWITH",
    "NOTENDSWITH": "ENDSWITH",
    "ISNOTNULL": "ISNULL",
    "ISNOTIN": "ISIN",
    "ISNOTBITSET": "ISBITSET",
    "ISBITNOTSET": "ISBITSET",
    "ISNOTMEMBEROF": "ISMEMBEROF",
    "ISNOTBELOW": "ISBELOW",
}
_COMPARISONS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "EQUAL": operator.eq,
    "ISIN": operator.eq,
    "LESSTHAN": operator.lt,
    "LESSTHAN_OR_EQUAL": operator.le,
    "GREATERTHAN": operator.gt,
    "GREATERTHAN_OR_EQUAL": operator.ge,
    "CONTAINS": operator.contains,
    "STARTSWITH": str.startswith,
    "ENDSWITH": str.endswith,
}
_OF_TEXTS: Final = frozenset({"CONTAINS", "STARTSWITH", "ENDSWITH"})


@dataclass(frozen=True, slots=True)
class CompiledCondition:
    """A condition, and the question that it asks."""

    condition: ScopeCondition
    holds: Test
    """Raises EvaluationFailed."""

    def __str__(self) -> str:
        condition = self.condition
        if condition.expression:
            return " ".join(condition.expression.split())
        value = "" if condition.value == "" else f" {text_of(condition.value)}"
        nested = ", nested" if condition.nested else ""
        return f"{condition.attribute} {condition.operator}{value}{nested}".strip()


@dataclass(frozen=True, slots=True)
class CompiledScope:
    """Of one rule."""

    groups: tuple[tuple[CompiledCondition, ...], ...]

    def holds(self, bindings: Bindings, subject: SourceObject | None, context: ScopeContext) -> bool:
        """Raises EvaluationFailed."""
        if not self.groups:
            return True
        for group in self.groups:
            for condition in group:
                if not condition.holds(bindings, subject, context):
                    break
            else:
                return True
        return False

    def failing(self, bindings: Bindings, subject: SourceObject | None, context: ScopeContext) -> list[CompiledCondition]:
        """Of a scope that does not hold: of each group, the first condition that is not true."""
        first = (next((one for one in group if not one.holds(bindings, subject, context)), None) for group in self.groups)
        return [condition for condition in first if condition is not None]


def compile_scope(
    groups: Sequence[Sequence[ScopeCondition]], expressions: Mapping[tuple[int, int], Expression]
) -> CompiledScope:
    """expressions: by number of the group and of the condition in it."""
    return CompiledScope(
        tuple(
            tuple(
                CompiledCondition(condition, _test(condition, expressions.get((row, column))))
                for column, condition in enumerate(group)
            )
            for row, group in enumerate(groups)
        )
    )


def guid_key(value: object) -> bytes | None:
    """The key that a GUID stands for, as Active Directory stores it; None for a DN."""
    try:
        return UUID(str(value)).bytes_le
    except ValueError:
        return None


def named_object(condition: ScopeCondition) -> str:
    """The DN by which a condition names a group or OU; empty where it names none, or its GUID."""
    about_object = condition.operator in MEMBERSHIP | LOCATION
    return str(condition.value) if about_object and guid_key(condition.value) is None else ""


def text_of(value: object) -> str:
    """A single value as conditions compare it."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    return value.hex() if isinstance(value, bytes) else str(value)


def _test(condition: ScopeCondition, expression: Expression | None) -> Test:
    if expression is not None:
        return _expression_test(expression)
    name = str(condition.operator)
    positive = _NEGATIVE.get(name, name)
    test = _positive_test(positive, condition)
    if name == positive:
        return test
    return lambda bindings, subject, context: not test(bindings, subject, context)


def _positive_test(name: str, condition: ScopeCondition) -> Test:
    if name in MEMBERSHIP or name in LOCATION:
        return _object_test(name, condition)
    attribute = condition.attribute
    if name == "ISNULL":
        return lambda bindings, subject, context: bindings.attributes.get(attribute) in {None, "", ()}
    fits = _bit_test(int(str(condition.value), 0)) if name in BITS else _comparison(name, condition.value)

    def test(bindings: Bindings, subject: SourceObject | None, context: ScopeContext) -> bool:
        value = bindings.attributes.get(attribute)
        if value is None or value == "":
            return False
        return any(map(fits, value)) if value.__class__ is tuple else fits(value)

    return test


def _expression_test(expression: Expression) -> Test:
    def test(bindings: Bindings, subject: SourceObject | None, context: ScopeContext) -> bool:
        value = expression.evaluate(bindings)
        if value is None or value.__class__ in {bool, int}:
            return bool(value)
        raise EvaluationFailed(
            expression.where, "a condition is neither true nor false", "Compare it, or ask by IsPresent", value
        )

    return test


def _object_test(name: str, condition: ScopeCondition) -> Test:
    wanted, given, nested = str(condition.value), guid_key(condition.value), condition.nested

    def is_member(bindings: Bindings, subject: SourceObject | None, context: ScopeContext) -> bool:
        assert subject is not None  # noqa: S101 - refused when an outbound rule is read
        group = context.keys[wanted] if given is None else given
        return context.directory.is_member(subject.source, subject.key, group, nested=nested)

    def is_below(bindings: Bindings, subject: SourceObject | None, context: ScopeContext) -> bool:
        assert subject is not None  # noqa: S101 - refused when an outbound rule is read
        return (context.keys[wanted] if given is None else given) in subject.path

    return is_member if name == "ISMEMBEROF" else is_below


def _bit_test(bits: int) -> Callable[[Any], bool]:
    return lambda value: value.__class__ is int and value & bits == bits


def _comparison(name: str, wanted: object) -> Callable[[Any], bool]:
    """Of a single value with the one in the rule."""
    compare = _COMPARISONS[name]
    text = text_of(wanted).casefold()
    number = None if name in _OF_TEXTS else _number(wanted)

    def fits(value: Any) -> bool:
        if value.__class__ is str:
            return compare(value.casefold(), text)
        if value.__class__ is int and number is not None:
            return compare(value, number)
        return compare(text_of(value).casefold(), text)

    return fits


def _number(value: object) -> int | None:
    try:
        return int(text_of(value), 0)
    except ValueError:
        return None
