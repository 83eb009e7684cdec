"""When two values are the same. Pure.

Attributes of directories are sets (X.500; RFC 4511, section 4.1.7): the order in which values arrive means nothing, and one
value that stands alone is the same as a set of one. Types count: True is not 1.
"""

from __future__ import annotations

from typing import TypeAlias

from sync.model import Plain

Held: TypeAlias = Plain | tuple[Plain, ...] | None
"""What an attribute has: one value, several, or none."""


def members(value: Held) -> tuple[Plain, ...]:
    """The single values, in their order."""
    if value is None:
        return ()
    return value if isinstance(value, tuple) else (value,)


def canonical(value: Held) -> list[tuple[str, Plain]]:
    """One spelling for values that are the same."""
    if value is not None and not isinstance(value, tuple):
        return [(type(value).__name__, value)]
    return sorted({(type(single).__name__, single) for single in members(value)})


def same(one: Held, other: Held) -> bool:
    """Whether writing one where the other is would change nothing."""
    return canonical(one) == canonical(other)
