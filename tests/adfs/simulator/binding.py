"""What PowerShell's parameter binder does before a cmdlet runs: names, types, value sets, parameter sets.

Error ids and texts are those of Windows PowerShell 5.1 (`System.Management.Automation` resources `ParameterBinderStrings`
and `Metadata`), see about_Parameters and about_Functions_Advanced_Parameters.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping

from tests.adfs.simulator.errors import PsError
from tests.adfs.simulator.signatures import Parameter, Signature
from tests.adfs.simulator.values import PsCredential, SecureText

Bound = dict[str, object]


def command_not_found(name: str) -> PsError:
    """No such command in this session."""
    return PsError(
        f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. Check "
        "the spelling of the name, or if a path was included, verify that the path is correct and try again.",
        "CommandNotFoundException",
        "ObjectNotFound",
    )


def bind(signature: Signature, given: Mapping[str, object]) -> Bound:
    """The parameters by their proper names, converted. Raises PsError as the binder would."""
    every = {key: parameter for each in signature.sets.values() for key, parameter in each.items()}
    bound: Bound = {}
    for name, value in given.items():
        parameter = every[_resolve(signature, every, name)]
        bound[parameter.name] = _checked(signature, parameter, _converted(signature, parameter, value))
    _check_sets(signature, bound)
    return bound


def _resolve(signature: Signature, every: Mapping[str, Parameter], name: str) -> str:
    """Exactly, by alias, or by an abbreviation that fits one only."""
    aliases = {alias.lower(): target.lower() for alias, target in signature.aliases.items()}
    key = name.lower()
    if key in every or key in aliases:
        return aliases.get(key, key)
    fitting = {aliases.get(each, each) for each in (*every, *aliases) if each.startswith(key)} if key else set()
    if len(fitting) == 1:
        return fitting.pop()
    if fitting:
        raise _binding_error(
            signature,
            f"Parameter cannot be processed because the parameter name '{name}' is ambiguous.",
            "AmbiguousParameter",
        )
    raise _binding_error(
        signature, f"A parameter cannot be found that matches parameter name '{name}'.", "NamedParameterNotFound"
    )


def _binding_error(signature: Signature, message: str, error_id: str, category: str = "InvalidArgument") -> PsError:
    return PsError(message, f"{error_id},{signature.type_name}", category)


class _Unfit(Exception):
    """A value does not convert."""


def _one_text(value: object) -> str:
    if isinstance(value, SecureText | PsCredential | bytes | list) or value is None:
        raise _Unfit
    return str(value)


def _texts(value: object) -> list[str]:
    return [_one_text(each) for each in value] if isinstance(value, list | tuple) else [_one_text(value)]


def _integer(value: object) -> int:
    try:
        if isinstance(value, bool | int | str) and not isinstance(value, SecureText):
            return int(value)
    except ValueError:
        pass
    raise _Unfit


def _unsigned(value: object) -> int:
    number = _integer(value)
    if number < 0:
        raise _Unfit
    return number


def _boolean(value: object) -> bool:
    if isinstance(value, bool | int):  # a text is refused, "$true" and "False" alike
        return bool(value)
    raise _Unfit


def _switch(value: object) -> bool:
    return True if value is None else _boolean(value)


def _guid(value: object) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError as error:
        raise _Unfit from error


def _only(*types: type) -> Callable[[object], object]:
    def check(value: object) -> object:
        if not isinstance(value, types):
            raise _Unfit
        return value

    return check


def _bytes(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise _Unfit
    return value


_CONVERSIONS: Mapping[str, Callable[[object], object]] = {
    "String": _one_text,
    "String[]": _texts,
    "Uri": _one_text,
    "Uri[]": _texts,
    "Int32": _integer,
    "UInt32": _unsigned,
    "Boolean": _boolean,
    "SwitchParameter": _switch,
    "Guid": _guid,
    "Byte[]": _bytes,
    "DateTime": _only(dt.datetime),
    "TimeSpan": _only(dt.timedelta, str),
    "PSCredential": _only(PsCredential),
    "SecureString": _only(SecureText),
    "ActionPreference": _one_text,
}


def _converted(signature: Signature, parameter: Parameter, value: object) -> object:
    try:
        return _CONVERSIONS.get(parameter.type, _only())(value)
    except _Unfit:
        shown = "secret" if isinstance(value, SecureText | PsCredential) else type(value).__name__
        raise _binding_error(
            signature,
            f"Cannot convert a value of type '{shown}' to the type '{parameter.type}' required by parameter "
            f"'{parameter.name}'.",
            "CannotConvertArgumentNoMessage",
        ) from None


def _checked(signature: Signature, parameter: Parameter, value: object) -> object:
    if parameter.mandatory and value in ("", []):
        raise _binding_error(
            signature,
            f"Cannot bind argument to parameter '{parameter.name}' because it is an empty string.",
            "ParameterArgumentValidationErrorEmptyStringNotAllowed",
            "InvalidData",
        )
    if not parameter.choices:
        return value
    if isinstance(value, list):
        return [_choice(signature, parameter, str(each)) for each in value]
    return _choice(signature, parameter, str(value))


def _choice(signature: Signature, parameter: Parameter, value: str) -> str:
    found = next((choice for choice in parameter.choices if choice.lower() == value.lower()), None)
    if found is None:
        raise _binding_error(
            signature,
            f"Cannot validate argument on parameter '{parameter.name}'. The argument \"{value}\" does not belong to the set "
            f'"{",".join(parameter.choices)}" specified by the ValidateSet attribute. Supply an argument that is in the set '
            "and then try the command again.",
            "ParameterArgumentValidationError",
            "InvalidData",
        )
    return found


def _check_sets(signature: Signature, bound: Bound) -> None:
    names = {name.lower() for name in bound}
    fitting = [each for each in signature.sets.values() if names <= set(each)]
    if not fitting:
        raise _binding_error(
            signature, "Parameter set cannot be resolved using the specified named parameters.", "AmbiguousParameterSet"
        )
    missing = [[p.name for key, p in each.items() if p.mandatory and key not in names] for each in fitting]
    if all(missing):
        raise _binding_error(
            signature,
            "Cannot process command because of one or more missing mandatory parameters: " + " ".join(missing[0]) + ".",
            "MissingMandatoryParameter",
        )
