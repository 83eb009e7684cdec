"""From a syntax tree to a function of bindings: done once, so that an object costs only the calls themselves.

Every node becomes a closure of (bindings, variables). The frequent cases are closures of their own; what is left (several
values, wrong types) goes a slower way that gives the same result or says what is wrong.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from sync.rules.expressions.errors import EvaluationFailed, ExpressionProblem, ExpressionRefused, Place, UnfitValue
from sync.rules.expressions.operators import OPERATORS, Operator, collected, conjunction, uneven
from sync.rules.expressions.signatures import Form, Function, FunctionParameter
from sync.rules.expressions.syntax import (
    Attribute,
    Call,
    Constant,
    Node,
    Omitted,
    OperatorSequence,
    Position,
    RuleParameter,
    Variable,
    Word,
    name_of,
    position,
    text_of,
)
from sync.rules.expressions.values import Bindings, kind_name

if TYPE_CHECKING:
    from sync.rules.expressions.dialects import Dialect

Variables: TypeAlias = tuple[Any, ...]
Evaluate: TypeAlias = Callable[[Bindings, Variables], Any]

TYPE_REMEDY: Final = "Convert it (CStr, CNum, CBool, CRef), or pick one value by Item"


class Deferred:
    """The value of a variable of With: computed when it is first used, and once."""

    __slots__ = ("_bindings", "_evaluate", "_known", "_value", "_variables")

    def __init__(self, evaluate: Evaluate, bindings: Bindings, variables: Variables) -> None:
        self._evaluate = evaluate
        self._bindings = bindings
        self._variables = variables
        self._known = False
        self._value: Any = None

    def value(self) -> Any:
        """Raises EvaluationFailed."""
        if not self._known:
            self._value, self._known = self._evaluate(self._bindings, self._variables), True
        return self._value


class Compiler:
    """Of one expression; collects what it reads."""

    def __init__(self, dialect: Dialect, where: Place) -> None:
        self.dialect = dialect
        self.where = where
        self.attributes: set[str] = set()
        self.imported: set[str] = set()
        self.parameters: set[str] = set()
        self.scope: tuple[tuple[str, bool], ...] = ()
        """Variables in the order in which their values come: the name, and whether it is a Deferred."""

    def compile(self, node: Node) -> Evaluate:
        """Raises ExpressionRefused."""
        match node:
            case Constant(value):
                return lambda bindings, variables: value
            case Attribute(name):
                self.attributes.add(name)
                return lambda bindings, variables: bindings.attributes.get(name)
            case RuleParameter(name):
                return self._parameter(node)
            case Variable():
                return self._variable(node)
            case Word(name):
                return self._word(node)
            case OperatorSequence():
                return self._operation(node)
            case Call():
                return self._call(node)
            case Omitted(at):
                raise self.refused(at, "an argument is missing here", "Write NULL for no value, or remove the comma")

    def inside(self, name: str, node: Node, *, deferred: bool = False) -> Evaluate:
        """A node that sees one variable more. deferred: its value comes as a Deferred."""
        outer, self.scope = self.scope, (*self.scope, (name, deferred))
        try:
            return self.compile(node)
        finally:
            self.scope = outer

    def place(self, at: Position) -> Place:
        """In the file."""
        return self.where.inside(*at)

    def refused(self, at: Position, problem: str, remedy: str) -> ExpressionRefused:
        """The error for something at this place of the text."""
        return ExpressionRefused(ExpressionProblem(self.place(at), problem, remedy))

    def check_count(self, call: Call, least: int, most: int) -> None:
        """Raises ExpressionRefused where it has too few or too many arguments."""
        count = len(call.arguments)
        if not least <= count <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise self.refused(
                call.at,
                f"{call.name} has {count} argument{'' if count == 1 else 's'}; expected {wanted}",
                f"Its signature is: {self.dialect.functions[call.name].signature}",
            )

    def quoted(self, call: Call, index: int) -> str:
        """An argument that has to be a text in quotes."""
        text = text_of(call.arguments[index])
        if not text:
            raise self.refused(
                position(call.arguments[index]),
                f"{call.name} takes the name of an attribute in quotes",
                f'Write {call.name}("proxyAddresses")',
            )
        return text

    def bound(self, call: Call) -> str:
        """The first argument, which has to be a variable."""
        name = name_of(call.arguments[0])
        if not name:
            raise self.refused(
                position(call.arguments[0]), f"{call.name} takes a variable first", f"Write {call.name}($item, ...)"
            )
        return name

    def _parameter(self, node: RuleParameter) -> Evaluate:
        name, place = node.name, self.place(node.at)
        self.parameters.add(name)

        def evaluate(bindings: Bindings, variables: Variables) -> Any:
            try:
                return bindings.parameters[name]
            except KeyError:
                raise EvaluationFailed(place, f"the parameter %{name}% is not set", "Set it, or use another one") from None

        return evaluate

    def _variable(self, node: Variable) -> Evaluate:
        names = [name for name, _ in self.scope]
        if node.name not in names:
            known = ", ".join(f"${name}" for name in names) or "none"
            raise self.refused(
                node.at,
                f"the variable ${node.name} is not known here; known are: {known}",
                "Variables are declared by Select, Where and With, and known in their last argument",
            )
        index = len(names) - 1 - names[::-1].index(node.name)  # the innermost of that name
        if self.scope[index][1]:
            return lambda bindings, variables: variables[index].value()
        return lambda bindings, variables: variables[index]

    def _word(self, node: Word) -> Evaluate:
        name = node.name
        if name not in self.dialect.constants:
            if name in self.dialect.functions:
                raise self.refused(node.at, f"{name} is a function and has no brackets", f"Write {name}(...)")
            names = [*self.dialect.constants, *self.dialect.functions]
            raise self.refused(
                node.at, f"{name} is not known", _nearest(name, names) or 'Write "text", [attribute] or %Parameter%'
            )
        value = self.dialect.constants[name]
        return lambda bindings, variables: value

    def _operation(self, node: OperatorSequence) -> Evaluate:
        first = self.compile(node.first)
        operands = [(operator, self.compile(right)) for operator, right in node.rest]
        place = self.place(node.at)
        operator = node.rest[0][0]
        if operator in {"&&", "||"}:
            return conjunction(operator, [first, *(right for _, right in operands)], place)
        steps = [(OPERATORS[operator], right) for operator, right in operands]
        return _step(first, *steps[0], place) if len(steps) == 1 else _steps(first, steps, place)

    def _call(self, node: Call) -> Evaluate:
        found = self.dialect.functions.get(node.name)
        if isinstance(found, Form):
            return found.compile(self, node)
        if found is None:
            raise self._no_function(node)
        self.check_count(node, found.least, found.most)
        arguments = [
            self._choice(node, argument, parameter) if parameter.choices else self.compile(argument)
            for argument, parameter in zip(node.arguments, found.parameters, strict=False)
        ]
        constants = [self._constant(argument, arguments[index]) for index, argument in enumerate(node.arguments)]
        return _calling(found, arguments, constants, self.place(node.at))

    def _constant(self, node: Node, evaluate: Evaluate) -> Any:
        """The value of a node that is the same for every object; NULL for all others."""
        return evaluate(_NOTHING, ()) if isinstance(node, Constant | Word) else None

    def _choice(self, call: Call, node: Node, parameter: FunctionParameter) -> Evaluate:
        name = node.name if isinstance(node, Word) else node.value if isinstance(node, Constant) else None
        if name not in parameter.choices:
            choices = ", ".join(parameter.choices)
            raise self.refused(
                position(node), f"{call.name} takes one of these names here: {choices}", "Write one, without quotes"
            )
        return lambda bindings, variables: name

    def _no_function(self, node: Call) -> ExpressionRefused:
        name = node.name
        if name in self.dialect.refused:
            why = self.dialect.refused[name]
            return self.refused(node.at, f"{name} is refused: {why.reason}", why.remedy)
        hint = _nearest(name, self.dialect.functions) or "docs/reference/sync-functions.md lists them all"
        return self.refused(node.at, f"{name} is not a function of the dialect {self.dialect.name}", hint)


_NOTHING: Final = Bindings(attributes={}, now=0.0)


def failed(place: Place, unfit: UnfitValue, value: object, what: str = "") -> EvaluationFailed:
    """The error of a run, from what a function or operator said."""
    prefix = f"{what}: " if what else ""
    return EvaluationFailed(place, f"{prefix}{unfit.problem}", unfit.remedy, value)


def _nearest(name: str, names: Iterable[str]) -> str:
    """A hint at the name that was meant, if one is near."""
    by_case = {known.casefold(): known for known in names}
    near = by_case.get(name.casefold()) or next(
        (by_case[match] for match in difflib.get_close_matches(name.casefold(), by_case, 1, 0.75)), ""
    )
    return f"Did you mean {near}? Names are case-sensitive" if near else ""


def _step(left: Evaluate, operator: Operator, right: Evaluate, place: Place) -> Evaluate:
    apply = operator

    def evaluate(bindings: Bindings, variables: Variables) -> Any:
        value, other = left(bindings, variables), right(bindings, variables)
        try:
            return apply(value, other)
        except UnfitValue as unfit:
            raise failed(place, unfit, (value, other)) from None

    return evaluate


def _steps(first: Evaluate, steps: list[tuple[Operator, Evaluate]], place: Place) -> Evaluate:
    def evaluate(bindings: Bindings, variables: Variables) -> Any:
        value = first(bindings, variables)
        for apply, right in steps:
            other = right(bindings, variables)
            try:
                value = apply(value, other)
            except UnfitValue as unfit:
                raise failed(place, unfit, (value, other)) from None
        return value

    return evaluate


def _calling(function: Function, arguments: list[Evaluate], constants: list[Any], place: Place) -> Evaluate:
    """The closure of a call: the short way where all but the first argument are constants of the right kinds."""
    slow = _any_call(function, arguments, place)
    if not arguments or function.ambient or function.parameters[0].many or function.parameters[0].choices:
        return slow
    rest = tuple(constants[1:])
    for value, parameter in zip(rest, function.parameters[1:], strict=False):
        if type(value) not in parameter.classes and not (parameter.choices and value is not None):
            return slow
    first, run, name = arguments[0], function.run, function.name
    accepted = function.parameters[0].accepted

    def evaluate(bindings: Bindings, variables: Variables) -> Any:
        value = first(bindings, variables)
        if value.__class__ in accepted:
            try:
                return run(value, *rest)
            except UnfitValue as unfit:
                raise failed(place, unfit, value, name) from None
        return None if value is None else slow(bindings, variables)

    return evaluate


def _any_call(function: Function, arguments: list[Evaluate], place: Place) -> Evaluate:
    parameters = function.parameters[: len(arguments)]

    def evaluate(bindings: Bindings, variables: Variables) -> Any:
        values = [argument(bindings, variables) for argument in arguments]
        try:
            return _apply(function, parameters, values, bindings)
        except UnfitValue as unfit:
            raise failed(place, unfit, tuple(values), function.name) from None

    return evaluate


def _apply(function: Function, parameters: tuple[FunctionParameter, ...], values: list[Any], bindings: Bindings) -> Any:
    if function.ambient:
        fitted = [_fit(parameter, value) for parameter, value in zip(parameters, values, strict=True)]
        return None if _MISSING in fitted else function.run(bindings, *fitted)
    lifted = [
        isinstance(value, tuple) and not parameter.many and not parameter.takes_all
        for parameter, value in zip(parameters, values, strict=True)
    ]
    if not any(lifted):
        return _once(function, parameters, values)
    sizes = {len(value) for value, several in zip(values, lifted, strict=True) if several}
    if len(sizes) > 1:
        raise uneven(min(sizes), max(sizes))
    columns = [value if several else repeat(value) for value, several in zip(values, lifted, strict=True)]
    return flattened(_once(function, parameters, found) for found in zip(*columns, strict=False))


def _once(function: Function, parameters: tuple[FunctionParameter, ...], values: Sequence[Any]) -> Any:
    fitted = [_fit(parameter, value) for parameter, value in zip(parameters, values, strict=True)]
    return None if _MISSING in fitted else function.run(*fitted)


_MISSING: Final = object()
"""NULL for a parameter that does not take it: the result is NULL."""


def _fit(parameter: FunctionParameter, value: Any) -> Any:
    """The value as the implementation takes it. Raises UnfitValue."""
    if parameter.many:
        values = () if value is None else value if isinstance(value, tuple) else (value,)
        if parameter.classes.issuperset(map(type, values)):
            return values
        value = next(item for item in values if type(item) not in parameter.classes)
    elif type(value) in parameter.accepted or parameter.choices:
        return value
    elif value is None:
        return _MISSING
    raise UnfitValue(f"{parameter.name} is {kind_name(value)}; expected {parameter.expected}", TYPE_REMEDY)


def flattened(results: Iterable[Any]) -> Any:
    """What a function made of each value, as the values of a multi-valued attribute: NULL is none of them.

    Raises UnfitValue.
    """
    return collected(_flat(results)) or None


def _flat(results: Iterable[Any]) -> Iterator[Any]:
    for result in results:
        if isinstance(result, tuple):
            yield from result
        elif result is not None:
            yield result
