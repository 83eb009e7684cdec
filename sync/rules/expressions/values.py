"""Values of expressions, their types, and what an evaluation reads.

NULL is None. A value of a multi-valued attribute is a tuple, also where it has one value; without any it is NULL.
"""

from __future__ import annotations

import enum
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

LONGEST_TEXT: Final = 1 << 20
"""Characters, or bytes, of any value that an expression makes. A value of Active Directory has at most 1 MiB or so."""
LARGEST_TOTAL: Final = 1 << 26
"""Characters, or bytes, of all values together that an expression makes for an attribute."""
LARGEST_NUMBER: Final = 2**63 - 1
"""Numbers have 64 bits, as in .NET and in the directory."""
SMALLEST_NUMBER: Final = -(2**63)


@dataclass(frozen=True, slots=True)
class Reference:
    """A value that names another object, by its DN or by an identifier of its source. Not a text: it has to be converted."""

    target: str


@dataclass(frozen=True, slots=True, order=True)
class DateTime:
    """A moment in UTC, as .NET has it. No attribute has such a value: it is made of a text or number, and into one."""

    ticks: int
    """Steps of 100 ns since 0001-01-01. To the step, so that a FILETIME comes back as it was."""


class Sentinel(enum.Enum):
    """Results that are no values: what a flow should do instead of setting one."""

    AUTHORITATIVE_NULL = "AuthoritativeNull"
    """No value, and no rule of lower precedence may give one."""
    IGNORE_THIS_FLOW = "IgnoreThisFlow"
    """As if the flow were not there: the target keeps what it has."""


AuthoritativeNull: Final = Sentinel.AUTHORITATIVE_NULL
IgnoreThisFlow: Final = Sentinel.IGNORE_THIS_FLOW

Scalar: TypeAlias = str | int | bool | bytes | Reference | DateTime
Value: TypeAlias = Scalar | tuple[Scalar, ...] | None
FlowResult: TypeAlias = Value | Sentinel


class Kind(enum.Enum):
    """What one value is."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    BYTES = "bytes"
    REFERENCE = "reference"
    DATE = "date"


CLASSES: Final[Mapping[Kind, type]] = {
    Kind.TEXT: str,
    Kind.NUMBER: int,
    Kind.BOOLEAN: bool,
    Kind.BYTES: bytes,
    Kind.REFERENCE: Reference,
    Kind.DATE: DateTime,
}
KINDS: Final[Mapping[type, Kind]] = {own: kind for kind, own in CLASSES.items()}


@dataclass(frozen=True, slots=True)
class ValueType:
    """What an attribute or expression may give. NULL is always possible."""

    kinds: frozenset[Kind]
    """Several where an expression has several branches; none where it gives NULL only."""
    many: bool = False
    """It may have several values."""
    sentinel: bool = False
    """It may give AuthoritativeNull or IgnoreThisFlow."""

    @classmethod
    def of(cls, *kinds: Kind, many: bool = False) -> ValueType:
        """A type by its kinds."""
        return cls(frozenset(kinds), many)

    def __or__(self, other: ValueType) -> ValueType:
        return ValueType(self.kinds | other.kinds, self.many or other.many, self.sentinel or other.sentinel)

    def __str__(self) -> str:
        names = " or ".join(kind.value for kind in Kind if kind in self.kinds) or "NULL"
        return f"several values of {names}" if self.many else names


@dataclass(frozen=True, slots=True, kw_only=True)
class Bindings:
    """What one evaluation reads."""

    attributes: Mapping[str, Value]
    """By names as the schema spells them: `[name]` is looked up as it is."""
    imported: Mapping[str, Value] = field(default_factory=dict)
    """What `ImportedValue("name")` gives: values that the connected directory has confirmed."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """By name, without the percent signs: `Domain.FQDN`."""
    now: float
    """Unix seconds."""
    random_below: Callable[[int], int] = secrets.randbelow
    """A random number from 0 to one less than its argument, for `Guid` and `RandomNum`."""


def kind_name(value: object) -> str:
    """How an error names what a value is."""
    if isinstance(value, Sentinel):
        return value.value
    if isinstance(value, tuple):
        return "several values"
    kind = KINDS.get(type(value))
    return kind.value if kind else type(value).__name__
