"""What goes into a simulated cmdlet and comes out of it, where Python has no type of its own for it.

Into a handler: `str`, `int`, `bool`, `bytes`, `datetime` (aware), `list` of `str`, SecureText, PsCredential; None for a
switch that came without a value.
Out of it: a list of objects, each a dict of properties by name; `{"": value}` is a value without properties. A property
is one of the above, None, float, a UUID, a `list`, a `PsEnum`, or a `dict`. PSRP serialises at depth 1, so a `dict` that
is a property arrives as its text: give it under "" (`{"": "[Subject]…"}`), or it is its type's name, as .NET has it.
"""

from __future__ import annotations

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


@dataclass(frozen=True, slots=True)
class PsEnum:
    """A value of a .NET enumeration: on the wire an object with a number and a text."""

    text: str
    number: int = 0
    type_name: str = "System.Enum"
