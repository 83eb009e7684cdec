"""What the operators do. Of several values each has its result: `InStr([proxyAddresses], "sip:") = 1`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sync.rules.expressions.errors import EvaluationFailed, Place, UnfitValue
from sync.rules.expressions.values import (
    LARGEST_NUMBER,
    LARGEST_TOTAL,
    LONGEST_TEXT,
    SMALLEST_NUMBER,
    Bindings,
    DateTime,
    Kind,
    Reference,
    Sentinel,
    kind_name,
)

if TYPE_CHECKING:
    from sync.rules.expressions.compilation import Evaluate, Variables

Operator: TypeAlias = Callable[[Any, Any], Any]
ORDERED: Final = frozenset({Kind.NUMBER, Kind.DATE, Kind.TEXT})
"""Kinds that `<` and its like compare; texts by their characters' numbers, in no language."""
_ORDERED: Final = (int, DateTime, str)
CONVERT_REMEDY: Final = "Convert one of them (CStr, CNum, CBool, CRef)"


def equal(value: Any, other: Any) -> Any:
    """Of one kind and the same. NULL equals NULL only. Texts are compared with their case."""
    if value.__class__ is other.__class__ and value.__class__ is not tuple:
        return value == other
    if isinstance(value, tuple) or isinstance(other, tuple):
        return each(equal, value, other)
    if value is None or other is None:
        return False
    raise _mixed(value, other)


def unequal(value: Any, other: Any) -> Any:
    """The opposite of equal: NULL differs from every value."""
    if isinstance(value, tuple) or isinstance(other, tuple):
        return each(unequal, value, other)
    return not equal(value, other)


def _ordering(compare: Callable[[Any, Any], bool]) -> Operator:
    def apply(value: Any, other: Any) -> Any:
        if value.__class__ is other.__class__ and value.__class__ in _ORDERED:
            return compare(value, other)
        if isinstance(value, tuple) or isinstance(other, tuple):
            return each(apply, value, other)
        if value is None or other is None:
            return False
        if value.__class__ is other.__class__:
            raise UnfitValue(f"values of {kind_name(value)} have no order", "Compare numbers, dates or texts")
        raise _mixed(value, other)

    return apply


def _arithmetic(compute: Callable[[int, int], int]) -> Operator:
    def apply(value: Any, other: Any) -> Any:
        if value.__class__ is int and other.__class__ is int:
            result = compute(value, other)
            if SMALLEST_NUMBER <= result <= LARGEST_NUMBER:
                return result
            raise UnfitValue("the result has more than 64 bits")
        if isinstance(value, tuple) or isinstance(other, tuple):
            return None if value is None or other is None else each(apply, value, other)
        for operand in (value, other):
            if operand is not None and operand.__class__ is not int:
                raise UnfitValue(
                    f"computes with {kind_name(operand)}; expected numbers", "Convert it by CNum; texts are joined by &"
                )
        return None

    return apply


def concatenated(value: Any, other: Any) -> Any:
    """Texts one after the other, or bytes. A reference counts as its text, NULL as nothing."""
    if value.__class__ is str and other.__class__ is str:
        if len(value) + len(other) > LONGEST_TEXT:
            raise too_long()
        return value + other
    if isinstance(value, tuple) or isinstance(other, tuple):
        return each(concatenated, value, other)
    if value.__class__ is Reference or other.__class__ is Reference:
        return concatenated(_text(value), _text(other))
    for operand in (value, other):
        if operand is not None and operand.__class__ not in (str, bytes):
            raise UnfitValue(f"& joins texts or bytes, not {kind_name(operand)}", "Convert it by CStr")
    if value is None or other is None:
        return other if value is None else value
    if value.__class__ is not other.__class__:
        raise _mixed(value, other)
    if len(value) + len(other) > LONGEST_TEXT:
        raise too_long()
    return value + other


OPERATORS: Final[Mapping[str, Operator]] = {
    "=": equal,
    "<>": unequal,
    "<": _ordering(operator.lt),
    "<=": _ordering(operator.le),
    ">": _ordering(operator.gt),
    ">=": _ordering(operator.ge),
    "+": _arithmetic(operator.add),
    "-": _arithmetic(operator.sub),
    "*": _arithmetic(operator.mul),
    "&": concatenated,
}


def conjunction(name: str, operands: Sequence[Evaluate], place: Place) -> Evaluate:
    """`&&` and `||` over all operands: those that no longer matter are not evaluated."""
    settles = name == "||"
    what = f"an operand of {name}"

    def evaluate(bindings: Bindings, variables: Variables) -> Any:
        result: Any = not settles
        for operand in operands:
            value = operand(bindings, variables)
            if value is not True and value is not False:
                value = truth(value, place, what)
            if isinstance(value, tuple) or isinstance(result, tuple):
                try:
                    result = each(operator.or_ if settles else operator.and_, result, value)
                except UnfitValue as unfit:
                    raise EvaluationFailed(place, unfit.problem, unfit.remedy) from None
            elif value is settles:
                return settles
        return result

    return evaluate


def truth(value: Any, place: Place, what: str) -> bool | tuple[bool, ...]:
    """A condition: a boolean, or a number that is not 0. NULL is false. Of several values, one by one."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, int):
        return value != 0
    if isinstance(value, tuple):
        return tuple(truth(item, place, what) is True for item in value)
    raise EvaluationFailed(
        place, f"{what} is {kind_name(value)}; expected a boolean or number", "Compare it, or convert it by CBool", value
    )


def each(apply: Operator, value: Any, other: Any) -> tuple[Any, ...]:
    """The operator on values of the same place, or on each value with the one other value."""
    if isinstance(value, tuple) and isinstance(other, tuple):
        if len(value) != len(other):
            raise uneven(len(value), len(other))
        return collected(map(apply, value, other))
    if isinstance(value, tuple):
        return collected(apply(item, other) for item in value)
    return collected(apply(value, item) for item in other)


def collected(results: Iterable[Any]) -> tuple[Any, ...]:
    """Results for several values, as they are made. Raises UnfitValue where they become too much for the memory."""
    values, size = [], 0
    for result in results:
        if isinstance(result, str | bytes):
            size += len(result)
            if size > LARGEST_TOTAL:
                raise UnfitValue(f"the values have more than {LARGEST_TOTAL} characters together", "Shorten them, by Left")
        values.append(result)
    return tuple(values)


def uneven(count: int, other: int) -> UnfitValue:
    """Values are taken together by their places, which needs as many of each."""
    return UnfitValue(f"{count} values stand against {other}", "Take attributes with as many values, or one value by Item")


def too_long() -> UnfitValue:
    """A result that nobody has asked for: attributes hold less."""
    return UnfitValue(f"the result has more than {LONGEST_TEXT} characters", "Shorten the text before, by Left")


def _text(value: Any) -> Any:
    return value.target if isinstance(value, Reference) else value


def _mixed(value: Any, other: Any) -> UnfitValue:
    for operand in (value, other):
        if isinstance(operand, Sentinel):
            return UnfitValue(f"{operand.value} is a result of a flow, not a value", "Write NULL")
    return UnfitValue(f"{kind_name(value)} stands against {kind_name(other)}", CONVERT_REMEDY)
