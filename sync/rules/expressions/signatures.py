"""What a dialect knows of a function: its parameters, what it returns, and what its behaviour rests on.

A signature is written as Microsoft's reference writes it: `num InStr(str text, str match[, num start][, Compare compare])`.

| type | meaning |
|---|---|
| `str` `num` `bool` `bin` `ref` `dt` `var` | one kind of value; `var` is any; `str|bin` is either |
| `mvstr`, `mvvar`, … | all values of a multi-valued attribute at once; other parameters take one value |
| `str?` | NULL is taken, too; elsewhere NULL makes the result NULL |
| `UTF8|ASCII` | a name out of these |

A function whose parameters take one value works on each value of a multi-valued attribute; of several such arguments, on the
values that stand at the same place.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sync.rules.expressions.values import CLASSES, Kind, ValueType

if TYPE_CHECKING:
    from sync.rules.expressions.checks import Checker
    from sync.rules.expressions.compilation import Compiler, Evaluate
    from sync.rules.expressions.syntax import Call

ANY: Final = frozenset(Kind)
_KINDS: Final = {
    "str": frozenset({Kind.TEXT}),
    "num": frozenset({Kind.NUMBER}),
    "bool": frozenset({Kind.BOOLEAN}),
    "bin": frozenset({Kind.BYTES}),
    "ref": frozenset({Kind.REFERENCE}),
    "dt": frozenset({Kind.DATE}),
    "var": ANY,
}
_SIGNATURE: Final = re.compile(r"(?P<result>\S+) (?P<name>\w+)\((?P<parameters>.*)\)")
_PARAMETER: Final = re.compile(
    r"(?:(?P<optional>\[, )|, )?(?P<many>mv)?(?P<type>[A-Za-z0-9|]+)(?P<null>\?)? (?P<name>\w+)\]?"
)
_Run = TypeVar("_Run", bound=Callable[..., Any])


class Basis(enum.Enum):
    """What the behaviour of a function rests on."""

    EXAMPLE = "example"
    """Microsoft's reference gives calls with their results, which are among the tests."""
    DESCRIPTION = "description"
    """The reference describes it in words; where these leave something open, it was decided here."""
    RULES = "rules"
    """The reference does not have it: it follows from how the standard rules of Connect use it."""


@dataclass(frozen=True, kw_only=True)
class FunctionParameter:
    """One parameter."""

    name: str
    kinds: frozenset[Kind] = ANY
    many: bool = False
    """It takes all values of a multi-valued attribute at once, as a tuple; NULL is an empty one."""
    null: bool = False
    """The implementation takes None."""
    required: bool = True
    choices: tuple[str, ...] = ()
    """Names, one of which has to stand here; then it has no kinds."""

    @cached_property
    def classes(self) -> frozenset[type]:
        """Classes of the values that it takes."""
        return frozenset(CLASSES[kind] for kind in self.kinds)

    @cached_property
    def accepted(self) -> frozenset[type]:
        """Classes of what the implementation takes as it is."""
        more: frozenset[type] = frozenset({type(None), tuple} if self.takes_all else {type(None)} if self.null else ())
        return self.classes | more

    @cached_property
    def takes_all(self) -> bool:
        """It sees NULL, one value or several as they are: IsPresent([proxyAddresses]) is one answer."""
        return self.null and self.kinds == ANY

    @property
    def expected(self) -> str:
        """What it takes, for an error."""
        return ", ".join(self.choices) or ("any value" if self.kinds == ANY else str(ValueType(self.kinds, self.many)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function whose arguments are evaluated before it."""

    name: str
    signature: str
    group: str
    basis: Basis
    summary: str
    parameters: tuple[FunctionParameter, ...]
    run: Callable[..., Any]
    """Values to a value. Raises UnfitValue."""
    result: frozenset[Kind] | None
    """None: the kind of its first argument."""
    many: bool
    """It returns several values."""
    ambient: bool
    """`run` takes the bindings first: the clock or randomness."""

    @property
    def least(self) -> int:
        """Arguments."""
        return sum(parameter.required for parameter in self.parameters)

    @property
    def most(self) -> int:
        """Arguments."""
        return len(self.parameters)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A function that decides itself which of its arguments are evaluated, and with which variables."""

    name: str
    signature: str
    group: str
    basis: Basis
    summary: str
    compile: Callable[[Compiler, Call], Evaluate]
    """Raises ExpressionRefused."""
    type_of: Callable[[Checker, Call], ValueType]


class FunctionTable:
    """Functions of one group of the reference, as they are declared."""

    def __init__(self, group: str) -> None:
        self.group = group
        self._functions: dict[str, Function | Form] = {}

    def __iter__(self) -> Iterator[Function | Form]:
        return iter(self._functions.values())

    def function(self, signature: str, basis: Basis, *, ambient: bool = False) -> Callable[[_Run], _Run]:
        """Declares what it decorates; the first paragraph of the docstring goes into the reference page."""

        def declare(run: _Run) -> _Run:
            found = _SIGNATURE.fullmatch(signature)
            assert found, signature  # noqa: S101 - written by us
            many = found["result"].startswith("mv")
            result = found["result"].removeprefix("mv")
            name = found["name"]
            self._functions[name] = Function(
                name=name,
                signature=signature.replace("?", ""),
                group=self.group,
                basis=basis,
                summary=summary_of(run),
                parameters=tuple(_parameters(found["parameters"])),
                run=run,
                result=None if result == "same" else _KINDS[result],
                many=many,
                ambient=ambient,
            )
            return run

        return declare

    def form(self, form: Form) -> None:
        """Adds a function with rules of its own."""
        self._functions[form.name] = form


def summary_of(run: Callable[..., Any]) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((inspect.getdoc(run) or "").split("\n\n")[0].split())


def _parameters(text: str) -> Iterator[FunctionParameter]:
    """Of `str a, num? b[, str c]`."""
    for found in _PARAMETER.finditer(text):
        names = found["type"].split("|")
        if all(name in _KINDS for name in names):
            yield FunctionParameter(
                name=found["name"],
                kinds=frozenset().union(*(_KINDS[name] for name in names)),
                many=bool(found["many"]),
                null=bool(found["null"]),
                required=not found["optional"],
            )
        else:
            yield FunctionParameter(
                name=found["name"], kinds=frozenset(), choices=tuple(names), required=not found["optional"]
            )
