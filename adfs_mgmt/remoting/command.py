"""A command as data: a name and typed parameters, never script text.

Nothing that a user typed can become code this way, and a JEA endpoint without a language mode (`NoLanguage`) runs it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that is sent as a SecureString, and shown nowhere."""

    text: str = field(repr=False)

    def __str__(self) -> str:
        return "***"


@dataclass(frozen=True, slots=True)
class PSCredential:
    """Sent as a PSCredential."""

    user: str
    password: Secret


Value = str | int | bool | bytes | dt.datetime | Secret | PSCredential | tuple[str, ...]
"""What a parameter can be. True alone is a switch."""

Scalar = str | int | float | bool | bytes | dt.datetime | None
PSObject = Mapping[str, "Scalar | list[Scalar | PSObject] | PSObject"]
"""What a command answers: the properties of one object, by name. Times are UTC. A plain value is `{"": value}`. An
object that arrived as text only, because it lay deeper than the serialisation depth of 1, is that text."""


@dataclass(frozen=True, slots=True)
class Command:
    """One cmdlet or function, with its parameters by name."""

    name: str
    parameters: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        """As an administrator would type it, secrets hidden: for plans, logs and errors, never for execution."""
        return " ".join([self.name, *(_shown(name, value) for name, value in self.parameters.items())])


def _shown(name: str, value: Value) -> str:
    if value is True:
        return f"-{name}:$true"  # binds to a switch and to a Boolean alike
    if isinstance(value, bool):
        return f"-{name}:$false"
    if isinstance(value, int):
        return f"-{name} {value}"
    if isinstance(value, bytes):
        return f"-{name} <{len(value)} bytes>"
    if isinstance(value, dt.datetime):
        return f"-{name} '{value:%Y-%m-%dT%H:%M:%SZ}'"
    if isinstance(value, tuple):
        return f"-{name} " + ",".join(_quoted(text) for text in value)
    if isinstance(value, PSCredential):
        return f"-{name} <{value.user}>"
    return f"-{name} {_quoted(str(value))}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
