"""Questions about a value. They see NULL and several values as they are, and never fail."""

from __future__ import annotations

from typing import Any, Final

from sync.rules.expressions.functions.conversions import is_guid_text, number_of
from sync.rules.expressions.functions.times import NotADate, parse_date
from sync.rules.expressions.signatures import Basis, FunctionTable
from sync.rules.expressions.values import DateTime, Reference

PREDICATES: Final = FunctionTable("Evaluation")


@PREDICATES.function("bool IsBitSet(num? value, num? flag)", Basis.EXAMPLE)
def is_bit_set(value: int | None, flag: int | None) -> bool:
    """Whether all bits of the flag are set in the value. False for NULL, and where the flag has none."""
    return bool(flag) and value is not None and value & (flag or 0) == flag


@PREDICATES.function("bool IsDate(var? value)", Basis.DESCRIPTION)
def is_date(value: Any) -> bool:
    """Whether CDate takes it."""
    if isinstance(value, str):
        try:
            parse_date(value)
        except NotADate:
            return False
        return True
    return isinstance(value, DateTime)


@PREDICATES.function("bool IsEmpty(var? value)", Basis.DESCRIPTION)
def is_empty(value: Any) -> bool:
    """Whether it is there and an empty text, or has no bytes."""
    return value in {"", b""} if isinstance(value, str | bytes) else False


@PREDICATES.function("bool IsGuid(var? value)", Basis.EXAMPLE)
def is_guid(value: Any) -> bool:
    """Whether CGuid takes it."""
    return isinstance(value, str) and is_guid_text(value)


@PREDICATES.function("bool IsNull(var? value)", Basis.EXAMPLE)
def is_null(value: Any) -> bool:
    """Whether it is NULL: of an attribute, whether it is absent."""
    return value is None or value == ()


@PREDICATES.function("bool IsNullOrEmpty(var? value)", Basis.EXAMPLE)
def is_null_or_empty(value: Any) -> bool:
    """Whether it is NULL, an empty text, or has no bytes."""
    return is_null(value) or is_empty(value)


@PREDICATES.function("bool IsNumeric(var? value)", Basis.DESCRIPTION)
def is_numeric(value: Any) -> bool:
    """Whether CNum takes it."""
    if isinstance(value, str | bytes):
        return number_of(value) is not None
    return type(value) is int


@PREDICATES.function("bool IsPresent(var? value)", Basis.EXAMPLE)
def is_present(value: Any) -> bool:
    """The opposite of IsNullOrEmpty."""
    return not is_null_or_empty(value)


@PREDICATES.function("bool IsString(var? value)", Basis.DESCRIPTION)
def is_string(value: Any) -> bool:
    """Whether CStr takes it: not bytes, not dates, not NULL. Of several values, whether it takes all."""
    values = value if isinstance(value, tuple) else (value,)
    return bool(values) and all(isinstance(item, str | int | Reference) for item in values)
