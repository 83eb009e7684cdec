"""What goes into a simulated cmdlet and comes out of it, where Python has no type of its own for it.

Into a handler: `str`, `int`, `bool`, `bytes`, `datetime` (aware), `list` of `str`, SecureText, PsCredential; None for a
switch that came without a value.
Out of it: a list of objects, each a dict of properties by name; `{"": value}` is a value without properties. A property
is one of the above, None, float, a UUID, a `timedelta`, a `list`, a PsUri, PsNumber or PsObject. PSRP serialises at depth 1:
what is a property and no value arrives as its text, enumerations too, except for types with a depth of their own (PsObject).
What is which type, and how that is known, stands in `output`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class SecureText(str):
    """Came as a SecureString."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "SecureText(***)"


@dataclass(frozen=True, slots=True)
class PsCredential:
    """Came as a PSCredential."""

    user: str
    password: SecureText = field(repr=False)


class PsUri(str):
    """A System.Uri."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class PsNumber:
    """A number that is no Int32: `I16`, `U16`, `U32`, as CLIXML calls it."""

    value: int
    kind: str


@dataclass(frozen=True, slots=True)
class PsObject:
    """A nested object whose type has a depth of its own, or that lies on an object as a note."""

    types: tuple[str, ...]
    text: str
    properties: Mapping[str, object]
