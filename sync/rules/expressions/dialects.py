"""Dialects: which functions, constants and refused names an expression of each has. So far there is Connect's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sync.rules.expressions.connect import CONNECT_CONSTANTS, CONNECT_FUNCTIONS, CONNECT_REFUSED, RefusedName
from sync.rules.expressions.signatures import Form, Function
from sync.rules.expressions.values import FlowResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A table of names."""

    name: str
    functions: Mapping[str, Function | Form]
    constants: Mapping[str, FlowResult]
    refused: Mapping[str, RefusedName]
    """Names that people may write because another dialect has them."""


DIALECTS: Final[Mapping[str, Dialect]] = {
    "connect": Dialect(name="connect", functions=CONNECT_FUNCTIONS, constants=CONNECT_CONSTANTS, refused=CONNECT_REFUSED)
}
"""By the name that a rule file gives as `dialect`."""
