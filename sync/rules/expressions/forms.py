"""Functions that decide what is evaluated: conditions, variables, and those that take the name of an attribute."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeAlias

from sync.rules.expressions.checks import UNKNOWN, Checker
from sync.rules.expressions.compilation import Compiler, Deferred, Evaluate, Variables, failed, flattened
from sync.rules.expressions.errors import EvaluationFailed, Place, StoppedByRule, UnfitValue
from sync.rules.expressions.operators import truth
from sync.rules.expressions.signatures import Basis, Form, FunctionTable
from sync.rules.expressions.syntax import Call, Node, name_of, position, text_of
from sync.rules.expressions.values import Bindings, Kind, Sentinel, ValueType, kind_name

_Compile: TypeAlias = Callable[[Compiler, Call], Evaluate]
_TypeOf: TypeAlias = Callable[[Checker, Call], ValueType]
_FLOW: Final = FunctionTable("Program Flow")
_NAMED: Final = FunctionTable("Confirmed and counted values")
FORMS: Final = (_FLOW, _NAMED)


# -- IIF and Switch


def _compile_iif(compiler: Compiler, call: Call) -> Evaluate:
    compiler.check_count(call, 3, 3)
    condition, yes, no = (compiler.compile(argument) for argument in call.arguments)
    place = compiler.place(call.at)

    def evaluate(bindings: Bindings, variables: Variables) -> Any:
        value = condition(bindings, variables)
        if value is True:
            return yes(bindings, variables)
        if value is False or value is None:
            return no(bindings, variables)
        value = truth(value, place, "the condition of IIF")
        if isinstance(value, tuple):
            return _chosen(value, lambda: yes(bindings, variables), lambda: no(bindings, variables), place)
        return yes(bindings, variables) if value else no(bindings, variables)

    return evaluate


def _chosen(conditions: tuple[bool, ...], yes: Callable[[], Any], no: Callable[[], Any], place: Place) -> Any:
    """For each value its own branch: of a branch with several values the one at the same place."""
    branches: dict[bool, Any] = {
        True: yes() if True in conditions else None,
        False: no() if False in conditions else None,
    }
    for branch in branches.values():
        if isinstance(branch, Sentinel):
            raise EvaluationFailed(place, f"{branch.value} is a result of a flow, not one of its values", "Write NULL")
        if isinstance(branch, tuple) and len(branch) != len(conditions):
            raise EvaluationFailed(
                place,
                f"IIF has {len(conditions)} conditions for {len(branch)} values",
                "Take the condition and the values from one attribute",
            )
    chosen = (branches[condition] for condition in conditions)
    return _kept((branch[index] if isinstance(branch, tuple) else branch for index, branch in enumerate(chosen)), place)


def _kept(results: Iterable[Any], place: Place) -> Any:
    try:
        return flattened(results)
    except UnfitValue as unfit:
        raise failed(place, unfit, None) from None


def _iif_type(checker: Checker, call: Call) -> ValueType:
    condition, yes, no = call.arguments
    before = len(checker.problems)
    several = checker.condition(condition).many
    if len(checker.problems) == before and _never_text(checker, condition):
        return checker.type_of(no)
    result = (checker.value(yes) if several else checker.type_of(yes)) | (
        checker.value(no) if several else checker.type_of(no)
    )
    if result.kinds >= UNKNOWN.kinds:
        return UNKNOWN
    return ValueType(result.kinds, result.many or several, result.sentinel)


def _never_text(checker: Checker, condition: Node) -> bool:
    """`IIF(IsString([objectGUID]), CStr([objectGUID]), ConvertToBase64([objectGUID]))` is how Connect's rules allow for both
    kinds of anchor. Where the schema says that it is bytes, the first branch is never taken, and its types do not count."""
    if not isinstance(condition, Call) or condition.name != "IsString":
        return False
    kinds = checker.type_of(condition.arguments[0]).kinds
    return kinds == {Kind.BYTES}


def _compile_switch(compiler: Compiler, call: Call) -> Evaluate:
    if not call.arguments or len(call.arguments) % 2:
        raise compiler.refused(
            call.at,
            f"Switch has {len(call.arguments)} arguments; expected pairs of a condition and a value",
            "Write True before the last value, if it is for all other cases",
        )
    compiled = [compiler.compile(argument) for argument in call.arguments]
    pairs = list(zip(compiled[::2], compiled[1::2], strict=True))
    place = compiler.place(call.at)

    def evaluate(bindings: Bindings, variables: Variables) -> Any:
        for condition, value in pairs:
            found = condition(bindings, variables)
            if found is not True and found is not False:
                found = truth(found, place, "a condition of Switch")
                if isinstance(found, tuple):
                    raise EvaluationFailed(place, "a condition of Switch has several values", "Use IIF, or Item")
            if found:
                return value(bindings, variables)
        return None

    return evaluate


def _switch_type(checker: Checker, call: Call) -> ValueType:
    result = ValueType(frozenset())
    for condition, value in zip(call.arguments[::2], call.arguments[1::2], strict=True):
        if checker.condition(condition).many:
            checker.report(position(condition), "a condition of Switch has several values", "Use IIF, or Item")
        result |= checker.type_of(value)
    return UNKNOWN if result.kinds >= UNKNOWN.kinds else result


# -- Select, Where and With


def _compile_select(compiler: Compiler, call: Call) -> Evaluate:
    compiler.check_count(call, 3, 3)
    name, place = compiler.bound(call), compiler.place(call.at)
    source = compiler.compile(call.arguments[1])
    function = compiler.inside(name, call.arguments[2])

    def evaluate(bindings: Bindings, variables: Variables) -> Any:
        results = [function(bindings, (*variables, item)) for item in _items(source(bindings, variables), place, "Select")]
        if any(isinstance(result, Sentinel) for result in results):
            raise EvaluationFailed(place, "Select has a result of a flow among its values", "Write NULL")
        return _kept(results, place)

    return evaluate


def _select_type(checker: Checker, call: Call) -> ValueType:
    result = checker.inside(name_of(call.arguments[0]), _item_type(checker, call), call.arguments[2])
    if result.sentinel:
        checker.report(position(call.arguments[2]), "Select has a result of a flow among its values", "Write NULL")
    return UNKNOWN if result is UNKNOWN else ValueType(result.kinds, many=True)


def _compile_where(compiler: Compiler, call: Call) -> Evaluate:
    compiler.check_count(call, 3, 3)
    name, place = compiler.bound(call), compiler.place(call.at)
    source = compiler.compile(call.arguments[1])
    condition = compiler.inside(name, call.arguments[2])

    def evaluate(bindings: Bindings, variables: Variables) -> Any:
        kept = [
            item
            for item in _items(source(bindings, variables), place, "Where")
            if truth(condition(bindings, (*variables, item)), place, "the condition of Where") is True
        ]
        return tuple(kept) or None

    return evaluate


def _where_type(checker: Checker, call: Call) -> ValueType:
    item = _item_type(checker, call)
    outer = checker.scope
    checker.scope = {**outer, name_of(call.arguments[0]): item}
    checker.condition(call.arguments[2])
    checker.scope = outer
    return UNKNOWN if item is UNKNOWN else ValueType(item.kinds, many=True)


def _compile_with(compiler: Compiler, call: Call) -> Evaluate:
    compiler.check_count(call, 3, 3)
    name = compiler.bound(call)
    value = compiler.compile(call.arguments[1])
    body = compiler.inside(name, call.arguments[2], deferred=True)
    return lambda bindings, variables: body(bindings, (*variables, Deferred(value, bindings, variables)))


def _with_type(checker: Checker, call: Call) -> ValueType:
    return checker.inside(name_of(call.arguments[0]), checker.value(call.arguments[1]), call.arguments[2])


def _item_type(checker: Checker, call: Call) -> ValueType:
    found = checker.value(call.arguments[1])
    if found is UNKNOWN:
        return found
    if not found.many and found.kinds:
        checker.report(
            position(call.arguments[1]),
            f"{call.name} goes through {found}; expected an attribute or expression with several values",
            f"Without {call.name}, the function works on the one value",
        )
    return ValueType(found.kinds)


def _items(value: Any, place: Place, name: str) -> tuple[Any, ...]:
    if isinstance(value, Sentinel):
        raise EvaluationFailed(place, f"{name} goes through {value.value}; expected values", "Write NULL")
    return value if isinstance(value, tuple) else () if value is None else (value,)


# -- Error, ImportedValue and ValueCount


def _compile_error(compiler: Compiler, call: Call) -> Evaluate:
    compiler.check_count(call, 1, 1)
    text, place = compiler.compile(call.arguments[0]), compiler.place(call.at)

    def evaluate(bindings: Bindings, variables: Variables) -> Any:
        value = text(bindings, variables)
        if value is not None and not isinstance(value, str):
            raise EvaluationFailed(
                place, f"Error: the text is {kind_name(value)}; expected text", "Convert it by CStr", value
            )
        raise StoppedByRule(place, value or "")

    return evaluate


def _error_type(checker: Checker, call: Call) -> ValueType:
    found = checker.value(call.arguments[0])
    if found is not UNKNOWN and (not found.kinds <= {Kind.TEXT} or found.many):
        checker.report(position(call.arguments[0]), f"the text of Error is {found}; expected text", "Convert it by CStr")
    return ValueType(frozenset())


def _compile_imported(compiler: Compiler, call: Call) -> Evaluate:
    compiler.check_count(call, 1, 1)
    name = compiler.quoted(call, 0)
    compiler.imported.add(name)
    return lambda bindings, variables: bindings.imported.get(name)


def _imported_type(checker: Checker, call: Call) -> ValueType:
    imported = checker.schema.imported if checker.schema.imported is not None else checker.schema.attributes
    return checker.attribute(text_of(call.arguments[0]), position(call.arguments[0]), imported)


def _compile_count(compiler: Compiler, call: Call) -> Evaluate:
    compiler.check_count(call, 1, 1)
    name = compiler.quoted(call, 0)
    compiler.attributes.add(name)

    def evaluate(bindings: Bindings, variables: Variables) -> Any:
        value = bindings.attributes.get(name)
        return len(value) if isinstance(value, tuple) else 0 if value is None else 1

    return evaluate


def _count_type(checker: Checker, call: Call) -> ValueType:
    checker.attribute(text_of(call.arguments[0]), position(call.arguments[0]), checker.schema.attributes)
    return ValueType.of(Kind.NUMBER)


def _add(table: FunctionTable, signature: str, basis: Basis, summary: str, compile_form: _Compile, type_of: _TypeOf) -> None:
    name = signature.partition("(")[0].partition(" ")[2]
    table.form(
        Form(
            name=name,
            signature=signature,
            group=table.group,
            basis=basis,
            summary=summary,
            compile=compile_form,
            type_of=type_of,
        )
    )


_add(
    _FLOW,
    "void Error(str text)",
    Basis.EXAMPLE,
    "Stops the object: nothing of it is written, and the text is shown with it.",
    _compile_error,
    _error_type,
)
_add(
    _FLOW,
    "var IIF(exp condition, var whenTrue, var whenFalse)",
    Basis.EXAMPLE,
    "One of two values. Only the one that is chosen is evaluated. A condition with several values chooses for each of them.",
    _compile_iif,
    _iif_type,
)
_add(
    _FLOW,
    "mvvar Select($item, mvvar values, var function)",
    Basis.EXAMPLE,
    "What the function makes of each value; NULL leaves the value out.",
    _compile_select,
    _select_type,
)
_add(
    _FLOW,
    "var Switch(exp condition, var value[, exp condition, var value ...])",
    Basis.EXAMPLE,
    "The value after the first condition that is true; NULL where none is. What follows it is not evaluated: other than the"
    " reference says, a condition behind it cannot fail.",
    _compile_switch,
    _switch_type,
)
_add(
    _FLOW,
    "mvvar Where($item, mvvar values, exp condition)",
    Basis.EXAMPLE,
    "The values for which the condition is true.",
    _compile_where,
    _where_type,
)
_add(
    _FLOW,
    "var With($name, var value, var expression)",
    Basis.EXAMPLE,
    "The expression, in which the variable stands for the value. The value is computed when it is first used, and once.",
    _compile_with,
    _with_type,
)
_add(
    _NAMED,
    'var ImportedValue("attribute")',
    Basis.EXAMPLE,
    "The value that the connected directory has confirmed. The attribute's name stands in quotes.",
    _compile_imported,
    _imported_type,
)
_add(
    _NAMED,
    'num ValueCount("attribute")',
    Basis.RULES,
    "How many values an attribute has. Its name stands in quotes.",
    _compile_count,
    _count_type,
)
