"""Functions of numbers of 64 bits, negative ones in two's complement: the groupType of a security group is negative."""

from __future__ import annotations

from typing import Final

from sync.rules.expressions.errors import UnfitValue
from sync.rules.expressions.signatures import Basis, FunctionTable
from sync.rules.expressions.values import Bindings

NUMBERS: Final = FunctionTable("Math")


@NUMBERS.function("num BitAnd(num value1, num value2)", Basis.EXAMPLE)
def bit_and(value1: int, value2: int) -> int:
    """The bits that are set in both."""
    return value1 & value2


@NUMBERS.function("num BitOr(num value1, num value2)", Basis.DESCRIPTION)
def bit_or(value1: int, value2: int) -> int:
    """The bits that are set in one of them."""
    return value1 | value2


@NUMBERS.function("num RandomNum(num start, num end)", Basis.DESCRIPTION, ambient=True)
def random_num(bindings: Bindings, start: int, end: int) -> int:
    """A random number from start to end, both included; another one at each evaluation: for flows that are applied once."""
    if start > end:
        raise UnfitValue("start is greater than end")
    return start + bindings.random_below(end - start + 1)
