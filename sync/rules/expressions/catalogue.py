"""The functions of a dialect for people: what the reference page says of each."""

from __future__ import annotations

from dataclasses import dataclass

from sync.rules.expressions.dialects import DIALECTS


@dataclass(frozen=True, slots=True)
class Catalogued:
    """A function, or a name that is refused."""

    name: str
    group: str
    """Empty: it is refused."""
    signature: str
    summary: str
    """What it does, or why it is refused."""
    basis: str
    """example, description or rules (`signatures.Basis`); of a refused name what to write instead."""


def catalogue(dialect: str) -> list[Catalogued]:
    """By groups as the reference has them, and by name; then the refused names."""
    found = DIALECTS[dialect]
    rows = [
        Catalogued(function.name, function.group, function.signature, function.summary, function.basis.value)
        for function in sorted(found.functions.values(), key=lambda function: (function.group, function.name.casefold()))
    ]
    refused = [Catalogued(name, "", name, why.reason, why.remedy) for name, why in sorted(found.refused.items())]
    return rows + refused
